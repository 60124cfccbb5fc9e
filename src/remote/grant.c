/*-------------------------------------------------------------------------
 *
 * grant.c
 *	  The right to store an entry outside, and what the entry will depend on.
 *
 * Before a value is created, or when a user sets one, the tokens of its region, key and
 * tags are noted; the entry carries them.  A creator also takes the lock that all servers
 * respect, an item with a token of its own and a lease.  Both together are a grant.  The
 * functions are those that store.h requires of shared stores; store_remote.c stores
 * entries by grants.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/grant.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "remote/announce.h"
#include "remote/grant.h"
#include "remote/lease.h"
#include "remote/mend.h"
#include "remote/suspect.h"

/* Make a token that no other holder of a lock has, on any server. */
void
dogpile_grant_make_lock_token(char *token)
{
	char		text[DOGPILE_TOKEN_TEXT_LEN + 1];

	dogpile_token_make(text);
	memcpy(token, text, DOGPILE_TOKEN_LEN);
	memset(token + DOGPILE_TOKEN_LEN, '0', DOGPILE_LOCK_TOKEN_LEN - DOGPILE_TOKEN_LEN);
}

/* Make a grant, with the names of the lock and of what the entry will depend on. */
static DogpileGrant *
make_grant(DogpileRegion *region, const DogpileKey *key, const DogpileTags *tags)
{
	int			ntags = tags ? tags->count : 0;
	DogpileGrant *grant = palloc0(offsetof(DogpileGrant, tokens) +
								  (DOGPILE_GRANT_TAGS + ntags) * sizeof(DogpileToken));
	const char *p = NULL;

	grant->remote = dogpile_remote_find(region);
	grant->region = region->name;
	dogpile_item_name_of_key(region, key, DOGPILE_ITEM_ENTRY, &grant->entry_name);
	dogpile_item_name_of_key(region, key, DOGPILE_ITEM_LOCK, &grant->lock_name);
	grant->lock.name = dogpile_item_name_bytes(&grant->lock_name);
	grant->lock.entry = dogpile_item_name_bytes(&grant->entry_name);
	grant->lock.lease_ms = region->grace_time_ms;
	dogpile_grant_make_lock_token(grant->lock.token);

	grant->ntokens = DOGPILE_GRANT_TAGS + ntags;
	dogpile_item_name_of_region(region, &grant->tokens[DOGPILE_GRANT_REGION].name);
	dogpile_item_name_of_key(region, key, DOGPILE_ITEM_KEY_VERSION,
							 &grant->tokens[DOGPILE_GRANT_KEY].name);
	for (int i = 0; i < ntags; i++)
	{
		DogpileBytes tag;

		p = dogpile_tag_next(tags, p, &tag.data, &tag.len);
		dogpile_item_name_of_tag(region, tag, &grant->tokens[DOGPILE_GRANT_TAGS + i].name);
	}
	return grant;
}

/* Leave the lock to the worker, because the store has failed. */
void
dogpile_grant_leave_lock(DogpileGrant *grant)
{
	if (grant->is_locked)
		dogpile_lease_abandon(&grant->lock);
	grant->is_locked = false;
}

/*
 * Release the lock at once, so that other servers need not wait.  If the store does not
 * answer, the worker goes on trying.
 */
void
dogpile_grant_release(DogpileGrant *grant)
{
	if (!grant->is_locked)
		return;
	if (dogpile_remote_unlock(grant->remote, &grant->lock) == DOGPILE_BACKEND_ERROR)
	{
		dogpile_grant_leave_lock(grant);
		return;
	}
	dogpile_lease_drop(&grant->lock);
	grant->is_locked = false;
}

/*
 * Keep what is needed at COMMIT, and release the lock: other servers do not wait for the
 * end of a transaction.  Instead, the entry is stored only if there is no younger one.
 */
DogpileGrant *
dogpile_grant_defer(DogpileGrant *grant)
{
	Size		size = offsetof(DogpileGrant, tokens) +
		grant->ntokens * sizeof(DogpileToken);
	DogpileGrant *copy;

	dogpile_grant_release(grant);
	copy = memcpy(palloc(size), grant, size);
	copy->lock.name = dogpile_item_name_bytes(&copy->lock_name);
	copy->lock.entry = dogpile_item_name_bytes(&copy->entry_name);
	return copy;
}

/*
 * Note the tokens of what an entry will depend on.
 *
 * Returns CHANGING if one of them is about to be replaced.  The grant becomes void if the
 * store keeps nothing, or if this server is a standby that has not replayed WAL as far as
 * the position of a token.
 */
static DogpileStatus
note_tokens(DogpileRegion *region, DogpileGrant *grant)
{
	if (!dogpile_token_fetch(grant->remote, grant->tokens, grant->ntokens) ||
		!dogpile_token_create_missing(grant->remote, grant->tokens, grant->ntokens,
									  dogpile_token_ttl_ms(region)))
		return DOGPILE_ERROR;
	for (int i = 0; i < grant->ntokens; i++)
		if (dogpile_token_is_mark(grant->tokens[i].text))
			return DOGPILE_CHANGING;
	for (int i = 0; i < grant->ntokens; i++)
		if (grant->tokens[i].text[0] == '\0' ||
			!dogpile_token_is_replayed(grant->tokens[i].text))
			grant->is_void = true;
	return DOGPILE_OK;
}

/* Try to take the lock, and record the result in the list of leases. */
static DogpileBackendStatus
try_lock_outside(DogpileRegion *region, DogpileGrant *grant)
{
	DogpileBackendStatus status;

	dogpile_lease_hold(region, grant->remote, &grant->lock);
	status = dogpile_remote_lock(grant->remote, &grant->lock);
	if (status == DOGPILE_BACKEND_OK)
		dogpile_lease_confirm(&grant->lock);
	else if (status == DOGPILE_BACKEND_ERROR && dogpile_remote_may_have_acted(grant->remote))
		dogpile_lease_abandon(&grant->lock);
	else
		dogpile_lease_drop(&grant->lock);
	grant->is_locked = status == DOGPILE_BACKEND_OK;
	return status;
}

/*
 * Take the lock that all servers respect.  If a session of this server has abandoned it,
 * remove it first.
 */
static DogpileBackendStatus
take_lock(DogpileRegion *region, DogpileGrant *grant)
{
	DogpileBackendStatus status = try_lock_outside(region, grant);
	DogpileBackendLock abandoned = grant->lock;

	if (status == DOGPILE_BACKEND_KEPT &&
		dogpile_lease_find_abandoned(grant->lock.name, abandoned.token) &&
		dogpile_remote_unlock(grant->remote, &abandoned) == DOGPILE_BACKEND_OK)
		status = try_lock_outside(region, grant);
	return status;
}

/*
 * Begin a creation: take the lock, then note the tokens.  The order matters, because a
 * token may be replaced while the session waits for the lock.  What is noted here is
 * older than the snapshot that the query will take.
 *
 * After an error or a cancel, the lock is in this session's list of leases, and goes at
 * the end of the (sub)transaction.
 */
DogpileStatus
dogpile_grant_begin(DogpileRegion *region, const DogpileKey *key,
					const DogpileTags *tags, DogpileGrant **grant)
{
	DogpileGrant *result = make_grant(region, key, tags);
	DogpileRemote *remote = result->remote;
	DogpileStatus status;

	*grant = NULL;
	if (!dogpile_mend_region(region, remote, &result->tokens[DOGPILE_GRANT_REGION].name))
		return DOGPILE_ERROR;

	/* A transaction that has added the key holds the lock to its end. */
	if (region->distributed_lock && !dogpile_remote_is_local(remote) &&
		!dogpile_lease_is_held(&result->lock_name))
	{
		DogpileBackendStatus answer = take_lock(region, result);

		if (answer != DOGPILE_BACKEND_OK)
			return answer == DOGPILE_BACKEND_KEPT ? DOGPILE_BUSY : DOGPILE_ERROR;
	}
	status = note_tokens(region, result);
	if (status == DOGPILE_ERROR)
		dogpile_grant_leave_lock(result);
	else if (status != DOGPILE_OK || result->is_void)
		dogpile_grant_release(result);
	if (status == DOGPILE_OK)
		*grant = result;
	return status;
}

/*
 * Note the tokens for a value that the user sets.  If that is not possible, the grant is
 * void: the value will not be stored, and COMMIT removes the old one.
 */
DogpileGrant *
dogpile_grant_note(DogpileRegion *region, const DogpileKey *key, const DogpileTags *tags)
{
	DogpileGrant *grant = make_grant(region, key, tags);

	if (!dogpile_mend_region(region, grant->remote,
							 &grant->tokens[DOGPILE_GRANT_REGION].name) ||
		note_tokens(region, grant) != DOGPILE_OK)
		grant->is_void = true;
	return grant;
}

/* Remove the entry.  If that fails, the whole region becomes suspect. */
void
dogpile_grant_lose(DogpileGrant *grant)
{
	DogpileBackendItem item = {.name = dogpile_item_name_bytes(&grant->entry_name)};

	if (dogpile_remote_remove(grant->remote, &item, 1) != DOGPILE_BACKEND_OK)
		(void) dogpile_suspect_add(grant->region,
								   &grant->tokens[DOGPILE_GRANT_REGION].name, false);
}

/*
 * Get the tokens for an entry: those noted in the grant, or their successors if this
 * transaction invalidates them.
 *
 * Returns false if the entry would be invalid.
 */
bool
dogpile_grant_follow_tokens(const DogpileGrant *grant, DogpileBytes *tokens)
{
	for (int i = 0; i < grant->ntokens; i++)
	{
		tokens[i].data = dogpile_announce_follow(&grant->tokens[i], grant->remote);
		tokens[i].len = DOGPILE_TOKEN_LEN;
		if (tokens[i].data == NULL)
			return false;
	}
	return true;
}
