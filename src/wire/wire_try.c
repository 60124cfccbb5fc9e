/*-------------------------------------------------------------------------
 *
 * wire_try.c
 *	  Run code on data from outside, and survive its errors.
 *
 * A value from outside that cannot be read is a miss and not an error.  But it
 * is read by receive functions of types, and these raise errors.  To catch them
 * takes a subtransaction in general, which would cost more than all the rest of
 * a hit, and cannot be had in parallel mode.
 *
 * It can be done without for code that does no more than look at catalogs and
 * compute: all that it holds when it fails is then known to a resource owner,
 * so it has one of its own, and to a memory context.  Receive and send functions
 * are such code, for they are written in C and take an argument that no other
 * language has.  What may run anything is not run at all; see trust.c.
 *
 * Errors that are not about the data are passed on: cancelled queries, a lack of
 * memory or disk space, failed reads, deadlocks.  After these only an abort puts
 * things right.
 *
 * Send and receive functions convert strings to and from the encoding of the
 * client.  So that is the one of texts outside meanwhile.
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

#include "wire/wire_encoding.h"
#include "wire/wire_try.h"

/* What has to be put back. */
typedef struct TryState
{
	int			encoding;		/* of the client */
	MemoryContext context;
	ResourceOwner owner;
	ResourceOwner own;			/* ours */
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

/* Let send and receive functions use the encoding that texts have outside. */
static void
switch_encoding(void)
{
	int			encoding = dogpile_wire_encoding();

	/* It is cheap when it was done before, as conversions are remembered. */
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

/* Give back what is still held; after an error, that is anything. */
static void
leave_try(TryState *state, bool ok)
{
	CurrentResourceOwner = state->owner;
	ResourceOwnerRelease(state->own, RESOURCE_RELEASE_BEFORE_LOCKS, ok, false);
	ResourceOwnerRelease(state->own, RESOURCE_RELEASE_LOCKS, ok, false);
	ResourceOwnerRelease(state->own, RESOURCE_RELEASE_AFTER_LOCKS, ok, false);
	ResourceOwnerDelete(state->own);
}

/* Forget the error in progress, but for what is to be told of it. */
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
 * The function is to leave nothing behind when it returns.  When it fails,
 * only memory is left, in the contexts that it made.
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
			/* An abort of what surrounds us puts all else right. */
			CurrentResourceOwner = state.owner;
			PG_RE_THROW();
		}
		take_error(failure);
		ok = false;
	}
	PG_END_TRY();

	/* An error sets these to zero, in the belief that all is over. */
	InterruptHoldoffCount = state.interrupt_holdoff_count;
	QueryCancelHoldoffCount = state.query_cancel_holdoff_count;
	restore_encoding(encoding);
	leave_try(&state, ok);
	return ok;
}
