/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between the PostgreSQL versions that we support.
 *
 * Each wrapper has the form of the newest version in its arguments and its
 * result, and says which floor removes it.  No other file tests
 * PG_VERSION_NUM, except for a hook that only some versions have.  The wrappers
 * are functions and not macros, so that the types of arguments stay checked.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/compat.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_COMPAT_H
#define DOGPILE_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "dogpile requires PostgreSQL 15 or later"
#endif

#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/rangetypes.h"
#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#else
#include "storage/backendid.h"
#endif

/*
 * The number of this process among all backends, from 0 to MaxBackends - 1.
 *
 * Returns -1 in a process that has none (yet), such as the postmaster.
 *
 * Errors: none.
 *
 * Floor 17 removes it: write MyProcNumber.
 */
static inline int
dogpile_proc_number_compat(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProcNumber;
#else
	/* Numbers count from 1 there; InvalidBackendId is -1. */
	return MyBackendId == InvalidBackendId ? -1 : MyBackendId - 1;
#endif
}

/*
 * Take a transaction-level lock, without an error when the lock table is full.
 *
 * locktag: the object; all its bytes count, so none may be left unset.
 * dontWait: do not sleep if the lock cannot be granted at once.
 *
 * Returns what LockAcquire() does, and LOCKACQUIRE_NOT_AVAIL also when there
 * is no room for one more lock.  With dontWait that answer does not tell which
 * of the two it was.
 *
 * Errors: deadlock, lock_timeout, query cancel.  Locks: the one asked for.
 *
 * Floor 18 removes it: call LockAcquireExtended().  Its last argument, whether
 * to log a lock that was not available, does not exist before 18.
 */
static inline LockAcquireResult
dogpile_lock_acquire_compat(const LOCKTAG *locktag, LOCKMODE lockmode,
							bool dontWait)
{
#if PG_VERSION_NUM >= 180000
	return LockAcquireExtended(locktag, lockmode, false, dontWait, false,
							   NULL, false);
#else
	return LockAcquireExtended(locktag, lockmode, false, dontWait, false,
							   NULL);
#endif
}

/*
 * Make a range of its bounds, in its canonical form, in CurrentMemoryContext.
 *
 * Errors: the lower bound is greater than the upper one, or whatever the
 * functions of the range type raise.
 *
 * Floor 16 removes it: call make_range() with no context for soft errors.
 */
static inline RangeType *
dogpile_make_range_compat(TypeCacheEntry *typcache, RangeBound *lower,
						  RangeBound *upper, bool empty)
{
#if PG_VERSION_NUM >= 160000
	return make_range(typcache, lower, upper, empty, NULL);
#else
	return make_range(typcache, lower, upper, empty);
#endif
}

#endif							/* DOGPILE_COMPAT_H */
