/*-------------------------------------------------------------------------
 *
 * lookup.h
 *	  Looking an entry up and judging what it is good for.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/lookup.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_LOOKUP_H
#define DOGPILE_LOOKUP_H

#include "store/store.h"

/* What an entry is good for. */
typedef enum DogpileFreshness
{
	DOGPILE_ABSENT,				/* there is none, or it must not be given */
	DOGPILE_STALE,				/* may be given while somebody recreates it */
	DOGPILE_FRESH
} DogpileFreshness;

/*
 * What a waiter takes although it was invalidated or has expired since: values
 * that were computed after its own call began.
 */
typedef struct DogpileCallTime
{
	DogpileClock clock;
	TimestampTz time;
} DogpileCallTime;

/* What a lookup has found. */
typedef struct DogpileLookup
{
	DogpileFreshness freshness;
	bool		needs_snapshot; /* absent only because this transaction might
								 * see something else than others */
	bool		is_unknown;		/* absent, because the store does not answer */
	bool		is_invalidated; /* by this transaction, which has not committed */
	DogpileEntry entry;			/* this and the rest: unless ABSENT */
	DogpileValueReader record;	/* if the value has been read; see store.h */
} DogpileLookup;

extern void dogpile_lookup(DogpileRegion *region, const DogpileKey *key,
						   const DogpileShape *shape, const DogpileCallTime *call,
						   DogpileLookup *found);
extern bool dogpile_lookup_copy(DogpileRegion *region, const DogpileKey *key,
								const DogpileEntry *entry);
extern DogpileFreshness dogpile_lookup_judge(DogpileRegion *region, Oid database,
											 uint64 hash, const DogpileEntry *entry);

#endif							/* DOGPILE_LOOKUP_H */
