/*-------------------------------------------------------------------------
 *
 * sql_views.c
 *	  SQL functions that show what is cached and how it is used.
 *
 * They only return columns.  The views for users are built on them in the extension's
 * script.
 *
 * A time that is never reached shows as 'infinity', so that comparisons with now() are
 * right; NULL means that there is no entry.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/sql/sql_views.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/transam.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/region.h"
#include "lib/bound.h"
#include "lib/clock.h"
#include "sql/sql_args.h"
#include "stats/stats.h"

/* Columns of dogpile_metadata(), in the order of its OUT arguments. */
enum
{
	METADATA_CREATED_AT,
	METADATA_EXPIRES_AT,
	METADATA_GONE_AT,
	METADATA_AGE,
	METADATA_FRESH,
	METADATA_TYPE,
	METADATA_ROWS,
	METADATA_BYTES,
	METADATA_CREATION_TIME,
	METADATA_TAGS,
	METADATA_RELATIONS,
	METADATA_KEY_IS_LOCKED,
	NUM_METADATA_COLUMNS
};

/* Columns of dogpile_stats(): the region's name, the counters, and these. */
enum
{
	STATS_ENTRIES = 1 + DOGPILE_NUM_COUNTERS,
	STATS_BYTES,
	STATS_RESET,
	STATS_MISMATCH_BOUND,
	NUM_STATS_COLUMNS
};

/* Columns of dogpile_entries(). */
enum
{
	ENTRY_DATABASE,
	ENTRY_REGION,
	ENTRY_KEY,
	ENTRY_VARIANT,
	ENTRY_CREATED_AT,
	ENTRY_EXPIRES_AT,
	ENTRY_GONE_AT,
	ENTRY_FRESH,
	ENTRY_CREATION_TIME,
	ENTRY_BYTES,
	ENTRY_MEMORY,
	NUM_ENTRY_COLUMNS
};

PG_FUNCTION_INFO_V1(dogpile_metadata);
PG_FUNCTION_INFO_V1(dogpile_stats);
PG_FUNCTION_INFO_V1(dogpile_entries);
PG_FUNCTION_INFO_V1(dogpile_reset_stats);

/* --------------------------------------------------------------------
 * One entry
 * --------------------------------------------------------------------
 */

/* Convert a duration to an interval, to the microsecond. */
static Datum
interval_datum(double milliseconds)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = (TimeOffset) rint(milliseconds * 1000);
	return IntervalPGetDatum(interval);
}

/*
 * Describe the type of a column.  Type modifiers are shown by functions of the type.  If
 * the type is not built in, these are not called only to describe a value.
 */
static const char *
describe_column(Form_pg_attribute att)
{
	return att->atttypid < FirstNormalObjectId ?
		format_type_with_typemod(att->atttypid, att->atttypmod) :
		format_type_be(att->atttypid);
}

/*
 * Describe the type of a stored value: the type of its only column, or a column
 * definition list.
 */
static const char *
describe_type(TupleDesc desc)
{
	StringInfoData type;

	if (desc->natts == 1)
		return describe_column(TupleDescAttr(desc, 0));

	initStringInfo(&type);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		appendStringInfo(&type, "%s%s %s", i > 0 ? ", " : "(",
						 quote_identifier(NameStr(att->attname)),
						 describe_column(att));
	}
	appendStringInfoString(&type, desc->natts > 0 ? ")" : "()");
	return type.data;
}

/* Convert a time to a timestamptz. */
static Datum
show_time(TimestampTz time)
{
	return TimestampTzGetDatum(dogpile_clock_to_day(time));
}

/*
 * Fill in the columns that describe an entry.
 *
 * values, nulls: of all columns; the caller fills in key_is_locked.
 */
static void
fill_metadata(const DogpileMetadata *metadata, Datum *values, bool *nulls)
{
	memset(nulls, false, NUM_METADATA_COLUMNS * sizeof(bool));
	values[METADATA_CREATED_AT] = show_time(metadata->created_at);
	values[METADATA_EXPIRES_AT] = show_time(metadata->expires_at);
	values[METADATA_GONE_AT] = show_time(metadata->gone_at);
	values[METADATA_AGE] =
		DirectFunctionCall2(timestamp_mi,
							TimestampTzGetDatum(metadata->now),
							TimestampTzGetDatum(metadata->created_at));
	values[METADATA_FRESH] = BoolGetDatum(metadata->fresh);
	values[METADATA_TYPE] = CStringGetTextDatum(describe_type(metadata->desc));
	values[METADATA_ROWS] = Int64GetDatum((int64) metadata->nrows);
	values[METADATA_BYTES] = Int64GetDatum((int64) metadata->size);
	values[METADATA_CREATION_TIME] = interval_datum(metadata->creation_time_ms);
	values[METADATA_TAGS] = PointerGetDatum(metadata->tags);
	nulls[METADATA_TAGS] = metadata->tags == NULL;
	values[METADATA_RELATIONS] = PointerGetDatum(metadata->relations);
	nulls[METADATA_RELATIONS] = metadata->relations == NULL;
}

/*
 * dogpile_metadata(region, key)
 *
 * Always returns a row: whether the value is being created is of interest above all when
 * there is none yet.
 */
Datum
dogpile_metadata(PG_FUNCTION_ARGS)
{
	text	   *region = dogpile_sql_get_text(fcinfo, 0, "region");
	text	   *key = dogpile_sql_get_text(fcinfo, 1, "key");
	DogpileMetadata metadata;
	TupleDesc	desc;
	Datum		values[NUM_METADATA_COLUMNS];
	bool		nulls[NUM_METADATA_COLUMNS];

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	memset(nulls, true, sizeof(nulls));
	if (dogpile_region_describe(region, key, &metadata))
		fill_metadata(&metadata, values, nulls);
	values[METADATA_KEY_IS_LOCKED] = BoolGetDatum(metadata.key_is_locked);
	nulls[METADATA_KEY_IS_LOCKED] = false;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/* --------------------------------------------------------------------
 * Counters
 * --------------------------------------------------------------------
 */

/* Convert a counter to the value of its column; times in milliseconds. */
static Datum
counter_datum(DogpileCounter counter, uint64 value)
{
	return dogpile_stats_is_time(counter) ?
		Float8GetDatum(value / 1000.0) : Int64GetDatum((int64) value);
}

/* Append the row of one region. */
static void
put_stats(DogpileRegion *region, ReturnSetInfo *rsinfo)
{
	DogpileStatsRow row;
	Datum		values[NUM_STATS_COLUMNS];
	bool		nulls[NUM_STATS_COLUMNS] = {0};
	uint64		verified;
	uint64		mismatches;

	dogpile_stats_read(region, &row);
	verified = row.counters[DOGPILE_COUNTER_VERIFICATIONS];
	mismatches = row.counters[DOGPILE_COUNTER_MISMATCHES];
	values[0] = CStringGetTextDatum(region->name);
	for (int i = 0; i < DOGPILE_NUM_COUNTERS; i++)
		values[1 + i] = counter_datum(i, row.counters[i]);
	values[STATS_ENTRIES] = Int64GetDatum((int64) row.entries);
	values[STATS_BYTES] = Int64GetDatum((int64) row.bytes);
	values[STATS_RESET] = TimestampTzGetDatum(dogpile_stats_reset_time());
	nulls[STATS_MISMATCH_BOUND] = verified == 0;
	if (verified > 0)
		values[STATS_MISMATCH_BOUND] =
			Float8GetDatum(dogpile_bound_upper(verified, Min(mismatches, verified)));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * dogpile_stats()
 *
 * Returns a row for each region that is configured now.  Counters of a region that a
 * reload has removed are kept, and are shown again if the region is added again.
 */
Datum
dogpile_stats(PG_FUNCTION_ARGS)
{
	ListCell   *lc;

	dogpile_config_require_preload();
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, dogpile_config_regions())
	{
		DogpileRegion *region = lfirst(lc);

		if (region->active)
			put_stats(region, (ReturnSetInfo *) fcinfo->resultinfo);
	}
	return (Datum) 0;
}

/* dogpile_reset_stats(), which is not granted to PUBLIC */
Datum
dogpile_reset_stats(PG_FUNCTION_ARGS)
{
	dogpile_config_require_preload();
	dogpile_stats_reset();
	PG_RETURN_VOID();
}

/* --------------------------------------------------------------------
 * All entries
 * --------------------------------------------------------------------
 */

/*
 * Convert a string of any database to a text of this one.
 *
 * The other database may have another encoding, which is not known here.  If the string is
 * not valid in this one's, all characters but ASCII are shown as question marks.
 */
static Datum
foreign_text(const char *string)
{
	char	   *copy = pstrdup(string);

	if (!pg_verifymbstr(copy, strlen(copy), true))
		for (char *p = copy; *p; p++)
			if (IS_HIGHBIT_SET(*p))
				*p = '?';
	return CStringGetTextDatum(copy);
}

/* Append the row of one entry; a callback of dogpile_region_list(). */
static void
put_entry(const DogpileListedEntry *entry, void *arg)
{
	ReturnSetInfo *rsinfo = arg;
	Datum		values[NUM_ENTRY_COLUMNS];
	bool		nulls[NUM_ENTRY_COLUMNS] = {0};

	values[ENTRY_DATABASE] = ObjectIdGetDatum(entry->database);
	values[ENTRY_REGION] = CStringGetTextDatum(entry->region);
	values[ENTRY_KEY] = foreign_text(entry->key);
	values[ENTRY_VARIANT] = foreign_text(entry->variant);
	values[ENTRY_CREATED_AT] = show_time(entry->created_at);
	values[ENTRY_EXPIRES_AT] = show_time(entry->expires_at);
	values[ENTRY_GONE_AT] = show_time(entry->gone_at);
	values[ENTRY_FRESH] = BoolGetDatum(entry->fresh);
	values[ENTRY_CREATION_TIME] = interval_datum(entry->creation_time_ms);
	values[ENTRY_BYTES] = Int64GetDatum((int64) entry->size);
	values[ENTRY_MEMORY] = Int64GetDatum((int64) entry->memory);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * dogpile_entries()
 *
 * All rows are collected before any is returned, because the caller must not run code in
 * the middle of a scan of a store.
 */
Datum
dogpile_entries(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	dogpile_region_list(put_entry, fcinfo->resultinfo);
	return (Datum) 0;
}
