/*-------------------------------------------------------------------------
 *
 * config.c
 *	  The settings of the module, and the regions that dogpile.regions names.
 *
 * The assign hook of "dogpile.regions" defines regions and their variables, at start
 * and in every process at reload.  An error there would end the postmaster, so the
 * check hook refuses whatever could fail later.  A variable cannot be undefined: a
 * region that a reload removes keeps its variables and its struct.  It is inactive, and
 * is used again when a later reload adds it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/config.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "config/config.h"
#include "config/define.h"
#include "config/secret.h"
#include "lib/compat.h"

#define PREFIX				DOGPILE_PREFIX
#define DEFAULT_REGION		"default"

/* dogpile.shared_memory, dogpile.max_pending_size and dogpile.commit_timeout. */
int			dogpile_shared_memory_kb = 128 * 1024;
int			dogpile_max_pending_size_kb = 64 * 1024;
int			dogpile_commit_timeout_ms = 5000;

/* dogpile.regions: names of the regions, apart from the default one. */
static char *regions_text = NULL;

/* All regions that have ever been configured, "default" first. */
static List *regions = NIL;

/* The region that was asked for last. */
static DogpileRegion *last_region = NULL;

/* PgReloadTime at that time: not every reload calls one of our hooks. */
static TimestampTz last_reload = DT_NOBEGIN;

/* Set once regions follow dogpile.regions at every change. */
static bool regions_defined = false;

/* Define a region: its struct, at the end of the list, and its settings. */
static DogpileRegion *
define_region(const char *name)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(TopMemoryContext);
	DogpileRegion *region = palloc0(sizeof(DogpileRegion));

	strlcpy(region->name, name, sizeof(region->name));
	region->name_len = strlen(region->name);
	region->number = -1;
	regions = lappend(regions, region);
	MemoryContextSwitchTo(oldcontext);

	dogpile_define_region(region);
	return region;
}

/* The region of this name, active or not, or NULL. */
static DogpileRegion *
find_region(const char *name, int name_len)
{
	ListCell   *lc;

	foreach(lc, regions)
	{
		DogpileRegion *region = lfirst(lc);

		if (region->name_len == name_len && memcmp(region->name, name, name_len) == 0)
			return region;
	}
	return NULL;
}

/* Activate a region, which is defined if there never was one of this name. */
static void
activate_region(const char *name)
{
	DogpileRegion *region = find_region(name, strlen(name));

	if (region == NULL)
		region = define_region(name);
	region->active = true;
}

/*
 * Activate the regions that the list names and the default region, and no others.
 *
 * No caller holds a pointer to a region meanwhile, since reloads take place between
 * commands.
 */
static void
activate_regions(const char *list)
{
	char	   *copy = pstrdup(list);
	List	   *names;
	ListCell   *lc;

	foreach(lc, regions)
		((DogpileRegion *) lfirst(lc))->active = false;

	activate_region(DEFAULT_REGION);
	(void) SplitGUCList(copy, ',', &names);
	foreach(lc, names)
		activate_region(lfirst(lc));

	last_region = NULL;
	list_free(names);
	pfree(copy);
}

/*
 * Is this the name of a setting of ours, of a region that does not exist?
 *
 * *region is set to where in the name the region begins, or to NULL if the name
 * has no place for one; *region_len to its length in bytes.
 *
 * Errors: none.
 */
bool
dogpile_config_lacks_region(const char *name, const char **region, int *region_len)
{
	const char *dot = strchr(name, '.');
	const char *rest;
	ListCell   *lc;

	if (!dogpile_line_is_ours(name) || dot == NULL)
		return false;

	/* PostgreSQL reports names that begin with "dogpile.", which is reserved. */
	rest = name + strlen(PREFIX);
	if (dot == rest)
		return false;

	*region = (*rest == '_') ? rest + 1 : NULL;
	*region_len = dot - rest - 1;
	if (*region == NULL)
		return true;

	/* Names of settings are not case-sensitive, those of regions are. */
	foreach(lc, regions)
	{
		const DogpileRegion *r = lfirst(lc);

		if (r->active && r->name_len == *region_len &&
			pg_strncasecmp(r->name, *region, *region_len) == 0)
			return false;
	}
	return true;
}

/* Report a line of which dogpile_config_lacks_region() is true. */
static void
report_line(const DogpileLine *line, const char *region, int region_len)
{
	ereport(WARNING,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("unrecognized configuration parameter \"%s\" %s",
					line->name, dogpile_line_where(line)),
			 region == NULL ? 0 :
			 errdetail("Cache region \"%.*s\" does not exist.",
					   region_len, region),
			 region == NULL ?
			 errhint("Settings of cache regions begin with \"" PREFIX "_\" and the name of the region.") :
			 errhint("Add it to \"" PREFIX ".regions\".")));
}

/*
 * Report lines for regions that do not exist.
 *
 * PostgreSQL cannot report them: a name whose prefix is not reserved may belong to a
 * module that is loaded later.  As with other errors in configuration files, only the
 * postmaster reports.
 *
 * That includes settings of a region that a reload has removed, although they still
 * exist: after a restart they would not.
 *
 * A reload of files without "dogpile.regions" calls no hook of ours and reports
 * nothing.
 */
static void
report_unknown_regions(void)
{
	ListCell   *lc;

	if (IsUnderPostmaster)
		return;
	foreach(lc, dogpile_verdict_lines())
	{
		const DogpileLine *line = lfirst(lc);
		const char *region;
		int			region_len;

		if (dogpile_config_lacks_region(line->name, &region, &region_len))
			report_line(line, region, region_len);
	}
}

/*
 * Can a region have this name?  If not, set the detail of the check hook.
 *
 * The name becomes part of the names of settings, which are not case-sensitive.
 * Upper case is refused and not folded, because the name that a query gives is not
 * folded either.
 */
static bool
check_region_name(const char *name)
{
	int			len = strlen(name);

	if (len > 0 && len <= DOGPILE_MAX_REGION_NAME &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == len &&
		!(name[0] >= '0' && name[0] <= '9'))
		return true;

	GUC_check_errdetail("Region name \"%s\" is not valid.", name);
	GUC_check_errhint("Region names have 1 to %d lower-case letters, digits and underscores, and do not begin with a digit.",
					  DOGPILE_MAX_REGION_NAME);
	return false;
}

/* Is the name in this cell of the list also in an earlier one? */
static bool
is_duplicate(List *names, ListCell *cell)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (lc == cell)
			break;
		if (strcmp(lfirst(lc), lfirst(cell)) == 0)
			return true;
	}
	return false;
}

/* Check each name in dogpile.regions, and how many there are. */
static bool
check_region_names(List *names)
{
	int			count = 1;		/* the default region */
	ListCell   *lc;

	foreach(lc, names)
	{
		const char *name = lfirst(lc);

		if (!check_region_name(name))
			return false;
		if (is_duplicate(names, lc))
		{
			GUC_check_errdetail("Region \"%s\" is named twice.", name);
			return false;
		}
		if (strcmp(name, DEFAULT_REGION) != 0)
			count++;
	}

	if (count > DOGPILE_MAX_REGIONS)
	{
		GUC_check_errdetail("There are %d regions, \"%s\" included; the limit is %d.",
							count, DEFAULT_REGION, DOGPILE_MAX_REGIONS);
		return false;
	}
	return true;
}

/* The check hook of dogpile.regions. */
static bool
check_regions(char **newval, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*newval);
	List	   *names;
	bool		ok;

	ok = SplitGUCList(copy, ',', &names);
	if (!ok)
		GUC_check_errdetail("List syntax is invalid.");
	else
		ok = check_region_names(names);

	list_free(names);
	pfree(copy);
	return ok;
}

/*
 * The assign hook of dogpile.regions.  It fails only if out of memory.
 *
 * The new value is split again, and not passed by the check hook as "extra", because
 * PostgreSQL versions differ in how that must be allocated.
 */
static void
assign_regions(const char *newval, void *extra)
{
	/*
	 * While the setting is being defined it is assigned twice: its default,
	 * then the value in the files.  dogpile_config_define() activates the
	 * regions of the latter.
	 */
	if (!regions_defined)
		return;

	dogpile_verdict_follow_reload();
	activate_regions(newval);
	dogpile_secret_define_stray(dogpile_verdict_lines());
	report_unknown_regions();
}

/*
 * Define all settings, and the regions that are configured.
 *
 * preloading: whether the postmaster loads the module.  If not, no settings are
 * defined, as they could not take effect, and there are no regions.
 * check_backend: returns whether a store can be used.  It must accept
 * "shared_memory", and is called whenever a "backend" is about to be set.
 * check_wrappers: the same for a list of wrappers.
 * check_region: returns whether all the settings of a region go together.
 *
 * Errors: out of memory.
 */
void
dogpile_config_define(bool preloading, DogpileBackendCheck check_backend,
					  DogpileBackendCheck check_wrappers,
					  DogpileRegionCheck check_region)
{
	if (!preloading)
		return;

	dogpile_setting_init(check_backend, check_wrappers);
	dogpile_verdict_init(check_region);
	dogpile_secret_init(dogpile_define_refresh);
	DefineCustomIntVariable(PREFIX ".shared_memory",
							"Sets the amount of shared memory that holds values.",
							NULL,
							&dogpile_shared_memory_kb,
							dogpile_shared_memory_kb, 1024, MAX_KILOBYTES,
							PGC_POSTMASTER, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable(PREFIX ".max_pending_size",
							"Sets the memory that a session uses for values that wait for COMMIT.",
							"Values that do not fit are not stored.",
							&dogpile_max_pending_size_kb,
							dogpile_max_pending_size_kb, 64, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable(PREFIX ".commit_timeout",
							"Sets the maximum time that a COMMIT waits for external stores.",
							"The limit applies separately before and after the transaction is committed.",
							&dogpile_commit_timeout_ms,
							dogpile_commit_timeout_ms, 10, 60 * 1000,
							PGC_SUSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomStringVariable(PREFIX ".regions",
							   "Sets the names of the cache regions.",
							   "A region called \"" DEFAULT_REGION "\" always exists.",
							   &regions_text,
							   "",
							   PGC_SIGHUP, GUC_LIST_INPUT,
							   check_regions, assign_regions, NULL);

	/*
	 * Last, because this removes variables with the prefix that are not
	 * defined.
	 */
	MarkGUCPrefixReserved(PREFIX);

	activate_regions(regions_text);
	dogpile_secret_define_stray(dogpile_verdict_lines());
	report_unknown_regions();
	regions_defined = true;
}

/*
 * Refuse to go on unless the module was preloaded.  Every function that users call
 * begins with this.
 *
 * Errors: the module was not preloaded.
 */
void
dogpile_config_require_preload(void)
{
	if (likely(regions_defined))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("dogpile must be loaded via \"shared_preload_libraries\""),
			 errhint("Add \"dogpile\" to \"shared_preload_libraries\" in postgresql.conf and restart the server.")));
}

/*
 * Find a region by its name, active or not.
 *
 * Returns the region, up to date, or NULL if it has never been configured since the
 * server started.
 *
 * Errors: out of memory.
 */
DogpileRegion *
dogpile_config_find_region(const char *name, int name_len)
{
	DogpileRegion *region = find_region(name, name_len);

	if (region)
		dogpile_define_refresh(region);
	return region;
}

/* The name of the active region that has this name in lower case, or NULL. */
static const char *
find_lower_case(const char *name, int name_len)
{
	char		lower[DOGPILE_MAX_REGION_NAME + 1];
	DogpileRegion *region;

	if (name_len > DOGPILE_MAX_REGION_NAME)
		return NULL;
	for (int i = 0; i < name_len; i++)
		lower[i] = pg_tolower((unsigned char) name[i]);
	region = find_region(lower, name_len);
	return region != NULL && region->active ? region->name : NULL;
}

/* Raise an error: there is no such region, perhaps because dogpile.regions is not valid. */
pg_noreturn static void
raise_unknown(const char *name, int name_len)
{
	const char *fault = dogpile_verdict_module_fault();
	const char *similar = find_lower_case(name, name_len);

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("cache region \"%.*s\" does not exist",
					name_len, name),
			 fault != NULL ? errdetail("%s", fault) : 0,
			 similar != NULL ? errhint("Perhaps you meant the region \"%s\".", similar) :
			 errhint("Add it to \"" PREFIX ".regions\".")));
}

/* Raise an error that tells what is wrong with a region, as far as the caller may know. */
pg_noreturn static void
raise_fault(const DogpileRegion *region)
{
	bool		may_know = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_SETTINGS);

	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("cache region \"%s\" cannot be used", region->name),
			 errdetail("%s", may_know ? region->fault : region->public_fault),
			 errhint("Correct the settings and reload the configuration, and start a new session if the error persists.")));
}

/*
 * Get a region by its name.
 *
 * name: need not end with a zero; name_len: its length in bytes.
 *
 * Returns the region, which is active, valid and up to date.  Getting the same region
 * again costs one comparison.
 *
 * Errors: there is no such region; its settings are not valid.
 */
DogpileRegion *
dogpile_config_get_region(const char *name, int name_len)
{
	DogpileRegion *region = last_region;

	/* It is active, or activate_regions() would have reset last_region. */
	if (likely(region != NULL && region->name_len == name_len &&
			   memcmp(region->name, name, name_len) == 0 &&
			   region->generation == dogpile_verdict_generation &&
			   last_reload == PgReloadTime))
		return region;

	region = find_region(name, name_len);
	if (region == NULL || !region->active)
		raise_unknown(name, name_len);
	dogpile_define_refresh(region);
	if (region->fault != NULL)
		raise_fault(region);
	last_region = region;
	last_reload = PgReloadTime;
	return region;
}

/*
 * All regions, "default" first.
 *
 * Returns a list of DogpileRegion, which is empty if the module was not preloaded.
 * All regions are up to date; the caller skips those that are not active.
 *
 * Errors: out of memory.
 */
const List *
dogpile_config_regions(void)
{
	ListCell   *lc;

	foreach(lc, regions)
		dogpile_define_refresh(lfirst(lc));
	return regions;
}

/*
 * Bring all regions up to date, so that SHOW shows the values in effect.
 *
 * Errors: out of memory.
 */
void
dogpile_config_catch_up(void)
{
	(void) dogpile_config_regions();
}
