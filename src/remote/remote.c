/*-------------------------------------------------------------------------
 *
 * remote.c
 *	  A backend as this session uses it: connections, failures, time taken.
 *
 * Every call of a backend goes through here.  It is not made while the store server
 * counts as down (store_server.c); it opens the connection if there is none; its
 * result is noted for all sessions, and failures are logged once a minute.  A failure
 * is an answer like any other: the caller decides what it means.
 *
 * Regions with the same settings share a connection.  One whose settings were
 * changed by a reload gets another one.  The old one is closed when the session next
 * uses any region, but not before the end of a transaction that has used it: what it
 * has pending goes to where it was begun.
 *
 * Calls are also made when a transaction has just committed, with interrupts
 * held off.  Nothing is raised then: a connection that is not open is not opened,
 * and the call fails.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/remote.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "backend/connection.h"
#include "lib/clock.h"
#include "lib/compat.h"
#include "lib/lwlock_check.h"
#include "remote/remote.h"
#include "remote/store_server.h"

struct DogpileRemote
{
	MemoryContext context;		/* of all of it */
	char	   *identity;		/* all settings that decide what it is */
	bool		is_refused;		/* these are not valid: no call is made */
	bool		is_current;		/* some region has these settings now? */
	LocalTransactionId used_in; /* the last transaction to use it */
	const char *backend;		/* these point into a copy of the settings */
	const char *wrap;
	DogpileBackendOptions options;
	DogpileConnection *connection;	/* NULL: not open */
	int			server;			/* see store_server.h */
	bool		may_have_acted; /* did the last call fail after it had been
								 * sent, perhaps? */
	bool		is_left_alone;	/* ... because the server is down */
	char		last_error[256];	/* why */
	struct DogpileRemote *next;
};

/* One call on its way. */
typedef struct Timing
{
	instr_time	begin;
	DogpileBackendError error;
} Timing;

static DogpileRemote *remotes = NULL;

/* Is there possibly a remote that no region has settings for any more? */
static bool has_unused = false;

/* While a transaction ends: no call begins after that. */
static TimestampTz limit = DT_NOEND;

static const char *
tls_name(int tls)
{
	return tls == DOGPILE_TLS_OFF ? "off" : tls == DOGPILE_TLS_ON ? "on" : "verify";
}

/* Files of different regions lie in different folders, each with its limit. */
static bool
keeps_files(const DogpileRegion *region)
{
	return pg_strcasecmp(region->backend, "file") == 0;
}

/* All that decides what a remote is, in one string in CurrentMemoryContext. */
static char *
make_identity(const DogpileRegion *region)
{
	if (region->fault != NULL)
		return pstrdup("");
	return psprintf("%s\n%s\n%s\n%s\n%s\n%s\n%d\n%d\n%s\n%s\n%s\n%s\n%s\n%d\n%d\n%d",
					region->backend, keeps_files(region) ? region->name : "",
					region->wrap, region->servers,
					region->sentinels, region->service_name, region->cluster,
					region->database, region->user, region->password,
					tls_name(region->tls), region->tls_ca_file, region->options,
					region->max_total_size_mb, region->connect_timeout_ms,
					region->operation_timeout_ms);
}

/* What a backend has to know of a region's settings, with copies of all texts. */
static void
make_options(const DogpileRegion *region, DogpileBackendOptions *options)
{
	memset(options, 0, sizeof(*options));
	options->servers = pstrdup(region->servers);
	options->sentinels = pstrdup(region->sentinels);
	options->service_name = pstrdup(region->service_name);
	options->cluster = region->cluster;
	options->database = region->database;
	options->user = pstrdup(region->user);
	options->password = pstrdup(region->password);
	options->tls = tls_name(region->tls);
	options->tls_ca_file = pstrdup(region->tls_ca_file);
	options->options = pstrdup(region->options);
	options->directory = psprintf("%s/dogpile/%s", DataDir, region->name);
	options->max_total_size = (int64) region->max_total_size_mb * 1024 * 1024;
	options->connect_timeout_ms = region->connect_timeout_ms;
	options->operation_timeout_ms = region->operation_timeout_ms;
}

/*
 * Can a region's settings be right for its backend?  Nothing is connected.
 *
 * error: if not, filled in with the reason.
 *
 * Errors: out of memory.
 */
bool
dogpile_remote_check(const DogpileRegion *region, DogpileBackendError *error)
{
	DogpileBackendOptions options;

	make_options(region, &options);
	return dogpile_backend_check_options(region->backend, &options, error);
}

/* What a server may accept or refuse, besides its address. */
static uint32
hash_login(const DogpileRegion *region)
{
	char	   *login = psprintf("%s\n%s\n%s\n%s\n%s\n%d", region->user, region->password,
								 tls_name(region->tls), region->tls_ca_file,
								 region->options, region->database);
	uint32		hash = hash_bytes((unsigned char *) login, strlen(login));

	pfree(login);
	return hash;
}

static DogpileRemote *
make_remote(const DogpileRegion *region, const char *identity)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "dogpile remote",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext oldcontext = MemoryContextSwitchTo(context);
	DogpileRemote *remote = palloc0(sizeof(DogpileRemote));
	const char *name = region->sentinels[0] != '\0' ? region->sentinels : region->servers;
	char		folder[DOGPILE_MAX_REGION_NAME + 16];

	if (keeps_files(region))
	{
		snprintf(folder, sizeof(folder), "dogpile/%s", region->name);
		name = folder;
	}
	remote->context = context;
	remote->identity = pstrdup(identity);
	remote->is_refused = region->fault != NULL;
	remote->backend = pstrdup(region->backend);
	remote->wrap = pstrdup(region->wrap);
	make_options(region, &remote->options);
	remote->server = remote->is_refused ? -1 :
		dogpile_store_server_find(remote->backend, name, hash_login(region));
	remote->next = remotes;
	remotes = remote;
	MemoryContextSwitchTo(oldcontext);
	return remote;
}

/* The one with these settings, or NULL. */
static DogpileRemote *
find_identity(const char *identity)
{
	DogpileRemote *remote = remotes;

	while (remote != NULL && strcmp(remote->identity, identity) != 0)
		remote = remote->next;
	return remote;
}

/* Note which ones are those of a region's settings as they are now. */
static void
mark_current(void)
{
	ListCell   *lc;

	for (DogpileRemote *remote = remotes; remote != NULL; remote = remote->next)
		remote->is_current = false;
	foreach(lc, dogpile_config_regions())
	{
		DogpileRegion *region = lfirst(lc);
		char	   *identity;
		DogpileRemote *remote;

		if (!region->active || pg_strcasecmp(region->backend, DOGPILE_SHARED_MEMORY) == 0)
			continue;
		identity = make_identity(region);
		remote = find_identity(identity);
		if (remote != NULL)
			remote->is_current = true;
		pfree(identity);
	}
}

/* Close the connection, and forget_remote all of it. */
static void
forget_remote(DogpileRemote *remote)
{
	DogpileRemote **link = &remotes;
	ListCell   *lc;

	while (*link != remote)
		link = &(*link)->next;
	*link = remote->next;
	foreach(lc, dogpile_config_regions())
	{
		DogpileRegion *region = lfirst(lc);

		if (region->remote == remote)
			region->remote = NULL;
	}
	if (remote->connection != NULL)
		dogpile_connection_close(remote->connection);
	MemoryContextDelete(remote->context);
}

/* Can something that this transaction has pending still need it? */
static bool
is_in_use(const DogpileRemote *remote)
{
	LocalTransactionId transaction = dogpile_local_transaction_compat();

	return LocalTransactionIdIsValid(transaction) && remote->used_in == transaction;
}

/*
 * Close connections that were made for settings of before.  Those that the
 * transaction has used are left to the next call.
 */
static void
close_unused(void)
{
	DogpileRemote *next;

	has_unused = false;
	mark_current();
	for (DogpileRemote *remote = remotes; remote != NULL; remote = next)
	{
		next = remote->next;
		if (!remote->is_current && is_in_use(remote))
			has_unused = true;
		else if (!remote->is_current)
			forget_remote(remote);
	}
}

/*
 * A reload has changed settings: what was found of them before is no longer to be kept
 * if it is another one's.
 *
 * Errors: out of memory.
 */
void
dogpile_remote_follow_reload(void)
{
	if (remotes != NULL)
		close_unused();
}

/*
 * Find what a region's settings name.
 *
 * Returns it; it lives at least as long as the transaction.
 *
 * Errors: out of memory.
 */
DogpileRemote *
dogpile_remote_find(DogpileRegion *region)
{
	if (unlikely(has_unused) && InterruptHoldoffCount == 0)
		close_unused();
	if (region->remote == NULL)
	{
		char	   *identity = make_identity(region);

		region->remote = find_identity(identity);
		if (region->remote == NULL)
			region->remote = make_remote(region, identity);
		pfree(identity);
	}
	region->remote->used_in = dogpile_local_transaction_compat();
	return region->remote;
}

/* Does no other PostgreSQL server see what is kept there? */
bool
dogpile_remote_is_local(const DogpileRemote *remote)
{
	const DogpileBackend *backend = dogpile_backend_find(remote->backend);

	return backend == NULL || backend->is_local;
}

/* Can its backend delete what it has by a prefix? */
bool
dogpile_remote_has_flush(const DogpileRemote *remote)
{
	const DogpileBackend *backend = dogpile_backend_find(remote->backend);

	return backend == NULL || backend->flush != NULL;
}

/* --------------------------------------------------------------------
 * Calls
 * --------------------------------------------------------------------
 */

/* Write a failure to the log, unless that could raise another one. */
static void
log_failure(const DogpileRemote *remote, const DogpileBackendError *error)
{
	if (InterruptHoldoffCount > 0)
		return;
	ereport(LOG,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("cache backend \"%s\" failed: %s", remote->backend,
					error->message),
			 errdetail("Queries are computed without it.  Further failures are not logged for a minute."),
			 errhidestmt(true), errhidecontext(true)));
}

static void
note_remote_failure(DogpileRemote *remote, const DogpileBackendError *error)
{
	strlcpy(remote->last_error, error->message, sizeof(remote->last_error));
	if (dogpile_store_server_note_failure(remote->server, error->unreachable,
										  error->message))
		log_failure(remote, error);
}

/* Make a connection; it reaches the server when it is first used. */
static bool
open_connection(DogpileRemote *remote, DogpileBackendError *error)
{
	remote->connection = dogpile_connection_open(remote->backend, remote->wrap,
												 &remote->options, error);
	if (remote->connection == NULL)
		note_remote_failure(remote, error);
	return remote->connection != NULL;
}

/*
 * Have a connection, for calls to come while interrupts are held off, when none
 * can be made.
 *
 * Errors: out of memory; what interrupts raise.
 */
void
dogpile_remote_open(DogpileRemote *remote)
{
	DogpileBackendError error = {0};

	if (remote->connection == NULL && !remote->is_refused)
		(void) open_connection(remote, &error);
}

/*
 * Let no call begin after that time, so that a transaction which has committed or failed
 * ends whatever it has to tell to stores.  DT_NOEND removes the limit.
 *
 * Errors: none.
 */
void
dogpile_remote_limit(TimestampTz until)
{
	limit = until;
}

/* Begin a call; false if it cannot be made. */
static bool
begin_call(DogpileRemote *remote, Timing *timing)
{
	DogpileAssertNoneHeld();
	remote->may_have_acted = remote->is_left_alone = false;
	if (remote->is_refused)
	{
		strlcpy(remote->last_error, "its settings are not valid",
				sizeof(remote->last_error));
		return false;
	}
	if (unlikely(limit != DT_NOEND) && dogpile_clock_now() >= limit)
	{
		strlcpy(remote->last_error, "there was no time left at COMMIT",
				sizeof(remote->last_error));
		return false;
	}
	if (!dogpile_store_server_may_ask(remote->server))
	{
		remote->is_left_alone = true;
		return false;
	}
	INSTR_TIME_SET_CURRENT(timing->begin);
	timing->error.unreachable = false;
	timing->error.message[0] = '\0';
	if (remote->connection != NULL)
		return true;
	return InterruptHoldoffCount == 0 && open_connection(remote, &timing->error);
}

/* End it. */
static DogpileBackendStatus
end_call(DogpileRemote *remote, Timing *timing, DogpileBackendStatus status)
{
	instr_time	elapsed;

	if (status == DOGPILE_BACKEND_ERROR)
	{
		remote->may_have_acted = timing->error.unreachable;
		note_remote_failure(remote, &timing->error);
		return status;
	}
	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, timing->begin);
	dogpile_store_server_note_answer(remote->server, INSTR_TIME_GET_MICROSEC(elapsed));
	return status;
}

/*
 * Can the store have done what it was asked for by the last call, which has
 * failed, or do so yet?
 */
bool
dogpile_remote_may_have_acted(const DogpileRemote *remote)
{
	return remote->may_have_acted;
}

/*
 * Why the last call failed, if it did; valid until the next one.  If none was made, since
 * the server is down, that is what was wrong when one was.
 */
const char *
dogpile_remote_last_error(DogpileRemote *remote)
{
	DogpileStoreServerFacts facts;

	if (remote->is_left_alone && dogpile_store_server_get(remote->server, &facts))
		snprintf(remote->last_error, sizeof(remote->last_error),
				 "it is left alone for a while, after: %s", facts.last_error);
	return remote->last_error;
}

/* An item of which nothing is known has failed. */
static void
expect_failure(DogpileBackendItem *items, int nitems)
{
	for (int i = 0; i < nitems; i++)
		items[i].status = DOGPILE_BACKEND_ERROR;
}

/* The body of each of the following functions. */
#define CALL(function, ...) \
	Timing		timing; \
\
	if (!begin_call(remote, &timing)) \
		return DOGPILE_BACKEND_ERROR; \
	return end_call(remote, &timing, \
					remote->connection->functions->function(remote->connection->link, \
															__VA_ARGS__, \
															&timing.error))

/*
 * The calls of the contract; see backend.h.
 *
 * Errors: what CHECK_FOR_INTERRUPTS() raises, unless interrupts are held off.
 * Locks: no LWLock may be held.
 */
DogpileBackendStatus
dogpile_remote_get(DogpileRemote *remote, DogpileBackendItem *items, int nitems)
{
	expect_failure(items, nitems);
	CALL(get, items, nitems);
}

DogpileBackendStatus
dogpile_remote_set(DogpileRemote *remote, DogpileBackendItem *items, int nitems)
{
	expect_failure(items, nitems);
	CALL(set, items, nitems);
}

DogpileBackendStatus
dogpile_remote_remove(DogpileRemote *remote, DogpileBackendItem *items, int nitems)
{
	expect_failure(items, nitems);
	CALL(remove, items, nitems);
}

DogpileBackendStatus
dogpile_remote_increment(DogpileRemote *remote, DogpileBytes name, int64 delta,
						 int64 ttl_ms, int64 *result)
{
	CALL(increment, name, delta, ttl_ms, result);
}

DogpileBackendStatus
dogpile_remote_lock(DogpileRemote *remote, DogpileBackendLock *lock)
{
	CALL(lock, lock);
}

DogpileBackendStatus
dogpile_remote_renew(DogpileRemote *remote, const DogpileBackendLock *lock)
{
	CALL(renew, lock);
}

DogpileBackendStatus
dogpile_remote_unlock(DogpileRemote *remote, const DogpileBackendLock *lock)
{
	CALL(unlock, lock);
}

DogpileBackendStatus
dogpile_remote_put(DogpileRemote *remote, const DogpileBackendLock *lock,
				   DogpileBackendItem *item)
{
	item->status = DOGPILE_BACKEND_ERROR;
	CALL(put, lock, item);
}

DogpileBackendStatus
dogpile_remote_flush(DogpileRemote *remote, DogpileBytes prefix)
{
	CALL(flush, prefix);
}

DogpileBackendStatus
dogpile_remote_stats(DogpileRemote *remote, DogpileBackendFigure figure, void *arg)
{
	CALL(stats, figure, arg);
}
