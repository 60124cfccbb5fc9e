/*-------------------------------------------------------------------------
 *
 * commit.c
 *	  The end of a transaction: pending changes take effect, or are dropped.
 *
 *		PRE_COMMIT	The store reserves room for each entry, and all slots that are
 *					about to be invalidated are marked.  This may fail or be
 *					cancelled; the transaction is then rolled back.
 *		COMMIT		Others see the transaction, and nothing may fail.  Under the
 *					version lock, each entry is checked against what other
 *					transactions have invalidated in the meantime, and the slots are
 *					bumped.  Then the entries that passed are published.
 *		ABORT		The reserved room is given back, and the marks are removed.
 *
 * COMMIT cannot be interrupted, so it does little for each change: it does not search or
 * allocate memory, and holds the version lock only while it bumps a limited number of
 * slots.
 *
 * PostgreSQL releases a creator lock that is kept to the end of the transaction after
 * these callbacks, so its waiters find the published entry.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/commit.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "lib/lwlock_check.h"
#include "lib/stop.h"
#include "stats/stats.h"
#include "store/age.h"
#include "store/oversize.h"
#include "xact/change.h"
#include "xact/commit.h"
#include "xact/invalidate.h"
#include "xact/xact.h"

/* How many slots to bump before the version lock is released for a moment. */
#define ENTERED_LOCKED		1024

/* From COMMIT on: the first tick under which slots were bumped. */
static DogpileClock entered_at = 0;

/* Return the next pending entry, or NULL; *next is NULL before the first call. */
static DogpilePendingEntry *
next_entry(dlist_node **next)
{
	if (dogpile_xact_nstores == 0)
		return NULL;
	*next = *next == NULL ? dlist_head_node(&dogpile_xact_log) : (*next)->next;
	for (; *next != &dogpile_xact_log.head; *next = (*next)->next)
	{
		DogpileChange *change = dlist_container(DogpileChange, node, *next);

		if (change->kind == DOGPILE_CHANGE_STORE)
			return change->u.entry;
	}
	return NULL;
}

/*
 * Was a pending entry replaced or invalidated, or has it expired, since it was added
 * to the log?
 */
static bool
is_obsolete(const DogpilePendingEntry *pending)
{
	return dogpile_xact_find_entry(pending->key) != pending ||
		dogpile_xact_get_invalidation(&pending->deps, pending->position)
		== DOGPILE_HARD_INVALIDATED ||
		dogpile_change_affects(&pending->deps) ||
		(pending->mode == DOGPILE_PUBLISH_IF_NEWER &&
		 dogpile_age_now(pending->region, &pending->entry) >=
		 dogpile_age_expires_at(pending->region, &pending->entry));
}

/* Report that the store does not accept a value that the region accepts. */
static void
report_too_large(const DogpilePendingEntry *pending)
{
	dogpile_stats_count(pending->region, DOGPILE_COUNTER_TOO_LARGE, 1);
	dogpile_oversize_report(pending->region,
							pending->entry.grant != NULL ? DOGPILE_LIMIT_BACKEND :
							DOGPILE_LIMIT_MEMORY,
							pending->entry.value.size,
							pending->mode == DOGPILE_PUBLISH_ALWAYS ? WARNING : LOG);
}

/* Tell the user that the store cannot keep such a value; the store has logged it. */
static void
report_unstorable(const DogpilePendingEntry *pending, const char *reason)
{
	if (pending->mode == DOGPILE_PUBLISH_ALWAYS)
		ereport(WARNING,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("value cannot be stored in cache region \"%s\": %s",
						pending->region->name, reason),
				 errdetail("It is not stored.")));
}

/* PRE_COMMIT: reserve room for the pending entries. */
static void
prepare_entries(void)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(TopTransactionContext);
	DogpilePendingEntry *pending;
	dlist_node *next = NULL;

	while ((pending = next_entry(&next)) != NULL)
	{
		DogpileStatus status;
		const char *reason;

		CHECK_FOR_INTERRUPTS();
		if (is_obsolete(pending))
			continue;
		status = pending->store->prepare(pending->region, pending->key, &pending->entry,
										 &pending->incoming, &reason);
		if (status == DOGPILE_TOO_LARGE)
			report_too_large(pending);
		else if (status == DOGPILE_UNSTORABLE)
			report_unstorable(pending, reason);
	}
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Is an entry still current: have others invalidated nothing that it depends on?
 *
 * Locks: the version lock is held.  This transaction has not bumped any slot yet.
 */
static bool
is_current_locked(DogpilePendingEntry *pending)
{
	DogpileAssertHeld(dogpile_version_lock, LW_EXCLUSIVE);
	for (int i = 0; i < pending->deps.count; i++)
	{
		DogpileSlot slot = dogpile_deps_slot(&pending->deps, i);

		if (dogpile_version_is_hard_after(slot, pending->entry.as_of) ||
			dogpile_version_is_soft_after(slot, pending->entry.as_of))
			return false;
		if (pending->xmin != 0 &&
			!dogpile_version_is_visible_locked(slot, pending->xmin))
		{
			/* For the region or the key, the stored entry is newer. */
			pending->superseded = i < DOGPILE_OWN_DEPS;
			return false;
		}
	}
	return true;
}

/*
 * Decide which entries are published, and as of which clock.
 *
 * An entry that passes is valid as of this transaction's tick, which places it after
 * those of the transaction's invalidations that preceded it.  An entry that the
 * transaction has softly invalidated after storing it must stay before the tick.  If it
 * would also have to be after it, because of an earlier hard invalidation, it is dropped.
 */
static void
check_entries_locked(DogpileClock tick)
{
	DogpilePendingEntry *pending;
	dlist_node *next = NULL;

	DogpileAssertHeld(dogpile_version_lock, LW_EXCLUSIVE);
	while ((pending = next_entry(&next)) != NULL)
	{
		pending->refused = pending->refused || !is_current_locked(pending);
		if (dogpile_xact_get_invalidation(&pending->deps, pending->position)
			== DOGPILE_NOT_INVALIDATED)
			pending->entry.as_of = tick;
		else if (dogpile_xact_get_invalidation(&pending->deps, 0)
				 == DOGPILE_HARD_INVALIDATED)
			pending->refused = true;
	}
}

/*
 * Did the user set a value that will not be stored?  The value that it should have
 * replaced must be removed nevertheless.
 */
static bool
is_lost_set(const DogpilePendingEntry *pending)
{
	return pending->mode == DOGPILE_PUBLISH_ALWAYS && !pending->superseded &&
		(pending->incoming == NULL || pending->refused) &&
		dogpile_xact_find_entry(pending->key) == pending;
}

/*
 * Did the user set a value in a place where other entries may have been computed from
 * the previous value?  Those are invalidated.  The new value is as of the same tick and
 * is not.
 */
static bool
is_used_by_others(const DogpilePendingEntry *pending)
{
	return pending->mode == DOGPILE_PUBLISH_ALWAYS && !pending->refused &&
		pending->entry.tags != NULL && pending->entry.tags->automatic;
}

/* Bump the slots of keys whose values were set. */
static void
enter_sets_locked(const DogpileTick *tick)
{
	DogpilePendingEntry *pending;
	dlist_node *next = NULL;

	DogpileAssertHeld(dogpile_version_lock, LW_EXCLUSIVE);
	while ((pending = next_entry(&next)) != NULL)
		if (is_lost_set(pending) || is_used_by_others(pending))
			dogpile_version_bump(dogpile_version_key_slot(pending->key->hash), true,
								 tick->at, tick->next_xid);
}

/*
 * Bump the slots whose moment has come, and check the entries first.
 *
 * Without entries, the lock is released now and then, and each part has a tick of its
 * own.  Nothing relies on a common tick: the slots are marked, so no entry is returned
 * that depends on a slot which is not bumped yet although the snapshot sees the
 * invalidation.  With entries, everything is done under one tick, because a slot that
 * this transaction has bumped no longer tells whether others have bumped it.
 *
 * Returns the first tick.
 */
static DogpileClock
enter_all(DogpileMoment when, bool has_readers, bool has_entries)
{
	int			max = has_entries ? INT_MAX : ENTERED_LOCKED;
	int			next = 0;
	DogpileClock first = 0;
	DogpileTick tick = {
		.next_xid = U64FromFullTransactionId(ReadNextFullTransactionId()),
		.has_readers = has_readers
	};

	do
	{
		tick.at = dogpile_version_begin_tick();
		if (first == 0)
			first = tick.at;
		if (has_entries)
			check_entries_locked(tick.at);
		next = dogpile_invalidate_bump_some_locked(&tick, when, next, max);
		if (has_entries)
			enter_sets_locked(&tick);
		if (next < 0)
			dogpile_change_bump_locked(&tick, when);
		dogpile_version_end_tick();
	} while (next >= 0);
	return first;
}

/*
 * Let all invalidations take effect whose moment has come.
 *
 * Returns the first tick, or 0 if no slot had to be bumped.
 */
static DogpileClock
take_effect(DogpileMoment when, bool has_entries)
{
	DogpileClock first = 0;
	bool		has_readers;

	/*
	 * Pairs with dogpile_version_begin_read().  Visibility comes first, then
	 * readers are looked up, then slots; see version.c.
	 */
	pg_memory_barrier();
	has_readers = dogpile_version_has_readers();
	if (has_entries || dogpile_invalidate_is_wanted(when, has_readers) ||
		dogpile_change_is_wanted(when))
		first = enter_all(when, has_readers, has_entries);
	if (dogpile_invalidate_is_pending(when))
		dogpile_stop(DOGPILE_STOP_TICKED);
	dogpile_invalidate_unmark(when);
	return first;
}

/*
 * The user has set a value outside.  Invalidate the copies of the old value that
 * sessions of this server have made or are about to make.  This must follow the
 * replacement of the old value.
 */
static void
invalidate_copies(const DogpilePendingEntry *pending)
{
	uint64		next_xid = U64FromFullTransactionId(ReadNextFullTransactionId());
	DogpileClock tick = dogpile_version_begin_tick();

	dogpile_version_bump(dogpile_version_key_slot(pending->key->hash), true, tick,
						 next_xid);
	dogpile_version_end_tick();
}

/* Publish an entry, or give its room back. */
static DogpileStatus
publish_or_abandon(DogpilePendingEntry *pending)
{
	DogpileIncoming *incoming = pending->incoming;
	DogpileStatus status;

	pending->incoming = NULL;
	if (incoming == NULL)
		return DOGPILE_FULL;
	if (pending->refused)
	{
		dogpile_stats_count(pending->region, DOGPILE_COUNTER_REFUSED, 1);
		pending->store->abandon(incoming);
		return DOGPILE_KEPT;
	}
	status = pending->store->publish(incoming, pending->mode, pending->entry.as_of);
	if (status == DOGPILE_TOO_LARGE)
		report_too_large(pending);
	return status;
}

/* Let an entry take effect; if a set value cannot be stored, remove the old one. */
static void
finish_entry(DogpilePendingEntry *pending)
{
	bool		lost = is_lost_set(pending);
	bool		was_set = pending->mode == DOGPILE_PUBLISH_ALWAYS &&
		pending->incoming != NULL && !pending->refused;
	DogpileStatus status;

	if (lost)
		(void) pending->store->remove(pending->region, pending->key, entered_at);
	status = publish_or_abandon(pending);
	if (pending->entry.grant == NULL)
		return;
	if (lost || (was_set && status != DOGPILE_OK))
		pending->store->lose(pending->entry.grant);
	if (was_set)
		invalidate_copies(pending);
}

/* PRE_COMMIT: mark the slots that the user has invalidated; see version.c. */
static void
mark_invalidations(void)
{
	dlist_iter	iter;

	dlist_foreach(iter, &dogpile_xact_log)
	{
		DogpileChange *change = dlist_container(DogpileChange, node, iter.cur);

		CHECK_FOR_INTERRUPTS();
		if (change->kind == DOGPILE_CHANGE_INVALIDATE)
			dogpile_invalidate_add(change->u.invalidate.slot, change->u.invalidate.hard,
								   DOGPILE_AT_COMMIT);
	}
	dogpile_invalidate_mark(GetTopTransactionIdIfAny());
}

/* COMMIT: refuse entries that depend on what another module changed after PRE_COMMIT. */
static void
refuse_affected(void)
{
	DogpilePendingEntry *pending;
	dlist_node *next = NULL;

	while ((pending = next_entry(&next)) != NULL)
		pending->refused = dogpile_change_affects_late(&pending->deps);
}

/* COMMIT: free the memory of entries that this transaction has invalidated. */
static void
remove_pending_keys(void)
{
	dlist_iter	iter;

	dlist_foreach(iter, &dogpile_xact_log)
	{
		DogpileChange *change = dlist_container(DogpileChange, node, iter.cur);

		if (change->kind == DOGPILE_CHANGE_REMOVE)
			(void) change->u.remove.store->remove(change->u.remove.region,
												  change->u.remove.key, entered_at);
	}
}

/* ABORT: give back the room that PRE_COMMIT has reserved. */
static void
abandon_entries(void)
{
	DogpilePendingEntry *pending;
	dlist_node *next = NULL;

	while ((pending = next_entry(&next)) != NULL)
		if (pending->incoming)
		{
			pending->store->abandon(pending->incoming);
			pending->incoming = NULL;
		}
}

/* Does this transaction invalidate or store anything? */
static bool
changes_anything(void)
{
	return dogpile_xact_npending > 0 || dogpile_invalidate_has_any();
}

/* --------------------------------------------------------------------
 * Participants
 * --------------------------------------------------------------------
 */

/* PRE_COMMIT: mark all slots that are about to be invalidated. */
static void
mark_versions(void)
{
	mark_invalidations();
	dogpile_change_mark();
}

/* COMMIT: let the invalidations take effect that need not wait for messages. */
static void
enter_versions(void)
{
	if (!dogpile_change_see_commit() && !changes_anything())
		return;
	refuse_affected();
	entered_at = take_effect(DOGPILE_AT_COMMIT, dogpile_xact_nstores > 0);
	if (dogpile_xact_npending > 0)
		dogpile_stop(DOGPILE_STOP_UNMARKED);
}

/* The messages have been sent: let the other invalidations take effect. */
static void
enter_told_versions(void)
{
	if (!dogpile_change_is_to_be_told())
		return;
	dogpile_stop(DOGPILE_STOP_TOLD);
	(void) take_effect(DOGPILE_WHEN_TOLD, false);
	dogpile_change_forget();
	dogpile_invalidate_forget();
}

/*
 * ABORT: nothing is invalidated, except by a prepared transaction that this transaction
 * has committed, or was about to commit when it failed.
 */
static void
unmark_versions(void)
{
	dogpile_change_forget();
	dogpile_invalidate_abort();
	if (dogpile_invalidate_has_any())
		(void) take_effect(DOGPILE_AT_COMMIT, false);
}

/* Forget the invalidations, unless some have yet to take effect. */
static void
forget_versions(bool is_commit)
{
	entered_at = 0;
	if (dogpile_change_is_to_be_told())
		return;
	dogpile_change_forget();
	dogpile_invalidate_forget();
}

/* COMMIT: remove and publish entries. */
static void
finish_entries(void)
{
	DogpilePendingEntry *pending;
	dlist_node *next = NULL;

	remove_pending_keys();
	while ((pending = next_entry(&next)) != NULL)
		finish_entry(pending);
}

/* Let a test hold up a transaction that changes the cache. */
static void
stop_when_marked(void)
{
	if (changes_anything())
		dogpile_stop(DOGPILE_STOP_MARKED);
}

static void
stop_when_visible(void)
{
	if (changes_anything())
		dogpile_stop(DOGPILE_STOP_VISIBLE);
}

const DogpileParticipant dogpile_commit_versions = {
	.pre_commit = mark_versions,
	.commit = enter_versions,
	.abort = unmark_versions,
	.told = enter_told_versions,
	.end = forget_versions
};

const DogpileParticipant dogpile_commit_entries = {
	.pre_commit = prepare_entries,
	.commit = finish_entries,
	.abort = abandon_entries
};

const DogpileParticipant dogpile_commit_stops = {
	.pre_commit = stop_when_marked,
	.commit = stop_when_visible
};
