/*-------------------------------------------------------------------------
 *
 * held_lock.c
 *	  The heavyweight locks that one transaction holds.
 *
 * Locks last as long as the transaction.  So they tell what it may have changed if there
 * is no other way to find out: if PostgreSQL does not count rows, or if the transaction
 * is prepared and has no session.  PostgreSQL offers only the locks of all transactions.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/held_lock.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "lib/compat.h"
#include "lib/lwlock_check.h"
#include "xact/catalog.h"
#include "xact/held_lock.h"

/*
 * Begin to read the locks of this session's transaction.
 *
 * Errors: out of memory.  Locks: no LWLock may be held; takes those of the lock table.
 */
void
dogpile_held_lock_open_own(DogpileHeldLocks *locks)
{
	DogpileAssertNoneHeld();
	locks->all = GetLockStatusData();
	locks->one = NULL;
	locks->next = 0;
	for (int i = 0; i < locks->all->nelements && locks->one == NULL; i++)
		if (locks->all->locks[i].pid == MyProcPid)
			locks->one = &locks->all->locks[i];
}

/* Is this the lock that a transaction has on its own id? */
static bool
is_on_own_id(const LockInstanceData *lock, TransactionId xid)
{
	return lock->locktag.locktag_type == LOCKTAG_TRANSACTION &&
		lock->locktag.locktag_field1 == xid &&
		(lock->holdMask & LOCKBIT_ON(ExclusiveLock)) != 0;
}

/*
 * Begin to read the locks of a prepared transaction.
 *
 * All of its locks have the same holder, even while PREPARE TRANSACTION transfers them
 * to the process entry of the prepared transaction.  One of them is on its id.
 *
 * Errors, locks: as above.
 */
void
dogpile_held_lock_open_prepared(DogpileHeldLocks *locks, TransactionId xid)
{
	DogpileAssertNoneHeld();
	locks->all = GetLockStatusData();
	locks->one = NULL;
	locks->next = 0;
	for (int i = 0; i < locks->all->nelements && locks->one == NULL; i++)
		if (is_on_own_id(&locks->all->locks[i], xid))
			locks->one = &locks->all->locks[i];
}

/* The next lock, or NULL if there are no more.  Errors: none. */
const LockInstanceData *
dogpile_held_lock_next(DogpileHeldLocks *locks)
{
	while (locks->one != NULL && locks->next < locks->all->nelements)
	{
		const LockInstanceData *lock = &locks->all->locks[locks->next++];

		if (dogpile_is_same_holder_compat(lock, locks->one))
			return lock;
	}
	return NULL;
}

/* Free what was read.  Errors: none. */
void
dogpile_held_lock_close(DogpileHeldLocks *locks)
{
	pfree(locks->all->locks);
	pfree(locks->all);
}

/*
 * The relation whose rows a lock allows its holder to change; InvalidOid if there is
 * none, or if no entry can depend on it.  Errors: none.
 */
Oid
dogpile_held_lock_changeable(const LockInstanceData *lock)
{
	const LOCKMASK modes = LOCKBIT_ON(RowExclusiveLock) |
		LOCKBIT_ON(ShareRowExclusiveLock) | LOCKBIT_ON(ExclusiveLock) |
		LOCKBIT_ON(AccessExclusiveLock);

	if ((lock->holdMask & modes) == 0 ||
		lock->locktag.locktag_type != LOCKTAG_RELATION ||
		lock->locktag.locktag_field1 != MyDatabaseId ||
		!dogpile_catalog_is_of_interest(lock->locktag.locktag_field2))
		return InvalidOid;
	return lock->locktag.locktag_field2;
}
