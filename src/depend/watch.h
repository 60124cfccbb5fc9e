/*-------------------------------------------------------------------------
 *
 * watch.h
 *	  Row tags: invalidating by tags that are made from the rows that change.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/watch.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_WATCH_H
#define DOGPILE_WATCH_H

#include "version/tag.h"

#include "utils/rel.h"

/*
 * The trigger of a watched relation, and its function.  The arguments are pairs: a
 * template of tags, and the region that it is for, or "" for all.
 */
#define DOGPILE_WATCH_TRIGGER	"dogpile_watch"
#define DOGPILE_WATCH_FUNCTION	"dogpile_watch_changes"

extern const Trigger *dogpile_watch_find(Relation rel);
extern void dogpile_watch_check_template(Relation rel, const char *text);
extern bool dogpile_watch_covers(Oid relid, const char *region,
								 const DogpileTags *tags);

#endif							/* DOGPILE_WATCH_H */
