/*-------------------------------------------------------------------------
 *
 * day_shift.c
 *	  Sets the time of day of one server, for tests.
 *
 * Not a module of PostgreSQL: a server that is started with LD_PRELOAD naming this
 * library, and DAY_SHIFT_FILE a file of eight bytes, sees the time of day of the
 * machine plus the number of seconds that is in the file now.  The time since boot
 * is left alone, as it is when a machine's clock is set.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 *-------------------------------------------------------------------------
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

extern int	clock_gettime(clockid_t clock, struct timespec *ts);
extern time_t time(time_t *result);

static const volatile int64_t *shift = NULL;

/* The seconds to add.  Processes inherit the mapping, and those that do not map anew. */
static int64_t
get_shift(void)
{
	static int	tried = 0;

	if (!tried)
	{
		const char *name = getenv("DAY_SHIFT_FILE");
		int			fd = name ? open(name, O_RDONLY) : -1;
		void	   *map = fd >= 0 ? mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0) :
			MAP_FAILED;

		if (map != MAP_FAILED)
			shift = map;
		if (fd >= 0)
			close(fd);
		tried = 1;
	}
	return shift ? *shift : 0;
}

/* Modules hide their symbols from PostgreSQL 16 on. */
#pragma GCC visibility push(default)

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	static int	(*real) (clockid_t, struct timespec *) = NULL;
	int			result;

	if (real == NULL)
		real = (int (*) (clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
	result = real(clock, ts);
	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ts->tv_sec += get_shift();
	return result;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *result)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (result)
		*result = ts.tv_sec;
	return ts.tv_sec;
}

#pragma GCC visibility pop
