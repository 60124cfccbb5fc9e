/*-------------------------------------------------------------------------
 *
 * region_number.c
 *	  The number of a region, which stands for its name in shared memory.
 *
 * All processes of the server use the same number for a region's counters, its
 * entries and its slot in the table of versions.  A region gets its number when it
 * is first used, and keeps it until the server restarts, even if it is removed and
 * added again.  Only after more names than there are numbers have been in use do
 * the last ones share a number.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/region_number.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "config/region_number.h"
#include "lib/lwlock_check.h"

/* The number that regions share once all others are taken. */
#define OVERFLOW_NUMBER	(DOGPILE_REGION_NUMBERS - 1)

#define NUMBERS_MAGIC	0x44504E42

/* In shared memory. */
typedef struct RegionNumbers
{
	uint32		magic;
	LWLock	   *lock;			/* protects the following */
	int			count;
	char		names[OVERFLOW_NUMBER][DOGPILE_MAX_REGION_NAME + 1];
} RegionNumbers;

static RegionNumbers *numbers = NULL;

Size
dogpile_region_number_shmem_size(void)
{
	return sizeof(RegionNumbers);
}

/*
 * Create the table of names, empty, or attach to it.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_region_number_shmem_init(void)
{
	bool		found;

	numbers = ShmemInitStruct("dogpile region numbers",
							  dogpile_region_number_shmem_size(), &found);
	if (found)
	{
		Assert(numbers->magic == NUMBERS_MAGIC);
		return;
	}
	memset(numbers, 0, sizeof(RegionNumbers));
	numbers->magic = NUMBERS_MAGIC;
	numbers->lock = &GetNamedLWLockTranche("dogpile_region_number")->lock;
}

/* Find the number of a name, or give it one. */
static int
assign_number_locked(const char *name)
{
	Assert(numbers->magic == NUMBERS_MAGIC);
	DogpileAssertHeld(numbers->lock, LW_EXCLUSIVE);
	for (int number = 0; number < numbers->count; number++)
		if (strcmp(numbers->names[number], name) == 0)
			return number;
	if (numbers->count == OVERFLOW_NUMBER)
		return OVERFLOW_NUMBER;
	strlcpy(numbers->names[numbers->count], name, sizeof(numbers->names[0]));
	return numbers->count++;
}

/* See dogpile_region_number(). */
int
dogpile_region_number_assign(DogpileRegion *region)
{
	LWLockAcquire(numbers->lock, LW_EXCLUSIVE);
	region->number = assign_number_locked(region->name);
	LWLockRelease(numbers->lock);
	return region->number;
}

/*
 * How many numbers regions have had since the server started: they count from 0.
 *
 * Errors: none.  Locks: dogpile_region_number.
 */
int
dogpile_region_number_count(void)
{
	int			count;

	LWLockAcquire(numbers->lock, LW_SHARED);
	count = numbers->count;
	LWLockRelease(numbers->lock);
	return count == OVERFLOW_NUMBER ? DOGPILE_REGION_NUMBERS : count;
}
