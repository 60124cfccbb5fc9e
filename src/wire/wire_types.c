/*-------------------------------------------------------------------------
 *
 * wire_types.c
 *	  Types as bytes that other servers understand.
 *
 * OIDs differ between servers, so a type is described by its name, and by those of the
 * types that it is made of:
 *
 *		uint16		number of a type that was described before, or 0xFFFF and then:
 *		uint8		kind, see wire_types.h; then for
 *		SCALAR		name
 *		DOMAIN		name, base type, int32 typmod of that
 *		ARRAY		type of the elements
 *		RANGE		name, type of the bounds
 *		MULTIRANGE	range type
 *		COMPOSITE	name, uint16 number of columns, for each: string, type, int32
 *					typmod
 *		RECORD		nothing
 *		ROW			uint16 number of columns, for each: string, type, int32
 *					typmod, collation
 *
 * A type gets its number after its description.  A name is a uint8, which is 0 for
 * pg_catalog, and 1 if the string of a schema follows; then a string.  A collation is a
 * uint8: 0 for none, 1 for that of the type, 2 if a name follows.  A string is a uint16
 * length and bytes.
 *
 * A type of the same name that has another definition on the reader's server is not the
 * same type.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_types.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/syscache.h"

#include "entry/trust.h"
#include "wire/wire_encoding.h"
#include "wire/wire_types.h"

/* --------------------------------------------------------------------
 * Both directions
 * --------------------------------------------------------------------
 */

DogpileWireType *
dogpile_wire_make_type(DogpileWireTypes *types, DogpileWireKind kind)
{
	DogpileWireType *type = MemoryContextAllocZero(types->context,
												   sizeof(DogpileWireType));

	type->kind = kind;
	type->typmod = -1;
	return type;
}

/* Give a type its number. */
void
dogpile_wire_add_type(DogpileWireTypes *types, DogpileWireType *type)
{
	if (types->count >= DOGPILE_WIRE_MAX_TYPES)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("value has too many types")));
	if (types->count == types->allocated)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(types->context);

		types->allocated = types->allocated ? 2 * types->allocated : 8;
		types->types = types->count == 0 ?
			palloc_array(DogpileWireType *, types->allocated) :
			repalloc_array(types->types, DogpileWireType *, types->allocated);
		MemoryContextSwitchTo(oldcontext);
	}
	types->types[types->count++] = type;
}

/* Increment the depth when a type or value within another one begins. */
void
dogpile_wire_descend(int *depth)
{
	check_stack_depth();
	if (++*depth > DOGPILE_WIRE_MAX_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("types are nested too deeply")));
}

/*
 * Can other servers read binary values of a base type?  The receive functions of internal
 * types only raise errors.  Values of reg* types are written as names; see wire_reg.c.
 */
static bool
is_portable(const FormData_pg_type *form)
{
	if (form->typnamespace != PG_CATALOG_NAMESPACE)
		return true;
	return form->typcategory != TYPCATEGORY_INTERNAL || form->oid == CHAROID;
}

/* The kind of a type.  Errors: values of the type cannot be written. */
DogpileWireKind
dogpile_wire_classify(const FormData_pg_type *form)
{
	if (form->oid == RECORDOID)
		return DOGPILE_WIRE_RECORD;
	if (OidIsValid(form->typelem) && form->typsend == F_ARRAY_SEND)
		return DOGPILE_WIRE_ARRAY;
	switch (form->typtype)
	{
		case TYPTYPE_DOMAIN:
			return DOGPILE_WIRE_DOMAIN;
		case TYPTYPE_RANGE:
			return DOGPILE_WIRE_RANGE;
		case TYPTYPE_MULTIRANGE:
			return DOGPILE_WIRE_MULTIRANGE;
		case TYPTYPE_COMPOSITE:
			return DOGPILE_WIRE_COMPOSITE;
		case TYPTYPE_BASE:
		case TYPTYPE_ENUM:
			if (form->typisdefined && is_portable(form))
				return DOGPILE_WIRE_SCALAR;
			break;
		case TYPTYPE_PSEUDO:
			/* Literals in ROW() are unknown; functions can return the others. */
			if (form->oid == UNKNOWNOID || form->oid == CSTRINGOID || form->oid == VOIDOID)
				return DOGPILE_WIRE_SCALAR;
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("values of type %s cannot be read by other servers",
					format_type_be(form->oid))));
}

/* The row of pg_type of a type.  Errors: it does not exist. */
FormData_pg_type
dogpile_wire_fetch_form(Oid typid)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(typid));
	FormData_pg_type form;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type with OID %u does not exist", typid)));
	form = *(Form_pg_type) GETSTRUCT(tuple);
	ReleaseSysCache(tuple);
	return form;
}

void
dogpile_wire_set_layout(DogpileWireType *type, const FormData_pg_type *form)
{
	type->typid = form->oid;
	type->typlen = form->typlen;
	type->byval = form->typbyval;
	type->align = form->typalign;
}

/* Set the row type, with columns whose types are not set yet. */
void
dogpile_wire_set_desc(DogpileWireTypes *types, DogpileWireType *type, TupleDesc desc)
{
	type->desc = desc;
	type->columns = MemoryContextAllocZero(types->context,
										   (desc->natts + 1) * sizeof(DogpileWireType *));
}

/* --------------------------------------------------------------------
 * Writing
 * --------------------------------------------------------------------
 */

static void
write_string(DogpileWireWriter *writer, const char *string)
{
	char	   *utf8 = pg_server_to_any(string, strlen(string), dogpile_wire_encoding());
	size_t		len = strlen(utf8);

	pq_sendint16(writer->out, len);
	appendBinaryStringInfo(writer->out, utf8, len);
	if (utf8 != string)
		pfree(utf8);
}

static void
write_name(DogpileWireWriter *writer, Oid namespace, const char *name)
{
	if (namespace == PG_CATALOG_NAMESPACE)
		pq_sendint8(writer->out, DOGPILE_WIRE_BUILTIN);
	else
	{
		char	   *schema = get_namespace_name(namespace);

		if (schema == NULL || isAnyTempNamespace(namespace))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("\"%s\" is temporary", name)));
		pq_sendint8(writer->out, DOGPILE_WIRE_QUALIFIED);
		write_string(writer, schema);
		pfree(schema);
	}
	write_string(writer, name);
}

/* Write the collation of a column.  typid: the type of the column. */
static void
write_collation(DogpileWireWriter *writer, Oid collation, Oid typid)
{
	HeapTuple	tuple;

	if (!OidIsValid(collation))
	{
		pq_sendint8(writer->out, DOGPILE_WIRE_COLLATION_NONE);
		return;
	}
	if (collation == get_typcollation(typid))
	{
		pq_sendint8(writer->out, DOGPILE_WIRE_COLLATION_TYPES);
		return;
	}
	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for collation %u", collation);
	pq_sendint8(writer->out, DOGPILE_WIRE_COLLATION_NAMED);
	write_name(writer, ((Form_pg_collation) GETSTRUCT(tuple))->collnamespace,
			   NameStr(((Form_pg_collation) GETSTRUCT(tuple))->collname));
	ReleaseSysCache(tuple);
}

static void
write_composite(DogpileWireWriter *writer, DogpileWireType *type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(type->typid, -1);
	int			count = 0;

	dogpile_wire_set_desc(&writer->types, type, desc);
	for (int i = 0; i < desc->natts; i++)
		count += !TupleDescAttr(desc, i)->attisdropped;
	pq_sendint16(writer->out, count);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
			continue;
		write_string(writer, NameStr(att->attname));
		type->columns[i] = dogpile_wire_write_type(writer, att->atttypid, -1);
		pq_sendint32(writer->out, att->atttypmod);
	}
}

static void
write_row_type(DogpileWireWriter *writer, DogpileWireType *type, TupleDesc desc)
{
	dogpile_wire_set_desc(&writer->types, type, desc);
	pq_sendint16(writer->out, desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		/* The rows of a query have no dropped columns. */
		if (att->attisdropped)
			elog(ERROR, "row type has a dropped column");
		write_string(writer, NameStr(att->attname));
		type->columns[i] = dogpile_wire_write_type(writer, att->atttypid, -1);
		/* The typmod of a record has a meaning in this session only. */
		pq_sendint32(writer->out, type->columns[i]->kind == DOGPILE_WIRE_RECORD ?
					 -1 : att->atttypmod);
		write_collation(writer, att->attcollation, att->atttypid);
	}
}

/* Look up the send function of a base type. */
static void
find_send(DogpileWireWriter *writer, DogpileWireType *type)
{
	Oid			function;
	bool		is_varlena;

	getTypeBinaryOutputInfo(type->typid, &function, &is_varlena);
	fmgr_info_cxt(function, &type->function, writer->types.context);
}

/*
 * Write a domain.  If its constraints may call any function, only callers that ask for
 * this type read it, and check it themselves.  So the value must consist of nothing else.
 */
static void
write_domain(DogpileWireWriter *writer, DogpileWireType *type)
{
	bool		is_asked_for = writer->is_single && writer->types.count == 0 &&
		writer->depth == 1;

	if (!is_asked_for && !dogpile_trust_domain(type->typid)->is_trusted)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("constraints of domain %s call functions that are not built in",
						format_type_be(type->typid))));
	type->inner = dogpile_wire_write_type(writer,
										  getBaseTypeAndTypmod(type->typid, &type->typmod),
										  -1);
	pq_sendint32(writer->out, type->typmod);
	type->typmod = -1;
}

/* Write a range type, whose bounds a reader has to compare. */
static void
write_range_type(DogpileWireWriter *writer, DogpileWireType *type)
{
	if (!dogpile_trust_range(type->typid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ranges of type %s are compared by functions that are not written in C",
						format_type_be(type->typid))));
	type->range = lookup_type_cache(type->typid, TYPECACHE_RANGE_INFO);
	type->inner = dogpile_wire_write_type(writer, get_range_subtype(type->typid), -1);
}

/* Write the element type of an array, by which the reader finds the array type. */
static void
write_element(DogpileWireWriter *writer, DogpileWireType *type,
			  const FormData_pg_type *form)
{
	if (get_array_type(form->typelem) != form->oid)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("type %s is not the array type of its elements",
						format_type_be(form->oid))));
	type->inner = dogpile_wire_write_type(writer, form->typelem, -1);
}

/* Write the definition of a type, which follows its kind. */
static void
write_definition(DogpileWireWriter *writer, DogpileWireType *type,
				 const FormData_pg_type *form)
{
	if (type->kind == DOGPILE_WIRE_SCALAR || type->kind == DOGPILE_WIRE_DOMAIN ||
		type->kind == DOGPILE_WIRE_RANGE || type->kind == DOGPILE_WIRE_COMPOSITE)
		write_name(writer, form->typnamespace, NameStr(form->typname));
	switch (type->kind)
	{
		case DOGPILE_WIRE_SCALAR:
			find_send(writer, type);
			break;
		case DOGPILE_WIRE_DOMAIN:
			write_domain(writer, type);
			break;
		case DOGPILE_WIRE_ARRAY:
			write_element(writer, type, form);
			break;
		case DOGPILE_WIRE_RANGE:
			write_range_type(writer, type);
			break;
		case DOGPILE_WIRE_MULTIRANGE:
			type->inner = dogpile_wire_write_type(writer,
												  get_multirange_range(type->typid), -1);
			break;
		case DOGPILE_WIRE_COMPOSITE:
			write_composite(writer, type);
			break;
		case DOGPILE_WIRE_RECORD:
		case DOGPILE_WIRE_ROW:
			break;
	}
}

static DogpileWireType *
write_new_type(DogpileWireWriter *writer, Oid typid, int32 typmod)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(writer->types.context);
	bool		is_row = typid == RECORDOID && typmod >= 0;
	FormData_pg_type form = dogpile_wire_fetch_form(typid);
	DogpileWireType *type = dogpile_wire_make_type(&writer->types, is_row ? DOGPILE_WIRE_ROW :
												   dogpile_wire_classify(&form));

	dogpile_wire_set_layout(type, &form);
	type->typmod = typmod;
	pq_sendint16(writer->out, DOGPILE_WIRE_NEW_TYPE);
	pq_sendint8(writer->out, type->kind);
	if (is_row)
		write_row_type(writer, type, lookup_rowtype_tupdesc_copy(typid, typmod));
	else
		write_definition(writer, type, &form);
	dogpile_wire_add_type(&writer->types, type);
	MemoryContextSwitchTo(oldcontext);
	return type;
}

/*
 * Write the number of a type, or its description if it has no number yet.
 *
 * typmod: for records, that of their row type; -1 for other types, and for record as the
 * type of a column.
 *
 * Returns how to write its values.
 *
 * Errors: it cannot be described.
 */
DogpileWireType *
dogpile_wire_write_type(DogpileWireWriter *writer, Oid typid, int32 typmod)
{
	DogpileWireTypes *types = &writer->types;
	DogpileWireType *type;

	for (int i = types->count - 1; i >= 0; i--)
	{
		if (types->types[i]->typid != typid || types->types[i]->typmod != typmod)
			continue;
		pq_sendint16(writer->out, i);
		return types->types[i];
	}
	dogpile_wire_descend(&writer->depth);
	type = write_new_type(writer, typid, typmod);
	writer->depth--;
	return type;
}

/*
 * Describe the row type of a result set.
 *
 * desc: outlives the writer.
 *
 * Returns and errors: as of dogpile_wire_write_type().
 */
DogpileWireType *
dogpile_wire_write_row_type(DogpileWireWriter *writer, TupleDesc desc)
{
	DogpileWireType *type = dogpile_wire_make_type(&writer->types, DOGPILE_WIRE_ROW);

	write_row_type(writer, type, desc);
	return type;
}
