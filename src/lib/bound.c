/*-------------------------------------------------------------------------
 *
 * bound.c
 *	  How often something may happen that was seen so many times.
 *
 * Of n trials chosen at random, k have shown it.  The upper bound at 95 % is the
 * probability with which k or fewer would be seen in one of twenty such series
 * (Clopper and Pearson): were it larger, what was seen would be rarer still.  For
 * k = 0 that is about 3 / n, the "rule of three".
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/bound.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "lib/bound.h"

/* What is seen by chance is rarer than this. */
#define LEVEL			0.05

/* ... and that many standard deviations from the mean, where numbers are large. */
#define DEVIATIONS		1.6449
#define LARGE			1000000

/* Halving the interval this often exhausts the precision of a double. */
#define STEPS			100

/* The probability of k or fewer in n, with that of one being p. */
static double
at_most(double n, double k, double p)
{
	double		term = exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) +
						   k * log(p) + (n - k) * log1p(-p));
	double		sum = term;

	for (double i = k; i > 0 && term > sum * 1e-17; i--)
	{
		term *= i / (n - i + 1) * (1 - p) / p;
		sum += term;
	}
	return sum;
}

/*
 * The most that the share may be of what was seen, at 95 %.
 *
 * trials: at least one.
 * seen: no more than these.
 *
 * Errors: none.
 */
double
dogpile_bound_upper(uint64 trials, uint64 seen)
{
	double		n = (double) trials;
	double		k = (double) seen;
	double		low = k / n;
	double		high = 1;

	if (seen >= trials)
		return 1;
	if (seen == 0)
		return -expm1(log(LEVEL) / n);
	if (seen > LARGE)
		return Min(low + DEVIATIONS * sqrt(low * (1 - low) / n), 1);
	for (int i = 0; i < STEPS; i++)
	{
		double		middle = (low + high) / 2;

		if (middle <= low || middle >= high)
			break;
		if (at_most(n, k, middle) > LEVEL)
			low = middle;
		else
			high = middle;
	}
	return high;
}
