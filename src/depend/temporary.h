/*-------------------------------------------------------------------------
 *
 * temporary.h
 *	  Whether a query uses the session's temporary objects.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/temporary.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_TEMPORARY_H
#define DOGPILE_TEMPORARY_H

#include "nodes/parsenodes.h"

#include "version/tag.h"
#include "xact/participant.h"

/* What has to be restored when a creation ends. */
typedef struct DogpileTemporaryState
{
	int			flag;
	bool		was_used;
} DogpileTemporaryState;

extern void dogpile_temporary_init(void);
extern void dogpile_temporary_begin(DogpileTemporaryState *state);
extern bool dogpile_temporary_end(const DogpileTemporaryState *state);
extern void dogpile_temporary_check_query(Query *query);
extern bool dogpile_temporary_hides(const DogpileTags *tags);

extern PGDLLIMPORT const DogpileParticipant dogpile_temporary_participant;

#endif							/* DOGPILE_TEMPORARY_H */
