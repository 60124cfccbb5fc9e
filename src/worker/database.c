/*-------------------------------------------------------------------------
 *
 * database.c
 *	  Databases that are dropped or renamed, or get another owner.
 *
 * Entries in shared memory belong to a database by its OID, which may be used again:
 * CREATE DATABASE accepts an OID, and OIDs wrap around.  Entries outside belong to it by
 * its name, unless the region has a "namespace".  And a value that was computed from
 * current_database() is wrong after a rename.  So all entries of a database are
 * invalidated when it is dropped or renamed.
 *
 * No session is connected to a database that is dropped or renamed.  So only the versions
 * of regions have to be changed: those of that database, not of the session's own.
 *
 * The owner of a database has the rights of pg_database_owner, without a row in
 * pg_auth_members.  So entries are also invalidated when the owner changes.  In that
 * case other sessions may be connected, and have to find out again which schemas they
 * may use (catalog.c).
 *
 * On a standby no statement runs.  If an OID is used again before the standby is
 * restarted, its entries in shared memory are found in the second database.
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
 * Only regions that have been used can have entries.  Invalidating all possible regions
 * would also hit, by hash, one in sixteen regions of other databases.
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

/* Invalidate its entries outside, in all regions that use the name of the database. */
static void
invalidate_outside(const char *name)
{
	ListCell   *lc;

	if (dogpile_version_table == NULL)
		return;
	foreach(lc, dogpile_config_regions())
		dogpile_announce_database(lfirst(lc), name);
}

/* The name of the database that a statement drops or renames, or NULL. */
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
 * The statement runs in a transaction of its own, or is rolled back together with the
 * invalidations.
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
 * A database gets another owner, the only member of pg_database_owner.  REASSIGN OWNED
 * does that, too, so this does not look for statements.
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

/* Register the hooks.  Called once, at load. */
void
dogpile_database_init(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = see_database_utility;
	prev_object_access = object_access_hook;
	object_access_hook = see_database_access;
}
