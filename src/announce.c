/*-------------------------------------------------------------------------
 *
 * announce.c
 *	  Invalidations for other servers, on both sides of a COMMIT.
 *
 * Other servers that share a store must stop giving what a transaction
 * invalidates once it has committed, and must not store what they have computed
 * from the time before.  A single message, sent before the commit, would be
 * followed by values computed from data that are about to change; sent after
 * it, it would be lost if this server crashed in between.  So there are two:
 *
 *		PRE_COMMIT	A mark takes the place of each token.  What depends on it is
 *					worth nothing from now on, and nothing that would depend on
 *					it is stored: other sessions wait for a moment.
 *		COMMIT		Another token takes the place of the mark.
 *
 * Several transactions may have the same mark in place at a time, so a mark
 * counts them, and only the last one to leave puts a token there.  It also has a
 * number, for one whose transaction took longer than the mark lasts may find that
 * of others in its place, from which it must not take away what they have added.
 *
 * A mark is put in place for a time (grace_time), and renewed by the worker as long
 * as the commit takes.  If this server dies in between, it stays until then, and
 * then there is no token, so what was stored before is worth nothing.  Nothing stale
 * is served at any time; for the length of the lease, what depends on the token is
 * not cached.
 *
 * If the store cannot be told at PRE_COMMIT, the region is suspect (suspect.c),
 * and if not at COMMIT, too: a store that was restarted may have forgotten the
 * mark.  Until this server gets through again it serves nothing from the region.
 * Other servers that can reach the store while this one cannot do serve what
 * they find, for as long as that lasts.  A mark that could not be replaced is
 * taken away by the next session of this server that meets it (token.c).
 *
 * Soft invalidations need no mark, since being stale is no promise: the soft
 * part of the token is replaced after the commit.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/announce.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "announce.h"
#include "config.h"
#include "lease.h"
#include "suspect.h"

/* A store that takes no changes is not tried again for so long. */
#define SETTLE_PAUSE_MS	100

/* Most items in one call. */
#define BATCH			64

/* So often a token is read and replaced before it is given up: others do, too. */
#define TRIES			8

/* A region, by its name and that of its version. */
typedef struct RegionToTell
{
	const char *name;
	DogpileItemName version;
	bool		is_held;		/* suspect until this transaction ends? */
} RegionToTell;

/* One token of one store that the transaction invalidates. */
typedef struct Announcement
{
	DogpileRemote *remote;
	List	   *regions;		/* RegionToTell, to whom it matters */
	DogpileToken token;			/* its name, and what was last seen there */
	DogpileItemName entry_name; /* of a key: its entry; else of length 0 */
	bool		hard;
	bool		is_sent;		/* hard: is the mark in place? */
	bool		is_left;		/* ... and is it no longer needed there? */
	int			row;			/* of the mark, see lease.h */
	int64		mark_ms;
	int64		ttl_ms;
	char		mark[DOGPILE_TOKEN_TEXT_LEN + 1];
	char		successor[DOGPILE_TOKEN_TEXT_LEN + 1];
	struct Announcement *next;
	struct Announcement *next_of_name;	/* in another store */
} Announcement;

/* Those of one name. */
typedef struct NamedAnnouncements
{
	char		name[DOGPILE_MAX_ITEM_NAME + 1];	/* hash key */
	Announcement *first;
} NamedAnnouncements;

/* Those of this transaction, in TopTransactionContext. */
static Announcement *announcements = NULL;
static HTAB *by_name = NULL;

/* Does a region's store have to be told what is invalidated? */
bool
dogpile_announce_is_needed(DogpileRegion *region)
{
	return region->active && pg_strcasecmp(region->backend, DOGPILE_SHARED_MEMORY) != 0 &&
		pg_strcasecmp(region->backend, "null") != 0;
}

/* Note to whom it matters, while names can still be made. */
static void
add_region(Announcement *a, DogpileRegion *region)
{
	MemoryContext oldcontext;
	RegionToTell *told;
	ListCell   *cell;

	foreach(cell, a->regions)
		if (((const RegionToTell *) lfirst(cell))->name == region->name)
			return;
	oldcontext = MemoryContextSwitchTo(TopTransactionContext);
	told = palloc(sizeof(RegionToTell));
	told->name = region->name;
	told->is_held = false;
	dogpile_item_name_of_region(region, &told->version);
	a->regions = lappend(a->regions, told);
	MemoryContextSwitchTo(oldcontext);
}

static const char *
first_region(const Announcement *a)
{
	return ((const RegionToTell *) linitial(a->regions))->name;
}

/* Find those of a name, to which others can be added. */
static NamedAnnouncements *
find_named(const DogpileItemName *name)
{
	NamedAnnouncements *named;
	bool		found;

	if (by_name == NULL)
	{
		HASHCTL		ctl = {
			.keysize = sizeof(named->name),
			.entrysize = sizeof(NamedAnnouncements),
			.hcxt = TopTransactionContext
		};

		by_name = hash_create("dogpile announcements", 64, &ctl,
							  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	}
	named = hash_search(by_name, name->text, HASH_ENTER, &found);
	if (!found)
		named->first = NULL;
	return named;
}

/*
 * Make one.  Those of the same name have the same successor, for regions that
 * differ in a timeout may find each other's token.
 */
static Announcement *
make_announcement(DogpileRegion *region, DogpileRemote *remote,
				  const DogpileItemName *name, NamedAnnouncements *named)
{
	Announcement *a;

	/* COMMIT may be the first to need it, for soft invalidations. */
	dogpile_remote_open(remote);
	a = MemoryContextAllocZero(TopTransactionContext, sizeof(Announcement));
	a->remote = remote;
	a->row = -1;
	a->mark_ms = region->grace_time_ms;
	a->ttl_ms = dogpile_token_ttl_ms(region);
	a->token.name = *name;
	if (named->first != NULL)
		strcpy(a->successor, named->first->successor);
	else
		dogpile_token_make(a->successor);
	a->next_of_name = named->first;
	named->first = a;
	a->next = announcements;
	announcements = a;
	return a;
}

/* Note one token; a hard invalidation includes a soft one. */
static Announcement *
add(DogpileRegion *region, const DogpileItemName *name, bool hard)
{
	DogpileRemote *remote = dogpile_remote_find(region);
	NamedAnnouncements *named = find_named(name);
	int64		ttl_ms = dogpile_token_ttl_ms(region);
	Announcement *a = named->first;

	while (a != NULL && a->remote != remote)
		a = a->next_of_name;
	if (a == NULL)
		a = make_announcement(region, remote, name, named);
	add_region(a, region);
	a->hard |= hard;
	a->mark_ms = Min(a->mark_ms, region->grace_time_ms);

	/* 0 is for ever. */
	a->ttl_ms = a->ttl_ms == 0 || ttl_ms == 0 ? 0 : Max(a->ttl_ms, ttl_ms);
	return a;
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

static void
copy_name(DogpileItemName *name, const char *text)
{
	name->len = strlen(text);
	memcpy(name->text, text, name->len + 1);
}

/*
 * Announce that a key, a region, or a tag is invalidated; at PRE_COMMIT.
 *
 * Errors: out of memory; those of names.
 */
void
dogpile_announce_key(DogpileRegion *region, const DogpileKeyNames *names, bool hard)
{
	DogpileItemName name;
	Announcement *a;

	if (!dogpile_announce_is_needed(region))
		return;
	copy_name(&name, names->text);
	a = add(region, &name, hard);
	copy_name(&a->entry_name, names->text + names->entry_at);
}

void
dogpile_announce_region(DogpileRegion *region, bool hard)
{
	DogpileItemName name;

	if (!dogpile_announce_is_needed(region))
		return;
	dogpile_item_name_of_region(region, &name);
	(void) add(region, &name, hard);
}

void
dogpile_announce_tag(DogpileBytes tag, bool hard)
{
	DogpileItemName name;

	for (DogpileRegion *region = dogpile_config_first_region(); region != NULL;
		 region = region->next)
		if (dogpile_announce_is_needed(region))
		{
			dogpile_item_name_of_tag(region, tag, &name);
			(void) add(region, &name, hard);
		}
}

/*
 * A store cannot be told: declare the regions suspect that it matters to.
 *
 * hold: whether to keep others from settling that until the transaction ends.
 */
static void
suspect(const Announcement *a, bool hold)
{
	ListCell   *cell;

	foreach(cell, a->regions)
	{
		RegionToTell *told = lfirst(cell);
		bool		hold_it = hold && !told->is_held;
		bool		durable = dogpile_suspect_add(told->name, &told->version, hold_it);

		told->is_held |= hold_it;
		if (!durable && InterruptHoldoffCount == 0)
			ereport(WARNING,
					(errcode(ERRCODE_IO_ERROR),
					 errmsg("could not note that cached values outside may be outdated"),
					 errdetail("They are not served until the server is restarted.")));
	}
}

/* The transaction has ended: let the regions be settled that it has held. */
static void
release_regions(void)
{
	ListCell   *cell;

	for (Announcement *a = announcements; a != NULL; a = a->next)
		foreach(cell, a->regions)
		{
			RegionToTell *told = lfirst(cell);

			if (told->is_held)
				dogpile_suspect_release(&told->version);
			told->is_held = false;
		}
}

/* The memory goes with the transaction. */
static void
forget_all(void)
{
	announcements = NULL;
	by_name = NULL;
}

/* --------------------------------------------------------------------
 * Many announcements in one call
 * --------------------------------------------------------------------
 */

/* Some announcements of one store, and an item for each. */
typedef struct Batch
{
	DogpileRemote *remote;
	int			count;
	Announcement *announcements[BATCH];
	DogpileBackendItem items[BATCH];
} Batch;

/* Which announcements to take into a batch. */
typedef bool (*Filter) (const Announcement *a);

static bool
needs_mark(const Announcement *a)
{
	return a->hard && !a->is_sent;
}

static bool
has_own_mark(const Announcement *a)
{
	return a->is_sent && dogpile_token_is_own_mark(a->mark);
}

static bool
has_joined_mark(const Announcement *a)
{
	return a->is_sent && !dogpile_token_is_own_mark(a->mark);
}

static bool
has_entry(const Announcement *a)
{
	return a->hard && a->entry_name.len > 0;
}

/* Take some that belong to one store; false if there are none left. */
static bool
next_batch(Announcement **from, Filter filter, Batch *batch)
{
	batch->count = 0;
	for (; *from != NULL && batch->count < BATCH; *from = (*from)->next)
	{
		if (!filter(*from))
			continue;
		if (batch->count > 0 && (*from)->remote != batch->remote)
			break;
		batch->remote = (*from)->remote;
		batch->announcements[batch->count++] = *from;
	}
	return batch->count > 0;
}

/* An item that puts something in place of what a token was last seen to be. */
static void
replace_token(const DogpileToken *token, const char *text, int64 ttl_ms,
			  DogpileBackendItem *item)
{
	memset(item, 0, sizeof(*item));
	item->name = dogpile_item_name_bytes(&token->name);
	item->value.data = text;
	item->value.len = DOGPILE_TOKEN_TEXT_LEN;
	item->expected.data = token->text;
	item->expected.len = DOGPILE_TOKEN_TEXT_LEN;
	item->mode = token->text[0] == '\0' ? DOGPILE_BACKEND_IF_ABSENT :
		DOGPILE_BACKEND_IF_EQUAL;
	item->ttl_ms = ttl_ms;
}

/* --------------------------------------------------------------------
 * PRE_COMMIT: putting marks in place
 * --------------------------------------------------------------------
 */

/* See what is in the place of each token of a batch. */
static bool
look(Batch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		memset(&batch->items[i], 0, sizeof(DogpileBackendItem));
		batch->items[i].name = dogpile_item_name_bytes(&batch->announcements[i]->token.name);
	}
	if (dogpile_remote_get(batch->remote, batch->items, batch->count)
		!= DOGPILE_BACKEND_OK)
		return false;
	for (int i = 0; i < batch->count; i++)
		dogpile_token_read(&batch->announcements[i]->token, &batch->items[i]);
	return true;
}

/* Put a mark in place of each token of a batch, or join the one that is there. */
static bool
mark(Batch *batch)
{
	bool		may_be_sent;
	bool		ok;

	for (int i = 0; i < batch->count; i++)
	{
		Announcement *a = batch->announcements[i];

		dogpile_lease_drop_mark(a->row, a->mark);
		dogpile_token_make_mark(a->token.text, a->mark);
		a->row = dogpile_lease_hold_mark(first_region(a), &a->token.name, a->mark,
										 DOGPILE_TOKEN_TEXT_LEN, a->mark_ms);
		replace_token(&a->token, a->mark, a->mark_ms, &batch->items[i]);
	}
	ok = dogpile_remote_set(batch->remote, batch->items, batch->count) == DOGPILE_BACKEND_OK;
	may_be_sent = !ok && dogpile_remote_may_have_acted(batch->remote);
	for (int i = 0; i < batch->count; i++)
	{
		Announcement *a = batch->announcements[i];

		a->is_sent = batch->items[i].status == DOGPILE_BACKEND_OK;
		if (!a->is_sent && !may_be_sent)
		{
			dogpile_lease_drop_mark(a->row, a->mark);
			a->row = -1;
		}
	}
	return ok;
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
	Batch		batch;

	for (int try = 0; try < TRIES; try++)
	{
		Announcement *from = announcements;

		while (next_batch(&from, needs_mark, &batch))
			if (!look(&batch) || !mark(&batch))
				try = TRIES;
	}
	for (Announcement *a = announcements; a != NULL; a = a->next)
		if (needs_mark(a))
			suspect(a, true);
}

/*
 * The token that will take the place of one that this transaction invalidates,
 * for entries that the transaction stores after doing so; NULL if it does not.
 *
 * Errors: none.
 */
const char *
dogpile_announce_successor(const DogpileItemName *name)
{
	NamedAnnouncements *named = by_name == NULL ? NULL :
		hash_search(by_name, name->text, HASH_FIND, NULL);

	for (Announcement *a = named ? named->first : NULL; a != NULL; a = a->next_of_name)
		if (a->hard)
			return a->successor;
	return NULL;
}

/* --------------------------------------------------------------------
 * COMMIT and ABORT: replacing them
 * --------------------------------------------------------------------
 */

/*
 * Replace what is in the place of a token, which is not the mark as we have left
 * it: others have joined it or left it, or its lease was over.
 */
static bool
deliver_slowly(Announcement *a)
{
	for (int try = 0; try < TRIES; try++)
	{
		DogpileBackendItem item;
		char		rest[DOGPILE_TOKEN_TEXT_LEN + 1];

		if (!dogpile_token_fetch(a->remote, &a->token, 1))
			return false;
		switch (dogpile_token_leave_mark(a->token.text, a->mark, rest))
		{
			case DOGPILE_MARK_OF_OTHERS:
				return true;
			case DOGPILE_MARK_SHARED:
				replace_token(&a->token, rest, a->mark_ms, &item);
				break;
			case DOGPILE_MARK_GONE:
				replace_token(&a->token, a->successor, a->ttl_ms, &item);
				break;
		}
		if (dogpile_remote_set(a->remote, &item, 1) != DOGPILE_BACKEND_OK)
			return false;
		if (item.status == DOGPILE_BACKEND_OK)
			return true;
	}
	return false;
}

/* Replace the marks of a batch by the tokens that follow them. */
static void
deliver_batch(Batch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		Announcement *a = batch->announcements[i];

		/* Most probably nobody has joined the mark. */
		strcpy(a->token.text, a->mark);
		replace_token(&a->token, a->successor, a->ttl_ms, &batch->items[i]);
	}
	if (dogpile_remote_set(batch->remote, batch->items, batch->count)
		!= DOGPILE_BACKEND_OK)
		for (int i = 0; i < batch->count; i++)
			batch->items[i].status = DOGPILE_BACKEND_ERROR;
	for (int i = 0; i < batch->count; i++)
		batch->announcements[i]->is_left =
			batch->items[i].status == DOGPILE_BACKEND_OK ||
			(batch->items[i].status != DOGPILE_BACKEND_ERROR &&
			 deliver_slowly(batch->announcements[i]));
}

/*
 * Leave all marks that this transaction has put in place or joined.  What cannot
 * be told makes its region suspect, and is left to the worker.
 */
static void
deliver_marks(void)
{
	Announcement *from = announcements;
	Batch		batch;

	for (Announcement *a = announcements; a != NULL; a = a->next)
		dogpile_token_note_wal(a->successor);
	while (next_batch(&from, has_own_mark, &batch))
		deliver_batch(&batch);
	for (Announcement *a = announcements; a != NULL; a = a->next)
	{
		if (has_joined_mark(a))
			a->is_left = deliver_slowly(a);
		if (a->is_left)
			dogpile_lease_drop_mark(a->row, a->mark);
		else
			dogpile_lease_abandon_mark(a->row, a->mark, a->is_sent);
		if (a->is_sent && !a->is_left)
			suspect(a, false);
	}
}

/* Replace the soft part of a token.  One that does not exist needs none. */
static bool
deliver_soft(Announcement *a)
{
	DogpileBackendItem item;
	char		next[DOGPILE_TOKEN_TEXT_LEN + 1];

	if (!dogpile_token_fetch(a->remote, &a->token, 1))
		return false;
	if (a->token.text[0] == '\0' || dogpile_token_is_mark(a->token.text))
		return true;
	strcpy(next, a->token.text);
	dogpile_token_make_soft(next);
	dogpile_token_note_wal(next);
	replace_token(&a->token, next, a->ttl_ms, &item);

	/* If it has changed meanwhile, somebody else has done as much. */
	return dogpile_remote_set(a->remote, &item, 1) == DOGPILE_BACKEND_OK;
}

/*
 * Remove what was stored under the keys, as far as we know its name; just to
 * free memory.  Nobody can store it anew as long as the marks are in place.
 */
static void
remove_entries(void)
{
	Announcement *from = announcements;
	Batch		batch;

	while (next_batch(&from, has_entry, &batch))
	{
		memset(batch.items, 0, sizeof(batch.items));
		for (int i = 0; i < batch.count; i++)
			batch.items[i].name = dogpile_item_name_bytes(&batch.announcements[i]->entry_name);
		(void) dogpile_remote_remove(batch.remote, batch.items, batch.count);
	}
}

/*
 * COMMIT: let the invalidations take effect.
 *
 * Errors: none; interrupts are held off, and each call is tried once, for no
 * longer than the region's timeouts.
 */
void
dogpile_announce_commit(void)
{
	remove_entries();
	deliver_marks();

	/*
	 * One that has no mark has made its region suspect before, but another server
	 * may have stored since what was not yet outdated.
	 */
	for (Announcement *a = announcements; a != NULL; a = a->next)
		if (a->hard ? !a->is_sent : !deliver_soft(a))
			suspect(a, false);
	release_regions();
	forget_all();
}

/*
 * ABORT: take the marks away, so that nobody has to wait for the end of their
 * lease.  Nothing is lost if that does not work.
 *
 * Errors: none, as above.
 */
void
dogpile_announce_abort(void)
{
	deliver_marks();
	release_regions();
	forget_all();
}

/* --------------------------------------------------------------------
 * For the worker
 * --------------------------------------------------------------------
 */

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
dogpile_announce_tend_mark(DogpileRegion *region, const DogpileItemName *name,
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
	{
		dogpile_token_make(next);
		dogpile_token_note_wal(next);
	}
	replace_token(&token, next, is_last ? dogpile_token_ttl_ms(region) : lease_ms, &item);
	(void) dogpile_remote_set(remote, &item, 1);

	/* Somebody may have changed it just now; the next time, then. */
	return item.status == DOGPILE_BACKEND_KEPT ? DOGPILE_BACKEND_ERROR : item.status;
}

/*
 * If a region is suspect, try to make all that is stored in it worth nothing.
 *
 * Returns whether the region may be used.
 *
 * Errors: see dogpile_remote_set().
 */
bool
dogpile_announce_settle(DogpileRegion *region, DogpileRemote *remote,
						const DogpileItemName *region_version)
{
	DogpileBackendItem item = {.mode = DOGPILE_BACKEND_ALWAYS};
	char		text[DOGPILE_TOKEN_TEXT_LEN + 1];
	bool		is_held;
	uint64		suspicion = dogpile_suspect_find(region_version, &is_held);
	static DogpileRemote *failed_remote = NULL;
	static TimestampTz failed_at = 0;

	if (likely(suspicion == 0))
		return true;
	if (is_held)
		return false;
	if (remote == failed_remote &&
		GetCurrentTimestamp() < TimestampTzPlusMilliseconds(failed_at, SETTLE_PAUSE_MS))
		return false;
	dogpile_token_make(text);
	dogpile_token_note_wal(text);
	item.name = dogpile_item_name_bytes(region_version);
	item.value.data = text;
	item.value.len = DOGPILE_TOKEN_TEXT_LEN;
	item.ttl_ms = dogpile_token_ttl_ms(region);
	if (dogpile_remote_set(remote, &item, 1) != DOGPILE_BACKEND_OK)
	{
		failed_remote = remote;
		failed_at = GetCurrentTimestamp();
		return false;
	}
	dogpile_suspect_remove(region_version, suspicion);
	return true;
}
