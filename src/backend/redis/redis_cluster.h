/*-------------------------------------------------------------------------
 *
 * redis_cluster.h
 *	  The nodes of a Redis Cluster, and which one has what.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_cluster.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_REDIS_CLUSTER_H
#define DOGPILE_REDIS_CLUSTER_H

#include "backend/backend.h"
#include "backend/redis/redis_link.h"

typedef struct DogpileRedisCluster DogpileRedisCluster;

extern int	dogpile_redis_slot(DogpileBytes name);

extern DogpileRedisCluster *dogpile_redis_cluster_open(const DogpileBackendOptions *options,
													   DogpileBackendError *error);
extern void dogpile_redis_cluster_close(DogpileRedisCluster *cluster);
extern void dogpile_redis_cluster_begin(DogpileRedisCluster *cluster);
extern void dogpile_redis_cluster_recycle(DogpileRedisCluster *cluster);

extern bool dogpile_redis_cluster_update(DogpileRedisCluster *cluster,
										 int64 give_up_at,
										 DogpileBackendError *error);
extern void dogpile_redis_cluster_suspect(DogpileRedisCluster *cluster,
										  const DogpileRedisLink *link);
extern DogpileRedisLink *dogpile_redis_cluster_moved(DogpileRedisCluster *cluster,
													 const DogpileRedisReply *reply,
													 DogpileRedisLink *from);

extern int	dogpile_redis_cluster_nlinks(const DogpileRedisCluster *cluster);
extern DogpileRedisLink *dogpile_redis_cluster_link(const DogpileRedisCluster *cluster,
													int i);
extern bool dogpile_redis_cluster_is_master(const DogpileRedisCluster *cluster, int i);
extern DogpileRedisLink *dogpile_redis_cluster_link_of(const DogpileRedisCluster *cluster,
													   int slot);

#endif							/* DOGPILE_REDIS_CLUSTER_H */
