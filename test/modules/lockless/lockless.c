/*-------------------------------------------------------------------------
 *
 * lockless.c
 *	  A backend for dogpile that has no locks and no counters, for tests.
 *
 * It is the backend "file" under another name, said to be seen by other servers, so
 * that values are created under a lock that dogpile makes out of conditions
 * (connection.c).  None of the backends that servers share leaves that to dogpile.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "backends.h"

PG_MODULE_MAGIC;

static DogpileBackend lockless;

void		_PG_init(void);

void
_PG_init(void)
{
	lockless = dogpile_backend_file;
	lockless.name = "lockless";
	lockless.is_local = false;
	dogpile_backend_register(&lockless);
}
