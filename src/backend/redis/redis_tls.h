/*-------------------------------------------------------------------------
 *
 * redis_tls.h
 *	  Encrypted connections to Redis.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_tls.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_REDIS_TLS_H
#define DOGPILE_REDIS_TLS_H

#include "backend/address.h"
#include "backend/backend.h"

typedef struct DogpileRedisTls DogpileRedisTls;
struct redisContext;

extern bool dogpile_redis_tls_is_built(void);
extern bool dogpile_redis_tls_start(DogpileRedisTls **tls,
									const DogpileBackendOptions *options,
									const DogpileAddress *address,
									struct redisContext *context,
									int64 deadline, char *what, size_t what_size);
extern void dogpile_redis_tls_destroy(DogpileRedisTls *tls);

#endif							/* DOGPILE_REDIS_TLS_H */
