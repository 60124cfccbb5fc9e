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
 *	  src/lib/compat.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_COMPAT_H
#define DOGPILE_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "dogpile requires PostgreSQL 15 or later"
#endif

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "common/string.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"
#include "pgstat.h"
#include "postmaster/autovacuum.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/palloc.h"
#include "utils/rangetypes.h"
#include "utils/typcache.h"
#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#else
#include "storage/backendid.h"
#endif

/*
 * Marks a function that does not return; before "extern" or "static".
 *
 * Floor 18 removes it.
 */
#ifndef pg_noreturn
#define pg_noreturn pg_attribute_noreturn()
#endif

/*
 * The arguments of ExceptionalCondition(), for a program that brings its own.
 *
 * Floor 16 removes it: write them.
 */
#if PG_VERSION_NUM >= 160000
#define DOGPILE_EXCEPTIONAL_CONDITION_ARGS_COMPAT \
	const char *condition, const char *file, int line
#else
#define DOGPILE_EXCEPTIONAL_CONDITION_ARGS_COMPAT \
	const char *condition, const char *type, const char *file, int line
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
 * Do functions in SQL keep the plans of their statements from one call to another?
 *
 * Floor 18 removes it: they do.
 */
#if PG_VERSION_NUM >= 180000
#define DOGPILE_SQL_FUNCTIONS_KEEP_PLANS_COMPAT	true
#else
#define DOGPILE_SQL_FUNCTIONS_KEEP_PLANS_COMPAT	false
#endif

/*
 * Are two locks held by the same transaction?  Errors: none.
 *
 * Floor 17 removes it: compare their "vxid".
 */
static inline bool
dogpile_is_same_holder_compat(const LockInstanceData *a, const LockInstanceData *b)
{
#if PG_VERSION_NUM >= 170000
	return VirtualTransactionIdEquals(a->vxid, b->vxid);
#else
	return a->backend == b->backend && a->lxid == b->lxid;
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

/*
 * May the role call the function?
 *
 * Errors: the function does not exist.
 *
 * Floor 16 removes it: call object_aclcheck().
 */
static inline bool
dogpile_may_execute_compat(Oid function, Oid roleid)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ProcedureRelationId, function, roleid, ACL_EXECUTE) == ACLCHECK_OK;
#else
	return pg_proc_aclcheck(function, roleid, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

/*
 * Is this process one that vacuums by itself?  Errors: none.
 *
 * Floor 17 removes it: write AmAutoVacuumWorkerProcess().
 */
static inline bool
dogpile_is_autovacuum_worker_compat(void)
{
#if PG_VERSION_NUM >= 170000
	return AmAutoVacuumWorkerProcess();
#else
	return IsAutoVacuumWorkerProcess();
#endif
}

/*
 * Form a minimal tuple in CurrentMemoryContext.
 *
 * Floor 18 removes it: call heap_form_minimal_tuple(), with no extra space.
 */
static inline MinimalTuple
dogpile_heap_form_minimal_tuple_compat(TupleDesc desc, const Datum *values,
									   const bool *isnull)
{
#if PG_VERSION_NUM >= 180000
	return heap_form_minimal_tuple(desc, values, isnull, 0);
#else
	return heap_form_minimal_tuple(desc, (Datum *) values, (bool *) isnull);
#endif
}

/*
 * All columns of a row type made by CreateTemplateTupleDesc() have been filled in.
 *
 * Errors: none.
 *
 * Floor 19 removes it: call TupleDescFinalize().
 */
static inline void
dogpile_tuple_desc_finalize_compat(TupleDesc desc)
{
#if PG_VERSION_NUM >= 190000
	TupleDescFinalize(desc);
#endif
}

/*
 * All settings that there are, in memory that lives as long as they do.
 *
 * Errors: out of memory.
 *
 * Floor 16 removes it: call get_guc_variables().
 */
static inline struct config_generic **
dogpile_guc_variables_compat(int *count)
{
#if PG_VERSION_NUM >= 160000
	return get_guc_variables(count);
#else
	*count = GetNumConfigOptions();
	return get_guc_variables();
#endif
}

/*
 * A setting as one of its type.
 *
 * Floor 19 removes them: write &variable->_bool and so on.
 */
#if PG_VERSION_NUM >= 190000
#define DOGPILE_GUC_BOOL(variable)		(&(variable)->_bool)
#define DOGPILE_GUC_INT(variable)		(&(variable)->_int)
#define DOGPILE_GUC_ENUM(variable)		(&(variable)->_enum)
#define DOGPILE_GUC_STRING(variable)	(&(variable)->_string)
#else
#define DOGPILE_GUC_BOOL(variable)		((struct config_bool *) (variable))
#define DOGPILE_GUC_INT(variable)		((struct config_int *) (variable))
#define DOGPILE_GUC_ENUM(variable)		((struct config_enum *) (variable))
#define DOGPILE_GUC_STRING(variable)	((struct config_string *) (variable))
#endif

/*
 * Is it a node of an expression that has a type, of those that are not in all
 * versions?  Errors: none.
 *
 * Floor 17 removes it: name them where it is called.
 */
static inline bool
dogpile_has_type_compat(NodeTag tag)
{
#if PG_VERSION_NUM >= 170000
	if (tag == T_JsonExpr)
		return true;
#endif
#if PG_VERSION_NUM >= 160000
	return tag == T_JsonValueExpr || tag == T_JsonConstructorExpr;
#else
	return false;
#endif
}

/*
 * The number of the transaction that this session is in, among its own; 0 in none.
 * Errors: none.
 *
 * Floor 17 removes it: write MyProc->vxid.lxid.
 */
static inline LocalTransactionId
dogpile_local_transaction_compat(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProc->vxid.lxid;
#else
	return MyProc->lxid;
#endif
}

/*
 * A wait event of this name.  Before 17, all wait events of extensions are called
 * "Extension".
 *
 * Errors: there are too many.
 *
 * Floor 17 removes it: call WaitEventExtensionNew().
 */
static inline uint32
dogpile_wait_event_compat(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	return PG_WAIT_EXTENSION;
#endif
}

/*
 * Replace what is not printable in ASCII in a buffer: before 16 by question marks, else
 * by escapes, for which the text may be cut.
 *
 * Errors: none.
 *
 * Floor 16 removes the test, not the function: pg_clean_ascii() makes a copy from then
 * on, and may raise an error.
 */
static inline void
dogpile_clean_ascii_compat(char *text, Size size)
{
#if PG_VERSION_NUM >= 160000
	char	   *clean = pg_clean_ascii(text, MCXT_ALLOC_NO_OOM);

	strlcpy(text, clean != NULL ? clean : "", size);
	if (clean != NULL)
		pfree(clean);
#else
	pg_clean_ascii(text);
#endif
}

/*
 * Where PL/pgSQL notes from which row of pg_proc it has compiled a function.  These are
 * macros because few of the files that include this one need plpgsql.h.
 *
 * Floor 18 removes them: write &function->cfunc.fn_xmin and &function->cfunc.fn_tid.
 */
#if PG_VERSION_NUM >= 180000
#define dogpile_plpgsql_xmin_compat(function)	(&(function)->cfunc.fn_xmin)
#define dogpile_plpgsql_tid_compat(function)	(&(function)->cfunc.fn_tid)
#else
#define dogpile_plpgsql_xmin_compat(function)	(&(function)->fn_xmin)
#define dogpile_plpgsql_tid_compat(function)	(&(function)->fn_tid)
#endif

#endif							/* DOGPILE_COMPAT_H */
