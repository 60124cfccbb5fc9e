/*-------------------------------------------------------------------------
 *
 * prepared.h
 *	  Prepared transactions (two-phase commit).
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/prepared.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_PREPARED_H
#define DOGPILE_PREPARED_H

#include "xact/participant.h"

extern void dogpile_prepared_begin_commit(const char *gid);

extern PGDLLIMPORT const DogpileParticipant dogpile_prepared_participant;

#endif							/* DOGPILE_PREPARED_H */
