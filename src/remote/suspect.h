/*-------------------------------------------------------------------------
 *
 * suspect.h
 *	  Regions outside that may hold what an invalidation should have removed.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/suspect.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_SUSPECT_H
#define DOGPILE_SUSPECT_H

#include "remote/item_name.h"

/* A suspicion. */
typedef struct DogpileSuspectFacts
{
	char		region[DOGPILE_MAX_REGION_NAME + 1];
	DogpileItemName name;		/* of the region's version */
	uint64		number;			/* which one it is since the server started */
	int			holders;		/* transactions that have it so to their end */
	uint64		file;			/* number of its file; 0: there is none */
} DogpileSuspectFacts;

extern Size dogpile_suspect_shmem_size(void);
extern void dogpile_suspect_shmem_init(void);
extern bool dogpile_suspect_add(const char *region, const DogpileItemName *name,
								bool hold);
extern void dogpile_suspect_release(const DogpileItemName *name);
extern bool dogpile_suspect_next(uint64 after, DogpileSuspectFacts *facts);
extern uint64 dogpile_suspect_last(void);
extern uint64 dogpile_suspect_find(const DogpileItemName *region_version,
								   bool *is_held);
extern void dogpile_suspect_remove(const DogpileItemName *region_version,
								   uint64 number);

#endif							/* DOGPILE_SUSPECT_H */
