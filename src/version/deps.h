/*-------------------------------------------------------------------------
 *
 * deps.h
 *	  All that an entry depends on: its region, key, tags and objects.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/version/deps.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_DEPS_H
#define DOGPILE_DEPS_H

#include "config/setting.h"
#include "version/tag.h"

#define DOGPILE_OWN_DEPS	2	/* slots that every entry has: region and key */

/* The slots of the table of versions that an entry depends on. */
typedef struct DogpileDeps
{
	int			count;			/* of all */
	DogpileSlot own[DOGPILE_OWN_DEPS];	/* region, key */
	const DogpileTags *tags;	/* the rest; the entry's own, or NULL */
} DogpileDeps;

extern void dogpile_deps_get(DogpileRegion *region, uint64 key_hash,
							 const DogpileTags *tags, DogpileDeps *deps);
extern bool dogpile_deps_are_visible(const DogpileDeps *deps, uint64 xmin);
extern bool dogpile_deps_have_changed(const DogpileDeps *deps, DogpileClock as_of);

/* One of them, from 0 to count - 1. */
static inline DogpileSlot
dogpile_deps_slot(const DogpileDeps *deps, int i)
{
	return i < DOGPILE_OWN_DEPS ? deps->own[i] : deps->tags->slots[i - DOGPILE_OWN_DEPS];
}

/* Is this slot one of the objects? */
static inline bool
dogpile_deps_has_object(const DogpileDeps *deps, DogpileSlot slot)
{
	const DogpileTags *tags = deps->tags;

	for (uint32 i = 0; i < tags->nobjects; i++)
		if (tags->slots[tags->count + i] == slot)
			return true;
	return false;
}

#endif							/* DOGPILE_DEPS_H */
