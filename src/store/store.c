/*-------------------------------------------------------------------------
 *
 * store.c
 *	  Which store keeps the entries of a region.
 *
 * One store is in shared memory.  The other one uses any backend; it is on a higher floor
 * and is registered here at load.  So other modules need not know which stores there are:
 * they call the functions of a region's store.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/store.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/store.h"

static const DogpileStore *shared_store = NULL;

/* Register the store that uses backends.  Called once, at load. */
void
dogpile_store_init(const DogpileStore *store)
{
	Assert(store->is_shared);
	shared_store = store;
}

/*
 * Find the store of a region, and note it there until the region's settings change.
 *
 * Errors: the store cannot be used with these settings.
 */
void
dogpile_store_open(DogpileRegion *region)
{
	const DogpileStore *store = &dogpile_store_memory;

	if (pg_strcasecmp(region->backend, DOGPILE_SHARED_MEMORY) != 0)
		store = shared_store;
	if (store->check != NULL)
		store->check(region);
	region->store = store;

	/*
	 * The region is new to this session, or a reload has changed its
	 * settings.
	 */
	shared_store->follow_reload();
}
