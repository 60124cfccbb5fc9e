/*-------------------------------------------------------------------------
 *
 * evict.h
 *	  Which entry makes room for another: S3-FIFO.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/evict.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_EVICT_H
#define DOGPILE_EVICT_H

#include "store/stored_entry.h"

/* Where an entry stands: its "queue". */
typedef enum DogpileQueueId
{
	DOGPILE_QUEUE_NONE,			/* not published, or chosen to be evicted */
	DOGPILE_QUEUE_SMALL,		/* new */
	DOGPILE_QUEUE_MAIN,			/* used again */
	DOGPILE_NUM_QUEUES
} DogpileQueueId;

/* Highest value of an entry's "uses", which are lowered under the pool lock. */
#define DOGPILE_MAX_USES	3

/* Never evicted for its age. */
#define DOGPILE_NEVER_GONE	PG_UINT32_MAX

extern Size dogpile_evict_shmem_size(uint32 nblocks);
extern void dogpile_evict_shmem_init(uint32 nblocks);
extern void dogpile_evict_enter_locked(DogpileBlockNo entry, uint32 gone_at_s);
extern void dogpile_evict_replace_locked(DogpileBlockNo old, DogpileBlockNo entry,
										 uint32 gone_at_s);
extern void dogpile_evict_expire_locked(DogpileBlockNo entry, uint32 gone_at_s);
extern void dogpile_evict_leave_locked(DogpileBlockNo entry);
extern DogpileBlockNo dogpile_evict_pick_locked(uint32 now_s, uint64 clock);

#ifdef USE_ASSERT_CHECKING
extern void dogpile_evict_check_locked(const DogpileBlockSet *seen, uint32 nqueued);
#endif

/* Is an entry in a queue?  The pool lock is held. */
static inline bool
dogpile_evict_is_queued(const DogpileStoredEntry *entry)
{
	return entry->queue != DOGPILE_QUEUE_NONE;
}

/* Initialize the fields of eviction in an entry that is not published yet. */
static inline void
dogpile_evict_begin(DogpileStoredEntry *entry)
{
	entry->uses = 0;
	entry->queue = DOGPILE_QUEUE_NONE;
}

/*
 * Note that an entry was used.
 *
 * Errors: none.  Locks: that of its partition is held, maybe shared, so an increment
 * may be lost to that of another session; that does no harm.
 */
static inline void
dogpile_evict_note_use(DogpileStoredEntry *entry)
{
	if (entry->uses < DOGPILE_MAX_USES)
		entry->uses++;
}

#endif							/* DOGPILE_EVICT_H */
