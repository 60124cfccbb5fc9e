/*-------------------------------------------------------------------------
 *
 * wire.h
 *	  An entry as bytes that other servers understand.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_WIRE_H
#define DOGPILE_WIRE_H

#include "backend/backend.h"
#include "store/store.h"
#include "wire/wire_types.h"

#include "lib/stringinfo.h"

/* Maximum number of tokens in an entry: of its region and key, and of each tag. */
#define DOGPILE_WIRE_MAX_TOKENS		(2 + DOGPILE_MAX_TAGS)

/*
 * All of an entry but its value.  Tokens are opaque here: they are the versions of what
 * the entry depends on, as store_remote.c found them.
 */
typedef struct DogpileWireHead
{
	TimestampTz created_at;
	double		lifetime_s;		/* see store.h */
	uint64		creation_us;
	int			ntokens;
	DogpileBytes tokens[DOGPILE_WIRE_MAX_TOKENS];	/* at most 255 bytes each */
	int			ntags;
	DogpileBytes tags[DOGPILE_MAX_TAGS];	/* their names, in UTF-8 */
	DogpileBytes rows;			/* the value, for dogpile_wire_read_rows() */
} DogpileWireHead;

extern PGDLLEXPORT bool dogpile_wire_encode(const DogpileEntry *entry,
											const DogpileBytes *tokens, int ntokens,
											DogpileBytes name, const char *secret,
											StringInfo out, const char **reason);
extern PGDLLEXPORT DogpileWireStatus dogpile_wire_open(DogpileBytes bytes, DogpileBytes name,
													   const char *secret,
													   DogpileWireHead *head,
													   const char **reason);
extern bool dogpile_wire_convert_tags(DogpileWireHead *head, const char **reason);

#endif							/* DOGPILE_WIRE_H */
