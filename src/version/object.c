/*-------------------------------------------------------------------------
 *
 * object.c
 *	  The slots of what entries depend on in the catalogs.
 *
 * An object is a tag that has no name (see tag.c).  There are these:
 *
 *		rows of a relation		bumped by any change of the relation: of its rows,
 *								its definition, its rights or its policies
 *		a relation				bumped only by changes that are not known by row:
 *								of its definition, rights or policies, TRUNCATE, and
 *								rows that watch.c has not turned into tags
 *		a syscache entry		a role, or the name of a relation: as PostgreSQL names
 *								it in invalidation messages, by the number of the cache
 *								and a hash of the key, both of which are the same in
 *								all processes of a server
 *		functions				of a database, all of them: a plan need not show which
 *								functions had a part in a result
 *		types					of a database, all that were made as types
 *		row types				of a database, all of them, as well as composite types
 *		definitions				of a database, all of them: what a query has looked for
 *								and not found may be anything
 *		a database				its schemas, its subscriptions, and whatever else is
 *								changed so rarely that all values may go with it
 *		roles					all of them, for what has names of roles in it
 *		the cluster				which roles are members of which, and whatever else
 *								databases share and is changed as rarely
 *
 * An entry depends on the rows of a relation or, if tags tell of these, on the
 * relation.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/version/object.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "version/object.h"

typedef enum ObjectKind
{
	OBJECT_ROWS = 1,
	OBJECT_RELATION,
	OBJECT_SYSCACHE,
	OBJECT_FUNCTIONS,
	OBJECT_TYPES,
	OBJECT_ROW_TYPES,
	OBJECT_DEFINITIONS,
	OBJECT_DATABASE,
	OBJECT_CLUSTER,
	OBJECT_ROLES
} ObjectKind;

/* database: InvalidOid for what all databases share. */
static DogpileSlot
find_object_slot(ObjectKind kind, Oid database, uint32 id, uint32 hash)
{
	uint32		words[] = {kind, database, id, hash};

	return dogpile_version_object_slot(hash_bytes((const unsigned char *) words,
												  sizeof(words)));
}

/* The rows of a relation of the current database.  Errors, locks: none, as below. */
DogpileSlot
dogpile_object_rows(Oid relation)
{
	return find_object_slot(OBJECT_ROWS, MyDatabaseId, relation, 0);
}

/* A relation of the current database apart from its rows. */
DogpileSlot
dogpile_object_relation(Oid relation)
{
	return find_object_slot(OBJECT_RELATION, MyDatabaseId, relation, 0);
}

/*
 * What is found in a syscache.
 *
 * database: InvalidOid for a catalog that all databases share.
 * hash: of the cache's key, as GetSysCacheHashValue() tells it.
 */
DogpileSlot
dogpile_object_syscache(Oid database, int cacheid, uint32 hash)
{
	return find_object_slot(OBJECT_SYSCACHE, database, cacheid, hash);
}

/* The functions of the current database, but those built in. */
DogpileSlot
dogpile_object_functions(void)
{
	return find_object_slot(OBJECT_FUNCTIONS, MyDatabaseId, 0, 0);
}

/* Its types, but those built in and row types. */
DogpileSlot
dogpile_object_types(void)
{
	return find_object_slot(OBJECT_TYPES, MyDatabaseId, 0, 0);
}

/* Its row types and composite types. */
DogpileSlot
dogpile_object_row_types(void)
{
	return find_object_slot(OBJECT_ROW_TYPES, MyDatabaseId, 0, 0);
}

/* All definitions in it, for queries that have not found something. */
DogpileSlot
dogpile_object_definitions(void)
{
	return find_object_slot(OBJECT_DEFINITIONS, MyDatabaseId, 0, 0);
}

/* The current database as a whole. */
DogpileSlot
dogpile_object_database(void)
{
	return find_object_slot(OBJECT_DATABASE, MyDatabaseId, 0, 0);
}

/* What all databases share. */
DogpileSlot
dogpile_object_cluster(void)
{
	return find_object_slot(OBJECT_CLUSTER, InvalidOid, 0, 0);
}

/* The names of all roles. */
DogpileSlot
dogpile_object_roles(void)
{
	return find_object_slot(OBJECT_ROLES, InvalidOid, 0, 0);
}
