/*-------------------------------------------------------------------------
 *
 * setting.h
 *	  The settings of a region, and what follows from them.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/setting.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_SETTING_H
#define DOGPILE_SETTING_H

#include "key.h"
#include "vary.h"

/* What the name of each setting begins with. */
#define DOGPILE_PREFIX				"dogpile"

/*
 * Limits of expiration_time (some 31 years) and hard_expiration_factor.  Their
 * product in microseconds, added to any time of this millennium, fits into a
 * TimestampTz.
 */
#define DOGPILE_MAX_EXPIRATION_S	1000000000
#define DOGPILE_MAX_HARD_FACTOR		1000

/* What lock_timeout_action says. */
typedef enum DogpileTimeoutAction
{
	DOGPILE_TIMEOUT_ERROR,
	DOGPILE_TIMEOUT_COMPUTE
} DogpileTimeoutAction;

/*
 * A region: its settings as they are in this session.  A region's struct lives
 * as long as the process and never moves, because its settings are stored in
 * it; one that a reload has removed is inactive.
 */
typedef struct DogpileRegion
{
	char		name[DOGPILE_MAX_REGION_NAME + 1];
	int			name_len;
	bool		active;			/* named by dogpile.regions now? */

	/* The settings.  Strings belong to the GUC machinery. */
	char	   *backend;
	double		expiration_time_s;	/* -1: never */
	double		hard_expiration_factor;
	int			lock_timeout_ms;	/* 0: none of the region's own */
	int			lock_timeout_action;	/* DogpileTimeoutAction */
	char	   *vary_text;
	int			max_value_size_kb;
	bool		snapshot_reads;

	/*
	 * What follows from settings: brought up to date, and "store" reset, when
	 * a region is asked for and a setting has changed since.  "vary" is not
	 * NULL in a region that config.c has returned.  It is freed by the first
	 * such call after a reload, so keep no pointer to it.
	 */
	uint32		generation;		/* of the settings, as of then */
	const DogpileVary *vary;

	/*
	 * What higher layers found out about the region and keep here: the store
	 * that "backend" names (NULL: to be looked up) and the region's row of
	 * counters (-1: not yet known).
	 */
	const struct DogpileBackend *store;
	int			stats_slot;

	struct DogpileRegion *next;
} DogpileRegion;

/* Tells whether a store of this name can be used; fills *detail if not. */
typedef bool (*DogpileBackendCheck) (const char *name, const char **detail);

/* Counts changes of settings that something follows from. */
extern PGDLLIMPORT uint32 dogpile_setting_generation;

extern void dogpile_setting_init(DogpileBackendCheck check_backend);
extern void dogpile_setting_define(DogpileRegion *region);
extern void dogpile_setting_refresh(DogpileRegion *region);

#endif							/* DOGPILE_SETTING_H */
