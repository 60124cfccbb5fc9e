/*-------------------------------------------------------------------------
 *
 * verify.h
 *	  Compares cached values with what their queries return now.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/verify.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_VERIFY_H
#define DOGPILE_VERIFY_H

#include "core/call.h"
#include "core/creator.h"

extern bool dogpile_verify_is_due(const DogpileRegion *region);
extern void dogpile_verify_hit(DogpileCall *call, DogpileLookup *found,
							   const DogpileCreator *creator);

#endif							/* DOGPILE_VERIFY_H */
