/*-------------------------------------------------------------------------
 *
 * store_check.c
 *	  A check of all that the store in shared memory consists of.
 *
 * Builds with assertions check after dogpile_flush(), when the server is shut down,
 * and when a test asks for it, that
 *
 *		- each block is in one chain: that of an entry, one of free blocks, or one that
 *		  a session holds;
 *		- each entry is in the bucket and at the place that its hash tells, and its
 *		  chain is as long as it says;
 *		- each entry that a queue has is in the index, and the counters of the queues
 *		  are right; no other entry is in a queue;
 *		- no entry is gone earlier than eviction assumes;
 *		- the statistics have the right entries and bytes of each region.
 *
 * All of that holds whenever no process has the lock of a partition or of the pool.
 * So the check takes the locks of all partitions at once, in their order, and then
 * that of the pool.  No other process holds the locks of two partitions, so this
 * cannot deadlock.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/store_check.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/store_check.h"

#ifdef USE_ASSERT_CHECKING

#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"

#include "config/region_number.h"
#include "lib/lwlock_check.h"
#include "stats/stats.h"
#include "store/evict.h"
#include "store/index.h"
#include "store/pool.h"

PG_FUNCTION_INFO_V1(dogpile_check_store);

/*
 * Take the locks of all partitions and of the pool.
 *
 * wait: wait for them; otherwise, return false, with none held, if one is not
 * available.
 */
static bool
lock_all(bool wait)
{
	for (int i = 0; i <= DOGPILE_INDEX_PARTITIONS; i++)
	{
		LWLock	   *lock = i < DOGPILE_INDEX_PARTITIONS ?
			&dogpile_index_locks[i].lock : dogpile_pool_lock;

		if (wait)
			LWLockAcquire(lock, LW_SHARED);
		else if (!LWLockConditionalAcquire(lock, LW_SHARED))
		{
			while (--i >= 0)
				LWLockRelease(&dogpile_index_locks[i].lock);
			return false;
		}
	}
	return true;
}

static void
unlock_all(void)
{
	LWLockRelease(dogpile_pool_lock);
	for (int i = DOGPILE_INDEX_PARTITIONS - 1; i >= 0; i--)
		LWLockRelease(&dogpile_index_locks[i].lock);
}

/* Are the statistics right? */
static void
check_stats(const DogpileIndexContents *contents)
{
	for (int number = 0; number < DOGPILE_REGION_NUMBERS; number++)
	{
		uint64		entries;
		uint64		bytes;

		dogpile_stats_read_gauges(number, &entries, &bytes);
		Assert(entries == contents->entries[number]);
		Assert(bytes == contents->bytes[number]);
	}
}

/*
 * Check everything.
 *
 * seen, contents: zeroed memory for it.
 *
 * Returns how many blocks sessions hold.
 */
static uint32
check_locked(DogpileBlockSet *seen, DogpileIndexContents *contents)
{
	DogpileAssertHeld(dogpile_pool_lock, LW_SHARED);
	dogpile_index_check_locked(seen, contents);
	dogpile_evict_check_locked(seen, contents->nqueued);
	check_stats(contents);
	return dogpile_pool_check_locked(seen);
}

/*
 * Check the store.
 *
 * wait: wait for locks; otherwise, return 0 without a check if one is not available.
 *
 * Returns how many blocks sessions hold, in entries that are not published.
 */
static uint32
check_store(bool wait)
{
	DogpileBlockSet *seen = palloc0(dogpile_pool_block_set_size());
	DogpileIndexContents *contents = palloc0(sizeof(DogpileIndexContents));
	uint32		nheld = 0;

	DogpileAssertNoneHeld();
	if (lock_all(wait))
	{
		nheld = check_locked(seen, contents);
		unlock_all();
	}
	pfree(contents);
	pfree(seen);
	return nheld;
}

/* See dogpile_store_check(). */
uint32
dogpile_store_check_all(void)
{
	return check_store(true);
}

/*
 * Check the store for the last time, in the postmaster, when all other processes have
 * ended.
 *
 * After a crash there is no check.  After an immediate shutdown, which shows in the
 * control file, processes may have left locks and blocks.
 */
static void
check_at_exit(int code, Datum arg)
{
	uint32		nheld;
	ControlFileData *file;
	bool		crc_ok;

	if (code != 0 || IsUnderPostmaster)
		return;
	nheld = check_store(false);
	file = get_controlfile(DataDir, &crc_ok);
	if (file->state == DB_SHUTDOWNED || file->state == DB_SHUTDOWNED_IN_RECOVERY)
		Assert(nheld == 0);
}

/* Have the store checked at exit.  Called in the postmaster once it is laid out. */
void
dogpile_store_check_init(void)
{
	on_shmem_exit(check_at_exit, 0);
}

/*
 * dogpile_check_store() returns integer
 *
 * Check the store, for tests: the extension does not declare it.  Returns how many
 * blocks sessions hold.
 */
Datum
dogpile_check_store(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32((int32) check_store(true));
}

#endif							/* USE_ASSERT_CHECKING */
