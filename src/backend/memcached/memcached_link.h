/*-------------------------------------------------------------------------
 *
 * memcached_link.h
 *	  A connection to one memcached server.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/memcached_link.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_MEMCACHED_LINK_H
#define DOGPILE_MEMCACHED_LINK_H

#include <time.h>

#include "backend/memcached/memcached_ring.h"

/* One of them. */
typedef struct DogpileMemcachedLink DogpileMemcachedLink;

/* How to store. */
typedef enum DogpileMemcachedVerb
{
	DOGPILE_MEMCACHED_SET,		/* whatever is there */
	DOGPILE_MEMCACHED_ADD,		/* if nothing is there */
	DOGPILE_MEMCACHED_CAS		/* if it still has that version */
} DogpileMemcachedVerb;

/* An item that was found. */
typedef struct DogpileMemcachedFound
{
	DogpileBytes name;
	char	   *value;			/* malloc()'s; NULL: none, if len is 0 */
	size_t		len;
	uint64		version;		/* for CAS */
} DogpileMemcachedFound;

extern DogpileMemcachedLink *dogpile_memcached_link_create(const DogpileBackendOptions *options,
														   const DogpileMemcachedRing *ring,
														   int i);
extern void dogpile_memcached_link_destroy(DogpileMemcachedLink *link);
extern void dogpile_memcached_link_begin(DogpileMemcachedLink *link);
extern void dogpile_memcached_link_disconnect(DogpileMemcachedLink *link);

extern bool dogpile_memcached_link_ask(DogpileMemcachedLink *link,
									   const char *const *names,
									   const size_t *lengths, int n,
									   DogpileBackendError *error);
extern bool dogpile_memcached_link_wait(DogpileMemcachedLink *link,
										DogpileBackendError *error);
extern DogpileBackendStatus dogpile_memcached_link_read(DogpileMemcachedLink *link,
														DogpileMemcachedFound *found,
														DogpileBackendError *error);
extern void dogpile_memcached_link_refuse(DogpileMemcachedLink *link,
										  DogpileBackendError *error);
extern DogpileBackendStatus dogpile_memcached_link_store(DogpileMemcachedLink *link,
														 DogpileMemcachedVerb verb,
														 DogpileBytes name,
														 DogpileBytes value,
														 time_t expires, uint64 version,
														 DogpileBackendError *error);
extern DogpileBackendStatus dogpile_memcached_link_delete(DogpileMemcachedLink *link,
														  DogpileBytes name,
														  DogpileBackendError *error);
extern DogpileBackendStatus dogpile_memcached_link_stats(DogpileMemcachedLink *link,
														 DogpileBackendFigure figure,
														 void *arg,
														 DogpileBackendError *error);

#endif							/* DOGPILE_MEMCACHED_LINK_H */
