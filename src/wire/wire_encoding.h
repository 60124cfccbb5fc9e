/*-------------------------------------------------------------------------
 *
 * wire_encoding.h
 *	  The encoding of texts that other servers read.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_encoding.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_WIRE_ENCODING_H
#define DOGPILE_WIRE_ENCODING_H

#include "mb/pg_wchar.h"

/*
 * The encoding of names, tags and values in external stores: UTF-8, unless they come from
 * a database with encoding SQL_ASCII.  The encoding of texts there is unknown, so they are
 * sent as they are; other databases treat invalid UTF-8 as a miss.
 */
static inline int
dogpile_wire_encoding(void)
{
	return GetDatabaseEncoding() == PG_SQL_ASCII ? PG_SQL_ASCII : PG_UTF8;
}

#endif							/* DOGPILE_WIRE_ENCODING_H */
