/*-------------------------------------------------------------------------
 *
 * token.c
 *	  Versions that servers share: of keys, regions and tags in a store outside.
 *
 * Within a server, versions are readings of a clock in shared memory
 * (version.c).  Servers that share a store have no clock in common, so a
 * version there is a token, a random text under a name of its own.  An entry
 * carries the tokens that its creator found before it took its snapshot.  It is
 * valid as long as these tokens are in place.  To invalidate is to put another
 * token in place, which takes the same time whatever depends on it.
 *
 * A token has a hard and a soft part.  If the hard part changes, entries that carry
 * the token are gone; if the soft part changes, they are stale.
 *
 * A token also has the position in WAL at which it was put in place.  A standby that
 * shares the store and has not replayed up to that position stores nothing that
 * depends on the token.
 *
 * A session that creates an entry makes the tokens that do not exist.  Since no token
 * is used twice, a store may forget tokens at any time: that costs misses, never a
 * wrong value.
 *
 * A mark stands in place of a token while a transaction commits that
 * invalidates; announce.c tells why.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/token.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "miscadmin.h"
#include "replication/walreceiver.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "lib/durable.h"
#include "remote/token.h"
#include "version/tag.h"

/* Lengths of the hard part and of the soft one. */
#define HARD_LEN		16
#define SOFT_LEN		8

/* Where the position in WAL is, in hexadecimal. */
#define WAL_AT			(DOGPILE_TOKEN_LEN + 1)
#define WAL_LEN			16

/*
 * What is in a mark at the beginning and between its parts.  There are two signs, so
 * that a flipped bit does not make a mark of a token: what depends on it would not be
 * stored until the mark expires.  Two hexadecimal digits count the transactions that
 * need the mark; its number follows.  In place of the position in WAL there are random
 * digits of the transaction that has joined the mark last, so that no two transactions
 * have the same text.
 */
#define MARK			'!'
#define COUNT_AT		1
#define NUMBER_AT		3
#define MAX_COUNT		255

/* Least time for which a token is kept. */
#define MIN_TTL_MS		(INT64CONST(24) * 3600 * 1000)

/*
 * So many random hexadecimal digits.  Without a source of randomness, time and
 * process must do: there is nothing to be gained by guessing a token.
 */
static void
put_random(char *text, int len)
{
	uint64		number;

	if (!pg_strong_random(&number, sizeof(number)))
		number = (uint64) GetCurrentTimestamp() * 1000003 + MyProcPid;
	hex_encode((const char *) &number, len / 2, text);
}

static void
put_wal(char *text, XLogRecPtr position)
{
	snprintf(text + DOGPILE_TOKEN_LEN, DOGPILE_TOKEN_TEXT_LEN - DOGPILE_TOKEN_LEN + 1,
			 "@%016llX", (unsigned long long) position);
}

/* Make a new token.  Errors: none. */
void
dogpile_token_make(char *text)
{
	put_random(text, HARD_LEN);
	text[HARD_LEN] = '.';
	put_random(text + HARD_LEN + 1, SOFT_LEN);
	put_wal(text, InvalidXLogRecPtr);
}

/*
 * Note how far a server must have got to see what was changed before a token was
 * put in place.  A standby has nothing to note.
 *
 * This must come after the COMMIT, and after having seen what the token is going to
 * replace: others may have committed before they put that there.
 *
 * Errors: none.
 */
void
dogpile_token_note_wal(char *text)
{
	if (!RecoveryInProgress())
		put_wal(text, dogpile_durable_last_commit());
}

/*
 * Make a token for the place of something that was seen there.
 *
 * Errors: none.
 */
void
dogpile_token_make_next(char *text)
{
	dogpile_token_make(text);
	dogpile_token_note_wal(text);
}

/*
 * Make a token where there is none.  The store may have forgotten one, and with it
 * how far a server must have got; so that is as far as this one knows of.
 */
static void
make_first(char *text)
{
	dogpile_token_make(text);
	if (RecoveryInProgress())
		put_wal(text, GetWalRcvFlushRecPtr(NULL, NULL));
	else
		dogpile_token_note_wal(text);
}

/*
 * Does a snapshot taken from now on see what was changed before a token was put
 * in place?  A standby that shares a store with its primary may be behind.
 *
 * Errors: none.
 */
bool
dogpile_token_is_replayed(const char *text)
{
	return !RecoveryInProgress() ||
		GetXLogReplayRecPtr(NULL) >= strtoull(text + WAL_AT, NULL, 16);
}

static int
get_count(const char *mark)
{
	char		digits[] = {mark[COUNT_AT], mark[COUNT_AT + 1], '\0'};

	return (int) strtol(digits, NULL, 16);
}

static void
put_count(char *mark, int count)
{
	uint8		byte = (uint8) count;

	hex_encode((const char *) &byte, sizeof(byte), mark + COUNT_AT);
}

/*
 * Make the mark of one more transaction.
 *
 * before: what is in the token's place: a token, "", or a mark, which is joined.
 * mark: what is to replace that.
 *
 * Errors: none.
 */
void
dogpile_token_make_mark(const char *before, char *mark)
{
	int			count = 1;

	if (dogpile_token_is_mark(before))
	{
		count = Min(get_count(before) + 1, MAX_COUNT);
		strcpy(mark, before);
	}
	else
		dogpile_token_make(mark);
	mark[0] = mark[HARD_LEN] = MARK;
	put_count(mark, count);
	put_random(mark + WAL_AT, WAL_LEN);
}

/*
 * Leave a mark at the end of a transaction.
 *
 * now: what is in the token's place.
 * mine: the mark as this transaction has put it there.
 * rest: filled in if other transactions still need the mark.
 *
 * If a mark has the highest count, it is unknown when the last transaction leaves it:
 * it stays until it expires.
 *
 * Errors: none.
 */
DogpileMarkState
dogpile_token_leave_mark(const char *now, const char *mine, char *rest)
{
	int			count;

	if (!dogpile_token_is_mark(now))
		return DOGPILE_MARK_GONE;
	if (!dogpile_token_is_same_mark(now, mine))
		return DOGPILE_MARK_OF_OTHERS;
	count = get_count(now);
	if (count == MAX_COUNT)
		return DOGPILE_MARK_OF_OTHERS;
	if (count <= 1)
		return DOGPILE_MARK_GONE;
	strcpy(rest, now);
	put_count(rest, count - 1);
	return DOGPILE_MARK_SHARED;
}

/* Are these the same mark, with whatever count?  Errors: none. */
bool
dogpile_token_is_same_mark(const char *one, const char *other)
{
	return dogpile_token_is_mark(one) && dogpile_token_is_mark(other) &&
		memcmp(one + NUMBER_AT, other + NUMBER_AT, DOGPILE_TOKEN_LEN - NUMBER_AT) == 0;
}

/* Does a mark stand for one transaction alone?  Errors: none. */
bool
dogpile_token_is_own_mark(const char *mark)
{
	return get_count(mark) == 1;
}

/* Give a token another soft part.  Errors: none. */
void
dogpile_token_make_soft(char *text)
{
	put_random(text + HARD_LEN + 1, SOFT_LEN);
}

bool
dogpile_token_is_mark(const char *text)
{
	return text[0] == MARK;
}

/* Are there hexadecimal digits, and nothing else? */
static bool
are_digits(const char *text, int len)
{
	return strspn(text, "0123456789abcdefABCDEF") >= len;
}

/* Is this a token or a mark, and not damaged? */
static bool
is_well_formed(DogpileBytes bytes)
{
	char		text[DOGPILE_TOKEN_TEXT_LEN + 1];
	bool		is_mark;

	if (bytes.len != DOGPILE_TOKEN_TEXT_LEN)
		return false;
	memcpy(text, bytes.data, bytes.len);
	text[bytes.len] = '\0';
	is_mark = text[0] == MARK;
	return are_digits(text + is_mark, HARD_LEN - is_mark) &&
		text[HARD_LEN] == (is_mark ? MARK : '.') &&
		are_digits(text + HARD_LEN + 1, SOFT_LEN) &&
		text[DOGPILE_TOKEN_LEN] == '@' && are_digits(text + WAL_AT, WAL_LEN);
}

/*
 * Take over what was found under a token's name; what is neither a token nor a
 * mark counts as nothing.  Errors: none.
 */
void
dogpile_token_read(char *text, const DogpileBackendItem *item)
{
	text[0] = '\0';
	if (item->status == DOGPILE_BACKEND_OK && is_well_formed(item->value))
	{
		memcpy(text, item->value.data, DOGPILE_TOKEN_TEXT_LEN);
		text[DOGPILE_TOKEN_TEXT_LEN] = '\0';
	}
}

/*
 * Fill in an item that puts something in a token's place.
 *
 * seen: what was last found there; if it has changed since, it is left alone.
 * text: the token or mark that is to be there; like "seen", not copied.
 *
 * Errors: none.
 */
void
dogpile_token_replace(DogpileBytes name, const char *seen, const char *text, int64 ttl_ms,
					  DogpileBackendItem *item)
{
	memset(item, 0, sizeof(*item));
	item->name = name;
	item->value.data = text;
	item->value.len = DOGPILE_TOKEN_TEXT_LEN;
	item->expected.data = seen;
	item->expected.len = DOGPILE_TOKEN_TEXT_LEN;
	item->mode = seen[0] == '\0' ? DOGPILE_BACKEND_IF_ABSENT : DOGPILE_BACKEND_IF_EQUAL;
	item->ttl_ms = ttl_ms;
}

/*
 * What has become of a token?
 *
 * then: as the entry has it.
 * now: as it is, or "" if there is none.
 *
 * Errors: none.
 */
DogpileTokenChange
dogpile_token_compare(DogpileBytes then, const char *now)
{
	if (then.len != DOGPILE_TOKEN_LEN || strlen(now) != DOGPILE_TOKEN_TEXT_LEN ||
		dogpile_token_is_mark(now) || memcmp(then.data, now, HARD_LEN) != 0)
		return DOGPILE_TOKEN_HARD;
	return memcmp(then.data, now, DOGPILE_TOKEN_LEN) == 0 ?
		DOGPILE_TOKEN_SAME : DOGPILE_TOKEN_SOFT;
}

/*
 * How long to keep a token: longer than most entries that depend on it, because those
 * that outlast it are lost.  0: without limit.
 *
 * Errors: none.
 */
int64
dogpile_token_ttl_ms(const DogpileRegion *region)
{
	double		hard_s = region->expiration_time_s * region->hard_expiration_factor;

	if (region->expiration_time_s < 0)
		return 0;
	return Max(MIN_TTL_MS, (int64) (hard_s * 8 * 1000));
}

/*
 * Look tokens up.
 *
 * tokens: their names are set; their texts are filled in.
 *
 * Returns false if that did not work.
 *
 * Errors: see dogpile_remote_get().
 */
bool
dogpile_token_fetch(DogpileRemote *remote, DogpileToken *tokens, int ntokens)
{
	DogpileBackendItem items[2 + DOGPILE_MAX_TAGS] = {0};

	for (int i = 0; i < ntokens; i++)
		items[i].name = dogpile_item_name_bytes(&tokens[i].name);
	if (dogpile_remote_get(remote, items, ntokens) != DOGPILE_BACKEND_OK)
		return false;
	for (int i = 0; i < ntokens; i++)
		dogpile_token_read(tokens[i].text, &items[i]);
	return true;
}

/*
 * Replace a text that is neither a token nor a mark by a new token.  Nothing else does
 * so, and no entry that depends on it can be stored before.
 */
static void
repair(DogpileRemote *remote, DogpileToken *token, int64 ttl_ms)
{
	DogpileBackendItem item = {.name = dogpile_item_name_bytes(&token->name)};
	char		text[DOGPILE_TOKEN_TEXT_LEN + 1];
	char	   *damaged;

	if (dogpile_remote_get(remote, &item, 1) != DOGPILE_BACKEND_OK ||
		item.status != DOGPILE_BACKEND_OK || is_well_formed(item.value))
		return;
	damaged = palloc(item.value.len + 1);
	memcpy(damaged, item.value.data, item.value.len);
	item.expected.data = damaged;
	item.expected.len = item.value.len;
	make_first(text);
	item.value.data = text;
	item.value.len = DOGPILE_TOKEN_TEXT_LEN;
	item.mode = DOGPILE_BACKEND_IF_EQUAL;
	item.ttl_ms = ttl_ms;
	(void) dogpile_remote_set(remote, &item, 1);
	pfree(damaged);
}

/*
 * Make those tokens that do not exist.
 *
 * tokens: as fetched; the texts of missing ones are filled in, unless the store
 *		keeps none.
 * ttl_ms: for how long the new ones are kept.
 *
 * Returns false if that did not work.
 *
 * Errors: see dogpile_remote_get().
 */
bool
dogpile_token_create_missing(DogpileRemote *remote, DogpileToken *tokens,
							 int ntokens, int64 ttl_ms)
{
	DogpileBackendItem items[2 + DOGPILE_MAX_TAGS] = {0};
	char		texts[2 + DOGPILE_MAX_TAGS][DOGPILE_TOKEN_TEXT_LEN + 1];
	int			missing = 0;

	for (int i = 0; i < ntokens; i++)
	{
		DogpileBackendItem *item = &items[missing];

		if (tokens[i].text[0] != '\0')
			continue;
		make_first(texts[missing]);
		item->name = dogpile_item_name_bytes(&tokens[i].name);
		item->value.data = texts[missing];
		item->value.len = DOGPILE_TOKEN_TEXT_LEN;
		item->mode = DOGPILE_BACKEND_IF_ABSENT;
		item->ttl_ms = ttl_ms;
		missing++;
	}
	if (missing == 0)
		return true;
	if (dogpile_remote_set(remote, items, missing) != DOGPILE_BACKEND_OK)
		return false;

	/* Another session may have been faster with some of them. */
	if (!dogpile_token_fetch(remote, tokens, ntokens))
		return false;
	missing = 0;
	for (int i = 0; i < ntokens; i++)
	{
		if (tokens[i].text[0] != '\0')
			continue;
		repair(remote, &tokens[i], ttl_ms);
		missing++;
	}
	return missing == 0 || dogpile_token_fetch(remote, tokens, ntokens);
}
