/*-------------------------------------------------------------------------
 *
 * xact.h
 *	  What the transaction has pending: sets, invalidations, created values.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_XACT_H
#define DOGPILE_XACT_H

#include "deps.h"
#include "store.h"

/* What this transaction has done to something. */
typedef enum DogpileInvalidation
{
	DOGPILE_NOT_INVALIDATED,
	DOGPILE_SOFT_INVALIDATED,
	DOGPILE_HARD_INVALIDATED
} DogpileInvalidation;

/* An entry that is to be published at COMMIT. */
typedef struct DogpilePendingEntry
{
	DogpileRegion *region;
	const DogpileStore *store;	/* the region's, when this was pending */
	DogpileKey *key;
	DogpileEntry entry;			/* with tags and value of its own */
	DogpileDeps deps;
	uint64		xmin;			/* of an older snapshot that it comes from, or 0 */
	DogpilePublishMode mode;
	int			position;		/* in the order of what is pending */
	DogpilePrepared *prepared;	/* from PRE_COMMIT on; NULL: not to be published */
	bool		refused;		/* at COMMIT: outdated in the meantime */
	bool		superseded;		/* ... by what is from a newer snapshot */
} DogpilePendingEntry;

extern PGDLLIMPORT int dogpile_xact_npending;

extern void dogpile_xact_init(void);
extern void dogpile_xact_invalidate(DogpileSlot slot, bool hard);
extern void dogpile_xact_announce_key(DogpileRegion *region, const DogpileKey *key,
									  bool hard);
extern void dogpile_xact_announce_region(DogpileRegion *region, bool hard);
extern void dogpile_xact_announce_tags(const DogpileTags *tags, bool hard);
extern void dogpile_xact_remove(DogpileRegion *region, const DogpileKey *key);
extern void dogpile_xact_store(DogpileRegion *region, const DogpileKey *key,
							   const DogpileEntry *entry, uint64 xmin,
							   DogpilePublishMode mode);
extern DogpileInvalidation dogpile_xact_get_invalidation(const DogpileDeps *deps,
														 int since);
extern const DogpilePendingEntry *dogpile_xact_find_entry(const DogpileKey *key);

/* Has this transaction anything pending? */
static inline bool
dogpile_xact_has_pending(void)
{
	return dogpile_xact_npending > 0;
}

#endif							/* DOGPILE_XACT_H */
