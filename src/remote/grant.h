/*-------------------------------------------------------------------------
 *
 * grant.h
 *	  The right to store an entry outside, and what the entry will depend on.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/grant.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_GRANT_H
#define DOGPILE_GRANT_H

#include "remote/token.h"
#include "store/store.h"

/* Positions of an entry's tokens: those of its tags follow. */
#define DOGPILE_GRANT_REGION	0
#define DOGPILE_GRANT_KEY		1
#define DOGPILE_GRANT_TAGS		2

/* For grant.c and store_remote.c only. */
typedef struct DogpileGrant
{
	DogpileRemote *remote;
	const char *region;			/* its name */
	DogpileItemName entry_name;
	DogpileItemName lock_name;
	DogpileBackendLock lock;
	bool		is_locked;
	bool		is_void;		/* must the entry not be stored? */
	int			ntokens;
	DogpileToken tokens[FLEXIBLE_ARRAY_MEMBER];
} DogpileGrant;

extern void dogpile_grant_make_lock_token(char *token);
extern DogpileStatus dogpile_grant_begin(DogpileRegion *region, const DogpileKey *key,
										 const DogpileTags *tags, DogpileGrant **grant);
extern DogpileGrant *dogpile_grant_note(DogpileRegion *region, const DogpileKey *key,
										const DogpileTags *tags);
extern bool dogpile_grant_follow_tokens(const DogpileGrant *grant, DogpileBytes *tokens);
extern void dogpile_grant_release(DogpileGrant *grant);
extern void dogpile_grant_leave_lock(DogpileGrant *grant);
extern DogpileGrant *dogpile_grant_defer(DogpileGrant *grant);
extern void dogpile_grant_lose(DogpileGrant *grant);

#endif							/* DOGPILE_GRANT_H */
