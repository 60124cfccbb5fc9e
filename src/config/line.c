/*-------------------------------------------------------------------------
 *
 * line.c
 *	  The lines that set something of ours, as they are written.
 *
 * PostgreSQL tells a module the value of a setting, but not what was written and is
 * not valid: at start, it raises a warning for such a line and uses the default.  So
 * this file reads the lines again, when PostgreSQL has just read them.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/line.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_db_role_setting.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/rel.h"

#include "config/line.h"
#include "lib/compat.h"
#include "lib/lwlock_check.h"

/* Could this be the name of one of our settings, perhaps misspelled? */
bool
dogpile_line_is_ours(const char *name)
{
	return pg_strncasecmp(name, DOGPILE_PREFIX, strlen(DOGPILE_PREFIX)) == 0;
}

/* Make a line in CurrentMemoryContext; file may be NULL. */
static DogpileLine *
make_line(DogpileLineOrigin origin, const char *name, const char *value,
		  const char *file, int number)
{
	DogpileLine *line = palloc0(sizeof(DogpileLine));

	line->origin = origin;
	line->name = pstrdup(name);
	line->value = pstrdup(value != NULL ? value : "");
	line->file = file != NULL ? pstrdup(file) : NULL;
	line->number = number;
	return line;
}

/* Copy a line into CurrentMemoryContext. */
DogpileLine *
dogpile_line_copy(const DogpileLine *line)
{
	return make_line(line->origin, line->name, line->value, line->file, line->number);
}

/* Append a line to a list, from which an earlier one of the same name is removed. */
List *
dogpile_line_append(List *lines, DogpileLine *line)
{
	ListCell   *lc;

	foreach(lc, lines)
	{
		if (pg_strcasecmp(((DogpileLine *) lfirst(lc))->name, line->name) == 0)
			lines = foreach_delete_current(lines, lc);
	}
	return lappend(lines, line);
}

/*
 * Read our lines of the configuration files, as they are now.
 *
 * Syntax errors in the files are not reported: PostgreSQL has just done so.
 *
 * Returns a list of DogpileLine in CurrentMemoryContext.
 *
 * Errors: out of memory.
 */
List *
dogpile_line_read_files(void)
{
	ConfigVariable *head = NULL;
	ConfigVariable *tail = NULL;
	List	   *lines = NIL;

	(void) ParseConfigFile(ConfigFileName, true, NULL, 0, 0, DEBUG5, &head, &tail);
	(void) ParseConfigFile(PG_AUTOCONF_FILENAME, false, NULL, 0, 0, DEBUG5,
						   &head, &tail);
	for (ConfigVariable *item = head; item != NULL; item = item->next)
		if (item->name != NULL && dogpile_line_is_ours(item->name))
			lines = dogpile_line_append(lines, make_line(DOGPILE_LINE_FILE, item->name,
														 item->value, item->filename,
														 item->sourceline));
	FreeConfigVariables(head);
	return lines;
}

/*
 * Read the placeholders that PostgreSQL has made before the module was loaded: all
 * lines for us that exist when the server starts, valid or not.
 *
 * Returns a list of DogpileLine in CurrentMemoryContext.
 *
 * Errors: out of memory.
 */
List *
dogpile_line_read_placeholders(void)
{
	int			count;
	struct config_generic **variables = dogpile_guc_variables_compat(&count);
	List	   *lines = NIL;

	for (int i = 0; i < count; i++)
	{
		struct config_generic *v = variables[i];
		bool		is_from_file = v->source == PGC_S_FILE;

		/*
		 * A line that the command line has overridden has left its position,
		 * too.
		 */
		if ((v->flags & GUC_CUSTOM_PLACEHOLDER) && dogpile_line_is_ours(v->name))
			lines = dogpile_line_append(lines,
										make_line(is_from_file ? DOGPILE_LINE_FILE :
												  DOGPILE_LINE_COMMAND, v->name,
												  *DOGPILE_GUC_STRING(v)->variable,
												  is_from_file ? v->sourcefile : NULL,
												  v->sourceline));
	}
	return lines;
}

/* Append the lines for us in a row of pg_db_role_setting. */
static List *
append_row(List *lines, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		config = heap_getattr(tuple, Anum_pg_db_role_setting_setconfig,
									  desc, &isnull);
	Datum	   *items;
	int			nitems;

	if (isnull)
		return lines;
	deconstruct_array(DatumGetArrayTypeP(config), TEXTOID, -1, false, TYPALIGN_INT,
					  &items, NULL, &nitems);
	for (int i = 0; i < nitems; i++)
	{
		char	   *name = TextDatumGetCString(items[i]);
		char	   *value = strchr(name, '=');

		if (value == NULL || !dogpile_line_is_ours(name))
			continue;
		*value++ = '\0';
		lines = dogpile_line_append(lines, make_line(DOGPILE_LINE_ROLE, name, value,
													 NULL, 0));
	}
	return lines;
}

/*
 * Read our lines that ALTER ROLE and ALTER DATABASE have set for this session.
 *
 * Returns a list of DogpileLine in CurrentMemoryContext.
 *
 * Errors: those of reading a catalog.  Locks: AccessShareLock on it.
 */
List *
dogpile_line_read_role_settings(void)
{
	Oid			role = GetSessionUserId();
	const Oid	keys[4][2] = {{InvalidOid, InvalidOid}, {InvalidOid, role},
	{MyDatabaseId, InvalidOid}, {MyDatabaseId, role}};
	Relation	relation = table_open(DbRoleSettingRelationId, AccessShareLock);
	List	   *lines = NIL;

	DogpileAssertNoneHeld();
	for (int i = 0; i < lengthof(keys); i++)
	{
		ScanKeyData key[2];
		SysScanDesc scan;
		HeapTuple	tuple;

		ScanKeyInit(&key[0], Anum_pg_db_role_setting_setdatabase,
					BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(keys[i][0]));
		ScanKeyInit(&key[1], Anum_pg_db_role_setting_setrole,
					BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(keys[i][1]));
		scan = systable_beginscan(relation, DbRoleSettingDatidRolidIndexId, true,
								  NULL, lengthof(key), key);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
			lines = append_row(lines, tuple, RelationGetDescr(relation));
		systable_endscan(scan);
	}
	table_close(relation, AccessShareLock);
	return lines;
}

/* Find the line of a setting by its full name; NULL if there is none. */
const DogpileLine *
dogpile_line_find(const List *lines, const char *name)
{
	ListCell   *lc;

	foreach(lc, lines)
	{
		const DogpileLine *line = lfirst(lc);

		if (pg_strcasecmp(line->name, name) == 0)
			return line;
	}
	return NULL;
}

/*
 * The name of the setting without the prefix of the region; NULL if it is not a setting
 * of this region.
 *
 * Errors: none.
 */
const char *
dogpile_line_setting(const DogpileLine *line, const char *region)
{
	const char *rest = line->name + strlen(DOGPILE_PREFIX);
	int			len = strlen(region);

	if (rest[0] != '_' || pg_strncasecmp(rest + 1, region, len) != 0 ||
		rest[1 + len] != '.')
		return NULL;
	return rest + len + 2;
}

/* Where a line is, as part of a sentence in CurrentMemoryContext. */
const char *
dogpile_line_where(const DogpileLine *line)
{
	if (line->file != NULL)
		return psprintf("in file \"%s\" line %d", line->file, line->number);
	return line->origin == DOGPILE_LINE_COMMAND ? "on the command line of the server" :
		"as set by ALTER ROLE or ALTER DATABASE";
}
