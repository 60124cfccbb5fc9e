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
#include "lib/compat.h"

#include "datatype/timestamp.h"
#include "utils/array.h"

/* How an entry is to be stored, besides its value. */
typedef struct DogpileEntryOptions
{
	double		lifetime_s;		/* seconds until stale; see backend.h */
	ArrayType  *tags;			/* text[], or NULL */
} DogpileEntryOptions;

extern TimestampTz dogpile_creation_deadline(const DogpileCall *call,
											 TimestampTz since);
pg_noreturn extern void dogpile_creation_raise_timeout(const DogpileCall *call,
													   TimestampTz since);
extern void dogpile_creation_lookup(const DogpileCall *call,
									const DogpileCreator *creator,
									const DogpileCallTime *since,
									DogpileLookup *found);
extern void dogpile_creation_run(const DogpileCall *call, const DogpileLookup *found,
								 DogpileCreator *creator,
								 const DogpileEntryOptions *options,
								 DogpileResult *result);

#endif							/* DOGPILE_CREATION_H */
