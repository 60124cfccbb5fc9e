/*-------------------------------------------------------------------------
 *
 * target.h
 *	  Whether PL/pgSQL is about to make a time of what it computes.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/target.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_TARGET_H
#define DOGPILE_TARGET_H

#include "plpgsql.h"

/* A column of what is computed. */
typedef struct DogpileTargetColumn
{
	const char *source;			/* text of the query, as PL/pgSQL has written it */
	int			number;			/* from 0 */
	bool		is_row;			/* is it a row itself? */
} DogpileTargetColumn;

extern Oid	dogpile_target_find_time(const PLpgSQL_execstate *estate,
									 const PLpgSQL_stmt *statement,
									 const DogpileTargetColumn *column);

#endif							/* DOGPILE_TARGET_H */
