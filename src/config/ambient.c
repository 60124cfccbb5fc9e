/*-------------------------------------------------------------------------
 *
 * ambient.c
 *	  PostgreSQL settings that change results although no query names them.
 *
 * The date of a timestamptz depends on TimeZone, the text of a date on DateStyle, and
 * what a text search finds on default_text_search_config.  A value that was computed
 * under one setting is wrong under another.  Finding out which of these settings a
 * query needs would mean to analyze every function that it calls, so all of them are
 * part of the variant (variant.c).
 *
 * That must not slow down a hit.  So what the settings add to a variant is kept until
 * one of them changes, which their assign hooks tell: PostgreSQL calls these for SET,
 * set_config(), SET clauses of functions, rollbacks, reloads, and when a parallel
 * worker gets the settings of its leader.  Our hooks count the call and pass it on.
 * An assertion in variant.c compares what was kept with the settings at each call.
 *
 * The list was made from all settings that pg_settings shows in versions 15 to 18.
 * Not in it, because they do not change what a query gives, are settings that
 *
 *	- only choose among plans, or limit time and memory.  They may change the order
 *	  of rows where none is defined, as the next ANALYZE may;
 *	- only report: messages, logs, statistics, traces;
 *	- only matter to statements that write or define something, such as
 *	  default_tablespace, or session_replication_role, which does not affect ON
 *	  SELECT rules;
 *	- only make a query fail: max_stack_depth, timeouts;
 *	- concern the client, as client_encoding: values are stored in the encoding of
 *	  the server;
 *	- "vary" names: role, session_authorization and search_path;
 *	- lookup.c and determinism.c check: row_security, transaction_isolation and so on;
 *	- are the same in all sessions of a server, except at the instant of a reload.
 *
 * Settings of other modules are not in it either; see determinism.c for those that a
 * function asks for by name.
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
 * Type and name of each setting, in alphabetical order, and what it changes.  Those
 * that this version of PostgreSQL does not have are ignored.
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
	X(BOOL, zero_damaged_pages) /* whether damaged pages are errors */

/* The type of the value that an assign hook gets. */
#define BOOL_VALUE		bool
#define INT_VALUE		int
#define ENUM_VALUE		int
#define STRING_VALUE	const char *

uint64		dogpile_ambient_generation = 1;

/* A setting of the list. */
typedef struct Setting
{
	const char *name;
	char	   *at_start;		/* its value when the server started; NULL if
								 * this version does not have the setting */
} Setting;

/* The hooks: one for each setting, as an assign hook is not told which one it is. */
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

/* Put our hook in front of the one that a setting has. */
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
 * Install the hooks.  Called once, when the server starts, so that all processes
 * inherit the values at that time.
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

/* The number of settings in the list. */
int
dogpile_ambient_count(void)
{
	return lengthof(settings);
}

/*
 * Get the name and value of a setting, by its number from 0.
 *
 * *name and *value remain valid until the setting changes.
 *
 * Returns whether the value differs from that at server start.
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

/* Is this setting in the list, and does this version have it?  Errors: none. */
bool
dogpile_ambient_has_setting(const char *name)
{
	for (int i = 0; i < lengthof(settings); i++)
		if (pg_strcasecmp(name, settings[i].name) == 0)
			return settings[i].at_start != NULL;
	return false;
}
