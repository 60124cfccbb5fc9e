/*-------------------------------------------------------------------------
 *
 * outcome.c
 *	  How creations ended that left no value to the waiters.
 *
 * Waiters that find no value when they wake up would queue to create it one after
 * another, although the query has just failed or its value cannot be stored.  So a
 * creator that ends this way notes the outcome here before it releases the lock, and a
 * waiter looks for outcomes noted since its own call began.  This does not cache errors:
 * calls that begin later ignore them.
 *
 * A creator that fails for a reason that concerns only itself notes nothing, and one of
 * the waiters takes its place.
 *
 * The table is small and of fixed size, and a new outcome replaces the oldest one of its
 * set.  An outcome that is lost before its waiters have read it costs an unnecessary
 * creation.  One lock protects the whole table, because it is used only when a creation
 * has left no value.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/outcome.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "core/outcome.h"
#include "lib/lwlock_check.h"

#define WAYS		4

/* Identifies the table. */
#define TABLE_MAGIC	0x44504F43

/* In shared memory, under the outcome lock. */
typedef struct NotedOutcome
{
	uint64		hash;			/* of the key, with the table's own seed */
	DogpileOutcomeTime noted_at;	/* 0: none */
	DogpileOutcome outcome;
} NotedOutcome;

typedef struct OutcomeTable
{
	uint32		magic;
	pg_atomic_uint64 last;		/* DogpileOutcomeTime; advanced under the lock */
	uint64		seed;			/* makes hashes unpredictable to users */
	uint32		nsets;
	NotedOutcome sets[FLEXIBLE_ARRAY_MEMBER][WAYS];
} OutcomeTable;

static OutcomeTable *table = NULL;
static LWLock *outcome_lock = NULL;

/* Room for more than one outcome of each session, so that hardly any is lost. */
static uint32
count_sets(void)
{
	return Max(256, 2 * MaxBackends) / WAYS;
}

Size
dogpile_outcome_shmem_size(void)
{
	return add_size(offsetof(OutcomeTable, sets),
					mul_size(count_sets(), sizeof(NotedOutcome[WAYS])));
}

/*
 * Create the table, empty, or attach to it.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_outcome_shmem_init(void)
{
	bool		found;

	outcome_lock = &GetNamedLWLockTranche("dogpile_outcome")->lock;
	table = ShmemInitStruct("dogpile outcomes", dogpile_outcome_shmem_size(), &found);
	if (found)
	{
		Assert(table->magic == TABLE_MAGIC);
		return;
	}

	memset(table, 0, dogpile_outcome_shmem_size());
	table->magic = TABLE_MAGIC;
	table->nsets = count_sets();
	pg_atomic_init_u64(&table->last, 0);
	if (!pg_strong_random(&table->seed, sizeof(table->seed)))
		table->seed = (uint64) MyProcPid;	/* less unpredictable, but valid */
}

static uint64
hash_key(const DogpileKey *key)
{
	return hash_bytes_extended((const unsigned char *) key->bytes, key->len,
							   table->seed);
}

/* Get the time to pass to dogpile_outcome_find() later. */
DogpileOutcomeTime
dogpile_outcome_now(void)
{
	return pg_atomic_read_u64(&table->last);
}

/* Find the place for a key: its own if there is one, else the oldest one of its set. */
static NotedOutcome *
find_place_locked(uint64 hash)
{
	NotedOutcome *set = table->sets[hash % table->nsets];
	NotedOutcome *oldest = &set[0];

	DogpileAssertHeld(outcome_lock, LW_SHARED);
	Assert(table->magic == TABLE_MAGIC);
	for (int i = 0; i < WAYS; i++)
	{
		if (set[i].hash == hash && set[i].noted_at != 0)
			return &set[i];
		if (set[i].noted_at < oldest->noted_at)
			oldest = &set[i];
	}
	return oldest;
}

/* Copy as many whole characters as fit. */
static void
copy_text(char *to, Size size, const char *from)
{
	int			len = from ? pg_mbcliplen(from, strlen(from), size - 1) : 0;

	memcpy(to, from ? from : "", len);
	to[len] = '\0';
}

/*
 * Note how a creation ended.
 *
 * error: what the query raised; only for DOGPILE_OUTCOME_FAILED.
 *
 * Errors: none.  Locks: no LWLock may be held; takes the outcome lock.  The caller still
 * holds the creator lock, so that waiters find the outcome when they wake up.
 */
void
dogpile_outcome_note(const DogpileKey *key, DogpileOutcomeKind kind,
					 const ErrorData *error)
{
	uint64		hash = hash_key(key);
	static DogpileOutcome outcome;
	NotedOutcome *place;

	memset(&outcome, 0, sizeof(outcome));
	outcome.kind = kind;
	if (error)
	{
		outcome.sqlerrcode = error->sqlerrcode;
		copy_text(outcome.message, sizeof(outcome.message), error->message);
		copy_text(outcome.detail, sizeof(outcome.detail), error->detail);
		copy_text(outcome.hint, sizeof(outcome.hint), error->hint);
	}

	DogpileAssertNoneHeld();
	LWLockAcquire(outcome_lock, LW_EXCLUSIVE);
	place = find_place_locked(hash);
	place->hash = hash;
	place->outcome = outcome;
	place->noted_at = pg_atomic_add_fetch_u64(&table->last, 1);
	LWLockRelease(outcome_lock);
}

/*
 * Find out how the last creation of a key ended.
 *
 * since: result of dogpile_outcome_now() when the caller's call began; outcomes noted
 *		earlier are ignored.
 * outcome: filled in; of kind UNKNOWN if nothing was noted.
 *
 * Errors: none.  Locks: no LWLock may be held; takes the outcome lock.
 */
void
dogpile_outcome_find(const DogpileKey *key, DogpileOutcomeTime since,
					 DogpileOutcome *outcome)
{
	uint64		hash = hash_key(key);
	NotedOutcome *place;

	outcome->kind = DOGPILE_OUTCOME_UNKNOWN;
	DogpileAssertNoneHeld();
	LWLockAcquire(outcome_lock, LW_SHARED);
	place = find_place_locked(hash);
	if (place->hash == hash && place->noted_at > since)
		*outcome = place->outcome;
	LWLockRelease(outcome_lock);
}

/*
 * Does an error concern only the session that raised it, and not the query?
 *
 * Then another session may succeed.  Such errors are cancel, termination and timeouts,
 * serialization failures, lack of resources, and missing rights of the role or the
 * transaction.
 */
bool
dogpile_outcome_is_own_failure(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'):	/* rollback */
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'):	/* resources */
		case MAKE_SQLSTATE('5', '5', '0', '0', '0'):	/* lock_timeout */
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'):	/* cancel, shutdown */
		case MAKE_SQLSTATE('7', '2', '0', '0', '0'):	/* snapshot too old */
			return true;
		default:
			return sqlerrcode == ERRCODE_READ_ONLY_SQL_TRANSACTION ||
				sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE;
	}
}
