/*-------------------------------------------------------------------------
 *
 * callee.c
 *	  Which kinds of types functions use out of sight.
 *
 * The statements that a function runs are seen when they are planned (statement.c),
 * and with them the types that these use.  What is not seen is what the language does
 * itself: the variables of PL/pgSQL have types, too.
 *
 * PL/pgSQL tells a plugin of each function that it calls, with all its variables.  We are
 * that plugin while a query runs of which it is found out what it depends on, unless
 * there is another one, say a debugger.  Where a variable has its type from (%TYPE) is
 * not told; so such functions, those of other languages, and all if there is another
 * plugin, are taken to use any type.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/callee.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "commands/proclang.h"
#include "fmgr.h"
#include "plpgsql.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "callee.h"
#include "object.h"
#include "typeuse.h"

#define ANY_TYPE	(DOGPILE_TYPES | DOGPILE_ROW_TYPES)

static void func_beg(PLpgSQL_execstate *estate, PLpgSQL_function *function);

static PLpgSQL_plugin plugin = {.func_beg = func_beg};

/* Where PL/pgSQL looks for its plugin. */
static PLpgSQL_plugin **place = NULL;

static DogpileCalleeNote note_types = NULL;

/* The function that was called last, as most are called again and again. */
static const PLpgSQL_function *last = NULL;

/* The kinds of types of a variable. */
static int
judge_datum(const PLpgSQL_datum *datum)
{
	switch (datum->dtype)
	{
		case PLPGSQL_DTYPE_VAR:
		case PLPGSQL_DTYPE_PROMISE:
			return dogpile_typeuse_of_type(((const PLpgSQL_var *) datum)->datatype->typoid);
		case PLPGSQL_DTYPE_REC:
			return dogpile_typeuse_of_type(((const PLpgSQL_rec *) datum)->rectypeid);
		default:				/* made of others */
			return 0;
	}
}

/* A function begins. */
static void
func_beg(PLpgSQL_execstate *estate, PLpgSQL_function *function)
{
	int			types = 0;

	if (function == last)
		return;
	last = function;
	for (int i = 0; i < function->ndatums; i++)
		types |= judge_datum(function->datums[i]);
	note_types(types);
}

/*
 * Begin to watch what PL/pgSQL calls.
 *
 * note: called with what each function uses.
 *
 * Errors: none.
 */
void
dogpile_callee_begin(DogpileCalleeNote note)
{
	note_types = note;
	last = NULL;
	if (*place == NULL)
		*place = &plugin;
}

/* Cease to do so.  Errors: none. */
void
dogpile_callee_end(void)
{
	if (*place == &plugin)
		*place = NULL;
}

/*
 * Is there anything like "%TYPE" in a function's text?  A comment may come between.
 */
static bool
copies_types(const char *source)
{
	const char *p = source;

	while ((p = strchr(p, '%')) != NULL)
	{
		p += 1 + strspn(p + 1, " \t\n\r\f\v");
		if (pg_strncasecmp(p, "type", 4) == 0 || pg_strncasecmp(p, "rowtype", 7) == 0 ||
			strncmp(p, "--", 2) == 0 || strncmp(p, "/*", 2) == 0)
			return true;
	}
	return false;
}

/* ... in that of a function in PL/pgSQL. */
static bool
function_copies_types(HeapTuple tuple)
{
	bool		isnull;
	Datum		datum = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	char	   *source;
	bool		result;

	if (isnull)
		return false;
	source = TextDatumGetCString(datum);
	result = copies_types(source);
	pfree(source);
	return result;
}

/*
 * Which kinds of types may a function use that neither its statements nor
 * dogpile_callee_begin()'s note tell of?
 *
 * Errors: those of looking at catalogs.  Locks: no LWLock may be held.
 */
int
dogpile_callee_types(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	int			types = ANY_TYPE;
	Oid			language;

	if (!HeapTupleIsValid(tuple))
		return ANY_TYPE;
	language = ((Form_pg_proc) GETSTRUCT(tuple))->prolang;
	if (language == INTERNALlanguageId || language == ClanguageId ||
		language == SQLlanguageId)
		types = 0;
	else if (*place == &plugin &&
			 language == get_language_oid("plpgsql", true) && !function_copies_types(tuple))
		types = 0;
	ReleaseSysCache(tuple);
	return types;
}

/* Learn where PL/pgSQL looks for its plugin.  Called once, at load. */
void
dogpile_callee_init(void)
{
	place = (PLpgSQL_plugin **) find_rendezvous_variable("PLpgSQL_plugin");
}
