/*-------------------------------------------------------------------------
 *
 * alarm.h
 *	  When the worker has to be awake.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/alarm.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_ALARM_H
#define DOGPILE_ALARM_H

#include "datatype/timestamp.h"

extern Size dogpile_alarm_shmem_size(void);
extern void dogpile_alarm_shmem_init(void);

extern void dogpile_alarm_set(TimestampTz due);

extern void dogpile_alarm_serve(void);
extern uint64 dogpile_alarm_begin(void);
extern bool dogpile_alarm_may_sleep(uint64 begun, TimestampTz until);

#endif							/* DOGPILE_ALARM_H */
