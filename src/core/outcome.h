/*-------------------------------------------------------------------------
 *
 * outcome.h
 *	  How creations ended that left no value to the waiters.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/outcome.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_OUTCOME_H
#define DOGPILE_OUTCOME_H

#include "entry/key.h"

/* How a creation ended, if not with a stored value. */
typedef enum DogpileOutcomeKind
{
	DOGPILE_OUTCOME_UNKNOWN,	/* nothing noted: a waiter replaces the
								 * creator */
	DOGPILE_OUTCOME_FAILED,		/* the query raised an error */
	DOGPILE_OUTCOME_UNSTORED,	/* the value cannot be stored */
	DOGPILE_OUTCOME_DEFERRED	/* its transaction may store it at COMMIT */
} DogpileOutcomeKind;

/* An error of another session; strings are cut to these sizes. */
typedef struct DogpileOutcome
{
	DogpileOutcomeKind kind;
	int			sqlerrcode;		/* this and the rest: FAILED only */
	char		message[512];
	char		detail[256];	/* empty: none */
	char		hint[256];		/* empty: none */
} DogpileOutcome;

/* A point in the order in which outcomes were noted. */
typedef uint64 DogpileOutcomeTime;

extern Size dogpile_outcome_shmem_size(void);
extern void dogpile_outcome_shmem_init(void);
extern DogpileOutcomeTime dogpile_outcome_now(void);
extern void dogpile_outcome_note(const DogpileKey *key, DogpileOutcomeKind kind,
								 const ErrorData *error);
extern void dogpile_outcome_find(const DogpileKey *key, DogpileOutcomeTime since,
								 DogpileOutcome *outcome);
extern bool dogpile_outcome_is_own_failure(int sqlerrcode);

#endif							/* DOGPILE_OUTCOME_H */
