/*-------------------------------------------------------------------------
 *
 * hint.h
 *	  Warns of names that look like settings of this module.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/hint.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_HINT_H
#define DOGPILE_HINT_H

extern void dogpile_hint_init(void);

#endif							/* DOGPILE_HINT_H */
