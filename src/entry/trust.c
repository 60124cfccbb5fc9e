/*-------------------------------------------------------------------------
 *
 * trust.c
 *	  Which code may run although the session has not asked for it.
 *
 * A value from outside names its type, and reading it calls functions of that type.
 * The session has not asked for these, so none of them may be a function that a user
 * can define: it would run as the role of the session, which may be a superuser.
 *
 * Receive and output functions are written in C, since no other language can handle
 * their arguments, and only superusers can create functions in C.  The functions that
 * compare the bounds of a range or make its canonical form can be written in any
 * language, like those in the constraints of a domain.
 *
 * A constraint is checked if it calls only built-in functions, on types that are
 * built in, too: on other types, a function such as array_eq() calls functions that
 * it finds in the catalogs.  The functions must be immutable, because some of the
 * others run a query that they are given.
 *
 * The constraints are read from the catalog, not from the type cache: that would plan
 * them, and planning calls immutable functions; and it might find other constraints
 * than those that have been examined.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/trust.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "entry/trust.h"

/* One of a domain's constraints. */
typedef struct DogpileDomainCheck
{
	char	   *name;
	Oid			domain;
	Expr	   *expr;			/* as the catalog has it */
	ExprState  *state;			/* NULL: not prepared */
} DogpileDomainCheck;

/* --------------------------------------------------------------------
 * Functions
 * --------------------------------------------------------------------
 */

/*
 * Is a function written in C, so that it takes a superuser to define it?
 *
 * Errors: there is no such function.  Locks: none.
 */
static bool
is_in_c(Oid function)
{
	HeapTuple	tuple;
	Oid			language;

	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	language = ((Form_pg_proc) GETSTRUCT(tuple))->prolang;
	ReleaseSysCache(tuple);
	return language == INTERNALlanguageId || language == ClanguageId;
}

static bool compares_by_trusted(Oid function, Oid typid);

/* The same for the default order of a type. */
static bool
has_trusted_order(Oid typid)
{
	TypeCacheEntry *entry = lookup_type_cache(typid, TYPECACHE_CMP_PROC);

	return OidIsValid(entry->cmp_proc) && compares_by_trusted(entry->cmp_proc, typid);
}

/* All columns of a row; of an anonymous one, they are not known. */
static bool
has_trusted_columns(Oid typid)
{
	TupleDesc	desc;
	bool		trusted = true;

	if (typid == RECORDOID)
		return false;
	desc = lookup_rowtype_tupdesc_domain(typid, -1, false);
	for (int i = 0; i < desc->natts && trusted; i++)
		trusted = TupleDescAttr(desc, i)->attisdropped ||
			has_trusted_order(TupleDescAttr(desc, i)->atttypid);
	ReleaseTupleDesc(desc);
	return trusted;
}

/*
 * Does a comparison of values of a type call nothing but functions in C?  Those that
 * compare what consists of parts call the ones that compare the parts.
 */
static bool
compares_by_trusted(Oid function, Oid typid)
{
	check_stack_depth();
	if (!is_in_c(function))
		return false;
	switch (function)
	{
		case F_BTARRAYCMP:
			return has_trusted_order(get_base_element_type(typid));
		case F_BTRECORDCMP:
			return has_trusted_columns(typid);
		case F_RANGE_CMP:
			return dogpile_trust_range(getBaseType(typid));
		case F_MULTIRANGE_CMP:
			return dogpile_trust_range(get_multirange_range(getBaseType(typid)));
		default:
			return true;
	}
}

/*
 * Does it take nothing but functions in C to make a range of its bounds?
 *
 * Errors: there is no such range type.  Locks: none.
 */
bool
dogpile_trust_range(Oid typid)
{
	TypeCacheEntry *entry = lookup_type_cache(typid, TYPECACHE_RANGE_INFO);

	if (entry->rngelemtype == NULL)
		return false;
	return compares_by_trusted(entry->rng_cmp_proc_finfo.fn_oid,
							   entry->rngelemtype->type_id) &&
		(!OidIsValid(entry->rng_canonical_finfo.fn_oid) ||
		 is_in_c(entry->rng_canonical_finfo.fn_oid));
}

/* --------------------------------------------------------------------
 * Constraints of domains
 * --------------------------------------------------------------------
 */

/* Is it not built in, or not immutable? */
static bool
is_risky_function(Oid function, void *context)
{
	return function >= FirstGenbkiObjectId ||
		func_volatile(function) != PROVOLATILE_IMMUTABLE ||
		!is_in_c(function);
}

/* May built-in functions that get a value of this type call others? */
static bool
is_risky_type(Oid typid)
{
	typid = getBaseType(typid);
	return typid == RECORDOID || typid == RECORDARRAYOID ||
		(typid >= FirstGenbkiObjectId && get_typtype(typid) != TYPTYPE_ENUM);
}

/*
 * Can an expression run code that a user has defined?  Kinds of expressions that are
 * not named here can.
 */
static bool
is_risky(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_List:
		case T_CaseWhen:
			return expression_tree_walker(node, is_risky, context);
		case T_FieldSelect:
			/* It only reads a field of a row, of any type. */
			if (IsA(((FieldSelect *) node)->arg, CoerceToDomainValue))
				return is_risky_type(exprType(node));
			break;
		case T_NullTest:
			if (IsA(((NullTest *) node)->arg, CoerceToDomainValue))
				return false;
			break;
		case T_ArrayExpr:
		case T_BoolExpr:
		case T_BooleanTest:
		case T_CaseExpr:
		case T_CaseTestExpr:
		case T_CoalesceExpr:
		case T_CoerceToDomainValue:
		case T_CoerceViaIO:
		case T_Const:
		case T_DistinctExpr:
		case T_FuncExpr:
		case T_NullIfExpr:
		case T_OpExpr:
		case T_RelabelType:
		case T_ScalarArrayOpExpr:
		case T_SubscriptingRef:
			break;
		default:
			return true;
	}
	return is_risky_type(exprType(node)) ||
		check_functions_in_node(node, is_risky_function, context) ||
		expression_tree_walker(node, is_risky, context);
}

/* Add one constraint. */
static void
add_check(DogpileDomain *domain, HeapTuple tuple, TupleDesc desc)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
	DogpileDomainCheck *check;
	Datum		conbin;
	bool		isnull;

	if (form->contype != CONSTRAINT_CHECK)
		return;
	conbin = heap_getattr(tuple, Anum_pg_constraint_conbin, desc, &isnull);
	if (isnull)
		elog(ERROR, "constraint %u has no expression", form->oid);
	domain->checks = domain->checks == NULL ? palloc_array(DogpileDomainCheck, 1) :
		repalloc_array(domain->checks, DogpileDomainCheck, domain->count + 1);
	check = &domain->checks[domain->count++];
	check->name = pstrdup(NameStr(form->conname));
	check->domain = form->contypid;
	check->expr = stringToNode(TextDatumGetCString(conbin));
	check->state = NULL;
	if (is_risky((Node *) check->expr, NULL))
		domain->is_trusted = false;
}

/* Add the constraints of a domain, without those of what it is over. */
static void
add_checks(DogpileDomain *domain, Oid typid, Relation rel)
{
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_contypid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(typid));
	scan = systable_beginscan(rel, ConstraintTypidIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		add_check(domain, tuple, RelationGetDescr(rel));
	systable_endscan(scan);
}

/*
 * Find the constraints of a domain, and of all that it is over.  A NOT NULL is none
 * of them.
 *
 * Returns them in CurrentMemoryContext.
 *
 * Errors: there is no such type.  Locks: takes and releases AccessShareLock on a
 * catalog.
 */
DogpileDomain *
dogpile_trust_domain(Oid typid)
{
	DogpileDomain *domain = palloc0(sizeof(DogpileDomain));
	Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
	HeapTuple	tuple;

	domain->is_trusted = true;
	domain->typlen = get_typlen(typid);
	for (;;)
	{
		Form_pg_type form;
		bool		is_domain;

		tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for type %u", typid);
		form = (Form_pg_type) GETSTRUCT(tuple);
		is_domain = form->typtype == TYPTYPE_DOMAIN;
		if (is_domain)
			add_checks(domain, typid, rel);
		typid = form->typbasetype;
		ReleaseSysCache(tuple);
		if (!is_domain)
			break;
	}
	table_close(rel, AccessShareLock);
	return domain;
}

/* Does a value meet a constraint?  As domain_check() does it. */
static bool
meets(DogpileDomain *domain, DogpileDomainCheck *check, Datum value)
{
	MemoryContext context = domain->econtext->ecxt_per_query_memory;
	MemoryContext oldcontext;
	Datum		result;
	bool		isnull;

	if (check->state == NULL)
	{
		oldcontext = MemoryContextSwitchTo(context);
		check->state = ExecInitExpr(expression_planner(check->expr), NULL);
		MemoryContextSwitchTo(oldcontext);
	}
	domain->econtext->domainValue_datum =
		MakeExpandedObjectReadOnly(value, false, domain->typlen);
	domain->econtext->domainValue_isNull = false;
	result = ExecEvalExprSwitchContext(check->state, domain->econtext, &isnull);
	ResetExprContext(domain->econtext);
	return isnull || DatumGetBool(result);
}

/*
 * Check a value that is not NULL against the constraints of a trusted domain.
 *
 * Errors: it does not meet one of them; those of built-in functions.
 */
void
dogpile_trust_check_domain(DogpileDomain *domain, Datum value)
{
	Assert(domain->is_trusted);
	if (domain->count == 0)
		return;
	if (domain->econtext == NULL)
	{
		/* What the function keeps must live as long as the domain. */
		MemoryContext oldcontext = MemoryContextSwitchTo(GetMemoryChunkContext(domain));

		domain->econtext = CreateStandaloneExprContext();
		MemoryContextSwitchTo(oldcontext);
	}
	for (int i = 0; i < domain->count; i++)
		if (!meets(domain, &domain->checks[i], value))
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("value for domain %s violates check constraint \"%s\"",
							format_type_be(domain->checks[i].domain),
							domain->checks[i].name)));
}
