/*-------------------------------------------------------------------------
 *
 * version.c
 *	  What was invalidated when: the versions of keys, tags and regions.
 *
 * A value is computed from a snapshot, and must not be given to anyone once
 * something it depends on was invalidated after that snapshot.  So there is a
 * clock that ticks once for every transaction that invalidates, and a fixed
 * table that tells, for each key, tag and region, when that was last done.
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
 * when it was taken, so a snapshot with xmin >= next_xid has seen whatever was
 * invalidated.  Here a half-entered tick would matter, so the lock is taken.
 *
 * Slots are found by hash and shared by what collides.  That costs a needless
 * miss, never a wrong value; and there is nothing that could be full.  Keys,
 * tags and regions collide only among themselves.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/version.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "port/pg_bitutils.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/snapmgr.h"

#include "version.h"

#define MIN_VERSIONS	1024
#define MAX_VERSIONS	(((uint32) 1) << 28)

DogpileVersionTable *dogpile_version_table = NULL;

/* Held exclusively by whoever ticks, shared by who must not see half a tick. */
static LWLock *version_lock = NULL;

/* How many versions of keys fit the budget: a power of two. */
static uint32
count_key_versions(Size budget)
{
	Size		n = budget / sizeof(DogpileVersion);

	n -= n / (DOGPILE_KEYS_PER_TAG + 1);
	n = Max(n, MIN_VERSIONS);
	n = Min(n, MAX_VERSIONS);
	return ((uint32) 1) << pg_leftmost_one_pos32((uint32) n);
}

/* ... and with them those of tags and regions. */
static uint32
count_versions(uint32 nkeys)
{
	return nkeys + nkeys / DOGPILE_KEYS_PER_TAG + DOGPILE_REGION_VERSIONS;
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

	version_lock = &GetNamedLWLockTranche("dogpile_version")->lock;
	dogpile_version_table =
		ShmemInitStruct("dogpile versions", dogpile_version_shmem_size(budget),
						&found);
	if (found)
		return;

	/*
	 * The clock starts above zero, so that an as_of of zero, which stands for
	 * "before everything", is never a reading of it.
	 */
	pg_atomic_init_u64(&dogpile_version_table->clock, 1);
	dogpile_version_table->nkeys = nkeys;
	dogpile_version_table->ntags = nkeys / DOGPILE_KEYS_PER_TAG;
	for (uint32 i = 0; i < count_versions(nkeys); i++)
	{
		DogpileVersion *version = dogpile_version_get(i);

		pg_atomic_init_u64(&version->hard_at, 0);
		pg_atomic_init_u64(&version->soft_at, 0);
		pg_atomic_init_u64(&version->next_xid, 0);
		version->unused = 0;
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
	LWLockAcquire(version_lock, LW_EXCLUSIVE);

	/*
	 * The clock goes first.  Whoever reads it from now on takes a snapshot
	 * that sees our commit, whether or not the bumps have been entered.
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

	/* It was read without the lock, so another one may have been later. */
	if (next_xid > pg_atomic_read_u64(&version->next_xid))
		pg_atomic_write_u64(&version->next_xid, next_xid);
	pg_atomic_write_u64(hard ? &version->hard_at : &version->soft_at, at);
}

/* End what dogpile_version_begin_tick() began. */
void
dogpile_version_end_tick(void)
{
	LWLockRelease(version_lock);
}

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
	TransactionId xmin = GetTransactionSnapshot()->xmin;
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		epoch = EpochFromFullTransactionId(next);

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

/*
 * Does a snapshot see all that was ever invalidated in these slots?
 *
 * xmin: what dogpile_version_snapshot_xmin() gave.
 *
 * Errors: none.  Locks: takes the version lock shared, for no tick may be
 * half entered.
 */
bool
dogpile_version_all_visible(const DogpileSlot *slots, int nslots, uint64 xmin)
{
	bool		visible = true;

	LWLockAcquire(version_lock, LW_SHARED);
	for (int i = 0; i < nslots && visible; i++)
		visible = dogpile_version_is_visible_locked(slots[i], xmin);
	LWLockRelease(version_lock);
	return visible;
}
