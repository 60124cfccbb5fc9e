/*-------------------------------------------------------------------------
 *
 * builtin.h
 *	  What built-in functions read by themselves.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/builtin.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_BUILTIN_H
#define DOGPILE_BUILTIN_H

/* What a built-in function reads without the executor. */
typedef enum DogpileBuiltin
{
	DOGPILE_BUILTIN_NOTHING,
	DOGPILE_BUILTIN_CATALOGS,
	DOGPILE_BUILTIN_SERVER		/* statistics, files, what the server is doing */
} DogpileBuiltin;

extern DogpileBuiltin dogpile_builtin_reads(Oid function);
extern bool dogpile_builtin_is_name(Oid typid);
extern bool dogpile_builtin_is_role_name(Oid typid);
extern bool dogpile_builtin_is_named_by_catalogs(Oid typid);
extern bool dogpile_builtin_makes_text(Oid function);

#endif							/* DOGPILE_BUILTIN_H */
