/*-------------------------------------------------------------------------
 *
 * lwlock_check.h
 *	  Assertions about LWLocks.
 *
 * They check what the comments on locks say: which lock a function needs, and
 * where none may be held because what follows can raise an error, wait, or read
 * and write files and sockets.  Builds without assertions contain none of them.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/lwlock_check.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_LWLOCK_CHECK_H
#define DOGPILE_LWLOCK_CHECK_H

#include "storage/lwlock.h"

#ifdef USE_ASSERT_CHECKING

static inline void
dogpile_lwlock_check_count_one(LWLock *lock, LWLockMode mode, void *count)
{
	++*(int *) count;
}

/* How many LWLocks this process holds, PostgreSQL's and ours. */
static inline int
dogpile_lwlock_check_count(void)
{
	int			count = 0;

	ForEachLWLockHeldByMe(dogpile_lwlock_check_count_one, &count);
	return count;
}

#endif

/*
 * This process holds the lock.
 *
 * mode: LW_EXCLUSIVE, or LW_SHARED if any mode will do.
 */
#define DogpileAssertHeld(lock, mode) \
	Assert((mode) == LW_SHARED ? LWLockHeldByMe(lock) : \
		   LWLockHeldByMeInMode((lock), (mode)))

/* This process does not hold the lock. */
#define DogpileAssertNotHeld(lock) \
	Assert(!LWLockHeldByMe(lock))

/* This process holds no LWLock at all. */
#define DogpileAssertNoneHeld() \
	Assert(dogpile_lwlock_check_count() == 0)

#endif							/* DOGPILE_LWLOCK_CHECK_H */
