/*-------------------------------------------------------------------------
 *
 * change.h
 *	  What this transaction has changed in tables and catalogs.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/change.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CHANGE_H
#define DOGPILE_CHANGE_H

#include "xact/catalog.h"
#include "xact/invalidate.h"

extern void dogpile_change_note_statement(DogpileStatement kind);
extern void dogpile_change_count_seen(Oid relid);
extern bool dogpile_change_affects(const DogpileDeps *deps);

extern void dogpile_change_mark(void);
extern bool dogpile_change_see_commit(void);
extern bool dogpile_change_affects_late(const DogpileDeps *deps);
extern bool dogpile_change_is_wanted(DogpileMoment when);
extern void dogpile_change_bump_locked(const DogpileTick *tick, DogpileMoment when);
extern bool dogpile_change_is_to_be_told(void);
extern void dogpile_change_forget(void);

extern PGDLLIMPORT const DogpileParticipant dogpile_change_participant;

#endif							/* DOGPILE_CHANGE_H */
