/*-------------------------------------------------------------------------
 *
 * version.h
 *	  What was invalidated when: the versions of whatever entries depend on.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/version/version.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_VERSION_H
#define DOGPILE_VERSION_H

#include "access/transam.h"
#include "common/hashfn.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/lwlock.h"

/*
 * A point in the history of invalidations, not a time: the number of
 * transactions that have invalidated anything since the server started.
 */
typedef uint64 DogpileClock;

/* Number of a slot in the table of versions. */
typedef uint32 DogpileSlot;

/*
 * Regions, tags and objects of the catalogs (see object.c) have slots of their
 * own: many entries depend on each, so they must not collide with keys, which are
 * invalidated often.
 */
#define DOGPILE_REGION_VERSIONS		4096
#define DOGPILE_KEYS_PER_TAG		4	/* as many versions for keys as for
										 * tags */
#define DOGPILE_KEYS_PER_OBJECT		2	/* ... and as for objects */

/*
 * The last invalidations of whatever hashes to this slot.  Written under the
 * version lock, read without; see version.c.
 */
typedef struct DogpileVersion
{
	pg_atomic_uint64 hard_at;	/* clock of the last hard one */
	pg_atomic_uint64 soft_at;	/* ... and of the last soft one; for an
								 * object, which is never softly invalidated:
								 * since when it is watched */
	pg_atomic_uint64 next_xid;	/* full xid assigned next after the last one */
	pg_atomic_uint64 marks;		/* of transactions about to invalidate it; see
								 * version.c */
} DogpileVersion;				/* two to a cache line */

#define DOGPILE_VERSION_MAGIC	0x44505653

/* In shared memory; the pointers are inherited by fork or set at attach. */
typedef struct DogpileVersionTable
{
	pg_atomic_uint64 clock;		/* last tick; advanced under the version lock */
	pg_atomic_uint32 nreaders;	/* queries running whose objects are not yet
								 * known */
	uint32		nkeys;			/* a power of two, as are the others */
	uint32		ntags;
	uint32		nobjects;
	uint32		magic;			/* DOGPILE_VERSION_MAGIC */
	DogpileVersion versions[FLEXIBLE_ARRAY_MEMBER]; /* keys, tags, regions,
													 * objects */
} DogpileVersionTable;

extern PGDLLIMPORT DogpileVersionTable *dogpile_version_table;

/* Held exclusively for a tick, shared by those that must not see half of one. */
extern PGDLLIMPORT LWLock *dogpile_version_lock;

extern Size dogpile_version_shmem_size(Size budget);
extern void dogpile_version_shmem_init(Size budget);
extern DogpileClock dogpile_version_begin_tick(void);
extern void dogpile_version_bump(DogpileSlot slot, bool hard, DogpileClock at,
								 uint64 next_xid);
extern void dogpile_version_end_tick(void);
extern void dogpile_version_mark(DogpileSlot slot, TransactionId xid);
extern void dogpile_version_unmark(DogpileSlot slot);
extern bool dogpile_version_is_marked_for(uint64 marks);
extern int	dogpile_version_make_unique(DogpileSlot *slots, int nslots);
extern void dogpile_version_watch(const DogpileSlot *slots, int nslots);
extern uint64 dogpile_version_snapshot_xmin(void);
extern uint64 dogpile_version_old_snapshot_xmin(void);
extern void dogpile_version_note_snapshot(void);
extern void dogpile_version_forget_snapshot(void);
extern TimestampTz dogpile_version_snapshot_time(void);
extern bool dogpile_version_is_visible_locked(DogpileSlot slot, uint64 xmin);
extern bool dogpile_version_all_visible(const DogpileSlot *slots, int nslots,
										uint64 xmin);

/* What the clock shows now. */
static inline DogpileClock
dogpile_version_now(void)
{
	Assert(dogpile_version_table->magic == DOGPILE_VERSION_MAGIC);
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

/* The slot of a region of a database; number: see region_number.h. */
static inline DogpileSlot
dogpile_version_region_slot(Oid database, int number)
{
	uint32		hash = hash_combine(murmurhash32(database),
									murmurhash32((uint32) number));

	return dogpile_version_table->nkeys + dogpile_version_table->ntags +
		(hash & (DOGPILE_REGION_VERSIONS - 1));
}

/* The first slot of objects. */
static inline DogpileSlot
dogpile_version_first_object(void)
{
	return dogpile_version_table->nkeys + dogpile_version_table->ntags +
		DOGPILE_REGION_VERSIONS;
}

/* The slot of an object of the catalogs; hash: see object.c. */
static inline DogpileSlot
dogpile_version_object_slot(uint32 hash)
{
	return dogpile_version_first_object() + (hash & (dogpile_version_table->nobjects - 1));
}

/* The version of a slot. */
static inline DogpileVersion *
dogpile_version_get(DogpileSlot slot)
{
	return &dogpile_version_table->versions[slot];
}

/* Ask for the memory of a slot's version while there is other work. */
static pg_attribute_always_inline void
dogpile_version_prefetch(DogpileSlot slot)
{
#ifdef __GNUC__
	__builtin_prefetch(dogpile_version_get(slot));
#endif
}

/* Has anything in this slot been hard invalidated after that clock? */
static inline bool
dogpile_version_is_hard_after(DogpileSlot slot, DogpileClock as_of)
{
	return pg_atomic_read_u64(&dogpile_version_get(slot)->hard_at) > as_of;
}

/* Has anything in this slot been softly invalidated after that clock? */
static inline bool
dogpile_version_is_soft_after(DogpileSlot slot, DogpileClock as_of)
{
	return pg_atomic_read_u64(&dogpile_version_get(slot)->soft_at) > as_of &&
		slot < dogpile_version_first_object();
}

/* The marks of a slot; 0 if there are none. */
static inline uint64
dogpile_version_marks(DogpileSlot slot)
{
	uint64		marks = pg_atomic_read_u64(&dogpile_version_get(slot)->marks);

	/*
	 * Pairs with dogpile_version_unmark(): without the mark, its bump is
	 * seen.
	 */
	pg_read_barrier();
	return marks;
}

/*
 * Is a transaction about to invalidate this slot?  Ask this before the two above: a
 * transaction enters its invalidations before it removes its marks.
 */
static inline bool
dogpile_version_is_marked(DogpileSlot slot)
{
	return dogpile_version_marks(slot) != 0;
}

/* ... whose commit the active snapshot may see already? */
static inline bool
dogpile_version_is_changing(DogpileSlot slot)
{
	uint64		marks = dogpile_version_marks(slot);

	return marks != 0 && dogpile_version_is_marked_for(marks);
}

/* Are queries running of which it is not yet known what they depend on? */
static inline bool
dogpile_version_has_readers(void)
{
	bool		result = pg_atomic_read_u32(&dogpile_version_table->nreaders) > 0;

	/*
	 * Pairs with dogpile_version_end_read(): without the reader, its slots
	 * are watched.
	 */
	pg_read_barrier();
	return result;
}

/*
 * Become such a reader, before the query's snapshot is taken.
 *
 * A full barrier, which pairs with that of take_effect() in commit.c: a writer that
 * does not count this reader is visible to the reader's snapshot.
 */
static inline void
dogpile_version_begin_read(void)
{
	pg_atomic_fetch_add_u32(&dogpile_version_table->nreaders, 1);
}

/*
 * Cease to be one, when what the query depends on is watched.
 *
 * A full barrier, which pairs with that of dogpile_version_has_readers().
 */
static inline void
dogpile_version_end_read(void)
{
	pg_atomic_fetch_sub_u32(&dogpile_version_table->nreaders, 1);
}

/* Does any entry depend on this object, or has one since the server started? */
static inline bool
dogpile_version_is_watched(DogpileSlot slot)
{
	return pg_atomic_read_u64(&dogpile_version_get(slot)->soft_at) != 0;
}

#endif							/* DOGPILE_VERSION_H */
