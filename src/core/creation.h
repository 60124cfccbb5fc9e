/*-------------------------------------------------------------------------
 *
 * creation.h
 *	  The dogpile algorithm: one session creates a value, the others wait.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/creation.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CREATION_H
#define DOGPILE_CREATION_H

#include "core/call.h"
#include "core/creator.h"

#include "datatype/timestamp.h"
#include "utils/array.h"

/* Options for storing an entry. */
typedef struct DogpileEntryOptions
{
	double		lifetime_s;		/* seconds until stale; see store.h */
	ArrayType  *tags;			/* text[], or NULL */
} DogpileEntryOptions;

extern void dogpile_creation_lookup(const DogpileCall *call,
									const DogpileCreator *creator,
									const DogpileCallTime *since,
									DogpileLookup *found);
extern void dogpile_creation_run(const DogpileCall *call, DogpileLookup *found,
								 DogpileCreator *creator,
								 const DogpileEntryOptions *options,
								 DogpileResult *result);

#endif							/* DOGPILE_CREATION_H */
