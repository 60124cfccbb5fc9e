/*-------------------------------------------------------------------------
 *
 * failing.c
 *	  A wrapper for dogpile that makes writing fail, for tests.
 *
 * "SET failing.failures = 2" lets the next two calls of set() and remove() in
 * the session fail, without passing them on; with "SET failing.unreachable = on"
 * as if there were no connection.  All other calls pass it unseen.
 *
 * With "failing.delay = '100ms'", each call of set() takes so much longer when a
 * transaction has just ended, with interrupts held off.
 *
 * With "failing.gate = '/path/of/file'", a call of set() that has been passed on
 * returns only when that file is no longer there; or it is cancelled.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <unistd.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "backend.h"

PG_MODULE_MAGIC;

static int	failures = 0;
static bool unreachable = false;
static char *gate = NULL;
static int	delay_ms = 0;

void		_PG_init(void);

/* Is it time to fail?  Counts down. */
static bool
fails(DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	if (failures <= 0)
		return false;
	failures--;
	for (int i = 0; i < nitems; i++)
		items[i].status = DOGPILE_BACKEND_ERROR;
	error->unreachable = unreachable;
	snprintf(error->message, sizeof(error->message), "it was told to fail");
	return true;
}

/* Wait until the gate is open, in a session or in dogpile's worker. */
static void
pass_gate(void)
{
	if (gate[0] == '\0' || InterruptHoldoffCount > 0 || access(gate, F_OK) != 0)
		return;
	elog(LOG, "failing: waits at the gate");
	while (access(gate, F_OK) == 0)
	{
		pg_usleep(10000L);
		CHECK_FOR_INTERRUPTS();
	}
	elog(LOG, "failing: has passed the gate");
}

static DogpileBackendStatus
failing_set(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;
	DogpileBackendStatus status;

	if (fails(items, nitems, error))
		return DOGPILE_BACKEND_ERROR;
	if (InterruptHoldoffCount > 0)
		pg_usleep(delay_ms * 1000L);
	status = wrapped->inner->set(wrapped->connection, items, nitems, error);
	pass_gate();
	return status;
}

static DogpileBackendStatus
failing_remove(void *arg, DogpileBackendItem *items, int nitems,
			   DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;

	if (fails(items, nitems, error))
		return DOGPILE_BACKEND_ERROR;
	return wrapped->inner->remove(wrapped->connection, items, nitems, error);
}

static const DogpileWrapper failing = {
	.abi = DOGPILE_BACKEND_ABI,
	.name = "failing",
	.functions = {
		.set = failing_set,
		.remove = failing_remove,
	},
};

void
_PG_init(void)
{
	DefineCustomIntVariable("failing.failures",
							"So many of the next calls that write fail.",
							NULL, &failures, 0, 0, INT_MAX, PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomBoolVariable("failing.unreachable",
							 "Do they fail as if there were no connection?",
							 NULL, &unreachable, false, PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("failing.delay",
							"So long calls of set() take at the end of a transaction.",
							NULL, &delay_ms, 0, 0, INT_MAX, PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomStringVariable("failing.gate",
							   "Calls of set() wait as long as this file is there.",
							   NULL, &gate, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	dogpile_backend_register_wrapper(&failing);
}
