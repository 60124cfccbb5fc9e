/*-------------------------------------------------------------------------
 *
 * compiled.c
 *	  Compile functions in PL/pgSQL again whose types have changed.
 *
 * PL/pgSQL looks up the types of a function's variables once in a session, and keeps them
 * until the function itself is replaced: even after the type of a column to which %TYPE
 * refers has changed, after a domain was replaced by another one of its name, and with
 * another search_path, which makes the name stand for another type.  A new session
 * computes something else.  So before a query runs whose value is for all sessions, the
 * functions that may be affected are invalidated, and PL/pgSQL compiles them again when
 * they are called.
 *
 * PL/pgSQL compares the transaction that has last written a function's row with the one
 * that it has noted.  Invalidating a function means to clear that note, as if the function
 * had been replaced.  The struct that contains it is never freed, but reused.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/compiled.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "depend/compiled.h"
#include "lib/compat.h"

/* A function that this session has called. */
typedef struct CompiledFunction
{
	PLpgSQL_function *function; /* hash key */
	char		status;
	TransactionId xmin;			/* of the row that it was compiled from when
								 * it was */
	ItemPointerData tid;		/* last checked; invalid: it was invalidated
								 * since */
	bool		is_affected;	/* can it have types that change? */
} CompiledFunction;

#define SH_PREFIX			compiled
#define SH_ELEMENT_TYPE		CompiledFunction
#define SH_KEY_TYPE			PLpgSQL_function *
#define SH_KEY				function
#define SH_HASH_KEY(table, key)	murmurhash32((uint32) ((uintptr_t) (key) >> 4))
#define SH_EQUAL(table, a, b)	((a) == (b))
#define SH_SCOPE			static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

static compiled_hash *functions = NULL;

/* Have types or their names changed since functions were invalidated? */
static bool has_changed = false;

/* The schemas in the search path at that time; in TopMemoryContext. */
static List *searched = NIL;

/* PostgreSQL calls this for each change of a type, a column or a schema. */
static void
types_callback(Datum arg, int cacheid, uint32 hash)
{
	has_changed = true;
}

/*
 * Is there anything like "%TYPE" in a function's text?  A comment may come between.
 *
 * Errors: none.
 */
bool
dogpile_compiled_copies_types(const char *source)
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

/* Is a variable of a type that is not built in? */
static bool
has_made_type(const PLpgSQL_datum *datum)
{
	Oid			type = InvalidOid;

	if (datum->dtype == PLPGSQL_DTYPE_VAR || datum->dtype == PLPGSQL_DTYPE_PROMISE)
		type = ((const PLpgSQL_var *) datum)->datatype->typoid;
	else if (datum->dtype == PLPGSQL_DTYPE_REC)
		type = ((const PLpgSQL_rec *) datum)->rectypeid;
	return type >= FirstNormalObjectId;
}

/* Can the types of a function's variables change, or their names refer to others? */
static bool
is_affected(const PLpgSQL_function *function)
{
	HeapTuple	tuple;
	bool		result = true;

	for (int i = 0; i < function->ndatums; i++)
		if (has_made_type(function->datums[i]))
			return true;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function->fn_oid));
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		datum = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);

		if (!isnull)
			result = dogpile_compiled_copies_types(TextDatumGetCString(datum));
		ReleaseSysCache(tuple);
	}
	return result;
}

/* Has a function been checked as it is compiled now? */
static bool
is_judged(CompiledFunction *compiled)
{
	PLpgSQL_function *function = compiled->function;

	return compiled->xmin == *dogpile_plpgsql_xmin_compat(function) &&
		ItemPointerEquals(&compiled->tid, dogpile_plpgsql_tid_compat(function));
}

/*
 * Remember a function that is called, and hence is compiled, and whether its types can
 * change.
 *
 * Errors: out of memory; those of looking at catalogs.
 */
void
dogpile_compiled_note(PLpgSQL_function *function)
{
	static CompiledFunction last;
	CompiledFunction *compiled;
	bool		found;

	/* The code of a DO statement is compiled each time, and freed. */
	if (!OidIsValid(function->fn_oid) || (last.function == function && is_judged(&last)))
		return;
	if (functions == NULL)
		functions = compiled_create(TopMemoryContext, 64, NULL);
	compiled = compiled_insert(functions, function, &found);
	if (!found || !is_judged(compiled))
	{
		/*
		 * If an error is raised, it counts as affected, and is checked the
		 * next time.
		 */
		compiled->xmin = InvalidTransactionId;
		compiled->is_affected = true;
		compiled->is_affected = is_affected(function);
		compiled->xmin = *dogpile_plpgsql_xmin_compat(function);
		compiled->tid = *dogpile_plpgsql_tid_compat(function);
	}
	last = *compiled;
}

/* Invalidate a function if it may be affected. */
static void
invalidate_compiled(CompiledFunction *compiled)
{
	if (!compiled->is_affected)
		return;
	*dogpile_plpgsql_xmin_compat(compiled->function) = InvalidTransactionId;
	compiled->xmin = InvalidTransactionId;
}

/*
 * Invalidate the functions that may have been compiled with other types than a new session
 * would use.
 *
 * Errors: out of memory; those of looking at catalogs.
 */
void
dogpile_compiled_renew(void)
{
	List	   *path = fetch_search_path(true);
	MemoryContext oldcontext;
	compiled_iterator iterator;
	CompiledFunction *compiled;

	if (!has_changed && equal(path, searched))
	{
		list_free(path);
		return;
	}
	oldcontext = MemoryContextSwitchTo(TopMemoryContext);
	list_free(searched);
	searched = NIL;
	searched = list_copy(path);
	MemoryContextSwitchTo(oldcontext);
	list_free(path);
	has_changed = false;
	if (functions == NULL)
		return;
	compiled_start_iterate(functions, &iterator);
	while ((compiled = compiled_iterate(functions, &iterator)) != NULL)
		invalidate_compiled(compiled);
}

/* Register for messages about changed types.  Called once, at load. */
void
dogpile_compiled_init(void)
{
	CacheRegisterSyscacheCallback(TYPEOID, types_callback, (Datum) 0);
	CacheRegisterSyscacheCallback(ATTNUM, types_callback, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, types_callback, (Datum) 0);
}
