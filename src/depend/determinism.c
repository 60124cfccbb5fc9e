/*-------------------------------------------------------------------------
 *
 * determinism.c
 *	  What makes the result of a query depend on more than rows of tables.
 *
 * An entry that remains valid until something that it was computed from changes must not
 * depend on anything whose changes go unnoticed: the time, randomness, the session, or a
 * relation that is not an ordinary table.  The functions here look for such dependencies
 * in a query, in a relation that it has read, and in the session.  They return a sentence
 * that names the first one found, for the detail of a message; the caller decides what
 * follows from it.
 *
 * The declared volatility of functions in C is trusted.  For functions that run
 * statements, these are checked, too (statement.c).  Built-in functions in the table below
 * are not as stable as declared.  Not checked are
 *
 *	- settings such as TimeZone or DateStyle, as values are told apart by them
 *	  (ambient.c);
 *	- constraints of domains, which raise an error or change nothing.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/determinism.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_subscription.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "config/ambient.h"
#include "depend/builtin.h"
#include "depend/determinism.h"
#include "lib/lwlock_check.h"

/* What a function can depend on besides its arguments and relations. */
typedef enum Source
{
	SOURCE_NONE,
	SOURCE_TIME,
	SOURCE_TRANSACTION,
	SOURCE_SESSION,
	SOURCE_CATALOGS,
	SOURCE_SERVER,
	/* "vary" can name these. */
	SOURCE_ROLE,
	SOURCE_SESSION_USER,
	SOURCE_SEARCH_PATH
} Source;

/* Their names in sentences, or in "vary". */
static const char *const source_names[] = {
	[SOURCE_TIME] = "time",
	[SOURCE_TRANSACTION] = "transaction",
	[SOURCE_SESSION] = "session",
	[SOURCE_CATALOGS] = "catalogs",
	[SOURCE_SERVER] = "state of the server",
	[SOURCE_ROLE] = "role",
	[SOURCE_SESSION_USER] = "session_user",
	[SOURCE_SEARCH_PATH] = "search_path"
};

/*
 * Built-in functions that are declared STABLE, but are stable only within a statement or
 * a transaction.  Volatile ones need no line.
 */
static const struct
{
	Oid			function;
	Source		source;
}			builtins[] =

{
	{F_NOW, SOURCE_TIME},
	{F_TRANSACTION_TIMESTAMP, SOURCE_TIME},
	{F_STATEMENT_TIMESTAMP, SOURCE_TIME},
	{F_AGE_TIMESTAMP, SOURCE_TIME},
	{F_AGE_TIMESTAMPTZ, SOURCE_TIME},
	/* these depend on whether daylight saving time is in effect now */
	{F_TIMETZ_TIME, SOURCE_TIME},
	{F_TIMEZONE_TEXT_TIMETZ, SOURCE_TIME},
#ifdef F_TIMEZONE_TIMETZ
	{F_TIMEZONE_TIMETZ, SOURCE_TIME},	/* AT LOCAL */
#endif
	{F_PG_TIMEZONE_NAMES, SOURCE_TIME},
#ifdef F_PG_TIMEZONE_ABBREVS
	{F_PG_TIMEZONE_ABBREVS, SOURCE_TIME},
#else
	{F_PG_TIMEZONE_ABBREVS_ZONE, SOURCE_TIME},
	{F_PG_TIMEZONE_ABBREVS_ABBREVS, SOURCE_TIME},
#endif

	{F_TXID_CURRENT, SOURCE_TRANSACTION},
	{F_TXID_CURRENT_IF_ASSIGNED, SOURCE_TRANSACTION},
	{F_TXID_CURRENT_SNAPSHOT, SOURCE_TRANSACTION},
	{F_PG_CURRENT_XACT_ID, SOURCE_TRANSACTION},
	{F_PG_CURRENT_XACT_ID_IF_ASSIGNED, SOURCE_TRANSACTION},
	{F_PG_CURRENT_SNAPSHOT, SOURCE_TRANSACTION},
	{F_AGE_XID, SOURCE_TRANSACTION},
	{F_MXID_AGE, SOURCE_TRANSACTION},
	{F_PG_TRIGGER_DEPTH, SOURCE_TRANSACTION},

	{F_PG_BACKEND_PID, SOURCE_SESSION},
	{F_INET_CLIENT_ADDR, SOURCE_SESSION},
	{F_INET_CLIENT_PORT, SOURCE_SESSION},
	{F_INET_SERVER_ADDR, SOURCE_SESSION},
	{F_INET_SERVER_PORT, SOURCE_SESSION},
	{F_PG_CLIENT_ENCODING, SOURCE_SESSION},
	{F_PG_MY_TEMP_SCHEMA, SOURCE_SESSION},
	{F_PG_IS_OTHER_TEMP_SCHEMA, SOURCE_SESSION},
	{F_PG_SHOW_ALL_SETTINGS, SOURCE_SESSION},
	{F_PG_PREPARED_STATEMENT, SOURCE_SESSION},
	{F_PG_CURSOR, SOURCE_SESSION},
	{F_PG_LISTENING_CHANNELS, SOURCE_SESSION},
#ifdef F_SYSTEM_USER
	{F_SYSTEM_USER, SOURCE_SESSION},
#endif

	{F_CURRENT_USER, SOURCE_ROLE},
	{F_GETPGUSERNAME, SOURCE_ROLE},
	{F_SESSION_USER, SOURCE_SESSION_USER},
	{F_CURRENT_SCHEMA, SOURCE_SEARCH_PATH},
	{F_CURRENT_SCHEMAS, SOURCE_SEARCH_PATH}
};

/* A search through a query, which ends when a reason is found. */
typedef struct Search
{
	const DogpileVary *vary;
	bool		inner;			/* is it a statement of a function? */
	bool		shows_records;	/* are rows of unknown types converted to
								 * text? */
	char	   *reason;			/* a sentence */
} Search;

/* Are values told apart by a setting? */
static bool
varies_with(const Search *search, const char *setting)
{
	return dogpile_vary_has_setting(search->vary, setting) ||
		dogpile_ambient_has_setting(setting);
}

/* Set the reason if something of this name depends on a source. */
static void
judge_source(Search *search, const char *name, Source source)
{
	const char *source_name = source_names[source];

	if (source == SOURCE_SEARCH_PATH && strstr(namespace_search_path, "pg_temp") != NULL)
		search->reason = psprintf("%s depends on the session, whose \"search_path\" names pg_temp.",
								  name);
	else if (source < SOURCE_ROLE)
		search->reason = psprintf("%s depends on the %s.", name, source_name);
	else if (!dogpile_vary_has_setting(search->vary, source_name))
		search->reason = psprintf("%s depends on \"%s\", which \"vary\" does not name.",
								  name, source_name);
}

/* What a function depends on, according to the table. */
static Source
find_source(Oid function)
{
	if (function >= FirstNormalObjectId)
		return SOURCE_NONE;
	for (int i = 0; i < lengthof(builtins); i++)
		if (builtins[i].function == function)
			return builtins[i].source;
	switch (dogpile_builtin_reads(function))
	{
		case DOGPILE_BUILTIN_CATALOGS:
			return SOURCE_CATALOGS;
		case DOGPILE_BUILTIN_SERVER:
			return SOURCE_SERVER;
		case DOGPILE_BUILTIN_NOTHING:
			break;
	}
	return SOURCE_NONE;
}

/*
 * Check a conversion to or from text of a type whose texts are names in catalogs.  A
 * literal such as 'x'::regclass is not a conversion any more: it is a constant by now, and
 * a dependency (typeuse.c).
 */
static void
judge_conversion(Search *search, Oid from, Oid to)
{
	Oid			typid = dogpile_builtin_is_named_by_catalogs(from) ? from : to;

	if (from == RECORDOID || from == RECORDARRAYOID)
		search->shows_records = true;
	else if (dogpile_builtin_is_named_by_catalogs(typid))
		search->reason = psprintf("Conversion of type %s %s text depends on the catalogs.",
								  format_type_be(typid), typid == from ? "to" : "from");
}

/* Check expressions that are converted to text, also as fields of a row. */
static void
judge_texts(Search *search, List *expressions)
{
	ListCell   *lc;

	foreach(lc, expressions)
	{
		Node	   *expression = lfirst(lc);

		if (search->reason != NULL)
			return;
		if (IsA(expression, RowExpr))
			judge_texts(search, ((RowExpr *) expression)->args);
		else
			judge_conversion(search, exprType(expression), TEXTOID);
	}
}

/* Check the arguments of a built-in function if it may convert them to text. */
static void
judge_arguments(Search *search, Oid function, List *args)
{
	if (dogpile_builtin_makes_text(function))
		judge_texts(search, args);
}

/* The expressions among the arguments of an aggregate, which are target entries. */
static List *
get_aggregate_arguments(const Aggref *aggregate)
{
	List	   *args = NIL;
	ListCell   *lc;

	foreach(lc, aggregate->args)
		args = lappend(args, lfirst_node(TargetEntry, lc)->expr);
	return args;
}

/* Is it a function of this module other than dogpile_increment()? */
static bool
is_own_function(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	char	   *library = NULL;
	char	   *symbol = NULL;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return false;
	if (((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId)
	{
		library = TextDatumGetCString(SysCacheGetAttr(PROCOID, tuple,
													  Anum_pg_proc_probin, &isnull));
		symbol = TextDatumGetCString(SysCacheGetAttr(PROCOID, tuple,
													 Anum_pg_proc_prosrc, &isnull));
	}
	ReleaseSysCache(tuple);
	return library != NULL && strcmp(library, "$libdir/dogpile") == 0 &&
		strcmp(symbol, "dogpile_increment") != 0;
}

/*
 * May a function be called within others although it is volatile, since its result does
 * not matter?  Calls of the cache's functions are checked when they run (call.c).
 */
static bool
is_harmless_inside(Oid function)
{
	if (function < FirstNormalObjectId)
		return get_func_rettype(function) == VOIDOID ||
			function == F_PG_ADVISORY_UNLOCK_INT8 ||
			function == F_PG_ADVISORY_UNLOCK_SHARED_INT8 ||
			function == F_PG_ADVISORY_UNLOCK_INT4_INT4 ||
			function == F_PG_ADVISORY_UNLOCK_SHARED_INT4_INT4;
	return is_own_function(function);
}

/* Check a function by its OID; for check_functions_in_node(). */
static bool
judge_function(Oid function, void *context)
{
	Search	   *search = context;
	Source		source = find_source(function);

	if (source != SOURCE_NONE)
		judge_source(search, psprintf("Function %s()", get_func_name(function)),
					 source);
	else if (func_volatile(function) == PROVOLATILE_VOLATILE &&
			 !(search->inner && is_harmless_inside(function)))
		search->reason = psprintf("Function %s() is volatile.",
								  get_func_name(function));
	return search->reason != NULL;
}

/*
 * Check the functions that an aggregate consists of.  The aggregate itself is always
 * declared IMMUTABLE.
 */
static void
judge_aggregate(Search *search, Oid aggregate)
{
	HeapTuple	tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));
	Form_pg_aggregate form;
	Oid			functions[8];

	if (!HeapTupleIsValid(tuple))	/* a window function that is no aggregate */
		return;
	form = (Form_pg_aggregate) GETSTRUCT(tuple);
	functions[0] = form->aggtransfn;
	functions[1] = form->aggfinalfn;
	functions[2] = form->aggcombinefn;
	functions[3] = form->aggserialfn;
	functions[4] = form->aggdeserialfn;
	functions[5] = form->aggmtransfn;
	functions[6] = form->aggminvtransfn;
	functions[7] = form->aggmfinalfn;
	ReleaseSysCache(tuple);

	for (int i = 0; i < lengthof(functions); i++)
		if (OidIsValid(functions[i]) && judge_function(functions[i], search))
			break;
}

/*
 * Check a call of current_setting() by the setting that it reads.  A name that is not a
 * constant may be any; for NULL the result is NULL.
 */
static void
judge_current_setting(Search *search, FuncExpr *call)
{
	Const	   *name = linitial(call->args);

	if (!IsA(name, Const))
		search->reason = pstrdup("Function current_setting() depends on a setting "
								 "that is not named by a constant.");
	else if (!name->constisnull)
	{
		char	   *setting = TextDatumGetCString(name->constvalue);

		if (!varies_with(search, setting))
			search->reason = psprintf("Function current_setting() depends on the "
									  "setting \"%s\", which \"vary\" does not name.",
									  setting);
	}
}

/*
 * Check a call of current_schemas() by whether it includes schemas that are searched
 * implicitly: the session's schema of temporary objects is one, as soon as it exists.
 */
static void
judge_current_schemas(Search *search, FuncExpr *call)
{
	Const	   *with_implicit = linitial(call->args);

	if (!IsA(with_implicit, Const) ||
		(!with_implicit->constisnull && DatumGetBool(with_implicit->constvalue)))
		judge_source(search, "Function current_schemas(true)", SOURCE_SESSION);
}

/* Check a function that is called without parentheses, such as CURRENT_DATE. */
static void
judge_value_function(Search *search, SQLValueFunction *value)
{
	switch (value->op)
	{
		case SVFOP_CURRENT_DATE:
			judge_source(search, "CURRENT_DATE", SOURCE_TIME);
			break;
		case SVFOP_CURRENT_TIME:
		case SVFOP_CURRENT_TIME_N:
			judge_source(search, "CURRENT_TIME", SOURCE_TIME);
			break;
		case SVFOP_CURRENT_TIMESTAMP:
		case SVFOP_CURRENT_TIMESTAMP_N:
			judge_source(search, "CURRENT_TIMESTAMP", SOURCE_TIME);
			break;
		case SVFOP_LOCALTIME:
		case SVFOP_LOCALTIME_N:
			judge_source(search, "LOCALTIME", SOURCE_TIME);
			break;
		case SVFOP_LOCALTIMESTAMP:
		case SVFOP_LOCALTIMESTAMP_N:
			judge_source(search, "LOCALTIMESTAMP", SOURCE_TIME);
			break;
		case SVFOP_CURRENT_ROLE:
			judge_source(search, "CURRENT_ROLE", SOURCE_ROLE);
			break;
		case SVFOP_CURRENT_USER:
		case SVFOP_USER:
			judge_source(search, "CURRENT_USER", SOURCE_ROLE);
			break;
		case SVFOP_SESSION_USER:
			judge_source(search, "SESSION_USER", SOURCE_SESSION_USER);
			break;
		case SVFOP_CURRENT_SCHEMA:
			judge_source(search, "CURRENT_SCHEMA", SOURCE_SEARCH_PATH);
			break;
		case SVFOP_CURRENT_CATALOG:
			break;				/* entries belong to a database */
	}
}

/* Does an input function that is called explicitly read 'now'?  See timeword.c. */
static bool
reads_time(Oid function)
{
	return function == F_DATE_IN || function == F_TIME_IN || function == F_TIMETZ_IN ||
		function == F_TIMESTAMP_IN || function == F_TIMESTAMPTZ_IN ||
		function == F_ARRAY_IN || function == F_RANGE_IN || function == F_MULTIRANGE_IN ||
		function == F_DOMAIN_IN || function == F_RECORD_IN;
}

/* Check one node of a query, without its children. */
static void
judge_node(Search *search, Node *node)
{
	switch (nodeTag(node))
	{
		case T_SQLValueFunction:
			judge_value_function(search, (SQLValueFunction *) node);
			break;
		case T_NextValueExpr:
			search->reason = pstrdup("Function nextval() is volatile.");
			break;
		case T_TableSampleClause:
			if (((TableSampleClause *) node)->repeatable == NULL)
				search->reason = pstrdup("TABLESAMPLE without REPEATABLE is random.");
			break;
		case T_FuncExpr:
			if (((FuncExpr *) node)->funcid == F_CURRENT_SETTING_TEXT ||
				((FuncExpr *) node)->funcid == F_CURRENT_SETTING_TEXT_BOOL)
				judge_current_setting(search, (FuncExpr *) node);
			else if (((FuncExpr *) node)->funcid == F_CURRENT_SCHEMAS)
				judge_current_schemas(search, (FuncExpr *) node);
			else if (reads_time(((FuncExpr *) node)->funcid))
				judge_source(search, psprintf("Function %s()", get_func_name(((FuncExpr *) node)->funcid)),
							 SOURCE_TIME);
			else
				judge_arguments(search, ((FuncExpr *) node)->funcid,
								((FuncExpr *) node)->args);
			break;
		case T_OpExpr:
			judge_arguments(search, ((OpExpr *) node)->opfuncid, ((OpExpr *) node)->args);
			break;
		case T_CoerceViaIO:
			if (IsA(((CoerceViaIO *) node)->arg, RowExpr))
				judge_texts(search, list_make1(((CoerceViaIO *) node)->arg));
			else
				judge_conversion(search, exprType((Node *) ((CoerceViaIO *) node)->arg),
								 ((CoerceViaIO *) node)->resulttype);
			break;
		case T_XmlExpr:
			judge_texts(search, ((XmlExpr *) node)->named_args);
			judge_texts(search, ((XmlExpr *) node)->args);
			break;
		case T_Aggref:
			judge_aggregate(search, ((Aggref *) node)->aggfnoid);
			if (search->reason == NULL)
				judge_arguments(search, ((Aggref *) node)->aggfnoid,
								get_aggregate_arguments((Aggref *) node));
			break;
		case T_WindowFunc:
			judge_aggregate(search, ((WindowFunc *) node)->winfnoid);
			if (search->reason == NULL)
				judge_arguments(search, ((WindowFunc *) node)->winfnoid,
								((WindowFunc *) node)->args);
			break;
		default:
			break;
	}
}

/*
 * Walk through a query until a reason is found.
 *
 * That includes the quals of row-level security, which are in the range table, and views,
 * which have become subqueries.
 */
static bool
judge_walker(Node *node, void *context)
{
	Search	   *search = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, judge_walker, context, 0);

	judge_node(search, node);
	if (search->reason != NULL ||
		check_functions_in_node(node, judge_function, context))
		return true;
	return expression_tree_walker(node, judge_walker, context);
}

/* Is one of these a type whose texts are names in catalogs? */
static bool
have_names(const List *types)
{
	ListCell   *lc;

	foreach(lc, types)
	{
		if (dogpile_builtin_is_named_by_catalogs(lfirst_oid(lc)))
			return true;
	}
	return false;
}

/*
 * Does a query use values of such types, other than as constants, which are dependencies?
 * The search is for nodes that bring values into an expression, or change their type.
 */
static bool
names_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Query:
			return query_tree_walker((Query *) node, names_walker, context, 0);
		case T_RangeTblFunction:
			if (have_names(((RangeTblFunction *) node)->funccoltypes))
				return true;
			break;
		case T_TableFunc:
			if (have_names(((TableFunc *) node)->coltypes))
				return true;
			break;
		case T_Var:
		case T_Param:
		case T_Aggref:
		case T_WindowFunc:
		case T_SubscriptingRef:
		case T_FuncExpr:
		case T_FieldSelect:
		case T_RelabelType:
		case T_ArrayCoerceExpr:
		case T_ConvertRowtypeExpr:
			if (dogpile_builtin_is_named_by_catalogs(exprType(node)))
				return true;
			break;
		default:
			break;
	}
	return expression_tree_walker(node, names_walker, context);
}

/*
 * Check a query.  The type of a row that a subquery makes does not show its columns; so if
 * such rows are converted to text, the query must have no values of such types at all.
 */
static void
judge_query(Search *search, Query *query)
{
	(void) judge_walker((Node *) query, search);
	if (search->reason == NULL && search->shows_records &&
		names_walker((Node *) query, NULL))
		search->reason = pstrdup("Rows become text, and their columns may be of a type whose "
								 "conversion to text depends on the catalogs.");
}

static bool
is_user_function(Oid function, void *context)
{
	return function >= FirstUnpinnedObjectId;
}

static bool
calls_functions_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, calls_functions_walker, context, 0);
	return check_functions_in_node(node, is_user_function, context) ||
		expression_tree_walker(node, calls_functions_walker, context);
}

/*
 * Does a query call functions other than built-in ones?
 *
 * Errors: out of stack.  Locks: none.
 */
bool
dogpile_determinism_calls_functions(Query *query)
{
	return calls_functions_walker((Node *) query, NULL);
}

/*
 * What does a function depend on that is called anywhere within the query?
 *
 * This is called for functions that other functions call in any way, too.  The setting
 * that current_setting() reads is known only in the statement that calls it.
 *
 * Returns a sentence in CurrentMemoryContext, or NULL.
 *
 * Errors: out of memory.  Locks: none.
 */
char *
dogpile_determinism_check_function(Oid function, const DogpileVary *vary)
{
	Search		search = {.vary = vary};
	Source		source = find_source(function);

	if (source != SOURCE_NONE)
		judge_source(&search, psprintf("Function %s()", get_func_name(function)), source);
	return search.reason;
}

/*
 * What does a statement that a function runs within the query depend on?
 *
 * Otherwise like dogpile_determinism_check_query().
 */
char *
dogpile_determinism_check_inner(Query *query, const DogpileVary *vary)
{
	Search		search = {.vary = vary,.inner = true};

	DogpileAssertNoneHeld();
	judge_query(&search, query);
	return search.reason;
}

/*
 * What does a query depend on besides relations?
 *
 * query: analyzed and rewritten, but not planned.
 * vary: what tells the values of the region apart.
 *
 * Returns a sentence in CurrentMemoryContext, or NULL if it depends on nothing else.
 *
 * Errors: out of memory; a function was dropped just now.
 * Locks: no LWLock may be held.
 */
char *
dogpile_determinism_check_query(Query *query, const DogpileVary *vary)
{
	Search		search = {.vary = vary};

	DogpileAssertNoneHeld();
	judge_query(&search, query);
	return search.reason;
}

/* Why changes of a relation of this kind go unnoticed, as the end of a sentence; or NULL. */
static const char *
judge_kind(Oid relid, Form_pg_class class)
{
	/* System views, too: most show the state of the server. */
	if (relid < FirstNormalObjectId)
		return "is a system catalog.";
	if (class->relpersistence == RELPERSISTENCE_TEMP)
		return "is temporary.";

	switch (class->relkind)
	{
		case RELKIND_FOREIGN_TABLE:
			return "is a foreign table.";
		case RELKIND_SEQUENCE:
			return "is a sequence.";
		case RELKIND_TOASTVALUE:
			return "belongs to another table, whose changes need not be its own.";
		case RELKIND_RELATION:
		case RELKIND_MATVIEW:
			if (class->relam != HEAP_TABLE_AM_OID)
				return "does not use the heap access method, "
					"so changes of it may go unnoticed.";
			return NULL;
		default:				/* has no rows of its own */
			return NULL;
	}
}

/*
 * The name of a subscription of this database that applies prepared transactions, or
 * NULL.  It is not noticed what an apply worker changes when it commits these, which may
 * be more than what is replicated, by triggers.
 */
static char *
find_twophase_subscription(void)
{
	Relation	subscriptions = table_open(SubscriptionRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(subscriptions, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	char	   *name = NULL;

	while (name == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_subscription form = (Form_pg_subscription) GETSTRUCT(tuple);

		if (form->subdbid == MyDatabaseId &&
			form->subtwophasestate != LOGICALREP_TWOPHASE_STATE_DISABLED)
			name = pstrdup(NameStr(form->subname));
	}
	systable_endscan(scan);
	table_close(subscriptions, AccessShareLock);
	return name;
}

/*
 * Is a relation one whose changes may go unnoticed?
 *
 * Returns a sentence in CurrentMemoryContext, or NULL if it is not, or if the relation was
 * dropped, which is noticed.
 *
 * Errors: out of memory; cannot read the catalogs.
 * Locks: no LWLock may be held; the relation need not be locked.
 */
char *
dogpile_determinism_check_relation(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class class;
	const char *kind;
	char	   *reason = NULL;

	DogpileAssertNoneHeld();
	if (!HeapTupleIsValid(tuple))
		return NULL;
	class = (Form_pg_class) GETSTRUCT(tuple);
	kind = judge_kind(relid, class);
	if (kind != NULL)
		reason = psprintf("Relation \"%s\" %s", NameStr(class->relname), kind);
	ReleaseSysCache(tuple);
	return reason;
}

/*
 * Is the session in a state in which dependencies are not reliable?
 *
 * On a standby, changes are replayed from WAL and not made by sessions.  With row_security
 * off, a query to which policies apply is an error in this session, but not in others.  For
 * subscriptions see find_twophase_subscription().
 *
 * Returns a sentence in CurrentMemoryContext, or NULL if it is not.
 *
 * Errors: out of memory; cannot read the catalogs.  Locks: no LWLock may be held.
 */
char *
dogpile_determinism_check_session(void)
{
	char	   *subscription;

	DogpileAssertNoneHeld();
	if (RecoveryInProgress())
		return pstrdup("The server is a hot standby.");
	if (!row_security)
		return pstrdup("The setting \"row_security\" is off.");
	subscription = find_twophase_subscription();
	if (subscription != NULL)
		return psprintf("Subscription \"%s\" has two_phase, so changes may go unnoticed.",
						subscription);
	return NULL;
}
