/*-------------------------------------------------------------------------
 *
 * store_server.c
 *	  Store servers: which of them answer, as all sessions have seen it.
 *
 * A circuit breaker that the sessions of this server share, so that they do not
 * wait, one after another and again and again, for a store server that does not
 * answer.  After some failures in a row it counts as down, and no session asks it
 * for a while.  Then one session tries; if that fails, the next pause is twice as
 * long, up to a limit.
 *
 * All servers that a region names together count as one here: only the backend knows
 * which of them a key belongs to.
 *
 * The table is small and fixed; what does not fit into it is not watched, and
 * always asked.  An LWLock protects it.  As long as a server answers, which is the
 * common case, a call only adds to two counters, without the lock.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/store_server.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "lib/clock.h"
#include "lib/lwlock_check.h"
#include "remote/store_server.h"

#define MAX_SERVERS			64

/* Failures in a row after which a server counts as down. */
#define FAILURES_TO_DOWN	3

/* How long it is left alone, the first time and at most. */
#define FIRST_PAUSE_MS		500
#define MAX_PAUSE_MS		30000

/* How long a session that tries may take before another one may. */
#define PROBE_MS			5000

/* One line in the log for each server and so long a time. */
#define LOG_INTERVAL_MS		60000

#define SERVER_MAGIC	0x44505352

/* A row, under the lock but for the atomics; its names and login never change. */
typedef struct Server
{
	uint32		magic;
	bool		used;
	uint32		login;			/* see dogpile_store_server_find() */
	pg_atomic_uint32 is_troubled;	/* 0: UP, and the last call was answered */
	pg_atomic_uint64 operations;	/* as in the facts, where they are 0 */
	pg_atomic_uint64 time_us;
	DogpileStoreServerFacts facts;
	int			failures_in_row;
	int			pause_ms;		/* the next time it is left alone */
	TimestampTz ask_after;		/* not before that, unless UP */
	TimestampTz logged_at;
} Server;

static Server *servers = NULL;
static LWLock *server_lock = NULL;

Size
dogpile_store_server_shmem_size(void)
{
	return mul_size(MAX_SERVERS, sizeof(Server));
}

/*
 * Create the table, or attach to it.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_store_server_shmem_init(void)
{
	bool		found;

	server_lock = &GetNamedLWLockTranche("dogpile_store_server")->lock;
	servers = ShmemInitStruct("dogpile store servers", dogpile_store_server_shmem_size(), &found);
	if (found)
	{
		Assert(servers->magic == SERVER_MAGIC);
		return;
	}
	memset(servers, 0, dogpile_store_server_shmem_size());
	for (int i = 0; i < MAX_SERVERS; i++)
	{
		servers[i].magic = SERVER_MAGIC;
		pg_atomic_init_u32(&servers[i].is_troubled, 0);
		pg_atomic_init_u64(&servers[i].operations, 0);
		pg_atomic_init_u64(&servers[i].time_us, 0);
	}
}

/* Fill in a row that is free. */
static void
begin_server_locked(Server *server, const char *backend, const char *name, uint32 login,
					TimestampTz now)
{
	DogpileAssertHeld(server_lock, LW_EXCLUSIVE);
	strlcpy(server->facts.backend, backend, sizeof(server->facts.backend));
	strlcpy(server->facts.name, name, sizeof(server->facts.name));
	server->facts.state = DOGPILE_STORE_SERVER_UP;
	server->facts.since = now;
	server->login = login;
	server->pause_ms = FIRST_PAUSE_MS;
	server->used = true;
}

/* Is this the row of that server? */
static bool
is_same_server_locked(const Server *server, const char *backend, const char *name,
					  uint32 login)
{
	DogpileAssertHeld(server_lock, LW_SHARED);
	Assert(server->magic == SERVER_MAGIC);
	return server->login == login &&
		strncmp(server->facts.name, name, DOGPILE_STORE_SERVER_NAME_LEN - 1) == 0 &&
		strncmp(server->facts.backend, backend, sizeof(server->facts.backend) - 1) == 0;
}

/*
 * Find the row of a server, or make one.
 *
 * login: a hash of how it is talked to.  A server may refuse one password and take
 *		another, and regions that have the right one are not to suffer.
 *
 * Returns its number, or -1 if the table is full.
 *
 * Errors: none.  Locks: takes the server lock.
 */
int
dogpile_store_server_find(const char *backend, const char *name, uint32 login)
{
	TimestampTz now = dogpile_clock_now();
	int			i = 0;

	LWLockAcquire(server_lock, LW_EXCLUSIVE);
	while (i < MAX_SERVERS && servers[i].used &&
		   !is_same_server_locked(&servers[i], backend, name, login))
		i++;
	if (i < MAX_SERVERS && !servers[i].used)
		begin_server_locked(&servers[i], backend, name, login, now);
	LWLockRelease(server_lock);
	return i < MAX_SERVERS ? i : -1;
}

/*
 * Should this session ask the server?  If so, it has to note how that went.
 *
 * Errors: none.  Locks: takes the server lock if the server is in trouble.
 */
bool
dogpile_store_server_may_ask(int number)
{
	Server	   *server = &servers[number];
	TimestampTz now;
	bool		result = true;

	if (number < 0)
		return true;

	/* An old reading does no harm: it is one call more or less. */
	if (pg_atomic_read_u32(&server->is_troubled) == 0)
		return true;

	now = dogpile_clock_now();
	LWLockAcquire(server_lock, LW_EXCLUSIVE);
	if (server->facts.state != DOGPILE_STORE_SERVER_UP)
	{
		result = now >= server->ask_after;
		if (result)
		{
			server->facts.state = DOGPILE_STORE_SERVER_PROBED;
			server->ask_after = TimestampTzPlusMilliseconds(now, PROBE_MS);
		}
	}
	LWLockRelease(server_lock);
	return result;
}

/* The server has answered again. */
static void
bring_up_locked(Server *server, TimestampTz now)
{
	DogpileAssertHeld(server_lock, LW_EXCLUSIVE);
	server->facts.state = DOGPILE_STORE_SERVER_UP;
	server->facts.since = now;
	server->pause_ms = FIRST_PAUSE_MS;
}

/*
 * Note that a server has answered, if only that it could not do what was asked.
 *
 * Errors: none.  Locks: takes the server lock if the server was in trouble.
 */
void
dogpile_store_server_note_answer(int number, uint64 elapsed_us)
{
	Server	   *server = &servers[number];
	TimestampTz now;

	if (number < 0)
		return;
	pg_atomic_fetch_add_u64(&server->operations, 1);
	pg_atomic_fetch_add_u64(&server->time_us, elapsed_us);
	if (pg_atomic_read_u32(&server->is_troubled) == 0)
		return;

	now = dogpile_clock_now();
	LWLockAcquire(server_lock, LW_EXCLUSIVE);
	server->facts.is_failing = false;
	server->failures_in_row = 0;
	if (server->facts.state != DOGPILE_STORE_SERVER_UP)
		bring_up_locked(server, now);
	pg_atomic_write_u32(&server->is_troubled, 0);
	LWLockRelease(server_lock);
}

/* Leave a server alone for a while. */
static void
take_down_locked(Server *server, TimestampTz now)
{
	DogpileAssertHeld(server_lock, LW_EXCLUSIVE);
	if (server->facts.state == DOGPILE_STORE_SERVER_UP)
		server->facts.since = now;
	server->facts.state = DOGPILE_STORE_SERVER_DOWN;
	server->ask_after = TimestampTzPlusMilliseconds(now, server->pause_ms);
	server->pause_ms = Min(server->pause_ms * 2, MAX_PAUSE_MS);
}

/*
 * Note that a call did not work.
 *
 * unreachable: was there no answer at all?
 *
 * Returns whether to write it to the log: once for each server and interval.
 *
 * Errors: none.  Locks: takes the server lock.
 */
bool
dogpile_store_server_note_failure(int number, bool unreachable, const char *message)
{
	Server	   *server = &servers[number];
	TimestampTz now = dogpile_clock_now();
	bool		log;

	if (number < 0)
		return true;
	LWLockAcquire(server_lock, LW_EXCLUSIVE);
	pg_atomic_write_u32(&server->is_troubled, 1);
	server->facts.failures++;
	server->facts.is_failing = true;
	server->facts.last_error_at = now;
	strlcpy(server->facts.last_error, message, sizeof(server->facts.last_error));
	if (unreachable &&
		(++server->failures_in_row >= FAILURES_TO_DOWN ||
		 server->facts.state != DOGPILE_STORE_SERVER_UP))
		take_down_locked(server, now);
	else if (!unreachable && server->facts.state != DOGPILE_STORE_SERVER_UP)
		bring_up_locked(server, now);
	log = now >= TimestampTzPlusMilliseconds(server->logged_at, LOG_INTERVAL_MS);
	if (log)
		server->logged_at = now;
	LWLockRelease(server_lock);
	return log;
}

/*
 * Tell what is known of the i-th server; false behind the last one.
 *
 * Errors: none.  Locks: takes the server lock shared.
 */
bool
dogpile_store_server_get(int i, DogpileStoreServerFacts *facts)
{
	bool		used;

	if (i >= MAX_SERVERS)
		return false;
	LWLockAcquire(server_lock, LW_SHARED);
	used = servers[i].used;
	*facts = servers[i].facts;
	LWLockRelease(server_lock);
	facts->operations = pg_atomic_read_u64(&servers[i].operations);
	facts->time_us = pg_atomic_read_u64(&servers[i].time_us);
	return used;
}
