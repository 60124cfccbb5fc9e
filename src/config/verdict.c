/*-------------------------------------------------------------------------
 *
 * verdict.c
 *	  Whether the lines that set something of a region are valid.
 *
 * An invalid line is not an error for PostgreSQL: at start the setting gets its
 * default, and at a reload it keeps its value.  Where the setting decides which
 * sessions share values, or where values are stored, a default is not good enough.  So
 * all lines of a region are checked together, by the table in setting.c and by a
 * function that knows which settings go together.  A region with a fault cannot be
 * used; but if it was valid before, it keeps all settings that it had then.
 *
 * The lines are read again in the middle of each reload, when PostgreSQL calls the first
 * of our hooks, and not later, since somebody may be editing the files by then.  Only if
 * a reload calls none of our hooks, because there is no valid line of ours, are the lines
 * read when they are next needed.
 *
 * All sessions must agree on the settings.  An idle session sees two reloads as one, and
 * if the second brought a fault, it does not know the valid settings in between.  New
 * sessions are forked from the postmaster, so its settings are the right ones: it
 * publishes a hash of each region's last valid lines in shared memory, and a session
 * that would have to use others cannot use the region.
 *
 * Shared memory: a table that only the postmaster writes, without locks, as it must
 * not take any.  A row's name is written before the row is counted, and never changes.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/verdict.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/shmem.h"
#include "utils/formatting.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "config/verdict.h"

/* Maximum number of regions, between two restarts, with a hash in shared memory. */
#define MAX_ROWS		256

/* A row: a region, and the hash of its last valid lines; 0 if there are none. */
typedef struct Row
{
	char		region[DOGPILE_MAX_REGION_NAME + 1];
	pg_atomic_uint64 good_hash;
} Row;

#define TABLE_MAGIC		0x44505654

/* In shared memory. */
typedef struct Table
{
	uint32		magic;
	pg_atomic_uint32 count;
	Row			rows[MAX_ROWS];
} Table;

uint32		dogpile_verdict_generation = 1;

static Table *table = NULL;
static DogpileRegionCheck settings_go_together = NULL;

static slist_head verdicts = SLIST_STATIC_INIT(verdicts);

/* The lines that were loaded last, and those among them of the command line. */
static List *loaded = NIL;
static List *command_line = NIL;
static MemoryContext loaded_context = NULL;

/*
 * PgReloadTime when lines were last read in the middle of a reload, which is the time of
 * the reload before that; and PgReloadTime when they were last known to be up to date.
 */
static TimestampTz read_after = DT_NOBEGIN;
static TimestampTz seen = DT_NOBEGIN;
static bool read_since_seen = false;

/* Set once all modules have been loaded, so that all backends are known. */
static bool has_begun = false;

/* --------------------------------------------------------------------
 * Judging
 * --------------------------------------------------------------------
 */

/* The faults found so far: as superusers may see them, and as all roles may. */
typedef struct Faults
{
	StringInfoData full;
	StringInfoData public;
} Faults;

/* Append a sentence; "reason" is another one, or NULL. */
static void
append_sentence(StringInfo text, const char *sentence, const char *reason)
{
	appendStringInfo(text, "%s%s", text->len > 0 ? "  " : "", sentence);
	if (reason != NULL)
		appendStringInfo(text, " %s", reason);
}

/*
 * Add the fault of a line.  Its value is left out if the setting is unknown: it may be a
 * secret whose name is misspelled.
 */
static void
add_line_fault(Faults *faults, const DogpileLine *line, const DogpileSetting *s,
			   const char *reason)
{
	const char *where = dogpile_line_where(line);
	const char *full;
	const char *public;

	if (s == NULL)
		full = psprintf("There is no setting \"%s\", %s.", line->name, where);
	else if (s->is_secret)
		full = psprintf("\"%s\", %s, is not valid.", line->name, where);
	else
		full = psprintf("The value \"%s\" of \"%s\", %s, is not valid.", line->value,
						line->name, where);
	public = full;
	if (s != NULL && (s->flags & GUC_SUPERUSER_ONLY))
		public = psprintf("\"%s\", %s, is not valid.", line->name, where);
	append_sentence(&faults->full, full, reason);
	append_sentence(&faults->public, public, public == full ? reason : NULL);
}

/* Check one line, and put its value into a region. */
static void
judge_line(Faults *faults, const DogpileLine *line, const char *setting,
		   DogpileRegion *region, bool is_session)
{
	const DogpileSetting *s = dogpile_setting_find(setting);
	const char *reason = NULL;

	if (s == NULL)
		add_line_fault(faults, line, s, NULL);
	else if (is_session && s->context != PGC_USERSET)
		add_line_fault(faults, line, s,
					   "It can be changed in configuration files only.");
	else if (!dogpile_setting_parse(s, line->value, region, &reason))
		add_line_fault(faults, line, s, reason);
}

/* Add the fault that settings do not go together, and a list of them. */
static void
add_mismatch(Faults *faults, const char *region, const List *lines,
			 const char *reason)
{
	StringInfoData where;
	ListCell   *lc;

	initStringInfo(&where);
	foreach(lc, lines)
	{
		const DogpileLine *line = lfirst(lc);
		const char *setting = dogpile_line_setting(line, region);

		if (setting != NULL)
			appendStringInfo(&where, "%s\"%s\" %s", where.len > 0 ? ", " : "", setting,
							 dogpile_line_where(line));
	}
	append_sentence(&faults->public, "Its settings do not go together:", where.data);
	append_sentence(&faults->full,
					psprintf("Its settings do not go together: %s.  They are", reason),
					where.data);
	appendStringInfoChar(&faults->public, '.');
	appendStringInfoChar(&faults->full, '.');
}

/* Initialize a region with defaults; strings are in CurrentMemoryContext. */
static void
make_default(DogpileRegion *region, const char *name)
{
	memset(region, 0, sizeof(*region));
	strlcpy(region->name, name, sizeof(region->name));
	region->name_len = strlen(region->name);
	region->active = true;
	for (int i = 0; i < dogpile_nsettings; i++)
	{
		const DogpileSetting *s = &dogpile_settings[i];
		const char *reason;

		(void) dogpile_setting_parse(s, dogpile_setting_default(s), region, &reason);
	}
}

/*
 * Check the lines that set something of a region.
 *
 * lines: may include lines of other regions.
 * is_session: whether they are of ALTER ROLE or ALTER DATABASE, which may set only what
 *		a session may set.
 * public_fault: set to the part of the result that all roles may see.
 *
 * Returns what is wrong with them, in sentences in CurrentMemoryContext, or NULL.
 *
 * Errors: out of memory.
 */
const char *
dogpile_verdict_judge(const char *name, const List *lines, bool is_session,
					  const char **public_fault)
{
	DogpileRegion region;
	Faults		faults;
	const char *reason = NULL;
	ListCell   *lc;

	initStringInfo(&faults.full);
	initStringInfo(&faults.public);
	make_default(&region, name);
	foreach(lc, lines)
	{
		const DogpileLine *line = lfirst(lc);
		const char *setting = dogpile_line_setting(line, name);

		if (setting != NULL)
			judge_line(&faults, line, setting, &region, is_session);
	}
	if (!is_session && faults.full.len == 0 && !settings_go_together(&region, &reason))
		add_mismatch(&faults, name, lines, reason);
	*public_fault = faults.public.data;
	return faults.full.len > 0 ? faults.full.data : NULL;
}

/* --------------------------------------------------------------------
 * What the postmaster publishes
 * --------------------------------------------------------------------
 */

Size
dogpile_verdict_shmem_size(void)
{
	return sizeof(Table);
}

/* The row of a region, or NULL. */
static Row *
find_row(const char *region)
{
	uint32		count = table != NULL ? pg_atomic_read_u32(&table->count) : 0;

	Assert(table == NULL || table->magic == TABLE_MAGIC);
	/* Pairs with publish(): the row of a number that is counted is complete. */
	pg_read_barrier();
	for (uint32 i = 0; i < count; i++)
		if (strcmp(table->rows[i].region, region) == 0)
			return &table->rows[i];
	return NULL;
}

/* Publish the hash of a region's last valid lines; only the postmaster may do so. */
static void
publish(const DogpileVerdict *verdict)
{
	Row		   *row = find_row(verdict->region);
	uint32		count;

	if (table == NULL || IsUnderPostmaster)
		return;
	count = pg_atomic_read_u32(&table->count);
	if (row == NULL && count < MAX_ROWS)
	{
		row = &table->rows[count];
		strlcpy(row->region, verdict->region, sizeof(row->region));
		pg_atomic_init_u64(&row->good_hash, 0);

		/* Pairs with find_row(). */
		pg_write_barrier();
		pg_atomic_write_u32(&table->count, count + 1);
	}
	if (row != NULL)
		pg_atomic_write_u64(&row->good_hash, verdict->has_good ? verdict->good_hash : 0);
}

/*
 * Are the last valid lines that this process knows those of new sessions?
 *
 * Errors: none.  Locks: none.
 */
bool
dogpile_verdict_is_agreed(const DogpileVerdict *verdict)
{
	Row		   *row = find_row(verdict->region);

	return row != NULL && pg_atomic_read_u64(&row->good_hash) == verdict->good_hash;
}

/* --------------------------------------------------------------------
 * Loading
 * --------------------------------------------------------------------
 */

/*
 * A hash of the names and values of the lines of a region.  It does not depend on their
 * order, which differs between the start and a reload.
 */
static uint64
hash_lines(const List *lines)
{
	uint64		hash = 1;
	ListCell   *lc;

	foreach(lc, lines)
	{
		const DogpileLine *line = lfirst(lc);
		char	   *name = asc_tolower(line->name, strlen(line->name));
		char	   *text = psprintf("%s=%s", name, line->value);

		hash += hash_bytes_extended((unsigned char *) text, strlen(text), 0);
		pfree(text);
		pfree(name);
	}
	return hash != 0 ? hash : 1;
}

/* The lines of a region, copied into CurrentMemoryContext. */
static List *
lines_of_region(const char *region)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, loaded)
	{
		if (dogpile_line_setting(lfirst(lc), region) != NULL)
			result = dogpile_line_append(result, dogpile_line_copy(lfirst(lc)));
	}
	return result;
}

/* Report a region with a fault to the log. */
static void
report_fault(const DogpileVerdict *verdict)
{
	ereport(WARNING,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 verdict->has_good ?
			 errmsg("cache region \"%s\" keeps the settings that it had",
					verdict->region) :
			 errmsg("cache region \"%s\" cannot be used", verdict->region),
			 errdetail("%s", verdict->fault),
			 errhint("Correct the settings and reload the configuration.")));
}

/* Does dogpile.regions name this region?  If it cannot be parsed, assume so. */
static bool
is_named(const char *region)
{
	const DogpileLine *line = dogpile_line_find(loaded, DOGPILE_PREFIX ".regions");
	List	   *names = NIL;
	ListCell   *lc;

	if (strcmp(region, "default") == 0)
		return true;
	if (line == NULL)
		return false;
	if (!SplitGUCList(pstrdup(line->value), ',', &names))
		return true;
	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), region) == 0)
			return true;
	}
	return false;
}

/* Record that the lines that were loaded for a region are valid. */
static void
note_good(DogpileVerdict *verdict)
{
	MemoryContext oldcontext;

	MemoryContextReset(verdict->good_context);
	oldcontext = MemoryContextSwitchTo(verdict->good_context);
	verdict->good = lines_of_region(verdict->region);
	verdict->good_hash = hash_lines(verdict->good);
	verdict->has_good = true;
	MemoryContextSwitchTo(oldcontext);
}

/*
 * Check the lines that were loaded for a region.  Only the postmaster reports and
 * publishes the result.
 */
static void
judge_region(DogpileVerdict *verdict)
{
	MemoryContext temporary = AllocSetContextCreate(CurrentMemoryContext,
													"dogpile judging",
													ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(temporary);
	const char *public_fault;
	const char *fault = dogpile_verdict_judge(verdict->region, loaded, false,
											  &public_fault);

	verdict->fault = verdict->public_fault = NULL;
	MemoryContextReset(verdict->fault_context);
	if (fault == NULL)
		note_good(verdict);
	else
	{
		verdict->fault = MemoryContextStrdup(verdict->fault_context, fault);
		verdict->public_fault = MemoryContextStrdup(verdict->fault_context, public_fault);
	}
	if (!IsUnderPostmaster)
	{
		publish(verdict);
		if (verdict->fault != NULL && is_named(verdict->region))
			report_fault(verdict);
	}
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(temporary);
}

static DogpileVerdict *
find_verdict(const char *region)
{
	slist_iter	iter;

	slist_foreach(iter, &verdicts)
	{
		DogpileVerdict *verdict = slist_container(DogpileVerdict, node, iter.cur);

		if (strcmp(verdict->region, region) == 0)
			return verdict;
	}
	return NULL;
}

/* Add the verdict of a region that has not been checked yet. */
static DogpileVerdict *
add_verdict(const char *region)
{
	DogpileVerdict *verdict = MemoryContextAllocZero(TopMemoryContext,
													 sizeof(DogpileVerdict));

	strlcpy(verdict->region, region, sizeof(verdict->region));
	verdict->fault_context = AllocSetContextCreate(TopMemoryContext, "dogpile fault",
												   ALLOCSET_SMALL_SIZES);
	verdict->good_context = AllocSetContextCreate(TopMemoryContext, "dogpile settings",
												  ALLOCSET_SMALL_SIZES);
	slist_push_head(&verdicts, &verdict->node);
	return verdict;
}

/*
 * The verdict of a region, which lives as long as the process.
 *
 * Errors: out of memory.
 */
DogpileVerdict *
dogpile_verdict_get(const char *region)
{
	DogpileVerdict *verdict = find_verdict(region);

	if (verdict == NULL)
	{
		verdict = add_verdict(region);
		if (has_begun)
			judge_region(verdict);
	}
	return verdict;
}

/* Check all regions that there have been.  New ones are checked when asked for. */
static void
judge_all(void)
{
	slist_iter	iter;

	slist_foreach(iter, &verdicts)
		judge_region(slist_container(DogpileVerdict, node, iter.cur));
	dogpile_verdict_generation++;
}

/* Read the files, and check all regions. */
static void
load(void)
{
	MemoryContext old = loaded_context;
	MemoryContext oldcontext;
	ListCell   *lc;

	loaded_context = AllocSetContextCreate(TopMemoryContext, "dogpile lines",
										   ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(loaded_context);
	loaded = dogpile_line_read_files();
	foreach(lc, command_line)
		loaded = dogpile_line_append(loaded, dogpile_line_copy(lfirst(lc)));
	MemoryContextSwitchTo(oldcontext);
	if (old != NULL)
		MemoryContextDelete(old);
	judge_all();
}

/* Does any line set something of this region that only configuration files set? */
static bool
sets_followed(const char *region)
{
	ListCell   *lc;

	foreach(lc, loaded)
	{
		const char *setting = dogpile_line_setting(lfirst(lc), region);
		const DogpileSetting *s = setting != NULL ? dogpile_setting_find(setting) : NULL;

		if (s != NULL && s->context == PGC_SIGHUP)
			return true;
	}
	return false;
}

/* Would a reload of the lines that were loaded last call a hook of ours? */
static bool
calls_hook(void)
{
	slist_iter	iter;

	if (dogpile_line_find(loaded, DOGPILE_PREFIX ".regions") != NULL)
		return true;
	slist_foreach(iter, &verdicts)
	{
		if (sets_followed(slist_container(DogpileVerdict, node, iter.cur)->region))
			return true;
	}
	return false;
}

/*
 * Read the lines, if this is the first call in a reload.  Called by the assign hooks of
 * settings that only configuration files can set, that is, in the middle of a reload.
 *
 * Errors: out of memory.
 */
void
dogpile_verdict_follow_reload(void)
{
	if (!has_begun || PgReloadTime == read_after || InitializingParallelWorker)
		return;
	read_after = PgReloadTime;
	read_since_seen = true;
	load();
}

/*
 * Read the lines if there was a reload that has called none of our hooks.
 *
 * Errors: out of memory.
 */
void
dogpile_verdict_catch_up(void)
{
	if (likely(PgReloadTime == seen))
		return;
	if (!read_since_seen || !calls_hook())
		load();
	read_since_seen = false;
	seen = PgReloadTime;
}

/* The lines that were loaded last, including those of the command line. */
const List *
dogpile_verdict_lines(void)
{
	return loaded;
}

/*
 * What is wrong with the line of dogpile.regions, or with one whose name may be a
 * misspelling of it; in CurrentMemoryContext, or NULL.
 *
 * Errors: out of memory.
 */
const char *
dogpile_verdict_module_fault(void)
{
	ListCell   *lc;

	foreach(lc, loaded)
	{
		const DogpileLine *line = lfirst(lc);
		const char *rest = line->name + strlen(DOGPILE_PREFIX);

		if (rest[0] == '.' && pg_strcasecmp(rest, ".shared_memory") != 0 &&
			(pg_strcasecmp(rest, ".regions") != 0 ||
			 strcmp(line->value, GetConfigOption(DOGPILE_PREFIX ".regions", false, false)) != 0))
			return psprintf("\"%s\", %s, is not valid.", line->name, dogpile_line_where(line));
	}
	return NULL;
}

/*
 * Read the placeholders; called by _PG_init() before any setting is defined.
 *
 * check_region: returns whether the settings of a region go together.
 *
 * Errors: out of memory.
 */
void
dogpile_verdict_init(DogpileRegionCheck check_region)
{
	MemoryContext oldcontext;
	ListCell   *lc;

	settings_go_together = check_region;
	loaded_context = AllocSetContextCreate(TopMemoryContext, "dogpile lines",
										   ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(loaded_context);
	loaded = dogpile_line_read_placeholders();
	MemoryContextSwitchTo(TopMemoryContext);
	foreach(lc, loaded)
	{
		const DogpileLine *line = lfirst(lc);

		if (line->origin == DOGPILE_LINE_COMMAND)
			command_line = dogpile_line_append(command_line, dogpile_line_copy(line));
	}
	MemoryContextSwitchTo(oldcontext);
	seen = PgReloadTime;
}

/*
 * Create the table, or attach to it.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_verdict_shmem_init(void)
{
	bool		found;

	table = ShmemInitStruct("dogpile settings", dogpile_verdict_shmem_size(), &found);
	if (found)
	{
		Assert(table->magic == TABLE_MAGIC);
		return;
	}
	memset(table, 0, dogpile_verdict_shmem_size());
	table->magic = TABLE_MAGIC;
	pg_atomic_init_u32(&table->count, 0);
}

/*
 * Check all regions, at each start or crash restart of the server: all modules that may
 * add a backend have been loaded by then, and the table in shared memory is empty.
 *
 * Errors: out of memory.
 */
void
dogpile_verdict_begin(void)
{
	has_begun = true;
	judge_all();
}
