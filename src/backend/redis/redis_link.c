/*-------------------------------------------------------------------------
 *
 * redis_link.c
 *	  A connection to one Redis server.
 *
 * Commands are queued, sent together, and answered in their order.  hiredis speaks
 * the protocol, but waiting for its socket is done here, with the session's latch,
 * so that a cancel or a timeout ends the wait.  Only this file and redis_tls.c know
 * hiredis.
 *
 * The first read after a request waits by itself for a moment (socket.c), but not
 * with TLS, which is not made for sockets that block only sometimes.
 *
 * A link that was left during a call, by an error raised while it waited, is "busy".
 * It is unknown what its next bytes belong to, so it connects anew at its next use.
 * The same goes for all failures.
 *
 * A link cannot know whether a command without an answer was executed, nor whether
 * it may be sent again: redis_route.c decides that.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_link.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <netdb.h>
#include <sys/socket.h>

#include "storage/latch.h"
#include "utils/timestamp.h"

#include "backend/memory.h"
#include "backend/redis/redis_link.h"
#include "backend/redis/redis_tls.h"
#include "backend/resolve.h"
#include "backend/socket.h"
#include "lib/compat.h"

/* How much hiredis reads at once. */
#define READ_SIZE			(16 * 1024)

/* Most elements of an array in an answer. */
#define MAX_ARRAY			1000000

/* The socket may block while a request of at most this size is written. */
#define MAX_QUICK_WRITE		(16 * 1024)

struct DogpileRedisLink
{
	const DogpileBackendOptions *options;
	DogpileRedisLinkKind kind;
	DogpileAddress address;
	char		name[DOGPILE_ADDRESS_TEXT_SIZE];
	redisContext *context;		/* NULL: not connected */
	DogpileRedisTls *tls;		/* NULL: none yet */
	int			generation;		/* how often it has connected */
	int			flags;			/* of this use */
	bool		busy;			/* in the middle of something */
	bool		idle;			/* was it connected before this use? */
	bool		broken;			/* nothing can be sent any more */
	bool		drained;		/* has the last read taken all there was? */
	bool		answered;		/* has anything come since the last send? */
	bool		counted;		/* is the socket? */
	bool		patient;		/* does it block for a moment? */
	bool		expectant;		/* is the next read the first since the send? */
	bool		stale;			/* see dogpile_redis_link_was_stale() */
	TimestampTz deadline;		/* of this use */
	DogpileRedisCommand *first; /* the queue */
	DogpileRedisCommand *last;
	int			nqueued;
	redisReply **kept;			/* answers, valid until the next call */
	int			nkept;
	int			max_kept;
	DogpileBackendError error;	/* of the last failure */
};

/*
 * Note why something failed, and disconnect.  Always returns false.
 *
 * unreachable: is the next call likely to fail, too?
 */
static bool
fail_link(DogpileRedisLink *link, bool unreachable, const char *what)
{
	link->error.unreachable = unreachable;
	snprintf(link->error.message, sizeof(link->error.message),
			 "Redis server %.120s: %.110s", link->name, what);
	dogpile_redis_link_disconnect(link);
	return false;
}

/* The same, with the reason that hiredis has. */
static bool
fail_context(DogpileRedisLink *link)
{
	int			code = link->context->err;
	char		what[128];

	/*
	 * An idle connection that is gone: the server restarted, or closed it.
	 * The buffer may still have earlier answers in it, which have been read.
	 */
	link->stale = link->idle && !link->answered &&
		link->context->reader->pos == link->context->reader->len &&
		(code == REDIS_ERR_EOF || code == REDIS_ERR_IO);
	strlcpy(what, link->context->errstr, sizeof(what));
	dogpile_clean_ascii_compat(what, sizeof(what));
	return fail_link(link, code != REDIS_ERR_OOM, what[0] == '\0' ? "connection lost" : what);
}

/* The server does not answer, or does not take what is sent, in time. */
static bool
fail_timeout(DogpileRedisLink *link)
{
	link->stale = false;
	return fail_link(link, true, "timeout");
}

/* Make a link; it does not connect yet.  NULL if there is no memory. */
DogpileRedisLink *
dogpile_redis_link_create(const DogpileBackendOptions *options,
						  DogpileRedisLinkKind kind,
						  const DogpileAddress *address)
{
	DogpileRedisLink *link = dogpile_memory_alloc0(sizeof(DogpileRedisLink));

	if (link == NULL)
		return NULL;
	link->options = options;
	link->kind = kind;
	if (address != NULL)
		dogpile_redis_link_set_address(link, address);
	return link;
}

/* Destroy a link and all answers that it gave; NULL is none. */
void
dogpile_redis_link_destroy(DogpileRedisLink *link)
{
	if (link == NULL)
		return;
	dogpile_redis_link_begin(link);
	dogpile_redis_link_disconnect(link);
	dogpile_redis_tls_destroy(link->tls);
	dogpile_memory_free(link->kept);
	dogpile_memory_free(link);
}

/* Disconnect, and use another server from now on. */
void
dogpile_redis_link_set_address(DogpileRedisLink *link,
							   const DogpileAddress *address)
{
	dogpile_redis_link_disconnect(link);
	link->address = *address;
	dogpile_address_print(address, link->name);
}

const DogpileAddress *
dogpile_redis_link_address(const DogpileRedisLink *link)
{
	return &link->address;
}

/* The address as text, for messages. */
const char *
dogpile_redis_link_name(const DogpileRedisLink *link)
{
	return link->name;
}

/* How often it has connected: the server may be another one, or empty. */
int
dogpile_redis_link_generation(const DogpileRedisLink *link)
{
	return link->generation;
}

/*
 * Is the link connected, as far as is known?  Before commands that must not be sent
 * twice the socket is looked at: most connections that are broken were closed by the
 * server long ago.
 */
bool
dogpile_redis_link_alive(DogpileRedisLink *link, int flags)
{
	if (link->busy)
		dogpile_redis_link_disconnect(link);
	if (link->context != NULL && (flags & DOGPILE_REDIS_REPEATABLE) == 0 &&
		dogpile_socket_has_input(link->context->fd))
		dogpile_redis_link_disconnect(link);
	link->flags = flags;
	link->idle = true;
	return link->context != NULL;
}

/* Disconnect.  Answers stay valid. */
void
dogpile_redis_link_disconnect(DogpileRedisLink *link)
{
	if (link->context != NULL)
		redisFree(link->context);
	link->context = NULL;
	dogpile_socket_uncount(&link->counted);
	link->busy = false;
	link->patient = false;
	link->first = link->last = NULL;
	link->nqueued = 0;
}

/* A call begins: forget what was left of the last one. */
void
dogpile_redis_link_begin(DogpileRedisLink *link)
{
	for (int i = 0; i < link->nkept; i++)
		freeReplyObject(link->kept[i]);
	link->nkept = 0;
	link->first = link->last = NULL;
	link->nqueued = 0;
}

/* Queue a command. */
void
dogpile_redis_link_add(DogpileRedisLink *link, DogpileRedisCommand *command)
{
	command->reply = NULL;
	command->sent = false;
	command->next = NULL;
	command->link = link;
	if (link->last != NULL)
		link->last->next = command;
	else
		link->first = command;
	link->last = command;
	link->nqueued++;
}

/* Make room for the answers to all that is queued. */
static bool
reserve_kept(DogpileRedisLink *link)
{
	int			needed = link->nkept + link->nqueued;
	redisReply **kept;

	if (needed <= link->max_kept)
		return true;
	needed = Max(needed, 16);
	kept = dogpile_memory_enlarge(link->kept, link->max_kept * sizeof(redisReply *),
								  needed * sizeof(redisReply *));
	if (kept == NULL)
		return false;
	link->kept = kept;
	link->max_kept = needed;
	return true;
}

/*
 * Write all that is in the buffer.  If the server has closed the connection, it may
 * have said why, which dogpile_redis_link_receive() finds out; so that is no failure
 * here.
 */
static bool
write_buffer(DogpileRedisLink *link)
{
	int			done = 0;

	for (;;)
	{
		if (redisBufferWrite(link->context, &done) == REDIS_ERR)
		{
			link->broken = true;
			return true;
		}
		if (done)
			return true;
		if (!dogpile_backend_wait(link->context->fd, WL_SOCKET_WRITEABLE, link->deadline))
			return fail_timeout(link);
	}
}

/*
 * Send all that is queued.  The time for the answers begins.
 *
 * Returns false, with dogpile_redis_link_error(), if that does not work.
 */
bool
dogpile_redis_link_send(DogpileRedisLink *link)
{
	link->busy = true;
	link->broken = false;
	link->answered = false;
	link->stale = false;
	link->drained = true;
	if (!reserve_kept(link))
		return fail_link(link, false, "out of memory");
	for (DogpileRedisCommand *command = link->first; command != NULL; command = command->next)
	{
		if (redisAppendCommandArgv(link->context, command->argc, command->argv,
								   command->argv_len) != REDIS_OK)
			return fail_link(link, false, "out of memory");
	}
	for (DogpileRedisCommand *command = link->first; command != NULL; command = command->next)
		command->sent = true;
	dogpile_socket_set_patience(link->context->fd, &link->patient,
								link->tls == NULL &&
								(link->flags & DOGPILE_REDIS_INTERRUPTIBLE) == 0 &&
								sdslen(link->context->obuf) <= MAX_QUICK_WRITE);
	link->expectant = link->patient;
	link->deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												 link->options->operation_timeout_ms);
	return write_buffer(link);
}

/* Wait until there is something to read, unless the read is to do so. */
static bool
wait_readable(DogpileRedisLink *link)
{
	if (link->expectant)
	{
		link->expectant = false;
		return true;
	}
	return dogpile_backend_wait(link->context->fd, WL_SOCKET_READABLE, link->deadline);
}

/* Read some bytes. */
static bool
read_some(DogpileRedisLink *link)
{
	size_t		before;
	size_t		n;

	if (link->drained && !link->broken && !wait_readable(link))
		return fail_timeout(link);
	if (link->broken)
	{
		/*
		 * Read only what has come already; the reason of the failure is
		 * known.
		 */
		int			err = link->context->err;

		before = link->context->reader->len;
		link->context->err = 0;
		if (redisBufferRead(link->context) != REDIS_OK ||
			link->context->reader->len == before)
		{
			link->context->err = err;
			return fail_context(link);
		}
		return true;
	}

	before = link->context->reader->len;
	if (redisBufferRead(link->context) != REDIS_OK)
		return fail_context(link);
	n = link->context->reader->len - before;
	link->drained = n < READ_SIZE;
	return true;
}

/*
 * Get the answers to all that was sent, in their order.
 *
 * Returns false, with dogpile_redis_link_error(), if one is missing; those that
 * came before it are there.
 */
bool
dogpile_redis_link_receive(DogpileRedisLink *link)
{
	bool		is_incomplete = false;

	while (link->first != NULL)
	{
		DogpileRedisCommand *command = link->first;
		void	   *reply = NULL;

		if (redisGetReplyFromReader(link->context, &reply) != REDIS_OK)
			return fail_context(link);
		if (reply == NULL)
		{
			/* An answer may be endless without ever causing a wait. */
			if (is_incomplete && GetCurrentTimestamp() > link->deadline)
				return fail_timeout(link);
			if (!read_some(link))
				return false;
			is_incomplete = true;
			continue;
		}
		is_incomplete = false;
		link->answered = true;
		link->kept[link->nkept++] = reply;
		command->reply = reply;
		link->first = command->next;
	}
	link->last = NULL;
	link->nqueued = 0;
	link->busy = false;
	if (link->broken || link->context->reader->pos < link->context->reader->len)
		dogpile_redis_link_disconnect(link);	/* there is more than was
												 * asked for */
	return true;
}

/* The reason of the last failure. */
const DogpileBackendError *
dogpile_redis_link_error(const DogpileRedisLink *link)
{
	return &link->error;
}

/*
 * After a failure: had the connection been idle, and was found closed?  A new one may
 * work.
 */
bool
dogpile_redis_link_was_stale(const DogpileRedisLink *link)
{
	return link->stale;
}

/*
 * Make an array, unless it is longer than any answer to our commands: hiredis would
 * allocate as many elements as a broken server claims.
 */
#if HIREDIS_MAJOR >= 1
#define ARRAY_LENGTH	size_t
#else
#define ARRAY_LENGTH	int
#endif
static redisReplyObjectFunctions hiredis_functions;

static void *
create_array(const redisReadTask *task, ARRAY_LENGTH length)
{
	if (length > MAX_ARRAY)
		return NULL;
	return hiredis_functions.createArray(task, length);
}

/* Let a connection limit its arrays, and close its socket at exec(). */
static void
adjust_context(redisContext *context)
{
	static redisReplyObjectFunctions functions;

	if (functions.createArray == NULL)
	{
		functions = hiredis_functions = *context->reader->fn;
		functions.createArray = create_array;
	}
	context->reader->fn = &functions;
	(void) fcntl(context->fd, F_SETFD, FD_CLOEXEC);
}

/* Let hiredis begin to connect to one address of the host. */
static bool
start_connect(DogpileRedisLink *link, const DogpilePlace *place)
{
	char		number[NI_MAXHOST];
	char		what[64];

	if (!dogpile_socket_count(&link->counted, what, sizeof(what)))
		return fail_link(link, false, what);
	if (link->address.port == 0)
		link->context = redisConnectUnixNonBlock(link->address.host);
	else if (getnameinfo((const struct sockaddr *) &place->address, place->len, number,
						 sizeof(number), NULL, 0, NI_NUMERICHOST) == 0)
		link->context = redisConnectNonBlock(number, link->address.port);
	if (link->context == NULL)
		return fail_link(link, false, "out of memory");
	if (link->context->err != 0)
		return fail_context(link);
	adjust_context(link->context);
	return true;
}

/* Wait for what start_connect() has begun. */
static bool
finish_connect(DogpileRedisLink *link)
{
	int			code = 0;
	socklen_t	len = sizeof(code);

	if (!dogpile_backend_wait(link->context->fd, WL_SOCKET_WRITEABLE, link->deadline))
		return fail_timeout(link);
	if (getsockopt(link->context->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		code = errno;
	if (code != 0)
	{
		char		what[128];

		return fail_link(link, true, strerror_r(code, what, sizeof(what)));
	}
	if (strcmp(link->options->tls, "off") != 0)
	{
		char		what[128];

		if (!dogpile_redis_tls_start(&link->tls, link->options, &link->address,
									 link->context, link->deadline, what, sizeof(what)))
			return fail_link(link, true, what);
	}
	return true;
}

/* Connect to the first address of the host that can be connected to. */
static bool
connect_any(DogpileRedisLink *link)
{
	DogpilePlace places[DOGPILE_MAX_PLACES];
	char		what[128];
	int			n = dogpile_resolve(&link->address, places, what, sizeof(what));

	if (n == 0)
		return fail_link(link, true, what);

	/* The lookup of the host has limits of its own, and does not count. */
	link->deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												 link->options->connect_timeout_ms);
	for (int i = 0; i < n; i++)
	{
		link->busy = true;
		if (start_connect(link, &places[i]) && finish_connect(link))
			return true;
		if (GetCurrentTimestamp() >= link->deadline)
			break;
	}
	return false;
}

/* Does the answer to a command of the greeting allow to go on? */
static bool
greeting_is_right(DogpileRedisLink *link, const DogpileRedisCommand *command)
{
	const DogpileRedisReply *reply = command->reply;

	if (strcmp(command->argv[0], "ROLE") != 0)
	{
		if (reply->type == REDIS_REPLY_STATUS)
			return true;
	}
	else
	{
		/* A user or a server without this command is used as it is. */
		if (dogpile_redis_reply_is_error(reply, "NOPERM") ||
			dogpile_redis_reply_is_error(reply, "ERR unknown command"))
			return true;
		if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
			reply->element[0]->type == REDIS_REPLY_STRING)
			return strcmp(reply->element[0]->str, "master") == 0 ||
				fail_link(link, true, "it is a replica, not the master");
	}
	if (reply->type != REDIS_REPLY_ERROR)
		return fail_link(link, true, "the answer is not that of a Redis server");
	dogpile_redis_reply_report(reply, link->name, &link->error);
	link->error.unreachable = true;
	dogpile_redis_link_disconnect(link);
	return false;
}

/* Log in, choose the database, and ask for the role, all at once. */
static bool
greet(DogpileRedisLink *link)
{
	const DogpileBackendOptions *options = link->options;
	char		database[16];
	const char *auth_argv[3] = {"AUTH"};
	const char *select_argv[2] = {"SELECT", database};
	const char *role_argv[1] = {"ROLE"};
	DogpileRedisCommand commands[3];
	int			n = 0;
	bool		complete;

	memset(commands, 0, sizeof(commands));
	snprintf(database, sizeof(database), "%d", options->database);
	if (options->password[0] != '\0' || options->user[0] != '\0')
	{
		int			argc = 1;

		if (options->user[0] != '\0')
			auth_argv[argc++] = options->user;
		auth_argv[argc++] = options->password;
		commands[n].argc = argc;
		commands[n++].argv = auth_argv;
	}
	if (options->database != 0 && link->kind != DOGPILE_REDIS_NODE)
	{
		commands[n].argc = 2;
		commands[n++].argv = select_argv;
	}
	if (link->kind == DOGPILE_REDIS_MASTER)
	{
		commands[n].argc = 1;
		commands[n++].argv = role_argv;
	}
	if (n == 0)
		return true;

	for (int i = 0; i < n; i++)
		dogpile_redis_link_add(link, &commands[i]);
	complete = dogpile_redis_link_send(link) && dogpile_redis_link_receive(link);
	for (int i = 0; i < n && commands[i].reply != NULL; i++)
		if (!greeting_is_right(link, &commands[i]))
			return false;
	return complete;
}

/*
 * Connect, and greet the server.
 *
 * Returns false, with dogpile_redis_link_error(), if that does not work.  Takes
 * at most connect_timeout_ms and then operation_timeout_ms for the greeting.
 */
bool
dogpile_redis_link_connect(DogpileRedisLink *link, int flags)
{
	dogpile_redis_link_disconnect(link);
	link->flags = flags;
	link->idle = false;
	link->stale = false;
	link->answered = false;
	link->busy = true;
	if (!connect_any(link))
		return false;
	link->generation++;
	if (link->kind != DOGPILE_REDIS_SENTINEL && !greet(link))
		return false;
	link->busy = false;
	if (link->context == NULL)
		return fail_link(link, true, "the answer is not that of a Redis server");
	return true;
}

/* Can the options for encryption be right? */
bool
dogpile_redis_link_check_tls(const DogpileBackendOptions *options,
							 DogpileBackendError *error)
{
	if (strcmp(options->tls, "off") == 0)
		return true;
	if (!dogpile_redis_tls_is_built())
	{
		snprintf(error->message, sizeof(error->message), "%s",
				 "this build of dogpile has no TLS for Redis: hiredis is older than 1.0");
		return false;
	}
	if (options->tls_ca_file[0] != '\0' && access(options->tls_ca_file, R_OK) != 0)
	{
		snprintf(error->message, sizeof(error->message),
				 "TLS: the file \"%.128s\" cannot be read: %s", options->tls_ca_file,
				 strerror(errno));
		return false;
	}
	return true;
}

DogpileRedisReplyKind
dogpile_redis_reply_kind(const DogpileRedisReply *reply)
{
	switch (reply->type)
	{
		case REDIS_REPLY_STRING:
			return DOGPILE_REDIS_STRING;
		case REDIS_REPLY_STATUS:
			return DOGPILE_REDIS_STATUS;
		case REDIS_REPLY_INTEGER:
			return DOGPILE_REDIS_INTEGER;
		case REDIS_REPLY_NIL:
			return DOGPILE_REDIS_NIL;
		case REDIS_REPLY_ARRAY:
			return DOGPILE_REDIS_ARRAY;
		case REDIS_REPLY_ERROR:
			return DOGPILE_REDIS_ERROR;
	}
	return DOGPILE_REDIS_OTHER;
}

/* The bytes of a string, status or error; a zero follows them. */
DogpileBytes
dogpile_redis_reply_text(const DogpileRedisReply *reply)
{
	DogpileBytes text = {reply->str, reply->len};

	return text;
}

int64
dogpile_redis_reply_integer(const DogpileRedisReply *reply)
{
	return reply->integer;
}

/* How many elements an array has; 0 if it is none. */
int
dogpile_redis_reply_count(const DogpileRedisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY ? (int) Min(reply->elements, INT_MAX) : 0;
}

const DogpileRedisReply *
dogpile_redis_reply_element(const DogpileRedisReply *reply, int i)
{
	return reply->element[i];
}

/* Is it an error whose first word is this? */
bool
dogpile_redis_reply_is_error(const DogpileRedisReply *reply, const char *code)
{
	size_t		len = strlen(code);

	return reply->type == REDIS_REPLY_ERROR && reply->len >= len &&
		memcmp(reply->str, code, len) == 0 &&
		(reply->str[len] == ' ' || reply->str[len] == '\0');
}

/* Describe an answer that is an error, or not what was asked for. */
void
dogpile_redis_reply_report(const DogpileRedisReply *reply, const char *server,
						   DogpileBackendError *error)
{
	static const char *const not_now[] = {
		"LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "DENIED", "NOAUTH",
		"ERR max number of clients reached"
	};
	char		text[128];
	char	   *arguments;

	error->unreachable = false;
	if (reply->type != REDIS_REPLY_ERROR)
	{
		error->unreachable = true;
		snprintf(error->message, sizeof(error->message),
				 "Redis server %.120s: the answer is not that of a Redis server", server);
		return;
	}
	for (int i = 0; i < lengthof(not_now); i++)
		if (dogpile_redis_reply_is_error(reply, not_now[i]))
			error->unreachable = true;
	strlcpy(text, reply->str, sizeof(text));

	/*
	 * A server that does not know a command repeats it: a value, or a
	 * password.
	 */
	arguments = strstr(text, ", with args");
	if (arguments != NULL)
		*arguments = '\0';
	dogpile_clean_ascii_compat(text, sizeof(text));
	snprintf(error->message, sizeof(error->message), "Redis server %.100s says: %s",
			 server, text);
}
