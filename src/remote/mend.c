/*-------------------------------------------------------------------------
 *
 * mend.c
 *	  What was left in a store by a COMMIT that could not finish, and its cure.
 *
 * The worker renews the mark (announce.c) of a transaction that takes long, and removes
 * one that its transaction could not remove.  It puts a new token in place of that of a
 * region that is suspect (suspect.c), which invalidates all entries stored before.  A
 * session that wants to use such a region does so, too, instead of waiting.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/mend.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "lib/clock.h"
#include "remote/mend.h"
#include "remote/suspect.h"

/* How long a store that fails is not tried again. */
#define SETTLE_PAUSE_MS	100

/*
 * Let a mark last for another lease, or leave it for a session that could not.
 *
 * name, mark: of the token, and as the session has put it in place.
 * care: what to do.
 *
 * Returns MISS if it is no longer there.
 *
 * Errors: those of interrupts.
 */
DogpileBackendStatus
dogpile_mend_mark(DogpileRegion *region, const DogpileItemName *name,
				  const char *mark, DogpileMarkCare care, int64 lease_ms)
{
	DogpileRemote *remote = dogpile_remote_find(region);
	DogpileToken token = {.name = *name};
	DogpileBackendItem item;
	char		next[DOGPILE_TOKEN_TEXT_LEN + 1];
	bool		is_last = false;

	if (!dogpile_token_fetch(remote, &token, 1))
		return DOGPILE_BACKEND_ERROR;
	if (!dogpile_token_is_same_mark(token.text, mark))
		return DOGPILE_BACKEND_MISS;
	strcpy(next, token.text);
	if (care == DOGPILE_MARK_LEAVE_IF_SAME && strcmp(token.text, mark) != 0)
		return DOGPILE_BACKEND_MISS;
	if (care != DOGPILE_MARK_RENEW)
		is_last = dogpile_token_leave_mark(token.text, mark, next) == DOGPILE_MARK_GONE;
	if (is_last)
		dogpile_token_make_next(next);
	dogpile_token_replace(dogpile_item_name_bytes(name), token.text, next,
						  is_last ? dogpile_token_ttl_ms(region) : lease_ms, &item);
	(void) dogpile_remote_set(remote, &item, 1);

	/* If it has just been changed, the next attempt sees that. */
	return item.status == DOGPILE_BACKEND_KEPT ? DOGPILE_BACKEND_ERROR : item.status;
}

/*
 * Put another token in the place of a region's.
 *
 * A mark is not replaced: its transaction is about to commit, and what other sessions
 * would store until then does not include its changes.  While the mark is in place no
 * entry is valid; once it is gone, the token in its place is replaced.  Damaged bytes are
 * replaced in any case, because nothing else does that.
 *
 * Returns KEPT if that has to wait.
 */
static DogpileBackendStatus
replace_region_token(DogpileRegion *region, DogpileRemote *remote,
					 const DogpileItemName *region_version)
{
	DogpileBackendItem item = {.name = dogpile_item_name_bytes(region_version)};
	DogpileToken token = {.name = *region_version};
	char		text[DOGPILE_TOKEN_TEXT_LEN + 1];
	bool		is_damaged;
	DogpileBackendStatus status = dogpile_remote_get(remote, &item, 1);

	if (status != DOGPILE_BACKEND_OK)
		return status;
	dogpile_token_read(token.text, &item);
	if (dogpile_token_is_mark(token.text))
		return DOGPILE_BACKEND_KEPT;
	is_damaged = item.status == DOGPILE_BACKEND_OK && token.text[0] == '\0';
	dogpile_token_make_next(text);
	dogpile_token_replace(dogpile_item_name_bytes(region_version), token.text, text,
						  dogpile_token_ttl_ms(region), &item);
	if (is_damaged)
		item.mode = DOGPILE_BACKEND_ALWAYS;
	status = dogpile_remote_set(remote, &item, 1);
	return status == DOGPILE_BACKEND_OK ? item.status : status;
}

/*
 * If a region is suspect, try to invalidate all entries that its store has.
 *
 * Returns whether the region may be used.
 *
 * Errors: see dogpile_remote_set().
 */
bool
dogpile_mend_region(DogpileRegion *region, DogpileRemote *remote,
					const DogpileItemName *region_version)
{
	DogpileBackendStatus status;
	bool		is_held;
	uint64		suspicion = dogpile_suspect_find(region_version, &is_held);
	static DogpileRemote *failed_remote = NULL;
	static TimestampTz failed_at = 0;

	if (likely(suspicion == 0))
		return true;
	if (is_held)
		return false;
	if (remote == failed_remote &&
		dogpile_clock_now() < TimestampTzPlusMilliseconds(failed_at, SETTLE_PAUSE_MS))
		return false;
	status = replace_region_token(region, remote, region_version);
	if (status == DOGPILE_BACKEND_KEPT)
		return false;
	if (status != DOGPILE_BACKEND_OK)
	{
		failed_remote = remote;
		failed_at = dogpile_clock_now();
		return false;
	}
	dogpile_suspect_remove(region_version, suspicion);
	return true;
}
