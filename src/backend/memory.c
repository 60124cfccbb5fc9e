/*-------------------------------------------------------------------------
 *
 * memory.c
 *	  Memory of connections.
 *
 * The functions of a backend are called in the memory context of their connection.
 * These functions allocate in CurrentMemoryContext and raise nothing: NULL is "out
 * of memory".  All of it is freed with the connection, and shows in
 * pg_backend_memory_contexts.  What client libraries allocate by themselves does
 * not.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/memory.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "backend/memory.h"

/* Allocate; the content is undefined. */
void *
dogpile_memory_alloc(size_t size)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size,
									  MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

/* Allocate memory filled with zeros. */
void *
dogpile_memory_alloc0(size_t size)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size,
									  MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/*
 * Make what was allocated larger.
 *
 * old: may be NULL; stays as it is if there is no memory.
 */
void *
dogpile_memory_enlarge(void *old, size_t old_size, size_t size)
{
	void	   *new = dogpile_memory_alloc(size);

	if (new != NULL && old != NULL)
	{
		memcpy(new, old, old_size);
		pfree(old);
	}
	return new;
}

/* Free what was allocated; NULL is nothing. */
void
dogpile_memory_free(void *memory)
{
	if (memory != NULL)
		pfree(memory);
}
