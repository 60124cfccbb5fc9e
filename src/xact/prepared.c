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
 *	  src/xact/prepared.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/defrem.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "lib/compat.h"
#include "lib/stop.h"
#include "version/object.h"
#include "xact/catalog.h"
#include "xact/change.h"
#include "xact/invalidate.h"
#include "xact/prepared.h"

/* The fourth field of the lock that says "has changed catalogs"; see lock.c. */
#define CATALOGS_LOCK_CLASS		0xD1

static ProcessUtility_hook_type prev_process_utility = NULL;

/*
 * Have it remembered, for as long as the transaction is prepared, that it has
 * changed catalogs.  Called at PRE_PREPARE.
 *
 * Errors: out of shared memory.  Locks: takes one of our own, shared.
 */
static void
mark_catalogs(void)
{
	LOCKTAG		tag;

	if (!dogpile_catalog_has_changed())
		return;
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, CATALOGS_LOCK_CLASS);
	(void) LockAcquire(&tag, ShareLock, false, false);
}

const DogpileParticipant dogpile_prepared_participant = {
	.pre_prepare = mark_catalogs
};

/* What a set-returning function needs to be called without a query. */
typedef struct SetCall
{
	FmgrInfo	function;
	ReturnSetInfo result;
	union
	{
		FunctionCallInfoBaseData info;
		char		room[SizeForFunctionCallInfo(0)];
	}			call;
} SetCall;

/* Begin to call one without arguments. */
static void
begin_set(SetCall *set, Oid function)
{
	memset(set, 0, sizeof(SetCall));
	fmgr_info(function, &set->function);
	set->result.type = T_ReturnSetInfo;
	set->result.econtext = CreateStandaloneExprContext();
	set->result.allowedModes = (int) SFRM_ValuePerCall;
	set->result.returnMode = SFRM_ValuePerCall;
	InitFunctionCallInfoData(set->call.info, &set->function, 0, InvalidOid, NULL,
							 (fmNodePtr) &set->result);
}

/* The next row, or NULL at the end. */
static HeapTupleHeader
next_of_set(SetCall *set)
{
	Datum		row = FunctionCallInvoke(&set->call.info);

	if (set->result.isDone == ExprMultipleResult)
		return DatumGetHeapTupleHeader(row);
	FreeExprContext(set->result.econtext, true);
	return NULL;
}

/*
 * The id of a prepared transaction, or none if there is no such.
 *
 * What PostgreSQL tells of it by the view pg_prepared_xacts is asked for without a
 * query, which would count as one of the user's, and depend on rights on the view.
 */
static TransactionId
find_prepared(const char *gid)
{
	TransactionId found = InvalidTransactionId;
	HeapTupleHeader row;
	SetCall		set;

	begin_set(&set, F_PG_PREPARED_XACT);
	while ((row = next_of_set(&set)) != NULL)
	{
		bool		isnull;
		Datum		xid = GetAttributeByName(row, "transaction", &isnull);
		Datum		name = GetAttributeByName(row, "gid", &isnull);

		if (strcmp(TextDatumGetCString(name), gid) == 0)
			found = DatumGetTransactionId(xid);
	}
	return found;
}

/* Which of all locks is the one that a transaction has on its own id, or NULL? */
static const LockInstanceData *
find_own_lock(const LockData *locks, TransactionId xid)
{
	for (int i = 0; i < locks->nelements; i++)
	{
		const LockInstanceData *lock = &locks->locks[i];

		if (lock->locktag.locktag_type == LOCKTAG_TRANSACTION &&
			lock->locktag.locktag_field1 == xid &&
			(lock->holdMask & LOCKBIT_ON(ExclusiveLock)) != 0)
			return lock;
	}
	return NULL;
}

/* Is this what mark_catalogs() has taken? */
static bool
marks_catalogs(const LockInstanceData *lock)
{
	return lock->locktag.locktag_type == LOCKTAG_ADVISORY &&
		lock->locktag.locktag_field4 == CATALOGS_LOCK_CLASS;
}

/* When the statement ends, others have been told of the transaction's changes. */
static void
add_slot(DogpileSlot slot)
{
	dogpile_invalidate_add(slot, true, DOGPILE_AT_COMMIT);
}

/*
 * Note what the transaction may have changed.
 *
 * Its locks have the holder in common, even while PREPARE TRANSACTION hands them over
 * to the one that stands for the prepared transaction; one of them is on its id.
 * They must be looked at after the id was found: by then it has all of them.
 *
 * Returns its id, or none if it has changed catalogs, which are read as they are now,
 * whatever a query's snapshot; or if there is no such transaction.
 */
static TransactionId
note_locks(const char *gid)
{
	TransactionId xid = find_prepared(gid);
	LockData   *locks;
	const LockInstanceData *own;

	if (!TransactionIdIsValid(xid))
		return InvalidTransactionId;
	locks = GetLockStatusData();
	own = find_own_lock(locks, xid);
	for (int i = 0; i < locks->nelements && own != NULL; i++)
	{
		const LockInstanceData *lock = &locks->locks[i];

		if (!dogpile_is_same_holder_compat(lock, own))
			continue;
		if (dogpile_change_is_allowed_by(lock))
		{
			add_slot(dogpile_object_rows(lock->locktag.locktag_field2));
			add_slot(dogpile_object_relation(lock->locktag.locktag_field2));
		}
		else if (marks_catalogs(lock))
		{
			add_slot(dogpile_object_database());
			add_slot(dogpile_object_cluster());
			xid = InvalidTransactionId;
		}
	}
	pfree(locks->locks);
	pfree(locks);
	return xid;
}

/*
 * Note and mark what is about to be committed.
 *
 * Errors: out of memory.
 */
static void
begin_commit(const char *gid)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "dogpile prepared transaction",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	TransactionId xid;

	PushActiveSnapshot(GetTransactionSnapshot());
	xid = note_locks(gid);
	PopActiveSnapshot();
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
	dogpile_invalidate_make_unique();
	dogpile_invalidate_mark(xid);
	dogpile_invalidate_keep_on_abort();
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
	{
		begin_commit(((TransactionStmt *) pstmt->utilityStmt)->gid);
		dogpile_stop(DOGPILE_STOP_MARKED);
	}
	process(pstmt, query, read_only_tree, context, params, environment, dest, qc);
	if (kind == DOGPILE_STATEMENT_VACUUM)
		dogpile_catalog_end_vacuum();
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
