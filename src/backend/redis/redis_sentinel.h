/*-------------------------------------------------------------------------
 *
 * redis_sentinel.h
 *	  Ask Redis Sentinels which server is the master.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_sentinel.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_REDIS_SENTINEL_H
#define DOGPILE_REDIS_SENTINEL_H

#include "backend/address.h"
#include "backend/backend.h"

#define DOGPILE_REDIS_SENTINEL_PORT 26379

typedef struct DogpileRedisSentinel DogpileRedisSentinel;

extern DogpileRedisSentinel *dogpile_redis_sentinel_open(const DogpileBackendOptions *options,
														 DogpileBackendError *error);
extern void dogpile_redis_sentinel_close(DogpileRedisSentinel *sentinel);
extern bool dogpile_redis_sentinel_ask(DogpileRedisSentinel *sentinel,
									   int64 give_up_at, DogpileAddress *master,
									   DogpileBackendError *error);

#endif							/* DOGPILE_REDIS_SENTINEL_H */
