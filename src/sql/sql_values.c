/*-------------------------------------------------------------------------
 *
 * sql_values.c
 *	  SQL functions that read, create and change cached values.
 *
 * They convert arguments for the functions of region.h, and the results of these into
 * Datums.
 *
 * A hit costs little more than a call of any C function.  So what depends only on the
 * call site, such as the result type, is looked up once and kept in fn_extra.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/sql/sql_values.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "core/counter.h"
#include "core/region.h"
#include "sql/sql_args.h"

/* Positions of the arguments that all functions have in common. */
#define ARG_REGION		0
#define ARG_KEY			1
#define ARG_QUERY		2		/* of functions that create */
#define ARG_VALUE		2		/* of functions that store */
#define ARG_DELTA		2

/*
 * The result type of a call site of a polymorphic function.
 *
 * The type does not change while the call site exists.  The columns of a composite type
 * may: another statement of the same PL/pgSQL function can alter it.
 */
typedef struct CallSite
{
	DogpileShape shape;
	Oid			rowtype;		/* a composite type, or that of a domain over
								 * one, whose columns are in shape.desc; else
								 * InvalidOid */
	uint64		rowtype_id;		/* version of the columns, see typcache.h */
	bool		is_domain;		/* is shape.typid a domain? */
	void	   *domain_info;	/* state of domain_check() between calls */
} CallSite;

/* The shape of functions without a result type. */
static const DogpileShape text_shape = {
	.form = DOGPILE_FORM_TEXT,
	.typid = TEXTOID,
	.typmod = -1
};

PG_FUNCTION_INFO_V1(dogpile_get_or_create_text);
PG_FUNCTION_INFO_V1(dogpile_get_or_create_any);
PG_FUNCTION_INFO_V1(dogpile_query_record);
PG_FUNCTION_INFO_V1(dogpile_query_any);
PG_FUNCTION_INFO_V1(dogpile_get_text);
PG_FUNCTION_INFO_V1(dogpile_get_any);
PG_FUNCTION_INFO_V1(dogpile_exists);
PG_FUNCTION_INFO_V1(dogpile_set);
PG_FUNCTION_INFO_V1(dogpile_set_literal);
PG_FUNCTION_INFO_V1(dogpile_add);
PG_FUNCTION_INFO_V1(dogpile_add_literal);
PG_FUNCTION_INFO_V1(dogpile_increment);
PG_FUNCTION_INFO_V1(dogpile_delete);
PG_FUNCTION_INFO_V1(dogpile_invalidate_key);
PG_FUNCTION_INFO_V1(dogpile_invalidate_region);
PG_FUNCTION_INFO_V1(dogpile_invalidate_tags);

/* --------------------------------------------------------------------
 * Arguments
 * --------------------------------------------------------------------
 */

static text *
get_region(FunctionCallInfo fcinfo)
{
	return dogpile_sql_get_text(fcinfo, ARG_REGION, "region");
}

static text *
get_key(FunctionCallInfo fcinfo)
{
	return dogpile_sql_get_text(fcinfo, ARG_KEY, "key");
}

static bool
get_hard(FunctionCallInfo fcinfo, int argno)
{
	dogpile_sql_require_arg(fcinfo, argno, "hard");
	return PG_GETARG_BOOL(argno);
}

/*
 * Get an entry's lifetime in seconds from an argument "expiration_time".
 *
 * As in the setting of that name, -1 means never.  An infinite interval (PostgreSQL 17
 * and later) becomes a number of seconds that is large enough to mean the same.  Other
 * negative intervals raise an error, because they result from a wrong calculation.
 */
static double
get_expiration_time(FunctionCallInfo fcinfo, int argno)
{
	const Interval *interval;
	double		days;
	double		seconds;

	if (PG_ARGISNULL(argno))
		return DOGPILE_LIFETIME_REGION;

	interval = PG_GETARG_INTERVAL_P(argno);
	days = (double) interval->month * DAYS_PER_MONTH + interval->day;
	seconds = days * SECS_PER_DAY + interval->time / (double) USECS_PER_SEC;
	if (seconds == -1)
		return DOGPILE_LIFETIME_NEVER;
	if (seconds < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expiration time must not be negative"),
				 errhint("Use an expiration time of -1 for a value that never expires.")));
	return seconds;
}

/* Get the arguments "expiration_time", at this position, and "tags" after it. */
static DogpileEntryOptions
get_options(FunctionCallInfo fcinfo, int argno)
{
	DogpileEntryOptions options;

	options.lifetime_s = get_expiration_time(fcinfo, argno);
	options.tags = PG_ARGISNULL(argno + 1) ? NULL : PG_GETARG_ARRAYTYPE_P(argno + 1);
	return options;
}

/*
 * Get the type of a polymorphic argument.
 *
 * Errors: the type is not known, as when C code calls the function without expression.
 */
static Oid
get_arg_type(FunctionCallInfo fcinfo, int argno, const char *name)
{
	Oid			typid = get_fn_expr_argtype(fcinfo->flinfo, argno);

	if (!OidIsValid(typid))
		ereport(ERROR,
				(errcode(ERRCODE_INDETERMINATE_DATATYPE),
				 errmsg("could not determine data type of argument \"%s\"", name)));
	return typid;
}

/*
 * Get the type modifier of a polymorphic argument from the expression of the call, or -1.
 */
static int32
get_arg_typmod(FunctionCallInfo fcinfo, int argno)
{
	Node	   *call = fcinfo->flinfo->fn_expr;

	if (call == NULL || !IsA(call, FuncExpr) ||
		list_length(((FuncExpr *) call)->args) <= argno)
		return -1;
	return exprTypmod(list_nth(((FuncExpr *) call)->args, argno));
}

/* --------------------------------------------------------------------
 * Shapes: the results that the caller can take
 * --------------------------------------------------------------------
 */

/* Update the columns of a composite type. */
static void
refresh_columns(CallSite *site, MemoryContext context)
{
	TypeCacheEntry *rowtype = lookup_type_cache(site->rowtype, TYPECACHE_TUPDESC);
	MemoryContext oldcontext;

	if (site->shape.desc != NULL && site->rowtype_id == rowtype->tupDesc_identifier)
		return;

	if (site->shape.desc != NULL)
		FreeTupleDesc(site->shape.desc);
	oldcontext = MemoryContextSwitchTo(context);
	site->shape.desc = CreateTupleDescCopy(rowtype->tupDesc);
	MemoryContextSwitchTo(oldcontext);
	site->rowtype_id = rowtype->tupDesc_identifier;
	site->shape.is_named = true;
}

/* Look up the result type of a call site. */
static CallSite *
make_call_site(FunctionCallInfo fcinfo, int argno)
{
	CallSite   *site = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt,
											  sizeof(CallSite));
	Oid			base;

	site->shape.form = DOGPILE_FORM_SCALAR;
	site->shape.typid = get_arg_type(fcinfo, argno, "result_type");
	site->shape.typmod = get_arg_typmod(fcinfo, argno);
	base = getBaseType(site->shape.typid);
	site->is_domain = base != site->shape.typid;
	if (get_typtype(base) == TYPTYPE_COMPOSITE)
		site->rowtype = base;
	return site;
}

/*
 * Get the call site of a function with an argument "result_type".
 */
static CallSite *
get_call_site(FunctionCallInfo fcinfo, int argno)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;

	if (site == NULL)
		fcinfo->flinfo->fn_extra = site = make_call_site(fcinfo, argno);
	if (OidIsValid(site->rowtype))
		refresh_columns(site, fcinfo->flinfo->fn_mcxt);
	return site;
}

/* Raise an error unless the function can return rows whose columns are known. */
static void
check_set_expected(const ReturnSetInfo *rsinfo)
{
	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) ||
		(rsinfo->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	if (rsinfo->expectedDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function returning record called in context that cannot accept type record"),
				 errhint("Call the function in the FROM clause with a column definition list, or specify \"result_type\".")));
}

/*
 * Get the shape of the rows that the caller expects.
 *
 * typid, typmod: the type of a row, or InvalidOid if the caller lists its columns.
 *
 * Errors: the type is a domain; its constraints would not be checked.
 */
static DogpileShape
get_set_shape(FunctionCallInfo fcinfo, Oid typid, int32 typmod)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DogpileShape shape = {.form = DOGPILE_FORM_SET,.typmod = typmod};

	check_set_expected(rsinfo);
	if (OidIsValid(typid) && type_is_rowtype(typid))
	{
		if (get_typtype(typid) == TYPTYPE_DOMAIN)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("result set cannot have rows of domain type %s",
							format_type_be(typid)),
					 errhint("Use the composite type itself.")));
		shape.is_named = typid != RECORDOID;
		typid = InvalidOid;
	}
	shape.typid = typid;
	shape.desc = rsinfo->expectedDesc;
	return shape;
}

/* --------------------------------------------------------------------
 * Get or create
 * --------------------------------------------------------------------
 */

/*
 * Get or create a value, in a function that has an argument "query".
 *
 * params_arg: position of the first of the optional arguments.
 * shape: what the caller can take; must outlive the result.
 */
static void
get_or_create(FunctionCallInfo fcinfo, int params_arg, const DogpileShape *shape,
			  DogpileResult *result)
{
	text	   *region = get_region(fcinfo);
	text	   *key = get_key(fcinfo);
	text	   *query = dogpile_sql_get_text(fcinfo, ARG_QUERY, "query");
	DogpileEntryOptions options = get_options(fcinfo, params_arg + 1);
	DogpileCreator creator = {
		.query = text_to_cstring(query),
		.params = PG_ARGISNULL(params_arg) ? NULL : PG_GETARG_HEAPTUPLEHEADER(params_arg),
		.shape = shape
	};

	dogpile_region_get_or_create(region, key, &creator, &options, result);
}

/* Return a single value as text. */
static Datum
return_text(FunctionCallInfo fcinfo, const DogpileResult *result)
{
	return dogpile_result_get_scalar(result, &text_shape, &fcinfo->isnull);
}

/*
 * Return a single value in the result type of the call site.
 *
 * Constraints of a domain must be checked here.  They were not checked for a row that has
 * the columns of its type, nor for the NULL that is returned if there is no row, and a
 * stored value may violate constraints that were added later.
 */
static Datum
return_any(FunctionCallInfo fcinfo, const DogpileResult *result, CallSite *site)
{
	Datum		value = dogpile_result_get_scalar(result, &site->shape, &fcinfo->isnull);

	if (site->is_domain)
		domain_check(value, fcinfo->isnull, site->shape.typid, &site->domain_info,
					 fcinfo->flinfo->fn_mcxt);
	return value;
}

/* dogpile_get_or_create(region, key, query, params, expiration_time, tags) */
Datum
dogpile_get_or_create_text(PG_FUNCTION_ARGS)
{
	DogpileResult result;

	get_or_create(fcinfo, 3, &text_shape, &result);
	return return_text(fcinfo, &result);
}

/* The same with result_type before params. */
Datum
dogpile_get_or_create_any(PG_FUNCTION_ARGS)
{
	CallSite   *site = get_call_site(fcinfo, 3);
	DogpileResult result;

	get_or_create(fcinfo, 4, &site->shape, &result);
	return return_any(fcinfo, &result, site);
}

/* dogpile_query(region, key, query, params, expiration_time, tags) */
Datum
dogpile_query_record(PG_FUNCTION_ARGS)
{
	DogpileShape shape = get_set_shape(fcinfo, InvalidOid, -1);
	DogpileResult result;

	get_or_create(fcinfo, 3, &shape, &result);
	dogpile_result_put_set(&result, &shape, (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}

/* The same with result_type before params. */
Datum
dogpile_query_any(PG_FUNCTION_ARGS)
{
	DogpileShape shape = get_set_shape(fcinfo, get_arg_type(fcinfo, 3, "result_type"),
									   get_arg_typmod(fcinfo, 3));
	DogpileResult result;

	get_or_create(fcinfo, 4, &shape, &result);
	dogpile_result_put_set(&result, &shape, (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}

/* --------------------------------------------------------------------
 * Read
 * --------------------------------------------------------------------
 */

/* dogpile_get(region, key) */
Datum
dogpile_get_text(PG_FUNCTION_ARGS)
{
	DogpileResult result;

	if (!dogpile_region_get(get_region(fcinfo), get_key(fcinfo), &text_shape, &result))
		PG_RETURN_NULL();
	return return_text(fcinfo, &result);
}

/* dogpile_get(region, key, result_type) */
Datum
dogpile_get_any(PG_FUNCTION_ARGS)
{
	CallSite   *site = get_call_site(fcinfo, 2);
	DogpileResult result;

	if (!dogpile_region_get(get_region(fcinfo), get_key(fcinfo), &site->shape, &result))
		PG_RETURN_NULL();
	return return_any(fcinfo, &result, site);
}

/* dogpile_exists(region, key) */
Datum
dogpile_exists(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(dogpile_region_exists(get_region(fcinfo), get_key(fcinfo)));
}

/* --------------------------------------------------------------------
 * Change
 * --------------------------------------------------------------------
 */

/*
 * Get the argument "value".
 *
 * typid, typmod: its type.
 */
static DogpileDatum
get_value(FunctionCallInfo fcinfo, Oid typid, int32 typmod)
{
	DogpileDatum value = {
		.value = PG_GETARG_DATUM(ARG_VALUE),
		.isnull = PG_ARGISNULL(ARG_VALUE),
		.typid = typid,
		.typmod = typmod
	};

	return value;
}

static void
set_from_args(FunctionCallInfo fcinfo, Oid typid, int32 typmod)
{
	DogpileEntryOptions options = get_options(fcinfo, ARG_VALUE + 1);
	DogpileDatum value = get_value(fcinfo, typid, typmod);

	dogpile_region_set(get_region(fcinfo), get_key(fcinfo), &value, &options);
}

static Datum
add_from_args(FunctionCallInfo fcinfo, Oid typid, int32 typmod)
{
	DogpileEntryOptions options = get_options(fcinfo, ARG_VALUE + 1);
	DogpileDatum value = get_value(fcinfo, typid, typmod);

	DogpileAdded added = dogpile_region_add(get_region(fcinfo), get_key(fcinfo), &value,
											&options);

	if (added == DOGPILE_ADD_FAILED)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(added == DOGPILE_ADDED);
}

/* dogpile_set(region, key, value, expiration_time, tags) */
Datum
dogpile_set(PG_FUNCTION_ARGS)
{
	set_from_args(fcinfo, get_arg_type(fcinfo, ARG_VALUE, "value"),
				  get_arg_typmod(fcinfo, ARG_VALUE));
	PG_RETURN_VOID();
}

/* The same for a value of unknown type, which is stored as text. */
Datum
dogpile_set_literal(PG_FUNCTION_ARGS)
{
	set_from_args(fcinfo, TEXTOID, -1);
	PG_RETURN_VOID();
}

/* dogpile_add(region, key, value, expiration_time, tags), as dogpile_set() */
Datum
dogpile_add(PG_FUNCTION_ARGS)
{
	return add_from_args(fcinfo, get_arg_type(fcinfo, ARG_VALUE, "value"),
						 get_arg_typmod(fcinfo, ARG_VALUE));
}

/* The same for a value of unknown type. */
Datum
dogpile_add_literal(PG_FUNCTION_ARGS)
{
	return add_from_args(fcinfo, TEXTOID, -1);
}

/* dogpile_increment(region, key, delta, expiration_time); NULL if it is not kept */
Datum
dogpile_increment(PG_FUNCTION_ARGS)
{
	int64		result;

	dogpile_sql_require_arg(fcinfo, ARG_DELTA, "delta");
	if (!dogpile_counter_add(get_region(fcinfo), get_key(fcinfo),
							 PG_GETARG_INT64(ARG_DELTA),
							 get_expiration_time(fcinfo, ARG_DELTA + 1), &result))
		PG_RETURN_NULL();
	PG_RETURN_INT64(result);
}

/* dogpile_delete(region, key) */
Datum
dogpile_delete(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(dogpile_region_delete(get_region(fcinfo), get_key(fcinfo)));
}

/* dogpile_invalidate(region, key, hard) */
Datum
dogpile_invalidate_key(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(dogpile_region_invalidate(get_region(fcinfo), get_key(fcinfo),
											 get_hard(fcinfo, 2)));
}

/* dogpile_invalidate(region, hard) */
Datum
dogpile_invalidate_region(PG_FUNCTION_ARGS)
{
	dogpile_region_invalidate_all(get_region(fcinfo), get_hard(fcinfo, 1));
	PG_RETURN_VOID();
}

/* dogpile_invalidate_tags(tags, hard) */
Datum
dogpile_invalidate_tags(PG_FUNCTION_ARGS)
{
	dogpile_sql_require_arg(fcinfo, 0, "tags");
	dogpile_region_invalidate_tags(PG_GETARG_ARRAYTYPE_P(0), get_hard(fcinfo, 1));
	PG_RETURN_VOID();
}
