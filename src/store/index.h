/*-------------------------------------------------------------------------
 *
 * index.h
 *	  Where the entries in shared memory are found: by all of their key, and
 *	  all variants of a key together.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/index.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_INDEX_H
#define DOGPILE_INDEX_H

#include "config/region_number.h"
#include "entry/key.h"
#include "store/stored_entry.h"

/* Number of locks that dogpile.c has to ask for. */
#define DOGPILE_INDEX_PARTITIONS	128

/* What it takes for each block of the store; see index.c. */
#define DOGPILE_INDEX_BYTES_PER_BLOCK	3

/* In shared memory; each partition's buckets lie side by side. */
extern PGDLLIMPORT DogpileBlockNo *dogpile_index_buckets;
extern PGDLLIMPORT uint32 dogpile_index_buckets_per_partition;
extern PGDLLIMPORT LWLockPadded *dogpile_index_locks;

/* What to remove of the variants of a key. */
typedef enum DogpileRemoval
{
	DOGPILE_REMOVE_OLDER,		/* those with an older clock */
	DOGPILE_REMOVE_DEAD			/* those that have been hard invalidated */
} DogpileRemoval;

extern Size dogpile_index_shmem_size(uint32 nblocks);
extern void dogpile_index_shmem_init(uint32 nblocks);
extern void dogpile_index_link_locked(DogpileBlockNo *link, DogpileBlockNo number);
extern void dogpile_index_unlink_locked(DogpileBlockNo *link);
extern DogpileBlockNo *dogpile_index_find_link_locked(DogpileBlockNo number,
													  uint64 hash);
extern bool dogpile_index_has_variant(const DogpileKey *key);
extern int	dogpile_index_remove_variants(const DogpileKey *key, DogpileRemoval what,
										  DogpileClock before);

#ifdef USE_ASSERT_CHECKING

/* What the index has: see store_check.c. */
typedef struct DogpileIndexContents
{
	uint64		entries[DOGPILE_REGION_NUMBERS];
	uint64		bytes[DOGPILE_REGION_NUMBERS];
	uint32		nqueued;		/* entries that say that they are in a queue */
} DogpileIndexContents;

extern void dogpile_index_check_locked(DogpileBlockSet *seen,
									   DogpileIndexContents *contents);
#endif

static inline uint32
dogpile_index_partition(uint64 hash)
{
	return DOGPILE_KEY_BASE(hash) % DOGPILE_INDEX_PARTITIONS;
}

/* The lock of an entry, and of all variants of its key. */
static inline LWLock *
dogpile_index_lock(uint64 hash)
{
	return &dogpile_index_locks[dogpile_index_partition(hash)].lock;
}

/* What points to the first entry of a bucket. */
static inline DogpileBlockNo *
dogpile_index_bucket(uint64 hash)
{
	return &dogpile_index_buckets[dogpile_index_partition(hash) *
								  dogpile_index_buckets_per_partition +
								  (uint32) (((hash >> 32) *
											 dogpile_index_buckets_per_partition) >> 32)];
}

#endif							/* DOGPILE_INDEX_H */
