/*-------------------------------------------------------------------------
 *
 * file_origin.c
 *	  Is a directory of the backend "file" this server's own?
 *
 * The directory is part of the data directory, and so of base backups and of
 * what pg_rewind copies.  What is in such a copy is of another time than the
 * data next to it: an invalidation that came later is not in there, while the
 * transaction that made it is, once its WAL has been replayed.  The same goes
 * for the machine's crash: the WAL was flushed to disk, and files of the cache
 * were not, nor was their removal.
 *
 * (A copy that is put back into the same directory is a matter of file_start.c.)
 *
 * So the directory has a file "origin" that tells which directory, by device and
 * number, it was made for, and since which start of the machine it has been in
 * use.  If this is another directory or start, its files are not valid.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/file/file_origin.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "port/pg_crc32c.h"

#include "backend/file/file_io.h"
#include "backend/file/file_origin.h"
#include "backend/file/file_total.h"

#define ORIGIN_MAGIC		0x44504F31

/* Where Linux tells a random number of this start of the machine. */
#define BOOT_ID_FILE		"/proc/sys/kernel/random/boot_id"

/* What is in the file "origin". */
typedef struct Origin
{
	uint32		magic;
	pg_crc32c	crc;			/* of the rest */
	uint64		device;
	uint64		inode;
	char		boot_id[40];	/* zeros if it is not known */
} Origin;

/* What should be in there. */
static bool
make_origin(int root_fd, Origin *origin)
{
	struct stat st;
	int			fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);

	memset(origin, 0, sizeof(*origin));
	if (fd >= 0 && read(fd, origin->boot_id, sizeof(origin->boot_id)) < 0)
		memset(origin->boot_id, 0, sizeof(origin->boot_id));
	dogpile_file_close(&fd);
	if (fstat(root_fd, &st) != 0)
		return false;
	origin->magic = ORIGIN_MAGIC;
	origin->device = st.st_dev;
	origin->inode = st.st_ino;
	INIT_CRC32C(origin->crc);
	COMP_CRC32C(origin->crc, &origin->device,
				sizeof(*origin) - offsetof(Origin, device));
	FIN_CRC32C(origin->crc);
	return true;
}

/* Was all that is in the directory written there, since the machine started? */
bool
dogpile_file_is_own(int root_fd)
{
	Origin		expected;
	Origin		found;
	int			fd = openat(root_fd, "origin", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool		is_read = fd >= 0 && dogpile_file_read_all(fd, &found, sizeof(found));

	dogpile_file_close(&fd);
	return is_read && make_origin(root_fd, &expected) &&
		memcmp(&found, &expected, sizeof(found)) == 0;
}

/* Remove a file, and count those that stay. */
static void
remove_foreign(int folder_fd, const char *folder, const char *name,
			   const struct stat *st, void *arg)
{
	int		   *nleft = arg;

	if (unlinkat(folder_fd, name, 0) != 0 && errno != ENOENT)
		(*nleft)++;
}

static bool
write_origin(int root_fd, const Origin *origin)
{
	int			fd = openat(root_fd, "tmp.origin",
							O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
							pg_file_create_mode);
	bool		is_written = fd >= 0 &&
		dogpile_file_write_all(fd, origin, sizeof(*origin));

	dogpile_file_close(&fd);
	return is_written && renameat(root_fd, "tmp.origin", root_fd, "origin") == 0;
}

/*
 * Remove all that is in the directory, and note that it is ours from now on.
 * The caller holds its lock.
 *
 * Returns false and errno if that does not work.
 */
bool
dogpile_file_make_own(int root_fd)
{
	Origin		origin;
	int			nleft = 0;

	if (!make_origin(root_fd, &origin))
		return false;
	for (int i = 0; i < DOGPILE_FILE_FOLDERS; i++)
		dogpile_file_walk_folder(root_fd, i, remove_foreign, &nleft);
	if (nleft > 0)
	{
		errno = EACCES;
		return false;
	}
	if (unlinkat(root_fd, "size", 0) != 0 && errno != ENOENT)
		return false;
	return write_origin(root_fd, &origin);
}
