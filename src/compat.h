/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between the PostgreSQL versions that we support.
 *
 * Each wrapper has the form of the newest version in its arguments and its
 * result, and says which floor removes it.  No other file tests
 * PG_VERSION_NUM, except for a hook that only some versions have.  The wrappers
 * are functions and not macros, so that the types of arguments stay checked.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/compat.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_COMPAT_H
#define DOGPILE_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "dogpile requires PostgreSQL 15 or later"
#endif

#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"
#include "pgstat.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/rangetypes.h"
#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#else
#include "storage/backendid.h"
#endif

/*
 * The number of this process among all backends, from 0 to MaxBackends - 1.
 *
 * Returns -1 in a process that has none (yet), such as the postmaster.
 *
 * Errors: none.
 *
 * Floor 17 removes it: write MyProcNumber.
 */
static inline int
dogpile_proc_number_compat(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProcNumber;
#else
	/* Numbers count from 1 there; InvalidBackendId is -1. */
	return MyBackendId == InvalidBackendId ? -1 : MyBackendId - 1;
#endif
}

/*
 * Take a transaction-level lock, without an error when the lock table is full.
 *
 * locktag: the object; all its bytes count, so none may be left unset.
 * dontWait: do not sleep if the lock cannot be granted at once.
 *
 * Returns what LockAcquire() does, and LOCKACQUIRE_NOT_AVAIL also when there
 * is no room for one more lock.  With dontWait that answer does not tell which
 * of the two it was.
 *
 * Errors: deadlock, lock_timeout, query cancel.  Locks: the one asked for.
 *
 * Floor 18 removes it: call LockAcquireExtended().  Its last argument, whether
 * to log a lock that was not available, does not exist before 18.
 */
static inline LockAcquireResult
dogpile_lock_acquire_compat(const LOCKTAG *locktag, LOCKMODE lockmode,
							bool dontWait)
{
#if PG_VERSION_NUM >= 180000
	return LockAcquireExtended(locktag, lockmode, false, dontWait, false,
							   NULL, false);
#else
	return LockAcquireExtended(locktag, lockmode, false, dontWait, false,
							   NULL);
#endif
}

/*
 * Make a range of its bounds, in its canonical form, in CurrentMemoryContext.
 *
 * Errors: the lower bound is greater than the upper one, or whatever the
 * functions of the range type raise.
 *
 * Floor 16 removes it: call make_range() with no context for soft errors.
 */
static inline RangeType *
dogpile_make_range_compat(TypeCacheEntry *typcache, RangeBound *lower,
						  RangeBound *upper, bool empty)
{
#if PG_VERSION_NUM >= 160000
	return make_range(typcache, lower, upper, empty, NULL);
#else
	return make_range(typcache, lower, upper, empty);
#endif
}

/*
 * The relation that a session's statistics of a table are about, or InvalidOid if it
 * belongs to no single database.  Errors: none.
 *
 * Floor 16 removes it: look at the fields "id" and "shared".
 */
static inline Oid
dogpile_pgstat_relid_compat(const PgStat_TableStatus *table)
{
#if PG_VERSION_NUM >= 160000
	return table->shared ? InvalidOid : table->id;
#else
	return table->t_shared ? InvalidOid : table->t_id;
#endif
}

/*
 * The roles with whose rights a plan reads relations, where these are not those of
 * the role that runs it.  Returns a list of oids in CurrentMemoryContext.
 *
 * Floor 16 removes it: look at permInfos.
 */
static inline List *
dogpile_plan_roles_compat(const PlannedStmt *plan)
{
	List	   *roles = NIL;
	ListCell   *lc;

#if PG_VERSION_NUM >= 160000
	foreach(lc, plan->permInfos)
	{
		Oid			role = lfirst_node(RTEPermissionInfo, lc)->checkAsUser;
#else
	foreach(lc, plan->rtable)
	{
		Oid			role = lfirst_node(RangeTblEntry, lc)->checkAsUser;
#endif

		if (OidIsValid(role))
			roles = list_append_unique_oid(roles, role);
	}
	return roles;
}

/*
 * Does the role own the relation, or a role that does?
 *
 * Errors: the relation does not exist.
 *
 * Floor 16 removes it: call object_ownercheck().
 */
static inline bool
dogpile_relation_ownercheck_compat(Oid relid, Oid roleid)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relid, roleid);
#else
	return pg_class_ownercheck(relid, roleid);
#endif
}

#endif							/* DOGPILE_COMPAT_H */
