/*-------------------------------------------------------------------------
 *
 * key.h
 *	  A key's canonical bytes and hash.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/key.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_KEY_H
#define DOGPILE_KEY_H

#include "config/setting.h"

/* Longest key text that a user may give, in bytes. */
#define DOGPILE_MAX_KEY_TEXT		1024

/* Longest variant; variant.c digests longer ones. */
#define DOGPILE_MAX_VARIANT			512

/* Database, region and its length, key and its length, variant. */
#define DOGPILE_MAX_KEY_BYTES \
	(4 + 1 + DOGPILE_MAX_REGION_NAME + 2 + DOGPILE_MAX_KEY_TEXT + DOGPILE_MAX_VARIANT)

/*
 * The identity of an entry.  The low half of the hash covers database, region
 * and key text only, so that all variants of a key share it; the high half
 * covers the variant too.
 */
typedef struct DogpileKey
{
	uint64		hash;			/* of all the bytes; see above */
	uint32		len;			/* number of canonical bytes */
	uint32		base_len;		/* of these, how many all variants share */
	const char *bytes;			/* owned by the code that built or copied the
								 * key */
} DogpileKey;

/* The half of the hash that all variants of a key share. */
#define DOGPILE_KEY_BASE(hash)	((uint32) (hash))

extern void dogpile_key_build(DogpileKey *key, char *buf, const char *region,
							  int region_len, const char *text, int text_len,
							  const char *variant, int variant_len);
extern DogpileKey *dogpile_key_copy(const DogpileKey *key);
extern int	dogpile_key_parse(const char *bytes, int len, Oid *database,
							  const char **region, int *region_len,
							  const char **text, int *text_len);

/* The database of a key, which its bytes begin with. */
static inline Oid
dogpile_key_database(const char *bytes)
{
	Oid			database;

	memcpy(&database, bytes, sizeof(database));
	return database;
}

#endif							/* DOGPILE_KEY_H */
