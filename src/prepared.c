/*-------------------------------------------------------------------------
 *
 * prepared.c
 *	  Transactions that are prepared, and committed by another session.
 *
 * At COMMIT PREPARED no callback tells what the transaction has changed: that is
 * known only at PREPARE TRANSACTION, which may be days and several restarts ago.
 * But its locks last as long as it does.  So whatever relation it has locked so that
 * it could have changed it counts as changed.  Changes of catalogs need not leave
 * a lock (REVOKE takes none); a transaction with such changes takes a lock of our own
 * at PREPARE, which says so.
 *
 * Until COMMIT PREPARED nothing has changed for anybody, and entries are as good as
 * before.  Then the same is done as for any other commit: marks before it, the tick
 * after it.  Should the statement fail in between, it is not known whether the
 * transaction has been committed, so the tick comes in any case.
 *
 * Statements pass through here, so this is also where it is noted that VACUUM
 * and ANALYZE are none that change anything, and what the clock of versions shows
 * before a transaction has a snapshot.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/prepared.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "catalog.h"
#include "change.h"
#include "object.h"
#include "prepared.h"

/* The fourth field of the lock that says "has changed catalogs"; see lock.c. */
#define CATALOGS_LOCK_CLASS		0xD1

static ProcessUtility_hook_type prev_process_utility = NULL;

/*
 * The id of a prepared transaction; and its locks, as pg_locks shows them: the
 * relations that it may have changed, or 0 for catalogs.  Its locks have in common
 * what pg_locks calls their virtual transaction, even while PREPARE TRANSACTION hands
 * them over; one of them is on its id.  They must be looked at after the id was found:
 * by then it has all of them.
 *
 * Run with the rights of a superuser under the search path of anybody, so nothing in
 * them, nor what the parser adds, may be looked up there (as "CASE x WHEN y" would be).
 */
static const char id_query[] =
"SELECT p.transaction FROM pg_catalog.pg_prepared_xacts AS p"
" WHERE p.gid OPERATOR(pg_catalog.=) $1";

static const char locks_query[] =
"SELECT CASE WHEN l.locktype OPERATOR(pg_catalog.=) 'relation' THEN l.relation"
" ELSE 0::pg_catalog.oid END"
" FROM pg_catalog.pg_locks AS x, pg_catalog.pg_locks AS l"
" WHERE x.transactionid OPERATOR(pg_catalog.=) $1"
" AND x.mode OPERATOR(pg_catalog.=) 'ExclusiveLock'"
" AND l.virtualtransaction OPERATOR(pg_catalog.=) x.virtualtransaction"
" AND (l.locktype OPERATOR(pg_catalog.=) 'relation'"
" AND l.mode OPERATOR(pg_catalog.=) ANY ('{RowExclusiveLock,ShareRowExclusiveLock,"
"ExclusiveLock,AccessExclusiveLock}'::pg_catalog.text[])"
" OR l.locktype OPERATOR(pg_catalog.=) 'advisory'"
" AND l.objsubid OPERATOR(pg_catalog.=) 209)";

StaticAssertDecl(CATALOGS_LOCK_CLASS == 209, "the query names the class of the lock");

/*
 * Have it remembered, for as long as the transaction is prepared, that it has
 * changed catalogs.  Called at PRE_PREPARE.
 *
 * Errors: out of shared memory.  Locks: takes one of our own, shared.
 */
void
dogpile_prepared_mark_catalogs(void)
{
	LOCKTAG		tag;

	if (!dogpile_catalog_has_changed())
		return;
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, CATALOGS_LOCK_CLASS);
	(void) LockAcquire(&tag, ShareLock, false, false);
}

/* Within SPI: run one of the queries.  The rows are in SPI_tuptable. */
static void
run_query(const char *query, Oid type, Datum value)
{
	if (SPI_execute_with_args(query, 1, &type, &value, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look at a prepared transaction");
}

/* The only column of a row that they gave. */
static Datum
get_value(uint64 row)
{
	bool		isnull;

	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &isnull);
}

/*
 * Within SPI: note what the transaction may have changed.
 *
 * Returns its id, or none if it has changed catalogs, which are read as they are now,
 * whatever a query's snapshot; or if there is no such transaction.
 */
static TransactionId
add_locked(const char *gid)
{
	TransactionId xid;

	run_query(id_query, TEXTOID, CStringGetTextDatum(gid));
	if (SPI_processed == 0)
		return InvalidTransactionId;
	xid = DatumGetTransactionId(get_value(0));
	run_query(locks_query, XIDOID, TransactionIdGetDatum(xid));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Oid			relid = DatumGetObjectId(get_value(i));

		if (OidIsValid(relid))
		{
			dogpile_change_add(dogpile_object_rows(relid));
			dogpile_change_add(dogpile_object_relation(relid));
		}
		else
		{
			dogpile_change_add(dogpile_object_database());
			dogpile_change_add(dogpile_object_cluster());
			xid = InvalidTransactionId;
		}
	}
	return xid;
}

/*
 * Note and mark what is about to be committed.
 *
 * Errors: those of a query.
 */
static void
begin_commit(const char *gid)
{
	TransactionId xid;
	Oid			user;
	int			context;

	/* The views may have been closed to ordinary users. */
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, context | SECURITY_LOCAL_USERID_CHANGE);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	xid = add_locked(gid);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not disconnect from SPI");
	PopActiveSnapshot();
	SetUserIdAndSecContext(user, context);
	dogpile_change_mark(xid);
	dogpile_change_set_foreign();
}

/* Is this VACUUM FULL, which moves rows?  A query may tell where they are. */
static bool
is_vacuum_full(const VacuumStmt *statement)
{
	ListCell   *lc;

	foreach(lc, statement->options)
	{
		DefElem    *option = lfirst(lc);

		if (strcmp(option->defname, "full") == 0 && defGetBoolean(option))
			return true;
	}
	return false;
}

/* What does a statement mean for the messages of its transaction? */
static DogpileStatement
classify(const Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_VacuumStmt:
			return is_vacuum_full((const VacuumStmt *) statement) ?
				DOGPILE_STATEMENT_OTHER : DOGPILE_STATEMENT_VACUUM;
		case T_TransactionStmt:
		case T_VariableSetStmt:
		case T_VariableShowStmt:
			return DOGPILE_STATEMENT_NEUTRAL;
		default:
			return DOGPILE_STATEMENT_OTHER;
	}
}

/* Is this COMMIT PREPARED, and may it be?  If not, the error comes later. */
static bool
is_commit_prepared(const Node *statement)
{
	return IsA(statement, TransactionStmt) &&
		((const TransactionStmt *) statement)->kind == TRANS_STMT_COMMIT_PREPARED &&
		!IsTransactionBlock();
}

/* Does a statement give the transaction a snapshot that is older than itself? */
static bool
imports_snapshot(const Node *statement)
{
	const VariableSetStmt *set = (const VariableSetStmt *) statement;

	return IsA(statement, VariableSetStmt) && set->kind == VAR_SET_MULTI &&
		strcmp(set->name, "TRANSACTION SNAPSHOT") == 0;
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *qc)
{
	ProcessUtility_hook_type process = prev_process_utility ?
		prev_process_utility : standard_ProcessUtility;
	DogpileStatement kind = classify(pstmt->utilityStmt);
	bool		is_commit = is_commit_prepared(pstmt->utilityStmt);

	dogpile_change_note_statement(kind);
	if (is_commit)
		begin_commit(((TransactionStmt *) pstmt->utilityStmt)->gid);
	process(pstmt, query, read_only_tree, context, params, environment, dest, qc);
	if (kind == DOGPILE_STATEMENT_VACUUM)
		dogpile_catalog_end_vacuum();
	if (is_commit)
		dogpile_change_commit();
	if (imports_snapshot(pstmt->utilityStmt))
		dogpile_version_forget_snapshot();
	else
		dogpile_version_note_snapshot();
}

/* See all statements that are not queries.  Called once, at load. */
void
dogpile_prepared_init(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
