/*-------------------------------------------------------------------------
 *
 * file_start.c
 *	  The starts of this server from which its files may come.
 *
 * What the backend "file" keeps is part of the data directory.  If a backup is
 * restored over that, files may be left that are younger than the data, and others
 * come back that were invalidated since.  The directory may be the same as before
 * (see file_origin.c for those that are not), so it is the data that have to tell.
 *
 * Each start of the server draws a number, which all files bear that are written
 * while it lasts.  The file "starts" has those of the last starts; a file with another
 * one is not valid.  It is part of backups, too, and comes back with them, but not with
 * the numbers of starts that came later.
 *
 * Nothing is left of a backup that was made while the server was running, for what is
 * in there is of different times: the server then starts with a backup label.  And
 * if "starts" was not restored with the rest, the control file is older than it says.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/file/file_start.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "common/file_perm.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "backend/file/file_io.h"
#include "backend/file/file_start.h"

#define STARTS_MAGIC	0x44505331
#define FOLDER			"dogpile"
#define STARTS_FILE		"starts"
#define NEW_FILE		"new.starts"

/* What is older than so many starts is lost. */
#define MAX_STARTS		128

/* What is in the file, and in shared memory.  The first id is that of this start. */
typedef struct Starts
{
	uint32		magic;
	pg_crc32c	crc;			/* of the rest */
	uint64		system_identifier;
	XLogRecPtr	checkpoint;		/* that this start began with, and its
								 * timeline */
	TimeLineID	timeline;
	uint32		count;
	uint32		ids[MAX_STARTS];
} Starts;

/* Written before there are other processes. */
static Starts *starts = NULL;

Size
dogpile_file_start_shmem_size(void)
{
	return sizeof(Starts);
}

static pg_crc32c
start_checksum(const Starts *s)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &s->system_identifier,
				sizeof(*s) - offsetof(Starts, system_identifier));
	FIN_CRC32C(crc);
	return crc;
}

/* Open the folder, which is made if need be; -1 if that does not work. */
static int
open_folder(void)
{
	char		path[MAXPGPATH];

	snprintf(path, sizeof(path), "%s/%s", DataDir, FOLDER);
	if (mkdir(path, pg_dir_create_mode) != 0 && errno != EEXIST)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool
read_starts(int folder_fd, Starts *s)
{
	int			fd = openat(folder_fd, STARTS_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool		is_read = fd >= 0 && dogpile_file_read_all(fd, s, sizeof(*s));

	dogpile_file_close(&fd);
	return is_read && s->magic == STARTS_MAGIC && s->crc == start_checksum(s) &&
		s->count <= MAX_STARTS;
}

/* Write it, so that it outlasts a crash of the machine. */
static bool
write_starts(int folder_fd, const Starts *s)
{
	int			fd = openat(folder_fd, NEW_FILE,
							O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
							pg_file_create_mode);
	bool		is_written = fd >= 0 && dogpile_file_write_all(fd, s, sizeof(*s)) &&
		fsync(fd) == 0;

	dogpile_file_close(&fd);
	return is_written && renameat(folder_fd, NEW_FILE, folder_fd, STARTS_FILE) == 0 &&
		fsync(folder_fd) == 0;
}

/* Does the server start from a backup that was made while it was running? */
static bool
has_backup_label(void)
{
	char		path[MAXPGPATH];

	snprintf(path, sizeof(path), "%s/%s", DataDir, BACKUP_LABEL_FILE);
	return access(path, F_OK) == 0;
}

/*
 * Have the data gone back to what the last start began with, or behind that?  A server
 * that was shut down since has made another checkpoint.
 */
static bool
is_older(const ControlFileData *control, const Starts *s)
{
	return control->system_identifier != s->system_identifier ||
		control->checkPoint < s->checkpoint ||
		(control->checkPoint == s->checkpoint && control->state == DB_SHUTDOWNED) ||
		control->checkPointCopy.ThisTimeLineID < s->timeline;
}

/* A number that no other start has; 0 is none. */
static uint32
draw_id(void)
{
	uint32		id;

	if (!pg_strong_random(&id, sizeof(id)))
		id = (uint32) GetCurrentTimestamp() ^ ((uint32) MyProcPid << 16);
	return Max(id, 1);
}

/* Begin a list with this start, and go on with what is known of those before. */
static void
add_start(Starts *s, const Starts *before, const ControlFileData *control)
{
	memset(s, 0, sizeof(*s));
	s->magic = STARTS_MAGIC;
	s->system_identifier = control->system_identifier;
	s->checkpoint = control->checkPoint;
	s->timeline = control->checkPointCopy.ThisTimeLineID;
	s->ids[0] = draw_id();
	s->count = 1;
	if (before != NULL)
	{
		uint32		nbefore = Min(before->count, MAX_STARTS - 1);

		memcpy(&s->ids[1], before->ids, nbefore * sizeof(uint32));
		s->count += nbefore;
	}
	s->crc = start_checksum(s);
}

/* What this start may believe.  If that cannot be noted, only what it writes itself. */
static void
begin_start(Starts *s)
{
	bool		crc_ok;
	ControlFileData *control = get_controlfile(DataDir, &crc_ok);
	int			folder_fd = open_folder();
	Starts		before;
	bool		is_same = folder_fd >= 0 && crc_ok && read_starts(folder_fd, &before) &&
		!has_backup_label() && !is_older(control, &before);

	add_start(s, is_same ? &before : NULL, control);
	if (folder_fd < 0 || !write_starts(folder_fd, s))
	{
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s/%s\": %m", FOLDER, STARTS_FILE),
				 errdetail("Values that were cached in files before are not used.")));
		add_start(s, NULL, control);
	}
	dogpile_file_close(&folder_fd);
	pfree(control);
}

/*
 * Begin another start, or attach to what it has noted.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_file_start_shmem_init(void)
{
	bool		found;

	starts = ShmemInitStruct("dogpile starts", sizeof(Starts), &found);
	if (!found)
		begin_start(starts);
}

/* The number that files bear which are written now.  Errors: none. */
uint32
dogpile_file_start_current(void)
{
	Assert(starts->magic == STARTS_MAGIC);
	return starts->ids[0];
}

/* Is a file with this number valid?  Errors: none. */
bool
dogpile_file_start_is_known(uint32 id)
{
	for (uint32 i = 0; i < starts->count; i++)
		if (starts->ids[i] == id)
			return id != 0;
	return false;
}
