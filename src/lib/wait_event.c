/*-------------------------------------------------------------------------
 *
 * wait_event.c
 *	  What pg_stat_activity says that a process of ours waits for.
 *
 * The names are made known when shared memory is laid out, since that may raise an
 * error, and some waits are where nothing may be raised.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/wait_event.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/compat.h"
#include "lib/wait_event.h"

uint32		dogpile_wait_events[DOGPILE_NWAIT_EVENTS] = {
	PG_WAIT_EXTENSION, PG_WAIT_EXTENSION, PG_WAIT_EXTENSION
};

/*
 * Make the names known.  Called by each process that attaches to shared memory.
 *
 * Errors: there are too many such names.
 */
void
dogpile_wait_event_init(void)
{
	static const char *const names[DOGPILE_NWAIT_EVENTS] = {
		[DOGPILE_WAIT_STORE] = "DogpileStore",
		[DOGPILE_WAIT_LEASE] = "DogpileLease",
		[DOGPILE_WAIT_WORKER] = "DogpileWorkerMain",
	};

	for (int i = 0; i < DOGPILE_NWAIT_EVENTS; i++)
		dogpile_wait_events[i] = dogpile_wait_event_compat(names[i]);
}
