/*-------------------------------------------------------------------------
 *
 * sql_stores.c
 *	  SQL functions to monitor and empty the stores of regions.
 *
 * They are not granted to PUBLIC.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/sql/sql_stores.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/call.h"
#include "core/region.h"
#include "lib/clock.h"
#include "remote/item_name.h"
#include "remote/remote.h"
#include "remote/store_server.h"
#include "sql/sql_args.h"
#include "store/store_check.h"

/* Columns of dogpile_servers(). */
enum
{
	SERVER_BACKEND,
	SERVER_ADDRESS,
	SERVER_STATE,
	SERVER_SINCE,
	SERVER_LAST_ERROR,
	SERVER_LAST_ERROR_AT,
	SERVER_OPERATIONS,
	SERVER_FAILURES,
	SERVER_LATENCY,
	NUM_SERVER_COLUMNS
};

/* Columns of dogpile_server_stats(). */
enum
{
	FIGURE_SERVER,
	FIGURE_NAME,
	FIGURE_VALUE,
	NUM_FIGURE_COLUMNS
};

PG_FUNCTION_INFO_V1(dogpile_servers);
PG_FUNCTION_INFO_V1(dogpile_server_stats);
PG_FUNCTION_INFO_V1(dogpile_flush);

static const char *
state_name(const DogpileStoreServerFacts *facts)
{
	if (facts->state == DOGPILE_STORE_SERVER_UP)
		return facts->is_failing ? "failing" : "up";
	return facts->state == DOGPILE_STORE_SERVER_DOWN ? "down" : "probed";
}

/* Append the row of a server. */
static void
put_server(const DogpileStoreServerFacts *facts, ReturnSetInfo *rsinfo)
{
	Datum		values[NUM_SERVER_COLUMNS];
	bool		nulls[NUM_SERVER_COLUMNS] = {0};

	values[SERVER_BACKEND] = CStringGetTextDatum(facts->backend);
	values[SERVER_ADDRESS] = CStringGetTextDatum(facts->name);
	values[SERVER_STATE] = CStringGetTextDatum(state_name(facts));
	values[SERVER_SINCE] = TimestampTzGetDatum(dogpile_clock_to_day(facts->since));
	values[SERVER_LAST_ERROR] = CStringGetTextDatum(facts->last_error);
	values[SERVER_LAST_ERROR_AT] = TimestampTzGetDatum(dogpile_clock_to_day(facts->last_error_at));
	nulls[SERVER_LAST_ERROR] = nulls[SERVER_LAST_ERROR_AT] = facts->last_error_at == 0;
	values[SERVER_OPERATIONS] = Int64GetDatum((int64) facts->operations);
	values[SERVER_FAILURES] = Int64GetDatum((int64) facts->failures);
	nulls[SERVER_LATENCY] = facts->operations == 0;
	values[SERVER_LATENCY] =
		Float8GetDatum(facts->time_us / 1000.0 / Max(facts->operations, 1));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* dogpile_servers() */
Datum
dogpile_servers(PG_FUNCTION_ARGS)
{
	DogpileStoreServerFacts facts;

	dogpile_config_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; dogpile_store_server_get(i, &facts); i++)
		put_server(&facts, (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}

/* Get the region of a call, and the backend of its store or NULL if it has none. */
static DogpileRemote *
open_remote(FunctionCallInfo fcinfo, DogpileRegion **region)
{
	dogpile_config_require_preload();
	*region = dogpile_call_open_region(dogpile_sql_get_text(fcinfo, 0, "region"));
	return (*region)->store->is_shared ? dogpile_remote_find(*region) : NULL;
}

/* Raise an error for a failure of the store. */
static void
raise_failure(const DogpileRegion *region, DogpileRemote *remote)
{
	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 errmsg("store of cache region \"%s\" failed: %s",
					region->name, dogpile_remote_last_error(remote))));
}

/* Append one figure.  This is a DogpileBackendFigure. */
static void
put_figure(const char *server, const char *name, const char *value, void *arg)
{
	ReturnSetInfo *rsinfo = arg;
	Datum		values[NUM_FIGURE_COLUMNS];
	bool		nulls[NUM_FIGURE_COLUMNS] = {0};

	values[FIGURE_SERVER] = CStringGetTextDatum(server);
	values[FIGURE_NAME] = CStringGetTextDatum(name);
	values[FIGURE_VALUE] = CStringGetTextDatum(value);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* dogpile_server_stats(region) */
Datum
dogpile_server_stats(PG_FUNCTION_ARGS)
{
	DogpileRegion *region;
	DogpileRemote *remote = open_remote(fcinfo, &region);

	InitMaterializedSRF(fcinfo, 0);
	if (remote != NULL &&
		dogpile_remote_stats(remote, put_figure, fcinfo->resultinfo) != DOGPILE_BACKEND_OK)
		raise_failure(region, remote);
	return (Datum) 0;
}

/*
 * dogpile_flush(region)
 *
 * All entries are invalidated at COMMIT.  Entries outside are also deleted, at once, if
 * the store can list its items.  It is not an error if it cannot.
 */
Datum
dogpile_flush(PG_FUNCTION_ARGS)
{
	DogpileRegion *region;
	DogpileRemote *remote = open_remote(fcinfo, &region);
	DogpileItemName prefix;

	dogpile_region_invalidate_all(dogpile_sql_get_text(fcinfo, 0, "region"), true);
	if (remote != NULL && !dogpile_remote_has_flush(remote))
		ereport(NOTICE,
				(errmsg("values of cache region \"%s\" were invalidated but not deleted",
						region->name),
				 errdetail("Backend \"%s\" cannot list its items; they expire on their own.",
						   region->backend)));
	else if (remote != NULL)
	{
		dogpile_item_name_prefix(region, &prefix);
		if (dogpile_remote_flush(remote, dogpile_item_name_bytes(&prefix)) !=
			DOGPILE_BACKEND_OK)
			raise_failure(region, remote);
	}
	dogpile_store_check();
	PG_RETURN_VOID();
}
