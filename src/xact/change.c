/*-------------------------------------------------------------------------
 *
 * change.c
 *	  What this transaction has changed, and its end.
 *
 * Nothing is noted while statements run.  When the transaction is about to
 * commit, PostgreSQL itself knows what it has changed, whatever did it, and has
 * forgotten what was rolled back:
 *
 *		Rows		Each table access method counts, for each relation and
 *					subtransaction, the rows that it inserts, updates and deletes
 *					(pgstat_relation.c).  So COPY, foreign keys,
 *					triggers and apply workers need no attention, and a statement
 *					that changed no row leaves no trace.
 *		Locks		Where these counts were switched off (track_counts), a relation
 *					counts as changed if the lock is held that changes take.
 *		Catalogs	What has changed in them is in the messages that the transaction
 *					is about to send (catalog.c).
 *
 * Before the end of the transaction the same counts and locks tell what its own
 * queries see differently from all others.
 *
 * At PRE_COMMIT, the slots of what was changed are marked (invalidate.c), and commit.c
 * lets that take effect.  Other modules may write later than that, in callbacks of their
 * own; the rows that they change are counted as well, so counts are looked at once more.
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

/* How many changes of a relation were turned into tags; see watch.c. */
typedef struct SeenRows
{
	Oid			relid;
	SubTransactionId subid;
	int64		rows;
	struct SeenRows *next;
} SeenRows;

/* Told of a relation that was changed, apart from its rows or not. */
typedef void (*RelationCallback) (Oid relid, bool whole, void *arg);

/* Has the transaction perhaps changed rows, and when does that take effect? */
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

/* Does this transaction have an id?  Else it has changed nothing. */
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
 * Tell of the relations whose rows were counted as changed, some perhaps twice.
 *
 * TRUNCATE need not be looked for: it gives the relation another file, of which others
 * are told (catalog.c).  Where it does not, but empties the file in place, this
 * transaction has made that file, and has told of it then.
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

/* Tell of the relations that are locked so that they could have been changed. */
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
 * Tell of all relations that may have changed other than by their definition.
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
 * Count a row of this relation that was changed, and whose changes have been
 * turned into invalidations of tags.
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

/* Forget what a subtransaction has counted that was rolled back. */
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

/* What a subtransaction has counted belongs to its parent now. */
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
 * What the transaction sees differently
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
 * Has this transaction itself changed any object that an entry depends on?
 * Then it sees something else than what is stored, and nothing that it has
 * computed is to be stored.
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
 * PRE_COMMIT: find out what the transaction has changed, and mark that.
 *
 * If it has changed catalogs, all takes effect when others have been told; until then
 * they read catalogs as they are now or as they were, whatever their snapshot.
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
 * COMMIT: has the transaction perhaps changed any rows?  Another module may have begun
 * to write after our PRE_COMMIT.
 *
 * Errors: none.
 */
bool
dogpile_change_see_commit(void)
{
	may_have_changed = may_have_changed || has_xid();
	return may_have_changed;
}

/* Do changes of rows, and any later than our PRE_COMMIT, take effect at this moment? */
static bool
is_moment(DogpileMoment when)
{
	return may_have_changed && moment == when;
}

/*
 * Has another module changed, since PRE_COMMIT, what an entry depends on?
 *
 * Errors: none.  Called at COMMIT.
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
 * Has another module changed, since PRE_COMMIT, a relation on which entries depend?
 * Those that were changed before are looked at once more.
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

/* Bump the slots of those.  Errors: none.  Locks: the version lock is held. */
void
dogpile_change_bump_locked(const DogpileTick *tick, DogpileMoment when)
{
	DogpileAssertHeld(dogpile_version_lock, LW_EXCLUSIVE);
	if (is_moment(when))
		tell_counted(bump_relation_locked, unconstify(DogpileTick *, tick));
}

/* Does anything take effect only when others have been told?  Errors: none. */
bool
dogpile_change_is_to_be_told(void)
{
	return moment == DOGPILE_WHEN_TOLD;
}

/* All that was changed has taken effect, or was rolled back.  Errors: none. */
void
dogpile_change_forget(void)
{
	may_have_changed = false;
	moment = DOGPILE_AT_COMMIT;
	seen_rows = NULL;
}

/* The transaction is over; what it has noted is forgotten. */
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
