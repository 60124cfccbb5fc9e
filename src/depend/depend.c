/*-------------------------------------------------------------------------
 *
 * depend.c
 *	  Finds out what a creator's query depends on.
 *
 * Every plan that the executor starts while the query runs lists the relations that it
 * reads, including views and partitions, and the roles with whose privileges it reads
 * them; the hook that PostgreSQL calls before it executes a function tells which
 * functions are called.  That applies to the query itself and to queries of functions in
 * any language, as long as they use the executor; C code that reads tables by itself is
 * not noticed.  A cached value that the query uses adds its own dependencies.
 *
 * Dependencies are slots of objects (object.c), which change.c bumps.  If a query depends
 * on something that cannot be known (determinism.c), the region's "nondeterministic"
 * decides whether that is an error, or the value is not stored, or is stored nevertheless.
 *
 * A parallel worker could not report what functions read in it.  So a plan that calls
 * functions other than built-in ones runs without workers.
 *
 * Privileges count as well: a value is invalidated when the privileges of the role for
 * which it was computed, those of the owner of a view, or memberships of roles change, so
 * that a hit need not check any.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/depend.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "partitioning/partdesc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "depend/callee.h"
#include "depend/compiled.h"
#include "depend/depend.h"
#include "depend/determinism.h"
#include "depend/typeuse.h"
#include "depend/watch.h"
#include "lib/clock.h"
#include "lib/compat.h"
#include "version/object.h"
#include "xact/change.h"

/* How often in a transaction plans are invalidated for functions in PL/pgSQL. */
#define MAX_RENEWALS	1000

/* How often a session logs why it does not store values, in milliseconds. */
#define LOG_INTERVAL_MS		60000

DogpileCollection *dogpile_depend_current = NULL;

/* Is this session a reader, for which all slots count as watched?  See version.c. */
static bool is_reader = false;

/*
 * Have all plans been invalidated in this transaction, so that it is known what functions
 * have prepared since?  And how often was that done because it was not known?
 */
static bool has_renewed = false;
static int	nrenewals = 0;

/* Is the executor starting?  It looks up the functions of all expressions then. */
static bool is_starting = false;

static ExecutorStart_hook_type prev_executor_start = NULL;
static object_access_hook_type prev_object_access = NULL;

/* --------------------------------------------------------------------
 * Collecting
 * --------------------------------------------------------------------
 */

/*
 * Add a slot, unless it was added recently: a function that is called for each row starts
 * the same plan each time.
 */
static void
collect_slot(DogpileCollection *collection, DogpileSlot slot)
{
	for (int i = collection->nslots - 1; i >= 0 && i >= collection->nslots - 32; i--)
		if (collection->slots[i] == slot)
			return;
	if (collection->nslots == collection->max_slots)
	{
		collection->max_slots = Max(32, 2 * collection->max_slots);
		collection->slots = collection->slots == NULL ?
			MemoryContextAlloc(collection->context,
							   collection->max_slots * sizeof(DogpileSlot)) :
			repalloc(collection->slots, collection->max_slots * sizeof(DogpileSlot));
	}
	collection->slots[collection->nslots++] = slot;
}

/* Add a role with whose privileges something was read. */
static void
add_role(DogpileCollection *collection, Oid role)
{
	uint32		hash = GetSysCacheHashValue1(AUTHOID, ObjectIdGetDatum(role));

	collect_slot(collection, dogpile_object_syscache(InvalidOid, AUTHOID, hash));
}

/*
 * Raise an error if the value depends on something that cannot be known, and the region
 * has nondeterministic = throw.
 */
static void
check_unknown(const DogpileCollection *collection)
{
	const DogpileRegion *region = collection->region;

	if (collection->unknown == NULL ||
		region->nondeterministic != DOGPILE_NONDETERMINISTIC_THROW)
		return;
	if (collection->is_session)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot determine here what values of cache region \"%s\" depend on",
						region->name),
				 errdetail_internal("%s", collection->unknown),
				 errhint("The query need not be changed.  Use a region without \"depends\", or set \"dogpile_%s.nondeterministic\" to \"bypass\".",
						 region->name)));
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("creator query of cache region \"%s\" is not deterministic",
					region->name),
			 errdetail_internal("%s", collection->unknown),
			 errhint("Change the query, or set \"dogpile_%s.nondeterministic\" to \"bypass\" or \"ignore\".",
					 region->name)));
}

/*
 * Record that the value depends on something that cannot be known.
 *
 * reason: a sentence, which is copied; or NULL: it does not.
 *
 * Errors: if the region has nondeterministic = throw.
 */
static void
note_unknown(DogpileCollection *collection, const char *reason)
{
	if (reason == NULL)
		return;
	if (collection->unknown == NULL)
		collection->unknown = MemoryContextStrdup(collection->context, reason);
	check_unknown(collection);
}

/*
 * Add the names of relations that would be found instead of this one if they were created,
 * in schemas that come before its own in the search path.
 */
static void
add_names(DogpileCollection *collection, Oid relid)
{
	Oid			schema = get_rel_namespace(relid);
	char	   *name = get_rel_name(relid);
	List	   *path = fetch_search_path(false);
	ListCell   *lc;

	if (name != NULL && list_member_oid(path, schema))
	{
		foreach(lc, path)
		{
			uint32		hash;

			if (lfirst_oid(lc) == schema)
				break;
			hash = GetSysCacheHashValue2(RELNAMENSP, CStringGetDatum(name),
										 ObjectIdGetDatum(lfirst_oid(lc)));
			collect_slot(collection, dogpile_object_syscache(MyDatabaseId, RELNAMENSP, hash));
		}
	}
	list_free(path);
}

/*
 * Is the list of partitions that this session has cached of a table that of the catalog?
 *
 * PostgreSQL may keep an outdated list that it was building when the message about a
 * change arrived: the message invalidates the relation's entry, but the list is then put
 * into that.  (See RelationBuildPartitionDesc(); sessions were seen whose queries left a
 * partition out long after it had been attached.)  The value is not stored then; and the
 * entry is invalidated again, so that the list is rebuilt.
 */
static void
check_partition_list(DogpileCollection *collection, Oid relid)
{
	Relation	rel = RelationIdGetRelation(relid);
	List	   *children = find_inheritance_children_extended(relid, false, NoLock,
															  NULL, NULL);
	PartitionDesc known;
	bool		is_current;

	if (!RelationIsValid(rel))
		return;
	known = RelationGetPartitionDesc(rel, false);
	is_current = known->nparts == list_length(children);
	for (int i = 0; i < known->nparts && is_current; i++)
		is_current = list_member_oid(children, known->oids[i]);
	RelationClose(rel);
	list_free(children);
	if (is_current)
		return;
	collection->is_stale = true;
	RelationCacheInvalidateEntry(relid);
}

/*
 * Invalidate all plans that this session has kept, because they need not show any more
 * what they depend on: a function whose result is in them as a constant, or one that
 * PL/pgSQL has looked up earlier in this transaction.
 *
 * That is not done for each query, since what PL/pgSQL looks up again takes memory until
 * the end of the transaction.  callee.c remembers what functions have prepared since.
 *
 * Errors: none.
 */
static void
renew_plans(DogpileCollection *collection)
{
	if (collection->has_new_plans)
		return;
	collection->has_new_plans = true;
	ResetPlanCache();
	dogpile_callee_forget();
	has_renewed = true;
}

/*
 * Invalidate all plans because a function is called whose prepared plans are not known.
 * After a number of times in a transaction that is no longer done, and the value is not
 * stored.
 */
static void
renew_for_function(DogpileCollection *collection)
{
	if (collection->has_new_plans)
		return;
	if (++nrenewals <= MAX_RENEWALS)
		renew_plans(collection);
	else
		collection->is_stale = true;
}

/* Add a function that is called, or was called while the query was planned. */
static void
add_function(DogpileCollection *collection, Oid function)
{
	const char *reason = dogpile_determinism_check_function(function,
															collection->region->vary);

	if (function >= FirstUnpinnedObjectId)
	{
		collection->calls_functions = true;
		dogpile_depend_note_types(dogpile_callee_types(function));
		if (dogpile_callee_may_keep_plans(function))
			renew_plans(collection);
	}
	if (reason != NULL && !is_starting)
		dogpile_callee_note(0, true);
	note_unknown(collection, reason);
}

/* Does a plan call functions that are not built in? */
static bool
calls_functions(const PlannedStmt *plan)
{
	ListCell   *lc;

	foreach(lc, plan->invalItems)
	{
		if (((PlanInvalItem *) lfirst(lc))->cacheId == PROCOID)
			return true;
	}
	return false;
}

/* Add what a plan reads and calls, and the roles with whose privileges it does so. */
static void
collect_plan(DogpileCollection *collection, const PlannedStmt *plan)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(collection->context);
	List	   *roles = dogpile_plan_roles_compat(plan);
	ListCell   *lc;

	foreach(lc, plan->relationOids)
	{
		Oid			relid = lfirst_oid(lc);

		if (list_member_oid(collection->relations, relid))
			continue;
		note_unknown(collection, dogpile_determinism_check_relation(relid));
		add_names(collection, relid);
		if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
			check_partition_list(collection, relid);
		collection->relations = lappend_oid(collection->relations, relid);
	}
	if (calls_functions(plan))
		collection->calls_functions = true;
	foreach(lc, roles)
		add_role(collection, lfirst_oid(lc));
	add_role(collection, GetUserId());
	list_free(roles);
	MemoryContextSwitchTo(oldcontext);
}

/* Let a plan run without parallel workers.  It is copied, since it may be in use elsewhere. */
static void
forbid_workers(QueryDesc *query)
{
	PlannedStmt *plan = palloc(sizeof(PlannedStmt));

	memcpy(plan, query->plannedstmt, sizeof(PlannedStmt));
	plan->parallelModeNeeded = false;
	query->plannedstmt = plan;
}

static void
start_executor(QueryDesc *query, int eflags)
{
	if (prev_executor_start)
		prev_executor_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

static void
executor_start(QueryDesc *query, int eflags)
{
	dogpile_change_note_statement(DOGPILE_STATEMENT_OTHER);
	if (dogpile_depend_current == NULL)
		start_executor(query, eflags);
	else
	{
		bool		was_starting = is_starting;

		/* What the planner reads becomes a constant in the plan. */
		if (dogpile_depend_current->nplanning > 0)
			dogpile_callee_note(0, true);
		collect_plan(dogpile_depend_current, query->plannedstmt);
		if (query->plannedstmt->parallelModeNeeded &&
			(calls_functions(query->plannedstmt) ||
			 (dogpile_depend_current->types & DOGPILE_TYPE_FUNCTIONS) != 0))
			forbid_workers(query);
		is_starting = true;
		PG_TRY();
		{
			start_executor(query, eflags);
		}
		PG_FINALLY();
		{
			is_starting = was_starting;
		}
		PG_END_TRY();
	}
}

/*
 * PostgreSQL calls this hook for each function that an expression is about to call, and
 * for those that the planner has called, whose results are constants in the plan.
 */
static void
depend_object_access(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if (access == OAT_FUNCTION_EXECUTE && dogpile_depend_current != NULL)
		add_function(dogpile_depend_current, object);
	if (prev_object_access)
		prev_object_access(access, class, object, sub, arg);
}

/*
 * Is there a schema that is searched before pg_catalog?  Then other objects may hide
 * built-in ones.
 */
static bool
hides_builtins(void)
{
	List	   *path = fetch_search_path(false);
	bool		result = list_member_oid(path, PG_CATALOG_NAMESPACE) &&
		linitial_oid(path) != PG_CATALOG_NAMESPACE;

	list_free(path);
	return result;
}

/*
 * Invalidate the plans of domain constraints.  PostgreSQL does not notice when these become
 * outdated: an SQL function that was inlined in them was replaced, or would find other
 * objects by the present search_path.
 *
 * Errors: none.
 */
static void
forget_checks(void)
{
	CallSyscacheCallbacks(CONSTROID, 0);
}

/*
 * Examine the creator's query itself, before it runs.
 *
 * Errors: it is not deterministic, and the region has nondeterministic = throw.
 */
void
dogpile_depend_note_query(Query *query)
{
	DogpileCollection *collection = dogpile_depend_current;
	const char *reason;

	if (collection == NULL)
		return;
	dogpile_compiled_renew();
	reason = dogpile_determinism_check_session();
	collection->is_session |= reason != NULL && collection->unknown == NULL;
	note_unknown(collection, reason);
	note_unknown(collection,
				 dogpile_determinism_check_query(query, collection->region->vary));
	collection->types |= dogpile_typeuse_find(query);
	if (hides_builtins())
		collection->types |= DOGPILE_TYPES | DOGPILE_ROW_TYPES;
	collection->is_judged = true;
	if (dogpile_determinism_calls_functions(query) ||
		(collection->types & DOGPILE_TYPE_FUNCTIONS) != 0)
	{
		collection->calls_functions = true;
		forget_checks();
		if (!has_renewed || !dogpile_callee_is_told())
			renew_plans(collection);
	}
}

/*
 * Add the dependencies of a cached value that the running query has asked for.
 *
 * region, deps: of the value.
 * is_known: was a value found that may know all its dependencies?
 *
 * Errors: it does not know them, and the region of the running query has
 * nondeterministic = throw.
 */
void
dogpile_depend_note_value(const DogpileRegion *region, const DogpileDeps *deps,
						  bool is_known)
{
	DogpileCollection *collection = dogpile_depend_current;

	if (collection == NULL)
		return;
	for (int i = 0; i < deps->count; i++)
		collect_slot(collection, dogpile_deps_slot(deps, i));

	/*
	 * A value that the user has set depends on no object, and may be set
	 * again.
	 */
	if (!is_known || deps->tags == NULL || !deps->tags->exact || deps->tags->nobjects == 0)
		note_unknown(collection,
					 psprintf("It asks for a value of cache region \"%s\" whose dependencies are not known.",
							  region->name));
}

/*
 * Record that the running query has got a stale value, which another session is creating
 * again.  That is not an error, but the result is not stored.
 */
void
dogpile_depend_note_stale(void)
{
	if (dogpile_depend_current != NULL)
		dogpile_depend_current->is_stale = true;
}

/*
 * Record that the running query depends on something that cannot be known.
 *
 * reason: a sentence, which is copied; or NULL: it does not.
 *
 * Errors: if the region has nondeterministic = throw.
 */
void
dogpile_depend_note_unknown(const char *reason)
{
	if (dogpile_depend_current == NULL || reason == NULL)
		return;
	dogpile_callee_note(0, true);
	note_unknown(dogpile_depend_current, reason);
}

/* Record that the running query uses types of these kinds, as defined in typeuse.h. */
void
dogpile_depend_note_types(int types)
{
	if (dogpile_depend_current == NULL)
		return;
	dogpile_depend_current->types |= types;
	dogpile_callee_note(types, false);
}

/* Called by callee.c for each function that PL/pgSQL calls. */
static bool
note_callee(int types, bool unknown)
{
	if (dogpile_depend_current == NULL)
		return false;
	if (unknown)
		renew_for_function(dogpile_depend_current);
	dogpile_depend_note_types(types);
	return true;
}

/*
 * Called when an error is about to be raised while the query runs.  It may be caught, as
 * by EXCEPTION in PL/pgSQL; then the value depends on what was not found or not allowed,
 * which may be anything that is created or granted later.
 */
void
dogpile_depend_note_error(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_INVALID_CATALOG_NAME:
		case ERRCODE_INVALID_SCHEMA_NAME:
		case ERRCODE_INTERNAL_ERROR:
			for (DogpileCollection *c = dogpile_depend_current; c != NULL; c = c->outer)
				c->has_missed = true;
			break;
		default:
			break;
	}
}

/* --------------------------------------------------------------------
 * Beginning and ending
 * --------------------------------------------------------------------
 */

/* Does the region have depends = auto? */
bool
dogpile_depend_is_wanted(const DogpileRegion *region)
{
	return region->depends == DOGPILE_DEPENDS_AUTO;
}

/*
 * Begin to collect what a query depends on, before its snapshot is taken.
 *
 * collection: is initialized.  The caller must end or abandon it, unless the transaction
 * ends before that.
 *
 * Errors: none.
 */
void
dogpile_depend_begin(DogpileCollection *collection, const DogpileRegion *region)
{
	memset(collection, 0, sizeof(DogpileCollection));
	collection->outer = dogpile_depend_current;
	collection->region = region;
	collection->context = CurrentMemoryContext;
	collection->is_reader = !is_reader;
	dogpile_depend_current = collection;
	if (!is_reader)
		dogpile_version_begin_read();
	dogpile_callee_begin(note_callee);
	is_reader = true;
}

/* Stop being a reader. */
static void
end_read(void)
{
	if (is_reader)
	{
		dogpile_version_end_read();
		dogpile_callee_end();
	}
	is_reader = false;
}

/* At abort: a session that is terminated runs no PG_CATCH block. */
static void
abandon_collections(void)
{
	dogpile_depend_current = NULL;
	end_read();
}

static void
end_transaction(bool is_commit)
{
	has_renewed = false;
	nrenewals = 0;
	dogpile_callee_end_transaction();
}

const DogpileParticipant dogpile_depend_participant = {
	.abort = abandon_collections,
	.end = end_transaction
};

/* If the outer collection is suspended, collection->outer is NULL, and this is no reader. */
static void
end_collection(DogpileCollection *collection)
{
	dogpile_depend_current = collection->outer;
	if (collection->is_reader)
		end_read();
}

/*
 * Stop collecting, because a query is about to run that is not part of the current one.
 *
 * Returns the argument for dogpile_depend_resume(), which must be called even after an
 * error.
 */
DogpileCollection *
dogpile_depend_suspend(void)
{
	DogpileCollection *collection = dogpile_depend_current;

	dogpile_depend_current = NULL;
	return collection;
}

void
dogpile_depend_resume(DogpileCollection *collection)
{
	dogpile_depend_current = collection;
}

/* End a collection without a result, after an error.  Errors: none. */
void
dogpile_depend_abandon(DogpileCollection *collection)
{
	end_collection(collection);
}

/* Add the slots of relations; row tags may take the place of their rows' slots (watch.c). */
static void
add_relations(DogpileCollection *collection, const DogpileTags *tags)
{
	ListCell   *lc;

	foreach(lc, collection->relations)
	{
		Oid			relid = lfirst_oid(lc);

		if (tags != NULL && dogpile_watch_covers(relid, collection->region->name, tags))
			collect_slot(collection, dogpile_object_relation(relid));
		else
			collect_slot(collection, dogpile_object_rows(relid));
	}
}

/*
 * Add the slots of functions and types.  Which types a function uses is not examined; and
 * functions read, show and compare the values of types.
 */
static void
add_definitions(DogpileCollection *collection)
{
	if (collection->calls_functions || collection->types != 0)
	{
		collect_slot(collection, dogpile_object_functions());
		collect_slot(collection, dogpile_object_types());
	}
	if (collection->types & DOGPILE_ROW_TYPES)
		collect_slot(collection, dogpile_object_row_types());
	if (collection->types & DOGPILE_ROLE_NAMES)
		collect_slot(collection, dogpile_object_roles());
	if (collection->has_missed)
		collect_slot(collection, dogpile_object_definitions());
}

/* Add the dependencies of a collection to those of the query within which it ran. */
static void
pass_on(const DogpileCollection *collection, DogpileCollection *outer)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(outer->context);

	outer->relations = list_concat_unique_oid(outer->relations, collection->relations);
	outer->calls_functions |= collection->calls_functions;
	outer->types |= collection->types;
	outer->is_stale |= collection->is_stale;
	for (int i = 0; i < collection->nslots; i++)
		collect_slot(outer, collection->slots[i]);
	MemoryContextSwitchTo(oldcontext);
	note_unknown(outer, collection->unknown);
}

/* Log why a value is not stored, but at most once per interval. */
static void
report_bypass(const DogpileCollection *collection)
{
	static TimestampTz last = 0;
	TimestampTz now = dogpile_clock_now();

	if (last != 0 && !TimestampDifferenceExceeds(last, now, LOG_INTERVAL_MS))
		return;
	last = now;
	ereport(LOG,
			(errmsg("value of cache region \"%s\" is not stored, because its query is not deterministic",
					collection->region->name),
			 errdetail_internal("%s", collection->unknown)));
}

/* Must the value not be stored, because some of its dependencies cannot be known? */
static bool
must_bypass(const DogpileCollection *collection)
{
	return collection->unknown != NULL &&
		collection->region->nondeterministic == DOGPILE_NONDETERMINISTIC_BYPASS;
}

/*
 * End a collection after the query has run.  What it depends on is watched from now on.
 *
 * tags: those that the user has given the value, or NULL; set to all that the value
 *		depends on, besides its region and key, in CurrentMemoryContext.
 *
 * Returns whether the value may be stored.
 *
 * Errors: out of memory; the region of the outer query has nondeterministic = throw, and
 * some dependencies cannot be known.  The collection must be abandoned then.
 * Locks: takes the version lock, if something was not watched before.
 */
DogpileFinding
dogpile_depend_end(DogpileCollection *collection, const DogpileTags **tags)
{
	/* The query may have caught the error before. */
	check_unknown(collection);
	add_relations(collection, *tags);
	add_definitions(collection);
	collect_slot(collection, dogpile_object_database());
	collect_slot(collection, dogpile_object_cluster());
	collection->nslots = dogpile_version_make_unique(collection->slots, collection->nslots);
	*tags = dogpile_tag_add_objects(*tags, collection->slots, collection->nslots,
									collection->relations, collection->unknown == NULL);
	if (collection->outer != NULL)
		pass_on(collection, collection->outer);
	if (must_bypass(collection))
		report_bypass(collection);
	dogpile_version_watch(collection->slots, collection->nslots);
	end_collection(collection);
	if (must_bypass(collection))
		return DOGPILE_FINDING_UNKNOWN;
	return collection->is_stale ? DOGPILE_FINDING_OUTDATED : DOGPILE_FINDING_STORABLE;
}

/* Install the hooks for plans that are executed and functions.  Called once, at load. */
void
dogpile_depend_init(void)
{
	prev_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	prev_object_access = object_access_hook;
	object_access_hook = depend_object_access;
	dogpile_callee_init();
}
