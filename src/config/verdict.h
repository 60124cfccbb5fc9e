/*-------------------------------------------------------------------------
 *
 * verdict.h
 *	  Whether the lines that set something of a region are valid.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/verdict.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_VERDICT_H
#define DOGPILE_VERDICT_H

#include "lib/ilist.h"

#include "config/line.h"
#include "config/setting.h"

/* The verdict on a region.  It lives as long as the process. */
typedef struct DogpileVerdict
{
	char		region[DOGPILE_MAX_REGION_NAME + 1];

	/*
	 * What is wrong with the lines that were loaded last; NULL if they are
	 * valid.
	 */
	const char *fault;
	const char *public_fault;	/* the part of it that all roles may see */

	/* The last lines that were valid, if there ever were any. */
	bool		has_good;
	List	   *good;
	uint64		good_hash;

	MemoryContext fault_context;
	MemoryContext good_context;
	slist_node	node;
} DogpileVerdict;

/* Returns whether the settings of a region go together; if not, sets *reason. */
typedef bool (*DogpileRegionCheck) (const DogpileRegion *region, const char **reason);

/* Counts changes of what was loaded; starts above the generation of a new region. */
extern uint32 dogpile_verdict_generation;

extern Size dogpile_verdict_shmem_size(void);
extern void dogpile_verdict_shmem_init(void);
extern void dogpile_verdict_init(DogpileRegionCheck check_region);
extern void dogpile_verdict_begin(void);
extern void dogpile_verdict_follow_reload(void);
extern void dogpile_verdict_catch_up(void);
extern const List *dogpile_verdict_lines(void);
extern const char *dogpile_verdict_module_fault(void);
extern DogpileVerdict *dogpile_verdict_get(const char *region);
extern bool dogpile_verdict_is_agreed(const DogpileVerdict *verdict);
extern const char *dogpile_verdict_judge(const char *region, const List *lines,
										 bool is_session, const char **public_fault);

#endif							/* DOGPILE_VERDICT_H */
