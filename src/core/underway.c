/*-------------------------------------------------------------------------
 *
 * underway.c
 *	  The creations that this session performs, one within the other.
 *
 * The query of a value may request other values, which are then created while it runs.
 * What is found then concerns all creations that have caused the request.
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

/* The innermost creation, or NULL. */
static DogpileUnderway *innermost = NULL;

/*
 * Begin a creation, just before its query runs.
 *
 * creation: belongs to the caller, and must be ended even if the query fails.
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
 * End a creation, after its query has run or failed.
 *
 * Returns whether the query has used anything that this transaction has pending.
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
 * Record that a value, or its absence, was seen that other sessions cannot see before
 * this transaction commits.  All queries that run now depend on it.
 */
void
dogpile_underway_note_pending(void)
{
	for (DogpileUnderway *c = innermost; c != NULL; c = c->outer)
		c->uses_pending = true;
}
