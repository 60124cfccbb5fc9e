/*-------------------------------------------------------------------------
 *
 * vary.h
 *	  What a region's "vary" names: what tells values apart besides the key.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/vary.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_VARY_H
#define DOGPILE_VARY_H

#include "utils/guc.h"

/* The setting, parsed once because every call needs it. */
typedef struct DogpileVary
{
	bool		role;			/* the effective role */
	bool		session_user;	/* the role that was authenticated */
	bool		search_path;
	bool		ambient;		/* all settings that ambient.c lists */
	int			nsettings;
	char	   *settings[FLEXIBLE_ARRAY_MEMBER];	/* names of other settings */
} DogpileVary;

extern bool dogpile_vary_check(char **newval, void **extra, GucSource source);
extern DogpileVary *dogpile_vary_parse(const char *list, MemoryContext context);
extern bool dogpile_vary_has_setting(const DogpileVary *vary, const char *name);

#endif							/* DOGPILE_VARY_H */
