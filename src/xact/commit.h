/*-------------------------------------------------------------------------
 *
 * commit.h
 *	  The end of a transaction: what it has pending takes effect, or does not.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/commit.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_COMMIT_H
#define DOGPILE_COMMIT_H

extern void dogpile_commit_init(void);

#endif							/* DOGPILE_COMMIT_H */
