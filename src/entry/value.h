/*-------------------------------------------------------------------------
 *
 * value.h
 *	  The stored record: a result set with its row type, as flat bytes.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/value.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_VALUE_H
#define DOGPILE_VALUE_H

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "utils/tuplestore.h"

/* Flat bytes that hold a result set; MAXALIGNed start. */
typedef struct DogpileValue
{
	const char *data;
	Size		size;			/* bytes */
} DogpileValue;

/* A single value of a known type, as the user passes it. */
typedef struct DogpileDatum
{
	Datum		value;
	bool		isnull;
	Oid			typid;
	int32		typmod;			/* -1: none, or not known */
} DogpileDatum;

typedef enum DogpileValueStatus
{
	DOGPILE_VALUE_OK,
	DOGPILE_VALUE_CORRUPT,		/* not written by encode */
	DOGPILE_VALUE_OUTDATED		/* a type was altered since */
} DogpileValueStatus;

/* An opened value.  It points into the record, which must stay where it is. */
typedef struct DogpileValueReader
{
	int			natts;			/* columns */
	uint64		nrows;
	Oid			typid;			/* of the first column, if there is one */
	int32		typmod;
	const struct DogpileValueHeader *header;
	const char *end;			/* behind the record's last byte */
} DogpileValueReader;

/* A walk over the rows of a value. */
typedef struct DogpileValueScan
{
	const DogpileValueReader *reader;
	TupleDesc	desc;			/* of the rows, in CurrentMemoryContext */
	uint64		left;			/* rows still to come */
	const char *next;
	struct DogpileRowTypes *types;	/* of anonymous records, or NULL */
} DogpileValueScan;

extern PGDLLEXPORT bool dogpile_value_encode_rows(Tuplestorestate *rows, TupleDesc desc,
												  Size max_size, DogpileValue *value);
extern bool dogpile_value_encode_datum(const DogpileDatum *datum, Size max_size,
									   DogpileValue *value);
extern PGDLLEXPORT DogpileValueStatus dogpile_value_open(const DogpileValue *value,
														 DogpileValueReader *reader);
extern TupleDesc dogpile_value_get_desc(const DogpileValueReader *reader);
extern bool dogpile_value_get_datum(const DogpileValueReader *reader,
									Datum *datum, bool *isnull);
extern PGDLLEXPORT void dogpile_value_begin_rows(DogpileValueScan *scan,
												 const DogpileValueReader *reader);
extern PGDLLEXPORT bool dogpile_value_next_row(DogpileValueScan *scan, TupleTableSlot *slot);

#endif							/* DOGPILE_VALUE_H */
