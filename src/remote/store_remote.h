/*-------------------------------------------------------------------------
 *
 * store_remote.h
 *	  A store that keeps entries in a backend, where other servers find them.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/store_remote.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_STORE_REMOTE_H
#define DOGPILE_STORE_REMOTE_H

#include "store/store.h"

extern const DogpileStore dogpile_store_remote;

#endif							/* DOGPILE_STORE_REMOTE_H */
