/*-------------------------------------------------------------------------
 *
 * underway.h
 *	  The creations that this session performs, one within the other.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/underway.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_UNDERWAY_H
#define DOGPILE_UNDERWAY_H

#include "entry/key.h"

/* A creation whose query runs; for underway.c only. */
typedef struct DogpileUnderway
{
	const DogpileKey *key;
	bool		uses_pending;	/* has the query used what is not yet
								 * committed? */
	struct DogpileUnderway *outer;
} DogpileUnderway;

extern void dogpile_underway_begin(DogpileUnderway *creation, const DogpileKey *key);
extern bool dogpile_underway_end(DogpileUnderway *creation);
extern bool dogpile_underway_has(const DogpileKey *key);
extern bool dogpile_underway_has_any(void);
extern void dogpile_underway_note_pending(void);

#endif							/* DOGPILE_UNDERWAY_H */
