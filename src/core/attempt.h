/*-------------------------------------------------------------------------
 *
 * attempt.h
 *	  Creates a value: runs its query and publishes the result.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/attempt.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_ATTEMPT_H
#define DOGPILE_ATTEMPT_H

#include "access/xact.h"
#include "utils/timestamp.h"

#include "core/claim.h"
#include "core/creator.h"
#include "lib/clock.h"
#include "version/deps.h"
#include "xact/xact.h"

/* A call that creates a value, or waits for it. */
typedef struct DogpileAttempt
{
	DogpileCall call;
	DogpileCallTime begin;		/* of the call */
	DogpileOutcomeTime outcomes_seen;	/* outcomes noted before are ignored */
	DogpileCreator *creator;
	double		lifetime_s;
	const DogpileTags *tags;
	DogpileResult *result;
	DogpileLogPosition log_position;	/* of the transaction, before the
										 * snapshot */
	DogpileClaim claim;			/* empty unless this session is the creator */
} DogpileAttempt;

extern void dogpile_attempt_check_recursion(const DogpileCall *call);
extern bool dogpile_attempt_sees_all(const DogpileAttempt *attempt,
									 const DogpileDeps *deps);
extern void dogpile_attempt_create(DogpileAttempt *attempt);

/* Add to a counter of the region. */
static inline void
dogpile_attempt_count(const DogpileAttempt *attempt, DogpileCounter counter, uint64 n)
{
	dogpile_call_count(&attempt->call, counter, n);
}

/* Get the microseconds since a time. */
static inline uint64
dogpile_attempt_elapsed_us(TimestampTz since)
{
	return (uint64) Max(dogpile_clock_now() - since, 0);
}

/* Do other servers share the region's store? */
static inline bool
dogpile_attempt_is_shared(const DogpileAttempt *attempt)
{
	return attempt->call.region->store->is_shared;
}

/* Has this transaction written anything? */
static inline bool
dogpile_attempt_has_written(void)
{
	return TransactionIdIsValid(GetTopTransactionIdIfAny());
}

#endif							/* DOGPILE_ATTEMPT_H */
