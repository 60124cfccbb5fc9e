/*-------------------------------------------------------------------------
 *
 * spelling.h
 *	  Whether a text is the only one for a value of a type.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/spelling.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_SPELLING_H
#define DOGPILE_SPELLING_H

#include "catalog/pg_attribute.h"

extern bool dogpile_spelling_is_free(const FormData_pg_attribute *column);
extern bool dogpile_spelling_is_canonical(const FormData_pg_attribute *column,
										  const char *text, int len);

#endif							/* DOGPILE_SPELLING_H */
