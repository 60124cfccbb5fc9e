/*-------------------------------------------------------------------------
 *
 * invalidate.c
 *	  The slots that a transaction invalidates when it commits.
 *
 * One list has all of them, whether the user has invalidated something (xact.c), rows
 * or definitions were changed (change.c), or another transaction's changes are about
 * to be committed (prepared.c).  It is made at PRE_COMMIT:
 *
 *		add		a slot, how it is invalidated, and when that takes effect
 *		mark	each slot that was added, which others see from then on
 *		bump	each slot whose moment has come, with few ticks for all
 *		unmark	the same slots
 *
 * Marks and bumps are explained in version.c.
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
 * In the order in which they were added: those of a prepared transaction first, the
 * marked ones before those that are not yet.  In TopTransactionContext.
 */
static Invalidation *list = NULL;
static int	count = 0;
static int	max_count = 0;
static int	nmarked = 0;

/* So many take effect even if this transaction is rolled back. */
static int	nkept = 0;

/*
 * Add a slot that is to be invalidated, once dogpile_invalidate_mark() was called.
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

/* Leave each slot only once in what was added since the last marks.  Errors: none. */
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
 * Mark what was added since the last call.
 *
 * xid: of the transaction with whose commit the changes will be visible, or none if
 *		others may see them apart from it.
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
 * What is marked is of another transaction, which is about to be committed: it takes
 * effect at the end of this transaction even if that is rolled back.  Errors: none.
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

/* The transaction is rolled back: forget all but what is kept.  Errors: none. */
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

/* Is there anything in the list?  Errors: none. */
bool
dogpile_invalidate_has_any(void)
{
	return count > 0;
}

/* Is there anything that takes effect at this moment?  Errors: none. */
bool
dogpile_invalidate_is_pending(DogpileMoment when)
{
	for (int i = 0; i < count; i++)
		if (is_of(&list[i], when))
			return true;
	return false;
}

/*
 * Must a slot be bumped?  If it is one of an object, only if an entry may depend on it;
 * see version.c.
 */
static inline bool
is_slot_wanted(DogpileSlot slot, bool has_readers)
{
	return has_readers || slot < dogpile_version_first_object() ||
		dogpile_version_is_watched(slot);
}

/*
 * Must any slot be bumped whose moment has come?
 *
 * Errors: none.  Called after the commit is visible.
 */
bool
dogpile_invalidate_is_wanted(DogpileMoment when, bool has_readers)
{
	for (int i = 0; i < count; i++)
		if (is_of(&list[i], when) && is_slot_wanted(list[i].slot, has_readers))
			return true;
	return false;
}

/* Bump a slot, if anything may depend on it.  Locks: the version lock is held. */
void
dogpile_invalidate_bump_locked(const DogpileTick *tick, DogpileSlot slot, bool hard)
{
	DogpileAssertHeld(dogpile_version_lock, LW_EXCLUSIVE);
	if (is_slot_wanted(slot, tick->has_readers))
		dogpile_version_bump(slot, hard, tick->at, tick->next_xid);
}

/*
 * Bump slots whose moment has come.
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

/* What takes effect at this moment has done so: take the marks away.  Errors: none. */
void
dogpile_invalidate_unmark(DogpileMoment when)
{
	for (int i = 0; i < count; i++)
		if (is_of(&list[i], when))
			unmark_one(&list[i]);
}

/* Forget all of it, of which nothing is marked any more.  Errors: none. */
void
dogpile_invalidate_forget(void)
{
	for (int i = 0; i < count; i++)
		Assert(!list[i].is_marked);

	/* The memory goes with the transaction. */
	list = NULL;
	count = max_count = nmarked = nkept = 0;
}
