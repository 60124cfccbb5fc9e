/*-------------------------------------------------------------------------
 *
 * setting.c
 *	  The settings that a region has, and the values that they take.
 *
 * The table below defines them.  PostgreSQL's variables are made from it (define.c),
 * and the lines of configuration files are checked by it (verdict.c).  These do not
 * depend on each other: a line must be checked even where PostgreSQL has kept an older
 * value instead.
 *
 * This file never calls a store: dogpile_setting_init() gets a function that returns
 * whether a store can be used.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/setting.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "config/setting.h"

static bool check_backend_name(char **newval, void **extra, GucSource source);
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
 * A session may choose how old a value it accepts and how long it waits.  Only the
 * administrator chooses which sessions share values, where values are stored and how
 * other sessions find them.
 */
const DogpileSetting dogpile_settings[] = {
	{
		.name = "backend",
		.description = "Sets the store that holds the values of the region.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, backend),
		.context = PGC_SIGHUP,
		.text = DOGPILE_SHARED_MEMORY,
		.check_string = check_backend_name,
	},
	{
		.name = "expiration_time",
		.description = "Sets the age after which a value is stale and one session creates it again.",
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
		.description = "Sets for how many times the expiration time a value is kept.",
		.extra = "Until then it is returned as stale while one session creates it again.",
		.type = PGC_REAL,
		.offset = offsetof(DogpileRegion, hard_expiration_factor),
		.context = PGC_SIGHUP,
		.number = 8,
		.min = 1,
		.max = DOGPILE_MAX_HARD_FACTOR,
	},
	{
		.name = "lock_timeout",
		.description = "Sets how long a session waits for a value that another session creates.",
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
		.description = "Sets what a session does when lock_timeout is over.",
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
		.max = 1024 * 1024,
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
		.description = "Sets whether values are invalidated when data that their query has read are changed.",
		.type = PGC_ENUM,
		.offset = offsetof(DogpileRegion, depends),
		.context = PGC_SIGHUP,
		.number = DOGPILE_DEPENDS_NONE,
		.options = depends_modes,
	},
	{
		.name = "nondeterministic",
		.description = "Sets what happens if it is not known what a value depends on.",
		.extra = "This has an effect only if \"depends\" is \"auto\".",
		.type = PGC_ENUM,
		.offset = offsetof(DogpileRegion, nondeterministic),
		.context = PGC_SIGHUP,
		.number = DOGPILE_NONDETERMINISTIC_THROW,
		.options = nondeterministic_actions,
	},
	{
		.name = "verify_fraction",
		.description = "Sets the fraction of hits that are computed again and compared.",
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
		.is_secret = true,
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
		.description = "Sets the text that stands for the database in names in the store.",
		.extra = "An empty string means the name of the database.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, name_space),
		.context = PGC_SIGHUP,
		.text = "",
	},
	{
		.name = "secret",
		.description = "Sets the secret by which values in the store are authenticated.",
		.extra = "An empty string means that values are not authenticated.",
		.type = PGC_STRING,
		.offset = offsetof(DogpileRegion, secret),
		.context = PGC_SIGHUP,
		.flags = GUC_SUPERUSER_ONLY | GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE,
		.is_secret = true,
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
		.description = "Sets how long other servers respect a lock that its owner does not renew.",
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
		.description = "Sets how long a copy of a value in an external store is kept in shared memory.",
		.extra = "0 means that no copies are kept.",
		.type = PGC_REAL,
		.offset = offsetof(DogpileRegion, local_expiration_time_s),
		.context = PGC_SIGHUP,
		.flags = GUC_UNIT_S,
		.max = DOGPILE_MAX_EXPIRATION_S,
	},
};

const int	dogpile_nsettings = lengthof(dogpile_settings);

static DogpileBackendCheck backend_usable = NULL;
static DogpileBackendCheck wrappers_usable = NULL;

/*
 * The check hook of "backend".
 *
 * The setting is a string and not an enum, because the options of an enum are fixed
 * when it is defined, while other modules may add backends.
 */
static bool
check_backend_name(char **newval, void **extra, GucSource source)
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

/* The check hook of "wrap", which is a string for the same reason. */
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
 * The check hook of "key_prefix": characters that every store accepts in a name, and few
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
 * The check hook of "key_mangler": the name of a digest or of a function.  A function
 * may exist in some databases only, so it is looked up when it is used.
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
 * The range alone would accept a value such as "-1ms", which is not -1 in seconds.
 */
static bool
check_expiration_time(double *newval, void **extra, GucSource source)
{
	if (*newval >= 0 || *newval == -1)
		return true;

	GUC_check_errdetail("The value must be -1, which means never, or at least 0.");
	return false;
}

/*
 * Set the functions that the check hooks of "backend" and "wrap" call.
 *
 * check_backend: returns whether a store can be used.  It must accept
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
 * Find a setting by its name without the prefix, ignoring case as PostgreSQL does.
 *
 * Returns NULL if there is none.
 *
 * Errors: none.
 */
const DogpileSetting *
dogpile_setting_find(const char *name)
{
	for (int i = 0; i < dogpile_nsettings; i++)
		if (pg_strcasecmp(dogpile_settings[i].name, name) == 0)
			return &dogpile_settings[i];
	return NULL;
}

/* The default of an enum, as text. */
static const char *
enum_default(const DogpileSetting *s)
{
	const struct config_enum_entry *option = s->options;

	while (option->val != (int) s->number)
		option++;
	return option->name;
}

/*
 * The default of a setting as text, without a unit.
 *
 * Returns it in CurrentMemoryContext.
 *
 * Errors: out of memory.
 */
const char *
dogpile_setting_default(const DogpileSetting *s)
{
	switch (s->type)
	{
		case PGC_BOOL:
			return s->number != 0 ? "on" : "off";
		case PGC_INT:
			return psprintf("%d", (int) s->number);
		case PGC_REAL:
			return psprintf("%.17g", s->number);
		case PGC_STRING:
			return s->text;
		case PGC_ENUM:
			return enum_default(s);
	}
	return "";
}

/* Is a number within the range of a setting?  If not, set *reason. */
static bool
check_range(const DogpileSetting *s, double number, const char **reason)
{
	if (number >= s->min && number <= s->max)
		return true;
	*reason = psprintf("It must be between %g and %g.", s->min, s->max);
	return false;
}

/* Parse an enum; if there is no such option, set *reason to a list of all options. */
static bool
parse_enum(const DogpileSetting *s, const char *value, int *result, const char **reason)
{
	StringInfoData names;

	initStringInfo(&names);
	for (const struct config_enum_entry *o = s->options; o->name != NULL; o++)
	{
		if (pg_strcasecmp(o->name, value) == 0)
		{
			*result = o->val;
			return true;
		}
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", o->name);
	}
	*reason = psprintf("Available values: %s.", names.data);
	return false;
}

/*
 * The detail that a check hook has set for PostgreSQL, or NULL.  It is cleared, so that
 * PostgreSQL does not report it with the next variable.
 */
static const char *
take_check_reason(void)
{
	const char *detail = GUC_check_errdetail_string;

	GUC_check_errdetail_string = GUC_check_errmsg_string = GUC_check_errhint_string = NULL;
	return detail == NULL ? NULL : pstrdup(detail);
}

/* Parse a number, with a unit by PostgreSQL's rules. */
static bool
parse_number(const DogpileSetting *s, const char *value, void *field,
			 const char **reason)
{
	double		number;
	int			integer;
	const char *hint = NULL;
	bool		ok = s->type == PGC_INT ? parse_int(value, &integer, s->flags, &hint) :
		parse_real(value, &number, s->flags, &hint);

	if (!ok)
		*reason = hint;
	else if (s->type == PGC_INT)
	{
		ok = check_range(s, integer, reason);
		*(int *) field = integer;
	}
	else
	{
		void	   *extra = NULL;

		ok = check_range(s, number, reason);
		if (ok && s->check_real != NULL)
			ok = s->check_real(&number, &extra, PGC_S_FILE);
		*(double *) field = number;
	}
	return ok;
}

/* Parse a string, which is any that the check hook accepts. */
static bool
parse_string(const DogpileSetting *s, const char *value, char **field)
{
	void	   *extra = NULL;

	*field = pstrdup(value);
	return s->check_string == NULL || s->check_string(field, &extra, PGC_S_FILE);
}

/*
 * Parse the value of a setting into a region's struct, and check it.
 *
 * region: a struct to be checked, to which no variables of PostgreSQL point.  Strings in
 *		it are allocated in CurrentMemoryContext.
 * reason: set to a sentence that tells why the value is not valid, or to NULL.
 *
 * Returns whether the value is valid.
 *
 * Errors: out of memory.
 */
bool
dogpile_setting_parse(const DogpileSetting *s, const char *value,
					  DogpileRegion *region, const char **reason)
{
	void	   *field = (char *) region + s->offset;
	bool		ok = false;

	*reason = NULL;
	switch (s->type)
	{
		case PGC_BOOL:
			ok = parse_bool(value, field);
			if (!ok)
				*reason = "It must be \"on\" or \"off\".";
			break;
		case PGC_INT:
		case PGC_REAL:
			ok = parse_number(s, value, field, reason);
			break;
		case PGC_STRING:
			ok = parse_string(s, value, field);
			break;
		case PGC_ENUM:
			ok = parse_enum(s, value, field, reason);
			break;
	}
	if (!ok && *reason == NULL)
		*reason = take_check_reason();
	return ok;
}
