/*-------------------------------------------------------------------------
 *
 * wire_fuzz.c
 *	  Feed damaged entries to dogpile_wire_open(), outside of a server.
 *
 *		test/fuzz/run.sh [inputs [seed]]
 *
 * builds and runs this, with sanitizers, for what surrounds the rows of an entry:
 * head, tokens, tags and seal (wire.c).  What reads the rows needs catalogs, so
 * it is tried within a server, by test/modules/wire_fuzz.
 *
 *		wire_fuzz [inputs [seed]]
 *
 * makes some entries, damages them in any way, most of the time with a seal that
 * fits the damage, and reads all that is found in them.  Each input is in memory
 * of its own, of exactly its size.  The same seed gives the same inputs.
 *
 *		wire_fuzz corpus FOLDER
 *
 * writes the entries that it begins with into files.  With -DLIBFUZZER it has no
 * main(), but the entry point that libFuzzer and AFL++ call, which reads each
 * input as it is, and with a checksum and an HMAC that fit it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  test/fuzz/wire_fuzz.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <setjmp.h>

#include "common/hmac.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "port/pg_crc32c.h"

#include "wire/wire.h"
#include "wire/wire_try.h"
#include "wire/wire_rows.h"

#define INPUT_SIZE	4096
#define NAME		"dogpile:e:region:0123456789abcdef"
#define FLAGS_AT	5
#define SECRET		"a secret of the fuzzer's own"

/* --------------------------------------------------------------------
 * What a server has
 * --------------------------------------------------------------------
 */

void
ExceptionalCondition(DOGPILE_EXCEPTIONAL_CONDITION_ARGS_COMPAT)
{
	fprintf(stderr, "assertion failed: %s, %s:%d\n", condition, file, line);
	abort();
}

/* Only errors are looked at: one goes back to the guard. */
static jmp_buf guard;

bool
errstart(int elevel, const char *domain)
{
	return elevel >= ERROR;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return elevel >= ERROR;
}

void
errfinish(const char *file, int line, const char *function)
{
	longjmp(guard, 1);
}

int
errcode(int sqlerrcode)
{
	return 0;
}

int
errmsg(const char *format,...)
{
	return 0;
}

int
errmsg_internal(const char *format,...)
{
	return 0;
}

int
GetDatabaseEncoding(void)
{
	return PG_UTF8;
}

char *
pg_server_to_any(const char *text, int len, int encoding)
{
	return unconstify(char *, text);
}

/* What is converted is longer or shorter, and in memory of its own. */
char *
pg_any_to_server(const char *text, int len, int encoding)
{
	static char buffer[PG_UINT16_MAX + 1];

	if (len % 3 == 0)
		return unconstify(char *, text);
	memset(buffer, 'x', len);
	buffer[len % 3 == 1 ? len / 2 : len] = '\0';
	return buffer;
}

bool
dogpile_wire_try(void (*work) (void *arg), void *arg, DogpileWireFailure *failure)
{
	failure->message = "an error";
	if (setjmp(guard) != 0)
		return false;
	work(arg);
	return true;
}

void
dogpile_wire_write_rows(const DogpileValue *value, StringInfo out)
{
	appendBinaryStringInfo(out, value->data, value->size);
}

const char *
dogpile_tag_next(const DogpileTags *tags, const char *p, const char **text, size_t *len)
{
	uint16		len16;

	if (p == NULL)
		p = (const char *) &tags->slots[tags->count];
	memcpy(&len16, p, sizeof(len16));
	*text = p + sizeof(len16);
	*len = len16;
	return *text + len16;
}

/* --------------------------------------------------------------------
 * One input
 * --------------------------------------------------------------------
 */

static const DogpileBytes entry_name = {NAME, sizeof(NAME) - 1};
static volatile unsigned sink;
static uint64 outcomes[DOGPILE_WIRE_UNAUTHENTIC + 1];

/* Touch every byte, for the sanitizer to see. */
static void
use(DogpileBytes bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		sink += (unsigned char) bytes.data[i];
}

static void
read_entry(const uint8 *data, size_t size, const char *secret)
{
	char	   *copy = malloc(size);
	DogpileBytes bytes = {copy, size};
	DogpileWireHead head;
	DogpileWireStatus status;
	const char *reason = NULL;

	if (size > 0)
		memcpy(copy, data, size);
	status = dogpile_wire_open(bytes, entry_name, secret, &head, &reason);
	outcomes[status]++;
	if ((status == DOGPILE_WIRE_OK) != (reason == NULL))
		abort();
	if (status == DOGPILE_WIRE_OK)
	{
		for (int i = 0; i < head.ntokens; i++)
			use(head.tokens[i]);
		for (int i = 0; i < head.ntags; i++)
			use(head.tags[i]);
		if (dogpile_wire_convert_tags(&head, &reason))
			for (int i = 0; i < head.ntags; i++)
				use(head.tags[i]);
		use(head.rows);
		if (!(head.lifetime_s >= DOGPILE_LIFETIME_REGION))
			abort();
	}
	free(copy);
}

static void
check(bool ok)
{
	if (!ok)
		abort();
}

/* Put the seal on the end of bytes that have one; returns their length. */
static size_t
seal_bytes(uint8 *data, size_t len, bool authentic)
{
	size_t		seal_len = authentic ? PG_SHA256_DIGEST_LENGTH : sizeof(pg_crc32c);
	uint32		name_len = pg_hton32((uint32) entry_name.len);
	pg_crc32c	crc;

	if (len < seal_len)
		return len;
	len -= seal_len;
	if (authentic)
	{
		pg_hmac_ctx *context = pg_hmac_create(PG_SHA256);

		check(pg_hmac_init(context, (const uint8 *) SECRET, strlen(SECRET)) >= 0);
		check(pg_hmac_update(context, (const uint8 *) &name_len, sizeof(name_len)) >= 0);
		check(pg_hmac_update(context, (const uint8 *) NAME, entry_name.len) >= 0);
		check(pg_hmac_update(context, data, len) >= 0);
		check(pg_hmac_final(context, data + len, seal_len) >= 0);
		pg_hmac_free(context);
		return len + seal_len;
	}
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &name_len, sizeof(name_len));
	COMP_CRC32C(crc, entry_name.data, entry_name.len);
	COMP_CRC32C(crc, data, len);
	FIN_CRC32C(crc);
	crc = pg_hton32(crc);
	memcpy(data + len, &crc, sizeof(crc));
	return len + seal_len;
}

int			LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	uint8	   *copy;

	read_entry(data, size, "");
	read_entry(data, size, SECRET);
	if (size <= FLAGS_AT)
		return 0;
	copy = malloc(size);
	memcpy(copy, data, size);
	copy[FLAGS_AT] = 0;
	seal_bytes(copy, size, false);
	read_entry(copy, size, "");
	copy[FLAGS_AT] = 1;
	seal_bytes(copy, size, true);
	read_entry(copy, size, SECRET);
	free(copy);
	return 0;
}

#ifndef LIBFUZZER

/* --------------------------------------------------------------------
 * Making inputs
 * --------------------------------------------------------------------
 */

typedef struct Input
{
	uint8		data[INPUT_SIZE];
	size_t		len;
	bool		authentic;
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

static DogpileTags *
make_tags(int count)
{
	Size		size = offsetof(DogpileTags, slots) + count * (sizeof(DogpileSlot) + 2 + 8);
	DogpileTags *tags = calloc(1, size);
	char	   *p = (char *) &tags->slots[count];

	tags->count = count;
	for (int i = 0; i < count; i++)
	{
		uint16		len = snprintf(p + 2, 8, "tag%d", i);

		memcpy(p, &len, sizeof(len));
		p += sizeof(len) + len;
	}
	return tags;
}

/* A good entry. */
static void
make_seed(Input *input, int ntokens, int ntags, size_t rows_len, bool authentic)
{
	DogpileBytes tokens[DOGPILE_WIRE_MAX_TOKENS];
	char		rows[1024];
	DogpileEntry entry = {
		.created_at = INT64CONST(800000000000000),
		.lifetime_s = ntags ? 60.5 : DOGPILE_LIFETIME_NEVER,
		.creation_us = 12345,
		.tags = make_tags(ntags),
		.value = {rows, rows_len}
	};
	const char *reason;
	StringInfoData out;

	for (int i = 0; i < ntokens; i++)
		tokens[i] = (DogpileBytes) {"0123456789abcdef01234567", 24};
	for (size_t i = 0; i < rows_len; i++)
		rows[i] = (char) next_random();
	initStringInfo(&out);
	if (!dogpile_wire_encode(&entry, tokens, ntokens, entry_name,
							 authentic ? SECRET : "", &out, &reason) || out.len > INPUT_SIZE)
		abort();
	memcpy(input->data, out.data, out.len);
	input->len = out.len;
	input->authentic = authentic;
	pfree(out.data);
	free(unconstify(DogpileTags *, entry.tags));
}

/* Change it in one way of several. */
static void
mutate(Input *input, const Input *other)
{
	static const uint8 interesting[] = {0, 1, 0x7F, 0x80, 0xFF, 64, 65, 66, 67};
	size_t		at = below(input->len);
	size_t		count = below(Min(input->len - at, 64) + 1);

	switch (below(7))
	{
		case 0:
			if (input->len > 0)
				input->data[at] ^= 1 << below(8);
			break;
		case 1:
			if (input->len > 0)
				input->data[at] = interesting[below(lengthof(interesting))];
			break;
		case 2:
			for (size_t i = 0; i < count; i++)
				input->data[at + i] = (uint8) next_random();
			break;
		case 3:
			input->len = at;
			break;
		case 4:
			memmove(input->data + at, input->data + at + count, input->len - at - count);
			input->len -= count;
			break;
		case 5:
			if (input->len + count > INPUT_SIZE)
				break;
			memmove(input->data + at + count, input->data + at, input->len - at);
			input->len += count;
			break;
		case 6:
			if (at < other->len)
			{
				memcpy(input->data + at, other->data + at, other->len - at);
				input->len = other->len;
			}
			break;
	}
}

/* Seal the damage, so that what is behind the seal is reached. */
static void
seal(Input *input)
{
	input->len = seal_bytes(input->data, input->len, input->authentic);
}

/* The same, with the flag that fits. */
static void
set_authentic(Input *input)
{
	input->authentic = !input->authentic;
	if (input->len > FLAGS_AT)
		input->data[FLAGS_AT] = input->authentic;
}

static void
write_corpus(const char *folder, const Input *input, size_t number)
{
	char		path[MAXPGPATH];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/entry%zu", folder, number);
	file = fopen(path, "wb");
	if (file == NULL || fwrite(input->data, input->len, 1, file) != 1 || fclose(file) != 0)
	{
		perror(path);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	static Input seeds[12];
	static Input input;
	const char *corpus = argc > 2 && strcmp(argv[1], "corpus") == 0 ? argv[2] : NULL;
	long		ninputs = argc > 1 ? atol(argv[1]) : 50000;

	state = corpus == NULL && argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	for (size_t i = 0; i < lengthof(seeds); i++)
	{
		make_seed(&seeds[i], i % 4 == 3 ? DOGPILE_WIRE_MAX_TOKENS : i % 4,
				  i % 3 == 2 ? DOGPILE_MAX_TAGS : i % 3, i * 31, i % 6 == 5);
		read_entry(seeds[i].data, seeds[i].len, seeds[i].authentic ? SECRET : "");
	}
	if (outcomes[DOGPILE_WIRE_OK] != lengthof(seeds))
		abort();
	if (corpus != NULL)
	{
		for (size_t i = 0; i < lengthof(seeds); i++)
			write_corpus(corpus, &seeds[i], i);
		return 0;
	}
	for (long n = 0; n < ninputs; n++)
	{
		input = seeds[below(lengthof(seeds))];
		for (size_t i = below(4) + 1; i > 0; i--)
			mutate(&input, &seeds[below(lengthof(seeds))]);
		if (below(8) == 0)
			set_authentic(&input);
		if (below(4) != 0)
			seal(&input);
		read_entry(input.data, input.len, input.authentic ? SECRET : "");
		if (below(16) == 0)
			read_entry(input.data, input.len, input.authentic ? "" : SECRET);
	}
	printf("%ld inputs: %llu read, %llu damaged, %llu unknown, %llu unauthentic\n", ninputs,
		   (unsigned long long) outcomes[DOGPILE_WIRE_OK] - lengthof(seeds),
		   (unsigned long long) outcomes[DOGPILE_WIRE_DAMAGED],
		   (unsigned long long) outcomes[DOGPILE_WIRE_UNKNOWN],
		   (unsigned long long) outcomes[DOGPILE_WIRE_UNAUTHENTIC]);
	return 0;
}

#endif							/* LIBFUZZER */
