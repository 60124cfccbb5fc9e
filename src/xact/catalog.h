/*-------------------------------------------------------------------------
 *
 * catalog.h
 *	  What this transaction has changed in catalogs.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/catalog.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CATALOG_H
#define DOGPILE_CATALOG_H

#include "access/transam.h"

#include "version/deps.h"
#include "xact/participant.h"

/* What a statement means for the invalidation messages of its transaction. */
typedef enum DogpileStatement
{
	DOGPILE_STATEMENT_NEUTRAL,	/* cannot change anything */
	DOGPILE_STATEMENT_VACUUM,	/* changes nothing that queries see */
	DOGPILE_STATEMENT_OTHER
} DogpileStatement;

extern void dogpile_catalog_init(void);
extern void dogpile_catalog_note_statement(DogpileStatement kind);
extern void dogpile_catalog_end_vacuum(void);
extern bool dogpile_catalog_affects(const DogpileDeps *deps);
extern bool dogpile_catalog_collect(void (*add) (DogpileSlot slot));
extern bool dogpile_catalog_has_changed(void);

extern PGDLLIMPORT const DogpileParticipant dogpile_catalog_participant;

/* May an entry depend on this relation?  See determinism.c. */
static inline bool
dogpile_catalog_is_of_interest(Oid relid)
{
	return relid >= FirstNormalObjectId;
}

#endif							/* DOGPILE_CATALOG_H */
