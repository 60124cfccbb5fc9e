/*-------------------------------------------------------------------------
 *
 * pool.c
 *	  Fixed blocks of shared memory, chained to hold entries of any size.
 *
 * The store's memory is divided into blocks of one size when the server starts.
 * An entry takes a chain of as many blocks as it needs.  So memory cannot
 * fragment; making room for n blocks never evicts more than the entries that have
 * n blocks; and blocks taken in advance can be filled at COMMIT, where nothing may
 * fail.  General-purpose allocators (DSA) were measured and offer none of these.
 *
 * Free blocks stay in the chains in which they were returned; the first block of
 * each has its length and its last block.  So returning an entry of any size takes
 * a few stores under the lock.
 *
 * A session that dies by ERROR or FATAL returns what it has taken (see
 * xact.c).  One that is killed takes the server down with it, and all of this
 * is built anew.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/pool.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/shmem.h"

#include "lib/lwlock_check.h"
#include "store/pool.h"

/* Blocks of each chain that the pool begins with. */
#define INITIAL_CHAIN	64

/* Up to so many blocks are cut off a longer chain while the lock is held. */
#define MAX_CUT_LOCKED	32

#define PAYLOAD_SIZE	sizeof(((DogpileBlock *) NULL)->payload)

/* What the payload of a free chain's first block holds. */
typedef struct FreeChain
{
	DogpileBlockNo next_chain;
	DogpileBlockNo tail;
	uint32		count;
} FreeChain;

#define POOL_MAGIC		0x4450504F

/* In shared memory; magic and nblocks never change, the rest is under the pool lock. */
typedef struct PoolControl
{
	uint32		magic;
	uint32		nblocks;
	DogpileBlockNo first_chain; /* of the free ones */
#ifdef USE_ASSERT_CHECKING
	pg_atomic_uint32 nheld;		/* blocks that are neither free nor in the
								 * index; changed under the pool lock or that
								 * of a partition */
#endif
} PoolControl;

static PoolControl *pool = NULL;
DogpileBlock *dogpile_pool_blocks = NULL;
LWLock	   *dogpile_pool_lock = NULL;

static inline FreeChain *
free_chain(DogpileBlockNo head)
{
	return (FreeChain *) dogpile_pool_block(head)->payload;
}

/* Make a chain the first of the free ones. */
static void
push_locked(const DogpileChain *chain)
{
	FreeChain  *free = free_chain(chain->head);

	Assert(pool->magic == POOL_MAGIC);
	DogpileAssertHeld(dogpile_pool_lock, LW_EXCLUSIVE);
	free->next_chain = pool->first_chain;
	free->tail = chain->tail;
	free->count = chain->count;
	pool->first_chain = chain->head;
	dogpile_pool_count_held(-(int32) chain->count);
}

/* Link blocks that lie side by side into a chain. */
static void
link_blocks(DogpileChain *chain, DogpileBlockNo first, uint32 count)
{
	chain->head = first;
	chain->tail = first + count - 1;
	chain->count = count;
	for (DogpileBlockNo n = first; n < chain->tail; n++)
		dogpile_pool_block(n)->next = n + 1;
	dogpile_pool_block(chain->tail)->next = DOGPILE_NO_BLOCK;
}

Size
dogpile_pool_shmem_size(uint32 nblocks)
{
	Size		size = add_size(MAXALIGN(sizeof(PoolControl)), PG_CACHE_LINE_SIZE);

	return add_size(size, mul_size(nblocks, sizeof(DogpileBlock)));
}

/*
 * Create the pool with all its blocks free, or attach to it.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_pool_shmem_init(uint32 nblocks)
{
	bool		found;

	StaticAssertStmt(sizeof(DogpileBlock) == DOGPILE_BLOCK_SIZE,
					 "a block has no padding");
	pool = ShmemInitStruct("dogpile pool", dogpile_pool_shmem_size(nblocks), &found);
	dogpile_pool_blocks = (DogpileBlock *)
		TYPEALIGN(PG_CACHE_LINE_SIZE, (char *) pool + sizeof(PoolControl));
	dogpile_pool_lock = &GetNamedLWLockTranche("dogpile_pool")->lock;
	if (found)
	{
		Assert(pool->magic == POOL_MAGIC);
		return;
	}

	pool->magic = POOL_MAGIC;
	pool->nblocks = nblocks;
	pool->first_chain = DOGPILE_NO_BLOCK;
#ifdef USE_ASSERT_CHECKING
	pg_atomic_init_u32(&pool->nheld, nblocks);
#endif
	LWLockAcquire(dogpile_pool_lock, LW_EXCLUSIVE);
	for (uint32 first = 0; first < nblocks; first += INITIAL_CHAIN)
	{
		DogpileChain chain;

		link_blocks(&chain, first, Min(INITIAL_CHAIN, nblocks - first));
		push_locked(&chain);
	}
	LWLockRelease(dogpile_pool_lock);
}

/* Number of blocks in all. */
uint32
dogpile_pool_size(void)
{
	return pool->nblocks;
}

/* Walk to the count-th block of a chain. */
static DogpileBlockNo
find_nth(DogpileBlockNo head, uint32 count)
{
	while (--count > 0)
		head = dogpile_pool_block(head)->next;
	return head;
}

/* Keep the first count blocks of a chain, and move the others to another one. */
static void
cut(DogpileChain *chain, uint32 count, DogpileChain *rest)
{
	DogpileBlockNo last = find_nth(chain->head, count);

	rest->head = dogpile_pool_block(last)->next;
	rest->tail = chain->tail;
	rest->count = chain->count - count;
	dogpile_pool_block(last)->next = DOGPILE_NO_BLOCK;
	chain->tail = last;
	chain->count = count;
}

/*
 * Take free blocks until a chain has at least count of them, or none are left.
 *
 * chain: grows; the caller trims it to size by dogpile_pool_trim() once it has
 * released the lock, because walking a long chain takes its time.
 *
 * Errors: none.  Locks: the pool lock is held exclusively.
 */
void
dogpile_pool_take_locked(DogpileChain *chain, uint32 count)
{
	Assert(pool->magic == POOL_MAGIC);
	DogpileAssertHeld(dogpile_pool_lock, LW_EXCLUSIVE);
	while (chain->count < count && pool->first_chain != DOGPILE_NO_BLOCK)
	{
		FreeChain  *free = free_chain(pool->first_chain);
		DogpileChain taken = {pool->first_chain, free->tail, free->count};
		uint32		missing = count - chain->count;

		pool->first_chain = free->next_chain;
		dogpile_pool_count_held(taken.count);
		if (taken.count > missing && missing <= MAX_CUT_LOCKED)
		{
			DogpileChain rest;

			cut(&taken, missing, &rest);
			push_locked(&rest);
		}
		dogpile_pool_join(chain, &taken);
	}
}

/*
 * Return the blocks of a chain, which is empty afterwards.
 *
 * Errors: none.  Locks: takes the pool lock.
 */
void
dogpile_pool_put(DogpileChain *chain)
{
	if (chain->count == 0)
		return;
	LWLockAcquire(dogpile_pool_lock, LW_EXCLUSIVE);
	push_locked(chain);
	LWLockRelease(dogpile_pool_lock);
	chain->count = 0;
}

/*
 * Return all but the first count blocks of a chain.
 *
 * Errors: none.  Locks: takes the pool lock.
 */
void
dogpile_pool_trim(DogpileChain *chain, uint32 count)
{
	DogpileChain rest;

	if (chain->count <= count)
		return;
	cut(chain, count, &rest);
	dogpile_pool_put(&rest);
}

/* Find the length and the end of the chain that begins with a block. */
void
dogpile_pool_measure(DogpileChain *chain, DogpileBlockNo head)
{
	chain->head = head;
	chain->tail = head;
	chain->count = 1;
	while (dogpile_pool_block(chain->tail)->next != DOGPILE_NO_BLOCK)
	{
		chain->tail = dogpile_pool_block(chain->tail)->next;
		chain->count++;
	}
}

/*
 * Advance to the next part of the chain that lies in one piece.
 *
 * Returns its length, at most size.
 */
static inline Size
next_piece(DogpileCursor *cursor, Size size, char **piece)
{
	Size		room = PAYLOAD_SIZE - cursor->offset;

	if (room == 0)
	{
		cursor->block = dogpile_pool_block(cursor->block->next);
		cursor->offset = 0;
		dogpile_pool_prefetch(cursor->block->next);
		room = PAYLOAD_SIZE;
	}
	*piece = cursor->block->payload + cursor->offset;
	room = Min(room, size);
	cursor->offset += room;
	return room;
}

/* Write to a chain that nobody else can see; the cursor advances. */
void
dogpile_pool_write(DogpileCursor *cursor, const void *data, Size size)
{
	const char *from = data;

	while (size > 0)
	{
		char	   *piece;
		Size		length = next_piece(cursor, size, &piece);

		memcpy(piece, from, length);
		from += length;
		size -= length;
	}
}

/* Read from a chain that nobody changes meanwhile; the cursor advances. */
void
dogpile_pool_read(DogpileCursor *cursor, void *data, Size size)
{
	char	   *to = data;

	while (size > 0)
	{
		char	   *piece;
		Size		length = next_piece(cursor, size, &piece);

		memcpy(to, piece, length);
		to += length;
		size -= length;
	}
}

/* Advance without reading. */
void
dogpile_pool_skip(DogpileCursor *cursor, Size size)
{
	char	   *piece;

	while (size > 0)
		size -= next_piece(cursor, size, &piece);
}

/* Compare with what a chain holds; the cursor advances if it is equal. */
bool
dogpile_pool_equals(DogpileCursor *cursor, const void *data, Size size)
{
	const char *with = data;

	while (size > 0)
	{
		char	   *piece;
		Size		length = next_piece(cursor, size, &piece);

		if (memcmp(piece, with, length) != 0)
			return false;
		with += length;
		size -= length;
	}
	return true;
}

#ifdef USE_ASSERT_CHECKING

/* --------------------------------------------------------------------
 * Checks; see store_check.c
 * --------------------------------------------------------------------
 */

/*
 * Count blocks that a session holds from now on, or no longer if the count is negative:
 * they are neither free nor in the index.
 *
 * Errors: none.  Locks: that of the pool or of a partition is held exclusively.
 */
void
dogpile_pool_count_held(int32 count)
{
	pg_atomic_fetch_add_u32(&pool->nheld, count);
}

Size
dogpile_pool_block_set_size(void)
{
	return offsetof(DogpileBlockSet, has) + pool->nblocks * sizeof(bool);
}

/*
 * Check that a chain has so many blocks, and none that was seen before.
 *
 * Returns its last block.
 */
DogpileBlockNo
dogpile_pool_check_chain(DogpileBlockSet *seen, DogpileBlockNo head, uint32 count)
{
	DogpileBlockNo next = head;
	DogpileBlockNo last = DOGPILE_NO_BLOCK;

	for (; count > 0; count--)
	{
		last = next;
		Assert(last < pool->nblocks);
		Assert(!seen->has[last]);
		seen->has[last] = true;
		seen->count++;
		next = dogpile_pool_block(last)->next;
	}
	Assert(next == DOGPILE_NO_BLOCK);
	return last;
}

/*
 * Check the free blocks, and that all others are in the index or held by sessions.
 *
 * seen: the blocks that are in the index.
 *
 * Returns how many blocks sessions hold.
 *
 * Locks: that of the pool and those of all partitions are held.
 */
uint32
dogpile_pool_check_locked(DogpileBlockSet *seen)
{
	DogpileBlockNo number;
	uint32		nheld;

	DogpileAssertHeld(dogpile_pool_lock, LW_SHARED);
	for (number = pool->first_chain; number != DOGPILE_NO_BLOCK;
		 number = free_chain(number)->next_chain)
	{
		const FreeChain *free = free_chain(number);

		Assert(dogpile_pool_check_chain(seen, number, free->count) == free->tail);
	}
	nheld = pg_atomic_read_u32(&pool->nheld);
	Assert(seen->count + nheld == pool->nblocks);
	return nheld;
}

#endif							/* USE_ASSERT_CHECKING */
