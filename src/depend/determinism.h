/*-------------------------------------------------------------------------
 *
 * determinism.h
 *	  What makes the result of a query depend on more than rows of tables.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/determinism.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_DETERMINISM_H
#define DOGPILE_DETERMINISM_H

#include "nodes/parsenodes.h"

#include "config/vary.h"

extern char *dogpile_determinism_check_query(Query *query, const DogpileVary *vary);
extern char *dogpile_determinism_check_inner(Query *query, const DogpileVary *vary);
extern bool dogpile_determinism_calls_functions(Query *query);
extern char *dogpile_determinism_check_function(Oid function, const DogpileVary *vary);
extern char *dogpile_determinism_check_relation(Oid relid);
extern char *dogpile_determinism_check_session(void);

#endif							/* DOGPILE_DETERMINISM_H */
