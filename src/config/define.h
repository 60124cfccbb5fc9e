/*-------------------------------------------------------------------------
 *
 * define.h
 *	  The PostgreSQL variables for the settings of each region.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/define.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_DEFINE_H
#define DOGPILE_DEFINE_H

#include "config/verdict.h"

extern void dogpile_define_region(DogpileRegion *region);
extern void dogpile_define_refresh(DogpileRegion *region);

#endif							/* DOGPILE_DEFINE_H */
