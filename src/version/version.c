/*-------------------------------------------------------------------------
 *
 * version.c
 *	  What was invalidated when: the versions of whatever entries depend on.
 *
 * A value is computed from a snapshot, and must not be given to anyone once
 * something it depends on was invalidated after that snapshot.  So there is a
 * clock that ticks once for every transaction that invalidates, and a fixed
 * table that tells, for each key, tag, region and table, when that was last done.
 * An entry carries the reading of the clock that its creator noted just
 * before taking its snapshot (as_of), and the slots it depends on; it is dead
 * if any of them has a later hard invalidation, stale if a later soft one.
 *
 * Why that is exact under READ COMMITTED: invalidations are entered by the
 * COMMIT callback, after the commit has become visible to new snapshots.  A
 * creator that noted the clock before the tick has as_of < the tick, so its
 * value is dead from then on, whether it is published before or after.  One
 * that noted it after the tick took its snapshot later still, so it has seen
 * the commit.  Nothing has to be compared under a lock at publication, and a
 * tick that is only half entered when it is read does no harm.
 *
 * Under REPEATABLE READ and SERIALIZABLE the snapshot is older than the note.
 * Each version therefore holds the transaction id that was to be assigned
 * next when it was bumped: all transactions below a snapshot's xmin had ended
 * when it was taken, so a snapshot with xmin >= next_xid sees everything that was
 * invalidated.  Here a half-entered tick would matter, so the lock is taken.
 * By this rule a snapshot is too old as long as any older transaction is writing.
 * Therefore, where a statement such as BEGIN comes before the snapshot, the clock
 * is noted then, and the snapshot also sees what was invalidated up to that clock.
 *
 * Between visibility and tick some microseconds pass, or more if the process loses
 * the processor.  So a transaction marks the slots that it is about to invalidate
 * before it becomes visible, and removes the marks after the tick.  While a slot is
 * marked, its entries are valid only for a snapshot that does not see the marking
 * transaction; that can be decided if there is one such transaction, and it has a
 * transaction id.  (Under REPEATABLE READ its entries are valid for no snapshot, as
 * a session that sees the marking transaction may have computed them.)
 *
 * Tables are changed far more often than entries depend on them.  A slot of an
 * object is watched from the moment that an entry is known to depend on it, and
 * remains so; a commit that has changed only slots that are not watched does not
 * tick.  What a query reads is known only when it has run, so while such a query
 * runs, all slots count as watched (nreaders).  A writer checks that after its commit
 * is visible.  If it finds no reader, any later reader takes a snapshot that sees the
 * commit, and earlier readers have watched what they read before they ceased to be
 * readers; so the writer checks for readers first, and then the slot.
 * Watching ticks, too, and counts as an invalidation for older snapshots, because
 * changes before it were not entered.
 *
 * Slots are found by hash; what collides shares one.  A collision costs a miss,
 * never a wrong value, and the table cannot become full.  Keys, tags, regions and
 * objects collide only among themselves.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/version/version.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "lib/qunique.h"
#include "port/pg_bitutils.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/snapmgr.h"

#include "lib/clock.h"
#include "lib/lwlock_check.h"
#include "version/version.h"

#define MIN_VERSIONS	1024
#define MAX_VERSIONS	(((uint32) 1) << 28)
#define MIN_OBJECT_VERSIONS	8192

DogpileVersionTable *dogpile_version_table = NULL;
LWLock	   *dogpile_version_lock = NULL;

/* Quarters of a version for all that there is for each key: see version.h. */
#define QUARTERS_PER_KEY	(4 + 4 / DOGPILE_KEYS_PER_TAG + 4 / DOGPILE_KEYS_PER_OBJECT)

/* How many versions of keys fit in the budget: a power of two. */
static uint32
count_key_versions(Size budget)
{
	Size		n = budget / sizeof(DogpileVersion) * 4 / QUARTERS_PER_KEY;

	n = Max(n, MIN_VERSIONS);
	n = Min(n, MAX_VERSIONS);
	return ((uint32) 1) << pg_leftmost_one_pos32((uint32) n);
}

/* ... and with them those of objects, for which a few thousand are needed. */
static uint32
count_object_versions(uint32 nkeys)
{
	return Max(nkeys / DOGPILE_KEYS_PER_OBJECT, MIN_OBJECT_VERSIONS);
}

/* ... and of all together. */
static uint32
count_versions(uint32 nkeys)
{
	return nkeys + nkeys / DOGPILE_KEYS_PER_TAG + DOGPILE_REGION_VERSIONS +
		count_object_versions(nkeys);
}

/*
 * Size of the table in shared memory.
 *
 * budget: bytes that it should not exceed by much.
 */
Size
dogpile_version_shmem_size(Size budget)
{
	return add_size(offsetof(DogpileVersionTable, versions),
					mul_size(count_versions(count_key_versions(budget)),
							 sizeof(DogpileVersion)));
}

/*
 * Create the table, or attach to it.
 *
 * budget: as given to dogpile_version_shmem_size().
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_version_shmem_init(Size budget)
{
	uint32		nkeys = count_key_versions(budget);
	bool		found;

	dogpile_version_lock = &GetNamedLWLockTranche("dogpile_version")->lock;
	dogpile_version_table =
		ShmemInitStruct("dogpile versions", dogpile_version_shmem_size(budget),
						&found);
	if (found)
	{
		Assert(dogpile_version_table->magic == DOGPILE_VERSION_MAGIC);
		return;
	}

	/*
	 * The clock starts above zero, so that an as_of of zero, which stands for
	 * "before everything", is never a reading of it.
	 */
	pg_atomic_init_u64(&dogpile_version_table->clock, 1);
	pg_atomic_init_u32(&dogpile_version_table->nreaders, 0);
	dogpile_version_table->magic = DOGPILE_VERSION_MAGIC;
	dogpile_version_table->nkeys = nkeys;
	dogpile_version_table->ntags = nkeys / DOGPILE_KEYS_PER_TAG;
	dogpile_version_table->nobjects = count_object_versions(nkeys);
	for (uint32 i = 0; i < count_versions(nkeys); i++)
	{
		DogpileVersion *version = dogpile_version_get(i);

		pg_atomic_init_u64(&version->hard_at, 0);
		pg_atomic_init_u64(&version->soft_at, 0);
		pg_atomic_init_u64(&version->next_xid, 0);
		pg_atomic_init_u64(&version->marks, 0);
	}
}

/*
 * Begin to enter the invalidations of a transaction that has committed.
 *
 * Returns the clock to give to dogpile_version_bump().
 *
 * Errors: none, as the caller is past the point where it could fail.
 * Locks: takes the version lock, held on return; dogpile_version_end_tick()
 * releases it.
 */
DogpileClock
dogpile_version_begin_tick(void)
{
	DogpileAssertNoneHeld();
	LWLockAcquire(dogpile_version_lock, LW_EXCLUSIVE);

	/*
	 * The clock goes first.  A session that reads it from now on takes a
	 * snapshot that sees our commit, whether or not the bumps have been
	 * entered.  This is a full barrier between visibility and the new clock;
	 * it pairs with the lock that a session takes for a snapshot after it has
	 * read the clock.
	 */
	return pg_atomic_add_fetch_u64(&dogpile_version_table->clock, 1);
}

/*
 * Enter one invalidation.
 *
 * at: what dogpile_version_begin_tick() gave.
 * next_xid: the full transaction id that would be assigned next, read after
 * the commit.
 *
 * Errors: none.  Locks: the version lock is held.
 */
void
dogpile_version_bump(DogpileSlot slot, bool hard, DogpileClock at,
					 uint64 next_xid)
{
	DogpileVersion *version = dogpile_version_get(slot);

	DogpileAssertHeld(dogpile_version_lock, LW_EXCLUSIVE);

	/* It was read without the lock, so a later one may have been entered. */
	if (next_xid > pg_atomic_read_u64(&version->next_xid))
		pg_atomic_write_u64(&version->next_xid, next_xid);
	pg_atomic_write_u64(hard ? &version->hard_at : &version->soft_at, at);
}

/* End what dogpile_version_begin_tick() began. */
void
dogpile_version_end_tick(void)
{
	LWLockRelease(dogpile_version_lock);
}

/* Marks are a count and, if it is one, the transaction id of the marker. */
#define MARK_ONE			(UINT64CONST(1) << 32)
#define MARK_XID(marks)		((TransactionId) (marks))

/*
 * Announce that an invalidation of this slot is about to take effect.
 *
 * xid: of the transaction with which it does, if it has one.
 *
 * Errors, locks: none.  Must be followed by dogpile_version_unmark(), when the
 * invalidation has been entered or is given up.
 */
void
dogpile_version_mark(DogpileSlot slot, TransactionId xid)
{
	pg_atomic_uint64 *marks = &dogpile_version_get(slot)->marks;
	uint64		old = pg_atomic_read_u64(marks);
	uint64		new;

	/*
	 * A full barrier, which pairs with the locks that PostgreSQL takes to
	 * make this transaction visible and to take a snapshot: a session that
	 * sees the transaction sees the mark, until it is removed.
	 */
	do
	{
		new = ((old & ~(uint64) PG_UINT32_MAX) + MARK_ONE) |
			(old == 0 || MARK_XID(old) == xid ? xid : 0);
	} while (!pg_atomic_compare_exchange_u64(marks, &old, new));
}

/* Remove the mark.  If others are left, their transactions are no longer known. */
void
dogpile_version_unmark(DogpileSlot slot)
{
	pg_atomic_uint64 *marks = &dogpile_version_get(slot)->marks;
	uint64		old = pg_atomic_read_u64(marks);

	/* A full barrier, which pairs with that of dogpile_version_marks(). */
	while (!pg_atomic_compare_exchange_u64(marks, &old,
										   (old & ~(uint64) PG_UINT32_MAX) - MARK_ONE))
		;
}

/*
 * Might the active snapshot see a transaction that has marked a slot?
 *
 * marks: of the slot, not zero.
 *
 * Errors, locks: none.
 */
bool
dogpile_version_is_marked_for(uint64 marks)
{
	return !TransactionIdIsNormal(MARK_XID(marks)) || !ActiveSnapshotSet() ||
		!XidInMVCCSnapshot(MARK_XID(marks), GetActiveSnapshot());
}

static int
compare_slots(const void *a, const void *b)
{
	DogpileSlot x = *(const DogpileSlot *) a;
	DogpileSlot y = *(const DogpileSlot *) b;

	return x < y ? -1 : x > y;
}

/*
 * Sort slots and remove duplicates.
 *
 * Returns how many are left.
 */
int
dogpile_version_make_unique(DogpileSlot *slots, int nslots)
{
	if (nslots < 2)
		return nslots;
	qsort(slots, nslots, sizeof(DogpileSlot), compare_slots);
	return qunique(slots, nslots, sizeof(DogpileSlot), compare_slots);
}

/*
 * Note that entries depend on these slots of objects, from now on.
 *
 * Errors: none.  Locks: takes the version lock if one was not watched before.
 */
void
dogpile_version_watch(const DogpileSlot *slots, int nslots)
{
	for (int i = 0; i < nslots; i++)
	{
		uint64		next_xid;
		DogpileClock tick;

		if (slots[i] < dogpile_version_first_object() ||
			dogpile_version_is_watched(slots[i]))
			continue;
		next_xid = U64FromFullTransactionId(ReadNextFullTransactionId());
		tick = dogpile_version_begin_tick();
		if (!dogpile_version_is_watched(slots[i]))
			dogpile_version_bump(slots[i], false, tick, next_xid);
		dogpile_version_end_tick();
	}
}

/*
 * Was this transaction's snapshot taken on a standby?  Found out by
 * dogpile_version_snapshot_xmin().
 */
static bool is_from_recovery = false;

/*
 * The oldest transaction id that the snapshot of this transaction sees as
 * running, widened to 64 bits.
 *
 * Meant for REPEATABLE READ and SERIALIZABLE, whose snapshot is kept.
 *
 * Errors: those of GetTransactionSnapshot().  Locks: no LWLock may be held.
 */
uint64
dogpile_version_snapshot_xmin(void)
{
	Snapshot	snapshot;
	TransactionId xmin;
	FullTransactionId next;
	uint32		epoch;

	DogpileAssertNoneHeld();
	snapshot = GetTransactionSnapshot();
	xmin = snapshot->xmin;
	next = ReadNextFullTransactionId();
	epoch = EpochFromFullTransactionId(next);
	is_from_recovery = snapshot->takenDuringRecovery;
	if (xmin > XidFromFullTransactionId(next))
		epoch--;
	return U64FromFullTransactionId(FullTransactionIdFromEpochAndXid(epoch, xmin));
}

/*
 * The same if values come from a snapshot that is older than the clock that
 * was noted for them, as under REPEATABLE READ and SERIALIZABLE; else 0.
 */
uint64
dogpile_version_old_snapshot_xmin(void)
{
	return IsolationUsesXactSnapshot() ? dogpile_version_snapshot_xmin() : 0;
}

/* The clock before this transaction's snapshot was taken, or 0: not known. */
static DogpileClock snapshot_clock = 0;

/* ... and the time. */
static TimestampTz snapshot_time = 0;

/*
 * Note the clock, if the transaction has no snapshot yet.
 *
 * Called after statements that may come before that, as BEGIN does.
 */
void
dogpile_version_note_snapshot(void)
{
	if (FirstSnapshotSet)
		return;
	snapshot_clock = dogpile_version_now();
	if (IsolationUsesXactSnapshot())
		snapshot_time = dogpile_clock_now();
}

/* The transaction is over. */
void
dogpile_version_forget_snapshot(void)
{
	snapshot_clock = 0;
	snapshot_time = 0;
}

/*
 * A time before this transaction's snapshot was taken.
 *
 * Meant for REPEATABLE READ and SERIALIZABLE.  Errors: none.
 */
TimestampTz
dogpile_version_snapshot_time(void)
{
	return snapshot_time != 0 ? snapshot_time :
		dogpile_clock_from_day(GetCurrentTransactionStartTimestamp());
}

/*
 * Does this transaction's snapshot see all that was invalidated in this slot?
 *
 * On a standby, replay changes objects and invalidates nothing.  So a snapshot from
 * before the promotion is not known to see what has changed.
 *
 * xmin: what dogpile_version_snapshot_xmin() gave.
 *
 * Errors: none.  Locks: the version lock is held.
 */
bool
dogpile_version_is_visible_locked(DogpileSlot slot, uint64 xmin)
{
	DogpileVersion *version = dogpile_version_get(slot);

	DogpileAssertHeld(dogpile_version_lock, LW_SHARED);
	if (is_from_recovery && slot >= dogpile_version_first_object())
		return false;
	return pg_atomic_read_u64(&version->next_xid) <= xmin ||
		Max(pg_atomic_read_u64(&version->hard_at),
			pg_atomic_read_u64(&version->soft_at)) <= snapshot_clock;
}

/*
 * Does a snapshot see all that was ever invalidated in these slots, and is none of
 * them marked?
 *
 * xmin: what dogpile_version_snapshot_xmin() gave.
 *
 * Errors: none.  Locks: takes the version lock shared, because no tick may
 * be half entered.
 */
bool
dogpile_version_all_visible(const DogpileSlot *slots, int nslots, uint64 xmin)
{
	bool		visible = true;

	LWLockAcquire(dogpile_version_lock, LW_SHARED);
	for (int i = 0; i < nslots && visible; i++)
		visible = !dogpile_version_is_marked(slots[i]) &&
			dogpile_version_is_visible_locked(slots[i], xmin);
	LWLockRelease(dogpile_version_lock);
	return visible;
}
