/*-------------------------------------------------------------------------
 *
 * redis_route.h
 *	  Bring commands to the Redis server that can execute them.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_route.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_REDIS_ROUTE_H
#define DOGPILE_REDIS_ROUTE_H

#include "backend/backend.h"
#include "backend/redis/redis_link.h"

typedef struct DogpileRedisRoute DogpileRedisRoute;

extern DogpileRedisRoute *dogpile_redis_route_open(const DogpileBackendOptions *options,
												   DogpileBackendError *error);
extern void dogpile_redis_route_close(DogpileRedisRoute *route);

extern void dogpile_redis_route_begin(DogpileRedisRoute *route);
extern void dogpile_redis_route_recycle(DogpileRedisRoute *route);
extern void *dogpile_redis_route_alloc(DogpileRedisRoute *route, size_t size);
extern bool dogpile_redis_route_run(DogpileRedisRoute *route,
									DogpileRedisCommand *commands, int ncommands,
									int flags, DogpileBackendError *error);
extern DogpileRedisLink **dogpile_redis_route_servers(DogpileRedisRoute *route,
													  int flags, int *nservers,
													  DogpileBackendError *error);
extern bool dogpile_redis_route_is_cluster(const DogpileRedisRoute *route);

#endif							/* DOGPILE_REDIS_ROUTE_H */
