/*-------------------------------------------------------------------------
 *
 * old_partitions.c
 *	  Gives a session an outdated list of partitions, for tests.
 *
 * PostgreSQL may keep the partition list that it was building when the message about a
 * change arrived.  That happens rarely.  This module saves the list that a session has,
 * and puts it back later, when another session has attached a partition.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  test/modules/old_partitions/old_partitions.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "fmgr.h"
#include "partitioning/partdesc.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(old_partitions_keep);
PG_FUNCTION_INFO_V1(old_partitions_restore);

static PartitionDesc kept = NULL;
static MemoryContext kept_context = NULL;

/* Set the list of a table aside.  PostgreSQL will build another one. */
Datum
old_partitions_keep(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessShareLock);

	kept = RelationGetPartitionDesc(rel, false);
	kept_context = rel->rd_pdcxt;
	MemoryContextSetParent(kept_context, TopMemoryContext);
	rel->rd_partdesc = NULL;
	rel->rd_pdcxt = NULL;
	table_close(rel, AccessShareLock);
	PG_RETURN_VOID();
}

/* Put it back. */
Datum
old_partitions_restore(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(PG_GETARG_OID(0), AccessShareLock);

	(void) RelationGetPartitionDesc(rel, false);
	MemoryContextDelete(rel->rd_pdcxt);
	rel->rd_partdesc = kept;
	rel->rd_pdcxt = kept_context;
	MemoryContextSetParent(kept_context, CacheMemoryContext);
	table_close(rel, AccessShareLock);
	PG_RETURN_VOID();
}
