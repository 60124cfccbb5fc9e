/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  The background worker.
 *
 * The worker renews the locks and marks that sessions hold in stores outside (lease.c),
 * and gives up those that sessions have left behind.  It settles suspect regions
 * (suspect.c) when a store answers again.  If there is nothing to do, it sleeps.
 *
 * It is not connected to a database and runs no transactions, so it also runs on a
 * standby.
 *
 * When the server shuts down, it ends silently like PostgreSQL's own workers, because a
 * FATAL message in the log would alarm administrators.  Its exit status is 1, so that
 * it is restarted if only the worker was terminated.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/worker/worker.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "config/config.h"
#include "lib/alarm.h"
#include "lib/clock.h"
#include "lib/lwlock_check.h"
#include "lib/wait_event.h"
#include "remote/announce.h"
#include "remote/lease.h"
#include "remote/mend.h"
#include "remote/suspect.h"
#include "worker/worker.h"

/*
 * How many times an abandoned lock or mark is looked for that may not be in the store:
 * a command that is still on its way may yet put it there.
 */
#define MIN_ATTEMPTS	3

/* After this many leases, it has ended by itself in any case. */
#define MAX_LEASES_OVER	10

/* The shortest sleep. */
#define MIN_SLEEP_MS	50

/* How often to try to settle regions; store_server.c limits how often a store is asked. */
#define SETTLE_PAUSE_MS	1000

/* After how many seconds the worker is restarted if it fails. */
#define RESTART_S		5

/* Renew a lock or mark, or give up an abandoned one. */
static DogpileBackendStatus
tend(DogpileRegion *region, const DogpileLeaseFacts *facts)
{
	DogpileBackendLock lock = {
		.name = dogpile_item_name_bytes(&facts->name),
		.lease_ms = facts->lease_ms
	};

	DogpileAssertNoneHeld();
	if (facts->is_mark)
		return dogpile_mend_mark(region, &facts->name, facts->token,
								 !facts->is_abandoned ? DOGPILE_MARK_RENEW :
								 facts->is_certain ? DOGPILE_MARK_LEAVE :
								 DOGPILE_MARK_LEAVE_IF_SAME,
								 facts->lease_ms);
	memcpy(lock.token, facts->token, DOGPILE_LOCK_TOKEN_LEN);
	return facts->is_abandoned ?
		dogpile_remote_unlock(dogpile_remote_find(region), &lock) :
		dogpile_remote_renew(dogpile_remote_find(region), &lock);
}

/* Is nothing left to be done about an abandoned lock or mark? */
static bool
is_over(const DogpileLeaseFacts *facts, DogpileBackendStatus status)
{
	bool		is_answered = status != DOGPILE_BACKEND_ERROR;

	return status == DOGPILE_BACKEND_OK ||
		(is_answered && (facts->is_certain || facts->attempts + 1 >= MIN_ATTEMPTS)) ||
		dogpile_clock_now() > TimestampTzPlusMilliseconds(facts->abandoned_at,
														  MAX_LEASES_OVER * facts->lease_ms);
}

/* Do what is due for one row of the table of leases. */
static void
serve(int i, const DogpileLeaseFacts *facts)
{
	DogpileRegion *region = dogpile_config_find_region(facts->region,
													   strlen(facts->region));
	DogpileBackendStatus status;
	bool		is_over_now;

	if (region == NULL ||
		(!facts->is_abandoned && BackendPidGetProc(facts->pid) == NULL))
	{
		dogpile_lease_forget(i, facts);
		return;
	}
	status = tend(region, facts);
	is_over_now = facts->is_abandoned ? is_over(facts, status) :
		status != DOGPILE_BACKEND_OK && status != DOGPILE_BACKEND_ERROR;
	if (is_over_now)
		dogpile_lease_forget(i, facts);
	else
		dogpile_lease_note_renewed(i, facts, status != DOGPILE_BACKEND_ERROR);
}

/* Do what is due for all rows.  Returns when the next one is due, or DT_NOEND. */
static TimestampTz
serve_all(void)
{
	DogpileLeaseFacts facts;
	TimestampTz next = DT_NOEND;

	if (dogpile_lease_count() == 0)
		return next;
	for (int i = 0; dogpile_lease_next(&i, &facts); i++)
	{
		TimestampTz now = dogpile_clock_now();

		if (dogpile_lease_due(&facts) <= now)
		{
			serve(i, &facts);
			facts.renewed_at = now;
		}
		next = Min(next, dogpile_lease_due(&facts));
	}
	return next;
}

/*
 * Try to settle all suspect regions, so that other servers do not have to wait until
 * a session of this server uses the region.
 *
 * Regions that become suspect meanwhile are left for the next call, because locks have
 * to be renewed in time.
 *
 * Returns when to try again, or DT_NOEND.
 */
static TimestampTz
settle_all(void)
{
	DogpileSuspectFacts facts = {.number = 0};
	TimestampTz next = DT_NOEND;
	uint64		last = dogpile_suspect_last();

	DogpileAssertNoneHeld();
	while (dogpile_suspect_next(facts.number, &facts) && facts.number <= last)
	{
		DogpileRegion *region = dogpile_config_find_region(facts.region,
														   strlen(facts.region));

		if (region != NULL && dogpile_announce_is_needed(region) &&
			!dogpile_mend_region(region, dogpile_remote_find(region), &facts.name))
			next = TimestampTzPlusMilliseconds(dogpile_clock_now(), SETTLE_PAUSE_MS);
	}
	return next;
}

/*
 * SIGTERM: the server shuts down, or a user terminates the worker.
 *
 * The worker may be waiting for a store, where it obeys interrupts like a session.  So
 * this pretends a cancel request: its ERROR can be caught, unlike the FATAL of a
 * termination.
 */
static void
handle_termination(SIGNAL_ARGS)
{
	int			save_errno = errno;

	ShutdownRequestPending = true;
	QueryCancelPending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

/* Sleep until a time, or until a session has added something to do. */
static void
sleep_until(TimestampTz until)
{
	long		sleep_ms = -1;

	if (until != DT_NOEND)
		sleep_ms = Max(TimestampDifferenceMilliseconds(dogpile_clock_now(), until),
					   MIN_SLEEP_MS);
	DogpileAssertNoneHeld();
	(void) WaitLatch(MyLatch,
					 WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
					 (sleep_ms >= 0 ? WL_TIMEOUT : 0),
					 sleep_ms, dogpile_wait_events[DOGPILE_WAIT_WORKER]);
	ResetLatch(MyLatch);
	if (ShutdownRequestPending)
		return;
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		dogpile_remote_follow_reload();
	}
}

/* Do what is due and sleep, until the worker has to end. */
static void
work(void)
{
	while (!ShutdownRequestPending)
	{
		uint64		begun = dogpile_alarm_begin();
		TimestampTz lease = serve_all();
		TimestampTz settling = settle_all();
		TimestampTz until = Min(lease, settling);

		if (dogpile_alarm_may_sleep(begun, until))
			sleep_until(until);
	}
}

/*
 * The main function of the worker.
 *
 * The next worker finds what this one leaves undone.
 */
void
dogpile_worker_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, handle_termination);
	BackgroundWorkerUnblockSignals();
	dogpile_alarm_serve();
	CurrentMemoryContext = AllocSetContextCreate(TopMemoryContext, "dogpile worker",
												 ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		work();
	}
	PG_CATCH();
	{
		/* Other errors go to the log. */
		if (!ShutdownRequestPending || geterrcode() != ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	ereport(DEBUG1,
			(errmsg_internal("dogpile worker shutting down")));
	proc_exit(1);
}

/*
 * Register the worker.  Called once, at load.
 *
 * Errors: none.
 */
void
dogpile_worker_register(void)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS,
		.bgw_start_time = BgWorkerStart_PostmasterStart,
		.bgw_restart_time = RESTART_S
	};

	strlcpy(worker.bgw_name, "dogpile worker", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "dogpile worker", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "dogpile", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "dogpile_worker_main", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}
