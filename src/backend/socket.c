/*-------------------------------------------------------------------------
 *
 * socket.c
 *	  Sockets of backends: waiting for them, and counting them.
 *
 * A wait with the latch costs several system calls, and most answers come within
 * some tens of microseconds.  So waiting has two steps before that: a patient
 * socket blocks for a moment when it is read, and dogpile_backend_wait() watches
 * the socket alone for a moment.  A signal ends both.
 *
 * PostgreSQL keeps fewer files of its own open for sockets that it is told of.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/socket.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "backend/socket.h"
#include "lib/lwlock_check.h"
#include "lib/wait_event.h"

/* Longest wait without the latch; interrupts are seen so much later. */
#define QUICK_WAIT_MS	1

/*
 * Count a socket that is about to be opened.
 *
 * counted: whether it is; left alone if it is already.
 *
 * Returns false, with a reason, if this process has too many.
 *
 * Errors: none.
 */
bool
dogpile_socket_count(bool *counted, char *what, size_t what_size)
{
	if (!*counted)
		*counted = AcquireExternalFD();
	if (!*counted)
		snprintf(what, what_size, "this session has too many connections");
	return *counted;
}

/* A socket that was counted is closed.  Errors: none. */
void
dogpile_socket_uncount(bool *counted)
{
	if (*counted)
		ReleaseExternalFD();
	*counted = false;
}

/*
 * Let a socket block for a moment, or not at all, as it does at first.
 *
 * A read that waits by itself is by far the fastest.  A large request is better
 * written to a socket that does not block, for each part of it could take a
 * moment.
 *
 * patient: which one it is; changed if that works.
 */
void
dogpile_socket_set_patience(int socket, bool *patient, bool wanted)
{
	struct timeval moment = {.tv_usec = QUICK_WAIT_MS * 1000};
	int			flags;

	if (wanted == *patient)
		return;
	flags = fcntl(socket, F_GETFL);
	if (flags < 0 ||
		setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment)) < 0 ||
		setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment)) < 0 ||
		fcntl(socket, F_SETFL, wanted ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) < 0)
		return;
	*patient = wanted;
}

/*
 * Look at what has come, without taking it.
 *
 * flags: MSG_DONTWAIT, or 0 for a socket that may be patient.
 *
 * Returns the number of bytes, 0 for the end of the connection or an error of it,
 * or -1 if nothing has come.
 */
ssize_t
dogpile_socket_peek(int socket, char *data, size_t size, int flags)
{
	ssize_t		n = recv(socket, data, size, MSG_PEEK | flags);

	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -1 : 0;
}

/*
 * Has anything come, if only the end of the connection?  While no answer is
 * expected, such a connection is not sound.
 */
bool
dogpile_socket_has_input(int socket)
{
	char		byte;

	return dogpile_socket_peek(socket, &byte, 1, MSG_DONTWAIT) >= 0;
}

/*
 * Watch a socket and nothing else.  Returns 1 if it is ready, 0 if not, and -1
 * if a signal came.
 */
static int
poll_socket(int socket, int events, int timeout_ms)
{
	struct pollfd fd = {.fd = socket};
	int			result;

	if (events & WL_SOCKET_READABLE)
		fd.events |= POLLIN;
	if (events & WL_SOCKET_WRITEABLE)
		fd.events |= POLLOUT;
	result = poll(&fd, 1, timeout_ms);
	return result < 0 ? -1 : result > 0;
}

static int
milliseconds_until(TimestampTz deadline)
{
	return (int) Min(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline),
					 INT_MAX);
}

/*
 * Wait for a socket; see backend.h.
 *
 * An answer mostly comes at once, so at first the socket alone is watched, for
 * a moment.  A signal that comes just before that is noticed just after it.
 */
bool
dogpile_backend_wait(int socket, int events, TimestampTz deadline)
{
	bool		is_held = InterruptHoldoffCount > 0 || CritSectionCount > 0;
	int			glance_ms = Min(QUICK_WAIT_MS, milliseconds_until(deadline));

	DogpileAssertNoneHeld();
	if (poll_socket(socket, events, is_held ? 0 : glance_ms) == 1)
		return true;
	for (;;)
	{
		int			left_ms = milliseconds_until(deadline);

		if (is_held)
		{
			if (poll_socket(socket, events, left_ms) == 1)
				return true;
		}
		else
		{
			int			happened = WaitLatchOrSocket(MyLatch,
													 WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
													 WL_TIMEOUT | events,
													 socket, left_ms,
													 dogpile_wait_events[DOGPILE_WAIT_STORE]);

			if (happened & WL_LATCH_SET)
			{
				ResetLatch(MyLatch);
				CHECK_FOR_INTERRUPTS();
			}
			if (happened & events)
				return true;
		}
		if (left_ms == 0)
			return false;
	}
}
