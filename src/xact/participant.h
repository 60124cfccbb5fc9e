/*-------------------------------------------------------------------------
 *
 * participant.h
 *	  Modules that take part in the end of transactions.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/participant.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_PARTICIPANT_H
#define DOGPILE_PARTICIPANT_H

#include "config/setting.h"
#include "entry/key.h"
#include "version/tag.h"

/*
 * What a module does when a transaction ends; NULL where it does nothing.
 *
 * Before the commit, callbacks may raise errors and obey interrupts; the transaction is
 * then rolled back, and abort() follows.  The other callbacks must not fail, and are
 * called with interrupts held off.  No LWLock is held when a callback is called or when
 * it returns.
 */
typedef struct DogpileParticipant
{
	/*
	 * At once: the transaction has invalidated a key of a region, a region
	 * (no key), or tags (no region).  May raise errors.
	 */
	void		(*note_invalidation) (DogpileRegion *region, const DogpileKey *key,
									  const DogpileTags *tags, bool hard);

	/* Before the commit. */
	void		(*pre_commit) (void);
	void		(*pre_prepare) (void);	/* before PREPARE TRANSACTION */

	/* Afterwards. */
	void		(*commit) (void);	/* others see the transaction */
	void		(*abort) (void);	/* perhaps without pre_commit() before */

	/*
	 * After commit() or abort() of all participants, after PREPARE
	 * TRANSACTION, and at the end of a parallel worker's transaction.
	 */
	void		(*end) (bool is_commit);

	/* After end() of a commit, when invalidation messages have been sent. */
	void		(*told) (void);

	/* A subtransaction is released or rolled back. */
	void		(*subcommit) (SubTransactionId subid, SubTransactionId parent);
	void		(*subabort) (SubTransactionId subid);
} DogpileParticipant;

/* The same participants in two orders, each with NULL at its end. */
extern void dogpile_participant_init(const DogpileParticipant *const *before_commit,
									 const DogpileParticipant *const *after_commit);
extern void dogpile_participant_note_invalidation(DogpileRegion *region,
												  const DogpileKey *key,
												  const DogpileTags *tags, bool hard);

#endif							/* DOGPILE_PARTICIPANT_H */
