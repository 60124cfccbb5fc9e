/*-------------------------------------------------------------------------
 *
 * deps.c
 *	  All that an entry depends on: its region, key, tags and objects.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/version/deps.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "config/region_number.h"
#include "version/deps.h"

/*
 * The slots that an entry of the current database depends on.
 *
 * key_hash: of its key, see key.h.
 * tags: of the entry, or NULL; must live as long as *deps is used.
 *
 * Errors: none.  Locks: see dogpile_region_number().
 */
void
dogpile_deps_get(DogpileRegion *region, uint64 key_hash,
				 const DogpileTags *tags, DogpileDeps *deps)
{
	deps->own[0] = dogpile_version_region_slot(MyDatabaseId, dogpile_region_number(region));
	deps->own[1] = dogpile_version_key_slot(key_hash);
	deps->tags = tags;
	deps->count = DOGPILE_OWN_DEPS + dogpile_tag_count_slots(tags);
}

/*
 * Does a snapshot see all that was ever invalidated of what an entry depends on?
 *
 * xmin: what dogpile_version_snapshot_xmin() gave.
 *
 * Errors: none.  Locks: takes the version lock shared.
 */
bool
dogpile_deps_are_visible(const DogpileDeps *deps, uint64 xmin)
{
	return dogpile_version_all_visible(deps->own, DOGPILE_OWN_DEPS, xmin) &&
		(deps->tags == NULL ||
		 dogpile_version_all_visible(deps->tags->slots,
									 dogpile_tag_count_slots(deps->tags), xmin));
}

/*
 * Has anything that an entry depends on been invalidated since it was computed, or
 * is a transaction about to do so?
 *
 * as_of: of the entry.
 *
 * Errors, locks: none.
 */
bool
dogpile_deps_have_changed(const DogpileDeps *deps, DogpileClock as_of)
{
	for (int i = 0; i < deps->count; i++)
	{
		DogpileSlot slot = dogpile_deps_slot(deps, i);

		if (dogpile_version_is_marked(slot) ||
			dogpile_version_is_hard_after(slot, as_of) ||
			dogpile_version_is_soft_after(slot, as_of))
			return true;
	}
	return false;
}
