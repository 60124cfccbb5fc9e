/*-------------------------------------------------------------------------
 *
 * tag.h
 *	  The tags that an entry carries.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/tag.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_TAG_H
#define DOGPILE_TAG_H

#include "utils/array.h"
#include "version.h"

/* Most tags of one entry, and longest tag in bytes. */
#define DOGPILE_MAX_TAGS		64
#define DOGPILE_MAX_TAG_LENGTH	256

/*
 * An entry's tags as flat bytes, as they are stored with it: this head, then
 * the slots of the tags, then each tag as a length and its text.
 */
typedef struct DogpileTags
{
	uint32		size;			/* bytes in all */
	uint32		count;
	DogpileSlot slots[FLEXIBLE_ARRAY_MEMBER];
} DogpileTags;

extern DogpileTags *dogpile_tag_encode(ArrayType *array);
extern DogpileTags *dogpile_tag_build(const char *const *texts,
									   const size_t *lens, int count);
extern const char *dogpile_tag_next(const DogpileTags *tags, const char *p,
									const char **text, size_t *len);
extern ArrayType *dogpile_tag_decode(const DogpileTags *tags);

#endif							/* DOGPILE_TAG_H */
