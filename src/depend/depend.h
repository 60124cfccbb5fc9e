/*-------------------------------------------------------------------------
 *
 * depend.h
 *	  Finds out what a creator's query depends on.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/depend.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_DEPEND_H
#define DOGPILE_DEPEND_H

#include "nodes/parsenodes.h"

#include "version/deps.h"
#include "xact/participant.h"

/* What a running query depends on, as far as is known; filled in and read by depend.c. */
typedef struct DogpileCollection
{
	struct DogpileCollection *outer;	/* of the query within which this one
										 * runs */
	const DogpileRegion *region;
	MemoryContext context;
	List	   *relations;		/* OIDs, with duplicates */
	DogpileSlot *slots;			/* of other objects, with duplicates */
	int			nslots;
	int			max_slots;
	bool		calls_functions;	/* that are not built in? */
	bool		has_new_plans;	/* have all plans been invalidated for it? */
	int			nplanning;		/* nesting depth of the planner */
	bool		is_judged;		/* is the next plan that of the query itself? */
	int			types;			/* kinds of types that it uses; see typeuse.h */
	bool		has_missed;		/* was something not found or not allowed? */
	bool		is_reader;		/* did the session become a reader for it? */
	bool		is_stale;		/* has it used anything outdated? */
	char	   *unknown;		/* a sentence: what else it depends on; or
								 * NULL */
	bool		is_session;		/* "unknown" is about the session, not the
								 * query */
} DogpileCollection;

/* Whether a value may be stored, by what its query depends on. */
typedef enum DogpileFinding
{
	DOGPILE_FINDING_STORABLE,
	DOGPILE_FINDING_OUTDATED,	/* no: the query has used something outdated */
	DOGPILE_FINDING_UNKNOWN		/* no: some of its dependencies cannot be
								 * known */
} DogpileFinding;

extern void dogpile_depend_init(void);
extern bool dogpile_depend_is_wanted(const DogpileRegion *region);
extern void dogpile_depend_begin(DogpileCollection *collection,
								 const DogpileRegion *region);
extern DogpileFinding dogpile_depend_end(DogpileCollection *collection,
										 const DogpileTags **tags);
extern void dogpile_depend_abandon(DogpileCollection *collection);
extern DogpileCollection *dogpile_depend_suspend(void);
extern void dogpile_depend_resume(DogpileCollection *collection);
extern void dogpile_depend_note_query(Query *query);
extern void dogpile_depend_note_value(const DogpileRegion *region,
									  const DogpileDeps *deps, bool is_known);
extern void dogpile_depend_note_stale(void);
extern void dogpile_depend_note_unknown(const char *reason);
extern void dogpile_depend_note_types(int types);
extern void dogpile_depend_note_error(int sqlerrcode);

/* The collection of the query that runs, or NULL; only src/depend may use it. */
extern PGDLLIMPORT DogpileCollection *dogpile_depend_current;

/* Is a query running whose dependencies are being collected? */
static inline bool
dogpile_depend_is_collecting(void)
{
	return dogpile_depend_current != NULL;
}

extern PGDLLIMPORT const DogpileParticipant dogpile_depend_participant;

#endif							/* DOGPILE_DEPEND_H */
