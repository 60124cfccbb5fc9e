/*-------------------------------------------------------------------------
 *
 * lookup.c
 *	  Looks an entry up and decides whether it can be returned.
 *
 * An entry is judged when it is looked up, never earlier: by the versions of what it
 * depends on, by its age, by what this transaction has pending and, under REPEATABLE
 * READ and SERIALIZABLE, by the snapshot.  A hit costs one access to the store and a few
 * reads of shared counters, and takes only the store's lock.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/lookup.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/rls.h"
#include "utils/timestamp.h"

#include "config/region_number.h"
#include "core/lookup.h"
#include "depend/temporary.h"
#include "lib/clock.h"
#include "lib/lwlock_check.h"
#include "stats/stats.h"
#include "store/age.h"
#include "xact/change.h"
#include "xact/xact.h"

/* Judge an entry by its age alone. */
static DogpileFreshness
judge_age(const DogpileRegion *region, const DogpileEntry *entry)
{
	TimestampTz expires_at = dogpile_age_expires_at(region, entry);
	TimestampTz now;

	if (expires_at == DT_NOEND)
		return DOGPILE_FRESH;
	now = dogpile_age_now(region, entry);
	if (now < expires_at)
		return DOGPILE_FRESH;
	return now < dogpile_age_gone_at(region, entry) ? DOGPILE_STALE : DOGPILE_ABSENT;
}

/* Judge an entry by what other transactions have invalidated. */
static DogpileFreshness
judge_versions(const DogpileDeps *deps, DogpileClock as_of)
{
	DogpileFreshness result = DOGPILE_FRESH;

	for (int i = 0; i < deps->count; i++)
	{
		DogpileSlot slot = dogpile_deps_slot(deps, i);

		if (dogpile_version_is_changing(slot) ||
			dogpile_version_is_hard_after(slot, as_of))
			return DOGPILE_ABSENT;
		if (dogpile_version_is_soft_after(slot, as_of))
			result = DOGPILE_STALE;
	}
	return result;
}

/*
 * Is an entry as good as one that was computed after a call began?
 *
 * If its clock is not older, nothing was invalidated in between.  But a commit that was
 * visible when the call began may have entered its tick later.  With depends = 'auto'
 * even that must not be noticed, so the time is compared as well.
 */
static bool
is_younger_than_call(const DogpileEntry *entry, const DogpileCallTime *call)
{
	return entry->as_of >= call->clock &&
		(entry->tags == NULL || !entry->tags->automatic ||
		 entry->created_at >= call->time);
}

/*
 * Judge an entry from a store (position 0), or from a position of the transaction's log.
 *
 * call: see dogpile_lookup().
 */
static DogpileFreshness
judge_entry(DogpileRegion *region, const DogpileDeps *deps, const DogpileEntry *entry,
			DogpileLogPosition position, const DogpileCallTime *call)
{
	DogpileInvalidation own = dogpile_xact_get_invalidation(deps, position);
	DogpileFreshness by_version = DOGPILE_FRESH;
	DogpileFreshness by_age = DOGPILE_FRESH;

	if (own == DOGPILE_HARD_INVALIDATED)
		return DOGPILE_ABSENT;
	if (call == NULL || !is_younger_than_call(entry, call))
		by_version = judge_versions(deps, entry->as_of);
	if (call == NULL || entry->created_at < call->time)
		by_age = judge_age(region, entry);
	if (own == DOGPILE_SOFT_INVALIDATED || entry->is_outdated)
		by_version = Min(by_version, DOGPILE_STALE);
	return Min(by_version, by_age);
}

/*
 * Does an entry depend on what a query has read?  An entry that the user has set does
 * not.
 */
static bool
is_from_query(const DogpileEntry *entry)
{
	return entry->tags != NULL && entry->tags->nobjects > 0;
}

/*
 * Might the snapshot of this transaction, which is older than the entry, show something
 * else?  An entry without tags only expires, and its users accept values that are not
 * current, unless snapshot_reads is set.
 *
 * A SERIALIZABLE transaction must read what the query reads: only this takes predicate
 * locks, and finds conflicts with transactions that have written already.
 */
static bool
is_beyond_snapshot(const DogpileRegion *region, const DogpileDeps *deps,
				   const DogpileEntry *entry)
{
	if (!IsolationUsesXactSnapshot())
		return false;
	if (entry->tags == NULL)
		return region->snapshot_reads;
	if (is_from_query(entry) && IsolationIsSerializable())
		return true;

	/* Invalidations by other servers cannot be compared with the snapshot. */
	if (region->store->is_shared)
		return true;
	return !dogpile_deps_are_visible(deps, dogpile_version_snapshot_xmin());
}

/*
 * Must the transaction compute the value itself, whatever is stored?  With row_security
 * off, a query fails if policies would leave rows out; and temporary objects may hide
 * objects that the query uses.
 */
static bool
must_compute(const DogpileEntry *entry)
{
	return is_from_query(entry) &&
		(!row_security || dogpile_temporary_hides(entry->tags));
}

/* Was this entry stored before the region's settings required exact dependencies? */
static bool
is_from_before(const DogpileRegion *region, const DogpileEntry *entry)
{
	return region->depends == DOGPILE_DEPENDS_AUTO &&
		(entry->tags == NULL || !entry->tags->automatic ||
		 (!entry->tags->exact &&
		  region->nondeterministic != DOGPILE_NONDETERMINISTIC_IGNORE));
}

/* Find an entry that this transaction is about to store itself. */
static bool
find_pending(DogpileRegion *region, const DogpileKey *key, DogpileLookup *found)
{
	const DogpilePendingEntry *pending = dogpile_xact_find_entry(key);

	if (pending == NULL)
		return false;
	found->entry = pending->entry;
	found->needs_snapshot = dogpile_change_affects(&pending->deps) ||
		dogpile_temporary_hides(pending->entry.tags);
	found->freshness = found->needs_snapshot ? DOGPILE_ABSENT :
		judge_entry(region, &pending->deps, &pending->entry, pending->position, NULL);
	return true;
}

/* Find an entry in a store, unless this transaction must not use it. */
static void
find_in_store(const DogpileStore *store, DogpileRegion *region, const DogpileKey *key,
			  const DogpileShape *shape, const DogpileCallTime *call,
			  DogpileLookup *found)
{
	DogpileStatus status = store->get(region, key, shape, &found->entry);
	DogpileDeps deps;

	found->freshness = DOGPILE_ABSENT;
	if (status != DOGPILE_OK)
	{
		found->is_unknown = status == DOGPILE_ERROR;
		return;
	}
	if (is_from_before(region, &found->entry))
		return;
	if (must_compute(&found->entry))
	{
		found->needs_snapshot = true;
		return;
	}
	dogpile_deps_get(region, key->hash, found->entry.tags, &deps);
	found->is_invalidated = dogpile_xact_has_pending() &&
		dogpile_xact_get_invalidation(&deps, 0) != DOGPILE_NOT_INVALIDATED;
	found->freshness = judge_entry(region, &deps, &found->entry, 0, call);
	if (found->freshness != DOGPILE_ABSENT &&
		(dogpile_change_affects(&deps) ||
		 is_beyond_snapshot(region, &deps, &found->entry)))
	{
		found->needs_snapshot = true;
		found->freshness = DOGPILE_ABSENT;
	}
}

/*
 * Put a copy of an entry from outside into shared memory.  The copy is created now, but
 * expires when the entry does, or after the region's local_expiration_time.  If that is
 * zero, only the present waiters use the copy.
 *
 * Returns whether it is stored.
 *
 * Errors: out of memory.  Locks: no LWLock may be held; takes those of the store.
 */
bool
dogpile_lookup_copy(DogpileRegion *region, const DogpileKey *key,
					const DogpileEntry *entry)
{
	DogpileEntry copy = *entry;
	TimestampTz expires_at = dogpile_age_expires_at(region, entry);
	DogpileIncoming *incoming;
	const char *reason;

	DogpileAssertNoneHeld();
	copy.created_at = dogpile_clock_now();
	copy.lifetime_s = region->local_expiration_time_s;
	if (expires_at != DT_NOEND)
		copy.lifetime_s = Min(copy.lifetime_s,
							  Max(expires_at - copy.created_at, 0) / (double) USECS_PER_SEC);
	if (dogpile_store_memory.prepare(region, key, &copy, &incoming, &reason) != DOGPILE_OK)
		return false;
	(void) dogpile_store_memory.publish(incoming, DOGPILE_PUBLISH_IF_NEWER, copy.as_of);
	return true;
}

/* Has the value been read?  A value from outside is read only on request. */
static bool
is_read(const DogpileEntry *entry)
{
	return entry->outside == NULL || entry->outside->desc == NULL;
}

/*
 * Is a value of the type that the caller asks for?  A store outside returns no others,
 * so copies and pending entries must not either.  Without a shape, any type will do.
 */
static bool
is_asked_for(const DogpileShape *shape, DogpileLookup *found)
{
	return shape == NULL ||
		(dogpile_value_open(&found->entry.value, &found->record) == DOGPILE_VALUE_OK &&
		 dogpile_result_matches(&found->record, shape));
}

/*
 * Find an entry in the region's store.  If that is outside, shared memory may have a
 * copy: the region keeps copies for a short time, or a creator of this server has left
 * one for the waiters.
 */
static void
find_stored(DogpileRegion *region, const DogpileKey *key, const DogpileShape *shape,
			const DogpileCallTime *call, DogpileLookup *found)
{
	bool		keeps_copies = region->local_expiration_time_s > 0;

	if (!region->store->is_shared)
	{
		find_in_store(region->store, region, key, shape, call, found);
		return;
	}
	if (keeps_copies || call != NULL)
	{
		find_in_store(&dogpile_store_memory, region, key, shape, call, found);
		if (found->freshness == DOGPILE_FRESH && is_asked_for(shape, found))
			return;
		found->needs_snapshot = false;
	}
	find_in_store(region->store, region, key, shape, call, found);
	if (keeps_copies && found->freshness == DOGPILE_FRESH &&
		is_read(&found->entry) && !found->entry.outside->is_unchecked)
		(void) dogpile_lookup_copy(region, key, &found->entry);
}

/*
 * Look an entry up, first among those that this transaction is about to store.
 *
 * shape: what the caller can take; or NULL if it does not need the value.
 * call: NULL; or the start of the caller's call, if it has waited since.  Then a value
 *		that was computed later is fresh, even if it was invalidated or has expired.
 * found: filled in.  What it points to is valid until the next lookup.
 *
 * Errors: out of memory; those of taking a snapshot.
 * Locks: no LWLock may be held; takes those of the store.
 */
void
dogpile_lookup(DogpileRegion *region, const DogpileKey *key, const DogpileShape *shape,
			   const DogpileCallTime *call, DogpileLookup *found)
{
	DogpileAssertNoneHeld();
	found->needs_snapshot = false;
	found->is_unknown = false;
	found->is_invalidated = false;
	found->freshness = DOGPILE_ABSENT;

	/* Only the leader knows what the transaction has pending and has changed. */
	if (unlikely(IsParallelWorker()))
		return;
	if (!(dogpile_xact_has_pending() && find_pending(region, key, found)))
		find_stored(region, key, shape, call, found);
	else if (region->store->is_shared && found->freshness != DOGPILE_ABSENT &&
			 !is_asked_for(shape, found))
		found->freshness = DOGPILE_ABSENT;

	/* A record that cannot be read, or whose types were altered, is a miss. */
	if (found->freshness != DOGPILE_ABSENT && is_read(&found->entry) &&
		dogpile_value_open(&found->entry.value, &found->record) != DOGPILE_VALUE_OK)
		found->freshness = DOGPILE_ABSENT;
}

/*
 * Judge an entry of any database by its age and by what was invalidated.
 *
 * hash: of its key.
 *
 * Errors, locks: see dogpile_region_number().
 */
DogpileFreshness
dogpile_lookup_judge(DogpileRegion *region, Oid database, uint64 hash,
					 const DogpileEntry *entry)
{
	DogpileDeps deps;

	dogpile_deps_get(region, hash, entry->tags, &deps);
	deps.own[0] = dogpile_version_region_slot(database, dogpile_region_number(region));
	return Min(judge_versions(&deps, entry->as_of), judge_age(region, entry));
}
