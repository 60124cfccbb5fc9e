/*-------------------------------------------------------------------------
 *
 * lookup.h
 *	  Looks an entry up and decides whether it can be returned.
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

/* Whether an entry can be returned. */
typedef enum DogpileFreshness
{
	DOGPILE_ABSENT,				/* there is none, or it must not be returned */
	DOGPILE_STALE,				/* can be returned while a session recreates
								 * it */
	DOGPILE_FRESH				/* valid */
} DogpileFreshness;

/*
 * When a call began.  A waiter takes values that were computed later, even if they were
 * invalidated or have expired since.
 */
typedef struct DogpileCallTime
{
	DogpileClock clock;
	TimestampTz time;
} DogpileCallTime;

/* Result of a lookup. */
typedef struct DogpileLookup
{
	DogpileFreshness freshness;
	bool		needs_snapshot; /* absent only because this transaction might
								 * see something else than others */
	bool		is_unknown;		/* absent because the store does not answer */
	bool		is_invalidated; /* by this transaction, which has not
								 * committed */
	DogpileEntry entry;			/* this and the following: unless ABSENT */
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
