/*-------------------------------------------------------------------------
 *
 * file_io.h
 *	  Reading and writing files where nothing may be raised.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/file/file_io.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_FILE_IO_H
#define DOGPILE_FILE_IO_H

extern int	dogpile_file_open_folder(int fd, const char *name);
extern void dogpile_file_close(int *fd);
extern bool dogpile_file_read_all(int fd, void *data, size_t len);
extern bool dogpile_file_write_all(int fd, const void *data, size_t len);

#endif							/* DOGPILE_FILE_IO_H */
