/*-------------------------------------------------------------------------
 *
 * store_remote.c
 *	  A store that keeps entries in a backend, where other servers find them.
 *
 * A backend keeps bytes under names (backend.h).  An entry is encoded so that other
 * servers understand it (wire.c), stored under a name that they can find (item_name.c),
 * and valid as long as the tokens that it carries are those of its key, region and tags
 * (token.c).  So tokens do outside what version.c does for the store in shared memory, and
 * the proof is the same: the creator notes them before it takes its snapshot.
 *
 * A lookup fetches an entry together with the tokens of its key and region; an entry with
 * tags takes another round trip.  Its bytes are checked before anything is used.
 *
 * A creator holds the creator lock of this server, and then takes a lock that all servers
 * respect (grant.c).  Its value is stored only if it still holds that lock, so a creator
 * that was too slow does not overwrite anything.
 *
 * A failure is a miss, or a value that is not stored; remote.c logs it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/store_remote.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "lib/clock.h"
#include "lib/durable.h"
#include "remote/grant.h"
#include "remote/lease.h"
#include "remote/mend.h"
#include "remote/store_remote.h"
#include "remote/suspect.h"
#include "stats/stats.h"
#include "store/age.h"
#include "wire/wire.h"
#include "wire/wire_rows.h"

/* An encoded entry on its way. */
struct DogpileIncoming
{
	DogpileRemote *remote;
	DogpileGrant *grant;		/* if it has a lock; or NULL */
	DogpileItemName entry_name;
	DogpileItemName lock_name;
	const char *secret;			/* of the region */
	TimestampTz created_at;
	int64		ttl_ms;
	int64		lock_ms;		/* a lock's lease; 0 if the store has no locks */
	StringInfoData bytes;
};

static DogpileBytes
name_bytes(const DogpileItemName *name)
{
	return dogpile_item_name_bytes(name);
}

/* --------------------------------------------------------------------
 * Lookup
 * --------------------------------------------------------------------
 */

/* Log what is wrong with bytes from outside, at most once a minute. */
static void
log_damage(const DogpileRegion *region, const DogpileItemName *name, const char *reason)
{
	static TimestampTz logged_at = 0;
	TimestampTz now = dogpile_clock_now();

	if (now < TimestampTzPlusMilliseconds(logged_at, 60 * 1000))
		return;
	logged_at = now;
	ereport(LOG,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("entry \"%s\" in the store of cache region \"%s\" cannot be used: %s",
					name->text, region->name, reason),
			 errdetail("It counts as a miss."),
			 errhidestmt(true), errhidecontext(true)));
}

/* Compare the tokens of an entry with the present ones. */
static DogpileTokenChange
compare_tokens(const DogpileWireHead *head, const DogpileToken *tokens, int first,
			   int ntokens)
{
	DogpileTokenChange change = DOGPILE_TOKEN_SAME;

	for (int i = 0; i < ntokens; i++)
		change = Max(change, dogpile_token_compare(head->tokens[first + i],
												   tokens[i].text));
	return change;
}

/*
 * Compare the tokens of an entry's tags with the present ones.  This takes a round trip,
 * which overwrites the backend's memory: the head must point to a copy.
 *
 * change: set to the result.
 *
 * Returns false if the store does not answer.
 */
static bool
check_tags(DogpileRegion *region, DogpileRemote *remote, const DogpileWireHead *head,
		   DogpileTokenChange *change)
{
	DogpileToken *tokens;

	*change = head->ntokens == DOGPILE_GRANT_TAGS + head->ntags ?
		DOGPILE_TOKEN_SAME : DOGPILE_TOKEN_HARD;
	if (head->ntags == 0 || *change == DOGPILE_TOKEN_HARD)
		return true;
	tokens = palloc0_array(DogpileToken, head->ntags);
	for (int i = 0; i < head->ntags; i++)
		dogpile_item_name_of_tag(region, head->tags[i], &tokens[i].name);
	if (!dogpile_token_fetch(remote, tokens, head->ntags))
		return false;
	*change = compare_tokens(head, tokens, DOGPILE_GRANT_TAGS, head->ntags);
	return true;
}

/* Encode the tags of an entry as within this server. */
static DogpileTags *
encode_tags(const DogpileWireHead *head)
{
	const char *texts[DOGPILE_MAX_TAGS];
	size_t		lens[DOGPILE_MAX_TAGS];

	for (int i = 0; i < head->ntags; i++)
	{
		texts[i] = head->tags[i].data;
		lens[i] = head->tags[i].len;
	}
	return dogpile_tag_build(texts, lens, head->ntags);
}

/*
 * Read the value of an entry if it has the given shape.  Without a shape, find out its
 * row type and the number of rows.
 *
 * Returns false if the value cannot be used; this is logged.
 */
static bool
read_value(const DogpileRegion *region, const DogpileItemName *name, DogpileBytes rows,
		   const DogpileShape *shape, DogpileEntry *entry)
{
	DogpileOutside *outside = palloc0(sizeof(DogpileOutside));
	DogpileWireSummary summary;
	DogpileWireStatus status;
	const char *reason;

	if (shape != NULL)
		status = dogpile_wire_read_rows(rows, shape, &entry->value,
										&outside->is_unchecked, &reason);
	else
	{
		status = dogpile_wire_summarize_rows(rows, &summary, &reason);
		entry->value.data = NULL;
		entry->value.size = rows.len;
	}
	if (status != DOGPILE_WIRE_OK)
	{
		log_damage(region, name, reason);
		return false;
	}
	if (shape == NULL)
	{
		outside->desc = summary.desc;
		outside->nrows = summary.nrows;
	}
	entry->outside = outside;
	return true;
}

/* Decode an entry. */
static DogpileStatus
decode_entry(DogpileRegion *region, DogpileRemote *remote,
			 const DogpileItemName *name, const DogpileBackendItem *item,
			 const DogpileToken *tokens, const DogpileShape *shape, DogpileEntry *entry)
{
	DogpileBytes bytes = item->value;
	DogpileWireHead head;
	DogpileTokenChange change;
	DogpileTokenChange of_tags;
	const char *reason = NULL;

	if (dogpile_wire_open(bytes, name_bytes(name), region->secret, &head, &reason)
		!= DOGPILE_WIRE_OK)
	{
		log_damage(region, name, reason);
		return DOGPILE_MISS;
	}
	if (head.ntokens < DOGPILE_GRANT_TAGS)
		return DOGPILE_MISS;
	change = compare_tokens(&head, tokens, 0, DOGPILE_GRANT_TAGS);
	if (change == DOGPILE_TOKEN_HARD)
		return DOGPILE_MISS;
	if (head.ntags > 0)
	{
		/* The next call of the backend overwrites its memory. */
		char	   *copy = MemoryContextAllocHuge(CurrentMemoryContext, bytes.len);

		bytes.data = memcpy(copy, bytes.data, bytes.len);
		(void) dogpile_wire_open(bytes, name_bytes(name), region->secret, &head,
								 &reason);
		if (!dogpile_wire_convert_tags(&head, &reason))
		{
			log_damage(region, name, reason);
			return DOGPILE_MISS;
		}
	}
	if (!check_tags(region, remote, &head, &of_tags))
		return DOGPILE_ERROR;
	change = Max(change, of_tags);
	if (change == DOGPILE_TOKEN_HARD)
		return DOGPILE_MISS;
	if (!read_value(region, name, head.rows, shape, entry))
		return DOGPILE_MISS;
	if (!dogpile_clock_from_outside(head.created_at,
									dogpile_age_kept_s(region, head.lifetime_s),
									&entry->created_at))
		return DOGPILE_MISS;
	entry->lifetime_s = head.lifetime_s;
	entry->creation_us = head.creation_us;
	entry->tags = encode_tags(&head);
	entry->is_outdated = change == DOGPILE_TOKEN_SOFT;
	entry->grant = NULL;
	return DOGPILE_OK;
}

/*
 * Look an entry up.  One round trip fetches it and the tokens of its region and key; if
 * it has tags, another one fetches theirs.
 *
 * If the region is suspect, its token is replaced first; until that has worked, no entry
 * can be used.
 */
static DogpileStatus
remote_get(DogpileRegion *region, const DogpileKey *key, const DogpileShape *shape,
		   DogpileEntry *entry)
{
	DogpileRemote *remote = dogpile_remote_find(region);
	DogpileBackendItem items[1 + DOGPILE_GRANT_TAGS] = {0};
	DogpileToken tokens[DOGPILE_GRANT_TAGS];
	DogpileItemName name;

	/* The entry does not reflect what this server invalidates from now on. */
	entry->as_of = dogpile_version_now();

	dogpile_item_name_of_key(region, key, DOGPILE_ITEM_ENTRY, &name);
	dogpile_item_name_of_region(region, &tokens[DOGPILE_GRANT_REGION].name);
	dogpile_item_name_of_key(region, key, DOGPILE_ITEM_KEY_VERSION,
							 &tokens[DOGPILE_GRANT_KEY].name);
	if (!dogpile_mend_region(region, remote, &tokens[DOGPILE_GRANT_REGION].name))
		return DOGPILE_ERROR;

	items[0].name = name_bytes(&name);
	for (int i = 0; i < DOGPILE_GRANT_TAGS; i++)
		items[1 + i].name = name_bytes(&tokens[i].name);
	if (dogpile_remote_get(remote, items, lengthof(items)) != DOGPILE_BACKEND_OK)
		return DOGPILE_ERROR;
	for (int i = 0; i < DOGPILE_GRANT_TAGS; i++)
		dogpile_token_read(tokens[i].text, &items[1 + i]);
	if (items[0].status != DOGPILE_BACKEND_OK)
		return DOGPILE_MISS;
	return decode_entry(region, remote, &name, &items[0], tokens, shape, entry);
}

/* --------------------------------------------------------------------
 * Storing
 * --------------------------------------------------------------------
 */

/* Compute for how long the store keeps an entry: until it is gone by age. */
static int64
compute_ttl_ms(const DogpileRegion *region, const DogpileEntry *entry)
{
	TimestampTz gone_at = dogpile_age_gone_at(region, entry);

	if (gone_at == DT_NOEND)
		return 0;
	return Max((gone_at - dogpile_clock_now()) / 1000, 1);
}

/*
 * Count a value that has no meaning for other servers, and log the reason.  The caller
 * gets the value in any case, without a message.
 */
static void
report_unstorable_outside(DogpileRegion *region, const DogpileGrant *grant,
						  const char *reason)
{
	if (!dogpile_stats_count_unstorable(region, reason))
		return;
	ereport(LOG,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("value cannot be stored in cache region \"%s\": %s", region->name,
					reason),
			 errdetail("Neither the value of entry \"%s\" nor others of its kind are stored; \"unstorable\" in dogpile_stats counts them.",
					   grant->entry_name.text),
			 errhidestmt(true), errhidecontext(true)));
}

/*
 * Encode an entry while errors can be raised.  After this, storing it takes a call of the
 * backend, and does not allocate memory by palloc().
 */
static DogpileStatus
remote_prepare(DogpileRegion *region, const DogpileKey *key,
			   const DogpileEntry *entry, DogpileIncoming **incoming,
			   const char **reason)
{
	DogpileBytes tokens[DOGPILE_WIRE_MAX_TOKENS];
	DogpileGrant *grant = entry->grant;
	DogpileEntry outside = *entry;
	DogpileIncoming *result;

	if (grant->is_void || !dogpile_grant_follow_tokens(grant, tokens))
		return DOGPILE_FULL;

	/* Servers have only the time of day in common. */
	outside.created_at = dogpile_clock_to_day(entry->created_at);

	result = palloc0(sizeof(DogpileIncoming));
	initStringInfo(&result->bytes);
	if (!dogpile_wire_encode(&outside, tokens, grant->ntokens,
							 name_bytes(&grant->entry_name), region->secret,
							 &result->bytes, reason))
	{
		if (*reason == NULL)
			return DOGPILE_TOO_LARGE;
		report_unstorable_outside(region, grant, *reason);
		return DOGPILE_UNSTORABLE;
	}
	result->remote = grant->remote;
	result->grant = grant->is_locked ? grant : NULL;
	result->entry_name = grant->entry_name;
	result->lock_name = grant->lock_name;
	result->secret = pstrdup(region->secret);
	result->created_at = outside.created_at;
	result->ttl_ms = compute_ttl_ms(region, entry);
	result->lock_ms = dogpile_remote_is_local(grant->remote) ? 0 : region->grace_time_ms;
	*incoming = result;
	return DOGPILE_OK;
}

/*
 * Store a value that the user has set, although another session may hold the lock of the
 * entry.  It is not enough to remove that lock: another creator could take it before the
 * value is stored, find the old entry, and store its own value later.  So a lock of this
 * session replaces it in the same call; items of one call are stored in their order.
 */
static DogpileBackendStatus
store_set_under_lock(DogpileIncoming *incoming, DogpileBackendItem *item)
{
	DogpileBackendLock lock = {
		.name = name_bytes(&incoming->lock_name),
		.entry = name_bytes(&incoming->entry_name)
	};
	DogpileBackendItem items[] = {
		{
			.name = name_bytes(&incoming->lock_name),
			.value = {lock.token, DOGPILE_LOCK_TOKEN_LEN},
			.mode = DOGPILE_BACKEND_ALWAYS,
			.ttl_ms = incoming->lock_ms
		},
		*item
	};
	DogpileBackendStatus status;

	dogpile_grant_make_lock_token(lock.token);
	status = dogpile_remote_set(incoming->remote, items, lengthof(items));
	*item = items[1];
	if (status == DOGPILE_BACKEND_OK)
		(void) dogpile_remote_unlock(incoming->remote, &lock);
	return status;
}

/*
 * Store a value that the user has set, so that no creator overwrites it.  If this
 * transaction holds the lock itself, because it has added the key, release it afterwards.
 */
static DogpileBackendStatus
store_set(DogpileIncoming *incoming, DogpileBackendItem *item)
{
	DogpileBackendItem lock = {.name = name_bytes(&incoming->lock_name)};
	bool		is_ours = dogpile_lease_is_held(&incoming->lock_name);
	DogpileBackendStatus status;

	if (!is_ours && incoming->lock_ms > 0)
		return store_set_under_lock(incoming, item);
	status = dogpile_remote_set(incoming->remote, item, 1);
	if (is_ours && status == DOGPILE_BACKEND_OK)
		(void) dogpile_remote_remove(incoming->remote, &lock, 1);
	return status;
}

/*
 * Is the stored entry from a younger snapshot than the incoming one?  An entry that seems
 * to be from the future is older: the time of day was set back.
 */
static bool
is_stored_younger(const DogpileBackendItem *old, const DogpileIncoming *incoming)
{
	DogpileWireHead head;
	const char *reason;

	/*
	 * At COMMIT, it cannot be authenticated: that allocates memory, which may
	 * fail.
	 */
	if (incoming->secret[0] != '\0' && InterruptHoldoffCount > 0)
		return false;
	return dogpile_wire_open(old->value, name_bytes(&incoming->entry_name),
							 incoming->secret, &head, &reason) == DOGPILE_WIRE_OK &&
		head.created_at > incoming->created_at &&
		head.created_at <= GetCurrentTimestamp() + USECS_PER_SEC;
}

/*
 * Store a value that was created without a lock, unless there is an entry from a younger
 * snapshot.
 */
static DogpileBackendStatus
store_if_newer(DogpileIncoming *incoming, DogpileBackendItem *item)
{
	DogpileBackendItem old = {.name = name_bytes(&incoming->entry_name)};
	char	   *expected = NULL;

	if (dogpile_remote_get(incoming->remote, &old, 1) != DOGPILE_BACKEND_OK)
		return DOGPILE_BACKEND_ERROR;
	item->mode = DOGPILE_BACKEND_IF_ABSENT;
	if (old.status == DOGPILE_BACKEND_OK)
	{
		if (is_stored_younger(&old, incoming))
		{
			item->status = DOGPILE_BACKEND_KEPT;
			return DOGPILE_BACKEND_OK;
		}
		/* palloc() could raise an error at COMMIT. */
		expected = malloc(old.value.len);
		if (expected == NULL)
			return DOGPILE_BACKEND_ERROR;
		item->mode = DOGPILE_BACKEND_IF_EQUAL;
		item->expected.data = memcpy(expected, old.value.data, old.value.len);
		item->expected.len = old.value.len;
	}
	(void) dogpile_remote_set(incoming->remote, item, 1);
	free(expected);
	return item->status == DOGPILE_BACKEND_ERROR ?
		DOGPILE_BACKEND_ERROR : DOGPILE_BACKEND_OK;
}

/*
 * Store an entry.  A value that the user has set is stored in any case; one that was
 * created under a lock, if this session still holds the lock; one that was created without
 * a lock, unless there is a younger one.
 *
 * WAL is flushed first, because a crash must not undo changes that the value reflects.
 */
static DogpileStatus
remote_publish(DogpileIncoming *incoming, DogpilePublishMode mode, DogpileClock as_of)
{
	DogpileBackendItem item = {
		.name = name_bytes(&incoming->entry_name),
		.value = {incoming->bytes.data, incoming->bytes.len},
		.mode = DOGPILE_BACKEND_ALWAYS,
		.ttl_ms = incoming->ttl_ms
	};
	DogpileBackendStatus status;

	dogpile_durable_ensure();
	if (mode == DOGPILE_PUBLISH_ALWAYS)
		status = store_set(incoming, &item);
	else if (incoming->grant != NULL && incoming->grant->is_locked)
	{
		status = dogpile_remote_put(incoming->remote, &incoming->grant->lock, &item);
		item.status = status;
		if (status == DOGPILE_BACKEND_OK || status == DOGPILE_BACKEND_KEPT)
		{
			dogpile_lease_drop(&incoming->grant->lock);
			incoming->grant->is_locked = false;
		}
		else if (status == DOGPILE_BACKEND_ERROR)
			dogpile_grant_leave_lock(incoming->grant);
	}
	else
		status = store_if_newer(incoming, &item);

	if (status == DOGPILE_BACKEND_ERROR)
		return DOGPILE_ERROR;
	return item.status == DOGPILE_BACKEND_OK ? DOGPILE_OK :
		item.status == DOGPILE_BACKEND_TOO_LARGE ? DOGPILE_TOO_LARGE : DOGPILE_KEPT;
}

/*
 * Drop an entry that is not stored after all.  At ABORT, with interrupts held off, the
 * lock is left to the end of the transaction (lease.c).
 */
static void
remote_abandon(DogpileIncoming *incoming)
{
	if (incoming->grant != NULL && InterruptHoldoffCount == 0)
		dogpile_grant_release(incoming->grant);
}

/*
 * Nothing is removed: invalidated entries are never used, and expire in the store.
 */
static DogpileStatus
remote_remove(DogpileRegion *region, const DogpileKey *key, DogpileClock before)
{
	return DOGPILE_MISS;
}

/* Add to a number, which the backend does by itself. */
static DogpileStatus
remote_increment(DogpileRegion *region, const DogpileKey *key, int64 delta,
				 double lifetime_s, int64 *result)
{
	DogpileItemName name;
	int64		ttl_ms = 0;

	if (lifetime_s == DOGPILE_LIFETIME_REGION)
		lifetime_s = region->expiration_time_s;
	if (lifetime_s >= 0)
		ttl_ms = (int64) Min(Max(lifetime_s * 1000, 1), (double) PG_INT64_MAX / 2);
	dogpile_item_name_of_key(region, key, DOGPILE_ITEM_COUNTER, &name);
	switch (dogpile_remote_increment(dogpile_remote_find(region), name_bytes(&name),
									 delta, ttl_ms, result))
	{
		case DOGPILE_BACKEND_OK:
			return DOGPILE_OK;
		case DOGPILE_BACKEND_TOO_LARGE:
			return DOGPILE_OUT_OF_RANGE;
		default:
			return DOGPILE_ERROR;
	}
}

/*
 * Check the backend and its wrappers.  Settings are checked before all modules that
 * provide backends are loaded, so this is checked again when a region is used.
 */
static void
remote_check(const DogpileRegion *region)
{
	const char *detail = NULL;

	if (!dogpile_backend_check(region->backend, &detail) ||
		!dogpile_backend_check_wrappers(region->wrap, &detail))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cache backend \"%s\" of region \"%s\" is not supported by this build",
						region->backend, region->name),
				 detail ? errdetail_internal("%s", detail) : 0));
}

const DogpileStore dogpile_store_remote = {
	.is_shared = true,
	.check = remote_check,
	.follow_reload = dogpile_remote_follow_reload,
	.get = remote_get,
	.prepare = remote_prepare,
	.publish = remote_publish,
	.abandon = remote_abandon,
	.remove = remote_remove,
	.increment = remote_increment,
	.begin = dogpile_grant_begin,
	.wait = dogpile_lease_wait,
	.holds_lock = dogpile_lease_holds_any,
	.release = dogpile_grant_release,
	.defer = dogpile_grant_defer,
	.note = dogpile_grant_note,
	.lose = dogpile_grant_lose
};
