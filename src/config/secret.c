/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  Passwords and other settings that only superusers may see.
 *
 * PostgreSQL shows the value of every setting to members of pg_read_all_settings, and
 * a reload writes each changed value to the log.  So PostgreSQL must not have the
 * value: the check hook of a secret empties it before PostgreSQL keeps it, and a
 * reload finds nothing changed.  The values themselves are taken from the lines of the
 * configuration files (line.c), which ALTER SYSTEM writes with the value.
 *
 * SHOW gives the secret to superusers, and stars to others.  For that the show hook
 * has to know which secret is meant, but it has no arguments: so macros make a
 * function for each secret of each region.
 *
 * Until a region is defined, its settings are placeholders, which have no hooks.
 * A reload that adds a region may read its password before it calls anything of ours;
 * another hook removes it from the line that PostgreSQL then writes to the log.
 * Two ways remain by which a secret gets into the log: a statement such as ALTER SYSTEM
 * is logged if log_statement is set accordingly, and a syntax error in a file shows the
 * word where it is.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/secret.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/memutils.h"

#include "config/secret.h"
#include "lib/compat.h"

/* Shown in place of a secret. */
#define MASK			"********"

/* The message by which PostgreSQL reports a changed setting. */
#define CHANGED			"parameter \"%s\" changed to \"%s\""

/* Maximum number of regions whose secrets can be shown to superusers. */
#define MAX_SHOWN		256

static DogpileRegion *shown_regions[MAX_SHOWN];
static int	nshown = 0;

static void (*refresh_region) (DogpileRegion *region) = NULL;
static emit_log_hook_type prev_emit_log_hook = NULL;

/* The check hook of all secrets: PostgreSQL keeps an empty string. */
static bool
hide_value(char **newval, void **extra, GucSource source)
{
	if (*newval != NULL)
		memset(*newval, 0, strlen(*newval));
	return true;
}

/* --------------------------------------------------------------------
 * Showing
 * --------------------------------------------------------------------
 */

static const char *
show_nothing(void)
{
	return MASK;
}

/* Show a secret of the region with this number; its field is at the given offset. */
static const char *
show_secret(int number, Size offset)
{
	DogpileRegion *region = shown_regions[number];

	if (!IsTransactionState() || !superuser())
		return MASK;
	refresh_region(region);
	return *(char **) ((char *) region + offset);
}

/* For each region number there are two functions, such as show_password_2a(). */
#define SHOW_ONE(number) \
	static const char *show_password_##number(void) \
	{ return show_secret(0x##number, offsetof(DogpileRegion, password)); } \
	static const char *show_secret_##number(void) \
	{ return show_secret(0x##number, offsetof(DogpileRegion, secret)); }
#define NAME_ONE(number)	{show_password_##number, show_secret_##number},

#define SIXTEEN(do, high) \
	do(high##0) do(high##1) do(high##2) do(high##3) \
	do(high##4) do(high##5) do(high##6) do(high##7) \
	do(high##8) do(high##9) do(high##a) do(high##b) \
	do(high##c) do(high##d) do(high##e) do(high##f)
#define ALL(do) \
	SIXTEEN(do, 0) SIXTEEN(do, 1) SIXTEEN(do, 2) SIXTEEN(do, 3) \
	SIXTEEN(do, 4) SIXTEEN(do, 5) SIXTEEN(do, 6) SIXTEEN(do, 7) \
	SIXTEEN(do, 8) SIXTEEN(do, 9) SIXTEEN(do, a) SIXTEEN(do, b) \
	SIXTEEN(do, c) SIXTEEN(do, d) SIXTEEN(do, e) SIXTEEN(do, f)

ALL(SHOW_ONE)

static const GucShowHook show_hooks[MAX_SHOWN][2] = {
	ALL(NAME_ONE)
};

/* --------------------------------------------------------------------
 * Defining
 * --------------------------------------------------------------------
 */

/* Is there a variable of this name which is not just a placeholder? */
static bool
is_defined(const char *name)
{
	int			count;
	struct config_generic **variables = dogpile_guc_variables_compat(&count);

	for (int i = 0; i < count; i++)
		if (pg_strcasecmp(variables[i]->name, name) == 0)
			return (variables[i]->flags & GUC_CUSTOM_PLACEHOLDER) == 0;
	return false;
}

/*
 * Define the variable of a secret of a region.
 *
 * All secrets of a region must be defined before those of another one.
 *
 * Errors: out of memory.
 */
void
dogpile_secret_define(DogpileRegion *region, const DogpileSetting *s,
					  GucStringAssignHook assign)
{
	bool		is_second = s->offset == offsetof(DogpileRegion, secret);
	GucShowHook show = show_nothing;
	const char *name = psprintf(DOGPILE_PREFIX "_%s.%s", region->name, s->name);

	/*
	 * dogpile_secret_define_stray() may have defined it before the region
	 * existed.
	 */
	if (is_defined(name))
		return;
	if (nshown == 0 || shown_regions[nshown - 1] != region)
		if (nshown < MAX_SHOWN)
			shown_regions[nshown++] = region;
	if (shown_regions[nshown - 1] == region)
		show = show_hooks[nshown - 1][is_second];
	DefineCustomStringVariable(name, s->description, s->extra,
							   &region->hidden[is_second], "", s->context, s->flags,
							   hide_value, assign, show);
}

/*
 * Define the secrets in lines for regions that do not exist: all roles can see the value
 * of a placeholder.  Each has a variable of its own, whose value PostgreSQL allocates
 * and frees.
 *
 * Errors: out of memory.
 */
void
dogpile_secret_define_stray(const List *lines)
{
	ListCell   *lc;

	foreach(lc, lines)
	{
		const DogpileLine *line = lfirst(lc);
		const char *dot = strchr(line->name, '.');
		const DogpileSetting *s = dot != NULL ? dogpile_setting_find(dot + 1) : NULL;

		if (s != NULL && s->is_secret && line->origin != DOGPILE_LINE_ROLE &&
			!is_defined(line->name))
			DefineCustomStringVariable(line->name, s->description, s->extra,
									   MemoryContextAllocZero(TopMemoryContext,
															  sizeof(char *)),
									   "", s->context, s->flags, hide_value, NULL,
									   show_nothing);
	}
}

/* --------------------------------------------------------------------
 * The log
 * --------------------------------------------------------------------
 */

/*
 * Where in a text the name of one of our settings begins, if it is the first thing in
 * quotes or no quotes precede it; else NULL.  *len is set to its length.
 */
static const char *
find_setting_in_text(const char *text, int *len)
{
	const char *quote = strchr(text, '"');

	for (const char *p = text; *p; p++)
		if (dogpile_line_is_ours(p))
		{
			*len = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.");
			return quote == NULL || p <= quote + 1 ? p : NULL;
		}
	return NULL;
}

/*
 * The hook for messages that are written to the log.
 *
 * An unknown setting may be a secret whose name is misspelled.  Only the postmaster
 * reports changed settings.
 */
static void
hide_in_log(ErrorData *edata)
{
	const char *name;
	int			len;

	if (!IsUnderPostmaster && edata->message != NULL && edata->message_id != NULL &&
		strcmp(edata->message_id, CHANGED) == 0 &&
		(name = find_setting_in_text(edata->message, &len)) != NULL)
	{
		char	   *copy = pnstrdup(name, len);
		const char *dot = strchr(copy, '.');
		const DogpileSetting *s = dot != NULL ? dogpile_setting_find(dot + 1) : NULL;

		if (strncmp(copy + strlen(DOGPILE_PREFIX), "_", 1) == 0 &&
			(s == NULL || s->is_secret))
			edata->message = psprintf("parameter \"%s\" changed", copy);
	}
	if (prev_emit_log_hook)
		prev_emit_log_hook(edata);
}

/*
 * Install the hook; called by _PG_init().
 *
 * refresh: a function that updates a region's secrets.
 */
void
dogpile_secret_init(void (*refresh) (DogpileRegion *region))
{
	refresh_region = refresh;
	prev_emit_log_hook = emit_log_hook;
	emit_log_hook = hide_in_log;
}
