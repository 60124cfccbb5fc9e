/*-------------------------------------------------------------------------
 *
 * hint.c
 *	  Warns of names that look like settings of this module.
 *
 * PostgreSQL assumes that "dogpile_nosuch.vary" may belong to a module that is loaded
 * later, so SET, ALTER ROLE and ALTER DATABASE accept it silently.  For
 * "dogpile.reports.vary" it reports that the prefix is reserved, which does not help.
 *
 * set_config() and current_setting() are not checked; nor is SHOW of a name that does
 * not exist.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/hint.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/parsenodes.h"
#include "tcop/utility.h"

#include "config/config.h"
#include "core/hint.h"

static ProcessUtility_hook_type prev_process_utility = NULL;

/* Get the name of the setting that a statement sets or shows, or NULL. */
static const char *
name_of_statement(Node *statement, bool *is_set)
{
	VariableSetStmt *set = NULL;

	*is_set = false;
	switch (nodeTag(statement))
	{
		case T_VariableShowStmt:
			return ((VariableShowStmt *) statement)->name;
		case T_VariableSetStmt:
			set = (VariableSetStmt *) statement;
			break;
		case T_AlterSystemStmt:
			set = ((AlterSystemStmt *) statement)->setstmt;
			break;
		case T_AlterRoleSetStmt:
			set = ((AlterRoleSetStmt *) statement)->setstmt;
			break;
		case T_AlterDatabaseSetStmt:
			set = ((AlterDatabaseSetStmt *) statement)->setstmt;
			break;
		default:
			break;
	}
	*is_set = set != NULL && (set->kind == VAR_SET_VALUE || set->kind == VAR_SET_CURRENT);
	return set != NULL ? set->name : NULL;
}

/* Raise an error for "dogpile.reports.vary", which should be "dogpile_reports.vary". */
static void
refuse_three_parts(const char *name)
{
	const char *rest = name + strlen(DOGPILE_PREFIX);

	if (rest[0] != '.' || strchr(rest + 1, '.') == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("invalid configuration parameter name \"%s\"", name),
			 errhint("Names of settings have two parts: \"" DOGPILE_PREFIX "_%s\".",
					 rest + 1)));
}

/* Warn of a setting for a region that does not exist. */
static void
warn_of_region(const char *name)
{
	const char *region;
	int			region_len;

	if (!dogpile_config_lacks_region(name, &region, &region_len))
		return;
	ereport(WARNING,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("unrecognized configuration parameter \"%s\"", name),
			 region == NULL ? 0 :
			 errdetail("Cache region \"%.*s\" does not exist.", region_len, region),
			 region == NULL ?
			 errhint("Settings of cache regions begin with \"" DOGPILE_PREFIX "_\" and the name of the region.") :
			 errhint("Add it to \"" DOGPILE_PREFIX ".regions\".")));
}

static void
hint_process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
					 ProcessUtilityContext context, ParamListInfo params,
					 QueryEnvironment *environment, DestReceiver *dest,
					 QueryCompletion *qc)
{
	ProcessUtility_hook_type process = prev_process_utility ?
		prev_process_utility : standard_ProcessUtility;
	bool		is_set;
	const char *name = name_of_statement(pstmt->utilityStmt, &is_set);

	if (name != NULL && dogpile_line_is_ours(name))
	{
		refuse_three_parts(name);
		if (is_set)
			warn_of_region(name);
		dogpile_config_catch_up();
	}
	process(pstmt, query, read_only_tree, context, params, environment, dest, qc);
}

/* Install the hook for statements that are not queries.  Called once, at load. */
void
dogpile_hint_init(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = hint_process_utility;
}
