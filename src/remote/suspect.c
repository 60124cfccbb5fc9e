/*-------------------------------------------------------------------------
 *
 * suspect.c
 *	  Regions outside that may hold what an invalidation should have removed.
 *
 * A transaction that invalidates commits even if the store cannot be told.  Its
 * region is suspect from then on: this server serves nothing from it until it has
 * put another token in place of the region's, which invalidates all entries stored
 * before.  That removes more than was asked for, but needs no queue that could
 * overflow or get lost.
 *
 * A transaction that is about to commit holds its suspicion to its end.  Until then
 * other sessions compute values without its changes; if the suspicion were settled
 * before, and the server crashed, they would be served.
 *
 * A suspicion survives a crash: there is a file for it in the folder "dogpile" of
 * the data directory, written before the commit.  A new table in shared memory
 * begins with what the files tell.
 *
 * Files are written and removed without holding the lock of the table, so each has
 * a name that no other session uses: it ends with the number of the suspicion that
 * it was written for.  An entry of the table knows the number of one file, which
 * stands for all suspicions of its region.  A session adds its suspicion to the
 * table, writes a file if the entry has none, and then makes it the entry's.  If
 * the entry has got another one meanwhile, or is settled and gone, the session
 * removes its file again.  Removing a suspicion takes the entry out of the table
 * first and then removes its file, which nobody else can refer to any more.  A
 * crash in between leaves a file too many: the region is suspect once more, which
 * costs its entries and nothing else.
 *
 * The table is small; if it is full, all regions are suspect for as long as the
 * server runs, and each use of one begins with another token.  The file of a region
 * that has no entry bears no number, and gets one when the server starts next.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/suspect.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/fd.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "lib/alarm.h"
#include "lib/clock.h"
#include "lib/lwlock_check.h"
#include "lib/stop.h"
#include "remote/suspect.h"

#define FOLDER			"dogpile"
#define FILE_PREFIX		"suspect."
#define NEW_PREFIX		"new.suspect."	/* while it is written */
#define HASH_DIGITS		16		/* that follow these */
#define MAX_SUSPECTS	256

#define SUSPECTS_MAGIC	0x44505355

/* In shared memory; under the lock. */
typedef struct Suspects
{
	uint32		magic;
	pg_atomic_uint32 count;		/* read without the lock to see that it is 0 */
	bool		is_full;		/* likewise; never reset */
	uint64		last_number;
	DogpileSuspectFacts list[MAX_SUSPECTS];
} Suspects;

static Suspects *suspects = NULL;
static LWLock *suspect_lock = NULL;

static uint64
hash_name(const DogpileItemName *name)
{
	return hash_bytes_extended((const unsigned char *) name->text, name->len, 0);
}

/* The path of a file; number is 0 if it bears none. */
static void
make_path(char *path, const char *prefix, const DogpileItemName *name, uint64 number)
{
	int			len = snprintf(path, MAXPGPATH, "%s/%s/%s%016llx", DataDir, FOLDER, prefix,
							   (unsigned long long) hash_name(name));

	if (number != 0)
		snprintf(path + len, MAXPGPATH - len, ".%llu", (unsigned long long) number);
}

/* Flush a folder, so that a new file in it is found after a crash. */
static bool
sync_folder(void)
{
	char		path[MAXPGPATH];
	int			fd;
	bool		ok;

	snprintf(path, sizeof(path), "%s/%s", DataDir, FOLDER);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = pg_fsync(fd) == 0;
	(void) close(fd);
	return ok;
}

/* Write what a file has to tell, and flush it. */
static bool
write_suspicion(int fd, const char *region, const DogpileItemName *name)
{
	char		text[DOGPILE_MAX_REGION_NAME + DOGPILE_MAX_ITEM_NAME + 3];
	int			len = snprintf(text, sizeof(text), "%s\n%s\n", region, name->text);

	return write(fd, text, len) == len && pg_fsync(fd) == 0;
}

/*
 * Make a file for a region, whole or not at all.
 *
 * This runs at COMMIT, where nothing may be raised, not even by durable_rename()
 * with LOG, which allocates and opens files by fd.c: so plain system calls do the
 * same.  The file bears its process's number while it is written, for those without
 * a number of their own.
 *
 * Errors: none.  Locks: the suspect lock must not be held.
 */
static bool
make_suspect_file(const char *region, const DogpileItemName *name, uint64 number)
{
	char		path[MAXPGPATH];
	char		new_path[MAXPGPATH];
	bool		ok;
	int			fd;

	DogpileAssertNotHeld(suspect_lock);
	snprintf(path, sizeof(path), "%s/%s", DataDir, FOLDER);
	if (mkdir(path, pg_dir_create_mode) != 0 && errno != EEXIST)
		return false;
	make_path(path, FILE_PREFIX, name, number);
	make_path(new_path, NEW_PREFIX, name, MyProcPid);
	fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, pg_file_create_mode);
	if (fd < 0)
		return false;
	ok = write_suspicion(fd, region, name);
	(void) close(fd);
	return ok && rename(new_path, path) == 0 && sync_folder();
}

/* Remove a file that no entry has (any more).  As above. */
static void
remove_suspect_file(const DogpileItemName *name, uint64 number)
{
	char		path[MAXPGPATH];

	DogpileAssertNotHeld(suspect_lock);
	make_path(path, FILE_PREFIX, name, number);
	(void) unlink(path);
}

static int
find_suspect_locked(const DogpileItemName *name)
{
	int			count = pg_atomic_read_u32(&suspects->count);

	DogpileAssertHeld(suspect_lock, LW_SHARED);
	Assert(suspects->magic == SUSPECTS_MAGIC);
	for (int i = 0; i < count; i++)
		if (suspects->list[i].name.len == name->len &&
			memcmp(suspects->list[i].name.text, name->text, name->len) == 0)
			return i;
	return -1;
}

/* Returns the entry of a region, with a new number, or NULL if there is no room. */
static DogpileSuspectFacts *
add_suspect_locked(const char *region, const DogpileItemName *name)
{
	int			i = find_suspect_locked(name);

	DogpileAssertHeld(suspect_lock, LW_EXCLUSIVE);
	if (i < 0)
	{
		i = pg_atomic_read_u32(&suspects->count);
		if (i == MAX_SUSPECTS)
		{
			suspects->is_full = true;
			return NULL;
		}
		memset(&suspects->list[i], 0, sizeof(DogpileSuspectFacts));
		strlcpy(suspects->list[i].region, region, sizeof(suspects->list[i].region));
		suspects->list[i].name = *name;
		pg_atomic_write_u32(&suspects->count, i + 1);
	}
	suspects->list[i].number = ++suspects->last_number;
	return &suspects->list[i];
}

/*
 * Make a file that was written without the lock the one of the region's entry.
 *
 * Returns false if the entry has another one, or is gone: the file is not needed.
 */
static bool
adopt_file_locked(const DogpileItemName *name, uint64 number)
{
	int			i = find_suspect_locked(name);

	DogpileAssertHeld(suspect_lock, LW_EXCLUSIVE);
	if (i < 0 || suspects->list[i].file != 0)
		return false;
	suspects->list[i].file = number;
	return true;
}

/* --------------------------------------------------------------------
 * Reading the files when the server starts
 * --------------------------------------------------------------------
 */

/* A file does not tell of which region it is: all are suspect. */
static void
report_damage(const char *path)
{
	suspects->is_full = true;
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("file \"%s\" is damaged", path),
			 errdetail("It records which cache region may have outdated values in its store.  No region serves what its store has from before."),
			 errhint("Invalidate the regions with a backend other than shared_memory, remove the file, and restart the server.")));
}

/*
 * Read a file.
 *
 * region: room for DOGPILE_MAX_REGION_NAME bytes and a zero.
 *
 * Returns false if it is damaged.
 */
static bool
read_suspicion(const char *path, char *region, DogpileItemName *name)
{
	char		text[DOGPILE_MAX_REGION_NAME + DOGPILE_MAX_ITEM_NAME + 3];
	char	   *region_end;
	char	   *name_end;
	int			fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t		len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		(void) close(fd);
	text[Max(len, 0)] = '\0';
	region_end = strchr(text, '\n');
	name_end = region_end ? strchr(region_end + 1, '\n') : NULL;
	if (name_end == NULL || region_end - text > DOGPILE_MAX_REGION_NAME ||
		name_end - region_end - 1 > DOGPILE_MAX_ITEM_NAME)
		return false;
	*region_end = *name_end = '\0';
	strcpy(region, text);
	name->len = name_end - region_end - 1;
	memcpy(name->text, region_end + 1, name->len + 1);
	return true;
}

/* The number that a file's name ends with, or 0. */
static uint64
number_in_path(const char *path)
{
	const char *dot = strrchr(path, '.');
	char	   *end;
	uint64		number = strtoull(dot + 1, &end, 10);

	return end - dot - 1 < HASH_DIGITS && *end == '\0' ? number : 0;
}

/*
 * Enter what a file tells.  Numbers that are given out later are larger than any of a
 * file that is there.  A second file of a region is not needed.
 */
static void
load_suspicion(const char *path)
{
	char		region[DOGPILE_MAX_REGION_NAME + 1];
	char		new_path[MAXPGPATH];
	DogpileItemName name;
	DogpileSuspectFacts *facts;
	uint64		number = number_in_path(path);
	uint64		known = 0;

	if (!read_suspicion(path, region, &name))
	{
		report_damage(path);
		return;
	}
	LWLockAcquire(suspect_lock, LW_EXCLUSIVE);
	suspects->last_number = Max(suspects->last_number, number);
	facts = add_suspect_locked(region, &name);
	if (facts != NULL && number == 0)
		number = facts->number;
	if (facts != NULL && facts->file == 0)
		facts->file = number;
	if (facts != NULL)
		known = facts->file;
	LWLockRelease(suspect_lock);

	make_path(new_path, FILE_PREFIX, &name, number);
	if (known != 0 && known != number)
		(void) unlink(path);
	else if (known != 0 && strcmp(path, new_path) != 0)
		(void) rename(path, new_path);
}

/* Is this a file that was not finished? */
static bool
is_unfinished(const char *file)
{
	return strncmp(file, NEW_PREFIX, strlen(NEW_PREFIX)) == 0;
}

/*
 * Load what the files tell; only the postmaster runs yet.
 */
static void
load_suspicions(void)
{
	char		path[MAXPGPATH];
	DIR		   *dir;
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/%s", DataDir, FOLDER);
	dir = opendir(path);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
	{
		snprintf(path, sizeof(path), "%s/%s/%s", DataDir, FOLDER, entry->d_name);
		if (strncmp(entry->d_name, FILE_PREFIX, strlen(FILE_PREFIX)) == 0)
			load_suspicion(path);
		else if (is_unfinished(entry->d_name))
			(void) unlink(path);
	}
	(void) closedir(dir);
}

/* --------------------------------------------------------------------
 * The table
 * --------------------------------------------------------------------
 */

Size
dogpile_suspect_shmem_size(void)
{
	return sizeof(Suspects);
}

/*
 * Create the table, or attach to it.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_suspect_shmem_init(void)
{
	bool		found;

	suspect_lock = &GetNamedLWLockTranche("dogpile_suspect")->lock;
	suspects = ShmemInitStruct("dogpile suspects", sizeof(Suspects), &found);
	if (found)
	{
		Assert(suspects->magic == SUSPECTS_MAGIC);
		return;
	}
	memset(suspects, 0, sizeof(Suspects));
	suspects->magic = SUSPECTS_MAGIC;
	pg_atomic_init_u32(&suspects->count, 0);
	load_suspicions();
}

/*
 * Write the file of a suspicion that is in the table, or that there was no room for.
 *
 * number: of the suspicion; 0 if there was no room.
 *
 * Returns whether the suspicion will outlast a crash.
 */
static bool
write_suspect_file(const char *region, const DogpileItemName *name, uint64 number)
{
	bool		is_needed;

	dogpile_stop(DOGPILE_STOP_DOUBTED);
	if (!make_suspect_file(region, name, number))
		return false;
	if (number == 0)
		return true;
	LWLockAcquire(suspect_lock, LW_EXCLUSIVE);
	is_needed = adopt_file_locked(name, number);
	LWLockRelease(suspect_lock);
	if (!is_needed)
		remove_suspect_file(name, number);
	return true;
}

/*
 * Declare a region suspect.
 *
 * region: its name.
 * name: of its version.
 * hold: must it stay so until it is released?
 *
 * Returns whether that will outlast a crash.
 *
 * Errors: none.  Locks: takes the suspect lock.
 */
bool
dogpile_suspect_add(const char *region, const DogpileItemName *name, bool hold)
{
	DogpileSuspectFacts *facts;
	uint64		number = 0;
	bool		durable = false;

	LWLockAcquire(suspect_lock, LW_EXCLUSIVE);
	facts = add_suspect_locked(region, name);
	if (facts != NULL)
	{
		facts->holders += hold;
		number = facts->number;
		durable = facts->file != 0;
	}
	LWLockRelease(suspect_lock);
	if (!durable)
		durable = write_suspect_file(region, name, number);
	dogpile_alarm_set(dogpile_clock_now());
	return durable;
}

/*
 * Let a region be settled that a transaction has held.
 *
 * Errors: none.  Locks: takes the suspect lock.
 */
void
dogpile_suspect_release(const DogpileItemName *name)
{
	int			i;

	LWLockAcquire(suspect_lock, LW_EXCLUSIVE);
	i = find_suspect_locked(name);
	if (i >= 0 && suspects->list[i].holders > 0)
		suspects->list[i].holders--;
	LWLockRelease(suspect_lock);
	dogpile_alarm_set(dogpile_clock_now());
}

/*
 * Tell the oldest suspicion that is younger than another one.
 *
 * Their places change when one is removed, and their numbers do not, so a loop over
 * them goes by the numbers.  A suspicion that is renewed meanwhile is met again.
 *
 * after: number of the other one; 0 for the first.
 *
 * Returns false if there is none.
 *
 * Errors: none.  Locks: takes the suspect lock shared, if there is any.
 */
bool
dogpile_suspect_next(uint64 after, DogpileSuspectFacts *facts)
{
	int			count;
	int			next = -1;

	if (pg_atomic_read_u32(&suspects->count) == 0)
		return false;
	LWLockAcquire(suspect_lock, LW_SHARED);
	count = pg_atomic_read_u32(&suspects->count);
	for (int i = 0; i < count; i++)
		if (suspects->list[i].number > after &&
			(next < 0 || suspects->list[i].number < suspects->list[next].number))
			next = i;
	if (next >= 0)
		*facts = suspects->list[next];
	LWLockRelease(suspect_lock);
	return next >= 0;
}

/* The number of the latest suspicion there was.  Errors: none.  Locks: as above. */
uint64
dogpile_suspect_last(void)
{
	uint64		number;

	LWLockAcquire(suspect_lock, LW_SHARED);
	number = suspects->last_number;
	LWLockRelease(suspect_lock);
	return number;
}

/*
 * Is a region suspect?
 *
 * is_held: filled in if so: must it stay so for now?
 *
 * Returns 0 if not, else the number of the latest suspicion.
 *
 * Errors: none.  Locks: takes the suspect lock shared, if there is any.
 */
uint64
dogpile_suspect_find(const DogpileItemName *region_version, bool *is_held)
{
	uint64		number = 0;
	int			i;

	if (pg_atomic_read_u32(&suspects->count) == 0 && !suspects->is_full)
		return 0;
	LWLockAcquire(suspect_lock, LW_SHARED);
	i = find_suspect_locked(region_version);
	*is_held = i >= 0 && suspects->list[i].holders > 0;
	if (i >= 0)
		number = suspects->list[i].number;
	else if (suspects->is_full)
		number = PG_UINT64_MAX;
	LWLockRelease(suspect_lock);
	return number;
}

/*
 * Declare that a region no longer is, unless it has become suspect anew.
 *
 * number: of the suspicion that has been dealt with, which was not held when that
 *		began.  A session that holds it since then has given it another number.
 *
 * Errors: none.  Locks: takes the suspect lock.
 */
void
dogpile_suspect_remove(const DogpileItemName *region_version, uint64 number)
{
	uint64		file = 0;
	int			i;

	LWLockAcquire(suspect_lock, LW_EXCLUSIVE);
	i = find_suspect_locked(region_version);
	if (i >= 0 && suspects->list[i].number == number)
	{
		uint32		count = pg_atomic_read_u32(&suspects->count);

		Assert(suspects->list[i].holders == 0);
		file = suspects->list[i].file;
		suspects->list[i] = suspects->list[count - 1];
		pg_atomic_write_u32(&suspects->count, count - 1);
	}
	LWLockRelease(suspect_lock);
	if (file != 0)
		remove_suspect_file(region_version, file);
}
