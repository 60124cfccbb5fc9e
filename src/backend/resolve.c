/*-------------------------------------------------------------------------
 *
 * resolve.c
 *	  The network addresses of a store server.
 *
 * getaddrinfo() waits for name servers as long as resolv.conf says, and no cancel
 * request ends that; libpq has the same limit.  A thread beside it would not have,
 * but PostgreSQL's processes must not have threads.  Numbers, and names that are in
 * /etc/hosts, never wait.
 *
 * When a transaction has committed, with interrupts held off, nothing may take
 * longer than the timeouts.  Then no name is looked up: the addresses are used that
 * the name had when this process looked it up last.
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

#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "backend/resolve.h"
#include "lib/lwlock_check.h"

/* So many names are remembered. */
#define MAX_KNOWN		256

/* What a name was when it was looked up last. */
typedef struct Known
{
	slist_node	node;
	DogpileAddress address;
	int			nplaces;
	DogpilePlace places[DOGPILE_MAX_PLACES];
} Known;

static slist_head known_names = SLIST_STATIC_INIT(known_names);
static int	nknown = 0;

static const struct addrinfo stream_hints = {
	.ai_family = AF_UNSPEC,.ai_socktype = SOCK_STREAM
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

/* What is known of a name, or NULL. */
static Known *
find_known(const DogpileAddress *address)
{
	slist_iter	iter;

	slist_foreach(iter, &known_names)
	{
		Known	   *known = slist_container(Known, node, iter.cur);

		if (known->address.port == address->port &&
			strcmp(known->address.host, address->host) == 0)
			return known;
	}
	return NULL;
}

/* Note what a name is now, if there is room. */
static void
remember(const DogpileAddress *address, const DogpilePlace *places, int nplaces)
{
	Known	   *known = find_known(address);

	if (known == NULL && nknown < MAX_KNOWN)
	{
		known = MemoryContextAllocExtended(TopMemoryContext, sizeof(Known),
										   MCXT_ALLOC_NO_OOM);
		if (known == NULL)
			return;
		known->address = *address;
		slist_push_head(&known_names, &known->node);
		nknown++;
	}
	if (known == NULL)
		return;
	known->nplaces = nplaces;
	memcpy(known->places, places, nplaces * sizeof(DogpilePlace));
}

/* What a name was when it was looked up last. */
static int
recall(const DogpileAddress *address, DogpilePlace *places, char *what, size_t what_size)
{
	const Known *known = find_known(address);

	if (known == NULL)
	{
		snprintf(what, what_size, "the host is not looked up at COMMIT");
		return 0;
	}
	memcpy(places, known->places, known->nplaces * sizeof(DogpilePlace));
	return known->nplaces;
}

/*
 * Find the addresses of a host, or of a socket.
 *
 * places: room for DOGPILE_MAX_PLACES.
 * what: gets the reason if there are none.
 *
 * Returns how many there are.
 *
 * Errors: none.
 */
int
dogpile_resolve(const DogpileAddress *address, DogpilePlace *places, char *what,
				size_t what_size)
{
	struct addrinfo hints = stream_hints;
	struct addrinfo *list = NULL;
	char		port[8];
	int			result;
	int			n;

	DogpileAssertNoneHeld();
	if (address->host[0] == '/')
		return resolve_path(address->host, places, what, what_size);
	snprintf(port, sizeof(port), "%d", address->port);
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	result = getaddrinfo(address->host, port, &hints, &list);
	if (result == 0)
		return take_list(list, places);
	if (result == EAI_NONAME && InterruptHoldoffCount > 0)
		return recall(address, places, what, what_size);
	if (result == EAI_NONAME)
		result = getaddrinfo(address->host, port, &stream_hints, &list);
	if (result != 0)
	{
		snprintf(what, what_size, "could not look up the host: %s", gai_strerror(result));
		return 0;
	}
	n = take_list(list, places);
	remember(address, places, n);
	return n;
}
