/*-------------------------------------------------------------------------
 *
 * store_memory.h
 *	  The store in shared memory: what module load needs of it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/store/store_memory.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_STORE_MEMORY_H
#define DOGPILE_STORE_MEMORY_H

extern Size dogpile_store_shmem_size(Size budget);
extern void dogpile_store_shmem_init(Size budget);

#endif							/* DOGPILE_STORE_MEMORY_H */
