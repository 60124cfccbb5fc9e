/*-------------------------------------------------------------------------
 *
 * xact.h
 *	  The log of changes to the cache that the transaction has pending.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/xact.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_XACT_H
#define DOGPILE_XACT_H

#include "lib/ilist.h"

#include "store/store.h"
#include "version/deps.h"
#include "xact/participant.h"

/* How this transaction has invalidated something. */
typedef enum DogpileInvalidation
{
	DOGPILE_NOT_INVALIDATED,
	DOGPILE_SOFT_INVALIDATED,
	DOGPILE_HARD_INVALIDATED
} DogpileInvalidation;

/* A position in the log: later changes have a higher one; 0 is before all. */
typedef uint64 DogpileLogPosition;

/* An entry that is to be published at COMMIT. */
typedef struct DogpilePendingEntry
{
	DogpileRegion *region;
	const DogpileStore *store;	/* of the region when this was added */
	DogpileKey *key;
	DogpileEntry entry;			/* with copies of tags and value */
	DogpileDeps deps;
	uint64		xmin;			/* of an older snapshot that it comes from, or
								 * 0 */
	DogpilePublishMode mode;
	DogpileLogPosition position;	/* in the log */
	DogpileIncoming *incoming;	/* from PRE_COMMIT on; NULL: will not be
								 * published */
	bool		refused;		/* at COMMIT: was outdated in the meantime */
	bool		superseded;		/* ... by an entry from a newer snapshot */
} DogpilePendingEntry;

typedef enum DogpileChangeKind
{
	DOGPILE_CHANGE_INVALIDATE,
	DOGPILE_CHANGE_REMOVE,
	DOGPILE_CHANGE_STORE
} DogpileChangeKind;

/* One change of the log; for xact.c and commit.c only. */
typedef struct DogpileChange
{
	dlist_node	node;
	DogpileChangeKind kind;
	SubTransactionId subid;
	DogpileLogPosition position;
	struct DogpileChange *superseded;	/* counts again if this is undone: an
										 * earlier change of the same slot and
										 * kind, or of the same hash */
	union
	{
		struct
		{
			DogpileSlot slot;
			bool		hard;
		}			invalidate;
		struct
		{
			DogpileRegion *region;
			const DogpileStore *store;
			DogpileKey *key;
		}			remove;
		DogpilePendingEntry *entry; /* to be stored */
	}			u;
} DogpileChange;

/*
 * All changes, the earliest first; those of a subtransaction are the last ones.  Only
 * xact.c changes these variables; only it, commit.c and this header read them.
 */
extern PGDLLIMPORT dlist_head dogpile_xact_log;

extern PGDLLIMPORT int dogpile_xact_npending;
extern PGDLLIMPORT int dogpile_xact_nstores;	/* of these, to be stored */

extern DogpileLogPosition dogpile_xact_get_position(void);
extern void dogpile_xact_invalidate(DogpileSlot slot, bool hard);
extern void dogpile_xact_announce_key(DogpileRegion *region, const DogpileKey *key,
									  bool hard);
extern void dogpile_xact_announce_region(DogpileRegion *region, bool hard);
extern void dogpile_xact_announce_tags(const DogpileTags *tags, bool hard);
extern void dogpile_xact_remove(DogpileRegion *region, const DogpileKey *key);
extern bool dogpile_xact_store(DogpileRegion *region, const DogpileKey *key,
							   const DogpileEntry *entry, uint64 xmin,
							   DogpilePublishMode mode);
extern void dogpile_xact_report_full(const DogpileRegion *region, int elevel);
extern DogpileInvalidation dogpile_xact_get_invalidation(const DogpileDeps *deps,
														 DogpileLogPosition since);
extern const DogpilePendingEntry *dogpile_xact_find_entry(const DogpileKey *key);

extern PGDLLIMPORT const DogpileParticipant dogpile_xact_participant;

/* Does this transaction have pending changes? */
static inline bool
dogpile_xact_has_pending(void)
{
	return dogpile_xact_npending > 0;
}

#endif							/* DOGPILE_XACT_H */
