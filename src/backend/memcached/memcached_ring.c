/*-------------------------------------------------------------------------
 *
 * memcached_ring.c
 *	  Which memcached server has what, and how to talk to them all.
 *
 * Names are spread by libmemcached's consistent hashing, so that other clients of
 * it find the same servers.  The ring itself never connects; see memcached_link.c.
 *
 * Errors are answers; see backend.h.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/memcached_ring.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <libmemcached/memcached.h>

#include "backend/memcached/memcached_ring.h"
#include "backend/memory.h"

/* All servers, and which has what. */
struct DogpileMemcachedRing
{
	memcached_st *settings;		/* handles are copies of this */
	memcached_st *ring;			/* knows which server has a name */
};

/* Say why something cannot be done at all.  Always returns false. */
bool
dogpile_memcached_refuse(DogpileBackendError *error, const char *message)
{
	error->unreachable = false;
	strlcpy(error->message, message, sizeof(error->message));
	return false;
}

/*
 * Would libmemcached accept this string of options?
 *
 * reason: what it says if not; may stay empty.
 */
bool
dogpile_memcached_check_options(const char *text, char *reason, size_t size)
{
	return libmemcached_check_configuration(text, strlen(text), reason,
											size) == MEMCACHED_SUCCESS;
}

/* Can there be users, with passwords? */
bool
dogpile_memcached_has_users(void)
{
#if defined(LIBMEMCACHED_WITH_SASL_SUPPORT) && LIBMEMCACHED_WITH_SASL_SUPPORT
	return true;
#else
	return false;
#endif
}

/* Make the handle that all others are copies of; NULL if out of memory. */
static memcached_st *
make_settings(const DogpileBackendOptions *options, bool is_placed)
{
	const char *text = options->options;
	memcached_st *settings = text[0] ? memcached(text, strlen(text)) : memcached_create(NULL);
	int64		timeout_us = (int64) options->operation_timeout_ms * 1000;

	if (settings == NULL)
		return NULL;
	if (!is_placed)
		memcached_behavior_set(settings, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1);
	memcached_behavior_set(settings, MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1);
	memcached_behavior_set(settings, MEMCACHED_BEHAVIOR_NO_BLOCK, 1);
	memcached_behavior_set(settings, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
	memcached_behavior_set(settings, MEMCACHED_BEHAVIOR_TCP_KEEPALIVE, 1);
	memcached_behavior_set(settings, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT,
						   options->connect_timeout_ms);
	memcached_behavior_set(settings, MEMCACHED_BEHAVIOR_POLL_TIMEOUT,
						   options->operation_timeout_ms);
	memcached_behavior_set(settings, MEMCACHED_BEHAVIOR_SND_TIMEOUT, timeout_us);
	memcached_behavior_set(settings, MEMCACHED_BEHAVIOR_RCV_TIMEOUT, timeout_us);
#if defined(LIBMEMCACHED_WITH_SASL_SUPPORT) && LIBMEMCACHED_WITH_SASL_SUPPORT
	if (options->user[0] != '\0')
	{
		/* Logging in is part of the binary protocol only. */
		memcached_behavior_set(settings, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, 1);
		if (memcached_set_sasl_auth_data(settings, options->user,
										 options->password) != MEMCACHED_SUCCESS)
		{
			memcached_free(settings);
			return NULL;
		}
	}
#endif
	return settings;
}

bool
dogpile_memcached_ring_add(memcached_st *handle, const char *host, int port)
{
	memcached_return_t rc;

	if (host[0] == '/')
		rc = memcached_server_add_unix_socket(handle, host);
	else
		rc = memcached_server_add(handle, host, port);
	return rc == MEMCACHED_SUCCESS;
}

/*
 * Make the ring of some servers; nothing is connected.
 *
 * is_placed: do the options say how to spread names over the servers?
 *
 * Returns NULL and *error if that does not work.
 */
DogpileMemcachedRing *
dogpile_memcached_ring_open(const DogpileBackendOptions *options, bool is_placed,
							const DogpileAddress *addresses, int naddresses,
							DogpileBackendError *error)
{
	DogpileMemcachedRing *ring = dogpile_memory_alloc0(sizeof(DogpileMemcachedRing));
	bool		is_made;

	if (ring == NULL)
	{
		dogpile_memcached_refuse(error, "out of memory");
		return NULL;
	}
	ring->settings = make_settings(options, is_placed);
	if (ring->settings != NULL)
		ring->ring = memcached_clone(NULL, ring->settings);
	is_made = ring->ring != NULL;
	for (int i = 0; i < naddresses && is_made; i++)
		is_made = dogpile_memcached_ring_add(ring->ring, addresses[i].host, addresses[i].port);
	if (is_made && memcached_server_count(ring->ring) == naddresses)
		return ring;
	dogpile_memcached_refuse(error, "could not set libmemcached up");
	dogpile_memcached_ring_close(ring);
	return NULL;
}

void
dogpile_memcached_ring_close(DogpileMemcachedRing *ring)
{
	if (ring->ring != NULL)
		memcached_free(ring->ring);
	if (ring->settings != NULL)
		memcached_free(ring->settings);
	dogpile_memory_free(ring);
}

/* The number of the server that a name belongs to. */
uint32
dogpile_memcached_ring_find(const DogpileMemcachedRing *ring, DogpileBytes name)
{
	return memcached_generate_hash(ring->ring, name.data, name.len);
}

/* How to talk to the servers: handles are copies of this. */
const memcached_st *
dogpile_memcached_ring_settings(const DogpileMemcachedRing *ring)
{
	return ring->settings;
}

/*
 * Where the server of that number is: with the option --SORT-HOSTS that is
 * another one than in the list of addresses.
 */
void
dogpile_memcached_ring_address(const DogpileMemcachedRing *ring, int i,
							   DogpileAddress *address)
{
	const memcached_instance_st *instance =
		memcached_server_instance_by_position(ring->ring, i);

	strlcpy(address->host, memcached_server_name(instance), sizeof(address->host));
	address->port = memcached_server_port(instance);
}
