/*-------------------------------------------------------------------------
 *
 * wrap_log.c
 *	  The wrapper "log": writes every call of a backend to the server's log.
 *
 * A line is like
 *
 *		cache backend "redis": get "a" (ok), "b" (miss) in 87 us
 *
 * with the first few items of the call.  Values are not written: they may be large
 * or confidential.
 *
 * Writing to the log can raise an error itself.  That must not happen when a
 * transaction has just committed; then the line is lost.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/wrap_log.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "portability/instr_time.h"

#include "backend/backends.h"

/* Most items of a call that are named. */
#define MAX_NAMED		5

/* Room for what is told of them. */
#define TEXT_SIZE		((DOGPILE_MAX_ITEM_NAME + 20) * (MAX_NAMED + 1))

/* What was answered, in a word. */
static const char *
status_name(DogpileBackendStatus status)
{
	switch (status)
	{
		case DOGPILE_BACKEND_OK:
			return "ok";
		case DOGPILE_BACKEND_MISS:
			return "miss";
		case DOGPILE_BACKEND_KEPT:
			return "kept";
		case DOGPILE_BACKEND_TOO_LARGE:
			return "too large";
		case DOGPILE_BACKEND_ERROR:
			return "error";
	}
	return "?";
}

/* Describe items into a text of TEXT_SIZE. */
static void
describe_items(char *text, const DogpileBackendItem *items, int nitems)
{
	int			len = 0;

	text[0] = '\0';
	for (int i = 0; i < Min(nitems, MAX_NAMED); i++)
		len += snprintf(text + len, TEXT_SIZE - len, "%s\"%.*s\" (%s)", i > 0 ? ", " : "",
						(int) Min(items[i].name.len, DOGPILE_MAX_ITEM_NAME),
						items[i].name.data, status_name(items[i].status));
	if (nitems > MAX_NAMED)
		snprintf(text + len, TEXT_SIZE - len, " and %d more", nitems - MAX_NAMED);
}

/* Describe one name and what was answered. */
static void
describe_name(char *text, DogpileBytes name, DogpileBackendStatus status)
{
	DogpileBackendItem item = {.name = name,.status = status};

	describe_items(text, &item, 1);
}

/* One line for the log; "error" may be NULL. */
static void
write_line(const DogpileWrapped *wrapped, const char *operation, const char *text,
		   unsigned long long duration_us, const DogpileBackendError *error)
{
	ereport(LOG,
			(errmsg("cache backend \"%s\": %s %s in %llu us",
					wrapped->name, operation, text, duration_us),
			 error ? errdetail("The error is: %s.", error->message) : 0,
			 errhidestmt(true)));
}

/*
 * The same, when nothing may be raised, not even "out of memory": a transaction
 * has just committed.  Raising an error forgets that interrupts are held off.
 */
static void
write_line_surely(const DogpileWrapped *wrapped, const char *operation,
				  const char *text, unsigned long long duration_us,
				  const DogpileBackendError *error)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	uint32		held_off = InterruptHoldoffCount;

	PG_TRY();
	{
		write_line(wrapped, operation, text, duration_us, error);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(oldcontext);
		FlushErrorState();
		InterruptHoldoffCount = held_off;
	}
	PG_END_TRY();
}

/*
 * Write about a call that has ended.  In a critical section nothing is written: even
 * an error that is caught would be a panic there.
 */
static void
log_call(const DogpileWrapped *wrapped, const char *operation, const char *text,
		 DogpileBackendStatus status, const DogpileBackendError *error, instr_time start)
{
	instr_time	duration;

	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	if (CritSectionCount > 0)
		return;
	(InterruptHoldoffCount > 0 ? write_line_surely : write_line)
		(wrapped, operation, text, INSTR_TIME_GET_MICROSEC(duration),
		 status == DOGPILE_BACKEND_ERROR ? error : NULL);
}

/* Write about a call for many items, the first of which are named. */
static void
log_items(const DogpileWrapped *wrapped, const char *operation,
		  const DogpileBackendItem *items, int nitems, DogpileBackendStatus status,
		  const DogpileBackendError *error, instr_time start)
{
	char		text[TEXT_SIZE];

	describe_items(text, items, nitems);
	log_call(wrapped, operation, text, status, error, start);
}

/* Write about a call for one name. */
static void
log_name(const DogpileWrapped *wrapped, const char *operation, DogpileBytes name,
		 DogpileBackendStatus status, const DogpileBackendError *error, instr_time start)
{
	char		text[TEXT_SIZE];

	describe_name(text, name, status);
	log_call(wrapped, operation, text, status, error, start);
}

/*
 * Each call is passed on, timed, and logged afterwards.  The answer is that of the inner
 * function, whether or not it could be logged.
 */
static DogpileBackendStatus
logged_get(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;
	instr_time	start;
	DogpileBackendStatus status;

	INSTR_TIME_SET_CURRENT(start);
	status = wrapped->inner->get(wrapped->connection, items, nitems, error);
	log_items(wrapped, "get", items, nitems, status, error, start);
	return status;
}

static DogpileBackendStatus
logged_set(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;
	instr_time	start;
	DogpileBackendStatus status;

	INSTR_TIME_SET_CURRENT(start);
	status = wrapped->inner->set(wrapped->connection, items, nitems, error);
	log_items(wrapped, "set", items, nitems, status, error, start);
	return status;
}

static DogpileBackendStatus
logged_remove(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;
	instr_time	start;
	DogpileBackendStatus status;

	INSTR_TIME_SET_CURRENT(start);
	status = wrapped->inner->remove(wrapped->connection, items, nitems, error);
	log_items(wrapped, "remove", items, nitems, status, error, start);
	return status;
}

static DogpileBackendStatus
logged_increment(void *arg, DogpileBytes name, int64 delta, int64 ttl_ms, int64 *result,
				 DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;
	instr_time	start;
	DogpileBackendStatus status;

	INSTR_TIME_SET_CURRENT(start);
	status = wrapped->inner->increment(wrapped->connection, name, delta, ttl_ms, result,
									   error);
	log_name(wrapped, "increment", name, status, error, start);
	return status;
}

/* A lock's token is not logged: with it, anyone could give the lock up. */
static DogpileBackendStatus
logged_lock(void *arg, DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;
	instr_time	start;
	DogpileBackendStatus status;

	INSTR_TIME_SET_CURRENT(start);
	status = wrapped->inner->lock(wrapped->connection, lock, error);
	log_name(wrapped, "lock", lock->name, status, error, start);
	return status;
}

static DogpileBackendStatus
logged_renew(void *arg, const DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;
	instr_time	start;
	DogpileBackendStatus status;

	INSTR_TIME_SET_CURRENT(start);
	status = wrapped->inner->renew(wrapped->connection, lock, error);
	log_name(wrapped, "renew", lock->name, status, error, start);
	return status;
}

static DogpileBackendStatus
logged_unlock(void *arg, const DogpileBackendLock *lock, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;
	instr_time	start;
	DogpileBackendStatus status;

	INSTR_TIME_SET_CURRENT(start);
	status = wrapped->inner->unlock(wrapped->connection, lock, error);
	log_name(wrapped, "unlock", lock->name, status, error, start);
	return status;
}

/* The size of the value is not told, but that it was too large is. */
static DogpileBackendStatus
logged_put(void *arg, const DogpileBackendLock *lock, DogpileBackendItem *item,
		   DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;
	instr_time	start;
	DogpileBackendStatus status;

	INSTR_TIME_SET_CURRENT(start);
	status = wrapped->inner->put(wrapped->connection, lock, item, error);
	log_name(wrapped, "put", lock->entry, status, error, start);
	return status;
}

/* A prefix stands for many names; how many there were is not known. */
static DogpileBackendStatus
logged_flush(void *arg, DogpileBytes prefix, DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;
	instr_time	start;
	DogpileBackendStatus status;

	INSTR_TIME_SET_CURRENT(start);
	status = wrapped->inner->flush(wrapped->connection, prefix, error);
	log_name(wrapped, "flush", prefix, status, error, start);
	return status;
}

static DogpileBackendStatus
logged_stats(void *arg, DogpileBackendFigure figure, void *figure_arg,
			 DogpileBackendError *error)
{
	DogpileWrapped *wrapped = arg;
	instr_time	start;
	DogpileBackendStatus status;

	INSTR_TIME_SET_CURRENT(start);
	status = wrapped->inner->stats(wrapped->connection, figure, figure_arg, error);
	log_call(wrapped, "stats", status_name(status), status, error, start);
	return status;
}

const DogpileWrapper dogpile_wrap_log = {
	.abi = DOGPILE_BACKEND_ABI,
	.name = "log",
	.functions = {
		.get = logged_get,
		.set = logged_set,
		.remove = logged_remove,
		.increment = logged_increment,
		.lock = logged_lock,
		.renew = logged_renew,
		.unlock = logged_unlock,
		.put = logged_put,
		.flush = logged_flush,
		.stats = logged_stats,
	},
};
