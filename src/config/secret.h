/*-------------------------------------------------------------------------
 *
 * secret.h
 *	  Passwords and other settings that only superusers may see.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/secret.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_SECRET_H
#define DOGPILE_SECRET_H

#include "config/line.h"
#include "config/setting.h"

extern void dogpile_secret_init(void (*refresh) (DogpileRegion *region));
extern void dogpile_secret_define(DogpileRegion *region, const DogpileSetting *s,
								  GucStringAssignHook assign);
extern void dogpile_secret_define_stray(const List *lines);

#endif							/* DOGPILE_SECRET_H */
