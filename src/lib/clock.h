/*-------------------------------------------------------------------------
 *
 * clock.h
 *	  A clock that is never set back.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/clock.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CLOCK_H
#define DOGPILE_CLOCK_H

#include <time.h>

#include "port/atomics.h"
#include "utils/timestamp.h"

#define DOGPILE_CLOCK_MAGIC		0x4450434C

/* What all processes of the server know of its clocks; see clock.c. */
typedef struct DogpileClockState
{
	pg_atomic_uint64 lead;		/* of the time of day over the time since
								 * boot, the most that was ever seen;
								 * microseconds, signed */
	pg_atomic_uint64 lag;		/* of the time of day behind this clock, as of
								 * when that changed last */
	pg_atomic_uint64 set_back_at;	/* when the time of day was last found set
									 * back; 0: never */
	TimestampTz started_at;
	uint32		magic;			/* DOGPILE_CLOCK_MAGIC */
} DogpileClockState;

extern PGDLLIMPORT DogpileClockState *dogpile_clock_state;

extern Size dogpile_clock_shmem_size(void);
extern void dogpile_clock_shmem_init(void);
extern int64 dogpile_clock_add_lead(int64 lead);
extern TimestampTz dogpile_clock_now(void);
extern TimestampTz dogpile_clock_to_day(TimestampTz time);
extern TimestampTz dogpile_clock_from_day(TimestampTz day);
extern bool dogpile_clock_from_outside(TimestampTz day, double kept_s, TimestampTz *time);

/* Microseconds. */
static inline int64
dogpile_clock_us(const struct timespec *ts)
{
	return (int64) ts->tv_sec * USECS_PER_SEC + ts->tv_nsec / 1000;
}

/* What the clock shows.  The time of day is read first: see clock.c. */
static inline TimestampTz
dogpile_clock_combine(TimestampTz day, int64 since_boot)
{
	int64		lead = day - since_boot;
	int64		known = (int64) pg_atomic_read_u64(&dogpile_clock_state->lead);

	Assert(dogpile_clock_state->magic == DOGPILE_CLOCK_MAGIC);
	if (unlikely(lead > known))
		known = dogpile_clock_add_lead(lead);
	return since_boot + known;
}

/*
 * The same as of the kernel's last timer tick: up to some milliseconds late, for
 * a fraction of the cost.  A hit needs it to tell whether a value has expired,
 * which is a matter of seconds.
 */
static inline TimestampTz
dogpile_clock_coarse(void)
{
#if defined(CLOCK_REALTIME_COARSE) && defined(CLOCK_MONOTONIC_COARSE)
	struct timespec day;
	struct timespec since_boot;

	if (clock_gettime(CLOCK_REALTIME_COARSE, &day) == 0 &&
		clock_gettime(CLOCK_MONOTONIC_COARSE, &since_boot) == 0)
		return dogpile_clock_combine(dogpile_clock_us(&day) -
									 (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY,
									 dogpile_clock_us(&since_boot));
#endif
	return dogpile_clock_now();
}

#endif							/* DOGPILE_CLOCK_H */
