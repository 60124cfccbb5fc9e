/*-------------------------------------------------------------------------
 *
 * creator.c
 *	  Runs the user's query and keeps its rows.
 *
 * The query runs with the caller's rights, in the caller's transaction, with a new
 * snapshot where the isolation level allows one, and may use a parallel plan.  Only a
 * plain SELECT is accepted: side effects of a statement would be missing when its rows
 * come from the cache.  (A function that the query calls may still write.  Then the
 * value is published at COMMIT, and the creator lock is kept until then; see attempt.c.)
 *
 * The rows are detoasted, so that they can outlive the tables that they come from.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/creator.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/params.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "core/creator.h"
#include "depend/depend.h"
#include "depend/temporary.h"
#include "lib/lwlock_check.h"

/* Input of the error context. */
typedef struct CreationContext
{
	const char *region;
	const char *key;
	bool		is_preparing;	/* is the query itself being analyzed? */
} CreationContext;

static void
creation_callback(void *arg)
{
	CreationContext *context = arg;

	/* This is also called for errors that the query's functions catch. */
	dogpile_depend_note_error(geterrcode());
	if (context->is_preparing && geterrcode() == ERRCODE_UNDEFINED_PARAMETER)
		errhint("Pass values for $1, $2, and so on with \"params => ROW(...)\".");
	errcontext("creation of cache entry \"%s\" of region \"%s\"",
			   context->key, context->region);
}

/* Make the parameters $1, $2, ... from the fields of a record. */
static ParamListInfo
make_params(HeapTupleHeader record, Oid **types)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(record),
											  HeapTupleHeaderGetTypMod(record));
	HeapTupleData tuple = {
		.t_len = HeapTupleHeaderGetDatumLength(record),
		.t_data = record
	};
	Datum	   *values = palloc_array(Datum, desc->natts);
	bool	   *nulls = palloc_array(bool, desc->natts);
	ParamListInfo params = makeParamList(desc->natts);
	int			count = 0;

	*types = palloc_array(Oid, desc->natts);
	heap_deform_tuple(&tuple, desc, values, nulls);
	for (int i = 0; i < desc->natts; i++)
	{
		ParamExternData *param = &params->params[count];

		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		param->value = values[i];
		param->isnull = nulls[i];
		param->pflags = PARAM_FLAG_CONST;
		param->ptype = TupleDescAttr(desc, i)->atttypid;

		/* A literal in ROW() is of type unknown. */
		if (param->ptype == UNKNOWNOID)
		{
			param->ptype = TEXTOID;
			if (!param->isnull)
				param->value = CStringGetTextDatum(DatumGetCString(values[i]));
		}
		(*types)[count++] = param->ptype;
	}
	params->numParams = count;
	ReleaseTupleDesc(desc);
	return params;
}

/* Does a query, or a subquery, lock the rows that it reads? */
static bool
locks_rows(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return ((Query *) node)->rowMarks != NIL ||
			query_tree_walker((Query *) node, locks_rows, context, 0);
	return expression_tree_walker(node, locks_rows, context);
}

/*
 * Raise an error if the statement is not a plain SELECT.
 *
 * The raw statement is checked as well as the query, because rules may rewrite an
 * INSERT to no query, or to several.
 */
static void
check_query(const CachedPlanSource *source)
{
	const char *reason = NULL;
	Query	   *query;

	if (!IsA(source->raw_parse_tree->stmt, SelectStmt) ||
		list_length(source->query_list) != 1 || source->resultDesc == NULL)
		reason = "Only SELECT, VALUES, and TABLE are allowed.";
	else
	{
		query = linitial_node(Query, source->query_list);
		if (query->commandType != CMD_SELECT)
			reason = "Only SELECT, VALUES, and TABLE are allowed.";
		else if (query->hasModifyingCTE)
			reason = "The query contains a data-modifying statement in WITH.";
		else if (locks_rows((Node *) query, NULL))
			reason = "The query contains a locking clause such as FOR UPDATE.";
	}
	if (reason)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("creator query must be a plain SELECT"),
				 errdetail_internal("%s", reason)));
}

/* Find the parameter with the highest number in a query. */
static bool
find_last_param(Node *node, void *context)
{
	int		   *last = context;

	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN)
		*last = Max(*last, ((Param *) node)->paramid);
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_last_param, context, 0);
	return expression_tree_walker(node, find_last_param, context);
}

/*
 * Warn of parameters that the query does not use, because either is likely to be wrong.
 * This is not an error, just as it is not in EXECUTE ... USING of PL/pgSQL.
 */
static void
check_params(CachedPlanSource *source, int nparams)
{
	int			last = 0;

	if (nparams == 0)
		return;
	(void) find_last_param((Node *) linitial_node(Query, source->query_list), &last);
	if (last < nparams)
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg_plural("\"params\" has %d field, but the creator query uses fewer",
							   "\"params\" has %d fields, but the creator query uses fewer",
							   nparams, nparams),
				 last == 0 ? errdetail("The query has no parameters.") :
				 errdetail("The last parameter of the query is $%d.", last)));
}

/* Get the only statement of a prepared query, and check it. */
static CachedPlanSource *
get_statement(SPIPlanPtr plan)
{
	List	   *sources = SPI_plan_get_plan_sources(plan);
	CachedPlanSource *source;

	if (list_length(sources) != 1)	/* an empty string has none */
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("creator query must be exactly one statement"),
				 errdetail("It contains %d statements.", list_length(sources))));
	source = linitial(sources);
	check_query(source);
	return source;
}

/* Run a prepared query and keep its rows. */
static void
execute_creator(SPIPlanPtr plan, ParamListInfo params, Tuplestorestate *rows,
				MemoryContext context)
{
	DestReceiver *dest = CreateDestReceiver(DestTuplestore);
	SPIExecuteOptions options;
	int			status;

	SetTuplestoreDestReceiverParams(dest, rows, context, true, NULL, NULL);
	memset(&options, 0, sizeof(options));
	options.params = params;
	options.dest = dest;

	/* A read-only execution would use the snapshot of the calling statement. */
	options.read_only = false;
	status = SPI_execute_plan_extended(plan, &options);
	if (status < 0)
		elog(ERROR, "could not execute creator query: %s",
			 SPI_result_code_string(status));
	dest->rDestroy(dest);
}

/* Prepare, check, and run the query, within SPI. */
static void
run_query(DogpileCreator *creator, CreationContext *names, MemoryContext context,
		  DogpileResult *result)
{
	ParamListInfo params = NULL;
	Oid		   *types = NULL;
	CachedPlanSource *source;
	MemoryContext oldcontext;
	SPIPlanPtr	plan;

	if (creator->params)
		params = make_params(creator->params, &types);
	names->is_preparing = true;
	plan = SPI_prepare_cursor(creator->query, params ? params->numParams : 0, types,
							  CURSOR_OPT_PARALLEL_OK);
	names->is_preparing = false;
	if (plan == NULL)
		elog(ERROR, "could not prepare creator query: %s",
			 SPI_result_code_string(SPI_result));
	source = get_statement(plan);
	check_params(source, params ? params->numParams : 0);
	creator->misfit = true;
	dogpile_result_check_shape(source->resultDesc, creator->shape);
	creator->misfit = false;
	dogpile_temporary_check_query(linitial_node(Query, source->query_list));
	dogpile_depend_note_query(linitial_node(Query, source->query_list));

	oldcontext = MemoryContextSwitchTo(context);
	result->desc = CreateTupleDescCopy(source->resultDesc);
	result->rows = tuplestore_begin_heap(true, false, work_mem);
	MemoryContextSwitchTo(oldcontext);
	execute_creator(plan, params, result->rows, context);
	dogpile_result_check_rows(result->rows, creator->shape);
}

/*
 * Run the query of an entry.
 *
 * creator: the query, its parameters, and the shape that the caller can take.
 * region, key: for messages.
 * result: its rows and their type are set; both are in CurrentMemoryContext.
 *
 * Errors: those of the query; it is not a single plain SELECT; the caller cannot take
 * its columns or the number of its rows.
 * Locks: no LWLock may be held; takes the locks that the query takes.
 */
void
dogpile_creator_run(DogpileCreator *creator, const char *region,
					const char *key, DogpileResult *result)
{
	MemoryContext context = CurrentMemoryContext;
	CreationContext names = {.region = region,.key = key};
	ErrorContextCallback callback = {
		.previous = error_context_stack,
		.callback = creation_callback,
		.arg = &names
	};

	DogpileAssertNoneHeld();
	error_context_stack = &callback;

	/*
	 * Definitions are not read by the snapshot, but cached until a message
	 * says that they have changed.  Messages are read only when a lock is
	 * taken that the transaction does not hold already; so read them now.
	 */
	AcceptInvalidationMessages();

	/*
	 * The planner needs one: it may call functions, and reads lists of
	 * partitions.
	 */
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	run_query(creator, &names, context, result);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not disconnect from SPI");
	PopActiveSnapshot();
	error_context_stack = callback.previous;
}
