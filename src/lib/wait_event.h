/*-------------------------------------------------------------------------
 *
 * wait_event.h
 *	  What pg_stat_activity says that a process of ours waits for.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/wait_event.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_WAIT_EVENT_H
#define DOGPILE_WAIT_EVENT_H

typedef enum DogpileWaitEvent
{
	DOGPILE_WAIT_STORE,			/* for the answer of a store server */
	DOGPILE_WAIT_LEASE,			/* for another server that creates the value */
	DOGPILE_WAIT_WORKER,		/* the worker, for work */
	DOGPILE_NWAIT_EVENTS
} DogpileWaitEvent;

/* As WaitLatch() takes them. */
extern PGDLLIMPORT uint32 dogpile_wait_events[DOGPILE_NWAIT_EVENTS];

extern void dogpile_wait_event_init(void);

#endif							/* DOGPILE_WAIT_EVENT_H */
