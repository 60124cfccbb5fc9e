/*-------------------------------------------------------------------------
 *
 * participant.c
 *	  Modules that take part in the end of transactions.
 *
 * PostgreSQL calls callbacks in the reverse order of their registration.  Modules that
 * rely on each other need an order that can be read in one place.  So only this file
 * registers callbacks, and calls the participants in the order of the tables in
 * dogpile.c, which is the only file that may include all modules.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/participant.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/resowner.h"

#include "lib/lwlock_check.h"
#include "xact/participant.h"

/* All participants, in the order in which they are called. */
static const DogpileParticipant *const *before_commit = NULL;
static const DogpileParticipant *const *after_commit = NULL;

/* Call one of the callbacks of all participants that have it. */
#define CALL_ALL(order, callback, ...) \
	do { \
		for (const DogpileParticipant *const *p_ = (order); *p_ != NULL; p_++) \
			if ((*p_)->callback != NULL) \
				(*p_)->callback(__VA_ARGS__); \
		DogpileAssertNoneHeld(); \
	} while (0)

/*
 * Tell participants of an invalidation, at the time of the user's call.
 *
 * region, key, tags: as in participant.h.
 *
 * Errors: those of the participants.  Locks: no LWLock may be held.
 */
void
dogpile_participant_note_invalidation(DogpileRegion *region, const DogpileKey *key,
									  const DogpileTags *tags, bool hard)
{
	DogpileAssertNoneHeld();
	CALL_ALL(before_commit, note_invalidation, region, key, tags, hard);
}

static void
xact_callback(XactEvent event, void *arg)
{
	DogpileAssertNoneHeld();
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			CALL_ALL(before_commit, pre_commit,);
			return;
		case XACT_EVENT_PRE_PREPARE:
			CALL_ALL(before_commit, pre_prepare,);
			return;
		case XACT_EVENT_COMMIT:
			CALL_ALL(after_commit, commit,);
			break;
		case XACT_EVENT_ABORT:
			CALL_ALL(after_commit, abort,);
			break;
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
		default:
			return;
	}
	CALL_ALL(after_commit, end, event != XACT_EVENT_ABORT);
}

static void
subxact_callback(SubXactEvent event, SubTransactionId subid,
				 SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		CALL_ALL(after_commit, subabort, subid);
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		CALL_ALL(after_commit, subcommit, subid, parent);
}

/*
 * PostgreSQL calls this when it releases resources.  Of a transaction that has
 * committed, it has sent the messages before it releases the last ones.
 */
static void
release_callback(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	if (phase == RESOURCE_RELEASE_AFTER_LOCKS && is_commit && is_top_level)
		CALL_ALL(after_commit, told,);
}

/* Do two orders have the same members? */
static bool
pg_attribute_unused()
is_same_set(const DogpileParticipant *const *a, const DogpileParticipant *const *b)
{
	int			na = 0;
	int			nb = 0;

	while (b[nb] != NULL)
		nb++;
	for (; a[na] != NULL; na++)
	{
		int			i = 0;

		while (b[i] != NULL && b[i] != a[na])
			i++;
		if (b[i] == NULL)
			return false;
	}
	return na == nb;
}

/*
 * Let modules take part in the transactions of this process.  Called once, at load.
 *
 * before, after: the order in which they are called before the commit, and after it or
 * when the transaction is rolled back; for subtransactions as the latter.
 */
void
dogpile_participant_init(const DogpileParticipant *const *before,
						 const DogpileParticipant *const *after)
{
	Assert(is_same_set(before, after));
	before_commit = before;
	after_commit = after;
	RegisterXactCallback(xact_callback, NULL);
	RegisterSubXactCallback(subxact_callback, NULL);
	RegisterResourceReleaseCallback(release_callback, NULL);
}
