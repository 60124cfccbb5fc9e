/*-------------------------------------------------------------------------
 *
 * memcached_link.c
 *	  A connection to one memcached server.
 *
 * libmemcached waits for answers in a way that no cancel request ends, and does
 * not tell the number of its sockets.  Therefore:
 *
 *	- Each server has a handle (memcached_st) of its own; another one, the ring,
 *	  which never connects, only says which server a name belongs to.  So the
 *	  failure of one server does not touch what is going on with the others, and
 *	  what libmemcached itself thinks of dead servers is forgotten with the handle.
 *	- A connection is probed first; that finds its number, too (see probe.c).
 *	- A look-up is sent, then we wait for the socket, and only then the answer is
 *	  read.  Other requests cannot be split like that.  Before those, a server
 *	  that has not answered for a moment is asked something that can be.  The look
 *	  at an answer's beginning waits by itself at first (socket.c).
 *
 *	- A server may still stop in that moment or within an answer, or send an answer
 *	  without an end.  Then the socket is shut down (memcached_catch.c).
 *
 * libmemcached is not prepared for nonsense either: some answers that no memcached
 * gives make it call abort(), or write behind the end of a buffer.  The former is
 * caught (memcached_catch.c).  Against the latter, a server is asked something before
 * libmemcached connects to it, and the beginning of an answer is checked before
 * libmemcached reads it.  An attacker that can change a memcached's answers can still
 * do harm.
 *
 * Only this file and memcached_ring.c know libmemcached.  Errors are answers; see
 * backend.h.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/memcached_link.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>

#include <libmemcached/memcached.h>

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "backend/memcached/memcached_catch.h"
#include "backend/memcached/memcached_link.h"
#include "backend/memory.h"
#include "backend/socket.h"
#include "lib/compat.h"

/* A server that answered within this time is not asked whether it is there. */
#define TRUST_MS		20

/* The socket may block while the names of a look-up are sent, so few of them. */
#define MAX_QUICK_NAMES	64

/* What answers in the binary protocol begin with. */
#define BINARY_RESPONSE	0x81

/* How much of the beginning of an answer is checked. */
#define LOOK_LEN		(sizeof("VALUE ") + DOGPILE_MAX_ITEM_NAME)

/* A name that is not used, to be asked for. */
#define PING_NAME		"dogpile:ping"

/* One server. */
struct DogpileMemcachedLink
{
	const DogpileBackendOptions *options;
	const DogpileMemcachedRing *ring;
	DogpileAddress address;
	char		label[DOGPILE_ADDRESS_TEXT_SIZE];	/* the same as text */
	memcached_st *handle;		/* NULL: not connected */
	memcached_result_st result; /* of look-ups, while there is a handle */
	int			fd;				/* of its socket, -1: not known */
	bool		counted;		/* is that, or the probe's? */
	bool		patient;		/* does it block for a moment? */
	DogpileProbe probe;
	TimestampTz answered_at;
	bool		has_failed;		/* in this call: do not try again */
};

/* --------------------------------------------------------------------
 * Connections
 * --------------------------------------------------------------------
 */

/* Forget the connection to a server, without waiting. */
void
dogpile_memcached_link_disconnect(DogpileMemcachedLink *link)
{
	dogpile_probe_close(&link->probe);
	if (link->handle == NULL)
	{
		dogpile_socket_uncount(&link->counted);
		return;
	}

	/* Freeing the handle says goodbye.  That must not wait for a full socket. */
	if (dogpile_probe_knows(&link->probe, link->fd))
		shutdown(link->fd, SHUT_RDWR);
	memcached_result_free(&link->result);
	memcached_free(link->handle);
	dogpile_socket_uncount(&link->counted);
	link->handle = NULL;
	link->fd = -1;
	link->patient = false;
}

/*
 * Make the link to a server of a ring, by its number there.
 *
 * Returns NULL if there is no memory.
 */
DogpileMemcachedLink *
dogpile_memcached_link_create(const DogpileBackendOptions *options,
							  const DogpileMemcachedRing *ring, int i)
{
	DogpileMemcachedLink *link = dogpile_memory_alloc0(sizeof(DogpileMemcachedLink));

	if (link == NULL)
		return NULL;
	link->options = options;
	link->ring = ring;
	dogpile_memcached_ring_address(ring, i, &link->address);
	dogpile_address_print(&link->address, link->label);
	link->fd = -1;
	link->probe.fd = -1;
	return link;
}

/* Destroy a link, without waiting; NULL is none. */
void
dogpile_memcached_link_destroy(DogpileMemcachedLink *link)
{
	if (link == NULL)
		return;
	dogpile_memcached_link_disconnect(link);
	dogpile_memory_free(link);
}

/* A call begins: a link that has failed in the last one may be tried again. */
void
dogpile_memcached_link_begin(DogpileMemcachedLink *link)
{
	link->has_failed = false;
}

/* --------------------------------------------------------------------
 * Errors
 * --------------------------------------------------------------------
 */

/*
 * Is this due to the memcached, so that the next request would fail_request as well?
 * Mostly, but for what it says itself of a request.
 */
static bool
is_unreachable(memcached_return_t rc)
{
	switch (rc)
	{
		case MEMCACHED_BAD_KEY_PROVIDED:
		case MEMCACHED_KEY_TOO_BIG:
		case MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE:
		case MEMCACHED_SERVER_ERROR:
		case MEMCACHED_CLIENT_ERROR:
		case MEMCACHED_ERROR:
		case MEMCACHED_MEMORY_ALLOCATION_FAILURE:
		case MEMCACHED_INVALID_ARGUMENTS:
		case MEMCACHED_NOT_SUPPORTED:
			return false;
		default:
			return true;
	}
}

/* Can the connection be used after this answer? */
static bool
is_harmless(memcached_return_t rc)
{
	return rc == MEMCACHED_BAD_KEY_PROVIDED || rc == MEMCACHED_KEY_TOO_BIG ||
		rc == MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE;
}

/*
 * libmemcached's own words, without the addresses of its memory and its source,
 * and without what a broken server may have put there.
 */
static void
copy_reason(DogpileMemcachedLink *link, memcached_return_t rc, char *reason, size_t size)
{
	const char *text = memcached_last_error_message(link->handle);
	const char *end;

	if (memcached_last_error(link->handle) != rc || text == NULL)
		text = memcached_strerror(link->handle, rc);
	if (text[0] == '(' && strstr(text, ") ") != NULL)
		text = strstr(text, ") ") + 2;
	end = strstr(text, ", host: ");
	if (end == NULL)
		end = strstr(text, " -> ");
	strlcpy(reason, text, end == NULL ? size : Min(size, end - text + 1));
	dogpile_clean_ascii_compat(reason, size);
}

static DogpileBackendStatus
fail_request(DogpileMemcachedLink *link, memcached_return_t rc, DogpileBackendError *error)
{
	char		reason[120];

	if (rc == MEMCACHED_TIMEOUT)
		snprintf(reason, sizeof(reason), "no answer within %d ms",
				 link->options->operation_timeout_ms);
	else if (rc == MEMCACHED_PROTOCOL_ERROR)
		strlcpy(reason, "the answer is not that of a memcached server", sizeof(reason));
	else if (link->handle != NULL)
		copy_reason(link, rc, reason, sizeof(reason));
	else
		strlcpy(reason, "out of memory", sizeof(reason));
	error->unreachable = is_unreachable(rc);
	snprintf(error->message, sizeof(error->message), "memcached server %.100s: %s",
			 link->label, reason);
	if (!is_harmless(rc))
	{
		dogpile_memcached_link_disconnect(link);
		link->has_failed = true;
	}
	return DOGPILE_BACKEND_ERROR;
}

/* What does libmemcached's answer mean? */
static DogpileBackendStatus
interpret(DogpileMemcachedLink *link, memcached_return_t rc,
		  DogpileBackendError *error)
{
	link->answered_at = GetCurrentTimestamp();
	switch (rc)
	{
		case MEMCACHED_SUCCESS:
		case MEMCACHED_STORED:
		case MEMCACHED_DELETED:
			return DOGPILE_BACKEND_OK;
		case MEMCACHED_NOTFOUND:
			return DOGPILE_BACKEND_MISS;
		case MEMCACHED_NOTSTORED:
		case MEMCACHED_DATA_EXISTS:
			return DOGPILE_BACKEND_KEPT;
		case MEMCACHED_E2BIG:
			return DOGPILE_BACKEND_TOO_LARGE;
		default:
			return fail_request(link, rc, error);
	}
}

/* --------------------------------------------------------------------
 * Requests, with abort() caught
 * --------------------------------------------------------------------
 */

/* The figures of a server that we pass on. */
static const char *const figures[] = {
	"curr_items", "bytes", "limit_maxbytes", "evictions", "get_hits", "get_misses",
	"curr_connections", "uptime", "version"
};

/* What they are; "": not told. */
typedef char Figures[lengthof(figures)][64];

/* What to ask libmemcached for, and its answer. */
typedef struct Request
{
	DogpileMemcachedLink *link;
	const char *const *names;	/* of a look-up */
	const size_t *lengths;
	int			n;
	DogpileMemcachedVerb verb;
	DogpileBytes name;
	DogpileBytes value;
	time_t		expires;
	uint64		version;
	Figures    *figures;
	memcached_return_t rc;
	bool		found;			/* has it read an item? */
} Request;

static void
do_ask(void *arg)
{
	Request    *r = arg;

	r->rc = memcached_mget(r->link->handle, r->names, r->lengths, r->n);
}

static void
do_read(void *arg)
{
	Request    *r = arg;

	r->found = memcached_fetch_result(r->link->handle, &r->link->result, &r->rc) != NULL;
}

static void
do_store(void *arg)
{
	Request    *r = arg;
	memcached_st *handle = r->link->handle;

	switch (r->verb)
	{
		case DOGPILE_MEMCACHED_SET:
			r->rc = memcached_set(handle, r->name.data, r->name.len,
								  r->value.data, r->value.len, r->expires, 0);
			break;
		case DOGPILE_MEMCACHED_ADD:
			r->rc = memcached_add(handle, r->name.data, r->name.len,
								  r->value.data, r->value.len, r->expires, 0);
			break;
		case DOGPILE_MEMCACHED_CAS:
			r->rc = memcached_cas(handle, r->name.data, r->name.len,
								  r->value.data, r->value.len, r->expires, 0, r->version);
			break;
	}
}

static void
do_delete(void *arg)
{
	Request    *r = arg;

	r->rc = memcached_delete(r->link->handle, r->name.data, r->name.len, 0);
}

static memcached_return_t
note_figure(const memcached_instance_st *server, const char *key, size_t key_length,
			const char *value, size_t value_length, void *context)
{
	Figures    *noted = context;

	for (int i = 0; i < lengthof(figures); i++)
		if (strlen(figures[i]) == key_length && memcmp(figures[i], key, key_length) == 0)
			snprintf((*noted)[i], sizeof((*noted)[i]), "%.*s",
					 (int) Min(value_length, sizeof((*noted)[i]) - 1), value);
	return MEMCACHED_SUCCESS;
}

static void
do_stats(void *arg)
{
	Request    *r = arg;

	r->rc = memcached_stat_execute(r->link->handle, NULL, note_figure, r->figures);
}

/* libmemcached has given up: its memory is lost, but not the socket. */
static void
lose_handle(DogpileMemcachedLink *link)
{
	if (dogpile_probe_knows(&link->probe, link->fd))
		(void) close(link->fd);
	dogpile_socket_uncount(&link->counted);
	link->handle = NULL;
	link->fd = -1;
	link->patient = false;
}

/* Make a request.  If the wait was cut off by a cancel request, that is obeyed. */
static memcached_return_t
run(Request *r, void (*call) (void *arg))
{
	DogpileMemcachedLink *link = r->link;

	r->rc = MEMCACHED_FAILURE;
	r->found = false;
	if (!dogpile_memcached_catch(&link->probe, link->fd >= 0 ? link->fd : link->probe.fd,
								 link->options->operation_timeout_ms, call, r))
	{
		lose_handle(link);
		r->rc = MEMCACHED_PROTOCOL_ERROR;
	}
	if (InterruptHoldoffCount == 0 && CritSectionCount == 0)
		CHECK_FOR_INTERRUPTS();
	return r->rc;
}

/* --------------------------------------------------------------------
 * Nonsense
 * --------------------------------------------------------------------
 */

/*
 * Can this be the beginning of an answer to a look-up?  In the text protocol a
 * name may not be longer than libmemcached has room for.
 */
static bool
is_sensible(const char *answer, size_t len, bool is_binary)
{
	static const char *const words[] = {
		"VALUE ", "END\r\n", "SERVER_ERROR", "CLIENT_ERROR", "ERROR\r\n"
	};

	if (len == 0)
		return false;
	if (is_binary)
		return (unsigned char) answer[0] == BINARY_RESPONSE;
	for (int i = 0; i < lengthof(words); i++)
	{
		size_t		word_len = strlen(words[i]);

		if (memcmp(answer, words[i], Min(len, word_len)) != 0)
			continue;
		return i > 0 || len < word_len + DOGPILE_MAX_ITEM_NAME + 1 ||
			memchr(answer + word_len, ' ', DOGPILE_MAX_ITEM_NAME + 1) != NULL;
	}
	return false;
}

static bool
is_binary(const DogpileMemcachedLink *link)
{
	memcached_st *settings =
		unconstify(memcached_st *, dogpile_memcached_ring_settings(link->ring));

	return memcached_behavior_get(settings, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL) != 0;
}

/* Is a memcached what the probe has reached? */
static bool
is_memcached(DogpileMemcachedLink *link, DogpileBackendError *error)
{
	static const char text[] = "get " PING_NAME "\r\n";
	static const char binary[] =
		"\x80\0\0\x0c\0\0\0\0\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0" PING_NAME;
	bool		use_binary = is_binary(link);
	char		answer[LOOK_LEN];
	size_t		n;

	StaticAssertStmt(sizeof(PING_NAME) - 1 == 12, "the length in the binary request");
	n = dogpile_probe_ask(&link->probe, use_binary ? binary : text,
						  use_binary ? sizeof(binary) - 1 : sizeof(text) - 1,
						  answer, sizeof(answer), link->options->operation_timeout_ms);
	if (n > 0 && is_sensible(answer, n, use_binary))
		return true;
	fail_request(link, n > 0 ? MEMCACHED_PROTOCOL_ERROR : MEMCACHED_TIMEOUT, error);
	return false;
}

/*
 * Look at what has come: is it how an answer to a look-up begins?
 *
 * flags: of recv().
 * came: set to whether anything has come, if only the end of the connection.
 */
static bool
begins_sensibly(DogpileMemcachedLink *link, int flags, bool *came,
				DogpileBackendError *error)
{
	char		answer[LOOK_LEN];
	ssize_t		n = dogpile_socket_peek(link->fd, answer, sizeof(answer), flags);

	*came = n >= 0;

	/* That the connection is gone libmemcached can see for itself. */
	if (n <= 0 || is_sensible(answer, n, is_binary(link)))
		return true;
	fail_request(link, MEMCACHED_PROTOCOL_ERROR, error);
	return false;
}

/* --------------------------------------------------------------------
 * Making sure of a server
 * --------------------------------------------------------------------
 */

/* A small look-up may wait by itself; else libmemcached gets its socket as it was. */
static void
set_patience(DogpileMemcachedLink *link, bool patient)
{
	if (link->fd >= 0)
		dogpile_socket_set_patience(link->fd, &link->patient, patient);
}

/* Wait until an answer has begun to come. */
static bool
wait_for_answer(DogpileMemcachedLink *link, DogpileBackendError *error)
{
	TimestampTz deadline;
	bool		came;

	/* Then libmemcached waits instead. */
	if (link->fd < 0)
		return true;
	if (link->patient)
	{
		if (!begins_sensibly(link, 0, &came, error))
			return false;
		if (came)
			return true;
	}
	deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
										   link->options->operation_timeout_ms);
	if (dogpile_backend_wait(link->fd, WL_SOCKET_READABLE, deadline))
		return begins_sensibly(link, MSG_DONTWAIT, &came, error);
	fail_request(link, MEMCACHED_TIMEOUT, error);
	return false;
}

/* Ask for something, and wait for the answer. */
static bool
ping(DogpileMemcachedLink *link, DogpileBackendError *error)
{
	const char *name = PING_NAME;
	size_t		len = strlen(name);
	Request		request = {.link = link,.names = &name,.lengths = &len,.n = 1};
	memcached_return_t rc;

	set_patience(link, false);
	rc = run(&request, do_ask);

	/* If that has just connected, see where. */
	if (link->fd < 0 && dogpile_probe_knows(&link->probe, link->probe.fd))
		link->fd = link->probe.fd;
	link->probe.fd = -1;
	if (rc != MEMCACHED_SUCCESS)
	{
		fail_request(link, rc, error);
		return false;
	}
	if (!wait_for_answer(link, error))
		return false;

	/* No item should have this name; one is tolerated. */
	rc = run(&request, do_read);
	if (request.found)
		rc = run(&request, do_read);
	if (request.found)
		rc = MEMCACHED_PROTOCOL_ERROR;
	if (rc != MEMCACHED_END && rc != MEMCACHED_NOTFOUND)
	{
		fail_request(link, rc, error);
		return false;
	}
	link->answered_at = GetCurrentTimestamp();
	return true;
}

static bool
connect_memcached(DogpileMemcachedLink *link, DogpileBackendError *error)
{
	error->unreachable = false;
	if (!dogpile_socket_count(&link->counted, error->message, sizeof(error->message)) ||
		!dogpile_probe_open(&link->probe, &link->address,
							link->options->connect_timeout_ms, error))
	{
		dogpile_memcached_link_disconnect(link);
		link->has_failed = true;
		return false;
	}
	if (!is_memcached(link, error))
		return false;
	link->handle = memcached_clone(NULL, dogpile_memcached_ring_settings(link->ring));
	if (link->handle == NULL ||
		memcached_result_create(link->handle, &link->result) == NULL ||
		!dogpile_memcached_ring_add(link->handle, link->probe.host, link->address.port))
	{
		fail_request(link, MEMCACHED_MEMORY_ALLOCATION_FAILURE, error);
		return false;
	}

	/* From here on, probe.fd is the number that libmemcached's should get. */
	link->probe.fd = dogpile_probe_close(&link->probe);
	return ping(link, error);
}

/* Connect if need be, also when the server was restarted. */
static bool
reach(DogpileMemcachedLink *link, DogpileBackendError *error)
{
	if (link->has_failed)
		return false;
	if (link->handle != NULL && link->fd >= 0 && dogpile_socket_has_input(link->fd))
		dogpile_memcached_link_disconnect(link);
	return link->handle != NULL || connect_memcached(link, error);
}

/*
 * Make a link ready for a request that cannot be cancelled.
 */
static bool
reach_surely(DogpileMemcachedLink *link, DogpileBackendError *error)
{
	if (!reach(link, error))
		return false;
	set_patience(link, false);
	return InterruptHoldoffCount > 0 ||
		!TimestampDifferenceExceeds(link->answered_at, GetCurrentTimestamp(), TRUST_MS) ||
		ping(link, error);
}

/* --------------------------------------------------------------------
 * Looking up
 * --------------------------------------------------------------------
 */

/*
 * Ask for items, in one go.  The answer is to be read.
 */
bool
dogpile_memcached_link_ask(DogpileMemcachedLink *link, const char *const *names,
						   const size_t *lengths, int n, DogpileBackendError *error)
{
	Request		request = {.link = link,.names = names,.lengths = lengths,.n = n};
	memcached_return_t rc;

	if (!reach(link, error))
		return false;
	set_patience(link, n <= MAX_QUICK_NAMES);
	rc = run(&request, do_ask);
	if (rc == MEMCACHED_SUCCESS)
		return true;
	fail_request(link, rc, error);
	return false;
}

/* Wait until the answer has begun to come. */
bool
dogpile_memcached_link_wait(DogpileMemcachedLink *link, DogpileBackendError *error)
{
	return wait_for_answer(link, error);
}

/*
 * Read the next item of an answer.
 *
 * Returns OK; MISS if that was all; or ERROR.  value.data comes from malloc() of
 * libmemcached and is the caller's; an empty value has NULL.  The name is valid until the next
 * one is read.
 */
DogpileBackendStatus
dogpile_memcached_link_read(DogpileMemcachedLink *link, DogpileMemcachedFound *found,
							DogpileBackendError *error)
{
	Request		request = {.link = link};
	memcached_return_t rc = run(&request, do_read);

	if (!request.found)
	{
		if (rc != MEMCACHED_END && rc != MEMCACHED_NOTFOUND)
			return fail_request(link, rc, error);
		link->answered_at = GetCurrentTimestamp();
		return DOGPILE_BACKEND_MISS;
	}
	found->name.data = memcached_result_key_value(&link->result);
	found->name.len = memcached_result_key_length(&link->result);
	found->len = memcached_result_length(&link->result);
	found->version = memcached_result_cas(&link->result);
	found->value = memcached_result_take_value(&link->result);
	return DOGPILE_BACKEND_OK;
}

/* Give up an answer that cannot be that of a memcached. */
void
dogpile_memcached_link_refuse(DogpileMemcachedLink *link, DogpileBackendError *error)
{
	(void) fail_request(link, MEMCACHED_PROTOCOL_ERROR, error);
}

/* --------------------------------------------------------------------
 * Other requests
 * --------------------------------------------------------------------
 */

/*
 * Store an item.
 *
 * expires: seconds from now or a point in time, as memcached has it; 0: never.
 * version: for CAS.
 *
 * Returns OK, KEPT, TOO_LARGE, ERROR, or MISS if CAS finds nothing.
 */
DogpileBackendStatus
dogpile_memcached_link_store(DogpileMemcachedLink *link, DogpileMemcachedVerb verb,
							 DogpileBytes name, DogpileBytes value, time_t expires,
							 uint64 version, DogpileBackendError *error)
{
	Request		request = {
		.link = link,
		.verb = verb,
		.name = name,
		.value = value,
		.expires = expires,
		.version = version
	};

	if (!reach_surely(link, error))
		return DOGPILE_BACKEND_ERROR;
	return interpret(link, run(&request, do_store), error);
}

/*
 * Delete an item.
 *
 * Returns OK, MISS or ERROR.
 */
DogpileBackendStatus
dogpile_memcached_link_delete(DogpileMemcachedLink *link, DogpileBytes name,
							  DogpileBackendError *error)
{
	Request		request = {.link = link,.name = name};

	if (!reach_surely(link, error))
		return DOGPILE_BACKEND_ERROR;
	return interpret(link, run(&request, do_delete), error);
}

/* Tell some figures of the server; that may raise errors, so not on the way. */
DogpileBackendStatus
dogpile_memcached_link_stats(DogpileMemcachedLink *link, DogpileBackendFigure figure,
							 void *arg, DogpileBackendError *error)
{
	Figures		noted = {{0}};
	Request		request = {.link = link,.figures = &noted};
	DogpileBackendStatus status;

	if (!reach(link, error) || !ping(link, error))
		return DOGPILE_BACKEND_ERROR;
	status = interpret(link, run(&request, do_stats), error);
	for (int i = 0; i < lengthof(figures) && status == DOGPILE_BACKEND_OK; i++)
		if (noted[i][0] != '\0')
			figure(link->label, figures[i], noted[i], arg);
	return status;
}
