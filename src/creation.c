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
 *	  src/creation.c
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

#include "creation.h"
#include "lease.h"
#include "lock.h"
#include "outcome.h"
#include "xact.h"

/* One call that has to create the value, or to wait for it. */
typedef struct Attempt
{
	DogpileCall call;
	DogpileCallTime begin;
	DogpileOutcomeTime outcomes_seen;
	DogpileCreator *creator;
	double		lifetime_s;
	const DogpileTags *tags;
	DogpileResult *result;
	struct DogpileLease *lease; /* of a store that other servers share, or NULL */
	int			log_position;	/* of the transaction, before the snapshot */
	bool		is_creator;		/* does it hold the creator lock? */
} Attempt;

/* The keys that this session is creating now, the innermost first. */
typedef struct Creation
{
	const DogpileKey *key;
	struct Creation *outer;
} Creation;

static Creation *creations = NULL;

/* How long to wait for a transaction that is about to commit. */
#define MAX_COMMIT_WAIT_MS	250

/* How a value that was just created is to be stored. */
typedef enum Publication
{
	PUBLISH_NOW,
	PUBLISH_AT_COMMIT,
	PUBLISH_NEVER
} Publication;

static void
count(const Attempt *attempt, DogpileCounter counter, uint64 n)
{
	dogpile_call_count(&attempt->call, counter, n);
}

static uint64
elapsed_us(TimestampTz since)
{
	return (uint64) Max(GetCurrentTimestamp() - since, 0);
}

/* The key's text, for messages. */
static char *
key_text(const Attempt *attempt)
{
	return dogpile_call_key_text(&attempt->call);
}

/* --------------------------------------------------------------------
 * Creating
 * --------------------------------------------------------------------
 */

/*
 * Refuse to create a key that this session is creating already: the query
 * would wait for its own result.
 *
 * Errors: recursion.
 */
void
dogpile_creation_check_recursion(const DogpileCall *call)
{
	for (Creation *c = creations; c != NULL; c = c->outer)
		if (c->key->len == call->key.len &&
			memcmp(c->key->bytes, call->key.bytes, call->key.len) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_RECURSION),
					 errmsg("creation of cache entry \"%s\" of region \"%s\" depends on itself",
							dogpile_call_key_text(call), call->region->name),
					 errdetail("The query asks for the value that it is to create.")));
}

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
	dogpile_lookup(call->region, &call->key, since, found);
	if (found->freshness != DOGPILE_ABSENT &&
		!dogpile_result_fits(&found->record, creator->shape))
		found->freshness = DOGPILE_ABSENT;
}

static bool
has_written(void)
{
	return TransactionIdIsValid(GetTopTransactionIdIfAny());
}

/* Is the region's store one that other servers share? */
static bool
is_shared(const Attempt *attempt)
{
	return attempt->call.region->store->begin != NULL;
}

/*
 * Does this transaction's snapshot see all that was ever invalidated of what
 * an entry depends on?  Only then may it publish a value computed from it.
 */
static bool
sees_all_invalidations(const Attempt *attempt, const DogpileDeps *deps)
{
	if (!IsolationUsesXactSnapshot())
		return true;

	/* What other servers have invalidated cannot be compared with it. */
	return !is_shared(attempt) &&
		dogpile_version_all_visible(deps->slots, deps->count,
									dogpile_version_snapshot_xmin());
}

/*
 * Run the query, and note what its value depends on besides the data.
 *
 * entry: filled in, apart from the value.
 * temporary: set to whether it has read temporary tables, which nobody else
 *		can.
 */
static void
run_creator(Attempt *attempt, DogpileEntry *entry, bool *temporary)
{
	int			flag = MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE;
	TimestampTz started_at = GetCurrentTimestamp();

	entry->created_at = IsolationUsesXactSnapshot() ?
		GetCurrentTransactionStartTimestamp() : started_at;
	entry->lifetime_s = attempt->lifetime_s;
	entry->tags = attempt->tags;
	entry->lease = attempt->lease;
	entry->is_outdated = false;

	/* The clock before the snapshot: see version.c. */
	entry->as_of = dogpile_version_now();
	attempt->log_position = dogpile_xact_npending;

	MyXactFlags &= ~XACT_FLAGS_ACCESSEDTEMPNAMESPACE;
	PG_TRY();
	{
		dogpile_creator_run(attempt->creator, attempt->call.region->name, key_text(attempt),
							attempt->result);
	}
	PG_FINALLY();
	{
		*temporary = (MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) != 0;
		MyXactFlags |= flag;
	}
	PG_END_TRY();
	entry->creation_us = elapsed_us(started_at);
	count(attempt, DOGPILE_COUNTER_CREATIONS, 1);
	count(attempt, DOGPILE_COUNTER_CREATION_TIME, entry->creation_us);
}

/*
 * Has the query itself invalidated what its value depends on, or set another
 * one?  Its snapshot did not see that, so its value is outdated.
 */
static bool
is_outdated_by_query(const Attempt *attempt, const DogpileDeps *deps)
{
	const DogpilePendingEntry *pending = dogpile_xact_find_entry(&attempt->call.key);

	return (pending != NULL && pending->position > attempt->log_position) ||
		dogpile_xact_get_invalidation(deps, attempt->log_position) != DOGPILE_NOT_INVALIDATED;
}

/* Is it right to publish the value that has just been created, and when? */
static Publication
choose_publication(const Attempt *attempt, const DogpileDeps *deps, bool temporary)
{
	if (temporary || is_outdated_by_query(attempt, deps))
		return PUBLISH_NEVER;
	if (has_written() ||
		dogpile_xact_get_invalidation(deps, 0) != DOGPILE_NOT_INVALIDATED)
		return PUBLISH_AT_COMMIT;
	return sees_all_invalidations(attempt, deps) ? PUBLISH_NOW : PUBLISH_NEVER;
}

/*
 * Leave a value in shared memory for those on this server who wait for it: the
 * store outside may not work or keep nothing, and this spares them the way to
 * it.  It is new from now on, which is after they began to wait, and of no use
 * to those who come later, unless the region keeps copies.
 */
static bool
hand_over(const Attempt *attempt, const DogpileEntry *entry)
{
	DogpileRegion *region = attempt->call.region;
	bool		is_awaited = attempt->is_creator &&
		dogpile_lock_has_waiters(attempt->call.key.hash);

	return (is_awaited || region->local_expiration_time_s > 0) &&
		dogpile_lookup_copy(region, &attempt->call.key, entry);
}

/*
 * Publish a value in a store that other servers share.  Without a lease that is
 * not possible: the store could not be reached when the creation began.
 */
static DogpileOutcomeKind
publish_outside(const Attempt *attempt, const DogpileEntry *entry)
{
	const DogpileStore *store = attempt->call.region->store;
	DogpilePrepared *prepared;
	DogpileStatus status = DOGPILE_ERROR;

	if (entry->lease != NULL)
	{
		status = store->prepare(attempt->call.region, &attempt->call.key, entry,
								&prepared);
		if (status == DOGPILE_OK)
			status = store->publish(prepared, DOGPILE_PUBLISH_IF_NEWER, entry->as_of);
		store->release(entry->lease);
	}
	if (status == DOGPILE_TOO_LARGE)
		count(attempt, DOGPILE_COUNTER_TOO_LARGE, 1);
	if (hand_over(attempt, entry) || status == DOGPILE_OK || status == DOGPILE_KEPT)
		return DOGPILE_OUTCOME_UNKNOWN;
	return DOGPILE_OUTCOME_UNSTORED;
}

/*
 * Publish a value at once.
 *
 * One that was outdated while it was computed is of use only to those who
 * have waited for it, and is not stored if there are none.
 *
 * Nothing between prepare() and publish() raises errors.
 */
static DogpileOutcomeKind
publish_now(Attempt *attempt, const DogpileDeps *deps, const DogpileEntry *entry)
{
	const DogpileStore *store = attempt->call.region->store;
	DogpilePrepared *prepared;
	DogpileStatus status;

	for (int i = 0; i < deps->count; i++)
		if (dogpile_version_is_hard_after(deps->slots[i], entry->as_of))
		{
			count(attempt, DOGPILE_COUNTER_REFUSED, 1);
			if (!attempt->is_creator || !dogpile_lock_has_waiters(attempt->call.key.hash))
				return DOGPILE_OUTCOME_UNKNOWN;
			break;
		}

	if (is_shared(attempt))
		return publish_outside(attempt, entry);
	status = store->prepare(attempt->call.region, &attempt->call.key, entry, &prepared);
	if (status == DOGPILE_TOO_LARGE)
		count(attempt, DOGPILE_COUNTER_TOO_LARGE, 1);
	if (status != DOGPILE_OK)
		return DOGPILE_OUTCOME_UNSTORED;
	(void) store->publish(prepared, DOGPILE_PUBLISH_IF_NEWER, entry->as_of);
	return DOGPILE_OUTCOME_UNKNOWN;
}

/*
 * Store a value that was just created, now or at COMMIT.
 *
 * Returns what those who wait for it have to know: UNKNOWN if they will find
 * it, or if one of them should take over.
 */
static DogpileOutcomeKind
store_created(Attempt *attempt, DogpileEntry *entry, bool temporary)
{
	DogpileResult *result = attempt->result;
	DogpileDeps deps;

	if (!dogpile_value_encode_rows(result->rows, result->desc,
								   (Size) attempt->call.region->max_value_size_kb * 1024,
								   &entry->value))
	{
		count(attempt, DOGPILE_COUNTER_TOO_LARGE, 1);
		return DOGPILE_OUTCOME_UNSTORED;
	}

	dogpile_xact_get_deps(attempt->call.region, &attempt->call.key, attempt->tags, &deps);
	switch (choose_publication(attempt, &deps, temporary))
	{
		case PUBLISH_NOW:
			return publish_now(attempt, &deps, entry);
		case PUBLISH_AT_COMMIT:
			if (is_shared(attempt) && attempt->lease == NULL)
				break;
			dogpile_xact_store(attempt->call.region, &attempt->call.key, entry,
							   dogpile_version_old_snapshot_xmin(),
							   DOGPILE_PUBLISH_IF_NEWER);
			return DOGPILE_OUTCOME_DEFERRED;
		case PUBLISH_NEVER:
			break;
	}
	return DOGPILE_OUTCOME_UNSTORED;
}

/*
 * Stop being the creator, having told the waiters what they have to know.
 */
static void
finish_creation(Attempt *attempt, DogpileOutcomeKind kind)
{
	if (!attempt->is_creator)
		return;
	if (kind != DOGPILE_OUTCOME_UNKNOWN &&
		dogpile_lock_has_waiters(attempt->call.key.hash))
		dogpile_outcome_note(&attempt->call.key, kind, NULL);
	dogpile_lock_release(attempt->call.key.hash);
}

/* Run the query and store its value.  Returns as store_created(). */
static DogpileOutcomeKind
create_and_store(Attempt *attempt)
{
	DogpileEntry entry;
	bool		temporary;

	run_creator(attempt, &entry, &temporary);
	return store_created(attempt, &entry, temporary);
}

/*
 * Having caught an error, tell the waiters if it concerns them: not if it ended
 * this session's work, nor if only this caller cannot take what the query gives.
 */
static void
note_failure(const Attempt *attempt, MemoryContext context)
{
	ErrorData  *error;

	count(attempt, DOGPILE_COUNTER_FAILED_CREATIONS, 1);
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (attempt->is_creator && !attempt->creator->misfit &&
		!dogpile_outcome_is_own_failure(error->sqlerrcode))
		dogpile_outcome_note(&attempt->call.key, DOGPILE_OUTCOME_FAILED, error);
	FreeErrorData(error);
}

/*
 * Create the value, store it if possible, and release the creator lock if
 * this session has it.
 *
 * If an error is raised the lock goes with the (sub)transaction.  If the query
 * itself has written, the lock is kept to the end of the transaction, so that
 * nobody repeats what the query did before it is known whether it will last.
 */
static void
create(Attempt *attempt)
{
	MemoryContext context = CurrentMemoryContext;
	Creation	creation = {.key = &attempt->call.key,.outer = creations};
	bool		had_written = has_written();
	bool		query_wrote;
	CommandId	command;
	volatile DogpileOutcomeKind kind = DOGPILE_OUTCOME_UNKNOWN;

	/* In a transaction that has written before, only the command tells. */
	CommandCounterIncrement();
	command = GetCurrentCommandId(false);
	creations = &creation;
	PG_TRY();
	{
		kind = create_and_store(attempt);
	}
	PG_CATCH();
	{
		creations = creation.outer;
		note_failure(attempt, context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	creations = creation.outer;

	query_wrote = (!had_written && has_written()) ||
		GetCurrentCommandId(false) != command;
	if (kind != DOGPILE_OUTCOME_DEFERRED || !query_wrote)
		finish_creation(attempt, kind);
}

/* --------------------------------------------------------------------
 * Waiting
 * --------------------------------------------------------------------
 */

/* Raise the error that ended the creation this session has waited for. */
static void
raise_outcome(const Attempt *attempt, const DogpileOutcome *outcome)
{
	ereport(ERROR,
			(errcode(outcome->sqlerrcode),
			 errmsg_internal("%s", outcome->message),
			 outcome->detail[0] ? errdetail_internal("%s", outcome->detail) : 0,
			 outcome->hint[0] ? errhint("%s", outcome->hint) : 0,
			 errcontext("creation of cache entry \"%s\" of region \"%s\" in another session",
						key_text(attempt), attempt->call.region->name)));
}

/*
 * Act on how a creation ended that has left no value.
 *
 * Returns whether to compute without waiting for anybody: if the value cannot
 * be stored, or if this transaction could not store it before its COMMIT
 * either.
 */
static bool
must_compute_alone(const Attempt *attempt)
{
	DogpileOutcome outcome;

	dogpile_outcome_find(&attempt->call.key, attempt->outcomes_seen, &outcome);
	if (outcome.kind == DOGPILE_OUTCOME_FAILED)
		raise_outcome(attempt, &outcome);
	return outcome.kind == DOGPILE_OUTCOME_UNSTORED ||
		(outcome.kind == DOGPILE_OUTCOME_DEFERRED && has_written());
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

	if (region->store->begin != NULL && (creations != NULL || dogpile_lease_holds_any()))
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
handle_timeout(Attempt *attempt)
{
	count(attempt, DOGPILE_COUNTER_WAIT_TIMEOUTS, 1);
	if (attempt->call.region->lock_timeout_action == DOGPILE_TIMEOUT_ERROR &&
		has_lock_timeout(&attempt->call, attempt->begin.time))
		dogpile_creation_raise_timeout(&attempt->call, attempt->begin.time);
	create(attempt);
}

/* Give the caller what was found, and stop being the creator. */
static void
give_and_release(Attempt *attempt, const DogpileLookup *found)
{
	if (attempt->lease)
		attempt->call.region->store->release(attempt->lease);
	attempt->lease = NULL;
	if (attempt->is_creator)
		dogpile_lock_release(attempt->call.key.hash);
	attempt->is_creator = false;
	dogpile_call_give(found, attempt->result);
}

/*
 * Is it worth while to wait for the end of a transaction that invalidates what the
 * value depends on?  If its server has crashed, or it waits in its turn, that is
 * for too long, and the value is created without being stored.
 */
static bool
may_wait_for_commit(const Attempt *attempt)
{
	return GetCurrentTimestamp() <
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
create_among_servers(Attempt *attempt)
{
	const DogpileStore *store = attempt->call.region->store;

	for (int round = 0;; round++)
	{
		DogpileStatus status = store->begin(attempt->call.region, &attempt->call.key,
											attempt->tags, &attempt->lease);
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
			count(attempt, DOGPILE_COUNTER_WAITS, 1);
		if (!dogpile_lease_wait(attempt->begin.time,
								dogpile_creation_deadline(&attempt->call,
														  attempt->begin.time), round))
		{
			dogpile_lock_release(attempt->call.key.hash);
			attempt->is_creator = false;
			handle_timeout(attempt);
			return;
		}
	}
	create(attempt);
}

/* As the creator of this server, create the value. */
static void
create_as_creator(Attempt *attempt)
{
	if (is_shared(attempt) && attempt->is_creator)
		create_among_servers(attempt);
	else
		create(attempt);
}

/*
 * Look for what others have done since this call began, and settle for it if
 * that is possible; the creator lock, if held, is then released.
 *
 * Returns false if it is left to this session to create the value.
 */
static bool
settle(Attempt *attempt)
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
		create(attempt);
	}
	return true;
}

/*
 * Wait for the present creator, and take its place if it has left nothing.
 */
static void
wait_for_creator(Attempt *attempt)
{
	TimestampTz deadline = dogpile_creation_deadline(&attempt->call,
													 attempt->begin.time);
	DogpileLockResult lock;

	count(attempt, DOGPILE_COUNTER_WAITS, 1);
	lock = dogpile_lock_wait(attempt->call.key.hash, deadline);
	count(attempt, DOGPILE_COUNTER_WAIT_TIME, elapsed_us(attempt->begin.time));
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
try_to_create(Attempt *attempt)
{
	DogpileLookup found;

	if (!dogpile_lock_try(attempt->call.key.hash))
		return false;
	attempt->is_creator = true;

	/* Between servers, that is looked up once more in any case. */
	found.freshness = DOGPILE_ABSENT;
	if (!is_shared(attempt))
		dogpile_creation_lookup(&attempt->call, attempt->creator, NULL, &found);
	if (found.freshness == DOGPILE_FRESH)
	{
		dogpile_call_count_found(&attempt->call, &found);
		give_and_release(attempt, &found);
		return true;
	}
	if (found.freshness == DOGPILE_ABSENT)
		count(attempt, DOGPILE_COUNTER_MISSES, 1);
	create_as_creator(attempt);
	return true;
}

/*
 * Can this transaction store what it computes?  If its snapshot is too old for
 * that, it must keep nobody waiting.
 */
static bool
can_share(const Attempt *attempt)
{
	DogpileDeps deps;

	dogpile_xact_get_deps(attempt->call.region, &attempt->call.key, attempt->tags, &deps);
	return sees_all_invalidations(attempt, &deps);
}

/* Go on with a call that has not found a fresh value. */
static void
create_or_wait(Attempt *attempt, const DogpileLookup *found)
{
	bool		alone = found->needs_snapshot || !can_share(attempt);

	if (!alone && try_to_create(attempt))
		return;
	if (found->freshness == DOGPILE_STALE)
	{
		dogpile_call_count_found(&attempt->call, found);
		dogpile_call_give(found, attempt->result);
		return;
	}
	count(attempt, DOGPILE_COUNTER_MISSES, 1);
	if (alone)
		create(attempt);
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
	Attempt		attempt = {
		.call = {.region = call->region,.key = *dogpile_key_copy(&call->key)},
		.begin = {.clock = dogpile_version_now(),.time = GetCurrentTimestamp()},
		.outcomes_seen = dogpile_outcome_now(),
		.creator = creator,
		.lifetime_s = options->lifetime_s,
		.tags = dogpile_tag_encode(options->tags),
		.result = result
	};

	dogpile_creation_check_recursion(&attempt.call);
	create_or_wait(&attempt, found);
}
