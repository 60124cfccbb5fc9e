/*-------------------------------------------------------------------------
 *
 * definition.c
 *	  What this transaction has changed in types, functions and other objects.
 *
 * Invalidation messages (catalog.c) identify everything that was changed, but only by
 * hashes.  So they do not distinguish an altered domain, on which values depend, from
 * the row type of a temporary table, which sessions create all the time.  The object
 * access hook, however, is called with each object.  It records here:
 *
 *		types		A temporary type, or the row type of a new table, does not concern
 *					other sessions, unless it has the name of another type, which it
 *					may replace in their queries.
 *		relations	If columns have changed, the row type has changed with them.
 *		functions	A function with the name of a built-in one may be called instead.
 *
 * A message that is not explained by these notes counts as any change that it may stand
 * for.  So it does no harm that the hook is not called for everything (not for GRANT,
 * for example), nor that notes are kept when a subtransaction is rolled back.
 *
 * Hashes have 32 bits.  It is neglected that a changed type may have the same hash as
 * another one that the same transaction has created or dropped.
 *
 * The notes also tell what the transaction itself sees differently from others: its
 * messages are not available before its end.
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

/* An object with which the hook was called. */
typedef struct NoteKey
{
	Oid			class;
	Oid			object;
} NoteKey;

typedef struct Note
{
	NoteKey		key;
	bool		is_new;			/* created by this transaction */
	bool		is_dropped;
	bool		is_explained;	/* dropped, and bits are known */
	bool		is_reshaped;	/* a relation with changed columns */
	int			bits;			/* see dogpile_definition_judge_type() */
} Note;

/* A type, by the hash in messages. */
typedef struct Explained
{
	uint32		hash;
	int			bits;
} Explained;

/* The notes of this transaction, in TopTransactionContext; or NULL. */
static HTAB *notes = NULL;
static Explained *explained = NULL;
static int	nexplained = 0;

/* Has it changed objects for which catalog.c has no callback? */
static bool has_rare = false;

/* The last result of dogpile_definition_own(), and whether it still holds. */
static int	own_bits = 0;
static bool own_is_known = true;

/* Hashes of the built-in functions, sorted; computed when first needed. */
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

/* Find the note of an object, or NULL. */
static Note *
find_note(Oid class, Oid object)
{
	NoteKey		key = {.class = class,.object = object};

	return notes == NULL ? NULL : hash_search(notes, &key, HASH_FIND, NULL);
}

/*
 * The relation of which a type, or the type of its elements, is the row type; or
 * InvalidOid.  A composite type without a relation has a row in pg_class as well.
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

/* A type is about to be dropped; it can still be looked up. */
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

/* Do objects of a class change so rarely that any change affects everything? */
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

/* Is there another type of this name, not a temporary one? */
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

/* What the creation or change of a type means to others. */
static int
judge_noted_type(const Note *note)
{
	HeapTuple	tuple;
	Form_pg_type type;
	int			bits = DOGPILE_TYPES | DOGPILE_ROW_TYPES;

	if (note->is_explained)
		return note->bits;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(note->key.object));
	if (!HeapTupleIsValid(tuple))	/* its creation was rolled back */
		return note->is_new ? 0 : bits;
	type = (Form_pg_type) GETSTRUCT(tuple);
	if (isAnyTempNamespace(type->typnamespace))
		bits = 0;
	else if (note->is_new && OidIsValid(find_row_relation(type)) && !has_namesake(type))
		bits = 0;
	ReleaseSysCache(tuple);
	return bits;
}

/* Were columns changed in a relation that is neither new nor temporary? */
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
 * PRE_COMMIT: find out what the notes mean, before messages are judged.
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
 * hash: of the type, as in the message.
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

/* Has the transaction created a function with the name of a built-in one? */
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
 * May a message about a function concern queries that call only built-in ones?  It does
 * if a built-in function was changed (its rights, for example), or if a function of the
 * same name was created, which is called instead if its arguments fit better.
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

/* Was this relation dropped, and could other sessions not use it before? */
bool
dogpile_definition_is_temporary(Oid relid)
{
	const Note *note = find_note(RelationRelationId, relid);

	return note != NULL && note->is_explained;
}

/* Is this the message about the creation of this session's temporary schema? */
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
 * Have row types that others use changed with the columns of their relations?
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
 * Which kinds of types does this transaction see differently, because of its changes?
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
 * Return a number that grows with everything that this session defines, drops or rolls
 * back.  What was found out earlier still holds if the number is the same.
 *
 * Errors: none.
 */
uint64
dogpile_definition_get_generation(void)
{
	return generation;
}

/* Has it changed an object of a rare class, so that everything counts as changed? */
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

/* A subtransaction is rolled back. */
static void
count_undone(SubTransactionId subid)
{
	generation++;
}

const DogpileParticipant dogpile_definition_participant = {
	.end = end_definitions,
	.subabort = count_undone
};

/* Register the object access hook.  Called once, at load. */
void
dogpile_definition_init(void)
{
	prev_object_access = object_access_hook;
	object_access_hook = note_object_access;
}
