/*-------------------------------------------------------------------------
 *
 * builtin.c
 *	  What built-in functions read by themselves.
 *
 * C code reads catalogs, files and shared memory without the executor, so no plan lists
 * what it reads.  Most such functions are volatile, and therefore refused; those here are
 * declared STABLE or even IMMUTABLE, which they are within a statement.
 *
 * The table has patterns of names, so that other forms of a function, and those that later
 * versions add to a family, need no line.  sql/depends_builtins.sql checks every built-in
 * function that is not volatile, and fails for one that is neither in this table nor in
 * its own list of harmless ones.
 *
 * Harmless in spite of their names are pg_typeof(), whose result is an OID that becomes a
 * name when it is shown; version() and getdatabaseencoding(), which do not change while an
 * entry exists; and current_database(), as renaming a database invalidates its entries.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/builtin.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "depend/builtin.h"
#include "lib/lwlock_check.h"

/* A name, or the beginning of names ("x*"), the end ("*x") or both ("x*y"). */
static const struct
{
	const char *name;
	DogpileBuiltin reads;
}			families[] =

{
	{"*_description", DOGPILE_BUILTIN_CATALOGS},
	{"*_is_visible", DOGPILE_BUILTIN_CATALOGS},
	{"database_to_xml*", DOGPILE_BUILTIN_CATALOGS},
	{"format_type", DOGPILE_BUILTIN_CATALOGS},
	{"has_*_privilege", DOGPILE_BUILTIN_CATALOGS},
	{"oidvectortypes", DOGPILE_BUILTIN_CATALOGS},
	{"pg_basetype", DOGPILE_BUILTIN_CATALOGS},
	{"pg_column_is_updatable", DOGPILE_BUILTIN_CATALOGS},
	{"pg_describe_object", DOGPILE_BUILTIN_CATALOGS},
	{"pg_filenode_relation", DOGPILE_BUILTIN_CATALOGS},
	{"pg_get_*", DOGPILE_BUILTIN_CATALOGS},
	{"pg_has_role", DOGPILE_BUILTIN_CATALOGS},
	{"pg_identify_object*", DOGPILE_BUILTIN_CATALOGS},
	{"pg_index*_has_property", DOGPILE_BUILTIN_CATALOGS},
	{"pg_input_*", DOGPILE_BUILTIN_CATALOGS},
	{"pg_partition_*", DOGPILE_BUILTIN_CATALOGS},
	{"pg_relation_*", DOGPILE_BUILTIN_CATALOGS},
	{"pg_replication_origin_*", DOGPILE_BUILTIN_CATALOGS},
	{"pg_sequence_parameters", DOGPILE_BUILTIN_CATALOGS},
	{"pg_tablespace_location", DOGPILE_BUILTIN_CATALOGS},
	{"reg*in", DOGPILE_BUILTIN_CATALOGS},
	{"regclass", DOGPILE_BUILTIN_CATALOGS},
	{"row_security_active", DOGPILE_BUILTIN_CATALOGS},
	{"satisfies_hash_partition", DOGPILE_BUILTIN_CATALOGS},
	{"schema_to_xml*", DOGPILE_BUILTIN_CATALOGS},
	{"table_to_xml*", DOGPILE_BUILTIN_CATALOGS},
	{"to_reg*", DOGPILE_BUILTIN_CATALOGS},

	{"pg_available_*", DOGPILE_BUILTIN_SERVER},
	{"pg_conf_load_time", DOGPILE_BUILTIN_SERVER},
	{"pg_config", DOGPILE_BUILTIN_SERVER},
	{"pg_event_trigger_*", DOGPILE_BUILTIN_SERVER},
	{"pg_extension_update_paths", DOGPILE_BUILTIN_SERVER},
	{"pg_numa_*", DOGPILE_BUILTIN_SERVER},
	{"pg_postmaster_start_time", DOGPILE_BUILTIN_SERVER},
	{"pg_settings_get_flags", DOGPILE_BUILTIN_SERVER},
	{"pg_split_walfile_name", DOGPILE_BUILTIN_SERVER},
	{"pg_stat_get_*", DOGPILE_BUILTIN_SERVER},
	{"pg_tablespace_databases", DOGPILE_BUILTIN_SERVER},
	{"pg_walfile_name*", DOGPILE_BUILTIN_SERVER}
};

/* Does a name belong to a family? */
static bool
matches(const char *name, const char *family)
{
	const char *star = strchr(family, '*');
	size_t		len = strlen(name);
	size_t		end_len;

	if (star == NULL)
		return strcmp(name, family) == 0;
	end_len = strlen(star + 1);
	return len >= (size_t) (star - family) + end_len &&
		strncmp(name, family, star - family) == 0 &&
		strcmp(name + len - end_len, star + 1) == 0;
}

/* The family that a function's name belongs to. */
static DogpileBuiltin
find_family(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	DogpileBuiltin reads = DOGPILE_BUILTIN_NOTHING;

	if (!HeapTupleIsValid(tuple))
		return DOGPILE_BUILTIN_NOTHING;
	for (int i = 0; i < lengthof(families) && reads == DOGPILE_BUILTIN_NOTHING; i++)
		if (matches(NameStr(((Form_pg_proc) GETSTRUCT(tuple))->proname), families[i].name))
			reads = families[i].reads;
	ReleaseSysCache(tuple);
	return reads;
}

/*
 * What does a function read besides its arguments and what the executor reads for it?
 *
 * Each creation calls this for every function of its query, so the result is kept for
 * functions whose OIDs are assigned in PostgreSQL's sources.
 *
 * Errors: those of a catalog lookup.  Locks: no LWLock may be held.
 */
DogpileBuiltin
dogpile_builtin_reads(Oid function)
{
	static uint8 known[FirstGenbkiObjectId];	/* result + 1; 0: not known */

	DogpileAssertNoneHeld();
	if (function >= FirstNormalObjectId)
		return DOGPILE_BUILTIN_NOTHING;
	if (function >= FirstGenbkiObjectId)
		return find_family(function);
	if (known[function] == 0)
		known[function] = find_family(function) + 1;
	return known[function] - 1;
}

/*
 * Are values of a built-in type OIDs whose texts are names in catalogs?  Types for text
 * search are left out, as a change of such objects invalidates all entries.
 *
 * Errors, locks: none.
 */
bool
dogpile_builtin_is_name(Oid typid)
{
	switch (typid)
	{
		case REGPROCOID:
		case REGPROCEDUREOID:
		case REGOPEROID:
		case REGOPERATOROID:
		case REGCLASSOID:
		case REGTYPEOID:
		case REGROLEOID:
		case REGNAMESPACEOID:
		case REGCOLLATIONOID:
		case ACLITEMOID:
			return true;
		default:
			return false;
	}
}

/*
 * Are the texts names of roles?  All databases share roles, so the slot of definitions does
 * not cover them.
 *
 * Errors, locks: none.
 */
bool
dogpile_builtin_is_role_name(Oid typid)
{
	return typid == REGROLEOID || typid == ACLITEMOID;
}

/* Does a row type have a column of names? */
static bool
row_has_names(Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_noerror(type, -1, true);
	bool		found = false;

	check_stack_depth();
	for (int i = 0; desc != NULL && i < desc->natts && !found; i++)
		found = !TupleDescAttr(desc, i)->attisdropped &&
			dogpile_builtin_is_named_by_catalogs(TupleDescAttr(desc, i)->atttypid);
	if (desc != NULL)
		ReleaseTupleDesc(desc);
	return found;
}

/*
 * Are values of a type, or parts of them, OIDs whose texts are names in catalogs?
 *
 * Errors: those of a catalog lookup.  Locks: no LWLock may be held.
 */
bool
dogpile_builtin_is_named_by_catalogs(Oid typid)
{
	Oid			element;

	DogpileAssertNoneHeld();
	typid = getBaseType(typid);
	element = get_element_type(typid);
	if (OidIsValid(element))
		typid = getBaseType(element);
	if (typid >= FirstNormalObjectId && get_typtype(typid) == TYPTYPE_COMPOSITE)
		return row_has_names(typid);
	return dogpile_builtin_is_name(typid);
}

/*
 * Does a built-in function convert arguments of any type to text?
 *
 * format() does not count, since it is used to build statements from names: what these
 * read is noticed, and a changed type or renamed table invalidates the value (typeuse.c).
 *
 * Errors: those of a catalog lookup.  Locks: no LWLock may be held.
 */
bool
dogpile_builtin_makes_text(Oid function)
{
	if (function >= FirstNormalObjectId || function == F_FORMAT_TEXT_ANY)
		return false;
	switch (get_func_rettype(function))
	{
		case TEXTOID:
		case JSONOID:
		case JSONBOID:
		case XMLOID:
		case CSTRINGOID:		/* an output function, called by its name */
			return true;
		default:
			return false;
	}
}
