/*-------------------------------------------------------------------------
 *
 * callee.h
 *	  What functions use and keep without the planner or executor noticing.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/callee.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CALLEE_H
#define DOGPILE_CALLEE_H

/*
 * Called for each function that PL/pgSQL calls, with the kinds of types that it uses, as
 * defined in typeuse.h, and whether it is unknown what it has prepared.  Returns whether
 * dependencies are being collected.
 */
typedef bool (*DogpileCalleeNote) (int types, bool unknown);

extern void dogpile_callee_init(void);
extern void dogpile_callee_begin(DogpileCalleeNote callback);
extern void dogpile_callee_end(void);
extern void dogpile_callee_note(int types, bool opaque);
extern bool dogpile_callee_is_told(void);
extern bool dogpile_callee_may_keep_plans(Oid function);
extern void dogpile_callee_forget(void);
extern void dogpile_callee_end_transaction(void);
extern int	dogpile_callee_types(Oid function);
extern Oid	dogpile_callee_find_time(const char *source, int column, bool is_row);

#endif							/* DOGPILE_CALLEE_H */
