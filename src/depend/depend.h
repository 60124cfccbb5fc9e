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

/* What a running query is found to depend on; filled in and read by depend.c. */
typedef struct DogpileCollection
{
	struct DogpileCollection *outer;	/* whose query has caused this one to run */
	const DogpileRegion *region;
	MemoryContext context;
	List	   *relations;		/* oids, perhaps several times */
	DogpileSlot *slots;			/* of other objects, perhaps several times */
	int			nslots;
	int			max_slots;
	bool		calls_functions;	/* that are not built in? */
	bool		has_new_plans;	/* have all plans been made anew for it? */
	int			nplanning;		/* planners that run now, one within the other */
	bool		is_judged;		/* is the next plan that of the query itself? */
	int			types;			/* kinds of types that it uses; see typeuse.h */
	bool		has_missed;		/* was something not found or not allowed? */
	bool		is_reader;		/* has the session become a reader with it? */
	bool		is_stale;		/* was it given what is outdated? */
	char	   *unknown;		/* a sentence: what else it depends on; or NULL */
	bool		is_session;		/* that is a matter of the session, not the query */
} DogpileCollection;

/* What may become of a value, by what its query was found to depend on. */
typedef enum DogpileFinding
{
	DOGPILE_FINDING_STORABLE,
	DOGPILE_FINDING_OUTDATED,	/* not stored, the query was given what is outdated */
	DOGPILE_FINDING_UNKNOWN		/* not stored, some of it cannot be known */
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

/* That of the query that runs, or NULL; only src/depend may use it. */
extern PGDLLIMPORT DogpileCollection *dogpile_depend_current;

/* Is it being found out what a query depends on? */
static inline bool
dogpile_depend_is_collecting(void)
{
	return dogpile_depend_current != NULL;
}

extern PGDLLIMPORT const DogpileParticipant dogpile_depend_participant;

#endif							/* DOGPILE_DEPEND_H */
