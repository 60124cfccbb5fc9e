/*-------------------------------------------------------------------------
 *
 * file_start.h
 *	  The starts of this server from which its files may come.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/file/file_start.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_FILE_START_H
#define DOGPILE_FILE_START_H

extern Size dogpile_file_start_shmem_size(void);
extern void dogpile_file_start_shmem_init(void);
extern uint32 dogpile_file_start_current(void);
extern bool dogpile_file_start_is_known(uint32 id);

#endif							/* DOGPILE_FILE_START_H */
