/*-------------------------------------------------------------------------
 *
 * rowtype.c
 *	  What is stored about types, to read their values back safely.
 *
 * A stored value is raw bytes, and those of a composite type cannot be read once
 * the type was altered.  So a fingerprint of everything that determines the layout
 * of a user-defined type is stored with each value and compared before the value is
 * read.  Built-in types never change within a major version.
 *
 * An anonymous record names its row type by a typmod that is valid in one session
 * only.  A value that contains such records is stored with their row types, and each
 * record names one of these by its number.  A record may be nested in other data,
 * possibly unaligned after a short header, so it is changed in place, byte by byte,
 * and an aligned copy is used to find the records within it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/rowtype.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/rangetypes.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "entry/rowtype.h"
#include "lib/compat.h"

/* A column as it is written. */
typedef struct StoredColumn
{
	Oid			typid;
	int32		typmod;
	Oid			collation;
	NameData	name;
} StoredColumn;

/* --------------------------------------------------------------------
 * Fingerprints
 * --------------------------------------------------------------------
 */

/* Fold the fingerprint of a part into that of the whole. */
static bool
add_part(Oid typid, uint32 *fingerprint)
{
	uint32		part;

	if (!OidIsValid(typid) || !dogpile_rowtype_fingerprint(typid, &part))
		return false;
	*fingerprint = hash_combine(*fingerprint, part);
	return true;
}

/* The columns of a composite type; dropped ones, too, as they keep their place. */
static bool
add_columns(Oid typid, uint32 *fingerprint)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_noerror(typid, -1, true);
	bool		ok = desc != NULL;

	if (!ok)
		return false;
	for (int i = 0; i < desc->natts && ok; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		uint32		facts[] = {
			att->atttypid, (uint32) att->atttypmod, (uint32) att->attlen,
			(uint32) att->attalign, (uint32) att->attisdropped
		};

		*fingerprint = hash_combine(*fingerprint,
									hash_bytes((unsigned char *) facts, sizeof(facts)));
		if (!att->attisdropped)
			ok = add_part(att->atttypid, fingerprint);
	}
	ReleaseTupleDesc(desc);
	return ok;
}

/* A base type: how it is laid out, and what it is an array of. */
static bool
add_layout(Oid typid, uint32 *fingerprint)
{
	int16		len;
	bool		byval;
	char		align;
	Oid			element = get_element_type(typid);

	get_typlenbyvalalign(typid, &len, &byval, &align);
	*fingerprint = hash_combine(*fingerprint,
								((uint32) (uint16) len << 16) | ((uint32) byval << 8) | (uint8) align);
	return !OidIsValid(element) || add_part(element, fingerprint);
}

/*
 * Compute a number that changes when the layout of a type's values does.
 *
 * Returns false if the type does not exist anymore.
 *
 * Errors: out of memory, types nested too deep.  Locks: none.
 */
bool
dogpile_rowtype_fingerprint(Oid typid, uint32 *fingerprint)
{
	*fingerprint = murmurhash32(typid);
	if (typid < FirstNormalObjectId)
		return true;

	check_stack_depth();
	if (!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(typid)))
		return false;
	switch (get_typtype(typid))
	{
		case TYPTYPE_COMPOSITE:
			return add_columns(typid, fingerprint);
		case TYPTYPE_DOMAIN:
			return add_part(getBaseType(typid), fingerprint);
		case TYPTYPE_RANGE:
			return add_part(get_range_subtype(typid), fingerprint);
		case TYPTYPE_MULTIRANGE:
			return add_part(get_multirange_range(typid), fingerprint);
		default:
			return add_layout(typid, fingerprint);
	}
}

/* --------------------------------------------------------------------
 * Anonymous records
 * --------------------------------------------------------------------
 */

/*
 * Can a value of this type contain anonymous records?  Columns of tables and
 * of named composite types cannot be of such types.
 */
bool
dogpile_rowtype_has_records(Oid typid)
{
	return typid == RECORDOID || typid == RECORDARRAYOID;
}

/* The number of the row type that has this typmod in this session. */
static int32
intern(DogpileRowTypes *types, int32 typmod)
{
	TupleDesc	desc;

	for (int i = 0; i < types->count; i++)
		if (types->typmods[i] == typmod)
			return i;

	if (types->count == types->allocated)
	{
		types->allocated = types->allocated ? 2 * types->allocated : 4;
		types->descs = types->count == 0 ? palloc_array(TupleDesc, types->allocated) :
			repalloc_array(types->descs, TupleDesc, types->allocated);
		types->typmods = types->count == 0 ? palloc_array(int32, types->allocated) :
			repalloc_array(types->typmods, int32, types->allocated);
	}
	desc = lookup_rowtype_tupdesc(RECORDOID, typmod);
	types->descs[types->count] = CreateTupleDescCopy(desc);
	ReleaseTupleDesc(desc);
	types->typmods[types->count] = typmod;
	return types->count++;
}

/* An aligned copy of a varlena that may have a short header. */
static struct varlena *
copy_aligned(const char *datum)
{
	Size		size = VARSIZE_ANY_EXHDR(datum) + VARHDRSZ;
	struct varlena *copy = palloc(size);

	SET_VARSIZE(copy, size);
	memcpy(VARDATA(copy), VARDATA_ANY(datum), size - VARHDRSZ);
	return copy;
}

static bool map_datum(char *datum, Oid typid, DogpileRowTypes *types,
					  bool storing);

/* The records within a record. */
static bool
map_fields(char *datum, TupleDesc desc, DogpileRowTypes *types, bool storing)
{
	struct varlena *copy = copy_aligned(datum);
	HeapTupleData tuple = {.t_len = VARSIZE(copy),.t_data = (HeapTupleHeader) copy};
	Datum	   *values = palloc_array(Datum, desc->natts);
	bool	   *nulls = palloc_array(bool, desc->natts);
	bool		ok = true;

	heap_deform_tuple(&tuple, desc, values, nulls);
	for (int i = 0; i < desc->natts && ok; i++)
	{
		Oid			typid = TupleDescAttr(desc, i)->atttypid;

		if (!nulls[i] && dogpile_rowtype_has_records(typid))
			ok = map_datum(VARDATA_ANY(datum) +
						   (DatumGetPointer(values[i]) - VARDATA(copy)),
						   typid, types, storing);
	}
	pfree(values);
	pfree(nulls);
	pfree(copy);
	return ok;
}

/* Can any column of a row type hold anonymous records? */
bool
dogpile_rowtype_desc_has_records(TupleDesc desc)
{
	for (int i = 0; i < desc->natts; i++)
		if (dogpile_rowtype_has_records(TupleDescAttr(desc, i)->atttypid))
			return true;
	return false;
}

/*
 * Change how a record names its row type.  Typmod and type are the first two
 * fields after its length; see HeapTupleHeaderData.
 */
static bool
map_record(char *datum, DogpileRowTypes *types, bool storing)
{
	char	   *data = VARDATA_ANY(datum);
	int32		from;
	int32		to;
	Oid			typid;
	int32		number;

	memcpy(&from, data, sizeof(from));
	memcpy(&typid, data + sizeof(from), sizeof(typid));
	if (typid != RECORDOID)
		return true;			/* of a named type after all */

	number = storing ? intern(types, from) : from;
	if (number < 0 || number >= types->count)
		return false;
	to = storing ? number : types->typmods[number];
	memcpy(data, &to, sizeof(to));
	return !dogpile_rowtype_desc_has_records(types->descs[number]) ||
		map_fields(datum, types->descs[number], types, storing);
}

/* The records within an array of records. */
static bool
map_array(char *datum, DogpileRowTypes *types, bool storing)
{
	ArrayType  *copy = (ArrayType *) copy_aligned(datum);
	int			count = ArrayGetNItems(ARR_NDIM(copy), ARR_DIMS(copy));
	uint8	   *bitmap = ARR_NULLBITMAP(copy);
	char	   *element = ARR_DATA_PTR(copy);
	bool		ok = true;

	for (int i = 0; i < count && ok; i++)
	{
		if (bitmap && (bitmap[i / 8] & (1 << (i % 8))) == 0)
			continue;
		element = (char *) att_align_nominal(element, TYPALIGN_DOUBLE);
		ok = map_record(VARDATA_ANY(datum) + (element - VARDATA(copy)), types, storing);
		element += VARSIZE_ANY(element);
	}
	pfree(copy);
	return ok;
}

static bool
map_datum(char *datum, Oid typid, DogpileRowTypes *types, bool storing)
{
	check_stack_depth();
	return typid == RECORDOID ? map_record(datum, types, storing) :
		map_array(datum, types, storing);
}

/*
 * Make the records in a datum name their row types by number.
 *
 * datum: flat and writable; of a type for which dogpile_rowtype_has_records().
 * types: the row types so far; grows, in CurrentMemoryContext.
 *
 * Errors: a record of a type that this session does not know.
 */
void
dogpile_rowtype_store_records(char *datum, Oid typid, DogpileRowTypes *types)
{
	(void) map_datum(datum, typid, types, true);
}

/*
 * Make the records in a stored datum name their row types by typmods of this session.
 *
 * Returns false if one names a row type that is not stored.
 */
bool
dogpile_rowtype_load_records(char *datum, Oid typid, DogpileRowTypes *types)
{
	return map_datum(datum, typid, types, false);
}

/* --------------------------------------------------------------------
 * Row types as bytes
 * --------------------------------------------------------------------
 */

/* Append the columns of a row type. */
void
dogpile_rowtype_write_desc(StringInfo buf, TupleDesc desc)
{
	uint32		natts = desc->natts;

	appendBinaryStringInfo(buf, (char *) &natts, sizeof(natts));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		StoredColumn column;

		memset(&column, 0, sizeof(column));
		column.typid = att->atttypid;
		column.typmod = att->atttypmod;
		column.collation = att->attcollation;
		strlcpy(NameStr(column.name), NameStr(att->attname), NAMEDATALEN);
		appendBinaryStringInfo(buf, (char *) &column, sizeof(column));
	}
}

/*
 * Read a row type back.
 *
 * bytes: advanced past what was read.
 *
 * Returns it in CurrentMemoryContext, or NULL if it would extend past the end, or
 * if a type of it was dropped.
 */
TupleDesc
dogpile_rowtype_read_desc(const char **bytes, const char *end)
{
	uint32		natts;
	TupleDesc	desc;

	if (end - *bytes < (ptrdiff_t) sizeof(natts))
		return NULL;
	memcpy(&natts, *bytes, sizeof(natts));
	*bytes += sizeof(natts);
	if (natts > MaxTupleAttributeNumber ||
		(Size) (end - *bytes) < natts * sizeof(StoredColumn))
		return NULL;

	desc = CreateTemplateTupleDesc((int) natts);
	for (uint32 i = 0; i < natts; i++)
	{
		StoredColumn column;

		memcpy(&column, *bytes, sizeof(column));
		*bytes += sizeof(column);
		NameStr(column.name)[NAMEDATALEN - 1] = '\0';
		if (column.typid >= FirstNormalObjectId &&
			!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(column.typid)))
			return NULL;
		TupleDescInitEntry(desc, i + 1, NameStr(column.name), column.typid,
						   column.typmod, 0);
		TupleDescInitEntryCollation(desc, i + 1, column.collation);
	}
	dogpile_tuple_desc_finalize_compat(desc);
	return desc;
}

/* The type of the first column of a row type that has one. */
void
dogpile_rowtype_peek(const char *bytes, Oid *typid, int32 *typmod)
{
	StoredColumn column;

	memcpy(&column, bytes + sizeof(uint32), sizeof(column));
	*typid = column.typid;
	*typmod = column.typmod;
}

/* Append row types of records. */
void
dogpile_rowtype_write(StringInfo buf, const DogpileRowTypes *types)
{
	uint32		count = types->count;

	appendBinaryStringInfo(buf, (char *) &count, sizeof(count));
	for (int i = 0; i < types->count; i++)
		dogpile_rowtype_write_desc(buf, types->descs[i]);
}

/*
 * Read row types of records back, and register them in this session.
 *
 * Returns them in CurrentMemoryContext, or NULL as dogpile_rowtype_read_desc().
 */
DogpileRowTypes *
dogpile_rowtype_read(const char *bytes, const char *end)
{
	DogpileRowTypes *types = palloc0(sizeof(DogpileRowTypes));
	uint32		count;

	if (end - bytes < (ptrdiff_t) sizeof(count))
		return NULL;
	memcpy(&count, bytes, sizeof(count));
	bytes += sizeof(count);
	if (count > (Size) (end - bytes) / sizeof(uint32))
		return NULL;

	types->descs = palloc_array(TupleDesc, count + 1);
	types->typmods = palloc_array(int32, count + 1);
	for (; types->count < (int) count; types->count++)
	{
		TupleDesc	desc = dogpile_rowtype_read_desc(&bytes, end);

		if (desc == NULL)
			return NULL;
		desc = BlessTupleDesc(desc);
		types->descs[types->count] = desc;
		types->typmods[types->count] = desc->tdtypmod;
	}
	return types;
}
