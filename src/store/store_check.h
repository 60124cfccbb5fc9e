/*-------------------------------------------------------------------------
 *
 * store_check.h
 *	  A check of all that the store in shared memory consists of.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/store_check.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_STORE_CHECK_H
#define DOGPILE_STORE_CHECK_H

/*
 * In builds with assertions, check the store; elsewhere, nothing.
 *
 * Errors: out of memory.  Locks: no LWLock may be held; takes those of all partitions
 * and of the pool.
 */
#ifdef USE_ASSERT_CHECKING
extern void dogpile_store_check_init(void);
extern uint32 dogpile_store_check_all(void);

#define dogpile_store_check()	((void) dogpile_store_check_all())
#else
#define dogpile_store_check_init()	((void) 0)
#define dogpile_store_check()		((void) 0)
#endif

#endif							/* DOGPILE_STORE_CHECK_H */
