/*-------------------------------------------------------------------------
 *
 * backend_file.c
 *	  The backend "file": values in files of this server's disk.
 *
 * Each item is a file <directory>/<two digits>/<hash of the name>; file_item.c
 * knows its format.  A file that is not valid counts as missing, and is removed.
 * file_total.c keeps the size of all of them below the limit.
 *
 * A file is written under another name and renamed, so that a reader, which takes
 * no lock, sees one value or the other; for small ones see file_item.c.  Changes are
 * made under a lock on <directory>/lock: it protects conditions and the total size.
 * The lock is a flock(), so it ends with its process.
 *
 * Errors are answers; see backend.h.  No file but those in the Connection stays open
 * while errors may be raised.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/file/backend_file.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "backend/backends.h"
#include "backend/file/file_io.h"
#include "backend/file/file_origin.h"
#include "backend/file/file_total.h"
#include "backend/memory.h"
#include "lib/clock.h"

/* How long to sleep between two tries to get the lock. */
#define LOCK_PAUSE_US	1000

/* Others may have the lock after that time, in the middle of a call. */
#define MAX_HOLD_MS		20

typedef struct Connection
{
	const DogpileBackendOptions *options;
	int			root_fd;		/* of the directory, during a call, or -1 */
	int			lock_fd;		/* of its lock, ditto */
	struct stat known;			/* the directory, when it was found to be ours */
	uint32		counter;		/* for names of temporary files */
	TimestampTz locked_at;		/* since when the lock is held */
	int64		added;			/* bytes that the total does not know of yet */
	DogpileFilePlace last;		/* ... and what was written last */
	char	  **contents;		/* of files, what the last get() has found */
	int			ncontents;
} Connection;

/* --------------------------------------------------------------------
 * Names, errors, folders
 * --------------------------------------------------------------------
 */

/* Describe errno: what could not be done to the directory. */
static DogpileBackendStatus
fail_errno(Connection *connection, DogpileBackendError *error, const char *what)
{
	error->unreachable = false;
	snprintf(error->message, sizeof(error->message), "could not %s \"%.120s\": %s",
			 what, connection->options->directory, strerror(errno));
	return DOGPILE_BACKEND_ERROR;
}

/* Make a folder and those above it. */
static bool
make_folders(const char *path)
{
	char		copy[MAXPGPATH];

	if (strlcpy(copy, path, sizeof(copy)) >= sizeof(copy))
	{
		errno = ENAMETOOLONG;
		return false;
	}
	for (char *p = copy + 1; *p != '\0'; p++)
		if (*p == '/')
		{
			*p = '\0';
			if (mkdir(copy, pg_dir_create_mode) != 0 && errno != EEXIST)
				return false;
			*p = '/';
		}
	return mkdir(copy, pg_dir_create_mode) == 0 || errno == EEXIST;
}

/* Free what a file has been read into. */
static void
free_contents(Connection *connection)
{
	for (int i = 0; i < connection->ncontents; i++)
		dogpile_memory_free(connection->contents[i]);
	dogpile_memory_free(connection->contents);
	connection->contents = NULL;
	connection->ncontents = 0;
}

/* --------------------------------------------------------------------
 * The lock
 * --------------------------------------------------------------------
 */

/* Note that there is more, or less; the lock is held. */
static void
add_to_total(Connection *connection, int64 change, const DogpileFilePlace *kept)
{
	connection->added += change;
	connection->last = *kept;
}

/* Bring the total up to date, before the lock is given up. */
static void
update_total(Connection *connection)
{
	if (connection->added != 0)
		dogpile_file_add_to_total(connection->root_fd, connection->options->max_total_size,
								  connection->added, &connection->last);
	connection->added = 0;
}

/* Closing the file gives the lock up, as the end of the process would. */
static void
release_lock(Connection *connection)
{
	if (connection->lock_fd >= 0)
		update_total(connection);
	dogpile_file_close(&connection->lock_fd);
}

/* End a call: give the lock up if it is held. */
static DogpileBackendStatus
end(Connection *connection, DogpileBackendStatus status)
{
	release_lock(connection);
	dogpile_file_close(&connection->root_fd);
	return status;
}

/* Try to get the lock once.  Returns OK, KEPT or ERROR. */
static DogpileBackendStatus
try_lock(Connection *connection, DogpileBackendError *error)
{
	if (connection->lock_fd < 0)
		connection->lock_fd = openat(connection->root_fd, "lock",
									 O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
									 pg_file_create_mode);
	if (connection->lock_fd < 0)
		return fail_errno(connection, error, "open the lock file in");
	if (flock(connection->lock_fd, LOCK_EX | LOCK_NB) == 0)
	{
		connection->locked_at = dogpile_clock_now();
		return DOGPILE_BACKEND_OK;
	}
	if (errno == EWOULDBLOCK || errno == EINTR)
		return DOGPILE_BACKEND_KEPT;
	return fail_errno(connection, error, "lock");
}

/*
 * Get the lock, or ERROR.  A flock() that blocks would neither obey a cancel nor
 * a timeout.
 */
static DogpileBackendStatus
acquire_lock(Connection *connection, DogpileBackendError *error)
{
	TimestampTz start = dogpile_clock_now();
	int			timeout_ms = connection->options->operation_timeout_ms;

	for (;;)
	{
		DogpileBackendStatus status = try_lock(connection, error);

		if (status != DOGPILE_BACKEND_KEPT)
			return status;
		if (TimestampDifferenceExceeds(start, dogpile_clock_now(), timeout_ms))
		{
			release_lock(connection);
			error->unreachable = false;
			snprintf(error->message, sizeof(error->message),
					 "could not lock \"%.120s\" within %d ms",
					 connection->options->directory, timeout_ms);
			return DOGPILE_BACKEND_ERROR;
		}
		pg_usleep(LOCK_PAUSE_US);
		if (InterruptHoldoffCount == 0 && CritSectionCount == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

/* --------------------------------------------------------------------
 * Beginning a call
 * --------------------------------------------------------------------
 */

/* Is what is in the directory ours?  See file_origin.c. */
static bool
is_own_lock(Connection *connection)
{
	struct stat st;

	if (fstat(connection->root_fd, &st) != 0)
		return false;
	if (st.st_ino == connection->known.st_ino && st.st_dev == connection->known.st_dev)
		return true;
	if (!dogpile_file_is_own(connection->root_fd))
		return false;
	connection->known = st;
	return true;
}

/*
 * Begin a call: open the directory.
 *
 * Returns OK; MISS if there is none, or nothing of ours is in it; or ERROR.
 */
static DogpileBackendStatus
begin(Connection *connection, DogpileBackendError *error)
{
	/* The last call may have been interrupted. */
	end(connection, DOGPILE_BACKEND_OK);
	free_contents(connection);
	connection->root_fd = open(connection->options->directory,
							   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (connection->root_fd >= 0)
		return is_own_lock(connection) ? DOGPILE_BACKEND_OK : DOGPILE_BACKEND_MISS;
	if (errno == ENOENT)
		return DOGPILE_BACKEND_MISS;
	return fail_errno(connection, error, "open directory");
}

/* Make the directory ours, unless another process just has.  Returns OK or ERROR. */
static DogpileBackendStatus
take_over(Connection *connection, DogpileBackendError *error)
{
	DogpileBackendStatus status = acquire_lock(connection, error);

	if (status != DOGPILE_BACKEND_OK)
		return status;
	if (!is_own_lock(connection) && !dogpile_file_make_own(connection->root_fd))
		status = fail_errno(connection, error, "write a file in");
	release_lock(connection);
	return status;
}

/* The same, but make it if there is none.  Returns OK or ERROR. */
static DogpileBackendStatus
begin_writing(Connection *connection, DogpileBackendError *error)
{
	DogpileBackendStatus status = begin(connection, error);

	if (status != DOGPILE_BACKEND_MISS)
		return status;
	if (connection->root_fd < 0)
	{
		if (!make_folders(connection->options->directory))
			return fail_errno(connection, error, "create directory");
		status = begin(connection, error);
		if (connection->root_fd < 0)
			return status == DOGPILE_BACKEND_ERROR ? status :
				fail_errno(connection, error, "open directory");
	}
	return status == DOGPILE_BACKEND_OK ? status : take_over(connection, error);
}

/* --------------------------------------------------------------------
 * Writing; the lock is held
 * --------------------------------------------------------------------
 */

/* Open the folder of an item, which is made if need be; -1 and *error if not. */
static int
open_place(Connection *connection, const DogpileFilePlace *place, DogpileBackendError *error)
{
	int			fd = dogpile_file_open_folder(connection->root_fd, place->folder);

	if (fd < 0 && errno == ENOENT &&
		mkdirat(connection->root_fd, place->folder, pg_dir_create_mode) == 0)
		fd = dogpile_file_open_folder(connection->root_fd, place->folder);
	if (fd < 0)
		fail_errno(connection, error, "open a directory in");
	return fd;
}

/* Write an item by way of another file. */
static bool
replace_file(Connection *connection, int fd, const DogpileFilePlace *place,
			 const DogpileBackendItem *item, int64 *added)
{
	char		temporary[64];
	struct stat st;
	int			saved_errno;

	*added = dogpile_file_size(item);
	snprintf(temporary, sizeof(temporary), "tmp.%d.%u", (int) getpid(), connection->counter++);
	if (fstatat(fd, place->file, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*added -= st.st_size;
	if (dogpile_file_write_item(fd, temporary, item) &&
		renameat(fd, temporary, fd, place->file) == 0)
		return true;
	saved_errno = errno;
	unlinkat(fd, temporary, 0);
	errno = saved_errno;
	return false;
}

/* Write an item in place of what is there. */
static DogpileBackendStatus
write_item(Connection *connection, const DogpileBackendItem *item,
		   DogpileBackendError *error)
{
	DogpileFilePlace place = dogpile_file_place(item->name);
	DogpileBackendStatus status = DOGPILE_BACKEND_OK;
	int64		added = 0;
	int			fd = open_place(connection, &place, error);

	if (fd < 0)
		return DOGPILE_BACKEND_ERROR;
	if ((dogpile_file_is_small(item) &&
		 dogpile_file_overwrite_item(fd, place.file, item, &added)) ||
		replace_file(connection, fd, &place, item, &added))
		add_to_total(connection, added, &place);
	else
		status = fail_errno(connection, error, "write a file in");
	dogpile_file_close(&fd);
	return status;
}

/* Remove the file of an item.  Returns OK, MISS or ERROR. */
static DogpileBackendStatus
remove_item_file(Connection *connection, DogpileBytes name, DogpileBackendError *error)
{
	DogpileFilePlace place = dogpile_file_place(name);
	struct stat st;
	int			fd = dogpile_file_open_folder(connection->root_fd, place.folder);
	bool		is_removed = fd >= 0 &&
		fstatat(fd, place.file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		unlinkat(fd, place.file, 0) == 0;

	dogpile_file_close(&fd);
	if (is_removed)
	{
		add_to_total(connection, -st.st_size, &place);
		return DOGPILE_BACKEND_OK;
	}
	return errno == ENOENT ? DOGPILE_BACKEND_MISS : fail_errno(connection, error, "remove a file in");
}

/* Is the condition met?  Returns OK, KEPT, MISS or ERROR. */
static DogpileBackendStatus
check_condition(Connection *connection, const DogpileBackendItem *item,
				DogpileBackendError *error)
{
	DogpileBackendStatus status;
	DogpileFileContent content;

	if (item->mode == DOGPILE_BACKEND_ALWAYS)
		return DOGPILE_BACKEND_OK;
	content = dogpile_file_read_item(connection->root_fd, item->name);
	status = content.status;
	if (status == DOGPILE_BACKEND_ERROR)
		return fail_errno(connection, error, "read a file in");
	if (item->mode == DOGPILE_BACKEND_IF_ABSENT)
		status = status == DOGPILE_BACKEND_OK ? DOGPILE_BACKEND_KEPT : DOGPILE_BACKEND_OK;
	else if (status == DOGPILE_BACKEND_OK &&
			 (content.value.len != item->expected.len ||
			  memcmp(content.value.data, item->expected.data, item->expected.len) != 0))
		status = DOGPILE_BACKEND_KEPT;
	dogpile_memory_free(content.data);
	return status;
}

/* --------------------------------------------------------------------
 * The functions of the backend
 * --------------------------------------------------------------------
 */

/* Check the settings; no folder is touched. */
static bool
file_backend_check(const DogpileBackendOptions *options, DogpileBackendError *error)
{
	error->unreachable = false;
	if (options->max_total_size >= 0)
		return true;
	snprintf(error->message, sizeof(error->message), "max_total_size is negative");
	return false;
}

/*
 * The folder is made when it is needed first, so that an unused region has none.
 */
static void *
file_backend_open(const DogpileBackendOptions *options, DogpileBackendError *error)
{
	Connection *connection = dogpile_memory_alloc0(sizeof(Connection));

	if (connection == NULL)
	{
		error->unreachable = false;
		snprintf(error->message, sizeof(error->message), "out of memory");
		return NULL;
	}
	connection->options = options;
	connection->root_fd = -1;
	connection->lock_fd = -1;
	return connection;
}

/* Descriptors are all there is to give back. */
static void
file_backend_close(void *arg)
{
	Connection *connection = arg;

	end(connection, DOGPILE_BACKEND_OK);
	free_contents(connection);
	dogpile_memory_free(connection);
}

/*
 * A file has expired, is damaged, or was read while it was written: read it again with
 * the lock, and remove it if it still is so.  If others are writing, it is a miss, and
 * left to a later call.
 */
static DogpileFileContent
read_again(Connection *connection, DogpileBytes name)
{
	DogpileFileContent content = {.status = DOGPILE_BACKEND_MISS};
	DogpileBackendError ignored;

	if (try_lock(connection, &ignored) == DOGPILE_BACKEND_OK)
	{
		content = dogpile_file_read_item(connection->root_fd, name);
		if (content.is_rubbish)
			(void) remove_item_file(connection, name, &ignored);
	}
	release_lock(connection);
	return content;
}

/*
 * Read one item without the lock.  A file that is replaced meanwhile is read as it was,
 * since a file that is open outlives rename().
 */
static DogpileBackendStatus
get_item(Connection *connection, DogpileBackendItem *item, char **data,
		 DogpileBackendError *error)
{
	DogpileFileContent content = dogpile_file_read_item(connection->root_fd, item->name);

	if (content.is_rubbish)
		content = read_again(connection, item->name);
	*data = content.data;
	item->value = content.value;
	if (content.status == DOGPILE_BACKEND_ERROR)
		return fail_errno(connection, error, "read a file in");
	return content.status;
}

/* Look items up, one file after another. */
static DogpileBackendStatus
file_backend_get(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	Connection *connection = arg;
	DogpileBackendStatus status = begin(connection, error);
	DogpileBackendStatus result = DOGPILE_BACKEND_OK;

	if (status == DOGPILE_BACKEND_OK)
	{
		connection->contents = dogpile_memory_alloc0(Max(nitems, 1) * sizeof(char *));
		if (connection->contents == NULL)
			status = fail_errno(connection, error, "read a file in");
		else
			connection->ncontents = nitems;
	}
	for (int i = 0; i < nitems; i++)
	{
		items[i].status = status;
		if (status == DOGPILE_BACKEND_OK)
			items[i].status = get_item(connection, &items[i], &connection->contents[i], error);
		if (items[i].status == DOGPILE_BACKEND_ERROR)
			result = DOGPILE_BACKEND_ERROR;
	}
	return end(connection, result);
}

/* Let others have the lock if it has been held for long.  Returns OK or ERROR. */
static DogpileBackendStatus
yield_lock(Connection *connection, DogpileBackendError *error)
{
	if (!TimestampDifferenceExceeds(connection->locked_at, dogpile_clock_now(),
									MAX_HOLD_MS))
		return DOGPILE_BACKEND_OK;
	release_lock(connection);
	return acquire_lock(connection, error);
}

/* Store one item. */
static DogpileBackendStatus
set_item(Connection *connection, const DogpileBackendItem *item, DogpileBackendError *error)
{
	int64		limit = connection->options->max_total_size;
	DogpileBackendStatus status;

	if (limit > 0 && dogpile_file_size(item) > limit)
		return DOGPILE_BACKEND_TOO_LARGE;
	status = check_condition(connection, item, error);
	if (status != DOGPILE_BACKEND_OK)
		return status;
	return write_item(connection, item, error);
}

/* Do something about an item; the lock is held. */
typedef DogpileBackendStatus (*ItemFunction) (Connection *connection,
											  const DogpileBackendItem *item,
											  DogpileBackendError *error);

/*
 * Do it to all items of a call, which has begun with this status.  What comes before a
 * failure stays done.
 */
static DogpileBackendStatus
change_items(Connection *connection, DogpileBackendStatus status, ItemFunction function,
			 DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	DogpileBackendStatus result = DOGPILE_BACKEND_OK;

	if (status == DOGPILE_BACKEND_OK)
		status = acquire_lock(connection, error);
	for (int i = 0; i < nitems; i++)
	{
		if (i > 0 && status == DOGPILE_BACKEND_OK)
			status = yield_lock(connection, error);
		items[i].status = status;
		if (status == DOGPILE_BACKEND_OK)
			items[i].status = function(connection, &items[i], error);
		if (items[i].status == DOGPILE_BACKEND_ERROR)
			result = DOGPILE_BACKEND_ERROR;
	}
	return end(connection, result);
}

/* Store items, each on its condition. */
static DogpileBackendStatus
file_backend_set(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	return change_items(arg, begin_writing(arg, error), set_item, items, nitems, error);
}

static DogpileBackendStatus
remove_item(Connection *connection, const DogpileBackendItem *item,
			DogpileBackendError *error)
{
	return remove_item_file(connection, item->name, error);
}

/* Remove items; under the lock for the sake of the total. */
static DogpileBackendStatus
file_backend_remove(void *arg, DogpileBackendItem *items, int nitems, DogpileBackendError *error)
{
	return change_items(arg, begin(arg, error), remove_item, items, nitems, error);
}

/* What flush() does with a file. */
typedef struct Flush
{
	DogpileBytes prefix;
	int64		removed;		/* bytes */
} Flush;

/* Remove a file if its name begins as told; the name is in the file. */
static void
flush_file(int folder_fd, const char *folder, const char *name, const struct stat *st,
		   void *arg)
{
	Flush	   *flush = arg;
	char		item_name[DOGPILE_MAX_ITEM_NAME];
	int			len = dogpile_file_read_name(folder_fd, name, item_name);

	/* A damaged file may be one of them, and is of no use anyway. */
	if (len >= 0 && ((size_t) len < flush->prefix.len ||
					 memcmp(item_name, flush->prefix.data, flush->prefix.len) != 0))
		return;
	if (unlinkat(folder_fd, name, 0) == 0)
		flush->removed += st->st_size;
}

/*
 * Remove all that begin so.  That takes a walk through all folders, in which interrupts
 * are obeyed.
 */
static DogpileBackendStatus
file_backend_flush(void *arg, DogpileBytes prefix, DogpileBackendError *error)
{
	Connection *connection = arg;
	DogpileBackendStatus status = begin(connection, error);
	DogpileFilePlace nothing = {""};

	if (status == DOGPILE_BACKEND_MISS)
		return end(connection, DOGPILE_BACKEND_OK);
	for (int i = 0; i < DOGPILE_FILE_FOLDERS && status == DOGPILE_BACKEND_OK; i++)
	{
		Flush		flush = {prefix, 0};

		/* Others may write between two folders. */
		status = acquire_lock(connection, error);
		if (status == DOGPILE_BACKEND_OK)
		{
			dogpile_file_walk_folder(connection->root_fd, i, flush_file, &flush);
			if (flush.removed > 0)
				add_to_total(connection, -flush.removed, &nothing);
		}
		release_lock(connection);
		if (InterruptHoldoffCount == 0 && CritSectionCount == 0)
			CHECK_FOR_INTERRUPTS();
	}
	return end(connection, status);
}

/* What stats() counts. */
typedef struct Sum
{
	int64		files;
	int64		bytes;
} Sum;

/* Count one file. */
static void
sum_up(int folder_fd, const char *folder, const char *name, const struct stat *st,
	   void *arg)
{
	Sum		   *sum = arg;

	sum->files++;
	sum->bytes += st->st_size;
}

/* Tell how many files there are, how large, and how large they may be. */
static DogpileBackendStatus
file_backend_stats(void *arg, DogpileBackendFigure figure, void *figure_arg,
				   DogpileBackendError *error)
{
	Connection *connection = arg;
	const char *directory = connection->options->directory;
	DogpileBackendStatus status = begin(connection, error);
	Sum			sum = {0};
	char		text[32];

	if (status == DOGPILE_BACKEND_ERROR)
		return end(connection, status);
	for (int i = 0; i < DOGPILE_FILE_FOLDERS && status == DOGPILE_BACKEND_OK; i++)
	{
		dogpile_file_walk_folder(connection->root_fd, i, sum_up, &sum);
		if (InterruptHoldoffCount == 0 && CritSectionCount == 0)
			CHECK_FOR_INTERRUPTS();
	}
	end(connection, DOGPILE_BACKEND_OK);
	snprintf(text, sizeof(text), INT64_FORMAT, sum.files);
	figure(directory, "files", text, figure_arg);
	snprintf(text, sizeof(text), INT64_FORMAT, sum.bytes);
	figure(directory, "bytes", text, figure_arg);
	snprintf(text, sizeof(text), INT64_FORMAT, connection->options->max_total_size);
	figure(directory, "limit", text, figure_arg);
	return DOGPILE_BACKEND_OK;
}

/* Locks and counters are what connection.c makes of conditions. */
const DogpileBackend dogpile_backend_file = {
	.abi = DOGPILE_BACKEND_ABI,
	.name = "file",
	.is_local = true,
	.check = file_backend_check,
	.open = file_backend_open,
	.close = file_backend_close,
	.get = file_backend_get,
	.set = file_backend_set,
	.remove = file_backend_remove,
	.flush = file_backend_flush,
	.stats = file_backend_stats,
};
