/*-------------------------------------------------------------------------
 *
 * stop.c
 *	  Places where a test can hold a session up.
 *
 * Some orders of events need a session to pause between two instructions: after
 * its commit is visible, say, and before it has told the versions.  In builds
 * with assertions, a session that was told by
 *
 *		SET dogpile.stops = 'visible=1 ticked=2'
 *
 * waits at these places until no other session holds the advisory lock of that
 * number, as SELECT pg_advisory_lock(1) takes it.  By a heavyweight lock,
 * isolationtester sees that the session waits.
 *
 * The lock is taken as a session-level lock and released at once, because at most of
 * these places a transaction ends and its resource owner is going away.  At COMMIT,
 * interrupts are held off, so such a wait ends only with the lock.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/stop.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stop.h"

#ifdef USE_ASSERT_CHECKING

#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/guc.h"

#include "lib/lwlock_check.h"

static const char *const names[DOGPILE_NSTOPS] = {
	[DOGPILE_STOP_NOTED] = "noted",
	[DOGPILE_STOP_RAN] = "ran",
	[DOGPILE_STOP_COMPUTED] = "computed",
	[DOGPILE_STOP_PUBLISHED] = "published",
	[DOGPILE_STOP_MARKED] = "marked",
	[DOGPILE_STOP_VISIBLE] = "visible",
	[DOGPILE_STOP_TOLD] = "told",
	[DOGPILE_STOP_TICKED] = "ticked",
	[DOGPILE_STOP_UNMARKED] = "unmarked",
	[DOGPILE_STOP_LEAVING] = "leaving",
	[DOGPILE_STOP_SOFTENING] = "softening",
	[DOGPILE_STOP_DOUBTED] = "doubted",
};

/* The number of the advisory lock to wait for at each place; 0: do not stop. */
typedef struct Stops
{
	int			locks[DOGPILE_NSTOPS];
} Stops;

static char *stops_setting = NULL;
static Stops stops;

/* Enter one "name=number"; returns whether it is one. */
static bool
parse_stop(const char *item, size_t len, Stops *result)
{
	size_t		name_len = strcspn(item, "=");

	for (int i = 0; name_len < len && i < DOGPILE_NSTOPS; i++)
		if (strlen(names[i]) == name_len && strncmp(item, names[i], name_len) == 0)
		{
			result->locks[i] = atoi(item + name_len + 1);
			return result->locks[i] > 0;
		}
	return false;
}

/* Parse the whole setting, without memory, since it is also assigned at ROLLBACK. */
static bool
parse_stops(const char *value, Stops *result)
{
	static const char separators[] = ", ";

	memset(result, 0, sizeof(Stops));
	for (value += strspn(value, separators); *value != '\0';
		 value += strspn(value, separators))
	{
		size_t		len = strcspn(value, separators);

		if (!parse_stop(value, len, result))
			return false;
		value += len;
	}
	return true;
}

static bool
check_stops(char **newval, void **extra, GucSource source)
{
	Stops		ignored;

	if (parse_stops(*newval, &ignored))
		return true;
	GUC_check_errdetail("Each item must be the name of a stop and the number of an advisory lock, such as \"visible=1\".");
	return false;
}

static void
assign_stops(const char *newval, void *extra)
{
	(void) parse_stops(newval, &stops);
}

/*
 * Define the setting.  Called once, at load, before the prefix is reserved.
 */
void
dogpile_stop_define(void)
{
	DefineCustomStringVariable("dogpile.stops",
							   "Sets where the session waits, and for which advisory locks.",
							   "This is for tests only.",
							   &stops_setting, "", PGC_SUSET,
							   GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE,
							   check_stops, assign_stops, NULL);
}

/*
 * Wait at a place where the session was asked to.
 *
 * Errors: those of waiting for a lock.
 */
void
dogpile_stop_wait(DogpileStop stop)
{
	LOCKTAG		tag;

	DogpileAssertNoneHeld();
	if (stops.locks[stop] == 0)
		return;

	/* The lock that pg_advisory_lock(bigint) takes. */
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, stops.locks[stop], 1);
	(void) LockAcquire(&tag, ShareLock, true, false);
	(void) LockRelease(&tag, ShareLock, true);
}

#endif							/* USE_ASSERT_CHECKING */
