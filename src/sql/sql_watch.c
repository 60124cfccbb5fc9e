/*-------------------------------------------------------------------------
 *
 * sql_watch.c
 *	  SQL functions to watch relations.
 *
 * A watched relation has a trigger (watch.c).  These functions read the arguments of the
 * trigger and create a new one.  They do it by SQL, as the caller, so that the caller
 * needs the right to create and enable triggers, event triggers fire, and a trigger of a
 * partitioned table is cloned to its partitions as usual.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/sql/sql_watch.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/catalog.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/call.h"
#include "depend/watch.h"
#include "lib/compat.h"
#include "sql/sql_args.h"

/* Positions of the arguments that the functions have in common. */
#define ARG_RELATION	0
#define ARG_TAGS		1
#define ARG_REGION		2

/* Maximum number of pairs of a template and a region for one relation. */
#define MAX_WATCHES		64

/* One such pair. */
typedef struct Watch
{
	char	   *tags;			/* the template */
	char	   *region;			/* "": all */
} Watch;

PG_FUNCTION_INFO_V1(dogpile_watch);
PG_FUNCTION_INFO_V1(dogpile_unwatch);
PG_FUNCTION_INFO_V1(dogpile_watch_arguments);

/* --------------------------------------------------------------------
 * Relations
 * --------------------------------------------------------------------
 */

static void
check_owner(Oid relid)
{
	if (!dogpile_relation_ownercheck_compat(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
}

/*
 * Open a relation that the caller owns.
 *
 * Errors: it does not exist; the caller is not its owner.
 * Locks: takes the lock, but only after a check that the caller may do so.
 */
static Relation
open_own_relation(Oid relid, LOCKMODE lockmode)
{
	Relation	rel;

	if (get_rel_relkind(relid) != '\0')
		check_owner(relid);
	rel = relation_open(relid, lockmode);
	check_owner(relid);
	return rel;
}

/* Raise an error unless the relation is a permanent table. */
static void
check_relation_kind(Relation rel)
{
	char		relkind = rel->rd_rel->relkind;
	const char *detail = NULL;

	if (IsCatalogRelation(rel))
		detail = "This operation is not supported for system catalogs.";
	else if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		detail = "This operation is not supported for temporary tables.";
	else if (relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("cannot watch relation \"%s\"", RelationGetRelationName(rel)),
			 detail ? errdetail_internal("%s", detail) :
			 errdetail_relkind_not_supported(relkind)));
}

/*
 * Get the trigger by which a relation is watched, or NULL.
 *
 * Errors: the trigger belongs to the partitioned table, or calls another function.
 */
static const Trigger *
find_own_trigger(Relation rel)
{
	const Trigger *trigger = dogpile_watch_find(rel);

	if (trigger != NULL && trigger->tgisclone)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partition \"%s\" is watched through its partitioned table",
						RelationGetRelationName(rel)),
				 errhint("Watch or unwatch the partitioned table.")));
	if (trigger == NULL &&
		OidIsValid(get_trigger_oid(RelationGetRelid(rel), DOGPILE_WATCH_TRIGGER, true)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("trigger \"%s\" for relation \"%s\" does not call function \"%s\"",
						DOGPILE_WATCH_TRIGGER, RelationGetRelationName(rel),
						DOGPILE_WATCH_FUNCTION)));
	return trigger;
}

/*
 * Raise an error if a partition is watched separately: its trigger would be replaced by
 * that of the partitioned table.
 *
 * Locks: takes ShareRowExclusiveLock on all partitions, as CREATE TRIGGER does.
 */
static void
check_watched_partitions(Oid parent)
{
	List	   *partitions = find_all_inheritors(parent, ShareRowExclusiveLock, NULL);
	ListCell   *cell;

	foreach(cell, partitions)
	{
		Relation	rel;
		const Trigger *trigger;

		if (lfirst_oid(cell) == parent)
			continue;
		rel = relation_open(lfirst_oid(cell), NoLock);
		trigger = dogpile_watch_find(rel);
		if (trigger != NULL && !trigger->tgisclone)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("partition \"%s\" is already watched separately",
							RelationGetRelationName(rel)),
					 errhint("Call dogpile_unwatch() for the partition first.")));
		relation_close(rel, NoLock);
	}
}

/* --------------------------------------------------------------------
 * The trigger and its arguments
 * --------------------------------------------------------------------
 */

/* Copy the arguments of a trigger. */
static List *
read_watches(const Trigger *trigger)
{
	List	   *watches = NIL;

	for (int i = 0; trigger != NULL && i + 1 < trigger->tgnargs; i += 2)
	{
		Watch	   *watch = palloc_object(Watch);

		watch->tags = pstrdup(trigger->tgargs[i]);
		watch->region = pstrdup(trigger->tgargs[i + 1]);
		watches = lappend(watches, watch);
	}
	return watches;
}

/* Does a watch have these tags and this region?  NULL stands for any. */
static bool
is_watch(const Watch *watch, const char *tags, const char *region)
{
	return (tags == NULL || strcmp(watch->tags, tags) == 0) &&
		(region == NULL || strcmp(watch->region, region) == 0);
}

static void
execute_command(const char *command)
{
	if (SPI_execute(command, false, 0) < 0)
		elog(ERROR, "could not execute \"%s\"", command);
}

/*
 * Create or replace the trigger, or drop it if the list is empty.
 *
 * function: oid of a function of this extension, for the schema.
 *
 * A trigger that was replaced has to be enabled ALWAYS again.
 */
static void
write_trigger(const char *relation, List *watches, Oid function)
{
	const char *schema = get_namespace_name(get_func_namespace(function));
	const char *separator = "";
	StringInfoData command;
	ListCell   *cell;

	initStringInfo(&command);
	if (watches == NIL)
	{
		appendStringInfo(&command, "DROP TRIGGER %s ON %s",
						 DOGPILE_WATCH_TRIGGER, relation);
		execute_command(command.data);
		return;
	}
	appendStringInfo(&command,
					 "CREATE OR REPLACE TRIGGER %s AFTER INSERT OR UPDATE OR DELETE ON %s"
					 " FOR EACH ROW EXECUTE FUNCTION %s(",
					 DOGPILE_WATCH_TRIGGER, relation,
					 quote_qualified_identifier(schema, DOGPILE_WATCH_FUNCTION));
	foreach(cell, watches)
	{
		Watch	   *watch = lfirst(cell);

		appendStringInfo(&command, "%s%s, %s", separator,
						 quote_literal_cstr(watch->tags),
						 quote_literal_cstr(watch->region));
		separator = ", ";
	}
	appendStringInfoChar(&command, ')');
	execute_command(command.data);

	resetStringInfo(&command);
	appendStringInfo(&command, "ALTER TABLE %s ENABLE ALWAYS TRIGGER %s",
					 relation, DOGPILE_WATCH_TRIGGER);
	execute_command(command.data);
}

/*
 * Write the trigger for a new list of watches.
 *
 * rel: closed here, because a relation that is open cannot be altered; it stays locked.
 */
static void
change_trigger(Relation rel, List *watches, Oid function)
{
	char	   *relation = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
													  RelationGetRelationName(rel));

	relation_close(rel, NoLock);
	SPI_connect();
	write_trigger(relation, watches, function);
	SPI_finish();
}

/* --------------------------------------------------------------------
 * The functions
 * --------------------------------------------------------------------
 */

/* Get an optional text argument as a string, or NULL. */
static char *
get_string(FunctionCallInfo fcinfo, int argno)
{
	return PG_ARGISNULL(argno) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argno));
}

/*
 * Add a watch to a list.  Returns false if it is there already.
 */
static bool
add_watch(List **watches, Relation rel, char *tags, char *region)
{
	ListCell   *cell;
	Watch	   *watch;

	foreach(cell, *watches)
	{
		if (is_watch(lfirst(cell), tags, region))
			return false;
	}
	if (list_length(*watches) >= MAX_WATCHES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("relation \"%s\" is watched for too many tags",
						RelationGetRelationName(rel)),
				 errdetail("The limit is %d.", MAX_WATCHES)));
	watch = palloc_object(Watch);
	watch->tags = tags;
	watch->region = region;
	*watches = lappend(*watches, watch);
	return true;
}

/*
 * dogpile_watch(relation regclass, tags text, region text)
 *
 * A trigger that was disabled is enabled again.
 *
 * Locks: ShareRowExclusiveLock on the relation and its partitions, to the end of
 * the transaction.
 */
Datum
dogpile_watch(PG_FUNCTION_ARGS)
{
	Oid			relid;
	Relation	rel;
	const Trigger *trigger;
	List	   *watches;
	char	   *tags;
	char	   *region = "";

	dogpile_config_require_preload();
	dogpile_sql_require_arg(fcinfo, ARG_RELATION, "relation");
	dogpile_sql_require_arg(fcinfo, ARG_TAGS, "tags");
	relid = PG_GETARG_OID(ARG_RELATION);
	tags = get_string(fcinfo, ARG_TAGS);
	if (!PG_ARGISNULL(ARG_REGION))
		region = pstrdup(dogpile_call_open_region(PG_GETARG_TEXT_PP(ARG_REGION))->name);

	rel = open_own_relation(relid, ShareRowExclusiveLock);
	check_relation_kind(rel);
	dogpile_watch_check_template(rel, tags);
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		check_watched_partitions(relid);

	/* Nothing may be looked up from here until the trigger has been used. */
	trigger = find_own_trigger(rel);
	watches = read_watches(trigger);
	if (!add_watch(&watches, rel, tags, region) &&
		trigger->tgenabled == TRIGGER_FIRES_ALWAYS)
	{
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("relation \"%s\" is already watched for tags \"%s\"",
						RelationGetRelationName(rel), tags)));
		relation_close(rel, NoLock);
	}
	else
		change_trigger(rel, watches, fcinfo->flinfo->fn_oid);
	PG_RETURN_VOID();
}

/*
 * dogpile_unwatch(relation regclass, tags text, region text)
 *
 * NULL stands for all tags or regions.  Returns the number of watches removed.
 *
 * Locks: AccessExclusiveLock on the relation, as DROP TRIGGER needs it, to the
 * end of the transaction.
 */
Datum
dogpile_unwatch(PG_FUNCTION_ARGS)
{
	char	   *tags = get_string(fcinfo, ARG_TAGS);
	char	   *region = get_string(fcinfo, ARG_REGION);
	List	   *kept = NIL;
	int			removed = 0;
	Relation	rel;
	List	   *watches;
	ListCell   *cell;

	dogpile_sql_require_arg(fcinfo, ARG_RELATION, "relation");
	rel = open_own_relation(PG_GETARG_OID(ARG_RELATION), AccessExclusiveLock);
	watches = read_watches(find_own_trigger(rel));
	foreach(cell, watches)
	{
		if (is_watch(lfirst(cell), tags, region))
			removed++;
		else
			kept = lappend(kept, lfirst(cell));
	}
	if (removed > 0)
		change_trigger(rel, kept, fcinfo->flinfo->fn_oid);
	else
		relation_close(rel, NoLock);
	PG_RETURN_INT32(removed);
}

/* Get the string at a position of a bytea, and advance the position. */
static char *
next_string(const bytea *strings, Size *pos)
{
	const char *start = VARDATA_ANY(strings) + *pos;
	Size		len = strnlen(start, VARSIZE_ANY_EXHDR(strings) - *pos);

	*pos += len + 1;
	pg_verifymbstr(start, len, false);
	return pnstrdup(start, len);
}

/*
 * dogpile_watch_arguments(arguments bytea)
 *
 * Returns the pairs in pg_trigger.tgargs, which are zero-terminated strings.  The argument
 * may be anything.
 */
Datum
dogpile_watch_arguments(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bytea	   *arguments = PG_GETARG_BYTEA_PP(0);
	Size		pos = 0;

	InitMaterializedSRF(fcinfo, 0);
	while (pos < VARSIZE_ANY_EXHDR(arguments))
	{
		char	   *tags = next_string(arguments, &pos);
		char	   *region;
		Datum		values[2];
		bool		nulls[2] = {false, false};

		if (pos >= VARSIZE_ANY_EXHDR(arguments))
			break;
		region = next_string(arguments, &pos);
		values[0] = CStringGetTextDatum(tags);
		values[1] = CStringGetTextDatum(region);
		nulls[1] = region[0] == '\0';
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
