/*-------------------------------------------------------------------------
 *
 * catalog.c
 *	  What this transaction has changed in catalogs.
 *
 * The invalidation messages that the transaction is about to send (inval.c) tell what
 * other sessions have to forget about a relation, function or role.  They cover
 * definitions, rights, policies, partitions and rewritten relations, by whatever means
 * these were changed, but nothing that was rolled back.
 *
 * VACUUM and ANALYZE send messages, too, although queries cannot see what they change.
 * Such messages are ignored if the transaction has done nothing else.
 *
 * Before the end of the transaction, its messages are not available.  Until then, this
 * file records what the session had to forget since the transaction has an id, whether
 * this session or another one has caused it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/catalog.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/sinval.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "lib/compat.h"
#include "lib/lwlock_check.h"
#include "version/object.h"
#include "xact/catalog.h"
#include "xact/definition.h"

/* How many slots of forgotten things are recorded. */
#define MAX_FORGOTTEN	256

/* What this session had to forget since the transaction has an id. */
static DogpileSlot forgotten[MAX_FORGOTTEN];
static int	nforgotten = 0;
static bool forgot_more = false;

/* Does forget_path() call the callbacks for schemas? */
static bool is_forgetting_path = false;

/* What the transaction has run. */
static bool has_vacuumed = false;
static bool has_done_other = false;
static bool in_vacuum = false;	/* which may run several transactions */

/*
 * The catalogs whose changes can change the result of a query, by the caches in which
 * PostgreSQL keeps them, and what stands for a change.
 */
typedef struct Catalog
{
	int			cache;
	enum
	{
		CATALOG_ENTRY,			/* the slot of the cache's key */
		CATALOG_SHARED_ENTRY,	/* ... in all databases */
		CATALOG_FUNCTIONS,
		CATALOG_TYPES,
		CATALOG_SCHEMAS,
		CATALOG_DATABASE,
		CATALOG_CLUSTER
	}			kind;
	bool		is_silent;		/* without a callback within the transaction */
} Catalog;

static const Catalog catalogs[] =
{
	{RELNAMENSP, CATALOG_ENTRY},
	{AUTHOID, CATALOG_SHARED_ENTRY},
	{PROCOID, CATALOG_FUNCTIONS},
	{TYPEOID, CATALOG_TYPES, true},
	{ENUMOID, CATALOG_TYPES, true},
	{NAMESPACEOID, CATALOG_SCHEMAS},
	{AUTHMEMROLEMEM, CATALOG_CLUSTER},

	/* Changed rarely: a change affects everything in the database. */
	{AGGFNOID, CATALOG_DATABASE},
	{CASTSOURCETARGET, CATALOG_DATABASE},
	{COLLOID, CATALOG_DATABASE},
	{OPEROID, CATALOG_DATABASE},
	{SUBSCRIPTIONOID, CATALOG_DATABASE},
	{TSCONFIGMAP, CATALOG_DATABASE},
	{TSCONFIGOID, CATALOG_DATABASE},
	{TSDICTOID, CATALOG_DATABASE},

	/*
	 * The same, but PostgreSQL limits the number of callbacks; see
	 * definition.c.  A new operator class comes with operators or functions.
	 */
	{AMOPOPID, CATALOG_DATABASE, true},
	{AMPROCNUM, CATALOG_DATABASE, true},
	{CONVOID, CATALOG_DATABASE, true},
	{LANGOID, CATALOG_DATABASE, true},
	{TRFTYPELANG, CATALOG_DATABASE, true},
	{TSPARSEROID, CATALOG_DATABASE, true},
	{TSTEMPLATEOID, CATALOG_DATABASE, true}
};

/* Find the catalog of a cache, or NULL. */
static const Catalog *
find_catalog(int cache)
{
	for (int i = 0; i < lengthof(catalogs); i++)
		if (catalogs[i].cache == cache)
			return &catalogs[i];
	return NULL;
}

/* The slot that stands for a message about a cache. */
static DogpileSlot
find_catalog_slot(const Catalog *catalog, uint32 hash)
{
	switch (catalog->kind)
	{
		case CATALOG_ENTRY:
			return dogpile_object_syscache(MyDatabaseId, catalog->cache, hash);
		case CATALOG_SHARED_ENTRY:
			return dogpile_object_syscache(InvalidOid, catalog->cache, hash);
		case CATALOG_FUNCTIONS:
			return dogpile_object_functions();
		case CATALOG_TYPES:
			return dogpile_object_types();
		case CATALOG_CLUSTER:
			return dogpile_object_cluster();
		case CATALOG_SCHEMAS:
		case CATALOG_DATABASE:
			break;
	}
	return dogpile_object_database();
}

/* Record that something had to be forgotten during this transaction. */
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

/*
 * Let this session find out again which schemas of search_path it may use.  PostgreSQL
 * keeps that although it changes with the memberships of the session's role; the owner
 * of a database is a member of pg_database_owner.  Otherwise the session would store
 * values that other sessions do not compute.
 *
 * Errors, locks: none.
 */
static void
forget_path(int cacheid)
{
	if (cacheid != AUTHOID && cacheid != AUTHMEMROLEMEM && cacheid != DATABASEOID)
		return;
	is_forgetting_path = true;
	CallSyscacheCallbacks(NAMESPACEOID, 0);
	is_forgetting_path = false;
}

/* Called by PostgreSQL; hash or relid is 0 if everything has to be forgotten. */
static void
database_callback(Datum arg, int cacheid, uint32 hash)
{
	forget_path(cacheid);
}

static void
syscache_callback(Datum arg, int cacheid, uint32 hash)
{
	if (is_forgetting_path)
		return;
	forget_path(cacheid);
	if (!IsTransactionState() || !TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return;
	if (hash == 0)
		forgot_more = true;
	else
	{
		note_forgotten(find_catalog_slot(find_catalog(cacheid), hash));
		if (cacheid == AUTHOID)
			note_forgotten(dogpile_object_roles());
		note_forgotten(dogpile_object_definitions());
	}
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
		note_forgotten(dogpile_object_definitions());
	}
}

/* Add the slots of kinds of types.  Returns whether any were added. */
static bool
add_types(int bits, void (*add) (DogpileSlot slot))
{
	if (bits & DOGPILE_TYPES)
		add(dogpile_object_types());
	if (bits & DOGPILE_ROW_TYPES)
		add(dogpile_object_row_types());
	return bits != 0;
}

/*
 * Add the slots of a relation that others have to forget.  A dropped relation may have
 * been of any kind.
 *
 * Returns whether queries of other sessions might look for it.
 */
static bool
add_cached_relation(Oid relid, void (*add) (DogpileSlot slot))
{
	switch (get_rel_relkind(relid))
	{
		case RELKIND_COMPOSITE_TYPE:
			add(dogpile_object_row_types());
			break;
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
		case RELKIND_SEQUENCE:
		case RELKIND_TOASTVALUE:
			return false;
		default:
			add(dogpile_object_rows(relid));
			add(dogpile_object_relation(relid));
			break;
	}
	return !dogpile_definition_is_temporary(relid) &&
		!isAnyTempNamespace(get_rel_namespace(relid));
}

/* Add the slots for a message about a syscache.  Returns as above. */
static bool
add_catalog(const Catalog *catalog, uint32 hash, void (*add) (DogpileSlot slot))
{
	switch (catalog->kind)
	{
		case CATALOG_TYPES:
			return add_types(catalog->cache == TYPEOID ? dogpile_definition_judge_type(hash) :
							 DOGPILE_TYPES, add);
		case CATALOG_SCHEMAS:
			if (dogpile_definition_is_temporary_schema(hash))
				return false;
			break;
		case CATALOG_FUNCTIONS:
			if (dogpile_definition_concerns_builtins(hash))
				add(dogpile_object_database());
			break;
		default:
			break;
	}
	add(find_catalog_slot(catalog, hash));
	if (catalog->cache == AUTHOID)
		add(dogpile_object_roles());

	/* There is another message about the relation itself. */
	return catalog->kind != CATALOG_ENTRY;
}

/*
 * Add the slots of what a message tells others to forget.
 *
 * Returns whether other sessions might now find something that they did not find before.
 */
static bool
add_message(const SharedInvalidationMessage *message, void (*add) (DogpileSlot slot))
{
	if (message->id >= 0)
	{
		const Catalog *catalog = find_catalog(message->cc.id);

		return catalog != NULL && add_catalog(catalog, message->cc.hashValue, add);
	}
	if (message->id != SHAREDINVALRELCACHE_ID)
		return false;
	if (message->rc.relId == InvalidOid)
	{
		add(dogpile_object_database());
		return true;
	}
	return dogpile_catalog_is_of_interest(message->rc.relId) &&
		add_cached_relation(message->rc.relId, add);
}

/* Has this transaction run only VACUUM or ANALYZE? */
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
 * PRE_COMMIT: collect the slots of what the transaction has changed.
 *
 * add: is called with each slot, perhaps repeatedly.
 *
 * Returns whether there are messages, so that changes must not take effect before these
 * have been sent.
 *
 * Errors: out of memory; those of looking at catalogs; those of add.
 */
bool
dogpile_catalog_collect(void (*add) (DogpileSlot slot))
{
	SharedInvalidationMessage *messages;
	int			count = get_messages(&messages);
	bool		may_be_found = false;

	DogpileAssertNoneHeld();
	if (count > 0)
	{
		dogpile_definition_resolve();
		may_be_found = add_types(dogpile_definition_reshaped(), add);
	}
	for (int i = 0; i < count; i++)
		if (add_message(&messages[i], add))
			may_be_found = true;
	if (may_be_found)
		add(dogpile_object_definitions());
	if (messages != NULL)
		pfree(messages);
	return count > 0;
}

/*
 * Will this transaction send messages about catalogs?  Called at the top level only.
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

/* Does an entry depend on types that this transaction has changed? */
static bool
affects_types(const DogpileDeps *deps)
{
	int			bits = dogpile_definition_own();

	return ((bits & DOGPILE_TYPES) &&
			dogpile_deps_has_object(deps, dogpile_object_types())) ||
		((bits & DOGPILE_ROW_TYPES) &&
		 dogpile_deps_has_object(deps, dogpile_object_row_types())) ||
		(bits != 0 && dogpile_deps_has_object(deps, dogpile_object_definitions()));
}

/*
 * Did this session have to forget, during this transaction, anything that an entry
 * depends on?
 *
 * Errors: those of looking at catalogs, but not from PRE_COMMIT on.
 * Locks: no LWLock may be held.
 */
bool
dogpile_catalog_affects(const DogpileDeps *deps)
{
	DogpileAssertNoneHeld();
	if (forgot_more || dogpile_definition_has_rare() || affects_types(deps))
		return true;
	for (int i = 0; i < nforgotten; i++)
		if (dogpile_deps_has_object(deps, forgotten[i]))
			return true;
	return false;
}

/*
 * Record that a statement is about to run.
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
		in_vacuum = false;		/* it has failed, and its error was caught */
	}
}

/* VACUUM or ANALYZE has ended. */
void
dogpile_catalog_end_vacuum(void)
{
	in_vacuum = false;
}

/* The transaction is over. */
static void
forget_changes(bool is_commit)
{
	nforgotten = 0;
	forgot_more = false;
	has_vacuumed = false;
	has_done_other = false;
	if (!is_commit)
		in_vacuum = false;
}

const DogpileParticipant dogpile_catalog_participant = {
	.end = forget_changes
};

/*
 * Register the callbacks for what has to be forgotten.  Called once, at load.
 */
void
dogpile_catalog_init(void)
{
	CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
	CacheRegisterSyscacheCallback(DATABASEOID, database_callback, (Datum) 0);
	for (int i = 0; i < lengthof(catalogs); i++)
		if (!catalogs[i].is_silent)
			CacheRegisterSyscacheCallback(catalogs[i].cache, syscache_callback, (Datum) 0);
}
