/*-------------------------------------------------------------------------
 *
 * pool.h
 *	  Fixed blocks of shared memory, chained to hold entries of any size.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/pool.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_POOL_H
#define DOGPILE_POOL_H

#include "storage/lwlock.h"

/*
 * Size of a block in bytes.  Smaller blocks waste less at the end of a value,
 * larger ones less on links; bench/blocks measures that.
 */
#ifndef DOGPILE_BLOCK_SIZE
#define DOGPILE_BLOCK_SIZE	128
#endif

/* Number of a block, and what stands for none. */
typedef uint32 DogpileBlockNo;

#define DOGPILE_NO_BLOCK	PG_UINT32_MAX

/* A block: the number of the next one of its chain, and payload. */
typedef struct DogpileBlock
{
	DogpileBlockNo next;
	char		payload[DOGPILE_BLOCK_SIZE - sizeof(DogpileBlockNo)];
} DogpileBlock;

/* A chain of blocks that only one session can see. */
typedef struct DogpileChain
{
	DogpileBlockNo head;
	DogpileBlockNo tail;
	uint32		count;			/* blocks; 0: head and tail mean nothing */
} DogpileChain;

/* A position within a chain, for reading or writing it in order. */
typedef struct DogpileCursor
{
	DogpileBlock *block;
	uint32		offset;			/* within the block's payload */
} DogpileCursor;

extern PGDLLIMPORT DogpileBlock *dogpile_pool_blocks;
extern PGDLLIMPORT LWLock *dogpile_pool_lock;

extern Size dogpile_pool_shmem_size(uint32 nblocks);
extern void dogpile_pool_shmem_init(uint32 nblocks);
extern uint32 dogpile_pool_size(void);
extern void dogpile_pool_take_locked(DogpileChain *chain, uint32 count);
extern void dogpile_pool_put(DogpileChain *chain);
extern void dogpile_pool_trim(DogpileChain *chain, uint32 count);
extern void dogpile_pool_measure(DogpileChain *chain, DogpileBlockNo head);
extern void dogpile_pool_write(DogpileCursor *cursor, const void *data, Size size);
extern void dogpile_pool_read(DogpileCursor *cursor, void *data, Size size);
extern void dogpile_pool_skip(DogpileCursor *cursor, Size size);
extern bool dogpile_pool_equals(DogpileCursor *cursor, const void *data, Size size);

#ifdef USE_ASSERT_CHECKING

/* A set of blocks; see store_check.c. */
typedef struct DogpileBlockSet
{
	uint32		count;
	bool		has[FLEXIBLE_ARRAY_MEMBER]; /* by the numbers of blocks */
} DogpileBlockSet;

extern Size dogpile_pool_block_set_size(void);
extern DogpileBlockNo dogpile_pool_check_chain(DogpileBlockSet *seen,
											   DogpileBlockNo head, uint32 count);
extern uint32 dogpile_pool_check_locked(DogpileBlockSet *seen);
extern void dogpile_pool_count_held(int32 count);
#else
#define dogpile_pool_count_held(count)	((void) 0)
#endif

/* The address of a block. */
static inline DogpileBlock *
dogpile_pool_block(DogpileBlockNo number)
{
	return &dogpile_pool_blocks[number];
}

/*
 * Prefetch a block.  A hit in a large store mostly waits for memory, so it is
 * faster if it waits for several cache lines at once.
 *
 * gcc considers a function that does nothing else to have no effect, and drops
 * calls of it, unless it must be inlined.
 */
static pg_attribute_always_inline void
dogpile_pool_prefetch(DogpileBlockNo number)
{
#ifdef __GNUC__
	const char *block = (const char *) dogpile_pool_block(number);

	/* The next block often follows this one.  A prefetch never faults. */
	__builtin_prefetch(block);
	__builtin_prefetch(block + DOGPILE_BLOCK_SIZE / 2);
	__builtin_prefetch(block + DOGPILE_BLOCK_SIZE);
	__builtin_prefetch(block + DOGPILE_BLOCK_SIZE * 3 / 2);
#endif
}

/* Append the blocks of one chain to another; either may be empty. */
static inline void
dogpile_pool_join(DogpileChain *chain, const DogpileChain *other)
{
	if (other->count == 0)
		return;
	if (chain->count == 0)
		chain->head = other->head;
	else
		dogpile_pool_block(chain->tail)->next = other->head;
	chain->tail = other->tail;
	chain->count += other->count;
}

#endif							/* DOGPILE_POOL_H */
