/*-------------------------------------------------------------------------
 *
 * change.h
 *	  What this transaction has changed, and its end.
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

#include "storage/lock.h"

#include "xact/catalog.h"

extern void dogpile_change_note_statement(DogpileStatement kind);
extern void dogpile_change_count_seen(Oid relid);
extern bool dogpile_change_affects(const DogpileDeps *deps);

extern bool dogpile_change_is_allowed_by(const LockInstanceData *lock);
extern void dogpile_change_add(DogpileSlot slot);
extern void dogpile_change_prepare(void);
extern void dogpile_change_mark(TransactionId xid);
extern bool dogpile_change_is_marked(void);
extern void dogpile_change_set_foreign(void);
extern void dogpile_change_commit(void);
extern void dogpile_change_abort(void);
extern void dogpile_change_told(void);

extern PGDLLIMPORT const DogpileParticipant dogpile_change_participant;

#endif							/* DOGPILE_CHANGE_H */
