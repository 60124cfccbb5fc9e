/*-------------------------------------------------------------------------
 *
 * variant.h
 *	  What besides the key tells the values of one key apart.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/variant.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_VARIANT_H
#define DOGPILE_VARIANT_H

#include "config.h"

extern int	dogpile_variant_build(const DogpileVary *vary, char *buf);
extern char *dogpile_variant_describe(const char *bytes, int len);

#endif							/* DOGPILE_VARIANT_H */
