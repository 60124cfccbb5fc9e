/*-------------------------------------------------------------------------
 *
 * setting.h
 *	  The settings that a region has, and the values that they take.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/setting.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_SETTING_H
#define DOGPILE_SETTING_H

#include "utils/guc_tables.h"

#include "config/line.h"
#include "config/vary.h"

/*
 * Limits of expiration_time (some 31 years) and hard_expiration_factor.  Their
 * product in microseconds, added to any time of this millennium, fits into a
 * TimestampTz.
 */
#define DOGPILE_MAX_EXPIRATION_S	1000000000
#define DOGPILE_MAX_HARD_FACTOR		1000

/* Maximum length of a region name, in bytes, without the terminating zero. */
#define DOGPILE_MAX_REGION_NAME		32

/* Maximum length of the prefix of names in an external store, in bytes. */
#define DOGPILE_MAX_KEY_PREFIX		40

/* The value of "backend" for regions whose values live in shared memory. */
#define DOGPILE_SHARED_MEMORY		"shared_memory"

/* Values of lock_timeout_action. */
typedef enum DogpileTimeoutAction
{
	DOGPILE_TIMEOUT_ERROR,
	DOGPILE_TIMEOUT_COMPUTE
} DogpileTimeoutAction;

/* Values of depends: what a value created by a query is known to depend on. */
typedef enum DogpileDepends
{
	DOGPILE_DEPENDS_NONE,		/* its tags only */
	DOGPILE_DEPENDS_AUTO		/* what the query has read */
} DogpileDepends;

/* Values of nondeterministic: what to do if that cannot be found out. */
typedef enum DogpileNondeterministic
{
	DOGPILE_NONDETERMINISTIC_THROW,
	DOGPILE_NONDETERMINISTIC_BYPASS,	/* do not store the value */
	DOGPILE_NONDETERMINISTIC_IGNORE
} DogpileNondeterministic;

/* Values of tls. */
typedef enum DogpileTls
{
	DOGPILE_TLS_OFF,
	DOGPILE_TLS_ON,
	DOGPILE_TLS_VERIFY			/* on, and verify the certificate of the
								 * server */
} DogpileTls;

/*
 * A region, with its settings as they are in this session.  The struct lives as long
 * as the process and never moves, because PostgreSQL's variables point into it; a
 * region that a reload has removed is inactive.
 */
typedef struct DogpileRegion
{
	char		name[DOGPILE_MAX_REGION_NAME + 1];
	int			name_len;
	bool		active;			/* named by dogpile.regions now? */

	/*
	 * The settings.  Strings belong to the GUC machinery, except for secrets:
	 * these belong to the region, and PostgreSQL's variables for them are
	 * empty.
	 */
	char	   *backend;
	double		expiration_time_s;	/* -1: never */
	double		hard_expiration_factor;
	int			lock_timeout_ms;	/* 0: no limit besides the session's own */
	int			lock_timeout_action;	/* DogpileTimeoutAction */
	char	   *vary_text;
	int			max_value_size_kb;
	bool		snapshot_reads;
	int			depends;		/* DogpileDepends */
	int			nondeterministic;	/* DogpileNondeterministic */
	double		verify_fraction;	/* of hits that are computed again and
									 * compared */

	/* Settings of regions whose values live outside shared memory. */
	char	   *servers;
	char	   *sentinels;
	char	   *service_name;
	bool		cluster;
	int			database;
	char	   *user;
	char	   *password;
	int			tls;			/* DogpileTls */
	char	   *tls_ca_file;
	char	   *options;
	int			max_total_size_mb;	/* 0: no limit */
	int			connect_timeout_ms;
	int			operation_timeout_ms;
	char	   *key_prefix;
	char	   *key_mangler;
	char	   *name_space;		/* "": use the name of the database */
	char	   *secret;			/* "": values are not authenticated */
	char	   *wrap;
	bool		distributed_lock;
	int			grace_time_ms;
	double		local_expiration_time_s;	/* 0: no copies in shared memory */

	char	   *hidden[2];		/* PostgreSQL's variables for the secrets;
								 * empty */

	/*
	 * What is derived from settings.  It is updated, and "store" reset, when
	 * the region is asked for and a setting has changed since the last time.
	 * "vary" is not NULL in a region that config.c has returned.  The first
	 * such call after a reload frees it, so keep no pointer to it.
	 *
	 * "fault" says which settings are not valid, so that the region must not
	 * be used; it is NULL if there are none.  "public_fault" is what all
	 * roles may see of it.
	 */
	uint32		generation;		/* of the settings, when this was derived */
	const DogpileVary *vary;
	struct DogpileVerdict *verdict; /* see verdict.c */
	const char *fault;
	const char *public_fault;

	/*
	 * What higher layers keep here: the store that "backend" names and, if
	 * that is external, the connection to it (NULL: to be looked up), and the
	 * region's number (-1: not yet known; see region_number.c).
	 */
	const struct DogpileStore *store;
	struct DogpileRemote *remote;
	int			number;
} DogpileRegion;

/* The definition of a setting that each region has. */
typedef struct DogpileSetting
{
	const char *name;			/* without the prefix */
	const char *description;
	const char *extra;			/* more description, or NULL */
	enum config_type type;
	Size		offset;			/* in DogpileRegion; of the type's C type */
	GucContext	context;
	int			flags;			/* GUC_UNIT_... */
	bool		is_secret;

	/* The default, and the range of a number. */
	const char *text;
	double		number;			/* or the value of an enum, or 0 and 1 */
	double		min;
	double		max;
	const struct config_enum_entry *options;

	GucStringCheckHook check_string;
	GucRealCheckHook check_real;
} DogpileSetting;

extern const DogpileSetting dogpile_settings[];
extern const int dogpile_nsettings;

/* Returns whether a store of this name can be used; if not, may set *detail. */
typedef bool (*DogpileBackendCheck) (const char *name, const char **detail);

extern void dogpile_setting_init(DogpileBackendCheck check_backend,
								 DogpileBackendCheck check_wrappers);
extern const DogpileSetting *dogpile_setting_find(const char *name);
extern const char *dogpile_setting_default(const DogpileSetting *s);
extern bool dogpile_setting_parse(const DogpileSetting *s, const char *value,
								  DogpileRegion *region, const char **reason);

#endif							/* DOGPILE_SETTING_H */
