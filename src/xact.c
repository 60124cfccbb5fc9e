/*-------------------------------------------------------------------------
 *
 * xact.c
 *	  What the transaction has pending: sets, invalidations, created values.
 *
 * A transaction's changes to the cache take effect when it commits.  Until
 * then they are kept in a log in backend-local memory.  The log is a stack: a
 * subtransaction's changes are on top, so its rollback takes them off, and each
 * change remembers what it has superseded, so that taking it off restores that.
 *
 * The transaction sees its own changes at once: a value from the store is
 * checked against the slots that the log has invalidated (since position 0),
 * a value from the log against those that it has invalidated after the value's
 * own position.
 *
 * At the end:
 *
 *		PRE_COMMIT	room is found for each entry; this may fail, and the
 *					transaction is then rolled back.
 *		COMMIT		the transaction is visible to others, and nothing may fail.
 *					Under the version lock, each entry is checked against what
 *					other transactions have invalidated in the meantime, and
 *					our own invalidations are entered.  Then the entries that
 *					are left are published.
 *		ABORT		room found at PRE_COMMIT is given back.
 *
 * A creator lock that is kept to the end of the transaction is released by
 * PostgreSQL after these callbacks, so its waiters find what was published.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "age.h"
#include "announce.h"
#include "change.h"
#include "lease.h"
#include "position.h"
#include "prepared.h"
#include "stats.h"
#include "xact.h"

typedef enum ChangeKind
{
	CHANGE_INVALIDATE,
	CHANGE_ANNOUNCE,
	CHANGE_REMOVE,
	CHANGE_STORE
} ChangeKind;

/* One change.  Positions count from 1; 0 means none, or before all. */
typedef struct Change
{
	ChangeKind	kind;
	SubTransactionId subid;
	union
	{
		struct
		{
			DogpileSlot slot;
			bool		hard;
			int			superseded; /* earlier one of this slot and kind */
		}			invalidate;
		struct
		{
			DogpileRegion *region;	/* NULL: tags, of all regions */
			DogpileKeyNames *names; /* of a key; NULL: the whole region */
			DogpileTags *tags;
			bool		hard;
		}			announce;
		struct
		{
			DogpileRegion *region;
			const DogpileStore *store;
			DogpileKey *key;
		}			remove;
		struct
		{
			DogpilePendingEntry *entry;
			int			superseded; /* earlier one of this hash */
		}			store;
	}			u;
} Change;

/* The log; all of it in TopTransactionContext. */
int			dogpile_xact_npending = 0;
static Change *changes = NULL;
static int	max_changes = 0;

/* Where it has last invalidated a slot: soft, hard; and stored a key of some hash. */
static DogpilePositions slot_positions;
static DogpilePositions key_positions;

/* Append a change to the log; the caller fills in what its kind needs. */
static Change *
append_change(ChangeKind kind)
{
	Change	   *change;

	if (changes == NULL)
	{
		changes = MemoryContextAlloc(TopTransactionContext, 16 * sizeof(Change));
		max_changes = 16;
	}
	else if (dogpile_xact_npending == max_changes)
	{
		changes = repalloc_huge(changes, 2 * (Size) max_changes * sizeof(Change));
		max_changes *= 2;
	}

	change = &changes[dogpile_xact_npending++];
	memset(change, 0, sizeof(Change));
	change->kind = kind;
	change->subid = GetCurrentSubTransactionId();
	return change;
}

/*
 * Invalidate whatever depends on a slot, at COMMIT.
 *
 * Errors: out of memory.  Locks: none.
 */
void
dogpile_xact_invalidate(DogpileSlot slot, bool hard)
{
	Change	   *change = append_change(CHANGE_INVALIDATE);
	DogpilePosition *position;

	/* COMMIT will need it at once. */
	dogpile_version_prefetch(slot);

	/* Taking the change off must work even if there is no memory for the position. */
	change->u.invalidate.slot = slot;
	change->u.invalidate.hard = hard;
	position = dogpile_position_enter(&slot_positions, slot);
	change->u.invalidate.superseded = position->last[hard];
	position->last[hard] = dogpile_xact_npending;
}

/*
 * Note an announcement; what it points to lives as long as the transaction.
 *
 * A key is named now: that may take a function of the user's, and none may be
 * called at PRE_COMMIT, when there is no snapshot any more.
 */
static void
append_announcement(DogpileRegion *region, const DogpileKey *key,
					const DogpileTags *tags, bool hard)
{
	DogpileKeyNames *names = key ? dogpile_announce_name_key(region, key) : NULL;
	MemoryContext oldcontext = MemoryContextSwitchTo(TopTransactionContext);
	DogpileTags *tags_copy = tags ? memcpy(palloc(tags->size), tags, tags->size) : NULL;
	Change	   *change = append_change(CHANGE_ANNOUNCE);

	change->u.announce.region = region;
	change->u.announce.names = names;
	change->u.announce.tags = tags_copy;
	change->u.announce.hard = hard;
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Announce an invalidation to other servers at COMMIT, if they share the store:
 * of a key, of all entries of a region, or of tags in all regions.
 *
 * Errors: out of memory; those of names.  Locks: no LWLock may be held.
 */
void
dogpile_xact_announce_key(DogpileRegion *region, const DogpileKey *key, bool hard)
{
	if (dogpile_announce_is_needed(region))
		append_announcement(region, key, NULL, hard);
}

void
dogpile_xact_announce_region(DogpileRegion *region, bool hard)
{
	if (dogpile_announce_is_needed(region))
		append_announcement(region, NULL, NULL, hard);
}

void
dogpile_xact_announce_tags(const DogpileTags *tags, bool hard)
{
	for (DogpileRegion *region = dogpile_config_first_region(); region != NULL;
		 region = region->next)
		if (dogpile_announce_is_needed(region))
		{
			append_announcement(NULL, NULL, tags, hard);
			return;
		}
}

/*
 * Remove the entry of a key from its store at COMMIT, to free its memory.
 * That it is not given to anybody is a matter of dogpile_xact_invalidate().
 *
 * Errors: out of memory.  Locks: none.
 */
void
dogpile_xact_remove(DogpileRegion *region, const DogpileKey *key)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(TopTransactionContext);
	DogpileKey *copy = dogpile_key_copy(key);
	Change	   *change = append_change(CHANGE_REMOVE);

	change->u.remove.region = region;
	change->u.remove.store = region->store;
	change->u.remove.key = copy;
	MemoryContextSwitchTo(oldcontext);
}

/* Copy an entry with all that belongs to it into TopTransactionContext. */
static DogpilePendingEntry *
copy_entry(DogpileRegion *region, const DogpileKey *key, const DogpileEntry *entry)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(TopTransactionContext);
	DogpilePendingEntry *copy = palloc0(sizeof(DogpilePendingEntry));
	char	   *value = MemoryContextAllocHuge(TopTransactionContext, entry->value.size);

	copy->region = region;
	copy->store = region->store;
	copy->key = dogpile_key_copy(key);
	copy->entry = *entry;
	copy->entry.value.data = memcpy(value, entry->value.data, entry->value.size);
	if (entry->tags)
		copy->entry.tags = memcpy(palloc(entry->tags->size), entry->tags,
								  entry->tags->size);
	if (entry->lease)
		copy->entry.lease = region->store->defer(entry->lease);
	dogpile_deps_get(region, key, copy->entry.tags, &copy->deps);
	MemoryContextSwitchTo(oldcontext);
	return copy;
}

/*
 * Store an entry at COMMIT, if nothing it depends on is invalidated until then.
 *
 * entry: copied.
 * xmin: of the transaction's snapshot, if the value comes from one that is
 *		older than entry->as_of; else 0.
 *
 * Errors: out of memory.  Locks: none.
 */
void
dogpile_xact_store(DogpileRegion *region, const DogpileKey *key,
				   const DogpileEntry *entry, uint64 xmin,
				   DogpilePublishMode mode)
{
	DogpilePendingEntry *pending = copy_entry(region, key, entry);
	Change	   *change = append_change(CHANGE_STORE);
	DogpilePosition *position;

	pending->xmin = xmin;
	pending->mode = mode;
	pending->position = dogpile_xact_npending;
	change->u.store.entry = pending;
	position = dogpile_position_enter(&key_positions, key->hash);
	change->u.store.superseded = position->last[0];
	position->last[0] = pending->position;
}

/* Take the top change off the log. */
static void
pop_change(void)
{
	Change	   *change = &changes[dogpile_xact_npending - 1];

	if (change->kind == CHANGE_INVALIDATE)
	{
		DogpilePosition *position = dogpile_position_find(&slot_positions,
														  change->u.invalidate.slot);

		if (position)
			position->last[change->u.invalidate.hard] = change->u.invalidate.superseded;
	}
	else if (change->kind == CHANGE_ANNOUNCE)
	{
		if (change->u.announce.names)
			pfree(change->u.announce.names);
		if (change->u.announce.tags)
			pfree(change->u.announce.tags);
	}
	else if (change->kind == CHANGE_REMOVE)
		pfree(change->u.remove.key);
	else if (change->u.store.entry)
	{
		DogpilePendingEntry *pending = change->u.store.entry;
		DogpilePosition *position = dogpile_position_find(&key_positions,
														  pending->key->hash);

		if (position)
			position->last[0] = change->u.store.superseded;
		pfree(unconstify(char *, pending->entry.value.data));
		if (pending->entry.lease)
			pfree(pending->entry.lease);
		if (pending->entry.tags)
			pfree(unconstify(DogpileTags *, pending->entry.tags));
		pfree(pending->key);
		pfree(pending);
	}
	dogpile_xact_npending--;
}

/*
 * What has this transaction done, after a position of its log, to anything
 * that these slots stand for?
 *
 * since: a pending entry's position, or 0 for an entry from a store.
 *
 * Errors: none.
 */
DogpileInvalidation
dogpile_xact_get_invalidation(const DogpileDeps *deps, int since)
{
	DogpileInvalidation result = DOGPILE_NOT_INVALIDATED;

	if (dogpile_xact_npending == 0)
		return result;
	for (int i = 0; i < deps->count; i++)
	{
		DogpileSlot slot = dogpile_deps_slot(deps, i);
		DogpilePosition *position = dogpile_position_find(&slot_positions, slot);

		if (position && position->last[true] > since)
			return DOGPILE_HARD_INVALIDATED;
		if (position && position->last[false] > since)
			result = DOGPILE_SOFT_INVALIDATED;
	}
	return result;
}

/*
 * Find what this transaction is about to store under a key.
 *
 * Returns the latest entry, whether or not it was invalidated since, or NULL.
 * It belongs to the log.
 *
 * Errors: none.
 */
const DogpilePendingEntry *
dogpile_xact_find_entry(const DogpileKey *key)
{
	DogpilePosition *last;

	if (dogpile_xact_npending == 0)
		return NULL;
	last = dogpile_position_find(&key_positions, key->hash);
	for (int position = last ? last->last[0] : 0; position > 0;)
	{
		Change	   *change = &changes[position - 1];
		DogpileKey *found = change->u.store.entry->key;

		if (found->len == key->len && memcmp(found->bytes, key->bytes, key->len) == 0)
			return change->u.store.entry;
		position = change->u.store.superseded;
	}
	return NULL;
}

/* Forget everything; the memory goes with the transaction. */
static void
reset_log(void)
{
	dogpile_xact_npending = 0;
	changes = NULL;
	max_changes = 0;
	dogpile_position_reset(&slot_positions);
	dogpile_position_reset(&key_positions);
}

/* The pending entries that may be published, one after another. */
static DogpilePendingEntry *
next_entry(int *position)
{
	while (*position < dogpile_xact_npending)
	{
		Change	   *change = &changes[(*position)++];

		if (change->kind == CHANGE_STORE)
			return change->u.store.entry;
	}
	return NULL;
}

/*
 * Is a pending entry of no use: replaced, invalidated, or expired while the
 * transaction went on?
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

/* The store takes no value of this size, though the region does. */
static void
report_too_large(const DogpilePendingEntry *pending)
{
	dogpile_stats_count(pending->region, DOGPILE_COUNTER_TOO_LARGE, 1);
	if (pending->mode == DOGPILE_PUBLISH_ALWAYS)
		ereport(WARNING,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("value is too large for the store of cache region \"%s\"",
						pending->region->name),
				 errdetail("It is not stored; it has %zu bytes.",
						   pending->entry.value.size),
				 errhint("Increase \"dogpile.shared_memory\".")));
}

/* PRE_COMMIT: find room for what is to be stored. */
static void
prepare_entries(void)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(TopTransactionContext);
	DogpilePendingEntry *pending;
	int			position = 0;

	while ((pending = next_entry(&position)) != NULL)
	{
		DogpileStatus status;

		if (is_obsolete(pending))
			continue;
		status = pending->store->prepare(pending->region, pending->key,
										 &pending->entry, &pending->prepared);
		if (status == DOGPILE_TOO_LARGE)
			report_too_large(pending);
	}
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Has nothing that an entry depends on been invalidated by others?  The
 * version lock is held, and our own invalidations are not yet entered.
 */
static bool
is_current_locked(DogpilePendingEntry *pending)
{
	for (int i = 0; i < pending->deps.count; i++)
	{
		DogpileSlot slot = dogpile_deps_slot(&pending->deps, i);

		if (dogpile_version_is_hard_after(slot, pending->entry.as_of) ||
			dogpile_version_is_soft_after(slot, pending->entry.as_of))
			return false;
		if (pending->xmin != 0 &&
			!dogpile_version_is_visible_locked(slot, pending->xmin))
		{
			/* If it was the region or the key, what is there is newer. */
			pending->superseded = i < DOGPILE_OWN_DEPS;
			return false;
		}
	}
	return true;
}

/*
 * Decide what is published, and as of when.
 *
 * An entry that passes is as good as of our own tick, which puts it behind our
 * own invalidations that came before it.  One that we have declared stale
 * after storing it must stay before the tick; if it would also have to be
 * behind, because we had invalidated it before, it is dropped.
 */
static void
check_entries_locked(DogpileClock tick)
{
	DogpilePendingEntry *pending;
	int			position = 0;

	while ((pending = next_entry(&position)) != NULL)
	{
		pending->refused = !is_current_locked(pending);
		if (dogpile_xact_get_invalidation(&pending->deps, pending->position)
			== DOGPILE_NOT_INVALIDATED)
			pending->entry.as_of = tick;
		else if (dogpile_xact_get_invalidation(&pending->deps, 0)
				 == DOGPILE_HARD_INVALIDATED)
			pending->refused = true;
	}
}

/*
 * Has the user set a value that is not going to be stored?  The one that it
 * should have replaced must go all the same.
 */
static bool
is_lost_set(const DogpilePendingEntry *pending)
{
	return pending->mode == DOGPILE_PUBLISH_ALWAYS && !pending->superseded &&
		(pending->prepared == NULL || pending->refused) &&
		dogpile_xact_find_entry(pending->key) == pending;
}

/*
 * Has the user set a value where others may have been made of the previous one?
 * His own is as of our tick, and does not go with them.
 */
static bool
is_used_by_others(const DogpilePendingEntry *pending)
{
	return pending->mode == DOGPILE_PUBLISH_ALWAYS && !pending->refused &&
		pending->entry.tags != NULL && pending->entry.tags->automatic;
}

/* Enter our invalidations. */
static void
enter_invalidations_locked(DogpileClock tick, uint64 next_xid)
{
	DogpilePendingEntry *pending;
	int			position = 0;

	for (int i = 0; i < dogpile_xact_npending; i++)
		if (changes[i].kind == CHANGE_INVALIDATE)
			dogpile_version_bump(changes[i].u.invalidate.slot,
								 changes[i].u.invalidate.hard, tick, next_xid);
	while ((pending = next_entry(&position)) != NULL)
		if (is_lost_set(pending) || is_used_by_others(pending))
			dogpile_version_bump(dogpile_version_key_slot(pending->key->hash), true,
								 tick, next_xid);
}

/*
 * The user has set a value outside.  Copies of the old one that sessions of this
 * server have made are worth nothing from now on, nor any that they are about to
 * make; only now, after it was replaced.
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

/* Publish an entry, or give it up. */
static DogpileStatus
publish_or_abandon(DogpilePendingEntry *pending)
{
	DogpilePrepared *prepared = pending->prepared;
	DogpileStatus status;

	pending->prepared = NULL;
	if (prepared == NULL)
		return DOGPILE_FULL;
	if (pending->refused)
	{
		dogpile_stats_count(pending->region, DOGPILE_COUNTER_REFUSED, 1);
		pending->store->abandon(prepared);
		return DOGPILE_KEPT;
	}
	status = pending->store->publish(prepared, pending->mode, pending->entry.as_of);
	if (status == DOGPILE_TOO_LARGE)
		dogpile_stats_count(pending->region, DOGPILE_COUNTER_TOO_LARGE, 1);
	return status;
}

/* Let an entry take effect, and what was set whether or not it can be stored. */
static void
finish_entry(DogpilePendingEntry *pending, DogpileClock tick)
{
	bool		lost = is_lost_set(pending);
	bool		was_set = pending->mode == DOGPILE_PUBLISH_ALWAYS &&
		pending->prepared != NULL && !pending->refused;
	DogpileStatus status;

	if (lost)
		(void) pending->store->remove(pending->region, pending->key, tick);
	status = publish_or_abandon(pending);
	if (pending->entry.lease == NULL)
		return;
	if (lost || (was_set && status != DOGPILE_OK))
		pending->store->lose(pending->entry.lease);
	if (was_set)
		invalidate_copies(pending);
}

/* How many changes of the log are marked, if they are invalidations. */
static int	nmarked = 0;

/* PRE_COMMIT: mark what is about to be invalidated; see version.c. */
static void
mark_invalidations(void)
{
	for (; nmarked < dogpile_xact_npending; nmarked++)
		if (changes[nmarked].kind == CHANGE_INVALIDATE)
			dogpile_version_mark(changes[nmarked].u.invalidate.slot,
								 GetTopTransactionIdIfAny());
}

/* COMMIT, after the tick, or ABORT: take the marks away. */
static void
unmark_invalidations(void)
{
	while (nmarked > 0)
		if (changes[--nmarked].kind == CHANGE_INVALIDATE)
			dogpile_version_unmark(changes[nmarked].u.invalidate.slot);
}

/* COMMIT: let everything take effect.  Nothing here can fail. */
static void
apply_log(void)
{
	uint64		next_xid = U64FromFullTransactionId(ReadNextFullTransactionId());
	DogpileClock tick = dogpile_version_begin_tick();
	DogpilePendingEntry *pending;
	int			position = 0;

	check_entries_locked(tick);
	enter_invalidations_locked(tick, next_xid);
	dogpile_version_end_tick();
	unmark_invalidations();
	dogpile_announce_commit();

	for (int i = 0; i < dogpile_xact_npending; i++)
		if (changes[i].kind == CHANGE_REMOVE)
			(void) changes[i].u.remove.store->remove(changes[i].u.remove.region,
												   changes[i].u.remove.key, tick);
	while ((pending = next_entry(&position)) != NULL)
		finish_entry(pending, tick);
}

/* ABORT: give back what PRE_COMMIT took. */
static void
abandon_entries(void)
{
	DogpilePendingEntry *pending;
	int			position = 0;

	while ((pending = next_entry(&position)) != NULL)
		if (pending->prepared)
		{
			pending->store->abandon(pending->prepared);
			pending->prepared = NULL;
		}
}

/* PRE_COMMIT: tell other servers what is about to be invalidated. */
static void
send_announcements(void)
{
	for (int i = 0; i < dogpile_xact_npending; i++)
	{
		Change	   *change = &changes[i];
		const DogpileTags *tags = change->u.announce.tags;
		const char *p = NULL;

		if (change->kind != CHANGE_ANNOUNCE)
			continue;
		for (uint32 t = 0; tags && t < tags->count; t++)
		{
			DogpileBytes tag;

			p = dogpile_tag_next(tags, p, &tag.data, &tag.len);
			dogpile_announce_tag(tag, change->u.announce.hard);
		}
		if (change->u.announce.names)
			dogpile_announce_key(change->u.announce.region, change->u.announce.names,
								 change->u.announce.hard);
		else if (change->u.announce.region)
			dogpile_announce_region(change->u.announce.region,
									change->u.announce.hard);
	}
	dogpile_announce_send();
}

static void
xact_callback(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (dogpile_xact_npending > 0)
			{
				send_announcements();
				prepare_entries();
				mark_invalidations();
			}
			dogpile_change_prepare();
			return;
		case XACT_EVENT_PRE_PREPARE:
			if (dogpile_xact_npending > 0)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that has changed cache entries")));
			dogpile_prepared_mark_catalogs();
			return;
		case XACT_EVENT_COMMIT:
			if (dogpile_xact_npending > 0)
				apply_log();
			dogpile_change_commit();
			dogpile_lease_end(InvalidSubTransactionId);
			break;
		case XACT_EVENT_ABORT:
			abandon_entries();
			unmark_invalidations();
			dogpile_change_abort();
			dogpile_announce_abort();
			dogpile_lease_end(InvalidSubTransactionId);
			break;
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
		default:
			return;
	}
	reset_log();
	dogpile_change_end();
	dogpile_catalog_end(event != XACT_EVENT_ABORT);
	dogpile_stats_flush();
}

static void
subxact_callback(SubXactEvent event, SubTransactionId subid,
				 SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		dogpile_change_abort_sub(subid);
		while (dogpile_xact_npending > 0 &&
			   changes[dogpile_xact_npending - 1].subid == subid)
			pop_change();
		dogpile_lease_end(subid);
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		dogpile_change_commit_sub(subid, parent);
		for (int i = dogpile_xact_npending - 1; i >= 0 && changes[i].subid == subid; i--)
			changes[i].subid = parent;
		dogpile_lease_pass_on(subid, parent);
	}
}

/*
 * Take part in the transactions of this process.  Called once, at load.
 */
void
dogpile_xact_init(void)
{
	RegisterXactCallback(xact_callback, NULL);
	RegisterSubXactCallback(subxact_callback, NULL);
}
