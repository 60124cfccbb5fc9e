/*-------------------------------------------------------------------------
 *
 * setting.c
 *	  The settings of a region, and what follows from them.
 *
 * Each setting of each region is a variable of its own, called
 * "dogpile_<region>.<setting>", so that PostgreSQL parses units, checks ranges
 * and contexts, shows them in pg_settings and restores them at ROLLBACK.  The
 * name has two parts because postgresql.conf knows no more; a line with three
 * keeps the server from starting.  Every region has a prefix of its own,
 * because a prefix is reserved as a whole: with a common one, the lines of a
 * region that stand before "dogpile.regions" would be refused at the reload
 * that adds the region.
 *
 * A hook is not told which variable it is called for.  So a hook only counts
 * the change, and what follows from settings ("vary" parsed, the store looked
 * up) is brought up to date when the region is next asked for.
 *
 * This file never calls a store: whether one can be used is told by a function
 * that the caller passes.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/setting.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/memutils.h"

#include "setting.h"

/* What a region's setting looks like. */
typedef struct RegionSetting
{
	const char *name;			/* without the prefix */
	const char *description;
	const char *extra;			/* more of it, or NULL */
	enum config_type type;
	Size		offset;			/* in DogpileRegion; of the type's C type */
	GucContext	context;
	int			flags;			/* GUC_UNIT_... */

	/* The default, and the range of a number. */
	const char *text;
	double		number;			/* or the value of an enum, or 0 and 1 */
	double		min;
	double		max;
	const struct config_enum_entry *options;

	GucStringCheckHook check_string;
	GucRealCheckHook check_real;
} RegionSetting;

static bool check_backend(char **newval, void **extra, GucSource source);
static bool check_expiration_time(double *newval, void **extra,
								  GucSource source);

static const struct config_enum_entry timeout_actions[] = {
	{"error", DOGPILE_TIMEOUT_ERROR, false},
	{"compute", DOGPILE_TIMEOUT_COMPUTE, false},
	{NULL, 0, false}
};

/*
 * The settings of a region.
 *
 * A session may choose for itself how old a value it takes and how long it
 * waits.  What decides who is served whose value, where values are and what
 * others find of them is the administrator's.
 */
static const RegionSetting region_settings[] = {
	{
		.name = "backend",
		.description = "Sets the store that holds the values of the region.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, backend),
		.context = PGC_SIGHUP,
		.text = "shared_memory",
		.check_string = check_backend,
	},
	{
		.name = "expiration_time",
		.description = "Sets the age after which a value is stale and one session creates it anew.",
		.extra = "-1 means that values never expire.",
		.type = PGC_REAL,
		.offset = offsetof(DogpileRegion, expiration_time_s),
		.context = PGC_USERSET,
		.flags = GUC_UNIT_S,
		.number = -1,
		.min = -1,
		.max = DOGPILE_MAX_EXPIRATION_S,
		.check_real = check_expiration_time,
	},
	{
		.name = "hard_expiration_factor",
		.description = "Sets how many times the expiration time a value is kept and served as stale.",
		.type = PGC_REAL,
		.offset = offsetof(DogpileRegion, hard_expiration_factor),
		.context = PGC_SIGHUP,
		.number = 8,
		.min = 1,
		.max = DOGPILE_MAX_HARD_FACTOR,
	},
	{
		.name = "lock_timeout",
		.description = "Sets how long a session waits for a value that another one creates.",
		.extra = "0 means as long as the session's own limits allow.",
		.type = PGC_INT,
		.offset = offsetof(DogpileRegion, lock_timeout_ms),
		.context = PGC_USERSET,
		.flags = GUC_UNIT_MS,
		.min = 0,
		.max = INT_MAX,
	},
	{
		.name = "lock_timeout_action",
		.description = "Sets what a session does once it has waited for as long as lock_timeout says.",
		.type = PGC_ENUM,
		.offset = offsetof(DogpileRegion, lock_timeout_action),
		.context = PGC_USERSET,
		.number = DOGPILE_TIMEOUT_ERROR,
		.options = timeout_actions,
	},
	{
		.name = "max_value_size",
		.description = "Sets the size above which a value is returned but not stored.",
		.type = PGC_INT,
		.offset = offsetof(DogpileRegion, max_value_size_kb),
		.context = PGC_SIGHUP,
		.flags = GUC_UNIT_KB,
		.number = 8 * 1024,
		.min = 1,
		.max = MaxAllocSize / 1024,
	},
	{
		.name = "snapshot_reads",
		.description = "Makes transactions above READ COMMITTED compute values from their own snapshot.",
		.type = PGC_BOOL,
		.offset = offsetof(DogpileRegion, snapshot_reads),
		.context = PGC_USERSET,
		.number = false,
	},
	{
		.name = "vary",
		.description = "Sets what tells values apart besides the key.",
		.extra = "A list of \"role\", \"session_user\", \"search_path\" and names of settings.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, vary_text),
		.context = PGC_SIGHUP,
		.flags = GUC_LIST_INPUT,
		.text = "role, search_path",
		.check_string = dogpile_vary_check,
	},
};

/* Above what a new region has, so that the region is not up to date. */
uint32		dogpile_setting_generation = 1;

static DogpileBackendCheck backend_usable = NULL;

/*
 * The check hook of "backend".
 *
 * A string and not an enum, because the options of an enum are fixed when it is
 * defined, while other modules may bring stores of their own.
 */
static bool
check_backend(char **newval, void **extra, GucSource source)
{
	const char *detail = NULL;

	if (backend_usable(*newval, &detail))
		return true;

	GUC_check_errcode(ERRCODE_FEATURE_NOT_SUPPORTED);
	GUC_check_errmsg("cache backend \"%s\" is not supported by this build",
					 *newval);
	if (detail != NULL)
		GUC_check_errdetail("%s", detail);
	return false;
}

/*
 * The check hook of "expiration_time".
 *
 * The range alone would let through what looks like -1 but is in another unit,
 * such as "-1ms".
 */
static bool
check_expiration_time(double *newval, void **extra, GucSource source)
{
	if (*newval >= 0 || *newval == -1)
		return true;

	GUC_check_errdetail("The value must be -1, which means never, or at least 0.");
	return false;
}

/* The assign hook of settings that something follows from. */
static void
note_change(const char *newval, void *extra)
{
	dogpile_setting_generation++;
}

/*
 * Note what the check of "backend" asks.
 *
 * check_backend: tells whether a store can be used.  It must accept
 * "shared_memory", and is called whenever a "backend" is about to be set.
 *
 * Errors: none.
 */
void
dogpile_setting_init(DogpileBackendCheck check_backend)
{
	backend_usable = check_backend;
}

/*
 * Define one setting of a region.
 *
 * PostgreSQL copies the name, but keeps the pointers to the descriptions.
 */
static void
define_setting(DogpileRegion *region, const RegionSetting *s)
{
	char		name[NAMEDATALEN * 2];
	void	   *value = (char *) region + s->offset;

	snprintf(name, sizeof(name), DOGPILE_PREFIX "_%s.%s", region->name, s->name);

	switch (s->type)
	{
		case PGC_BOOL:
			DefineCustomBoolVariable(name, s->description, s->extra, value,
									 s->number != 0, s->context, s->flags,
									 NULL, NULL, NULL);
			break;
		case PGC_INT:
			DefineCustomIntVariable(name, s->description, s->extra, value,
									(int) s->number, (int) s->min,
									(int) s->max, s->context, s->flags,
									NULL, NULL, NULL);
			break;
		case PGC_REAL:
			DefineCustomRealVariable(name, s->description, s->extra, value,
									 s->number, s->min, s->max, s->context,
									 s->flags, s->check_real, NULL, NULL);
			break;
		case PGC_STRING:
			DefineCustomStringVariable(name, s->description, s->extra, value,
									   s->text, s->context, s->flags,
									   s->check_string, note_change, NULL);
			break;
		case PGC_ENUM:
			DefineCustomEnumVariable(name, s->description, s->extra, value,
									 (int) s->number, s->options, s->context,
									 s->flags, NULL, NULL, NULL);
			break;
	}
}

/*
 * Define the settings of a new region, and reserve their prefix.
 *
 * Lines of postgresql.conf that PostgreSQL has kept as placeholders take effect
 * now.  Reserving the prefix reports those that are no settings of ours, and
 * makes PostgreSQL refuse such names from now on.
 *
 * Errors: out of memory, and if another module has defined one of the names.
 */
void
dogpile_setting_define(DogpileRegion *region)
{
	char		prefix[NAMEDATALEN * 2];

	for (int i = 0; i < lengthof(region_settings); i++)
		define_setting(region, &region_settings[i]);

	snprintf(prefix, sizeof(prefix), DOGPILE_PREFIX "_%s", region->name);
	MarkGUCPrefixReserved(prefix);
}

/*
 * Bring up to date what follows from a region's settings.
 *
 * Any change makes all regions out of date, as there is a single count.  Only
 * reloads change these settings, and parsing "vary" again costs little.
 *
 * Errors: out of memory.
 */
void
dogpile_setting_refresh(DogpileRegion *region)
{
	DogpileVary *vary;

	if (region->generation == dogpile_setting_generation)
		return;

	vary = dogpile_vary_parse(region->vary_text, TopMemoryContext);
	if (region->vary != NULL)
		pfree(unconstify(DogpileVary *, region->vary));
	region->vary = vary;
	region->store = NULL;
	region->generation = dogpile_setting_generation;
}
