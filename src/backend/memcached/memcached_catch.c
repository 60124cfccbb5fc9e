/*-------------------------------------------------------------------------
 *
 * memcached_catch.c
 *	  Limits for a client library that waits, and gives up, by itself.
 *
 * A library's own timeout is mostly for each wait, so a server that sends a byte now
 * and then keeps it waiting without limit, and a cancel request does not end that.
 * So while the library works, a timer of PostgreSQL's looks at the clock and at
 * whether this session was cancelled.  If so, it shuts the socket down, which the
 * library takes for the end of the connection.  Setting the timer costs no system
 * call as long as it is set again and again, as it is here.
 *
 * A library may also call abort() at an unexpected answer, as libmemcached does in its
 * assertions, and that would restart the whole database server.  POSIX lets a handler
 * of SIGABRT leave by siglongjmp().  The objects that the library worked on are lost
 * then, and must not be touched any more.  Outside of such a call, SIGABRT ends the
 * process as usual.
 *
 * The handlers run as signal handlers, where few functions may be called; those
 * that they use may be.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memcached/memcached_catch.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/socket.h>

#include "miscadmin.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "backend/memcached/memcached_catch.h"

/* How often the timer looks, and how late a cancel request is seen at most. */
#define LOOK_MS			50

/* What is watched; written only while the timer is off. */
static const DogpileProbe *watched_probe = NULL;
static int	watched_fd = -1;
static TimestampTz deadline = 0;
static TimeoutId timer = MAX_TIMEOUTS;

/* Where to go on if the library calls abort(), while is_catching. */
static sigjmp_buf after_abort;
static volatile sig_atomic_t is_catching = false;

/* Has this session been told to stop what it does, and may it? */
static bool
is_cancelled(void)
{
	return (QueryCancelPending || ProcDiePending) &&
		InterruptHoldoffCount == 0 && CritSectionCount == 0;
}

/*
 * The timer's handler.  That the socket still is what it was is made sure of,
 * for the library may have closed it, and its number belong to another one.
 */
static void
watch_clock(void)
{
	int			save_errno = errno;

	if ((is_cancelled() || GetCurrentTimestamp() >= deadline) &&
		dogpile_probe_knows(watched_probe, watched_fd))
		(void) shutdown(watched_fd, SHUT_RDWR);
	errno = save_errno;
}

/* The handler of SIGABRT.  If it returns, abort() ends the process. */
static void
leave_abort(int signo)
{
	if (is_catching)
		siglongjmp(after_abort, 1);
}

static void
begin_timer(const DogpileProbe *probe, int fd, int timeout_ms)
{
	TimestampTz now = GetCurrentTimestamp();

	watched_probe = probe;
	watched_fd = fd;
	deadline = TimestampTzPlusMilliseconds(now, timeout_ms);
	enable_timeout_every(timer, TimestampTzPlusMilliseconds(now, Min(LOOK_MS, timeout_ms)),
						 LOOK_MS);
}

/* The first time in a process. */
static void
install_handlers(void)
{
	struct sigaction action = {.sa_handler = leave_abort,.sa_flags = SA_NODEFER};

	timer = RegisterTimeout(USER_TIMEOUT, watch_clock);
	sigemptyset(&action.sa_mask);
	(void) sigaction(SIGABRT, &action, NULL);
}

/*
 * Let a library do something.
 *
 * probe: has reached the server that the library talks to.
 * fd: the socket, or the number that it will get; -1: not known, not watched.
 * call: calls the library, and nothing else; arg is for it.
 *
 * Returns false if the library has called abort().
 *
 * Errors: none, but for the first time in a session too many timers.
 */
bool
dogpile_memcached_catch(const DogpileProbe *probe, int fd, int timeout_ms,
						void (*call) (void *arg), void *arg)
{
	volatile bool survived = false;

	if (timer == MAX_TIMEOUTS)
		install_handlers();
	if (fd >= 0)
		begin_timer(probe, fd, timeout_ms);
	if (sigsetjmp(after_abort, 0) == 0)
	{
		is_catching = true;
		call(arg);
		survived = true;
	}
	is_catching = false;
	if (get_timeout_active(timer))
		disable_timeout(timer, false);
	return survived;
}
