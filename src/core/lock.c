/*-------------------------------------------------------------------------
 *
 * lock.c
 *	  The creator lock: one session computes a value, the others wait.
 *
 * The lock is a heavyweight lock on the hash of an entry's key.  It takes part in
 * deadlock detection, obeys lock_timeout and cancellation, is shown by pg_locks, and is
 * released whatever happens to its holder.  An LWLock would offer none of these, and
 * would hold off interrupts while the creator's query runs.  Two keys with the same hash
 * share a lock; that costs a wait, but never causes a wrong value, because a session
 * that gets the lock looks the key up again.
 *
 * It is an advisory lock of a class of its own, which users cannot take, and of
 * transaction level, so that pg_advisory_unlock_all() in a creator's query does not
 * release it.  It belongs to the resource owner of the current (sub)transaction, not to
 * that of the query that happens to run.  So any later call in the same subtransaction
 * can release it, and it is released if that is rolled back.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/lock.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "core/lock.h"
#include "lib/clock.h"
#include "lib/compat.h"
#include "lib/lwlock_check.h"

/* The fourth field of the lock tags; PostgreSQL's own advisory locks have 1 and 2. */
#define LOCK_CLASS		0xD0

static void
set_tag(LOCKTAG *tag, uint64 hash)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash,
						 LOCK_CLASS);
}

/* LockAcquire() for the current (sub)transaction. */
static LockAcquireResult
acquire_in_mode(uint64 hash, LOCKMODE mode, bool dont_wait)
{
	ResourceOwner owner = CurrentResourceOwner;
	LockAcquireResult result;
	LOCKTAG		tag;

	DogpileAssertNoneHeld();
	set_tag(&tag, hash);
	CurrentResourceOwner = CurTransactionResourceOwner;
	PG_TRY();
	{
		result = dogpile_lock_acquire_compat(&tag, mode, dont_wait);
	}
	PG_FINALLY();
	{
		CurrentResourceOwner = owner;
	}
	PG_END_TRY();
	return result;
}

static void
release_in_mode(uint64 hash, LOCKMODE mode)
{
	ResourceOwner owner = CurrentResourceOwner;
	LOCKTAG		tag;

	DogpileAssertNoneHeld();
	set_tag(&tag, hash);
	CurrentResourceOwner = CurTransactionResourceOwner;
	LockRelease(&tag, mode, false);
	CurrentResourceOwner = owner;
}

/* Wait without a limit set by the region. */
static DogpileLockResult
wait_forever(uint64 hash, LOCKMODE mode)
{
	return acquire_in_mode(hash, mode, false) == LOCKACQUIRE_NOT_AVAIL ?
		DOGPILE_LOCK_UNAVAILABLE : DOGPILE_LOCK_OK;
}

/*
 * Wait with lock_timeout set to what is left of the region's limit.
 *
 * The error that ends such a wait is caught, which requires a subtransaction.  All other
 * errors are raised again.
 */
static DogpileLockResult
wait_in_subtransaction(uint64 hash, LOCKMODE mode, long timeout_ms)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	int			nest_level = NewGUCNestLevel();
	char		timeout_text[32];
	volatile DogpileLockResult result = DOGPILE_LOCK_TIMED_OUT;

	snprintf(timeout_text, sizeof(timeout_text), "%ld", timeout_ms);
	(void) set_config_option("lock_timeout", timeout_text, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		result = wait_forever(hash, mode);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		AtEOXact_GUC(false, nest_level);
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			ReThrowError(error);
		FreeErrorData(error);
		return DOGPILE_LOCK_TIMED_OUT;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	AtEOXact_GUC(false, nest_level);
	return result;
}

/* Wait until the lock is granted or the deadline is reached. */
static DogpileLockResult
wait_until(uint64 hash, LOCKMODE mode, TimestampTz deadline)
{
	long		left_ms;

	if (deadline == DOGPILE_NO_DEADLINE)
		return wait_forever(hash, mode);

	left_ms = TimestampDifferenceMilliseconds(dogpile_clock_now(), deadline);

	/* If the session's own lock_timeout comes first, its error is raised. */
	if (LockTimeout > 0 && LockTimeout <= left_ms)
		return wait_forever(hash, mode);
	if (left_ms <= 0)
		return acquire_in_mode(hash, mode, true) == LOCKACQUIRE_NOT_AVAIL ?
			DOGPILE_LOCK_TIMED_OUT : DOGPILE_LOCK_OK;
	return wait_in_subtransaction(hash, mode, left_ms);
}

/*
 * Become the creator of a key if there is none.
 *
 * hash: of the key.
 *
 * Returns whether this session is the creator now.
 *
 * Locks: no LWLock may be held.  The creator lock is held until dogpile_lock_release() or
 * the end of the (sub)transaction.
 */
bool
dogpile_lock_try(uint64 hash)
{
	return acquire_in_mode(hash, ExclusiveLock, true) != LOCKACQUIRE_NOT_AVAIL;
}

/*
 * Wait until the present creator of a key is done.  All waiters wake up together.
 *
 * deadline: when to give up, or DOGPILE_NO_DEADLINE.
 *
 * Errors: deadlock; the session's lock_timeout or statement_timeout; cancel.
 * Locks: no LWLock may be held.  Nothing is held on return.
 */
DogpileLockResult
dogpile_lock_wait(uint64 hash, TimestampTz deadline)
{
	DogpileLockResult result = wait_until(hash, ShareLock, deadline);

	if (result == DOGPILE_LOCK_OK)
		release_in_mode(hash, ShareLock);
	return result;
}

/*
 * Queue to become the creator of a key.
 *
 * deadline, errors: as for dogpile_lock_wait().
 *
 * Locks: no LWLock may be held.  If the result is DOGPILE_LOCK_OK the lock is
 * held as after dogpile_lock_try().
 */
DogpileLockResult
dogpile_lock_acquire(uint64 hash, TimestampTz deadline)
{
	return wait_until(hash, ExclusiveLock, deadline);
}

/*
 * Release the creator lock, which wakes the waiters.
 *
 * Locks: this session holds the lock, and took it in the current subtransaction.
 */
void
dogpile_lock_release(uint64 hash)
{
	release_in_mode(hash, ExclusiveLock);
}

/* Does any session wait for this session, which is the creator? */
bool
dogpile_lock_has_waiters(uint64 hash)
{
	LOCKTAG		tag;

	set_tag(&tag, hash);
	return LockHasWaiters(&tag, ExclusiveLock, false);
}

/* Is another session the creator of a key? */
bool
dogpile_lock_is_held(uint64 hash)
{
	LOCKTAG		tag;
	int			count;

	set_tag(&tag, hash);
	(void) GetLockConflicts(&tag, ShareLock, &count);
	return count > 0;
}
