/*-------------------------------------------------------------------------
 *
 * backend_redis.c
 *	  The backend "redis": values live in Redis, or what speaks its protocol.
 *
 * The contract in terms of Redis commands.  redis_command.c makes them and reads
 * their answers, redis_route.c decides which server they go to.
 *
 * Values are deleted by DEL: for strings UNLINK does just the same.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/backend_redis.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "backend/backends.h"
#include "backend/memory.h"
#include "backend/redis/redis_command.h"
#include "backend/redis/redis_sentinel.h"

#define DEFAULT_PORT		6379

/* Most commands, and about how many bytes, that are sent in one go. */
#define BATCH_ITEMS			1000
#define BATCH_BYTES			(8 * 1024 * 1024)

/* How many names SCAN looks at in one go. */
#define SCAN_COUNT			"1000"

/* The figures of INFO that we pass on. */
static const char *const figures[] = {
	"redis_version", "role", "connected_clients", "used_memory", "maxmemory",
	"evicted_keys", "expired_keys", "keyspace_hits", "keyspace_misses"
};

/* Can the options be right?  Nothing is connected. */
static bool
redis_check(const DogpileBackendOptions *options, DogpileBackendError *error)
{
	bool		has_sentinels = options->sentinels[0] != '\0';
	const char *wrong = NULL;
	DogpileAddress *addresses;
	int			n;

	error->unreachable = false;
	if (has_sentinels && options->cluster)
		wrong = "a Redis Cluster has no Sentinels";
	else if (has_sentinels && options->service_name[0] == '\0')
		wrong = "Redis Sentinels need the name of the master";
	else if (options->cluster && options->database != 0)
		wrong = "a Redis Cluster has no database but number 0";
	else if (options->database < 0)
		wrong = "the number of the Redis database is negative";
	else if (strcmp(options->tls, "off") != 0 && strcmp(options->tls, "on") != 0 &&
			 strcmp(options->tls, "verify") != 0)
		wrong = "tls is neither \"off\" nor \"on\" nor \"verify\"";
	if (wrong != NULL)
	{
		snprintf(error->message, sizeof(error->message), "%s", wrong);
		return false;
	}
	if (!dogpile_redis_link_check_tls(options, error))
		return false;
	n = dogpile_address_parse(has_sentinels ? options->sentinels : options->servers,
							  has_sentinels ? DOGPILE_REDIS_SENTINEL_PORT : DEFAULT_PORT,
							  &addresses, error);
	if (n <= 0)
		return false;
	dogpile_memory_free(addresses);
	return true;
}

/*
 * Nothing is connected yet: that is done by the first command, so that a server that
 * is down costs no session its start.
 */
static void *
redis_open(const DogpileBackendOptions *options, DogpileBackendError *error)
{
	if (!redis_check(options, error))
		return NULL;
	return dogpile_redis_route_open(options, error);
}

/* Sockets are closed without QUIT, which would have to be waited for. */
static void
redis_close(void *connection)
{
	dogpile_redis_route_close(connection);
}

/* Get memory for commands; NULL if there is none. */
static DogpileRedisCommand *
alloc_commands(DogpileRedisRoute *route, int n)
{
	return dogpile_redis_route_alloc(route, n * sizeof(DogpileRedisCommand));
}

/* A call for many items begins. */
static void
begin_items(DogpileRedisRoute *route, DogpileBackendItem *items, int nitems)
{
	dogpile_redis_route_begin(route);
	for (int i = 0; i < nitems; i++)
		items[i].status = DOGPILE_BACKEND_ERROR;
}

/* Look up items that may be on different nodes: GET each. */
static DogpileBackendStatus
get_each(DogpileRedisRoute *route, DogpileBackendItem *items, int nitems,
		 DogpileBackendError *error)
{
	DogpileBackendStatus status = DOGPILE_BACKEND_OK;
	DogpileRedisCommand *commands = alloc_commands(route, nitems);

	if (commands == NULL)
		return dogpile_redis_command_no_memory(error);
	for (int i = 0; i < nitems; i++)
	{
		if (!dogpile_redis_command_start(route, &commands[i], "GET", 2))
			return dogpile_redis_command_no_memory(error);
		dogpile_redis_command_add_key(route, &commands[i], items[i].name);
	}
	if (!dogpile_redis_route_run(route, commands, nitems, DOGPILE_REDIS_REPEATABLE, error))
		status = DOGPILE_BACKEND_ERROR;
	for (int i = 0; i < nitems; i++)
	{
		if (commands[i].reply == NULL)
			continue;
		items[i].status = dogpile_redis_read_value(commands[i].reply, &commands[i],
												   &items[i].value, error);
		if (items[i].status == DOGPILE_BACKEND_ERROR)
			status = DOGPILE_BACKEND_ERROR;
	}
	return status;
}

/* Look up items that are on one server: MGET. */
static DogpileBackendStatus
get_together(DogpileRedisRoute *route, DogpileBackendItem *items, int nitems,
			 DogpileBackendError *error)
{
	DogpileRedisCommand command = {0};
	DogpileBackendStatus status = DOGPILE_BACKEND_OK;

	if (!dogpile_redis_command_start(route, &command, "MGET", nitems + 1))
		return dogpile_redis_command_no_memory(error);
	for (int i = 0; i < nitems; i++)
		dogpile_redis_command_add(&command, items[i].name.data, items[i].name.len);
	if (!dogpile_redis_route_run(route, &command, 1, DOGPILE_REDIS_REPEATABLE, error))
		return DOGPILE_BACKEND_ERROR;
	if (dogpile_redis_reply_count(command.reply) != nitems)
		return dogpile_redis_refuse(&command, error);
	for (int i = 0; i < nitems; i++)
	{
		items[i].status = dogpile_redis_read_value(dogpile_redis_reply_element(command.reply, i),
												   &command, &items[i].value, error);
		if (items[i].status == DOGPILE_BACKEND_ERROR)
			status = DOGPILE_BACKEND_ERROR;
	}
	return status;
}

/*
 * Look items up: MGET for as many as belong to one server, all servers asked before
 * the first answer is read.  Commands that only read are sent again on a new
 * connection if the old one turns out to be closed.
 */
static DogpileBackendStatus
redis_get(void *connection, DogpileBackendItem *items, int nitems,
		  DogpileBackendError *error)
{
	DogpileRedisRoute *route = connection;

	begin_items(route, items, nitems);
	if (nitems <= 0)
		return DOGPILE_BACKEND_OK;
	if (nitems == 1 || dogpile_redis_route_is_cluster(route))
		return get_each(route, items, nitems, error);
	return get_together(route, items, nitems, error);
}

/*
 * Make the command that stores an item.  A script that the server turns out not
 * to know would be executed after the commands that follow it; so if there are
 * any it is sent as text.
 */
static bool
make_set(DogpileRedisRoute *route, DogpileRedisCommand *command,
		 const DogpileBackendItem *item, bool alone)
{
	int64		ttl_ms = dogpile_redis_limit_ttl(item->ttl_ms);

	if (item->mode == DOGPILE_BACKEND_IF_EQUAL)
	{
		if (!dogpile_redis_script_start(route, command, &dogpile_redis_set_if_equal, "1"))
			return false;
		if (!alone)
			dogpile_redis_script_spell(command, &dogpile_redis_set_if_equal);
		dogpile_redis_command_add_key(route, command, item->name);
		dogpile_redis_command_add(command, item->expected.data, item->expected.len);
		dogpile_redis_command_add(command, item->value.data, item->value.len);
		return dogpile_redis_command_add_number(route, command, ttl_ms);
	}

	if (!dogpile_redis_command_start(route, command, "SET", DOGPILE_REDIS_MAX_ARGS))
		return false;
	dogpile_redis_command_add_key(route, command, item->name);
	dogpile_redis_command_add(command, item->value.data, item->value.len);
	if (item->mode == DOGPILE_BACKEND_IF_ABSENT)
		dogpile_redis_command_add_word(command, "NX");
	if (ttl_ms == 0)
		return true;
	dogpile_redis_command_add_word(command, "PX");
	return dogpile_redis_command_add_number(route, command, ttl_ms);
}

/* How many of the items go out together, and may they be sent twice? */
static int
measure_batch(const DogpileBackendItem *items, int nitems, int *flags)
{
	size_t		size = 0;
	int			n = 0;

	*flags = DOGPILE_REDIS_REPEATABLE;
	while (n < nitems && n < BATCH_ITEMS &&
		   (n == 0 || size + items[n].value.len < BATCH_BYTES))
	{
		if (items[n].mode != DOGPILE_BACKEND_ALWAYS)
			*flags = 0;
		size += items[n++].value.len;
	}
	return n;
}

/*
 * A server closes the connection at a value that is too large for it, and does not
 * execute the commands that follow.  Move these to the beginning of the array, to be
 * sent once more.  Returns how many there are.
 */
static int
collect_unseen(DogpileRedisCommand *commands, DogpileBackendItem **owners, int n)
{
	int			nunseen = 0;
	const DogpileRedisLink *gone = NULL;

	for (int i = 0; i < n; i++)
	{
		if (commands[i].reply != NULL && owners[i]->status == DOGPILE_BACKEND_TOO_LARGE)
			gone = commands[i].link;
		else if (commands[i].reply == NULL && gone != NULL && commands[i].link == gone)
		{
			commands[nunseen] = commands[i];
			owners[nunseen++] = owners[i];
		}
	}
	return nunseen;
}

/* Execute what stores items, and note how it went. */
static void
run_set(DogpileRedisRoute *route, DogpileRedisCommand *commands,
		DogpileBackendItem **owners, int n, int flags, DogpileBackendError *error)
{
	DogpileBackendError failure = {0};

	if (n == 1 && owners[0]->mode == DOGPILE_BACKEND_IF_EQUAL)
		dogpile_redis_script_run(route, commands, &dogpile_redis_set_if_equal, flags, error);
	else
		dogpile_redis_route_run(route, commands, n, flags, error);
	for (int i = 0; i < n; i++)
	{
		if (commands[i].reply == NULL)
			continue;
		owners[i]->status = owners[i]->mode == DOGPILE_BACKEND_IF_EQUAL ?
			dogpile_redis_read_script(&commands[i], &failure) :
			dogpile_redis_read_set(&commands[i], &failure);
		if (owners[i]->status == DOGPILE_BACKEND_ERROR)
			*error = failure;
	}
}

/* Store some items in one go. */
static DogpileBackendStatus
set_batch(DogpileRedisRoute *route, DogpileBackendItem *items, int nitems, int flags,
		  DogpileBackendError *error)
{
	DogpileRedisCommand *commands = alloc_commands(route, nitems);
	DogpileBackendItem **owners = dogpile_redis_route_alloc(route,
															nitems * sizeof(DogpileBackendItem *));
	int			n = nitems;

	if (commands == NULL || owners == NULL)
		return dogpile_redis_command_no_memory(error);
	for (int i = 0; i < nitems; i++)
	{
		owners[i] = &items[i];
		if (!make_set(route, &commands[i], &items[i], nitems == 1))
			return dogpile_redis_command_no_memory(error);
	}
	while (n > 0)
	{
		run_set(route, commands, owners, n, flags, error);
		n = collect_unseen(commands, owners, n);
	}
	for (int i = 0; i < nitems; i++)
		if (items[i].status == DOGPILE_BACKEND_ERROR)
			return DOGPILE_BACKEND_ERROR;
	return DOGPILE_BACKEND_OK;
}

/*
 * Store items.  Conditions on the value are checked by a script, in one step with
 * storing; without one it is SET, with NX for what must not be there.  Several
 * commands are on their way at a time, and answered in their order.
 *
 * A batch with conditions is not sent again when it may have been executed: the second
 * attempt would find that the condition fails which the first one has met.
 */
static DogpileBackendStatus
redis_set(void *connection, DogpileBackendItem *items, int nitems,
		  DogpileBackendError *error)
{
	DogpileRedisRoute *route = connection;
	DogpileBackendStatus status = DOGPILE_BACKEND_OK;
	int			n;

	begin_items(route, items, nitems);
	error->unreachable = false;
	for (int first = 0; first < nitems; first += n)
	{
		int			flags;

		n = measure_batch(items + first, nitems - first, &flags);
		dogpile_redis_route_recycle(route);
		if (set_batch(route, items + first, n, flags, error) == DOGPILE_BACKEND_OK)
			continue;
		status = DOGPILE_BACKEND_ERROR;
		if (error->unreachable)
			break;
	}
	return status;
}

/* Delete some items in one go. */
static DogpileBackendStatus
remove_batch(DogpileRedisRoute *route, DogpileBackendItem *items, int nitems,
			 int flags, DogpileBackendError *error)
{
	DogpileBackendStatus status = DOGPILE_BACKEND_OK;
	DogpileRedisCommand *commands = alloc_commands(route, nitems);

	if (commands == NULL)
		return dogpile_redis_command_no_memory(error);
	for (int i = 0; i < nitems; i++)
	{
		if (!dogpile_redis_command_start(route, &commands[i], "DEL", 2))
			return dogpile_redis_command_no_memory(error);
		dogpile_redis_command_add_key(route, &commands[i], items[i].name);
	}
	if (!dogpile_redis_route_run(route, commands, nitems, flags, error))
		status = DOGPILE_BACKEND_ERROR;
	for (int i = 0; i < nitems; i++)
	{
		if (commands[i].reply == NULL)
			continue;
		if (dogpile_redis_reply_kind(commands[i].reply) != DOGPILE_REDIS_INTEGER)
			status = dogpile_redis_refuse(&commands[i], error);
		else if (dogpile_redis_reply_integer(commands[i].reply) > 0)
			items[i].status = DOGPILE_BACKEND_OK;
		else
			items[i].status = DOGPILE_BACKEND_MISS;
	}
	return status;
}

/*
 * Delete items.  That can be repeated without harm, so it is, on a new connection if
 * need be.
 */
static DogpileBackendStatus
redis_remove(void *connection, DogpileBackendItem *items, int nitems,
			 DogpileBackendError *error)
{
	DogpileRedisRoute *route = connection;
	DogpileBackendStatus status = DOGPILE_BACKEND_OK;
	int			n;

	begin_items(route, items, nitems);
	error->unreachable = false;
	for (int first = 0; first < nitems; first += n)
	{
		n = Min(nitems - first, BATCH_ITEMS);
		dogpile_redis_route_recycle(route);
		if (remove_batch(route, items + first, n, DOGPILE_REDIS_REPEATABLE,
						 error) == DOGPILE_BACKEND_OK)
			continue;
		status = DOGPILE_BACKEND_ERROR;
		if (error->unreachable)
			break;
	}
	return status;
}

/*
 * Add to a counter.  INCRBY keeps the time to live and PEXPIRE sets it, so those two
 * are a script: if the client died between the two, the counter would never expire.
 */
static DogpileBackendStatus
redis_increment(void *connection, DogpileBytes name, int64 delta, int64 ttl_ms,
				int64 *result, DogpileBackendError *error)
{
	DogpileRedisRoute *route = connection;
	DogpileRedisCommand command = {0};

	ttl_ms = dogpile_redis_limit_ttl(ttl_ms);
	dogpile_redis_route_begin(route);
	if (!(ttl_ms > 0 ? dogpile_redis_script_start(route, &command,
												  &dogpile_redis_add_with_ttl, "1") :
		  dogpile_redis_command_start(route, &command, "INCRBY", 3)))
		return dogpile_redis_command_no_memory(error);
	dogpile_redis_command_add_key(route, &command, name);
	if (!dogpile_redis_command_add_number(route, &command, delta) ||
		(ttl_ms > 0 && !dogpile_redis_command_add_number(route, &command, ttl_ms)))
		return dogpile_redis_command_no_memory(error);
	if (!dogpile_redis_script_run(route, &command, &dogpile_redis_add_with_ttl, 0, error))
		return DOGPILE_BACKEND_ERROR;
	switch (dogpile_redis_reply_kind(command.reply))
	{
		case DOGPILE_REDIS_INTEGER:
			*result = dogpile_redis_reply_integer(command.reply);
			return DOGPILE_BACKEND_OK;
		case DOGPILE_REDIS_STRING:
			*result = strtoll(dogpile_redis_reply_text(command.reply).data, NULL, 10);
			return DOGPILE_BACKEND_OK;
		case DOGPILE_REDIS_ERROR:
			if (strstr(dogpile_redis_reply_text(command.reply).data, "overflow") != NULL)
				return DOGPILE_BACKEND_TOO_LARGE;
			return dogpile_redis_refuse(&command, error);
		default:
			return dogpile_redis_refuse(&command, error);
	}
}

/*
 * Take a lock: SET NX with the lease as its time to live.  It expires by itself unless its
 * owner renews it.
 */
static DogpileBackendStatus
redis_lock(void *connection, DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileRedisRoute *route = connection;
	DogpileRedisCommand command = {0};

	lock->entry_version = 0;
	dogpile_redis_route_begin(route);
	if (!dogpile_redis_command_start(route, &command, "SET", DOGPILE_REDIS_MAX_ARGS))
		return dogpile_redis_command_no_memory(error);
	dogpile_redis_command_add_key(route, &command, lock->name);
	dogpile_redis_command_add(&command, lock->token, DOGPILE_LOCK_TOKEN_LEN);
	dogpile_redis_command_add_word(&command, "NX");
	dogpile_redis_command_add_word(&command, "PX");
	if (!dogpile_redis_command_add_number(route, &command,
										  Max(1, dogpile_redis_limit_ttl(lock->lease_ms))))
		return dogpile_redis_command_no_memory(error);
	if (!dogpile_redis_route_run(route, &command, 1, 0, error))
		return DOGPILE_BACKEND_ERROR;
	return dogpile_redis_read_set(&command, error);
}

/*
 * Renew a lock, if it still is the caller's.  A script compares and renews in one step,
 * since the lease may run out at any time and another session take the lock.
 */
static DogpileBackendStatus
redis_renew(void *connection, const DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileRedisRoute *route = connection;
	DogpileRedisCommand command = {0};

	dogpile_redis_route_begin(route);
	if (!dogpile_redis_script_start(route, &command, &dogpile_redis_renew_lock, "1"))
		return dogpile_redis_command_no_memory(error);
	dogpile_redis_command_add_key(route, &command, lock->name);
	dogpile_redis_command_add(&command, lock->token, DOGPILE_LOCK_TOKEN_LEN);
	if (!dogpile_redis_command_add_number(route, &command,
										  Max(1, dogpile_redis_limit_ttl(lock->lease_ms))))
		return dogpile_redis_command_no_memory(error);
	if (!dogpile_redis_script_run(route, &command, &dogpile_redis_renew_lock,
								  DOGPILE_REDIS_REPEATABLE, error))
		return DOGPILE_BACKEND_ERROR;
	return dogpile_redis_read_script(&command, error);
}

/*
 * Give a lock up in the same way, so that another session's lock is not deleted.
 */
static DogpileBackendStatus
redis_unlock(void *connection, const DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileRedisRoute *route = connection;
	DogpileRedisCommand command = {0};

	dogpile_redis_route_begin(route);
	if (!dogpile_redis_script_start(route, &command, &dogpile_redis_give_up_lock, "1"))
		return dogpile_redis_command_no_memory(error);
	dogpile_redis_command_add_key(route, &command, lock->name);
	dogpile_redis_command_add(&command, lock->token, DOGPILE_LOCK_TOKEN_LEN);
	if (!dogpile_redis_script_run(route, &command, &dogpile_redis_give_up_lock, 0, error))
		return DOGPILE_BACKEND_ERROR;
	return dogpile_redis_read_script(&command, error);
}

/*
 * Store the entry and give the lock up, in one step, if the lock is still the caller's.
 * That is the fence: a session that was too slow stores nothing.  Both names have the
 * same hash tag, so they are on the same node of a cluster.
 */
static DogpileBackendStatus
redis_put(void *connection, const DogpileBackendLock *lock, DogpileBackendItem *item,
		  DogpileBackendError *error)
{
	DogpileRedisRoute *route = connection;
	DogpileRedisCommand command = {0};

	dogpile_redis_route_begin(route);
	item->status = DOGPILE_BACKEND_ERROR;
	if (!dogpile_redis_script_start(route, &command, &dogpile_redis_put_entry, "2"))
		return dogpile_redis_command_no_memory(error);
	dogpile_redis_command_add_key(route, &command, lock->name);
	dogpile_redis_command_add_key(route, &command, item->name);
	dogpile_redis_command_add(&command, lock->token, DOGPILE_LOCK_TOKEN_LEN);
	dogpile_redis_command_add(&command, item->value.data, item->value.len);
	if (!dogpile_redis_command_add_number(route, &command,
										  dogpile_redis_limit_ttl(item->ttl_ms)))
		return dogpile_redis_command_no_memory(error);
	if (dogpile_redis_script_run(route, &command, &dogpile_redis_put_entry, 0, error))
		item->status = dogpile_redis_read_script(&command, error);
	return item->status;
}

/* Send a command to a certain server.  False, and *error, if there is no answer. */
static bool
run_at(DogpileRedisLink *link, DogpileRedisCommand *command, DogpileBackendError *error)
{
	dogpile_redis_link_add(link, command);
	if (dogpile_redis_link_send(link))
		dogpile_redis_link_receive(link);
	if (command->reply == NULL)
		*error = *dogpile_redis_link_error(link);
	return command->reply != NULL;
}

/* Make the pattern of SCAN that names with a prefix match. */
static void
make_pattern(char *pattern, DogpileBytes prefix)
{
	for (size_t i = 0; i < prefix.len; i++)
	{
		if (strchr("*?[]\\", prefix.data[i]) != NULL)
			*pattern++ = '\\';
		*pattern++ = prefix.data[i];
	}
	*pattern++ = '*';
	*pattern = '\0';
}

/* Delete what SCAN has found. */
static DogpileBackendStatus
remove_found(DogpileRedisRoute *route, const DogpileRedisReply *names,
			 DogpileBackendError *error)
{
	int			n = dogpile_redis_reply_count(names);
	DogpileBackendItem *items;

	if (n == 0)
		return DOGPILE_BACKEND_OK;
	items = dogpile_redis_route_alloc(route, n * sizeof(DogpileBackendItem));
	if (items == NULL)
		return dogpile_redis_command_no_memory(error);
	for (int i = 0; i < n; i++)
		items[i].name = dogpile_redis_reply_text(dogpile_redis_reply_element(names, i));
	return remove_batch(route, items, n,
						DOGPILE_REDIS_REPEATABLE | DOGPILE_REDIS_INTERRUPTIBLE, error);
}

/*
 * Delete what matches on one server.  It ends if the connection is lost, because the
 * cursor is of no use to another server.
 */
static DogpileBackendStatus
flush_server(DogpileRedisRoute *route, DogpileRedisLink *link, const char *pattern,
			 DogpileBackendError *error)
{
	char		cursor[32] = "0";
	int			generation = dogpile_redis_link_generation(link);
	int			flags = DOGPILE_REDIS_REPEATABLE | DOGPILE_REDIS_INTERRUPTIBLE;

	do
	{
		const char *argv[] = {"SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT};
		DogpileRedisCommand command = {.argc = lengthof(argv),.argv = argv};
		const DogpileRedisReply *reply;
		DogpileBytes next;

		dogpile_redis_route_recycle(route);
		if (!dogpile_redis_link_alive(link, flags) ||
			dogpile_redis_link_generation(link) != generation)
		{
			error->unreachable = true;
			snprintf(error->message, sizeof(error->message),
					 "Redis server %.120s: connection lost", dogpile_redis_link_name(link));
			return DOGPILE_BACKEND_ERROR;
		}
		if (!run_at(link, &command, error))
			return DOGPILE_BACKEND_ERROR;
		reply = command.reply;
		if (dogpile_redis_reply_count(reply) != 2 ||
			dogpile_redis_reply_kind(dogpile_redis_reply_element(reply, 0)) != DOGPILE_REDIS_STRING)
			return dogpile_redis_refuse(&command, error);
		next = dogpile_redis_reply_text(dogpile_redis_reply_element(reply, 0));
		strlcpy(cursor, next.data, sizeof(cursor));
		if (remove_found(route, dogpile_redis_reply_element(reply, 1),
						 error) != DOGPILE_BACKEND_OK)
			return DOGPILE_BACKEND_ERROR;
	} while (strcmp(cursor, "0") != 0);
	return DOGPILE_BACKEND_OK;
}

/*
 * Names that move from one node of a cluster to another meanwhile may survive.
 */
static DogpileBackendStatus
redis_flush(void *connection, DogpileBytes prefix, DogpileBackendError *error)
{
	DogpileRedisRoute *route = connection;
	char		pattern[2 * DOGPILE_MAX_ITEM_NAME + 2];
	DogpileRedisLink **servers;
	int			nservers;

	if (prefix.len > DOGPILE_MAX_ITEM_NAME)
		return DOGPILE_BACKEND_OK;	/* no name is that long */
	make_pattern(pattern, prefix);
	dogpile_redis_route_begin(route);
	servers = dogpile_redis_route_servers(route, DOGPILE_REDIS_INTERRUPTIBLE, &nservers,
										  error);
	if (servers == NULL)
		return DOGPILE_BACKEND_ERROR;
	for (int i = 0; i < nservers; i++)
		if (flush_server(route, servers[i], pattern, error) != DOGPILE_BACKEND_OK)
			return DOGPILE_BACKEND_ERROR;
	return DOGPILE_BACKEND_OK;
}

/* Tell one figure, if a server has it: INFO has lines of "name:value". */
static void
tell_figure(const char *info, const char *server, const char *name,
			DogpileBackendFigure figure, void *arg)
{
	size_t		len = strlen(name);
	char		value[128];

	for (const char *line = info; line != NULL; line = strchr(line, '\n'))
	{
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && line[len] == ':')
		{
			line += len + 1;
			strlcpy(value, line, Min(sizeof(value), strcspn(line, "\r\n") + 1));
			figure(server, name, value, arg);
			return;
		}
	}
}

/*
 * Ask each server by INFO.  In a cluster these are the nodes that are known by now.
 */
static DogpileBackendStatus
redis_stats(void *connection, DogpileBackendFigure figure, void *arg,
			DogpileBackendError *error)
{
	static const char *argv[] = {"INFO"};
	DogpileRedisRoute *route = connection;
	DogpileRedisLink **servers;
	int			nservers;

	dogpile_redis_route_begin(route);
	servers = dogpile_redis_route_servers(route, 0, &nservers, error);
	if (servers == NULL)
		return DOGPILE_BACKEND_ERROR;
	for (int i = 0; i < nservers; i++)
	{
		DogpileRedisCommand command = {.argc = lengthof(argv),.argv = argv};

		if (!run_at(servers[i], &command, error))
			return DOGPILE_BACKEND_ERROR;
		if (dogpile_redis_reply_kind(command.reply) != DOGPILE_REDIS_STRING)
			return dogpile_redis_refuse(&command, error);
		for (int j = 0; j < lengthof(figures); j++)
			tell_figure(dogpile_redis_reply_text(command.reply).data,
						dogpile_redis_link_name(servers[i]), figures[j], figure, arg);
	}
	return DOGPILE_BACKEND_OK;
}

const DogpileBackend dogpile_backend_redis = {
	.abi = DOGPILE_BACKEND_ABI,
	.name = "redis",
	.check = redis_check,
	.open = redis_open,
	.close = redis_close,
	.get = redis_get,
	.set = redis_set,
	.remove = redis_remove,
	.increment = redis_increment,
	.lock = redis_lock,
	.renew = redis_renew,
	.unlock = redis_unlock,
	.put = redis_put,
	.flush = redis_flush,
	.stats = redis_stats,
};
