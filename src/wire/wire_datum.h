/*-------------------------------------------------------------------------
 *
 * wire_datum.h
 *	  Single values as bytes that other servers understand.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_datum.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_WIRE_DATUM_H
#define DOGPILE_WIRE_DATUM_H

#include "wire/wire_types.h"

extern void dogpile_wire_write_columns(DogpileWireWriter *writer,
									   const DogpileWireType *type,
									   const Datum *values, const bool *nulls);
extern void dogpile_wire_skip_columns(DogpileWireReader *reader,
									  const DogpileWireType *type);
extern void dogpile_wire_read_columns(DogpileWireReader *reader,
									  DogpileWireType *type,
									  Datum *values, bool *nulls);

#endif							/* DOGPILE_WIRE_DATUM_H */
