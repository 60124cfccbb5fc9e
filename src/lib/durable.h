/*-------------------------------------------------------------------------
 *
 * durable.h
 *	  Storing outside only what a crash of this server cannot take back.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/durable.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_DURABLE_H
#define DOGPILE_DURABLE_H

#include "access/xlogdefs.h"

extern Size dogpile_durable_shmem_size(void);
extern void dogpile_durable_shmem_init(void);
extern void dogpile_durable_begin_commit(void);
extern void dogpile_durable_end_commit(bool is_committed);
extern void dogpile_durable_ensure(void);
extern XLogRecPtr dogpile_durable_last_commit(void);

#endif							/* DOGPILE_DURABLE_H */
