/*-------------------------------------------------------------------------
 *
 * redis_cluster.c
 *	  The nodes of a Redis Cluster, and which one has what.
 *
 * A name belongs to one of 16384 slots, and a slot to a node.  The map of slots
 * is fetched from any node when it is first needed, and again when it seems to
 * be wrong.  Nodes that are mentioned anywhere are kept, since any of them may be
 * asked for the map later; connections to them are made when they are needed.
 *
 * Replicas are never read from: they may be behind.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_cluster.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "backend/memory.h"
#include "backend/redis/redis_cluster.h"

#define DEFAULT_PORT		6379
#define NSLOTS				16384
#define NO_NODE				PG_UINT16_MAX

/* If there are more nodes, most are long gone: begin with the seeds again. */
#define MAX_NODES			2000

typedef struct Node
{
	DogpileRedisLink *link;
	bool		is_master;		/* does it have slots? */
	bool		failed;			/* it could not tell the map when last asked */
} Node;

struct DogpileRedisCluster
{
	const DogpileBackendOptions *options;
	Node	   *nodes;
	int			nnodes;
	int			nseeds;			/* the first of them are in the settings */
	int			max_nodes;
	int			preferred;		/* the node to ask for the map first */
	bool		known;			/* is there a map? */
	bool		suspect;		/* must it be fetched again? */
	uint16		slots[NSLOTS];	/* index of the node, or NO_NODE */
};

/* The checksum that clusters use, CRC-16 of the XMODEM protocol. */
static uint16
crc16(const char *data, size_t len)
{
	uint16		crc = 0;

	for (size_t i = 0; i < len; i++)
	{
		crc ^= (uint16) ((unsigned char) data[i] << 8);
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000) ? (uint16) ((crc << 1) ^ 0x1021) : (uint16) (crc << 1);
	}
	return crc;
}

/*
 * The slot of a name.  If there is something in braces, it alone decides, so
 * that names which belong together are on the same node.
 */
int
dogpile_redis_slot(DogpileBytes name)
{
	const char *open = memchr(name.data, '{', name.len);

	if (open != NULL)
	{
		const char *tag = open + 1;
		const char *close = memchr(tag, '}', name.data + name.len - tag);

		if (close != NULL && close > tag)
			return crc16(tag, close - tag) % NSLOTS;
	}
	return crc16(name.data, name.len) % NSLOTS;
}

/* The node at an address, which is added if need be; -1 if there is no memory. */
static int
find_node(DogpileRedisCluster *cluster, const DogpileAddress *address)
{
	Node	   *node;

	for (int i = 0; i < cluster->nnodes; i++)
	{
		const DogpileAddress *other = dogpile_redis_link_address(cluster->nodes[i].link);

		if (other->port == address->port && strcmp(other->host, address->host) == 0)
			return i;
	}
	if (cluster->nnodes == cluster->max_nodes)
	{
		int			max_nodes = cluster->max_nodes * 2 + 8;
		Node	   *nodes = dogpile_memory_enlarge(cluster->nodes,
												   cluster->max_nodes * sizeof(Node),
												   max_nodes * sizeof(Node));

		if (nodes == NULL)
			return -1;
		cluster->nodes = nodes;
		cluster->max_nodes = max_nodes;
	}
	node = &cluster->nodes[cluster->nnodes];
	memset(node, 0, sizeof(Node));
	node->link = dogpile_redis_link_create(cluster->options, DOGPILE_REDIS_NODE, address);
	if (node->link == NULL)
		return -1;
	return cluster->nnodes++;
}

/* Forget the map, and all nodes after the first n. */
static void
keep_nodes(DogpileRedisCluster *cluster, int n)
{
	while (cluster->nnodes > n)
		dogpile_redis_link_destroy(cluster->nodes[--cluster->nnodes].link);
	cluster->known = false;
	cluster->suspect = true;
	cluster->preferred = 0;
	for (int i = 0; i < cluster->nnodes; i++)
		cluster->nodes[i].is_master = false;
	for (int i = 0; i < NSLOTS; i++)
		cluster->slots[i] = NO_NODE;
}

/* Read the list of seeds; nothing is connected.  NULL, and *error, if it is wrong. */
DogpileRedisCluster *
dogpile_redis_cluster_open(const DogpileBackendOptions *options,
						   DogpileBackendError *error)
{
	DogpileRedisCluster *cluster = dogpile_memory_alloc0(sizeof(DogpileRedisCluster));
	DogpileAddress *addresses = NULL;
	int			naddresses;
	bool		added = true;

	if (cluster == NULL)
	{
		snprintf(error->message, sizeof(error->message), "out of memory");
		return NULL;
	}
	cluster->options = options;
	naddresses = dogpile_address_parse(options->servers, DEFAULT_PORT, &addresses, error);
	if (naddresses <= 0)
	{
		dogpile_memory_free(cluster);
		return NULL;
	}
	for (int i = 0; i < naddresses && added; i++)
		added = find_node(cluster, &addresses[i]) >= 0;
	dogpile_memory_free(addresses);
	if (!added)
	{
		snprintf(error->message, sizeof(error->message), "out of memory");
		dogpile_redis_cluster_close(cluster);
		return NULL;
	}
	cluster->nseeds = cluster->nnodes;
	keep_nodes(cluster, cluster->nseeds);
	return cluster;
}

void
dogpile_redis_cluster_close(DogpileRedisCluster *cluster)
{
	if (cluster == NULL)
		return;
	keep_nodes(cluster, 0);
	dogpile_memory_free(cluster->nodes);
	dogpile_memory_free(cluster);
}

/* Forget all answers. */
void
dogpile_redis_cluster_recycle(DogpileRedisCluster *cluster)
{
	for (int i = 0; i < cluster->nnodes; i++)
		dogpile_redis_link_begin(cluster->nodes[i].link);
}

/* A call begins: forget the answers of the last one, and nodes if need be. */
void
dogpile_redis_cluster_begin(DogpileRedisCluster *cluster)
{
	dogpile_redis_cluster_recycle(cluster);
	if (cluster->nnodes > MAX_NODES)
		keep_nodes(cluster, cluster->nseeds);
}

/*
 * The map may be wrong: fetch it before the next command, preferably not from the
 * node that was wrong.
 */
void
dogpile_redis_cluster_suspect(DogpileRedisCluster *cluster,
							  const DogpileRedisLink *link)
{
	cluster->suspect = true;
	for (int i = 0; i < cluster->nnodes; i++)
		if (cluster->nodes[i].link == link)
			cluster->nodes[i].failed = true;
}

/* Is an element of an answer of this kind? */
static bool
element_is(const DogpileRedisReply *reply, int i, DogpileRedisReplyKind kind)
{
	return i < dogpile_redis_reply_count(reply) &&
		dogpile_redis_reply_kind(dogpile_redis_reply_element(reply, i)) == kind;
}

/*
 * Read host and port of a node.  If the host is left out, it is that of the node that
 * answers.  Returns -1 if the answer is none of this kind.
 */
static int
read_node(DogpileRedisCluster *cluster, const DogpileRedisReply *reply,
		  DogpileRedisLink *from)
{
	DogpileAddress address = *dogpile_redis_link_address(from);
	int64		port;

	if (!element_is(reply, 1, DOGPILE_REDIS_INTEGER))
		return -1;
	if (element_is(reply, 0, DOGPILE_REDIS_STRING))
	{
		DogpileBytes host = dogpile_redis_reply_text(dogpile_redis_reply_element(reply, 0));

		if (host.len > 0 && strcmp(host.data, "?") != 0)
			strlcpy(address.host, host.data, sizeof(address.host));
	}
	port = dogpile_redis_reply_integer(dogpile_redis_reply_element(reply, 1));
	if (port <= 0 || port > 65535)
		return -1;
	address.port = (int) port;
	return find_node(cluster, &address);
}

/* Read a range of slots: first, last, master, replicas. */
static bool
read_range(DogpileRedisCluster *cluster, const DogpileRedisReply *reply,
		   DogpileRedisLink *from)
{
	int64		first;
	int64		last;
	int			master;

	if (!element_is(reply, 0, DOGPILE_REDIS_INTEGER) ||
		!element_is(reply, 1, DOGPILE_REDIS_INTEGER) ||
		!element_is(reply, 2, DOGPILE_REDIS_ARRAY))
		return false;
	first = dogpile_redis_reply_integer(dogpile_redis_reply_element(reply, 0));
	last = dogpile_redis_reply_integer(dogpile_redis_reply_element(reply, 1));
	master = read_node(cluster, dogpile_redis_reply_element(reply, 2), from);
	if (first < 0 || last >= NSLOTS || master < 0 || master >= NO_NODE)
		return false;
	for (int64 slot = first; slot <= last; slot++)
		cluster->slots[slot] = (uint16) master;
	cluster->nodes[master].is_master = true;

	/* One of these may be the master when this one is gone. */
	for (int i = 3; i < dogpile_redis_reply_count(reply); i++)
		read_node(cluster, dogpile_redis_reply_element(reply, i), from);
	return true;
}

/* Take over a map; slots that it does not mention have no node. */
static bool
read_map(DogpileRedisCluster *cluster, const DogpileRedisReply *reply,
		 DogpileRedisLink *from)
{
	int			n = dogpile_redis_reply_count(reply);

	if (n == 0 || !element_is(reply, 0, DOGPILE_REDIS_ARRAY))
		return false;
	for (int i = 0; i < NSLOTS; i++)
		cluster->slots[i] = NO_NODE;
	for (int i = 0; i < cluster->nnodes; i++)
		cluster->nodes[i].is_master = false;
	for (int i = 0; i < n; i++)
	{
		if (!read_range(cluster, dogpile_redis_reply_element(reply, i), from))
		{
			cluster->known = false;
			return false;
		}
	}
	return true;
}

/* Fetch the map from one node. */
static bool
fetch_map(DogpileRedisCluster *cluster, DogpileRedisLink *link,
		  DogpileBackendError *error)
{
	const char *argv[] = {"CLUSTER", "SLOTS"};
	DogpileRedisCommand command = {.argc = lengthof(argv),.argv = argv};

	if (!dogpile_redis_link_alive(link, 0) && !dogpile_redis_link_connect(link, 0))
	{
		*error = *dogpile_redis_link_error(link);
		return false;
	}
	dogpile_redis_link_add(link, &command);
	if (dogpile_redis_link_send(link))
		dogpile_redis_link_receive(link);
	if (command.reply == NULL)
	{
		*error = *dogpile_redis_link_error(link);
		return false;
	}
	if (read_map(cluster, command.reply, link))
		return true;
	if (dogpile_redis_reply_kind(command.reply) == DOGPILE_REDIS_ARRAY)
		snprintf(error->message, sizeof(error->message),
				 "Redis server %.100s knows no slots of a cluster",
				 dogpile_redis_link_name(link));
	else
		dogpile_redis_reply_report(command.reply, dogpile_redis_link_name(link), error);
	error->unreachable = true;
	return false;
}

/* Ask node i for the map, if it has failed before or not, as "failed" says. */
static bool
try_node(DogpileRedisCluster *cluster, int i, bool failed, DogpileBackendError *error)
{
	if (cluster->nodes[i].failed != failed)
		return false;
	cluster->nodes[i].failed = true;
	if (!fetch_map(cluster, cluster->nodes[i].link, error))
		return false;
	cluster->nodes[i].failed = false;
	cluster->preferred = i;
	cluster->known = true;
	cluster->suspect = false;
	return true;
}

/*
 * Ask the nodes that have not failed for the map, or those that have.
 *
 * Returns whether one had it; *late if it became too late to ask the next one.
 */
static bool
try_nodes(DogpileRedisCluster *cluster, bool failed, int64 give_up_at, bool *late,
		  DogpileBackendError *error)
{
	int			n = cluster->nnodes;
	int			first = cluster->preferred;

	for (int i = 0; i < n && !*late; i++)
	{
		if (try_node(cluster, (first + i) % n, failed, error))
			return true;
		*late = GetCurrentTimestamp() >= give_up_at;
	}
	return false;
}

/*
 * Fetch the map if there is none or it may be wrong.
 *
 * Nodes that did not answer when they were last asked are asked last.  If none
 * answers, an old map is better than nothing.
 *
 * give_up_at: after this time, no other node is asked than the first; the next
 * call goes on with those that are left.
 *
 * Returns false, and *error, if there is no map.
 */
bool
dogpile_redis_cluster_update(DogpileRedisCluster *cluster, int64 give_up_at,
							 DogpileBackendError *error)
{
	bool		late = false;

	if (cluster->known && !cluster->suspect)
		return true;
	if (try_nodes(cluster, false, give_up_at, &late, error) ||
		(!cluster->known && try_nodes(cluster, true, give_up_at, &late, error)))
		return true;

	/* If all have failed, the order does not matter. */
	for (int i = 0; i < cluster->nnodes && !late; i++)
		cluster->nodes[i].failed = false;
	return cluster->known;
}

/*
 * Read "MOVED slot host:port" or "ASK slot host:port".  NULL if it is none.
 *
 * After MOVED the slot belongs to that node, and the map is fetched from there next.
 */
DogpileRedisLink *
dogpile_redis_cluster_moved(DogpileRedisCluster *cluster,
							const DogpileRedisReply *reply, DogpileRedisLink *from)
{
	DogpileBytes text = dogpile_redis_reply_text(reply);
	DogpileAddress address = *dogpile_redis_link_address(from);
	const char *host;
	const char *colon;
	int			slot;
	int			node;

	host = strchr(text.data, ' ');
	slot = host == NULL ? -1 : atoi(host + 1);
	host = host == NULL ? NULL : strchr(host + 1, ' ');
	colon = host == NULL ? NULL : strrchr(host, ':');
	if (colon == NULL || slot < 0 || slot >= NSLOTS)
		return NULL;
	host++;
	if (colon > host && colon - host < (ptrdiff_t) sizeof(address.host) && *host != '?')
		strlcpy(address.host, host, colon - host + 1);
	address.port = atoi(colon + 1);
	if (address.port <= 0 || address.port > 65535)
		return NULL;
	node = find_node(cluster, &address);
	if (node < 0 || node >= NO_NODE)
		return NULL;
	if (dogpile_redis_reply_is_error(reply, "MOVED"))
	{
		cluster->slots[slot] = (uint16) node;
		cluster->nodes[node].is_master = true;
		cluster->nodes[node].failed = false;
		cluster->preferred = node;
		cluster->suspect = true;
	}
	return cluster->nodes[node].link;
}

int
dogpile_redis_cluster_nlinks(const DogpileRedisCluster *cluster)
{
	return cluster->nnodes;
}

DogpileRedisLink *
dogpile_redis_cluster_link(const DogpileRedisCluster *cluster, int i)
{
	return cluster->nodes[i].link;
}

bool
dogpile_redis_cluster_is_master(const DogpileRedisCluster *cluster, int i)
{
	return cluster->nodes[i].is_master;
}

/* The node of a slot; NULL if there is none. */
DogpileRedisLink *
dogpile_redis_cluster_link_of(const DogpileRedisCluster *cluster, int slot)
{
	return cluster->slots[slot] == NO_NODE ? NULL :
		cluster->nodes[cluster->slots[slot]].link;
}
