/*-------------------------------------------------------------------------
 *
 * region.c
 *	  Operations on the entries of a region.
 *
 * These are the operations behind the SQL functions.  The terms are defined in
 * src/README.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/region.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "config/region_number.h"
#include "core/attempt.h"
#include "core/lock.h"
#include "core/region.h"
#include "core/verify.h"
#include "depend/depend.h"
#include "entry/variant.h"
#include "lib/clock.h"
#include "lib/lwlock_check.h"
#include "store/age.h"
#include "store/oversize.h"
#include "xact/xact.h"

/* --------------------------------------------------------------------
 * Reading
 * --------------------------------------------------------------------
 */

/*
 * Get a value.  Create it if there is none, or if it is stale and no other session is
 * creating it.
 *
 * creator: the query; the result is checked against its shape.
 * options: for storing a value that is created.
 * result: filled in.  A record in it is valid until the next call on any
 *		region; rows are in CurrentMemoryContext.
 *
 * Errors: the region does not exist; the key is too long; recursion; those of the query,
 * even if another session has run it; those of waiting for a heavyweight lock.
 * Locks: no LWLock may be held.  Takes the creator lock of the key, and releases it
 * unless the query has written.
 */
void
dogpile_region_get_or_create(const text *region, const text *key,
							 DogpileCreator *creator,
							 const DogpileEntryOptions *options,
							 DogpileResult *result)
{
	DogpileCall call;
	DogpileLookup found;

	dogpile_call_require_serial();
	dogpile_call_open(&call, region, key);
	dogpile_creation_lookup(&call, creator, NULL, &found);
	if (found.freshness == DOGPILE_FRESH)
	{
		dogpile_call_count_found(&call, &found);
		if (dogpile_verify_is_due(call.region))
			dogpile_verify_hit(&call, &found, creator);
		dogpile_call_give(&call, &found, result);
	}
	else
		dogpile_creation_run(&call, &found, creator, options, result);
}

/*
 * Record that a query that is running depends on whether there is a value.  Changes of
 * this cannot be tracked.
 */
static void
note_question(const DogpileCall *call)
{
	DogpileDeps deps;

	if (!dogpile_depend_is_collecting())
		return;
	dogpile_deps_get(call->region, call->key.hash, NULL, &deps);
	dogpile_depend_note_value(call->region, &deps, false);
}

/*
 * Get a value, fresh or stale, without ever creating it.
 *
 * shape: what the caller can take.
 * result: as for dogpile_region_get_or_create(), if there is a value.
 *
 * Returns false if there is none.
 *
 * Errors: the region does not exist; the key is too long.
 */
bool
dogpile_region_get(const text *region, const text *key, const DogpileShape *shape,
				   DogpileResult *result)
{
	DogpileCall call;
	DogpileLookup found;

	dogpile_call_open(&call, region, key);
	dogpile_lookup(call.region, &call.key, shape, NULL, &found);
	dogpile_call_count_found(&call, &found);
	if (found.freshness == DOGPILE_ABSENT)
	{
		note_question(&call);
		dogpile_call_note_pending(&call, &found);
		return false;
	}
	dogpile_call_give(&call, &found, result);
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
	DogpileCall call;
	DogpileLookup found;

	dogpile_call_open(&call, region, key);
	note_question(&call);
	dogpile_lookup(call.region, &call.key, NULL, NULL, &found);
	dogpile_call_note_pending(&call, &found);
	return found.freshness != DOGPILE_ABSENT;
}

/*
 * Describe an entry.
 *
 * metadata: filled in; only key_is_locked if there is no entry.
 *
 * Returns false if there is no entry.
 *
 * Errors: as dogpile_region_get().
 */
bool
dogpile_region_describe(const text *region, const text *key,
						DogpileMetadata *metadata)
{
	DogpileCall call;
	DogpileLookup found;

	dogpile_call_open(&call, region, key);
	note_question(&call);
	metadata->key_is_locked = dogpile_lock_is_held(call.key.hash);
	dogpile_lookup(call.region, &call.key, NULL, NULL, &found);
	dogpile_call_note_pending(&call, &found);
	if (found.freshness == DOGPILE_ABSENT)
		return false;
	metadata->created_at = found.entry.created_at;
	metadata->expires_at = dogpile_age_expires_at(call.region, &found.entry);
	metadata->gone_at = dogpile_age_gone_at(call.region, &found.entry);
	metadata->now = dogpile_clock_now();
	metadata->fresh = found.freshness == DOGPILE_FRESH;
	metadata->creation_time_ms = found.entry.creation_us / 1000.0;
	metadata->size = found.entry.value.size;
	metadata->tags = dogpile_tag_decode(found.entry.tags);
	metadata->relations = dogpile_tag_decode_relations(found.entry.tags);
	if (found.entry.outside != NULL)
	{
		metadata->desc = found.entry.outside->desc;
		metadata->nrows = found.entry.outside->nrows;
	}
	else
	{
		metadata->desc = dogpile_value_get_desc(&found.record);
		metadata->nrows = found.record.nrows;
	}
	return metadata->desc != NULL;
}

/* State of a scan of the store. */
typedef struct ListState
{
	DogpileEntryCallback callback;
	void	   *arg;
	MemoryContext context;		/* reset after each entry */
} ListState;

/* Make one entry of a scan readable and pass it to the callback. */
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

	DogpileAssertNoneHeld();
	listed.region = pnstrdup(region_name, region_len);
	region = dogpile_config_find_region(region_name, region_len);
	if (variant > 0 && region != NULL)
	{
		listed.key = pnstrdup(text, text_len);
		listed.variant = dogpile_variant_describe(scanned->key + variant,
												  scanned->key_len - variant);
		listed.created_at = scanned->entry.created_at;
		listed.expires_at = dogpile_age_expires_at(region, &scanned->entry);
		listed.gone_at = dogpile_age_gone_at(region, &scanned->entry);
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
 * List all entries in shared memory, of all databases, except those of regions that are
 * no longer configured.
 *
 * callback: called with each entry; must copy what it keeps.
 *
 * Errors: out of memory; those of the callback.  Locks: no LWLock may be held;
 * none is held while the callback runs.
 */
void
dogpile_region_list(DogpileEntryCallback callback, void *arg)
{
	ListState	state = {.callback = callback,.arg = arg};

	dogpile_config_require_preload();
	state.context = AllocSetContextCreate(CurrentMemoryContext, "dogpile entry",
										  ALLOCSET_DEFAULT_SIZES);
	dogpile_store_memory.scan(list_entry, &state);
	MemoryContextDelete(state.context);
}

/* --------------------------------------------------------------------
 * Changing: takes effect at COMMIT
 * --------------------------------------------------------------------
 */

/* Invalidate the entries of a key, of all variants. */
static void
invalidate_key(DogpileCall *call, bool hard)
{
	dogpile_call_count(call, DOGPILE_COUNTER_INVALIDATIONS, 1);
	dogpile_xact_invalidate(dogpile_version_key_slot(call->key.hash), hard);
	dogpile_xact_announce_key(call->region, &call->key, hard);
	if (hard)
		dogpile_xact_remove(call->region, &call->key);
}

/* Is there an entry, of any variant, that this transaction can see? */
static bool
any_variant_exists(DogpileCall *call)
{
	DogpileLookup found;
	DogpileDeps deps;

	dogpile_lookup(call->region, &call->key, NULL, NULL, &found);
	if (found.freshness != DOGPILE_ABSENT)
		return true;
	dogpile_deps_get(call->region, call->key.hash, NULL, &deps);
	return call->region->store->has_variant != NULL &&
		dogpile_xact_get_invalidation(&deps, 0) != DOGPILE_HARD_INVALIDATED &&
		call->region->store->has_variant(call->region, &call->key);
}

/* Invalidate the old value, because the new one cannot be stored. */
static void
drop_value(DogpileCall *call)
{
	dogpile_call_count(call, DOGPILE_COUNTER_TOO_LARGE, 1);
	invalidate_key(call, true);
}

/*
 * Store a value that the user sets.  Returns whether it can be stored.
 *
 * Under REPEATABLE READ, the value may be computed from what the snapshot shows.  So it
 * is not published if something was invalidated that the snapshot does not see.
 */
static bool
set_entry(DogpileCall *call, const DogpileDatum *value,
		  const DogpileEntryOptions *options)
{
	Size		max_size = (Size) call->region->max_value_size_kb * 1024;
	DogpileEntry entry = {
		.created_at = dogpile_clock_now(),
		.lifetime_s = options->lifetime_s,
		.as_of = dogpile_version_now(),
		.tags = dogpile_tag_encode(options->tags)
	};

	/* What the user has computed depends on no objects. */
	if (dogpile_depend_is_wanted(call->region))
		entry.tags = dogpile_tag_add_objects(entry.tags, NULL, 0, NIL, true);
	if (!dogpile_value_encode_datum(value, max_size, &entry.value))
	{
		drop_value(call);
		dogpile_oversize_report(call->region, DOGPILE_LIMIT_REGION, 0, WARNING);
		return false;
	}
	if (call->region->store->is_shared)
		entry.grant = call->region->store->note(call->region, &call->key, entry.tags);
	if (dogpile_xact_store(call->region, &call->key, &entry,
						   dogpile_version_old_snapshot_xmin(), DOGPILE_PUBLISH_ALWAYS))
	{
		dogpile_call_count(call, DOGPILE_COUNTER_SETS, 1);
		return true;
	}
	drop_value(call);
	dogpile_xact_report_full(call->region, WARNING);
	return false;
}

/*
 * Store a value.
 *
 * value: with its type, which is stored, too.
 *
 * Errors: the region does not exist; the key is too long; invalid tags.  A value that is
 * too large causes only a warning.
 */
void
dogpile_region_set(const text *region, const text *key, const DogpileDatum *value,
				   const DogpileEntryOptions *options)
{
	DogpileCall call;

	dogpile_call_require_serial();
	dogpile_call_open(&call, region, key);
	(void) set_entry(&call, value, options);
}

/* Does the store answer other than that another server creates the value? */
static bool
is_not_busy(DogpileStatus answer, int round, void *arg)
{
	return answer != DOGPILE_BUSY;
}

/*
 * Keep other sessions from storing a value: take the creator lock and the store's grant.
 *
 * Returns false if the store does not answer.
 *
 * Errors: those of waiting; the region's lock_timeout.
 */
static bool
claim_key(DogpileClaim *claim)
{
	TimestampTz since = dogpile_clock_now();
	DogpileStatus answer;

	if (dogpile_claim_queue(claim, dogpile_claim_deadline(claim->call, since)) ==
		DOGPILE_LOCK_TIMED_OUT ||
		!dogpile_claim_ask_store(claim, NULL, since, is_not_busy, NULL, &answer))
		dogpile_claim_raise_timeout(claim->call, since);
	return answer != DOGPILE_ERROR;
}

/*
 * Store a value unless there is one, fresh or stale.
 *
 * Returns whether the value is stored.  It is not stored if the store does not answer.
 *
 * Errors: as dogpile_region_set(); those of waiting for a lock, including the region's
 * lock_timeout whatever lock_timeout_action is.
 * Locks: if the value is stored, holds the creator lock of the key and the lock that all
 * servers respect to the end of the transaction, so that no other session stores one.
 */
DogpileAdded
dogpile_region_add(const text *region, const text *key, const DogpileDatum *value,
				   const DogpileEntryOptions *options)
{
	DogpileCall call;
	DogpileClaim claim = {.call = &call};
	DogpileLookup found = {.is_unknown = true};

	dogpile_call_require_serial();
	dogpile_call_open(&call, region, key);
	dogpile_attempt_check_recursion(&call);
	if (claim_key(&claim))
		dogpile_lookup(call.region, &call.key, NULL, NULL, &found);
	if (found.freshness == DOGPILE_ABSENT && !found.is_unknown)
		return set_entry(&call, value, options) ? DOGPILE_ADDED : DOGPILE_NOT_ADDED;
	dogpile_claim_resign(&claim, DOGPILE_OUTCOME_UNKNOWN);
	return found.freshness == DOGPILE_ABSENT ? DOGPILE_ADD_FAILED : DOGPILE_NOT_ADDED;
}

/*
 * Invalidate the entries of a key, of all variants.
 *
 * hard: after COMMIT the old values are gone; otherwise they are stale.
 *
 * Returns whether there was anything to invalidate.
 *
 * Errors: the region does not exist; the key is too long.
 */
bool
dogpile_region_invalidate(const text *region, const text *key, bool hard)
{
	DogpileCall call;
	bool		existed;

	dogpile_call_require_serial();
	dogpile_call_open(&call, region, key);
	existed = any_variant_exists(&call);
	invalidate_key(&call, hard);
	return existed;
}

/*
 * Remove the entries of a key, of all variants.
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
 * Errors: the region does not exist.
 */
void
dogpile_region_invalidate_all(const text *region, bool hard)
{
	DogpileRegion *opened;
	int			number;

	dogpile_call_require_serial();
	opened = dogpile_call_open_region(region);
	number = dogpile_region_number(opened);
	dogpile_stats_count(opened, DOGPILE_COUNTER_INVALIDATIONS, 1);
	dogpile_xact_invalidate(dogpile_version_region_slot(MyDatabaseId, number), hard);
	dogpile_xact_announce_region(opened, hard);
}

/*
 * Invalidate all entries in this database that carry any of some tags.
 *
 * tags: text[], or NULL for none.
 * hard: as for dogpile_region_invalidate().
 *
 * Errors: invalid tags.
 */
void
dogpile_region_invalidate_tags(ArrayType *tags, bool hard)
{
	DogpileTags *encoded;

	dogpile_call_require_serial();
	dogpile_config_require_preload();
	encoded = dogpile_tag_encode(tags);
	for (uint32 i = 0; encoded && i < encoded->count; i++)
		dogpile_xact_invalidate(encoded->slots[i], hard);
	if (encoded)
		dogpile_xact_announce_tags(encoded, hard);
}
