/*-------------------------------------------------------------------------
 *
 * object.h
 *	  The slots of what entries depend on in the catalogs.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/version/object.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_OBJECT_H
#define DOGPILE_OBJECT_H

#include "version/version.h"

/* Kinds of types that were not there from the beginning. */
#define DOGPILE_TYPES		1	/* made as types: domains, enums, ranges, ... */
#define DOGPILE_ROW_TYPES	2	/* composite types, above all those of tables */

extern DogpileSlot dogpile_object_rows(Oid relation);
extern DogpileSlot dogpile_object_relation(Oid relation);
extern DogpileSlot dogpile_object_syscache(Oid database, int cacheid, uint32 hash);
extern DogpileSlot dogpile_object_functions(void);
extern DogpileSlot dogpile_object_types(void);
extern DogpileSlot dogpile_object_row_types(void);
extern DogpileSlot dogpile_object_definitions(void);
extern DogpileSlot dogpile_object_database(void);
extern DogpileSlot dogpile_object_cluster(void);
extern DogpileSlot dogpile_object_roles(void);

#endif							/* DOGPILE_OBJECT_H */
