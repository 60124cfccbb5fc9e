/*-------------------------------------------------------------------------
 *
 * underway.c
 *	  The creations that this session has begun, one within the other.
 *
 * The query of a value may ask for other values, which are then created within it.
 * What such a call finds concerns all creations that have caused it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/underway.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/underway.h"

/* The innermost one, or NULL. */
static DogpileUnderway *innermost = NULL;

/*
 * The query of a value is about to run.
 *
 * creation: belongs to the caller, and must be ended also if the query fails.
 */
void
dogpile_underway_begin(DogpileUnderway *creation, const DogpileKey *key)
{
	creation->key = key;
	creation->uses_pending = false;
	creation->outer = innermost;
	innermost = creation;
}

/*
 * The query has ended, or failed.
 *
 * Returns whether it has used anything that this transaction has pending.
 */
bool
dogpile_underway_end(DogpileUnderway *creation)
{
	Assert(innermost == creation);
	innermost = creation->outer;
	return creation->uses_pending;
}

/* Is this session creating the value of this key? */
bool
dogpile_underway_has(const DogpileKey *key)
{
	for (DogpileUnderway *c = innermost; c != NULL; c = c->outer)
		if (c->key->len == key->len && memcmp(c->key->bytes, key->bytes, key->len) == 0)
			return true;
	return false;
}

/* Is this session creating any value? */
bool
dogpile_underway_has_any(void)
{
	return innermost != NULL;
}

/*
 * A call was told of a value, or of there being none, that nobody else is told of
 * before this transaction has committed: so are the queries that have made the call.
 */
void
dogpile_underway_note_pending(void)
{
	for (DogpileUnderway *c = innermost; c != NULL; c = c->outer)
		c->uses_pending = true;
}
