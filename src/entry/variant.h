/*-------------------------------------------------------------------------
 *
 * variant.h
 *	  What besides the key tells the values of one key apart.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/variant.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_VARIANT_H
#define DOGPILE_VARIANT_H

#include "config/config.h"
#include "entry/key.h"

#include "lib/stringinfo.h"

/* Appends a string to a text. */
typedef void (*DogpileVariantAppend) (StringInfo out, const char *string, int len);

extern int	dogpile_variant_build(const DogpileRegion *region, char *buf);
extern void dogpile_variant_append(StringInfo out, const char *bytes, int len,
								   const char *separator,
								   DogpileVariantAppend append_value);
extern char *dogpile_variant_describe(const char *bytes, int len);

#endif							/* DOGPILE_VARIANT_H */
