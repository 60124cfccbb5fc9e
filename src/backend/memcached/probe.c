/*-------------------------------------------------------------------------
 *
 * probe.c
 *	  Trying whether a server can be reached, without blocking.
 *
 * A client library that connects by itself waits in a way that no cancel request
 * ends.  So a connection of our own is made first, with dogpile_backend_wait().  If
 * that works, the library's connects at once.
 *
 * The library may also rely on sensible answers.  So the probe can be used to ask
 * something, to find out what kind of server there is.
 *
 * It has another use.  A new socket gets the lowest number that is free, so the
 * one that the library makes next has the number of the probe just closed.  A
 * library that does not tell the number of its socket can be waited for like
 * that; dogpile_probe_knows() makes sure that it is true.
 *
 * Errors are answers; see backend.h.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/probe.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <netdb.h>
#include <sys/un.h>
#include <unistd.h>

#include "storage/latch.h"
#include "utils/timestamp.h"

#include "backend/memcached/probe.h"
#include "backend/resolve.h"

/* Connect to one address.  Returns 0, or an errno. */
static int
try_place(DogpileProbe *probe, const DogpilePlace *place, TimestampTz deadline)
{
	int			problem = 0;
	socklen_t	len = sizeof(problem);

	probe->fd = socket(place->address.ss_family,
					   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe->fd < 0)
		return errno;
	if (connect(probe->fd, (const struct sockaddr *) &place->address, place->len) == 0)
		return 0;

	/* A socket file gives EAGAIN if its server is too busy to accept. */
	if (errno != EINPROGRESS && errno != EINTR)
		return errno == EAGAIN ? ETIMEDOUT : errno;
	if (!dogpile_backend_wait(probe->fd, WL_SOCKET_WRITEABLE, deadline))
		return ETIMEDOUT;
	if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &problem, &len) != 0)
		return errno;
	return problem;
}

/* Note which address the probe has reached. */
static void
note_peer(DogpileProbe *probe, const DogpileAddress *address, const DogpilePlace *place)
{
	probe->peer = place->address;
	probe->peer_len = place->len;
	if (place->address.ss_family == AF_UNIX ||
		getnameinfo((const struct sockaddr *) &place->address, place->len,
					probe->host, sizeof(probe->host), NULL, 0, NI_NUMERICHOST) != 0)
		strlcpy(probe->host, address->host, sizeof(probe->host));
}

/*
 * Connect to a server.
 *
 * timeout_ms: for all addresses of the host together.
 *
 * Returns true with probe->fd open and the rest filled in, or false and *error.
 * If a wait is left by a cancel, the probe can be closed or opened again.
 */
bool
dogpile_probe_open(DogpileProbe *probe, const DogpileAddress *address,
				   int timeout_ms, DogpileBackendError *error)
{
	DogpilePlace places[DOGPILE_MAX_PLACES];
	TimestampTz deadline;
	char		what[128];
	int			nplaces = dogpile_resolve(address, places, what, sizeof(what));
	int			problem = 0;

	error->unreachable = true;
	if (nplaces == 0)
	{
		snprintf(error->message, sizeof(error->message), "\"%.100s\": %s",
				 address->host, what);
		return false;
	}
	deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	for (int i = 0; i < nplaces; i++)
	{
		dogpile_probe_close(probe);
		problem = try_place(probe, &places[i], deadline);
		if (problem == 0)
		{
			note_peer(probe, address, &places[i]);
			return true;
		}
		if (problem == ETIMEDOUT)
			break;
	}
	dogpile_probe_close(probe);
	if (address->host[0] == '/')
		snprintf(error->message, sizeof(error->message),
				 "could not connect to \"%.100s\": %s", address->host, strerror(problem));
	else
		snprintf(error->message, sizeof(error->message),
				 "could not connect to \"%.100s\", port %d: %s",
				 address->host, address->port, strerror(problem));
	return false;
}

/*
 * Send something to the server that a probe has reached, and receive what comes
 * first of its answer.
 *
 * Returns the number of bytes; 0 if it hangs up, or does not answer in time.
 * If the wait is left by a cancel, the probe can be closed or opened again.
 */
size_t
dogpile_probe_ask(const DogpileProbe *probe, const char *request, size_t len,
				  char *answer, size_t size, int timeout_ms)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	ssize_t		n;

	/* So little fits into an empty buffer at once. */
	if (send(probe->fd, request, len, MSG_NOSIGNAL) != (ssize_t) len ||
		!dogpile_backend_wait(probe->fd, WL_SOCKET_READABLE, deadline))
		return 0;
	n = recv(probe->fd, answer, size, 0);
	return n > 0 ? n : 0;
}

/* Close a probe, open or not.  Returns the number it had, or -1. */
int
dogpile_probe_close(DogpileProbe *probe)
{
	int			fd = probe->fd;

	if (fd >= 0)
		close(fd);
	probe->fd = -1;
	return fd;
}

/* Is this a socket that is connected to the address that the probe has reached? */
bool
dogpile_probe_knows(const DogpileProbe *probe, int fd)
{
	struct sockaddr_storage peer;
	socklen_t	len = sizeof(peer);

	memset(&peer, 0, sizeof(peer));
	if (fd < 0 || getpeername(fd, (struct sockaddr *) &peer, &len) != 0 ||
		peer.ss_family != probe->peer.ss_family)
		return false;
	if (peer.ss_family == AF_UNIX)
		return strcmp(((struct sockaddr_un *) &peer)->sun_path,
					  ((const struct sockaddr_un *) &probe->peer)->sun_path) == 0;
	return len == probe->peer_len && memcmp(&peer, &probe->peer, len) == 0;
}
