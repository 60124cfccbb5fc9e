/*-------------------------------------------------------------------------
 *
 * mend.h
 *	  What was left in a store by a COMMIT that could not finish, and its cure.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/mend.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_MEND_H
#define DOGPILE_MEND_H

#include "remote/token.h"

/* What the worker has to do about a mark. */
typedef enum DogpileMarkCare
{
	DOGPILE_MARK_RENEW,
	DOGPILE_MARK_LEAVE,
	DOGPILE_MARK_LEAVE_IF_SAME	/* it is not known whether it is ours */
} DogpileMarkCare;

extern DogpileBackendStatus dogpile_mend_mark(DogpileRegion *region,
											  const DogpileItemName *name,
											  const char *mark, DogpileMarkCare care,
											  int64 lease_ms);
extern bool dogpile_mend_region(DogpileRegion *region, DogpileRemote *remote,
								const DogpileItemName *region_version);

#endif							/* DOGPILE_MEND_H */
