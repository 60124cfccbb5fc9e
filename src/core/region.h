/*-------------------------------------------------------------------------
 *
 * region.h
 *	  Operations on the entries of a region.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/region.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_REGION_H
#define DOGPILE_REGION_H

#include "core/creation.h"

#include "datatype/timestamp.h"

/* An entry as dogpile_metadata() describes it. */
typedef struct DogpileMetadata
{
	TimestampTz created_at;
	TimestampTz expires_at;		/* DT_NOEND: never */
	TimestampTz gone_at;		/* DT_NOEND: never */
	TimestampTz now;			/* the time to which age and fresh refer */
	bool		fresh;			/* neither expired nor invalidated? */
	double		creation_time_ms;
	Size		size;			/* bytes of the encoded value */
	ArrayType  *tags;			/* text[], or NULL */
	ArrayType  *relations;		/* regclass[], or NULL if not known */
	bool		key_is_locked;	/* is a session creating the value? */
	TupleDesc	desc;			/* row type of the value */
	uint64		nrows;
} DogpileMetadata;

/* One entry as dogpile_entries shows it; strings belong to the scan. */
typedef struct DogpileListedEntry
{
	Oid			database;
	char	   *region;
	char	   *key;
	char	   *variant;		/* readable, as in "role=app" */
	TimestampTz created_at;
	TimestampTz expires_at;		/* DT_NOEND: never */
	TimestampTz gone_at;		/* DT_NOEND: never */
	bool		fresh;
	double		creation_time_ms;
	Size		size;			/* bytes of the encoded value */
	Size		memory;			/* bytes of the store that it takes */
} DogpileListedEntry;

typedef void (*DogpileEntryCallback) (const DogpileListedEntry *entry, void *arg);

/* Result of dogpile_region_add(). */
typedef enum DogpileAdded
{
	DOGPILE_ADDED,
	DOGPILE_NOT_ADDED,
	DOGPILE_ADD_FAILED			/* the store does not answer */
} DogpileAdded;

extern bool dogpile_region_get(const text *region, const text *key,
							   const DogpileShape *shape, DogpileResult *result);
extern bool dogpile_region_exists(const text *region, const text *key);
extern bool dogpile_region_describe(const text *region, const text *key,
									DogpileMetadata *metadata);
extern void dogpile_region_get_or_create(const text *region, const text *key,
										 DogpileCreator *creator,
										 const DogpileEntryOptions *options,
										 DogpileResult *result);
extern void dogpile_region_set(const text *region, const text *key,
							   const DogpileDatum *value,
							   const DogpileEntryOptions *options);
extern DogpileAdded dogpile_region_add(const text *region, const text *key,
									   const DogpileDatum *value,
									   const DogpileEntryOptions *options);
extern bool dogpile_region_delete(const text *region, const text *key);
extern bool dogpile_region_invalidate(const text *region, const text *key,
									  bool hard);
extern void dogpile_region_invalidate_all(const text *region, bool hard);
extern void dogpile_region_invalidate_tags(ArrayType *tags, bool hard);
extern void dogpile_region_list(DogpileEntryCallback callback, void *arg);

#endif							/* DOGPILE_REGION_H */
