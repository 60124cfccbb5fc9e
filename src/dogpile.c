/*-------------------------------------------------------------------------
 *
 * dogpile.c
 *	  Module load: requests and initializes shared memory, and installs all hooks.
 *
 * The module must be preloaded, because its shared memory is allocated at server start.
 * If it is loaded later, as by CREATE EXTENSION in a server without it in
 * shared_preload_libraries, it does nothing, and its functions raise an error that
 * says so.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/dogpile.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "backend/backends.h"
#include "backend/file/file_start.h"
#include "config/ambient.h"
#include "config/config.h"
#include "config/region_number.h"
#include "core/hint.h"
#include "core/outcome.h"
#include "depend/depend.h"
#include "depend/statement.h"
#include "depend/temporary.h"
#include "lib/alarm.h"
#include "lib/clock.h"
#include "lib/compat.h"
#include "lib/durable.h"
#include "lib/stop.h"
#include "lib/wait_event.h"
#include "remote/lease.h"
#include "remote/outbox.h"
#include "remote/remote.h"
#include "remote/store_server.h"
#include "remote/store_remote.h"
#include "remote/suspect.h"
#include "stats/stats.h"
#include "store/index.h"
#include "store/store.h"
#include "store/store_memory.h"
#include "worker/database.h"
#include "worker/worker.h"
#include "xact/catalog.h"
#include "xact/change.h"
#include "xact/commit.h"
#include "xact/definition.h"
#include "xact/participant.h"
#include "xact/prepared.h"
#include "xact/utility.h"
#include "xact/xact.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static Size
store_budget(void)
{
	return (Size) dogpile_shared_memory_kb * 1024;
}

static void
request_shmem(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();

	RequestAddinShmemSpace(dogpile_clock_shmem_size());
	RequestAddinShmemSpace(dogpile_store_shmem_size(store_budget()));
	RequestAddinShmemSpace(dogpile_region_number_shmem_size());
	RequestAddinShmemSpace(dogpile_stats_shmem_size());
	RequestAddinShmemSpace(dogpile_outcome_shmem_size());
	RequestAddinShmemSpace(dogpile_alarm_shmem_size());
	RequestAddinShmemSpace(dogpile_store_server_shmem_size());
	RequestAddinShmemSpace(dogpile_suspect_shmem_size());
	RequestAddinShmemSpace(dogpile_durable_shmem_size());
	RequestAddinShmemSpace(dogpile_file_start_shmem_size());
	RequestAddinShmemSpace(dogpile_lease_shmem_size());
	RequestAddinShmemSpace(dogpile_verdict_shmem_size());
	RequestNamedLWLockTranche("dogpile_partition", DOGPILE_INDEX_PARTITIONS);
	RequestNamedLWLockTranche("dogpile_pool", 1);
	RequestNamedLWLockTranche("dogpile_version", 1);
	RequestNamedLWLockTranche("dogpile_region_number", 1);
	RequestNamedLWLockTranche("dogpile_outcome", 1);
	RequestNamedLWLockTranche("dogpile_suspect", 1);
	RequestNamedLWLockTranche("dogpile_lease", 1);
	RequestNamedLWLockTranche("dogpile_store_server", 1);
}

/*
 * Do the settings of a region go together?  No connection is made.
 *
 * reason: if not, set to a clause in CurrentMemoryContext.
 */
static bool
check_region(const DogpileRegion *region, const char **reason)
{
	DogpileBackendError error = {0};

	if (pg_strcasecmp(region->backend, DOGPILE_SHARED_MEMORY) == 0)
		return true;

	/*
	 * Dependencies are recorded as versions in the memory of this server.  An
	 * entry in an external store may outlive them, and other servers may
	 * change the same tables.
	 */
	if (region->depends == DOGPILE_DEPENDS_AUTO)
	{
		*reason = psprintf("\"depends\" cannot be \"auto\" with backend \"%s\", because dependencies are known for shared memory only",
						   region->backend);
		return false;
	}
	if (dogpile_remote_check(region, &error))
		return true;
	*reason = pstrdup(error.message);
	return false;
}

static void
startup_shmem(void)
{
	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	dogpile_wait_event_init();
	dogpile_clock_shmem_init();
	dogpile_store_shmem_init(store_budget());
	dogpile_region_number_shmem_init();
	dogpile_stats_shmem_init();
	dogpile_outcome_shmem_init();
	dogpile_alarm_shmem_init();
	dogpile_store_server_shmem_init();
	dogpile_suspect_shmem_init();
	dogpile_durable_shmem_init();
	dogpile_file_start_shmem_init();
	dogpile_lease_shmem_init();
	dogpile_verdict_shmem_init();
	LWLockRelease(AddinShmemInitLock);

	dogpile_verdict_begin();
}

/* --------------------------------------------------------------------
 * The end of transactions
 * --------------------------------------------------------------------
 */

/* Participants on floors below src/xact, which cannot define themselves as such. */
static void
end_commit(void)
{
	dogpile_durable_end_commit(true);
}

static void
end_abort(void)
{
	dogpile_durable_end_commit(false);
}

static void
flush_stats(bool is_commit)
{
	dogpile_stats_flush();
}

static const DogpileParticipant durable = {
	.pre_commit = dogpile_durable_begin_commit,
	.commit = end_commit,
	.abort = end_abort
};

static const DogpileParticipant stats = {
	.end = flush_stats
};

/*
 * The participants in the end of a transaction, in the order before the commit.  What
 * takes long comes first, so that other sessions are affected for a short time only.
 */
static const DogpileParticipant *const before_commit[] = {
	&dogpile_xact_participant,	/* refuses PREPARE, before anything is done
								 * for it */
	&dogpile_prepared_participant,
	&dogpile_outbox_participant,	/* talks to stores, and can be cancelled */
	&dogpile_commit_entries,	/* an entry that is stored outside has to know
								 * whether the marks there are in place */
	&dogpile_commit_versions,	/* from its marks on, entries that depend on
								 * the changes are misses for sessions that
								 * may see these */
	&durable,					/* counts transactions that commit without
								 * waiting for WAL; only the commit itself may
								 * fail after it */
	&dogpile_commit_stops,		/* when all is done */

	/* These take part only when the transaction has ended. */
	&dogpile_lease_participant,
	&dogpile_change_participant,
	&dogpile_catalog_participant,
	&dogpile_definition_participant,
	&dogpile_depend_participant,
	&dogpile_temporary_participant,
	&stats,
	NULL
};

/* ... and after it, or when it is rolled back; also for subtransactions. */
static const DogpileParticipant *const after_commit[] = {
	&dogpile_commit_stops,		/* before anything is done */
	&durable,					/* notes the position of the commit record, up
								 * to which WAL is flushed before anything is
								 * stored outside */
	&dogpile_commit_versions,	/* at once, as others see the commit already */
	&dogpile_outbox_participant,	/* after the versions, since stores may be
									 * slow; before the entries, which are
									 * stored under new tokens */
	&dogpile_commit_entries,	/* as of the tick of the versions */
	&dogpile_lease_participant, /* gives up locks outside that storing the
								 * entries has not released */

	/* These forget what they have recorded; all of the above need the log. */
	&dogpile_change_participant,
	&dogpile_catalog_participant,
	&dogpile_definition_participant,
	&dogpile_prepared_participant,
	&dogpile_xact_participant,
	&dogpile_depend_participant,
	&dogpile_temporary_participant,
	&stats,						/* last: the others count */
	NULL
};

void
_PG_init(void)
{
	dogpile_stop_define();
	dogpile_config_define(process_shared_preload_libraries_in_progress,
						  dogpile_backend_check, dogpile_backend_check_wrappers,
						  check_region);
	if (!process_shared_preload_libraries_in_progress)
		return;

	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
	dogpile_ambient_init();
	dogpile_store_init(&dogpile_store_remote);
	dogpile_participant_init(before_commit, after_commit);
	dogpile_definition_init();
	dogpile_database_init();
	dogpile_temporary_init();
	dogpile_catalog_init();
	dogpile_utility_init();
	dogpile_hint_init();
	dogpile_depend_init();
	dogpile_statement_init();
	dogpile_worker_register();
}
