/*-------------------------------------------------------------------------
 *
 * age.h
 *	  When an entry expires, and when it is gone.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/age.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_AGE_H
#define DOGPILE_AGE_H

#include "store/store.h"

extern TimestampTz dogpile_age_expires_at(const DogpileRegion *region,
										  const DogpileEntry *entry);
extern TimestampTz dogpile_age_gone_at(const DogpileRegion *region,
									   const DogpileEntry *entry);
extern double dogpile_age_kept_s(const DogpileRegion *region, double lifetime_s);
extern TimestampTz dogpile_age_now(const DogpileRegion *region,
								   const DogpileEntry *entry);

#endif							/* DOGPILE_AGE_H */
