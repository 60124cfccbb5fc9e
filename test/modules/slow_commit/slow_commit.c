/*-------------------------------------------------------------------------
 *
 * slow_commit.c
 *	  A commit that takes its time, for tests.
 *
 * With "SET slow_commit.file = '...'", a transaction that has an id waits in its COMMIT
 * callback for as long as that file exists, but no longer than a minute.  At that time
 * other sessions see what it has done, but have not yet got its invalidation messages.
 *
 * The callback that is registered last is called first.  So a module that is
 * preloaded after this one has already done what it does at COMMIT.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

#define STEP_US		10000
#define MAX_STEPS	6000

static char *file = NULL;

void		_PG_init(void);

/* The transaction's id is already gone; so it is looked for before. */
static void
wait_for_file(XactEvent event, void *arg)
{
	static bool has_xid = false;

	if (event == XACT_EVENT_PRE_COMMIT)
		has_xid = TransactionIdIsValid(GetTopTransactionIdIfAny());
	else if (event == XACT_EVENT_COMMIT && has_xid && file[0] != '\0')
		for (int i = 0; i < MAX_STEPS && access(file, F_OK) == 0; i++)
			pg_usleep(STEP_US);
}

void
_PG_init(void)
{
	DefineCustomStringVariable("slow_commit.file",
							   "A commit waits for as long as this file exists.",
							   NULL, &file, "", PGC_SUSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(wait_for_file, NULL);
}
