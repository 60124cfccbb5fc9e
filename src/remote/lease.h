/*-------------------------------------------------------------------------
 *
 * lease.h
 *	  The locks outside that this server's sessions hold.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/lease.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_LEASE_H
#define DOGPILE_LEASE_H

#include "remote/item_name.h"
#include "remote/remote.h"
#include "xact/participant.h"

/* Room for the token of a lock or the text of a mark, and a zero. */
#define DOGPILE_LEASE_TOKEN_SIZE	48

/* A lock or mark to be renewed, as the worker sees it. */
typedef struct DogpileLeaseFacts
{
	char		region[DOGPILE_MAX_REGION_NAME + 1];
	DogpileItemName name;
	bool		is_mark;
	char		token[DOGPILE_LEASE_TOKEN_SIZE];
	int64		lease_ms;
	int			pid;			/* of its owner */
	TimestampTz renewed_at;		/* or when that, or giving it up, was last
								 * tried */

	/* What its owner could not give up, and the worker has to. */
	bool		is_abandoned;
	bool		is_certain;		/* did the owner have it, or only ask for it? */
	int			attempts;		/* to give it up that were answered */
	TimestampTz abandoned_at;
} DogpileLeaseFacts;

extern Size dogpile_lease_shmem_size(void);
extern void dogpile_lease_shmem_init(void);

extern void dogpile_lease_hold(const DogpileRegion *region, DogpileRemote *remote,
							   const DogpileBackendLock *lock);
extern void dogpile_lease_confirm(const DogpileBackendLock *lock);
extern void dogpile_lease_drop(const DogpileBackendLock *lock);
extern int	dogpile_lease_hold_mark(const char *region, const DogpileItemName *name,
									const char *mark, int mark_len, int64 lease_ms);
extern void dogpile_lease_drop_mark(int row, const char *mark);
extern void dogpile_lease_abandon_mark(int row, const char *mark, bool is_certain);
extern bool dogpile_lease_is_held(const DogpileItemName *name);
extern bool dogpile_lease_holds_any(void);
extern void dogpile_lease_abandon(const DogpileBackendLock *lock);
extern bool dogpile_lease_find_abandoned(DogpileBytes name, char *token);
extern bool dogpile_lease_wait(TimestampTz since, TimestampTz deadline, int round);
extern PGDLLIMPORT const DogpileParticipant dogpile_lease_participant;

extern TimestampTz dogpile_lease_due(const DogpileLeaseFacts *facts);
extern int	dogpile_lease_count(void);
extern bool dogpile_lease_next(int *i, DogpileLeaseFacts *facts);
extern void dogpile_lease_note_renewed(int i, const DogpileLeaseFacts *facts,
									   bool is_answered);
extern void dogpile_lease_forget(int i, const DogpileLeaseFacts *facts);

#endif							/* DOGPILE_LEASE_H */
