/*-------------------------------------------------------------------------
 *
 * guard.h
 *	  Limits for a client library that waits, and gives up, by itself.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/guard.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_GUARD_H
#define DOGPILE_GUARD_H

#include "backend/memcached/probe.h"

extern bool dogpile_guard_run(const DogpileProbe *probe, int fd, int timeout_ms,
							  void (*call) (void *arg), void *arg);

#endif							/* DOGPILE_GUARD_H */
