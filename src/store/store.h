/*-------------------------------------------------------------------------
 *
 * store.h
 *	  The contract of a store: where the values of a region live.
 *
 * There are two: shared memory (store_memory.c), and whatever a backend keeps
 * outside (store_remote.c).  A store knows of entries and keys, but not when one
 * is fresh or invalidated within this server, nor of transactions: creation.c,
 * lookup.c and xact.c decide what is stored when and what an answer means.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/store.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_STORE_H
#define DOGPILE_STORE_H

#include "config/config.h"
#include "entry/key.h"
#include "entry/result.h"
#include "version/tag.h"

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
	DOGPILE_UNSTORABLE,			/* not prepared, means nothing outside this server */
	DOGPILE_FULL,				/* not prepared, there is no room at present */
	DOGPILE_BUSY,				/* another server is creating it */
	DOGPILE_CHANGING,			/* what it depends on is being invalidated */
	DOGPILE_OUT_OF_RANGE,		/* not added, the number would be too large */
	DOGPILE_ERROR				/* the store does not work */
} DogpileStatus;

/* What a store outside adds to an entry that it has found. */
typedef struct DogpileOutside
{
	TupleDesc	desc;			/* row type of the value, which has not been read; or
								 * NULL: it has */
	uint64		nrows;			/* ... and its rows */
	bool		is_unchecked;	/* the domain that it is of is left to the caller to
								 * check, so it is for nobody else */
} DogpileOutside;

/* An entry, apart from its key. */
typedef struct DogpileEntry
{
	TimestampTz created_at;		/* just before its snapshot was taken */
	double		lifetime_s;		/* seconds until stale, or as above */
	DogpileClock as_of;			/* clock of the versions, noted before that */
	uint64		creation_us;	/* microseconds that the creation took */
	const DogpileTags *tags;	/* or NULL */
	bool		is_outdated;	/* from outside: declared stale on any server */
	struct DogpileGrant *grant; /* on its way outside: what begin() has given, or
								 * NULL */
	const DogpileOutside *outside;	/* from outside; or NULL */
	DogpileValue value;			/* data is NULL if it has not been read */
} DogpileEntry;

/* What to do with an entry that is there already. */
typedef enum DogpilePublishMode
{
	DOGPILE_PUBLISH_ALWAYS,		/* replace it, unless it was set later */
	DOGPILE_PUBLISH_IF_NEWER	/* keep it if its snapshot is younger */
} DogpilePublishMode;

/* An entry on its way into a store; what is in it is the store's business. */
typedef struct DogpileIncoming DogpileIncoming;

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
 * A store.  None of its functions may be called while an LWLock is held.  Those that
 * are called optional may be NULL.
 */
typedef struct DogpileStore
{
	bool		is_shared;		/* with other servers? */

	/*
	 * Check that the store can be used with a region's settings.  Optional.  Raises
	 * an error if not.
	 */
	void		(*check) (const DogpileRegion *region);

	/*
	 * Some region's settings may have been changed: let go of what was made for the
	 * old ones.  Optional in a store that is not shared.
	 */
	void		(*follow_reload) (void);

	/*
	 * Look an entry up.  On DOGPILE_OK *entry is filled in; what it points to
	 * is valid until the next call of the store, or longer.  May palloc.
	 *
	 * shape tells what the caller asks for.  A store that has to call functions of
	 * types to read a value reads none of another type, which is a MISS, and without
	 * a shape it reads no value at all.
	 */
	DogpileStatus (*get) (DogpileRegion *region, const DogpileKey *key,
						  const DogpileShape *shape, DogpileEntry *entry);

	/*
	 * Copy an entry and find room for it.  On DOGPILE_OK *incoming is
	 * allocated in CurrentMemoryContext, and must be published or abandoned
	 * before that is reset.  On DOGPILE_UNSTORABLE, *reason says why.  May raise
	 * errors, after which nothing is held.
	 */
	DogpileStatus (*prepare) (DogpileRegion *region, const DogpileKey *key,
							  const DogpileEntry *entry,
							  DogpileIncoming **incoming, const char **reason);

	/* Make an incoming entry visible, as of that clock.  Raises no error. */
	DogpileStatus (*publish) (DogpileIncoming *incoming, DogpilePublishMode mode,
							  DogpileClock as_of);

	/* Give an incoming entry up.  Raises no error. */
	void		(*abandon) (DogpileIncoming *incoming);

	/*
	 * Remove the entries of a key whose snapshot is older than that clock, of all
	 * variants that the store can find; just to free memory.  Raises no error.
	 * DOGPILE_MISS if there are none.
	 */
	DogpileStatus (*remove) (DogpileRegion *region, const DogpileKey *key,
							 DogpileClock before);

	/*
	 * Is there an entry, not invalidated, of any variant of this key?
	 * Optional: without it only the caller's own variant is looked for.
	 */
	bool		(*has_variant) (DogpileRegion *region, const DogpileKey *key);

	/*
	 * Add to a number that is kept apart from the values, under the same key, and
	 * begins at zero.  On OK, *result is what it is at now.  lifetime_s: as for an
	 * entry, from now on.  OUT_OF_RANGE, and nothing is changed, if the number would
	 * be no bigint.  Optional: without it, the caller reads a number and replaces it.
	 */
	DogpileStatus (*increment) (DogpileRegion *region, const DogpileKey *key,
								int64 delta, double lifetime_s, int64 *result);

	/* Tell of every entry, of all databases and regions.  Optional. */
	void		(*scan) (DogpileScanCallback callback, void *arg);

	/*
	 * For a store that is shared with other servers, which has all of them; others
	 * have none.
	 *
	 * begin() is called before a value is created, by the session that has the
	 * creator lock of this server: it notes the versions of what the value will
	 * depend on, and takes the lock that all servers respect.  BUSY if another
	 * server has that, CHANGING if the versions are about to change.  On OK, *grant is in CurrentMemoryContext; it goes
	 * into the entry.  release() gives the lock up if it is still held.  defer() is
	 * for an entry that is published at COMMIT: it gives the lock up, too, and
	 * returns what is left of the grant as a copy in CurrentMemoryContext.
	 *
	 * wait() is called after BUSY or CHANGING, before begin() is called again: it
	 * waits a moment, longer from round to round; the first round is 0.  It returns
	 * false, without having waited, if the deadline has passed.  Raises what
	 * interrupts raise, and an error if the session's lock_timeout has passed since
	 * that time.
	 *
	 * holds_lock() tells whether this session has any such lock, of whatever key.
	 *
	 * note() is called when the user sets a value, which begins no creation: it
	 * notes the versions, and takes no lock.  lose() is called at COMMIT if that
	 * value has not been stored: the one that it should have replaced must go.
	 * Raises no error.
	 */
	DogpileStatus (*begin) (DogpileRegion *region, const DogpileKey *key,
							const DogpileTags *tags, struct DogpileGrant **grant);
	bool		(*wait) (TimestampTz since, TimestampTz deadline, int round);
	bool		(*holds_lock) (void);
	void		(*release) (struct DogpileGrant *grant);
	struct DogpileGrant *(*defer) (struct DogpileGrant *grant);
	struct DogpileGrant *(*note) (DogpileRegion *region, const DogpileKey *key,
								  const DogpileTags *tags);
	void		(*lose) (struct DogpileGrant *grant);
} DogpileStore;

extern const DogpileStore dogpile_store_memory;

extern void dogpile_store_init(const DogpileStore *store);
extern void dogpile_store_open(DogpileRegion *region);

#endif							/* DOGPILE_STORE_H */
