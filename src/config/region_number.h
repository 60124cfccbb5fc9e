/*-------------------------------------------------------------------------
 *
 * region_number.h
 *	  The number of a region, which stands for its name in shared memory.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/region_number.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_REGION_NUMBER_H
#define DOGPILE_REGION_NUMBER_H

#include "config/setting.h"

/* As many regions as may be known between two restarts. */
#define DOGPILE_REGION_NUMBERS	256

extern Size dogpile_region_number_shmem_size(void);
extern void dogpile_region_number_shmem_init(void);
extern int	dogpile_region_number_assign(DogpileRegion *region);
extern int	dogpile_region_number_count(void);

/*
 * The number of a region, from 0 to DOGPILE_REGION_NUMBERS - 1.
 *
 * Errors: none.  Locks: dogpile_region_number, the first time in a process.
 */
static inline int
dogpile_region_number(DogpileRegion *region)
{
	return region->number >= 0 ? region->number : dogpile_region_number_assign(region);
}

#endif							/* DOGPILE_REGION_NUMBER_H */
