/*-------------------------------------------------------------------------
 *
 * position.h
 *	  Where a log has last done something to what.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/position.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_POSITION_H
#define DOGPILE_POSITION_H

#include "utils/hsearch.h"

/* The last positions, of two kinds; 0: none. */
typedef struct DogpilePosition
{
	uint64		id;				/* hash key */
	int			last[2];
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
extern void dogpile_position_reset(DogpilePositions *positions);

#endif							/* DOGPILE_POSITION_H */
