/*-------------------------------------------------------------------------
 *
 * oversize.c
 *	  Saying that a value is too large, and for which limit.
 *
 * Whoever sets such a value is warned each time.  One that was created is given to
 * its caller all the same, so only the log is told, once an hour for each region and
 * limit; "too_large" in dogpile_stats counts all of them.
 *
 * Servers outside have limits of their own, which only they know.  It turns out at
 * COMMIT, when nothing may be raised: then a message that cannot be written is lost.
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

/* What can be done about a backend's limit; NULL if nothing is known. */
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

/* The same when nothing may be raised.  Raising forgets that interrupts are held off. */
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
 * Say that a value was not stored.
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
