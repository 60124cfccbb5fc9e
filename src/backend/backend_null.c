/*-------------------------------------------------------------------------
 *
 * backend_null.c
 *	  The backend that keeps nothing.
 *
 * Every lookup is a miss, and nothing is stored.  Still, one session at a time
 * creates a value, and those that waited for it get it.  The backend turns a cache
 * off, and is an example: this is all that a backend must have.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/backend_null.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "backend/backends.h"

/* There is nothing to connect to, but NULL would be a failure. */
static void *
null_open(const DogpileBackendOptions *options, DogpileBackendError *error)
{
	return unconstify(DogpileBackendOptions *, options);
}

static void
null_close(void *connection)
{
}

static DogpileBackendStatus
null_get(void *connection, DogpileBackendItem *items, int nitems,
		 DogpileBackendError *error)
{
	for (int i = 0; i < nitems; i++)
		items[i].status = DOGPILE_BACKEND_MISS;
	return DOGPILE_BACKEND_OK;
}

static DogpileBackendStatus
null_set(void *connection, DogpileBackendItem *items, int nitems,
		 DogpileBackendError *error)
{
	for (int i = 0; i < nitems; i++)
		items[i].status = DOGPILE_BACKEND_KEPT;
	return DOGPILE_BACKEND_OK;
}

static DogpileBackendStatus
null_remove(void *connection, DogpileBackendItem *items, int nitems,
			DogpileBackendError *error)
{
	for (int i = 0; i < nitems; i++)
		items[i].status = DOGPILE_BACKEND_MISS;
	return DOGPILE_BACKEND_OK;
}

const DogpileBackend dogpile_backend_null = {
	.abi = DOGPILE_BACKEND_ABI,
	.name = "null",
	.is_local = true,
	.open = null_open,
	.close = null_close,
	.get = null_get,
	.set = null_set,
	.remove = null_remove
};
