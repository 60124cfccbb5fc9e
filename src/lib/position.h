/*-------------------------------------------------------------------------
 *
 * position.h
 *	  The last change that a log has made to each of many things.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/position.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_POSITION_H
#define DOGPILE_POSITION_H

#include "utils/hsearch.h"

/* The last changes of two kinds; NULL: none. */
typedef struct DogpilePosition
{
	uint64		id;				/* hash key */
	void	   *last[2];
} DogpilePosition;

/* How many are found without a hash table. */
#define DOGPILE_FEW_POSITIONS	16

/* All zero: nothing has been entered. */
typedef struct DogpilePositions
{
	int			nfew;
	DogpilePosition few[DOGPILE_FEW_POSITIONS];
	HTAB	   *others;			/* in TopTransactionContext, or NULL */
} DogpilePositions;

extern DogpilePosition *dogpile_position_enter(DogpilePositions *positions, uint64 id);
extern DogpilePosition *dogpile_position_find(DogpilePositions *positions, uint64 id);
extern void dogpile_position_set(DogpilePositions *positions, uint64 id, int kind,
								 void *last);
extern void dogpile_position_reset(DogpilePositions *positions);

/* The last change of a kind, or NULL.  Errors: none. */
static inline void *
dogpile_position_get(DogpilePositions *positions, uint64 id, int kind)
{
	DogpilePosition *position = dogpile_position_find(positions, id);

	return position ? position->last[kind] : NULL;
}

#endif							/* DOGPILE_POSITION_H */
