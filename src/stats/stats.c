/*-------------------------------------------------------------------------
 *
 * stats.c
 *	  Counters of each region.
 *
 * A session counts in its own memory and adds its counts to shared memory at the
 * end of each transaction, so a loop of hits within one statement touches no shared
 * cache line to count.  The shared counters are kept in several shards, and a
 * session always adds to the same one; that keeps a cache line from travelling
 * between processors at every commit.
 *
 * Counters survive neither a restart nor a crash, like the values.  A session that
 * crashes loses its local counts; the shared ones cannot be damaged, because each
 * is changed by a single atomic addition.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/stats/stats.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "port/atomics.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "config/region_number.h"
#include "lib/compat.h"
#include "stats/stats.h"

#define STATS_MAGIC		0x44505354

#define NSHARDS			8

/*
 * Reasons why values of a region are not stored that were logged: how many are
 * remembered, for how many seconds, and after how many one can be replaced.
 */
#define TOLD_REASONS	4
#define TOLD_FOR_S		3600
#define TOLD_AT_LEAST_S 60

/* One shard of a region's counters, on cache lines of its own. */
typedef union SharedCounters
{
	pg_atomic_uint64 counters[DOGPILE_NUM_COUNTERS];
	char		pad[TYPEALIGN(PG_CACHE_LINE_SIZE,
							  DOGPILE_NUM_COUNTERS * sizeof(pg_atomic_uint64))];
} SharedCounters;

/* What the store holds of a region; exact at any moment. */
typedef struct SharedGauges
{
	pg_atomic_uint64 entries;
	pg_atomic_uint64 bytes;
} SharedGauges;

/* In shared memory; arrays are indexed by the numbers of regions. */
typedef struct SharedStats
{
	uint32		magic;
	pg_atomic_uint64 reset_time;	/* TimestampTz */
	SharedGauges gauges[DOGPILE_REGION_NUMBERS];
	pg_atomic_uint64 told[DOGPILE_REGION_NUMBERS][TOLD_REASONS];	/* see below */
	SharedCounters shards[DOGPILE_REGION_NUMBERS][NSHARDS];
} SharedStats;

static SharedStats *shared_stats = NULL;

/* What this session has counted since it last added to shared memory. */
static uint64 pending[DOGPILE_REGION_NUMBERS][DOGPILE_NUM_COUNTERS];

/* The regions of which something is pending. */
static int	dirty_numbers[DOGPILE_REGION_NUMBERS];
static int	ndirty = 0;
static bool is_dirty[DOGPILE_REGION_NUMBERS];

Size
dogpile_stats_shmem_size(void)
{
	return sizeof(SharedStats);
}

/*
 * Create the counters, or attach to them.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_stats_shmem_init(void)
{
	bool		found;

	shared_stats = ShmemInitStruct("dogpile statistics", sizeof(SharedStats), &found);
	if (found)
	{
		Assert(shared_stats->magic == STATS_MAGIC);
		return;
	}

	shared_stats->magic = STATS_MAGIC;
	for (int number = 0; number < DOGPILE_REGION_NUMBERS; number++)
	{
		pg_atomic_init_u64(&shared_stats->gauges[number].entries, 0);
		pg_atomic_init_u64(&shared_stats->gauges[number].bytes, 0);
		for (int i = 0; i < TOLD_REASONS; i++)
			pg_atomic_init_u64(&shared_stats->told[number][i], 0);
		for (int shard = 0; shard < NSHARDS; shard++)
			for (int i = 0; i < DOGPILE_NUM_COUNTERS; i++)
				pg_atomic_init_u64(&shared_stats->shards[number][shard].counters[i], 0);
	}
	pg_atomic_init_u64(&shared_stats->reset_time, (uint64) GetCurrentTimestamp());
}

/*
 * Count n occurrences, or n microseconds.
 *
 * Errors: none.  Locks: see dogpile_region_number().
 */
void
dogpile_stats_count(DogpileRegion *region, DogpileCounter counter, uint64 n)
{
	dogpile_stats_count_number(dogpile_region_number(region), counter, n);
}

/* As dogpile_stats_count(), for the number of a region.  May be called under any lock. */
void
dogpile_stats_count_number(int number, DogpileCounter counter, uint64 n)
{
	pending[number][counter] += n;
	if (!is_dirty[number])
	{
		is_dirty[number] = true;
		dirty_numbers[ndirty++] = number;
	}
}

/*
 * Must a reason be logged?  It was not logged in the last hour, nor too many others.
 *
 * A reason is kept as its hash and the second in which it was logged.  Sessions that
 * do this at the same time may both log it, or one may overwrite the other's note.
 */
static bool
is_new_reason(pg_atomic_uint64 *told, const char *reason)
{
	uint32		hash = hash_bytes((const unsigned char *) reason, strlen(reason)) | 1;
	uint32		now = (uint32) (GetCurrentTimestamp() / USECS_PER_SEC);
	uint32		oldest_age = 0;
	int			oldest = -1;

	for (int i = 0; i < TOLD_REASONS; i++)
	{
		uint64		seen = pg_atomic_read_u64(&told[i]);
		uint32		age = seen == 0 ? PG_UINT32_MAX : now - (uint32) seen;

		if ((uint32) (seen >> 32) == hash && age < TOLD_FOR_S)
			return false;
		if (age >= oldest_age)
		{
			oldest_age = age;
			oldest = i;
		}
	}
	if (oldest_age < TOLD_AT_LEAST_S)
		return false;
	pg_atomic_write_u64(&told[oldest], ((uint64) hash << 32) | now);
	return true;
}

/*
 * Should a reason why a region's values are not stored be logged?  Each is logged once
 * an hour by all sessions together.
 *
 * Errors: none.  Locks: as dogpile_region_number().
 */
bool
dogpile_stats_is_new_reason(DogpileRegion *region, const char *reason)
{
	return is_new_reason(shared_stats->told[dogpile_region_number(region)], reason);
}

/*
 * Count a value that cannot be stored.
 *
 * Returns whether that reason should be logged.
 *
 * Errors: none.  Locks: as dogpile_region_number().
 */
bool
dogpile_stats_count_unstorable(DogpileRegion *region, const char *reason)
{
	dogpile_stats_count(region, DOGPILE_COUNTER_UNSTORABLE, 1);
	return dogpile_stats_is_new_reason(region, reason);
}

/* Note that the store has taken up an entry.  May be called under any lock. */
void
dogpile_stats_entry_added(int number, Size bytes)
{
	pg_atomic_fetch_add_u64(&shared_stats->gauges[number].entries, 1);
	pg_atomic_fetch_add_u64(&shared_stats->gauges[number].bytes, bytes);
}

/* Note that the store has dropped an entry.  May be called under any lock. */
void
dogpile_stats_entry_removed(int number, Size bytes)
{
	pg_atomic_fetch_sub_u64(&shared_stats->gauges[number].entries, 1);
	pg_atomic_fetch_sub_u64(&shared_stats->gauges[number].bytes, bytes);
}

/*
 * Add what this session has counted to shared memory.
 *
 * Errors: none, so that it may be called at the end of a transaction.
 * Locks: none.
 */
void
dogpile_stats_flush(void)
{
	uint32		shard = (uint32) dogpile_proc_number_compat() % NSHARDS;

	Assert(shared_stats == NULL || shared_stats->magic == STATS_MAGIC);
	while (ndirty > 0)
	{
		int			number = dirty_numbers[--ndirty];
		SharedCounters *shared = &shared_stats->shards[number][shard];

		is_dirty[number] = false;
		for (int i = 0; i < DOGPILE_NUM_COUNTERS; i++)
			if (pending[number][i] > 0)
			{
				pg_atomic_fetch_add_u64(&shared->counters[i], pending[number][i]);
				pending[number][i] = 0;
			}
	}
}

/*
 * Read a region's counters: those of finished transactions, and of this one.
 *
 * Errors: none.  Locks: as dogpile_region_number().
 */
void
dogpile_stats_read(DogpileRegion *region, DogpileStatsRow *row)
{
	int			number = dogpile_region_number(region);

	dogpile_stats_flush();
	for (int i = 0; i < DOGPILE_NUM_COUNTERS; i++)
	{
		row->counters[i] = 0;
		for (int shard = 0; shard < NSHARDS; shard++)
			row->counters[i] +=
				pg_atomic_read_u64(&shared_stats->shards[number][shard].counters[i]);
	}
	dogpile_stats_read_gauges(number, &row->entries, &row->bytes);
}

/* What the store holds of the region of a number.  May be called under any lock. */
void
dogpile_stats_read_gauges(int number, uint64 *entries, uint64 *bytes)
{
	*entries = pg_atomic_read_u64(&shared_stats->gauges[number].entries);
	*bytes = pg_atomic_read_u64(&shared_stats->gauges[number].bytes);
}

/* Does this counter hold microseconds? */
bool
dogpile_stats_is_time(DogpileCounter counter)
{
	enum
	{
		COUNT, TIME
	};
	static const int kinds[] = {
#define X(name, kind) kind,
		DOGPILE_COUNTERS(X)
#undef X
	};

	return kinds[counter] == TIME;
}

/*
 * Set the counters of all regions to zero.  What the store holds stays.
 *
 * Errors: none.  Locks: none; a count that is added meanwhile may survive.
 */
void
dogpile_stats_reset(void)
{
	dogpile_stats_flush();
	for (int number = 0; number < DOGPILE_REGION_NUMBERS; number++)
		for (int shard = 0; shard < NSHARDS; shard++)
			for (int i = 0; i < DOGPILE_NUM_COUNTERS; i++)
				pg_atomic_write_u64(&shared_stats->shards[number][shard].counters[i], 0);
	pg_atomic_write_u64(&shared_stats->reset_time, (uint64) GetCurrentTimestamp());
}

/* When the counters were last set to zero. */
TimestampTz
dogpile_stats_reset_time(void)
{
	return (TimestampTz) pg_atomic_read_u64(&shared_stats->reset_time);
}
