/*-------------------------------------------------------------------------
 *
 * position.c
 *	  Where a log has last done something to what.
 *
 * Most transactions do little: they invalidate the tags of one row, or store one
 * value.  To make a hash table for that and to free it takes longer than all the
 * rest, so the first few are found by looking at each.
 *
 * Nothing can be removed but all at once.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/position.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "position.h"

/*
 * Find what was entered under an id.
 *
 * Returns it, or NULL.  It stays where it is until the reset.
 *
 * Errors, locks: none.
 */
DogpilePosition *
dogpile_position_find(DogpilePositions *positions, uint64 id)
{
	for (int i = 0; i < positions->nfew; i++)
		if (positions->few[i].id == id)
			return &positions->few[i];
	return positions->others ? hash_search(positions->others, &id, HASH_FIND, NULL) : NULL;
}

/* Enter an id where there is no room among the first few. */
static DogpilePosition *
enter_other(DogpilePositions *positions, uint64 id)
{
	HASHCTL		ctl = {
		.keysize = sizeof(uint64),
		.entrysize = sizeof(DogpilePosition),
		.hcxt = TopTransactionContext
	};

	if (positions->others == NULL)
		positions->others = hash_create("dogpile positions", 64, &ctl,
										HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return hash_search(positions->others, &id, HASH_ENTER, NULL);
}

/*
 * Find what was entered under an id, or enter it without any position.
 *
 * Returns it; it stays where it is until the reset.
 *
 * Errors: out of memory; then nothing has changed.
 */
DogpilePosition *
dogpile_position_enter(DogpilePositions *positions, uint64 id)
{
	DogpilePosition *position = dogpile_position_find(positions, id);

	if (position != NULL)
		return position;
	if (positions->nfew < DOGPILE_FEW_POSITIONS)
	{
		position = &positions->few[positions->nfew++];
		position->id = id;
	}
	else
		position = enter_other(positions, id);
	position->last[0] = position->last[1] = 0;
	return position;
}

/* Forget all, at the end of the transaction, with which the memory goes. */
void
dogpile_position_reset(DogpilePositions *positions)
{
	positions->nfew = 0;
	positions->others = NULL;
}
