/*-------------------------------------------------------------------------
 *
 * wire_try.h
 *	  Run code on data from external stores, and catch its errors.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_try.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_WIRE_TRY_H
#define DOGPILE_WIRE_TRY_H

/* The error that was caught. */
typedef struct DogpileWireFailure
{
	int			sqlerrcode;
	const char *message;		/* in the caller's CurrentMemoryContext */
} DogpileWireFailure;

extern bool dogpile_wire_try(void (*work) (void *arg), void *arg,
							 DogpileWireFailure *failure);

#endif							/* DOGPILE_WIRE_TRY_H */
