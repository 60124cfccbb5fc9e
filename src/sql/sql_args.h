/*-------------------------------------------------------------------------
 *
 * sql_args.h
 *	  Arguments of the SQL functions.
 *
 * The functions are not STRICT: a NULL region, key or query is a mistake of the caller,
 * often a variable that was not set, and returning NULL would hide it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/sql/sql_args.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_SQL_ARGS_H
#define DOGPILE_SQL_ARGS_H

#include "fmgr.h"

/*
 * Raise an error if an argument is NULL.
 *
 * name: of the argument, as in the SQL declaration.
 */
static inline void
dogpile_sql_require_arg(FunctionCallInfo fcinfo, int argno, const char *name)
{
	if (unlikely(PG_ARGISNULL(argno)))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

/*
 * Get a text argument that must not be NULL.
 *
 * Returns the argument itself if it is not toasted, else a copy in
 * CurrentMemoryContext.  It may have a short header.
 *
 * Errors: it is NULL.
 */
static inline text *
dogpile_sql_get_text(FunctionCallInfo fcinfo, int argno, const char *name)
{
	dogpile_sql_require_arg(fcinfo, argno, name);
	return PG_GETARG_TEXT_PP(argno);
}

#endif							/* DOGPILE_SQL_ARGS_H */
