/*-------------------------------------------------------------------------
 *
 * temporary.c
 *	  Whether a query uses the session's temporary objects.
 *
 * A value that was computed with any object in pg_temp is not stored, in any region.  And
 * a value that other sessions have computed may differ from what this session's query
 * returns, if a temporary table hides a table that the value depends on.
 *
 * PostgreSQL notes when a transaction opens a temporary relation, for PREPARE TRANSACTION;
 * that includes queries of functions, views and row types at any depth.  But a kept plan
 * need not open a view that it was made from, nor is a cached row type opened.  So if the
 * session has temporary objects, and the query calls functions, all plans are invalidated
 * before it runs, and so are the cached entries of temporary relations.
 *
 * Types of other kinds, functions, operators and so on are not opened.  The query itself is
 * searched for them.  It is not noticed what functions do with them; so if there are any
 * in pg_temp, which is rare, no value is stored of a query that calls functions.  Nor is
 * one after plans were invalidated very often in a transaction, since each time takes
 * memory until its end.
 *
 * In a session without temporary objects this only costs reading a variable.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/temporary.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "storage/sinval.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

#include "depend/determinism.h"
#include "depend/temporary.h"
#include "depend/typeuse.h"
#include "lib/lwlock_check.h"
#include "version/object.h"
#include "xact/definition.h"

/*
 * How often in a transaction plans are invalidated: what PL/pgSQL looks up again takes
 * memory until the end of the transaction.
 */
#define MAX_RENEWALS	100

/* Has the query that is running used a temporary object? */
static bool is_used = false;

/* How often plans were invalidated in this transaction. */
static int	nrenewals = 0;

/* The schema of temporary objects, or InvalidOid if the session has never made any. */
static Oid
get_schema(void)
{
	Oid			schema;
	Oid			toast_schema;

	GetTempNamespaceState(&schema, &toast_schema);
	return schema;
}

/* --------------------------------------------------------------------
 * What there is
 * --------------------------------------------------------------------
 */

/* What is in the schema. */
typedef struct Contents
{
	List	   *relations;		/* OIDs, without indexes */
	bool		has_others;		/* are there objects of other kinds? */
} Contents;

static void
find_contents(Oid schema, Contents *contents)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	contents->relations = NIL;
	contents->has_others = false;
	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(NamespaceRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(schema));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->classid == RelationRelationId)
			contents->relations = lappend_oid(contents->relations, form->objid);
		else
			contents->has_others = true;
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
}

/* --------------------------------------------------------------------
 * What a query uses
 * --------------------------------------------------------------------
 */

static bool
is_temporary(Oid class, Oid object)
{
	ObjectAddress address;

	if (object < FirstNormalObjectId)
		return false;
	ObjectAddressSet(address, class, object);
	return isTempNamespace(get_object_namespace(&address));
}

static bool
is_temporary_function(Oid function, void *context)
{
	return is_temporary(ProcedureRelationId, function);
}

/* Is a type temporary, or that of its elements, or the base type of a domain? */
static bool
is_temporary_type(Oid typid)
{
	Oid			element;

	if (typid < FirstNormalObjectId)
		return false;
	element = get_element_type(typid);
	if (OidIsValid(element))
		return is_temporary_type(element);
	return is_temporary(TypeRelationId, typid) ||
		(get_typtype(typid) == TYPTYPE_DOMAIN && is_temporary_type(getBaseType(typid)));
}

static bool
has_temporary_type(const List *types)
{
	ListCell   *lc;

	foreach(lc, types)
	{
		if (is_temporary_type(lfirst_oid(lc)))
			return true;
	}
	return false;
}

/* Is a constant the OID of a temporary object? */
static bool
names_temporary(const Const *constant)
{
	Oid			object = DatumGetObjectId(constant->constvalue);

	if (constant->constisnull)
		return false;
	switch (constant->consttype)
	{
		case REGCLASSOID:
			return is_temporary(RelationRelationId, object);
		case REGTYPEOID:
			return is_temporary_type(object);
		case REGPROCOID:
		case REGPROCEDUREOID:
			return is_temporary(ProcedureRelationId, object);
		case REGOPEROID:
		case REGOPERATOROID:
			return is_temporary(OperatorRelationId, object);
		case REGCOLLATIONOID:
			return is_temporary(CollationRelationId, object);
		case REGCONFIGOID:
			return is_temporary(TSConfigRelationId, object);
		case REGDICTIONARYOID:
			return is_temporary(TSDictionaryRelationId, object);
		default:
			return false;
	}
}

/* Does one node of a query use a temporary object? */
static bool
uses_temporary(Node *node)
{
	switch (nodeTag(node))
	{
		case T_Const:
			return is_temporary_type(((Const *) node)->consttype) ||
				names_temporary((Const *) node);
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			if (is_temporary(OperatorRelationId, ((OpExpr *) node)->opno))
				return true;
			break;
		case T_ScalarArrayOpExpr:
			return is_temporary(OperatorRelationId, ((ScalarArrayOpExpr *) node)->opno);
		case T_SortGroupClause:
			return is_temporary(OperatorRelationId, ((SortGroupClause *) node)->sortop) ||
				is_temporary(OperatorRelationId, ((SortGroupClause *) node)->eqop);
		case T_CollateExpr:
			return is_temporary(CollationRelationId, ((CollateExpr *) node)->collOid);
		case T_RangeTblFunction:
			return has_temporary_type(((RangeTblFunction *) node)->funccoltypes);
		case T_TableFunc:
			return has_temporary_type(((TableFunc *) node)->coltypes);
		default:
			break;
	}
	return dogpile_typeuse_has_type(node) && is_temporary_type(exprType(node));
}

static bool
uses_temporary_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, uses_temporary_walker, context,
								 QTW_EXAMINE_SORTGROUP);
	return uses_temporary(node) ||
		check_functions_in_node(node, is_temporary_function, context) ||
		expression_tree_walker(node, uses_temporary_walker, context);
}

/* Invalidate what this session has cached of a relation, as if it had been changed. */
static void
forget_relation(Oid relid)
{
	SharedInvalidationMessage message;

	memset(&message, 0, sizeof(message));
	message.rc.id = SHAREDINVALRELCACHE_ID;
	message.rc.dbId = MyDatabaseId;
	message.rc.relId = relid;
	LocalExecuteInvalidationMessage(&message);
}

/*
 * Note whether a query that is about to run uses temporary objects, as far as it shows, and
 * make sure that PostgreSQL notes the rest.
 *
 * query: analyzed and rewritten.
 *
 * Errors: those of looking at catalogs.  Locks: no LWLock may be held.
 */
void
dogpile_temporary_check_query(Query *query)
{
	Oid			schema = get_schema();
	Contents	contents;
	ListCell   *lc;

	DogpileAssertNoneHeld();
	if (!OidIsValid(schema))
		return;
	if (uses_temporary_walker((Node *) query, NULL))
		is_used = true;
	if (is_used || !(dogpile_determinism_calls_functions(query) ||
					 (dogpile_typeuse_find(query) & DOGPILE_TYPE_FUNCTIONS) != 0))
		return;
	find_contents(schema, &contents);
	is_used = contents.has_others ||
		(contents.relations != NIL && nrenewals == MAX_RENEWALS);
	if (!is_used && contents.relations != NIL)
	{
		foreach(lc, contents.relations)
			forget_relation(lfirst_oid(lc));
		ResetPlanCache();
		nrenewals++;
	}
	list_free(contents.relations);
}

/*
 * Called when a creation begins.
 *
 * state: for dogpile_temporary_end(), which must be called even after an error.
 *
 * Errors: none.
 */
void
dogpile_temporary_begin(DogpileTemporaryState *state)
{
	state->flag = MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE;
	state->was_used = is_used;
	MyXactFlags &= ~XACT_FLAGS_ACCESSEDTEMPNAMESPACE;
	is_used = false;
}

/*
 * Called when a creation ends.  What it has used counts for the outer creation, too.
 *
 * Returns whether the value was computed with any temporary object.
 *
 * Errors: none.
 */
bool
dogpile_temporary_end(const DogpileTemporaryState *state)
{
	bool		result = is_used || (MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) != 0;

	MyXactFlags |= state->flag;
	is_used = is_used || state->was_used;
	return result;
}

/* --------------------------------------------------------------------
 * What it hides
 * --------------------------------------------------------------------
 */

static bool
has_object(const DogpileTags *tags, DogpileSlot slot)
{
	for (uint32 i = 0; i < tags->nobjects; i++)
		if (tags->slots[tags->count + i] == slot)
			return true;
	return false;
}

/* Does a temporary relation have the name of this one? */
static bool
hides_relation(Oid schema, Oid relid)
{
	char	   *name = get_rel_name(relid);

	return name != NULL && OidIsValid(get_relname_relid(name, schema));
}

/* The kinds of the types that the row type of a temporary relation hides by its name. */
static int
find_hidden_types(Oid relid)
{
	char	   *name = get_rel_name(relid);
	CatCList   *list;
	int			types = 0;

	if (name == NULL)
		return 0;
	list = SearchSysCacheList1(TYPENAMENSP, CStringGetDatum(name));
	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_type type = (Form_pg_type) GETSTRUCT(&list->members[i]->tuple);

		if (type->typrelid != relid)
			types |= OidIsValid(type->typrelid) ? DOGPILE_ROW_TYPES : DOGPILE_TYPES;
	}
	ReleaseSysCacheList(list);
	return types;
}

/*
 * What the temporary objects hide, as far as it is the same for all entries.  It is
 * computed again when this session has defined anything, or any session a type.
 */
static struct
{
	bool		is_known;
	uint64		generation;		/* of definitions, when it was computed */
	bool		has_any;		/* temporary relations, or others */
	int			types;			/* kinds of types that are hidden */
}			hidden;

static void
forget_hidden(Datum arg, int cacheid, uint32 hash)
{
	hidden.is_known = false;
}

static void
find_hidden(Oid schema)
{
	Contents	contents;
	ListCell   *lc;
	int			types = 0;
	uint64		generation = dogpile_definition_get_generation();

	if (hidden.is_known && hidden.generation == generation)
		return;

	/* Messages that arrive meanwhile make it unknown; so does an error. */
	hidden.is_known = true;
	hidden.generation = generation - 1;
	find_contents(schema, &contents);
	foreach(lc, contents.relations)
		types |= find_hidden_types(lfirst_oid(lc));
	if (contents.has_others)
		types = DOGPILE_TYPES | DOGPILE_ROW_TYPES;
	hidden.types = types;
	hidden.has_any = contents.has_others || contents.relations != NIL;
	hidden.generation = generation;
	list_free(contents.relations);
}

/* Do the temporary objects hide types that an entry may depend on? */
static bool
hides_types(Oid schema, const DogpileTags *tags)
{
	find_hidden(schema);
	return ((hidden.types & DOGPILE_TYPES) && has_object(tags, dogpile_object_types())) ||
		((hidden.types & DOGPILE_ROW_TYPES) &&
		 has_object(tags, dogpile_object_row_types())) ||
		(hidden.has_any && has_object(tags, dogpile_object_definitions()));
}

/*
 * Do this session's temporary objects hide what an entry depends on, so that its query
 * would return something else here?
 *
 * tags: of the entry, or NULL.
 *
 * Errors: those of looking at catalogs.  Locks: no LWLock may be held.
 */
bool
dogpile_temporary_hides(const DogpileTags *tags)
{
	Oid			schema = get_schema();

	DogpileAssertNoneHeld();
	if (!OidIsValid(schema) || tags == NULL || !tags->automatic)
		return false;
	for (uint32 i = 0; i < tags->nrelations; i++)
		if (hides_relation(schema, dogpile_tag_relation(tags, i)))
			return true;
	return hides_types(schema, tags);
}

/* The end of the transaction has freed the memory that plans have taken. */
static void
forget_renewals(bool is_commit)
{
	nrenewals = 0;
}

const DogpileParticipant dogpile_temporary_participant = {
	.end = forget_renewals
};

/* Register for messages about types that are created or dropped.  Called once, at load. */
void
dogpile_temporary_init(void)
{
	CacheRegisterSyscacheCallback(TYPEOID, forget_hidden, (Datum) 0);
}
