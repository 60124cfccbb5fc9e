/*-------------------------------------------------------------------------
 *
 * backends.h
 *	  All backends and wrappers that there are.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/backends.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_BACKENDS_H
#define DOGPILE_BACKENDS_H

#include "backend/backend.h"

/* Those that we bring ourselves; some are left out of some builds. */
extern const DogpileBackend dogpile_backend_null;
extern PGDLLEXPORT const DogpileBackend dogpile_backend_file;
extern const DogpileBackend dogpile_backend_memcached;
extern const DogpileBackend dogpile_backend_redis;
extern const DogpileWrapper dogpile_wrap_log;
extern const DogpileWrapper dogpile_wrap_retry;

/* Most wrappers of a region. */
#define DOGPILE_MAX_WRAPPERS		8

extern const DogpileBackend *dogpile_backend_find(const char *name);
extern const DogpileWrapper *dogpile_backend_find_wrapper(const char *name);
extern bool dogpile_backend_check(const char *name, const char **detail);
extern bool dogpile_backend_check_options(const char *name,
										  const DogpileBackendOptions *options,
										  DogpileBackendError *error);
extern bool dogpile_backend_check_wrappers(const char *list, const char **detail);

#endif							/* DOGPILE_BACKENDS_H */
