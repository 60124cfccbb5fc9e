/*-------------------------------------------------------------------------
 *
 * verdict.c
 *	  Whether the lines of a region can be taken as they are written.
 *
 * A line that is not valid is no error to PostgreSQL: at start the setting has its
 * default, at a reload the value that it had.  Where the setting decides who is
 * given whose value, or where values live, a default is not good enough.  So all
 * lines of a region are judged together, by what setting.c knows of settings and by
 * a function that knows which of them go together.  A region with a fault cannot be
 * used; but if it was without fault before, it keeps all settings that it had then.
 *
 * The lines are read once more in the middle of each reload, when the first hook of
 * ours is called, and not later: what somebody is just writing is not yet meant.
 * Only where no hook is called, because there is no valid line of ours, they are
 * read when they are next needed.
 *
 * Sessions must not disagree.  A session that is idle sees two reloads as one, and
 * if the second brought a fault, it does not know what was without fault in between.
 * New sessions are forked from the postmaster, so that is right by definition: it
 * publishes a hash of each region's last good lines in shared memory, and a session
 * that would have to fall back on others cannot use the region.
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

/* Most regions between two restarts whose settings are agreed upon. */
#define MAX_ROWS		256

/* A row: a region, and the hash of its last good lines; 0 if there are none. */
typedef struct Row
{
	char		region[DOGPILE_MAX_REGION_NAME + 1];
	pg_atomic_uint64 good_hash;
} Row;

typedef struct Table
{
	pg_atomic_uint32 count;
	Row			rows[MAX_ROWS];
} Table;

uint32		dogpile_verdict_generation = 1;

static Table *table = NULL;
static DogpileRegionCheck settings_go_together = NULL;

static slist_head verdicts = SLIST_STATIC_INIT(verdicts);

/* The lines that were loaded last, those of the command line apart. */
static List *loaded = NIL;
static List *command_line = NIL;
static MemoryContext loaded_context = NULL;

/*
 * PgReloadTime when lines were last read in the middle of a reload, that is, the time
 * of the one before; and when they were last known to be up to date.
 */
static TimestampTz read_after = DT_NOBEGIN;
static TimestampTz seen = DT_NOBEGIN;
static bool read_since_seen = false;

/* All modules have been loaded, so that it is known which backends there are. */
static bool has_begun = false;

/* --------------------------------------------------------------------
 * Judging
 * --------------------------------------------------------------------
 */

/* The faults that were found so far. */
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
 * Add what is wrong with a line.  Its value is left out if the setting is not known:
 * it may be a secret, misspelt.
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

/* Judge one line, and put its value into a region. */
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

/* Add that settings do not go together, and which ones there are. */
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

/* A region as it is without any line; texts are in CurrentMemoryContext. */
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
 * Judge the lines of a region, among others.
 *
 * is_session: do they set what a session may set for itself?
 * public_fault: what is returned, without what not everybody may see.
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

	pg_read_barrier();
	for (uint32 i = 0; i < count; i++)
		if (strcmp(table->rows[i].region, region) == 0)
			return &table->rows[i];
	return NULL;
}

/* Publish what is good of a region; only the postmaster may. */
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
		pg_write_barrier();
		pg_atomic_write_u32(&table->count, count + 1);
	}
	if (row != NULL)
		pg_atomic_write_u64(&row->good_hash, verdict->has_good ? verdict->good_hash : 0);
}

/*
 * Is what this process has found good last what new sessions begin with?
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
 * What tells the lines of a region from others: names and values, in whatever order, for
 * at start they come in another one than from the files.
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
		if (dogpile_line_setting(lfirst(lc), region) != NULL)
			result = dogpile_line_append(result, dogpile_line_copy(lfirst(lc)));
	return result;
}

/* Tell the administrator of a region with a fault. */
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
			 errhint("Correct this, and reload the configuration.")));
}

/* Does the list of regions name this one?  If it cannot be read, perhaps. */
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
		if (strcmp(lfirst(lc), region) == 0)
			return true;
	return false;
}

/* Note that there is nothing wrong with what was loaded for a region. */
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

/* Judge what was loaded for a region.  Only the postmaster reports and publishes. */
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

/* Make the verdict of a region, not judged yet. */
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

/* Judge all regions that there have been.  New ones are judged when asked for. */
static void
judge_all(void)
{
	slist_iter	iter;

	slist_foreach(iter, &verdicts)
		judge_region(slist_container(DogpileVerdict, node, iter.cur));
	dogpile_verdict_generation++;
}

/* Read the files, and judge what is there. */
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
		if (sets_followed(slist_container(DogpileVerdict, node, iter.cur)->region))
			return true;
	return false;
}

/*
 * Called by the hooks of settings that only configuration files set, that is, in the
 * middle of a reload: the first one reads the lines.
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
 * Notice a reload that has called no hook of ours.
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

/* The lines that were loaded last, those of the command line among them. */
const List *
dogpile_verdict_lines(void)
{
	return loaded;
}

/*
 * What is wrong with the list of regions, or with what may have been meant to be it;
 * in CurrentMemoryContext, or NULL.
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
 * Prepare, from _PG_init() before any setting is defined.
 *
 * check_region: tells whether the settings of a region go together.
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
		return;
	memset(table, 0, dogpile_verdict_shmem_size());
	pg_atomic_init_u32(&table->count, 0);
}

/*
 * Judge all regions, at each start of the server: all modules have been loaded by
 * then that might bring a backend, and the table is empty.
 *
 * Errors: out of memory.
 */
void
dogpile_verdict_begin(void)
{
	has_begun = true;
	judge_all();
}
