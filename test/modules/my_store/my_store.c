/*-------------------------------------------------------------------------
 *
 * my_store.c
 *	  A backend for dogpile, as an example: a small table in shared memory.
 *
 * It has all that a backend must have: open, close, get, set and remove.  dogpile makes
 * the other functions of the contract (locks, counters) out of these.
 *
 * In postgresql.conf, this must be loaded after dogpile, whose functions it calls;
 * otherwise the server does not start, and reports that it does not know
 * dogpile_backend_register:
 *
 *		shared_preload_libraries = 'dogpile, my_store'
 *		dogpile_prices.backend = 'my_store'
 *
 * Copyright (c) 2026, dogpile contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "backend.h"

PG_MODULE_MAGIC;

#define SLOTS		2048
#define PLACES		32
#define MAX_VALUE	8192

/* One value.  A name has so many places, behind its hash; others may push it out. */
typedef struct Slot
{
	int			name_len;		/* 0: empty */
	char		name[DOGPILE_MAX_ITEM_NAME];
	TimestampTz expires_at;		/* 0: never */
	int			len;
	char		value[MAX_VALUE];
} Slot;

typedef struct Table
{
	LWLock	   *lock;
	Slot		slots[SLOTS];
} Table;

static Table *table;
static shmem_request_hook_type prev_shmem_request_hook;
static shmem_startup_hook_type prev_shmem_startup_hook;

void		_PG_init(void);

/* Is a value of this name there?  The lock is held. */
static bool
has_value(const Slot *slot, DogpileBytes name)
{
	return slot->name_len == name.len && memcmp(slot->name, name.data, name.len) == 0 &&
		(slot->expires_at == 0 || slot->expires_at > GetCurrentTimestamp());
}

/* The place of a name, or the one where it belongs.  The lock is held. */
static Slot *
find_slot(DogpileBytes name)
{
	uint32		hash = hash_bytes((const unsigned char *) name.data, name.len);
	Slot	   *free_slot = &table->slots[hash % SLOTS];

	for (int i = 0; i < PLACES; i++)
	{
		Slot	   *slot = &table->slots[(hash + i) % SLOTS];

		if (has_value(slot, name))
			return slot;
		if (slot->name_len == 0)
			free_slot = slot;
	}
	return free_slot;
}

/*
 * A connection is whatever a session needs.  Here it is room for what get()
 * has found.  It comes from malloc(), which raises nothing.
 */
typedef struct Connection
{
	char	   *found;
} Connection;

static void *
my_open(const DogpileBackendOptions *options, DogpileBackendError *error)
{
	Connection *connection = calloc(1, sizeof(Connection));

	if (connection == NULL)
		snprintf(error->message, sizeof(error->message), "out of memory");
	return connection;
}

static void
my_close(void *arg)
{
	Connection *connection = arg;

	free(connection->found);
	free(connection);
}

/* What is found must stay valid until the next call, so it is copied. */
static DogpileBackendStatus
my_get(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	Connection *connection = arg;

	free(connection->found);
	connection->found = malloc((size_t) Max(nitems, 1) * MAX_VALUE);
	for (int i = 0; i < nitems; i++)
		items[i].status = DOGPILE_BACKEND_ERROR;
	if (connection->found == NULL)
	{
		snprintf(error->message, sizeof(error->message), "out of memory");
		return DOGPILE_BACKEND_ERROR;
	}

	/* Between acquiring and releasing an LWLock, nothing here can fail. */
	LWLockAcquire(table->lock, LW_SHARED);
	for (int i = 0; i < nitems; i++)
	{
		const Slot *slot = find_slot(items[i].name);

		items[i].status = DOGPILE_BACKEND_MISS;
		if (!has_value(slot, items[i].name))
			continue;
		items[i].value.data = connection->found + (size_t) i * MAX_VALUE;
		items[i].value.len = slot->len;
		memcpy((char *) items[i].value.data, slot->value, slot->len);
		items[i].status = DOGPILE_BACKEND_OK;
	}
	LWLockRelease(table->lock);
	return DOGPILE_BACKEND_OK;
}

/* May this item be stored?  The lock is held. */
static DogpileBackendStatus
check_condition(const DogpileBackendItem *item, const Slot *slot)
{
	bool		is_there = has_value(slot, item->name);

	if (item->value.len > MAX_VALUE)
		return DOGPILE_BACKEND_TOO_LARGE;
	if (item->mode == DOGPILE_BACKEND_IF_ABSENT && is_there)
		return DOGPILE_BACKEND_KEPT;
	if (item->mode == DOGPILE_BACKEND_IF_EQUAL && !is_there)
		return DOGPILE_BACKEND_MISS;
	if (item->mode == DOGPILE_BACKEND_IF_EQUAL &&
		(slot->len != item->expected.len ||
		 memcmp(slot->value, item->expected.data, slot->len) != 0))
		return DOGPILE_BACKEND_KEPT;
	return DOGPILE_BACKEND_OK;
}

/* Checking a condition and storing must be one step for all others to see. */
static DogpileBackendStatus
my_set(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	for (int i = 0; i < nitems; i++)
	{
		Slot	   *slot = find_slot(items[i].name);

		items[i].status = check_condition(&items[i], slot);
		if (items[i].status != DOGPILE_BACKEND_OK)
			continue;
		slot->name_len = items[i].name.len;
		memcpy(slot->name, items[i].name.data, items[i].name.len);
		slot->expires_at = 0;
		if (items[i].ttl_ms > 0)
			slot->expires_at = GetCurrentTimestamp() + items[i].ttl_ms * 1000;
		slot->len = items[i].value.len;
		memcpy(slot->value, items[i].value.data, items[i].value.len);
	}
	LWLockRelease(table->lock);
	return DOGPILE_BACKEND_OK;
}

static DogpileBackendStatus
my_remove(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	for (int i = 0; i < nitems; i++)
	{
		Slot	   *slot = find_slot(items[i].name);

		items[i].status = DOGPILE_BACKEND_MISS;
		if (!has_value(slot, items[i].name))
			continue;
		slot->name_len = 0;
		items[i].status = DOGPILE_BACKEND_OK;
	}
	LWLockRelease(table->lock);
	return DOGPILE_BACKEND_OK;
}

/* Other PostgreSQL servers do not see it, so is_local is true. */
static const DogpileBackend my_store = {
	.abi = DOGPILE_BACKEND_ABI,
	.name = "my_store",
	.is_local = true,
	.open = my_open,
	.close = my_close,
	.get = my_get,
	.set = my_set,
	.remove = my_remove,
};

/* Shared memory is asked for first, and given out later. */
static void
request_memory(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(sizeof(Table));
	RequestNamedLWLockTranche("my_store", 1);
}

static void
find_memory(void)
{
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	table = ShmemInitStruct("my_store", sizeof(Table), &found);
	if (!found)
	{
		memset(table, 0, sizeof(Table));
		table->lock = &GetNamedLWLockTranche("my_store")->lock;
	}
	LWLockRelease(AddinShmemInitLock);
}

/* Backends are registered while the server starts. */
void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("my_store must be loaded by \"shared_preload_libraries\"")));
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = find_memory;
	dogpile_backend_register(&my_store);
}
