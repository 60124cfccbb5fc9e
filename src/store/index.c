/*-------------------------------------------------------------------------
 *
 * index.c
 *	  Where the entries in shared memory are found: by all of their key, and
 *	  all variants of a key together.
 *
 * An entry is in two chains.  One begins in a bucket that is chosen by the hash of
 * the whole key, variant included; readers use it.  The other one contains all
 * variants of the key, to find out whether there is any, and to remove them.  It is
 * doubly linked, so that a single variant can be unlinked without a search.  Other
 * keys at the same place are in it, too; there are as many places as entries of four
 * blocks, so these are few.
 *
 * Buckets and places are divided into partitions with a lock each.  A partition is
 * chosen by the part of the hash that all variants of a key share, so both chains of
 * an entry are in the same partition.
 *
 * A key may have any number of variants.  Operations on all of them process some at a
 * time, and release the lock in between.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/index.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "lib/clock.h"
#include "lib/lwlock_check.h"
#include "stats/stats.h"
#include "store/evict.h"
#include "store/index.h"

/* Blocks for each bucket, and for each place of a key. */
#define BLOCKS_PER_BUCKET	2
#define BLOCKS_PER_PLACE	4

/* How long waiters may take from waking up to looking, in microseconds. */
#define AWAITED_US			INT64CONST(1000000)

/* Variants that are removed while a partition is locked, and by one call. */
#define REMOVED_LOCKED		32
#define MAX_REMOVED			1024

/* So many dead variants are examined before they are removed. */
#define MANY_DEAD			64

#define INDEX_MAGIC		0x44504958

/* In shared memory: the head of both arrays. */
typedef struct IndexControl
{
	uint32		magic;
} IndexControl;

static IndexControl *index_control = NULL;

DogpileBlockNo *dogpile_index_buckets = NULL;
uint32		dogpile_index_buckets_per_partition;
LWLockPadded *dogpile_index_locks = NULL;

/* The first entry of each place; they lie behind the buckets. */
static DogpileBlockNo *places = NULL;
static uint32 places_per_partition;

static uint32
count_per_partition(uint32 nblocks, uint32 blocks_per_item)
{
	return Max(nblocks / blocks_per_item / DOGPILE_INDEX_PARTITIONS, 1);
}

/* Both arrays together. */
static Size
arrays_size(uint32 nblocks)
{
	Size		count = add_size(count_per_partition(nblocks, BLOCKS_PER_BUCKET),
								 count_per_partition(nblocks, BLOCKS_PER_PLACE));

	return mul_size(mul_size(count, DOGPILE_INDEX_PARTITIONS), sizeof(DogpileBlockNo));
}

Size
dogpile_index_shmem_size(uint32 nblocks)
{
	return add_size(CACHELINEALIGN(sizeof(IndexControl)), arrays_size(nblocks));
}

/*
 * Create the index, empty, or attach to it.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_index_shmem_init(uint32 nblocks)
{
	bool		found;

	index_control = ShmemInitStruct("dogpile index", dogpile_index_shmem_size(nblocks),
									&found);
	dogpile_index_buckets = (DogpileBlockNo *)
		((char *) index_control + CACHELINEALIGN(sizeof(IndexControl)));
	dogpile_index_buckets_per_partition = count_per_partition(nblocks, BLOCKS_PER_BUCKET);
	places_per_partition = count_per_partition(nblocks, BLOCKS_PER_PLACE);
	places = dogpile_index_buckets +
		(Size) dogpile_index_buckets_per_partition * DOGPILE_INDEX_PARTITIONS;
	dogpile_index_locks = GetNamedLWLockTranche("dogpile_partition");
	if (found)
	{
		Assert(index_control->magic == INDEX_MAGIC);
		return;
	}
	index_control->magic = INDEX_MAGIC;
	memset(dogpile_index_buckets, 0xFF, arrays_size(nblocks));	/* DOGPILE_NO_BLOCK */
}

/* What points to the first entry of a key's place. */
static DogpileBlockNo *
place_of(uint64 hash)
{
	return &places[(Size) dogpile_index_partition(hash) * places_per_partition +
				   DOGPILE_KEY_BASE(hash) / DOGPILE_INDEX_PARTITIONS % places_per_partition];
}

/*
 * Link an entry where a search for it has ended.
 *
 * Errors: none.  Locks: that of its partition is held exclusively.
 */
void
dogpile_index_link_locked(DogpileBlockNo *link, DogpileBlockNo number)
{
	DogpileStoredEntry *entry = dogpile_stored_entry(number);
	DogpileBlockNo *place = place_of(entry->hash);

	Assert(index_control->magic == INDEX_MAGIC);
	DogpileAssertHeld(dogpile_index_lock(entry->hash), LW_EXCLUSIVE);
	entry->next_in_bucket = *link;
	*link = number;
	entry->previous_of_key = DOGPILE_NO_BLOCK;
	entry->next_of_key = *place;
	if (*place != DOGPILE_NO_BLOCK)
		dogpile_stored_entry(*place)->previous_of_key = number;
	*place = number;
	dogpile_pool_count_held(-(int32) dogpile_stored_entry_blocks(entry));
}

/*
 * Unlink the entry that *link points to.
 *
 * Errors: none.  Locks: that of its partition is held exclusively.
 */
void
dogpile_index_unlink_locked(DogpileBlockNo *link)
{
	DogpileStoredEntry *entry = dogpile_stored_entry(*link);

	Assert(index_control->magic == INDEX_MAGIC);
	DogpileAssertHeld(dogpile_index_lock(entry->hash), LW_EXCLUSIVE);
	*link = entry->next_in_bucket;
	if (entry->previous_of_key == DOGPILE_NO_BLOCK)
		*place_of(entry->hash) = entry->next_of_key;
	else
		dogpile_stored_entry(entry->previous_of_key)->next_of_key = entry->next_of_key;
	if (entry->next_of_key != DOGPILE_NO_BLOCK)
		dogpile_stored_entry(entry->next_of_key)->previous_of_key = entry->previous_of_key;
	dogpile_pool_count_held(dogpile_stored_entry_blocks(entry));
	dogpile_stats_entry_removed(entry->region, dogpile_stored_entry_memory(entry));
}

/*
 * What points to an entry of which the number is known, or to DOGPILE_NO_BLOCK if it
 * is not there.
 *
 * Errors: none.  Locks: that of its partition is held.
 */
DogpileBlockNo *
dogpile_index_find_link_locked(DogpileBlockNo number, uint64 hash)
{
	DogpileBlockNo *link = dogpile_index_bucket(hash);

	DogpileAssertHeld(dogpile_index_lock(hash), LW_SHARED);
	while (*link != DOGPILE_NO_BLOCK && *link != number)
		link = &dogpile_stored_entry(*link)->next_in_bucket;
	return link;
}

/* --------------------------------------------------------------------
 * All variants of a key
 * --------------------------------------------------------------------
 */

/*
 * Was an entry created a moment ago?  Then there may be sessions that have waited
 * for it and have not looked it up yet.
 */
static bool
may_be_awaited(const DogpileStoredEntry *entry)
{
	return entry->creation_us > 0 &&
		dogpile_clock_coarse() < entry->created_at + entry->creation_us + AWAITED_US;
}

/* Return the blocks of entries that have been taken out. */
static void
free_entries(const DogpileBlockNo *numbers, int count)
{
	DogpileChain freed = {0};

	for (int i = 0; i < count; i++)
	{
		DogpileChain blocks;

		dogpile_pool_measure(&blocks, numbers[i]);
		dogpile_pool_join(&freed, &blocks);
	}
	dogpile_pool_put(&freed);
}

/*
 * Remove some variants; those that may be awaited are removed before any other
 * entry, but not now.
 *
 * Returns how many were removed.
 */
static int
remove_some(const DogpileKey *key, DogpileRemoval what, DogpileClock before)
{
	uint32		now_s = (uint32) (dogpile_clock_coarse() / USECS_PER_SEC);
	DogpileBlockNo removed[REMOVED_LOCKED];
	DogpileBlockNo next;
	int			nremoved = 0;

	LWLockAcquire(dogpile_index_lock(key->hash), LW_EXCLUSIVE);
	LWLockAcquire(dogpile_pool_lock, LW_EXCLUSIVE);
	next = *place_of(key->hash);
	while (next != DOGPILE_NO_BLOCK && nremoved < REMOVED_LOCKED)
	{
		DogpileBlockNo number = next;
		DogpileStoredEntry *entry = dogpile_stored_entry(number);

		next = entry->next_of_key;
		if (!dogpile_stored_entry_is_variant(entry, key) ||
			(what == DOGPILE_REMOVE_OLDER ? entry->as_of >= before :
			 !dogpile_stored_entry_is_dead(entry)))
			continue;
		if (may_be_awaited(entry))
			dogpile_evict_expire_locked(number, now_s + AWAITED_US / USECS_PER_SEC + 1);
		else
		{
			dogpile_evict_leave_locked(number);
			dogpile_index_unlink_locked(dogpile_index_find_link_locked(number,
																	   entry->hash));
			removed[nremoved++] = number;
		}
	}
	LWLockRelease(dogpile_pool_lock);
	LWLockRelease(dogpile_index_lock(key->hash));
	free_entries(removed, nremoved);
	return nremoved;
}

/*
 * Remove variants of a key, only to free their memory, since the versions make them
 * invalid.  If there are very many, some are left to eviction.
 *
 * before: for DOGPILE_REMOVE_OLDER.
 *
 * Returns how many were removed.
 *
 * Errors: none.  Locks: takes those of the partition and the pool.
 */
int
dogpile_index_remove_variants(const DogpileKey *key, DogpileRemoval what,
							  DogpileClock before)
{
	int			nremoved = 0;
	int			n;

	do
	{
		n = remove_some(key, what, before);
		nremoved += n;
	} while (n == REMOVED_LOCKED && nremoved < MAX_REMOVED);
	return nremoved;
}

/*
 * Look for a variant that has not been invalidated.
 *
 * ndead: set to the number of others that were met first.
 * max_dead: after so many it gives up.
 */
static bool
find_living(const DogpileKey *key, int max_dead, int *ndead)
{
	DogpileBlockNo number;
	bool		found = false;

	*ndead = 0;
	LWLockAcquire(dogpile_index_lock(key->hash), LW_SHARED);
	for (number = *place_of(key->hash);
		 number != DOGPILE_NO_BLOCK && !found && *ndead < max_dead;
		 number = dogpile_stored_entry(number)->next_of_key)
	{
		DogpileStoredEntry *entry = dogpile_stored_entry(number);

		if (!dogpile_stored_entry_is_variant(entry, key))
			continue;
		found = !dogpile_stored_entry_is_dead(entry);
		if (!found)
			(*ndead)++;
	}
	LWLockRelease(dogpile_index_lock(key->hash));
	return found;
}

/*
 * Is there a variant of a key that has not been invalidated?
 *
 * If there are many that have been invalidated, they are removed, so that the next
 * call does not meet them again.
 *
 * Errors: none.  Locks: takes those of the partition and the pool.
 */
bool
dogpile_index_has_variant(const DogpileKey *key)
{
	int			ndead;
	bool		found = find_living(key, MANY_DEAD, &ndead);

	while (!found && ndead == MANY_DEAD &&
		   dogpile_index_remove_variants(key, DOGPILE_REMOVE_DEAD, 0) > 0)
		found = find_living(key, MANY_DEAD, &ndead);

	/*
	 * Those that are left may be awaited: there are few, or many for a short
	 * time.
	 */
	if (!found && ndead == MANY_DEAD)
		found = find_living(key, INT_MAX, &ndead);
	return found;
}

#ifdef USE_ASSERT_CHECKING

/* --------------------------------------------------------------------
 * Checks; see store_check.c
 * --------------------------------------------------------------------
 */

/* Check an entry of a bucket, and count it. */
static void
check_entry(DogpileBlockNo number, DogpileBlockSet *seen, DogpileIndexContents *contents)
{
	const DogpileStoredEntry *entry = dogpile_stored_entry(number);

	(void) dogpile_pool_check_chain(seen, number, dogpile_stored_entry_blocks(entry));
	contents->entries[entry->region]++;
	contents->bytes[entry->region] += dogpile_stored_entry_memory(entry);
	if (dogpile_evict_is_queued(entry))
		contents->nqueued++;
}

/* Check the entries of a bucket.  Returns how many there are. */
static uint32
check_bucket(const DogpileBlockNo *bucket, DogpileBlockSet *seen,
			 DogpileIndexContents *contents)
{
	uint32		count = 0;

	for (DogpileBlockNo number = *bucket; number != DOGPILE_NO_BLOCK;
		 number = dogpile_stored_entry(number)->next_in_bucket)
	{
		Assert(dogpile_index_bucket(dogpile_stored_entry(number)->hash) == bucket);
		check_entry(number, seen, contents);
		count++;
	}
	return count;
}

/* Check the entries of a place, which are in buckets.  Returns how many there are. */
static uint32
check_place(const DogpileBlockNo *place, const DogpileBlockSet *seen)
{
	DogpileBlockNo previous = DOGPILE_NO_BLOCK;
	uint32		count = 0;

	for (DogpileBlockNo number = *place; number != DOGPILE_NO_BLOCK;
		 number = dogpile_stored_entry(number)->next_of_key)
	{
		Assert(seen->has[number]);
		Assert(place_of(dogpile_stored_entry(number)->hash) == place);
		Assert(dogpile_stored_entry(number)->previous_of_key == previous);
		previous = number;
		count++;
	}
	return count;
}

/*
 * Check the index.
 *
 * seen: blocks of entries are added.
 * contents: filled in; zeroed before.
 *
 * Locks: those of all partitions are held.
 */
void
dogpile_index_check_locked(DogpileBlockSet *seen, DogpileIndexContents *contents)
{
	Size		nbuckets = (Size) dogpile_index_buckets_per_partition * DOGPILE_INDEX_PARTITIONS;
	Size		nplaces = (Size) places_per_partition * DOGPILE_INDEX_PARTITIONS;
	uint32		nfound = 0;
	uint32		nplaced = 0;

	for (int i = 0; i < DOGPILE_INDEX_PARTITIONS; i++)
		DogpileAssertHeld(&dogpile_index_locks[i].lock, LW_SHARED);
	for (Size i = 0; i < nbuckets; i++)
		nfound += check_bucket(&dogpile_index_buckets[i], seen, contents);
	for (Size i = 0; i < nplaces; i++)
		nplaced += check_place(&places[i], seen);
	Assert(nfound == nplaced);
}

#endif							/* USE_ASSERT_CHECKING */
