/*-------------------------------------------------------------------------
 *
 * alarm.c
 *	  When the worker has to be awake.
 *
 * Sessions leave work in shared memory for the worker (locks and marks to be
 * renewed, regions that are suspect), each due at some time.  It mostly sleeps, and
 * a session wakes it only if it would sleep too long.
 *
 * The worker looks for work, publishes until when it will sleep, and then checks
 * whether a session has added something since it began to look.  A session adds its
 * work, counts it, and then checks whether the worker will be awake in time.  In
 * whatever order that happens, one of the two notices the other.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/alarm.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

#include "lib/alarm.h"

#define ALARM_MAGIC		0x4450414C

/* In shared memory. */
typedef struct Alarm
{
	uint32		magic;
	pg_atomic_uint64 added;		/* counts what sessions have added */
	pg_atomic_uint64 asleep_until;	/* 0: awake */
	slock_t		lock;			/* protects the following */
	Latch	   *worker;			/* or NULL */
} Alarm;

static Alarm *alarm_clock = NULL;

Size
dogpile_alarm_shmem_size(void)
{
	return sizeof(Alarm);
}

/*
 * Create it, or attach to it.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_alarm_shmem_init(void)
{
	bool		found;

	alarm_clock = ShmemInitStruct("dogpile alarm", sizeof(Alarm), &found);
	if (found)
	{
		Assert(alarm_clock->magic == ALARM_MAGIC);
		return;
	}
	alarm_clock->magic = ALARM_MAGIC;
	pg_atomic_init_u64(&alarm_clock->added, 0);
	pg_atomic_init_u64(&alarm_clock->asleep_until, 0);
	SpinLockInit(&alarm_clock->lock);
	alarm_clock->worker = NULL;
}

/*
 * Have the worker awake by then, for what was just added.
 *
 * Errors: none.  Locks: takes a spinlock.
 */
void
dogpile_alarm_set(TimestampTz due)
{
	Latch	   *worker;

	Assert(alarm_clock->magic == ALARM_MAGIC);

	/*
	 * Both are full barriers.  The first one pairs with that of
	 * dogpile_alarm_begin(): a worker that has read this count sees the work.
	 * What follows it pairs with dogpile_alarm_may_sleep(): of a count and a
	 * sleep, one side sees the other's.
	 */
	pg_atomic_fetch_add_u64(&alarm_clock->added, 1);
	if (pg_atomic_fetch_add_u64(&alarm_clock->asleep_until, 0) <= (uint64) due)
		return;
	SpinLockAcquire(&alarm_clock->lock);
	worker = alarm_clock->worker;
	SpinLockRelease(&alarm_clock->lock);

	/* It may have ended since, but latches of processes stay where they are. */
	if (worker != NULL)
		SetLatch(worker);
}

/* Note that this process is the worker.  Errors: none. */
void
dogpile_alarm_serve(void)
{
	SpinLockAcquire(&alarm_clock->lock);
	alarm_clock->worker = MyLatch;
	SpinLockRelease(&alarm_clock->lock);
}

/*
 * The worker begins to look for work.
 *
 * Returns what dogpile_alarm_may_sleep() needs.  Errors: none.
 */
uint64
dogpile_alarm_begin(void)
{
	uint64		added;

	pg_atomic_exchange_u64(&alarm_clock->asleep_until, 0);
	added = pg_atomic_read_u64(&alarm_clock->added);

	/*
	 * Before the worker looks; pairs with the first one of
	 * dogpile_alarm_set().
	 */
	pg_read_barrier();
	return added;
}

/*
 * The worker has done what was due, and wants to sleep.
 *
 * Returns false if something was added that it may not have seen.  Errors: none.
 */
bool
dogpile_alarm_may_sleep(uint64 begun, TimestampTz until)
{
	/* A full barrier, which pairs with the second one of dogpile_alarm_set(). */
	pg_atomic_exchange_u64(&alarm_clock->asleep_until, (uint64) until);
	return pg_atomic_read_u64(&alarm_clock->added) == begun;
}
