/*-------------------------------------------------------------------------
 *
 * stats.h
 *	  Counters of each region.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/stats/stats.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_STATS_H
#define DOGPILE_STATS_H

#include "config/setting.h"

#include "datatype/timestamp.h"

/*
 * The counters, in the order of the columns of dogpile_stats.  Struct, reset
 * and view follow from this table.  A kind is COUNT, or TIME for microseconds
 * that the view shows as milliseconds.
 */
#define DOGPILE_COUNTERS(X) \
	X(HITS, COUNT)				/* fresh values returned */ \
	X(STALE_HITS, COUNT)		/* stale values returned */ \
	X(MISSES, COUNT)			/* no value to return at first */ \
	X(WAITS, COUNT)				/* waits for another session's creation */ \
	X(WAIT_TIME, TIME)			/* ... and how long they were */ \
	X(WAIT_TIMEOUTS, COUNT)		/* ... that the region's lock_timeout ended */ \
	X(CREATIONS, COUNT)			/* creator queries that succeeded */ \
	X(CREATION_TIME, TIME)		/* ... and how long they took */ \
	X(FAILED_CREATIONS, COUNT)	/* creator queries that failed */ \
	X(TIME_SAVED, TIME)			/* creation time of the values given by hits */ \
	X(SETS, COUNT)				/* values stored by set and add */ \
	X(INVALIDATIONS, COUNT)		/* of keys, tags and the whole region */ \
	X(REFUSED, COUNT)			/* values outdated before publication */ \
	X(TOO_LARGE, COUNT)			/* values over max_value_size or another limit */ \
	X(UNSTORABLE, COUNT)		/* values that this store can never keep */ \
	X(EVICTIONS, COUNT)			/* entries that made room for others */ \
	X(BYPASSES, COUNT)			/* values not stored, as not deterministic */ \
	X(VERIFICATIONS, COUNT)		/* hits that were computed once more */ \
	X(MISMATCHES, COUNT)		/* ... and gave something else */

typedef enum DogpileCounter
{
#define X(name, kind) DOGPILE_COUNTER_##name,
	DOGPILE_COUNTERS(X)
#undef X
	DOGPILE_NUM_COUNTERS
} DogpileCounter;

/* A region's counters as they are read. */
typedef struct DogpileStatsRow
{
	uint64		counters[DOGPILE_NUM_COUNTERS];
	uint64		entries;		/* in the shared-memory store now */
	uint64		bytes;			/* of its memory that they take */
} DogpileStatsRow;

extern Size dogpile_stats_shmem_size(void);
extern void dogpile_stats_shmem_init(void);
extern void dogpile_stats_count(DogpileRegion *region, DogpileCounter counter,
								uint64 n);
extern void dogpile_stats_count_number(int number, DogpileCounter counter, uint64 n);
extern bool dogpile_stats_is_new_reason(DogpileRegion *region, const char *reason);
extern bool dogpile_stats_count_unstorable(DogpileRegion *region, const char *reason);
extern void dogpile_stats_entry_added(int number, Size bytes);
extern void dogpile_stats_entry_removed(int number, Size bytes);
extern void dogpile_stats_flush(void);
extern void dogpile_stats_read(DogpileRegion *region, DogpileStatsRow *row);
extern void dogpile_stats_read_gauges(int number, uint64 *entries, uint64 *bytes);
extern bool dogpile_stats_is_time(DogpileCounter counter);
extern void dogpile_stats_reset(void);
extern TimestampTz dogpile_stats_reset_time(void);

#endif							/* DOGPILE_STATS_H */
