/*-------------------------------------------------------------------------
 *
 * file_total.c
 *	  How much there is in the directory of the backend "file", and not more.
 *
 * The file "size" has the total size of all files, so that storing an item does
 * not take a walk through the folders.  Only when there is too much, there is a
 * walk: the files written least recently go, and the total is counted anew, so
 * an error in it does not last.
 *
 * The caller holds the lock of the directory.  Nothing is raised here, and what
 * does not work is left for the next time.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/file/file_total.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "port/pg_crc32c.h"

#include "backend/file/file_io.h"
#include "backend/file/file_total.h"
#include "backend/memory.h"

#define SIZE_MAGIC		0x44505331

/* Files that were not renamed within this time were left by a crash. */
#define LEFTOVER_S		60

/* When there is too much, remove files until so much of the limit is left. */
#define KEEP_PERCENT	90

/* What is in the file "size". */
typedef struct SizeFile
{
	uint32		magic;
	pg_crc32c	crc;			/* of the rest */
	int64		total;			/* bytes */
} SizeFile;

static pg_crc32c
size_checksum(const SizeFile *size)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &size->total, sizeof(size->total));
	FIN_CRC32C(crc);
	return crc;
}

static void
write_total(int root_fd, int64 total)
{
	SizeFile	size = {.magic = SIZE_MAGIC,.total = Max(total, 0)};
	int			fd = openat(root_fd, "size",
							O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
							pg_file_create_mode);

	size.crc = size_checksum(&size);

	/* If that fails, its checksum is wrong, or it is missing. */
	if (fd < 0 || write(fd, &size, sizeof(size)) != sizeof(size))
		unlinkat(root_fd, "size", 0);
	dogpile_file_close(&fd);
}

/* Returns -1 if it is not known. */
static int64
read_total(int root_fd)
{
	SizeFile	size;
	int			fd = openat(root_fd, "size", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool		is_read = fd >= 0 && dogpile_file_read_all(fd, &size, sizeof(size));

	dogpile_file_close(&fd);
	if (!is_read || size.magic != SIZE_MAGIC || size.crc != size_checksum(&size))
		return -1;
	return size.total;
}

/* --------------------------------------------------------------------
 * Walking
 * --------------------------------------------------------------------
 */

/* Visit the files of one folder; remove what a crash has left there. */
void
dogpile_file_walk_folder(int root_fd, int number, DogpileFileVisitor visitor, void *arg)
{
	char		folder[8];
	int			fd;
	DIR		   *dir;
	struct dirent *entry;
	struct stat st;

	snprintf(folder, sizeof(folder), "%02x", number);
	fd = dogpile_file_open_folder(root_fd, folder);
	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (dir == NULL)
	{
		close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
	{
		if (entry->d_name[0] == '.' ||
			fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISREG(st.st_mode))
			continue;
		if (strlen(entry->d_name) == DOGPILE_FILE_NAME_LEN)
			visitor(fd, folder, entry->d_name, &st, arg);
		else if (strncmp(entry->d_name, "tmp.", 4) == 0 &&
				 st.st_mtime < time(NULL) - LEFTOVER_S)
			unlinkat(fd, entry->d_name, 0);
	}
	closedir(dir);
}

/* One file, when they are to be sorted by age. */
typedef struct Candidate
{
	struct timespec written_at;
	int64		size;
	char		file[DOGPILE_FILE_NAME_LEN];
} Candidate;

typedef struct Candidates
{
	Candidate  *list;
	size_t		n;
	size_t		room;
	int64		total;			/* of all, also of those there was no memory
								 * for */
} Candidates;

static void
collect(int folder_fd, const char *folder, const char *name, const struct stat *st,
		void *arg)
{
	Candidates *candidates = arg;

	candidates->total += st->st_size;
	if (candidates->n == candidates->room)
	{
		size_t		room = Max(candidates->room * 2, 1024);
		Candidate  *list = dogpile_memory_enlarge(candidates->list,
												  candidates->room * sizeof(Candidate),
												  room * sizeof(Candidate));

		if (list == NULL)
			return;
		candidates->list = list;
		candidates->room = room;
	}
	candidates->list[candidates->n].written_at = st->st_mtim;
	candidates->list[candidates->n].size = st->st_size;
	memcpy(candidates->list[candidates->n++].file, name, DOGPILE_FILE_NAME_LEN);
}

static int
compare_age(const void *a, const void *b)
{
	const struct timespec *x = &((const Candidate *) a)->written_at;
	const struct timespec *y = &((const Candidate *) b)->written_at;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/*
 * Count all files, and remove old ones if there is too much.  The lock is held.
 *
 * kept: the one that has just been written.
 *
 * Returns the total.
 */
static int64
count_and_evict(int root_fd, int64 limit, const DogpileFilePlace *kept)
{
	Candidates	candidates = {0};

	for (int i = 0; i < DOGPILE_FILE_FOLDERS; i++)
		dogpile_file_walk_folder(root_fd, i, collect, &candidates);
	if (limit > 0 && candidates.total > limit)
	{
		int64		target = limit / 100 * KEEP_PERCENT;

		qsort(candidates.list, candidates.n, sizeof(Candidate), compare_age);
		for (size_t i = 0; i < candidates.n && candidates.total > target; i++)
		{
			const Candidate *c = &candidates.list[i];
			char		path[DOGPILE_FILE_NAME_LEN + 8];

			snprintf(path, sizeof(path), "%.2s/%.*s", c->file, DOGPILE_FILE_NAME_LEN, c->file);
			if (memcmp(c->file, kept->file, DOGPILE_FILE_NAME_LEN) != 0 &&
				unlinkat(root_fd, path, 0) == 0)
				candidates.total -= c->size;
		}
	}
	dogpile_memory_free(candidates.list);
	return candidates.total;
}

/* Note that the files have become larger, or smaller.  The lock is held. */
void
dogpile_file_add_to_total(int root_fd, int64 limit, int64 change,
						  const DogpileFilePlace *kept)
{
	int64		total = read_total(root_fd);

	total = total < 0 ? -1 : total + change;
	if (total < 0 || (limit > 0 && change > 0 && total > limit))
		total = count_and_evict(root_fd, limit, kept);
	write_total(root_fd, total);
}
