/*-------------------------------------------------------------------------
 *
 * database.c
 *	  Databases that are dropped or renamed, or get another owner.
 *
 * Entries in shared memory belong to a database by its number, which may come back:
 * CREATE DATABASE can be told one, and numbers wrap around.  Those outside belong to it
 * by its name, unless the region has a "namespace".  And what a query has made of
 * current_database() is wrong after a rename.  So all entries of a database are
 * invalidated when it is dropped or renamed.
 *
 * Nobody can be connected to a database that is dropped or renamed.  So there is nothing
 * but the region's versions to change: of this database, not of our own.
 *
 * The owner of a database has the rights of pg_database_owner, which no membership in the
 * catalogs tells of.  So entries go with that, too; here others may be connected, and
 * have to find out anew which schemas they may use (catalog.c).
 *
 * A standby sees no statement.  If a number comes back there before it is restarted, what
 * it has in shared memory of the first database is found in the second one.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/worker/database.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"

#include "config/region_number.h"
#include "remote/announce.h"
#include "worker/database.h"
#include "xact/xact.h"

static ProcessUtility_hook_type prev_process_utility = NULL;
static object_access_hook_type prev_object_access = NULL;

/*
 * Invalidate all entries of a database in shared memory, at COMMIT.
 *
 * Only regions that have been used can have any, and nobody is connected to the database
 * now.  To take all that there might be would hit the slots of one in sixteen regions of
 * other databases, by hash.
 */
static void
invalidate_entries(Oid database)
{
	int			count;

	if (!OidIsValid(database) || dogpile_version_table == NULL)
		return;
	count = dogpile_region_number_count();
	for (int i = 0; i < count; i++)
		dogpile_xact_invalidate(dogpile_version_region_slot(database, i), true);
}

/* ... and those outside of one of this name, in all regions that name them by it. */
static void
invalidate_outside(const char *name)
{
	ListCell   *lc;

	if (dogpile_version_table == NULL)
		return;
	foreach(lc, dogpile_config_regions())
		dogpile_announce_database(lfirst(lc), name);
}

/* The name of a database that a statement is about to drop or rename, or NULL. */
static const char *
find_ended(const Node *statement)
{
	if (IsA(statement, DropdbStmt))
		return ((const DropdbStmt *) statement)->dbname;
	if (IsA(statement, RenameStmt) &&
		((const RenameStmt *) statement)->renameType == OBJECT_DATABASE)
		return ((const RenameStmt *) statement)->subname;
	return NULL;
}

/*
 * The statement has its own transaction, or it is rolled back with what was noted here.
 */
static void
see_database_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *qc)
{
	ProcessUtility_hook_type process = prev_process_utility ?
		prev_process_utility : standard_ProcessUtility;
	const char *ended = find_ended(pstmt->utilityStmt);
	Oid			database = ended != NULL ? get_database_oid(ended, true) : InvalidOid;

	process(pstmt, query, read_only_tree, context, params, environment, dest, qc);
	if (OidIsValid(database))
	{
		invalidate_entries(database);
		invalidate_outside(ended);
	}
}

/*
 * A database is given another owner, and rights with it: its owner is the one member of
 * pg_database_owner.  REASSIGN OWNED does that, too, so no statement is looked for.
 */
static void
see_database_access(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if (access == OAT_POST_ALTER && class == DatabaseRelationId)
	{
		char	   *name = get_database_name(object);

		invalidate_entries(object);
		if (name != NULL)
			invalidate_outside(name);
	}
	if (prev_object_access)
		prev_object_access(access, class, object, sub, arg);
}

/* See databases come and go.  Called once, at load. */
void
dogpile_database_init(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = see_database_utility;
	prev_object_access = object_access_hook;
	object_access_hook = see_database_access;
}
