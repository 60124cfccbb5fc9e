/*-------------------------------------------------------------------------
 *
 * redis_sentinel.c
 *	  Ask Redis Sentinels which server is the master.
 *
 * They are asked in turn, beginning with the one that answered last, until one
 * knows.  Its answer may be out of date during a failover, so redis_link.c checks
 * that the server is a master.
 *
 * They are asked rarely, so the connection to one is closed after its answer.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_sentinel.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "backend/memory.h"
#include "backend/redis/redis_link.h"
#include "backend/redis/redis_sentinel.h"

struct DogpileRedisSentinel
{
	const DogpileBackendOptions *options;
	DogpileAddress *addresses;
	int			naddresses;
	int			current;		/* the one to ask first */
	DogpileRedisLink *link;
};

/* Read the list of Sentinels; nothing is connected.  NULL, and *error, if it is wrong. */
DogpileRedisSentinel *
dogpile_redis_sentinel_open(const DogpileBackendOptions *options,
							DogpileBackendError *error)
{
	DogpileRedisSentinel *sentinel = dogpile_memory_alloc0(sizeof(DogpileRedisSentinel));

	if (sentinel == NULL)
	{
		snprintf(error->message, sizeof(error->message), "out of memory");
		return NULL;
	}
	sentinel->options = options;
	sentinel->naddresses = dogpile_address_parse(options->sentinels,
												 DOGPILE_REDIS_SENTINEL_PORT,
												 &sentinel->addresses, error);
	if (sentinel->naddresses <= 0)
	{
		dogpile_memory_free(sentinel);
		return NULL;
	}
	sentinel->link = dogpile_redis_link_create(options, DOGPILE_REDIS_SENTINEL, NULL);
	if (sentinel->link == NULL)
	{
		snprintf(error->message, sizeof(error->message), "out of memory");
		dogpile_redis_sentinel_close(sentinel);
		return NULL;
	}
	return sentinel;
}

void
dogpile_redis_sentinel_close(DogpileRedisSentinel *sentinel)
{
	if (sentinel == NULL)
		return;
	dogpile_redis_link_destroy(sentinel->link);
	dogpile_memory_free(sentinel->addresses);
	dogpile_memory_free(sentinel);
}

/* Read the answer, host and port, if it is one. */
static bool
read_master(DogpileRedisSentinel *sentinel, const DogpileRedisReply *reply,
			DogpileAddress *master, DogpileBackendError *error)
{
	const char *name = dogpile_redis_link_name(sentinel->link);
	DogpileBytes host;

	error->unreachable = true;
	if (dogpile_redis_reply_kind(reply) == DOGPILE_REDIS_NIL)
	{
		snprintf(error->message, sizeof(error->message),
				 "Redis Sentinel %.100s does not know of a master \"%.60s\"",
				 name, sentinel->options->service_name);
		return false;
	}
	if (dogpile_redis_reply_count(reply) == 2 &&
		dogpile_redis_reply_kind(dogpile_redis_reply_element(reply, 0)) == DOGPILE_REDIS_STRING &&
		dogpile_redis_reply_kind(dogpile_redis_reply_element(reply, 1)) == DOGPILE_REDIS_STRING)
	{
		host = dogpile_redis_reply_text(dogpile_redis_reply_element(reply, 0));
		master->port = atoi(dogpile_redis_reply_text(dogpile_redis_reply_element(reply, 1)).data);
		if (host.len > 0 && host.len < sizeof(master->host) &&
			master->port > 0 && master->port <= 65535)
		{
			strlcpy(master->host, host.data, sizeof(master->host));
			return true;
		}
	}
	dogpile_redis_reply_report(reply, name, error);
	error->unreachable = true;
	return false;
}

/* Send a command, and wait for the answer; NULL, and *error, if there is none. */
static const DogpileRedisReply *
execute(DogpileRedisSentinel *sentinel, int argc, const char **argv,
		DogpileBackendError *error)
{
	DogpileRedisCommand command = {.argc = argc,.argv = argv};

	dogpile_redis_link_add(sentinel->link, &command);
	if (dogpile_redis_link_send(sentinel->link))
		dogpile_redis_link_receive(sentinel->link);
	if (command.reply == NULL)
		*error = *dogpile_redis_link_error(sentinel->link);
	return command.reply;
}

/* Ask one of them.  It is sent the password only if it demands one. */
static bool
ask_one(DogpileRedisSentinel *sentinel, const DogpileAddress *address,
		DogpileAddress *master, DogpileBackendError *error)
{
	const DogpileBackendOptions *options = sentinel->options;
	const char *ask[] = {"SENTINEL", "get-master-addr-by-name", options->service_name};
	const char *auth[] = {"AUTH", options->password};
	const DogpileRedisReply *reply;

	dogpile_redis_link_set_address(sentinel->link, address);
	if (!dogpile_redis_link_connect(sentinel->link, 0))
	{
		*error = *dogpile_redis_link_error(sentinel->link);
		return false;
	}
	reply = execute(sentinel, lengthof(ask), ask, error);
	if (reply != NULL && dogpile_redis_reply_is_error(reply, "NOAUTH") &&
		options->password[0] != '\0' &&
		dogpile_redis_link_alive(sentinel->link, DOGPILE_REDIS_REPEATABLE))
	{
		reply = execute(sentinel, lengthof(auth), auth, error);
		if (reply != NULL && dogpile_redis_reply_kind(reply) == DOGPILE_REDIS_STATUS &&
			dogpile_redis_link_alive(sentinel->link, DOGPILE_REDIS_REPEATABLE))
			reply = execute(sentinel, lengthof(ask), ask, error);
	}
	return reply != NULL && read_master(sentinel, reply, master, error);
}

/*
 * Find out which server is the master.
 *
 * give_up_at: after this time, only the first one is asked; the next call goes on with
 * the others.
 *
 * Returns false, and *error as the last Sentinel has it, if none knows.
 */
bool
dogpile_redis_sentinel_ask(DogpileRedisSentinel *sentinel, int64 give_up_at,
						   DogpileAddress *master, DogpileBackendError *error)
{
	bool		found = false;

	dogpile_redis_link_begin(sentinel->link);
	for (int i = 0; i < sentinel->naddresses && !found; i++)
	{
		if (i > 0 && GetCurrentTimestamp() >= give_up_at)
			break;
		found = ask_one(sentinel, &sentinel->addresses[sentinel->current], master, error);
		if (!found)
			sentinel->current = (sentinel->current + 1) % sentinel->naddresses;
	}
	dogpile_redis_link_disconnect(sentinel->link);
	dogpile_redis_link_begin(sentinel->link);
	return found;
}
