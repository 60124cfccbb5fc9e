/*-------------------------------------------------------------------------
 *
 * callee.c
 *	  What functions use and keep without the planner or executor noticing.
 *
 * Statements of functions, and the types that they use, are examined when they are
 * planned (statement.c).  That does not cover what the language does itself: the variables
 * of PL/pgSQL have types, too.
 *
 * PL/pgSQL calls a plugin for each function that it runs, with all its variables.  This
 * file is that plugin while dependencies are collected, unless there is another one, such
 * as a debugger.  The plugin does not see what the type of a variable was copied from
 * (%TYPE).  So functions that do this, functions in other languages, and all functions if
 * there is another plugin, are assumed to use any type.
 *
 * Nor are statements examined that a function has prepared earlier: one that was planned,
 * or an expression of PL/pgSQL that was looked up.  So this file remembers for each
 * function what was noted at that time, or that nothing was noted, until all plans are
 * invalidated (depend.c).
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/callee.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/proclang.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "plpgsql.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "depend/callee.h"
#include "depend/compiled.h"
#include "depend/target.h"
#include "depend/typeuse.h"
#include "lib/compat.h"
#include "lib/lwlock_check.h"
#include "version/object.h"

#define ANY_TYPE	(DOGPILE_TYPES | DOGPILE_ROW_TYPES)

/* Maximum number of functions that are remembered. */
#define MAX_FUNCTIONS	64

static void func_beg(PLpgSQL_execstate *estate, PLpgSQL_function *function);

static void func_end(PLpgSQL_execstate *estate, PLpgSQL_function *function);

static void stmt_beg(PLpgSQL_execstate *estate, PLpgSQL_stmt *statement);

/* stmt_beg is set only while dependencies are collected, as each statement calls it. */
static PLpgSQL_plugin plugin = {.func_beg = func_beg,.func_end = func_end,.stmt_beg = NULL};

/* Where PL/pgSQL looks for its plugin. */
static PLpgSQL_plugin **place = NULL;

static DogpileCalleeNote note = NULL;

/* The function that was called last, as most functions are called repeatedly. */
static const PLpgSQL_function *last = NULL;

/*
 * The functions that run, the innermost last.  One that has failed remains until another
 * one takes its place on the stack or its caller ends; that only causes needless notes.
 */
typedef struct RunningFunction
{
	Oid			function;
	const PLpgSQL_execstate *estate;	/* lies on the stack */
	int			level;			/* nesting level of the transaction when it
								 * began */
	bool		is_seen;		/* are dependencies collected? */
	const PLpgSQL_stmt *statement;	/* the last that has begun; NULL: none
									 * since a query or a rollback, so estate
									 * may be gone */
} RunningFunction;

static RunningFunction running[MAX_FUNCTIONS];
static int	nrunning = 0;

/*
 * The functions that were called since all plans were invalidated, and what is known of
 * what they, or functions that they call, have prepared.
 */
typedef struct CalledFunction
{
	Oid			function;
	bool		is_unseen;		/* something that was not noted */
	bool		is_opaque;		/* something that depends on what cannot be
								 * known */
	int			types;			/* something that uses these kinds of types */
} CalledFunction;

static CalledFunction called[MAX_FUNCTIONS];
static int	ncalled = 0;

/* Were there too many functions to remember? */
static bool has_more = false;

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
		default:				/* consists of others */
			return 0;
	}
}

/* Find what is known of a function; if that is nothing, add it or return NULL. */
static CalledFunction *
find_called(Oid function, bool enter)
{
	for (int i = ncalled - 1; i >= 0; i--)
		if (called[i].function == function)
			return &called[i];
	if (!enter)
		return NULL;
	if (ncalled == MAX_FUNCTIONS)
	{
		has_more = true;
		return NULL;
	}
	memset(&called[ncalled], 0, sizeof(CalledFunction));
	called[ncalled].function = function;
	return &called[ncalled++];
}

/* Remember that a function that runs may prepare something that is not noted. */
static void
note_unseen(Oid function)
{
	CalledFunction *known = find_called(function, true);

	if (known != NULL)
		known->is_unseen = true;
}

/* Add a function that begins to run. */
static void
push_running(const PLpgSQL_execstate *estate, Oid function, bool is_seen)
{
	while (nrunning > 0 && running[nrunning - 1].estate <= estate)
		nrunning--;
	if (nrunning < MAX_FUNCTIONS)
	{
		RunningFunction *begun = &running[nrunning++];

		begun->function = function;
		begun->estate = estate;
		begun->level = GetCurrentTransactionNestLevel();
		begun->is_seen = is_seen;
		begun->statement = NULL;
	}
	else
		has_more = true;
	if (!is_seen)
		note_unseen(function);
}

/* Note the types of the variables of a function. */
static void
note_variables(const PLpgSQL_function *function)
{
	int			types = 0;

	if (function == last)
		return;
	last = function;
	for (int i = 0; i < function->ndatums; i++)
		types |= judge_datum(function->datums[i]);
	(void) note(types, false);
}

/* The plugin's function that is called when a function begins. */
static void
func_beg(PLpgSQL_execstate *estate, PLpgSQL_function *function)
{
	CalledFunction *known = find_called(function->fn_oid, false);
	bool		is_seen = note != NULL &&
		note(known ? known->types : 0, known && (known->is_unseen || known->is_opaque));

	dogpile_compiled_note(function);
	push_running(estate, function->fn_oid, is_seen);
	if (is_seen)
		note_variables(function);
}

/* ... and when it ends. */
static void
func_end(PLpgSQL_execstate *estate, PLpgSQL_function *function)
{
	while (nrunning > 0 && running[nrunning - 1].estate <= estate)
		nrunning--;
}

/* ... and when a statement begins; blocks and loops have others within them. */
static void
stmt_beg(PLpgSQL_execstate *estate, PLpgSQL_stmt *statement)
{
	while (nrunning > 0 && running[nrunning - 1].estate < estate)
		nrunning--;				/* has failed */
	if (nrunning > 0 && running[nrunning - 1].estate == estate)
		running[nrunning - 1].statement = statement;
}

/*
 * Forget the statements of functions that began at this nesting level or deeper.  They may
 * have failed, and the stack where their state was must not be read.  For one that goes
 * on, stmt_beg() sets the next statement.
 */
static void
forget_statements(int level)
{
	for (int i = 0; i < nrunning; i++)
		if (running[i].level >= level)
			running[i].statement = NULL;
}

static void
callee_subxact_callback(SubXactEvent event, SubTransactionId mySubid,
						SubTransactionId parentSubid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget_statements(GetCurrentTransactionNestLevel());
}

/*
 * Does the PL/pgSQL statement that runs convert a column of its query to a time?
 *
 * source: text of the query.
 * column: number of the column, from 0.
 * is_row: is the column a row itself?
 *
 * Returns the type that it is converted to, if values of it are times or contain some;
 * else InvalidOid.
 *
 * Errors: a type was dropped just now.  Locks: no LWLock may be held.
 */
Oid
dogpile_callee_find_time(const char *source, int column, bool is_row)
{
	const RunningFunction *innermost = nrunning > 0 ? &running[nrunning - 1] : NULL;
	DogpileTargetColumn target = {.source = source,.number = column,.is_row = is_row};

	DogpileAssertNoneHeld();
	if (nrunning == MAX_FUNCTIONS)
		return TIMESTAMPTZOID;	/* the innermost function may be another one */
	if (innermost == NULL || !innermost->is_seen || innermost->statement == NULL)
		return InvalidOid;
	return dogpile_target_find_time(innermost->estate, innermost->statement, &target);
}

/*
 * Note for all functions that run now that something is being prepared.
 *
 * types: kinds of types that it uses.
 * opaque: whether it depends on what cannot be known.
 *
 * Errors: none.
 */
void
dogpile_callee_note(int types, bool opaque)
{
	for (int i = 0; i < nrunning; i++)
	{
		CalledFunction *known = running[i].is_seen ?
			find_called(running[i].function, true) : NULL;

		if (known == NULL)
			continue;
		known->types |= types;
		known->is_opaque |= opaque;
	}
}

/*
 * Forget all functions, because all plans are invalidated.  What is prepared from now on
 * is noted, except by functions that run already.
 *
 * Errors: none.
 */
void
dogpile_callee_forget(void)
{
	ncalled = 0;
	has_more = nrunning == MAX_FUNCTIONS;
	for (int i = 0; i < nrunning; i++)
		if (!running[i].is_seen)
			note_unseen(running[i].function);
}

/*
 * Clean up at the end of a transaction.  Functions go on if they have ended it themselves.
 *
 * Errors: none.
 */
void
dogpile_callee_end_transaction(void)
{
	if (!SPI_inside_nonatomic_context())
		nrunning = 0;
	forget_statements(0);
	dogpile_callee_forget();
}

/* Is it known for all functions in PL/pgSQL what they have prepared? */
bool
dogpile_callee_is_told(void)
{
	return *place == &plugin && !has_more;
}

/*
 * Begin to report the functions that PL/pgSQL calls.
 *
 * callback: called for each function.
 *
 * Errors: none.
 */
void
dogpile_callee_begin(DogpileCalleeNote callback)
{
	if (note == NULL)
		forget_statements(0);	/* they are of an earlier query */
	note = callback;
	plugin.stmt_beg = stmt_beg;
	last = NULL;
}

/* Stop reporting.  Errors: none. */
void
dogpile_callee_end(void)
{
	note = NULL;
	plugin.stmt_beg = NULL;
}

/* Is this the symbol of one of our own functions? */
static bool
is_our_symbol(const char *symbol)
{
	return strncmp(symbol, "dogpile_", strlen("dogpile_")) == 0;
}

/* Is a condition true for a function's source, or for the symbol of one in C? */
static bool
source_satisfies(HeapTuple tuple, bool (*condition) (const char *source))
{
	bool		isnull;
	Datum		datum = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	char	   *source;
	bool		result;

	if (isnull)
		return false;
	source = TextDatumGetCString(datum);
	result = condition(source);
	pfree(source);
	return result;
}

/*
 * Which kinds of types may a function use that are noticed neither in its statements nor
 * by the plugin?
 *
 * Errors: those of looking at catalogs.  Locks: no LWLock may be held.
 */
int
dogpile_callee_types(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	int			types = ANY_TYPE;
	Oid			language;

	DogpileAssertNoneHeld();
	if (!HeapTupleIsValid(tuple))
		return ANY_TYPE;
	language = ((Form_pg_proc) GETSTRUCT(tuple))->prolang;
	if (language == INTERNALlanguageId || language == ClanguageId ||
		language == SQLlanguageId)
		types = 0;
	else if (*place == &plugin &&
			 language == get_language_oid("plpgsql", true) &&
			 !source_satisfies(tuple, dogpile_compiled_copies_types))
		types = 0;
	ReleaseSysCache(tuple);
	return types;
}

/*
 * May a function keep plans that this file does not know of?  Functions in C and in other
 * languages may.
 *
 * Errors: those of looking at catalogs.
 */
bool
dogpile_callee_may_keep_plans(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			language;
	bool		result = true;

	if (!HeapTupleIsValid(tuple))
		return true;
	language = ((Form_pg_proc) GETSTRUCT(tuple))->prolang;
	if (language == INTERNALlanguageId)
		result = false;
	else if (language == SQLlanguageId)
		result = DOGPILE_SQL_FUNCTIONS_KEEP_PLANS_COMPAT;
	else if (language == ClanguageId)
		result = !source_satisfies(tuple, is_our_symbol);
	else
		result = language != get_language_oid("plpgsql", true);
	ReleaseSysCache(tuple);
	return result;
}

/* Install the plugin of PL/pgSQL.  Called once, at load. */
void
dogpile_callee_init(void)
{
	place = (PLpgSQL_plugin **) find_rendezvous_variable("PLpgSQL_plugin");
	if (*place == NULL)
		*place = &plugin;
	RegisterSubXactCallback(callee_subxact_callback, NULL);
	dogpile_compiled_init();
}
