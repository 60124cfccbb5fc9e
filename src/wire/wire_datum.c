/*-------------------------------------------------------------------------
 *
 * wire_datum.c
 *	  Single values as bytes that other servers understand.
 *
 * A field is an int32 length, -1 for a null, and as many bytes:
 *
 *		SCALAR		the result of its send function, or a name; see wire_reg.c
 *		DOMAIN		as its base type
 *		ARRAY		uint8 dimensions, for each: int32 length, int32 lower bound;
 *					then a field for each element
 *		RANGE		uint8 flags, then a field for each bound that it has
 *		MULTIRANGE	int32 number of ranges, then a field for each
 *		COMPOSITE	a field for each column
 *		RECORD		its row type, see wire_types.c; a field for each column
 *
 * The send functions of types other than scalars are not used: they put OIDs into what
 * they send.
 *
 * The bytes that are read may be hostile even if their checksum is right.  No memory is
 * allocated for a count that is impossible, and the functions that make values of a type
 * check all that must hold for them.  No function is called that could run one that a
 * user has defined; see trust.c.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_datum.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"

#include "entry/trust.h"
#include "lib/compat.h"
#include "wire/wire_datum.h"
#include "wire/wire_reg.h"

/* Flags of a range. */
#define EMPTY			0x01
#define LOWER_INCLUSIVE 0x02
#define UPPER_INCLUSIVE 0x04
#define LOWER_INFINITE	0x08
#define UPPER_INFINITE	0x10
#define ALL_FLAGS		0x1F

#define NULL_LENGTH		((uint32) 0xFFFFFFFF)

static void write_field(DogpileWireWriter *writer, DogpileWireType *type,
						Datum datum, bool isnull);
static Datum read_field(DogpileWireReader *reader, DogpileWireType *type,
						int32 typmod, bool *isnull);

/* --------------------------------------------------------------------
 * Writing
 * --------------------------------------------------------------------
 */

/* The results of send functions are the same on all machines and in all versions. */
static void
write_scalar(DogpileWireWriter *writer, DogpileWireType *type, Datum datum)
{
	bytea	   *bytes;

	if (dogpile_wire_is_reg(type->typid))
	{
		dogpile_wire_write_reg(writer->out, type->typid, DatumGetObjectId(datum));
		return;
	}
	bytes = SendFunctionCall(&type->function, datum);
	appendBinaryStringInfo(writer->out, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	pfree(bytes);
}

/*
 * Write the dimensions, then the elements.  array_send() is not used because it writes
 * the OID of the element type, and the send functions of elements may do the same.
 */
static void
write_array(DogpileWireWriter *writer, DogpileWireType *type, Datum datum)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	DogpileWireType *element = type->inner;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	pq_sendint8(writer->out, ARR_NDIM(array));
	for (int i = 0; i < ARR_NDIM(array); i++)
	{
		pq_sendint32(writer->out, ARR_DIMS(array)[i]);
		pq_sendint32(writer->out, ARR_LBOUND(array)[i]);
	}
	deconstruct_array(array, element->typid, element->typlen, element->byval,
					  element->align, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
		write_field(writer, element, values[i], nulls[i]);
}

/* range_send() is not used for the same reason: the subtype may be of any kind. */
static void
write_range(DogpileWireWriter *writer, DogpileWireType *type, Datum datum)
{
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;

	range_deserialize(type->range, DatumGetRangeTypeP(datum), &lower, &upper, &empty);
	if (empty)
	{
		pq_sendint8(writer->out, EMPTY);
		return;
	}
	pq_sendint8(writer->out, (lower.inclusive ? LOWER_INCLUSIVE : 0) |
				(upper.inclusive ? UPPER_INCLUSIVE : 0) |
				(lower.infinite ? LOWER_INFINITE : 0) |
				(upper.infinite ? UPPER_INFINITE : 0));
	if (!lower.infinite)
		write_field(writer, type->inner, lower.val, false);
	if (!upper.infinite)
		write_field(writer, type->inner, upper.val, false);
}

/* Write a multirange as the ranges that it consists of. */
static void
write_multirange(DogpileWireWriter *writer, DogpileWireType *type, Datum datum)
{
	RangeType **ranges;
	int32		count;

	multirange_deserialize(type->inner->range, DatumGetMultirangeTypeP(datum),
						   &count, &ranges);
	pq_sendint32(writer->out, count);
	for (int i = 0; i < count; i++)
		write_field(writer, type->inner, RangeTypePGetDatum(ranges[i]), false);
}

/* Write the columns of a row, except dropped ones. */
static void
write_tuple(DogpileWireWriter *writer, DogpileWireType *type, HeapTupleHeader header)
{
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header),.t_data = header};
	Datum	   *values = palloc_array(Datum, type->desc->natts + 1);
	bool	   *nulls = palloc_array(bool, type->desc->natts + 1);

	heap_deform_tuple(&tuple, type->desc, values, nulls);
	dogpile_wire_write_columns(writer, type, values, nulls);
}

/* Write a record with its row type; even a record may be of a named type. */
static void
write_record(DogpileWireWriter *writer, Datum datum)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(datum);
	Oid			typid = HeapTupleHeaderGetTypeId(header);
	int32		typmod = typid == RECORDOID ? HeapTupleHeaderGetTypMod(header) : -1;
	DogpileWireType *type;

	if (typid == RECORDOID && typmod < 0)
		elog(ERROR, "record has no row type");
	type = dogpile_wire_write_type(writer, typid, typmod);
	write_tuple(writer, type, header);
}

/* Write a datum of any kind. */
static void
write_datum(DogpileWireWriter *writer, DogpileWireType *type, Datum datum)
{
	switch (type->kind)
	{
		case DOGPILE_WIRE_SCALAR:
			write_scalar(writer, type, datum);
			break;
		case DOGPILE_WIRE_DOMAIN:
			write_datum(writer, type->inner, datum);
			break;
		case DOGPILE_WIRE_ARRAY:
			write_array(writer, type, datum);
			break;
		case DOGPILE_WIRE_RANGE:
			write_range(writer, type, datum);
			break;
		case DOGPILE_WIRE_MULTIRANGE:
			write_multirange(writer, type, datum);
			break;
		case DOGPILE_WIRE_COMPOSITE:
			write_tuple(writer, type, DatumGetHeapTupleHeader(datum));
			break;
		case DOGPILE_WIRE_RECORD:
			write_record(writer, datum);
			break;
		case DOGPILE_WIRE_ROW:
			elog(ERROR, "row type without a record");
			break;
	}
}

/*
 * Write the length of the datum, which is filled in afterwards, and the datum; or a length
 * that stands for a null.  So a reader can skip a datum that it does not understand.
 */
static void
write_field(DogpileWireWriter *writer, DogpileWireType *type, Datum datum, bool isnull)
{
	StringInfo	out = writer->out;
	int			start = out->len;
	uint32		length = NULL_LENGTH;

	CHECK_FOR_INTERRUPTS();
	pq_sendint32(out, length);
	if (isnull)
		return;
	dogpile_wire_descend(&writer->depth);
	write_datum(writer, type, datum);
	writer->depth--;
	length = pg_hton32((uint32) (out->len - start - sizeof(length)));
	memcpy(out->data + start, &length, sizeof(length));
}

/* Write the columns of a row; type is of kind ROW or COMPOSITE. */
void
dogpile_wire_write_columns(DogpileWireWriter *writer, const DogpileWireType *type,
						   const Datum *values, const bool *nulls)
{
	for (int i = 0; i < type->desc->natts; i++)
		if (type->columns[i] != NULL)
			write_field(writer, type->columns[i], values[i], nulls[i]);
}

/* --------------------------------------------------------------------
 * Reading
 * --------------------------------------------------------------------
 */

/*
 * Types whose receive functions allocate memory by a number in the first bytes, before
 * they check that there are as many items.
 */
static const struct
{
	Oid			typid;
	int			offset;			/* of the number */
	int			bits;			/* minimum size of an item */
}			counting_types[] =

{
	{BITOID, 0, 1},
	{VARBITOID, 0, 1},
	{PATHOID, 1, 128},
	{POLYGONOID, 0, 128},
	{TSVECTOROID, 0, 24},
	{TSQUERYOID, 0, 16},
	{PG_SNAPSHOTOID, 0, 64},
	{TXID_SNAPSHOTOID, 0, 64},
	{INT2VECTOROID, 12, 32},
	{OIDVECTOROID, 12, 32}
};

/* The number at an offset, or 0 if the data end before it. */
static uint32
peek_uint32(const char *data, size_t len, size_t offset)
{
	uint32		number;

	if (len < offset + sizeof(number))
		return 0;
	memcpy(&number, data + offset, sizeof(number));
	return pg_ntoh32(number);
}

/* Can the data have as many items as they say? */
static bool
is_count_possible(Oid typid, const char *data, size_t len)
{
	/*
	 * A vector has one dimension at most; with more, their product would
	 * count.
	 */
	if ((typid == INT2VECTOROID || typid == OIDVECTOROID) && peek_uint32(data, len, 0) > 1)
		return false;
	for (size_t i = 0; i < lengthof(counting_types); i++)
		if (counting_types[i].typid == typid)
			return peek_uint32(data, len, counting_types[i].offset) <=
				(uint64) len * BITS_PER_BYTE / counting_types[i].bits;
	return true;
}

/* The number of characters in UTF-8, which is the number of first bytes. */
static int
count_characters(const char *utf8, int len)
{
	int			count = 0;

	for (int i = 0; i < len; i++)
		count += ((unsigned char) utf8[i] & 0xC0) != 0x80;
	return count;
}

/*
 * Would a receive function allocate much more memory than the data take?  Values of
 * char(n) are sent with their blanks, so none need to be added.
 */
static bool
would_grow(DogpileWireType *type, int32 typmod, const char *data, int len)
{
	if (type->typid == BPCHAROID && typmod > (int32) VARHDRSZ)
		return typmod - (int32) VARHDRSZ > len ||
			count_characters(data, len) < typmod - (int32) VARHDRSZ;
	return !type->in_place && !is_count_possible(type->typid, data, len);
}

/* Read a text in the database's encoding, which is the most frequent kind of value. */
static Datum
read_text(DogpileWireReader *reader, int len)
{
	const char *data = dogpile_wire_get(reader, len);

	(void) pg_verify_mbstr(PG_UTF8, data, len, false);
	return PointerGetDatum(cstring_to_text_with_len(data, len));
}

/*
 * Read a scalar.  Its receive function must consume all of the data.  Data that would make
 * a receive function allocate too much memory are not passed to it.
 */
static Datum
read_scalar(DogpileWireReader *reader, DogpileWireType *type, int32 typmod)
{
	int			len = reader->end - reader->p;
	StringInfoData buf = {.len = len,.maxlen = len + 1};
	const char *data;
	Datum		datum;

	if (dogpile_wire_is_reg(type->typid))
		return ObjectIdGetDatum(dogpile_wire_read_reg(type->typid,
													  dogpile_wire_get(reader, len), len));
	if (GetDatabaseEncoding() == PG_UTF8 &&
		(type->typid == TEXTOID || (type->typid == VARCHAROID && typmod < 0)))
		return read_text(reader, len);

	/*
	 * Some receive functions rely on a zero after the last byte, or write
	 * into the buffer that they read.
	 */
	data = dogpile_wire_get(reader, len);
	if (would_grow(type, typmod, data, len))
		dogpile_wire_raise_damaged(reader);
	buf.data = unconstify(char *, data);
	if (!type->in_place)
	{
		buf.data = palloc(len + 1);
		memcpy(buf.data, data, len);
		buf.data[len] = '\0';
	}
	if (!OidIsValid(type->function.fn_oid))
		dogpile_wire_find_receive(type, reader->types.context);
	datum = ReceiveFunctionCall(&type->function, &buf, type->ioparam, typmod);
	if (buf.cursor != len)
		dogpile_wire_raise_damaged(reader);
	if (buf.data != data)
		pfree(buf.data);
	return datum;
}

static Datum read_datum(DogpileWireReader *reader, DogpileWireType *type, int32 typmod);

/* Look up the constraints of a domain, once for all values of it that are read. */
static DogpileDomain *
find_domain(DogpileWireReader *reader, DogpileWireType *type)
{
	MemoryContext oldcontext;

	if (type->domain != NULL)
		return type->domain;
	oldcontext = MemoryContextSwitchTo(reader->types.context);
	type->domain = dogpile_trust_domain(type->typid);
	MemoryContextSwitchTo(oldcontext);
	if (!type->domain->is_trusted && !type->is_asked_for)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("constraints of domain %s call functions that are not built in",
						format_type_be(type->typid))));
	return type->domain;
}

/*
 * Read a value of a domain.  Nulls are never checked: a query can return one, as for the
 * missing side of an outer join, even if the domain does not allow it.
 */
static Datum
read_domain(DogpileWireReader *reader, DogpileWireType *type)
{
	DogpileDomain *domain = find_domain(reader, type);
	Datum		datum = read_datum(reader, type->inner, type->typmod);

	if (domain->is_trusted)
		dogpile_trust_check_domain(domain, datum);
	return datum;
}

/* Check a number of fields, each of which takes at least the bytes of its length. */
static int
check_count(DogpileWireReader *reader, uint32 count)
{
	if (count > (size_t) (reader->end - reader->p) / sizeof(uint32))
		dogpile_wire_raise_damaged(reader);
	return (int) count;
}

/*
 * Read an array.  ArrayGetNItems() checks the product of the dimensions for overflow, and
 * there must be that many fields.
 */
static Datum
read_array(DogpileWireReader *reader, DogpileWireType *type, int32 typmod)
{
	DogpileWireType *element = type->inner;
	int			ndim = dogpile_wire_get_uint8(reader);
	int			dims[MAXDIM];
	int			lbounds[MAXDIM];
	int			count;
	Datum	   *values;
	bool	   *nulls;

	if (ndim > MAXDIM)
		dogpile_wire_raise_damaged(reader);
	for (int i = 0; i < ndim; i++)
	{
		dims[i] = (int) dogpile_wire_get_uint32(reader);
		lbounds[i] = (int) dogpile_wire_get_uint32(reader);
	}
	count = check_count(reader, ArrayGetNItems(ndim, dims));
	ArrayCheckBounds(ndim, dims, lbounds);
	if (count == 0)
		return PointerGetDatum(construct_empty_array(element->typid));

	values = palloc_array(Datum, count);
	nulls = palloc_array(bool, count);
	for (int i = 0; i < count; i++)
		values[i] = read_field(reader, element, typmod, &nulls[i]);
	return PointerGetDatum(construct_md_array(values, nulls, ndim, dims, lbounds,
											  element->typid, element->typlen,
											  element->byval, element->align));
}

/* Read one bound of a range, if it has a value. */
static RangeBound
read_bound(DogpileWireReader *reader, DogpileWireType *type, bool lower, uint8 flags)
{
	RangeBound	bound = {
		.lower = lower,
		.infinite = (flags & (lower ? LOWER_INFINITE : UPPER_INFINITE)) != 0,
		.inclusive = (flags & (lower ? LOWER_INCLUSIVE : UPPER_INCLUSIVE)) != 0
	};
	bool		isnull;

	if (bound.infinite || (flags & EMPTY))
		return bound;
	bound.val = read_field(reader, type->inner, -1, &isnull);
	if (isnull)
		dogpile_wire_raise_damaged(reader);
	return bound;
}

/* Read a range.  Making it compares its bounds, and converts them to the canonical form. */
static Datum
read_range_value(DogpileWireReader *reader, DogpileWireType *type)
{
	uint8		flags = dogpile_wire_get_uint8(reader);
	RangeBound	lower;
	RangeBound	upper;

	if ((flags & ~ALL_FLAGS) != 0 || ((flags & EMPTY) && flags != EMPTY))
		dogpile_wire_raise_damaged(reader);
	if (!type->is_trusted && !(type->is_trusted = dogpile_trust_range(type->typid)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ranges of type %s are compared by functions that are not written in C",
						format_type_be(type->typid))));
	lower = read_bound(reader, type, true, flags);
	upper = read_bound(reader, type, false, flags);
	return RangeTypePGetDatum(dogpile_make_range_compat(type->range, &lower, &upper,
														(flags & EMPTY) != 0));
}

/*
 * Read a multirange.  make_multirange() sorts its ranges and merges those that overlap.
 */
static Datum
read_multirange(DogpileWireReader *reader, DogpileWireType *type)
{
	int			count = check_count(reader, dogpile_wire_get_uint32(reader));
	RangeType **ranges = palloc_array(RangeType *, count + 1);

	for (int i = 0; i < count; i++)
	{
		bool		isnull;
		Datum		datum = read_field(reader, type->inner, -1, &isnull);

		if (isnull)
			dogpile_wire_raise_damaged(reader);
		ranges[i] = DatumGetRangeTypeP(datum);
	}
	return MultirangeTypePGetDatum(make_multirange(type->typid, type->inner->range,
												   count, ranges));
}

/* Read a row of a known type. */
static Datum
read_tuple(DogpileWireReader *reader, DogpileWireType *type)
{
	Datum	   *values = palloc_array(Datum, type->desc->natts + 1);
	bool	   *nulls = palloc_array(bool, type->desc->natts + 1);

	dogpile_wire_read_columns(reader, type, values, nulls);
	return HeapTupleGetDatum(heap_form_tuple(type->desc, values, nulls));
}

/*
 * Read a record, which begins with its row type.  A scalar type must be refused, since
 * the value would be used as a pointer.
 */
static Datum
read_record(DogpileWireReader *reader)
{
	DogpileWireType *type = dogpile_wire_read_type(reader);

	if (type->kind != DOGPILE_WIRE_ROW && type->kind != DOGPILE_WIRE_COMPOSITE)
		dogpile_wire_raise_damaged(reader);
	return read_tuple(reader, type);
}

/* Read a datum that ends where the reader's part does. */
static Datum
read_datum(DogpileWireReader *reader, DogpileWireType *type, int32 typmod)
{
	switch (type->kind)
	{
		case DOGPILE_WIRE_SCALAR:
			return read_scalar(reader, type, typmod);
		case DOGPILE_WIRE_DOMAIN:
			return read_domain(reader, type);
		case DOGPILE_WIRE_ARRAY:
			return read_array(reader, type, typmod);
		case DOGPILE_WIRE_RANGE:
			return read_range_value(reader, type);
		case DOGPILE_WIRE_MULTIRANGE:
			return read_multirange(reader, type);
		case DOGPILE_WIRE_COMPOSITE:
			return read_tuple(reader, type);
		case DOGPILE_WIRE_RECORD:
			return read_record(reader);
		case DOGPILE_WIRE_ROW:
			break;
	}
	dogpile_wire_raise_damaged(reader);
}

/*
 * Read a field.  The reader's end is set to that of the field meanwhile, so nothing reads
 * beyond it.  All of the field must be consumed.
 */
static Datum
read_field(DogpileWireReader *reader, DogpileWireType *type, int32 typmod, bool *isnull)
{
	uint32		length = dogpile_wire_get_uint32(reader);
	const char *end = reader->end;
	Datum		datum;

	/* A row may have millions of elements. */
	CHECK_FOR_INTERRUPTS();
	*isnull = length == NULL_LENGTH;
	if (*isnull)
		return (Datum) 0;
	if (length > (size_t) (end - reader->p))
		dogpile_wire_raise_damaged(reader);
	dogpile_wire_descend(&reader->depth);
	reader->end = reader->p + length;
	datum = read_datum(reader, type, typmod);
	if (reader->p != reader->end)
		dogpile_wire_raise_damaged(reader);
	reader->end = end;
	reader->depth--;
	return datum;
}

/* Skip the columns of a row.  Errors: as of dogpile_wire_read_columns(). */
void
dogpile_wire_skip_columns(DogpileWireReader *reader, const DogpileWireType *type)
{
	for (int i = 0; i < type->desc->natts; i++)
	{
		uint32		length = dogpile_wire_get_uint32(reader);

		if (length != NULL_LENGTH)
			(void) dogpile_wire_get(reader, length);
	}
}

/*
 * Read the columns of a row.
 *
 * type: of kind ROW or COMPOSITE.
 * values, nulls: as many as there are columns, including dropped ones; values are
 * allocated in CurrentMemoryContext.
 *
 * Errors: damage, and whatever receive functions raise.
 */
void
dogpile_wire_read_columns(DogpileWireReader *reader, DogpileWireType *type,
						  Datum *values, bool *nulls)
{
	for (int i = 0; i < type->desc->natts; i++)
	{
		values[i] = (Datum) 0;
		nulls[i] = true;
		if (type->columns[i] != NULL)
			values[i] = read_field(reader, type->columns[i],
								   TupleDescAttr(type->desc, i)->atttypmod, &nulls[i]);
	}
}
