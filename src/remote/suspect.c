/*-------------------------------------------------------------------------
 *
 * suspect.c
 *	  Regions outside that may hold what an invalidation should have removed.
 *
 * A transaction that invalidates commits even if the store cannot be told.  Its
 * region is suspect from then on: this server serves nothing from it until it
 * has got through to the store and put another token in place of the region's,
 * after which nothing that was stored before is worth anything.  That removes
 * more than was asked for, but there is nothing to be kept in a queue that could
 * overflow or get lost.
 *
 * A transaction that is about to commit holds its suspicion to its end: until then
 * others compute from the time before, and if the server crashed in between, nobody
 * would know that what they had stored is worth nothing.
 *
 * That a region is suspect outlasts a crash: there is a file for it in the
 * folder dogpile of the data directory, written before the commit.  A new table
 * in shared memory begins with what the files tell.
 *
 * The table is small; if it is full, all regions are suspect for as long as the
 * server runs, and each use of one begins with another token.
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

#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "lib/alarm.h"
#include "lib/clock.h"
#include "remote/suspect.h"

#define FOLDER			"dogpile"
#define FILE_PREFIX		"suspect."
#define NEW_PREFIX		"new.suspect."	/* while it is written */
#define MAX_SUSPECTS	256

/* In shared memory; under the lock. */
typedef struct Suspects
{
	pg_atomic_uint32 count;		/* read without the lock to see that it is 0 */
	bool		is_full;
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

static void
make_path(char *path, const char *prefix, uint64 hash)
{
	snprintf(path, MAXPGPATH, "%s/%s/%s%016llx", DataDir, FOLDER, prefix,
			 (unsigned long long) hash);
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
	ok = fsync(fd) == 0;
	(void) close(fd);
	return ok;
}

/* Write what a file has to tell, and flush it. */
static bool
write_file(int fd, const char *region, const DogpileItemName *name)
{
	char		text[DOGPILE_MAX_REGION_NAME + DOGPILE_MAX_ITEM_NAME + 3];
	int			len = snprintf(text, sizeof(text), "%s\n%s\n", region, name->text);

	return write(fd, text, len) == len && fsync(fd) == 0;
}

/*
 * Make the file of a region, whole or not at all.  Plain system calls, because
 * errors must not be raised where this is called.
 */
static bool
make_file(const char *region, const DogpileItemName *name)
{
	char		path[MAXPGPATH];
	char		new_path[MAXPGPATH];
	bool		ok;
	int			fd;

	snprintf(path, sizeof(path), "%s/%s", DataDir, FOLDER);
	if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
		return false;
	make_path(path, FILE_PREFIX, hash_name(name));
	make_path(new_path, NEW_PREFIX, hash_name(name));
	fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return false;
	ok = write_file(fd, region, name);
	(void) close(fd);
	return ok && rename(new_path, path) == 0 && sync_folder();
}

static int
find_locked(const DogpileItemName *name)
{
	int			count = pg_atomic_read_u32(&suspects->count);

	for (int i = 0; i < count; i++)
		if (suspects->list[i].name.len == name->len &&
			memcmp(suspects->list[i].name.text, name->text, name->len) == 0)
			return i;
	return -1;
}

/* Returns what is noted of it, or NULL if there is no room. */
static DogpileSuspectFacts *
add_locked(const char *region, const DogpileItemName *name)
{
	int			i = find_locked(name);

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
 * Read the file of a region.  If it is damaged nobody knows of which one: then all
 * are suspect.
 */
static void
read_file(const char *path)
{
	char		text[DOGPILE_MAX_REGION_NAME + DOGPILE_MAX_ITEM_NAME + 3];
	DogpileItemName name;
	DogpileSuspectFacts *facts;
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
	{
		suspects->is_full = true;
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("file \"%s\" is damaged", path),
				 errdetail("It tells which cached values outside may be outdated.  Now none are served."),
				 errhint("Invalidate the regions that have stores outside, remove the file, and restart the server.")));
		return;
	}
	*region_end = *name_end = '\0';
	name.len = name_end - region_end - 1;
	memcpy(name.text, region_end + 1, name.len + 1);
	facts = add_locked(text, &name);
	if (facts != NULL)
		facts->is_durable = true;
}

/* Begin with what the files tell; only the postmaster is there yet. */
static void
read_files(void)
{
	char		path[MAXPGPATH];
	DIR		   *dir;
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/%s", DataDir, FOLDER);
	dir = opendir(path);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, FILE_PREFIX, strlen(FILE_PREFIX)) == 0)
		{
			snprintf(path, sizeof(path), "%s/%s/%s", DataDir, FOLDER, entry->d_name);
			read_file(path);
		}
	(void) closedir(dir);
}

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
		return;
	memset(suspects, 0, sizeof(Suspects));
	pg_atomic_init_u32(&suspects->count, 0);
	read_files();
}

/*
 * Declare a region suspect.
 *
 * region: its name.
 * name: of its version.
 * hold: whether it is to stay so until it is released.
 *
 * Returns whether that will outlast a crash.
 *
 * Errors: none.  Locks: takes the suspect lock.
 */
bool
dogpile_suspect_add(const char *region, const DogpileItemName *name, bool hold)
{
	DogpileSuspectFacts *facts;
	bool		durable;

	/* The file under the lock, or a removal could come in between. */
	LWLockAcquire(suspect_lock, LW_EXCLUSIVE);
	facts = add_locked(region, name);
	durable = (facts != NULL && facts->is_durable) || make_file(region, name);
	if (facts != NULL)
	{
		facts->is_durable = durable;
		facts->holders += hold;
	}
	LWLockRelease(suspect_lock);
	dogpile_alarm_set(dogpile_clock_now());
	return durable;
}

/*
 * Let a region be settled that was held.
 *
 * Errors: none.  Locks: takes the suspect lock.
 */
void
dogpile_suspect_release(const DogpileItemName *name)
{
	int			i;

	LWLockAcquire(suspect_lock, LW_EXCLUSIVE);
	i = find_locked(name);
	if (i >= 0 && suspects->list[i].holders > 0)
		suspects->list[i].holders--;
	LWLockRelease(suspect_lock);
	dogpile_alarm_set(dogpile_clock_now());
}

/*
 * Tell the oldest suspicion that is younger than another one.
 *
 * Their places change when one is removed, so who goes through them goes by their
 * numbers, which do not.  One that is renewed meanwhile is met again.
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
	i = find_locked(region_version);
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
 *		began.  Who holds it since has given it another number.
 *
 * Errors: none.  Locks: takes the suspect lock.
 */
void
dogpile_suspect_remove(const DogpileItemName *region_version, uint64 number)
{
	char		path[MAXPGPATH];
	int			i;

	make_path(path, FILE_PREFIX, hash_name(region_version));
	LWLockAcquire(suspect_lock, LW_EXCLUSIVE);
	i = find_locked(region_version);
	if (i >= 0 && suspects->list[i].number == number)
	{
		uint32		count = pg_atomic_read_u32(&suspects->count);

		Assert(suspects->list[i].holders == 0);
		suspects->list[i] = suspects->list[count - 1];
		pg_atomic_write_u32(&suspects->count, count - 1);
		(void) unlink(path);
	}
	LWLockRelease(suspect_lock);
}
