/*-------------------------------------------------------------------------
 *
 * ambient.c
 *	  Settings that change results although no query names them.
 *
 * The date that a timestamptz falls on depends on TimeZone, the text of a date on
 * DateStyle, and what a text search finds on default_text_search_config.  A
 * value that was computed under one setting is wrong under another.  Which of
 * these settings a query needs is not to be told without looking into every
 * function that it calls, so all of them tell values apart (variant.c).
 *
 * A hit must not notice that.  So what they add to a variant is kept until one
 * of them changes, which is known by their assign hooks: PostgreSQL calls these
 * for SET, set_config(), SET clauses of functions, what ROLLBACK takes back,
 * reloads, and what a parallel worker is given by its leader.  Ours take note
 * and pass the call on.  An assertion in variant.c compares what was kept with
 * the settings at each call.
 *
 * This is the list, judged from all that pg_settings shows in versions 15 to 18.
 * Not in it, because they do not change what a query gives:
 *
 *	- what only chooses among plans, or bounds time and memory.  It may change
 *	  the order of rows that have none, as the next ANALYZE may;
 *	- what only reports: messages, logs, statistics, traces;
 *	- what only statements that write or define something look at, such as
 *	  default_tablespace, or session_replication_role, which spares no rule that
 *	  is ON SELECT;
 *	- what only fails: max_stack_depth, timeouts;
 *	- client_encoding: values are stored as the server has them;
 *	- role, session_authorization and search_path, which "vary" names;
 *	- row_security, transaction_isolation and the like, which lookup.c and
 *	  determinism.c judge;
 *	- what is the same in all sessions of a server, but for the instant of a
 *	  reload.
 *
 * Settings of other modules are not in it either (see determinism.c for those
 * that a function asks for by name).
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/ambient.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/memutils.h"

#include "config/ambient.h"
#include "lib/compat.h"

/*
 * Type of setting and name, in alphabetical order, and what it changes.  One that
 * this version of PostgreSQL does not have is left out.
 */
#define AMBIENT_SETTINGS(X) \
	X(BOOL, array_nulls)							/* text as an array */ \
	X(ENUM, backslash_quote)						/* how the query is read */ \
	X(ENUM, bytea_output)							/* bytea as text */ \
	X(STRING, DateStyle)							/* dates as text, and back */ \
	X(STRING, default_text_search_config)			/* to_tsvector() and others */ \
	X(INT, extra_float_digits)						/* floats as text */ \
	X(INT, gin_fuzzy_search_limit)					/* leaves rows out by chance */ \
	X(BOOL, ignore_checksum_failure)				/* whether damaged pages are errors */ \
	X(ENUM, IntervalStyle)							/* intervals as text */ \
	X(STRING, lc_messages)							/* SQLERRM in a function */ \
	X(STRING, lc_monetary)							/* money, to_char() */ \
	X(STRING, lc_numeric)							/* to_char(), to_number() */ \
	X(STRING, lc_time)								/* to_char(), to_date() */ \
	X(BOOL, quote_all_identifiers)					/* quote_ident(), format() */ \
	X(STRING, restrict_nonsystem_relation_kind)		/* whether views are errors */ \
	X(BOOL, standard_conforming_strings)			/* how the query is read */ \
	X(STRING, TimeZone)								/* timestamptz as anything else */ \
	X(STRING, timezone_abbreviations)				/* text as timestamptz */ \
	X(BOOL, transform_null_equals)					/* how the query is read */ \
	X(ENUM, xmlbinary)								/* bytea as XML */ \
	X(ENUM, xmloption)								/* text as XML */ \
	X(BOOL, zero_damaged_pages)						/* whether damaged pages are errors */

/* What a hook is given. */
#define BOOL_VALUE		bool
#define INT_VALUE		int
#define ENUM_VALUE		int
#define STRING_VALUE	const char *

uint64		dogpile_ambient_generation = 1;

/* A setting of the list. */
typedef struct Setting
{
	const char *name;
	char	   *at_start;		/* its value when the server started; NULL: there
								 * is no such setting */
} Setting;

/* The hooks: one for each setting, as they are not told which one it is. */
#define DEFINE_HOOK(type, setting) \
static void (*prev_##setting) (type##_VALUE, void *) = NULL; \
\
static void \
assign_##setting(type##_VALUE newval, void *extra) \
{ \
	dogpile_ambient_generation++; \
	if (prev_##setting) \
		prev_##setting(newval, extra); \
}

AMBIENT_SETTINGS(DEFINE_HOOK)

#define DEFINE_SETTING(type, setting) {.name = #setting},

static Setting settings[] = {AMBIENT_SETTINGS(DEFINE_SETTING)};

/* Put our hook before the one that a setting has. */
#define HOOK_SETTING(type, setting) \
	if (strcmp(variable->name, #setting) == 0 && variable->vartype == PGC_##type) \
	{ \
		prev_##setting = DOGPILE_GUC_##type(variable)->assign_hook; \
		DOGPILE_GUC_##type(variable)->assign_hook = assign_##setting; \
		return; \
	}

static void
hook_setting(struct config_generic *variable)
{
	AMBIENT_SETTINGS(HOOK_SETTING)
}

/*
 * Begin to watch the settings.  Called once, when the server starts: processes
 * inherit what they were then.
 *
 * Errors: out of memory.
 */
void
dogpile_ambient_init(void)
{
	int			nvariables;
	struct config_generic **variables = dogpile_guc_variables_compat(&nvariables);

	for (int i = 0; i < nvariables; i++)
		hook_setting(variables[i]);
	for (int i = 0; i < lengthof(settings); i++)
	{
		const char *value = GetConfigOption(settings[i].name, true, false);

		if (value != NULL)
			settings[i].at_start = MemoryContextStrdup(TopMemoryContext, value);
	}
}

/* How many settings there are. */
int
dogpile_ambient_count(void)
{
	return lengthof(settings);
}

/*
 * Tell one of the settings.
 *
 * i: from 0 to their number - 1.
 * name, value: set, until the setting changes.
 *
 * Returns whether it is other than when the server started.
 *
 * Errors: none.
 */
bool
dogpile_ambient_get(int i, const char **name, const char **value)
{
	*name = settings[i].name;
	*value = "";
	if (settings[i].at_start == NULL)
		return false;
	*value = GetConfigOption(settings[i].name, true, false);
	return strcmp(*value, settings[i].at_start) != 0;
}

/* Is this setting among them?  Errors: none. */
bool
dogpile_ambient_has_setting(const char *name)
{
	for (int i = 0; i < lengthof(settings); i++)
		if (pg_strcasecmp(name, settings[i].name) == 0)
			return settings[i].at_start != NULL;
	return false;
}
