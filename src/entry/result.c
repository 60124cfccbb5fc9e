/*-------------------------------------------------------------------------
 *
 * result.c
 *	  A value on its way to the caller: types checked and converted.
 *
 * A value keeps the types that its query returned.  The caller of an SQL function
 * expects a text, a value of some type, a row of some composite type, or rows with
 * some columns.  Whether the value fits is checked here, by the same rules for a
 * creator's query before it runs and for a stored value.
 *
 * The only conversion is that by the output function, for text.  A value of another
 * type than the call asks for is an error, and is not cast, because a cast would hide
 * that two places do not agree on what a key holds.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/result.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

#include "entry/result.h"

/* Rows from either source, one after another. */
typedef struct RowSource
{
	Tuplestorestate *rows;		/* just created, or NULL: stored */
	DogpileValueScan scan;
	TupleDesc	desc;
	TupleTableSlot *slot;		/* holds the current row */
} RowSource;

/* Where a row type comes from, for messages. */
#define FROM_QUERY	"creator query"
#define FROM_STORE	"cached value"

/* --------------------------------------------------------------------
 * Checks
 * --------------------------------------------------------------------
 */

/* Why a row type does not fit a call. */
typedef struct Misfit
{
	bool		is_count;		/* it is the number of columns */
	int			given_count;
	int			wanted_count;
	int			column;			/* from 1; 0: the value as a whole */
	Oid			given;
	int32		given_typmod;
	Oid			wanted;
	int32		wanted_typmod;
} Misfit;

/*
 * Can the bytes of a value of one type be used as a value of another type?
 *
 * Lengths and scales count as in PL/pgSQL's RETURN QUERY: a value without one, or with
 * another one, does not fit a type with one.  A table would store it unchecked.
 */
static bool
types_fit(Oid given, int32 given_typmod, Oid wanted, int32 wanted_typmod)
{
	if (given != wanted && !IsBinaryCoercible(given, wanted))
		return false;
	if (wanted_typmod < 0)
		return true;
	if (given != wanted)
	{
		int32		typmod = -1;
		Oid			base = getBaseTypeAndTypmod(given, &typmod);

		/* The same number has another meaning for another type. */
		if (base != wanted)
			return false;
		given_typmod = typmod;
	}
	return given_typmod == wanted_typmod;
}

/* A hint for a caller that gets another type than it asks for. */
static int
hint_for(const char *source)
{
	return strcmp(source, FROM_STORE) != 0 ? 0 :
		errhint("If the query has changed, use another key or invalidate this one.");
}

/*
 * A type's name for a message, in CurrentMemoryContext.  Of a type that is not built in,
 * the function that knows what a length or scale means is not called.
 */
static const char *
type_name(Oid typid, int32 typmod)
{
	if (typmod < 0 || typid < FirstNormalObjectId)
		return format_type_with_typemod(typid, typmod);
	return psprintf("%s with type modifier %d", format_type_be(typid), typmod);
}

static void
raise_column_count(const char *source, const Misfit *misfit, const DogpileShape *shape)
{
	bool		is_query = strcmp(source, FROM_STORE) != 0;

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg_plural("%s returned %d column", "%s returned %d columns",
						   misfit->given_count, source, misfit->given_count),
			 misfit->wanted_count == 1 ? errdetail("Exactly one column is expected.") :
			 errdetail("Exactly %d columns are expected.", misfit->wanted_count),
			 is_query && misfit->given_count > 1 &&
			 shape->form != DOGPILE_FORM_SET && shape->desc == NULL ?
			 errhint("Use dogpile_query() for rows of several columns.") :
			 hint_for(source)));
}

static void
raise_misfit(const char *source, const Misfit *misfit, const DogpileShape *shape)
{
	const char *given;
	const char *wanted;

	if (misfit->is_count)
		raise_column_count(source, misfit, shape);
	given = type_name(misfit->given, misfit->given_typmod);
	wanted = type_name(misfit->wanted, misfit->wanted_typmod);
	if (misfit->column == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s has type %s, but type %s is expected", source, given, wanted),
				 hint_for(source)));
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column %d of %s has type %s, but type %s is expected", misfit->column,
					source, given, wanted),
			 hint_for(source)));
}

static void
raise_row_count(const char *source)
{
	ereport(ERROR,
			(errcode(ERRCODE_CARDINALITY_VIOLATION),
			 errmsg("%s returned more than one row", source),
			 errhint("Use dogpile_query() for a result set.")));
}

/* Number of columns that are not dropped. */
static int
count_columns(TupleDesc desc)
{
	int			count = 0;

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			count++;
	return count;
}

/* The number of columns does not fit. */
static bool
note_count(Misfit *misfit, int given, int wanted)
{
	misfit->is_count = true;
	misfit->given_count = given;
	misfit->wanted_count = wanted;
	return false;
}

/* The type does not fit, and in which column. */
static bool
note_type(Misfit *misfit, int column, Form_pg_attribute given, Oid wanted,
		  int32 wanted_typmod)
{
	misfit->column = column;
	misfit->given = given->atttypid;
	misfit->given_typmod = given->atttypmod;
	misfit->wanted = wanted;
	misfit->wanted_typmod = wanted_typmod;
	return false;
}

/*
 * Compare columns with those wanted, of which some may be dropped.  If what is wanted
 * is not a row type, its length or scale is in the shape.
 */
static bool
columns_fit(TupleDesc given, const DogpileShape *shape, Misfit *misfit)
{
	TupleDesc	wanted = shape->desc;
	bool		is_row = shape->form != DOGPILE_FORM_SET || !OidIsValid(shape->typid);
	int			column = 0;

	if (given->natts != count_columns(wanted))
		return note_count(misfit, given->natts, count_columns(wanted));
	for (int i = 0; i < wanted->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(wanted, i);
		int32		typmod = is_row ? att->atttypmod : shape->typmod;
		Form_pg_attribute given_att;

		if (att->attisdropped)
			continue;
		given_att = TupleDescAttr(given, column++);
		if (!types_fit(given_att->atttypid, given_att->atttypmod, att->atttypid, typmod))
			return note_type(misfit, column, given_att, att->atttypid, typmod);
	}
	return true;
}

/* Do rows of this type fit the call?  If not, misfit says why. */
static bool
shape_fits(TupleDesc desc, const DogpileShape *shape, Misfit *misfit)
{
	Form_pg_attribute only = desc->natts == 1 ? TupleDescAttr(desc, 0) : NULL;

	memset(misfit, 0, sizeof(*misfit));
	switch (shape->form)
	{
		case DOGPILE_FORM_TEXT:
			return only != NULL || note_count(misfit, desc->natts, 1);
		case DOGPILE_FORM_SCALAR:
			if (only != NULL &&
				types_fit(only->atttypid, only->atttypmod, shape->typid, shape->typmod))
				return true;
			if (shape->desc != NULL)
				return columns_fit(desc, shape, misfit);
			return only != NULL ?
				note_type(misfit, 0, only, shape->typid, shape->typmod) :
				note_count(misfit, desc->natts, 1);
		case DOGPILE_FORM_SET:
			return columns_fit(desc, shape, misfit);
	}
	return false;
}

static void
check_shape(TupleDesc desc, const DogpileShape *shape, const char *source)
{
	Misfit		misfit;

	if (!shape_fits(desc, shape, &misfit))
		raise_misfit(source, &misfit, shape);
}

/*
 * Why a value of this row type does not fit a call, for the log.
 *
 * Returns NULL if it does; otherwise a text in CurrentMemoryContext.
 *
 * Errors: out of memory.
 */
const char *
dogpile_result_explain_misfit(TupleDesc desc, const DogpileShape *shape)
{
	Misfit		misfit;

	if (shape_fits(desc, shape, &misfit))
		return NULL;
	if (misfit.is_count)
		return psprintf("it has %d columns where %d are asked for", misfit.given_count,
						misfit.wanted_count);
	return psprintf("its type is %s where %s is asked for",
					type_name(misfit.given, misfit.given_typmod),
					type_name(misfit.wanted, misfit.wanted_typmod));
}

/*
 * Check what a creator's query is going to return, before it runs.
 *
 * Errors: the number of columns, or a type, does not fit the call.
 */
void
dogpile_result_check_shape(TupleDesc desc, const DogpileShape *shape)
{
	check_shape(desc, shape, FROM_QUERY);
}

/*
 * Is a stored value of the type that the caller asks for?
 *
 * Errors: out of memory.
 */
bool
dogpile_result_matches(const DogpileValueReader *record, const DogpileShape *shape)
{
	TupleDesc	desc;
	Misfit		misfit;

	/* Mostly it is one value, for which no row type has to be made. */
	if (record->natts == 1 &&
		(shape->form == DOGPILE_FORM_TEXT ||
		 (shape->form == DOGPILE_FORM_SCALAR && record->typid == shape->typid &&
		  (shape->typmod < 0 || record->typmod == shape->typmod))))
		return true;
	desc = dogpile_value_get_desc(record);
	return desc != NULL && shape_fits(desc, shape, &misfit);
}

/*
 * Does a stored value still have the columns of the named type that the caller
 * asks for?  If not, the type was altered since, as by ALTER TABLE ADD COLUMN, and a
 * caller that can create the value does so.
 *
 * Errors: out of memory.
 */
bool
dogpile_result_fits(const DogpileValueReader *record, const DogpileShape *shape)
{
	return !shape->is_named || dogpile_result_matches(record, shape);
}

/*
 * Check what a creator's query has returned, before it is stored.
 *
 * Errors: more rows than fit the call.
 */
void
dogpile_result_check_rows(Tuplestorestate *rows, const DogpileShape *shape)
{
	if (shape->form != DOGPILE_FORM_SET && tuplestore_tuple_count(rows) > 1)
		raise_row_count(FROM_QUERY);
}

/* --------------------------------------------------------------------
 * Rows from either source
 * --------------------------------------------------------------------
 */

static void
begin_rows(RowSource *source, const DogpileResult *result)
{
	source->rows = result->rows;
	source->desc = result->desc;
	if (result->rows)
		tuplestore_rescan(result->rows);
	else
	{
		dogpile_value_begin_rows(&source->scan, &result->record);
		source->desc = source->scan.desc;
	}
	source->slot = MakeSingleTupleTableSlot(source->desc, &TTSOpsMinimalTuple);
}

static bool
next_row(RowSource *source)
{
	return source->rows ?
		tuplestore_gettupleslot(source->rows, true, false, source->slot) :
		dogpile_value_next_row(&source->scan, source->slot);
}

/* Rows that were just created are not needed anymore; they may be in a file. */
static void
end_rows(RowSource *source)
{
	ExecDropSingleTupleTableSlot(source->slot);
	if (source->rows)
		tuplestore_end(source->rows);
}

/*
 * The values of the current row for another row type, with a null for each dropped
 * column of that type.
 */
static void
convert_row(TupleTableSlot *slot, TupleDesc wanted, Datum *values, bool *nulls)
{
	int			column = 0;

	for (int i = 0; i < wanted->natts; i++)
	{
		values[i] = (Datum) 0;
		nulls[i] = true;
		if (!TupleDescAttr(wanted, i)->attisdropped)
			values[i] = slot_getattr(slot, ++column, &nulls[i]);
	}
}

/* --------------------------------------------------------------------
 * One value
 * --------------------------------------------------------------------
 */

/* Convert a datum to text. */
static Datum
convert_to_text(Datum datum, Oid typid)
{
	static MemoryContext context = NULL;	/* what the function keeps */
	static Oid	last_typid = InvalidOid;
	static FmgrInfo output;
	Oid			function;
	bool		is_varlena;

	if (typid == TEXTOID || typid == VARCHAROID)
		return datum;

	/* Mostly it is the same type again. */
	if (typid != last_typid)
	{
		last_typid = InvalidOid;
		if (context == NULL)
			context = AllocSetContextCreate(TopMemoryContext, "dogpile output function",
											ALLOCSET_SMALL_SIZES);
		MemoryContextReset(context);
		getTypeOutputInfo(typid, &function, &is_varlena);
		fmgr_info_cxt(function, &output, context);
		last_typid = typid;
	}
	return CStringGetTextDatum(OutputFunctionCall(&output, datum));
}

/* The current row as one datum of the type that the caller wants. */
static Datum
form_datum(TupleTableSlot *slot, const DogpileShape *shape, bool *isnull)
{
	TupleDesc	given = slot->tts_tupleDescriptor;
	TupleDesc	wanted = shape->desc;
	Datum	   *values;
	bool	   *nulls;
	Datum		datum;

	if (given->natts == 1 && (shape->form == DOGPILE_FORM_TEXT ||
							  types_fit(TupleDescAttr(given, 0)->atttypid,
										TupleDescAttr(given, 0)->atttypmod,
										shape->typid, shape->typmod)))
	{
		Form_pg_attribute att = TupleDescAttr(given, 0);

		datum = slot_getattr(slot, 1, isnull);
		return *isnull ? datum : datumCopy(datum, att->attbyval, att->attlen);
	}

	values = palloc_array(Datum, wanted->natts);
	nulls = palloc_array(bool, wanted->natts);
	convert_row(slot, wanted, values, nulls);
	*isnull = false;
	return HeapTupleGetDatum(heap_form_tuple(wanted, values, nulls));
}

/* The datum of the only row, if there is one. */
static Datum
get_only_row(const DogpileResult *result, const DogpileShape *shape, bool *isnull)
{
	RowSource	source;
	Datum		datum = (Datum) 0;

	*isnull = true;
	begin_rows(&source, result);
	check_shape(source.desc, shape, result->rows ? FROM_QUERY : FROM_STORE);
	if (next_row(&source))
		datum = form_datum(source.slot, shape, isnull);
	if (next_row(&source))
		raise_row_count(result->rows ? FROM_QUERY : FROM_STORE);
	if (!*isnull && shape->form == DOGPILE_FORM_TEXT)
		datum = convert_to_text(datum, TupleDescAttr(source.desc, 0)->atttypid);
	end_rows(&source);
	return datum;
}

/*
 * Get the one value that a caller wants.
 *
 * result: cannot be used afterwards.
 * shape: of form TEXT or SCALAR.
 *
 * Returns a datum in CurrentMemoryContext; no row gives a null.
 *
 * Errors: more than one row, another number of columns, another type.
 */
Datum
dogpile_result_get_scalar(const DogpileResult *result, const DogpileShape *shape,
						  bool *isnull)
{
	Datum		datum;

	if (result->rows || !dogpile_value_get_datum(&result->record, &datum, isnull))
		return get_only_row(result, shape, isnull);

	/* The short way, for most hits. */
	if (shape->form == DOGPILE_FORM_TEXT)
		return *isnull ? datum : convert_to_text(datum, result->record.typid);
	if (types_fit(result->record.typid, result->record.typmod, shape->typid, shape->typmod))
		return datum;
	return get_only_row(result, shape, isnull);
}

/* --------------------------------------------------------------------
 * A set
 * --------------------------------------------------------------------
 */

/*
 * Pass the rows to the executor.
 *
 * result: cannot be used afterwards.
 * shape: of form SET.
 * rsinfo: its setResult and setDesc are set, in the query's memory context.
 *
 * Errors: another number of columns, or another type.
 */
void
dogpile_result_put_set(const DogpileResult *result, const DogpileShape *shape,
					   ReturnSetInfo *rsinfo)
{
	MemoryContext oldcontext =
		MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	TupleDesc	desc = CreateTupleDescCopy(shape->desc);
	Tuplestorestate *rows =
		tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0,
							  false, work_mem);
	Datum	   *values;
	bool	   *nulls;
	RowSource	source;

	MemoryContextSwitchTo(oldcontext);
	begin_rows(&source, result);
	check_shape(source.desc, shape, result->rows ? FROM_QUERY : FROM_STORE);
	values = palloc_array(Datum, desc->natts + 1);
	nulls = palloc_array(bool, desc->natts + 1);
	while (next_row(&source))
	{
		convert_row(source.slot, desc, values, nulls);
		tuplestore_putvalues(rows, desc, values, nulls);
	}
	end_rows(&source);

	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult = rows;
	rsinfo->setDesc = desc;
}
