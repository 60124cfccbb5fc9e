/*-------------------------------------------------------------------------
 *
 * typeuse.h
 *	  Which kinds of types a query uses.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/typeuse.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_TYPEUSE_H
#define DOGPILE_TYPEUSE_H

#include "nodes/parsenodes.h"

/* In addition to the kinds in object.h: a type that calls functions that are not built in. */
#define DOGPILE_TYPE_FUNCTIONS	4
/* ... and a type whose texts are names of roles. */
#define DOGPILE_ROLE_NAMES		8

extern int	dogpile_typeuse_find(Query *query);
extern int	dogpile_typeuse_of_type(Oid typid);
extern bool dogpile_typeuse_has_type(Node *node);

#endif							/* DOGPILE_TYPEUSE_H */
