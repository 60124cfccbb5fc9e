/*-------------------------------------------------------------------------
 *
 * ambient.h
 *	  PostgreSQL settings that change results although no query names them.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/ambient.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_AMBIENT_H
#define DOGPILE_AMBIENT_H

/* Incremented whenever one of these settings is assigned.  Never zero. */
extern PGDLLIMPORT uint64 dogpile_ambient_generation;

extern void dogpile_ambient_init(void);
extern int	dogpile_ambient_count(void);
extern bool dogpile_ambient_get(int i, const char **name, const char **value);
extern bool dogpile_ambient_has_setting(const char *name);

#endif							/* DOGPILE_AMBIENT_H */
