/*-------------------------------------------------------------------------
 *
 * file_item.h
 *	  The file of one item of the backend "file".
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/file/file_item.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_FILE_ITEM_H
#define DOGPILE_FILE_ITEM_H

#include <sys/types.h>

#include "backend/backend.h"

/* Two hashes of 64 bits, in hexadecimal. */
#define DOGPILE_FILE_NAME_LEN	32

/* Where an item is. */
typedef struct DogpileFilePlace
{
	char		folder[3];
	char		file[DOGPILE_FILE_NAME_LEN + 1];
} DogpileFilePlace;

/* A file, read and checked. */
typedef struct DogpileFileContent
{
	DogpileBackendStatus status;	/* OK, MISS, or ERROR; see errno */
	bool		is_rubbish;		/* MISS: expired or damaged, to be removed */
	char	   *data;			/* OK: the whole file, to be freed */
	DogpileBytes value;			/* in there */
} DogpileFileContent;

extern DogpileFilePlace dogpile_file_place(DogpileBytes name);
extern DogpileFileContent dogpile_file_read_item(int root_fd, DogpileBytes name);
extern int	dogpile_file_read_name(int folder_fd, const char *file, char *name);
extern int64 dogpile_file_size(const DogpileBackendItem *item);
extern bool dogpile_file_is_small(const DogpileBackendItem *item);
extern bool dogpile_file_overwrite_item(int folder_fd, const char *file,
										const DogpileBackendItem *item, int64 *added);
extern bool dogpile_file_write_item(int folder_fd, const char *file,
									const DogpileBackendItem *item);

#endif							/* DOGPILE_FILE_ITEM_H */
