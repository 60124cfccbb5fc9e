/*-------------------------------------------------------------------------
 *
 * wire_rows.h
 *	  A result set as bytes that other servers understand.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_rows.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_WIRE_ROWS_H
#define DOGPILE_WIRE_ROWS_H

#include "backend/backend.h"
#include "entry/result.h"
#include "wire/wire_types.h"

#include "lib/stringinfo.h"

/* What can be found out about a result set without reading any of its values. */
typedef struct DogpileWireSummary
{
	TupleDesc	desc;			/* its row type */
	uint64		nrows;
} DogpileWireSummary;

extern void dogpile_wire_write_rows(const DogpileValue *value, StringInfo out);
extern PGDLLEXPORT DogpileWireStatus dogpile_wire_read_rows(DogpileBytes rows,
															const DogpileShape *shape,
															DogpileValue *value,
															bool *is_unchecked,
															const char **reason);
extern PGDLLEXPORT DogpileWireStatus dogpile_wire_summarize_rows(DogpileBytes rows,
																 DogpileWireSummary *summary,
																 const char **reason);

#endif							/* DOGPILE_WIRE_ROWS_H */
