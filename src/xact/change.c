/*-------------------------------------------------------------------------
 *
 * change.c
 *	  What this transaction has changed in tables and catalogs.
 *
 * Nothing is recorded while statements run.  When the transaction is about to commit,
 * PostgreSQL itself knows what was changed, by whatever means, and has forgotten what
 * was rolled back:
 *
 *		Rows		Each table access method counts, for each relation and
 *					subtransaction, the rows that are inserted, updated and deleted
 *					(pgstat_relation.c).  That covers COPY, foreign keys, triggers
 *					and apply workers, and a statement that changes no row does not
 *					count.
 *		Locks		If these counts were switched off (track_counts), a relation
 *					counts as changed if a lock is held that allows changes.
 *		Catalogs	The messages that the transaction is about to send tell what was
 *					changed in catalogs (catalog.c).
 *
 * Before the end of the transaction, the same counts and locks tell what its own queries
 * see differently from those of other sessions.
 *
 * At PRE_COMMIT, the slots of what was changed are marked (invalidate.c); commit.c lets
 * the invalidations take effect.  Other modules may write after that, in callbacks of
 * their own.  Their rows are counted as well, so the counts are read again at COMMIT.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/change.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/pgstat_internal.h"

#include "lib/compat.h"
#include "lib/lwlock_check.h"
#include "version/object.h"
#include "xact/catalog.h"
#include "xact/change.h"
#include "xact/held_lock.h"
#include "xact/invalidate.h"

/* How many changed rows of a relation were turned into tags; see watch.c. */
typedef struct SeenRows
{
	Oid			relid;
	SubTransactionId subid;
	int64		rows;
	struct SeenRows *next;
} SeenRows;

/* Called with a changed relation; whole: not only rows that were turned into tags. */
typedef void (*RelationCallback) (Oid relid, bool whole, void *arg);

/* May the transaction have changed rows, and when do changes take effect? */
static bool may_have_changed = false;	/* from PRE_COMMIT on */
static DogpileMoment moment = DOGPILE_AT_COMMIT;

/* The innermost subtransaction first; in TopTransactionContext. */
static SeenRows *seen_rows = NULL;

/* Has the transaction run anything while track_counts was off? */
static bool is_uncounted = false;

/* --------------------------------------------------------------------
 * Rows and locks
 * --------------------------------------------------------------------
 */

/* Does this transaction have an id?  Without one, it has changed nothing. */
static inline bool
has_xid(void)
{
	return TransactionIdIsValid(GetTopTransactionIdIfAny());
}

/* How many rows of a relation were changed, in all subtransactions. */
static int64
count_changed_rows(const PgStat_TableStatus *table)
{
	int64		rows = 0;

	for (PgStat_TableXactStatus *trans = table->trans; trans != NULL; trans = trans->upper)
		rows += trans->tuples_inserted + trans->tuples_updated + trans->tuples_deleted;
	return rows;
}

static int64
count_seen_rows(Oid relid)
{
	int64		rows = 0;

	for (SeenRows *seen = seen_rows; seen != NULL; seen = seen->next)
		if (seen->relid == relid)
			rows += seen->rows;
	return rows;
}

/*
 * Call the callback with each relation of which rows were counted, perhaps repeatedly.
 *
 * TRUNCATE needs no attention: it gives the relation a new file, which others are told
 * of by a message (catalog.c).  If it empties the file in place instead, then this
 * transaction has created the file, and there is a message about that.
 *
 * Errors: out of memory if this is the first call at the current level of
 * subtransactions.
 */
static void
tell_counted(RelationCallback callback, void *arg)
{
	PgStat_SubXactStatus *level =
		pgstat_get_xact_stack_level(GetCurrentTransactionNestLevel());

	for (; level != NULL; level = level->prev)
		for (PgStat_TableXactStatus *trans = level->first; trans != NULL; trans = trans->next)
		{
			Oid			relid = dogpile_pgstat_relid_compat(trans->parent);
			int64		rows;

			if (!dogpile_catalog_is_of_interest(relid))
				continue;
			rows = count_changed_rows(trans->parent);
			if (rows > 0)
				callback(relid, rows != count_seen_rows(relid), arg);
		}
}

/* Call the callback with each relation whose lock allows changes. */
static void
tell_changeable(RelationCallback callback, void *arg)
{
	DogpileHeldLocks locks;
	const LockInstanceData *lock;

	dogpile_held_lock_open_own(&locks);
	while ((lock = dogpile_held_lock_next(&locks)) != NULL)
	{
		Oid			relid = dogpile_held_lock_changeable(lock);

		if (OidIsValid(relid))
			callback(relid, true, arg);
	}
	dogpile_held_lock_close(&locks);
}

/*
 * Call the callback with each relation whose rows may have been changed.
 *
 * Errors: as tell_counted().
 */
static void
tell_changed(RelationCallback callback, void *arg)
{
	tell_counted(callback, arg);
	if (is_uncounted || !pgstat_track_counts)
		tell_changeable(callback, arg);
}

/*
 * Count a changed row of a relation, for which tags were invalidated.
 *
 * Errors: out of memory.
 */
void
dogpile_change_count_seen(Oid relid)
{
	SubTransactionId subid = GetCurrentSubTransactionId();
	SeenRows   *seen = seen_rows;

	while (seen != NULL && seen->subid == subid && seen->relid != relid)
		seen = seen->next;
	if (seen == NULL || seen->subid != subid)
	{
		seen = MemoryContextAlloc(TopTransactionContext, sizeof(SeenRows));
		seen->relid = relid;
		seen->subid = subid;
		seen->rows = 0;
		seen->next = seen_rows;
		seen_rows = seen;
	}
	seen->rows++;
}

/* A subtransaction is rolled back: forget what it has counted. */
static void
forget_seen(SubTransactionId subid)
{
	while (seen_rows != NULL && seen_rows->subid == subid)
	{
		SeenRows   *next = seen_rows->next;

		pfree(seen_rows);
		seen_rows = next;
	}
}

/* What the parent of a subtransaction has counted of a relation, or NULL. */
static SeenRows *
find_seen(SeenRows *seen, Oid relid, SubTransactionId parent)
{
	while (seen != NULL && (seen->subid > parent ||
							(seen->subid == parent && seen->relid != relid)))
		seen = seen->next;
	return seen != NULL && seen->subid == parent ? seen : NULL;
}

/* A subtransaction is released: its counts now belong to its parent. */
static void
pass_on_seen(SubTransactionId subid, SubTransactionId parent)
{
	SeenRows  **link = &seen_rows;

	while (*link != NULL && (*link)->subid == subid)
	{
		SeenRows   *seen = *link;
		SeenRows   *same = find_seen(seen->next, seen->relid, parent);

		if (same == NULL)
		{
			link = &seen->next;
			continue;
		}
		same->rows += seen->rows;
		*link = seen->next;
		pfree(seen);
	}
	for (SeenRows *seen = seen_rows; seen != NULL && seen->subid == subid; seen = seen->next)
		seen->subid = parent;
}

/*
 * Note that a statement is about to run.
 *
 * Errors: none.
 */
void
dogpile_change_note_statement(DogpileStatement kind)
{
	if (!pgstat_track_counts)
		is_uncounted = true;
	dogpile_catalog_note_statement(kind);
}

/* --------------------------------------------------------------------
 * What the transaction sees differently from others
 * --------------------------------------------------------------------
 */

/* What is looked for among changed relations. */
typedef struct Search
{
	const DogpileDeps *deps;
	bool		found;
} Search;

static void
search_relation(Oid relid, bool whole, void *arg)
{
	Search	   *search = arg;

	if (!search->found)
		search->found = dogpile_deps_has_object(search->deps, dogpile_object_rows(relid)) ||
			(whole && dogpile_deps_has_object(search->deps, dogpile_object_relation(relid)));
}

/*
 * Has this transaction itself changed anything that an entry depends on?  If so, it
 * must not use the stored entry, nor store a value that it has computed.
 *
 * Errors: out of memory, but not from PRE_COMMIT on.
 */
bool
dogpile_change_affects(const DogpileDeps *deps)
{
	Search		search = {.deps = deps,.found = false};

	if (deps->tags == NULL || deps->tags->nobjects == 0 || !has_xid())
		return false;
	if (dogpile_catalog_affects(deps))
		return true;
	tell_changed(search_relation, &search);
	return search.found;
}

/* --------------------------------------------------------------------
 * The end of the transaction
 * --------------------------------------------------------------------
 */

static void
add_changed_relation(Oid relid, bool whole, void *arg)
{
	dogpile_invalidate_add(dogpile_object_rows(relid), true, moment);
	if (whole)
		dogpile_invalidate_add(dogpile_object_relation(relid), true, moment);
}

static void
add_definition(DogpileSlot slot)
{
	dogpile_invalidate_add(slot, true, DOGPILE_WHEN_TOLD);
}

/*
 * PRE_COMMIT: find out what the transaction has changed, and mark its slots.
 *
 * If it has changed catalogs, all changes take effect after the messages: until then,
 * other sessions may see either state of the catalogs, whatever their snapshots.
 *
 * Errors: out of memory; those of looking at catalogs.
 */
void
dogpile_change_mark(void)
{
	if (!has_xid())
		return;
	may_have_changed = true;
	if (dogpile_catalog_collect(add_definition))
		moment = DOGPILE_WHEN_TOLD;
	tell_changed(add_changed_relation, NULL);
	dogpile_invalidate_make_unique();
	dogpile_invalidate_mark(moment == DOGPILE_WHEN_TOLD ? InvalidTransactionId :
							GetTopTransactionIdIfAny());
}

/*
 * COMMIT: may the transaction have changed rows?  Another module may have started to
 * write after dogpile_change_mark().
 *
 * Errors: none.
 */
bool
dogpile_change_see_commit(void)
{
	may_have_changed = may_have_changed || has_xid();
	return may_have_changed;
}

/* Do changes of rows take effect at this moment? */
static bool
is_moment(DogpileMoment when)
{
	return may_have_changed && moment == when;
}

/*
 * Does an entry depend on a relation whose rows are counted as changed?  Called at
 * COMMIT, for rows that another module has changed after dogpile_change_mark().
 *
 * Errors: none.
 */
bool
dogpile_change_affects_late(const DogpileDeps *deps)
{
	Search		search = {.deps = deps,.found = false};

	if (deps->tags != NULL && deps->tags->nobjects > 0 && may_have_changed)
		tell_counted(search_relation, &search);
	return search.found;
}

static void
check_wanted(Oid relid, bool whole, void *arg)
{
	bool	   *wanted = arg;

	*wanted = *wanted || dogpile_version_is_watched(dogpile_object_rows(relid)) ||
		(whole && dogpile_version_is_watched(dogpile_object_relation(relid)));
}

/*
 * Is any relation watched whose rows are counted as changed?  This includes those that
 * another module has changed after dogpile_change_mark().
 *
 * Errors: none.
 */
bool
dogpile_change_is_wanted(DogpileMoment when)
{
	bool		wanted = false;

	if (is_moment(when))
		tell_counted(check_wanted, &wanted);
	return wanted;
}

static void
bump_relation_locked(Oid relid, bool whole, void *arg)
{
	DogpileAssertHeld(dogpile_version_lock, LW_EXCLUSIVE);
	dogpile_invalidate_bump_locked(arg, dogpile_object_rows(relid), true);
	if (whole)
		dogpile_invalidate_bump_locked(arg, dogpile_object_relation(relid), true);
}

/* Bump the slots of those relations.  Errors: none.  Locks: the version lock is held. */
void
dogpile_change_bump_locked(const DogpileTick *tick, DogpileMoment when)
{
	DogpileAssertHeld(dogpile_version_lock, LW_EXCLUSIVE);
	if (is_moment(when))
		tell_counted(bump_relation_locked, unconstify(DogpileTick *, tick));
}

/* Do changes take effect only after the messages?  Errors: none. */
bool
dogpile_change_is_to_be_told(void)
{
	return moment == DOGPILE_WHEN_TOLD;
}

/* Forget the changes: they have taken effect, or were rolled back.  Errors: none. */
void
dogpile_change_forget(void)
{
	may_have_changed = false;
	moment = DOGPILE_AT_COMMIT;
	seen_rows = NULL;
}

/* The transaction is over. */
static void
forget_transaction(bool is_commit)
{
	is_uncounted = false;
	dogpile_version_forget_snapshot();
}

const DogpileParticipant dogpile_change_participant = {
	.end = forget_transaction,
	.subcommit = pass_on_seen,
	.subabort = forget_seen
};
