/*-------------------------------------------------------------------------
 *
 * statement.h
 *	  Checks the statements that run within a creator's query.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/statement.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_STATEMENT_H
#define DOGPILE_STATEMENT_H

extern void dogpile_statement_init(void);

#endif							/* DOGPILE_STATEMENT_H */
