/*-------------------------------------------------------------------------
 *
 * call.c
 *	  One call of an SQL function on a key of a region.
 *
 * What all operations have in common: find the region and its store, build the key,
 * count what was found, and return it.  None of this allocates memory or takes a
 * heavyweight lock, because a hit consists of this and a lookup.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/call.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

#include "core/call.h"
#include "core/underway.h"
#include "depend/depend.h"
#include "entry/variant.h"
#include "lib/lwlock_check.h"
#include "store/store.h"
#include "xact/xact.h"

/*
 * Raise an error if a parallel plan runs, as PostgreSQL does for UPDATE.  A worker must
 * not create or change anything: its changes would be lost, because only the leader
 * commits, and workers share the locks of their leader.  The leader must not either,
 * so that a mislabeled function fails wherever it is executed.
 */
void
dogpile_call_require_serial(void)
{
	if (unlikely(IsInParallelMode()))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot create or change cache entries during a parallel operation"),
				 errhint("Functions that do so must be labeled PARALLEL UNSAFE.")));
}

/*
 * Find a region, and its store unless that is known already.
 *
 * Errors: the module is not preloaded; the region does not exist or cannot be used.
 */
DogpileRegion *
dogpile_call_open_region(const text *name)
{
	DogpileRegion *region;

	DogpileAssertNoneHeld();
	dogpile_config_require_preload();
	region = dogpile_config_get_region(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	if (region->store == NULL)
		dogpile_store_open(region);
	return region;
}

/*
 * Find the region and build the key of a call.  The key's bytes are valid until the
 * next call, which a creator's query may make: copy them before such a query runs.
 *
 * Errors: as dogpile_call_open_region(); the key is too long; those of a variant, such
 * as a setting that does not exist.
 */
void
dogpile_call_open(DogpileCall *call, const text *region, const text *key)
{
	static char bytes[DOGPILE_MAX_KEY_BYTES];
	char		variant[DOGPILE_MAX_VARIANT];
	Size		key_len = VARSIZE_ANY_EXHDR(key);

	call->region = dogpile_call_open_region(region);
	if (key_len > DOGPILE_MAX_KEY_TEXT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("key of cache region \"%s\" is too long", call->region->name),
				 errdetail("The key has %zu bytes; the limit is %d.",
						   key_len, DOGPILE_MAX_KEY_TEXT),
				 errhint("Use a hash of the key, such as md5().")));
	dogpile_key_build(&call->key, bytes, call->region->name, call->region->name_len,
					  VARDATA_ANY(key), key_len, variant,
					  dogpile_variant_build(call->region, variant));
}

/* Count the result of a lookup as a hit, a stale hit, or a miss. */
void
dogpile_call_count_found(const DogpileCall *call, const DogpileLookup *found)
{
	if (found->freshness == DOGPILE_ABSENT)
		dogpile_call_count(call, DOGPILE_COUNTER_MISSES, 1);
	else
	{
		dogpile_call_count(call, found->freshness == DOGPILE_FRESH ?
						   DOGPILE_COUNTER_HITS : DOGPILE_COUNTER_STALE_HITS, 1);
		dogpile_call_count(call, DOGPILE_COUNTER_TIME_SAVED, found->entry.creation_us);
	}
}

/*
 * Record that the caller has seen a value, or that there is none.  If this transaction
 * itself has caused that, other sessions must not be given what is computed from it
 * before the transaction commits.
 */
void
dogpile_call_note_pending(const DogpileCall *call, const DogpileLookup *found)
{
	if (dogpile_xact_has_pending() &&
		(found->is_invalidated || dogpile_xact_find_entry(&call->key) != NULL))
		dogpile_underway_note_pending();
}

/*
 * Return a record that was found as the result of the call.  It stays where the store
 * has put it, until the next call on any region.
 *
 * Errors: the query that is running must not depend on it; see depend.c.
 */
void
dogpile_call_give(const DogpileCall *call, const DogpileLookup *found,
				  DogpileResult *result)
{
	dogpile_call_note_pending(call, found);
	if (dogpile_depend_is_collecting())
	{
		DogpileDeps deps;

		dogpile_deps_get(call->region, call->key.hash, found->entry.tags, &deps);
		dogpile_depend_note_value(call->region, &deps, true);
		if (found->freshness != DOGPILE_FRESH)
			dogpile_depend_note_stale();
	}
	result->rows = NULL;
	result->desc = NULL;
	result->record = found->record;
}

/* Get the key's text, for messages, in CurrentMemoryContext. */
char *
dogpile_call_key_text(const DogpileCall *call)
{
	const char *region;
	const char *text;
	int			region_len;
	int			text_len;
	Oid			database;

	(void) dogpile_key_parse(call->key.bytes, call->key.len, &database,
							 &region, &region_len, &text, &text_len);
	return pnstrdup(text, text_len);
}
