/*-------------------------------------------------------------------------
 *
 * prepared.c
 *	  Prepared transactions (two-phase commit).
 *
 * At COMMIT PREPARED, no callback tells what the transaction has changed.  That is known
 * only at PREPARE TRANSACTION, which may be days and several restarts ago.  But its locks
 * last until then.  So a relation counts as changed if the transaction holds a lock on it
 * that allows changes.  Changes of catalogs need not leave a lock (REVOKE takes none).
 * Therefore a transaction with such changes takes an advisory lock of a class of its own
 * at PREPARE TRANSACTION.
 *
 * Until COMMIT PREPARED, entries are valid as before.  Then the same is done as for any
 * other commit: marks before it, the tick after it.  If the statement fails in between,
 * the transaction may or may not be committed, so the tick follows in any case.
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
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "lib/lwlock_check.h"
#include "version/object.h"
#include "xact/catalog.h"
#include "xact/held_lock.h"
#include "xact/invalidate.h"
#include "xact/prepared.h"

/* The fourth field of the lock of a transaction that has changed catalogs; see lock.c. */
#define CATALOGS_LOCK_CLASS		0xD1

/*
 * PRE_PREPARE: take the lock that tells that the transaction has changed catalogs.
 *
 * Errors: out of shared memory.
 */
static void
mark_catalogs(void)
{
	LOCKTAG		tag;

	DogpileAssertNoneHeld();
	if (!dogpile_catalog_has_changed())
		return;
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, CATALOGS_LOCK_CLASS);
	(void) LockAcquire(&tag, ShareLock, false, false);
}

const DogpileParticipant dogpile_prepared_participant = {
	.pre_prepare = mark_catalogs
};

/* A call of a set-returning function without a query. */
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

/* Begin the call of a function without arguments. */
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

/* Return the next row, or NULL at the end. */
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
 * The id of a prepared transaction, or InvalidTransactionId if there is none.
 *
 * The function of the view pg_prepared_xacts is called directly: a query would be
 * counted as one of the user, and would need rights on the view.
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

/* Is this a lock that mark_catalogs() has taken? */
static bool
marks_catalogs(const LockInstanceData *lock)
{
	return lock->locktag.locktag_type == LOCKTAG_ADVISORY &&
		lock->locktag.locktag_field4 == CATALOGS_LOCK_CLASS;
}

/* At the end of the statement, the prepared transaction's messages have been sent. */
static void
add_prepared_slot(DogpileSlot slot)
{
	dogpile_invalidate_add(slot, true, DOGPILE_AT_COMMIT);
}

/*
 * Add the slots of what the transaction may have changed.
 *
 * Its locks are read after its id was found: by then it has all of them.
 *
 * Returns its id; or InvalidTransactionId if it has changed catalogs, which sessions read
 * whatever their snapshots, or if there is no such transaction.
 */
static TransactionId
note_changes(const char *gid)
{
	TransactionId xid = find_prepared(gid);
	DogpileHeldLocks locks;
	const LockInstanceData *lock;

	if (!TransactionIdIsValid(xid))
		return InvalidTransactionId;
	dogpile_held_lock_open_prepared(&locks, xid);
	while ((lock = dogpile_held_lock_next(&locks)) != NULL)
	{
		Oid			relid = dogpile_held_lock_changeable(lock);

		if (OidIsValid(relid))
		{
			add_prepared_slot(dogpile_object_rows(relid));
			add_prepared_slot(dogpile_object_relation(relid));
		}
		else if (marks_catalogs(lock))
		{
			add_prepared_slot(dogpile_object_database());
			add_prepared_slot(dogpile_object_cluster());
			xid = InvalidTransactionId;
		}
	}
	dogpile_held_lock_close(&locks);
	return xid;
}

/*
 * COMMIT PREPARED is about to run: mark what the transaction has changed.
 *
 * gid: its name; it need not exist.
 *
 * Errors: out of memory.  Locks: no LWLock may be held.
 */
void
dogpile_prepared_begin_commit(const char *gid)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "dogpile prepared transaction",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	TransactionId xid;

	DogpileAssertNoneHeld();
	PushActiveSnapshot(GetTransactionSnapshot());
	xid = note_changes(gid);
	PopActiveSnapshot();
	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
	dogpile_invalidate_make_unique();
	dogpile_invalidate_mark(xid);
	dogpile_invalidate_keep_on_abort();
}
