/*-------------------------------------------------------------------------
 *
 * version.h
 *	  What was invalidated when: the versions of keys, tags and regions.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/version.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_VERSION_H
#define DOGPILE_VERSION_H

#include "common/hashfn.h"
#include "port/atomics.h"

/*
 * A point in the history of invalidations, not a time: the number of
 * transactions that have invalidated anything since the server started.
 */
typedef uint64 DogpileClock;

/* Number of a slot in the table of versions. */
typedef uint32 DogpileSlot;

/*
 * Regions and tags have slots of their own, because all that depends on one
 * goes with it: it must not collide with keys, of which many are invalidated.
 */
#define DOGPILE_REGION_VERSIONS		4096
#define DOGPILE_KEYS_PER_TAG		4	/* as many versions for keys as for tags */

/*
 * The last invalidations of whatever hashes to this slot.  Written under the
 * version lock, read without; see version.c.
 */
typedef struct DogpileVersion
{
	pg_atomic_uint64 hard_at;	/* clock of the last hard one */
	pg_atomic_uint64 soft_at;	/* ... and of the last soft one */
	pg_atomic_uint64 next_xid;	/* full xid assigned next after the last one */
	uint64		unused;			/* two versions to a cache line */
} DogpileVersion;

/* In shared memory; the pointers are inherited by fork or set at attach. */
typedef struct DogpileVersionTable
{
	pg_atomic_uint64 clock;		/* last tick; advanced under the version lock */
	uint32		nkeys;			/* a power of two, as are the others */
	uint32		ntags;
	DogpileVersion versions[FLEXIBLE_ARRAY_MEMBER]; /* keys, tags, regions */
} DogpileVersionTable;

extern PGDLLIMPORT DogpileVersionTable *dogpile_version_table;

extern Size dogpile_version_shmem_size(Size budget);
extern void dogpile_version_shmem_init(Size budget);
extern DogpileClock dogpile_version_begin_tick(void);
extern void dogpile_version_bump(DogpileSlot slot, bool hard, DogpileClock at,
								 uint64 next_xid);
extern void dogpile_version_end_tick(void);
extern uint64 dogpile_version_snapshot_xmin(void);
extern uint64 dogpile_version_old_snapshot_xmin(void);
extern bool dogpile_version_all_visible(const DogpileSlot *slots, int nslots,
										uint64 xmin);

/* What the clock shows now. */
static inline DogpileClock
dogpile_version_now(void)
{
	return pg_atomic_read_u64(&dogpile_version_table->clock);
}

/* The slot of a key, all its variants together; see key.h for the hash. */
static inline DogpileSlot
dogpile_version_key_slot(uint64 key_hash)
{
	return (uint32) key_hash & (dogpile_version_table->nkeys - 1);
}

/* The slot of a tag. */
static inline DogpileSlot
dogpile_version_tag_slot(uint32 hash)
{
	return dogpile_version_table->nkeys + (hash & (dogpile_version_table->ntags - 1));
}

/* The slot of a region of a database; number: see dogpile_stats_slot(). */
static inline DogpileSlot
dogpile_version_region_slot(Oid database, int number)
{
	uint32		hash = hash_combine(murmurhash32(database),
									murmurhash32((uint32) number));

	return dogpile_version_table->nkeys + dogpile_version_table->ntags +
		(hash & (DOGPILE_REGION_VERSIONS - 1));
}

/* The version of a slot. */
static inline DogpileVersion *
dogpile_version_get(DogpileSlot slot)
{
	return &dogpile_version_table->versions[slot];
}

/* Has anything in this slot been invalidated for good after that clock? */
static inline bool
dogpile_version_is_hard_after(DogpileSlot slot, DogpileClock as_of)
{
	return pg_atomic_read_u64(&dogpile_version_get(slot)->hard_at) > as_of;
}

/* Has anything in this slot been declared stale after that clock? */
static inline bool
dogpile_version_is_soft_after(DogpileSlot slot, DogpileClock as_of)
{
	return pg_atomic_read_u64(&dogpile_version_get(slot)->soft_at) > as_of;
}

/*
 * Does a snapshot see whatever was invalidated in this slot?  The version lock
 * must be held; see dogpile_version_all_visible().
 */
static inline bool
dogpile_version_is_visible_locked(DogpileSlot slot, uint64 xmin)
{
	return pg_atomic_read_u64(&dogpile_version_get(slot)->next_xid) <= xmin;
}

#endif							/* DOGPILE_VERSION_H */
