/*-------------------------------------------------------------------------
 *
 * wire_types.h
 *	  Types as bytes that other servers understand.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire_types.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_WIRE_TYPES_H
#define DOGPILE_WIRE_TYPES_H

#include "backend/backend.h"
#include "lib/compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/typcache.h"

/* Result of reading; all but OK are misses. */
typedef enum DogpileWireStatus
{
	DOGPILE_WIRE_OK,
	DOGPILE_WIRE_DAMAGED,		/* truncated, altered, or not an entry */
	DOGPILE_WIRE_UNKNOWN,		/* has another version of the format, or a
								 * type that does not exist here */
	DOGPILE_WIRE_UNAUTHENTIC	/* made without the secret */
} DogpileWireStatus;

/* How values of a type are written.  The numbers are part of the format. */
typedef enum DogpileWireKind
{
	DOGPILE_WIRE_SCALAR = 1,	/* by its send and receive functions */
	DOGPILE_WIRE_DOMAIN = 2,
	DOGPILE_WIRE_ARRAY = 3,
	DOGPILE_WIRE_RANGE = 4,
	DOGPILE_WIRE_MULTIRANGE = 5,
	DOGPILE_WIRE_COMPOSITE = 6, /* a named row type */
	DOGPILE_WIRE_RECORD = 7,	/* each value includes its row type */
	DOGPILE_WIRE_ROW = 8		/* row type of records, or of a result set */
} DogpileWireKind;

typedef struct DogpileWireType
{
	DogpileWireKind kind;
	Oid			typid;
	int32		typmod;			/* ROW: this session's; DOMAIN: its base
								 * type's */
	int16		typlen;
	bool		byval;
	char		align;
	struct DogpileWireType *inner;	/* of DOMAIN, ARRAY, RANGE; the range type
									 * of MULTIRANGE */
	TupleDesc	desc;			/* COMPOSITE, ROW */
	struct DogpileWireType **columns;	/* of desc; NULL for dropped ones */
	TypeCacheEntry *range;		/* RANGE */
	bool		is_trusted;		/* RANGE: only C functions compare its bounds */
	FmgrInfo	function;		/* SCALAR: its send function, or its receive
								 * function, which is looked up when needed */
	Oid			ioparam;
	bool		in_place;		/* the receive function does not write to its
								 * input */
	struct DogpileDomain *domain;	/* DOMAIN: its constraints; NULL until
									 * needed */
	bool		is_asked_for;	/* DOMAIN: the caller checks its constraints */
} DogpileWireType;

/* The types of a value; one refers to another by its number. */
typedef struct DogpileWireTypes
{
	MemoryContext context;
	int			count;
	int			allocated;
	DogpileWireType **types;
} DogpileWireTypes;

typedef struct DogpileWireWriter
{
	StringInfo	out;
	DogpileWireTypes types;
	int			depth;
	bool		is_single;		/* the value is one column of one row */
} DogpileWireWriter;

typedef struct DogpileWireReader
{
	const char *p;
	const char *end;			/* of the part that is being read */
	DogpileWireTypes types;
	int			depth;
	DogpileWireStatus status;	/* the result if an error is raised */
} DogpileWireReader;

/* The number of a type that was not described before. */
#define DOGPILE_WIRE_NEW_TYPE	0xFFFF

/* Maximum number of types in one value. */
#define DOGPILE_WIRE_MAX_TYPES	4096

/* Forms of a name. */
#define DOGPILE_WIRE_BUILTIN	0
#define DOGPILE_WIRE_QUALIFIED	1

/* Forms of a collation. */
#define DOGPILE_WIRE_COLLATION_NONE		0
#define DOGPILE_WIRE_COLLATION_TYPES	1
#define DOGPILE_WIRE_COLLATION_NAMED	2

/* Types and values that are nested deeper are neither written nor read. */
#define DOGPILE_WIRE_MAX_DEPTH	64

extern DogpileWireType *dogpile_wire_make_type(DogpileWireTypes *types,
											   DogpileWireKind kind);
extern void dogpile_wire_add_type(DogpileWireTypes *types, DogpileWireType *type);
extern FormData_pg_type dogpile_wire_fetch_form(Oid typid);
extern DogpileWireKind dogpile_wire_classify(const FormData_pg_type *form);
extern void dogpile_wire_set_layout(DogpileWireType *type,
									const FormData_pg_type *form);
extern void dogpile_wire_set_desc(DogpileWireTypes *types, DogpileWireType *type,
								  TupleDesc desc);
extern void dogpile_wire_descend(int *depth);

extern DogpileWireType *dogpile_wire_write_type(DogpileWireWriter *writer,
												Oid typid, int32 typmod);
extern DogpileWireType *dogpile_wire_write_row_type(DogpileWireWriter *writer,
													TupleDesc desc);
extern DogpileWireType *dogpile_wire_read_type(DogpileWireReader *reader);
extern void dogpile_wire_find_receive(DogpileWireType *type, MemoryContext context);
extern DogpileWireType *dogpile_wire_read_row_type(DogpileWireReader *reader);

pg_noreturn extern void dogpile_wire_raise_damaged(DogpileWireReader *reader);
extern const char *dogpile_wire_get(DogpileWireReader *reader, size_t len);
extern uint8 dogpile_wire_get_uint8(DogpileWireReader *reader);
extern uint32 dogpile_wire_get_uint32(DogpileWireReader *reader);

#endif							/* DOGPILE_WIRE_TYPES_H */
