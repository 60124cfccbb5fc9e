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
 * Before the commit, a callback may raise errors and obey interrupts; the transaction
 * is then rolled back, and abort() follows.  Everything else must not fail, takes no
 * memory that it could do without, and is called with interrupts held off.  No LWLock
 * is held when a callback is called, and none when it returns.
 */
typedef struct DogpileParticipant
{
	/*
	 * At once: the transaction has invalidated a key of a region, a region (no key),
	 * or tags (no region).  May raise errors.
	 */
	void		(*note_invalidation) (DogpileRegion *region, const DogpileKey *key,
									  const DogpileTags *tags, bool hard);

	/* Before the commit. */
	void		(*pre_commit) (void);
	void		(*pre_prepare) (void);	/* before PREPARE TRANSACTION */

	/* Afterwards. */
	void		(*commit) (void);	/* others see the transaction */
	void		(*abort) (void);	/* perhaps without pre_commit() */
	void		(*told) (void); /* committed, and its invalidation messages sent */
	void		(*end) (bool is_commit);	/* all have done the above, but for told(); or
											 * the transaction is prepared, or was a
											 * parallel worker's part of one */

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
