/*-------------------------------------------------------------------------
 *
 * catalog.c
 *	  What this transaction has changed in catalogs.
 *
 * What other sessions have to forget about a relation, function or role is in the
 * invalidation messages that the transaction is about to send (inval.c).  That covers
 * definitions, rights, policies, partitions and relations that were rewritten, whatever
 * has changed them, but not what was rolled back.
 *
 * VACUUM and ANALYZE send messages, too, though no query can see what they do.
 * They are left out if the transaction has done nothing else.
 *
 * Before the end of the transaction, messages do not tell what it has changed.  Then it
 * is noted what this session had to forget since the transaction has an id, be it by
 * its own doing or by that of others.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/catalog.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/sinval.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "catalog.h"
#include "compat.h"
#include "object.h"

/* Most slots of what this session had to forget. */
#define MAX_FORGOTTEN	256

/* What it had to forget since the transaction has an id. */
static DogpileSlot forgotten[MAX_FORGOTTEN];
static int	nforgotten = 0;
static bool forgot_more = false;

/* What the transaction has run so far. */
static bool has_vacuumed = false;
static bool has_done_other = false;
static bool in_vacuum = false;	/* it may have several transactions */

/*
 * What stands for the catalogs whose changes can change what a query gives, by the
 * caches in which PostgreSQL keeps them.
 */
static const struct
{
	int			cache;
	enum
	{
		CATALOG_ENTRY,			/* what is found under the key */
		CATALOG_SHARED_ENTRY,	/* ... in all databases */
		CATALOG_FUNCTIONS,
		CATALOG_DATABASE,
		CATALOG_CLUSTER
	}			kind;
}			catalogs[] =
{
	{RELNAMENSP, CATALOG_ENTRY},
	{AUTHOID, CATALOG_SHARED_ENTRY},
	{PROCOID, CATALOG_FUNCTIONS},
	{AUTHMEMROLEMEM, CATALOG_CLUSTER},

	/* Changed so rarely that it need not be known what depends on them. */
	{AGGFNOID, CATALOG_DATABASE},
	{CASTSOURCETARGET, CATALOG_DATABASE},
	{COLLOID, CATALOG_DATABASE},
	{ENUMOID, CATALOG_DATABASE},
	{NAMESPACEOID, CATALOG_DATABASE},
	{OPEROID, CATALOG_DATABASE},
	{SUBSCRIPTIONOID, CATALOG_DATABASE},
	{TSCONFIGMAP, CATALOG_DATABASE},
	{TSCONFIGOID, CATALOG_DATABASE},
	{TSDICTOID, CATALOG_DATABASE},
};

/* Which slot stands for a message about a cache?  Returns whether any does. */
static bool
find_catalog_slot(int cache, uint32 hash, DogpileSlot *slot)
{
	int			i = 0;

	while (i < lengthof(catalogs) && catalogs[i].cache != cache)
		i++;
	if (i == lengthof(catalogs))
		return false;
	switch (catalogs[i].kind)
	{
		case CATALOG_ENTRY:
			*slot = dogpile_object_syscache(MyDatabaseId, cache, hash);
			break;
		case CATALOG_SHARED_ENTRY:
			*slot = dogpile_object_syscache(InvalidOid, cache, hash);
			break;
		case CATALOG_FUNCTIONS:
			*slot = dogpile_object_functions();
			break;
		case CATALOG_DATABASE:
			*slot = dogpile_object_database();
			break;
		case CATALOG_CLUSTER:
			*slot = dogpile_object_cluster();
			break;
	}
	return true;
}

/* Note that something had to be forgotten in the midst of this transaction. */
static void
note_forgotten(DogpileSlot slot)
{
	for (int i = 0; i < nforgotten; i++)
		if (forgotten[i] == slot)
			return;
	if (nforgotten < MAX_FORGOTTEN)
		forgotten[nforgotten++] = slot;
	else
		forgot_more = true;
}

/* PostgreSQL calls these two; hash or relid is 0 if all has to be forgotten. */
static void
syscache_callback(Datum arg, int cacheid, uint32 hash)
{
	DogpileSlot slot;

	if (!IsTransactionState() || !TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return;
	if (hash == 0)
		forgot_more = true;
	else if (find_catalog_slot(cacheid, hash, &slot))
		note_forgotten(slot);
}

static void
relcache_callback(Datum arg, Oid relid)
{
	if (!IsTransactionState() || !TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return;
	if (relid == InvalidOid)
		forgot_more = true;
	else if (dogpile_catalog_is_of_interest(relid))
	{
		note_forgotten(dogpile_object_rows(relid));
		note_forgotten(dogpile_object_relation(relid));
	}
}

/*
 * Add the slots of a relation that others have to forget; one that is gone may have
 * been anything.
 */
static void
add_relation(Oid relid, void (*add) (DogpileSlot slot))
{
	switch (get_rel_relkind(relid))
	{
		case RELKIND_COMPOSITE_TYPE:

			/* No plan tells which types it uses. */
			add(dogpile_object_database());
			break;
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
		case RELKIND_SEQUENCE:
		case RELKIND_TOASTVALUE:
			break;
		default:
			add(dogpile_object_rows(relid));
			add(dogpile_object_relation(relid));
			break;
	}
}

/* Add the slots of what a message tells others to forget. */
static void
add_message(const SharedInvalidationMessage *message, void (*add) (DogpileSlot slot))
{
	DogpileSlot slot;

	if (message->id >= 0)
	{
		if (find_catalog_slot(message->cc.id, message->cc.hashValue, &slot))
			add(slot);
	}
	else if (message->id == SHAREDINVALRELCACHE_ID)
	{
		if (message->rc.relId == InvalidOid)
			add(dogpile_object_database());
		else if (dogpile_catalog_is_of_interest(message->rc.relId))
			add_relation(message->rc.relId, add);
	}
}

/* Has this transaction done nothing but VACUUM or ANALYZE? */
static bool
has_only_vacuumed(void)
{
	return dogpile_is_autovacuum_worker_compat() ||
		((has_vacuumed || in_vacuum) && !has_done_other);
}

/* The messages that the transaction is about to send; only at the top level. */
static int
get_messages(SharedInvalidationMessage **messages)
{
	bool		init_file;

	*messages = NULL;
	if (has_only_vacuumed())
		return 0;
	return xactGetCommittedInvalidationMessages(messages, &init_file);
}

/*
 * PRE_COMMIT: tell of the slots of what the transaction has changed.
 *
 * add: called with each, some perhaps several times.
 *
 * Returns whether there are messages, before whose sending the changes must not
 * count as known to all.
 *
 * Errors: out of memory; those of looking at catalogs; those of add.
 */
bool
dogpile_catalog_collect(void (*add) (DogpileSlot slot))
{
	SharedInvalidationMessage *messages;
	int			count = get_messages(&messages);

	for (int i = 0; i < count; i++)
		add_message(&messages[i], add);
	if (messages != NULL)
		pfree(messages);
	return count > 0;
}

/*
 * Has this transaction anything to tell others about catalogs?  Called at the
 * top level only.
 *
 * Errors: out of memory.
 */
bool
dogpile_catalog_has_changed(void)
{
	SharedInvalidationMessage *messages;
	int			count = get_messages(&messages);

	if (messages != NULL)
		pfree(messages);
	return count > 0;
}

/*
 * Has this session had to forget, within this transaction, what an entry depends on?
 *
 * Errors, locks: none.
 */
bool
dogpile_catalog_affects(const DogpileDeps *deps)
{
	if (forgot_more)
		return true;
	for (int i = 0; i < nforgotten; i++)
		if (dogpile_deps_has_object(deps, forgotten[i]))
			return true;
	return false;
}

/*
 * Note that a statement is about to run.
 *
 * Errors: none.
 */
void
dogpile_catalog_note_statement(DogpileStatement kind)
{
	if (kind == DOGPILE_STATEMENT_VACUUM)
		has_vacuumed = in_vacuum = true;
	else if (kind == DOGPILE_STATEMENT_OTHER)
	{
		has_done_other = true;
		in_vacuum = false;		/* it has failed, and the error was caught */
	}
}

/* VACUUM or ANALYZE has ended. */
void
dogpile_catalog_end_vacuum(void)
{
	in_vacuum = false;
}

/* The transaction is over; what it has noted is forgotten. */
void
dogpile_catalog_end(bool is_commit)
{
	nforgotten = 0;
	forgot_more = false;
	has_vacuumed = false;
	has_done_other = false;
	if (!is_commit)
		in_vacuum = false;
}

/*
 * Let PostgreSQL tell what has to be forgotten.  Called once, at load.
 */
void
dogpile_catalog_init(void)
{
	CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
	for (int i = 0; i < lengthof(catalogs); i++)
		CacheRegisterSyscacheCallback(catalogs[i].cache, syscache_callback, (Datum) 0);
}
