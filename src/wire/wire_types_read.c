/*-------------------------------------------------------------------------
 *
 * wire_types_read.c
 *	  Read the types that other servers have described.
 *
 * The format is in the head of wire_types.c.  The bytes may be hostile: a type is looked
 * up by its name, and its definition here must be as described.  No privilege is needed,
 * as PostgreSQL needs none to look a type up.  Reading a type calls no function of it.
 *
 * Catalogs are read through the caches of the session, and not at all for the most
 * frequent types.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_types_read.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "parser/scansup.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/syscache.h"

#include "wire/wire_encoding.h"
#include "wire/wire_types.h"

/*
 * The most frequent types.  Their OIDs never change, so no catalog has to be read, and
 * their receive functions do not write to the buffer that they read.
 */
static const struct
{
	const char *name;
	Oid			typid;
}			frequent_types[] =

{
	{"text", TEXTOID},
	{"int4", INT4OID},
	{"int8", INT8OID},
	{"jsonb", JSONBOID},
	{"json", JSONOID},
	{"numeric", NUMERICOID},
	{"bool", BOOLOID},
	{"varchar", VARCHAROID},
	{"timestamptz", TIMESTAMPTZOID},
	{"timestamp", TIMESTAMPOID},
	{"date", DATEOID},
	{"uuid", UUIDOID},
	{"float8", FLOAT8OID},
	{"float4", FLOAT4OID},
	{"int2", INT2OID},
	{"bpchar", BPCHAROID},
	{"bytea", BYTEAOID}
};

/* How to receive values of these types, kept as long as the session lives. */
static DogpileWireType frequent[lengthof(frequent_types)];

/*
 * Maximum number of columns of row types that a session learns by reading records.
 * PostgreSQL keeps row types as long as the session lives, so hostile entries could fill
 * its memory: this is about 16 MB.
 */
#define MAX_LEARNT_COLUMNS	100000

/* Raise an error: no writer would have written these bytes. */
void
dogpile_wire_raise_damaged(DogpileWireReader *reader)
{
	reader->status = DOGPILE_WIRE_DAMAGED;
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("its value is damaged")));
}

/* Raise an error: a type has another definition in this database. */
static void
raise_other(const DogpileWireType *type)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("type %s has another definition in this database",
					format_type_be(type->typid))));
}

/* Consume this many bytes. */
const char *
dogpile_wire_get(DogpileWireReader *reader, size_t len)
{
	const char *data = reader->p;

	if (len > (size_t) (reader->end - reader->p))
		dogpile_wire_raise_damaged(reader);
	reader->p += len;
	return data;
}

uint8
dogpile_wire_get_uint8(DogpileWireReader *reader)
{
	return (uint8) *dogpile_wire_get(reader, sizeof(uint8));
}

static uint16
get_uint16(DogpileWireReader *reader)
{
	uint16		value;

	memcpy(&value, dogpile_wire_get(reader, sizeof(value)), sizeof(value));
	return pg_ntoh16(value);
}

uint32
dogpile_wire_get_uint32(DogpileWireReader *reader)
{
	uint32		value;

	memcpy(&value, dogpile_wire_get(reader, sizeof(value)), sizeof(value));
	return pg_ntoh32(value);
}

/* Read a string; it is returned in the database's encoding, in CurrentMemoryContext. */
static char *
read_utf8(DogpileWireReader *reader)
{
	int			len = get_uint16(reader);
	const char *utf8 = dogpile_wire_get(reader, len);
	char	   *string = pg_any_to_server(utf8, len, dogpile_wire_encoding());

	return string == utf8 ? pnstrdup(utf8, len) : string;
}

/* Read the name of a column, truncated as PostgreSQL truncates names of columns. */
static char *
read_column_name(DogpileWireReader *reader)
{
	char	   *name = read_utf8(reader);

	truncate_identifier(name, strlen(name), false);
	return name;
}

/* Read a name, and the schema that it is in. */
static char *
read_name(DogpileWireReader *reader, Oid *namespace, char **schema)
{
	char	   *name;

	*schema = NULL;
	*namespace = PG_CATALOG_NAMESPACE;
	switch (dogpile_wire_get_uint8(reader))
	{
		case DOGPILE_WIRE_BUILTIN:
			break;
		case DOGPILE_WIRE_QUALIFIED:
			*schema = read_utf8(reader);
			*namespace = strlen(*schema) >= NAMEDATALEN ? InvalidOid :
				get_namespace_oid(*schema, true);
			break;
		default:
			dogpile_wire_raise_damaged(reader);
	}
	name = read_utf8(reader);
	if (strlen(name) >= NAMEDATALEN || isAnyTempNamespace(*namespace))
		*namespace = InvalidOid;
	return name;
}

/* A name with its schema, if it has one, for messages. */
static const char *
full_name(const char *schema, const char *name)
{
	return schema ? psprintf("%s.%s", schema, name) : name;
}

/*
 * Read a collation, which is looked up by name, too.  If it does not exist here, the value
 * cannot be used, since it could compare differently than on the server that wrote it.
 */
static Oid
read_collation(DogpileWireReader *reader, Oid typid)
{
	Oid			namespace;
	Oid			collation = InvalidOid;
	char	   *schema;
	char	   *name;

	switch (dogpile_wire_get_uint8(reader))
	{
		case DOGPILE_WIRE_COLLATION_NONE:
			return InvalidOid;
		case DOGPILE_WIRE_COLLATION_TYPES:
			return get_typcollation(typid);
		case DOGPILE_WIRE_COLLATION_NAMED:
			break;
		default:
			dogpile_wire_raise_damaged(reader);
	}
	name = read_name(reader, &namespace, &schema);
	if (OidIsValid(namespace))
		collation = GetSysCacheOid3(COLLNAMEENCNSP, Anum_pg_collation_oid,
									PointerGetDatum(name),
									Int32GetDatum(GetDatabaseEncoding()),
									ObjectIdGetDatum(namespace));
	if (OidIsValid(namespace) && !OidIsValid(collation))
		collation = GetSysCacheOid3(COLLNAMEENCNSP, Anum_pg_collation_oid,
									PointerGetDatum(name), Int32GetDatum(-1),
									ObjectIdGetDatum(namespace));
	if (!OidIsValid(collation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("collation \"%s\" does not exist in this database",
						full_name(schema, name))));
	return collation;
}

/* Look up a type by its name, and check that it is of this kind. */
static FormData_pg_type
read_named(DogpileWireReader *reader, DogpileWireKind kind)
{
	Oid			namespace;
	char	   *schema;
	char	   *name = read_name(reader, &namespace, &schema);
	Oid			typid = InvalidOid;
	FormData_pg_type form;

	if (OidIsValid(namespace))
		typid = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, PointerGetDatum(name),
								ObjectIdGetDatum(namespace));
	if (!OidIsValid(typid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type \"%s\" does not exist in this database",
						full_name(schema, name))));
	form = dogpile_wire_fetch_form(typid);
	if (dogpile_wire_classify(&form) != kind)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("type \"%s\" is of another kind in this database",
						full_name(schema, name))));
	return form;
}

/* Look up the receive function of a base type; done when a value has to be read. */
void
dogpile_wire_find_receive(DogpileWireType *type, MemoryContext context)
{
	Oid			function;

	getTypeBinaryInputInfo(type->typid, &function, &type->ioparam);
	fmgr_info_cxt(function, &type->function, context);
}

/* Read the name of a frequent type.  If it is not one, return NULL and read nothing. */
static DogpileWireType *
read_frequent(DogpileWireReader *reader)
{
	const char *name = reader->p + sizeof(uint8) + sizeof(uint16);
	uint16		len;

	if (name >= reader->end || *reader->p != DOGPILE_WIRE_BUILTIN)
		return NULL;
	memcpy(&len, reader->p + sizeof(uint8), sizeof(len));
	len = pg_ntoh16(len);
	if (len > reader->end - name)
		return NULL;
	for (size_t i = 0; i < lengthof(frequent_types); i++)
	{
		DogpileWireType *type = &frequent[i];

		if (strlen(frequent_types[i].name) != len ||
			memcmp(frequent_types[i].name, name, len) != 0)
			continue;
		if (type->kind == 0)
		{
			type->typid = frequent_types[i].typid;
			type->typmod = -1;
			type->in_place = true;
			get_typlenbyvalalign(type->typid, &type->typlen, &type->byval, &type->align);
			dogpile_wire_find_receive(type, TopMemoryContext);
			type->kind = DOGPILE_WIRE_SCALAR;
		}
		reader->p = name + len;
		return type;
	}
	return NULL;
}

/* Read a type that is part of another one. */
static DogpileWireType *
read_part(DogpileWireReader *reader)
{
	DogpileWireType *type = dogpile_wire_read_type(reader);

	if (type->kind == DOGPILE_WIRE_ROW)
		dogpile_wire_raise_damaged(reader);
	return type;
}

/*
 * Read a domain.  If the domain of this name is over another type here, it is not the same
 * domain.  Its constraints are those that it has here and now; they are looked up when
 * there is a value to check.
 */
static void
read_domain_type(DogpileWireReader *reader, DogpileWireType *type)
{
	int32		typmod;

	type->inner = read_part(reader);
	typmod = (int32) dogpile_wire_get_uint32(reader);
	type->typmod = -1;
	if (getBaseTypeAndTypmod(type->typid, &type->typmod) != type->inner->typid ||
		type->typmod != typmod)
		raise_other(type);
}

/*
 * Read an array type, which is described by its element type only.
 */
static FormData_pg_type
read_array_type(DogpileWireReader *reader, DogpileWireType *type)
{
	Oid			typid;

	type->inner = read_part(reader);
	typid = get_array_type(type->inner->typid);
	if (!OidIsValid(typid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type %s has no array type in this database",
						format_type_be(type->inner->typid))));
	return dogpile_wire_fetch_form(typid);
}

/* Read a range type, which could have another subtype here. */
static void
read_range_type(DogpileWireReader *reader, DogpileWireType *type)
{
	type->inner = read_part(reader);
	if (get_range_subtype(type->typid) != type->inner->typid)
		raise_other(type);
	type->range = lookup_type_cache(type->typid, TYPECACHE_RANGE_INFO);
	if (type->range->rngelemtype == NULL)
		raise_other(type);
}

/* Read a multirange type, which is described by its range type only. */
static FormData_pg_type
read_multirange_type(DogpileWireReader *reader, DogpileWireType *type)
{
	type->inner = read_part(reader);
	if (type->inner->kind != DOGPILE_WIRE_RANGE)
		dogpile_wire_raise_damaged(reader);
	return dogpile_wire_fetch_form(get_range_multirange(type->inner->typid));
}

/*
 * Read a composite type.  The columns must have the same names and types in the same
 * order; dropped columns in between do not matter.
 */
static void
read_composite_type(DogpileWireReader *reader, DogpileWireType *type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(type->typid, -1);
	int			count = get_uint16(reader);

	dogpile_wire_set_desc(&reader->types, type, desc);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
			continue;
		if (count-- == 0 ||
			strcmp(read_column_name(reader), NameStr(att->attname)) != 0)
			raise_other(type);
		type->columns[i] = read_part(reader);
		if (type->columns[i]->typid != att->atttypid ||
			(int32) dogpile_wire_get_uint32(reader) != att->atttypmod)
			raise_other(type);
	}
	if (count != 0)
		raise_other(type);
}

/*
 * Read the row type of a record or of a result set, which has no name and is described in
 * full.  The number of columns is checked before memory is allocated by it.
 */
static void
read_row_type(DogpileWireReader *reader, DogpileWireType *type)
{
	int			natts = get_uint16(reader);

	if (natts > MaxTupleAttributeNumber)
		dogpile_wire_raise_damaged(reader);
	dogpile_wire_set_desc(&reader->types, type, CreateTemplateTupleDesc(natts));
	for (int i = 0; i < natts; i++)
	{
		char	   *name = read_column_name(reader);
		DogpileWireType *column = read_part(reader);
		int32		typmod = (int32) dogpile_wire_get_uint32(reader);

		/* The typmod of a record would refer to a row type of this session. */
		if (typmod < -1 || (typmod >= 0 && column->kind == DOGPILE_WIRE_RECORD))
			dogpile_wire_raise_damaged(reader);
		type->columns[i] = column;
		TupleDescInitEntry(type->desc, i + 1, name, column->typid, typmod, 0);
		TupleDescInitEntryCollation(type->desc, i + 1,
									read_collation(reader, column->typid));
	}
	dogpile_tuple_desc_finalize_compat(type->desc);
}

/* Register the row type of records, which PostgreSQL then keeps until the session ends. */
static void
learn_row_type(TupleDesc desc)
{
	static int64 learnt = 0;
	static int32 newest = -1;

	if (learnt >= MAX_LEARNT_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("this session has read too many row types from external stores")));
	BlessTupleDesc(desc);

	/*
	 * They are numbered in order, so it was registered before if its number
	 * is lower.
	 */
	if (desc->tdtypmod <= newest)
		return;
	newest = desc->tdtypmod;
	learnt += desc->natts + 1;
}

/* Read the definition of a type, which follows its kind. */
static void
read_definition(DogpileWireReader *reader, DogpileWireType *type)
{
	FormData_pg_type form;

	if (type->kind == DOGPILE_WIRE_SCALAR || type->kind == DOGPILE_WIRE_DOMAIN ||
		type->kind == DOGPILE_WIRE_RANGE || type->kind == DOGPILE_WIRE_COMPOSITE)
	{
		form = read_named(reader, type->kind);
		dogpile_wire_set_layout(type, &form);
	}
	switch (type->kind)
	{
		case DOGPILE_WIRE_SCALAR:
			return;
		case DOGPILE_WIRE_DOMAIN:
			read_domain_type(reader, type);
			return;
		case DOGPILE_WIRE_ARRAY:
			form = read_array_type(reader, type);
			break;
		case DOGPILE_WIRE_RANGE:
			read_range_type(reader, type);
			return;
		case DOGPILE_WIRE_MULTIRANGE:
			form = read_multirange_type(reader, type);
			break;
		case DOGPILE_WIRE_COMPOSITE:
			read_composite_type(reader, type);
			return;
		case DOGPILE_WIRE_RECORD:
			form = dogpile_wire_fetch_form(RECORDOID);
			break;
		case DOGPILE_WIRE_ROW:
			form = dogpile_wire_fetch_form(RECORDOID);
			read_row_type(reader, type);
			learn_row_type(type->desc);
			type->typmod = type->desc->tdtypmod;
			break;
		default:
			dogpile_wire_raise_damaged(reader);
	}
	dogpile_wire_set_layout(type, &form);
}

/*
 * Read the number of a type, or its description if it is a new one.
 *
 * Returns how to read its values.
 *
 * Errors: damage; there is no such type here.
 */
DogpileWireType *
dogpile_wire_read_type(DogpileWireReader *reader)
{
	int			number = get_uint16(reader);
	DogpileWireKind kind;
	DogpileWireType *type = NULL;

	if (number != DOGPILE_WIRE_NEW_TYPE)
	{
		if (number >= reader->types.count)
			dogpile_wire_raise_damaged(reader);
		return reader->types.types[number];
	}
	dogpile_wire_descend(&reader->depth);
	kind = dogpile_wire_get_uint8(reader);
	if (kind == DOGPILE_WIRE_SCALAR)
		type = read_frequent(reader);
	if (type == NULL)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(reader->types.context);

		type = dogpile_wire_make_type(&reader->types, kind);
		read_definition(reader, type);
		MemoryContextSwitchTo(oldcontext);
	}
	dogpile_wire_add_type(&reader->types, type);
	reader->depth--;
	return type;
}

/* Read the row type of a result set.  Errors: as of dogpile_wire_read_type(). */
DogpileWireType *
dogpile_wire_read_row_type(DogpileWireReader *reader)
{
	DogpileWireType *type = dogpile_wire_make_type(&reader->types, DOGPILE_WIRE_ROW);

	read_row_type(reader, type);
	return type;
}
