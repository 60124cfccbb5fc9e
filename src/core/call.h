/*-------------------------------------------------------------------------
 *
 * call.h
 *	  One call of an SQL function on a key of a region.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/call.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CALL_H
#define DOGPILE_CALL_H

#include "core/lookup.h"
#include "entry/result.h"
#include "stats/stats.h"

/* The entry that a call refers to. */
typedef struct DogpileCall
{
	DogpileRegion *region;
	DogpileKey	key;
} DogpileCall;

extern void dogpile_call_require_serial(void);
extern DogpileRegion *dogpile_call_open_region(const text *name);
extern void dogpile_call_open(DogpileCall *call, const text *region, const text *key);
extern void dogpile_call_count_found(const DogpileCall *call,
									 const DogpileLookup *found);
extern void dogpile_call_give(const DogpileCall *call, const DogpileLookup *found,
							  DogpileResult *result);
extern void dogpile_call_note_pending(const DogpileCall *call,
									  const DogpileLookup *found);
extern char *dogpile_call_key_text(const DogpileCall *call);

/* Add to a counter of the call's region. */
static inline void
dogpile_call_count(const DogpileCall *call, DogpileCounter counter, uint64 n)
{
	dogpile_stats_count(call->region, counter, n);
}

#endif							/* DOGPILE_CALL_H */
