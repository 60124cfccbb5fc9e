/*-------------------------------------------------------------------------
 *
 * store.h
 *	  The contract of a store, which keeps the entries of a region.
 *
 * There are two stores: shared memory (store_memory.c), and one that keeps entries in any
 * backend (store_remote.c).  A store knows entries and keys.  It knows neither whether an
 * entry is fresh or invalidated within this server, nor transactions: creation.c, lookup.c
 * and xact.c decide what is stored when, and what an answer means.
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

/* Special values of lifetime_s. */
#define DOGPILE_LIFETIME_REGION		(-2.0)	/* the region's expiration_time */
#define DOGPILE_LIFETIME_NEVER		(-1.0)	/* never expires */

/* Answers of a store. */
typedef enum DogpileStatus
{
	DOGPILE_OK,					/* done: found, prepared, stored, removed */
	DOGPILE_MISS,				/* there is no such entry */
	DOGPILE_KEPT,				/* not stored, because the stored entry is
								 * newer */
	DOGPILE_TOO_LARGE,			/* not prepared, larger than the store allows */
	DOGPILE_UNSTORABLE,			/* not prepared, has no meaning outside this
								 * server */
	DOGPILE_FULL,				/* not prepared, there is no room at present */
	DOGPILE_BUSY,				/* another server is creating the entry */
	DOGPILE_CHANGING,			/* what it depends on is being invalidated */
	DOGPILE_OUT_OF_RANGE,		/* not added, the result would not be a bigint */
	DOGPILE_ERROR				/* the store does not answer, or has failed */
} DogpileStatus;

/* Facts of an entry that was found outside. */
typedef struct DogpileOutside
{
	TupleDesc	desc;			/* row type of the value if it has not been
								 * read; or NULL */
	uint64		nrows;			/* number of rows, in this case */
	bool		is_unchecked;	/* the caller has to check the domain of the
								 * value, so the entry must not be copied for
								 * others */
} DogpileOutside;

/* An entry, apart from its key. */
typedef struct DogpileEntry
{
	TimestampTz created_at;		/* just before its snapshot was taken */
	double		lifetime_s;		/* seconds until stale, or as above */
	DogpileClock as_of;			/* clock of the versions, noted before that */
	uint64		creation_us;	/* microseconds that the creation took */
	const DogpileTags *tags;	/* or NULL */
	bool		is_outdated;	/* found outside: some server has made it
								 * stale */
	struct DogpileGrant *grant; /* to be stored outside: result of begin() or
								 * note(); or NULL */
	const DogpileOutside *outside;	/* found outside; or NULL */
	DogpileValue value;			/* data is NULL if it has not been read */
} DogpileEntry;

/* What to do with an entry that is stored already. */
typedef enum DogpilePublishMode
{
	DOGPILE_PUBLISH_ALWAYS,		/* replace it, unless it was set later */
	DOGPILE_PUBLISH_IF_NEWER	/* keep it if its snapshot is younger */
} DogpilePublishMode;

/* An entry on its way into a store; known to the store only. */
typedef struct DogpileIncoming DogpileIncoming;

/* An entry as scan() shows it; all of it belongs to the scan. */
typedef struct DogpileScannedEntry
{
	const char *key;			/* canonical bytes, see key.c */
	uint32		key_len;
	uint64		hash;			/* of the key */
	DogpileEntry entry;			/* value.data is NULL, only the size is set */
	Size		memory;			/* bytes of the store that it uses */
} DogpileScannedEntry;

typedef void (*DogpileScanCallback) (const DogpileScannedEntry *entry, void *arg);

/*
 * A store.  None of its functions may be called while an LWLock is held.  Optional
 * functions may be NULL.
 */
typedef struct DogpileStore
{
	bool		is_shared;		/* with other servers? */

	/*
	 * Raise an error if the store cannot be used with a region's settings.
	 * Optional.
	 */
	void		(*check) (const DogpileRegion *region);

	/*
	 * Settings of regions may have changed: release what was made for old
	 * settings. Optional in a store that is not shared.
	 */
	void		(*follow_reload) (void);

	/*
	 * Look an entry up.  On OK, *entry is filled in; what it points to is
	 * valid at least until the next call of the store.  May palloc.
	 *
	 * shape is what the caller can take.  A store that calls functions of
	 * types to read a value returns MISS for another type, and does not read
	 * the value if shape is NULL.
	 */
	DogpileStatus (*get) (DogpileRegion *region, const DogpileKey *key,
						  const DogpileShape *shape, DogpileEntry *entry);

	/*
	 * Copy an entry and find room for it.  On OK, *incoming is allocated in
	 * CurrentMemoryContext, and must be published or abandoned before that is
	 * reset.  On UNSTORABLE, *reason is the reason.  May raise errors; then
	 * nothing is held.
	 */
	DogpileStatus (*prepare) (DogpileRegion *region, const DogpileKey *key,
							  const DogpileEntry *entry,
							  DogpileIncoming **incoming, const char **reason);

	/* Make an incoming entry visible, as of that clock.  Raises no error. */
	DogpileStatus (*publish) (DogpileIncoming *incoming, DogpilePublishMode mode,
							  DogpileClock as_of);

	/* Drop an incoming entry.  Raises no error. */
	void		(*abandon) (DogpileIncoming *incoming);

	/*
	 * Remove the entries of a key whose clock is older, of all variants that
	 * the store can find, to free memory.  MISS if there are none.  Raises no
	 * error.
	 */
	DogpileStatus (*remove) (DogpileRegion *region, const DogpileKey *key,
							 DogpileClock before);

	/*
	 * Is there an entry of any variant of this key that is not invalidated?
	 * Optional: without it, only the caller's own variant is looked up.
	 */
	bool		(*has_variant) (DogpileRegion *region, const DogpileKey *key);

	/*
	 * Add to a number, which is separate from the values of the same key and
	 * begins at zero.  On OK, *result is the new number.  lifetime_s: as for
	 * an entry, from now on.  OUT_OF_RANGE, without a change, if the new
	 * number would not be a bigint.  Optional: without it, the caller reads
	 * and replaces an entry.
	 */
	DogpileStatus (*increment) (DogpileRegion *region, const DogpileKey *key,
								int64 delta, double lifetime_s, int64 *result);

	/*
	 * Call a function with each entry, of all databases and regions.
	 * Optional.
	 */
	void		(*scan) (DogpileScanCallback callback, void *arg);

	/*
	 * The following functions exist only in a store that is shared.
	 *
	 * begin: prepare a creation, by the session that holds the creator lock
	 * of this server.  Notes the versions of what the value will depend on,
	 * and takes the lock that all servers respect.  BUSY if another server
	 * holds that lock; CHANGING if the versions are about to change.  On OK,
	 * *grant is in CurrentMemoryContext, and becomes part of the entry;
	 * otherwise it is NULL.
	 */
	DogpileStatus (*begin) (DogpileRegion *region, const DogpileKey *key,
							const DogpileTags *tags, struct DogpileGrant **grant);

	/*
	 * Wait a moment after BUSY or CHANGING, longer in each round (from 0),
	 * before begin() is called again.  Returns false, without waiting, if the
	 * deadline has passed.  Raises what interrupts raise, and an error if the
	 * session's lock_timeout has passed since the given time.
	 */
	bool		(*wait) (TimestampTz since, TimestampTz deadline, int round);

	/* Does this session hold any lock taken by begin(), of whatever key? */
	bool		(*holds_lock) (void);

	/* Release the lock of a grant if it is still held. */
	void		(*release) (struct DogpileGrant *grant);

	/*
	 * Keep what is needed of a grant until COMMIT, as a copy in
	 * CurrentMemoryContext, and release the lock.
	 */
	struct DogpileGrant *(*defer) (struct DogpileGrant *grant);

	/*
	 * Make a grant for a value that the user sets.  Notes the versions,
	 * without a lock.
	 */
	struct DogpileGrant *(*note) (DogpileRegion *region, const DogpileKey *key,
								  const DogpileTags *tags);

	/*
	 * At COMMIT, remove the stored entry, because the value that should have
	 * replaced it is not stored.  Raises no error.
	 */
	void		(*lose) (struct DogpileGrant *grant);
} DogpileStore;

extern const DogpileStore dogpile_store_memory;

extern void dogpile_store_init(const DogpileStore *store);
extern void dogpile_store_open(DogpileRegion *region);

#endif							/* DOGPILE_STORE_H */
