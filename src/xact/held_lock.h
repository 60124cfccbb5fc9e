/*-------------------------------------------------------------------------
 *
 * held_lock.h
 *	  The heavyweight locks that one transaction holds.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/held_lock.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_HELD_LOCK_H
#define DOGPILE_HELD_LOCK_H

#include "storage/lock.h"

/* The locks of one transaction; read only by held_lock.c. */
typedef struct DogpileHeldLocks
{
	LockData   *all;			/* those of all transactions */
	const LockInstanceData *one;	/* one that the transaction holds; NULL:
									 * none */
	int			next;
} DogpileHeldLocks;

extern void dogpile_held_lock_open_own(DogpileHeldLocks *locks);
extern void dogpile_held_lock_open_prepared(DogpileHeldLocks *locks, TransactionId xid);
extern const LockInstanceData *dogpile_held_lock_next(DogpileHeldLocks *locks);
extern void dogpile_held_lock_close(DogpileHeldLocks *locks);
extern Oid	dogpile_held_lock_changeable(const LockInstanceData *lock);

#endif							/* DOGPILE_HELD_LOCK_H */
