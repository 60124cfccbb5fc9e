/*-------------------------------------------------------------------------
 *
 * backend.h
 *	  The contract of a store.
 *
 * A store keeps entries by key.  It knows nothing of creators, of what is
 * fresh or invalidated, nor of transactions: region.c and xact.c decide what
 * is stored when and what an answer means.  backend_null.c is the shortest
 * example.
 *
 * Storing has two steps, so that everything that can fail is done before a
 * transaction commits: prepare() copies the entry and finds room for it,
 * publish() makes it visible and cannot fail, abandon() gives it up.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_BACKEND_H
#define DOGPILE_BACKEND_H

#include "config.h"
#include "tag.h"
#include "value.h"

#include "datatype/timestamp.h"

/* Values of lifetime_s that are no number of seconds. */
#define DOGPILE_LIFETIME_REGION		(-2.0)	/* what the region's setting says */
#define DOGPILE_LIFETIME_NEVER		(-1.0)	/* never stale by age */

/* What a store answers.  Errors are answers, too. */
typedef enum DogpileStatus
{
	DOGPILE_OK,					/* found, prepared, stored, removed */
	DOGPILE_MISS,				/* there is no such entry */
	DOGPILE_KEPT,				/* not stored, what is there is newer */
	DOGPILE_TOO_LARGE,			/* not prepared, larger than the store takes */
	DOGPILE_FULL,				/* not prepared, there is no room at present */
	DOGPILE_ERROR				/* the store does not work */
} DogpileStatus;

/* An entry, apart from its key. */
typedef struct DogpileEntry
{
	TimestampTz created_at;		/* just before its snapshot was taken */
	double		lifetime_s;		/* seconds until stale, or as above */
	DogpileClock as_of;			/* clock of the versions, noted before that */
	uint64		creation_us;	/* microseconds that the creation took */
	const DogpileTags *tags;	/* or NULL */
	DogpileValue value;
} DogpileEntry;

/* What to do with an entry that is there already. */
typedef enum DogpilePublishMode
{
	DOGPILE_PUBLISH_ALWAYS,		/* replace it, unless it was set later */
	DOGPILE_PUBLISH_IF_NEWER	/* keep it if its snapshot is younger */
} DogpilePublishMode;

/* An entry on its way into a store; what is in it is the store's business. */
typedef struct DogpilePrepared DogpilePrepared;

/* An entry as scan() tells it; all of it belongs to the scan. */
typedef struct DogpileScannedEntry
{
	const char *key;			/* canonical bytes, see key.c */
	uint32		key_len;
	uint64		hash;			/* of the key */
	DogpileEntry entry;			/* value.data is NULL, only its size is told */
	Size		memory;			/* bytes of the store that it takes */
} DogpileScannedEntry;

typedef void (*DogpileScanCallback) (const DogpileScannedEntry *entry, void *arg);

/*
 * The functions of a store.  None may be called while an LWLock is held.
 */
typedef struct DogpileBackend
{
	const char *name;			/* as the setting "backend" names it */

	/*
	 * Look an entry up.  On DOGPILE_OK *entry is filled in; what it points to
	 * is valid until the next call of the store, or longer.  May palloc.
	 */
	DogpileStatus (*get) (DogpileRegion *region, const DogpileKey *key,
						  DogpileEntry *entry);

	/*
	 * Copy an entry and find room for it.  On DOGPILE_OK *prepared is
	 * allocated in CurrentMemoryContext, and must be published or abandoned
	 * before that is reset.  May raise errors, after which nothing is held.
	 */
	DogpileStatus (*prepare) (DogpileRegion *region, const DogpileKey *key,
							  const DogpileEntry *entry,
							  DogpilePrepared **prepared);

	/* Make a prepared entry visible, as of that clock.  Raises no error. */
	DogpileStatus (*publish) (DogpilePrepared *prepared, DogpilePublishMode mode,
							  DogpileClock as_of);

	/* Give a prepared entry up.  Raises no error. */
	void		(*abandon) (DogpilePrepared *prepared);

	/*
	 * Remove an entry whose snapshot is older than that clock.  Raises no
	 * error.  DOGPILE_MISS if there is none.
	 */
	DogpileStatus (*remove) (DogpileRegion *region, const DogpileKey *key,
							 DogpileClock before);

	/*
	 * Is there an entry, not invalidated, of any variant of this key?
	 * Optional: without it only the caller's own variant is looked for.
	 */
	bool		(*has_variant) (DogpileRegion *region, const DogpileKey *key);

	/* Tell of every entry, of all databases and regions.  Optional. */
	void		(*scan) (DogpileScanCallback callback, void *arg);
} DogpileBackend;

extern const DogpileBackend dogpile_backend_shared_memory;
extern const DogpileBackend dogpile_backend_null;

extern const DogpileBackend *dogpile_backend_find(const char *name);
extern bool dogpile_backend_check(const char *name, const char **detail);
extern const DogpileBackend *dogpile_backend_at(int i);

#endif							/* DOGPILE_BACKEND_H */
