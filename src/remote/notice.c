/*-------------------------------------------------------------------------
 *
 * notice.c
 *	  What a transaction has to tell to stores outside, and to which one.
 *
 * A notice is one token of one store that the transaction invalidates.  Notices are
 * grouped by store, for each store is told in as few calls as possible, and found by
 * their names, for regions that share a store share the tokens of tags.
 *
 * If a notice does not get through, the regions that it matters to become suspect.
 * This is noted for each region and done once, whatever the number of notices.
 *
 * Everything is allocated in TopTransactionContext.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/notice.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "remote/notice.h"
#include "remote/suspect.h"

/* A region that notices matter to; known by its index in "told" below. */
typedef struct ToldRegion
{
	DogpileRegion *region;
	DogpileItemName version;	/* the name of its own token */
	bool		is_held;		/* suspect until this transaction ends? */
	struct DogpileNotice *whole;	/* its own token, if that was marked for
									 * want of time */
	bool		is_unsure;		/* something did not get through: to be
								 * suspect */
} ToldRegion;

/* Those of this transaction, in TopTransactionContext. */
static DogpileNoticeGroup *groups = NULL;
static HTAB *by_name = NULL;
static ToldRegion *told = NULL;
static int	ntold = 0;
static int	max_told = 0;

/* The number of a region; its token is named while names can still be made. */
static int
number_of(DogpileRegion *region)
{
	ToldRegion *t;

	for (int i = 0; i < ntold; i++)
		if (told[i].region == region)
			return i;
	if (told == NULL)
	{
		max_told = 16;
		told = MemoryContextAlloc(TopTransactionContext, max_told * sizeof(ToldRegion));
	}
	else if (ntold == max_told)
	{
		told = repalloc(told, 2 * max_told * sizeof(ToldRegion));
		max_told *= 2;
	}
	t = &told[ntold];
	memset(t, 0, sizeof(ToldRegion));
	t->region = region;
	dogpile_item_name_of_region(region, &t->version);
	return ntold++;
}

static void
add_region(DogpileNotice *a, int number)
{
	MemoryContext oldcontext;

	if (bms_is_member(number, a->regions))
		return;
	oldcontext = MemoryContextSwitchTo(TopTransactionContext);
	a->regions = bms_add_member(a->regions, number);
	MemoryContextSwitchTo(oldcontext);
}

/* Find those of a name, to which others can be added. */
static DogpileNoticeName *
find_named(const DogpileItemName *name)
{
	DogpileNoticeName *named;
	bool		found;

	if (by_name == NULL)
	{
		HASHCTL		ctl = {
			.keysize = sizeof(named->name),
			.entrysize = sizeof(DogpileNoticeName),
			.hcxt = TopTransactionContext
		};

		by_name = hash_create("dogpile announcements", 64, &ctl,
							  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	}
	named = hash_search(by_name, name->text, HASH_ENTER, &found);
	if (!found)
	{
		named->len = name->len;
		named->first = NULL;
		dogpile_token_make(named->successor);
	}
	return named;
}

/* Find what goes to a store. */
static DogpileNoticeGroup *
find_group(DogpileRemote *remote)
{
	DogpileNoticeGroup *group = groups;

	while (group != NULL && group->remote != remote)
		group = group->next;
	if (group != NULL)
		return group;

	/* COMMIT may be the first to need it, for soft invalidations. */
	dogpile_remote_open(remote);
	group = MemoryContextAllocZero(TopTransactionContext, sizeof(DogpileNoticeGroup));
	group->remote = remote;
	group->end = &group->first;
	group->next = groups;
	groups = group;
	return group;
}

static DogpileNotice *
make_announcement(DogpileRegion *region, DogpileNoticeGroup *group, DogpileNoticeName *named)
{
	DogpileNotice *a = MemoryContextAllocZero(TopTransactionContext, sizeof(DogpileNotice));

	a->named = named;
	a->group = group;
	a->row = -1;
	a->mark_ms = region->grace_time_ms;
	a->ttl_ms = dogpile_token_ttl_ms(region);
	a->next_of_name = named->first;
	named->first = a;
	*group->end = a;
	group->end = &a->next;
	return a;
}

/*
 * Note that a token is to be replaced; a hard invalidation includes a soft one.
 *
 * region: the one that the token matters to, and that has its store.
 *
 * Errors: out of memory; those of names.  Locks: no LWLock may be held.
 */
DogpileNotice *
dogpile_notice_add(DogpileRegion *region, const DogpileItemName *name, bool hard)
{
	DogpileNoticeGroup *group = find_group(dogpile_remote_find(region));
	DogpileNoticeName *named = find_named(name);
	int64		ttl_ms = dogpile_token_ttl_ms(region);
	DogpileNotice *a = named->first;

	while (a != NULL && a->group != group)
		a = a->next_of_name;
	if (a == NULL)
		a = make_announcement(region, group, named);
	add_region(a, number_of(region));
	a->hard |= hard;
	a->mark_ms = Min(a->mark_ms, region->grace_time_ms);

	/* 0 means without limit. */
	a->ttl_ms = a->ttl_ms == 0 || ttl_ms == 0 ? 0 : Max(a->ttl_ms, ttl_ms);
	return a;
}

/*
 * Let the token of a whole region stand for all that matters to it.
 *
 * number: of the region, from the set of a notice.
 *
 * Errors: out of memory.
 */
void
dogpile_notice_widen(int number)
{
	DogpileItemName version = told[number].version;
	DogpileNotice *whole = dogpile_notice_add(told[number].region, &version, true);

	whole->is_whole = true;
	told[number].whole = whole;
}

/* The notice that stands for a whole region, or NULL.  Errors: none. */
const DogpileNotice *
dogpile_notice_whole(int number)
{
	return told[number].whole;
}

/* The name of a region to which a notice matters.  Errors: none. */
const char *
dogpile_notice_region(const DogpileNotice *notice)
{
	return told[bms_next_member(notice->regions, -1)].region->name;
}

/* All there is, by stores.  Errors: none. */
DogpileNoticeGroup *
dogpile_notice_groups(void)
{
	return groups;
}

/* What there is of a name, or NULL.  Errors: none. */
const DogpileNoticeName *
dogpile_notice_find(const DogpileItemName *name)
{
	return by_name == NULL ? NULL : hash_search(by_name, name->text, HASH_FIND, NULL);
}

/* --------------------------------------------------------------------
 * Regions that something did not get through to
 * --------------------------------------------------------------------
 */

/* A store cannot be told: note the regions that this matters to.  Errors: none. */
void
dogpile_notice_doubt(const DogpileNotice *a)
{
	for (int i = -1; (i = bms_next_member(a->regions, i)) >= 0;)
		told[i].is_unsure = true;
}

/*
 * Declare the regions suspect that have been noted.
 *
 * hold: whether to keep others from settling that until the transaction ends.
 *
 * Errors: none but for a warning that cannot be written, when interrupts are allowed.
 */
void
dogpile_notice_suspect(bool hold)
{
	for (int i = 0; i < ntold; i++)
	{
		bool		durable;

		if (!told[i].is_unsure)
			continue;
		durable = dogpile_suspect_add(told[i].region->name, &told[i].version,
									  hold && !told[i].is_held);
		told[i].is_held |= hold;
		told[i].is_unsure = false;
		if (!durable && InterruptHoldoffCount == 0)
			ereport(WARNING,
					(errcode(ERRCODE_IO_ERROR),
					 errmsg("could not record that a cache region may have outdated values in its store"),
					 errdetail("These values are not served now, but may be after a restart of the server.")));
	}
}

/*
 * The transaction has ended: let the regions that it has held be settled, and forget
 * everything.  Errors: none.
 */
void
dogpile_notice_end(void)
{
	for (int i = 0; i < ntold; i++)
	{
		if (told[i].is_held)
			dogpile_suspect_release(&told[i].version);
	}
	groups = NULL;
	by_name = NULL;
	told = NULL;
	ntold = 0;
}
