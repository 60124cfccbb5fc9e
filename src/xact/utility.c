/*-------------------------------------------------------------------------
 *
 * utility.c
 *	  The hook for utility statements, for the modules of this folder.
 *
 *		COMMIT PREPARED		marks what the transaction has changed (prepared.c)
 *		VACUUM, ANALYZE		do not change anything, although they send messages
 *							(catalog.c)
 *		all					note the clock of versions if the transaction has no
 *							snapshot yet (version.c)
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/utility.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/defrem.h"
#include "tcop/utility.h"

#include "lib/stop.h"
#include "version/version.h"
#include "xact/catalog.h"
#include "xact/change.h"
#include "xact/prepared.h"
#include "xact/utility.h"

static ProcessUtility_hook_type prev_process_utility = NULL;

/* Is this VACUUM FULL?  It moves rows, and queries can read where rows are. */
static bool
is_vacuum_full(const VacuumStmt *statement)
{
	ListCell   *lc;

	foreach(lc, statement->options)
	{
		DefElem    *option = lfirst(lc);

		if (strcmp(option->defname, "full") == 0 && defGetBoolean(option))
			return true;
	}
	return false;
}

/* What a statement means for the messages of its transaction. */
static DogpileStatement
classify(const Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_VacuumStmt:
			return is_vacuum_full((const VacuumStmt *) statement) ?
				DOGPILE_STATEMENT_OTHER : DOGPILE_STATEMENT_VACUUM;
		case T_TransactionStmt:
		case T_VariableSetStmt:
		case T_VariableShowStmt:
			return DOGPILE_STATEMENT_NEUTRAL;
		default:
			return DOGPILE_STATEMENT_OTHER;
	}
}

/* Is this COMMIT PREPARED, where it is allowed?  Elsewhere, it will fail. */
static bool
is_commit_prepared(const Node *statement)
{
	return IsA(statement, TransactionStmt) &&
		((const TransactionStmt *) statement)->kind == TRANS_STMT_COMMIT_PREPARED &&
		!IsTransactionBlock();
}

/* Does a statement import a snapshot, which is older than the transaction? */
static bool
imports_snapshot(const Node *statement)
{
	const VariableSetStmt *set = (const VariableSetStmt *) statement;

	return IsA(statement, VariableSetStmt) && set->kind == VAR_SET_MULTI &&
		strcmp(set->name, "TRANSACTION SNAPSHOT") == 0;
}

static void
see_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
			ProcessUtilityContext context, ParamListInfo params,
			QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *qc)
{
	ProcessUtility_hook_type process = prev_process_utility ?
		prev_process_utility : standard_ProcessUtility;
	DogpileStatement kind = classify(pstmt->utilityStmt);
	bool		is_commit = is_commit_prepared(pstmt->utilityStmt);

	dogpile_change_note_statement(kind);
	if (is_commit)
	{
		dogpile_prepared_begin_commit(((TransactionStmt *) pstmt->utilityStmt)->gid);
		dogpile_stop(DOGPILE_STOP_MARKED);
	}
	process(pstmt, query, read_only_tree, context, params, environment, dest, qc);
	if (kind == DOGPILE_STATEMENT_VACUUM)
		dogpile_catalog_end_vacuum();
	if (imports_snapshot(pstmt->utilityStmt))
		dogpile_version_forget_snapshot();
	else
		dogpile_version_note_snapshot();
}

/* Register the hook.  Called once, at load. */
void
dogpile_utility_init(void)
{
	prev_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = see_utility;
}
