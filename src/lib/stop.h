/*-------------------------------------------------------------------------
 *
 * stop.h
 *	  Places where a test can hold a session up.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/stop.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_STOP_H
#define DOGPILE_STOP_H

/* In the order in which a transaction that changes something comes by. */
typedef enum DogpileStop
{
	DOGPILE_STOP_NOTED,			/* clock noted; the query's snapshot not yet
								 * taken */
	DOGPILE_STOP_RAN,			/* query done; what it depends on not yet
								 * watched */
	DOGPILE_STOP_COMPUTED,		/* value known to be storable; not yet
								 * published */
	DOGPILE_STOP_PUBLISHED,		/* value published; creator lock not yet
								 * released */
	DOGPILE_STOP_MARKED,		/* slots marked; no commit record yet */
	DOGPILE_STOP_VISIBLE,		/* others see the commit; no tick yet */
	DOGPILE_STOP_TOLD,			/* others were told of changed catalogs; no
								 * tick yet */
	DOGPILE_STOP_TICKED,		/* invalidations entered; marks still there */
	DOGPILE_STOP_UNMARKED,		/* marks gone; pending values not yet
								 * published */
	DOGPILE_STOP_LEAVING,		/* a mark outside is shared; not yet looked at
								 * again */
	DOGPILE_STOP_SOFTENING,		/* tokens outside looked at; not yet made soft */
	DOGPILE_STOP_DOUBTED,		/* region suspect; its file not yet written */
	DOGPILE_NSTOPS
} DogpileStop;

/*
 * In builds with assertions, wait here if the session was asked to by
 * "dogpile.stops"; elsewhere, nothing.
 *
 * Locks: no LWLock may be held.
 */
#ifdef USE_ASSERT_CHECKING
extern void dogpile_stop_define(void);
extern void dogpile_stop_wait(DogpileStop stop);

#define dogpile_stop(stop)	dogpile_stop_wait(stop)
#else
#define dogpile_stop_define()	((void) 0)
#define dogpile_stop(stop)		((void) 0)
#endif

#endif							/* DOGPILE_STOP_H */
