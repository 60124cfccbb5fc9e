/*-------------------------------------------------------------------------
 *
 * invalidate.h
 *	  The slots that a transaction invalidates when it commits.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/invalidate.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_INVALIDATE_H
#define DOGPILE_INVALIDATE_H

#include "version/version.h"

/* When an invalidation takes effect. */
typedef enum DogpileMoment
{
	DOGPILE_AT_COMMIT,			/* as soon as others see the transaction */
	DOGPILE_WHEN_TOLD			/* when its messages about catalogs have been
								 * sent */
} DogpileMoment;

/* A tick of the clock; the version lock is held. */
typedef struct DogpileTick
{
	DogpileClock at;
	uint64		next_xid;		/* full transaction id, read after the commit */
	bool		has_readers;	/* see version.c; read after the commit, too */
} DogpileTick;

extern void dogpile_invalidate_add(DogpileSlot slot, bool hard, DogpileMoment when);
extern void dogpile_invalidate_make_unique(void);
extern void dogpile_invalidate_mark(TransactionId xid);
extern void dogpile_invalidate_keep_on_abort(void);
extern void dogpile_invalidate_abort(void);
extern bool dogpile_invalidate_has_any(void);
extern bool dogpile_invalidate_is_pending(DogpileMoment when);
extern bool dogpile_invalidate_is_wanted(DogpileMoment when, bool has_readers);
extern void dogpile_invalidate_bump_locked(const DogpileTick *tick, DogpileSlot slot,
										   bool hard);
extern int	dogpile_invalidate_bump_some_locked(const DogpileTick *tick, DogpileMoment when,
												int from, int max);
extern void dogpile_invalidate_unmark(DogpileMoment when);
extern void dogpile_invalidate_forget(void);

#endif							/* DOGPILE_INVALIDATE_H */
