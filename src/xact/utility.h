/*-------------------------------------------------------------------------
 *
 * utility.h
 *	  The hook for utility statements, for the modules of this folder.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/utility.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_UTILITY_H
#define DOGPILE_UTILITY_H

extern void dogpile_utility_init(void);

#endif							/* DOGPILE_UTILITY_H */
