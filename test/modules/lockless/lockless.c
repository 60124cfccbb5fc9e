/*-------------------------------------------------------------------------
 *
 * lockless.c
 *	  A backend for dogpile that has no locks and no counters, for tests.
 *
 * It is the backend "file" under another name, said to be seen by other servers, so
 * that values are created under a lock that dogpile makes out of conditions
 * (connection.c).  None of the backends that servers share leaves that to dogpile.
 *
 * It counts time in whole seconds, as memcached does, so that nothing may depend on
 * being forgotten sooner.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "backend/backends.h"

PG_MODULE_MAGIC;

static DogpileBackend lockless;

void		_PG_init(void);

/* Store items for whole seconds. */
static DogpileBackendStatus
set(void *connection, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	for (int i = 0; i < nitems; i++)
		items[i].ttl_ms = (items[i].ttl_ms + 999) / 1000 * 1000;
	return dogpile_backend_file.set(connection, items, nitems, error);
}

void
_PG_init(void)
{
	lockless = dogpile_backend_file;
	lockless.name = "lockless";
	lockless.is_local = false;
	lockless.set = set;
	dogpile_backend_register(&lockless);
}
