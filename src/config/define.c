/*-------------------------------------------------------------------------
 *
 * define.c
 *	  The PostgreSQL variables for the settings of each region.
 *
 * Each setting of each region is a variable of its own, called
 * "dogpile_<region>.<setting>", so that PostgreSQL parses units, checks ranges
 * and contexts, shows them in pg_settings and restores them at ROLLBACK.  The
 * name has two parts because postgresql.conf accepts no more; a line with three
 * keeps the server from starting.  Every region has a prefix of its own,
 * because a prefix is reserved as a whole: with a common one, the lines of a
 * region that precede "dogpile.regions" would be refused at the reload that adds
 * the region.
 *
 * A hook is not told which variable it is called for.  So what is derived from
 * settings (the parsed "vary", secrets, the fault, the store) is updated when the
 * region is asked for the next time.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/define.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "config/define.h"
#include "config/secret.h"

/* Set while settings are restored, which must not count as a reload. */
static bool is_restoring = false;

/* The lines that ALTER ROLE and ALTER DATABASE have set for this session, once read. */
static List *role_lines = NIL;
static bool role_lines_known = false;

/* The assign hooks of settings that only configuration files can set. */
static void
note_change(void)
{
	if (!is_restoring)
		dogpile_verdict_follow_reload();
}

static void
note_string_change(const char *newval, void *extra)
{
	note_change();
}

static void
note_number_change(int newval, void *extra)
{
	note_change();
}

static void
note_real_change(double newval, void *extra)
{
	note_change();
}

static void
note_bool_change(bool newval, void *extra)
{
	note_change();
}

/*
 * Define the variable of one setting of a region.
 *
 * PostgreSQL copies the name, but keeps pointers to the descriptions.
 */
static void
define_setting(DogpileRegion *region, const DogpileSetting *s)
{
	char		name[NAMEDATALEN * 2];
	void	   *value = (char *) region + s->offset;
	bool		is_followed = s->context == PGC_SIGHUP;

	snprintf(name, sizeof(name), DOGPILE_PREFIX "_%s.%s", region->name, s->name);

	switch (s->type)
	{
		case PGC_BOOL:
			DefineCustomBoolVariable(name, s->description, s->extra, value,
									 s->number != 0, s->context, s->flags, NULL,
									 is_followed ? note_bool_change : NULL, NULL);
			break;
		case PGC_INT:
			DefineCustomIntVariable(name, s->description, s->extra, value,
									(int) s->number, (int) s->min,
									(int) s->max, s->context, s->flags, NULL,
									is_followed ? note_number_change : NULL, NULL);
			break;
		case PGC_REAL:
			DefineCustomRealVariable(name, s->description, s->extra, value,
									 s->number, s->min, s->max, s->context,
									 s->flags, s->check_real,
									 is_followed ? note_real_change : NULL, NULL);
			break;
		case PGC_STRING:
			DefineCustomStringVariable(name, s->description, s->extra, value,
									   s->text, s->context, s->flags,
									   s->check_string, note_string_change, NULL);
			break;
		case PGC_ENUM:
			DefineCustomEnumVariable(name, s->description, s->extra, value,
									 (int) s->number, s->options, s->context,
									 s->flags, NULL,
									 is_followed ? note_number_change : NULL, NULL);
			break;
	}
}

/* The field of a secret. */
static char **
secret_field(DogpileRegion *region, const DogpileSetting *s)
{
	return (char **) ((char *) region + s->offset);
}

/*
 * Define the settings of a new region, and reserve their prefix.
 *
 * Lines of postgresql.conf that PostgreSQL has kept as placeholders take effect now.
 * Reserving the prefix reports those for which we have no setting, and makes
 * PostgreSQL refuse such names from now on.
 *
 * Errors: out of memory; another module has defined one of the names.
 */
void
dogpile_define_region(DogpileRegion *region)
{
	char		prefix[NAMEDATALEN * 2];

	for (int i = 0; i < dogpile_nsettings; i++)
	{
		const DogpileSetting *s = &dogpile_settings[i];

		if (s->is_secret)
		{
			*secret_field(region, s) = MemoryContextStrdup(TopMemoryContext, s->text);
			dogpile_secret_define(region, s, note_string_change);
		}
		else
			define_setting(region, s);
	}
	snprintf(prefix, sizeof(prefix), DOGPILE_PREFIX "_%s", region->name);
	MarkGUCPrefixReserved(prefix);
	region->verdict = dogpile_verdict_get(region->name);
}

/* --------------------------------------------------------------------
 * Bringing up to date
 * --------------------------------------------------------------------
 */

/* The value that the lines give to a setting of a region, or NULL. */
static const char *
find_value(const List *lines, const char *region, const DogpileSetting *s)
{
	ListCell   *lc;

	foreach(lc, lines)
	{
		const DogpileLine *line = lfirst(lc);
		const char *setting = dogpile_line_setting(line, region);

		if (setting != NULL && pg_strcasecmp(setting, s->name) == 0)
			return line->value;
	}
	return NULL;
}

/* Set the secrets of a region from its last valid lines. */
static void
take_secrets(DogpileRegion *region)
{
	for (int i = 0; i < dogpile_nsettings; i++)
	{
		const DogpileSetting *s = &dogpile_settings[i];
		const char *value;

		if (!s->is_secret)
			continue;
		value = find_value(region->verdict->good, region->name, s);
		pfree(*secret_field(region, s));
		*secret_field(region, s) = MemoryContextStrdup(TopMemoryContext,
													   value != NULL ? value : s->text);
	}
}

/*
 * Restore the settings that a region had before a reload brought a fault.
 *
 * PostgreSQL has kept some of them, but not others, such as one whose line is now
 * misspelled.  Values that a session has set for itself stay.
 *
 * Returns false if one of them can no longer be set.
 */
static bool
restore_settings(DogpileRegion *region)
{
	bool		ok = true;

	is_restoring = true;
	for (int i = 0; i < dogpile_nsettings; i++)
	{
		const DogpileSetting *s = &dogpile_settings[i];
		char		name[NAMEDATALEN * 2];
		const char *value = find_value(region->verdict->good, region->name, s);

		if (s->is_secret)
			continue;
		snprintf(name, sizeof(name), DOGPILE_PREFIX "_%s.%s", region->name, s->name);

		/* GUC_ACTION_SAVE is allowed in a parallel query, too. */
		if (set_config_option(name, value != NULL ? value : dogpile_setting_default(s),
							  PGC_SIGHUP, PGC_S_FILE, GUC_ACTION_SAVE, true, DEBUG5,
							  false) == 0)
			ok = false;
	}
	is_restoring = false;
	return ok;
}

/* Set the region's fault if it cannot be used, after trying to restore its settings. */
static void
note_fault(DogpileRegion *region)
{
	DogpileVerdict *verdict = region->verdict;

	region->fault = region->public_fault = NULL;
	if (verdict->fault == NULL)
		return;
	if (verdict->has_good && !dogpile_verdict_is_agreed(verdict))
		region->fault = region->public_fault =
			"Other sessions have settings that this one has never seen, because a later reload was not valid.";
	else if (!verdict->has_good || !restore_settings(region))
	{
		region->fault = verdict->fault;
		region->public_fault = verdict->public_fault;
	}
}

/*
 * Set the region's fault if a line of ALTER ROLE or ALTER DATABASE is not valid.
 * PostgreSQL only warns when the session starts, and ignores the line.
 */
static void
note_role_fault(DogpileRegion *region)
{
	MemoryContext oldcontext;

	if (!role_lines_known || role_lines == NIL || region->fault != NULL)
		return;
	oldcontext = MemoryContextSwitchTo(TopMemoryContext);
	region->fault = dogpile_verdict_judge(region->name, role_lines, true,
										  &region->public_fault);
	MemoryContextSwitchTo(oldcontext);
}

/* Read the lines of ALTER ROLE and ALTER DATABASE, as soon as that is possible. */
static void
read_role_lines(void)
{
	MemoryContext oldcontext;

	if (role_lines_known || !IsTransactionState() || !OidIsValid(MyDatabaseId) ||
		IsParallelWorker())
		return;
	oldcontext = MemoryContextSwitchTo(TopMemoryContext);
	role_lines = dogpile_line_read_role_settings();
	MemoryContextSwitchTo(oldcontext);
	role_lines_known = true;
	if (role_lines != NIL)
		dogpile_verdict_generation++;
}

/*
 * Update what is derived from a region's settings.
 *
 * Any reload makes all regions out of date, as there is a single counter.  An update
 * costs little.
 *
 * Errors: out of memory.
 */
void
dogpile_define_refresh(DogpileRegion *region)
{
	DogpileVary *vary;

	dogpile_verdict_catch_up();
	read_role_lines();
	if (region->generation == dogpile_verdict_generation)
		return;

	note_fault(region);
	note_role_fault(region);
	take_secrets(region);
	vary = dogpile_vary_parse(region->vary_text, TopMemoryContext);
	if (region->vary != NULL)
		pfree(unconstify(DogpileVary *, region->vary));
	region->vary = vary;
	region->store = NULL;
	region->remote = NULL;
	region->generation = dogpile_verdict_generation;
}
