/*-------------------------------------------------------------------------
 *
 * stored_entry.h
 *	  An entry as it lies in the blocks of shared memory.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/stored_entry.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_STORED_ENTRY_H
#define DOGPILE_STORED_ENTRY_H

#include "entry/key.h"
#include "store/pool.h"
#include "store/store.h"

#include "datatype/timestamp.h"

/*
 * The head of an entry, at the start of its first block.  Key, tags (if
 * has_tags) and value follow at once and go on in the chain's other blocks.
 *
 * Fields without a remark are written before the entry is published and never
 * again.  Those of index.c and evict.c are used by no other file.
 */
typedef struct DogpileStoredEntry
{
	DogpileBlockNo next;		/* next block of the chain */

	/* index.c, under the partition's lock */
	DogpileBlockNo next_in_bucket;
	DogpileBlockNo next_of_key; /* neighbours among the variants of the key */
	DogpileBlockNo previous_of_key;

	/* evict.c, under the pool lock: neighbours in the queue */
	DogpileBlockNo newer;
	DogpileBlockNo older;

	uint64		hash;			/* of the key */
	TimestampTz created_at;
	uint64		as_of:48;		/* clock of the versions before its snapshot */
	uint64		key_len:16;		/* bytes */
	float4		lifetime_s;		/* or DOGPILE_LIFETIME_REGION, _NEVER */
	uint32		creation_us;	/* microseconds that the creation took */
	uint32		data_len;		/* bytes of tags and value */
	uint8		region;			/* its number, see region_number.h */
	bool		has_tags;

	/* evict.c, see there */
	uint8		uses;
	uint8		queue;

	char		data[FLEXIBLE_ARRAY_MEMBER];
} DogpileStoredEntry;

extern void dogpile_stored_entry_write(DogpileStoredEntry *stored, int region_number,
									   const DogpileKey *key, const DogpileEntry *entry);
extern void dogpile_stored_entry_read_key(const DogpileStoredEntry *stored,
										  DogpileKey *key, char *bytes);
extern bool dogpile_stored_entry_is_variant(const DogpileStoredEntry *stored,
											const DogpileKey *key);
extern bool dogpile_stored_entry_is_dead(const DogpileStoredEntry *stored);
extern void dogpile_stored_entry_copy(const DogpileStoredEntry *stored,
									  DogpileCursor *cursor, char *buffer,
									  DogpileEntry *entry);
extern Size dogpile_stored_entry_scanned_size(const DogpileStoredEntry *stored);
extern char *dogpile_stored_entry_copy_scanned(const DogpileStoredEntry *stored,
											   char *buffer);

/* The entry whose first block this is. */
static inline DogpileStoredEntry *
dogpile_stored_entry(DogpileBlockNo head)
{
	return (DogpileStoredEntry *) dogpile_pool_block(head);
}

/* How many blocks an entry takes that has so many bytes of key, tags and value. */
static inline uint32
dogpile_stored_entry_blocks_for(Size bytes)
{
	const Size	payload = DOGPILE_BLOCK_SIZE - sizeof(DogpileBlockNo);
	const Size	head = offsetof(DogpileStoredEntry, data) - sizeof(DogpileBlockNo);

	return (uint32) ((head + bytes + payload - 1) / payload);
}

/* How many blocks an entry takes. */
static inline uint32
dogpile_stored_entry_blocks(const DogpileStoredEntry *stored)
{
	return dogpile_stored_entry_blocks_for(stored->key_len + stored->data_len);
}

/* ... and how many bytes of memory. */
static inline Size
dogpile_stored_entry_memory(const DogpileStoredEntry *stored)
{
	return (Size) dogpile_stored_entry_blocks(stored) * DOGPILE_BLOCK_SIZE;
}

/* A cursor at the start of an entry's key. */
static inline DogpileCursor
dogpile_stored_entry_cursor(const DogpileStoredEntry *stored)
{
	DogpileCursor cursor = {
		(DogpileBlock *) stored,
		offsetof(DogpileStoredEntry, data) - offsetof(DogpileBlock, payload)
	};

	return cursor;
}

/* Is this the entry of a key?  If so, the cursor is left behind its key. */
static inline bool
dogpile_stored_entry_has_key(const DogpileStoredEntry *stored, const DogpileKey *key,
							 DogpileCursor *cursor)
{
	if (stored->hash != key->hash || stored->key_len != key->len)
		return false;
	dogpile_pool_prefetch(stored->next);
	*cursor = dogpile_stored_entry_cursor(stored);
	return dogpile_pool_equals(cursor, key->bytes, key->len);
}

/* How large a buffer dogpile_stored_entry_copy() needs: two parts, both aligned. */
static inline Size
dogpile_stored_entry_copied_size(const DogpileStoredEntry *stored)
{
	return (Size) stored->data_len + MAXIMUM_ALIGNOF;
}

#endif							/* DOGPILE_STORED_ENTRY_H */
