/*-------------------------------------------------------------------------
 *
 * bound.h
 *	  How often something may happen that was seen so many times.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/bound.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_BOUND_H
#define DOGPILE_BOUND_H

extern double dogpile_bound_upper(uint64 trials, uint64 seen);

#endif							/* DOGPILE_BOUND_H */
