/*-------------------------------------------------------------------------
 *
 * backend_memcached.c
 *	  The backend "memcached".
 *
 * The contract in terms of what memcached can do: look up, store always, store
 * what is absent, store what has not changed since it was looked up ("cas"), and
 * delete.  memcached_servers.c does these.
 *
 * memcached cannot delete on a condition.  A lock is given up by replacing it, on the
 * condition that it has not changed, by an item that has expired already.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/backend_memcached.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "backend/backends.h"
#include "backend/memcached/memcached_servers.h"
#include "backend/memory.h"

#define DEFAULT_PORT	11211

/* Longer times must be given as a point in time. */
#define MAX_RELATIVE_S	(30 * 24 * 60 * 60)

/* A point in time long ago: what expires then is gone at once. */
#define EXPIRED			(MAX_RELATIVE_S + 1)

/* --------------------------------------------------------------------
 * Settings
 * --------------------------------------------------------------------
 */

/* Does an option, or several that begin so, occur in a string of options? */
static bool
mentions(const char *text, const char *option)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((p == text || isspace((unsigned char) p[-1])) &&
			pg_strncasecmp(p, option, strlen(option)) == 0)
			return true;
	return false;
}

/* Are these options that work with what dogpile needs? */
static bool
check_option_string(const char *text, DogpileBackendError *error)
{
	static const char *const refused[] = {
		"--SERVER", "--SOCKET=", "--USE-UDP", "--NOREPLY", "--BUFFER-REQUESTS",
		"--NUMBER-OF-REPLICAS", "--REMOVE-FAILED-SERVERS", "--POOL-", "--CONFIGURE-FILE",
		"INCLUDE"
	};
	char		reason[200] = "";

	if (text[0] == '\0')
		return true;
	for (int i = 0; i < lengthof(refused); i++)
		if (mentions(text, refused[i]))
		{
			error->unreachable = false;
			snprintf(error->message, sizeof(error->message),
					 "the option \"%s\" of libmemcached cannot be used here", refused[i]);
			return false;
		}
	if (dogpile_memcached_check_options(text, reason, sizeof(reason)))
		return true;
	error->unreachable = false;
	snprintf(error->message, sizeof(error->message),
			 "libmemcached does not accept the options%s%s", reason[0] ? ": " : "", reason);
	return false;
}

/* Can these options be right?  The addresses are for the caller to free. */
static bool
read_options(const DogpileBackendOptions *options, DogpileAddress **addresses,
			 int *naddresses, DogpileBackendError *error)
{
	bool		has_user = options->user[0] != '\0';

	*addresses = NULL;
	if (!has_user && options->password[0] != '\0')
		return dogpile_memcached_refuse(error, "there is a password, but no user");
	if (has_user && !dogpile_memcached_has_users())
		return dogpile_memcached_refuse(error, "libmemcached was built without SASL, so there can be no user");
	if (options->tls[0] != '\0' && strcmp(options->tls, "off") != 0)
		return dogpile_memcached_refuse(error, "libmemcached has no TLS");
	if (!check_option_string(options->options, error))
		return false;
	*naddresses = dogpile_address_parse(options->servers, DEFAULT_PORT, addresses, error);
	if (*naddresses < 0)
		return false;
	for (int i = 0; i < *naddresses; i++)
		if (has_user && (*addresses)[i].host[0] == '/')
			return dogpile_memcached_refuse(error, "libmemcached has no user and password for a socket file");
	return true;
}

/* Check the settings without connecting to anything. */
static bool
memcached_backend_check(const DogpileBackendOptions *options, DogpileBackendError *error)
{
	DogpileAddress *addresses = NULL;
	int			n;
	bool		is_right = read_options(options, &addresses, &n, error);

	dogpile_memory_free(addresses);
	return is_right;
}

/*
 * libmemcached is set up here, with what the settings say; it connects when it is used
 * first.
 */
static void *
memcached_backend_open(const DogpileBackendOptions *options, DogpileBackendError *error)
{
	DogpileMemcached *memcached = NULL;
	DogpileAddress *addresses = NULL;
	bool		is_placed = mentions(options->options, "--DISTRIBUTION=") ||
		mentions(options->options, "--HASH=");
	int			n;

	if (read_options(options, &addresses, &n, error))
		memcached = dogpile_memcached_open(options, is_placed, addresses, n, error);
	dogpile_memory_free(addresses);
	return memcached;
}

/* Close without "quit", which might have to wait. */
static void
memcached_backend_close(void *arg)
{
	dogpile_memcached_close(arg);
}

/* --------------------------------------------------------------------
 * Looking up
 * --------------------------------------------------------------------
 */

/* Look items up; all servers are asked before one is read. */
static DogpileBackendStatus
memcached_backend_get(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileMemcached *memcached = arg;

	dogpile_memcached_begin(memcached);
	return dogpile_memcached_end(memcached,
								 dogpile_memcached_look_up(memcached, items, nitems, error));
}

/*
 * Look one item up, with its version.
 *
 * Returns OK, MISS or ERROR.
 */
static DogpileBackendStatus
look_one_up(DogpileMemcached *memcached, DogpileBytes name, DogpileBytes *value,
			uint64 *cas, DogpileBackendError *error)
{
	DogpileBackendItem item = {.name = name};

	dogpile_memcached_look_up(memcached, &item, 1, error);
	*value = item.value;
	*cas = item.status == DOGPILE_BACKEND_OK ? dogpile_memcached_version(memcached, 0) : 0;
	return item.status;
}

/* The same, if it is what is expected; else KEPT. */
static DogpileBackendStatus
look_for(DogpileMemcached *memcached, DogpileBytes name, DogpileBytes expected, uint64 *cas,
		 DogpileBackendError *error)
{
	DogpileBytes value;
	DogpileBackendStatus status = look_one_up(memcached, name, &value, cas, error);

	if (status == DOGPILE_BACKEND_OK &&
		(value.len != expected.len || memcmp(value.data, expected.data, value.len) != 0))
		return DOGPILE_BACKEND_KEPT;
	return status;
}

/* --------------------------------------------------------------------
 * Storing
 * --------------------------------------------------------------------
 */

/* A time to live, as memcached wants it. */
static time_t
expiration(int64 ttl_ms)
{
	int64		seconds = ttl_ms / 1000 + (ttl_ms % 1000 > 0 ? 1 : 0);

	if (ttl_ms <= 0)
		return 0;
	if (seconds <= MAX_RELATIVE_S)
		return seconds;
	seconds += time(NULL);
	return seconds > PG_INT32_MAX ? 0 : seconds;
}

/*
 * Store one item on its condition.  memcached knows no comparison of values, so what is
 * there is looked up first, and stored over by CAS with the version that was seen.
 */
static DogpileBackendStatus
store_item(DogpileMemcached *memcached, const DogpileBackendItem *item,
		   DogpileBackendError *error)
{
	DogpileMemcachedVerb verb = DOGPILE_MEMCACHED_SET;
	uint64		cas = 0;

	if (item->mode == DOGPILE_BACKEND_IF_ABSENT)
		verb = DOGPILE_MEMCACHED_ADD;
	else if (item->mode == DOGPILE_BACKEND_IF_EQUAL)
	{
		DogpileBackendStatus status = look_for(memcached, item->name, item->expected,
											   &cas, error);

		if (status != DOGPILE_BACKEND_OK)
			return status;
		verb = DOGPILE_MEMCACHED_CAS;
	}
	return dogpile_memcached_store(memcached, verb, item->name, item->value,
								   expiration(item->ttl_ms), cas, error);
}

/*
 * Store items one after another: libmemcached has no way to store many that tells what
 * has become of each.
 */
static DogpileBackendStatus
memcached_backend_set(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileMemcached *memcached = arg;
	DogpileBackendStatus status = DOGPILE_BACKEND_OK;

	dogpile_memcached_begin(memcached);
	for (int i = 0; i < nitems; i++)
	{
		items[i].status = store_item(memcached, &items[i], error);
		if (items[i].status == DOGPILE_BACKEND_ERROR)
			status = DOGPILE_BACKEND_ERROR;
	}
	return dogpile_memcached_end(memcached, status);
}

/* Delete items, one after another for the same reason. */
static DogpileBackendStatus
memcached_backend_remove(void *arg, DogpileBackendItem *items, int nitems,
						 DogpileBackendError *error)
{
	DogpileMemcached *memcached = arg;
	DogpileBackendStatus status = DOGPILE_BACKEND_OK;

	dogpile_memcached_begin(memcached);
	for (int i = 0; i < nitems; i++)
	{
		items[i].status = dogpile_memcached_delete(memcached, items[i].name, error);
		if (items[i].status == DOGPILE_BACKEND_ERROR)
			status = DOGPILE_BACKEND_ERROR;
	}
	return dogpile_memcached_end(memcached, status);
}

/* --------------------------------------------------------------------
 * Locks
 * --------------------------------------------------------------------
 */

/* The token of a lock as a value. */
static DogpileBytes
token_of(const DogpileBackendLock *lock)
{
	DogpileBytes token = {lock->token, DOGPILE_LOCK_TOKEN_LEN};

	return token;
}

/*
 * Take a lock by ADD.  Then the entry's version is noted: put() stores over that one
 * only, which is how a creator that was too slow is kept from storing.
 */
static DogpileBackendStatus
backend_lock(void *arg, DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileMemcached *memcached = arg;
	DogpileBytes ignored;
	DogpileBackendStatus status;

	dogpile_memcached_begin(memcached);
	lock->entry_version = 0;
	status = dogpile_memcached_store(memcached, DOGPILE_MEMCACHED_ADD, lock->name,
									 token_of(lock), expiration(lock->lease_ms), 0, error);

	/* Whatever is stored from now on will have another version. */
	if (status == DOGPILE_BACKEND_OK &&
		look_one_up(memcached, lock->entry, &ignored, &lock->entry_version,
					error) == DOGPILE_BACKEND_ERROR)
	{
		status = DOGPILE_BACKEND_ERROR;
		error->unreachable = true;	/* it is unknown whether it has our lock */
	}
	return dogpile_memcached_end(memcached, status);
}

/*
 * Renew a lock by CAS with the version that has our token, so that another one's lock
 * cannot be renewed even if ours runs out in between.
 */
static DogpileBackendStatus
backend_renew(void *arg, const DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileMemcached *memcached = arg;
	uint64		cas;
	DogpileBackendStatus status;

	dogpile_memcached_begin(memcached);
	status = look_for(memcached, lock->name, token_of(lock), &cas, error);
	if (status == DOGPILE_BACKEND_OK)
		status = dogpile_memcached_store(memcached, DOGPILE_MEMCACHED_CAS, lock->name,
										 token_of(lock), expiration(lock->lease_ms), cas, error);
	return dogpile_memcached_end(memcached, status);
}

/*
 * Make a lock that is ours expire, unless it has changed since.  A memcached
 * without memory cannot do that but it can delete it, ours as it was just now.
 */
static DogpileBackendStatus
release(DogpileMemcached *memcached, const DogpileBackendLock *lock, uint64 cas,
		DogpileBackendError *error)
{
	DogpileBackendStatus status = dogpile_memcached_store(memcached, DOGPILE_MEMCACHED_CAS,
														  lock->name, token_of(lock),
														  EXPIRED, cas, error);

	if (status == DOGPILE_BACKEND_ERROR && !error->unreachable)
		status = dogpile_memcached_delete(memcached, lock->name, error);
	return status;
}

/* The same for giving it up. */
static DogpileBackendStatus
backend_unlock(void *arg, const DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileMemcached *memcached = arg;
	uint64		cas;
	DogpileBackendStatus status;

	dogpile_memcached_begin(memcached);
	status = look_for(memcached, lock->name, token_of(lock), &cas, error);
	if (status == DOGPILE_BACKEND_OK)
		status = release(memcached, lock, cas, error);
	return dogpile_memcached_end(memcached, status);
}

/*
 * The lock is looked at first, and the entry stored on the condition that it is
 * as it was when the lock was taken.  An entry that has gone since counts as
 * changed: it may have been removed because it was wrong.
 *
 * If the lock cannot be given up the answer is an error, although the entry may
 * be stored: the caller must know that the lock may be held.
 */
static DogpileBackendStatus
backend_put(void *arg, const DogpileBackendLock *lock, DogpileBackendItem *item,
			DogpileBackendError *error)
{
	DogpileMemcached *memcached = arg;
	DogpileBackendError release_error = {.unreachable = true};
	uint64		cas;

	dogpile_memcached_begin(memcached);
	item->status = look_for(memcached, lock->name, token_of(lock), &cas, error);
	if (item->status == DOGPILE_BACKEND_OK)
	{
		item->status = dogpile_memcached_store(memcached,
											   lock->entry_version != 0 ?
											   DOGPILE_MEMCACHED_CAS : DOGPILE_MEMCACHED_ADD,
											   lock->entry, item->value, expiration(item->ttl_ms),
											   lock->entry_version, error);
		if (release(memcached, lock, cas, &release_error) == DOGPILE_BACKEND_ERROR &&
			item->status != DOGPILE_BACKEND_ERROR)
		{
			*error = release_error;
			item->status = DOGPILE_BACKEND_ERROR;
		}
	}
	if (item->status == DOGPILE_BACKEND_MISS)
		item->status = DOGPILE_BACKEND_KEPT;
	return dogpile_memcached_end(memcached, item->status);
}

/* Ask each server for its figures. */
static DogpileBackendStatus
memcached_backend_stats(void *arg, DogpileBackendFigure figure, void *figure_arg,
						DogpileBackendError *error)
{
	DogpileMemcached *memcached = arg;

	dogpile_memcached_begin(memcached);
	return dogpile_memcached_end(memcached, dogpile_memcached_stats(memcached, figure,
																	figure_arg, error));
}

const DogpileBackend dogpile_backend_memcached = {
	.abi = DOGPILE_BACKEND_ABI,
	.name = "memcached",
	.check = memcached_backend_check,
	.open = memcached_backend_open,
	.close = memcached_backend_close,
	.get = memcached_backend_get,
	.set = memcached_backend_set,
	.remove = memcached_backend_remove,
	.lock = backend_lock,
	.renew = backend_renew,
	.unlock = backend_unlock,
	.put = backend_put,
	.stats = memcached_backend_stats,
};
