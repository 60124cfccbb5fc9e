/*-------------------------------------------------------------------------
 *
 * callee.h
 *	  Which kinds of types functions use out of sight.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/callee.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CALLEE_H
#define DOGPILE_CALLEE_H

/* Told of kinds of types, as of typeuse.h. */
typedef void (*DogpileCalleeNote) (int types);

extern void dogpile_callee_init(void);
extern void dogpile_callee_begin(DogpileCalleeNote note);
extern void dogpile_callee_end(void);
extern int	dogpile_callee_types(Oid function);

#endif							/* DOGPILE_CALLEE_H */
