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

#include "datatype/timestamp.h"
#include "store/pool.h"
#include "version/version.h"

/* Where an entry stands. */
typedef enum DogpileQueueId
{
	DOGPILE_QUEUE_NONE,			/* not published, or chosen to go */
	DOGPILE_QUEUE_SMALL,		/* new */
	DOGPILE_QUEUE_MAIN,			/* asked for again */
	DOGPILE_NUM_QUEUES
} DogpileQueueId;

/* Highest value of an entry's count of uses. */
#define DOGPILE_MAX_USES	3

/*
 * The head of an entry, at the start of its first block.  Key, tags (if
 * has_tags) and value follow at once and go on in the chain's other blocks.
 *
 * Fields without a remark are written before the entry is published and never
 * again.
 */
typedef struct DogpileStoredEntry
{
	DogpileBlockNo next;		/* next block of the chain */
	DogpileBlockNo next_in_bucket;	/* next entry; partition lock */
	DogpileBlockNo next_of_key; /* neighbours among the variants of its key; the */
	DogpileBlockNo previous_of_key; /* ... partition's lock */
	DogpileBlockNo newer;		/* neighbours in the queue; pool lock */
	DogpileBlockNo older;
	uint64		hash;			/* of the key */
	TimestampTz created_at;
	uint64		as_of:48;		/* clock of the versions before its snapshot */
	uint64		key_len:16;		/* bytes */
	float4		lifetime_s;		/* or DOGPILE_LIFETIME_REGION, _NEVER */
	uint32		creation_us;	/* microseconds that the creation took */
	uint32		data_len;		/* bytes of tags and value */
	uint8		region;			/* number of its region, see stats.h */
	bool		has_tags;
	uint8		uses;			/* raised by hits under the partition's shared
								 * lock, so a raise may be lost; lowered under
								 * the pool lock */
	uint8		queue;			/* DogpileQueueId; pool lock */
	char		data[FLEXIBLE_ARRAY_MEMBER];
} DogpileStoredEntry;

/* Never dropped for its age. */
#define DOGPILE_NEVER_GONE	PG_UINT32_MAX

extern Size dogpile_evict_shmem_size(uint32 nblocks);
extern void dogpile_evict_shmem_init(uint32 nblocks);
extern void dogpile_evict_enter_locked(DogpileBlockNo entry, uint32 gone_at_s);
extern void dogpile_evict_replace_locked(DogpileBlockNo old, DogpileBlockNo entry,
										 uint32 gone_at_s);
extern void dogpile_evict_expire_locked(DogpileBlockNo entry, uint32 gone_at_s);
extern void dogpile_evict_leave_locked(DogpileBlockNo entry);
extern DogpileBlockNo dogpile_evict_pick_locked(uint32 now_s);
extern bool dogpile_evict_is_dead(const DogpileStoredEntry *entry);

/* The entry whose first block this is. */
static inline DogpileStoredEntry *
dogpile_evict_entry(DogpileBlockNo head)
{
	return (DogpileStoredEntry *) dogpile_pool_block(head);
}

/* How many blocks an entry with so many bytes of key, tags and value takes. */
static inline uint32
dogpile_evict_count_blocks(Size bytes)
{
	const Size	payload = DOGPILE_BLOCK_SIZE - sizeof(DogpileBlockNo);
	const Size	head = offsetof(DogpileStoredEntry, data) - sizeof(DogpileBlockNo);

	return (uint32) ((head + bytes + payload - 1) / payload);
}

#endif							/* DOGPILE_EVICT_H */
