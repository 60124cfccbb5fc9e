/*-------------------------------------------------------------------------
 *
 * oversize.c
 *	  Messages about values that are too large, with the limit that they exceed.
 *
 * A session that sets such a value gets a warning each time.  A value that was created
 * is returned to its caller anyway, so there is only a message in the log, once an hour
 * for each region and limit; "too_large" in dogpile_stats counts all of them.
 *
 * Store servers have limits that only they know.  They show at COMMIT, when nothing may
 * be raised; a message that cannot be written then is lost.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/oversize.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "lib/lwlock_check.h"
#include "stats/stats.h"
#include "store/oversize.h"

/* How to raise a backend's limit; NULL if that is not known. */
static const char *
advise(const DogpileRegion *region)
{
	if (pg_strcasecmp(region->backend, "memcached") == 0)
		return "Start memcached with a larger limit for items (its option -I).";
	if (pg_strcasecmp(region->backend, "redis") == 0)
		return "Increase \"proto-max-bulk-len\" of the Redis server.";
	if (pg_strcasecmp(region->backend, "file") == 0)
		return "Increase the region's \"max_total_size\".";
	return NULL;
}

static void
report(const DogpileRegion *region, DogpileSizeLimit limit, Size size, int elevel)
{
	const char *advice;

	switch (limit)
	{
		case DOGPILE_LIMIT_REGION:
			ereport(elevel,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("value is too large for cache region \"%s\"", region->name),
					 errdetail("It is not stored; the limit is %d kB.",
							   region->max_value_size_kb),
					 errhint("Increase \"dogpile_%s.max_value_size\".", region->name)));
			break;
		case DOGPILE_LIMIT_MEMORY:
			ereport(elevel,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("value is too large for the store of cache region \"%s\"",
							region->name),
					 errdetail("It is not stored; it has %zu bytes.", size),
					 errhint("Increase \"dogpile.shared_memory\".")));
			break;
		case DOGPILE_LIMIT_BACKEND:
			advice = advise(region);
			ereport(elevel,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("value is too large for the store of cache region \"%s\"",
							region->name),
					 errdetail("It is not stored; the backend \"%s\" does not take its %zu bytes.",
							   region->backend, size),
					 advice ? errhint("%s", advice) : 0));
			break;
	}
}

/* The same when nothing may be raised.  An error resets the hold-off of interrupts. */
static void
report_surely(const DogpileRegion *region, DogpileSizeLimit limit, Size size, int elevel)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	uint32		held_off = InterruptHoldoffCount;

	PG_TRY();
	{
		report(region, limit, size, elevel);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(oldcontext);
		FlushErrorState();
		InterruptHoldoffCount = held_off;
	}
	PG_END_TRY();
}

/*
 * Report that a value was not stored.
 *
 * size: in bytes, as encoded; of no meaning for the region's own limit.
 * elevel: WARNING if the user has set it; LOG if it was created.
 *
 * Errors: none when interrupts are held off.
 */
void
dogpile_oversize_report(DogpileRegion *region, DogpileSizeLimit limit, Size size, int elevel)
{
	static const char *const reasons[] = {
		[DOGPILE_LIMIT_REGION] = "larger than max_value_size",
		[DOGPILE_LIMIT_MEMORY] = "larger than its share of memory",
		[DOGPILE_LIMIT_BACKEND] = "larger than the backend takes"
	};

	DogpileAssertNoneHeld();
	if (elevel == LOG && !dogpile_stats_is_new_reason(region, reasons[limit]))
		return;
	(InterruptHoldoffCount > 0 ? report_surely : report) (region, limit, size, elevel);
}
