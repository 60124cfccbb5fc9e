/*-------------------------------------------------------------------------
 *
 * prepared.h
 *	  Transactions that are prepared, and committed by another session.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/prepared.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_PREPARED_H
#define DOGPILE_PREPARED_H

extern void dogpile_prepared_init(void);
extern void dogpile_prepared_mark_catalogs(void);

#endif							/* DOGPILE_PREPARED_H */
