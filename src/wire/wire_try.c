/*-------------------------------------------------------------------------
 *
 * wire_try.c
 *	  Run code on data from external stores, and catch its errors.
 *
 * A value from an external store that cannot be read is a miss and not an error.  But
 * it is read by receive functions of types, and these raise errors.  In general,
 * catching them takes a subtransaction, which would cost more than all the rest of a
 * hit, and is not allowed in parallel mode.
 *
 * No subtransaction is needed for code that only reads catalogs and computes: all that
 * it holds when it fails belongs to a resource owner, so it gets one of its own, and to
 * a memory context.  Receive and send functions are such code, since they are written
 * in C: no other language can have the type of their argument.  What could run any
 * other function is not called at all; see trust.c.
 *
 * Errors that are not about the data are passed on: cancelled queries, lack of memory
 * or disk space, failed reads, deadlocks.  Only an abort can clean up after these.
 *
 * Send and receive functions convert strings to and from the client encoding.  So that
 * is set to the encoding of texts in external stores meanwhile.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_try.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "lib/lwlock_check.h"
#include "wire/wire_encoding.h"
#include "wire/wire_try.h"

/* What has to be restored. */
typedef struct TryState
{
	int			encoding;		/* of the client */
	MemoryContext context;
	ResourceOwner owner;
	ResourceOwner own;			/* the one that the code gets */
	uint32		interrupt_holdoff_count;
	uint32		query_cancel_holdoff_count;
} TryState;

/* Is this error about the data? */
static bool
is_about_data(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK):
		case ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES):
		case ERRCODE_TO_CATEGORY(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE):
		case ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION):
		case ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR):
			return false;
	}
	return sqlerrcode != ERRCODE_DATA_CORRUPTED &&
		sqlerrcode != ERRCODE_INDEX_CORRUPTED;
}

/* Let send and receive functions use the encoding of texts in external stores. */
static void
switch_encoding(void)
{
	int			encoding = dogpile_wire_encoding();

	/* It is cheap if it was done before, as PostgreSQL remembers conversions. */
	if (pg_get_client_encoding() == encoding || SetClientEncoding(encoding) >= 0 ||
		(PrepareClientEncoding(encoding) >= 0 && SetClientEncoding(encoding) >= 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("conversion between %s and %s is not supported", "UTF8",
					GetDatabaseEncodingName())));
}

static void
restore_encoding(int encoding)
{
	if (pg_get_client_encoding() != encoding && SetClientEncoding(encoding) < 0)
		elog(FATAL, "could not restore the client encoding");
}

static void
enter_try(TryState *state)
{
	state->context = CurrentMemoryContext;
	state->owner = CurrentResourceOwner;
	state->interrupt_holdoff_count = InterruptHoldoffCount;
	state->query_cancel_holdoff_count = QueryCancelHoldoffCount;
	state->own = ResourceOwnerCreate(state->owner, "dogpile wire");
	CurrentResourceOwner = state->own;
}

/* Release what is still held, which is nothing unless there was an error. */
static void
leave_try(TryState *state, bool ok)
{
	CurrentResourceOwner = state->owner;
	ResourceOwnerRelease(state->own, RESOURCE_RELEASE_BEFORE_LOCKS, ok, false);
	ResourceOwnerRelease(state->own, RESOURCE_RELEASE_LOCKS, ok, false);
	ResourceOwnerRelease(state->own, RESOURCE_RELEASE_AFTER_LOCKS, ok, false);
	ResourceOwnerDelete(state->own);
}

/* Clear the error in progress, and return its code and message. */
static void
take_error(DogpileWireFailure *failure)
{
	ErrorData  *error = CopyErrorData();

	FlushErrorState();
	failure->sqlerrcode = error->sqlerrcode;
	failure->message = error->message ? pstrdup(error->message) : "unknown error";
	FreeErrorData(error);
}

/*
 * Run a function that may fail because of the data it works on.
 *
 * failure: filled in if it has failed.
 *
 * When the function returns it must hold no resources.  When it fails, only memory is
 * left, in the contexts that it made.
 *
 * Returns whether it has succeeded.
 *
 * Errors: those that are not about the data.
 */
bool
dogpile_wire_try(void (*work) (void *arg), void *arg, DogpileWireFailure *failure)
{
	int			encoding = pg_get_client_encoding();
	TryState	state;
	volatile bool ok = true;

	DogpileAssertNoneHeld();
	enter_try(&state);
	PG_TRY();
	{
		switch_encoding();
		work(arg);
	}
	PG_CATCH();
	{
		restore_encoding(encoding);
		MemoryContextSwitchTo(state.context);
		if (!is_about_data(geterrcode()))
		{
			/* The abort of the surrounding transaction does the rest. */
			CurrentResourceOwner = state.owner;
			PG_RE_THROW();
		}
		take_error(failure);
		ok = false;
	}
	PG_END_TRY();

	/* An error has set these to zero. */
	InterruptHoldoffCount = state.interrupt_holdoff_count;
	QueryCancelHoldoffCount = state.query_cancel_holdoff_count;
	restore_encoding(encoding);
	leave_try(&state, ok);
	return ok;
}
