/*-------------------------------------------------------------------------
 *
 * database.h
 *	  Databases that are dropped or renamed.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/worker/database.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_DATABASE_H
#define DOGPILE_DATABASE_H

extern void dogpile_database_init(void);

#endif							/* DOGPILE_DATABASE_H */
