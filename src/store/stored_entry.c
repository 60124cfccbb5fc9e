/*-------------------------------------------------------------------------
 *
 * stored_entry.c
 *	  An entry as it lies in the blocks of shared memory.
 *
 * Only this file and its header know the bytes of an entry: what is in its head, and
 * where its key, its tags and its value are in the chain of blocks.  The index and
 * eviction have fields of their own in the head, and use functions for the rest.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/stored_entry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/stored_entry.h"
#include "version/tag.h"
#include "version/version.h"

/*
 * Fill a chain that nobody else can see with an entry.  The fields of index.c and
 * evict.c are left to them.
 *
 * stored: in the first block of a chain that is long enough.
 */
void
dogpile_stored_entry_write(DogpileStoredEntry *stored, int region_number,
						   const DogpileKey *key, const DogpileEntry *entry)
{
	Size		tags_size = entry->tags ? entry->tags->size : 0;
	DogpileCursor cursor = dogpile_stored_entry_cursor(stored);

	stored->hash = key->hash;
	stored->created_at = entry->created_at;
	stored->as_of = entry->as_of;
	stored->key_len = key->len;
	stored->lifetime_s = (float4) entry->lifetime_s;
	stored->creation_us = (uint32) Min(entry->creation_us, PG_UINT32_MAX);
	stored->data_len = (uint32) (tags_size + entry->value.size);
	stored->region = (uint8) region_number;
	stored->has_tags = entry->tags != NULL;

	dogpile_pool_write(&cursor, key->bytes, key->len);
	if (entry->tags)
		dogpile_pool_write(&cursor, entry->tags, tags_size);
	dogpile_pool_write(&cursor, entry->value.data, entry->value.size);
}

/*
 * Copy an entry's key.  Its base_len is not known, and set to 0.
 *
 * bytes: buffer of DOGPILE_MAX_KEY_BYTES, which key->bytes will point to.
 */
void
dogpile_stored_entry_read_key(const DogpileStoredEntry *stored, DogpileKey *key,
							  char *bytes)
{
	DogpileCursor cursor = dogpile_stored_entry_cursor(stored);

	dogpile_pool_read(&cursor, bytes, stored->key_len);
	key->hash = stored->hash;
	key->len = stored->key_len;
	key->base_len = 0;
	key->bytes = bytes;
}

/*
 * Is this an entry of the same key, whatever its variant?
 *
 * Errors: none.  Locks: that of its partition is held.
 */
bool
dogpile_stored_entry_is_variant(const DogpileStoredEntry *stored, const DogpileKey *key)
{
	DogpileCursor cursor = dogpile_stored_entry_cursor(stored);

	return DOGPILE_KEY_BASE(stored->hash) == DOGPILE_KEY_BASE(key->hash) &&
		stored->key_len >= key->base_len &&
		dogpile_pool_equals(&cursor, key->bytes, key->base_len);
}

/* Has one of an entry's tags been invalidated after its snapshot? */
static bool
has_dead_tag(const DogpileStoredEntry *stored)
{
	DogpileCursor cursor = dogpile_stored_entry_cursor(stored);
	DogpileTags head;

	dogpile_pool_skip(&cursor, stored->key_len);
	dogpile_pool_read(&cursor, &head, offsetof(DogpileTags, slots));
	for (uint32 i = dogpile_tag_count_slots(&head); i > 0; i--)
	{
		DogpileSlot slot;

		dogpile_pool_read(&cursor, &slot, sizeof(slot));
		if (dogpile_version_is_hard_after(slot, stored->as_of))
			return true;
	}
	return false;
}

/*
 * Has an entry been hard invalidated?
 *
 * Errors: none.  Locks: that of its partition, or that of the pool if it is in
 * a queue, so that it stays where it is.
 */
bool
dogpile_stored_entry_is_dead(const DogpileStoredEntry *stored)
{
	Oid			database = dogpile_key_database(stored->data);

	return dogpile_version_is_hard_after(dogpile_version_key_slot(stored->hash),
										 stored->as_of) ||
		dogpile_version_is_hard_after(dogpile_version_region_slot(database, stored->region),
									  stored->as_of) ||
		(stored->has_tags && has_dead_tag(stored));
}

/* --------------------------------------------------------------------
 * Copies
 * --------------------------------------------------------------------
 */

/* The facts of an entry that its head tells; a copy, for use without a lock. */
static void
read_head(const DogpileStoredEntry *stored, DogpileEntry *entry)
{
	entry->created_at = stored->created_at;
	entry->lifetime_s = stored->lifetime_s;
	entry->as_of = stored->as_of;
	entry->creation_us = stored->creation_us;
	entry->tags = NULL;
	entry->is_outdated = false;
	entry->grant = NULL;
	entry->outside = NULL;
	entry->value.data = NULL;
	entry->value.size = stored->data_len;
}

/*
 * Copy the tags of an entry that has some; the cursor is in front of them.
 *
 * Returns where the buffer goes on, aligned.
 */
static char *
read_tags(DogpileCursor *cursor, char *buffer, DogpileEntry *entry)
{
	DogpileTags *tags = (DogpileTags *) buffer;

	dogpile_pool_read(cursor, &tags->size, sizeof(tags->size));
	dogpile_pool_read(cursor, buffer + sizeof(tags->size),
					  tags->size - sizeof(tags->size));
	entry->tags = tags;
	entry->value.size -= tags->size;
	return buffer + MAXALIGN(tags->size);
}

/*
 * Copy an entry.
 *
 * cursor: behind the key.
 * buffer: aligned, of dogpile_stored_entry_copied_size() bytes; the entry will
 * point into it.
 *
 * Errors: none.  Locks: that of its partition is held.
 */
void
dogpile_stored_entry_copy(const DogpileStoredEntry *stored, DogpileCursor *cursor,
						  char *buffer, DogpileEntry *entry)
{
	read_head(stored, entry);
	if (stored->has_tags)
		buffer = read_tags(cursor, buffer, entry);
	dogpile_pool_read(cursor, buffer, entry->value.size);
	entry->value.data = buffer;
}

/*
 * Bytes that the copy of an entry without its value takes in a scan.
 *
 * Errors: none.  Locks: that of its partition is held.
 */
Size
dogpile_stored_entry_scanned_size(const DogpileStoredEntry *stored)
{
	Size		size = MAXALIGN(sizeof(DogpileScannedEntry)) + MAXALIGN(stored->key_len);

	if (stored->has_tags)
	{
		DogpileCursor cursor = dogpile_stored_entry_cursor(stored);
		DogpileTags head;

		dogpile_pool_skip(&cursor, stored->key_len);
		dogpile_pool_read(&cursor, &head, offsetof(DogpileTags, slots));
		size += MAXALIGN(head.size);
	}
	return size;
}

/*
 * Copy an entry without its value, as a DogpileScannedEntry at the start of a buffer
 * and what that points to behind it.
 *
 * buffer: aligned, of dogpile_stored_entry_scanned_size() bytes.
 *
 * Returns the position behind the copy.
 *
 * Errors: none.  Locks: that of its partition is held.
 */
char *
dogpile_stored_entry_copy_scanned(const DogpileStoredEntry *stored, char *buffer)
{
	DogpileScannedEntry *scanned = (DogpileScannedEntry *) buffer;
	DogpileCursor cursor = dogpile_stored_entry_cursor(stored);

	buffer += MAXALIGN(sizeof(DogpileScannedEntry));
	read_head(stored, &scanned->entry);
	dogpile_pool_read(&cursor, buffer, stored->key_len);
	scanned->key = buffer;
	scanned->key_len = stored->key_len;
	scanned->hash = stored->hash;
	scanned->memory = dogpile_stored_entry_memory(stored);
	buffer += MAXALIGN(stored->key_len);
	return stored->has_tags ? read_tags(&cursor, buffer, &scanned->entry) : buffer;
}
