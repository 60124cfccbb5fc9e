/*-------------------------------------------------------------------------
 *
 * rowtype.h
 *	  What has to be stored about types to read their values back safely.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/rowtype.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_ROWTYPE_H
#define DOGPILE_ROWTYPE_H

#include "access/tupdesc.h"
#include "lib/stringinfo.h"

/*
 * The row types of the anonymous records in a value.  A record in a stored
 * value names its row type by its number here; one in use by this session
 * does so by a typmod that no other session knows.
 */
typedef struct DogpileRowTypes
{
	int			count;
	int			allocated;
	TupleDesc  *descs;
	int32	   *typmods;		/* in this session */
} DogpileRowTypes;

extern bool dogpile_rowtype_fingerprint(Oid typid, uint32 *fingerprint);
extern bool dogpile_rowtype_has_records(Oid typid);
extern bool dogpile_rowtype_desc_has_records(TupleDesc desc);
extern void dogpile_rowtype_store_records(char *datum, Oid typid,
										  DogpileRowTypes *types);
extern bool dogpile_rowtype_load_records(char *datum, Oid typid,
										 DogpileRowTypes *types);
extern void dogpile_rowtype_write_desc(StringInfo buf, TupleDesc desc);
extern TupleDesc dogpile_rowtype_read_desc(const char **bytes, const char *end);
extern void dogpile_rowtype_peek(const char *bytes, Oid *typid, int32 *typmod);
extern void dogpile_rowtype_write(StringInfo buf, const DogpileRowTypes *types);
extern DogpileRowTypes *dogpile_rowtype_read(const char *bytes, const char *end);

#endif							/* DOGPILE_ROWTYPE_H */
