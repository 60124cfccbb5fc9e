/*-------------------------------------------------------------------------
 *
 * timeword.h
 *	  Texts whose meaning depends on the time when they are read, such as 'now'.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/timeword.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_TIMEWORD_H
#define DOGPILE_TIMEWORD_H

extern bool dogpile_timeword_has_times(Oid type);
extern char *dogpile_timeword_check(const char *text, int len, Oid type);
extern char *dogpile_timeword_check_document(const char *text);
extern char *dogpile_timeword_check_literal(const char *source, int location, Oid type);

#endif							/* DOGPILE_TIMEWORD_H */
