/*-------------------------------------------------------------------------
 *
 * memcached_servers.c
 *	  The servers of a region with the backend "memcached".
 *
 * Names are spread over the servers by consistent hashing, as other clients of
 * libmemcached do it, so a server more or less moves few of them.  A look-up
 * asks all servers before it reads what they answer.
 *
 * Errors are answers; see backend.h.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/memcached_servers.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "backend/memcached/memcached_servers.h"
#include "backend/memory.h"

/* What is kept for each item of a look-up. */
typedef struct Found
{
	char	   *value;			/* from libmemcached's malloc(), or NULL */
	uint64		cas;			/* version of the item */
	uint32		server;			/* the one that it belongs to */
} Found;

struct DogpileMemcached
{
	DogpileMemcachedRing *ring;
	DogpileMemcachedLink **links;	/* in the order of the ring */
	int			nlinks;
	bool	   *is_asked;		/* have they been asked in this look-up? */
	bool		is_busy;		/* set at the next call: that one was cut off */

	/* Room for the items of a look-up. */
	Found	   *found;
	const char **names;
	size_t	   *lengths;
	int			room;
	int			nfound;			/* so many values may have to be freed */
};

static void
free_values(DogpileMemcached *memcached)
{
	for (int i = 0; i < memcached->nfound; i++)
	{
		free(memcached->found[i].value);
		memcached->found[i].value = NULL;
	}
	memcached->nfound = 0;
}

/* Close all connections without waiting. */
void
dogpile_memcached_close(DogpileMemcached *memcached)
{
	free_values(memcached);
	for (int i = 0; i < memcached->nlinks; i++)
		dogpile_memcached_link_destroy(memcached->links[i]);
	if (memcached->ring != NULL)
		dogpile_memcached_ring_close(memcached->ring);
	dogpile_memory_free(memcached->links);
	dogpile_memory_free(memcached->is_asked);
	dogpile_memory_free(memcached->found);
	dogpile_memory_free(memcached->names);
	dogpile_memory_free(memcached->lengths);
	dogpile_memory_free(memcached);
}

/* One link for each server. */
static bool
make_links(DogpileMemcached *memcached, const DogpileBackendOptions *options, int n,
		   DogpileBackendError *error)
{
	memcached->links = dogpile_memory_alloc0(n * sizeof(DogpileMemcachedLink *));
	memcached->is_asked = dogpile_memory_alloc0(n * sizeof(bool));
	while (memcached->links != NULL && memcached->is_asked != NULL && memcached->nlinks < n)
	{
		DogpileMemcachedLink *link = dogpile_memcached_link_create(options, memcached->ring,
																   memcached->nlinks);

		if (link == NULL)
			break;
		memcached->links[memcached->nlinks++] = link;
	}
	if (memcached->nlinks == n)
		return true;
	dogpile_memcached_refuse(error, "out of memory");
	return false;
}

/*
 * Make what will connect when it is used first.
 *
 * is_placed: do the options say how to spread names over the servers?
 *
 * Returns NULL and *error if that does not work.
 */
DogpileMemcached *
dogpile_memcached_open(const DogpileBackendOptions *options, bool is_placed,
					   const DogpileAddress *addresses, int naddresses,
					   DogpileBackendError *error)
{
	DogpileMemcached *memcached = dogpile_memory_alloc0(sizeof(DogpileMemcached));

	if (memcached == NULL)
	{
		dogpile_memcached_refuse(error, "out of memory");
		return NULL;
	}
	memcached->ring = dogpile_memcached_ring_open(options, is_placed, addresses,
												  naddresses, error);
	if (memcached->ring != NULL && make_links(memcached, options, naddresses, error))
		return memcached;
	dogpile_memcached_close(memcached);
	return NULL;
}

/*
 * Begin a call of the backend.
 *
 * What earlier calls have found is no longer valid.  A server that fails is not
 * tried again until the next call begins, so that there is one timeout at most.
 */
void
dogpile_memcached_begin(DogpileMemcached *memcached)
{
	free_values(memcached);
	for (int i = 0; i < memcached->nlinks; i++)
	{
		/* An answer may be on its way that is no longer waited for. */
		if (memcached->is_busy)
			dogpile_memcached_link_disconnect(memcached->links[i]);
		dogpile_memcached_link_begin(memcached->links[i]);
	}
	memcached->is_busy = true;
}

/* End a call; returns its status. */
DogpileBackendStatus
dogpile_memcached_end(DogpileMemcached *memcached, DogpileBackendStatus status)
{
	memcached->is_busy = false;
	return status;
}

/* --------------------------------------------------------------------
 * Looking up
 * --------------------------------------------------------------------
 */

/* Make room for the items of a look-up. */
static bool
make_room(DogpileMemcached *memcached, int nitems)
{
	int			room = Max(nitems, 8);
	Found	   *found;
	const char **names;
	size_t	   *lengths;

	if (nitems <= memcached->room)
		return true;
	found = dogpile_memory_enlarge(memcached->found, memcached->room * sizeof(Found),
								   room * sizeof(Found));
	if (found != NULL)
		memcached->found = found;
	names = dogpile_memory_enlarge(memcached->names, memcached->room * sizeof(char *),
								   room * sizeof(char *));
	if (names != NULL)
		memcached->names = names;
	lengths = dogpile_memory_enlarge(memcached->lengths, memcached->room * sizeof(size_t),
									 room * sizeof(size_t));
	if (lengths != NULL)
		memcached->lengths = lengths;
	if (found == NULL || names == NULL || lengths == NULL)
		return false;
	memcached->room = room;
	return true;
}

/* Ask one server for those of the items that it has.  Is there an answer to read? */
static bool
ask(DogpileMemcached *memcached, uint32 which, DogpileBackendItem *items, int nitems,
	DogpileBackendError *error)
{
	int			n = 0;

	for (int i = 0; i < nitems; i++)
		if (memcached->found[i].server == which)
		{
			memcached->names[n] = items[i].name.data;
			memcached->lengths[n++] = items[i].name.len;
		}
	return n > 0 && dogpile_memcached_link_ask(memcached->links[which], memcached->names,
											   memcached->lengths, n, error);
}

/* Which item is this?  Answers come in the order of the requests, mostly. */
static int
find_item(const DogpileBackendItem *items, int nitems, int from, DogpileBytes name)
{
	for (int i = 0; i < nitems; i++)
	{
		int			n = (from + i) % nitems;

		if (items[n].status != DOGPILE_BACKEND_OK && items[n].name.len == name.len &&
			memcmp(items[n].name.data, name.data, name.len) == 0)
			return n;
	}
	return -1;
}

static void
take_value(DogpileBackendItem *item, Found *place, const DogpileMemcachedFound *found)
{
	place->cas = found->version;
	place->value = found->value;
	item->value.data = found->value == NULL ? "" : found->value;
	item->value.len = found->value == NULL ? 0 : found->len;
	item->status = found->len > 0 && found->value == NULL ?
		DOGPILE_BACKEND_MISS : DOGPILE_BACKEND_OK;
}

/* Read what one server answers. */
static void
read_answer(DogpileMemcached *memcached, uint32 which, DogpileBackendItem *items,
			int nitems, DogpileBackendError *error)
{
	DogpileMemcachedLink *link = memcached->links[which];
	DogpileMemcachedFound found;
	DogpileBackendStatus status;
	int			next = 0;

	if (!dogpile_memcached_link_wait(link, error))
		return;
	while ((status = dogpile_memcached_link_read(link, &found, error)) == DOGPILE_BACKEND_OK)
	{
		int			n = find_item(items, nitems, next, found.name);

		/* An answer with items that were not asked for may never end. */
		if (n < 0)
		{
			free(found.value);
			dogpile_memcached_link_refuse(link, error);
			return;
		}
		take_value(&items[n], &memcached->found[n], &found);
		next = n + 1;
	}
	if (status == DOGPILE_BACKEND_ERROR)
		return;
	for (int i = 0; i < nitems; i++)
		if (memcached->found[i].server == which && items[i].status != DOGPILE_BACKEND_OK)
			items[i].status = DOGPILE_BACKEND_MISS;
}

/*
 * Look items up, all servers at the same time.  What is found is valid until
 * the next look-up.
 */
DogpileBackendStatus
dogpile_memcached_look_up(DogpileMemcached *memcached, DogpileBackendItem *items,
						  int nitems, DogpileBackendError *error)
{
	DogpileBackendStatus status = DOGPILE_BACKEND_OK;

	for (int i = 0; i < nitems; i++)
		items[i].status = DOGPILE_BACKEND_ERROR;
	free_values(memcached);
	if (!make_room(memcached, nitems))
	{
		dogpile_memcached_refuse(error, "out of memory");
		return DOGPILE_BACKEND_ERROR;
	}
	for (int i = 0; i < nitems; i++)
	{
		memcached->found[i].value = NULL;
		memcached->found[i].server = dogpile_memcached_ring_find(memcached->ring,
																 items[i].name);
	}
	memcached->nfound = nitems;
	for (int i = 0; i < memcached->nlinks; i++)
		memcached->is_asked[i] = ask(memcached, i, items, nitems, error);
	for (int i = 0; i < memcached->nlinks; i++)
		if (memcached->is_asked[i])
			read_answer(memcached, i, items, nitems, error);
	for (int i = 0; i < nitems; i++)
		if (items[i].status == DOGPILE_BACKEND_ERROR)
			status = DOGPILE_BACKEND_ERROR;
	return status;
}

/* The version of an item that the last look-up has found, for CAS. */
uint64
dogpile_memcached_version(const DogpileMemcached *memcached, int i)
{
	return memcached->found[i].cas;
}

/* --------------------------------------------------------------------
 * Other requests
 * --------------------------------------------------------------------
 */

static DogpileMemcachedLink *
find_link(DogpileMemcached *memcached, DogpileBytes name)
{
	return memcached->links[dogpile_memcached_ring_find(memcached->ring, name)];
}

/* Store an item, as dogpile_memcached_link_store() does. */
DogpileBackendStatus
dogpile_memcached_store(DogpileMemcached *memcached, DogpileMemcachedVerb verb,
						DogpileBytes name, DogpileBytes value, time_t expires,
						uint64 version, DogpileBackendError *error)
{
	return dogpile_memcached_link_store(find_link(memcached, name), verb, name, value,
										expires, version, error);
}

/*
 * Delete an item.
 *
 * Returns OK, MISS or ERROR.
 */
DogpileBackendStatus
dogpile_memcached_delete(DogpileMemcached *memcached, DogpileBytes name,
						 DogpileBackendError *error)
{
	return dogpile_memcached_link_delete(find_link(memcached, name), name, error);
}

/* Tell some figures of each server. */
DogpileBackendStatus
dogpile_memcached_stats(DogpileMemcached *memcached, DogpileBackendFigure figure,
						void *arg, DogpileBackendError *error)
{
	DogpileBackendStatus status = DOGPILE_BACKEND_OK;

	for (int i = 0; i < memcached->nlinks; i++)
		if (dogpile_memcached_link_stats(memcached->links[i], figure, arg,
										 error) != DOGPILE_BACKEND_OK)
			status = DOGPILE_BACKEND_ERROR;
	return status;
}
