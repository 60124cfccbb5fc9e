/*-------------------------------------------------------------------------
 *
 * region.c
 *	  The dogpile algorithm, apart from storage.
 *
 * The words used throughout: a *region* is a named set of entries with common
 * settings.  An *entry* is a *value* stored under a *key*, of which there may
 * be several *variants* (one for each role, say).  A *creator* is the session
 * that runs the query of a key, at most one at a time; a *waiter* is one that
 * waits for it.  A value is *fresh* until it has *expired* or was declared
 * *stale*; a stale one is given to everybody but its next creator; once it is
 * gone, or was *invalidated*, it is given to nobody.  A fresh value found is a
 * *hit*, none at all a *miss*.
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
 *	  src/region.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "lock.h"
#include "lookup.h"
#include "outcome.h"
#include "region.h"
#include "stats.h"
#include "variant.h"
#include "xact.h"

/* One call of an SQL function on a key. */
typedef struct Call
{
	DogpileRegion *region;
	DogpileKey	key;
	DogpileCallTime begin;		/* this and the rest: once it has to create */
	DogpileOutcomeTime outcomes_seen;
	DogpileCreator *creator;
	double		lifetime_s;
	const DogpileTags *tags;
	DogpileResult *result;
	bool		is_creator;		/* does it hold the creator lock? */
} Call;

/* The keys that this session is creating now, the innermost first. */
typedef struct Creation
{
	const DogpileKey *key;
	struct Creation *outer;
} Creation;

static Creation *creations = NULL;

/* How a value that was just created is to be stored. */
typedef enum Publication
{
	PUBLISH_NOW,
	PUBLISH_AT_COMMIT,
	PUBLISH_NEVER
} Publication;

/*
 * Find the region, and its store if that is not yet known.
 */
static DogpileRegion *
open_region(const text *name)
{
	DogpileRegion *region;

	dogpile_config_require_preload();
	region = dogpile_config_get_region(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	if (region->store == NULL)
	{
		region->store = dogpile_backend_find(region->backend);
		if (region->store == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cache backend \"%s\" is not supported by this build",
							region->backend)));
	}
	return region;
}

/*
 * Find the region and build the key.  The key's bytes stay where they are
 * until the next call, which a creator's query may well make: who goes on
 * after that must copy them.
 */
static void
open_call(Call *call, const text *region, const text *key)
{
	static char bytes[DOGPILE_MAX_KEY_BYTES];
	char		variant[DOGPILE_MAX_VARIANT];
	Size		key_len = VARSIZE_ANY_EXHDR(key);

	call->region = open_region(region);
	if (key_len > DOGPILE_MAX_KEY_TEXT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("key of cache region \"%s\" is too long", call->region->name),
				 errdetail("The key has %zu bytes; the limit is %d.",
						   key_len, DOGPILE_MAX_KEY_TEXT),
				 errhint("Use a hash of it, such as md5().")));
	dogpile_key_build(&call->key, bytes, call->region->name, call->region->name_len,
					  VARDATA_ANY(key), key_len, variant,
					  dogpile_variant_build(call->region->vary, variant));
}

static void
count(const Call *call, DogpileCounter counter, uint64 n)
{
	dogpile_stats_count(call->region, counter, n);
}

static void
count_found(const Call *call, const DogpileLookup *found)
{
	if (found->freshness == DOGPILE_ABSENT)
		count(call, DOGPILE_COUNTER_MISSES, 1);
	else
	{
		count(call, found->freshness == DOGPILE_FRESH ?
			  DOGPILE_COUNTER_HITS : DOGPILE_COUNTER_STALE_HITS, 1);
		count(call, DOGPILE_COUNTER_TIME_SAVED, found->entry.creation_us);
	}
}

static void
give(DogpileResult *result, const DogpileLookup *found)
{
	result->rows = NULL;
	result->desc = NULL;
	result->record = found->record;
}

static uint64
elapsed_us(TimestampTz since)
{
	return (uint64) Max(GetCurrentTimestamp() - since, 0);
}

/* The key's text, for messages. */
static char *
key_text(const DogpileKey *key)
{
	const char *region;
	const char *text;
	int			region_len;
	int			text_len;
	Oid			database;

	(void) dogpile_key_parse(key->bytes, key->len, &database, &region, &region_len,
							 &text, &text_len);
	return pnstrdup(text, text_len);
}

/* --------------------------------------------------------------------
 * Creating
 * --------------------------------------------------------------------
 */

/* A query that needs its own result would wait for itself. */
static void
check_recursion(const Call *call)
{
	for (Creation *c = creations; c != NULL; c = c->outer)
		if (c->key->len == call->key.len &&
			memcmp(c->key->bytes, call->key.bytes, call->key.len) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_RECURSION),
					 errmsg("creation of cache entry \"%s\" of region \"%s\" depends on itself",
							key_text(&call->key), call->region->name),
					 errdetail("The query asks for the value that it is to create.")));
}

static bool
has_written(void)
{
	return TransactionIdIsValid(GetTopTransactionIdIfAny());
}

/*
 * Does this transaction's snapshot see all that was ever invalidated of what
 * an entry depends on?  Only then may it publish a value computed from it.
 */
static bool
sees_all_invalidations(const DogpileDeps *deps)
{
	return !IsolationUsesXactSnapshot() ||
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
run_creator(Call *call, DogpileEntry *entry, bool *temporary)
{
	int			flag = MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE;
	TimestampTz started_at = GetCurrentTimestamp();

	entry->created_at = IsolationUsesXactSnapshot() ?
		GetCurrentTransactionStartTimestamp() : started_at;
	entry->lifetime_s = call->lifetime_s;
	entry->tags = call->tags;

	/* The clock before the snapshot: see version.c. */
	entry->as_of = dogpile_version_now();

	MyXactFlags &= ~XACT_FLAGS_ACCESSEDTEMPNAMESPACE;
	PG_TRY();
	{
		dogpile_creator_run(call->creator, call->region->name, key_text(&call->key),
							call->result);
	}
	PG_FINALLY();
	{
		*temporary = (MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) != 0;
		MyXactFlags |= flag;
	}
	PG_END_TRY();
	entry->creation_us = elapsed_us(started_at);
	count(call, DOGPILE_COUNTER_CREATIONS, 1);
	count(call, DOGPILE_COUNTER_CREATION_TIME, entry->creation_us);
}

/* Is it right to publish the value that has just been created, and when? */
static Publication
choose_publication(const Call *call, const DogpileDeps *deps, bool temporary)
{
	if (temporary)
		return PUBLISH_NEVER;
	if (has_written() ||
		dogpile_xact_get_invalidation(deps, 0) != DOGPILE_NOT_INVALIDATED)
		return PUBLISH_AT_COMMIT;
	return sees_all_invalidations(deps) ? PUBLISH_NOW : PUBLISH_NEVER;
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
publish_now(Call *call, const DogpileDeps *deps, const DogpileEntry *entry)
{
	const DogpileBackend *store = call->region->store;
	DogpilePrepared *prepared;
	DogpileStatus status;

	for (int i = 0; i < deps->count; i++)
		if (dogpile_version_is_hard_after(deps->slots[i], entry->as_of))
		{
			count(call, DOGPILE_COUNTER_REFUSED, 1);
			if (!call->is_creator || !dogpile_lock_has_waiters(call->key.hash))
				return DOGPILE_OUTCOME_UNKNOWN;
			break;
		}

	status = store->prepare(call->region, &call->key, entry, &prepared);
	if (status == DOGPILE_TOO_LARGE)
		count(call, DOGPILE_COUNTER_TOO_LARGE, 1);
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
store_created(Call *call, DogpileEntry *entry, bool temporary)
{
	DogpileResult *result = call->result;
	DogpileDeps deps;

	if (!dogpile_value_encode_rows(result->rows, result->desc,
								   (Size) call->region->max_value_size_kb * 1024,
								   &entry->value))
	{
		count(call, DOGPILE_COUNTER_TOO_LARGE, 1);
		return DOGPILE_OUTCOME_UNSTORED;
	}

	dogpile_xact_get_deps(call->region, &call->key, call->tags, &deps);
	switch (choose_publication(call, &deps, temporary))
	{
		case PUBLISH_NOW:
			return publish_now(call, &deps, entry);
		case PUBLISH_AT_COMMIT:
			dogpile_xact_store(call->region, &call->key, entry,
							   IsolationUsesXactSnapshot() ?
							   dogpile_version_snapshot_xmin() : 0,
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
finish_creation(Call *call, DogpileOutcomeKind kind)
{
	if (!call->is_creator)
		return;
	if (kind != DOGPILE_OUTCOME_UNKNOWN && dogpile_lock_has_waiters(call->key.hash))
		dogpile_outcome_note(&call->key, kind, NULL);
	dogpile_lock_release(call->key.hash);
}

/* Run the query and store its value.  Returns as store_created(). */
static DogpileOutcomeKind
create_and_store(Call *call)
{
	DogpileEntry entry;
	bool		temporary;

	run_creator(call, &entry, &temporary);
	return store_created(call, &entry, temporary);
}

/* Having caught an error, tell the waiters if it concerns them. */
static void
note_failure(const Call *call, MemoryContext context)
{
	ErrorData  *error;

	count(call, DOGPILE_COUNTER_FAILED_CREATIONS, 1);
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (call->is_creator && !dogpile_outcome_is_own_failure(error->sqlerrcode))
		dogpile_outcome_note(&call->key, DOGPILE_OUTCOME_FAILED, error);
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
create(Call *call)
{
	MemoryContext context = CurrentMemoryContext;
	Creation	creation = {.key = &call->key,.outer = creations};
	bool		had_written = has_written();
	volatile DogpileOutcomeKind kind = DOGPILE_OUTCOME_UNKNOWN;

	creations = &creation;
	PG_TRY();
	{
		kind = create_and_store(call);
	}
	PG_CATCH();
	{
		creations = creation.outer;
		note_failure(call, context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	creations = creation.outer;

	if (kind != DOGPILE_OUTCOME_DEFERRED || had_written || !has_written())
		finish_creation(call, kind);
}

/* --------------------------------------------------------------------
 * Waiting
 * --------------------------------------------------------------------
 */

/* Raise the error that ended the creation this session has waited for. */
static void
raise_outcome(const Call *call, const DogpileOutcome *outcome)
{
	ereport(ERROR,
			(errcode(outcome->sqlerrcode),
			 errmsg_internal("%s", outcome->message),
			 outcome->detail[0] ? errdetail_internal("%s", outcome->detail) : 0,
			 outcome->hint[0] ? errhint("%s", outcome->hint) : 0,
			 errcontext("creation of cache entry \"%s\" of region \"%s\" in another session",
						key_text(&call->key), call->region->name)));
}

/*
 * Act on how a creation ended that has left no value.
 *
 * Returns whether to compute without waiting for anybody: if the value cannot
 * be stored, or if this transaction could not store it before its COMMIT
 * either.
 */
static bool
must_compute_alone(const Call *call)
{
	DogpileOutcome outcome;

	dogpile_outcome_find(&call->key, call->outcomes_seen, &outcome);
	if (outcome.kind == DOGPILE_OUTCOME_FAILED)
		raise_outcome(call, &outcome);
	return outcome.kind == DOGPILE_OUTCOME_UNSTORED ||
		(outcome.kind == DOGPILE_OUTCOME_DEFERRED && has_written());
}

/* The region's own lock_timeout has run out. */
static void
handle_timeout(Call *call)
{
	count(call, DOGPILE_COUNTER_WAIT_TIMEOUTS, 1);
	if (call->region->lock_timeout_action == DOGPILE_TIMEOUT_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("timed out waiting for creation of cache entry \"%s\" of region \"%s\"",
						key_text(&call->key), call->region->name),
				 errdetail("Another session has been creating it for more than %d ms.",
						   call->region->lock_timeout_ms),
				 errhint("Increase \"dogpile_%s.lock_timeout\", or set \"dogpile_%s.lock_timeout_action\" to \"compute\".",
						 call->region->name, call->region->name)));
	create(call);
}

/*
 * Look for what others have done since this call began, and settle for it if
 * that is possible; the creator lock, if held, is then released.
 *
 * Returns false if it is left to this session to create the value.
 */
static bool
settle(Call *call)
{
	DogpileLookup found;
	bool		alone;

	dogpile_lookup(call->region, &call->key, &call->begin, &found);
	alone = found.freshness == DOGPILE_ABSENT &&
		(found.needs_snapshot || must_compute_alone(call));
	if (found.freshness == DOGPILE_ABSENT && !alone)
		return false;

	if (call->is_creator)
		dogpile_lock_release(call->key.hash);
	call->is_creator = false;
	if (alone)
		create(call);
	else
		give(call->result, &found);
	return true;
}

/*
 * Wait for the present creator, and take its place if it has left nothing.
 */
static void
wait_for_creator(Call *call)
{
	TimestampTz deadline = DOGPILE_NO_DEADLINE;
	DogpileLockResult lock;

	if (call->region->lock_timeout_ms > 0)
		deadline = TimestampTzPlusMilliseconds(call->begin.time,
											   call->region->lock_timeout_ms);
	count(call, DOGPILE_COUNTER_WAITS, 1);
	lock = dogpile_lock_wait(call->key.hash, deadline);
	count(call, DOGPILE_COUNTER_WAIT_TIME, elapsed_us(call->begin.time));
	if (lock == DOGPILE_LOCK_OK)
	{
		if (settle(call))
			return;
		lock = dogpile_lock_acquire(call->key.hash, deadline);
	}

	if (lock == DOGPILE_LOCK_TIMED_OUT)
	{
		handle_timeout(call);
		return;
	}
	call->is_creator = lock == DOGPILE_LOCK_OK;
	if (!settle(call))
		create(call);
}

/*
 * Become the creator, unless somebody has created the value in the meantime.
 *
 * Returns false if another session is the creator.
 */
static bool
try_to_create(Call *call)
{
	DogpileLookup found;

	if (!dogpile_lock_try(call->key.hash))
		return false;

	dogpile_lookup(call->region, &call->key, NULL, &found);
	if (found.freshness == DOGPILE_FRESH)
	{
		count_found(call, &found);
		give(call->result, &found);
		dogpile_lock_release(call->key.hash);
		return true;
	}
	if (found.freshness == DOGPILE_ABSENT)
		count(call, DOGPILE_COUNTER_MISSES, 1);
	call->is_creator = true;
	create(call);
	return true;
}

/*
 * Can this transaction store what it computes?  If its snapshot is too old for
 * that, it must keep nobody waiting.
 */
static bool
can_share(const Call *call)
{
	DogpileDeps deps;

	dogpile_xact_get_deps(call->region, &call->key, call->tags, &deps);
	return sees_all_invalidations(&deps);
}

/* Go on with a call that has not found a fresh value. */
static void
create_or_wait(Call *call, const DogpileLookup *found)
{
	bool		alone = found->needs_snapshot || !can_share(call);

	if (!alone && try_to_create(call))
		return;
	if (found->freshness == DOGPILE_STALE)
	{
		count_found(call, found);
		give(call->result, found);
		return;
	}
	count(call, DOGPILE_COUNTER_MISSES, 1);
	if (alone)
		create(call);
	else
		wait_for_creator(call);
}

/*
 * Get a value, and create it if there is none or if it is stale and nobody
 * else is at it.
 *
 * creator: what to run; its shape is also what the result is checked against.
 * options: how a value created is stored.
 * result: filled in.  A record in it is valid until the next call on any
 *		region; rows live in CurrentMemoryContext.
 *
 * Errors: no such region, key too long, recursion; those of the query, also if
 * another session has run it; those of waiting for a heavyweight lock.
 * Locks: no LWLock may be held.  Takes the creator lock of the key, and
 * releases it unless the query has written.
 */
void
dogpile_region_get_or_create(const text *region, const text *key,
							 DogpileCreator *creator,
							 const DogpileEntryOptions *options,
							 DogpileResult *result)
{
	Call		call;
	DogpileLookup found;
	DogpileKey *copy;

	open_call(&call, region, key);
	dogpile_lookup(call.region, &call.key, NULL, &found);
	if (found.freshness == DOGPILE_FRESH)
	{
		count_found(&call, &found);
		give(result, &found);
		return;
	}

	copy = dogpile_key_copy(&call.key);
	call.key = *copy;
	check_recursion(&call);
	call.begin.clock = dogpile_version_now();
	call.begin.time = GetCurrentTimestamp();
	call.outcomes_seen = dogpile_outcome_now();
	call.creator = creator;
	call.lifetime_s = options->lifetime_s;
	call.tags = dogpile_tag_encode(options->tags);
	call.result = result;
	call.is_creator = false;
	create_or_wait(&call, &found);
}

/* --------------------------------------------------------------------
 * Reading
 * --------------------------------------------------------------------
 */

/*
 * Get a value, fresh or stale, without ever creating it.
 *
 * Returns false if there is none; else result as above.
 *
 * Errors: no such region, key too long.
 */
bool
dogpile_region_get(const text *region, const text *key, DogpileResult *result)
{
	Call		call;
	DogpileLookup found;

	open_call(&call, region, key);
	dogpile_lookup(call.region, &call.key, NULL, &found);
	count_found(&call, &found);
	if (found.freshness == DOGPILE_ABSENT)
		return false;
	give(result, &found);
	return true;
}

/*
 * Is there a value, fresh or stale?  Counts neither as a hit nor as a miss.
 *
 * Errors: as dogpile_region_get().
 */
bool
dogpile_region_exists(const text *region, const text *key)
{
	Call		call;
	DogpileLookup found;

	open_call(&call, region, key);
	dogpile_lookup(call.region, &call.key, NULL, &found);
	return found.freshness != DOGPILE_ABSENT;
}

/*
 * Tell what there is to know of an entry.
 *
 * metadata: filled in; without an entry only key_is_locked is.
 *
 * Returns false if there is no entry.
 *
 * Errors: as dogpile_region_get().
 */
bool
dogpile_region_describe(const text *region, const text *key,
						DogpileMetadata *metadata)
{
	Call		call;
	DogpileLookup found;

	open_call(&call, region, key);
	metadata->key_is_locked = dogpile_lock_is_held(call.key.hash);
	dogpile_lookup(call.region, &call.key, NULL, &found);
	if (found.freshness == DOGPILE_ABSENT)
		return false;
	metadata->created_at = found.entry.created_at;
	metadata->expires_at = dogpile_lookup_expires_at(call.region, &found.entry);
	metadata->gone_at = dogpile_lookup_gone_at(call.region, &found.entry);
	metadata->now = GetCurrentTimestamp();
	metadata->fresh = found.freshness == DOGPILE_FRESH;
	metadata->creation_time_ms = found.entry.creation_us / 1000.0;
	metadata->size = found.entry.value.size;
	metadata->tags = dogpile_tag_decode(found.entry.tags);
	metadata->record = found.record;
	return true;
}

/* What a scan of the stores is for. */
typedef struct ListState
{
	DogpileEntryCallback callback;
	void	   *arg;
	MemoryContext context;		/* reset after each entry */
} ListState;

/* Put one entry of a scan into readable form and pass it on. */
static void
list_entry(const DogpileScannedEntry *scanned, void *arg)
{
	ListState  *state = arg;
	MemoryContext oldcontext = MemoryContextSwitchTo(state->context);
	DogpileListedEntry listed;
	DogpileRegion *region;
	const char *region_name;
	const char *text;
	int			region_len;
	int			text_len;
	int			variant = dogpile_key_parse(scanned->key, scanned->key_len,
											&listed.database, &region_name,
											&region_len, &text, &text_len);

	listed.region = pnstrdup(region_name, region_len);
	region = dogpile_config_find_region(region_name, region_len);
	if (variant > 0 && region != NULL)
	{
		listed.key = pnstrdup(text, text_len);
		listed.variant = dogpile_variant_describe(scanned->key + variant,
												  scanned->key_len - variant);
		listed.created_at = scanned->entry.created_at;
		listed.expires_at = dogpile_lookup_expires_at(region, &scanned->entry);
		listed.gone_at = dogpile_lookup_gone_at(region, &scanned->entry);
		listed.fresh = dogpile_lookup_judge(region, listed.database, scanned->hash,
											&scanned->entry) == DOGPILE_FRESH;
		listed.creation_time_ms = scanned->entry.creation_us / 1000.0;
		listed.size = scanned->entry.value.size;
		listed.memory = scanned->memory;
		state->callback(&listed, state->arg);
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(state->context);
}

/*
 * Tell of every entry in every store that can list them, of all databases.
 * Entries of regions that are no longer configured are left out.
 *
 * callback: called with each; must copy what it keeps.
 *
 * Errors: out of memory; those of the callback.  Locks: no LWLock may be held;
 * none is held while the callback runs.
 */
void
dogpile_region_list(DogpileEntryCallback callback, void *arg)
{
	ListState	state = {.callback = callback,.arg = arg};
	const DogpileBackend *store;

	dogpile_config_require_preload();
	state.context = AllocSetContextCreate(CurrentMemoryContext, "dogpile entry",
										  ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; (store = dogpile_backend_at(i)) != NULL; i++)
		if (store->scan)
			store->scan(list_entry, &state);
	MemoryContextDelete(state.context);
}

/* --------------------------------------------------------------------
 * Changing: all of it takes effect at COMMIT
 * --------------------------------------------------------------------
 */

/* Declare what is stored under a key invalid, all variants of it. */
static void
invalidate_key(Call *call, bool hard)
{
	count(call, DOGPILE_COUNTER_INVALIDATIONS, 1);
	dogpile_xact_invalidate(dogpile_version_key_slot(call->key.hash), hard);
	if (hard)
		dogpile_xact_remove(call->region, &call->key);
}

/* Is anything there, of any variant, for this transaction to see? */
static bool
any_variant_exists(Call *call)
{
	DogpileLookup found;
	DogpileDeps deps;

	dogpile_lookup(call->region, &call->key, NULL, &found);
	if (found.freshness != DOGPILE_ABSENT)
		return true;
	dogpile_xact_get_deps(call->region, &call->key, NULL, &deps);
	return call->region->store->has_variant != NULL &&
		dogpile_xact_get_invalidation(&deps, 0) != DOGPILE_HARD_INVALIDATED &&
		call->region->store->has_variant(call->region, &call->key);
}

/* Store a value given by the user. */
static void
set_value(Call *call, Datum value, bool isnull, Oid typid,
		  const DogpileEntryOptions *options)
{
	Size		max_size = (Size) call->region->max_value_size_kb * 1024;
	DogpileEntry entry = {
		.created_at = GetCurrentTimestamp(),
		.lifetime_s = options->lifetime_s,
		.as_of = dogpile_version_now(),
		.tags = dogpile_tag_encode(options->tags)
	};

	if (!dogpile_value_encode_datum(value, isnull, typid, max_size, &entry.value))
	{
		/* The value there was is no longer the right one, either. */
		count(call, DOGPILE_COUNTER_TOO_LARGE, 1);
		invalidate_key(call, true);
		ereport(WARNING,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("value is too large for cache region \"%s\"",
						call->region->name),
				 errdetail("It is not stored; the limit is %d kB.",
						   call->region->max_value_size_kb),
				 errhint("Increase \"dogpile_%s.max_value_size\".",
						 call->region->name)));
		return;
	}
	count(call, DOGPILE_COUNTER_SETS, 1);
	dogpile_xact_store(call->region, &call->key, &entry, 0, DOGPILE_PUBLISH_ALWAYS);
}

/*
 * Store a value.
 *
 * value, isnull, typid: it and its type, which it keeps.
 *
 * Errors: no such region, key too long, bad tags; a value that is too large is
 * only warned about.
 */
void
dogpile_region_set(const text *region, const text *key, Datum value, bool isnull,
				   Oid typid, const DogpileEntryOptions *options)
{
	Call		call;

	open_call(&call, region, key);
	set_value(&call, value, isnull, typid, options);
}

/*
 * Store a value unless there is one, fresh or stale.
 *
 * Returns whether it was stored.
 *
 * Errors: as dogpile_region_set(), and those of waiting for a lock.
 * Locks: the creator lock of the key, to the end of the transaction if the
 * value is stored, so that nobody else stores one before that.
 */
bool
dogpile_region_add(const text *region, const text *key, Datum value, bool isnull,
				   Oid typid, const DogpileEntryOptions *options)
{
	Call		call;
	DogpileLookup found;
	DogpileLockResult lock;

	open_call(&call, region, key);
	check_recursion(&call);
	lock = dogpile_lock_acquire(call.key.hash, DOGPILE_NO_DEADLINE);
	dogpile_lookup(call.region, &call.key, NULL, &found);
	if (found.freshness != DOGPILE_ABSENT)
	{
		if (lock == DOGPILE_LOCK_OK)
			dogpile_lock_release(call.key.hash);
		return false;
	}
	set_value(&call, value, isnull, typid, options);
	return true;
}

/*
 * Invalidate a key, all variants of it.
 *
 * hard: after COMMIT nobody is given the old value; else it is stale.
 *
 * Returns whether there was anything to invalidate.
 *
 * Errors: no such region, key too long.
 */
bool
dogpile_region_invalidate(const text *region, const text *key, bool hard)
{
	Call		call;
	bool		existed;

	open_call(&call, region, key);
	existed = any_variant_exists(&call);
	invalidate_key(&call, hard);
	return existed;
}

/*
 * Remove a key, all variants of it.
 *
 * Returns whether there was anything to remove.
 *
 * Errors: as dogpile_region_invalidate().
 */
bool
dogpile_region_delete(const text *region, const text *key)
{
	return dogpile_region_invalidate(region, key, true);
}

/*
 * Invalidate all entries of a region in this database.
 *
 * hard: as for dogpile_region_invalidate().
 *
 * Errors: no such region.
 */
void
dogpile_region_invalidate_all(const text *region, bool hard)
{
	DogpileRegion *opened = open_region(region);
	int			number = dogpile_stats_slot(opened);

	dogpile_stats_count(opened, DOGPILE_COUNTER_INVALIDATIONS, 1);
	dogpile_xact_invalidate(dogpile_version_region_slot(MyDatabaseId, number), hard);
}

/*
 * Invalidate all entries in this database that carry one of some tags.
 *
 * tags: text[], or NULL for none.
 *
 * Errors: bad tags.
 */
void
dogpile_region_invalidate_tags(ArrayType *tags)
{
	DogpileTags *encoded;

	dogpile_config_require_preload();
	encoded = dogpile_tag_encode(tags);
	for (uint32 i = 0; encoded && i < encoded->count; i++)
		dogpile_xact_invalidate(encoded->slots[i], true);
}
