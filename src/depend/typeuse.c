/*-------------------------------------------------------------------------
 *
 * typeuse.c
 *	  Which kinds of types a query uses.
 *
 * The result of a query depends on the types that it names, casts to, builds rows of and
 * returns: on a domain's base type and constraints, the labels of an enum, the columns of
 * a row type.  It is not noted which types exactly: they change so rarely that it is
 * enough to distinguish types made by CREATE TYPE or CREATE DOMAIN, row types of tables,
 * which change with these, and built-in types, which never change.
 *
 * Types also call functions that no expression names: the constraints of a domain, and
 * functions of operator classes that are not built in, which sort, compare and hash.
 *
 * The types that functions of a query use are found in their own statements (statement.c),
 * and by callee.c.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/typeuse.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "depend/builtin.h"
#include "depend/typeuse.h"
#include "entry/trust.h"
#include "lib/compat.h"
#include "lib/lwlock_check.h"
#include "version/object.h"

/*
 * May the constraints of a domain call functions that are not built in?  The type cache is
 * not used, because it would plan them, which calls functions; see trust.c.
 */
static bool
has_calling_checks(Oid domain)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dogpile domain",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	bool		result = !dogpile_trust_domain(domain)->is_trusted;

	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
	return result;
}

/* Are values of a type compared or hashed by functions that are not built in? */
static bool
has_own_comparison(Oid typid)
{
	TypeCacheEntry *type = lookup_type_cache(typid, TYPECACHE_EQ_OPR | TYPECACHE_CMP_PROC |
											 TYPECACHE_HASH_PROC);

	return type->cmp_proc >= FirstNormalObjectId || type->hash_proc >= FirstNormalObjectId ||
		type->eq_opr >= FirstNormalObjectId;
}

/* The kinds of the columns of a row type, which are compared when rows are. */
static int
judge_columns(Oid typid)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_noerror(typid, -1, true);
	int			bits = 0;

	if (desc == NULL)
		return 0;
	check_stack_depth();
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			bits |= dogpile_typeuse_of_type(TupleDescAttr(desc, i)->atttypid);
	ReleaseTupleDesc(desc);
	return bits;
}

/*
 * The kinds that a type belongs to: DOGPILE_TYPES, DOGPILE_ROW_TYPES and
 * DOGPILE_TYPE_FUNCTIONS, or 0.
 *
 * Errors: those of a catalog lookup.  Locks: no LWLock may be held.
 */
int
dogpile_typeuse_of_type(Oid typid)
{
	Oid			element;
	int			bits = DOGPILE_TYPES;

	DogpileAssertNoneHeld();
	if (typid < FirstNormalObjectId)
		return 0;
	element = get_element_type(typid);
	if (OidIsValid(element))
		return bits | dogpile_typeuse_of_type(element);
	switch (get_typtype(typid))
	{
		case TYPTYPE_BASE:
		case TYPTYPE_ENUM:
			break;
		case TYPTYPE_DOMAIN:
			if (has_calling_checks(typid))
				bits |= DOGPILE_TYPE_FUNCTIONS;
			return bits | dogpile_typeuse_of_type(getBaseType(typid));
		case TYPTYPE_COMPOSITE:
			bits |= DOGPILE_ROW_TYPES | judge_columns(typid);
			break;
		default:				/* ranges, whose bounds may be of any type */
			bits |= DOGPILE_ROW_TYPES;
			break;
	}
	if (has_own_comparison(typid))
		bits |= DOGPILE_TYPE_FUNCTIONS;
	return bits;
}

/* The kinds that several types belong to. */
static int
judge_types(const List *types)
{
	int			bits = 0;
	ListCell   *lc;

	foreach(lc, types)
		bits |= dogpile_typeuse_of_type(lfirst_oid(lc));
	return bits;
}

/*
 * The kinds that arguments or columns add if their texts are names in catalogs.  Most of
 * the objects are types, and tables, whose row types are renamed and dropped with them.
 *
 * list: expressions or, if is_typed is set, OIDs of types.
 */
static int
judge_names(const List *list, bool is_typed)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		Oid			typid = is_typed ? lfirst_oid(lc) : exprType(lfirst(lc));

		if (typid == RECORDOID || typid == RECORDARRAYOID ||
			dogpile_builtin_is_named_by_catalogs(typid))
			return DOGPILE_TYPES | DOGPILE_ROW_TYPES | DOGPILE_ROLE_NAMES;
	}
	return 0;
}

/*
 * The kinds that a constant adds: its value may be the OID of a type, or of another object
 * that had this name when the query was analyzed.
 */
static int
judge_constant(const Const *constant)
{
	int			bits = dogpile_typeuse_of_type(constant->consttype);

	/* The elements of a row or an array are not examined. */
	if (!constant->constisnull && dogpile_builtin_is_named_by_catalogs(constant->consttype))
	{
		bits |= DOGPILE_TYPES | DOGPILE_ROW_TYPES;
		if (dogpile_builtin_is_role_name(constant->consttype) ||
			!dogpile_builtin_is_name(constant->consttype))
			bits |= DOGPILE_ROLE_NAMES;
	}
	if (constant->consttype == REGTYPEOID && !constant->constisnull)
		bits |= dogpile_typeuse_of_type(DatumGetObjectId(constant->constvalue));
	return bits;
}

/* Are rows sorted or grouped by operators that are not built in? */
static int
judge_sorting(const SortGroupClause *clause)
{
	return clause->sortop >= FirstNormalObjectId || clause->eqop >= FirstNormalObjectId ?
		DOGPILE_TYPE_FUNCTIONS : 0;
}

/*
 * Is it a node that has a type, and not a part of a query's structure?  False for constants.
 *
 * Errors, locks: none.
 */
bool
dogpile_typeuse_has_type(Node *node)
{
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Param:
		case T_Aggref:
		case T_WindowFunc:
		case T_SubscriptingRef:
		case T_FuncExpr:
		case T_OpExpr:
		case T_NullIfExpr:
		case T_SubLink:
		case T_FieldSelect:
		case T_FieldStore:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_ConvertRowtypeExpr:
		case T_CaseExpr:
		case T_CaseTestExpr:
		case T_ArrayExpr:
		case T_RowExpr:
		case T_CoalesceExpr:
		case T_MinMaxExpr:
		case T_XmlExpr:
		case T_CoerceToDomain:
		case T_CoerceToDomainValue:
		case T_SetToDefault:
			return true;
		default:
			return dogpile_has_type_compat(nodeTag(node));
	}
}

static bool
find_walker(Node *node, void *context)
{
	int		   *bits = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_walker, context,
								 QTW_EXAMINE_SORTGROUP);
	if (IsA(node, Const))
		*bits |= judge_constant((Const *) node);
	else if (IsA(node, RangeTblFunction))
		*bits |= judge_types(((RangeTblFunction *) node)->funccoltypes) |
			judge_names(((RangeTblFunction *) node)->funccoltypes, true);
	else if (IsA(node, TableFunc))
		*bits |= judge_types(((TableFunc *) node)->coltypes) |
			judge_names(((TableFunc *) node)->coltypes, true);
	else if (IsA(node, SortGroupClause))
		*bits |= judge_sorting((SortGroupClause *) node);
	else if (dogpile_typeuse_has_type(node))
	{
		*bits |= dogpile_typeuse_of_type(exprType(node));
		if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == F_FORMAT_TEXT_ANY)
			*bits |= judge_names(((FuncExpr *) node)->args, false);
	}
	return expression_tree_walker(node, find_walker, context);
}

/*
 * Which kinds of types does a query use?
 *
 * query: analyzed and rewritten.
 *
 * Returns the kinds as dogpile_typeuse_of_type() does.
 *
 * Errors: those of a catalog lookup.  Locks: no LWLock may be held.
 */
int
dogpile_typeuse_find(Query *query)
{
	int			bits = 0;

	DogpileAssertNoneHeld();
	(void) find_walker((Node *) query, &bits);
	return bits;
}
