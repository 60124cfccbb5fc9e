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
#include "utils/varlena.h"

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
static bool check_wrap(char **newval, void **extra, GucSource source);
static bool check_key_prefix(char **newval, void **extra, GucSource source);
static bool check_key_mangler(char **newval, void **extra, GucSource source);
static bool check_expiration_time(double *newval, void **extra,
								  GucSource source);

static const struct config_enum_entry timeout_actions[] = {
	{"error", DOGPILE_TIMEOUT_ERROR, false},
	{"compute", DOGPILE_TIMEOUT_COMPUTE, false},
	{NULL, 0, false}
};

static const struct config_enum_entry depends_modes[] = {
	{"none", DOGPILE_DEPENDS_NONE, false},
	{"auto", DOGPILE_DEPENDS_AUTO, false},
	{NULL, 0, false}
};

static const struct config_enum_entry nondeterministic_actions[] = {
	{"throw", DOGPILE_NONDETERMINISTIC_THROW, false},
	{"bypass", DOGPILE_NONDETERMINISTIC_BYPASS, false},
	{"ignore", DOGPILE_NONDETERMINISTIC_IGNORE, false},
	{NULL, 0, false}
};

static const struct config_enum_entry tls_modes[] = {
	{"off", DOGPILE_TLS_OFF, false},
	{"on", DOGPILE_TLS_ON, false},
	{"verify", DOGPILE_TLS_VERIFY, false},
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
		.text = DOGPILE_SHARED_MEMORY,
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
		.name = "depends",
		.description = "Sets whether values are invalidated when what their query has read is changed.",
		.type = PGC_ENUM,
		.offset = offsetof(DogpileRegion, depends),
		.context = PGC_SIGHUP,
		.number = DOGPILE_DEPENDS_NONE,
		.options = depends_modes,
	},
	{
		.name = "nondeterministic",
		.description = "Sets what happens if it cannot be known what a value depends on.",
		.extra = "It matters only where \"depends\" is \"auto\".",
		.type = PGC_ENUM,
		.offset = offsetof(DogpileRegion, nondeterministic),
		.context = PGC_SIGHUP,
		.number = DOGPILE_NONDETERMINISTIC_THROW,
		.options = nondeterministic_actions,
	},
	{
		.name = "verify_fraction",
		.description = "Sets the share of hits that are computed once more and compared.",
		.type = PGC_REAL,
		.offset = offsetof(DogpileRegion, verify_fraction),
		.context = PGC_USERSET,
		.max = 1,
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

	/* Regions whose values live outside shared memory. */
	{
		.name = "servers",
		.description = "Sets the servers of the store: host:port or the path of a socket.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, servers),
		.context = PGC_SIGHUP,
		.flags = GUC_LIST_INPUT | GUC_SUPERUSER_ONLY,
		.text = "",
	},
	{
		.name = "sentinels",
		.description = "Sets the Redis Sentinels that know the server of the store.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, sentinels),
		.context = PGC_SIGHUP,
		.flags = GUC_LIST_INPUT | GUC_SUPERUSER_ONLY,
		.text = "",
	},
	{
		.name = "service_name",
		.description = "Sets the name by which Sentinels know the server of the store.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, service_name),
		.context = PGC_SIGHUP,
		.text = "",
	},
	{
		.name = "cluster",
		.description = "Sets whether the servers of the store are a Redis Cluster.",
		.type = PGC_BOOL,
		.offset = offsetof(DogpileRegion, cluster),
		.context = PGC_SIGHUP,
		.number = false,
	},
	{
		.name = "database",
		.description = "Sets the number of the Redis database.",
		.type = PGC_INT,
		.offset = offsetof(DogpileRegion, database),
		.context = PGC_SIGHUP,
		.max = 65535,
	},
	{
		.name = "user",
		.description = "Sets the user name that the store asks for.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, user),
		.context = PGC_SIGHUP,
		.flags = GUC_SUPERUSER_ONLY,
		.text = "",
	},
	{
		.name = "password",
		.description = "Sets the password that the store asks for.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, password),
		.context = PGC_SIGHUP,
		.flags = GUC_SUPERUSER_ONLY | GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE,
		.text = "",
	},
	{
		.name = "tls",
		.description = "Sets whether connections to the store are encrypted.",
		.type = PGC_ENUM,
		.offset = offsetof(DogpileRegion, tls),
		.context = PGC_SIGHUP,
		.number = DOGPILE_TLS_OFF,
		.options = tls_modes,
	},
	{
		.name = "tls_ca_file",
		.description = "Sets the file of the certificates that sign those of the store.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, tls_ca_file),
		.context = PGC_SIGHUP,
		.flags = GUC_SUPERUSER_ONLY,
		.text = "",
	},
	{
		.name = "options",
		.description = "Sets options that are passed on to the store's client library.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, options),
		.context = PGC_SIGHUP,
		.flags = GUC_SUPERUSER_ONLY,
		.text = "",
	},
	{
		.name = "max_total_size",
		.description = "Sets the size that the files of a region may have together.",
		.extra = "0 means no limit.",
		.type = PGC_INT,
		.offset = offsetof(DogpileRegion, max_total_size_mb),
		.context = PGC_SIGHUP,
		.flags = GUC_UNIT_MB,
		.number = 1024,
		.max = INT_MAX,
	},
	{
		.name = "connect_timeout",
		.description = "Sets how long connecting to a server of the store may take.",
		.type = PGC_INT,
		.offset = offsetof(DogpileRegion, connect_timeout_ms),
		.context = PGC_SIGHUP,
		.flags = GUC_UNIT_MS,
		.number = 250,
		.min = 1,
		.max = 60000,
	},
	{
		.name = "operation_timeout",
		.description = "Sets how long a server of the store may take to answer.",
		.type = PGC_INT,
		.offset = offsetof(DogpileRegion, operation_timeout_ms),
		.context = PGC_SIGHUP,
		.flags = GUC_UNIT_MS,
		.number = 250,
		.min = 1,
		.max = 60000,
	},
	{
		.name = "key_prefix",
		.description = "Sets what all names in the store begin with.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, key_prefix),
		.context = PGC_SIGHUP,
		.text = "dogpile:",
		.check_string = check_key_prefix,
	},
	{
		.name = "key_mangler",
		.description = "Sets how keys look in the store.",
		.extra = "\"none\", \"md5\", \"sha1\", \"sha256\", or a function of one text.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, key_mangler),
		.context = PGC_SIGHUP,
		.text = "none",
		.check_string = check_key_mangler,
	},
	{
		.name = "namespace",
		.description = "Sets what stands for the database in the names in the store.",
		.extra = "An empty string means the name of the database.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, name_space),
		.context = PGC_SIGHUP,
		.text = "",
	},
	{
		.name = "secret",
		.description = "Sets the secret by which values in the store are authenticated.",
		.extra = "An empty string means that they are not.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, secret),
		.context = PGC_SIGHUP,
		.flags = GUC_SUPERUSER_ONLY | GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE,
		.text = "",
	},
	{
		.name = "wrap",
		.description = "Sets the wrappers that calls of the store pass through.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, wrap),
		.context = PGC_SIGHUP,
		.flags = GUC_LIST_INPUT,
		.text = "",
		.check_string = check_wrap,
	},
	{
		.name = "distributed_lock",
		.description = "Sets whether one session among all servers creates a value.",
		.type = PGC_BOOL,
		.offset = offsetof(DogpileRegion, distributed_lock),
		.context = PGC_SIGHUP,
		.number = true,
	},
	{
		.name = "grace_time",
		.description = "Sets how long another server respects a lock without hearing of its owner.",
		.type = PGC_INT,
		.offset = offsetof(DogpileRegion, grace_time_ms),
		.context = PGC_SIGHUP,
		.flags = GUC_UNIT_MS,
		.number = 60000,
		.min = 1000,
		.max = 86400000,
	},
	{
		.name = "local_expiration_time",
		.description = "Sets how long a copy of a value from outside is kept in shared memory.",
		.extra = "0 means that no copies are kept.",
		.type = PGC_REAL,
		.offset = offsetof(DogpileRegion, local_expiration_time_s),
		.context = PGC_SIGHUP,
		.flags = GUC_UNIT_S,
		.max = DOGPILE_MAX_EXPIRATION_S,
	},
};

/* Above what a new region has, so that the region is not up to date. */
uint32		dogpile_setting_generation = 1;

static DogpileBackendCheck backend_usable = NULL;
static DogpileBackendCheck wrappers_usable = NULL;

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

/* The check hook of "wrap"; a string for the same reason. */
static bool
check_wrap(char **newval, void **extra, GucSource source)
{
	const char *detail = NULL;

	if (wrappers_usable(*newval, &detail))
		return true;
	if (detail != NULL)
		GUC_check_errdetail("%s", detail);
	return false;
}

/*
 * The check hook of "key_prefix": what every store takes in a name, and short
 * enough to leave room for the rest.
 */
static bool
check_key_prefix(char **newval, void **extra, GucSource source)
{
	if (strlen(*newval) > DOGPILE_MAX_KEY_PREFIX)
	{
		GUC_check_errdetail("It must have at most %d characters.",
							DOGPILE_MAX_KEY_PREFIX);
		return false;
	}
	for (const char *p = *newval; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '{' || *p == '}')
		{
			GUC_check_errdetail("It must consist of printable ASCII characters without blanks and braces.");
			return false;
		}
	return true;
}

/*
 * The check hook of "key_mangler": the name of a digest or of a function, which
 * may exist in some databases only and is looked up when it is used.
 */
static bool
check_key_mangler(char **newval, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*newval);
	List	   *names;
	bool		ok = SplitIdentifierString(copy, '.', &names) &&
		list_length(names) >= 1 && list_length(names) <= 2;

	if (!ok)
		GUC_check_errdetail("It must be \"none\", \"md5\", \"sha1\", \"sha256\", or the name of a function.");
	list_free(names);
	pfree(copy);
	return ok;
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

/* The assign hooks of settings that something follows from. */
static void
note_string_change(const char *newval, void *extra)
{
	dogpile_setting_generation++;
}

static void
note_int_change(int newval, void *extra)
{
	dogpile_setting_generation++;
}

static void
note_bool_change(bool newval, void *extra)
{
	dogpile_setting_generation++;
}

/*
 * Note what the checks of "backend" and "wrap" ask.
 *
 * check_backend: tells whether a store can be used.  It must accept
 * "shared_memory", and is called whenever a "backend" is about to be set.
 * check_wrappers: the same for a list of wrappers.
 *
 * Errors: none.
 */
void
dogpile_setting_init(DogpileBackendCheck check_backend,
					 DogpileBackendCheck check_wrappers)
{
	backend_usable = check_backend;
	wrappers_usable = check_wrappers;
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

	bool		is_followed = s->context == PGC_SIGHUP;

	snprintf(name, sizeof(name), DOGPILE_PREFIX "_%s.%s", region->name, s->name);

	switch (s->type)
	{
		case PGC_BOOL:
			DefineCustomBoolVariable(name, s->description, s->extra, value,
									 s->number != 0, s->context, s->flags, NULL,
									 is_followed ? note_bool_change : NULL, NULL);
			break;
		case PGC_INT:
			DefineCustomIntVariable(name, s->description, s->extra, value,
									(int) s->number, (int) s->min,
									(int) s->max, s->context, s->flags, NULL,
									is_followed ? note_int_change : NULL, NULL);
			break;
		case PGC_REAL:
			DefineCustomRealVariable(name, s->description, s->extra, value,
									 s->number, s->min, s->max, s->context,
									 s->flags, s->check_real, NULL, NULL);
			break;
		case PGC_STRING:
			DefineCustomStringVariable(name, s->description, s->extra, value,
									   s->text, s->context, s->flags,
									   s->check_string, note_string_change, NULL);
			break;
		case PGC_ENUM:
			DefineCustomEnumVariable(name, s->description, s->extra, value,
									 (int) s->number, s->options, s->context,
									 s->flags, NULL,
									 is_followed ? note_int_change : NULL, NULL);
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
 * reloads change these settings, and bringing them up to date costs little.
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
	region->remote = NULL;
	region->generation = dogpile_setting_generation;
}
