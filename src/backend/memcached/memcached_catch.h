/*-------------------------------------------------------------------------
 *
 * memcached_catch.h
 *	  Limits for a client library that waits, and gives up, by itself.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/memcached_catch.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_MEMCACHED_CATCH_H
#define DOGPILE_MEMCACHED_CATCH_H

#include "backend/memcached/probe.h"

extern bool dogpile_memcached_catch(const DogpileProbe *probe, int fd, int timeout_ms,
									void (*call) (void *arg), void *arg);

#endif							/* DOGPILE_MEMCACHED_CATCH_H */
