/*-------------------------------------------------------------------------
 *
 * age.c
 *	  When an entry expires, and when it is gone.
 *
 * An entry stored with a lifetime of its own keeps it; one without follows the
 * region's setting as it is when it is looked at.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/age.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "lib/clock.h"
#include "store/age.h"

/* Seconds until an entry expires; negative: never. */
static double
get_lifetime(const DogpileRegion *region, const DogpileEntry *entry)
{
	return entry->lifetime_s == DOGPILE_LIFETIME_REGION ?
		region->expiration_time_s : entry->lifetime_s;
}

/* A time some seconds later, or never. */
static TimestampTz
add_seconds(TimestampTz time, double seconds)
{
	double		microseconds = seconds * USECS_PER_SEC;

	if (seconds < 0 || microseconds > ((double) END_TIMESTAMP - (double) time) / 2)
		return DT_NOEND;
	return time + (int64) microseconds;
}

/*
 * When an entry expires; DT_NOEND: never.
 *
 * Errors: none.
 */
TimestampTz
dogpile_age_expires_at(const DogpileRegion *region, const DogpileEntry *entry)
{
	return add_seconds(entry->created_at, get_lifetime(region, entry));
}

/*
 * When an entry is gone by age; DT_NOEND: never.
 *
 * Errors: none.
 */
TimestampTz
dogpile_age_gone_at(const DogpileRegion *region, const DogpileEntry *entry)
{
	double		lifetime_s = get_lifetime(region, entry);

	if (lifetime_s < 0)
		return DT_NOEND;
	return add_seconds(entry->created_at, lifetime_s * region->hard_expiration_factor);
}

/*
 * For how many seconds an entry of a lifetime is kept; negative: without limit.
 *
 * Errors: none.
 */
double
dogpile_age_kept_s(const DogpileRegion *region, double lifetime_s)
{
	DogpileEntry entry = {.lifetime_s = lifetime_s};

	return get_lifetime(region, &entry) * region->hard_expiration_factor;
}

/*
 * The time to compare these with.  The coarse clock, which is some milliseconds
 * late, is not exact enough for short lifetimes.
 *
 * Errors: none.
 */
TimestampTz
dogpile_age_now(const DogpileRegion *region, const DogpileEntry *entry)
{
	return get_lifetime(region, entry) < 1 ?
		dogpile_clock_now() : dogpile_clock_coarse();
}
