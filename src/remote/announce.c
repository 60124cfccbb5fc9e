/*-------------------------------------------------------------------------
 *
 * announce.c
 *	  Invalidations for other servers, on both sides of a COMMIT.
 *
 * Once a transaction has committed, other servers that share a store must no longer
 * return what it invalidates, nor store what they have computed before.  A single
 * message is not enough: sent before the commit, it is followed by values computed
 * from data that are about to change; sent after it, it is lost if this server
 * crashes in between.  So there are two:
 *
 *		PRE_COMMIT	A mark replaces each token.  Entries that depend on the token
 *					are invalid from now on, and no new ones are stored: other
 *					sessions wait for a moment.
 *		COMMIT		A new token replaces the mark.
 *
 * Several transactions may have the same mark in place at a time, so a mark
 * counts them, and only the last one to leave puts a token there.  A mark also has a
 * number: if a transaction takes longer than its mark lasts, it may find a mark of
 * other transactions in its place, whose count it must not change.
 *
 * A mark expires after grace_time unless the worker renews it, which it does as long
 * as the commit takes.  If this server crashes, the mark expires and no token is
 * left, so entries stored before are invalid.  No outdated value is served at any
 * time; until the mark expires, what depends on the token is not cached.
 *
 * If the store cannot be told at PRE_COMMIT or at COMMIT, the region is suspect
 * (suspect.c): a store that was restarted may have forgotten the mark.  This server
 * serves nothing from the region until it reaches the store again.  Other servers
 * that can reach the store meanwhile serve what they find.  A mark that could not be
 * replaced is left to the worker (mend.c).
 *
 * Soft invalidations need no mark, since being stale is no promise: the soft
 * part of the token is replaced after the commit.
 *
 * A transaction may invalidate any number of things.  What goes to one store goes
 * there in few calls, whichever regions it is for.  PRE_COMMIT can be cancelled.
 * Neither half takes longer than dogpile.commit_timeout and one more call for each
 * store: if that is not going to be enough for all marks, regions are marked as a
 * whole, by their own token.  A token that cannot be replaced in time makes its region
 * suspect.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/announce.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "config/config.h"
#include "lib/clock.h"
#include "lib/stop.h"
#include "remote/announce.h"
#include "remote/lease.h"
#include "remote/notice.h"

/* Most items in one call. */
#define BATCH			512

/* How often to try to replace a token that others replace, too. */
#define TRIES			8

/* After so many failures, a store is sent no more of this transaction's marks. */
#define MAX_FAILURES	2

/* Does a region's store have to be told what is invalidated? */
bool
dogpile_announce_is_needed(DogpileRegion *region)
{
	return region->active && pg_strcasecmp(region->backend, DOGPILE_SHARED_MEMORY) != 0 &&
		pg_strcasecmp(region->backend, "null") != 0;
}

/*
 * Name what has to be announced of a key, before PRE_COMMIT.
 *
 * Returns the names in TopTransactionContext.
 *
 * Errors: out of memory; those of names.  Locks: no LWLock may be held.
 */
DogpileKeyNames *
dogpile_announce_name_key(DogpileRegion *region, const DogpileKey *key)
{
	DogpileItemName version;
	DogpileItemName entry;
	DogpileKeyNames *names;

	dogpile_item_name_of_key(region, key, DOGPILE_ITEM_KEY_VERSION, &version);
	dogpile_item_name_of_key(region, key, DOGPILE_ITEM_ENTRY, &entry);
	names = MemoryContextAlloc(TopTransactionContext,
							   offsetof(DogpileKeyNames, text) + version.len + entry.len + 2);
	names->entry_at = version.len + 1;
	memcpy(names->text, version.text, version.len + 1);
	memcpy(names->text + names->entry_at, entry.text, entry.len + 1);
	return names;
}

/*
 * Obey a cancel request, and statement_timeout, which PostgreSQL disables at COMMIT.
 */
static void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
	if (StatementTimeout > 0 &&
		GetCurrentTimestamp() >= TimestampTzPlusMilliseconds(GetCurrentStatementStartTimestamp(),
															 StatementTimeout))
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("canceling statement due to statement timeout")));
}

/*
 * Announce that a key, a region, or a tag is invalidated; at PRE_COMMIT.
 *
 * names: must live as long as the transaction.
 *
 * Errors: out of memory; those of names and of interrupts.
 */
void
dogpile_announce_key(DogpileRegion *region, const DogpileKeyNames *names, bool hard)
{
	DogpileItemName name;

	CHECK_FOR_INTERRUPTS();
	if (!dogpile_announce_is_needed(region))
		return;
	name.len = names->entry_at - 1;
	memcpy(name.text, names->text, names->entry_at);
	dogpile_notice_add(region, &name, hard)->entry_name = names->text + names->entry_at;
}

void
dogpile_announce_region(DogpileRegion *region, bool hard)
{
	DogpileItemName name;

	if (!dogpile_announce_is_needed(region))
		return;
	dogpile_item_name_of_region(region, &name);
	(void) dogpile_notice_add(region, &name, hard);
}

/*
 * Announce that all entries of a region are invalidated that belong to another
 * database, if they do by its name; before PRE_COMMIT.
 *
 * A region cannot be suspect on account of a database that is gone: if the store
 * cannot be told, its entries stay there until they expire.
 */
void
dogpile_announce_database(DogpileRegion *region, const char *database)
{
	DogpileItemName name;

	if (!dogpile_announce_is_needed(region) || region->name_space[0] != '\0')
		return;
	dogpile_item_name_of_database(region, database, &name);
	(void) dogpile_notice_add(region, &name, true);
}

void
dogpile_announce_tag(DogpileBytes tag, bool hard)
{
	const DogpileRegion *last = NULL;
	DogpileItemName name;
	ListCell   *lc;

	CHECK_FOR_INTERRUPTS();
	foreach(lc, dogpile_config_regions())
	{
		DogpileRegion *region = lfirst(lc);

		if (!dogpile_announce_is_needed(region))
			continue;

		/* Most regions have the same name for it. */
		if (last == NULL || strcmp(last->name_space, region->name_space) != 0 ||
			strcmp(last->key_prefix, region->key_prefix) != 0)
			dogpile_item_name_of_tag(region, tag, &name);
		last = region;
		(void) dogpile_notice_add(region, &name, hard);
	}
}

/*
 * What will be in the place of a token when this transaction has committed, for entries
 * that it has made: if it invalidates the token, the successor, under which nobody else
 * stores anything.
 *
 * noted: as it was noted when the entry was made.
 * remote: the entry's.
 *
 * Other transactions may have changed something that the entry has not seen.  The entry
 * is invalid then.  What is in the token's place tells: another token or a mark when ours
 * is put there, or a mark that they have joined when it is replaced, for which see
 * deliver_own_marks().
 *
 * Returns a text that lives as long as the transaction or "noted", or NULL if the entry
 * is invalid.
 *
 * Errors: none.
 */
const char *
dogpile_announce_follow(const DogpileToken *noted, const DogpileRemote *remote)
{
	const DogpileNoticeName *named = dogpile_notice_find(&noted->name);

	for (const DogpileNotice *a = named ? named->first : NULL; a != NULL; a = a->next_of_name)
		if (a->hard && a->group->remote == remote)
			return a->is_sent && strcmp(a->seen, noted->text) == 0 ? named->successor : NULL;
	return noted->text;
}

/* --------------------------------------------------------------------
 * Many announcements in one call
 * --------------------------------------------------------------------
 */

/* Some announcements of one store, an item for each, and room for a text. */
typedef struct Batch
{
	DogpileRemote *remote;
	int			count;
	DogpileNotice *notices[BATCH];
	DogpileBackendItem items[BATCH];
	char		texts[BATCH][DOGPILE_TOKEN_TEXT_LEN + 1];
} Batch;

/* COMMIT has no memory to ask for, and this is too large for the stack. */
static Batch batch;

/* Which announcements to take into a batch. */
typedef bool (*Filter) (const DogpileNotice *a);

static bool
needs_mark(const DogpileNotice *a)
{
	return a->hard && !a->is_sent;
}

static bool
needs_mark_as_whole(const DogpileNotice *a)
{
	return needs_mark(a) && a->is_whole;
}

static bool
has_own_mark(const DogpileNotice *a)
{
	return a->is_sent && dogpile_token_is_own_mark(a->mark);
}

static bool
needs_leaving(const DogpileNotice *a)
{
	return a->is_sent && !a->is_left;
}

static bool
is_unsure(const DogpileNotice *a)
{
	return a->is_unsure;
}

static bool
has_entry(const DogpileNotice *a)
{
	return a->hard && a->entry_name != NULL;
}

static bool
needs_softening(const DogpileNotice *a)
{
	return !a->hard && !a->is_left;
}

/*
 * Begin a batch with the next announcements of a group; their names are set.
 * Returns false if there are none left.
 */
static bool
next_batch(const DogpileNoticeGroup *group, DogpileNotice **from, Filter filter)
{
	batch.remote = group->remote;
	batch.count = 0;
	for (; *from != NULL && batch.count < BATCH; *from = (*from)->next)
		if (filter(*from))
		{
			DogpileBackendItem *item = &batch.items[batch.count];

			batch.notices[batch.count++] = *from;
			memset(item, 0, sizeof(*item));
			item->name.data = (*from)->named->name;
			item->name.len = (*from)->named->len;
		}
	return batch.count > 0;
}

/* See what is in the place of each token of the batch. */
static bool
look_at_tokens(void)
{
	if (dogpile_remote_get(batch.remote, batch.items, batch.count) != DOGPILE_BACKEND_OK)
		return false;
	for (int i = 0; i < batch.count; i++)
		dogpile_token_read(batch.notices[i]->seen, &batch.items[i]);
	return true;
}

/* Let the i-th item put something in place of what was last seen there. */
static void
replace(int i, const char *text, int64 ttl_ms)
{
	DogpileNotice *a = batch.notices[i];
	DogpileBytes name = {a->named->name, a->named->len};

	dogpile_token_replace(name, a->seen, text, ttl_ms, &batch.items[i]);
}

/* Keep a notice in a batch that is made shorter, whose items are made anew. */
static void
keep_in_batch(int *kept, DogpileNotice *a)
{
	batch.notices[(*kept)++] = a;
}

/* --------------------------------------------------------------------
 * PRE_COMMIT: putting marks in place
 * --------------------------------------------------------------------
 */

/* Enter a mark into the table of what has to be renewed. */
static void
hold_mark(DogpileNotice *a)
{
	DogpileItemName name = {.len = a->named->len};

	memcpy(name.text, a->named->name, name.len + 1);
	dogpile_lease_drop_mark(a->row, a->mark);
	dogpile_token_make_mark(a->seen, a->mark);
	a->row = dogpile_lease_hold_mark(dogpile_notice_region(a),
									 &name, a->mark, DOGPILE_TOKEN_TEXT_LEN, a->mark_ms);
}

/* Put a mark in place of each token of the batch, or join the one that is there. */
static bool
mark(void)
{
	bool		may_be_sent;
	bool		ok;

	for (int i = 0; i < batch.count; i++)
	{
		hold_mark(batch.notices[i]);
		replace(i, batch.notices[i]->mark, batch.notices[i]->mark_ms);
		batch.notices[i]->is_unsure = true;
	}
	ok = dogpile_remote_set(batch.remote, batch.items, batch.count) == DOGPILE_BACKEND_OK;
	may_be_sent = !ok && dogpile_remote_may_have_acted(batch.remote);
	for (int i = 0; i < batch.count; i++)
	{
		DogpileNotice *a = batch.notices[i];

		a->is_unsure = false;
		a->is_sent = batch.items[i].status == DOGPILE_BACKEND_OK;
		if (!a->is_sent && !may_be_sent)
		{
			dogpile_lease_drop_mark(a->row, a->mark);
			a->row = -1;
		}
	}
	return ok;
}

/* How long it takes to mark everything. */
typedef struct Progress
{
	TimestampTz begun_at;		/* 0: as long as it takes */
	int			total;			/* marks to be put in place */
	int			tried;
} Progress;

/*
 * Is there too little time for all marks?  The sooner this is known, the less time is
 * lost to marks that are not needed.
 */
static bool
is_commit_late(const Progress *progress)
{
	long		elapsed_ms;

	if (progress->begun_at == 0)
		return false;
	elapsed_ms = TimestampDifferenceMilliseconds(progress->begun_at, dogpile_clock_now());
	return elapsed_ms >= dogpile_commit_timeout_ms ||
		(elapsed_ms >= dogpile_commit_timeout_ms / 10 && progress->tried < progress->total &&
		 (double) elapsed_ms * progress->total >
		 (double) dogpile_commit_timeout_ms * progress->tried);
}

/*
 * Mark what goes to one store, or some of it.
 *
 * Returns false if there is not enough time, though the store has answered.
 */
static bool
send_group(DogpileNoticeGroup *group, Filter filter, Progress *progress)
{
	int			failures = 0;

	for (int try = 0; try < TRIES && failures == 0; try++)
	{
		DogpileNotice *from = group->first;

		while (next_batch(group, &from, filter))
		{
			check_interrupts();
			if (is_commit_late(progress))
				return failures > 0;
			if ((!look_at_tokens() || !mark()) && ++failures == MAX_FAILURES)
				return true;
			progress->tried += batch.count;
		}
	}
	return true;
}

/*
 * There is no time left to mark what goes to a store one by one: mark the regions as
 * a whole to which the rest matters, in one call.
 */
static void
widen(DogpileNoticeGroup *group)
{
	Bitmapset  *regions = NULL;
	Progress	progress = {0};

	for (DogpileNotice *a = group->first; a != NULL; a = a->next)
		if (needs_mark(a))
			regions = bms_add_members(regions, a->regions);
	for (int i = -1; (i = bms_next_member(regions, i)) >= 0;)
		dogpile_notice_widen(i);
	(void) send_group(group, needs_mark_as_whole, &progress);
	bms_free(regions);
}

/* Is this invalidated with the regions to which it matters? */
static bool
is_covered(const DogpileNotice *a)
{
	for (int i = -1; (i = bms_next_member(a->regions, i)) >= 0;)
	{
		const DogpileNotice *whole = dogpile_notice_whole(i);

		if (whole == NULL || !whole->is_sent)
			return false;
	}
	return true;
}

/* Note each region that a missing mark matters to. */
static void
doubt_unsent(void)
{
	for (DogpileNoticeGroup *group = dogpile_notice_groups(); group != NULL; group = group->next)
		for (DogpileNotice *a = group->first; a != NULL; a = a->next)
			if (needs_mark(a) && !is_covered(a))
				dogpile_notice_doubt(a);
}

/*
 * PRE_COMMIT: put the marks in place.  What cannot be told makes its region
 * suspect; the transaction goes on.
 *
 * Errors: out of memory; those of interrupts.
 */
void
dogpile_announce_send(void)
{
	DogpileNoticeGroup *groups = dogpile_notice_groups();
	Progress	progress = {.begun_at = dogpile_clock_now()};

	for (DogpileNoticeGroup *group = groups; group != NULL; group = group->next)
		for (DogpileNotice *a = group->first; a != NULL; a = a->next)
			progress.total += needs_mark(a);
	for (DogpileNoticeGroup *group = groups; group != NULL; group = group->next)
		if (!send_group(group, needs_mark, &progress))
			widen(group);
	doubt_unsent();
	dogpile_notice_suspect(true);
}

/* --------------------------------------------------------------------
 * COMMIT and ABORT: replacing them
 * --------------------------------------------------------------------
 */

/*
 * Replace marks that nobody has joined, as most are, by their successors; nobody else
 * has committed under them.  Returns false if the store has failed.
 */
static bool
deliver_own_marks(DogpileNoticeGroup *group)
{
	DogpileNotice *from = group->first;

	while (next_batch(group, &from, has_own_mark))
	{
		bool		ok;

		for (int i = 0; i < batch.count; i++)
		{
			DogpileNotice *a = batch.notices[i];

			strcpy(a->seen, a->mark);
			dogpile_token_note_wal(a->named->successor);
			replace(i, a->named->successor, a->ttl_ms);
		}
		ok = dogpile_remote_set(batch.remote, batch.items, batch.count) == DOGPILE_BACKEND_OK;
		for (int i = 0; i < batch.count; i++)
			batch.notices[i]->is_left = batch.items[i].status == DOGPILE_BACKEND_OK;
		if (!ok)
			return false;
	}
	return true;
}

/*
 * What has to take the place of what is there now?  False: nothing.
 *
 * Others may have committed since our mark was put there.  So it is not the successor:
 * what this transaction has made has not seen what they have changed.
 */
static bool
choose_rest(DogpileNotice *a, char *text)
{
	switch (dogpile_token_leave_mark(a->seen, a->mark, text))
	{
		case DOGPILE_MARK_OF_OTHERS:
			a->is_left = true;
			return false;
		case DOGPILE_MARK_SHARED:
			return true;
		case DOGPILE_MARK_GONE:
			dogpile_token_make_next(text);
			return true;
	}
	return false;
}

/*
 * Replace what is in the place of each token of the batch, which is not the mark as
 * we have left it: others have joined it or left it, or its lease was over.
 * Returns false if the store has failed.
 */
static bool
leave_marks(void)
{
	int			kept = 0;
	bool		ok;

	if (!look_at_tokens())
		return false;
	for (int i = 0; i < batch.count; i++)
		if (choose_rest(batch.notices[i], batch.texts[kept]))
			keep_in_batch(&kept, batch.notices[i]);
	batch.count = kept;
	if (kept == 0)
		return true;
	for (int i = 0; i < kept; i++)
		replace(i, batch.texts[i], dogpile_token_is_mark(batch.texts[i]) ?
				batch.notices[i]->mark_ms : batch.notices[i]->ttl_ms);
	ok = dogpile_remote_set(batch.remote, batch.items, batch.count) == DOGPILE_BACKEND_OK;
	for (int i = 0; i < kept; i++)
		batch.notices[i]->is_left = batch.items[i].status == DOGPILE_BACKEND_OK;
	return ok;
}

/* The same for all of a group that are left. */
static void
deliver_slowly(DogpileNoticeGroup *group)
{
	dogpile_stop(DOGPILE_STOP_LEAVING);
	for (int try = 0; try < TRIES; try++)
	{
		DogpileNotice *from = group->first;

		while (next_batch(group, &from, needs_leaving))
			if (!leave_marks())
				return;
	}
}

/*
 * Leave all marks that this transaction has put in place or joined.  What cannot
 * be told makes its region suspect, and is left to the worker.
 */
static void
deliver_marks(DogpileNoticeGroup *group)
{
	if (deliver_own_marks(group))
		deliver_slowly(group);
	for (DogpileNotice *a = group->first; a != NULL; a = a->next)
	{
		if (a->is_left)
			dogpile_lease_drop_mark(a->row, a->mark);
		else
			dogpile_lease_abandon_mark(a->row, a->mark, a->is_sent);
		if (needs_leaving(a))
			dogpile_notice_doubt(a);
	}
}

/*
 * Replace the soft part of the tokens of the batch.  One that does not exist, or is
 * about to be replaced as a whole, needs none.  Returns false if the store has failed.
 */
static bool
soften(void)
{
	int			kept = 0;
	bool		ok;

	if (!look_at_tokens())
		return false;
	for (int i = 0; i < batch.count; i++)
	{
		DogpileNotice *a = batch.notices[i];

		a->is_left = a->seen[0] == '\0' || dogpile_token_is_mark(a->seen);
		if (a->is_left)
			continue;
		strcpy(batch.texts[kept], a->seen);
		dogpile_token_make_soft(batch.texts[kept]);
		dogpile_token_note_wal(batch.texts[kept]);
		keep_in_batch(&kept, a);
	}
	batch.count = kept;
	if (kept == 0)
		return true;
	for (int i = 0; i < kept; i++)
		replace(i, batch.texts[i], batch.notices[i]->ttl_ms);
	dogpile_stop(DOGPILE_STOP_SOFTENING);
	ok = dogpile_remote_set(batch.remote, batch.items, kept) == DOGPILE_BACKEND_OK;
	for (int i = 0; i < kept; i++)
		batch.notices[i]->is_left = batch.items[i].status == DOGPILE_BACKEND_OK;
	return ok;
}

/*
 * The same for all of a group.  Another session may have replaced a token first, for a
 * commit before ours, which a standby may have replayed already.
 */
static void
deliver_soft(DogpileNoticeGroup *group)
{
	for (int try = 0; try < TRIES; try++)
	{
		DogpileNotice *from = group->first;

		while (next_batch(group, &from, needs_softening))
			if (!soften())
			{
				/* Later batches are not tried if one has failed. */
				for (DogpileNotice *a = group->first; a != NULL; a = a->next)
					if (needs_softening(a))
						dogpile_notice_doubt(a);
				return;
			}
	}
}

/*
 * Remove the entries of the keys whose names are known, to free memory.  No session can
 * store them again as long as the marks are in place.
 */
static void
remove_outdated_entries(DogpileNoticeGroup *group)
{
	DogpileNotice *from = group->first;

	while (next_batch(group, &from, has_entry))
	{
		for (int i = 0; i < batch.count; i++)
		{
			batch.items[i].name.data = batch.notices[i]->entry_name;
			batch.items[i].name.len = strlen(batch.notices[i]->entry_name);
		}
		if (dogpile_remote_remove(batch.remote, batch.items, batch.count)
			== DOGPILE_BACKEND_ERROR)
			return;
	}
}

/*
 * COMMIT: let the invalidations take effect.
 *
 * Errors: none; interrupts are held off, and each call is tried once, for no
 * longer than the region's timeouts; for all together see dogpile_remote_limit().
 */
void
dogpile_announce_commit(void)
{
	for (DogpileNoticeGroup *group = dogpile_notice_groups(); group != NULL; group = group->next)
	{
		remove_outdated_entries(group);
		deliver_marks(group);
		deliver_soft(group);
	}

	/*
	 * One that has no mark has made its region suspect before, but another
	 * server may have stored since what was not yet outdated.
	 */
	doubt_unsent();
	dogpile_notice_suspect(false);
	dogpile_notice_end();
}

/*
 * Remove the marks that may be in place, if putting them there was interrupted by a
 * cancel request.  A text that is not the one we have sent is left alone.
 */
static void
take_back(DogpileNoticeGroup *group)
{
	DogpileNotice *from = group->first;

	while (next_batch(group, &from, is_unsure))
	{
		for (int i = 0; i < batch.count; i++)
		{
			DogpileNotice *a = batch.notices[i];
			bool		is_last;

			strcpy(a->seen, a->mark);
			strcpy(batch.texts[i], a->mark);
			is_last = dogpile_token_leave_mark(a->mark, a->mark, batch.texts[i])
				== DOGPILE_MARK_GONE;
			if (is_last)
				dogpile_token_make_next(batch.texts[i]);
			replace(i, batch.texts[i], is_last ? a->ttl_ms : a->mark_ms);
		}
		if (dogpile_remote_set(batch.remote, batch.items, batch.count) != DOGPILE_BACKEND_OK)
			return;
		for (int i = 0; i < batch.count; i++)
			batch.notices[i]->is_left = batch.items[i].status == DOGPILE_BACKEND_OK;
	}
}

/*
 * ABORT: remove the marks, so that no session has to wait until they expire.  Nothing is
 * lost if this fails.
 *
 * Errors: none, as above.
 */
void
dogpile_announce_abort(void)
{
	for (DogpileNoticeGroup *group = dogpile_notice_groups(); group != NULL; group = group->next)
	{
		take_back(group);
		deliver_marks(group);
	}
	dogpile_notice_suspect(false);
	dogpile_notice_end();
}
