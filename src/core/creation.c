/*-------------------------------------------------------------------------
 *
 * creation.c
 *	  The dogpile algorithm: one session creates a value, the others wait.
 *
 * A call that may create goes through these steps.  Each either decides what the call
 * does, namely to take what was found or to run the query, or leads to the next:
 *
 *	1. Look up (region.c).  Fresh: take it.
 *	2. Try to become the creator.  If that succeeds, look up again, because another
 *	   session may have been faster, and create.
 *	3. Another session is the creator.  If there is a stale value, take it.
 *	4. Wait for the creator by asking for its lock in SHARE mode, which wakes all
 *	   waiters together.  Look up; usually there is a value now.  If not, the creator
 *	   may have noted why (outcome.c): raise the same error, or create without a lock.
 *	5. The creator was cancelled or has died.  Queue for its lock, look up again, and
 *	   create.
 *
 * If servers share the store, a creator asks the store for its grant before it creates,
 * and may have to wait for a creator on another server.
 *
 * There is no way back from a later step to an earlier one: loops of conditional and
 * shared locking were seen to livelock.
 *
 * The functions below come in this order.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/creation.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "core/attempt.h"
#include "core/creation.h"
#include "core/lock.h"
#include "core/outcome.h"
#include "lib/clock.h"

/* How long to wait for a transaction that is about to commit. */
#define MAX_COMMIT_WAIT_MS	250

/* What a step has decided. */
typedef enum Decision
{
	GO_ON,						/* nothing yet */
	TAKE,						/* return what was found last */
	CREATE						/* run the query; as the creator, if it has
								 * the claim */
} Decision;

/* What is found out while a store that servers share is asked for its grant. */
typedef struct Rivalry
{
	DogpileAttempt *attempt;
	DogpileLookup *found;
	Decision	decision;
} Rivalry;

static Decision decide(DogpileAttempt *attempt, DogpileLookup *found);
static Decision create_as_creator(DogpileAttempt *attempt, DogpileLookup *found);
static Decision wait_for_creator(DogpileAttempt *attempt, DogpileLookup *found);
static Decision look_after_wait(DogpileAttempt *attempt, DogpileLookup *found);
static bool must_compute_alone(const DogpileAttempt *attempt);
static Decision ask_store(DogpileAttempt *attempt, DogpileLookup *found);
static bool is_decided(DogpileStatus answer, int round, void *arg);
static Decision give_up_waiting(DogpileAttempt *attempt);

/*
 * Look an entry up for a caller that could create it.  A value that does not fit the
 * type that the caller asks for counts as absent.
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

/*
 * Get a value after a lookup that has not found a fresh one: create it, wait for its
 * creator, or take the stale one.
 *
 * found: result of the lookup; overwritten.
 * creator: the query; the result is checked against its shape.
 * options: for storing a value that is created.
 * result: filled in.  A record in it is valid until the next call on any
 *		region; rows are in CurrentMemoryContext.
 *
 * Errors: recursion; those of the query, even if another session has run it; those of
 * waiting for a heavyweight lock.
 * Locks: no LWLock may be held.  Takes the creator lock of the key, and releases it
 * unless the query has written.
 */
void
dogpile_creation_run(const DogpileCall *call, DogpileLookup *found,
					 DogpileCreator *creator, const DogpileEntryOptions *options,
					 DogpileResult *result)
{
	DogpileAttempt attempt = {
		.call = {.region = call->region,.key = *dogpile_key_copy(&call->key)},
		.begin = {.clock = dogpile_version_now(),.time = dogpile_clock_now()},
		.outcomes_seen = dogpile_outcome_now(),
		.creator = creator,
		.lifetime_s = options->lifetime_s,
		.tags = dogpile_tag_encode(options->tags),
		.result = result,
		.claim = {.call = &attempt.call}
	};

	dogpile_attempt_check_recursion(&attempt.call);
	if (decide(&attempt, found) == CREATE)
		dogpile_attempt_create(&attempt);
	else
	{
		dogpile_claim_resign(&attempt.claim, DOGPILE_OUTCOME_UNKNOWN);
		dogpile_call_give(&attempt.call, found, result);
	}
}

/*
 * Can this transaction store what it computes?  If its snapshot is too old for that, it
 * must not keep other sessions waiting.
 */
static bool
can_share(const DogpileAttempt *attempt)
{
	DogpileDeps deps;

	dogpile_deps_get(attempt->call.region, attempt->call.key.hash, attempt->tags, &deps);
	return dogpile_attempt_sees_all(attempt, &deps);
}

/* Steps 2 to 5.  Never returns GO_ON. */
static Decision
decide(DogpileAttempt *attempt, DogpileLookup *found)
{
	bool		alone = found->needs_snapshot || !can_share(attempt);

	if (!alone && dogpile_claim_try(&attempt->claim))
		return create_as_creator(attempt, found);
	dogpile_call_count_found(&attempt->call, found);
	if (found->freshness == DOGPILE_STALE)
		return TAKE;
	return alone ? CREATE : wait_for_creator(attempt, found);
}

/* Step 2: this session is the creator.  Create, unless another session just did. */
static Decision
create_as_creator(DogpileAttempt *attempt, DogpileLookup *found)
{
	/* If servers share the store, ask_store() looks up in any case. */
	found->freshness = DOGPILE_ABSENT;
	if (!dogpile_attempt_is_shared(attempt))
		dogpile_creation_lookup(&attempt->call, attempt->creator, NULL, found);
	if (found->freshness != DOGPILE_STALE)
		dogpile_call_count_found(&attempt->call, found);
	if (found->freshness == DOGPILE_FRESH)
		return TAKE;
	return ask_store(attempt, found);
}

/* Steps 4 and 5: wait for the creator, and take its place if it has left nothing. */
static Decision
wait_for_creator(DogpileAttempt *attempt, DogpileLookup *found)
{
	TimestampTz deadline = dogpile_claim_deadline(&attempt->call, attempt->begin.time);
	Decision	decision;
	DogpileLockResult lock;

	dogpile_attempt_count(attempt, DOGPILE_COUNTER_WAITS, 1);
	lock = dogpile_lock_wait(attempt->call.key.hash, deadline);
	dogpile_attempt_count(attempt, DOGPILE_COUNTER_WAIT_TIME,
						  dogpile_attempt_elapsed_us(attempt->begin.time));
	if (lock == DOGPILE_LOCK_OK)
	{
		decision = look_after_wait(attempt, found);
		if (decision != GO_ON)
			return decision;
		lock = dogpile_claim_queue(&attempt->claim, deadline);
	}
	if (lock == DOGPILE_LOCK_TIMED_OUT)
		return give_up_waiting(attempt);

	/* If the lock table is full, go on without a claim. */
	decision = look_after_wait(attempt, found);
	return decision != GO_ON ? decision : ask_store(attempt, found);
}

/*
 * Look for what other sessions have done since this call began.  Gives up the claim if
 * the value will not be stored, because then nobody has to wait for it.
 */
static Decision
look_after_wait(DogpileAttempt *attempt, DogpileLookup *found)
{
	dogpile_creation_lookup(&attempt->call, attempt->creator, &attempt->begin, found);
	if (found->freshness != DOGPILE_ABSENT)
		return TAKE;
	if (!found->needs_snapshot && !must_compute_alone(attempt))
		return GO_ON;
	dogpile_claim_resign(&attempt->claim, DOGPILE_OUTCOME_UNKNOWN);
	return CREATE;
}

/* Raise the error that ended the creation for which this session has waited. */
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
 * Find out how a creation ended that has left no value.
 *
 * Returns whether to compute the value without a claim: because it cannot be stored, or
 * because this transaction could not store it before its COMMIT either.
 *
 * Errors: the error that ended the creation.
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
 * As the creator of this server, ask a store that servers share for its grant.  Create
 * the value, unless another server does so or has done so.
 *
 * If the store does not answer, or stores no value now, the value is created and handed
 * over to the waiters of this server.
 */
static Decision
ask_store(DogpileAttempt *attempt, DogpileLookup *found)
{
	Rivalry		rivalry = {.attempt = attempt,.found = found,.decision = CREATE};
	DogpileStatus answer;

	if (!attempt->claim.has_lock)
		return CREATE;
	if (!dogpile_claim_ask_store(&attempt->claim, attempt->tags, attempt->begin.time,
								 is_decided, &rivalry, &answer))
		return give_up_waiting(attempt);
	return rivalry.decision;
}

/*
 * May the call still wait for the end of a transaction that invalidates what the value
 * depends on?  If the server of that transaction has crashed, or the transaction itself
 * waits, this takes too long; then the value is created, but not stored.
 */
static bool
may_wait_for_commit(const DogpileAttempt *attempt)
{
	return dogpile_clock_now() <
		TimestampTzPlusMilliseconds(attempt->begin.time, MAX_COMMIT_WAIT_MS);
}

/* Decide what to do by an answer of the store and by what is stored now. */
static bool
is_decided(DogpileStatus answer, int round, void *arg)
{
	Rivalry    *rivalry = arg;
	DogpileAttempt *attempt = rivalry->attempt;
	DogpileLookup *found = rivalry->found;

	if (answer == DOGPILE_CHANGING && !may_wait_for_commit(attempt))
		return true;
	dogpile_creation_lookup(&attempt->call, attempt->creator,
							round == 0 ? NULL : &attempt->begin, found);
	if (found->freshness == DOGPILE_FRESH ||
		(answer != DOGPILE_OK && found->freshness == DOGPILE_STALE))
	{
		dogpile_call_count_found(&attempt->call, found);
		rivalry->decision = TAKE;
		return true;
	}
	if (answer == DOGPILE_OK)
		return true;
	if (round == 0)
		dogpile_attempt_count(attempt, DOGPILE_COUNTER_WAITS, 1);
	return false;
}

/* The deadline has passed: raise an error, or create without a claim. */
static Decision
give_up_waiting(DogpileAttempt *attempt)
{
	TimestampTz since = attempt->begin.time;

	dogpile_claim_resign(&attempt->claim, DOGPILE_OUTCOME_UNKNOWN);
	dogpile_attempt_count(attempt, DOGPILE_COUNTER_WAIT_TIMEOUTS, 1);
	if (attempt->call.region->lock_timeout_action == DOGPILE_TIMEOUT_ERROR &&
		dogpile_claim_has_timeout(&attempt->call, since))
		dogpile_claim_raise_timeout(&attempt->call, since);
	return CREATE;
}
