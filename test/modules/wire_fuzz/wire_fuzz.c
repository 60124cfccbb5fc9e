/*-------------------------------------------------------------------------
 *
 * wire_fuzz.c
 *	  Send values over the wire, whole and damaged.
 *
 * wire_fuzz_check(query, secret) encodes the result of the query, decodes it, and returns
 * how that ended; "ok" if every row and the row type came back unchanged.
 *
 * wire_fuzz_decode(queries, n, seed, megabytes) damages such values in n ways, each with a
 * checksum that fits, and decodes them.  What can still be decoded must be a value of the
 * types that it describes: all of it is printed, and must be the same after encoding and
 * decoding it again.  It returns how many were still good, damaged, unknown.  The same
 * seed damages in the same ways.
 *
 * megabytes: the memory that the session may get from the system, so that a small value
 * that makes it allocate a lot is detected; 0: any.
 *
 * wire_fuzz_forge(query, at, bytes, tail, fix) puts bytes into the entry at that position
 * and others after its rows, corrects the rows' length if "fix" is set, seals the entry,
 * and returns how reading it ends.
 *
 * wire_fuzz_damage(query, width, was, becomes, shift, cut) does the same to a value as it is
 * in shared memory: it replaces a number that is "shift" bytes after the last occurrence of
 * another number, and cuts bytes off.
 *
 * The bytes are in memory that cannot be written to, and that ends where they do: reading
 * beyond the end kills the process.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  test/modules/wire_fuzz/wire_fuzz.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "port/pg_crc32c.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "wire/wire.h"
#include "wire/wire_rows.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(wire_fuzz_check);
PG_FUNCTION_INFO_V1(wire_fuzz_decode);
PG_FUNCTION_INFO_V1(wire_fuzz_forge);
PG_FUNCTION_INFO_V1(wire_fuzz_damage);

#define NAME		"dogpile:e:fuzz:0123456789abcdef"
#define MAX_SEEDS	128
#define MAX_GROWTH	256

static const DogpileBytes entry_name = {NAME, sizeof(NAME) - 1};

/* --------------------------------------------------------------------
 * Values
 * --------------------------------------------------------------------
 */

/* What a query gives. */
static void
run_query(const char *query, DogpileValue *value)
{
	MemoryContext context = CurrentMemoryContext;
	Tuplestorestate *rows;
	TupleTableSlot *slot;
	bool		ok;

	SPI_connect();
	if (SPI_execute(query, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "not a query: %s", query);
	rows = tuplestore_begin_heap(true, false, work_mem);
	slot = MakeSingleTupleTableSlot(SPI_tuptable->tupdesc, &TTSOpsHeapTuple);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		ExecStoreHeapTuple(SPI_tuptable->vals[i], slot, false);
		tuplestore_puttupleslot(rows, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextSwitchTo(context);
	ok = dogpile_value_encode_rows(rows, SPI_tuptable->tupdesc, MaxAllocHugeSize, value);
	SPI_finish();
	if (!ok)
		elog(ERROR, "value is too large");
}

/* All of a value as text: row type and rows. */
static char *
print_value(const DogpileValue *value)
{
	StringInfoData out;
	DogpileValueReader reader;
	DogpileValueScan scan;
	TupleTableSlot *slot;

	initStringInfo(&out);
	if (dogpile_value_open(value, &reader) != DOGPILE_VALUE_OK)
		elog(ERROR, "value cannot be opened");
	dogpile_value_begin_rows(&scan, &reader);
	for (int i = 0; i < scan.desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(scan.desc, i);

		appendStringInfo(&out, "%s %u %d %u, ", NameStr(att->attname), att->atttypid,
						 att->atttypmod, att->attcollation);
	}
	slot = MakeSingleTupleTableSlot(scan.desc, &TTSOpsMinimalTuple);
	while (dogpile_value_next_row(&scan, slot))
	{
		appendStringInfoString(&out, "\n");
		slot_getallattrs(slot);
		for (int i = 0; i < scan.desc->natts; i++)
		{
			Oid			function;
			bool		is_varlena;

			getTypeOutputInfo(TupleDescAttr(scan.desc, i)->atttypid, &function, &is_varlena);
			appendStringInfo(&out, "[%s]", slot->tts_isnull[i] ? "null" :
							 OidOutputFunctionCall(function, slot->tts_values[i]));
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	return out.data;
}

static bool
encode_value(const DogpileValue *value, const char *secret, StringInfo out)
{
	DogpileBytes tokens[] = {{"token of a region", 17}, {"token of a key", 14}};
	DogpileEntry entry = {
		.created_at = INT64CONST(800000000000000),
		.lifetime_s = 60,
		.creation_us = 12345,
		.value = *value
	};
	const char *reason;

	initStringInfo(out);
	return dogpile_wire_encode(&entry, tokens, 2, entry_name, secret, out, &reason);
}

static DogpileWireStatus
decode_bytes(const char *data, size_t len, const char *secret, DogpileValue *value,
			 const char **reason)
{
	DogpileBytes bytes = {data, len};
	DogpileWireHead head;
	bool		is_unchecked;
	DogpileWireStatus status = dogpile_wire_open(bytes, entry_name, secret, &head, reason);

	return status != DOGPILE_WIRE_OK ? status : dogpile_wire_read_rows(head.rows, NULL, value, &is_unchecked, reason);
}

static const char *
check_value(const DogpileValue *value, const char *secret)
{
	StringInfoData bytes;
	DogpileValue decoded;
	const char *reason;
	const char *before = print_value(value);
	const char *after;

	if (!encode_value(value, secret, &bytes))
		return "not encoded";
	switch (decode_bytes(bytes.data, bytes.len, secret, &decoded, &reason))
	{
		case DOGPILE_WIRE_OK:
			break;
		case DOGPILE_WIRE_DAMAGED:
			return psprintf("damaged: %s", reason);
		case DOGPILE_WIRE_UNKNOWN:
			return psprintf("unknown: %s", reason);
		case DOGPILE_WIRE_UNAUTHENTIC:
			return psprintf("unauthentic: %s", reason);
	}
	after = print_value(&decoded);
	if (strcmp(before, after) != 0)
		return psprintf("different: %s -> %s", before, after);
	return "ok";
}

Datum
wire_fuzz_check(PG_FUNCTION_ARGS)
{
	char	   *query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *secret = text_to_cstring(PG_GETARG_TEXT_PP(1));
	DogpileValue value;

	run_query(query, &value);
	PG_RETURN_TEXT_P(cstring_to_text(check_value(&value, secret)));
}

/* --------------------------------------------------------------------
 * Damage
 * --------------------------------------------------------------------
 */

typedef struct Input
{
	char	   *data;			/* room for MAX_GROWTH bytes more */
	size_t		len;
	size_t		rows;			/* where they begin */
} Input;

static uint64 state;

/* splitmix64 */
static uint64
next_random(void)
{
	uint64		z = (state += UINT64CONST(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64CONST(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64CONST(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static size_t
below(size_t n)
{
	return n == 0 ? 0 : next_random() % n;
}

/* A seed without its seal. */
static Input
make_seed(const char *query)
{
	DogpileValue value;
	StringInfoData bytes;
	DogpileWireHead head;
	const char *reason;
	Input		seed;

	run_query(query, &value);
	if (!encode_value(&value, "", &bytes))
		elog(ERROR, "not encoded: %s", query);
	if (dogpile_wire_open((DogpileBytes) {bytes.data, bytes.len}, entry_name, "", &head,
						  &reason) != DOGPILE_WIRE_OK)
		elog(ERROR, "not opened: %s", query);
	seed.data = bytes.data;
	seed.len = bytes.len - sizeof(pg_crc32c);
	seed.rows = head.rows.data - bytes.data;
	return seed;
}

/* Change the rows in one of several ways. */
static void
mutate(Input *input, const Input *other)
{
	static const uint8 interesting[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x7F, 0x80, 0xFF, 'R', 'E'};
	static const uint32 numbers[] = {0, 1, 2, 0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, 0x80000000, 65536};
	size_t		at = input->rows + below(input->len - input->rows);
	size_t		left = input->len - at;
	size_t		count = below(Min(left, 32) + 1);
	size_t		from = other->rows + below(other->len - other->rows);
	uint32		number = pg_hton32(numbers[below(lengthof(numbers))]);

	switch (below(9))
	{
		case 0:
		case 1:
			input->data[at] ^= 1 << below(8);
			break;
		case 2:
			input->data[at] = interesting[below(lengthof(interesting))];
			break;
		case 3:
			input->data[at] = (char) next_random();
			break;
		case 4:
			memcpy(input->data + at, &number, Min(sizeof(number), left));
			break;
		case 5:
			memmove(input->data + at, input->data + at + count, left - count);
			input->len -= count;
			break;
		case 6:
			memmove(input->data + at + count, input->data + at, left);
			input->len += count;
			break;
		case 7:
			memcpy(input->data + at, other->data + from, Min(other->len - from, count));
			break;
		case 8:
			input->len = at + 1;
			break;
	}
}

/* Put the right checksum to it. */
static void
seal_bytes(Input *input)
{
	uint32		name_len = pg_hton32((uint32) entry_name.len);
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &name_len, sizeof(name_len));
	COMP_CRC32C(crc, entry_name.data, entry_name.len);
	COMP_CRC32C(crc, input->data, input->len);
	FIN_CRC32C(crc);
	crc = pg_hton32(crc);
	memcpy(input->data + input->len, &crc, sizeof(crc));
	input->len += sizeof(crc);
}

/* Put the right length and checksum to it. */
static void
seal(Input *input)
{
	uint32		length = pg_hton32((uint32) (input->len - input->rows));

	memcpy(input->data + input->rows - sizeof(length), &length, sizeof(length));
	seal_bytes(input);
}

/* Decode from memory that ends behind the last byte. */
static DogpileWireStatus
decode_guarded(const Input *input, DogpileValue *value, const char **reason)
{
	static char *map = NULL;
	static size_t map_size = 0;
	size_t		page = sysconf(_SC_PAGESIZE);
	size_t		size = (input->len + page - 1) / page * page;
	DogpileWireStatus status;
	char	   *data;

	if (map_size < size)
	{
		if (map != NULL)
			munmap(map, map_size + page);
		map = mmap(NULL, size + page, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (map == MAP_FAILED || mprotect(map + size, page, PROT_NONE) != 0)
			elog(FATAL, "could not map memory");
		map_size = size;
	}
	mprotect(map, map_size, PROT_READ | PROT_WRITE);
	data = memcpy(map + map_size - input->len, input->data, input->len);
	mprotect(map, map_size, PROT_READ);
	status = decode_bytes(data, input->len, "", value, reason);
	mprotect(map, map_size, PROT_READ | PROT_WRITE);
	return status;
}

/* One damaged value. */
static DogpileWireStatus
decode_damaged(const Input *seeds, int nseeds)
{
	const Input *seed = &seeds[below(nseeds)];
	Input		input = *seed;
	DogpileValue value;
	DogpileWireStatus status;
	const char *reason = NULL;

	input.data = palloc(seed->len + MAX_GROWTH);
	memcpy(input.data, seed->data, seed->len);
	for (size_t i = below(below(4) + 1) + 1; i > 0; i--)
		mutate(&input, &seeds[below(nseeds)]);
	seal(&input);
	status = decode_guarded(&input, &value, &reason);
	if (status == DOGPILE_WIRE_OK)
	{
		const char *again = check_value(&value, "");

		if (strcmp(again, "ok") != 0)
			elog(ERROR, "a good value is not good when it is read again: %s", again);
	}
	else if (reason == NULL)
		elog(ERROR, "no reason is given");
	return status;
}

/* Let this session get so much memory more than it has. */
static void
limit_memory(int megabytes)
{
	FILE	   *file = fopen("/proc/self/statm", "r");
	struct rlimit limit;
	long		pages;

	if (megabytes == 0)
		return;
	if (file == NULL || fscanf(file, "%ld", &pages) != 1 || getrlimit(RLIMIT_AS, &limit) != 0)
		elog(ERROR, "could not find out how much memory is in use");
	fclose(file);
	limit.rlim_cur = (rlim_t) pages * sysconf(_SC_PAGESIZE) + (rlim_t) megabytes * 1024 * 1024;
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		elog(ERROR, "could not limit memory");
}

Datum
wire_fuzz_decode(PG_FUNCTION_ARGS)
{
	ArrayType  *queries = PG_GETARG_ARRAYTYPE_P(0);
	int			n = PG_GETARG_INT32(1);
	Input		seeds[MAX_SEEDS];
	Datum	   *elements;
	int			nseeds;
	int64		outcomes[DOGPILE_WIRE_UNAUTHENTIC + 1] = {0};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wire_fuzz",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext oldcontext;

	state = PG_GETARG_INT32(2);
	deconstruct_array(queries, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &nseeds);
	if (nseeds == 0 || nseeds > MAX_SEEDS)
		elog(ERROR, "no queries, or too many");
	for (int i = 0; i < nseeds; i++)
		seeds[i] = make_seed(TextDatumGetCString(elements[i]));
	limit_memory(PG_GETARG_INT32(3));
	oldcontext = MemoryContextSwitchTo(context);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		outcomes[decode_damaged(seeds, nseeds)]++;
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(oldcontext);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%lld good, %lld damaged, %lld unknown",
											  (long long) outcomes[DOGPILE_WIRE_OK],
											  (long long) outcomes[DOGPILE_WIRE_DAMAGED],
											  (long long) outcomes[DOGPILE_WIRE_UNKNOWN])));
}

/* --------------------------------------------------------------------
 * Damage in chosen places
 * --------------------------------------------------------------------
 */

/* Put the right checksum to an entry, and the length of its rows if that is wanted. */
static void
seal_again(Input *input, bool fix)
{
	uint32		length;

	memcpy(&length, input->data + input->rows - sizeof(length), sizeof(length));
	seal(input);
	if (fix)
		return;
	input->len -= sizeof(pg_crc32c);
	memcpy(input->data + input->rows - sizeof(length), &length, sizeof(length));
	seal_bytes(input);
}

Datum
wire_fuzz_forge(PG_FUNCTION_ARGS)
{
	Input		seed = make_seed(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	int			at = PG_GETARG_INT32(1);
	bytea	   *bytes = PG_GETARG_BYTEA_PP(2);
	bytea	   *tail = PG_GETARG_BYTEA_PP(3);
	Input		input = seed;
	DogpileValue value;
	const char *reason = NULL;
	DogpileWireStatus status;

	input.data = palloc(seed.len + MAX_GROWTH + VARSIZE_ANY_EXHDR(tail));
	memcpy(input.data, seed.data, seed.len);
	memcpy(input.data + at, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	memcpy(input.data + input.len, VARDATA_ANY(tail), VARSIZE_ANY_EXHDR(tail));
	input.len += VARSIZE_ANY_EXHDR(tail);
	seal_again(&input, PG_GETARG_BOOL(4));
	status = decode_guarded(&input, &value, &reason);
	PG_RETURN_TEXT_P(cstring_to_text(status == DOGPILE_WIRE_OK ? "ok" : reason));
}

/* Find a number, from the end. */
static char *
find_number(char *data, Size size, int width, int64 number)
{
	int32		narrow = (int32) number;
	const void *bytes = width == sizeof(narrow) ? (void *) &narrow : (void *) &number;

	for (char *p = data + size - width; p >= data; p--)
		if (memcmp(p, bytes, width) == 0)
			return p;
	elog(ERROR, "there is no such number");
}

/* Read all of a value, as far as it can be read. */
static const char *
read_value(const DogpileValue *value)
{
	DogpileValueReader reader;
	DogpileValueScan scan;
	TupleTableSlot *slot;

	switch (dogpile_value_open(value, &reader))
	{
		case DOGPILE_VALUE_CORRUPT:
			return "corrupt";
		case DOGPILE_VALUE_OUTDATED:
			return "outdated";
		case DOGPILE_VALUE_OK:
			break;
	}
	dogpile_value_begin_rows(&scan, &reader);
	slot = MakeSingleTupleTableSlot(scan.desc, &TTSOpsMinimalTuple);
	while (dogpile_value_next_row(&scan, slot))
		slot_getallattrs(slot);
	ExecDropSingleTupleTableSlot(slot);
	return "ok";
}

Datum
wire_fuzz_damage(PG_FUNCTION_ARGS)
{
	int			width = PG_GETARG_INT32(1);
	int64		becomes = PG_GETARG_INT64(3);
	int32		narrow = (int32) becomes;
	DogpileValue value;
	char	   *data;

	run_query(text_to_cstring(PG_GETARG_TEXT_PP(0)), &value);
	data = memcpy(palloc(value.size), value.data, value.size);
	if (width > 0)
		memcpy(find_number(data, value.size, width, PG_GETARG_INT64(2)) + PG_GETARG_INT32(4),
			   width == sizeof(narrow) ? (void *) &narrow : (void *) &becomes, width);
	value.data = data;
	value.size -= PG_GETARG_INT32(5);
	PG_RETURN_TEXT_P(cstring_to_text(read_value(&value)));
}
