/*-------------------------------------------------------------------------
 *
 * server.c
 *	  How the servers of stores outside are, as all sessions have seen it.
 *
 * A circuit breaker that the sessions of this server share, so that they do not
 * wait, one after another and again and again, for a server that does not
 * answer.  After some failures in a row a server counts as down, and nobody asks
 * it for a while.  Then one session tries, the others still go without; if that
 * fails, the while is twice as long as before, up to a limit.
 *
 * What is one server here are all those that a region names together: which of
 * them a key belongs to is known to the backend only.
 *
 * The table is small and fixed.  Each row has a spinlock, held for some
 * assignments; what does not fit into the table is not watched, and always
 * asked.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/server.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

#include "lib/clock.h"
#include "remote/server.h"

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

/* A row, under its lock; its names and login are set once, before "used" is. */
typedef struct Server
{
	slock_t		lock;
	bool		used;
	uint32		login;			/* see dogpile_server_find() */
	DogpileServerFacts facts;
	int			failures_in_row;
	int			pause_ms;		/* the next time it is left alone */
	TimestampTz ask_after;		/* not before that, unless UP */
	TimestampTz logged_at;
} Server;

static Server *servers = NULL;

Size
dogpile_server_shmem_size(void)
{
	return mul_size(MAX_SERVERS, sizeof(Server));
}

/*
 * Create the table, or attach to it.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_server_shmem_init(void)
{
	bool		found;

	servers = ShmemInitStruct("dogpile servers", dogpile_server_shmem_size(), &found);
	if (found)
		return;
	memset(servers, 0, dogpile_server_shmem_size());
	for (int i = 0; i < MAX_SERVERS; i++)
		SpinLockInit(&servers[i].lock);
}

/* Take a row that nobody has. */
static void
begin_row(Server *server, const char *backend, const char *name)
{
	strlcpy(server->facts.backend, backend, sizeof(server->facts.backend));
	strlcpy(server->facts.name, name, sizeof(server->facts.name));
	server->facts.state = DOGPILE_SERVER_UP;
	server->pause_ms = FIRST_PAUSE_MS;
	server->used = true;
}

/*
 * Find the row of a server, or make one.
 *
 * login: a hash of how it is talked to.  A server may refuse one password and take
 *		another, and regions that have the right one are not to suffer.
 *
 * Returns its number, or -1 if the table is full.
 *
 * Errors: none.  Locks: takes the spinlocks of rows.
 */
int
dogpile_server_find(const char *backend, const char *name, uint32 login)
{
	TimestampTz now = dogpile_clock_now();

	for (int i = 0; i < MAX_SERVERS; i++)
	{
		Server	   *server = &servers[i];
		bool		same;

		SpinLockAcquire(&server->lock);
		if (!server->used)
		{
			begin_row(server, backend, name);
			server->login = login;
			server->facts.since = now;
		}
		same = server->login == login &&
			strncmp(server->facts.name, name, DOGPILE_SERVER_NAME_LEN - 1) == 0 &&
			strncmp(server->facts.backend, backend, sizeof(server->facts.backend) - 1) == 0;
		SpinLockRelease(&server->lock);
		if (same)
			return i;
	}
	return -1;
}

/*
 * Should this session ask the server?  If so, it has to note how that went.
 *
 * Errors: none.
 */
bool
dogpile_server_may_ask(int number)
{
	Server	   *server = &servers[number];
	TimestampTz now;
	bool		result = true;

	if (number < 0)
		return true;

	/* Mostly it is up, and an old reading of that does no harm. */
	if (server->facts.state == DOGPILE_SERVER_UP)
		return true;

	now = dogpile_clock_now();
	SpinLockAcquire(&server->lock);
	if (server->facts.state != DOGPILE_SERVER_UP)
	{
		result = now >= server->ask_after;
		if (result)
		{
			server->facts.state = DOGPILE_SERVER_PROBED;
			server->ask_after = TimestampTzPlusMilliseconds(now, PROBE_MS);
		}
	}
	SpinLockRelease(&server->lock);
	return result;
}

/* It has answered again. */
static void
bring_up_locked(Server *server, TimestampTz now)
{
	server->facts.state = DOGPILE_SERVER_UP;
	server->facts.since = now;
	server->pause_ms = FIRST_PAUSE_MS;
}

/*
 * Note that a server has answered, if only that it could not do what was asked.
 *
 * Errors: none.
 */
void
dogpile_server_note_answer(int number, uint64 elapsed_us)
{
	Server	   *server = &servers[number];
	TimestampTz now = 0;

	if (number < 0)
		return;
	if (server->facts.state != DOGPILE_SERVER_UP)
		now = dogpile_clock_now();
	SpinLockAcquire(&server->lock);
	server->facts.operations++;
	server->facts.is_failing = false;
	server->facts.time_us += elapsed_us;
	server->failures_in_row = 0;
	if (server->facts.state != DOGPILE_SERVER_UP && now != 0)
		bring_up_locked(server, now);
	SpinLockRelease(&server->lock);
}

/* Leave a server alone for a while. */
static void
take_down_locked(Server *server, TimestampTz now)
{
	if (server->facts.state == DOGPILE_SERVER_UP)
		server->facts.since = now;
	server->facts.state = DOGPILE_SERVER_DOWN;
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
 * Errors: none.
 */
bool
dogpile_server_note_failure(int number, bool unreachable, const char *message)
{
	Server	   *server = &servers[number];
	TimestampTz now = dogpile_clock_now();
	bool		log;

	if (number < 0)
		return true;
	SpinLockAcquire(&server->lock);
	server->facts.failures++;
	server->facts.is_failing = true;
	server->facts.last_error_at = now;
	strlcpy(server->facts.last_error, message, sizeof(server->facts.last_error));
	if (unreachable &&
		(++server->failures_in_row >= FAILURES_TO_DOWN ||
		 server->facts.state != DOGPILE_SERVER_UP))
		take_down_locked(server, now);
	else if (!unreachable && server->facts.state != DOGPILE_SERVER_UP)
		bring_up_locked(server, now);
	log = now >= TimestampTzPlusMilliseconds(server->logged_at, LOG_INTERVAL_MS);
	if (log)
		server->logged_at = now;
	SpinLockRelease(&server->lock);
	return log;
}

/*
 * Tell what is known of the i-th server; false behind the last one.
 *
 * Errors: none.
 */
bool
dogpile_server_get(int i, DogpileServerFacts *facts)
{
	bool		used = false;

	if (i >= MAX_SERVERS)
		return false;
	SpinLockAcquire(&servers[i].lock);
	used = servers[i].used;
	*facts = servers[i].facts;
	SpinLockRelease(&servers[i].lock);
	return used;
}
