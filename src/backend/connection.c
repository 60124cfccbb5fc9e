/*-------------------------------------------------------------------------
 *
 * connection.c
 *	  A connection of a backend, with the wrappers around it.
 *
 * A connection is a chain of links: the wrappers that the region names,
 * outermost first, and at its end a base, which calls the backend.  Each link
 * has all functions.  Those that a wrapper leaves out pass calls on; those that
 * the backend leaves out are stood in for by the base with what every backend
 * has: get, set on a condition, and remove.  The stand-ins keep the contract,
 * at the price of more round trips.
 *
 * Each connection has a memory context, in which the backend is called.  Calls are
 * also made when a transaction has just committed, so nothing is raised here, not
 * even "out of memory" (memory.c).
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/connection.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "common/int.h"
#include "common/pg_prng.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "backend/connection.h"
#include "backend/memory.h"

/* How often to try to change a counter that other sessions change, too. */
#define MAX_ATTEMPTS	100

/* How long to pause in between at most, after the first failure and later. */
#define MIN_PAUSE_US	50
#define MAX_PAUSE_US	3200

/* A shorter part of a password in a message is coincidence. */
#define MIN_QUOTED		3

/* Replaces the token of a lock that was given up; no token is as short. */
static const DogpileBytes nobody = {"-", 1};

/* The last link. */
typedef struct Base
{
	const DogpileBackend *backend;
	void	   *connection;
	const char *password;
	MemoryContext memory;		/* of the connection, and all that belongs to
								 * it */
} Base;

/* A connection as it is allocated. */
typedef struct Chain
{
	DogpileConnection connection;
	Base		base;
	DogpileWrapped wrappers[DOGPILE_MAX_WRAPPERS];
} Chain;

/* --------------------------------------------------------------------
 * The base: calls the backend, or stands in for what it leaves out
 * --------------------------------------------------------------------
 */

/*
 * Take the password out of a message, which may quote what a server has said, and may
 * have been cut.  Messages are shown, and written to the log.
 */
static void
hide_password(const char *password, DogpileBackendError *error)
{
	size_t		len = strlen(password);
	size_t		left;
	char	   *found = error->message;

	if (len < MIN_QUOTED)
		return;
	while ((found = strstr(found, password)) != NULL)
	{
		memset(found, '*', MIN_QUOTED);
		found += MIN_QUOTED;
		memmove(found, found + len - MIN_QUOTED, strlen(found + len - MIN_QUOTED) + 1);
	}
	left = strlen(error->message);
	for (size_t part = Min(len - 1, left); part >= MIN_QUOTED; part--)
		if (strncmp(error->message + left - part, password, part) == 0)
		{
			memset(error->message + left - part, '*', MIN_QUOTED);
			error->message[left - part + MIN_QUOTED] = '\0';
			return;
		}
}

/* Return the backend's answer, without the password in the error. */
static DogpileBackendStatus
answer(const Base *base, DogpileBackendStatus status, DogpileBackendError *error)
{
	if (status == DOGPILE_BACKEND_ERROR)
		hide_password(base->password, error);
	return status;
}

/* Call a function of the backend in the memory context of the connection. */
#define CALL_BACKEND(function, ...) \
	do { \
		MemoryContext caller = MemoryContextSwitchTo(base->memory); \
		DogpileBackendStatus answered = \
			base->backend->function(base->connection, __VA_ARGS__, error); \
\
		MemoryContextSwitchTo(caller); \
		return answer(base, answered, error); \
	} while (0)

/* What a backend must have is called as it is. */
static DogpileBackendStatus
base_get(void *link, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	Base	   *base = link;

	CALL_BACKEND(get, items, nitems);
}

static DogpileBackendStatus
base_set(void *link, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	Base	   *base = link;

	CALL_BACKEND(set, items, nitems);
}

static DogpileBackendStatus
base_remove(void *link, DogpileBackendItem *items, int nitems,
			DogpileBackendError *error)
{
	Base	   *base = link;

	CALL_BACKEND(remove, items, nitems);
}

/* Store one item; its status is the answer. */
static DogpileBackendStatus
set_one(void *link, DogpileBackendItem *item, DogpileBackendError *error)
{
	item->status = DOGPILE_BACKEND_ERROR;
	(void) base_set(link, item, 1, error);
	return item->status;
}

/*
 * Try to replace the number of a counter; KEPT or MISS if another session was faster.
 * A text that is no number counts as zero.
 */
static DogpileBackendStatus
try_increment(void *link, DogpileBytes name, int64 delta, int64 ttl_ms, int64 *result,
			  DogpileBackendError *error)
{
	DogpileBackendItem item = {.name = name};
	char		before[32] = "";
	char		after[32];

	if (base_get(link, &item, 1, error) != DOGPILE_BACKEND_OK)
		return DOGPILE_BACKEND_ERROR;
	item.mode = DOGPILE_BACKEND_IF_ABSENT;
	if (item.status == DOGPILE_BACKEND_OK)
	{
		item.mode = DOGPILE_BACKEND_IF_EQUAL;
		item.expected.data = before;
		item.expected.len = Min(item.value.len, sizeof(before) - 1);
		memcpy(before, item.value.data, item.expected.len);
	}
	if (pg_add_s64_overflow(strtoll(before, NULL, 10), delta, result))
		return DOGPILE_BACKEND_TOO_LARGE;
	item.value.data = after;
	item.value.len = snprintf(after, sizeof(after), INT64_FORMAT, *result);
	item.ttl_ms = ttl_ms;
	return set_one(link, &item, error);
}

/*
 * Pause after an attempt that failed; longer each time, and at random.  Without that,
 * sessions that run in step with others were seen to fail too often.
 */
static void
pause_after(int attempt)
{
	uint64		limit = Min(MIN_PAUSE_US << Min(attempt, 10), MAX_PAUSE_US);

	pg_usleep(pg_prng_uint64_range(&pg_global_prng_state, 0, limit));
}

/*
 * Without counters: read, add, and store on the condition that the number is still the
 * same.  MAX_ATTEMPTS is more often than other sessions are likely to interfere.
 */
static DogpileBackendStatus
base_increment(void *link, DogpileBytes name, int64 delta, int64 ttl_ms, int64 *result,
			   DogpileBackendError *error)
{
	Base	   *base = link;

	if (base->backend->increment != NULL)
		CALL_BACKEND(increment, name, delta, ttl_ms, result);
	for (int i = 0; i < MAX_ATTEMPTS; i++)
	{
		DogpileBackendStatus status = try_increment(link, name, delta, ttl_ms, result, error);

		if (status != DOGPILE_BACKEND_KEPT && status != DOGPILE_BACKEND_MISS)
			return status;
		pause_after(i);
	}
	return DOGPILE_BACKEND_KEPT;
}

/*
 * A hash of a value, which may be too long to be kept; zero if there is none.
 */
static uint64
digest(const DogpileBackendItem *item)
{
	if (item->status != DOGPILE_BACKEND_OK)
		return 0;
	return hash_bytes_extended((const unsigned char *) item->value.data,
							   item->value.len, 0) | 1;
}

/* Store something in place of the token, if that is still ours. */
static DogpileBackendStatus
replace_token(void *link, const DogpileBackendLock *lock, DogpileBytes value,
			  int64 ttl_ms, DogpileBackendError *error)
{
	DogpileBackendItem item = {
		.name = lock->name,
		.value = value,
		.expected = {lock->token, DOGPILE_LOCK_TOKEN_LEN},
		.mode = DOGPILE_BACKEND_IF_EQUAL,
		.ttl_ms = ttl_ms
	};

	return set_one(link, &item, error);
}

/* Without renewal: the token in place of itself, with a new lease. */
static DogpileBackendStatus
base_renew(void *link, const DogpileBackendLock *lock, DogpileBackendError *error)
{
	Base	   *base = link;
	DogpileBytes token = {lock->token, DOGPILE_LOCK_TOKEN_LEN};

	if (base->backend->renew != NULL)
		CALL_BACKEND(renew, lock);
	return replace_token(link, lock, token, lock->lease_ms, error);
}

/*
 * Backends cannot remove on a condition, so the token is replaced by a text that is no
 * token.  It expires soon, though not at once: many stores count in seconds.
 */
static DogpileBackendStatus
base_unlock(void *link, const DogpileBackendLock *lock, DogpileBackendError *error)
{
	Base	   *base = link;

	if (base->backend->unlock != NULL)
		CALL_BACKEND(unlock, lock);
	return replace_token(link, lock, nobody, 1, error);
}

/*
 * Put the token under a name where nothing is, or what base_unlock() has left.  The
 * lock is free then; a session that took it for held would return a stale value,
 * or wait, although no session creates one.
 *
 * Returns OK, KEPT or ERROR.
 */
static DogpileBackendStatus
place_token(void *link, const DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileBackendItem item = {
		.name = lock->name,
		.value = {lock->token, DOGPILE_LOCK_TOKEN_LEN},
		.expected = nobody,
		.mode = DOGPILE_BACKEND_IF_ABSENT,
		.ttl_ms = lock->lease_ms
	};

	if (set_one(link, &item, error) != DOGPILE_BACKEND_KEPT)
		return item.status;
	item.mode = DOGPILE_BACKEND_IF_EQUAL;
	if (set_one(link, &item, error) != DOGPILE_BACKEND_MISS)
		return item.status;

	/* It has gone between the two. */
	item.mode = DOGPILE_BACKEND_IF_ABSENT;
	return set_one(link, &item, error);
}

/*
 * Without locks: the token where no other one is.  What the entry is by then is noted
 * for base_put().
 */
static DogpileBackendStatus
base_lock(void *link, DogpileBackendLock *lock, DogpileBackendError *error)
{
	Base	   *base = link;
	DogpileBackendItem entry = {.name = lock->entry};
	DogpileBackendStatus status;

	if (base->backend->lock != NULL)
		CALL_BACKEND(lock, lock);
	status = place_token(link, lock, error);
	if (status != DOGPILE_BACKEND_OK)
		return status;

	/* An entry that is stored from now on differs. */
	if (base_get(link, &entry, 1, error) != DOGPILE_BACKEND_OK)
	{
		DogpileBackendError unlock_error = {0};

		/* The caller must know that the lock may be held. */
		if (base_unlock(link, lock, &unlock_error) == DOGPILE_BACKEND_ERROR)
			error->unreachable = true;
		return DOGPILE_BACKEND_ERROR;
	}
	lock->entry_version = digest(&entry);
	return DOGPILE_BACKEND_OK;
}

/* Is this what is there while the lock is ours? */
static bool
is_own_token(const DogpileBackendLock *lock, const DogpileBackendItem *token)
{
	return token->status == DOGPILE_BACKEND_OK &&
		token->value.len == DOGPILE_LOCK_TOKEN_LEN &&
		memcmp(token->value.data, lock->token, DOGPILE_LOCK_TOKEN_LEN) == 0;
}

/*
 * Store an entry that is not known to have changed since it was found.  What was
 * found must be copied, for the next call takes its memory back.
 */
static DogpileBackendStatus
set_if_unchanged(void *link, const DogpileBackendItem *found, DogpileBackendItem *item,
				 DogpileBackendError *error)
{
	char	   *old = NULL;

	item->mode = DOGPILE_BACKEND_IF_ABSENT;
	if (found->status == DOGPILE_BACKEND_OK)
	{
		item->expected.len = found->value.len;
		old = dogpile_memory_alloc(Max(item->expected.len, 1));
		if (old == NULL)
		{
			snprintf(error->message, sizeof(error->message), "out of memory");
			return DOGPILE_BACKEND_ERROR;
		}
		item->expected.data = memcpy(old, found->value.data, item->expected.len);
		item->mode = DOGPILE_BACKEND_IF_EQUAL;
	}
	(void) set_one(link, item, error);
	dogpile_memory_free(old);
	return item->status == DOGPILE_BACKEND_MISS ? DOGPILE_BACKEND_KEPT : item->status;
}

/*
 * The entry is fenced by what it was when the lock was taken, for two names cannot
 * be changed in one step.  The lock is given up whatever becomes of the entry.
 */
static DogpileBackendStatus
base_put(void *link, const DogpileBackendLock *lock, DogpileBackendItem *item,
		 DogpileBackendError *error)
{
	Base	   *base = link;
	DogpileBackendItem found[2] = {{.name = lock->name}, {.name = lock->entry}};
	DogpileBackendError unlock_error = {.unreachable = true};
	DogpileBackendStatus status = DOGPILE_BACKEND_KEPT;

	if (base->backend->put != NULL)
		CALL_BACKEND(put, lock, item);
	if (base_get(link, found, lengthof(found), error) != DOGPILE_BACKEND_OK)
		return DOGPILE_BACKEND_ERROR;
	if (!is_own_token(lock, &found[0]))
		return DOGPILE_BACKEND_KEPT;
	if (digest(&found[1]) == lock->entry_version)
		status = set_if_unchanged(link, &found[1], item, error);

	/* The caller must know that the lock may be held. */
	if (base_unlock(link, lock, &unlock_error) == DOGPILE_BACKEND_ERROR &&
		status != DOGPILE_BACKEND_ERROR)
	{
		*error = unlock_error;
		status = DOGPILE_BACKEND_ERROR;
	}
	return status;
}

/* Without a list of names there is nothing to go by. */
static DogpileBackendStatus
base_flush(void *link, DogpileBytes prefix, DogpileBackendError *error)
{
	Base	   *base = link;

	if (base->backend->flush != NULL)
		CALL_BACKEND(flush, prefix);
	snprintf(error->message, sizeof(error->message),
			 "this backend cannot list its names");
	return DOGPILE_BACKEND_ERROR;
}

/* The caller's function for figures, and its memory context. */
typedef struct Listener
{
	DogpileBackendFigure figure;
	void	   *arg;
	MemoryContext memory;
} Listener;

static void
pass_figure(const char *server, const char *name, const char *value, void *arg)
{
	const Listener *listener = arg;
	MemoryContext oldcontext = MemoryContextSwitchTo(listener->memory);

	listener->figure(server, name, value, listener->arg);
	MemoryContextSwitchTo(oldcontext);
}

/* Without figures there are none, which is no error. */
static DogpileBackendStatus
base_stats(void *link, DogpileBackendFigure figure, void *arg,
		   DogpileBackendError *error)
{
	Base	   *base = link;
	Listener	listener = {.figure = figure,.arg = arg,.memory = CurrentMemoryContext};

	if (base->backend->stats != NULL)
		CALL_BACKEND(stats, pass_figure, &listener);
	return DOGPILE_BACKEND_OK;
}

static const DogpileBackend base_functions = {
	.abi = DOGPILE_BACKEND_ABI,
	.name = "base",
	.get = base_get,
	.set = base_set,
	.remove = base_remove,
	.increment = base_increment,
	.lock = base_lock,
	.renew = base_renew,
	.unlock = base_unlock,
	.put = base_put,
	.flush = base_flush,
	.stats = base_stats
};

/* --------------------------------------------------------------------
 * Wrappers: what they leave out passes calls on
 * --------------------------------------------------------------------
 */

/*
 * A function that only passes the call on stands in for each one that a wrapper leaves
 * out, so that callers need not know which.
 */
static DogpileBackendStatus
pass_get(void *link, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = link;

	return wrapped->inner->get(wrapped->connection, items, nitems, error);
}

static DogpileBackendStatus
pass_set(void *link, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = link;

	return wrapped->inner->set(wrapped->connection, items, nitems, error);
}

static DogpileBackendStatus
pass_remove(void *link, DogpileBackendItem *items, int nitems,
			DogpileBackendError *error)
{
	DogpileWrapped *wrapped = link;

	return wrapped->inner->remove(wrapped->connection, items, nitems, error);
}

static DogpileBackendStatus
pass_increment(void *link, DogpileBytes name, int64 delta, int64 ttl_ms, int64 *result,
			   DogpileBackendError *error)
{
	DogpileWrapped *wrapped = link;

	return wrapped->inner->increment(wrapped->connection, name, delta, ttl_ms, result,
									 error);
}

static DogpileBackendStatus
pass_lock(void *link, DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = link;

	return wrapped->inner->lock(wrapped->connection, lock, error);
}

static DogpileBackendStatus
pass_renew(void *link, const DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = link;

	return wrapped->inner->renew(wrapped->connection, lock, error);
}

static DogpileBackendStatus
pass_unlock(void *link, const DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = link;

	return wrapped->inner->unlock(wrapped->connection, lock, error);
}

static DogpileBackendStatus
pass_put(void *link, const DogpileBackendLock *lock, DogpileBackendItem *item,
		 DogpileBackendError *error)
{
	DogpileWrapped *wrapped = link;

	return wrapped->inner->put(wrapped->connection, lock, item, error);
}

static DogpileBackendStatus
pass_flush(void *link, DogpileBytes prefix, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = link;

	return wrapped->inner->flush(wrapped->connection, prefix, error);
}

static DogpileBackendStatus
pass_stats(void *link, DogpileBackendFigure figure, void *arg,
		   DogpileBackendError *error)
{
	DogpileWrapped *wrapped = link;

	return wrapped->inner->stats(wrapped->connection, figure, arg, error);
}

/* Put a wrapper around what the connection has so far. */
static void
wrap_connection(DogpileConnection *connection, const DogpileWrapper *wrapper,
				DogpileWrapped *wrapped, const char *backend)
{
	DogpileBackend *functions = &wrapped->functions;

	wrapped->inner = connection->functions;
	wrapped->connection = connection->link;
	wrapped->name = backend;
	*functions = wrapper->functions;

#define PASS_ON(function) \
	if (functions->function == NULL) \
		functions->function = pass_##function
	PASS_ON(get);
	PASS_ON(set);
	PASS_ON(remove);
	PASS_ON(increment);
	PASS_ON(lock);
	PASS_ON(renew);
	PASS_ON(unlock);
	PASS_ON(put);
	PASS_ON(flush);
	PASS_ON(stats);
#undef PASS_ON

	connection->functions = functions;
	connection->link = wrapped;
}

/* --------------------------------------------------------------------
 * Opening and closing
 * --------------------------------------------------------------------
 */

/* Put the wrappers of a list around a connection; false if one is unknown. */
static bool
wrap_all(Chain *chain, const char *wrap, DogpileBackendError *error)
{
	char	   *copy = pstrdup(wrap);
	List	   *names;
	bool		ok = SplitIdentifierString(copy, ',', &names) &&
		list_length(names) <= DOGPILE_MAX_WRAPPERS;

	/* The innermost first. */
	for (int i = list_length(names) - 1; ok && i >= 0; i--)
	{
		const char *name = list_nth(names, i);
		const DogpileWrapper *wrapper = dogpile_backend_find_wrapper(name);

		ok = wrapper != NULL;
		if (ok)
			wrap_connection(&chain->connection, wrapper, &chain->wrappers[i],
							chain->base.backend->name);
		else
			snprintf(error->message, sizeof(error->message),
					 "there is no wrapper \"%s\"", name);
	}
	list_free(names);
	pfree(copy);
	return ok;
}

/*
 * Open a connection.
 *
 * backend, wrap: as the settings of the same names have them.
 * options: outlive the connection.
 *
 * Returns NULL and *error if that does not work.
 *
 * Errors: out of memory; what interrupts raise.
 */
DogpileConnection *
dogpile_connection_open(const char *backend, const char *wrap,
						const DogpileBackendOptions *options,
						DogpileBackendError *error)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "dogpile connection",
												 ALLOCSET_SMALL_SIZES);
	Chain	   *chain = MemoryContextAllocZero(memory, sizeof(Chain));
	Base	   *base = &chain->base;

	MemoryContextCopyAndSetIdentifier(memory, backend);
	base->memory = memory;
	chain->connection.functions = &base_functions;
	chain->connection.link = base;
	base->password = options->password;
	base->backend = dogpile_backend_find(backend);
	if (base->backend == NULL)
		snprintf(error->message, sizeof(error->message),
				 "there is no such backend, and no preloaded module has registered one");
	else if (wrap_all(chain, wrap, error))
	{
		MemoryContext caller = MemoryContextSwitchTo(memory);

		base->connection = base->backend->open(options, error);
		MemoryContextSwitchTo(caller);
	}
	if (base->connection == NULL)
	{
		hide_password(options->password, error);
		MemoryContextDelete(memory);
		return NULL;
	}

	/* Until here, an error would have freed it with the caller's. */
	MemoryContextSetParent(memory, TopMemoryContext);
	return &chain->connection;
}

/*
 * Close a connection, in whatever state it is.
 *
 * Errors: none.
 */
void
dogpile_connection_close(DogpileConnection *connection)
{
	Chain	   *chain = (Chain *) connection;

	chain->base.backend->close(chain->base.connection);
	MemoryContextDelete(chain->base.memory);
}
