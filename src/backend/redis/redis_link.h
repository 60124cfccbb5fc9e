/*-------------------------------------------------------------------------
 *
 * redis_link.h
 *	  A connection to one Redis server.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_link.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_REDIS_LINK_H
#define DOGPILE_REDIS_LINK_H

#include "backend/address.h"
#include "backend/backend.h"

typedef struct DogpileRedisLink DogpileRedisLink;
typedef struct redisReply DogpileRedisReply;

/* What is at the other end, which decides how a connection begins. */
typedef enum DogpileRedisLinkKind
{
	DOGPILE_REDIS_SERVER,		/* log in, choose the database */
	DOGPILE_REDIS_MASTER,		/* also see that it is no replica */
	DOGPILE_REDIS_NODE,			/* of a cluster, which has one database only */
	DOGPILE_REDIS_SENTINEL		/* nothing */
} DogpileRedisLinkKind;

/* How commands are to be sent. */
#define DOGPILE_REDIS_REPEATABLE	0x01	/* twice does no harm */
#define DOGPILE_REDIS_INTERRUPTIBLE 0x02	/* look for interrupts each time */

/* A command and its answer. */
typedef struct DogpileRedisCommand
{
	int			argc;
	const char **argv;
	size_t	   *argv_len;
	int			slot;			/* cluster: of its key */

	/* Of the link, and for redis_route.c. */
	const DogpileRedisReply *reply; /* NULL: none */
	bool		sent;			/* may the server have got it? */
	struct DogpileRedisCommand *next;	/* to be sent after this one */
	DogpileRedisLink *link;		/* that has sent it */
	bool		pending;		/* is it to be sent (again)? */
	bool		retried;
	DogpileRedisLink *asked;	/* cluster: the node to ask, only this once */
} DogpileRedisCommand;

typedef enum DogpileRedisReplyKind
{
	DOGPILE_REDIS_STRING,
	DOGPILE_REDIS_STATUS,
	DOGPILE_REDIS_INTEGER,
	DOGPILE_REDIS_NIL,
	DOGPILE_REDIS_ARRAY,
	DOGPILE_REDIS_ERROR,
	DOGPILE_REDIS_OTHER			/* nothing that we ever ask for */
} DogpileRedisReplyKind;

extern bool dogpile_redis_link_check_tls(const DogpileBackendOptions *options,
										 DogpileBackendError *error);

extern DogpileRedisLink *dogpile_redis_link_create(const DogpileBackendOptions *options,
												   DogpileRedisLinkKind kind,
												   const DogpileAddress *address);
extern void dogpile_redis_link_destroy(DogpileRedisLink *link);
extern void dogpile_redis_link_set_address(DogpileRedisLink *link,
										   const DogpileAddress *address);
extern const DogpileAddress *dogpile_redis_link_address(const DogpileRedisLink *link);
extern const char *dogpile_redis_link_name(const DogpileRedisLink *link);

extern bool dogpile_redis_link_alive(DogpileRedisLink *link, int flags);
extern bool dogpile_redis_link_connect(DogpileRedisLink *link, int flags);
extern void dogpile_redis_link_disconnect(DogpileRedisLink *link);

extern void dogpile_redis_link_begin(DogpileRedisLink *link);
extern void dogpile_redis_link_add(DogpileRedisLink *link,
								   DogpileRedisCommand *command);
extern bool dogpile_redis_link_send(DogpileRedisLink *link);
extern bool dogpile_redis_link_receive(DogpileRedisLink *link);
extern bool dogpile_redis_link_was_stale(const DogpileRedisLink *link);
extern int	dogpile_redis_link_generation(const DogpileRedisLink *link);
extern const DogpileBackendError *dogpile_redis_link_error(const DogpileRedisLink *link);

extern DogpileRedisReplyKind dogpile_redis_reply_kind(const DogpileRedisReply *reply);
extern DogpileBytes dogpile_redis_reply_text(const DogpileRedisReply *reply);
extern int64 dogpile_redis_reply_integer(const DogpileRedisReply *reply);
extern int	dogpile_redis_reply_count(const DogpileRedisReply *reply);
extern const DogpileRedisReply *dogpile_redis_reply_element(const DogpileRedisReply *reply,
															int i);
extern bool dogpile_redis_reply_is_error(const DogpileRedisReply *reply,
										 const char *code);
extern void dogpile_redis_reply_report(const DogpileRedisReply *reply,
									   const char *server,
									   DogpileBackendError *error);

#endif							/* DOGPILE_REDIS_LINK_H */
