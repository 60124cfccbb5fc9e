/*-------------------------------------------------------------------------
 *
 * wrap_retry.c
 *	  The wrapper "retry": tries again to store and to remove.
 *
 * Invalidations consist of these calls.  One that is lost invalidates its whole
 * region, while a lookup that fails only costs a creation; so only these are tried
 * again.
 *
 * Only the items that failed are tried again: twice, after a short pause.  If the
 * server cannot be reached, once: that is enough for one that was just restarted,
 * and each attempt may wait for the whole timeout.
 *
 * The pauses are short, since they are also made with interrupts held off, when a
 * transaction has just committed.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/wrap_retry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "backend/backends.h"

#define MAX_RETRIES		2
#define MAX_UNREACHABLE	1		/* retries when there is no connection */

/* Before the first and the second retry. */
static const int pauses_ms[MAX_RETRIES] = {10, 50};

/* set() or remove() of a backend */
typedef DogpileBackendStatus (*Function) (void *connection, DogpileBackendItem *items,
										  int nitems, DogpileBackendError *error);

/*
 * A value was to be stored if the item is in some state, and it is not.  Has the
 * attempt that seemed to have failed changed that?  Then what is there is ours.
 */
static void
look_whether_stored(const DogpileWrapped *wrapped, DogpileBackendItem *item)
{
	DogpileBackendItem found = {.name = item->name};
	DogpileBackendError error = {0};

	if (wrapped->inner->get(wrapped->connection, &found, 1, &error) == DOGPILE_BACKEND_OK &&
		found.status == DOGPILE_BACKEND_OK && found.value.len == item->value.len &&
		memcmp(found.value.data, item->value.data, item->value.len) == 0)
		item->status = DOGPILE_BACKEND_OK;
}

/*
 * Try the items again that failed, each by itself: they need not be neighbours,
 * and there are few.  Returns false if the server cannot be reached.
 */
static bool
retry_items(Function function, bool is_set, const DogpileWrapped *wrapped,
			DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	for (int i = 0; i < nitems; i++)
	{
		DogpileBackendError again = {false, ""};

		if (items[i].status != DOGPILE_BACKEND_ERROR)
			continue;
		if (function(wrapped->connection, &items[i], 1, &again) != DOGPILE_BACKEND_ERROR)
		{
			if (is_set && items[i].status == DOGPILE_BACKEND_KEPT)
				look_whether_stored(wrapped, &items[i]);
			continue;
		}
		*error = again;

		/* The others would wait for the same. */
		if (again.unreachable)
			return false;
	}
	return true;
}

static bool
has_failed(const DogpileBackendItem *items, int nitems)
{
	for (int i = 0; i < nitems; i++)
		if (items[i].status == DOGPILE_BACKEND_ERROR)
			return true;
	return false;
}

static DogpileBackendStatus
call_and_retry(Function function, bool is_set, const DogpileWrapped *wrapped,
			   DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileBackendStatus status = function(wrapped->connection, items, nitems, error);
	bool		is_reached = status != DOGPILE_BACKEND_ERROR || !error->unreachable;

	if (status != DOGPILE_BACKEND_ERROR)
		return status;
	for (int i = 0; i < (is_reached ? MAX_RETRIES : MAX_UNREACHABLE); i++)
	{
		if (!has_failed(items, nitems))
			break;
		pg_usleep(pauses_ms[i] * 1000L);
		if (InterruptHoldoffCount == 0 && CritSectionCount == 0)
			CHECK_FOR_INTERRUPTS();
		if (!retry_items(function, is_set, wrapped, items, nitems, error))
			break;
	}
	return has_failed(items, nitems) ? DOGPILE_BACKEND_ERROR : DOGPILE_BACKEND_OK;
}

static DogpileBackendStatus
retried_set(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;

	return call_and_retry(wrapped->inner->set, true, wrapped, items, nitems, error);
}

static DogpileBackendStatus
retried_remove(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;

	return call_and_retry(wrapped->inner->remove, false, wrapped, items, nitems, error);
}

const DogpileWrapper dogpile_wrap_retry = {
	.abi = DOGPILE_BACKEND_ABI,
	.name = "retry",
	.functions = {
		.set = retried_set,
		.remove = retried_remove,
	},
};
