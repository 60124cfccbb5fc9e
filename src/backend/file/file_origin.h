/*-------------------------------------------------------------------------
 *
 * file_origin.h
 *	  Is a directory of the backend "file" this server's own?
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/file/file_origin.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_FILE_ORIGIN_H
#define DOGPILE_FILE_ORIGIN_H

extern bool dogpile_file_is_own(int root_fd);
extern bool dogpile_file_make_own(int root_fd);

#endif							/* DOGPILE_FILE_ORIGIN_H */
