/*-------------------------------------------------------------------------
 *
 * claim.h
 *	  The right of a session to create the value of a key.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/claim.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CLAIM_H
#define DOGPILE_CLAIM_H

#include "core/call.h"
#include "core/lock.h"
#include "core/outcome.h"
#include "lib/compat.h"

/* What a session holds of it. */
typedef struct DogpileClaim
{
	const DogpileCall *call;
	bool		has_lock;		/* the creator lock of this server? */
	struct DogpileGrant *grant; /* of a store that servers share, or NULL */
} DogpileClaim;

/*
 * Is this answer of a store the last one that is needed?
 *
 * round: how many times the store was asked before.
 */
typedef bool (*DogpileClaimCallback) (DogpileStatus answer, int round, void *arg);

extern bool dogpile_claim_try(DogpileClaim *claim);
extern DogpileLockResult dogpile_claim_queue(DogpileClaim *claim, TimestampTz deadline);
extern bool dogpile_claim_ask_store(DogpileClaim *claim, const DogpileTags *tags,
									TimestampTz since, DogpileClaimCallback is_last,
									void *arg, DogpileStatus *answer);
extern bool dogpile_claim_is_awaited(const DogpileClaim *claim);
extern void dogpile_claim_resign(DogpileClaim *claim, DogpileOutcomeKind outcome);

extern TimestampTz dogpile_claim_deadline(const DogpileCall *call, TimestampTz since);
extern bool dogpile_claim_has_timeout(const DogpileCall *call, TimestampTz since);
pg_noreturn extern void dogpile_claim_raise_timeout(const DogpileCall *call,
													TimestampTz since);

#endif							/* DOGPILE_CLAIM_H */
