/*-------------------------------------------------------------------------
 *
 * oversize.h
 *	  Messages about values that are too large, with the limit that they exceed.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/oversize.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_OVERSIZE_H
#define DOGPILE_OVERSIZE_H

#include "config/setting.h"

typedef enum DogpileSizeLimit
{
	DOGPILE_LIMIT_REGION,		/* its max_value_size */
	DOGPILE_LIMIT_MEMORY,		/* an entry's share of shared memory */
	DOGPILE_LIMIT_BACKEND		/* what the backend, or its server, takes */
} DogpileSizeLimit;

extern void dogpile_oversize_report(DogpileRegion *region, DogpileSizeLimit limit,
									Size size, int elevel);

#endif							/* DOGPILE_OVERSIZE_H */
