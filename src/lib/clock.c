/*-------------------------------------------------------------------------
 *
 * clock.c
 *	  A clock that is never set back.
 *
 * Ages, lifetimes, leases and pauses must not become longer because the time of day
 * is set back: an entry with a lifetime of two seconds would live for an hour.  So
 * they are counted by this clock.  It runs with the time since boot, which cannot be
 * set; and it is never behind the time of day, so it includes the time during which
 * the machine was suspended, and corrections forward.
 *
 *		time = time since boot + the most that the time of day ever led it by
 *
 * As long as the time of day is not set back, this is the time of day, but for
 * milliseconds.  Afterwards it is later, until the server is restarted.  Times are
 * therefore converted before they are shown to users or sent to other servers.
 *
 * The time of day is read before the time since boot: a process that loses
 * the processor in between finds too small a lead, which does no harm.
 *
 * Entries outside carry the time of day, since servers have nothing else in common.
 * If it was set back, entries from before seem younger than they are, by that amount,
 * and some seem to come from the future.  As long as there can be such entries, all
 * are judged by this clock: too old rather than too young.  A server that has been
 * restarted since does not know of this; it ignores entries from the future.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/clock.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/shmem.h"

#include "lib/clock.h"

/* Smaller differences are those of servers' clocks, and of the two readings. */
#define NOTICED_US			(100 * 1000)
#define MAX_SKEW_US			(1 * USECS_PER_SEC)

DogpileClockState *dogpile_clock_state = NULL;

Size
dogpile_clock_shmem_size(void)
{
	return sizeof(DogpileClockState);
}

/* Start the clock, or attach to it.  Locks: AddinShmemInitLock must be held. */
void
dogpile_clock_shmem_init(void)
{
	bool		found;

	dogpile_clock_state = ShmemInitStruct("dogpile clock", dogpile_clock_shmem_size(),
										  &found);
	if (found)
	{
		Assert(dogpile_clock_state->magic == DOGPILE_CLOCK_MAGIC);
		return;
	}
	dogpile_clock_state->magic = DOGPILE_CLOCK_MAGIC;
	pg_atomic_init_u64(&dogpile_clock_state->lead, (uint64) PG_INT64_MIN);
	pg_atomic_init_u64(&dogpile_clock_state->lag, 0);
	pg_atomic_init_u64(&dogpile_clock_state->set_back_at, 0);
	dogpile_clock_state->started_at = dogpile_clock_now();
}

/* The time of day leads by so much.  Returns the most that it ever has. */
int64
dogpile_clock_add_lead(int64 lead)
{
	uint64		known = pg_atomic_read_u64(&dogpile_clock_state->lead);

	while ((int64) known < lead)
		if (pg_atomic_compare_exchange_u64(&dogpile_clock_state->lead, &known, (uint64) lead))
			return lead;
	return (int64) known;
}

/*
 * Note by how much the time of day is behind, if that has changed noticeably.
 *
 * Returns the amount that is noted.  All times are converted with it until it changes,
 * so that differences between times shown together are right.
 */
static int64
note_lag(TimestampTz now, int64 lag)
{
	int64		known = (int64) pg_atomic_read_u64(&dogpile_clock_state->lag);

	if (lag <= known + NOTICED_US && lag >= known - NOTICED_US)
		return known;
	if (lag > known)
		pg_atomic_write_u64(&dogpile_clock_state->set_back_at, (uint64) now);
	pg_atomic_write_u64(&dogpile_clock_state->lag, (uint64) lag);
	return lag;
}

/* Read the clock, and tell how far the time of day is behind it. */
static TimestampTz
read_clock(int64 *lag)
{
	TimestampTz day = GetCurrentTimestamp();
	struct timespec since_boot;
	TimestampTz now;

	/*
	 * Some callers note the time before they find that dogpile was not
	 * preloaded.
	 */
	*lag = 0;
	if (unlikely(dogpile_clock_state == NULL))
		return day;
	clock_gettime(CLOCK_MONOTONIC, &since_boot);
	now = dogpile_clock_combine(day, dogpile_clock_us(&since_boot));
	*lag = note_lag(now, now - day);
	return now;
}

/* What the clock shows.  Errors, locks: none, as for all functions here. */
TimestampTz
dogpile_clock_now(void)
{
	int64		lag;

	return read_clock(&lag);
}

/*
 * The time of day at which the clock showed a time, for users.
 *
 * time: or DT_NOEND, which stays.
 */
TimestampTz
dogpile_clock_to_day(TimestampTz time)
{
	int64		lag;

	(void) read_clock(&lag);
	return lag < NOTICED_US || TIMESTAMP_NOT_FINITE(time) ? time : time - lag;
}

/*
 * What the clock showed at a time of day, or an earlier time if the time of day was
 * set back since.
 */
TimestampTz
dogpile_clock_from_day(TimestampTz day)
{
	int64		lag;
	TimestampTz now = read_clock(&lag);
	TimestampTz time = lag < NOTICED_US ? day : day + lag;

	if (time > now || (TimestampTz) pg_atomic_read_u64(&dogpile_clock_state->set_back_at) > time)
		return dogpile_clock_state->started_at;
	return time;
}

/*
 * What the clock showed when an entry was made that has come from outside.
 *
 * day: the time of day, by the clock of the server that has made it.
 * kept_s: how long such entries are kept; negative: without limit.
 * time: set to that, or to an earlier time.
 *
 * Returns false if it comes from the future, so that this is not known.
 */
bool
dogpile_clock_from_outside(TimestampTz day, double kept_s, TimestampTz *time)
{
	int64		lag;
	TimestampTz now = read_clock(&lag);
	TimestampTz set_back_at = (TimestampTz) pg_atomic_read_u64(&dogpile_clock_state->set_back_at);

	*time = day;
	if (lag < NOTICED_US)
		return day <= now + MAX_SKEW_US;
	if (day > now - lag + MAX_SKEW_US)
		return false;
	if (kept_s >= 0 && now - set_back_at > kept_s * USECS_PER_SEC)
		*time = day + lag;
	return true;
}
