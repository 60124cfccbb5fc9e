/*-------------------------------------------------------------------------
 *
 * memcached_servers.h
 *	  The servers of a region with the backend "memcached".
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/memcached_servers.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_MEMCACHED_SERVERS_H
#define DOGPILE_MEMCACHED_SERVERS_H

#include "backend/memcached/memcached_link.h"

/* Connections to all servers. */
typedef struct DogpileMemcached DogpileMemcached;

extern DogpileMemcached *dogpile_memcached_open(const DogpileBackendOptions *options,
												bool is_placed,
												const DogpileAddress *addresses,
												int naddresses,
												DogpileBackendError *error);
extern void dogpile_memcached_close(DogpileMemcached *memcached);

extern void dogpile_memcached_begin(DogpileMemcached *memcached);
extern DogpileBackendStatus dogpile_memcached_end(DogpileMemcached *memcached,
												  DogpileBackendStatus status);

extern DogpileBackendStatus dogpile_memcached_look_up(DogpileMemcached *memcached,
													  DogpileBackendItem *items, int nitems,
													  DogpileBackendError *error);
extern uint64 dogpile_memcached_version(const DogpileMemcached *memcached, int i);
extern DogpileBackendStatus dogpile_memcached_store(DogpileMemcached *memcached,
													DogpileMemcachedVerb verb,
													DogpileBytes name, DogpileBytes value,
													time_t expires, uint64 version,
													DogpileBackendError *error);
extern DogpileBackendStatus dogpile_memcached_delete(DogpileMemcached *memcached,
													 DogpileBytes name,
													 DogpileBackendError *error);
extern DogpileBackendStatus dogpile_memcached_stats(DogpileMemcached *memcached,
													DogpileBackendFigure figure, void *arg,
													DogpileBackendError *error);

#endif							/* DOGPILE_MEMCACHED_SERVERS_H */
