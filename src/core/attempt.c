/*-------------------------------------------------------------------------
 *
 * attempt.c
 *	  Creates a value: runs its query and publishes the result.
 *
 * The caller has decided to create the value (creation.c), and usually has the claim to
 * it.  Whether the value is stored, now, at COMMIT, or not at all, depends on what the
 * transaction has written, on its snapshot, and on what the query has read.  Before the
 * claim is given up, the outcome is noted for the waiters if they need it.
 *
 * The functions below come in the order of what happens.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/attempt.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "core/attempt.h"
#include "core/underway.h"
#include "depend/depend.h"
#include "depend/temporary.h"
#include "lib/stop.h"
#include "store/oversize.h"
#include "xact/change.h"
#include "xact/xact.h"

/* Which sessions may use a value that was just created, by what its query has used. */
typedef enum Audience
{
	FOR_ALL,
	FOR_TRANSACTION,			/* the query used what the transaction has
								 * pending */
	FOR_CALLER					/* it used temporary objects, or is not
								 * deterministic */
} Audience;

/* How a value that was just created is stored. */
typedef enum Publication
{
	PUBLISH_NOW,
	PUBLISH_AT_COMMIT,
	PUBLISH_BY_OTHERS,			/* only this transaction may use it */
	PUBLISH_NEVER
} Publication;

static DogpileOutcomeKind create_and_store(DogpileAttempt *attempt);
static void tell_failure(const DogpileAttempt *attempt, MemoryContext context);
static Audience run_creator(DogpileAttempt *attempt, DogpileEntry *entry);
static DogpileFinding run_collecting(const DogpileAttempt *attempt,
									 const DogpileTags **tags);
static void run_plainly(const DogpileAttempt *attempt);
static DogpileOutcomeKind store_created(DogpileAttempt *attempt, DogpileEntry *entry,
										Audience audience);
static Publication choose_publication(const DogpileAttempt *attempt,
									  const DogpileDeps *deps, Audience audience);
static DogpileOutcomeKind publish_now(DogpileAttempt *attempt, const DogpileDeps *deps,
									  const DogpileEntry *entry);
static DogpileOutcomeKind publish_shared(const DogpileAttempt *attempt,
										 const DogpileEntry *entry);
static DogpileOutcomeKind publish_later(const DogpileAttempt *attempt,
										const DogpileEntry *entry);

/*
 * Raise an error if this session is creating the value of this key already: the query
 * would wait for its own result.
 */
void
dogpile_attempt_check_recursion(const DogpileCall *call)
{
	if (dogpile_underway_has(&call->key))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_RECURSION),
				 errmsg("creation of cache entry \"%s\" of region \"%s\" depends on itself",
						dogpile_call_key_text(call), call->region->name),
				 errdetail("The creator query requests the entry that it creates.")));
}

/*
 * Does this transaction's snapshot see all past changes of what an entry depends on?
 * Only then may the transaction publish a value computed from it.
 */
bool
dogpile_attempt_sees_all(const DogpileAttempt *attempt, const DogpileDeps *deps)
{
	if (!IsolationUsesXactSnapshot())
		return true;

	/* Invalidations by other servers cannot be compared with the snapshot. */
	return !dogpile_attempt_is_shared(attempt) &&
		dogpile_deps_are_visible(deps, dogpile_version_snapshot_xmin());
}

/*
 * Create the value, store it if possible, and give the claim up if there is one.
 *
 * If an error is raised, the claim goes with the (sub)transaction.  If the query itself
 * has written, the claim is kept to the end of the transaction, so that nobody repeats
 * what the query did before it is known whether that will last.
 */
void
dogpile_attempt_create(DogpileAttempt *attempt)
{
	MemoryContext context = CurrentMemoryContext;
	bool		had_written = dogpile_attempt_has_written();
	bool		query_wrote;
	CommandId	command;
	volatile DogpileOutcomeKind kind = DOGPILE_OUTCOME_UNKNOWN;

	/*
	 * If the transaction had written before, the command id shows if the
	 * query did.
	 */
	CommandCounterIncrement();
	command = GetCurrentCommandId(false);
	PG_TRY();
	{
		kind = create_and_store(attempt);
	}
	PG_CATCH();
	{
		tell_failure(attempt, context);
		PG_RE_THROW();
	}
	PG_END_TRY();

	query_wrote = (!had_written && dogpile_attempt_has_written()) ||
		GetCurrentCommandId(false) != command;
	if (kind == DOGPILE_OUTCOME_DEFERRED && query_wrote)
		return;
	if (attempt->claim.has_lock)
		dogpile_stop(DOGPILE_STOP_PUBLISHED);
	dogpile_claim_resign(&attempt->claim, kind);
}

/* Run the query and store its value.  Returns as store_created(). */
static DogpileOutcomeKind
create_and_store(DogpileAttempt *attempt)
{
	DogpileEntry entry;
	Audience	audience = run_creator(attempt, &entry);

	dogpile_stop(DOGPILE_STOP_COMPUTED);
	return store_created(attempt, &entry, audience);
}

/*
 * Tell the waiters of an error that was caught, if it concerns them: not if it ended
 * this session's own work, nor if only this caller cannot take what the query returns.
 */
static void
tell_failure(const DogpileAttempt *attempt, MemoryContext context)
{
	ErrorData  *error;

	dogpile_attempt_count(attempt, DOGPILE_COUNTER_FAILED_CREATIONS, 1);
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (attempt->claim.has_lock && !attempt->creator->misfit &&
		!dogpile_outcome_is_own_failure(error->sqlerrcode))
		dogpile_outcome_note(&attempt->call.key, DOGPILE_OUTCOME_FAILED, error);
	FreeErrorData(error);
}

/* --------------------------------------------------------------------
 * Running the query
 * --------------------------------------------------------------------
 */

/* Count and log a value that is not stored because its query uses temporary objects. */
static void
report_temporary(const DogpileAttempt *attempt)
{
	DogpileRegion *region = attempt->call.region;
	const char *reason = "its query uses temporary objects";

	if (dogpile_stats_count_unstorable(region, reason))
		ereport(LOG,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("value cannot be stored in cache region \"%s\": %s", region->name,
						reason),
				 errdetail("Neither the value of key \"%s\" nor others of its kind are stored; \"unstorable\" in dogpile_stats counts them.",
						   dogpile_call_key_text(&attempt->call)),
				 errhidestmt(true), errhidecontext(true)));
}

/*
 * Run the query.
 *
 * entry: filled in, except for the value.
 *
 * Returns which sessions may use the value.
 */
static Audience
run_creator(DogpileAttempt *attempt, DogpileEntry *entry)
{
	DogpileTemporaryState temporary;
	DogpileUnderway underway;
	TimestampTz started_at = dogpile_clock_now();
	volatile DogpileFinding finding;
	volatile bool is_temporary = false;
	volatile bool uses_pending = false;

	entry->created_at = IsolationUsesXactSnapshot() ?
		dogpile_version_snapshot_time() : started_at;
	entry->lifetime_s = attempt->lifetime_s;
	entry->tags = attempt->tags;
	entry->grant = attempt->claim.grant;
	entry->is_outdated = false;
	entry->outside = NULL;

	/* The clock before the snapshot: see version.c. */
	entry->as_of = dogpile_version_now();
	attempt->log_position = dogpile_xact_get_position();
	dogpile_stop(DOGPILE_STOP_NOTED);

	dogpile_underway_begin(&underway, &attempt->call.key);
	dogpile_temporary_begin(&temporary);
	PG_TRY();
	{
		finding = run_collecting(attempt, &entry->tags);
	}
	PG_FINALLY();
	{
		is_temporary = dogpile_temporary_end(&temporary);
		uses_pending = dogpile_underway_end(&underway);
	}
	PG_END_TRY();
	if (is_temporary)
		report_temporary(attempt);
	entry->creation_us = dogpile_attempt_elapsed_us(started_at);
	dogpile_attempt_count(attempt, DOGPILE_COUNTER_CREATIONS, 1);
	dogpile_attempt_count(attempt, DOGPILE_COUNTER_CREATION_TIME, entry->creation_us);
	if (is_temporary || finding != DOGPILE_FINDING_STORABLE)
		return FOR_CALLER;
	return uses_pending ? FOR_TRANSACTION : FOR_ALL;
}

/*
 * Run the query.  In a region with depends = 'auto', find out what the value depends on.
 *
 * tags: set to what it depends on.
 */
static DogpileFinding
run_collecting(const DogpileAttempt *attempt, const DogpileTags **tags)
{
	DogpileCollection collection;
	DogpileFinding finding;

	if (!dogpile_depend_is_wanted(attempt->call.region))
	{
		run_plainly(attempt);
		return DOGPILE_FINDING_STORABLE;
	}
	dogpile_depend_begin(&collection, attempt->call.region);
	PG_TRY();
	{
		run_plainly(attempt);
		finding = dogpile_depend_end(&collection, tags);
	}
	PG_CATCH();
	{
		dogpile_depend_abandon(&collection);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (finding == DOGPILE_FINDING_UNKNOWN)
		dogpile_attempt_count(attempt, DOGPILE_COUNTER_BYPASSES, 1);
	return finding;
}

static void
run_plainly(const DogpileAttempt *attempt)
{
	dogpile_creator_run(attempt->creator, attempt->call.region->name,
						dogpile_call_key_text(&attempt->call), attempt->result);
	dogpile_stop(DOGPILE_STOP_RAN);
}

/* --------------------------------------------------------------------
 * Storing the value
 * --------------------------------------------------------------------
 */

/* Count and log a value that is not stored because of its size. */
static void
note_too_large(const DogpileAttempt *attempt, DogpileSizeLimit limit, const DogpileEntry *entry)
{
	dogpile_attempt_count(attempt, DOGPILE_COUNTER_TOO_LARGE, 1);
	dogpile_oversize_report(attempt->call.region, limit, entry->value.size, LOG);
}

/*
 * Store a value that was just created, now or at COMMIT.
 *
 * Returns what waiters have to know: UNKNOWN if they will find the value, or if one of
 * them should take over.
 */
static DogpileOutcomeKind
store_created(DogpileAttempt *attempt, DogpileEntry *entry, Audience audience)
{
	DogpileResult *result = attempt->result;
	DogpileDeps deps;

	dogpile_deps_get(attempt->call.region, attempt->call.key.hash, entry->tags, &deps);
	dogpile_depend_note_value(attempt->call.region, &deps, true);
	if (!dogpile_value_encode_rows(result->rows, result->desc,
								   (Size) attempt->call.region->max_value_size_kb * 1024,
								   &entry->value))
	{
		note_too_large(attempt, DOGPILE_LIMIT_REGION, entry);
		return DOGPILE_OUTCOME_UNSTORED;
	}

	switch (choose_publication(attempt, &deps, audience))
	{
		case PUBLISH_NOW:
			return publish_now(attempt, &deps, entry);
		case PUBLISH_AT_COMMIT:
			return publish_later(attempt, entry);
		case PUBLISH_BY_OTHERS:
			return DOGPILE_OUTCOME_DEFERRED;
		case PUBLISH_NEVER:
			break;
	}
	return DOGPILE_OUTCOME_UNSTORED;
}

/*
 * Has the query itself invalidated what its value depends on, or set another value?
 * Its snapshot did not see that, so its value is outdated.
 */
static bool
is_outdated_by_query(const DogpileAttempt *attempt, const DogpileDeps *deps)
{
	const DogpilePendingEntry *pending = dogpile_xact_find_entry(&attempt->call.key);

	return (pending != NULL && pending->position > attempt->log_position) ||
		dogpile_xact_get_invalidation(deps, attempt->log_position) != DOGPILE_NOT_INVALIDATED;
}

/* Decide whether and when to publish the value that was just created. */
static Publication
choose_publication(const DogpileAttempt *attempt, const DogpileDeps *deps,
				   Audience audience)
{
	if (audience == FOR_CALLER || is_outdated_by_query(attempt, deps))
		return PUBLISH_NEVER;
	if (audience == FOR_TRANSACTION || dogpile_change_affects(deps))
		return PUBLISH_BY_OTHERS;
	if (dogpile_attempt_has_written() ||
		dogpile_xact_get_invalidation(deps, 0) != DOGPILE_NOT_INVALIDATED)
		return PUBLISH_AT_COMMIT;
	return dogpile_attempt_sees_all(attempt, deps) ? PUBLISH_NOW : PUBLISH_NEVER;
}

/*
 * Publish a value at once.
 *
 * One that was outdated while it was computed is of use only to waiters, and is not
 * stored if there are none.
 *
 * Nothing between prepare() and publish() raises errors.
 */
static DogpileOutcomeKind
publish_now(DogpileAttempt *attempt, const DogpileDeps *deps, const DogpileEntry *entry)
{
	const DogpileStore *store = attempt->call.region->store;
	DogpileIncoming *incoming;
	const char *reason;
	DogpileStatus status;

	for (int i = 0; i < deps->count; i++)
		if (dogpile_version_is_hard_after(dogpile_deps_slot(deps, i), entry->as_of))
		{
			dogpile_attempt_count(attempt, DOGPILE_COUNTER_REFUSED, 1);
			if (!dogpile_claim_is_awaited(&attempt->claim))
				return DOGPILE_OUTCOME_UNKNOWN;
			break;
		}

	if (dogpile_attempt_is_shared(attempt))
		return publish_shared(attempt, entry);
	status = store->prepare(attempt->call.region, &attempt->call.key, entry, &incoming,
							&reason);
	if (status == DOGPILE_TOO_LARGE)
		note_too_large(attempt, DOGPILE_LIMIT_MEMORY, entry);
	if (status != DOGPILE_OK)
		return DOGPILE_OUTCOME_UNSTORED;
	(void) store->publish(incoming, DOGPILE_PUBLISH_IF_NEWER, entry->as_of);
	return DOGPILE_OUTCOME_UNKNOWN;
}

/*
 * Leave a value in shared memory for the waiters on this server, which need not ask the
 * store outside then; that may not work, or keep nothing.  The copy is new from now on,
 * which is after they began to wait, and expired for later calls, unless the region
 * keeps copies.
 */
static bool
hand_over(const DogpileAttempt *attempt, const DogpileEntry *entry)
{
	DogpileRegion *region = attempt->call.region;

	return (dogpile_claim_is_awaited(&attempt->claim) || region->local_expiration_time_s > 0) &&
		dogpile_lookup_copy(region, &attempt->call.key, entry);
}

/*
 * Publish a value in a store that servers share.  This requires a grant; there is none
 * if the store did not answer when the creation began.
 */
static DogpileOutcomeKind
publish_shared(const DogpileAttempt *attempt, const DogpileEntry *entry)
{
	const DogpileStore *store = attempt->call.region->store;
	DogpileIncoming *incoming;
	const char *reason;
	DogpileStatus status = DOGPILE_ERROR;

	if (entry->grant != NULL)
	{
		status = store->prepare(attempt->call.region, &attempt->call.key, entry,
								&incoming, &reason);
		if (status == DOGPILE_OK)
			status = store->publish(incoming, DOGPILE_PUBLISH_IF_NEWER, entry->as_of);
	}
	if (status == DOGPILE_TOO_LARGE)
		note_too_large(attempt, DOGPILE_LIMIT_BACKEND, entry);
	if (hand_over(attempt, entry) || status == DOGPILE_OK || status == DOGPILE_KEPT)
		return DOGPILE_OUTCOME_UNKNOWN;
	return DOGPILE_OUTCOME_UNSTORED;
}

/*
 * Have a value published at COMMIT.  Other servers are not kept waiting that long: the
 * lock outside is given up now.
 */
static DogpileOutcomeKind
publish_later(const DogpileAttempt *attempt, const DogpileEntry *entry)
{
	DogpileRegion *region = attempt->call.region;

	if (dogpile_attempt_is_shared(attempt) && entry->grant == NULL)
		return DOGPILE_OUTCOME_UNSTORED;
	if (dogpile_xact_store(region, &attempt->call.key, entry,
						   dogpile_version_old_snapshot_xmin(),
						   DOGPILE_PUBLISH_IF_NEWER))
		return DOGPILE_OUTCOME_DEFERRED;

	/* Too much waits for COMMIT already. */
	dogpile_attempt_count(attempt, DOGPILE_COUNTER_TOO_LARGE, 1);
	dogpile_xact_report_full(region, LOG);
	return DOGPILE_OUTCOME_UNSTORED;
}
