/*-------------------------------------------------------------------------
 *
 * file_total.h
 *	  How much there is in the directory of the backend "file".
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/file/file_total.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_FILE_TOTAL_H
#define DOGPILE_FILE_TOTAL_H

#include <sys/stat.h>

#include "backend/file/file_item.h"

/* Items are spread over so many folders, by the beginning of their names. */
#define DOGPILE_FILE_FOLDERS	256

/* What is done with each file; name is that in its folder. */
typedef void (*DogpileFileVisitor) (int folder_fd, const char *folder,
									const char *name, const struct stat *st,
									void *arg);

extern void dogpile_file_walk_folder(int root_fd, int number,
									 DogpileFileVisitor visitor, void *arg);
extern void dogpile_file_add_to_total(int root_fd, int64 limit, int64 change,
									  const DogpileFilePlace *kept);

#endif							/* DOGPILE_FILE_TOTAL_H */
