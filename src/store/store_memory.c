/*-------------------------------------------------------------------------
 *
 * store_memory.c
 *	  The store in shared memory.
 *
 * Entries are found through an index (index.c), which is cut into partitions
 * with a lock each; an entry is a chain of blocks (pool.c), and the
 * blocks and the order in which entries are evicted (evict.c) have one lock of
 * their own.  Everything is laid out at start and never grows.
 *
 * Locks: a reader holds its partition's lock shared while it copies a value.
 * Nothing else is done under it: no allocation, no error, no catalog lookup.
 * A writer fills a chain that nobody else can see, and takes the partition's
 * lock exclusively only to link it in, and within it the pool lock.  Making
 * room, it takes the pool lock to choose an entry, releases it, and then takes
 * the lock of that entry's partition.  So the order is: partition, then pool;
 * and never two partitions at a time.
 *
 * An entry belongs to the session that unlinked it from its bucket; only that
 * session returns its blocks.  If a process is killed while it changes any of this,
 * the server restarts and initializes shared memory again.  A change cannot be
 * interrupted in another way, because interrupts are held off and nothing raises
 * errors under the locks.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/store_memory.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "config/region_number.h"
#include "lib/clock.h"
#include "lib/lwlock_check.h"
#include "stats/stats.h"
#include "store/age.h"
#include "store/evict.h"
#include "store/index.h"
#include "store/pool.h"
#include "store/store.h"
#include "store/store_check.h"
#include "store/store_memory.h"
#include "store/stored_entry.h"
#include "version/version.h"

/* Values up to this size are copied to memory that is allocated once. */
#define SCRATCH_SIZE		(64 * 1024)

/* A value may take this part of the pool at most. */
#define MAX_SHARE			4

/* Buckets that a scan looks at while a partition is locked. */
#define SCANNED_LOCKED		64

/* An entry on its way into the store: a chain that holds all of it. */
struct DogpileIncoming
{
	DogpileChain chain;
	uint32		gone_at_s;
};

/*
 * Where get() leaves tags and value.  Aligned, and reused by the next call.
 */
static union
{
	char		data[SCRATCH_SIZE];
	int64		force_align;
}			scratch;

/* The versions' share of the budget. */
static Size
versions_budget(Size budget)
{
	return budget / 16;
}

static uint32
count_blocks(Size budget)
{
	/* A block, its share of the index, and what evict.c keeps for it. */
	const Size	per_block = DOGPILE_BLOCK_SIZE + DOGPILE_INDEX_BYTES_PER_BLOCK
		+ sizeof(uint32) + 2 * sizeof(uint32);
	Size		nblocks = (budget - versions_budget(budget)) / per_block;

	return (uint32) Min(nblocks, DOGPILE_NO_BLOCK - 1);
}

/*
 * Size of all that the store keeps in shared memory.
 *
 * budget: bytes that the administrator grants it.
 */
Size
dogpile_store_shmem_size(Size budget)
{
	uint32		nblocks = count_blocks(budget);
	Size		size = dogpile_version_shmem_size(versions_budget(budget));

	size = add_size(size, dogpile_pool_shmem_size(nblocks));
	size = add_size(size, dogpile_evict_shmem_size(nblocks));
	return add_size(size, dogpile_index_shmem_size(nblocks));
}

/*
 * Create the store, empty, or attach to it.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_store_shmem_init(Size budget)
{
	uint32		nblocks = count_blocks(budget);

	dogpile_version_shmem_init(versions_budget(budget));
	dogpile_pool_shmem_init(nblocks);
	dogpile_evict_shmem_init(nblocks);
	dogpile_index_shmem_init(nblocks);
	dogpile_store_check_init();
}

/* Prefetch a key's bucket and version. */
static pg_attribute_always_inline void
prefetch(uint64 hash)
{
#ifdef __GNUC__
	__builtin_prefetch(dogpile_index_bucket(hash));
#endif
	dogpile_version_prefetch(dogpile_version_key_slot(hash));
}

/*
 * Find an entry; the partition's lock is held.
 *
 * Returns its number, or DOGPILE_NO_BLOCK, and in that case too what points
 * to it in *link, for the caller to change if it holds the lock exclusively.
 * The cursor is left behind the entry's key.
 */
static DogpileBlockNo
find_locked(const DogpileKey *key, DogpileBlockNo **link, DogpileCursor *cursor)
{
	DogpileAssertHeld(dogpile_index_lock(key->hash), LW_SHARED);
	*link = dogpile_index_bucket(key->hash);
	while (**link != DOGPILE_NO_BLOCK)
	{
		DogpileStoredEntry *entry = dogpile_stored_entry(**link);

		dogpile_pool_prefetch(**link);

		if (dogpile_stored_entry_has_key(entry, key, cursor))
			break;
		*link = &entry->next_in_bucket;
	}
	return **link;
}

/*
 * Copy an entry if it fits the buffer.
 *
 * Returns the size that the buffer has to have, or 0 if there is no entry.
 */
static Size
copy_entry(const DogpileKey *key, char *buffer, Size size, DogpileEntry *entry)
{
	LWLock	   *lock = dogpile_index_lock(key->hash);
	DogpileBlockNo *link;
	DogpileBlockNo number;
	DogpileCursor cursor;
	Size		needed = 0;

	prefetch(key->hash);
	LWLockAcquire(lock, LW_SHARED);
	number = find_locked(key, &link, &cursor);
	if (number != DOGPILE_NO_BLOCK)
	{
		DogpileStoredEntry *stored = dogpile_stored_entry(number);

		needed = dogpile_stored_entry_copied_size(stored);
		if (needed <= size)
		{
			dogpile_stored_entry_copy(stored, &cursor, buffer, entry);
			dogpile_evict_note_use(stored);
		}
	}
	LWLockRelease(lock);
	return needed;
}

/* The first of the contract's functions; see store.h for all of them. */
static DogpileStatus
shmem_get(DogpileRegion *region, const DogpileKey *key, const DogpileShape *shape,
		  DogpileEntry *entry)
{
	char	   *buffer = scratch.data;
	Size		size = SCRATCH_SIZE;

	DogpileAssertNoneHeld();
	for (;;)
	{
		Size		needed = copy_entry(key, buffer, size, entry);

		if (needed == 0)
			return DOGPILE_MISS;
		if (needed <= size)
			return DOGPILE_OK;

		/* Memory is allocated without the lock, so a larger one may follow. */
		if (buffer != scratch.data)
			pfree(buffer);
		size = needed;
		buffer = MemoryContextAllocHuge(CurrentMemoryContext, size);
	}
}

/*
 * Take the blocks of an entry that was chosen to be evicted.
 *
 * Another session may have removed it before its partition was locked, and the
 * block may even be the head of a new entry.  A new entry is in a queue; if it was
 * chosen, too, it does not matter which of the sessions gets it.
 */
static void
take_victim(DogpileBlockNo victim, uint64 hash, DogpileChain *chain)
{
	DogpileStoredEntry *entry = dogpile_stored_entry(victim);
	DogpileBlockNo *link;
	DogpileChain blocks;
	bool		counts = false;
	int			region = 0;

	LWLockAcquire(dogpile_index_lock(hash), LW_EXCLUSIVE);
	link = dogpile_index_find_link_locked(victim, hash);
	if (*link == victim && entry->queue == DOGPILE_QUEUE_NONE)
	{
		counts = !dogpile_stored_entry_is_dead(entry);
		region = entry->region;
		dogpile_index_unlink_locked(link);
	}
	else
		victim = DOGPILE_NO_BLOCK;
	LWLockRelease(dogpile_index_lock(hash));

	if (victim == DOGPILE_NO_BLOCK)
		return;
	if (counts)
		dogpile_stats_count_number(region, DOGPILE_COUNTER_EVICTIONS, 1);
	dogpile_pool_measure(&blocks, victim);
	dogpile_pool_join(chain, &blocks);
}

/*
 * Get blocks, evicting entries if necessary.
 *
 * Returns false, and nothing is held, if there are not enough entries to evict,
 * which happens only while other sessions hold many blocks.
 */
static bool
reserve(DogpileChain *chain, uint32 count)
{
	uint32		now_s = (uint32) (dogpile_clock_coarse() / USECS_PER_SEC);

	chain->count = 0;
	while (chain->count < count)
	{
		DogpileBlockNo victim = DOGPILE_NO_BLOCK;
		uint64		hash = 0;

		LWLockAcquire(dogpile_pool_lock, LW_EXCLUSIVE);
		dogpile_pool_take_locked(chain, count);
		if (chain->count < count)
		{
			victim = dogpile_evict_pick_locked(now_s, dogpile_version_now());
			if (victim != DOGPILE_NO_BLOCK)
				hash = dogpile_stored_entry(victim)->hash;
		}
		LWLockRelease(dogpile_pool_lock);

		if (chain->count >= count)
			break;
		if (victim == DOGPILE_NO_BLOCK)
		{
			dogpile_pool_put(chain);
			return false;
		}
		take_victim(victim, hash, chain);
	}
	dogpile_pool_trim(chain, count);
	return true;
}

/* The second from which an entry is gone. */
static uint32
compute_gone_at(const DogpileRegion *region, const DogpileEntry *entry)
{
	TimestampTz gone_at = dogpile_age_gone_at(region, entry);
	int64		gone_at_s = gone_at / USECS_PER_SEC + 1;

	return gone_at == DT_NOEND || gone_at_s >= DOGPILE_NEVER_GONE ?
		DOGPILE_NEVER_GONE : (uint32) Max(gone_at_s, 0);
}

static DogpileStatus
shmem_prepare(DogpileRegion *region, const DogpileKey *key,
			  const DogpileEntry *entry, DogpileIncoming **incoming, const char **reason)
{
	Size		bytes = key->len + (entry->tags ? entry->tags->size : 0) +
		entry->value.size;
	int			region_number = dogpile_region_number(region);
	DogpileIncoming *result;
	DogpileStoredEntry *stored;
	uint32		count;

	DogpileAssertNoneHeld();
	if (bytes / DOGPILE_BLOCK_SIZE >= dogpile_pool_size() / MAX_SHARE ||
		bytes > PG_UINT32_MAX)
		return DOGPILE_TOO_LARGE;
	count = dogpile_stored_entry_blocks_for(bytes);

	/* Everything that may raise an error comes before the blocks are taken. */
	result = palloc(sizeof(DogpileIncoming));
	result->gone_at_s = compute_gone_at(region, entry);
	if (!reserve(&result->chain, count))
	{
		pfree(result);
		return DOGPILE_FULL;
	}
	stored = dogpile_stored_entry(result->chain.head);
	dogpile_stored_entry_write(stored, region_number, key, entry);
	dogpile_evict_begin(stored);
	*incoming = result;
	return DOGPILE_OK;
}

/*
 * Is the existing entry newer than the one to be published?
 *
 * Two transactions that set the same key publish in any order after their ticks;
 * the entry of the one that ticked last stays.
 */
static bool
must_stay(const DogpileStoredEntry *old, const DogpileStoredEntry *new,
		  DogpilePublishMode mode)
{
	if (old->as_of != new->as_of || mode == DOGPILE_PUBLISH_ALWAYS)
		return old->as_of > new->as_of;
	return old->created_at > new->created_at;
}

/* Find the entry of the same key as an incoming one; its partition is locked. */
static DogpileBlockNo
find_same_locked(DogpileStoredEntry *new, DogpileBlockNo **link)
{
	char		bytes[DOGPILE_MAX_KEY_BYTES];
	DogpileKey	key;
	DogpileCursor cursor;

	DogpileAssertHeld(dogpile_index_lock(new->hash), LW_EXCLUSIVE);
	dogpile_stored_entry_read_key(new, &key, bytes);
	return find_locked(&key, link, &cursor);
}

static DogpileStatus
shmem_publish(DogpileIncoming *incoming, DogpilePublishMode mode,
			  DogpileClock as_of)
{
	DogpileBlockNo number = incoming->chain.head;
	DogpileStoredEntry *entry = dogpile_stored_entry(number);
	DogpileBlockNo *link;
	DogpileBlockNo old;
	DogpileChain freed = {0};

	DogpileAssertNoneHeld();
	entry->as_of = as_of;
	LWLockAcquire(dogpile_index_lock(entry->hash), LW_EXCLUSIVE);
	old = find_same_locked(entry, &link);
	if (old != DOGPILE_NO_BLOCK &&
		must_stay(dogpile_stored_entry(old), entry, mode))
	{
		LWLockRelease(dogpile_index_lock(entry->hash));
		dogpile_pool_put(&incoming->chain);
		return DOGPILE_KEPT;
	}

	if (old != DOGPILE_NO_BLOCK)
		dogpile_index_unlink_locked(link);
	LWLockAcquire(dogpile_pool_lock, LW_EXCLUSIVE);
	if (old != DOGPILE_NO_BLOCK)
		dogpile_evict_replace_locked(old, number, incoming->gone_at_s);
	else
		dogpile_evict_enter_locked(number, incoming->gone_at_s);
	LWLockRelease(dogpile_pool_lock);
	dogpile_index_link_locked(link, number);
	dogpile_stats_entry_added(entry->region,
							  (Size) incoming->chain.count * DOGPILE_BLOCK_SIZE);
	LWLockRelease(dogpile_index_lock(entry->hash));

	if (old != DOGPILE_NO_BLOCK)
	{
		dogpile_pool_measure(&freed, old);
		dogpile_pool_put(&freed);
	}
	return DOGPILE_OK;
}

static void
shmem_abandon(DogpileIncoming *incoming)
{
	DogpileAssertNoneHeld();
	dogpile_pool_put(&incoming->chain);
}

static DogpileStatus
shmem_remove(DogpileRegion *region, const DogpileKey *key, DogpileClock before)
{
	DogpileAssertNoneHeld();
	return dogpile_index_remove_variants(key, DOGPILE_REMOVE_OLDER, before) > 0 ?
		DOGPILE_OK : DOGPILE_MISS;
}

static bool
shmem_has_variant(DogpileRegion *region, const DogpileKey *key)
{
	DogpileAssertNoneHeld();
	return dogpile_index_has_variant(key);
}

/* Some buckets that lie side by side in one partition. */
typedef struct ScannedBuckets
{
	int			partition;
	uint32		first;
	uint32		end;
} ScannedBuckets;

/*
 * Copy the entries of some buckets of a partition as far as the buffer goes.
 *
 * Returns the size that the buffer has to have.
 */
static Size
scan_buckets(const ScannedBuckets *which, char *buffer, Size size, int *count,
			 DogpileScannedEntry **entries)
{
	const DogpileBlockNo *buckets = dogpile_index_buckets +
		(Size) which->partition * dogpile_index_buckets_per_partition;
	char	   *next = buffer;
	Size		needed = 0;

	*count = 0;
	LWLockAcquire(&dogpile_index_locks[which->partition].lock, LW_SHARED);
	for (uint32 i = which->first; i < which->end; i++)
		for (DogpileBlockNo number = buckets[i];
			 number != DOGPILE_NO_BLOCK;
			 number = dogpile_stored_entry(number)->next_in_bucket)
		{
			DogpileStoredEntry *stored = dogpile_stored_entry(number);

			needed += dogpile_stored_entry_scanned_size(stored) + sizeof(DogpileScannedEntry *);
			if (needed > size)
				continue;
			/* Pointers to the copies grow down from the buffer's end. */
			entries[-1 - (*count)++] = (DogpileScannedEntry *) next;
			next = dogpile_stored_entry_copy_scanned(stored, next);
		}
	LWLockRelease(&dogpile_index_locks[which->partition].lock);
	return needed;
}

/* Call the callback with the entries of some buckets.  The buffer grows as needed. */
static void
tell_of_buckets(const ScannedBuckets *which, char **buffer, Size *size,
				DogpileScanCallback callback, void *arg)
{
	Size		needed;
	int			count;

	while ((needed = scan_buckets(which, *buffer, *size, &count,
								  (DogpileScannedEntry **) (*buffer + *size))) > *size)
	{
		pfree(*buffer);
		*size = MAXALIGN(needed + needed / 8);
		*buffer = MemoryContextAllocHuge(CurrentMemoryContext, *size);
	}
	for (int i = 0; i < count; i++)
		callback(((DogpileScannedEntry **) (*buffer + *size))[-1 - i], arg);
}

static void
shmem_scan(DogpileScanCallback callback, void *arg)
{
	Size		size = SCRATCH_SIZE;
	char	   *buffer = palloc(size);

	for (int partition = 0; partition < DOGPILE_INDEX_PARTITIONS; partition++)
		for (uint32 i = 0; i < dogpile_index_buckets_per_partition; i += SCANNED_LOCKED)
		{
			ScannedBuckets which = {
				.partition = partition,
				.first = i,
				.end = Min(i + SCANNED_LOCKED, dogpile_index_buckets_per_partition)
			};

			CHECK_FOR_INTERRUPTS();
			tell_of_buckets(&which, &buffer, &size, callback, arg);
		}
	pfree(buffer);
}

const DogpileStore dogpile_store_memory = {
	.get = shmem_get,
	.prepare = shmem_prepare,
	.publish = shmem_publish,
	.abandon = shmem_abandon,
	.remove = shmem_remove,
	.has_variant = shmem_has_variant,
	.scan = shmem_scan
};
