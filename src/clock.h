/*-------------------------------------------------------------------------
 *
 * clock.h
 *	  The time of day, cheaply.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/clock.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CLOCK_H
#define DOGPILE_CLOCK_H

#include <time.h>

#include "utils/timestamp.h"

/*
 * The time as of the kernel's last timer tick: up to some milliseconds late,
 * for a third of what GetCurrentTimestamp() costs.  A hit needs it to tell
 * whether a value has expired, which is a matter of seconds.
 */
static inline TimestampTz
dogpile_clock_coarse(void)
{
#ifdef CLOCK_REALTIME_COARSE
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME_COARSE, &ts) == 0)
		return ((TimestampTz) ts.tv_sec -
				(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY) * USECS_PER_SEC
			+ ts.tv_nsec / 1000;
#endif
	return GetCurrentTimestamp();
}

#endif							/* DOGPILE_CLOCK_H */
