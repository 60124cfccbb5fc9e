/*-------------------------------------------------------------------------
 *
 * redis_command.c
 *	  Commands and scripts for Redis, and what their answers mean.
 *
 * Steps that must be atomic, like comparing and storing, are a script in Lua.  It is
 * sent by its checksum, and as text if the server does not know it.  A script that
 * changes two names needs them on the same node of a cluster: the names of an entry
 * and of its lock have the same tag in braces.
 *
 * The memory of a command is the route's, until the next call begins.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_command.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "backend/redis/redis_cluster.h"
#include "backend/redis/redis_command.h"

/* Longest time to live: Redis refuses what its clock cannot hold. */
#define MAX_TTL_MS			INT64CONST(3155760000000)	/* a hundred years */

/* name; expected, value, ttl_ms or 0.  1: stored, 0: differs, -1: missing. */
const DogpileRedisScript dogpile_redis_set_if_equal = {
	"7285234fb1c0367ed2db58fcea313b8160963522",
	"local v = redis.call('GET', KEYS[1]) "
	"if not v then return -1 end "
	"if v ~= ARGV[1] then return 0 end "
	"if ARGV[3] ~= '0' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) "
	"else redis.call('SET', KEYS[1], ARGV[2]) end "
	"return 1"
};

/* name; delta, ttl_ms.  Lua's numbers are not exact, so it is read as a string. */
const DogpileRedisScript dogpile_redis_add_with_ttl = {
	"7f6f39c457df36873e6945d299c43529d79c091f",
	"redis.call('INCRBY', KEYS[1], ARGV[1]) "
	"redis.call('PEXPIRE', KEYS[1], ARGV[2]) "
	"return redis.call('GET', KEYS[1])"
};

/* lock; token, lease_ms.  1: done, 0: another session's, -1: not held. */
const DogpileRedisScript dogpile_redis_renew_lock = {
	"170c2cc86f75f8b2d55aa615117f50d6a9edd6cf",
	"local v = redis.call('GET', KEYS[1]) "
	"if not v then return -1 end "
	"if v ~= ARGV[1] then return 0 end "
	"return redis.call('PEXPIRE', KEYS[1], ARGV[2])"
};

/* lock; token.  As above. */
const DogpileRedisScript dogpile_redis_give_up_lock = {
	"2ebd934ca2cc020bd0a5959c276cec91ef6393e7",
	"local v = redis.call('GET', KEYS[1]) "
	"if not v then return -1 end "
	"if v ~= ARGV[1] then return 0 end "
	"return redis.call('DEL', KEYS[1])"
};

/* lock, entry; token, value, ttl_ms or 0.  1: done, 0: the lock is lost. */
const DogpileRedisScript dogpile_redis_put_entry = {
	"3c7deba27cd3cdba16f88d7e1583f07316007904",
	"if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
	"if ARGV[3] ~= '0' then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) "
	"else redis.call('SET', KEYS[2], ARGV[2]) end "
	"redis.call('DEL', KEYS[1]) "
	"return 1"
};

DogpileBackendStatus
dogpile_redis_command_no_memory(DogpileBackendError *error)
{
	error->unreachable = false;
	snprintf(error->message, sizeof(error->message), "out of memory");
	return DOGPILE_BACKEND_ERROR;
}

void
dogpile_redis_command_add(DogpileRedisCommand *command, const char *data, size_t len)
{
	command->argv[command->argc] = data;
	command->argv_len[command->argc++] = len;
}

void
dogpile_redis_command_add_word(DogpileRedisCommand *command, const char *word)
{
	dogpile_redis_command_add(command, word, strlen(word));
}

/* Make room for the arguments of a command, and put its name there. */
bool
dogpile_redis_command_start(DogpileRedisRoute *route, DogpileRedisCommand *command,
							const char *word, int max_args)
{
	command->argv = dogpile_redis_route_alloc(route, max_args * sizeof(char *));
	command->argv_len = dogpile_redis_route_alloc(route, max_args * sizeof(size_t));
	if (command->argv == NULL || command->argv_len == NULL)
		return false;
	command->argc = 0;
	dogpile_redis_command_add_word(command, word);
	return true;
}

/* Add a key, which decides where the command goes. */
void
dogpile_redis_command_add_key(DogpileRedisRoute *route, DogpileRedisCommand *command,
							  DogpileBytes name)
{
	if (dogpile_redis_route_is_cluster(route))
		command->slot = dogpile_redis_slot(name);
	dogpile_redis_command_add(command, name.data, name.len);
}

bool
dogpile_redis_command_add_number(DogpileRedisRoute *route, DogpileRedisCommand *command,
								 int64 number)
{
	char	   *text = dogpile_redis_route_alloc(route, 24);

	if (text == NULL)
		return false;
	snprintf(text, 24, INT64_FORMAT, number);
	dogpile_redis_command_add_word(command, text);
	return true;
}

/* A time to live as Redis takes it; 0 means without limit. */
int64
dogpile_redis_limit_ttl(int64 ttl_ms)
{
	return Max(0, Min(ttl_ms, MAX_TTL_MS));
}

/* Make a command that executes a script.  Keys and arguments are to follow. */
bool
dogpile_redis_script_start(DogpileRedisRoute *route, DogpileRedisCommand *command,
						   const DogpileRedisScript *script, const char *nkeys)
{
	if (!dogpile_redis_command_start(route, command, "EVALSHA", DOGPILE_REDIS_MAX_ARGS))
		return false;
	dogpile_redis_command_add_word(command, script->sha1);
	dogpile_redis_command_add_word(command, nkeys);
	return true;
}

/* Let a command send the text of its script instead of the checksum. */
void
dogpile_redis_script_spell(DogpileRedisCommand *command, const DogpileRedisScript *script)
{
	command->argv[0] = "EVAL";
	command->argv_len[0] = strlen("EVAL");
	command->argv[1] = script->text;
	command->argv_len[1] = strlen(script->text);
}

/* Execute a script. */
bool
dogpile_redis_script_run(DogpileRedisRoute *route, DogpileRedisCommand *command,
						 const DogpileRedisScript *script, int flags, DogpileBackendError *error)
{
	if (!dogpile_redis_route_run(route, command, 1, flags, error))
		return false;
	if (!dogpile_redis_reply_is_error(command->reply, "NOSCRIPT"))
		return true;
	dogpile_redis_script_spell(command, script);
	return dogpile_redis_route_run(route, command, 1, flags, error);
}

/*
 * An answer is an error, or none that the command can have.  In the latter case the
 * server is not what it should be, so disconnect.
 */
DogpileBackendStatus
dogpile_redis_refuse(DogpileRedisCommand *command, DogpileBackendError *error)
{
	dogpile_redis_reply_report(command->reply, dogpile_redis_link_name(command->link), error);
	if (dogpile_redis_reply_kind(command->reply) != DOGPILE_REDIS_ERROR)
		dogpile_redis_link_disconnect(command->link);
	return DOGPILE_BACKEND_ERROR;
}

/* Does the server refuse a value for its size?  It closes the connection then. */
static bool
is_too_large(const DogpileRedisReply *reply)
{
	return dogpile_redis_reply_kind(reply) == DOGPILE_REDIS_ERROR &&
		(strstr(dogpile_redis_reply_text(reply).data, "invalid bulk length") != NULL ||
		 strstr(dogpile_redis_reply_text(reply).data, "maximum allowed size") != NULL);
}

/* The status that a script answers: 1, 0 or -1. */
DogpileBackendStatus
dogpile_redis_read_script(DogpileRedisCommand *command, DogpileBackendError *error)
{
	if (dogpile_redis_reply_kind(command->reply) == DOGPILE_REDIS_INTEGER)
	{
		switch (dogpile_redis_reply_integer(command->reply))
		{
			case 1:
				return DOGPILE_BACKEND_OK;
			case 0:
				return DOGPILE_BACKEND_KEPT;
			case -1:
				return DOGPILE_BACKEND_MISS;
		}
	}
	if (is_too_large(command->reply))
		return DOGPILE_BACKEND_TOO_LARGE;
	return dogpile_redis_refuse(command, error);
}

/* The status that SET answers. */
DogpileBackendStatus
dogpile_redis_read_set(DogpileRedisCommand *command, DogpileBackendError *error)
{
	switch (dogpile_redis_reply_kind(command->reply))
	{
		case DOGPILE_REDIS_STATUS:
			return DOGPILE_BACKEND_OK;
		case DOGPILE_REDIS_NIL:
			return DOGPILE_BACKEND_KEPT;
		case DOGPILE_REDIS_ERROR:
			if (is_too_large(command->reply))
				return DOGPILE_BACKEND_TOO_LARGE;
			return dogpile_redis_refuse(command, error);
		default:
			return dogpile_redis_refuse(command, error);
	}
}

/* The status, and the value, that GET answers. */
DogpileBackendStatus
dogpile_redis_read_value(const DogpileRedisReply *reply, DogpileRedisCommand *command,
						 DogpileBytes *value, DogpileBackendError *error)
{
	switch (dogpile_redis_reply_kind(reply))
	{
		case DOGPILE_REDIS_STRING:
			*value = dogpile_redis_reply_text(reply);
			return DOGPILE_BACKEND_OK;
		case DOGPILE_REDIS_NIL:
			return DOGPILE_BACKEND_MISS;
		default:
			return dogpile_redis_refuse(command, error);
	}
}
