/*-------------------------------------------------------------------------
 *
 * tag.c
 *	  What an entry carries of what it depends on: tags and objects.
 *
 * A tag is a name that entries of any region share, and that invalidates all
 * of them at once.  Nothing lists the entries of a tag: each tag has a slot in
 * the table of versions (version.c), and an entry that carries it is dead once
 * that slot was bumped after the entry's snapshot.  So an invalidation costs
 * the same whether a tag is on one entry or on a million.
 *
 * Tags are told apart by database.  The slots are stored with an entry so that
 * a hit need not hash the names; they are good for as long as the server runs,
 * as is the entry itself.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/version/tag.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "version/tag.h"

/* The elements of a tags argument, checked. */
static int
deconstruct_tags(ArrayType *array, Datum **elements)
{
	bool	   *nulls;
	int			count;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("tags must be a one-dimensional array")));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  elements, &nulls, &count);
	if (count > DOGPILE_MAX_TAGS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many tags"),
				 errdetail("There are %d tags; the limit is %d.",
						   count, DOGPILE_MAX_TAGS)));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("tags must not contain nulls")));
		if (VARSIZE_ANY_EXHDR(DatumGetPointer((*elements)[i])) > DOGPILE_MAX_TAG_LENGTH)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("tag is too long"),
					 errdetail("The tag has %zu bytes; the limit is %d.",
							   (Size) VARSIZE_ANY_EXHDR(DatumGetPointer((*elements)[i])),
							   DOGPILE_MAX_TAG_LENGTH)));
	}
	return count;
}

/* The slot of a tag of the current database. */
static DogpileSlot
find_tag_slot(const char *tag, int len)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) tag, len,
										   MyDatabaseId);

	return dogpile_version_tag_slot((uint32) hash);
}

/*
 * Make what is stored of some tags.
 *
 * texts, lens: their names and the lengths of these, in bytes, within limits.
 *
 * Returns it in CurrentMemoryContext, or NULL if there are none.
 *
 * Errors: out of memory.
 */
DogpileTags *
dogpile_tag_build(const char *const *texts, const size_t *lens, int count)
{
	DogpileTags *tags;
	Size		size = offsetof(DogpileTags, slots) + count * sizeof(DogpileSlot);
	char	   *p;

	if (count == 0)
		return NULL;
	for (int i = 0; i < count; i++)
		size += sizeof(uint16) + lens[i];

	tags = palloc0(size);
	tags->size = size;
	tags->count = count;
	tags->nobjects = 0;
	tags->nrelations = 0;
	tags->automatic = false;
	tags->exact = false;
	p = (char *) &tags->slots[count];
	for (int i = 0; i < count; i++)
	{
		uint16		len = lens[i];

		tags->slots[i] = find_tag_slot(texts[i], len);
		memcpy(p, &len, sizeof(len));
		memcpy(p + sizeof(len), texts[i], len);
		p += sizeof(len) + len;
	}
	return tags;
}

/* The oids of the relations that an entry depends on. */
static const Oid *
relations_of(const DogpileTags *tags)
{
	StaticAssertStmt(sizeof(Oid) == sizeof(DogpileSlot), "oids must be aligned like slots");
	return (const Oid *) &tags->slots[dogpile_tag_count_slots(tags)];
}

/*
 * Add the objects that an entry depends on.
 *
 * tags: as dogpile_tag_encode() made them, or NULL.
 * objects: slots.
 * relations: oids of those of the objects that are relations.
 * exact: whether it depends on nothing else besides its tags, key and region.
 *
 * Returns the whole in CurrentMemoryContext.
 *
 * Errors: out of memory.
 */
DogpileTags *
dogpile_tag_add_objects(const DogpileTags *tags, const DogpileSlot *objects,
						int nobjects, const List *relations, bool exact)
{
	Size		head = offsetof(DogpileTags, slots) +
		(tags ? tags->count : 0) * sizeof(DogpileSlot);
	Size		names = tags ? tags->size - head : 0;
	Size		size = head + nobjects * sizeof(DogpileSlot) +
		list_length(relations) * sizeof(Oid) + names;
	DogpileTags *result = palloc0(size);
	Oid		   *next;
	ListCell   *lc;

	if (tags)
		memcpy(result, tags, head);
	result->size = size;
	result->nobjects = nobjects;
	result->nrelations = list_length(relations);
	result->automatic = true;
	result->exact = exact;
	if (nobjects > 0)
		memcpy(&result->slots[result->count], objects, nobjects * sizeof(DogpileSlot));
	next = unconstify(Oid *, relations_of(result));
	foreach(lc, relations)
		* next++ = lfirst_oid(lc);
	if (tags)
		memcpy(next, &tags->slots[tags->count], names);
	return result;
}

/*
 * Read one tag's name after another.
 *
 * p: NULL at first, then what the last call has returned.
 *
 * Errors: none.
 */
const char *
dogpile_tag_next(const DogpileTags *tags, const char *p, const char **text, size_t *len)
{
	uint16		len16;

	if (p == NULL)
		p = (const char *) (relations_of(tags) + tags->nrelations);
	memcpy(&len16, p, sizeof(len16));
	*text = p + sizeof(len16);
	*len = len16;
	return *text + len16;
}

/*
 * Check a tags argument and turn it into what is stored.
 *
 * array: text[], or NULL.
 *
 * Returns the tags in CurrentMemoryContext, or NULL if there are none.
 *
 * Errors: nulls, several dimensions, a tag too long, too many tags.
 * Locks: none.
 */
DogpileTags *
dogpile_tag_encode(ArrayType *array)
{
	const char *texts[DOGPILE_MAX_TAGS];
	size_t		lens[DOGPILE_MAX_TAGS];
	Datum	   *elements;
	int			count = array ? deconstruct_tags(array, &elements) : 0;

	for (int i = 0; i < count; i++)
	{
		texts[i] = VARDATA_ANY(DatumGetPointer(elements[i]));
		lens[i] = VARSIZE_ANY_EXHDR(DatumGetPointer(elements[i]));
	}
	return dogpile_tag_build(texts, lens, count);
}

/*
 * Turn stored tags back into an array of text in CurrentMemoryContext.
 *
 * tags: as dogpile_tag_encode() made them, or NULL.
 *
 * Returns NULL if there are none.
 */
ArrayType *
dogpile_tag_decode(const DogpileTags *tags)
{
	Datum	   *elements;
	const char *p = NULL;

	if (tags == NULL || tags->count == 0)
		return NULL;
	elements = palloc_array(Datum, tags->count);
	for (uint32 i = 0; i < tags->count; i++)
	{
		const char *text;
		size_t		len;

		p = dogpile_tag_next(tags, p, &text, &len);
		elements[i] = PointerGetDatum(cstring_to_text_with_len(text, len));
	}
	return construct_array(elements, tags->count, TEXTOID, -1, false, TYPALIGN_INT);
}

/* One of the relations that an entry depends on, from 0 to nrelations - 1. */
Oid
dogpile_tag_relation(const DogpileTags *tags, uint32 i)
{
	return relations_of(tags)[i];
}

/*
 * The relations that an entry is known to depend on, as an array of regclass in
 * CurrentMemoryContext.
 *
 * tags: or NULL.
 *
 * Returns NULL if that is not known.
 */
ArrayType *
dogpile_tag_decode_relations(const DogpileTags *tags)
{
	Datum	   *elements;

	if (tags == NULL || !tags->automatic)
		return NULL;
	elements = palloc_array(Datum, tags->nrelations);
	for (uint32 i = 0; i < tags->nrelations; i++)
		elements[i] = ObjectIdGetDatum(relations_of(tags)[i]);
	return construct_array(elements, tags->nrelations, REGCLASSOID, sizeof(Oid), true,
						   TYPALIGN_INT);
}
