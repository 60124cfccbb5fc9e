/*-------------------------------------------------------------------------
 *
 * wire_rows.c
 *	  A result set as bytes that other servers understand.
 *
 * The row type comes first; see wire_types.c.  Then each row is a mark and a field for
 * each column; see wire_datum.c.  Another mark is at the end.  So a row takes at least
 * one byte, and the reader need not trust a number of rows.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_rows.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/tuptable.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "entry/rowtype.h"
#include "entry/trust.h"
#include "wire/wire_datum.h"
#include "wire/wire_try.h"
#include "wire/wire_rows.h"

#define ROW_MARK	'R'
#define END_MARK	'E'

/* --------------------------------------------------------------------
 * Writing
 * --------------------------------------------------------------------
 */

/* Write the rows, with a memory context that is reset after each of them. */
static void
write_rows(DogpileWireWriter *writer, const DogpileValueReader *record)
{
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext,
													  "dogpile row",
													  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcontext;
	DogpileValueScan scan;
	DogpileWireType *type;
	TupleTableSlot *slot;

	dogpile_value_begin_rows(&scan, record);
	writer->is_single = scan.desc->natts == 1 && record->nrows == 1;
	type = dogpile_wire_write_row_type(writer, scan.desc);
	slot = MakeSingleTupleTableSlot(scan.desc, &TTSOpsMinimalTuple);
	oldcontext = MemoryContextSwitchTo(row_context);
	while (dogpile_value_next_row(&scan, slot))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		pq_sendint8(writer->out, ROW_MARK);
		dogpile_wire_write_columns(writer, type, slot->tts_values, slot->tts_isnull);
		ExecClearTuple(slot);
		MemoryContextReset(row_context);
	}
	pq_sendint8(writer->out, END_MARK);
	MemoryContextSwitchTo(oldcontext);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * Append the rows of a value.
 *
 * Errors: other servers cannot read it, or it is too large.  Memory is left in
 * CurrentMemoryContext then.
 */
void
dogpile_wire_write_rows(const DogpileValue *value, StringInfo out)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "dogpile wire",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	DogpileWireWriter writer = {.out = out,.types = {.context = context}};
	DogpileValueReader record;

	if (dogpile_value_open(value, &record) != DOGPILE_VALUE_OK)
		elog(ERROR, "value cannot be read");
	write_rows(&writer, &record);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
}

/* --------------------------------------------------------------------
 * Reading
 * --------------------------------------------------------------------
 */

/* Arguments of decode(). */
typedef struct DecodeArgs
{
	DogpileWireReader reader;
	MemoryContext result_context;
	const DogpileShape *shape;	/* what the caller asks for; NULL: anything */
	DogpileValue *value;
	bool		is_unchecked;	/* it is of a domain whose constraints the
								 * caller must check */
	DogpileWireSummary *summary;	/* wanted instead of the value, or NULL */
} DecodeArgs;

/* Is there another row? */
static bool
read_mark(DogpileWireReader *reader)
{
	uint8		mark = dogpile_wire_get_uint8(reader);

	if (mark == ROW_MARK)
		return true;
	if (mark != END_MARK || reader->p != reader->end)
		dogpile_wire_raise_damaged(reader);
	return false;
}

/* Is the value a single datum that its type describes fully? */
static bool
is_single(const DogpileWireReader *reader, TupleDesc desc)
{
	return desc->natts == 1 && TupleDescAttr(desc, 0)->atttypmod < 0 &&
		!dogpile_rowtype_desc_has_records(desc) &&
		reader->end - reader->p == 1 && *reader->p == END_MARK;
}

/* Read the remaining rows, the first of which has been read into values. */
static Tuplestorestate *
collect_rows(DogpileWireReader *reader, DogpileWireType *type, bool more,
			 Datum *values, bool *nulls, MemoryContext row_context)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(reader->types.context);
	Tuplestorestate *rows = tuplestore_begin_heap(true, false, work_mem);

	MemoryContextSwitchTo(oldcontext);
	while (more)
	{
		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(rows, type->desc, values, nulls);
		MemoryContextReset(row_context);
		more = read_mark(reader);
		if (more)
			dogpile_wire_read_columns(reader, type, values, nulls);
	}
	return rows;
}

/*
 * Refuse what the caller does not ask for, before any of it is read: the caller and not
 * the bytes must decide which types' functions run.
 *
 * A caller that asks for a single domain checks it by itself, as it would without a
 * cache; so its constraints need not be checked here.
 */
static void
check_asked_for(DecodeArgs *args, DogpileWireType *type)
{
	const DogpileShape *shape = args->shape;
	const char *misfit;

	if (shape == NULL)
		return;
	misfit = dogpile_result_explain_misfit(type->desc, shape);
	if (misfit != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg_internal("%s", misfit)));
	if (shape->form == DOGPILE_FORM_SCALAR && type->desc->natts == 1 &&
		type->columns[0]->kind == DOGPILE_WIRE_DOMAIN &&
		type->columns[0]->typid == shape->typid)
		type->columns[0]->is_asked_for = true;
}

/* Is the value of a domain whose constraints the caller must check? */
static bool
is_unchecked(const DogpileWireType *type)
{
	return type->desc->natts == 1 && type->columns[0]->domain != NULL &&
		!type->columns[0]->domain->is_trusted;
}

/* Read the rows, and make a value of them in the result's context. */
static bool
read_rows(DecodeArgs *args, MemoryContext row_context, DogpileWireType *type)
{
	DogpileWireReader *reader = &args->reader;
	TupleDesc	desc = type->desc;
	Datum	   *values = palloc_array(Datum, desc->natts + 1);
	bool	   *nulls = palloc_array(bool, desc->natts + 1);
	bool		more = read_mark(reader);
	Tuplestorestate *rows;
	bool		ok;

	MemoryContextSwitchTo(row_context);
	if (more)
		dogpile_wire_read_columns(reader, type, values, nulls);
	args->is_unchecked = is_unchecked(type);
	if (more && is_single(reader, desc))
	{
		DogpileDatum datum = {values[0], nulls[0], TupleDescAttr(desc, 0)->atttypid, -1};

		MemoryContextSwitchTo(args->result_context);
		return dogpile_value_encode_datum(&datum, MaxAllocHugeSize, args->value);
	}
	rows = collect_rows(reader, type, more, values, nulls, row_context);
	MemoryContextSwitchTo(args->result_context);
	ok = dogpile_value_encode_rows(rows, desc, MaxAllocHugeSize, args->value);
	tuplestore_end(rows);
	return ok;
}

/* Count the rows, looking only at the lengths of fields. */
static uint64
count_rows(DogpileWireReader *reader, const DogpileWireType *type)
{
	uint64		count = 0;

	for (; read_mark(reader); count++)
	{
		CHECK_FOR_INTERRUPTS();
		dogpile_wire_skip_columns(reader, type);
	}
	return count;
}

static void
decode(void *arg)
{
	DecodeArgs *args = arg;
	MemoryContext context = args->reader.types.context;
	MemoryContext row_context;
	DogpileWireType *type;

	MemoryContextSwitchTo(context);
	type = dogpile_wire_read_row_type(&args->reader);
	if (args->summary != NULL)
	{
		args->summary->nrows = count_rows(&args->reader, type);
		MemoryContextSwitchTo(args->result_context);
		args->summary->desc = CreateTupleDescCopy(type->desc);
		return;
	}
	check_asked_for(args, type);
	row_context = AllocSetContextCreate(context, "dogpile row", ALLOCSET_DEFAULT_SIZES);
	if (!read_rows(args, row_context, type))
		elog(ERROR, "value is too large");
	MemoryContextSwitchTo(args->result_context);
}

/* Decode by dogpile_wire_try(), in memory that is freed afterwards. */
static bool
try_decode(DecodeArgs *args, DogpileBytes bytes, DogpileWireFailure *failure)
{
	DogpileWireReader reader = {
		.p = bytes.data,
		.end = bytes.data + bytes.len,
		.types = {.context = AllocSetContextCreate(CurrentMemoryContext, "dogpile wire",
												   ALLOCSET_DEFAULT_SIZES)},
		.status = DOGPILE_WIRE_UNKNOWN
	};
	bool		ok;

	args->reader = reader;
	ok = dogpile_wire_try(decode, args, failure);
	MemoryContextDelete(reader.types.context);
	return ok;
}

/* The result of reading if a receive function has raised this error. */
static DogpileWireStatus
judge_failure(const DogpileWireFailure *failure)
{
	switch (failure->sqlerrcode)
	{
		case ERRCODE_PROTOCOL_VIOLATION:
		case ERRCODE_INVALID_BINARY_REPRESENTATION:
		case ERRCODE_CHARACTER_NOT_IN_REPERTOIRE:
			return DOGPILE_WIRE_DAMAGED;
		default:
			return DOGPILE_WIRE_UNKNOWN;
	}
}

/* Decode, and return the result and the reason. */
static DogpileWireStatus
run_decode(DecodeArgs *args, DogpileBytes rows, const char **reason)
{
	DogpileWireFailure failure;

	*reason = NULL;
	args->result_context = CurrentMemoryContext;
	if (rows.len >= MaxAllocSize)
	{
		*reason = "its value is too large";
		return DOGPILE_WIRE_DAMAGED;
	}
	if (try_decode(args, rows, &failure))
		return DOGPILE_WIRE_OK;
	*reason = failure.message;
	return args->reader.status == DOGPILE_WIRE_DAMAGED ? DOGPILE_WIRE_DAMAGED :
		judge_failure(&failure);
}

/*
 * Decode a result set, if it is what the caller asks for.
 *
 * rows: of an entry that was opened; see wire.h.
 * shape: what is asked for; NULL: anything.
 * value: made in CurrentMemoryContext if the result is DOGPILE_WIRE_OK.
 * is_unchecked: set to whether the caller must check the constraints of the domain that
 *		the value is of.
 * reason: if the result is another one, set to why, for the log.
 *
 * No function is called that a user can define.
 *
 * Errors: those that are not about the data, see wire_try.c.
 */
DogpileWireStatus
dogpile_wire_read_rows(DogpileBytes rows, const DogpileShape *shape, DogpileValue *value,
					   bool *is_unchecked, const char **reason)
{
	DecodeArgs	args = {.shape = shape,.value = value};
	DogpileWireStatus status = run_decode(&args, rows, reason);

	*is_unchecked = args.is_unchecked;
	return status;
}

/*
 * Get the row type and the number of rows of a result set, without reading any value.
 *
 * summary: filled in, in CurrentMemoryContext, if the result is DOGPILE_WIRE_OK.
 * reason: otherwise set to why, for the log.
 *
 * Only functions that read catalogs are called.
 *
 * Errors: those that are not about the data.
 */
DogpileWireStatus
dogpile_wire_summarize_rows(DogpileBytes rows, DogpileWireSummary *summary,
							const char **reason)
{
	DecodeArgs	args = {.summary = summary};

	return run_decode(&args, rows, reason);
}
