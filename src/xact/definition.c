/*-------------------------------------------------------------------------
 *
 * definition.c
 *	  What this transaction has done to types, functions and the like.
 *
 * Invalidation messages (catalog.c) tell all that was changed, but only by hashes.
 * So they do not tell apart a domain that was altered, on which values depend, and the
 * row type of a temporary table, of which every session makes some all the time.  That
 * is what is noted here, as PostgreSQL tells it of each object by name (the object
 * access hook):
 *
 *		types		that are temporary, or the row type of a table that is new, concern
 *					nobody; unless the new one has the name of another type, which it
 *					may take the place of
 *		relations	whose columns have changed, and with them their row types
 *		functions	that have the name of a built-in one, and may be called in its place
 *
 * A message that is not explained here counts as a change of whatever it may be.  So
 * it does no harm that the hook does not tell everything (GRANT, say), nor that what
 * was rolled back stays noted.
 *
 * Explained are hashes of 32 bits.  That a type which was changed has the hash of one that
 * the same transaction has made or dropped is not worth a thought.
 *
 * What of all this the transaction sees differently itself, it is told by the same
 * notes: messages come too late for that, and those of others are none of its doing.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/definition.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_class.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_language.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_transform.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "catalog/pg_type.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "lib/lwlock_check.h"
#include "xact/definition.h"

/* An object that the hook has told of. */
typedef struct NoteKey
{
	Oid			class;
	Oid			object;
} NoteKey;

typedef struct Note
{
	NoteKey		key;
	bool		is_new;			/* was it made by this transaction? */
	bool		is_dropped;
	bool		is_explained;	/* dropped, and bits tell all that it means */
	bool		is_reshaped;	/* a relation whose columns have changed */
	int			bits;			/* as of dogpile_definition_judge_type() */
} Note;

/* A type by the hash that messages tell. */
typedef struct Explained
{
	uint32		hash;
	int			bits;
} Explained;

/* Of this transaction, in TopTransactionContext; NULL: nothing. */
static HTAB *notes = NULL;
static Explained *explained = NULL;
static int	nexplained = 0;

/* Has it changed what is in no message that catalog.c listens to? */
static bool has_rare = false;

/* What dogpile_definition_own() has found, if nothing was noted since. */
static int	own_bits = 0;
static bool own_is_known = true;

/* Hashes of the built-in functions, sorted; made when first needed. */
static uint32 *builtins = NULL;
static int	nbuiltins = 0;

/* See dogpile_definition_get_generation(). */
static uint64 generation = 0;

static object_access_hook_type prev_object_access = NULL;

/* --------------------------------------------------------------------
 * Noting
 * --------------------------------------------------------------------
 */

static Note *
get_note(Oid class, Oid object)
{
	NoteKey		key = {.class = class,.object = object};
	bool		found;
	Note	   *note;

	if (notes == NULL)
	{
		HASHCTL		control = {
			.keysize = sizeof(NoteKey),
			.entrysize = sizeof(Note),
			.hcxt = TopTransactionContext
		};

		notes = hash_create("dogpile definitions", 64, &control,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	note = hash_search(notes, &key, HASH_ENTER, &found);
	if (!found)
		memset((char *) note + sizeof(NoteKey), 0, sizeof(Note) - sizeof(NoteKey));
	own_is_known = false;
	return note;
}

/* Was this object noted?  NULL: not so. */
static Note *
find_note(Oid class, Oid object)
{
	NoteKey		key = {.class = class,.object = object};

	return notes == NULL ? NULL : hash_search(notes, &key, HASH_FIND, NULL);
}

/*
 * The relation whose row type a type is, or whose row type its elements have; or
 * InvalidOid.  A composite type that is no relation's has a pg_class row, too.
 */
static Oid
find_row_relation(Form_pg_type type)
{
	Oid			relid = type->typrelid;

	if (IsTrueArrayType(type))
		relid = get_typ_typrelid(type->typelem);
	return OidIsValid(relid) && get_rel_relkind(relid) != RELKIND_COMPOSITE_TYPE ?
		relid : InvalidOid;
}

/* A type is about to be dropped; it can still be looked at. */
static void
note_dropped_type(Note *note)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(note->key.object));
	Form_pg_type type;

	if (!HeapTupleIsValid(tuple))
		return;
	type = (Form_pg_type) GETSTRUCT(tuple);
	note->is_explained = true;
	if (note->is_new || isAnyTempNamespace(type->typnamespace))
		note->bits = 0;
	else if (OidIsValid(find_row_relation(type)))
		note->bits = DOGPILE_ROW_TYPES;
	else
		note->bits = DOGPILE_TYPES | DOGPILE_ROW_TYPES;
	ReleaseSysCache(tuple);
}

/* Is it a class of objects that change so rarely that it is only noted that one has? */
static bool
is_rare(Oid class)
{
	switch (class)
	{
		case AccessMethodOperatorRelationId:
		case AccessMethodProcedureRelationId:
		case ConversionRelationId:
		case LanguageRelationId:
		case OperatorClassRelationId:
		case TransformRelationId:
		case TSParserRelationId:
		case TSTemplateRelationId:
			return true;
		default:
			return false;
	}
}

static void
note_object(ObjectAccessType access, Oid class, Oid object, int sub)
{
	Note	   *note;

	if (is_rare(class))
	{
		has_rare = true;
		return;
	}
	if (class != TypeRelationId && class != RelationRelationId &&
		class != ProcedureRelationId)
		return;
	note = get_note(class, object);
	if (class == RelationRelationId && sub != 0)
		note->is_reshaped = true;
	else if (access == OAT_POST_CREATE)
		note->is_new = true;
	else if (access == OAT_DROP)
	{
		note->is_dropped = true;
		if (class == TypeRelationId)
			note_dropped_type(note);
		else if (class == RelationRelationId)
			note->is_explained = note->is_new ||
				isAnyTempNamespace(get_rel_namespace(object));
	}
}

static void
note_object_access(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if ((access == OAT_POST_CREATE || access == OAT_POST_ALTER || access == OAT_DROP) &&
		IsTransactionState())
	{
		generation++;
		note_object(access, class, object, sub);
	}
	if (prev_object_access)
		prev_object_access(access, class, object, sub, arg);
}

/* --------------------------------------------------------------------
 * Judging
 * --------------------------------------------------------------------
 */

/* Is there another type of this name that all could use? */
static bool
has_namesake(Form_pg_type type)
{
	CatCList   *list = SearchSysCacheList1(TYPENAMENSP, NameGetDatum(&type->typname));
	bool		found = false;

	for (int i = 0; i < list->n_members && !found; i++)
	{
		Form_pg_type other = (Form_pg_type) GETSTRUCT(&list->members[i]->tuple);

		found = other->oid != type->oid && !isAnyTempNamespace(other->typnamespace);
	}
	ReleaseSysCacheList(list);
	return found;
}

/* What does it mean to others that this type was made or altered? */
static int
judge_noted_type(const Note *note)
{
	HeapTuple	tuple;
	Form_pg_type type;
	int			bits = DOGPILE_TYPES | DOGPILE_ROW_TYPES;

	if (note->is_explained)
		return note->bits;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(note->key.object));
	if (!HeapTupleIsValid(tuple))	/* made, and rolled back */
		return note->is_new ? 0 : bits;
	type = (Form_pg_type) GETSTRUCT(tuple);
	if (isAnyTempNamespace(type->typnamespace))
		bits = 0;
	else if (note->is_new && OidIsValid(find_row_relation(type)) && !has_namesake(type))
		bits = 0;
	ReleaseSysCache(tuple);
	return bits;
}

/* Was a relation given other columns that was there before, and that all can use? */
static bool
is_reshaped(const Note *note)
{
	return note->is_reshaped && !note->is_new && !note->is_explained &&
		!isAnyTempNamespace(get_rel_namespace(note->key.object));
}

static int
compare_explained(const void *a, const void *b)
{
	uint32		x = ((const Explained *) a)->hash;
	uint32		y = ((const Explained *) b)->hash;

	return x < y ? -1 : x > y;
}

/*
 * PRE_COMMIT: find out what the notes mean, before asking about messages.
 *
 * Errors: those of looking at catalogs.  Locks: no LWLock may be held.
 */
void
dogpile_definition_resolve(void)
{
	HASH_SEQ_STATUS scan;
	Note	   *note;

	DogpileAssertNoneHeld();
	nexplained = 0;
	if (notes == NULL)
		return;
	explained = MemoryContextAllocHuge(TopTransactionContext,
									   hash_get_num_entries(notes) * sizeof(Explained));
	hash_seq_init(&scan, notes);
	while ((note = hash_seq_search(&scan)) != NULL)
		if (note->key.class == TypeRelationId)
		{
			explained[nexplained].hash =
				GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(note->key.object));
			explained[nexplained++].bits = judge_noted_type(note);
		}
	qsort(explained, nexplained, sizeof(Explained), compare_explained);
	(void) dogpile_definition_own();
}

/*
 * What a message about a type means to others.
 *
 * hash: of the type, as the message tells it.
 *
 * Returns DOGPILE_TYPES and DOGPILE_ROW_TYPES, or 0.
 *
 * Errors, locks: none.
 */
int
dogpile_definition_judge_type(uint32 hash)
{
	Explained	key = {.hash = hash};
	Explained  *found = nexplained == 0 ? NULL :
		bsearch(&key, explained, nexplained, sizeof(Explained), compare_explained);

	return found != NULL ? found->bits : DOGPILE_TYPES | DOGPILE_ROW_TYPES;
}

/* Is this the name of a built-in function? */
static bool
is_builtin_name(const char *name)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	bool		found = false;

	for (int i = 0; i < list->n_members && !found; i++)
		found = ((Form_pg_proc) GETSTRUCT(&list->members[i]->tuple))->oid < FirstNormalObjectId;
	ReleaseSysCacheList(list);
	return found;
}

/* Has the transaction made a function that may be called in place of a built-in one? */
static bool
has_namesake_of_builtin(void)
{
	HASH_SEQ_STATUS scan;
	Note	   *note;
	bool		found = false;

	if (notes == NULL)
		return false;
	hash_seq_init(&scan, notes);
	while ((note = hash_seq_search(&scan)) != NULL)
	{
		char	   *name;

		if (note->key.class != ProcedureRelationId || note->is_dropped || found ||
			isAnyTempNamespace(get_func_namespace(note->key.object)))
			continue;
		name = get_func_name(note->key.object);
		found = name != NULL && is_builtin_name(name);
	}
	return found;
}

static int
compare_hashes(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return x < y ? -1 : x > y;
}

/* Find the hashes of all built-in functions. */
static void
find_builtins(void)
{
	Relation	functions = table_open(ProcedureRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(functions, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	int			max = 4096;

	builtins = MemoryContextAlloc(TopMemoryContext, max * sizeof(uint32));
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			function = ((Form_pg_proc) GETSTRUCT(tuple))->oid;

		if (function >= FirstNormalObjectId)
			continue;
		if (nbuiltins == max)
			builtins = repalloc(builtins, (max *= 2) * sizeof(uint32));
		builtins[nbuiltins++] = GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(function));
	}
	systable_endscan(scan);
	table_close(functions, AccessShareLock);
	qsort(builtins, nbuiltins, sizeof(uint32), compare_hashes);
}

/*
 * May a message about a function concern queries that call only built-in ones?  That
 * is so if a built-in one was changed, its rights say, or one of the same name was
 * made, which is called in its place when it fits better.
 *
 * Errors: those of looking at catalogs.  Locks: no LWLock may be held.
 */
bool
dogpile_definition_concerns_builtins(uint32 hash)
{
	DogpileAssertNoneHeld();
	if (builtins == NULL)
		find_builtins();
	return bsearch(&hash, builtins, nbuiltins, sizeof(uint32), compare_hashes) != NULL ||
		has_namesake_of_builtin();
}

/* Was this relation, which is gone, one that others could not use? */
bool
dogpile_definition_is_temporary(Oid relid)
{
	const Note *note = find_note(RelationRelationId, relid);

	return note != NULL && note->is_explained;
}

/* Is a message about a schema one of making this session's for temporary objects? */
bool
dogpile_definition_is_temporary_schema(uint32 hash)
{
	Oid			schema;
	Oid			toast_schema;

	GetTempNamespaceState(&schema, &toast_schema);
	return OidIsValid(schema) &&
		(hash == GetSysCacheHashValue1(NAMESPACEOID, ObjectIdGetDatum(schema)) ||
		 hash == GetSysCacheHashValue1(NAMESPACEOID, ObjectIdGetDatum(toast_schema)));
}

/*
 * What of others' row types has changed with the columns of their relations?
 *
 * Returns DOGPILE_ROW_TYPES or 0.
 *
 * Errors: those of looking at catalogs.  Locks: no LWLock may be held.
 */
int
dogpile_definition_reshaped(void)
{
	HASH_SEQ_STATUS scan;
	Note	   *note;
	int			bits = 0;

	DogpileAssertNoneHeld();
	if (notes == NULL)
		return 0;
	hash_seq_init(&scan, notes);
	while ((note = hash_seq_search(&scan)) != NULL)
		if (note->key.class == RelationRelationId && is_reshaped(note))
			bits = DOGPILE_ROW_TYPES;
	return bits;
}

/*
 * What does this transaction see differently of types that it has changed?
 *
 * Returns DOGPILE_TYPES and DOGPILE_ROW_TYPES, or 0.
 *
 * Errors: those of looking at catalogs, but not from PRE_COMMIT on.
 * Locks: no LWLock may be held.
 */
int
dogpile_definition_own(void)
{
	HASH_SEQ_STATUS scan;
	Note	   *note;

	DogpileAssertNoneHeld();
	if (own_is_known || !IsTransactionState())
		return own_bits;
	own_bits = dogpile_definition_reshaped();
	own_is_known = true;
	hash_seq_init(&scan, notes);
	while ((note = hash_seq_search(&scan)) != NULL)
		if (note->key.class == TypeRelationId)
			own_bits |= judge_noted_type(note);
	return own_bits;
}

/*
 * A number that changes with whatever this session defines, drops or rolls back, so that
 * what was found out at the same number still holds.
 *
 * Errors: none.
 */
uint64
dogpile_definition_get_generation(void)
{
	return generation;
}

/* Has it changed what changes so rarely that everything counts as changed? */
bool
dogpile_definition_has_rare(void)
{
	return has_rare;
}

/* The transaction is over. */
static void
end_definitions(bool is_commit)
{
	if (notes != NULL || has_rare)
		generation++;
	notes = NULL;
	explained = NULL;
	nexplained = 0;
	has_rare = false;
	own_bits = 0;
	own_is_known = true;
}

/* What a subtransaction has defined is undone. */
static void
count_undone(SubTransactionId subid)
{
	generation++;
}

const DogpileParticipant dogpile_definition_participant = {
	.end = end_definitions,
	.subabort = count_undone
};

/* Be told of objects that are made, altered and dropped.  Called once, at load. */
void
dogpile_definition_init(void)
{
	prev_object_access = object_access_hook;
	object_access_hook = note_object_access;
}
