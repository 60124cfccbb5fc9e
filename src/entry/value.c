/*-------------------------------------------------------------------------
 *
 * value.c
 *	  The stored record: a result set with its row type, as flat bytes.
 *
 * Most values are one datum, and a hit on one should cost little more than a
 * copy of it.  So there are two forms: a single datum behind a fixed head, and
 * any number of rows with their row type.
 *
 *		datum	head, datum
 *		rows	head, row type, row types of anonymous records, rows
 *
 * Rows are minimal tuples; every part begins at a multiple of MAXALIGN.  All
 * data is flat: nothing points out of line.
 *
 * The bytes are in this server's representation, for a store in its memory.
 * dogpile_value_open() and the walk over the rows check their bounds, and a
 * fingerprint detects types that were altered since, but the contents of a datum
 * are trusted.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/value.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "entry/rowtype.h"
#include "entry/value.h"
#include "lib/compat.h"

/* Identifies our records, and their format. */
#define MAGIC		0xD09E

typedef enum Form
{
	FORM_NULL,					/* one datum, which is null */
	FORM_BYVAL,					/* one datum, passed by value */
	FORM_BYREF,					/* one datum, passed by reference */
	FORM_ROWS
} Form;

/* The head of a record. */
typedef struct DogpileValueHeader
{
	uint16		magic;
	uint8		form;
	uint8		user_types;		/* is there a fingerprint to compare? */
	uint32		fingerprint;
	union
	{
		struct
		{
			Oid			typid;
			int32		typmod;
			uint64		length; /* of what follows, in bytes */
		}			datum;
		struct
		{
			uint32		desc_length;	/* the row type's, in bytes */
			uint32		types_length;	/* ... and the anonymous records' */
			uint64		nrows;
		}			rows;
	}			u;
} DogpileValueHeader;

#define DATUM_OF(header)	((const char *) ((header) + 1))
#define DESC_OF(header)		((const char *) ((header) + 1))
#define TYPES_OF(header)	(DESC_OF(header) + MAXALIGN((header)->u.rows.desc_length))
#define ROWS_OF(header)		(TYPES_OF(header) + MAXALIGN((header)->u.rows.types_length))

/* --------------------------------------------------------------------
 * Encoding
 * --------------------------------------------------------------------
 */

/* Zeroed, so that padding is the same each time. */
static DogpileValueHeader *
allocate(Size size, DogpileValue *value)
{
	DogpileValueHeader *header =
		MemoryContextAllocExtended(CurrentMemoryContext, size,
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	header->magic = MAGIC;

	value->data = (char *) header;
	value->size = size;
	return header;
}

/* The fingerprint of a type whose definition users can change. */
static void
add_fingerprint(Oid typid, bool *user_types, uint32 *fingerprint)
{
	uint32		part;

	if (typid < FirstNormalObjectId)
		return;
	if (!dogpile_rowtype_fingerprint(typid, &part))
		elog(ERROR, "cache lookup failed for type %u", typid);
	*user_types = true;
	*fingerprint = hash_combine(*fingerprint, part);
}

/* One datum, which is flat and contains no anonymous records. */
static bool
encode_single(Datum datum, bool isnull, Oid typid, int32 typmod, int16 typlen,
			  bool byval, Size max_size, DogpileValue *value)
{
	Size		length = isnull || byval ? 0 : datumGetSize(datum, byval, typlen);
	Size		size = sizeof(DogpileValueHeader) + (byval ? sizeof(Datum) : length);
	DogpileValueHeader *header;
	bool		user_types = false;

	if (size > max_size)
		return false;
	header = allocate(size, value);
	header->form = isnull ? FORM_NULL : byval ? FORM_BYVAL : FORM_BYREF;
	header->u.datum.typid = typid;
	header->u.datum.typmod = typmod;
	header->u.datum.length = size - sizeof(DogpileValueHeader);
	if (!isnull && byval)
		memcpy(header + 1, &datum, sizeof(Datum));
	else if (!isnull)
		memcpy(header + 1, DatumGetPointer(datum), length);
	add_fingerprint(typid, &user_types, &header->fingerprint);
	header->user_types = user_types;
	return true;
}

/* Add up the sizes of the rows, up to the limit. */
static Size
measure_rows(Tuplestorestate *rows, TupleTableSlot *slot, Size max_size, uint64 *nrows)
{
	Size		size = 0;

	*nrows = 0;
	tuplestore_rescan(rows);
	while (size <= max_size && tuplestore_gettupleslot(rows, true, false, slot))
	{
		bool		should_free;
		MinimalTuple tuple = ExecFetchSlotMinimalTuple(slot, &should_free);

		size += MAXALIGN(tuple->t_len);
		(*nrows)++;
		if (should_free)
			pfree(tuple);
	}
	ExecClearTuple(slot);
	return size;
}

/* Make the slot point to a copied tuple and visit the records in it. */
static bool
map_records(MinimalTuple tuple, TupleTableSlot *slot, DogpileRowTypes *types,
			bool storing)
{
	TupleDesc	desc = slot->tts_tupleDescriptor;
	bool		ok = true;

	ExecStoreMinimalTuple(tuple, slot, false);
	for (int i = 0; i < desc->natts && ok; i++)
	{
		Oid			typid = TupleDescAttr(desc, i)->atttypid;
		bool		isnull;
		Datum		datum;

		if (!dogpile_rowtype_has_records(typid))
			continue;
		datum = slot_getattr(slot, i + 1, &isnull);
		if (isnull)
			continue;
		if (storing)
			dogpile_rowtype_store_records(DatumGetPointer(datum), typid, types);
		else
			ok = dogpile_rowtype_load_records(DatumGetPointer(datum), typid, types);
	}
	return ok;
}

/* Copy the rows one after another. */
static void
copy_rows(Tuplestorestate *rows, TupleTableSlot *slot, char *to)
{
	tuplestore_rescan(rows);
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		bool		should_free;
		MinimalTuple tuple = ExecFetchSlotMinimalTuple(slot, &should_free);

		memcpy(to, tuple, tuple->t_len);
		to += MAXALIGN(tuple->t_len);
		if (should_free)
			pfree(tuple);
	}
	ExecClearTuple(slot);
}

/* Visit the records in rows that were copied. */
static void
store_records(char *rows, uint64 nrows, TupleTableSlot *slot, DogpileRowTypes *types)
{
	while (nrows-- > 0)
	{
		MinimalTuple tuple = (MinimalTuple) rows;

		(void) map_records(tuple, slot, types, true);
		rows += MAXALIGN(tuple->t_len);
	}
	ExecClearTuple(slot);
}

/* Any number of rows. */
static bool
encode_set(Tuplestorestate *rows, TupleTableSlot *slot, Size max_size,
		   uint64 nrows, Size rows_size, DogpileValue *value)
{
	TupleDesc	desc = slot->tts_tupleDescriptor;
	DogpileRowTypes types = {0};
	StringInfoData desc_bytes;
	StringInfoData types_bytes;
	DogpileValueHeader *header;
	char	   *copied = NULL;
	bool		user_types = false;
	Size		size;

	initStringInfo(&desc_bytes);
	initStringInfo(&types_bytes);
	dogpile_rowtype_write_desc(&desc_bytes, desc);
	if (dogpile_rowtype_desc_has_records(desc))
	{
		/* The row types are known only when all rows were visited. */
		copied = MemoryContextAllocHuge(CurrentMemoryContext, Max(rows_size, 1));
		memset(copied, 0, rows_size);
		copy_rows(rows, slot, copied);
		store_records(copied, nrows, slot, &types);
		dogpile_rowtype_write(&types_bytes, &types);
	}

	size = sizeof(DogpileValueHeader) + MAXALIGN(desc_bytes.len) +
		MAXALIGN(types_bytes.len) + rows_size;
	if (size > max_size)
		return false;
	header = allocate(size, value);
	header->form = FORM_ROWS;
	header->u.rows.nrows = nrows;
	header->u.rows.desc_length = desc_bytes.len;
	header->u.rows.types_length = types_bytes.len;
	for (int i = 0; i < desc->natts; i++)
		add_fingerprint(TupleDescAttr(desc, i)->atttypid, &user_types,
						&header->fingerprint);
	for (int t = 0; t < types.count; t++)
		for (int i = 0; i < types.descs[t]->natts; i++)
			add_fingerprint(TupleDescAttr(types.descs[t], i)->atttypid, &user_types,
							&header->fingerprint);
	header->user_types = user_types;
	memcpy(unconstify(char *, DESC_OF(header)), desc_bytes.data, desc_bytes.len);
	memcpy(unconstify(char *, TYPES_OF(header)), types_bytes.data, types_bytes.len);
	if (copied)
		memcpy(unconstify(char *, ROWS_OF(header)), copied, rows_size);
	else
		copy_rows(rows, slot, unconstify(char *, ROWS_OF(header)));
	return true;
}

/* The only datum of the only row, with its facts from the row type. */
static bool
encode_single_row(Tuplestorestate *rows, TupleTableSlot *slot, Size max_size,
				  DogpileValue *value)
{
	Form_pg_attribute att = TupleDescAttr(slot->tts_tupleDescriptor, 0);
	bool		isnull;
	bool		encoded;
	Datum		datum;

	tuplestore_rescan(rows);
	(void) tuplestore_gettupleslot(rows, true, false, slot);
	datum = slot_getattr(slot, 1, &isnull);
	if (!isnull && att->attlen == -1)
		datum = PointerGetDatum(PG_DETOAST_DATUM(datum));
	encoded = encode_single(datum, isnull, att->atttypid, att->atttypmod, att->attlen,
							att->attbyval, max_size, value);
	ExecClearTuple(slot);
	return encoded;
}

/*
 * Encode the rows that a query gave.
 *
 * rows: flat (detoasted) rows of type desc; read from the start.
 * max_size: bytes that the value may have.
 *
 * Returns false if it is larger; else the value is in CurrentMemoryContext.
 *
 * Errors: out of memory; reading a temporary file.
 */
bool
dogpile_value_encode_rows(Tuplestorestate *rows, TupleDesc desc, Size max_size,
						  DogpileValue *value)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	uint64		nrows;
	Size		rows_size = measure_rows(rows, slot, max_size, &nrows);
	bool		encoded = false;

	if (rows_size <= max_size)
	{
		if (nrows == 1 && desc->natts == 1 && !dogpile_rowtype_desc_has_records(desc))
			encoded = encode_single_row(rows, slot, max_size, value);
		else
			encoded = encode_set(rows, slot, max_size, nrows, rows_size, value);
	}
	ExecDropSingleTupleTableSlot(slot);
	return encoded;
}

/* A datum with anonymous records in it is stored as a row. */
static bool
encode_as_row(const DogpileDatum *datum, Size max_size, DogpileValue *value)
{
	TupleDesc	desc = CreateTemplateTupleDesc(1);
	Tuplestorestate *rows = tuplestore_begin_heap(true, false, 1024);
	Datum		flat = datum->value;
	bool		isnull = datum->isnull;
	bool		encoded;

	TupleDescInitEntry(desc, 1, "value", datum->typid, -1, 0);
	dogpile_tuple_desc_finalize_compat(desc);
	if (!isnull)
		flat = PointerGetDatum(PG_DETOAST_DATUM(flat));
	tuplestore_putvalues(rows, desc, &flat, &isnull);
	encoded = dogpile_value_encode_rows(rows, desc, max_size, value);
	tuplestore_end(rows);
	return encoded;
}

/*
 * Encode a single datum.
 *
 * max_size, result, errors: as for dogpile_value_encode_rows().
 */
bool
dogpile_value_encode_datum(const DogpileDatum *datum, Size max_size, DogpileValue *value)
{
	Datum		flat = datum->value;
	int16		typlen;
	bool		byval;

	if (dogpile_rowtype_has_records(datum->typid))
		return encode_as_row(datum, max_size, value);

	get_typlenbyval(datum->typid, &typlen, &byval);
	if (!datum->isnull && typlen == -1)
		flat = PointerGetDatum(PG_DETOAST_DATUM(flat));
	return encode_single(flat, datum->isnull, datum->typid, datum->typmod, typlen, byval,
						 max_size, value);
}

/* --------------------------------------------------------------------
 * Decoding
 * --------------------------------------------------------------------
 */

/* Are the types unchanged?  Computed as when encoding. */
static bool
types_match(const DogpileValueHeader *header, TupleDesc desc,
			const DogpileRowTypes *types)
{
	uint32		fingerprint = 0;

	for (int t = -1; t < (types ? types->count : 0); t++)
	{
		TupleDesc	rowtype = t < 0 ? desc : types->descs[t];

		for (int i = 0; i < rowtype->natts; i++)
		{
			Oid			typid = TupleDescAttr(rowtype, i)->atttypid;
			uint32		part;

			if (typid < FirstNormalObjectId)
				continue;
			if (!dogpile_rowtype_fingerprint(typid, &part))
				return false;
			fingerprint = hash_combine(fingerprint, part);
		}
	}
	return fingerprint == header->fingerprint;
}

/* Is a single datum's type unchanged? */
static bool
type_matches(const DogpileValueHeader *header)
{
	uint32		part;

	return dogpile_rowtype_fingerprint(header->u.datum.typid, &part) &&
		hash_combine(0, part) == header->fingerprint;
}

static DogpileValueStatus
open_datum(const DogpileValueHeader *header, Size size, DogpileValueReader *reader)
{
	Size		length = header->u.datum.length;

	if (length != size - sizeof(DogpileValueHeader) ||
		(header->form == FORM_BYVAL && length != sizeof(Datum)))
		return DOGPILE_VALUE_CORRUPT;
	reader->natts = 1;
	reader->nrows = 1;
	reader->typid = header->u.datum.typid;
	reader->typmod = header->u.datum.typmod;
	if (header->user_types && !type_matches(header))
		return DOGPILE_VALUE_OUTDATED;
	return DOGPILE_VALUE_OK;
}

/* The row types of the anonymous records, or NULL if there are none. */
static DogpileRowTypes *
read_types(const DogpileValueReader *reader)
{
	const DogpileValueHeader *header = reader->header;

	return header->u.rows.types_length == 0 ? NULL :
		dogpile_rowtype_read(TYPES_OF(header),
							 TYPES_OF(header) + header->u.rows.types_length);
}

static DogpileValueStatus
open_rows(const DogpileValueHeader *header, Size size, DogpileValueReader *reader)
{
	Size		room = size - sizeof(DogpileValueHeader);
	Size		desc_size = MAXALIGN((Size) header->u.rows.desc_length);
	Size		types_size = MAXALIGN((Size) header->u.rows.types_length);
	uint32		natts;

	if (desc_size > room || types_size > room - desc_size ||
		header->u.rows.desc_length < sizeof(natts))
		return DOGPILE_VALUE_CORRUPT;
	memcpy(&natts, DESC_OF(header), sizeof(natts));
	reader->natts = natts;
	reader->nrows = header->u.rows.nrows;
	reader->typid = InvalidOid;
	reader->typmod = -1;
	if (natts > 0)
		dogpile_rowtype_peek(DESC_OF(header), &reader->typid, &reader->typmod);
	if (header->user_types)
	{
		TupleDesc	desc = dogpile_value_get_desc(reader);

		if (desc == NULL || !types_match(header, desc, read_types(reader)))
			return DOGPILE_VALUE_OUTDATED;
	}
	return DOGPILE_VALUE_OK;
}

/*
 * Check a value before anything is read from it.
 *
 * value: its data is MAXALIGNed and stays where it is while the reader is used.
 * reader: filled in if the result is DOGPILE_VALUE_OK.
 *
 * Errors: out of memory.
 */
DogpileValueStatus
dogpile_value_open(const DogpileValue *value, DogpileValueReader *reader)
{
	const DogpileValueHeader *header = (const DogpileValueHeader *) value->data;

	if (value->size < sizeof(DogpileValueHeader) || header->magic != MAGIC)
		return DOGPILE_VALUE_CORRUPT;
	reader->header = header;
	reader->end = value->data + value->size;
	switch ((Form) header->form)
	{
		case FORM_NULL:
		case FORM_BYVAL:
		case FORM_BYREF:
			return open_datum(header, value->size, reader);
		case FORM_ROWS:
			return open_rows(header, value->size, reader);
	}
	return DOGPILE_VALUE_CORRUPT;
}

/*
 * The row type of a value, in CurrentMemoryContext; NULL if it cannot be read
 * because a type does not exist anymore.
 */
TupleDesc
dogpile_value_get_desc(const DogpileValueReader *reader)
{
	const DogpileValueHeader *header = reader->header;
	const char *bytes = DESC_OF(header);
	TupleDesc	desc;

	if (header->form == FORM_ROWS)
		return dogpile_rowtype_read_desc(&bytes, bytes + header->u.rows.desc_length);
	desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(desc, 1, "value", header->u.datum.typid,
					   header->u.datum.typmod, 0);
	dogpile_tuple_desc_finalize_compat(desc);
	return desc;
}

/*
 * Get the datum of a value that is a single datum.
 *
 * datum: a copy in CurrentMemoryContext.
 *
 * Returns false if the value is kept as rows.
 */
bool
dogpile_value_get_datum(const DogpileValueReader *reader, Datum *datum, bool *isnull)
{
	const DogpileValueHeader *header = reader->header;

	*isnull = header->form == FORM_NULL;
	*datum = (Datum) 0;
	switch ((Form) header->form)
	{
		case FORM_NULL:
			return true;
		case FORM_BYVAL:
			memcpy(datum, DATUM_OF(header), sizeof(Datum));
			return true;
		case FORM_BYREF:
			*datum = PointerGetDatum(memcpy(palloc(header->u.datum.length),
											DATUM_OF(header),
											header->u.datum.length));
			return true;
		case FORM_ROWS:
			break;
	}
	return false;
}

/*
 * Begin to walk over the rows of a value, whatever form it has.
 *
 * scan: filled in; what it allocates is in CurrentMemoryContext.
 */
void
dogpile_value_begin_rows(DogpileValueScan *scan, const DogpileValueReader *reader)
{
	const DogpileValueHeader *header = reader->header;

	scan->reader = reader;
	scan->left = reader->nrows;
	scan->desc = dogpile_value_get_desc(reader);
	if (scan->desc == NULL)
		elog(ERROR, "cached value has no valid row type");
	scan->types = header->form == FORM_ROWS ? read_types(reader) : NULL;
	scan->next = header->form == FORM_ROWS ? ROWS_OF(header) : NULL;
}

/* The only row of a value that is kept as a datum. */
static void
store_datum(DogpileValueScan *scan, TupleTableSlot *slot)
{
	MinimalTuple tuple;
	Datum		datum;
	bool		isnull;

	(void) dogpile_value_get_datum(scan->reader, &datum, &isnull);
	tuple = dogpile_heap_form_minimal_tuple_compat(scan->desc, &datum, &isnull);
	ExecStoreMinimalTuple(tuple, slot, true);
}

/*
 * Put the next row into a slot for minimal tuples of type scan->desc.
 *
 * Returns false after the last row.
 *
 * Errors: the rows do not fit the record, which open() cannot find out.
 */
bool
dogpile_value_next_row(DogpileValueScan *scan, TupleTableSlot *slot)
{
	const char *end = scan->reader->end;
	MinimalTuple tuple;

	ExecClearTuple(slot);
	if (scan->left == 0)
		return false;
	scan->left--;
	if (scan->next == NULL)
	{
		store_datum(scan, slot);
		return true;
	}

	tuple = (MinimalTuple) scan->next;
	if ((Size) (end - scan->next) < SizeofMinimalTupleHeader ||
		tuple->t_len < SizeofMinimalTupleHeader ||
		MAXALIGN(tuple->t_len) > (Size) (end - scan->next))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("cached value is corrupt")));
	scan->next += MAXALIGN(tuple->t_len);
	if (scan->types == NULL)
	{
		ExecStoreMinimalTuple(tuple, slot, false);
		return true;
	}
	tuple = memcpy(palloc(tuple->t_len), tuple, tuple->t_len);
	if (!map_records(tuple, slot, scan->types, false))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("cached value is corrupt")));
	return true;
}
