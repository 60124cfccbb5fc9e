/*-------------------------------------------------------------------------
 *
 * vary.c
 *	  What a region's "vary" names: what tells values apart besides the key.
 *
 * The setting is a list of names: "role", "session_user", "search_path", "settings"
 * for all those in ambient.c, and any other setting, such as "app.tenant_id".  Of a
 * name with a dot only the form is checked, because a custom setting may not exist
 * before a session sets it.
 *
 * Names are not folded or truncated as SQL identifiers are.  The name of a setting may
 * be longer than an identifier, and when truncated it would be the name of another
 * setting, so that values would not be told apart.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/vary.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/varlena.h"

#include "config/vary.h"

/*
 * Could a setting have this name?
 *
 * The rule is PostgreSQL's for the names of custom settings, except that the name need
 * not have a dot, as those of the built-in ones do not.
 */
static bool
is_setting_name(const char *name)
{
	bool		at_start = true;

	for (const char *p = name; *p; p++)
	{
		if (strchr("abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ_", *p) != NULL ||
			IS_HIGHBIT_SET(*p))
			at_start = false;
		else if (at_start || (*p != '.' && strchr("0123456789$", *p) == NULL))
			return false;
		else
			at_start = (*p == '.');
	}
	return !at_start;
}

/*
 * Can a region vary by this?  A setting without a dot in its name must exist, since no
 * module or application can define it later.
 */
static bool
check_name(const char *name)
{
	if (!is_setting_name(name))
	{
		GUC_check_errdetail("\"%s\" is not a valid setting name.", name);
		return false;
	}
	if (strchr(name, '.') == NULL && pg_strcasecmp(name, "session_user") != 0 &&
		pg_strcasecmp(name, "settings") != 0 &&
		GetConfigOption(name, true, false) == NULL)
	{
		GUC_check_errdetail("There is no setting \"%s\".", name);
		return false;
	}
	return true;
}

/*
 * The check hook of "vary".
 *
 * Returns whether *newval is a list of names that settings could have; if not, the
 * detail is set.
 *
 * Errors: out of memory.
 */
bool
dogpile_vary_check(char **newval, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*newval);
	List	   *names;
	ListCell   *lc;
	bool		ok;

	ok = SplitGUCList(copy, ',', &names);
	if (!ok)
		GUC_check_errdetail("List syntax is invalid.");
	foreach(lc, names)
		ok = ok && check_name(lfirst(lc));
	list_free(names);
	pfree(copy);
	return ok;
}

/*
 * Parse a list that dogpile_vary_check() has accepted.
 *
 * Returns the result as a single chunk of memory in the given context.
 *
 * Errors: out of memory.
 */
DogpileVary *
dogpile_vary_parse(const char *list, MemoryContext context)
{
	int			max_names = 1;
	Size		names_at;
	DogpileVary *vary;
	char	   *copy;
	List	   *names;
	ListCell   *lc;

	for (const char *p = list; *p; p++)
		max_names += (*p == ',');

	/*
	 * The array is followed by a copy of the text, into which its names
	 * point.
	 */
	names_at = offsetof(DogpileVary, settings) + max_names * sizeof(char *);
	vary = MemoryContextAllocZero(context, names_at + strlen(list) + 1);
	copy = (char *) vary + names_at;
	strcpy(copy, list);

	(void) SplitGUCList(copy, ',', &names);
	foreach(lc, names)
	{
		char	   *name = lfirst(lc);

		if (pg_strcasecmp(name, "role") == 0)
			vary->role = true;
		else if (pg_strcasecmp(name, "session_user") == 0)
			vary->session_user = true;
		else if (pg_strcasecmp(name, "search_path") == 0)
			vary->search_path = true;
		else if (pg_strcasecmp(name, "settings") == 0)
			vary->ambient = true;
		else
			vary->settings[vary->nsettings++] = name;
	}
	list_free(names);
	return vary;
}

/*
 * Are values told apart by this name?
 *
 * Errors: none.  Locks: none.
 */
bool
dogpile_vary_has_setting(const DogpileVary *vary, const char *name)
{
	if (pg_strcasecmp(name, "role") == 0)
		return vary->role;
	if (pg_strcasecmp(name, "session_user") == 0)
		return vary->session_user;
	if (pg_strcasecmp(name, "search_path") == 0)
		return vary->search_path;
	for (int i = 0; i < vary->nsettings; i++)
		if (pg_strcasecmp(name, vary->settings[i]) == 0)
			return true;
	return false;
}
