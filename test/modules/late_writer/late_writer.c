/*-------------------------------------------------------------------------
 *
 * late_writer.c
 *	  A transaction that writes late, for tests.
 *
 * With "SET late_writer.statement = '...'", that statement is run in the PRE_COMMIT
 * callback of each transaction.
 *
 * The callback that is registered last is called first.  So a module that is
 * preloaded after this one has already done what it does at PRE_COMMIT.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;

static char *statement = NULL;

void		_PG_init(void);

static void
run_statement(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_PRE_COMMIT || statement[0] == '\0')
		return;
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute(statement, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", statement);
	PopActiveSnapshot();
	SPI_finish();
}

void
_PG_init(void)
{
	DefineCustomStringVariable("late_writer.statement",
							   "A statement that each transaction runs when it is about to commit.",
							   NULL, &statement, "", PGC_SUSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(run_statement, NULL);
}
