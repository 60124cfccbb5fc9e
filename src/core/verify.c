/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  Compares cached values with what their queries return now.
 *
 * For a fraction of a region's hits, set by "verify_fraction", the value is computed once
 * more.  The caller gets the cached value in any case; differences are counted and
 * logged.  If values are invalidated exactly, there should never be any.
 *
 * The query has a snapshot of its own, which is younger than the lookup.  If what the
 * value depends on was changed in between, or is about to be, a difference means nothing,
 * and the comparison is not counted.
 *
 * The query runs in a subtransaction that is rolled back, so that neither an error nor
 * its side effects affect the caller.  If the query fails although there is a value,
 * that counts as a difference.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/verify.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "core/outcome.h"
#include "core/verify.h"
#include "depend/depend.h"
#include "lib/clock.h"
#include "xact/xact.h"

/* While a query runs to verify a value, no other value is verified. */
static bool is_verifying = false;

/* Should a hit be verified? */
bool
dogpile_verify_is_due(const DogpileRegion *region)
{
	return region->verify_fraction > 0 && !is_verifying &&
		pg_prng_double(&pg_global_prng_state) < region->verify_fraction;
}

/* --------------------------------------------------------------------
 * Comparing
 * --------------------------------------------------------------------
 */

/* Hash a row, so that equal rows have equal hashes. */
static uint64
hash_row(TupleTableSlot *slot)
{
	uint64		hash = 0;

	slot_getallattrs(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(slot->tts_tupleDescriptor, i);
		uint32		column = slot->tts_isnull[i] ? 0 :
			datum_image_hash(slot->tts_values[i], att->attbyval, att->attlen) + 1;

		hash = hash_bytes_uint32_extended(column, hash + i);
	}
	return hash;
}

/* Hash all rows, whatever their order. */
static uint64
hash_rows(const DogpileValue *value)
{
	DogpileValueReader reader;
	DogpileValueScan scan;
	TupleTableSlot *slot;
	uint64		sum = 0;

	if (dogpile_value_open(value, &reader) != DOGPILE_VALUE_OK)
		return 0;
	dogpile_value_begin_rows(&scan, &reader);
	slot = MakeSingleTupleTableSlot(scan.desc, &TTSOpsMinimalTuple);
	while (dogpile_value_next_row(&scan, slot))
		sum += hash_row(slot);
	ExecDropSingleTupleTableSlot(slot);
	return sum;
}

/* Are these the same rows, in any order? */
static bool
are_same(const DogpileValue *a, const DogpileValue *b)
{
	return a->size == b->size &&
		(memcmp(a->data, b->data, a->size) == 0 || hash_rows(a) == hash_rows(b));
}

/* --------------------------------------------------------------------
 * Computing
 * --------------------------------------------------------------------
 */

/*
 * Run the query in the current subtransaction.
 *
 * Returns whether its result is the value that was found.
 */
static bool
run_and_compare(const DogpileCall *call, const DogpileLookup *found,
				DogpileCreator *creator)
{
	DogpileResult result;
	DogpileValue value;

	dogpile_creator_run(creator, call->region->name, dogpile_call_key_text(call), &result);
	return dogpile_value_encode_rows(result.rows, result.desc, MaxAllocHugeSize, &value) &&
		are_same(&found->entry.value, &value);
}

/*
 * Compute a value once more, without lasting effects.
 *
 * failure: set to the error message if the query fails.
 *
 * Returns whether the value is the one that was found.
 *
 * Errors: those that concern the caller's own session.
 */
static bool
compute(const DogpileCall *call, const DogpileLookup *found,
		const DogpileCreator *creator, char **failure)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	DogpileCreator copy = *creator;
	ErrorData  *volatile error = NULL;
	volatile bool same = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		same = run_and_compare(call, found, &copy);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error)
	{
		/* Raise an error only after the subtransaction has ended. */
		if (dogpile_outcome_is_own_failure(error->sqlerrcode))
			ReThrowError(error);
		*failure = error->message;
	}
	return same;
}

static void
report_mismatch(const DogpileCall *call, const DogpileLookup *found, const char *failure)
{
	dogpile_call_count(call, DOGPILE_COUNTER_MISMATCHES, 1);
	ereport(LOG,
			(errmsg("cached value differs from what its query returns now"),
			 errdetail("Key \"%s\" of cache region \"%s\", created at %s.",
					   dogpile_call_key_text(call), call->region->name,
					   timestamptz_to_str(dogpile_clock_to_day(found->entry.created_at))),
			 failure ? errcontext("the query failed: %s", failure) : 0,
			 errhidestmt(true)));
}

/* Copy what was found, because the query may use the cache itself. */
static void
copy_found(DogpileCall *call, DogpileLookup *found)
{
	DogpileValue *value = &found->entry.value;
	DogpileTags *tags = NULL;

	call->key = *dogpile_key_copy(&call->key);
	value->data = memcpy(MemoryContextAllocHuge(CurrentMemoryContext, value->size),
						 value->data, value->size);
	if (found->entry.tags)
		tags = memcpy(palloc(found->entry.tags->size), found->entry.tags,
					  found->entry.tags->size);
	found->entry.tags = tags;
	if (dogpile_value_open(value, &found->record) != DOGPILE_VALUE_OK)
		elog(ERROR, "could not open a copy of a cached value");
}

/*
 * Verify a value that was found fresh.
 *
 * call, found: what they point to is copied to CurrentMemoryContext.
 * creator: the query of the caller.
 *
 * Errors: those that concern the caller's own session, such as a cancel.
 * Locks: no LWLock may be held; takes the locks that the query takes.
 */
void
dogpile_verify_hit(DogpileCall *call, DogpileLookup *found, const DogpileCreator *creator)
{
	DogpileCollection *collection;
	char	   *failure = NULL;
	volatile bool same = false;
	DogpileDeps deps;

	/* A value that this transaction is about to store may differ on purpose. */
	if (dogpile_xact_find_entry(&call->key) != NULL)
		return;
	copy_found(call, found);

	/* Queries that are running now do not depend on what this one reads. */
	collection = dogpile_depend_suspend();
	is_verifying = true;
	PG_TRY();
	{
		same = compute(call, found, creator, &failure);
	}
	PG_FINALLY();
	{
		is_verifying = false;
		dogpile_depend_resume(collection);
	}
	PG_END_TRY();

	dogpile_deps_get(call->region, call->key.hash, found->entry.tags, &deps);
	if (!same && dogpile_deps_have_changed(&deps, found->entry.as_of))
		return;
	dogpile_call_count(call, DOGPILE_COUNTER_VERIFICATIONS, 1);
	if (!same)
		report_mismatch(call, found, failure);
}
