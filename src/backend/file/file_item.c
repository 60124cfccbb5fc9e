/*-------------------------------------------------------------------------
 *
 * file_item.c
 *	  The file of one item of the backend "file".
 *
 * It begins with what is needed to validate it: the whole name of the item, since two
 * names can have the same hash, and a checksum, since files are not flushed to disk
 * and may be torn after a crash.  A file that is not valid counts as missing.
 *
 * Small items, which tokens are, are written in place: to make a file and to rename
 * it over another one takes a hundred times as long.  A reader without the lock may
 * find such a file half written, so it has to look again with the lock.
 *
 * Errors are in errno.  Nothing is raised, so no file stays open.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/file/file_item.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "common/hashfn.h"
#include "port/pg_crc32c.h"
#include "utils/timestamp.h"

#include "backend/file/file_io.h"
#include "backend/file/file_item.h"
#include "backend/file/file_start.h"
#include "backend/memory.h"

#define FILE_MAGIC		0x44504631	/* "DPF1", the version of the format, too */

/* Tokens are no longer than that, and encoded values are never as short. */
#define SMALL_VALUE		64

/* Least time between two updates of a small item's age. */
#define YOUNG_MS		10

/* What a file begins with; the name and the value follow. */
typedef struct FileHeader
{
	uint32		magic;
	pg_crc32c	crc;			/* of everything, with this as zero */
	TimestampTz expires_at;		/* 0: never */
	uint64		value_len;
	uint32		name_len;
	uint32		start_id;		/* of the server when it was written */
} FileHeader;

/* Where the file of an item is. */
DogpileFilePlace
dogpile_file_place(DogpileBytes name)
{
	DogpileFilePlace place;
	const unsigned char *bytes = (const unsigned char *) name.data;

	snprintf(place.file, sizeof(place.file), "%016llx%016llx",
			 (unsigned long long) hash_bytes_extended(bytes, name.len, 0),
			 (unsigned long long) hash_bytes_extended(bytes, name.len, FILE_MAGIC));
	memcpy(place.folder, place.file, 2);
	place.folder[2] = '\0';
	return place;
}

/* --------------------------------------------------------------------
 * Reading a file
 * --------------------------------------------------------------------
 */

static pg_crc32c
item_checksum(const FileHeader *header, const char *name, const char *value)
{
	FileHeader	copy = *header;
	pg_crc32c	crc;

	copy.crc = 0;
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &copy, sizeof(copy));
	COMP_CRC32C(crc, name, header->name_len);
	COMP_CRC32C(crc, value, header->value_len);
	FIN_CRC32C(crc);
	return crc;
}

/* Is this a whole file, with the right checksum, of this server, and not expired? */
static bool
is_sound(const char *data, size_t size)
{
	const FileHeader *header = (const FileHeader *) data;
	const char *name = data + sizeof(FileHeader);

	/* The lengths are checked before anything is read that they tell of. */
	return size >= sizeof(FileHeader) && header->magic == FILE_MAGIC &&
		header->name_len <= DOGPILE_MAX_ITEM_NAME &&
		header->name_len <= size - sizeof(FileHeader) &&
		header->value_len == size - sizeof(FileHeader) - header->name_len &&
		(header->expires_at == 0 || header->expires_at > GetCurrentTimestamp()) &&
		dogpile_file_start_is_known(header->start_id) &&
		item_checksum(header, name, name + header->name_len) == header->crc;
}

/*
 * Let a small item that is read count as written now.
 *
 * The files that were written least recently are removed first.  Tokens are written
 * once, and all entries of a region are lost without the one of the region; but they
 * are read all the time.
 */
static void
keep_young(int fd, const struct stat *st, uint64 value_len)
{
	struct timespec now;

	if (value_len > SMALL_VALUE || clock_gettime(CLOCK_REALTIME, &now) != 0)
		return;
	if ((now.tv_sec - st->st_mtim.tv_sec) * INT64CONST(1000) +
		(now.tv_nsec - st->st_mtim.tv_nsec) / 1000000 > YOUNG_MS)
		(void) futimens(fd, NULL);
}

/* Read an open file, which should be that of this name. */
static DogpileFileContent
read_file(int fd, DogpileBytes name)
{
	DogpileFileContent content = {.status = DOGPILE_BACKEND_ERROR};
	const FileHeader *header;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return content;
	content.data = dogpile_memory_alloc(Max(st.st_size, sizeof(FileHeader)));
	if (content.data == NULL)
		return content;
	header = (const FileHeader *) content.data;
	if (!S_ISREG(st.st_mode))
		content.status = DOGPILE_BACKEND_MISS;
	else if (!dogpile_file_read_all(fd, content.data, st.st_size))
	{
		if (errno == 0)
			content.status = DOGPILE_BACKEND_MISS;
	}
	else
	{
		content.is_rubbish = !is_sound(content.data, st.st_size);
		content.status = DOGPILE_BACKEND_MISS;
		if (!content.is_rubbish && header->name_len == name.len &&
			memcmp(content.data + sizeof(FileHeader), name.data, name.len) == 0)
		{
			content.status = DOGPILE_BACKEND_OK;
			content.value.data = content.data + sizeof(FileHeader) + header->name_len;
			content.value.len = header->value_len;
			keep_young(fd, &st, header->value_len);
			return content;
		}
	}
	dogpile_memory_free(content.data);
	content.data = NULL;
	return content;
}


DogpileFileContent
dogpile_file_read_item(int root_fd, DogpileBytes name)
{
	DogpileFilePlace place = dogpile_file_place(name);
	DogpileFileContent content = {.status = DOGPILE_BACKEND_ERROR};
	int			folder_fd = dogpile_file_open_folder(root_fd, place.folder);
	int			fd = -1;

	if (folder_fd >= 0)
		fd = openat(folder_fd, place.file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		content = read_file(fd, name);
	else if (errno == ENOENT)
		content.status = DOGPILE_BACKEND_MISS;
	dogpile_file_close(&fd);
	dogpile_file_close(&folder_fd);
	return content;
}

/*
 * Read only the name of an item from its file, into DOGPILE_MAX_ITEM_NAME bytes.
 *
 * Returns its length, or -1 if there is none.
 */
int
dogpile_file_read_name(int folder_fd, const char *file, char *name)
{
	FileHeader	header;
	int			fd = openat(folder_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool		is_known = fd >= 0 && dogpile_file_read_all(fd, &header, sizeof(header)) &&
		header.magic == FILE_MAGIC && header.name_len <= DOGPILE_MAX_ITEM_NAME &&
		dogpile_file_read_all(fd, name, header.name_len);

	dogpile_file_close(&fd);
	return is_known ? (int) header.name_len : -1;
}

/* --------------------------------------------------------------------
 * Writing a file
 * --------------------------------------------------------------------
 */

/* How many bytes the file of an item has. */
int64
dogpile_file_size(const DogpileBackendItem *item)
{
	return sizeof(FileHeader) + item->name.len + item->value.len;
}

/* What the file of an item begins with. */
static FileHeader
make_header(const DogpileBackendItem *item)
{
	FileHeader	header = {
		.magic = FILE_MAGIC,
		.value_len = item->value.len,
		.name_len = item->name.len,
		.start_id = dogpile_file_start_current()
	};

	if (item->ttl_ms > 0 && item->ttl_ms < PG_INT64_MAX / 4000)
		header.expires_at = GetCurrentTimestamp() + item->ttl_ms * 1000;
	header.crc = item_checksum(&header, item->name.data, item->value.data);
	return header;
}

/* Is an item to be written in place? */
bool
dogpile_file_is_small(const DogpileBackendItem *item)
{
	return item->value.len <= SMALL_VALUE && item->name.len <= DOGPILE_MAX_ITEM_NAME;
}

/*
 * Write a small item in place of one that is as long, or where there is none, in one
 * piece.  The lock is held.
 *
 * added: filled in with the number of bytes by which the file has grown.
 *
 * Returns false if that cannot be done.
 */
bool
dogpile_file_overwrite_item(int folder_fd, const char *file,
							const DogpileBackendItem *item, int64 *added)
{
	char		data[sizeof(FileHeader) + DOGPILE_MAX_ITEM_NAME + SMALL_VALUE];
	FileHeader	header = make_header(item);
	ssize_t		size = dogpile_file_size(item);
	struct stat st;
	bool		is_written;
	int			fd = openat(folder_fd, file,
							O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
							pg_file_create_mode);

	/* A backup made of links must not change. */
	is_written = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		st.st_nlink == 1 && (st.st_size == 0 || st.st_size == size);
	if (is_written)
	{
		memcpy(data, &header, sizeof(header));
		memcpy(data + sizeof(header), item->name.data, item->name.len);
		memcpy(data + sizeof(header) + item->name.len, item->value.data, item->value.len);
		is_written = write(fd, data, size) == size;
		*added = size - st.st_size;
	}
	dogpile_file_close(&fd);
	return is_written;
}

/* Write an item into a new file. */
bool
dogpile_file_write_item(int folder_fd, const char *file, const DogpileBackendItem *item)
{
	FileHeader	header = make_header(item);
	bool		is_written;
	int			fd = openat(folder_fd, file,
							O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
							pg_file_create_mode);

	if (fd < 0)
		return false;
	is_written = dogpile_file_write_all(fd, &header, sizeof(header)) &&
		dogpile_file_write_all(fd, item->name.data, item->name.len) &&
		dogpile_file_write_all(fd, item->value.data, item->value.len);
	dogpile_file_close(&fd);
	return is_written;
}
