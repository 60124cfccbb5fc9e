/*-------------------------------------------------------------------------
 *
 * key.c
 *	  A key's canonical bytes and hash.
 *
 * An entry is identified by database, region, key text and variant (what else
 * distinguishes values, see variant.c).  They are laid out so that no two
 * different identities have the same bytes: every part but the last has a
 * fixed length or is preceded by its length.
 *
 *		database	4 bytes
 *		region		1 byte of length, then the name
 *		key			2 bytes of length, then the text
 *		variant		the rest
 *
 * Stores compare all of these bytes and never rely on the hash, which would
 * let a key chosen by one role collide with the entry of another.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/key.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"

#include "entry/key.h"

/* Where the region's name begins. */
#define REGION_OFFSET	(sizeof(Oid) + 1)

/*
 * Lay out a key in the caller's buffer and hash it.
 *
 * key: filled in; its bytes point into buf.
 * buf: at least DOGPILE_MAX_KEY_BYTES, and as long-lived as key.
 * region, text, variant: with their lengths in bytes, at most
 *		DOGPILE_MAX_REGION_NAME, DOGPILE_MAX_KEY_TEXT, DOGPILE_MAX_VARIANT,
 *		which the caller has checked.
 *
 * Errors: none.  Locks: none.
 */
void
dogpile_key_build(DogpileKey *key, char *buf, const char *region, int region_len,
				  const char *text, int text_len,
				  const char *variant, int variant_len)
{
	char	   *p = buf;
	uint8		region_len8 = (uint8) region_len;
	uint16		text_len16 = (uint16) text_len;
	uint64		base;
	uint64		full;

	Assert(region_len <= DOGPILE_MAX_REGION_NAME);
	Assert(text_len <= DOGPILE_MAX_KEY_TEXT);
	Assert(variant_len <= DOGPILE_MAX_VARIANT);

	memcpy(p, &MyDatabaseId, sizeof(Oid));
	p += sizeof(Oid);
	memcpy(p, &region_len8, sizeof(region_len8));
	p += sizeof(region_len8);
	memcpy(p, region, region_len);
	p += region_len;
	memcpy(p, &text_len16, sizeof(text_len16));
	p += sizeof(text_len16);
	memcpy(p, text, text_len);
	p += text_len;
	key->base_len = p - buf;
	memcpy(p, variant, variant_len);
	p += variant_len;
	key->len = p - buf;
	key->bytes = buf;

	base = hash_bytes_extended((const unsigned char *) buf, key->base_len, 0);
	full = hash_bytes_extended((const unsigned char *) buf + key->base_len,
							   variant_len, base);
	key->hash = (full & ~UINT64CONST(0xFFFFFFFF)) | (base & 0xFFFFFFFF);
}

/*
 * Copy a key, bytes and all, into CurrentMemoryContext.
 */
DogpileKey *
dogpile_key_copy(const DogpileKey *key)
{
	DogpileKey *copy = palloc(sizeof(DogpileKey) + key->len);
	char	   *bytes = (char *) (copy + 1);

	*copy = *key;
	memcpy(bytes, key->bytes, key->len);
	copy->bytes = bytes;
	return copy;
}

/*
 * Take a key's bytes apart, down to the variant.
 *
 * bytes, len: from a store, which may be outside; they are not trusted.
 * database, region, text: filled in; the strings point into bytes and are not
 * terminated.
 *
 * Returns the offset of the variant, or -1 if the bytes are not a key.
 */
int
dogpile_key_parse(const char *bytes, int len, Oid *database,
				  const char **region, int *region_len,
				  const char **text, int *text_len)
{
	uint16		text_len16;
	int			offset;

	if (len < (int) (REGION_OFFSET + sizeof(text_len16)))
		return -1;
	*database = dogpile_key_database(bytes);
	*region_len = (uint8) bytes[REGION_OFFSET - 1];
	*region = bytes + REGION_OFFSET;
	offset = REGION_OFFSET + *region_len;
	if (len < offset + (int) sizeof(text_len16))
		return -1;
	memcpy(&text_len16, bytes + offset, sizeof(text_len16));
	offset += sizeof(text_len16);
	*text = bytes + offset;
	*text_len = text_len16;
	return len < offset + *text_len ? -1 : offset + *text_len;
}
