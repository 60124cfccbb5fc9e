/*-------------------------------------------------------------------------
 *
 * commit.h
 *	  The end of a transaction: pending changes take effect, or are dropped.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/commit.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_COMMIT_H
#define DOGPILE_COMMIT_H

#include "xact/participant.h"

extern PGDLLIMPORT const DogpileParticipant dogpile_commit_versions;
extern PGDLLIMPORT const DogpileParticipant dogpile_commit_entries;
extern PGDLLIMPORT const DogpileParticipant dogpile_commit_stops;

#endif							/* DOGPILE_COMMIT_H */
