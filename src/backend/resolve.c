/*-------------------------------------------------------------------------
 *
 * resolve.c
 *	  The addresses of a host, without waiting for long.
 *
 * getaddrinfo() waits for name servers as long as it likes, and no cancel request
 * ends that.  The C library of Linux has a form of it that works beside us; all
 * signals are blocked in the thread that it has for this.  We look whether it is
 * done.  A request that we no longer wait for cannot always be stopped: it is
 * left to end by itself, and its memory is freed later.
 *
 * Where there is no such form, a name that is not in /etc/hosts may take longer
 * than it should; numbers never do.
 *
 * Memory comes from malloc(); see backend.h.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/resolve.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <netdb.h>
#include <sys/un.h>

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "backend/resolve.h"

#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
#define HAVE_GETADDRINFO_A
#endif
#endif

/* Between two looks whether a request is done; twice as long each time. */
#define FIRST_PAUSE_US	200
#define MAX_PAUSE_US	10000

static const struct addrinfo stream_hints = {
	.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM
};

/* The "address" of a socket in the file system. */
static int
resolve_path(const char *path, DogpilePlace *place, char *what, size_t what_size)
{
	struct sockaddr_un *un = (struct sockaddr_un *) &place->address;

	if (strlen(path) >= sizeof(un->sun_path))
	{
		snprintf(what, what_size, "the path of the socket is too long");
		return 0;
	}
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, path);
	place->len = sizeof(*un);
	return 1;
}

/* Copy what was found, and free it. */
static int
take_list(struct addrinfo *list, DogpilePlace *places)
{
	int			n = 0;

	for (struct addrinfo *ai = list; ai != NULL && n < DOGPILE_MAX_PLACES; ai = ai->ai_next)
	{
		if (ai->ai_addrlen > sizeof(places[n].address))
			continue;
		memcpy(&places[n].address, ai->ai_addr, ai->ai_addrlen);
		places[n++].len = ai->ai_addrlen;
	}
	freeaddrinfo(list);
	return n;
}

#ifdef HAVE_GETADDRINFO_A

/* A request, which stays where it is until it is done. */
typedef struct Request
{
	struct Request *next;
	struct gaicb gaicb;
	struct addrinfo hints;
	char		host[256];
	char		port[8];
} Request;

/* All of this session that may still be going on. */
static Request *requests = NULL;

/* Free the requests that nobody waits for any more, as far as they are done. */
static void
free_requests(void)
{
	Request   **link = &requests;

	while (*link != NULL)
	{
		Request    *request = *link;

		if (gai_cancel(&request->gaicb) == EAI_NOTCANCELED)
		{
			link = &request->next;
			continue;
		}
		*link = request->next;
		if (request->gaicb.ar_result != NULL)
			freeaddrinfo(request->gaicb.ar_result);
		free(request);
	}
}

/* Wait for a request.  Returns its result, or EAI_AGAIN at the deadline. */
static int
wait_for_request(Request *request, TimestampTz deadline)
{
	long		pause_us = FIRST_PAUSE_US;

	for (;;)
	{
		int			result = gai_error(&request->gaicb);

		if (result != EAI_INPROGRESS)
			return result;
		if (GetCurrentTimestamp() >= deadline)
			return EAI_AGAIN;
		pg_usleep(pause_us);
		pause_us = Min(pause_us * 2, MAX_PAUSE_US);
		if (InterruptHoldoffCount == 0 && CritSectionCount == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

/* Look a name up. */
static int
look_up(const char *host, const char *port, TimestampTz deadline,
		struct addrinfo **list)
{
	Request    *request;
	struct gaicb *gaicb;
	int			result;

	free_requests();
	request = calloc(1, sizeof(Request));
	if (request == NULL)
		return EAI_MEMORY;
	strlcpy(request->host, host, sizeof(request->host));
	strlcpy(request->port, port, sizeof(request->port));
	request->hints = stream_hints;
	gaicb = &request->gaicb;
	gaicb->ar_name = request->host;
	gaicb->ar_service = request->port;
	gaicb->ar_request = &request->hints;
	result = getaddrinfo_a(GAI_NOWAIT, &gaicb, 1, NULL);
	if (result != 0)
	{
		free(request);
		return result;
	}
	request->next = requests;
	requests = request;
	result = wait_for_request(request, deadline);
	if (result == 0)
	{
		*list = gaicb->ar_result;
		gaicb->ar_result = NULL;
	}
	free_requests();
	return result;
}

#else							/* no getaddrinfo_a() */

static int
look_up(const char *host, const char *port, TimestampTz deadline,
		struct addrinfo **list)
{
	return getaddrinfo(host, port, &stream_hints, list);
}

#endif

/*
 * Find the addresses of a host, or of a socket.
 *
 * places: room for DOGPILE_MAX_PLACES.
 * what: gets the reason if there are none.
 *
 * Returns how many there are.
 *
 * Errors: what CHECK_FOR_INTERRUPTS() raises, unless interrupts are held off.
 */
int
dogpile_resolve(const DogpileAddress *address, int64 deadline,
				DogpilePlace *places, char *what, size_t what_size)
{
	struct addrinfo hints = stream_hints;
	struct addrinfo *list = NULL;
	char		port[8];
	int			result;

	if (address->host[0] == '/')
		return resolve_path(address->host, places, what, what_size);
	snprintf(port, sizeof(port), "%d", address->port);
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	result = getaddrinfo(address->host, port, &hints, &list);
	if (result == EAI_NONAME)
		result = look_up(address->host, port, deadline, &list);
	if (result == 0)
		return take_list(list, places);
	snprintf(what, what_size, "could not look up the host: %s", gai_strerror(result));
	return 0;
}
