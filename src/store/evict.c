/*-------------------------------------------------------------------------
 *
 * evict.c
 *	  Which entry makes room for another: S3-FIFO.
 *
 * The policy is that of Yang et al., "FIFO queues are all you need for cache
 * eviction" (SOSP 2023).  A new entry is put into a small queue.  At the end of
 * that, it moves to the main queue if it was used in the meantime; otherwise it
 * is evicted, and a ghost keeps its hash, so that an entry with that hash is put
 * into the main queue at once if it is stored again.  In the main queue an entry
 * that was used goes round again, once for each use up to three.  Most entries
 * are used once; they never displace those that are in use.  A hit only raises
 * a small counter, so readers need no exclusive lock.
 *
 * Entries that are gone are evicted first.  The second from which each is gone
 * is kept in a separate array, over which a hand sweeps whenever room is needed
 * and something can be gone; that touches 4 bytes for each block, not a cache
 * line for each entry.
 *
 * All of this is protected by the pool lock.  Choosing an entry takes it out of
 * its queue, so no other session can choose it.  Before evicting it, the caller
 * must find it in its hash bucket under the lock of its partition, because
 * another session may have removed it first.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/evict.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/shmem.h"

#include "lib/lwlock_check.h"
#include "store/evict.h"

/* The small queue's share of the blocks, in per cent. */
#define SMALL_PERCENT		10

/* An entry moves from the small to the main queue with more uses than this. */
#define USES_TO_STAY		1

/* Entries that one choice examines before it takes the next one. */
#define MAX_STEPS			1000

/* Blocks over which the hand sweeps for one choice. */
#define SWEEP_BLOCKS		(64 * 1024)

/* Entries that one choice examines to find one that was invalidated. */
#define WALK_STEPS			4

/* Places for the ghost of one hash. */
#define GHOST_WAYS			4

/* A queue of entries, from the newest to the oldest. */
typedef struct Queue
{
	DogpileBlockNo newest;
	DogpileBlockNo oldest;
	uint32		nblocks;		/* of all its entries */
	uint32		nentries;
} Queue;

/* What is kept of an entry that was evicted from the small queue. */
typedef struct Ghost
{
	uint32		fingerprint;
	uint32		stamp;			/* number of ghosts made before; 0: none */
} Ghost;

#define EVICT_MAGIC		0x44504556

/* In shared memory, under the pool lock. */
typedef struct EvictControl
{
	uint32		magic;
	uint32		nblocks;
	Queue		queues[DOGPILE_NUM_QUEUES];

	uint32		hand;			/* block at which the sweep goes on */
	uint32		earliest_gone_s;	/* nothing is gone before this second */
	uint32		earliest_seen_s;	/* ... of what this round has swept */

	DogpileBlockNo walker;		/* next of the main queue to look at, or none */
	uint64		walk_began;		/* the clock when this walk did */

	uint32		nghost_sets;	/* a power of two */
	uint32		ghost_stamp;	/* of the latest ghost */
} EvictControl;

static EvictControl *control = NULL;

/* For each block: when the entry that begins in it is gone. */
static uint32 *gone_at_s = NULL;

static Ghost (*ghosts)[GHOST_WAYS] = NULL;

/* As many ghosts as there may be entries of two blocks: a power of two. */
static uint32
count_ghost_sets(uint32 nblocks)
{
	uint32		nsets = 1;

	while (nsets < nblocks / 2 / GHOST_WAYS)
		nsets *= 2;
	return nsets;
}

Size
dogpile_evict_shmem_size(uint32 nblocks)
{
	Size		size = MAXALIGN(sizeof(EvictControl));

	size = add_size(size, mul_size(count_ghost_sets(nblocks),
								   sizeof(Ghost[GHOST_WAYS])));
	return add_size(size, mul_size(nblocks, sizeof(uint32)));
}

/*
 * Create the queues, empty, or attach to them.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_evict_shmem_init(uint32 nblocks)
{
	uint32		nsets = count_ghost_sets(nblocks);
	bool		found;

	control = ShmemInitStruct("dogpile eviction", dogpile_evict_shmem_size(nblocks),
							  &found);
	ghosts = (Ghost (*)[GHOST_WAYS]) ((char *) control + MAXALIGN(sizeof(EvictControl)));
	gone_at_s = (uint32 *) (ghosts + nsets);
	if (found)
	{
		Assert(control->magic == EVICT_MAGIC);
		return;
	}

	memset(control, 0, sizeof(EvictControl));
	control->magic = EVICT_MAGIC;
	control->nblocks = nblocks;
	control->nghost_sets = nsets;
	for (int i = 0; i < DOGPILE_NUM_QUEUES; i++)
	{
		control->queues[i].newest = DOGPILE_NO_BLOCK;
		control->queues[i].oldest = DOGPILE_NO_BLOCK;
	}
	control->earliest_gone_s = DOGPILE_NEVER_GONE;
	control->earliest_seen_s = DOGPILE_NEVER_GONE;
	control->walker = DOGPILE_NO_BLOCK;
	memset(ghosts, 0, nsets * sizeof(ghosts[0]));
	memset(gone_at_s, 0xFF, nblocks * sizeof(uint32));
}

/* Make an entry the newest of a queue. */
static void
push_newest(DogpileQueueId id, DogpileBlockNo number)
{
	Queue	   *queue = &control->queues[id];
	DogpileStoredEntry *entry = dogpile_stored_entry(number);

	entry->queue = id;
	entry->newer = DOGPILE_NO_BLOCK;
	entry->older = queue->newest;
	if (queue->newest == DOGPILE_NO_BLOCK)
		queue->oldest = number;
	else
		dogpile_stored_entry(queue->newest)->newer = number;
	queue->newest = number;
	queue->nblocks += dogpile_stored_entry_blocks(entry);
	queue->nentries++;
}

/*
 * Let the neighbours of an entry, and the walker, which moves towards newer
 * entries, point to other entries instead.
 */
static void
relink(Queue *queue, const DogpileStoredEntry *entry,
	   DogpileBlockNo for_newer, DogpileBlockNo for_older)
{
	if (control->walker != DOGPILE_NO_BLOCK &&
		entry == dogpile_stored_entry(control->walker))
		control->walker = for_older;

	if (entry->newer == DOGPILE_NO_BLOCK)
		queue->newest = for_newer;
	else
		dogpile_stored_entry(entry->newer)->older = for_newer;
	if (entry->older == DOGPILE_NO_BLOCK)
		queue->oldest = for_older;
	else
		dogpile_stored_entry(entry->older)->newer = for_older;
}

/* Take an entry out of its queue. */
static void
unlink_entry(DogpileStoredEntry *entry)
{
	Queue	   *queue = &control->queues[entry->queue];

	relink(queue, entry, entry->older, entry->newer);
	queue->nblocks -= dogpile_stored_entry_blocks(entry);
	queue->nentries--;
	entry->queue = DOGPILE_QUEUE_NONE;
}

/*
 * Ghosts.  The set is found by one half of the hash, the fingerprint is the
 * other.  A ghost counts for as long as fewer others were made since than the
 * main queue has entries, as if they stood in a queue of that length.
 */
static Ghost *
ghost_set(uint64 hash)
{
	return ghosts[(uint32) hash & (control->nghost_sets - 1)];
}

static void
add_ghost(uint64 hash)
{
	Ghost	   *set = ghost_set(hash);
	int			oldest = 0;

	for (int i = 1; i < GHOST_WAYS; i++)
		if (set[i].stamp < set[oldest].stamp)
			oldest = i;
	set[oldest].fingerprint = (uint32) (hash >> 32);
	set[oldest].stamp = ++control->ghost_stamp;
}

/* Was an entry with this hash recently evicted?  If so, remove its ghost. */
static bool
take_ghost(uint64 hash)
{
	Ghost	   *set = ghost_set(hash);

	for (int i = 0; i < GHOST_WAYS; i++)
		if (set[i].stamp != 0 && set[i].fingerprint == (uint32) (hash >> 32))
		{
			uint32		age = control->ghost_stamp - set[i].stamp;

			set[i].stamp = 0;
			return age < control->queues[DOGPILE_QUEUE_MAIN].nentries;
		}
	return false;
}

static void
set_gone_at(DogpileBlockNo entry, uint32 at_s)
{
	gone_at_s[entry] = at_s;
	control->earliest_gone_s = Min(control->earliest_gone_s, at_s);
	control->earliest_seen_s = Min(control->earliest_seen_s, at_s);
}

/*
 * Put a newly published entry into a queue.
 *
 * gone_at: second since 2000 from which it is gone.
 *
 * Errors: none.  Locks: those of the entry's partition and of the pool are
 * held exclusively.
 */
void
dogpile_evict_enter_locked(DogpileBlockNo entry, uint32 gone_at)
{
	Assert(control->magic == EVICT_MAGIC);
	DogpileAssertHeld(dogpile_pool_lock, LW_EXCLUSIVE);
	push_newest(take_ghost(dogpile_stored_entry(entry)->hash) ?
				DOGPILE_QUEUE_MAIN : DOGPILE_QUEUE_SMALL, entry);
	set_gone_at(entry, gone_at);
}

/*
 * Put a newly published entry into the place of the entry that it replaces.  It
 * inherits the uses of that entry, so that a value recreated each minute is not
 * treated as new each minute.
 *
 * Errors: none.  Locks: as dogpile_evict_enter_locked().
 */
void
dogpile_evict_replace_locked(DogpileBlockNo old, DogpileBlockNo entry,
							 uint32 gone_at)
{
	DogpileStoredEntry *from = dogpile_stored_entry(old);
	DogpileStoredEntry *to = dogpile_stored_entry(entry);
	Queue	   *queue = &control->queues[from->queue];

	Assert(control->magic == EVICT_MAGIC);
	DogpileAssertHeld(dogpile_pool_lock, LW_EXCLUSIVE);
	to->uses = from->uses;
	if (from->queue == DOGPILE_QUEUE_NONE)
	{
		/* It was just chosen; the session that chose it will not find it. */
		dogpile_evict_enter_locked(entry, gone_at);
		return;
	}
	to->queue = from->queue;
	to->newer = from->newer;
	to->older = from->older;
	relink(queue, from, entry, entry);
	queue->nblocks += dogpile_stored_entry_blocks(to);
	queue->nblocks -= dogpile_stored_entry_blocks(from);
	from->queue = DOGPILE_QUEUE_NONE;
	gone_at_s[old] = DOGPILE_NEVER_GONE;
	set_gone_at(entry, gone_at);
}

/*
 * Take an entry that is being removed out of its queue.
 *
 * Errors: none.  Locks: as dogpile_evict_enter_locked().
 */
void
dogpile_evict_leave_locked(DogpileBlockNo entry)
{
	Assert(control->magic == EVICT_MAGIC);
	DogpileAssertHeld(dogpile_pool_lock, LW_EXCLUSIVE);
	if (dogpile_stored_entry(entry)->queue != DOGPILE_QUEUE_NONE)
		unlink_entry(dogpile_stored_entry(entry));
	gone_at_s[entry] = DOGPILE_NEVER_GONE;
}

/*
 * Note that an entry is gone from some second on; it stays until then.
 *
 * Errors: none.  Locks: as dogpile_evict_enter_locked().
 */
void
dogpile_evict_expire_locked(DogpileBlockNo entry, uint32 gone_at)
{
	Assert(control->magic == EVICT_MAGIC);
	DogpileAssertHeld(dogpile_pool_lock, LW_EXCLUSIVE);

	/* One that was just chosen may no longer be an entry at that second. */
	if (dogpile_stored_entry(entry)->queue != DOGPILE_QUEUE_NONE)
		set_gone_at(entry, gone_at);
}

/*
 * Sweep the hand on to an entry that is gone.
 *
 * Only a full round finds out when the next entry will be gone; entries that are
 * stored during a round are noted in both limits.
 */
static DogpileBlockNo
find_gone(uint32 now_s)
{
	if (now_s < control->earliest_gone_s)
		return DOGPILE_NO_BLOCK;

	for (uint32 n = Min(SWEEP_BLOCKS, control->nblocks); n > 0; n--)
	{
		DogpileBlockNo number = control->hand;

		if (gone_at_s[number] <= now_s)
			return number;
		control->earliest_seen_s = Min(control->earliest_seen_s, gone_at_s[number]);
		if (++control->hand == control->nblocks)
		{
			control->hand = 0;
			control->earliest_gone_s = control->earliest_seen_s;
			control->earliest_seen_s = DOGPILE_NEVER_GONE;
			if (now_s < control->earliest_gone_s)
				break;
		}
	}
	return DOGPILE_NO_BLOCK;
}

/*
 * Walk on through the main queue to an entry that was invalidated.
 *
 * An entry in the small queue soon comes to its end.  Nothing may be evicted from
 * the main queue for a long time, so it would stay full of entries that a single
 * invalidation of a region or a tag has made invalid.  A walk goes from the oldest
 * entry to the newest; no other walk is needed until the clock has advanced.
 */
static DogpileBlockNo
find_dead(uint64 clock)
{
	for (int step = 0; step < WALK_STEPS; step++)
	{
		DogpileBlockNo number = control->walker;
		DogpileStoredEntry *entry;

		if (number == DOGPILE_NO_BLOCK)
		{
			if (control->walk_began == clock)
				return DOGPILE_NO_BLOCK;
			control->walk_began = clock;
			number = control->queues[DOGPILE_QUEUE_MAIN].oldest;
			if (number == DOGPILE_NO_BLOCK)
				return DOGPILE_NO_BLOCK;
		}
		entry = dogpile_stored_entry(number);
		control->walker = entry->newer;
		if (dogpile_stored_entry_is_dead(entry))
			return number;
	}
	return DOGPILE_NO_BLOCK;
}

/* One step at the end of the small queue: true if the entry is to be evicted. */
static bool
leaves_small(DogpileBlockNo number, DogpileStoredEntry *entry, bool force)
{
	if (dogpile_stored_entry_is_dead(entry))
		return true;
	if (entry->uses > USES_TO_STAY && !force)
	{
		unlink_entry(entry);
		entry->uses = 0;
		push_newest(DOGPILE_QUEUE_MAIN, number);
		return false;
	}
	add_ghost(entry->hash);
	return true;
}

/* One step at the end of the main queue: true if the entry is to be evicted. */
static bool
leaves_main(DogpileBlockNo number, DogpileStoredEntry *entry, bool force)
{
	if (entry->uses == 0 || force || dogpile_stored_entry_is_dead(entry))
		return true;
	unlink_entry(entry);
	entry->uses--;
	push_newest(DOGPILE_QUEUE_MAIN, number);
	return false;
}

/* Find the entry to evict at the ends of the queues. */
static DogpileBlockNo
find_oldest(void)
{
	const Queue *small = &control->queues[DOGPILE_QUEUE_SMALL];
	const Queue *main = &control->queues[DOGPILE_QUEUE_MAIN];
	uint32		small_target = (uint32) ((uint64) control->nblocks * SMALL_PERCENT / 100);

	for (int step = 0;; step++)
	{
		bool		force = step >= MAX_STEPS;
		bool		from_small = small->nblocks > small_target ||
			main->nentries == 0;
		DogpileBlockNo number = from_small ? small->oldest : main->oldest;

		if (number == DOGPILE_NO_BLOCK)
			return DOGPILE_NO_BLOCK;
		if ((from_small ? leaves_small : leaves_main) (number,
													   dogpile_stored_entry(number),
													   force))
			return number;
	}
}

/*
 * Choose an entry to evict, and take it out of its queue.
 *
 * now_s: seconds since 2000.
 * clock: advances whenever entries are invalidated.
 *
 * Returns its first block, or DOGPILE_NO_BLOCK if there is no entry.
 *
 * Errors: none.  Locks: the pool lock is held exclusively.
 */
DogpileBlockNo
dogpile_evict_pick_locked(uint32 now_s, uint64 clock)
{
	DogpileBlockNo number;

	Assert(control->magic == EVICT_MAGIC);
	DogpileAssertHeld(dogpile_pool_lock, LW_EXCLUSIVE);
	number = find_gone(now_s);
	if (number == DOGPILE_NO_BLOCK)
		number = find_dead(clock);
	if (number == DOGPILE_NO_BLOCK)
		number = find_oldest();
	if (number != DOGPILE_NO_BLOCK)
		dogpile_evict_leave_locked(number);
	return number;
}

#ifdef USE_ASSERT_CHECKING

/* --------------------------------------------------------------------
 * Checks; see store_check.c
 * --------------------------------------------------------------------
 */

/* Check a queue, from its newest entry on.  Is the walker in it? */
static bool
check_queue(DogpileQueueId id, const DogpileBlockSet *seen)
{
	const Queue *queue = &control->queues[id];
	DogpileBlockNo newer = DOGPILE_NO_BLOCK;
	uint32		nentries = 0;
	uint32		nblocks = 0;
	bool		has_walker = false;

	for (DogpileBlockNo number = queue->newest; number != DOGPILE_NO_BLOCK;
		 number = dogpile_stored_entry(number)->older)
	{
		const DogpileStoredEntry *entry = dogpile_stored_entry(number);

		Assert(seen->has[number]);
		Assert(entry->queue == id);
		Assert(entry->newer == newer);
		newer = number;
		nentries++;
		nblocks += dogpile_stored_entry_blocks(entry);
		has_walker |= number == control->walker;
	}
	Assert(queue->oldest == newer);
	Assert(queue->nentries == nentries);
	Assert(queue->nblocks == nblocks);
	return has_walker;
}

/*
 * Check the queues, and when entries are gone.
 *
 * seen: the blocks of entries that are in the index.
 * nqueued: how many of these entries say that they are in a queue.
 *
 * Locks: that of the pool and those of all partitions are held.
 */
void
dogpile_evict_check_locked(const DogpileBlockSet *seen, uint32 nqueued)
{
	bool		has_walker;

	DogpileAssertHeld(dogpile_pool_lock, LW_SHARED);
	(void) check_queue(DOGPILE_QUEUE_SMALL, seen);
	has_walker = check_queue(DOGPILE_QUEUE_MAIN, seen);
	Assert(has_walker || control->walker == DOGPILE_NO_BLOCK);
	Assert(control->queues[DOGPILE_QUEUE_SMALL].nentries +
		   control->queues[DOGPILE_QUEUE_MAIN].nentries == nqueued);

	for (uint32 number = 0; number < control->nblocks; number++)
	{
		Assert(gone_at_s[number] >= control->earliest_gone_s);
		if (number < control->hand)
			Assert(gone_at_s[number] >= control->earliest_seen_s);
		if (gone_at_s[number] != DOGPILE_NEVER_GONE)
			Assert(seen->has[number] &&
				   dogpile_evict_is_queued(dogpile_stored_entry(number)));
	}
}

#endif							/* USE_ASSERT_CHECKING */
