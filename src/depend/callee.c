/*-------------------------------------------------------------------------
 *
 * callee.c
 *	  What functions do out of sight: types of variables, and plans that are kept.
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
 * Nor is seen what a function has prepared before: a statement that was planned, or an
 * expression of PL/pgSQL that was looked up.  So we remember of each function what was
 * noted then, or that nobody took notes, until all plans are made anew (depend.c).
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
#include "version/object.h"

#define ANY_TYPE	(DOGPILE_TYPES | DOGPILE_ROW_TYPES)

/* Most functions that are remembered. */
#define MAX_FUNCTIONS	64

static void func_beg(PLpgSQL_execstate *estate, PLpgSQL_function *function);

static void func_end(PLpgSQL_execstate *estate, PLpgSQL_function *function);

static void stmt_beg(PLpgSQL_execstate *estate, PLpgSQL_stmt *statement);

/* PL/pgSQL does not call us for each statement but while a query is watched. */
static PLpgSQL_plugin plugin = {.func_beg = func_beg,.func_end = func_end,.stmt_beg = NULL};

/* Where PL/pgSQL looks for its plugin. */
static PLpgSQL_plugin **place = NULL;

static DogpileCalleeNote note = NULL;

/* The function that was called last, as most are called again and again. */
static const PLpgSQL_function *last = NULL;

/*
 * Those that run, the innermost last.  One that has failed is still there, until
 * another one has its place on the stack or its caller ends; that costs nothing but
 * needless notes.
 */
typedef struct RunningFunction
{
	Oid			function;
	const PLpgSQL_execstate *estate;	/* lies on the stack */
	int			level;			/* of subtransactions when it began */
	bool		is_seen;		/* does anybody take notes? */
	const PLpgSQL_stmt *statement;	/* the last that has begun; NULL: none since a
									 * query or a rollback, so estate may be gone */
} RunningFunction;

static RunningFunction running[MAX_FUNCTIONS];
static int	nrunning = 0;

/*
 * Those that were called since all plans were made anew, and what is known of what
 * they, or what they call, have prepared.
 */
typedef struct CalledFunction
{
	Oid			function;
	bool		is_unseen;		/* something that nobody has seen */
	bool		is_opaque;		/* something of which nobody can know */
	int			types;			/* what uses these kinds of types */
} CalledFunction;

static CalledFunction called[MAX_FUNCTIONS];
static int	ncalled = 0;

/* Is there no room for all of them? */
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
		default:				/* made of others */
			return 0;
	}
}

/* What is known of a function, or NULL; it is entered if that is wanted. */
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

/* Remember of a function that runs that it may prepare something unseen. */
static void
note_unseen(Oid function)
{
	CalledFunction *known = find_called(function, true);

	if (known != NULL)
		known->is_unseen = true;
}

/* A function begins to run. */
static void
push_running(const PLpgSQL_execstate *estate, Oid function, bool is_seen)
{
	while (nrunning > 0 && running[nrunning - 1].estate <= estate)
		nrunning--;
	if (nrunning < MAX_FUNCTIONS)
		running[nrunning++] = (RunningFunction)
	{
		function, estate, GetCurrentTransactionNestLevel(), is_seen, NULL
	};
	else
		has_more = true;
	if (!is_seen)
		note_unseen(function);
}

/* Tell of the variables of a function. */
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

/* A function begins. */
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

/* ... and ends. */
static void
func_end(PLpgSQL_execstate *estate, PLpgSQL_function *function)
{
	while (nrunning > 0 && running[nrunning - 1].estate <= estate)
		nrunning--;
}

/* A statement begins; blocks and loops have others within them. */
static void
stmt_beg(PLpgSQL_execstate *estate, PLpgSQL_stmt *statement)
{
	while (nrunning > 0 && running[nrunning - 1].estate < estate)
		nrunning--;				/* has failed */
	if (nrunning > 0 && running[nrunning - 1].estate == estate)
		running[nrunning - 1].statement = statement;
}

/*
 * Functions that began at this level of subtransactions or within it may have failed, and
 * what is on the stack in their place is not to be read.  One that goes on tells its next
 * statement.
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
 * Does the statement that runs put a column of what it computes where times are?
 *
 * source: text of the query that computes it.
 * column: from 0.
 * is_row: is it a row itself?
 *
 * Returns the type of that, or InvalidOid.
 *
 * Errors: a type was dropped just now.  Locks: no LWLock may be held.
 */
Oid
dogpile_callee_find_time(const char *source, int column, bool is_row)
{
	const RunningFunction *innermost = nrunning > 0 ? &running[nrunning - 1] : NULL;
	DogpileTargetColumn target = {.source = source,.number = column,.is_row = is_row};

	if (nrunning == MAX_FUNCTIONS)
		return TIMESTAMPTZOID;	/* another one may run within */
	if (innermost == NULL || !innermost->is_seen || innermost->statement == NULL)
		return InvalidOid;
	return dogpile_target_find_time(innermost->estate, innermost->statement, &target);
}

/*
 * Something is being prepared: note that for the functions that run now.
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
 * All plans are made anew, and what is prepared from now on is seen; except by those
 * functions that run already.
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
 * The transaction is over.  Functions may go on, if it is they that have ended it.
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

/* Do we know of all functions in PL/pgSQL what they have prepared? */
bool
dogpile_callee_is_told(void)
{
	return *place == &plugin && !has_more;
}

/*
 * Begin to watch what PL/pgSQL calls.
 *
 * callback: called with what each function uses.
 *
 * Errors: none.
 */
void
dogpile_callee_begin(DogpileCalleeNote callback)
{
	if (note == NULL)
		forget_statements(0);	/* those of an earlier query */
	note = callback;
	plugin.stmt_beg = stmt_beg;
	last = NULL;
}

/* Cease to do so.  Errors: none. */
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

/* Does this hold for a function's source, or for the symbol of one in C? */
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
			 language == get_language_oid("plpgsql", true) && 
			 !source_satisfies(tuple, dogpile_compiled_copies_types))
		types = 0;
	ReleaseSysCache(tuple);
	return types;
}

/*
 * May a function keep plans of which dogpile_callee_is_told() does not tell?  Those in C
 * and in other languages may.
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

/* Learn what PL/pgSQL calls.  Called once, at load. */
void
dogpile_callee_init(void)
{
	place = (PLpgSQL_plugin **) find_rendezvous_variable("PLpgSQL_plugin");
	if (*place == NULL)
		*place = &plugin;
	RegisterSubXactCallback(callee_subxact_callback, NULL);
	dogpile_compiled_init();
}
