/*-------------------------------------------------------------------------
 *
 * claim.c
 *	  The right of a session to create the value of a key.
 *
 * Within a server, this is the creator lock (lock.c).  If servers share the store, the
 * claim also includes the store's grant: the lock that all servers respect, and the
 * versions of what the value will depend on.  The creator lock is taken first, so that
 * only one session of each server asks the store.
 *
 * If an error is raised, both go with the (sub)transaction: the creator lock at once,
 * the lock outside as soon as the worker has released it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/claim.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "core/claim.h"
#include "core/underway.h"
#include "lib/lwlock_check.h"

/*
 * Take the creator lock if no other session has it.
 *
 * Errors, locks: as dogpile_lock_try().
 */
bool
dogpile_claim_try(DogpileClaim *claim)
{
	claim->has_lock = dogpile_lock_try(claim->call->key.hash);
	return claim->has_lock;
}

/*
 * Queue for the creator lock.  If the lock table of the server is full, the claim does
 * without it.
 *
 * Errors, locks: as dogpile_lock_acquire().
 */
DogpileLockResult
dogpile_claim_queue(DogpileClaim *claim, TimestampTz deadline)
{
	DogpileLockResult result = dogpile_lock_acquire(claim->call->key.hash, deadline);

	claim->has_lock = result == DOGPILE_LOCK_OK;
	return result;
}

/*
 * Ask a store that servers share for its grant, again and again until is_last() is
 * satisfied with the answer, or the store fails.  A store of this server is not asked,
 * because no grant is needed there.
 *
 * tags: of the entry, or NULL.
 * since: when the call began.
 * is_last, arg: called with each answer except DOGPILE_ERROR.
 * answer: set to the last answer.
 *
 * Returns false if the deadline has passed.
 *
 * Errors: those of begin() and wait(), see store.h.  Locks: no LWLock may be held.
 */
bool
dogpile_claim_ask_store(DogpileClaim *claim, const DogpileTags *tags, TimestampTz since,
						DogpileClaimCallback is_last, void *arg, DogpileStatus *answer)
{
	const DogpileStore *store = claim->call->region->store;

	DogpileAssertNoneHeld();
	*answer = DOGPILE_OK;
	if (!store->is_shared)
		return true;
	for (int round = 0;; round++)
	{
		*answer = store->begin(claim->call->region, &claim->call->key, tags,
							   &claim->grant);
		if (*answer == DOGPILE_ERROR || is_last(*answer, round, arg))
			return true;
		if (!store->wait(since, dogpile_claim_deadline(claim->call, since), round))
			return false;
	}
}

/* Does any session of this server wait for what this session creates? */
bool
dogpile_claim_is_awaited(const DogpileClaim *claim)
{
	return claim->has_lock && dogpile_lock_has_waiters(claim->call->key.hash);
}

/*
 * Give the claim up, and wake the waiters.  Does nothing if there is no claim.
 *
 * outcome: what waiters have to know.  DOGPILE_OUTCOME_UNKNOWN if they will find a
 *		value, or if one of them should take over.
 *
 * The lock outside is released first.  A value that is not stored must not keep other
 * servers waiting until this transaction ends; and if this transaction waited for one
 * of their sessions, no server would notice the deadlock.
 *
 * Errors: what interrupts raise.  Locks: no LWLock may be held; what the claim holds
 * was taken in the current subtransaction.
 */
void
dogpile_claim_resign(DogpileClaim *claim, DogpileOutcomeKind outcome)
{
	DogpileAssertNoneHeld();
	if (claim->grant != NULL)
		claim->call->region->store->release(claim->grant);
	claim->grant = NULL;
	if (!claim->has_lock)
		return;
	if (outcome != DOGPILE_OUTCOME_UNKNOWN && dogpile_claim_is_awaited(claim))
		dogpile_outcome_note(&claim->call->key, outcome, NULL);
	dogpile_lock_release(claim->call->key.hash);
	claim->has_lock = false;
}

/* --------------------------------------------------------------------
 * How long to wait for another session's claim
 * --------------------------------------------------------------------
 */

/*
 * Get the time at which a session has to give up waiting, by the region's lock_timeout.
 * Servers that wait for each other do not notice a deadlock.  So a session that also
 * creates another value, or holds a lock that all servers respect, waits no longer than
 * the region's grace_time.
 *
 * since: when the session's call began.
 */
TimestampTz
dogpile_claim_deadline(const DogpileCall *call, TimestampTz since)
{
	const DogpileRegion *region = call->region;
	TimestampTz deadline = region->lock_timeout_ms == 0 ? DOGPILE_NO_DEADLINE :
		TimestampTzPlusMilliseconds(since, region->lock_timeout_ms);

	if (region->store->is_shared &&
		(dogpile_underway_has_any() || region->store->holds_lock()))
		deadline = Min(deadline, TimestampTzPlusMilliseconds(since, region->grace_time_ms));
	return deadline;
}

/* Does the region's lock_timeout set the deadline? */
bool
dogpile_claim_has_timeout(const DogpileCall *call, TimestampTz since)
{
	return call->region->lock_timeout_ms > 0 &&
		dogpile_claim_deadline(call, since) ==
		TimestampTzPlusMilliseconds(since, call->region->lock_timeout_ms);
}

/* Raise the error for a deadline that has passed. */
void
dogpile_claim_raise_timeout(const DogpileCall *call, TimestampTz since)
{
	bool		by_setting = dogpile_claim_has_timeout(call, since);

	ereport(ERROR,
			(errcode(by_setting ? ERRCODE_LOCK_NOT_AVAILABLE : ERRCODE_T_R_DEADLOCK_DETECTED),
			 errmsg("timed out waiting for creation of cache entry \"%s\" of region \"%s\"",
					dogpile_call_key_text(call), call->region->name),
			 by_setting ?
			 errdetail("Another session has been creating it for more than %d ms.",
					   call->region->lock_timeout_ms) :
			 errdetail("This session holds the lock of another entry, so two servers might be waiting for each other."),
			 by_setting ?
			 errhint("Increase \"dogpile_%s.lock_timeout\", or set \"dogpile_%s.lock_timeout_action\" to \"compute\".",
					 call->region->name, call->region->name) : 0));
}
