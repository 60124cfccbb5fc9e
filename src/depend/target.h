/*-------------------------------------------------------------------------
 *
 * target.h
 *	  Whether PL/pgSQL is about to convert what it computes to a time.
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

/* A column of the query that is computed. */
typedef struct DogpileTargetColumn
{
	const char *source;			/* text of the query, as PL/pgSQL has written
								 * it */
	int			number;			/* of the column, from 0 */
	bool		is_row;			/* is the column a row itself? */
} DogpileTargetColumn;

extern Oid	dogpile_target_find_time(const PLpgSQL_execstate *estate,
									 const PLpgSQL_stmt *statement,
									 const DogpileTargetColumn *column);

#endif							/* DOGPILE_TARGET_H */
