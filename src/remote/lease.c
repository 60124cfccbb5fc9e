/*-------------------------------------------------------------------------
 *
 * lease.c
 *	  What this server's sessions hold outside: locks and marks.
 *
 * A lock that other servers respect is held by a token and for a time, its
 * lease.  While its owner still creates the value it has to be renewed, which
 * the owner cannot do: it runs the user's query.  So it puts the lock into a
 * table in shared memory, and the worker (worker.c) renews what it finds there.
 * If the server crashes, the worker and the table are gone, and other servers
 * take over when the lease has run out.
 *
 * Marks (announce.c) are renewed likewise, for a commit can take longer than one
 * lasts.
 *
 * A session also keeps a list of its locks, to give up what is left when a
 * transaction or subtransaction ends by an error.
 *
 * A lock without an owner keeps all servers from creating the value until its lease
 * is over.  A session leaves one behind if it cannot give the lock up, because the
 * store does not answer, or must not wait for that, because it was cancelled.  A lock
 * may even come into being when its owner has gone: a store that had stopped executes
 * what it was sent meanwhile.  So a lock is entered into the table before it is asked
 * for.  Unless it is known to be given up, it stays there as abandoned: the worker
 * tries to give it up, and a session of this server that meets it may do so at once.
 *
 * The table is small and fixed.  One LWLock protects it, which is held for some
 * comparisons and assignments, and never while a store is talked to.  What does
 * not fit into the table is not renewed, and ends with its lease if it is
 * abandoned.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/lease.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "lib/alarm.h"
#include "lib/clock.h"
#include "lib/lwlock_check.h"
#include "lib/wait_event.h"
#include "remote/lease.h"

#define MAX_LEASES		512

/* Marks are not renewed if there is no room, and must leave room for locks. */
#define MAX_MARKS		(MAX_LEASES / 2)

/* A lock or mark is renewed so many times in a lease. */
#define RENEWALS		4

/* After this time, the worker tries again to give up what is abandoned. */
#define RETRY_MS		500

typedef struct Row
{
	bool		used;
	DogpileLeaseFacts facts;
} Row;

#define TABLE_MAGIC		0x44504C45

/* In shared memory; under the lock. */
typedef struct Table
{
	uint32		magic;
	pg_atomic_uint32 count;		/* rows in use; read without the lock, too */
	Row			rows[MAX_LEASES];
} Table;

/* A lock of this session. */
typedef struct Held
{
	dlist_node	node;
	DogpileRemote *remote;
	DogpileItemName name;
	DogpileBackendLock lock;
	SubTransactionId subxact;	/* that has taken it */
	int			row;			/* -1: in none */
	bool		is_certain;		/* is it known to be held? */
} Held;

static Table *table = NULL;
static LWLock *lease_lock = NULL;
static dlist_head held_locks = DLIST_STATIC_INIT(held_locks);

Size
dogpile_lease_shmem_size(void)
{
	return sizeof(Table);
}

/*
 * Create the table, or attach to it.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_lease_shmem_init(void)
{
	bool		found;

	lease_lock = &GetNamedLWLockTranche("dogpile_lease")->lock;
	table = ShmemInitStruct("dogpile leases", dogpile_lease_shmem_size(), &found);
	if (found)
	{
		Assert(table->magic == TABLE_MAGIC);
		return;
	}
	memset(table, 0, sizeof(Table));
	table->magic = TABLE_MAGIC;
	pg_atomic_init_u32(&table->count, 0);
}

/* --------------------------------------------------------------------
 * For sessions
 * --------------------------------------------------------------------
 */

/* Is a lock or mark in a row?  Tokens are never used twice, so one tells. */
static bool
is_in_row_locked(const Row *row, const char *token)
{
	DogpileAssertHeld(lease_lock, LW_SHARED);
	Assert(table->magic == TABLE_MAGIC);
	return row->used && memcmp(row->facts.token, token, DOGPILE_LOCK_TOKEN_LEN) == 0;
}

/* Put a lock or mark into the table.  Returns its row, or -1 if there is no room. */
static int
add_row(const DogpileLeaseFacts *facts)
{
	int			i = 0;

	LWLockAcquire(lease_lock, LW_EXCLUSIVE);
	while (i < MAX_LEASES && table->rows[i].used)
		i++;
	if (i < MAX_LEASES)
	{
		table->rows[i].used = true;
		table->rows[i].facts = *facts;
		pg_atomic_fetch_add_u32(&table->count, 1);
	}
	LWLockRelease(lease_lock);
	return i < MAX_LEASES ? i : -1;
}

/* What is told of something that this session has put in place just now. */
static void
fill_facts(DogpileLeaseFacts *facts, const char *region, const DogpileItemName *name,
		   const char *token, int token_len, int64 lease_ms)
{
	memset(facts, 0, sizeof(*facts));
	strlcpy(facts->region, region, sizeof(facts->region));
	facts->name = *name;
	memcpy(facts->token, token, token_len);
	facts->lease_ms = lease_ms;
	facts->pid = MyProcPid;
	facts->renewed_at = dogpile_clock_now();
}

/* When something that is put in place now has to be renewed first. */
static TimestampTz
first_due(int64 lease_ms)
{
	return TimestampTzPlusMilliseconds(dogpile_clock_now(), lease_ms / RENEWALS);
}

/* Take a lock or mark out of the table, if it is there. */
static void
remove_row(int i, const char *token)
{
	LWLockAcquire(lease_lock, LW_EXCLUSIVE);
	if (is_in_row_locked(&table->rows[i], token))
	{
		table->rows[i].used = false;
		pg_atomic_fetch_sub_u32(&table->count, 1);
	}
	LWLockRelease(lease_lock);
}

/*
 * Note that this session is about to ask for a lock: it is renewed from now on,
 * and given up if the subtransaction fails.
 *
 * Errors: out of memory.
 */
void
dogpile_lease_hold(const DogpileRegion *region, DogpileRemote *remote,
				   const DogpileBackendLock *lock)
{
	Held	   *h = MemoryContextAllocZero(TopMemoryContext, sizeof(Held));
	DogpileLeaseFacts facts;

	h->remote = remote;
	h->lock = *lock;
	h->name.len = lock->name.len;
	memcpy(h->name.text, lock->name.data, lock->name.len);
	h->lock.name.data = h->name.text;
	h->subxact = GetCurrentSubTransactionId();
	fill_facts(&facts, region->name, &h->name, lock->token, DOGPILE_LOCK_TOKEN_LEN,
			   lock->lease_ms);
	h->row = add_row(&facts);
	dlist_push_head(&held_locks, &h->node);
}

/* Take a lock off the list and out of the table. */
static void
drop_held(Held *h)
{
	dlist_delete(&h->node);
	if (h->row >= 0)
		remove_row(h->row, h->lock.token);
	pfree(h);
}

/* Find a lock in the session's list; NULL if it is not there. */
static Held *
find_held(const DogpileBackendLock *lock)
{
	dlist_iter	iter;

	dlist_foreach(iter, &held_locks)
	{
		Held	   *h = dlist_container(Held, node, iter.cur);

		if (memcmp(h->lock.token, lock->token, DOGPILE_LOCK_TOKEN_LEN) == 0)
			return h;
	}
	return NULL;
}

/*
 * Note that this session has been given the lock that it has asked for.
 *
 * Errors: none.
 */
void
dogpile_lease_confirm(const DogpileBackendLock *lock)
{
	Held	   *h = find_held(lock);

	if (h == NULL)
		return;
	h->is_certain = true;
	dogpile_alarm_set(first_due(lock->lease_ms));
}

/*
 * Note that this session does not have a lock (any more).
 *
 * Errors: none.
 */
void
dogpile_lease_drop(const DogpileBackendLock *lock)
{
	Held	   *h = find_held(lock);

	if (h != NULL)
		drop_held(h);
}

/* Leave something to the worker. */
static void
abandon_row(int i, const char *token, bool is_certain)
{
	Row		   *row = &table->rows[i];
	TimestampTz now = dogpile_clock_now();

	LWLockAcquire(lease_lock, LW_EXCLUSIVE);
	if (is_in_row_locked(row, token))
	{
		row->facts.is_abandoned = true;
		row->facts.is_certain = is_certain;
		row->facts.abandoned_at = now;
		row->facts.renewed_at = 0;
	}
	LWLockRelease(lease_lock);
	dogpile_alarm_set(now);
}

static void
abandon_held(Held *h)
{
	if (h->row >= 0)
		abandon_row(h->row, h->lock.token, h->is_certain);
	dlist_delete(&h->node);
	pfree(h);
}

/*
 * Note that this session is about to put a mark in a token's place (announce.c): it
 * is renewed from now on.
 *
 * region: one that has this store.
 *
 * Returns its row for the next two functions, or -1 if there is no room.
 *
 * Errors: none.
 */
int
dogpile_lease_hold_mark(const char *region, const DogpileItemName *name,
						const char *mark, int mark_len, int64 lease_ms)
{
	DogpileLeaseFacts facts;
	int			row;

	if (dogpile_lease_count() >= MAX_MARKS)
		return -1;
	Assert(mark_len >= DOGPILE_LOCK_TOKEN_LEN && mark_len < DOGPILE_LEASE_TOKEN_SIZE);
	fill_facts(&facts, region, name, mark, mark_len, lease_ms);
	facts.is_mark = true;
	row = add_row(&facts);
	dogpile_alarm_set(first_due(lease_ms));
	return row;
}

/* Note that it does not have it (any more).  Errors: none. */
void
dogpile_lease_drop_mark(int row, const char *mark)
{
	if (row >= 0)
		remove_row(row, mark);
}

/*
 * Note that this session no longer needs it, which may be there, though.
 *
 * is_certain: or is it?
 *
 * Errors: none.
 */
void
dogpile_lease_abandon_mark(int row, const char *mark, bool is_certain)
{
	if (row >= 0)
		abandon_row(row, mark, is_certain);
}

/* Does this session have a lock of this name?  Errors: none. */
bool
dogpile_lease_is_held(const DogpileItemName *name)
{
	dlist_iter	iter;

	dlist_foreach(iter, &held_locks)
	{
		const Held *h = dlist_container(Held, node, iter.cur);

		if (h->name.len == name->len && memcmp(h->name.text, name->text, name->len) == 0)
			return true;
	}
	return false;
}

/* Does this session have any lock outside?  Errors: none. */
bool
dogpile_lease_holds_any(void)
{
	return !dlist_is_empty(&held_locks);
}

/*
 * Note that this session no longer needs a lock, which may be there, though.
 *
 * Errors: none.
 */
void
dogpile_lease_abandon(const DogpileBackendLock *lock)
{
	Held	   *h = find_held(lock);

	if (h != NULL)
		abandon_held(h);
}

/*
 * Has a session of this server abandoned a lock of this name?  If so, *token is
 * the one that it has.
 *
 * Errors: none.
 */
bool
dogpile_lease_find_abandoned(DogpileBytes name, char *token)
{
	bool		found = false;

	if (pg_atomic_read_u32(&table->count) == 0)
		return false;
	LWLockAcquire(lease_lock, LW_SHARED);
	for (int i = 0; i < MAX_LEASES && !found; i++)
	{
		const Row  *row = &table->rows[i];

		found = row->used && row->facts.is_abandoned &&
			row->facts.name.len == name.len &&
			memcmp(row->facts.name.text, name.data, name.len) == 0;
		if (found)
			memcpy(token, row->facts.token, DOGPILE_LOCK_TOKEN_LEN);
	}
	LWLockRelease(lease_lock);
	return found;
}

/*
 * Give up what a transaction or a subtransaction that ends has left.  That is
 * for the worker to do: a session that was cancelled must not wait for a store.
 *
 * subxact: InvalidSubTransactionId for the whole transaction.
 */
static void
abandon_all_of(SubTransactionId subxact)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &held_locks)
	{
		Held	   *h = dlist_container(Held, node, iter.cur);

		if (subxact == InvalidSubTransactionId || h->subxact == subxact)
			abandon_held(h);
	}
}

static void
abandon_all(void)
{
	abandon_all_of(InvalidSubTransactionId);
}

/* What a subtransaction has that is over belongs to its parent. */
static void
pass_leases_to_parent(SubTransactionId subxact, SubTransactionId parent)
{
	dlist_iter	iter;

	dlist_foreach(iter, &held_locks)
	{
		Held	   *h = dlist_container(Held, node, iter.cur);

		if (h->subxact == subxact)
			h->subxact = parent;
	}
}

const DogpileParticipant dogpile_lease_participant = {
	.commit = abandon_all,
	.abort = abandon_all,
	.subcommit = pass_leases_to_parent,
	.subabort = abandon_all_of
};

/*
 * Wait a moment for another server that has a lock; longer each time, and at
 * random, so that servers do not ask in step.
 *
 * since: when the wait began, with round 0.
 *
 * Returns false at the deadline, without having waited.
 *
 * Errors: what interrupts raise; lock_timeout.  Locks: no LWLock may be held.
 */
bool
dogpile_lease_wait(TimestampTz since, TimestampTz deadline, int round)
{
	TimestampTz now = dogpile_clock_now();
	long		pause_ms = Min(2 << Min(round, 5), 50);

	if (LockTimeout > 0 && now > TimestampTzPlusMilliseconds(since, LockTimeout))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("canceling statement due to lock timeout")));
	if (now > deadline)
		return false;
	pause_ms += pg_prng_uint64_range(&pg_global_prng_state, 0, pause_ms);
	DogpileAssertNoneHeld();
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 pause_ms, dogpile_wait_events[DOGPILE_WAIT_LEASE]);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return true;
}

/* --------------------------------------------------------------------
 * For the worker
 * --------------------------------------------------------------------
 */

/* When the worker has to do something about it.  Errors: none. */
TimestampTz
dogpile_lease_due(const DogpileLeaseFacts *facts)
{
	int64		pause_ms = facts->lease_ms / RENEWALS;

	if (facts->is_abandoned)
		pause_ms = Min(pause_ms, RETRY_MS);
	return TimestampTzPlusMilliseconds(facts->renewed_at, pause_ms);
}

/* How many there are now.  Errors: none. */
int
dogpile_lease_count(void)
{
	return pg_atomic_read_u32(&table->count);
}

/*
 * Tell the first lock or mark of a row, or of one behind it.
 *
 * i: the row to begin with; set to the one that was found.
 *
 * Returns false if there is none.
 *
 * Errors: none.  Locks: takes the lease lock shared.
 */
bool
dogpile_lease_next(int *i, DogpileLeaseFacts *facts)
{
	bool		found;

	LWLockAcquire(lease_lock, LW_SHARED);
	while (*i < MAX_LEASES && !table->rows[*i].used)
		(*i)++;
	found = *i < MAX_LEASES;
	if (found)
		*facts = table->rows[*i].facts;
	LWLockRelease(lease_lock);
	return found;
}

/*
 * Note that it was tried to renew a lock, or to give it up, and whether the
 * store has answered.
 *
 * Errors: none.
 */
void
dogpile_lease_note_renewed(int i, const DogpileLeaseFacts *facts, bool is_answered)
{
	Row		   *row = &table->rows[i];
	TimestampTz now = dogpile_clock_now();

	/* If it was abandoned meanwhile, that is seen to when it is due again. */
	LWLockAcquire(lease_lock, LW_EXCLUSIVE);
	if (is_in_row_locked(row, facts->token))
	{
		row->facts.renewed_at = now;
		row->facts.attempts += facts->is_abandoned && is_answered;
	}
	LWLockRelease(lease_lock);
}

/* Forget a lock that has no owner any more.  Errors: none. */
void
dogpile_lease_forget(int i, const DogpileLeaseFacts *facts)
{
	remove_row(i, facts->token);
}
