/*-------------------------------------------------------------------------
 *
 * redis_command.h
 *	  Commands and scripts for Redis, and what their answers mean.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_command.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_REDIS_COMMAND_H
#define DOGPILE_REDIS_COMMAND_H

#include "backend/backend.h"
#include "backend/redis/redis_route.h"

/* Most arguments of a command; MGET has its own. */
#define DOGPILE_REDIS_MAX_ARGS		8

/* A script; a wrong checksum costs nothing but time. */
typedef struct DogpileRedisScript
{
	const char *sha1;
	const char *text;
} DogpileRedisScript;

extern const DogpileRedisScript dogpile_redis_set_if_equal;
extern const DogpileRedisScript dogpile_redis_add_with_ttl;
extern const DogpileRedisScript dogpile_redis_renew_lock;
extern const DogpileRedisScript dogpile_redis_give_up_lock;
extern const DogpileRedisScript dogpile_redis_put_entry;

extern DogpileBackendStatus dogpile_redis_command_no_memory(DogpileBackendError *error);
extern bool dogpile_redis_command_start(DogpileRedisRoute *route,
										DogpileRedisCommand *command,
										const char *word, int max_args);
extern void dogpile_redis_command_add(DogpileRedisCommand *command,
									  const char *data, size_t len);
extern void dogpile_redis_command_add_word(DogpileRedisCommand *command,
										   const char *word);
extern void dogpile_redis_command_add_key(DogpileRedisRoute *route,
										  DogpileRedisCommand *command,
										  DogpileBytes name);
extern bool dogpile_redis_command_add_number(DogpileRedisRoute *route,
											 DogpileRedisCommand *command,
											 int64 number);
extern int64 dogpile_redis_limit_ttl(int64 ttl_ms);

extern bool dogpile_redis_script_start(DogpileRedisRoute *route,
									   DogpileRedisCommand *command,
									   const DogpileRedisScript *script,
									   const char *nkeys);
extern void dogpile_redis_script_spell(DogpileRedisCommand *command,
									   const DogpileRedisScript *script);
extern bool dogpile_redis_script_run(DogpileRedisRoute *route,
									 DogpileRedisCommand *command,
									 const DogpileRedisScript *script, int flags,
									 DogpileBackendError *error);

extern DogpileBackendStatus dogpile_redis_refuse(DogpileRedisCommand *command,
												 DogpileBackendError *error);
extern DogpileBackendStatus dogpile_redis_read_script(DogpileRedisCommand *command,
													  DogpileBackendError *error);
extern DogpileBackendStatus dogpile_redis_read_set(DogpileRedisCommand *command,
												   DogpileBackendError *error);
extern DogpileBackendStatus dogpile_redis_read_value(const DogpileRedisReply *reply,
													 DogpileRedisCommand *command,
													 DogpileBytes *value,
													 DogpileBackendError *error);

#endif							/* DOGPILE_REDIS_COMMAND_H */
