/*-------------------------------------------------------------------------
 *
 * creator.h
 *	  Runs the user's query and keeps its rows.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/creator.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CREATOR_H
#define DOGPILE_CREATOR_H

#include "entry/result.h"

#include "access/htup.h"

/* How a value is created; all of it belongs to the caller. */
typedef struct DogpileCreator
{
	const char *query;
	HeapTupleHeader params;		/* a record whose fields are $1, $2, ...; or
								 * NULL */
	const DogpileShape *shape;	/* what the caller can take */
	bool		misfit;			/* set if an error is raised because this
								 * caller cannot take the query's columns */
} DogpileCreator;

extern void dogpile_creator_run(DogpileCreator *creator,
								const char *region, const char *key,
								DogpileResult *result);

#endif							/* DOGPILE_CREATOR_H */
