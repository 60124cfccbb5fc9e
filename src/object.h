/*-------------------------------------------------------------------------
 *
 * object.h
 *	  The slots of what entries depend on in the catalogs.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/object.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_OBJECT_H
#define DOGPILE_OBJECT_H

#include "version.h"

extern DogpileSlot dogpile_object_rows(Oid relation);
extern DogpileSlot dogpile_object_relation(Oid relation);
extern DogpileSlot dogpile_object_syscache(Oid database, int cacheid, uint32 hash);
extern DogpileSlot dogpile_object_functions(void);
extern DogpileSlot dogpile_object_database(void);
extern DogpileSlot dogpile_object_cluster(void);

#endif							/* DOGPILE_OBJECT_H */
