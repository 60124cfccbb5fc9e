/*-------------------------------------------------------------------------
 *
 * watch.h
 *	  Tags made of the rows that change: invalidation by the row.
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
 * The trigger of a relation that is watched, and its function.  Its arguments
 * are pairs: a template of tags, and the region it is for, or "" for all.
 */
#define DOGPILE_WATCH_TRIGGER	"dogpile_watch"
#define DOGPILE_WATCH_FUNCTION	"dogpile_watch_changes"

extern const Trigger *dogpile_watch_find(Relation rel);
extern void dogpile_watch_check_template(Relation rel, const char *text);
extern bool dogpile_watch_covers(Oid relid, const char *region,
								 const DogpileTags *tags);

#endif							/* DOGPILE_WATCH_H */
