/*-------------------------------------------------------------------------
 *
 * creation.c
 *	  The dogpile algorithm: one session creates a value, the others wait.
 *
 * The life of a call that may create:
 *
 *	1. Look up.  Fresh: return it.
 *	2. Try to become the creator.  Granted: look up again, for somebody may
 *	   have been faster; else create, publish, release.
 *	3. Not granted, and there is a stale value: return it.
 *	4. Wait for the creator by asking for the lock in SHARE mode, which wakes
 *	   all waiters together.  Look up; usually that is all.
 *	5. Still nothing: if the creator noted why, act on that (outcome.c).  Else
 *	   it was cancelled or died, and somebody has to take its place: queue for
 *	   the lock, look up again, create.
 *
 * There is no way back from a later step to an earlier one: loops of
 * conditional and shared locking were seen to livelock.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/creation.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "core/attempt.h"
#include "core/creation.h"
#include "core/lock.h"
#include "core/outcome.h"
#include "core/underway.h"
#include "lib/clock.h"
#include "xact/xact.h"

/* How long to wait for a transaction that is about to commit. */
#define MAX_COMMIT_WAIT_MS	250

/*
 * Look an entry up for a caller that could create it: what does not fit the
 * type that he asks for is not there for him.
 *
 * since: see dogpile_lookup().
 *
 * Errors, locks: as dogpile_lookup().
 */
void
dogpile_creation_lookup(const DogpileCall *call, const DogpileCreator *creator,
						const DogpileCallTime *since, DogpileLookup *found)
{
	dogpile_lookup(call->region, &call->key, creator->shape, since, found);
	if (found->freshness != DOGPILE_ABSENT &&
		!dogpile_result_fits(&found->record, creator->shape))
		found->freshness = DOGPILE_ABSENT;
}

/* --------------------------------------------------------------------
 * Waiting
 * --------------------------------------------------------------------
 */

/* Raise the error that ended the creation this session has waited for. */
static void
raise_outcome(const DogpileAttempt *attempt, const DogpileOutcome *outcome)
{
	ereport(ERROR,
			(errcode(outcome->sqlerrcode),
			 errmsg_internal("%s", outcome->message),
			 outcome->detail[0] ? errdetail_internal("%s", outcome->detail) : 0,
			 outcome->hint[0] ? errhint("%s", outcome->hint) : 0,
			 errcontext("creation of cache entry \"%s\" of region \"%s\" in another session",
						dogpile_call_key_text(&attempt->call), attempt->call.region->name)));
}

/*
 * Act on how a creation ended that has left no value.
 *
 * Returns whether to compute without waiting for anybody: if the value cannot
 * be stored, or if this transaction could not store it before its COMMIT
 * either.
 */
static bool
must_compute_alone(const DogpileAttempt *attempt)
{
	DogpileOutcome outcome;

	dogpile_outcome_find(&attempt->call.key, attempt->outcomes_seen, &outcome);
	if (outcome.kind == DOGPILE_OUTCOME_FAILED)
		raise_outcome(attempt, &outcome);
	return outcome.kind == DOGPILE_OUTCOME_UNSTORED ||
		(outcome.kind == DOGPILE_OUTCOME_DEFERRED && dogpile_attempt_has_written());
}

/*
 * When a session that has begun to wait for another's creation has to give up, by
 * the region's lock_timeout.  Servers that wait for each other do not know it; so
 * who creates something else meanwhile, or has a lock that all servers respect,
 * waits for no longer than the region's grace_time.  Errors: none.
 */
TimestampTz
dogpile_creation_deadline(const DogpileCall *call, TimestampTz since)
{
	const DogpileRegion *region = call->region;
	TimestampTz deadline = region->lock_timeout_ms == 0 ? DOGPILE_NO_DEADLINE :
		TimestampTzPlusMilliseconds(since, region->lock_timeout_ms);

	if (region->store->is_shared &&
		(dogpile_underway_has_any() || region->store->holds_lock()))
		deadline = Min(deadline, TimestampTzPlusMilliseconds(since, region->grace_time_ms));
	return deadline;
}

/* Is it the region's lock_timeout that sets the deadline? */
static bool
has_lock_timeout(const DogpileCall *call, TimestampTz since)
{
	return call->region->lock_timeout_ms > 0 &&
		dogpile_creation_deadline(call, since) ==
		TimestampTzPlusMilliseconds(since, call->region->lock_timeout_ms);
}

/* Raise the error that the deadline has passed. */
void
dogpile_creation_raise_timeout(const DogpileCall *call, TimestampTz since)
{
	bool		by_setting = has_lock_timeout(call, since);

	ereport(ERROR,
			(errcode(by_setting ? ERRCODE_LOCK_NOT_AVAILABLE : ERRCODE_T_R_DEADLOCK_DETECTED),
			 errmsg("timed out waiting for creation of cache entry \"%s\" of region \"%s\"",
					dogpile_call_key_text(call), call->region->name),
			 by_setting ?
			 errdetail("Another session has been creating it for more than %d ms.",
					   call->region->lock_timeout_ms) :
			 errdetail("This session has the lock of another entry, so two servers may have been waiting for each other."),
			 by_setting ?
			 errhint("Increase \"dogpile_%s.lock_timeout\", or set \"dogpile_%s.lock_timeout_action\" to \"compute\".",
					 call->region->name, call->region->name) : 0));
}

/* The deadline has passed. */
static void
handle_timeout(DogpileAttempt *attempt)
{
	dogpile_attempt_count(attempt, DOGPILE_COUNTER_WAIT_TIMEOUTS, 1);
	if (attempt->call.region->lock_timeout_action == DOGPILE_TIMEOUT_ERROR &&
		has_lock_timeout(&attempt->call, attempt->begin.time))
		dogpile_creation_raise_timeout(&attempt->call, attempt->begin.time);
	dogpile_attempt_create(attempt);
}

/* Give the caller what was found, and stop being the creator. */
static void
give_and_release(DogpileAttempt *attempt, const DogpileLookup *found)
{
	if (attempt->grant)
		attempt->call.region->store->release(attempt->grant);
	attempt->grant = NULL;
	if (attempt->is_creator)
		dogpile_lock_release(attempt->call.key.hash);
	attempt->is_creator = false;
	dogpile_call_give(&attempt->call, found, attempt->result);
}

/*
 * Is it worth while to wait for the end of a transaction that invalidates what the
 * value depends on?  If its server has crashed, or it waits in its turn, that is
 * for too long, and the value is created without being stored.
 */
static bool
may_wait_for_commit(const DogpileAttempt *attempt)
{
	return dogpile_clock_now() <
		TimestampTzPlusMilliseconds(attempt->begin.time, MAX_COMMIT_WAIT_MS);
}

/*
 * As the creator of this server, create the value, unless another server that
 * shares the store does so or has done so.
 *
 * If the store does not answer, or takes no value now, the value is created and
 * given to those who wait for it here.
 */
static void
create_among_servers(DogpileAttempt *attempt)
{
	const DogpileStore *store = attempt->call.region->store;

	for (int round = 0;; round++)
	{
		DogpileStatus status = store->begin(attempt->call.region, &attempt->call.key,
											attempt->tags, &attempt->grant);
		DogpileLookup found;

		if (status == DOGPILE_ERROR ||
			(status == DOGPILE_CHANGING && !may_wait_for_commit(attempt)))
			break;
		dogpile_creation_lookup(&attempt->call, attempt->creator,
								round == 0 ? NULL : &attempt->begin, &found);
		if (found.freshness == DOGPILE_FRESH ||
			(status != DOGPILE_OK && found.freshness == DOGPILE_STALE))
		{
			dogpile_call_count_found(&attempt->call, &found);
			give_and_release(attempt, &found);
			return;
		}
		if (status == DOGPILE_OK)
			break;
		if (round == 0)
			dogpile_attempt_count(attempt, DOGPILE_COUNTER_WAITS, 1);
		if (!store->wait(attempt->begin.time,
						 dogpile_creation_deadline(&attempt->call, attempt->begin.time),
						 round))
		{
			dogpile_lock_release(attempt->call.key.hash);
			attempt->is_creator = false;
			handle_timeout(attempt);
			return;
		}
	}
	dogpile_attempt_create(attempt);
}

/* As the creator of this server, create the value. */
static void
create_as_creator(DogpileAttempt *attempt)
{
	if (dogpile_attempt_is_shared(attempt) && attempt->is_creator)
		create_among_servers(attempt);
	else
		dogpile_attempt_create(attempt);
}

/*
 * Look for what others have done since this call began, and settle for it if
 * that is possible; the creator lock, if held, is then released.
 *
 * Returns false if it is left to this session to create the value.
 */
static bool
settle(DogpileAttempt *attempt)
{
	DogpileLookup found;
	bool		alone;

	dogpile_creation_lookup(&attempt->call, attempt->creator, &attempt->begin, &found);
	alone = found.freshness == DOGPILE_ABSENT &&
		(found.needs_snapshot || must_compute_alone(attempt));
	if (found.freshness == DOGPILE_ABSENT && !alone)
		return false;

	if (!alone)
		give_and_release(attempt, &found);
	else
	{
		if (attempt->is_creator)
			dogpile_lock_release(attempt->call.key.hash);
		attempt->is_creator = false;
		dogpile_attempt_create(attempt);
	}
	return true;
}

/*
 * Wait for the present creator, and take its place if it has left nothing.
 */
static void
wait_for_creator(DogpileAttempt *attempt)
{
	TimestampTz deadline = dogpile_creation_deadline(&attempt->call,
													 attempt->begin.time);
	DogpileLockResult lock;

	dogpile_attempt_count(attempt, DOGPILE_COUNTER_WAITS, 1);
	lock = dogpile_lock_wait(attempt->call.key.hash, deadline);
	dogpile_attempt_count(attempt, DOGPILE_COUNTER_WAIT_TIME,
						  dogpile_attempt_elapsed_us(attempt->begin.time));
	if (lock == DOGPILE_LOCK_OK)
	{
		if (settle(attempt))
			return;
		lock = dogpile_lock_acquire(attempt->call.key.hash, deadline);
	}

	if (lock == DOGPILE_LOCK_TIMED_OUT)
	{
		handle_timeout(attempt);
		return;
	}
	attempt->is_creator = lock == DOGPILE_LOCK_OK;
	if (!settle(attempt))
		create_as_creator(attempt);
}

/*
 * Become the creator, unless somebody has created the value in the meantime.
 *
 * Returns false if another session is the creator.
 */
static bool
try_to_create(DogpileAttempt *attempt)
{
	DogpileLookup found;

	if (!dogpile_lock_try(attempt->call.key.hash))
		return false;
	attempt->is_creator = true;

	/* Between servers, that is looked up once more in any case. */
	found.freshness = DOGPILE_ABSENT;
	if (!dogpile_attempt_is_shared(attempt))
		dogpile_creation_lookup(&attempt->call, attempt->creator, NULL, &found);
	if (found.freshness == DOGPILE_FRESH)
	{
		dogpile_call_count_found(&attempt->call, &found);
		give_and_release(attempt, &found);
		return true;
	}
	if (found.freshness == DOGPILE_ABSENT)
		dogpile_attempt_count(attempt, DOGPILE_COUNTER_MISSES, 1);
	create_as_creator(attempt);
	return true;
}

/*
 * Can this transaction store what it computes?  If its snapshot is too old for
 * that, it must keep nobody waiting.
 */
static bool
can_share(const DogpileAttempt *attempt)
{
	DogpileDeps deps;

	dogpile_deps_get(attempt->call.region, attempt->call.key.hash, attempt->tags, &deps);
	return dogpile_attempt_sees_all(attempt, &deps);
}

/* Go on with a call that has not found a fresh value. */
static void
create_or_wait(DogpileAttempt *attempt, const DogpileLookup *found)
{
	bool		alone = found->needs_snapshot || !can_share(attempt);

	if (!alone && try_to_create(attempt))
		return;
	if (found->freshness == DOGPILE_STALE)
	{
		dogpile_call_count_found(&attempt->call, found);
		dogpile_call_give(&attempt->call, found, attempt->result);
		return;
	}
	dogpile_attempt_count(attempt, DOGPILE_COUNTER_MISSES, 1);
	if (alone)
		dogpile_attempt_create(attempt);
	else
		wait_for_creator(attempt);
}

/*
 * Get a value that was looked for and is not fresh: create it, or wait for
 * whoever does, or be content with the stale one.
 *
 * found: what the lookup has found.
 * creator: what to run; its shape is also what the result is checked against.
 * options: how a value created is stored.
 * result: filled in.  A record in it is valid until the next call on any
 *		region; rows live in CurrentMemoryContext.
 *
 * Errors: recursion; those of the query, also if another session has run it;
 * those of waiting for a heavyweight lock.
 * Locks: no LWLock may be held.  Takes the creator lock of the key, and
 * releases it unless the query has written.
 */
void
dogpile_creation_run(const DogpileCall *call, const DogpileLookup *found,
					 DogpileCreator *creator, const DogpileEntryOptions *options,
					 DogpileResult *result)
{
	DogpileAttempt		attempt = {
		.call = {.region = call->region,.key = *dogpile_key_copy(&call->key)},
		.begin = {.clock = dogpile_version_now(),.time = dogpile_clock_now()},
		.outcomes_seen = dogpile_outcome_now(),
		.creator = creator,
		.lifetime_s = options->lifetime_s,
		.tags = dogpile_tag_encode(options->tags),
		.result = result
	};

	dogpile_attempt_check_recursion(&attempt.call);
	create_or_wait(&attempt, found);
}
