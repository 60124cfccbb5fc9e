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
#include "remote/lease.h"
#include "remote/remote.h"
#include "remote/server.h"
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
#include "xact/prepared.h"

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
	RequestAddinShmemSpace(dogpile_server_shmem_size());
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
	RequestNamedLWLockTranche("dogpile_server", 1);
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
	 * Dependencies are recorded as versions in the memory of this server.  An entry in
	 * an external store may outlive them, and other servers may change the same
	 * tables.
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
	dogpile_clock_shmem_init();
	dogpile_store_shmem_init(store_budget());
	dogpile_region_number_shmem_init();
	dogpile_stats_shmem_init();
	dogpile_outcome_shmem_init();
	dogpile_alarm_shmem_init();
	dogpile_server_shmem_init();
	dogpile_suspect_shmem_init();
	dogpile_durable_shmem_init();
	dogpile_file_start_shmem_init();
	dogpile_lease_shmem_init();
	dogpile_verdict_shmem_init();
	LWLockRelease(AddinShmemInitLock);

	dogpile_verdict_begin();
}

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
	dogpile_commit_init();
	dogpile_definition_init();
	dogpile_database_init();
	dogpile_temporary_init();
	dogpile_catalog_init();
	dogpile_change_init();
	dogpile_prepared_init();
	dogpile_hint_init();
	dogpile_depend_init();
	dogpile_statement_init();
	dogpile_worker_register();
}
