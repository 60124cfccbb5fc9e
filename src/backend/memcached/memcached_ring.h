/*-------------------------------------------------------------------------
 *
 * memcached_ring.h
 *	  Which memcached server has what, and how to talk to them all.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/memcached_ring.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_MEMCACHED_RING_H
#define DOGPILE_MEMCACHED_RING_H

#include "backend/address.h"

/* All servers, and which of them has what. */
typedef struct DogpileMemcachedRing DogpileMemcachedRing;

/* libmemcached's handle. */
struct memcached_st;

extern bool dogpile_memcached_refuse(DogpileBackendError *error, const char *message);
extern bool dogpile_memcached_check_options(const char *text, char *reason, size_t size);
extern bool dogpile_memcached_has_users(void);

extern DogpileMemcachedRing *dogpile_memcached_ring_open(const DogpileBackendOptions *options,
														 bool is_placed,
														 const DogpileAddress *addresses,
														 int naddresses,
														 DogpileBackendError *error);
extern void dogpile_memcached_ring_close(DogpileMemcachedRing *ring);
extern uint32 dogpile_memcached_ring_find(const DogpileMemcachedRing *ring,
										  DogpileBytes name);
extern const struct memcached_st *dogpile_memcached_ring_settings(const DogpileMemcachedRing *ring);
extern void dogpile_memcached_ring_address(const DogpileMemcachedRing *ring, int i,
										   DogpileAddress *address);
extern bool dogpile_memcached_ring_add(struct memcached_st *handle, const char *host,
									   int port);

#endif							/* DOGPILE_MEMCACHED_RING_H */
