/*-------------------------------------------------------------------------
 *
 * position.c
 *	  The last change that a log has made to each of many things.
 *
 * Most transactions do little: they invalidate the tags of one row, or store one
 * value.  Making and freeing a hash table for that takes longer than all the rest, so
 * the first few are found by a linear search.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/position.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "lib/position.h"

/*
 * Find what was entered under an id.
 *
 * Returns it, or NULL.  It stays where it is until something is entered or removed.
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
 * Find what was entered under an id, or enter it without any change.
 *
 * Returns it, as dogpile_position_find() does.
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
	position->last[0] = position->last[1] = NULL;
	return position;
}

/*
 * Set the last change of a kind under an id that was entered.  Without any change
 * it takes no more memory.
 *
 * Errors: none.
 */
void
dogpile_position_set(DogpilePositions *positions, uint64 id, int kind, void *last)
{
	DogpilePosition *position = dogpile_position_find(positions, id);

	if (position == NULL)
		return;
	position->last[kind] = last;
	if (position->last[0] != NULL || position->last[1] != NULL)
		return;
	if (position >= positions->few && position < positions->few + positions->nfew)
		*position = positions->few[--positions->nfew];
	else
		(void) hash_search(positions->others, &id, HASH_REMOVE, NULL);
}

/* Forget all, at the end of the transaction, with which the memory goes. */
void
dogpile_position_reset(DogpilePositions *positions)
{
	positions->nfew = 0;
	positions->others = NULL;
}
