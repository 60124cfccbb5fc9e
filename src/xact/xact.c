/*-------------------------------------------------------------------------
 *
 * xact.c
 *	  The log of changes to the cache that the transaction has pending.
 *
 * A transaction's changes to the cache (invalidations, values that are set or created,
 * removals) take effect when it commits (commit.c).  Until then they are kept in a log in
 * backend-local memory.  The log is a stack: a subtransaction's changes are on top, so
 * its rollback takes them off.  Each change points to the one that it supersedes, which
 * counts again when the change is taken off.
 *
 * The transaction sees its own changes at once.  A value from the store is checked
 * against the slots that the log has invalidated (since position 0), a value from the
 * log against those that it has invalidated after the value's own position.
 *
 * The log must not grow with the number of calls.  A change that a subtransaction
 * repeats replaces its earlier one, since both are undone together.  When the
 * subtransaction is released, its changes replace those of its parent.  So the log holds
 * an invalidation once for each slot and level, and a value once for each key and level.
 * Values may take as much memory as dogpile.max_pending_size allows; a value that does
 * not fit is not stored.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/xact.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "config/config.h"
#include "lib/position.h"
#include "xact/xact.h"

/* The log; all of it in TopTransactionContext. */
dlist_head	dogpile_xact_log = DLIST_STATIC_INIT(dogpile_xact_log);
int			dogpile_xact_npending = 0;
int			dogpile_xact_nstores = 0;

/* Grows with every change, and when changes are undone. */
static DogpileLogPosition last_position = 0;

/* Bytes that values and removals take, and whether the limit was reported. */
static Size pending_bytes = 0;
static bool is_full_reported = false;

/*
 * The last changes: for each slot, the soft and the hard invalidation; for each hash of
 * a key, the value to be stored and the removal.
 */
#define STORED		0
#define REMOVED		1

static DogpilePositions slot_positions;
static DogpilePositions key_positions;

/* Bytes that a change takes after its common fields. */
static Size
change_size(DogpileChangeKind kind)
{
	switch (kind)
	{
		case DOGPILE_CHANGE_INVALIDATE:
			return sizeof(((DogpileChange *) NULL)->u.invalidate);
		case DOGPILE_CHANGE_REMOVE:
			return sizeof(((DogpileChange *) NULL)->u.remove);
		case DOGPILE_CHANGE_STORE:
			break;
	}
	return sizeof(((DogpileChange *) NULL)->u.entry);
}

/* Append a change to the log; the caller fills in what its kind needs. */
static DogpileChange *
append_change(DogpileChangeKind kind)
{
	DogpileChange *change =
		MemoryContextAllocZero(TopTransactionContext,
							   offsetof(DogpileChange, u) + change_size(kind));

	change->kind = kind;
	change->subid = GetCurrentSubTransactionId();
	change->position = ++last_position;
	dlist_push_tail(&dogpile_xact_log, &change->node);
	dogpile_xact_npending++;
	if (kind == DOGPILE_CHANGE_STORE)
		dogpile_xact_nstores++;
	return change;
}

/*
 * Return the position of the log.  It differs later if a change was added or undone.
 *
 * Errors: none.
 */
DogpileLogPosition
dogpile_xact_get_position(void)
{
	return last_position;
}

/*
 * Invalidate the entries that depend on a slot, at COMMIT.
 *
 * Errors: out of memory.  Locks: none.
 */
void
dogpile_xact_invalidate(DogpileSlot slot, bool hard)
{
	DogpileChange *last = dogpile_position_get(&slot_positions, slot, hard);
	DogpileChange *change;

	/* COMMIT will need it at once. */
	dogpile_version_prefetch(slot);

	/* Repeated at this level: only the last one counts. */
	if (last != NULL && last->subid == GetCurrentSubTransactionId())
	{
		last->position = ++last_position;
		dlist_delete(&last->node);
		dlist_push_tail(&dogpile_xact_log, &last->node);
		return;
	}

	/*
	 * The change can be taken off even if there is no memory for the
	 * position.
	 */
	change = append_change(DOGPILE_CHANGE_INVALIDATE);
	change->u.invalidate.slot = slot;
	change->u.invalidate.hard = hard;
	change->superseded = last;
	dogpile_position_enter(&slot_positions, slot)->last[hard] = change;
}

/*
 * Tell other servers that share the store of an invalidation, at COMMIT: of a key, of
 * all entries of a region, or of tags in all regions.
 *
 * Errors: out of memory; those of names.  Locks: no LWLock may be held.
 */
void
dogpile_xact_announce_key(DogpileRegion *region, const DogpileKey *key, bool hard)
{
	dogpile_participant_note_invalidation(region, key, NULL, hard);
}

void
dogpile_xact_announce_region(DogpileRegion *region, bool hard)
{
	dogpile_participant_note_invalidation(region, NULL, NULL, hard);
}

void
dogpile_xact_announce_tags(const DogpileTags *tags, bool hard)
{
	dogpile_participant_note_invalidation(NULL, NULL, tags, hard);
}

/* --------------------------------------------------------------------
 * Removals
 * --------------------------------------------------------------------
 */

/* Would this many more bytes exceed the limit? */
static bool
is_too_much(Size bytes)
{
	return pending_bytes + bytes > (Size) dogpile_max_pending_size_kb * 1024;
}

/* Bytes that a removal takes. */
static Size
removal_size(const DogpileKey *key)
{
	return sizeof(DogpileChange) + sizeof(DogpileKey) + key->len;
}

/*
 * Remove the entries of a key from its store at COMMIT, to free their memory.
 *
 * Only dogpile_xact_invalidate() keeps them from being returned.  So it does no harm
 * that nothing is removed if another key has the same hash, or if there are too many.
 *
 * Errors: out of memory.  Locks: none.
 */
void
dogpile_xact_remove(DogpileRegion *region, const DogpileKey *key)
{
	MemoryContext oldcontext;
	DogpileKey *copy;
	DogpileChange *change;

	if (dogpile_position_get(&key_positions, key->hash, REMOVED) != NULL ||
		is_too_much(removal_size(key)))
		return;
	oldcontext = MemoryContextSwitchTo(TopTransactionContext);
	copy = dogpile_key_copy(key);
	change = append_change(DOGPILE_CHANGE_REMOVE);
	change->u.remove.region = region;
	change->u.remove.store = region->store;
	change->u.remove.key = copy;
	pending_bytes += removal_size(copy);
	dogpile_position_enter(&key_positions, key->hash)->last[REMOVED] = change;
	MemoryContextSwitchTo(oldcontext);
}

/* --------------------------------------------------------------------
 * Values
 * --------------------------------------------------------------------
 */

/* Bytes that a value takes until it is stored. */
static Size
entry_size(const DogpileKey *key, const DogpileEntry *entry)
{
	return sizeof(DogpileChange) + sizeof(DogpilePendingEntry) + sizeof(DogpileKey) +
		key->len + (entry->tags ? entry->tags->size : 0) + entry->value.size;
}

/* Copy an entry, with its value and tags, into TopTransactionContext. */
static DogpilePendingEntry *
copy_pending(DogpileRegion *region, const DogpileKey *key, const DogpileEntry *entry)
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
	if (entry->grant)
		copy->entry.grant = region->store->defer(entry->grant);
	dogpile_deps_get(region, key->hash, copy->entry.tags, &copy->deps);
	MemoryContextSwitchTo(oldcontext);
	return copy;
}

/* Free what copy_pending() has made. */
static void
free_pending(DogpilePendingEntry *pending)
{
	pending_bytes -= entry_size(pending->key, &pending->entry);
	pfree(unconstify(char *, pending->entry.value.data));
	if (pending->entry.grant)
		pfree(pending->entry.grant);
	if (pending->entry.tags)
		pfree(unconstify(DogpileTags *, pending->entry.tags));
	pfree(pending->key);
	pfree(pending);
}

/* The latest change, this one or earlier, that stores a value of a key; or NULL. */
static DogpileChange *
find_store(DogpileChange *change, const DogpileKey *key)
{
	for (; change != NULL; change = change->superseded)
	{
		const DogpileKey *found = change->u.entry->key;

		if (found->len == key->len && memcmp(found->bytes, key->bytes, key->len) == 0)
			return change;
	}
	return NULL;
}

/* Remove a superseded change from the log. */
static void
drop_superseded(DogpileChange *by, DogpileChange *dropped)
{
	while (by->superseded != dropped)
		by = by->superseded;
	by->superseded = dropped->superseded;
	dlist_delete(&dropped->node);
	dogpile_xact_npending--;
	if (dropped->kind == DOGPILE_CHANGE_STORE)
	{
		dogpile_xact_nstores--;
		free_pending(dropped->u.entry);
	}
	pfree(dropped);
}

/*
 * Store an entry at COMMIT, unless something that it depends on is invalidated before.
 *
 * entry: is copied.
 * xmin: of the transaction's snapshot, if the value comes from a snapshot that is
 *		older than entry->as_of; else 0.
 *
 * Returns false if it would need too much memory.
 *
 * Errors: out of memory.  Locks: none.
 */
bool
dogpile_xact_store(DogpileRegion *region, const DogpileKey *key,
				   const DogpileEntry *entry, uint64 xmin,
				   DogpilePublishMode mode)
{
	DogpileChange *last = dogpile_position_get(&key_positions, key->hash, STORED);
	DogpileChange *replaced = find_store(last, key);
	DogpilePendingEntry *pending;
	DogpileChange *change;
	Size		size = entry_size(key, entry);

	if (replaced != NULL && replaced->subid != GetCurrentSubTransactionId())
		replaced = NULL;
	if (replaced != NULL)
		size -= Min(size, entry_size(key, &replaced->u.entry->entry));
	if (is_too_much(size))
		return false;

	pending = copy_pending(region, key, entry);
	change = append_change(DOGPILE_CHANGE_STORE);
	pending_bytes += entry_size(key, &pending->entry);
	pending->xmin = xmin;
	pending->mode = mode;
	pending->position = change->position;
	change->u.entry = pending;
	change->superseded = last;
	dogpile_position_enter(&key_positions, key->hash)->last[STORED] = change;
	if (replaced != NULL)
		drop_superseded(change, replaced);
	return true;
}

/*
 * Report, once in a transaction, that values are not stored for lack of memory.
 *
 * Errors: its own, if elevel is ERROR.
 */
void
dogpile_xact_report_full(const DogpileRegion *region, int elevel)
{
	if (is_full_reported)
		return;
	is_full_reported = true;
	ereport(elevel,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many values wait for the end of the transaction to be stored"),
			 errdetail("Values of cache region \"%s\" and others are not stored any more; the limit is %d kB.",
					   region->name, dogpile_max_pending_size_kb),
			 errhint("Increase \"dogpile.max_pending_size\", or commit more often.")));
}

/*
 * Find the entry that this transaction is about to store under a key.
 *
 * Returns the latest entry, whether or not it was invalidated since, or NULL.
 * It belongs to the log, and stays there until the key is set again.
 *
 * Errors: none.
 */
const DogpilePendingEntry *
dogpile_xact_find_entry(const DogpileKey *key)
{
	DogpileChange *change;

	if (dogpile_xact_nstores == 0)
		return NULL;
	change = find_store(dogpile_position_get(&key_positions, key->hash, STORED), key);
	return change ? change->u.entry : NULL;
}

/*
 * Has this transaction invalidated any of these slots after a position of its log?
 *
 * since: a pending entry's position, or 0 for an entry from a store.
 *
 * Errors: none.
 */
DogpileInvalidation
dogpile_xact_get_invalidation(const DogpileDeps *deps, DogpileLogPosition since)
{
	DogpileInvalidation result = DOGPILE_NOT_INVALIDATED;

	if (dogpile_xact_npending == 0)
		return result;
	for (int i = 0; i < deps->count; i++)
	{
		DogpilePosition *position = dogpile_position_find(&slot_positions,
														  dogpile_deps_slot(deps, i));
		const DogpileChange *soft = position ? position->last[false] : NULL;
		const DogpileChange *hard = position ? position->last[true] : NULL;

		if (hard && hard->position > since)
			return DOGPILE_HARD_INVALIDATED;
		if (soft && soft->position > since)
			result = DOGPILE_SOFT_INVALIDATED;
	}
	return result;
}

/* --------------------------------------------------------------------
 * Subtransactions
 * --------------------------------------------------------------------
 */

/* Undo the last change. */
static void
pop_change(DogpileChange *change)
{
	switch (change->kind)
	{
		case DOGPILE_CHANGE_INVALIDATE:
			dogpile_position_set(&slot_positions, change->u.invalidate.slot,
								 change->u.invalidate.hard, change->superseded);
			break;
		case DOGPILE_CHANGE_REMOVE:
			dogpile_position_set(&key_positions, change->u.remove.key->hash, REMOVED, NULL);
			pending_bytes -= removal_size(change->u.remove.key);
			pfree(change->u.remove.key);
			break;
		case DOGPILE_CHANGE_STORE:
			dogpile_position_set(&key_positions, change->u.entry->key->hash, STORED,
								 change->superseded);
			free_pending(change->u.entry);
			dogpile_xact_nstores--;
			break;
	}
	dlist_delete(&change->node);
	dogpile_xact_npending--;
	pfree(change);
}

/* The last change, if it is one of this subtransaction; else NULL. */
static DogpileChange *
last_change_of(SubTransactionId subid)
{
	DogpileChange *change;

	if (dlist_is_empty(&dogpile_xact_log))
		return NULL;
	change = dlist_tail_element(DogpileChange, node, &dogpile_xact_log);
	return change->subid == subid ? change : NULL;
}

/* A subtransaction is rolled back: undo its changes. */
static void
undo_subtransaction(SubTransactionId subid)
{
	DogpileChange *change;

	/* The log differs from what it was at any earlier position. */
	last_position++;
	while ((change = last_change_of(subid)) != NULL)
		pop_change(change);
}

/* A change that now belongs to the parent replaces the parent's own. */
static void
replace_same(DogpileChange *change)
{
	DogpileChange *same = NULL;

	if (change->kind == DOGPILE_CHANGE_INVALIDATE)
		same = change->superseded;
	else if (change->kind == DOGPILE_CHANGE_STORE)
		same = find_store(change->superseded, change->u.entry->key);
	if (same != NULL && same->subid == change->subid)
		drop_superseded(change, same);
}

/* A subtransaction is released: its changes now belong to its parent. */
static void
pass_log_to_parent(SubTransactionId subid, SubTransactionId parent)
{
	DogpileChange *change = last_change_of(subid);

	while (change != NULL && change->subid == subid)
	{
		change->subid = parent;
		replace_same(change);
		change = dlist_has_prev(&dogpile_xact_log, &change->node) ?
			dlist_container(DogpileChange, node,
							dlist_prev_node(&dogpile_xact_log, &change->node)) : NULL;
	}
}

/* --------------------------------------------------------------------
 * The end of the transaction
 * --------------------------------------------------------------------
 */

/* PRE_PREPARE: another session may commit the transaction, without this log. */
static void
refuse_prepare(void)
{
	if (dogpile_xact_npending > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has changed cache entries")));
}

/* Forget everything; the memory goes with the transaction. */
static void
forget_log(bool is_commit)
{
	dlist_init(&dogpile_xact_log);
	dogpile_xact_npending = 0;
	dogpile_xact_nstores = 0;
	pending_bytes = 0;
	is_full_reported = false;
	dogpile_position_reset(&slot_positions);
	dogpile_position_reset(&key_positions);
}

const DogpileParticipant dogpile_xact_participant = {
	.pre_prepare = refuse_prepare,
	.end = forget_log,
	.subcommit = pass_log_to_parent,
	.subabort = undo_subtransaction
};
