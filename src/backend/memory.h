/*-------------------------------------------------------------------------
 *
 * memory.h
 *	  Memory of connections.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memory.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_MEMORY_H
#define DOGPILE_MEMORY_H

extern void *dogpile_memory_alloc(size_t size);
extern void *dogpile_memory_alloc0(size_t size);
extern void *dogpile_memory_enlarge(void *old, size_t old_size, size_t size);
extern void dogpile_memory_free(void *memory);

#endif							/* DOGPILE_MEMORY_H */
