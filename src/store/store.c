/*-------------------------------------------------------------------------
 *
 * store.c
 *	  Which store keeps the entries of a region.
 *
 * One store is in shared memory.  Another one, made of any backend, is on a higher
 * floor and is made known here at load, so that nobody else has to know which stores
 * there are: whatever is done with a region is done by the functions of its store.
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

/* Make the store known that all other backends make.  Called once, at load. */
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

	/* The region is new to this session, or its settings were changed by a reload. */
	shared_store->follow_reload();
}
