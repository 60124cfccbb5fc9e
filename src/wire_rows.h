/*-------------------------------------------------------------------------
 *
 * wire_rows.h
 *	  A result set as bytes that other servers understand.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire_rows.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_WIRE_ROWS_H
#define DOGPILE_WIRE_ROWS_H

#include "backend.h"
#include "value.h"
#include "wire_types.h"

#include "lib/stringinfo.h"

extern void dogpile_wire_write_rows(const DogpileValue *value, StringInfo out);
extern PGDLLEXPORT DogpileWireStatus dogpile_wire_read_rows(DogpileBytes rows, DogpileValue *value,
															const char **reason);

#endif							/* DOGPILE_WIRE_ROWS_H */
