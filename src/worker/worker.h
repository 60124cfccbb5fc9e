/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  The background worker.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/worker/worker.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_WORKER_H
#define DOGPILE_WORKER_H

extern void dogpile_worker_register(void);
extern PGDLLEXPORT void dogpile_worker_main(Datum arg);

#endif							/* DOGPILE_WORKER_H */
