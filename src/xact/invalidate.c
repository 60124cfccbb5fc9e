/*-------------------------------------------------------------------------
 *
 * invalidate.c
 *	  The slots that a transaction invalidates when it commits.
 *
 * One list holds all of them: those that the user has invalidated (xact.c), those of
 * rows and definitions that were changed (change.c), and those of a prepared transaction
 * that is about to be committed (prepared.c).
 *
 *		PRE_COMMIT	Slots are added, each with the kind of its invalidation and the
 *					moment when it takes effect, and then marked.
 *		COMMIT		The slots of this moment are bumped and unmarked.
 *		messages	The same for the other slots, after the messages were sent.
 *		ABORT		Slots are unmarked.
 *
 * version.c explains marks and bumps.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/invalidate.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/qunique.h"
#include "utils/memutils.h"

#include "lib/lwlock_check.h"
#include "xact/invalidate.h"

/* A slot that is to be invalidated. */
typedef struct Invalidation
{
	DogpileSlot slot;
	bool		hard;
	bool		is_marked;
	bool		is_late;		/* DOGPILE_WHEN_TOLD, else DOGPILE_AT_COMMIT */
} Invalidation;

/*
 * In the order of their addition, so those of a prepared transaction are first, and
 * marked ones precede others.  In TopTransactionContext.
 */
static Invalidation *list = NULL;
static int	count = 0;
static int	max_count = 0;
static int	nmarked = 0;

/* How many take effect even if this transaction is rolled back. */
static int	nkept = 0;

/*
 * Add a slot.  dogpile_invalidate_mark() must follow before the commit.
 *
 * Errors: out of memory.
 */
void
dogpile_invalidate_add(DogpileSlot slot, bool hard, DogpileMoment when)
{
	Invalidation *added;

	if (count == max_count)
	{
		int			size = Max(64, 2 * max_count);

		list = list == NULL ?
			MemoryContextAlloc(TopTransactionContext, size * sizeof(Invalidation)) :
			repalloc_huge(list, size * sizeof(Invalidation));
		max_count = size;
	}
	added = &list[count++];
	added->slot = slot;
	added->hard = hard;
	added->is_marked = false;
	added->is_late = when == DOGPILE_WHEN_TOLD;
}

static int
compare_invalidations(const void *a, const void *b)
{
	const Invalidation *x = a;
	const Invalidation *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	if (x->hard != y->hard)
		return x->hard - y->hard;
	return x->is_late - y->is_late;
}

/* Remove duplicates from the slots that are not marked yet.  Errors: none. */
void
dogpile_invalidate_make_unique(void)
{
	int			nadded = count - nmarked;

	if (nadded <= 1)
		return;
	qsort(list + nmarked, nadded, sizeof(Invalidation), compare_invalidations);
	count = nmarked + qunique(list + nmarked, nadded, sizeof(Invalidation),
							  compare_invalidations);
}

/*
 * Mark the slots that are not marked yet.
 *
 * xid: of the transaction whose commit makes the changes visible; InvalidTransactionId
 *		if other sessions may see them whatever their snapshots.
 *
 * Errors: none.
 */
void
dogpile_invalidate_mark(TransactionId xid)
{
	for (; nmarked < count; nmarked++)
	{
		dogpile_version_mark(list[nmarked].slot, xid);
		list[nmarked].is_marked = true;
	}
}

/*
 * The marked slots are those of a prepared transaction that is about to be committed:
 * let them take effect even if this transaction is rolled back.  Errors: none.
 */
void
dogpile_invalidate_keep_on_abort(void)
{
	nkept = nmarked;
}

static void
unmark_one(Invalidation *invalidation)
{
	if (invalidation->is_marked)
		dogpile_version_unmark(invalidation->slot);
	invalidation->is_marked = false;
}

/* The transaction is rolled back: unmark and forget all slots but the kept ones. */
void
dogpile_invalidate_abort(void)
{
	for (int i = nkept; i < count; i++)
		unmark_one(&list[i]);
	count = nmarked = nkept;
}

/* Does an invalidation take effect at this moment? */
static inline bool
is_of(const Invalidation *invalidation, DogpileMoment when)
{
	return invalidation->is_late == (when == DOGPILE_WHEN_TOLD);
}

/* Is there any slot in the list?  Errors: none. */
bool
dogpile_invalidate_has_any(void)
{
	return count > 0;
}

/* Is there any slot of this moment?  Errors: none. */
bool
dogpile_invalidate_is_pending(DogpileMoment when)
{
	for (int i = 0; i < count; i++)
		if (is_of(&list[i], when))
			return true;
	return false;
}

/*
 * Must a slot be bumped?  The slot of an object need not if no entry may depend on it;
 * see version.c.
 */
static inline bool
is_slot_wanted(DogpileSlot slot, bool has_readers)
{
	return has_readers || slot < dogpile_version_first_object() ||
		dogpile_version_is_watched(slot);
}

/*
 * Must any slot of this moment be bumped?  Called after the commit is visible.
 *
 * Errors: none.
 */
bool
dogpile_invalidate_is_wanted(DogpileMoment when, bool has_readers)
{
	for (int i = 0; i < count; i++)
		if (is_of(&list[i], when) && is_slot_wanted(list[i].slot, has_readers))
			return true;
	return false;
}

/* Bump a slot if an entry may depend on it.  Locks: the version lock is held. */
void
dogpile_invalidate_bump_locked(const DogpileTick *tick, DogpileSlot slot, bool hard)
{
	DogpileAssertHeld(dogpile_version_lock, LW_EXCLUSIVE);
	if (is_slot_wanted(slot, tick->has_readers))
		dogpile_version_bump(slot, hard, tick->at, tick->next_xid);
}

/*
 * Bump slots of this moment.
 *
 * from: where the last call has stopped; 0 for the first call.
 * max: how many to look at in this call.
 *
 * Returns where the next call has to begin, or -1 if there are no more.
 *
 * Errors: none.  Locks: the version lock is held.
 */
int
dogpile_invalidate_bump_some_locked(const DogpileTick *tick, DogpileMoment when,
									int from, int max)
{
	int			end = max < count - from ? from + max : count;

	DogpileAssertHeld(dogpile_version_lock, LW_EXCLUSIVE);
	for (int i = from; i < end; i++)
		if (is_of(&list[i], when))
			dogpile_invalidate_bump_locked(tick, list[i].slot, list[i].hard);
	return end < count ? end : -1;
}

/* Unmark the slots of this moment, after they were bumped.  Errors: none. */
void
dogpile_invalidate_unmark(DogpileMoment when)
{
	for (int i = 0; i < count; i++)
		if (is_of(&list[i], when))
			unmark_one(&list[i]);
}

/* Forget all slots, of which none is marked any more.  Errors: none. */
void
dogpile_invalidate_forget(void)
{
	for (int i = 0; i < count; i++)
		Assert(!list[i].is_marked);

	/* The memory goes with the transaction. */
	list = NULL;
	count = max_count = nmarked = nkept = 0;
}
