/*-------------------------------------------------------------------------
 *
 * bare.h
 *	  What the bare loops have in common.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  bench/bare.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef BARE_H
#define BARE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BARE_NAMES		3		/* of a line */
#define BARE_MAX_LINES	10000

typedef bool (*BareLookUp) (const char **names, const size_t *lengths, int n);

static double
bare_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/*
 * Call a function with the names on standard input, in random order, for some
 * seconds; the first tenth of one does not count.  Returns the status to exit with.
 */
static int
bare_run(BareLookUp look_up, const char *what, double seconds)
{
	static const char *names[BARE_MAX_LINES][BARE_NAMES];
	static size_t lengths[BARE_MAX_LINES][BARE_NAMES];
	int			per_look_up = strcmp(what, "mget") == 0 ? BARE_NAMES : 1;
	char		name[BARE_NAMES][300];
	double		begin = bare_now() + 0.1;
	double		now = begin;
	long		count = 0;
	int			nlines = 0;

	while (nlines < BARE_MAX_LINES &&
		   scanf("%299s %299s %299s", name[0], name[1], name[2]) == BARE_NAMES)
	{
		for (int i = 0; i < BARE_NAMES; i++)
		{
			names[nlines][i] = strdup(name[i]);
			lengths[nlines][i] = strlen(name[i]);
		}
		nlines++;
	}
	for (long i = 0; nlines > 0; i++)
	{
		int			line = random() % nlines;

		if (!look_up(names[line], lengths[line], per_look_up))
			return 1;
		if (i % 64 != 0)
			continue;
		now = bare_now();
		if (now < begin)
			count = -i;
		else if (now > begin + seconds)
		{
			printf("%.0f\n", (i + count) / (now - begin));
			return 0;
		}
	}
	return 1;
}

#endif							/* BARE_H */
