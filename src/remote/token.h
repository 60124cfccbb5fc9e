/*-------------------------------------------------------------------------
 *
 * token.h
 *	  Versions that servers share: of keys, regions and tags in a store outside.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/token.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_TOKEN_H
#define DOGPILE_TOKEN_H

#include "remote/item_name.h"
#include "remote/remote.h"

/* The part of a token that an entry carries: 16 digits, a dot, 8 of the soft part. */
#define DOGPILE_TOKEN_LEN		25

/* All of its text: and then "@" and a position in WAL. */
#define DOGPILE_TOKEN_TEXT_LEN	42

/* A token, and the name that it has outside. */
typedef struct DogpileToken
{
	DogpileItemName name;
	char		text[DOGPILE_TOKEN_TEXT_LEN + 1];	/* "": there is none */
} DogpileToken;

/* What has become of a token since an entry was made. */
typedef enum DogpileTokenChange
{
	DOGPILE_TOKEN_SAME,
	DOGPILE_TOKEN_SOFT,			/* what depends on it is stale */
	DOGPILE_TOKEN_HARD			/* ... is gone */
} DogpileTokenChange;

/* What is left of a mark when a transaction no longer needs it. */
typedef enum DogpileMarkState
{
	DOGPILE_MARK_GONE,			/* nothing: a token may take its place */
	DOGPILE_MARK_SHARED,		/* others need it */
	DOGPILE_MARK_OF_OTHERS		/* it is not the same, and not ours to change */
} DogpileMarkState;

extern void dogpile_token_make(char *text);
extern void dogpile_token_note_wal(char *text);
extern void dogpile_token_make_next(char *text);
extern bool dogpile_token_is_replayed(const char *text);
extern void dogpile_token_make_mark(const char *before, char *mark);
extern DogpileMarkState dogpile_token_leave_mark(const char *now, const char *mine,
												 char *rest);
extern bool dogpile_token_is_same_mark(const char *one, const char *other);
extern bool dogpile_token_is_own_mark(const char *mark);
extern void dogpile_token_make_soft(char *text);
extern bool dogpile_token_is_mark(const char *text);
extern void dogpile_token_read(char *text, const DogpileBackendItem *item);
extern void dogpile_token_replace(DogpileBytes name, const char *seen, const char *text,
								  int64 ttl_ms, DogpileBackendItem *item);
extern DogpileTokenChange dogpile_token_compare(DogpileBytes then, const char *now);
extern int64 dogpile_token_ttl_ms(const DogpileRegion *region);
extern bool dogpile_token_fetch(DogpileRemote *remote, DogpileToken *tokens,
								int ntokens);
extern bool dogpile_token_create_missing(DogpileRemote *remote, DogpileToken *tokens,
										 int ntokens, int64 ttl_ms);

#endif							/* DOGPILE_TOKEN_H */
