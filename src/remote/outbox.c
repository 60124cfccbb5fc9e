/*-------------------------------------------------------------------------
 *
 * outbox.c
 *	  What a transaction has to announce to other servers at COMMIT.
 *
 * The transaction's log (xact.c) has what it invalidates in this server.  If other
 * servers share the store, they have to be told as well: of keys, whole regions, and
 * tags.  Until COMMIT, announcements are kept here, in a stack like the log: those of a
 * subtransaction are on top, so its rollback takes them off.
 *
 * Their order does not matter.  So nothing is announced twice, at the same level or an
 * inner one, and the stack does not grow with the number of calls.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/outbox.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "config/config.h"
#include "lib/clock.h"
#include "lib/position.h"
#include "remote/announce.h"
#include "remote/notice.h"
#include "remote/outbox.h"
#include "remote/remote.h"
#include "xact/xact.h"

/* Something to be announced; in TopTransactionContext. */
typedef struct Announcement
{
	slist_node	node;
	SubTransactionId subid;
	DogpileRegion *region;		/* NULL: tags, of all regions */
	DogpileKeyNames *names;		/* of a key; NULL: the whole region */
	DogpileTags *tags;
	uint64		hash;			/* of all that */
	bool		hard;
	struct Announcement *hidden;	/* an earlier one of the same hash, or
									 * NULL */
} Announcement;

/* The latest one first. */
static slist_head outbox = SLIST_STATIC_INIT(outbox);

/* The last one of each hash, soft and hard. */
static DogpilePositions positions;

/* Bytes of a key's names, with their ends. */
static Size
names_size(const DogpileKeyNames *names)
{
	return offsetof(DogpileKeyNames, text) + names->entry_at +
		strlen(names->text + names->entry_at) + 1;
}

/* Identifies what is announced. */
static uint64
hash_announcement(const DogpileRegion *region, const DogpileKeyNames *names,
				  const DogpileTags *tags)
{
	const void *data = names ? (const void *) names : tags ? (const void *) tags : region->name;
	Size		size = names ? names_size(names) : tags ? tags->size : strlen(region->name);

	return hash_bytes_extended(data, size, (uintptr_t) region);
}

/* Does this announce just that? */
static bool
announces(const Announcement *a, const DogpileRegion *region,
		  const DogpileKeyNames *names, const DogpileTags *tags)
{
	if (a->region != region || (a->names == NULL) != (names == NULL) ||
		(a->tags == NULL) != (tags == NULL))
		return false;
	if (names)
		return names_size(names) == names_size(a->names) &&
			memcmp(names, a->names, names_size(names)) == 0;
	return tags == NULL || (tags->size == a->tags->size &&
							memcmp(tags, a->tags, tags->size) == 0);
}

/*
 * Add an announcement.
 *
 * The name of a key is computed now: it may need a function of the user, which must not
 * be called at PRE_COMMIT, without a snapshot.
 */
static void
add_announcement(DogpileRegion *region, const DogpileKey *key, const DogpileTags *tags,
				 bool hard)
{
	DogpileKeyNames *names = key ? dogpile_announce_name_key(region, key) : NULL;
	uint64		hash = hash_announcement(region, names, tags);
	Announcement *last = dogpile_position_get(&positions, hash, hard);
	DogpilePosition *position;
	Announcement *a;

	if (last != NULL && announces(last, region, names, tags))
	{
		if (names)
			pfree(names);
		return;
	}
	position = dogpile_position_enter(&positions, hash);
	a = MemoryContextAllocZero(TopTransactionContext, sizeof(Announcement));
	a->subid = GetCurrentSubTransactionId();
	a->region = region;
	a->names = names;
	if (tags)
		a->tags = memcpy(MemoryContextAlloc(TopTransactionContext, tags->size),
						 tags, tags->size);
	a->hash = hash;
	a->hard = hard;
	a->hidden = last;
	slist_push_head(&outbox, &a->node);
	position->last[hard] = a;
}

/* Is there a region whose store other servers share? */
static bool
is_any_shared(void)
{
	ListCell   *lc;

	foreach(lc, dogpile_config_regions())
	{
		if (dogpile_announce_is_needed(lfirst(lc)))
			return true;
	}
	return false;
}

/* Something was invalidated: add an announcement if other servers share the store. */
static void
note_invalidation(DogpileRegion *region, const DogpileKey *key, const DogpileTags *tags,
				  bool hard)
{
	if (region != NULL ? dogpile_announce_is_needed(region) : is_any_shared())
		add_announcement(region, key, tags, hard);
}

/* --------------------------------------------------------------------
 * The end of a transaction
 * --------------------------------------------------------------------
 */

/* PRE_COMMIT: note which tokens an announcement concerns. */
static void
announce(const Announcement *a)
{
	const char *p = NULL;

	for (uint32 t = 0; a->tags && t < a->tags->count; t++)
	{
		DogpileBytes tag;

		p = dogpile_tag_next(a->tags, p, &tag.data, &tag.len);
		dogpile_announce_tag(tag, a->hard);
	}
	if (a->names)
		dogpile_announce_key(a->region, a->names, a->hard);
	else if (a->region)
		dogpile_announce_region(a->region, a->hard);
}

/* PRE_COMMIT: tell other servers what is about to be invalidated. */
static void
send_announcements(void)
{
	slist_iter	iter;

	slist_foreach(iter, &outbox)
	{
		CHECK_FOR_INTERRUPTS();
		announce(slist_container(Announcement, node, iter.cur));
	}

	/* Those of dropped databases are noted without being in the outbox. */
	if (dogpile_notice_groups() != NULL)
		dogpile_announce_send();
}

/* Limit the time of what cannot be interrupted. */
static void
limit_time(void)
{
	if (dogpile_xact_has_pending() || dogpile_notice_groups() != NULL)
		dogpile_remote_limit(TimestampTzPlusMilliseconds(dogpile_clock_now(),
														 dogpile_commit_timeout_ms));
}

/* COMMIT: replace the marks by new tokens. */
static void
deliver_announcements(void)
{
	limit_time();
	dogpile_announce_commit();
}

/* ABORT: take the marks away. */
static void
withdraw_announcements(void)
{
	limit_time();
	dogpile_announce_abort();
}

/* Forget everything; the memory goes with the transaction. */
static void
forget_announcements(bool is_commit)
{
	dogpile_remote_limit(DT_NOEND);
	slist_init(&outbox);
	dogpile_position_reset(&positions);
}

/* The latest announcement, if it is one of this subtransaction; else NULL. */
static Announcement *
last_of(SubTransactionId subid)
{
	Announcement *a;

	if (slist_is_empty(&outbox))
		return NULL;
	a = slist_head_element(Announcement, node, &outbox);
	return a->subid == subid ? a : NULL;
}

/* A subtransaction is rolled back: remove its announcements. */
static void
take_off(SubTransactionId subid)
{
	Announcement *a;

	while ((a = last_of(subid)) != NULL)
	{
		dogpile_position_set(&positions, a->hash, a->hard, a->hidden);
		slist_pop_head_node(&outbox);
		if (a->names)
			pfree(a->names);
		if (a->tags)
			pfree(a->tags);
		pfree(a);
	}
}

/* A subtransaction is released: its announcements now belong to its parent. */
static void
hand_to_parent(SubTransactionId subid, SubTransactionId parent)
{
	slist_iter	iter;

	slist_foreach(iter, &outbox)
	{
		Announcement *a = slist_container(Announcement, node, iter.cur);

		if (a->subid != subid)
			break;
		a->subid = parent;
	}
}

const DogpileParticipant dogpile_outbox_participant = {
	.note_invalidation = note_invalidation,
	.pre_commit = send_announcements,
	.commit = deliver_announcements,
	.abort = withdraw_announcements,
	.end = forget_announcements,
	.subcommit = hand_to_parent,
	.subabort = take_off
};
