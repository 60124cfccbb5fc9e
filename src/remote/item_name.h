/*-------------------------------------------------------------------------
 *
 * item_name.h
 *	  How keys look in a store outside: names that an operator can read.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/item_name.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_ITEM_NAME_H
#define DOGPILE_ITEM_NAME_H

#include "backend/backend.h"
#include "config/setting.h"
#include "entry/key.h"

/* What a name is for. */
typedef enum DogpileItemKind
{
	DOGPILE_ITEM_ENTRY,			/* an entry: a variant of a key */
	DOGPILE_ITEM_LOCK,			/* its lock */
	DOGPILE_ITEM_COUNTER,		/* a counter, of the same key and variant */
	DOGPILE_ITEM_KEY_VERSION,	/* the token of a key, all variants together */
	DOGPILE_ITEM_REGION_VERSION,	/* the token of a region */
	DOGPILE_ITEM_TAG_VERSION	/* the token of a tag, across regions */
} DogpileItemKind;

/* A name in a buffer of its own; a zero follows its last byte. */
typedef struct DogpileItemName
{
	int			len;
	char		text[DOGPILE_MAX_ITEM_NAME + 1];
} DogpileItemName;

extern void dogpile_item_name_of_key(const DogpileRegion *region,
									 const DogpileKey *key,
									 DogpileItemKind kind, DogpileItemName *name);
extern void dogpile_item_name_of_database(const DogpileRegion *region,
										  const char *database, DogpileItemName *name);
extern void dogpile_item_name_of_region(const DogpileRegion *region,
										DogpileItemName *name);
extern void dogpile_item_name_prefix(const DogpileRegion *region,
									 DogpileItemName *name);
extern void dogpile_item_name_of_tag(const DogpileRegion *region,
									 DogpileBytes tag, DogpileItemName *name);

/* A name as backends take it. */
static inline DogpileBytes
dogpile_item_name_bytes(const DogpileItemName *name)
{
	DogpileBytes bytes = {name->text, name->len};

	return bytes;
}

#endif							/* DOGPILE_ITEM_NAME_H */
