/*-------------------------------------------------------------------------
 *
 * counter.h
 *	  Counters: numbers that change at once.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/counter.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_COUNTER_H
#define DOGPILE_COUNTER_H

#include "core/call.h"

extern bool dogpile_counter_add(const text *region, const text *key, int64 delta,
								double lifetime_s, int64 *result);

#endif							/* DOGPILE_COUNTER_H */
