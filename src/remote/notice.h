/*-------------------------------------------------------------------------
 *
 * notice.h
 *	  What a transaction has to tell to stores outside, and to which one.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/notice.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_NOTICE_H
#define DOGPILE_NOTICE_H

#include "nodes/bitmapset.h"

#include "remote/token.h"

/* What goes to one store. */
typedef struct DogpileNoticeGroup
{
	DogpileRemote *remote;
	struct DogpileNotice *first;
	struct DogpileNotice **end; /* where the next one is appended */
	struct DogpileNoticeGroup *next;
} DogpileNoticeGroup;

/* One token of one store that the transaction invalidates. */
typedef struct DogpileNotice
{
	struct DogpileNoticeName *named;
	DogpileNoticeGroup *group;
	Bitmapset  *regions;		/* those that it matters to */
	const char *entry_name;		/* of a key: its entry; else NULL */
	bool		hard;
	bool		is_sent;		/* hard: is the mark in place? */
	bool		is_unsure;		/* ... or was that cut off? */
	bool		is_left;		/* ... and is it no longer needed there? */
	bool		is_whole;		/* does it stand for all of a region? */
	int			row;			/* of the mark, see lease.h */
	int64		mark_ms;
	int64		ttl_ms;
	char		seen[DOGPILE_TOKEN_TEXT_LEN + 1];	/* last, in its place; of
													 * a mark, what it has
													 * replaced */
	char		mark[DOGPILE_TOKEN_TEXT_LEN + 1];
	struct DogpileNotice *next; /* in its group */
	struct DogpileNotice *next_of_name; /* in another store */
} DogpileNotice;

/*
 * The notices of one name.  They have the same successor, since regions that differ only
 * in a timeout share tokens.
 */
typedef struct DogpileNoticeName
{
	char		name[DOGPILE_MAX_ITEM_NAME + 1];	/* hash key */
	int			len;
	char		successor[DOGPILE_TOKEN_TEXT_LEN + 1];
	DogpileNotice *first;
} DogpileNoticeName;

extern DogpileNotice *dogpile_notice_add(DogpileRegion *region,
										 const DogpileItemName *name, bool hard);
extern void dogpile_notice_widen(int number);
extern const DogpileNotice *dogpile_notice_whole(int number);
extern const char *dogpile_notice_region(const DogpileNotice *notice);
extern DogpileNoticeGroup *dogpile_notice_groups(void);
extern const DogpileNoticeName *dogpile_notice_find(const DogpileItemName *name);
extern void dogpile_notice_doubt(const DogpileNotice *notice);
extern void dogpile_notice_suspect(bool hold);
extern void dogpile_notice_end(void);

#endif							/* DOGPILE_NOTICE_H */
