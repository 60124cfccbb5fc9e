/*-------------------------------------------------------------------------
 *
 * file_io.c
 *	  Reading and writing files where nothing may be raised.
 *
 * PostgreSQL's own functions for that raise errors or keep files open.  These leave
 * the reason in errno.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/file/file_io.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "backend/file/file_io.h"

/* Open a folder within another; -1 and errno if that does not work. */
int
dogpile_file_open_folder(int fd, const char *name)
{
	return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Close, but leave errno alone. */
void
dogpile_file_close(int *fd)
{
	int			saved_errno = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved_errno;
}

/* Read so many bytes; false if there are fewer. */
bool
dogpile_file_read_all(int fd, void *data, size_t len)
{
	char	   *p = data;

	while (len > 0)
	{
		ssize_t		n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
		{
			if (n == 0)
				errno = 0;
			return false;
		}
		p += n;
		len -= n;
	}
	return true;
}

/* Write so many bytes; false and errno if that does not work. */
bool
dogpile_file_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0)
	{
		ssize_t		n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}
