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
 * At the end:
 *
 *		PRE_COMMIT	the slots of what was changed are collected and marked
 *		COMMIT		those that are watched are bumped, and the marks taken away; if
 *					there are messages, only after these have been sent
 *		ABORT		the marks are taken away
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
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/pgstat_internal.h"

#include "lib/compat.h"
#include "lib/stop.h"
#include "version/object.h"
#include "xact/catalog.h"
#include "xact/change.h"

/* Slots in memory that grows; kept from one transaction to the next. */
typedef struct SlotList
{
	DogpileSlot *slots;
	int			count;
	int			max;
} SlotList;

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

/* What is about to be invalidated, of which the first are marked. */
static SlotList changed = {NULL, 0, 0};
static int	nmarked = 0;
static bool is_prepared = false;	/* has PRE_COMMIT been here? */
static bool sends_messages = false; /* after COMMIT has been here */
static bool must_commit = false;	/* even if this transaction aborts */

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

/* Does a lock that is held allow its holder to change a relation?  Errors: none. */
bool
dogpile_change_is_allowed_by(const LockInstanceData *lock)
{
	const LOCKMASK modes = LOCKBIT_ON(RowExclusiveLock) |
		LOCKBIT_ON(ShareRowExclusiveLock) | LOCKBIT_ON(ExclusiveLock) |
		LOCKBIT_ON(AccessExclusiveLock);

	return (lock->holdMask & modes) != 0 &&
		lock->locktag.locktag_type == LOCKTAG_RELATION &&
		lock->locktag.locktag_field1 == MyDatabaseId &&
		dogpile_catalog_is_of_interest(lock->locktag.locktag_field2);
}

/*
 * Tell of the relations that are locked so that they could have been changed.  There
 * is no way to a session's own locks but through those of all.
 */
static void
tell_locked(RelationCallback callback, void *arg)
{
	LockData   *locks = GetLockStatusData();

	for (int i = 0; i < locks->nelements; i++)
		if (locks->locks[i].pid == MyProcPid &&
			dogpile_change_is_allowed_by(&locks->locks[i]))
			callback(locks->locks[i].locktag.locktag_field2, true, arg);
	pfree(locks->locks);
	pfree(locks);
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
		tell_locked(callback, arg);
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

/*
 * Note that a slot is to be invalidated at COMMIT.
 *
 * Errors: out of memory.
 */
void
dogpile_change_add(DogpileSlot slot)
{
	if (changed.count == changed.max)
	{
		int			max = Max(64, 2 * changed.max);

		/* It stays, because a commit may have many and must not fail. */
		changed.slots = changed.slots == NULL ?
			MemoryContextAlloc(TopMemoryContext, max * sizeof(DogpileSlot)) :
			repalloc_huge(changed.slots, max * sizeof(DogpileSlot));
		changed.max = max;
	}
	changed.slots[changed.count++] = slot;
}

static void
add_relation(Oid relid, bool whole, void *arg)
{
	dogpile_change_add(dogpile_object_rows(relid));
	if (whole)
		dogpile_change_add(dogpile_object_relation(relid));
}

/*
 * PRE_COMMIT: find out what the transaction has changed, and mark that.
 *
 * Errors: out of memory.
 */
void
dogpile_change_prepare(void)
{
	if (!has_xid())
		return;
	is_prepared = true;
	tell_changed(add_relation, NULL);
	sends_messages = dogpile_catalog_collect(dogpile_change_add);

	/* Catalogs are read as they are now, whatever a query's snapshot. */
	dogpile_change_mark(sends_messages ? InvalidTransactionId :
						GetTopTransactionIdIfAny());
}

/*
 * Mark what was noted, each slot once.
 *
 * xid: of the transaction with whose commit the changes will be visible.
 *
 * Errors: none.
 */
void
dogpile_change_mark(TransactionId xid)
{
	Assert(nmarked == 0);
	changed.count = dogpile_version_make_unique(changed.slots, changed.count);
	for (; nmarked < changed.count; nmarked++)
		dogpile_version_mark(changed.slots[nmarked], xid);
}

/* Has this transaction marked anything that it has changed? */
bool
dogpile_change_is_marked(void)
{
	return nmarked > 0;
}

/* Does anybody want to know of changes of this slot?  See version.c. */
static bool
is_wanted(DogpileSlot slot, bool has_readers)
{
	return has_readers || dogpile_version_is_watched(slot);
}

/* When changes take effect. */
typedef struct Tick
{
	DogpileClock at;
	uint64		next_xid;
	bool		has_readers;
} Tick;

static void
bump_locked(const Tick *tick, DogpileSlot slot)
{
	if (is_wanted(slot, tick->has_readers))
		dogpile_version_bump(slot, true, tick->at, tick->next_xid);
}

static void
bump_relation_locked(Oid relid, bool whole, void *arg)
{
	bump_locked(arg, dogpile_object_rows(relid));
	if (whole)
		bump_locked(arg, dogpile_object_relation(relid));
}

/* Bump what was noted, and what another module has changed since PRE_COMMIT. */
static void
enter_changes(bool has_readers)
{
	Tick		tick = {
		.next_xid = U64FromFullTransactionId(ReadNextFullTransactionId()),
		.has_readers = has_readers
	};

	tick.at = dogpile_version_begin_tick();
	for (int i = 0; i < changed.count; i++)
		bump_locked(&tick, changed.slots[i]);
	if (is_prepared)
		tell_counted(bump_relation_locked, &tick);
	dogpile_version_end_tick();
}

/* Note a relation of which somebody wants to know. */
static void
check_wanted(Oid relid, bool whole, void *arg)
{
	bool	   *wanted = arg;

	*wanted = *wanted || dogpile_version_is_watched(dogpile_object_rows(relid)) ||
		(whole && dogpile_version_is_watched(dogpile_object_relation(relid)));
}

/* Take the marks away. */
static void
unmark(void)
{
	for (int i = 0; i < nmarked; i++)
		dogpile_version_unmark(changed.slots[i]);
	nmarked = 0;
	changed.count = 0;
	is_prepared = false;
	sends_messages = false;
	must_commit = false;
	seen_rows = NULL;
}

/* Let the changes take effect, which are visible now. */
static void
finish(void)
{
	bool		wanted = false;
	bool		has_readers;

	if (sends_messages)
		dogpile_stop(DOGPILE_STOP_TOLD);

	/* The order of these two, and of both after visibility, is essential. */
	pg_memory_barrier();
	has_readers = dogpile_version_has_readers();
	for (int i = 0; i < changed.count && !wanted; i++)
		wanted = is_wanted(changed.slots[i], has_readers);
	if (is_prepared && !wanted)
		tell_counted(check_wanted, &wanted);
	if (wanted)
		enter_changes(has_readers);
	if (changed.count > 0)
		dogpile_stop(DOGPILE_STOP_TICKED);
	unmark();
}

/*
 * COMMIT: the changes are visible now; let nobody be given what was computed
 * without them.
 *
 * Not everybody knows yet of changes of catalogs.  As long as it takes to tell them,
 * the marks stay; see dogpile_change_told().
 *
 * Errors: none.  Locks: takes the version lock, if anything was changed on which
 * an entry depends.
 */
void
dogpile_change_commit(void)
{
	/* Another module may have begun to write after our PRE_COMMIT. */
	is_prepared = is_prepared || has_xid();
	if ((changed.count > 0 || is_prepared) && !sends_messages)
		finish();
}

/*
 * The messages have been sent: let the changes take effect that have waited for that.
 *
 * Errors, locks: as above.
 */
void
dogpile_change_told(void)
{
	if (sends_messages)
		finish();
}

/*
 * ABORT: nothing was changed; unless it is another transaction that we have
 * committed, or were about to, when this one has failed.
 *
 * Errors: none.
 */
void
dogpile_change_abort(void)
{
	is_prepared = false;
	if (must_commit)
		finish();
	unmark();
}

/*
 * Another, prepared, transaction is about to be committed.  What was noted and
 * marked is invalidated from now on even if this transaction aborts.
 */
void
dogpile_change_set_foreign(void)
{
	must_commit = true;
}

/* The transaction is over; what it has noted is forgotten. */
static void
forget_transaction(bool is_commit)
{
	if (!sends_messages)
		seen_rows = NULL;
	is_uncounted = false;
	dogpile_version_forget_snapshot();
}

const DogpileParticipant dogpile_change_participant = {
	.end = forget_transaction,
	.subcommit = pass_on_seen,
	.subabort = forget_seen
};
