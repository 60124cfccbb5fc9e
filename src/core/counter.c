/*-------------------------------------------------------------------------
 *
 * counter.c
 *	  Counters: numbers that change at once.
 *
 * Like a sequence, a counter does not take part in transactions: a session that adds to
 * it sees what others have added, and ROLLBACK does not undo anything.  So a counter is
 * neither invalidated nor created by a query, and is separate from the values that have
 * the same key.
 *
 * Some stores can add by themselves.  In others, a counter is an entry that is read and
 * replaced under a heavyweight lock, which is held only for that.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/core/counter.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "core/claim.h"
#include "core/counter.h"
#include "lib/clock.h"
#include "store/age.h"

/* Follows the text of the key, which cannot contain a zero byte. */
#define SUFFIX			"\0counter"
#define SUFFIX_LEN		(sizeof(SUFFIX) - 1)

/* Maximum size of an encoded number, in bytes. */
#define MAX_SIZE		1024

/* Build the key of a counter that is an entry, in DOGPILE_MAX_KEY_BYTES of buffer. */
static void
build_key(const DogpileCall *call, char *buffer, DogpileKey *key)
{
	char		text[DOGPILE_MAX_KEY_TEXT];
	const char *key_text;
	const char *region;
	int			text_len;
	int			region_len;
	Oid			database;
	int			variant = dogpile_key_parse(call->key.bytes, call->key.len, &database,
											&region, &region_len, &key_text, &text_len);

	if (text_len + SUFFIX_LEN > DOGPILE_MAX_KEY_TEXT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("key of a counter of cache region \"%s\" is too long",
						call->region->name),
				 errdetail("The key has %d bytes; the limit is %zu.",
						   text_len, DOGPILE_MAX_KEY_TEXT - SUFFIX_LEN),
				 errhint("Use a hash of the key, such as md5().")));
	memcpy(text, key_text, text_len);
	memcpy(text + text_len, SUFFIX, SUFFIX_LEN);
	dogpile_key_build(key, buffer, region, region_len, text, text_len + SUFFIX_LEN,
					  call->key.bytes + variant, call->key.len - variant);
}

/* Get the present number, or 0 if there is no counter. */
static int64
read_number(DogpileRegion *region, const DogpileKey *key)
{
	DogpileValueReader record;
	DogpileEntry entry;
	Datum		number;
	bool		isnull;

	if (region->store->get(region, key, NULL, &entry) != DOGPILE_OK ||
		dogpile_age_now(region, &entry) >= dogpile_age_expires_at(region, &entry) ||
		dogpile_value_open(&entry.value, &record) != DOGPILE_VALUE_OK ||
		!dogpile_value_get_datum(&record, &number, &isnull))
		return 0;
	return DatumGetInt64(number);
}

/* Replace the number.  Returns false if there is no room. */
static bool
write_number(DogpileRegion *region, const DogpileKey *key, int64 number,
			 double lifetime_s)
{
	DogpileEntry entry = {
		.created_at = dogpile_clock_now(),
		.lifetime_s = lifetime_s,
		.as_of = dogpile_version_now()
	};
	DogpileDatum datum = {.value = Int64GetDatum(number),.typid = INT8OID,.typmod = -1};
	DogpileIncoming *incoming;
	const char *reason;

	if (!dogpile_value_encode_datum(&datum, MAX_SIZE, &entry.value) ||
		region->store->prepare(region, key, &entry, &incoming, &reason) != DOGPILE_OK)
		return false;
	(void) region->store->publish(incoming, DOGPILE_PUBLISH_ALWAYS, entry.as_of);
	return true;
}

static void
raise_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("bigint out of range")));
}

/* Add to a counter in a store that cannot add by itself. */
static bool
add_under_lock(const DogpileCall *call, int64 delta, double lifetime_s, int64 *result)
{
	char		buffer[DOGPILE_MAX_KEY_BYTES];
	DogpileKey	key;
	TimestampTz since = dogpile_clock_now();
	DogpileLockResult lock;
	bool		ok;

	build_key(call, buffer, &key);
	lock = dogpile_lock_acquire(key.hash, dogpile_claim_deadline(call, since));
	if (lock == DOGPILE_LOCK_TIMED_OUT)
		dogpile_claim_raise_timeout(call, since);
	if (pg_add_s64_overflow(read_number(call->region, &key), delta, result))
		raise_out_of_range();
	ok = write_number(call->region, &key, *result, lifetime_s);
	if (lock == DOGPILE_LOCK_OK)
		dogpile_lock_release(key.hash);
	return ok;
}

/* Add to a counter in a store that can add by itself. */
static bool
add_by_store(const DogpileCall *call, int64 delta, double lifetime_s, int64 *result)
{
	DogpileStatus status = call->region->store->increment(call->region, &call->key, delta,
														  lifetime_s, result);

	if (status == DOGPILE_OUT_OF_RANGE)
		raise_out_of_range();
	return status == DOGPILE_OK;
}

/*
 * Add to a counter, which begins at zero.
 *
 * lifetime_s: seconds without a change after which the counter is forgotten; see store.h.
 * result: set to the new number.
 *
 * Returns false if the store does not keep the counter.
 *
 * Errors: the region does not exist; the key is too long; the number is out of range;
 * those of waiting for a heavyweight lock.
 * Locks: no LWLock may be held.
 */
bool
dogpile_counter_add(const text *region, const text *key, int64 delta,
					double lifetime_s, int64 *result)
{
	DogpileCall call;

	dogpile_call_require_serial();
	dogpile_call_open(&call, region, key);
	return call.region->store->increment != NULL ?
		add_by_store(&call, delta, lifetime_s, result) :
		add_under_lock(&call, delta, lifetime_s, result);
}
