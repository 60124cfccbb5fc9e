/*-------------------------------------------------------------------------
 *
 * redis_route.c
 *	  Bring commands to the Redis server that can execute them.
 *
 * There are three ways:
 *
 *	- A list of servers: the first that can be connected to, and is no replica,
 *	  is used, until that connection is lost, or the server says that it takes no
 *	  writes (any more).  This is for servers that replace each other; names are
 *	  not spread over them.
 *	- Sentinels: they tell the master.  They are asked when there is no
 *	  connection, and when the server says that it takes no writes (any more).
 *	- A cluster: each command goes to the node that has the slot of its key; a
 *	  node that does not have it (any more) names the one that has.
 *
 * Commands are sent in rounds.  In a round each server gets all its commands
 * together, all servers work at the same time, and then the answers are read.
 * Commands that another server has to execute make the next round.  A command is
 * sent again if the server did not execute it, or if it may be repeated and the
 * server had closed the connection while it was idle.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_route.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "backend/memory.h"
#include "backend/redis/redis_cluster.h"
#include "backend/redis/redis_route.h"
#include "backend/redis/redis_sentinel.h"

#define DEFAULT_PORT		6379

/* How often a command may go to another server. */
#define MAX_REDIRECTIONS	5

/* How long to wait for keys that are moving to another node. */
#define TRY_AGAIN_MS		20

/* Memory of one call.  The first chunk is kept for the next. */
#define CHUNK_SIZE			8000

typedef struct Chunk
{
	struct Chunk *next;
	size_t		size;
	size_t		used;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Chunk;

struct DogpileRedisRoute
{
	const DogpileBackendOptions *options;
	DogpileRedisLink **links;	/* one for each server, or for Sentinels'
								 * master */
	int			nlinks;
	int			current;
	int			first;			/* the one to connect to first */
	TimestampTz give_up_at;		/* in this call, try no other server after
								 * that */
	DogpileRedisSentinel *sentinel; /* NULL: there are none */
	DogpileRedisCluster *cluster;	/* NULL: it is none */
	DogpileRedisLink **servers; /* what dogpile_redis_route_servers() returns */
	int			max_servers;
	Chunk	   *chunks;
};

/* A server in a round. */
typedef struct Party
{
	DogpileRedisLink *link;
	bool		connected;
} Party;

/* A round. */
typedef struct Round
{
	DogpileRedisRoute *route;
	int			flags;
	DogpileBackendError *error; /* of the first command that failed */
	bool		failed;
	bool		must_pause;		/* before the next one */
	Party	   *parties;
	int			nparties;
} Round;

static bool
out_of_memory(DogpileBackendError *error)
{
	error->unreachable = false;
	snprintf(error->message, sizeof(error->message), "out of memory");
	return false;
}

/* One link for each server in the list. */
static bool
open_servers(DogpileRedisRoute *route, DogpileBackendError *error)
{
	DogpileAddress *addresses = NULL;
	int			n = dogpile_address_parse(route->options->servers, DEFAULT_PORT,
										  &addresses, error);

	if (n <= 0)
		return false;
	route->links = dogpile_memory_alloc0(n * sizeof(DogpileRedisLink *));
	while (route->links != NULL && route->nlinks < n)
	{
		DogpileRedisLink *link =
			dogpile_redis_link_create(route->options,
									  n > 1 ? DOGPILE_REDIS_MASTER : DOGPILE_REDIS_SERVER,
									  &addresses[route->nlinks]);

		if (link == NULL)
			break;
		route->links[route->nlinks++] = link;
	}
	dogpile_memory_free(addresses);
	return route->nlinks == n || out_of_memory(error);
}

/* One link, to whatever Sentinels say. */
static bool
open_sentinel(DogpileRedisRoute *route, DogpileBackendError *error)
{
	route->sentinel = dogpile_redis_sentinel_open(route->options, error);
	if (route->sentinel == NULL)
		return false;
	route->links = dogpile_memory_alloc0(sizeof(DogpileRedisLink *));
	if (route->links == NULL)
		return out_of_memory(error);
	route->links[0] = dogpile_redis_link_create(route->options, DOGPILE_REDIS_MASTER, NULL);
	if (route->links[0] == NULL)
		return out_of_memory(error);
	route->nlinks = 1;
	return true;
}

/* Make a route; nothing is connected.  NULL, and *error, if that does not work. */
DogpileRedisRoute *
dogpile_redis_route_open(const DogpileBackendOptions *options,
						 DogpileBackendError *error)
{
	DogpileRedisRoute *route = dogpile_memory_alloc0(sizeof(DogpileRedisRoute));
	bool		opened;

	error->unreachable = false;
	if (route == NULL)
	{
		out_of_memory(error);
		return NULL;
	}
	route->options = options;
	if (options->cluster)
		opened = (route->cluster = dogpile_redis_cluster_open(options, error)) != NULL;
	else if (options->sentinels[0] != '\0')
		opened = open_sentinel(route, error);
	else
		opened = open_servers(route, error);
	if (!opened)
	{
		dogpile_redis_route_close(route);
		return NULL;
	}
	return route;
}

/* Give back the memory of the last call, but for the first chunk. */
static void
free_chunks(DogpileRedisRoute *route)
{
	while (route->chunks != NULL && route->chunks->next != NULL)
	{
		Chunk	   *chunk = route->chunks;

		route->chunks = chunk->next;
		dogpile_memory_free(chunk);
	}
	if (route->chunks != NULL)
		route->chunks->used = 0;
}

void
dogpile_redis_route_close(DogpileRedisRoute *route)
{
	dogpile_redis_cluster_close(route->cluster);
	dogpile_redis_sentinel_close(route->sentinel);
	for (int i = 0; i < route->nlinks; i++)
		dogpile_redis_link_destroy(route->links[i]);
	dogpile_memory_free(route->links);
	dogpile_memory_free(route->servers);
	free_chunks(route);
	dogpile_memory_free(route->chunks);
	dogpile_memory_free(route);
}

/* A call begins: what the last one returned is no longer valid. */
void
dogpile_redis_route_begin(DogpileRedisRoute *route)
{
	if (route->cluster != NULL)
		dogpile_redis_cluster_begin(route->cluster);
	dogpile_redis_route_recycle(route);
}

/*
 * In the middle of a call: give back the memory of what it has done so far, and
 * begin to count its time anew.
 */
void
dogpile_redis_route_recycle(DogpileRedisRoute *route)
{
	route->give_up_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													route->options->connect_timeout_ms +
													(int64) route->options->operation_timeout_ms);
	if (route->cluster != NULL)
		dogpile_redis_cluster_recycle(route->cluster);
	for (int i = 0; i < route->nlinks; i++)
		dogpile_redis_link_begin(route->links[i]);
	free_chunks(route);
}

/*
 * Get memory, filled with zeros, until the next call begins; NULL if there is
 * none.  It is not lost when an error is raised.
 */
void *
dogpile_redis_route_alloc(DogpileRedisRoute *route, size_t size)
{
	Chunk	   *chunk = route->chunks;
	char	   *data;

	size = MAXALIGN(size);
	if (chunk == NULL || chunk->size - chunk->used < size)
	{
		size_t		chunk_size = Max(size, CHUNK_SIZE);

		chunk = dogpile_memory_alloc(offsetof(Chunk, data) + chunk_size);
		if (chunk == NULL)
			return NULL;
		chunk->size = chunk_size;
		chunk->used = 0;
		chunk->next = route->chunks;
		route->chunks = chunk;
	}
	data = chunk->data + chunk->used;
	chunk->used += size;
	return memset(data, 0, size);
}

/*
 * Has this call taken so long that it must not try another server?  Each server may
 * take both timeouts.
 */
static bool
is_route_late(const DogpileRedisRoute *route)
{
	return GetCurrentTimestamp() >= route->give_up_at;
}

bool
dogpile_redis_route_is_cluster(const DogpileRedisRoute *route)
{
	return route->cluster != NULL;
}

/*
 * Connect to the first server in the list that can be connected to.  If it
 * becomes too late for all of them, the next call goes on.
 */
static DogpileRedisLink *
connect_first(DogpileRedisRoute *route, int flags, DogpileBackendError *error)
{
	int			first = route->first;

	for (int i = 0; i < route->nlinks; i++)
	{
		route->current = route->first = (first + i) % route->nlinks;
		if (i > 0 && is_route_late(route))
			return NULL;
		if (dogpile_redis_link_connect(route->links[route->current], flags))
		{
			route->first = 0;
			return route->links[route->current];
		}
		*error = *dogpile_redis_link_error(route->links[route->current]);
	}
	route->first = 0;
	return NULL;
}

/*
 * Ask which server is the master, and connect to it.  During a failover the answer may
 * be out of date: ask once more if that fails.
 */
static DogpileRedisLink *
connect_master(DogpileRedisRoute *route, int flags, DogpileBackendError *error)
{
	DogpileAddress master;

	for (int i = 0; i < 2; i++)
	{
		if (!dogpile_redis_sentinel_ask(route->sentinel, route->give_up_at, &master, error))
			return NULL;
		dogpile_redis_link_set_address(route->links[0], &master);
		if (dogpile_redis_link_connect(route->links[0], flags))
			return route->links[0];
		*error = *dogpile_redis_link_error(route->links[0]);
		if (is_route_late(route))
			break;
	}
	return NULL;
}

/* Get the connection of a route that is no cluster; NULL, and *error, if there is none. */
static DogpileRedisLink *
get_link(DogpileRedisRoute *route, int flags, DogpileBackendError *error)
{
	DogpileRedisLink *link = route->links[route->current];

	if (dogpile_redis_link_alive(link, flags))
		return link;
	return route->sentinel != NULL ? connect_master(route, flags, error) :
		connect_first(route, flags, error);
}

/* A command has failed for good. */
static void
give_up(Round *round, DogpileRedisCommand *command, const DogpileBackendError *error)
{
	command->pending = false;
	command->reply = NULL;
	if (!round->failed && round->error != error)
		*round->error = *error;
	round->failed = true;
}

/* The part that a node of the cluster has in this round. */
static Party *
get_party(Round *round, DogpileRedisLink *link)
{
	Party	   *party;

	for (int i = round->nparties - 1; i >= 0; i--)
		if (round->parties[i].link == link)
			return &round->parties[i];
	party = &round->parties[round->nparties++];
	party->link = link;
	party->connected = dogpile_redis_link_alive(link, round->flags) ||
		dogpile_redis_link_connect(link, round->flags);
	return party;
}

/* Announce that the next command is for a slot that is moving to the node. */
static bool
add_asking(Round *round, DogpileRedisLink *link)
{
	static const char *argv[] = {"ASKING"};
	DogpileRedisCommand *asking = dogpile_redis_route_alloc(round->route,
															sizeof(DogpileRedisCommand));

	if (asking == NULL)
		return false;
	asking->argc = 1;
	asking->argv = argv;
	dogpile_redis_link_add(link, asking);
	return true;
}

/* Queue a command for the node that has its slot. */
static void
queue_at_node(Round *round, DogpileRedisCommand *command)
{
	DogpileRedisLink *link = command->asked;
	Party	   *party;

	command->reply = NULL;
	command->sent = false;
	if (link == NULL)
		link = dogpile_redis_cluster_link_of(round->route->cluster, command->slot);
	command->link = link;
	if (link == NULL)
	{
		DogpileBackendError error = {.unreachable = true};

		snprintf(error.message, sizeof(error.message),
				 "no node of the Redis cluster has slot %d", command->slot);
		dogpile_redis_cluster_suspect(round->route->cluster, NULL);
		give_up(round, command, &error);
		return;
	}
	party = get_party(round, link);
	if (!party->connected)
		return;
	if (command->asked != NULL && !add_asking(round, link))
	{
		DogpileBackendError error;

		out_of_memory(&error);
		give_up(round, command, &error);
		return;
	}
	dogpile_redis_link_add(link, command);
	command->asked = NULL;
}

/* Queue all that is pending.  False, and *error, if there is no server at all. */
static bool
queue_commands(Round *round, DogpileRedisCommand *commands, int ncommands)
{
	DogpileRedisRoute *route = round->route;
	int			most = 1;

	if (route->cluster != NULL)
	{
		if (!dogpile_redis_cluster_update(route->cluster, route->give_up_at,
										  round->error))
			return false;
		most = dogpile_redis_cluster_nlinks(route->cluster);
	}
	round->nparties = 0;
	round->parties = dogpile_redis_route_alloc(route, most * sizeof(Party));
	if (round->parties == NULL)
		return out_of_memory(round->error);
	if (route->cluster == NULL)
	{
		DogpileRedisLink *link = get_link(route, round->flags, round->error);

		if (link == NULL)
			return false;
		round->parties[0].link = link;
		round->parties[0].connected = true;
		round->nparties = 1;
	}
	for (int i = 0; i < ncommands; i++)
	{
		if (!commands[i].pending)
			continue;
		if (route->cluster != NULL)
			queue_at_node(round, &commands[i]);
		else
			dogpile_redis_link_add(round->parties[0].link, &commands[i]);
	}
	return true;
}

/* A command has no answer: send it again in another round? */
static void
judge_silence(Round *round, DogpileRedisCommand *command)
{
	DogpileRedisRoute *route = round->route;
	bool		again;

	/* The map may have another node for it by now. */
	if (route->cluster != NULL)
		dogpile_redis_cluster_suspect(route->cluster, command->link);
	if (command->sent)
		again = (round->flags & DOGPILE_REDIS_REPEATABLE) != 0 &&
			dogpile_redis_link_was_stale(command->link);
	else
		again = route->cluster != NULL;
	if (!again || command->retried)
		give_up(round, command, dogpile_redis_link_error(command->link));
	command->retried = true;
	command->asked = NULL;
}

/* Does a server say that it takes no writes, maybe within a script? */
static bool
is_readonly(const DogpileRedisReply *reply)
{
	return dogpile_redis_reply_kind(reply) == DOGPILE_REDIS_ERROR &&
		(dogpile_redis_reply_is_error(reply, "READONLY") ||
		 strstr(dogpile_redis_reply_text(reply).data, "-READONLY ") != NULL);
}

/* A command has an answer: does that send it to another server? */
static void
judge_answer(Round *round, DogpileRedisCommand *command)
{
	DogpileRedisRoute *route = round->route;
	const DogpileRedisReply *reply = command->reply;

	command->pending = false;
	if (route->cluster != NULL)
	{
		if (dogpile_redis_reply_is_error(reply, "MOVED"))
			command->pending = dogpile_redis_cluster_moved(route->cluster, reply,
														   command->link) != NULL;
		else if (dogpile_redis_reply_is_error(reply, "ASK"))
		{
			command->asked = dogpile_redis_cluster_moved(route->cluster, reply, command->link);
			command->pending = command->asked != NULL;
		}
		else if (dogpile_redis_reply_is_error(reply, "TRYAGAIN"))
			command->pending = round->must_pause = true;
		else if (dogpile_redis_reply_is_error(reply, "CLUSTERDOWN"))
			dogpile_redis_cluster_suspect(route->cluster, command->link);
	}
	else if (is_readonly(reply) && (route->sentinel != NULL || route->nlinks > 1))
	{
		dogpile_redis_link_disconnect(command->link);
		command->pending = !command->retried;
		command->retried = true;
	}
}

/* Send all that is pending, and look at the answers.  Returns how much still is. */
static int
run_round(Round *round, DogpileRedisCommand *commands, int ncommands)
{
	int			npending = 0;

	if (!queue_commands(round, commands, ncommands))
	{
		for (int i = 0; i < ncommands; i++)
			if (commands[i].pending)
				give_up(round, &commands[i], round->error);
		return 0;
	}
	for (int i = 0; i < round->nparties; i++)
	{
		Party	   *party = &round->parties[i];

		party->connected = party->connected && dogpile_redis_link_send(party->link);
	}
	for (int i = 0; i < round->nparties; i++)
		if (round->parties[i].connected)
			dogpile_redis_link_receive(round->parties[i].link);

	for (int i = 0; i < ncommands; i++)
	{
		if (!commands[i].pending)
			continue;
		if (commands[i].reply == NULL)
			judge_silence(round, &commands[i]);
		else
			judge_answer(round, &commands[i]);
		npending += commands[i].pending;
	}
	return npending;
}

/*
 * Only some of a command's keys have moved to another node: wait for the others.
 */
static void
pause_round(Round *round)
{
	round->must_pause = false;
	pg_usleep(TRY_AGAIN_MS * 1000L);
	if (InterruptHoldoffCount == 0 && CritSectionCount == 0)
		CHECK_FOR_INTERRUPTS();
}

/*
 * Execute commands.
 *
 * Each gets its answer, which may be an error of the server; the answers are
 * valid until the next call begins.  Commands for the same server are executed in
 * their order.
 *
 * Returns false, and *error, if at least one got none.
 */
bool
dogpile_redis_route_run(DogpileRedisRoute *route, DogpileRedisCommand *commands,
						int ncommands, int flags, DogpileBackendError *error)
{
	Round		round = {.route = route,.flags = flags,.error = error};

	for (int i = 0; i < ncommands; i++)
	{
		commands[i].pending = true;
		commands[i].retried = false;
		commands[i].asked = NULL;
		commands[i].reply = NULL;
	}
	for (int i = 0; i <= MAX_REDIRECTIONS; i++)
	{
		if (run_round(&round, commands, ncommands) == 0)
			break;
		if (round.must_pause && i < MAX_REDIRECTIONS)
			pause_round(&round);
	}

	/* What is still being sent around has the last "MOVED" as its answer. */
	return !round.failed;
}

/* Make room for n servers in route->servers. */
static bool
reserve_servers(DogpileRedisRoute *route, int n)
{
	DogpileRedisLink **servers;

	if (n <= route->max_servers)
		return true;
	servers = dogpile_memory_enlarge(route->servers,
									 route->max_servers * sizeof(DogpileRedisLink *),
									 n * sizeof(DogpileRedisLink *));
	if (servers == NULL)
		return false;
	route->servers = servers;
	route->max_servers = n;
	return true;
}

/*
 * Find all servers that have values of their own, and connect to them: the one
 * in use, or all masters of a cluster.
 *
 * Returns an array that is valid until the next time; or NULL and *error.
 */
DogpileRedisLink **
dogpile_redis_route_servers(DogpileRedisRoute *route, int flags, int *nservers,
							DogpileBackendError *error)
{
	int			n = 1;
	DogpileRedisLink **servers;

	if (route->cluster != NULL)
	{
		if (!dogpile_redis_cluster_update(route->cluster, route->give_up_at, error))
			return NULL;
		n = dogpile_redis_cluster_nlinks(route->cluster);
	}
	if (!reserve_servers(route, n))
	{
		out_of_memory(error);
		return NULL;
	}
	servers = route->servers;
	*nservers = 0;
	if (route->cluster == NULL)
	{
		servers[0] = get_link(route, flags, error);
		*nservers = 1;
		return servers[0] == NULL ? NULL : servers;
	}
	for (int i = 0; i < n; i++)
	{
		DogpileRedisLink *link = dogpile_redis_cluster_link(route->cluster, i);

		if (!dogpile_redis_cluster_is_master(route->cluster, i))
			continue;
		if (!dogpile_redis_link_alive(link, flags) && !dogpile_redis_link_connect(link, flags))
		{
			dogpile_redis_cluster_suspect(route->cluster, link);
			*error = *dogpile_redis_link_error(link);
			return NULL;
		}
		servers[(*nservers)++] = link;
	}
	return servers;
}
