/*-------------------------------------------------------------------------
 *
 * constant.c
 *	  Functions to compare a hit with: what a call costs in any case; a trigger,
 *	  likewise; and the processor time that a session has used.
 *
 * Built and loaded by the benchmark only.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  bench/constant.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_noop);
PG_FUNCTION_INFO_V1(bench_constant);
PG_FUNCTION_INFO_V1(bench_trigger);
PG_FUNCTION_INFO_V1(bench_cpu_time);

#define MAX_SIZE	10000

/* bench_noop(key text) returns text: its argument, untouched. */
Datum
bench_noop(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/*
 * bench_constant(key text, size int) returns text: a new copy of so many bytes,
 * the least that a function can do that returns a text of its own.
 */
Datum
bench_constant(PG_FUNCTION_ARGS)
{
	static char data[MAX_SIZE];
	int			size = Min(PG_GETARG_INT32(1), MAX_SIZE);

	if (data[0] == '\0')
		memset(data, 'x', MAX_SIZE);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(data, size));
}

/* bench_trigger() returns trigger: does nothing. */
Datum
bench_trigger(PG_FUNCTION_ARGS)
{
	Assert(CALLED_AS_TRIGGER(fcinfo));
	return PointerGetDatum(NULL);
}

/*
 * bench_cpu_time() returns float8: nanoseconds of processor time that this
 * session has used.  Other work on the machine matters less to it than to rates.
 */
Datum
bench_cpu_time(PG_FUNCTION_ARGS)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	PG_RETURN_FLOAT8(used.tv_sec * 1e9 + used.tv_nsec);
}
