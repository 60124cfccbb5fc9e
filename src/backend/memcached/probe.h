/*-------------------------------------------------------------------------
 *
 * probe.h
 *	  Trying whether a server can be reached, without blocking.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/probe.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_PROBE_H
#define DOGPILE_PROBE_H

#include <sys/socket.h>

#include "backend/address.h"

/* What there is to one try.  Zeroed, with fd = -1, before the first. */
typedef struct DogpileProbe
{
	int			fd;				/* or -1 */
	struct sockaddr_storage peer;	/* the address that answered */
	socklen_t	peer_len;
	char		host[256];		/* the same as a number, or the socket's path */
} DogpileProbe;

extern bool dogpile_probe_open(DogpileProbe *probe, const DogpileAddress *address,
							   int timeout_ms, DogpileBackendError *error);
extern size_t dogpile_probe_ask(const DogpileProbe *probe, const char *request,
								size_t len, char *answer, size_t size,
								int timeout_ms);
extern int	dogpile_probe_close(DogpileProbe *probe);
extern bool dogpile_probe_knows(const DogpileProbe *probe, int fd);

#endif							/* DOGPILE_PROBE_H */
