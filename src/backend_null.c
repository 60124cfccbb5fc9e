/*-------------------------------------------------------------------------
 *
 * backend_null.c
 *	  The store that keeps nothing.
 *
 * A region on it shares computations but no values: sessions that wait for a
 * creator compute side by side once it is done, because there is nothing to
 * give to them.  It serves to switch caching off for a region without
 * touching the queries that use it, and as the shortest example of a store.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend_null.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "backend.h"

static DogpileStatus
null_get(DogpileRegion *region, const DogpileKey *key, DogpileEntry *entry)
{
	return DOGPILE_MISS;
}

/* There is never room, so nothing is ever published or abandoned. */
static DogpileStatus
null_prepare(DogpileRegion *region, const DogpileKey *key,
			 const DogpileEntry *entry, DogpilePrepared **prepared)
{
	return DOGPILE_FULL;
}

static DogpileStatus
null_publish(DogpilePrepared *prepared, DogpilePublishMode mode,
			 DogpileClock as_of)
{
	return DOGPILE_KEPT;
}

static void
null_abandon(DogpilePrepared *prepared)
{
}

static DogpileStatus
null_remove(DogpileRegion *region, const DogpileKey *key, DogpileClock before)
{
	return DOGPILE_MISS;
}

const DogpileBackend dogpile_backend_null = {
	.name = "null",
	.get = null_get,
	.prepare = null_prepare,
	.publish = null_publish,
	.abandon = null_abandon,
	.remove = null_remove
};
