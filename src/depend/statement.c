/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  Checks the statements that run within a creator's query.
 *
 * The declared volatility of a function may be wrong, so its statements are checked like
 * the query that calls it (determinism.c): each one that is planned while the query runs,
 * in any language.  That includes expressions that PL/pgSQL evaluates without the executor,
 * since they are planned, too; depend.c invalidates all kept plans.
 *
 * SQL functions that the planner inlines are never planned by themselves; their bodies are
 * analyzed here, as the planner does later.
 *
 * After a statement is analyzed, 'now' and similar words (timeword.c) have become
 * constants.  So literals are checked at that time, in the text of the statement.  A text
 * that becomes a time only when the statement runs is checked then: a call of
 * dogpile_note_time() is put around it before the statement is planned.  An SQL function
 * with such a conversion is not inlined meanwhile.
 *
 * The same is done for texts that PL/pgSQL itself converts to times (target.c) when it
 * assigns or returns them.  The planner would add default values of arguments to a
 * statement, so they are added before it is checked.
 *
 * Functions in C, and what other languages do without SQL, are not checked.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/statement.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/functions.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "optimizer/tlist.h"
#include "parser/analyze.h"
#include "parser/parse_coerce.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "depend/callee.h"
#include "depend/depend.h"
#include "depend/determinism.h"
#include "depend/statement.h"
#include "depend/timeword.h"
#include "depend/typeuse.h"
#include "lib/compat.h"

/* The function that checks a text that is about to be converted to a time. */
#define NOTE_TIME_NAME	"dogpile_note_time"

static planner_hook_type prev_planner = NULL;
static post_parse_analyze_hook_type prev_post_parse_analyze = NULL;
static needs_fmgr_hook_type prev_needs_fmgr_hook = NULL;

/* SQL functions that must not be inlined while a query runs. */
#define MAX_KEPT		32
static Oid	kept[MAX_KEPT];
static int	nkept = 0;

PG_FUNCTION_INFO_V1(dogpile_note_time);

/* --------------------------------------------------------------------
 * Literals
 * --------------------------------------------------------------------
 */

/* A search through a statement's constants. */
typedef struct Literals
{
	const char *source;
	char	   *reason;			/* a sentence, or NULL */
} Literals;

static bool
literals_walker(Node *node, void *context)
{
	Literals   *literals = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, literals_walker, context, 0);
	if (IsA(node, Const))
	{
		Const	   *constant = (Const *) node;

		if (constant->location >= 0 && !constant->constisnull &&
			dogpile_timeword_has_times(constant->consttype))
			literals->reason = dogpile_timeword_check_literal(literals->source,
															  constant->location,
															  constant->consttype);
		return literals->reason != NULL;
	}
	return expression_tree_walker(node, literals_walker, context);
}

/*
 * The hook that is called when a statement has been analyzed.  Constants in views have no
 * location, since views were analyzed when they were created.
 */
static void
post_parse_analyze(ParseState *pstate, Query *query, JumbleState *jstate)
{
	if (prev_post_parse_analyze)
		prev_post_parse_analyze(pstate, query, jstate);
	if (dogpile_depend_current != NULL && pstate->p_sourcetext != NULL)
	{
		Literals	literals = {.source = pstate->p_sourcetext};

		(void) literals_walker((Node *) query, &literals);
		dogpile_depend_note_unknown(literals.reason);
	}
}

/* --------------------------------------------------------------------
 * Texts that are converted to times when the statement runs
 * --------------------------------------------------------------------
 */

/* Does an expression convert a text to a time, or to a value that contains times? */
static bool
makes_time(Node *node)
{
	return IsA(node, CoerceViaIO) &&
		dogpile_timeword_has_times(((CoerceViaIO *) node)->resulttype);
}

/* Does any of these types contain times? */
static bool
have_times(const List *types)
{
	ListCell   *lc;

	foreach(lc, types)
	{
		if (dogpile_timeword_has_times(lfirst_oid(lc)))
			return true;
	}
	return false;
}

/*
 * Which argument of a function is a JSON document that becomes a row with times?
 *
 * columns: types of the columns that the call lists, or NIL.
 *
 * Returns the number of the argument, or -1.
 */
static int
find_document(Node *node, const List *columns)
{
	if (!IsA(node, FuncExpr))
		return -1;
	switch (((FuncExpr *) node)->funcid)
	{
		case F_JSON_POPULATE_RECORD:
		case F_JSON_POPULATE_RECORDSET:
		case F_JSONB_POPULATE_RECORD:
		case F_JSONB_POPULATE_RECORDSET:
			return have_times(columns) || dogpile_timeword_has_times(exprType(node)) ? 1 : -1;
		case F_JSON_TO_RECORD:
		case F_JSON_TO_RECORDSET:
		case F_JSONB_TO_RECORD:
		case F_JSONB_TO_RECORDSET:
			return have_times(columns) ? 0 : -1;
		default:
			return -1;
	}
}

/* Does XMLTABLE return times? */
static bool
reads_times(Node *node)
{
	return IsA(node, TableFunc) && have_times(((TableFunc *) node)->coltypes);
}

static bool
makes_times_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, makes_times_walker, context, 0);
	if (IsA(node, RangeTblFunction) &&
		find_document(((RangeTblFunction *) node)->funcexpr,
					  ((RangeTblFunction *) node)->funccoltypes) >= 0)
		return true;
	return makes_time(node) || reads_times(node) || find_document(node, NIL) >= 0 ||
		expression_tree_walker(node, makes_times_walker, context);
}

/* Find dogpile_note_time() in this database, in any schema; InvalidOid if there is none. */
static Oid
find_note_time(void)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(NOTE_TIME_NAME));
	Oid			result = InvalidOid;

	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		if (form->prolang == ClanguageId && form->pronargs == 2)
			result = form->oid;
	}
	ReleaseSysCacheList(list);
	return result;
}

/* The same, if the user may call it; else note that the statement cannot be checked. */
static Oid
require_note_time(void)
{
	Oid			note_time = find_note_time();

	if (OidIsValid(note_time) && dogpile_may_execute_compat(note_time, GetUserId()))
		return note_time;
	dogpile_depend_note_unknown("Text is converted to times, and function " NOTE_TIME_NAME "() may not be called.");
	return InvalidOid;
}

/* Make a call of dogpile_note_time() for an expression that is converted to this type. */
static Node *
make_note_time(Oid note_time, Node *expression, Oid type)
{
	return (Node *)
		makeFuncExpr(note_time, exprType(expression),
					 list_make2(expression,
								makeConst(OIDOID, -1, InvalidOid, sizeof(Oid),
										  ObjectIdGetDatum(type), false, true)),
					 exprCollation(expression), InvalidOid, COERCE_EXPLICIT_CALL);
}

/* Put a call around a document that becomes a row with times, unless there is one. */
static void
note_document(Oid note_time, Node *node, const List *columns)
{
	int			i = find_document(node, columns);
	ListCell   *lc;

	if (i < 0)
		return;
	lc = list_nth_cell(((FuncExpr *) node)->args, i);
	if (!IsA(lfirst(lc), FuncExpr) || lfirst_node(FuncExpr, lc)->funcid != note_time)
		lfirst(lc) = make_note_time(note_time, lfirst(lc), RECORDOID);
}

/* Put a call around each text that is converted to a time. */
static Node *
note_time_mutator(Node *node, void *context)
{
	Oid			note_time = *(Oid *) context;

	if (node == NULL)
		return NULL;
	if (IsA(node, Query))
		return (Node *) query_tree_mutator((Query *) node, note_time_mutator, context, 0);
	node = expression_tree_mutator(node, note_time_mutator, context);
	if (IsA(node, RangeTblFunction))
		note_document(note_time, ((RangeTblFunction *) node)->funcexpr,
					  ((RangeTblFunction *) node)->funccoltypes);
	else if (reads_times(node))
		((TableFunc *) node)->docexpr = make_note_time(note_time, ((TableFunc *) node)->docexpr, RECORDOID);
	else if (makes_time(node))
		((CoerceViaIO *) node)->arg = (Expr *)
			make_note_time(note_time, (Node *) ((CoerceViaIO *) node)->arg, ((CoerceViaIO *) node)->resulttype);
	else
		note_document(note_time, node, NIL);
	return node;
}

/*
 * Let texts be checked that a statement converts to times.
 *
 * query: may be changed.
 *
 * Errors: such texts cannot be checked, and the region has nondeterministic = throw.
 */
static Query *
note_texts(Query *query)
{
	Oid			note_time;

	if (!makes_times_walker((Node *) query, NULL))
		return query;
	note_time = require_note_time();
	if (OidIsValid(note_time))
		return (Query *) note_time_mutator((Node *) query, &note_time);
	return query;
}

/* May PL/pgSQL convert a value of this type to a time, through its text? */
static bool
may_become_time(Oid type)
{
	Oid			element = get_element_type(type);

	return type_is_rowtype(type) ||
		TypeCategory(OidIsValid(element) ? element : type) == TYPCATEGORY_STRING;
}

/*
 * The type to which PL/pgSQL converts a column of a query, if that is or contains a time;
 * else InvalidOid.
 */
static Oid
find_target(const TargetEntry *entry, const char *source)
{
	Oid			given = exprType((Node *) entry->expr);
	Oid			type;

	if (entry->resjunk || !may_become_time(given))
		return InvalidOid;
	type = dogpile_callee_find_time(source, entry->resno - 1, type_is_rowtype(given));
	return type == given && type != RECORDOID ? InvalidOid : type;
}

/*
 * Let a column be checked by which rows are grouped.  Other columns may refer to it, so it
 * must not change, and a copy of it is checked.
 */
static void
note_grouped(Query *query, TargetEntry *entry, Oid note_time, Oid type)
{
	TargetEntry *original;

	if (query->distinctClause != NIL || expression_returns_set((Node *) entry->expr))
	{
		dogpile_depend_note_unknown("A text by which rows are grouped becomes a time.");
		return;
	}
	original = copyObject(entry);
	original->resjunk = true;
	original->resno = list_length(query->targetList) + 1;
	query->targetList = lappend(query->targetList, original);
	entry->ressortgroupref = 0;
	entry->expr = (Expr *) make_note_time(note_time, (Node *) entry->expr, type);
}

/* Let the columns of a single SELECT be checked that are converted to times. */
static void
note_columns(Query *query, const char *source)
{
	int			ncolumns = list_length(query->targetList);

	for (int i = 0; i < ncolumns; i++)
	{
		TargetEntry *entry = list_nth_node(TargetEntry, query->targetList, i);
		Oid			type = find_target(entry, source);
		Oid			note_time = OidIsValid(type) ? require_note_time() : InvalidOid;

		if (!OidIsValid(note_time))
			continue;
		if (entry->ressortgroupref != 0 &&
			get_sortgroupref_clause_noerr(entry->ressortgroupref, query->groupClause) != NULL)
			note_grouped(query, entry, note_time, type);
		else
			entry->expr = (Expr *) make_note_time(note_time, (Node *) entry->expr, type);
	}
}

/*
 * Let texts be checked that PL/pgSQL itself converts to times (target.c); with UNION and
 * other set operations, in each of the queries, as their columns are those of the result.
 *
 * query: may be changed.
 * node: NULL, or a part of the query's set operations.
 *
 * Errors: as of note_texts().
 */
static void
note_targets(Query *query, Node *node, const char *source)
{
	if (node != NULL && IsA(node, SetOperationStmt))
	{
		note_targets(query, ((SetOperationStmt *) node)->larg, source);
		note_targets(query, ((SetOperationStmt *) node)->rarg, source);
	}
	else if (node != NULL)
	{
		query = rt_fetch(((RangeTblRef *) node)->rtindex, query->rtable)->subquery;
		note_targets(query, query->setOperations, source);
	}
	else if (query->commandType == CMD_SELECT && source != NULL)
		note_columns(query, source);
}

/*
 * Add the default values of a call's arguments, as the planner would.  Returns whether there
 * are any.
 */
static bool
add_defaults(FuncExpr *call)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(call->funcid));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = list_length(call->args) < ((Form_pg_proc) GETSTRUCT(tuple))->pronargs;
	if (result)
		call->args = expand_function_arguments(call->args, false, call->funcresulttype, tuple);
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Add the default values of arguments to all calls, so that they are checked, too.
 *
 * context: set to true if there are any.
 */
static bool
defaults_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, defaults_walker, context, 0);
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid >= FirstUnpinnedObjectId &&
		add_defaults((FuncExpr *) node))
		*(bool *) context = true;
	return expression_tree_walker(node, defaults_walker, context);
}

/*
 * dogpile_note_time(value anyelement, type oid) → anyelement
 *
 * Returns the value, a string of any type or a document, and notes whether converting it
 * to the other type depends on the time.
 */
Datum
dogpile_note_time(PG_FUNCTION_ARGS)
{
	Datum		value = PG_GETARG_DATUM(0);

	if (dogpile_depend_current != NULL)
	{
		Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
		Oid			output;
		bool		is_varlena;
		char	   *text;

		getTypeOutputInfo(type, &output, &is_varlena);
		text = OidOutputFunctionCall(output, value);
		if (type == JSONOID || type == JSONBOID || type == XMLOID)
			dogpile_depend_note_unknown(dogpile_timeword_check_document(text));
		else
			dogpile_depend_note_unknown(dogpile_timeword_check(text, strlen(text),
															   PG_GETARG_OID(1)));
		pfree(text);
	}
	PG_RETURN_DATUM(value);
}

/* --------------------------------------------------------------------
 * Bodies of SQL functions
 * --------------------------------------------------------------------
 */

static bool bodies_walker(Node *node, void *context);

/* Prevent a function from being inlined while the query runs. */
static void
keep_function(Oid function)
{
	for (int i = 0; i < nkept; i++)
		if (kept[i] == function)
			return;
	if (nkept < MAX_KEPT)
		kept[nkept++] = function;
	else
		dogpile_depend_note_unknown("Too many SQL functions convert texts to times.");
}

static bool
needs_fmgr_hook_for(Oid function)
{
	if (dogpile_depend_current != NULL)
		for (int i = 0; i < nkept; i++)
			if (kept[i] == function)
				return true;
	return prev_needs_fmgr_hook && prev_needs_fmgr_hook(function);
}

/* Check a statement, and the functions that may be inlined in it. */
static void
judge_inner(Query *query, List **functions)
{
	dogpile_depend_note_unknown(dogpile_determinism_check_inner(query,
																dogpile_depend_current->region->vary));
	dogpile_depend_note_types(dogpile_typeuse_find(query));
	(void) bodies_walker((Node *) query, functions);
}

/* Analyze the statement of an SQL function; NULL if it is not a single one. */
static Query *
analyze_body(HeapTuple tuple, FuncExpr *call)
{
	bool		isnull;
	Datum		body = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosqlbody, &isnull);
	List	   *list;

	if (!isnull)
	{
		Node	   *node = stringToNode(TextDatumGetCString(body));

		list = IsA(node, List) ? linitial_node(List, castNode(List, node)) : list_make1(node);
		if (list_length(list) == 1)
		{
			AcquireRewriteLocks(linitial_node(Query, list), true, false);
			list = pg_rewrite_query(linitial_node(Query, list));
		}
	}
	else
	{
		char	   *source;

		body = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
		source = TextDatumGetCString(body);
		list = pg_parse_query(source);
		if (list_length(list) == 1)
			list = pg_analyze_and_rewrite_withcb(linitial_node(RawStmt, list), source,
												 (ParserSetupHook) sql_fn_parser_setup,
												 prepare_sql_fn_parse_info(tuple, (Node *) call,
																		   call->inputcollid),
												 NULL);
	}
	return list_length(list) == 1 && IsA(linitial(list), Query) ? linitial(list) : NULL;
}

/* May the planner inline this function? */
static bool
is_inlinable(HeapTuple tuple)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

	return form->prolang == SQLlanguageId && form->prokind == PROKIND_FUNCTION &&
		form->provolatile != PROVOLATILE_VOLATILE && !form->prosecdef &&
		heap_attisnull(tuple, Anum_pg_proc_proconfig, NULL) &&
		dogpile_may_execute_compat(form->oid, GetUserId());
}

/* Check the body of a function that may be inlined. */
static void
judge_body(FuncExpr *call, HeapTuple tuple, List **functions)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dogpile function body",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	Query	   *body = analyze_body(tuple, call);
	bool		has_defaults = false;

	(void) defaults_walker((Node *) body, &has_defaults);
	if (body != NULL && makes_times_walker((Node *) body, NULL))
		keep_function(call->funcid);
	MemoryContextSwitchTo(oldcontext);
	if (body != NULL)
		judge_inner(body, functions);
	MemoryContextDelete(context);
}

/* Check the body of a function, unless that is done when it is planned. */
static void
judge_call(FuncExpr *call, List **functions)
{
	HeapTuple	tuple;

	if (list_member_oid(*functions, call->funcid))
		return;
	*functions = lappend_oid(*functions, call->funcid);
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(call->funcid));
	if (!HeapTupleIsValid(tuple))
		return;
	if (is_inlinable(tuple))
		judge_body(call, tuple, functions);
	ReleaseSysCache(tuple);
}

static bool
bodies_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, bodies_walker, context, 0);
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid >= FirstUnpinnedObjectId)
		judge_call((FuncExpr *) node, context);
	return expression_tree_walker(node, bodies_walker, context);
}

/* Check a statement that is about to be planned. */
static void
judge_statement(Query *query)
{
	List	   *functions = NIL;
	bool		has_defaults = false;

	(void) defaults_walker((Node *) query, &has_defaults);

	/*
	 * The creator's query itself has been checked, more strictly, as it was
	 * written.
	 */
	if (!dogpile_depend_current->is_judged || has_defaults)
		judge_inner(query, &functions);
	else if (dogpile_depend_current->calls_functions)
		(void) bodies_walker((Node *) query, &functions);
	dogpile_depend_current->is_judged = false;
	list_free(functions);
}

/* --------------------------------------------------------------------
 * Hooks
 * --------------------------------------------------------------------
 */

static PlannedStmt *
plan_statement(Query *query, const char *source, int options, ParamListInfo params)
{
	DogpileCollection *collection = dogpile_depend_current;
	PlannedStmt *result;

	if (dogpile_depend_current != NULL)
	{
		if (dogpile_depend_current->outer == NULL && dogpile_depend_current->is_judged)
			nkept = 0;			/* a new query */
		judge_statement(query);
		query = note_texts(query);
		note_targets(query, query->setOperations, source);
	}
	if (collection != NULL)
		collection->nplanning++;
	result = prev_planner ? prev_planner(query, source, options, params) :
		standard_planner(query, source, options, params);
	if (collection != NULL)
		collection->nplanning--;
	return result;
}

/* Install the hooks for statements that are analyzed and planned.  Called once, at load. */
void
dogpile_statement_init(void)
{
	prev_planner = planner_hook;
	planner_hook = plan_statement;
	prev_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = post_parse_analyze;
	prev_needs_fmgr_hook = needs_fmgr_hook;
	needs_fmgr_hook = needs_fmgr_hook_for;
}
