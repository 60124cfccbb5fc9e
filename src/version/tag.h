/*-------------------------------------------------------------------------
 *
 * tag.h
 *	  What an entry carries of what it depends on: tags and objects.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/version/tag.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_TAG_H
#define DOGPILE_TAG_H

#include "nodes/pg_list.h"
#include "utils/array.h"
#include "version/version.h"

/* Most tags of one entry, and longest tag in bytes. */
#define DOGPILE_MAX_TAGS		64
#define DOGPILE_MAX_TAG_LENGTH	256

/*
 * An entry's tags as flat bytes, as they are stored with it: this head, then
 * the slots of the tags, then those of objects of the catalogs (see object.c), then
 * the oids of the relations among these, which are only told to users, then each
 * tag as a length and its text.
 */
typedef struct DogpileTags
{
	uint32		size;			/* bytes in all */
	uint32		count;			/* of the tags */
	uint32		nobjects;
	uint32		nrelations;
	bool		automatic;		/* has it been found out what it depends on? */
	bool		exact;			/* ... and is that all? */
	DogpileSlot slots[FLEXIBLE_ARRAY_MEMBER];
} DogpileTags;

/* How many slots there are. */
static inline uint32
dogpile_tag_count_slots(const DogpileTags *tags)
{
	return tags ? tags->count + tags->nobjects : 0;
}

extern DogpileTags *dogpile_tag_encode(ArrayType *array);
extern DogpileTags *dogpile_tag_build(const char *const *texts,
									  const size_t *lens, int count);
extern DogpileTags *dogpile_tag_add_objects(const DogpileTags *tags,
											const DogpileSlot *objects, int nobjects,
											const List *relations, bool exact);
extern const char *dogpile_tag_next(const DogpileTags *tags, const char *p,
									const char **text, size_t *len);
extern Oid	dogpile_tag_relation(const DogpileTags *tags, uint32 i);
extern ArrayType *dogpile_tag_decode(const DogpileTags *tags);
extern ArrayType *dogpile_tag_decode_relations(const DogpileTags *tags);

#endif							/* DOGPILE_TAG_H */
