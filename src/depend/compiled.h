/*-------------------------------------------------------------------------
 *
 * compiled.h
 *	  Compile functions in PL/pgSQL again whose types have changed.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/compiled.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_COMPILED_H
#define DOGPILE_COMPILED_H

#include "plpgsql.h"

extern void dogpile_compiled_init(void);
extern void dogpile_compiled_note(PLpgSQL_function *function);
extern void dogpile_compiled_renew(void);
extern bool dogpile_compiled_copies_types(const char *source);

#endif							/* DOGPILE_COMPILED_H */
