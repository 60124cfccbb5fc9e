/*-------------------------------------------------------------------------
 *
 * wire_reg.c
 *	  Values of reg* types (regclass and so on) as bytes that other servers understand.
 *
 * They are OIDs of objects that have other OIDs elsewhere, so names are written
 * instead: qualified, in UTF-8, in the form that the type's input function reads, or
 * "-" for none.  The object must exist both where the value is written and where it is
 * read.
 *
 * The input functions look names up in catalogs and call no other functions.  As each
 * name is qualified, they do not depend on search_path.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_reg.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "wire/wire_encoding.h"
#include "wire/wire_reg.h"

#define NONE	"-"

/* The name of an object in a temporary schema begins with this. */
#define TEMPORARY	"pg_temp_"

/* The types, and the input function of each. */
static const struct
{
	Oid			typid;
	PGFunction	input;
}			reg_types[] =

{
	{REGCLASSOID, regclassin},
	{REGCOLLATIONOID, regcollationin},
	{REGCONFIGOID, regconfigin},
	{REGDICTIONARYOID, regdictionaryin},
	{REGNAMESPACEOID, regnamespacein},
	{REGOPEROID, regoperatorin},
	{REGOPERATOROID, regoperatorin},
	{REGPROCOID, regprocedurein},
	{REGPROCEDUREOID, regprocedurein},
	{REGROLEOID, regrolein},
	{REGTYPEOID, regtypein}
};

/* Is it a reg* type? */
bool
dogpile_wire_is_reg(Oid typid)
{
	for (size_t i = 0; i < lengthof(reg_types); i++)
		if (reg_types[i].typid == typid)
			return true;
	return false;
}

/* A name with its schema, or NULL if there is no such object. */
static char *
qualify_name(Oid namespace, const char *name)
{
	if (name == NULL || !OidIsValid(namespace))
		return NULL;
	return quote_qualified_identifier(get_namespace_name(namespace), name);
}

/* The qualified name of a collation, text search configuration or dictionary, or NULL. */
static char *
qualify_object(Oid value, int cache)
{
	HeapTuple	tuple = SearchSysCache1(cache, ObjectIdGetDatum(value));
	void	   *form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	form = GETSTRUCT(tuple);
	if (cache == COLLOID)
		name = qualify_name(((Form_pg_collation) form)->collnamespace,
							NameStr(((Form_pg_collation) form)->collname));
	else if (cache == TSCONFIGOID)
		name = qualify_name(((Form_pg_ts_config) form)->cfgnamespace,
							NameStr(((Form_pg_ts_config) form)->cfgname));
	else
		name = qualify_name(((Form_pg_ts_dict) form)->dictnamespace,
							NameStr(((Form_pg_ts_dict) form)->dictname));
	ReleaseSysCache(tuple);
	return name;
}

static char *
quote(char *name)
{
	return name == NULL ? NULL : pstrdup(quote_identifier(name));
}

/* The name of the object that has this OID, or NULL. */
static char *
find_reg_name(Oid typid, Oid value)
{
	switch (typid)
	{
		case REGCLASSOID:
			return qualify_name(get_rel_namespace(value), get_rel_name(value));
		case REGCOLLATIONOID:
			return qualify_object(value, COLLOID);
		case REGCONFIGOID:
			return qualify_object(value, TSCONFIGOID);
		case REGDICTIONARYOID:
			return qualify_object(value, TSDICTOID);
		case REGNAMESPACEOID:
			return quote(get_namespace_name(value));
		case REGOPEROID:
		case REGOPERATOROID:
			return format_operator_extended(value, FORMAT_OPERATOR_INVALID_AS_NULL |
											FORMAT_OPERATOR_FORCE_QUALIFY);
		case REGPROCOID:
		case REGPROCEDUREOID:
			return format_procedure_extended(value, FORMAT_PROC_INVALID_AS_NULL |
											 FORMAT_PROC_FORCE_QUALIFY);
		case REGROLEOID:
			return quote(GetUserNameFromId(value, true));
		default:
			return format_type_extended(value, -1, FORMAT_TYPE_INVALID_AS_NULL |
										FORMAT_TYPE_FORCE_QUALIFY);
	}
}

/*
 * Append the name of the object that a value stands for.
 *
 * Errors: the object does not exist, or is temporary.
 */
void
dogpile_wire_write_reg(StringInfo out, Oid typid, Oid value)
{
	char	   *name = OidIsValid(value) ? find_reg_name(typid, value) : NONE;

	if (name == NULL || strncmp(name, TEMPORARY, strlen(TEMPORARY)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("a value of type %s has no name that other servers know",
						format_type_be(typid))));
	appendStringInfoString(out, pg_server_to_any(name, strlen(name), dogpile_wire_encoding()));
}

/*
 * Find the OID of the object that has a name.
 *
 * Errors: there is no such object here.
 */
Oid
dogpile_wire_read_reg(Oid typid, const char *data, int len)
{
	char	   *utf8 = pnstrdup(data, len);
	char	   *name = pg_any_to_server(utf8, len, dogpile_wire_encoding());

	if (strcmp(name, NONE) == 0)
		return InvalidOid;
	for (size_t i = 0; i < lengthof(reg_types); i++)
		if (reg_types[i].typid == typid)
			return DatumGetObjectId(DirectFunctionCall1(reg_types[i].input,
														CStringGetDatum(name)));
	elog(ERROR, "type %u is not a reg* type", typid);
}
