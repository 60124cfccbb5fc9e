/*-------------------------------------------------------------------------
 *
 * lock.h
 *	  The creator lock: one session computes a value, the others wait.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/lock.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_LOCK_H
#define DOGPILE_LOCK_H

#include "datatype/timestamp.h"

/* How a wait for the creator lock ended. */
typedef enum DogpileLockResult
{
	DOGPILE_LOCK_OK,
	DOGPILE_LOCK_TIMED_OUT,		/* the region's own limit was reached */
	DOGPILE_LOCK_UNAVAILABLE	/* the server's lock table is full */
} DogpileLockResult;

/* A deadline that is never reached. */
#define DOGPILE_NO_DEADLINE		DT_NOEND

extern bool dogpile_lock_try(uint64 hash);
extern DogpileLockResult dogpile_lock_wait(uint64 hash, TimestampTz deadline);
extern DogpileLockResult dogpile_lock_acquire(uint64 hash, TimestampTz deadline);
extern void dogpile_lock_release(uint64 hash);
extern bool dogpile_lock_has_waiters(uint64 hash);
extern bool dogpile_lock_is_held(uint64 hash);

#endif							/* DOGPILE_LOCK_H */
