/*-------------------------------------------------------------------------
 *
 * durable.c
 *	  Storing outside only what a crash of this server cannot take back.
 *
 * With synchronous_commit = off a transaction is visible to others before its WAL is
 * flushed, and a crash in between takes it back.  Values in shared memory are lost with
 * it.  Values outside are not: those that the transaction has set, and those computed
 * from its data, would be wrong.  So before anything is stored outside, WAL is flushed
 * as far as the value may depend on it.
 *
 * Mostly there is nothing to do, because a transaction that commits synchronously is
 * not visible before it is flushed.  So the others are counted while they commit, and
 * the end of the last one's commit record is noted.  A transaction that is visible to
 * a snapshot was counted before it became visible, and is until its position has been
 * noted.  If the count is not zero, all existing WAL is flushed, which contains its
 * commit record.
 *
 * A standby is sent only what is flushed, and COMMIT PREPARED always flushes.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/lib/durable.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "port/atomics.h"
#include "storage/shmem.h"

#include "lib/durable.h"
#include "lib/lwlock_check.h"

#define DURABLE_MAGIC	0x44504452

/* In shared memory. */
typedef struct Durable
{
	uint32		magic;
	pg_atomic_uint32 ncommitting;	/* without waiting for WAL */
	pg_atomic_uint64 last;		/* the end of their last commit record */
} Durable;

static Durable *durable = NULL;

/* Is this transaction one of those? */
static bool is_committing = false;

Size
dogpile_durable_shmem_size(void)
{
	return sizeof(Durable);
}

/*
 * Create the counters, or attach to them.
 *
 * Locks: AddinShmemInitLock must be held.
 */
void
dogpile_durable_shmem_init(void)
{
	bool		found;

	durable = ShmemInitStruct("dogpile durable", sizeof(Durable), &found);
	if (found)
	{
		Assert(durable->magic == DURABLE_MAGIC);
		return;
	}
	durable->magic = DURABLE_MAGIC;
	pg_atomic_init_u32(&durable->ncommitting, 0);
	pg_atomic_init_u64(&durable->last, 0);
}

/*
 * Note that this transaction is about to commit.  Called last at PRE_COMMIT.
 *
 * Errors: none.
 */
void
dogpile_durable_begin_commit(void)
{
	if (synchronous_commit != SYNCHRONOUS_COMMIT_OFF || durable == NULL ||
		!TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return;
	Assert(durable->magic == DURABLE_MAGIC);
	is_committing = true;

	/*
	 * A full barrier, which pairs with the locks that PostgreSQL takes to
	 * make this transaction visible and to take a snapshot.
	 */
	pg_atomic_fetch_add_u32(&durable->ncommitting, 1);
}

/* Advance the last position to this one, unless it is beyond that already. */
static void
advance(uint64 position)
{
	uint64		last = pg_atomic_read_u64(&durable->last);

	while (last < position &&
		   !pg_atomic_compare_exchange_u64(&durable->last, &last, position))
		;
}

/*
 * Note that it has committed, or failed to.  Called first at COMMIT and ABORT.
 *
 * Errors: none.
 */
void
dogpile_durable_end_commit(bool is_committed)
{
	if (!is_committing)
		return;
	is_committing = false;
	if (is_committed)
		advance(XactLastCommitEnd);

	/* A full barrier, which pairs with that of dogpile_durable_ensure(). */
	pg_atomic_fetch_sub_u32(&durable->ncommitting, 1);
}

/*
 * How far WAL goes.  If the last record ends with a page, the next one will begin
 * behind the header of the page that follows; to there WAL cannot be flushed yet.
 */
static XLogRecPtr
get_end_of_wal(void)
{
	XLogRecPtr	position = GetXLogInsertRecPtr();
	bool		is_first = XLogSegmentOffset(position, wal_segment_size) < XLOG_BLCKSZ;
	Size		header = is_first ? SizeOfXLogLongPHD : SizeOfXLogShortPHD;

	return position % XLOG_BLCKSZ == header ? position - header : position;
}

/*
 * Flush WAL as far as anything that this session has seen may depend on it.
 *
 * Errors: none but those of WAL that is damaged.  Locks: no LWLock may be held.
 */
void
dogpile_durable_ensure(void)
{
	XLogRecPtr	needed;

	DogpileAssertNoneHeld();
	if (RecoveryInProgress())
		return;
	if (pg_atomic_read_u32(&durable->ncommitting) > 0)
		needed = get_end_of_wal();
	else
	{
		/*
		 * Pairs with dogpile_durable_end_commit(): those that have left the
		 * count have noted their position before.
		 */
		pg_memory_barrier();
		needed = pg_atomic_read_u64(&durable->last);
	}
	if (needed > GetFlushRecPtr(NULL))
		XLogFlush(needed);
}

/*
 * The end of the last commit record, among those of transactions that others have seen
 * and whose XACT_EVENT_COMMIT has come: as far as WAL was written at least, and further
 * if some did not wait for that.
 *
 * Errors: none.
 */
XLogRecPtr
dogpile_durable_last_commit(void)
{
	return Max(GetXLogWriteRecPtr(), pg_atomic_read_u64(&durable->last));
}
