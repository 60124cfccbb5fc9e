/*-------------------------------------------------------------------------
 *
 * wire.c
 *	  An entry as bytes that other servers understand: all but its rows.
 *
 * Numbers are in network byte order, strings are in UTF-8.
 *
 *		4 bytes		magic
 *		uint8		version of the format
 *		uint8		flags
 *		int64		created_at, microseconds since 2000-01-01 UTC
 *		float8		lifetime, seconds or as in store.h
 *		uint64		time that the creation took, microseconds
 *		uint8		number of tokens, then for each: uint8 length, bytes
 *		uint8		number of tags, then for each: uint16 length, bytes
 *		uint32		length of the rows, then the rows; see wire_rows.c
 *		seal		CRC-32C (4 bytes), or HMAC-SHA256 (32 bytes)
 *
 * The seal covers everything before it, and the name under which the entry is stored,
 * so bytes that were stored under another name are refused.  The checksum detects
 * accidental damage.  Only the HMAC, which depends on a secret, detects forged entries.
 *
 * Nothing here reads a catalog, and reading without a secret allocates no memory,
 * since it also happens during COMMIT.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/wire/wire.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hmac.h"
#include "common/sha2.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "port/pg_crc32c.h"
#include "utils/memutils.h"

#include "wire/wire.h"
#include "wire/wire_encoding.h"
#include "wire/wire_try.h"
#include "wire/wire_rows.h"

#define MAGIC				"dgpl"
#define MAGIC_LEN			4
#define VERSION				2

/* Flags.  An entry with any other flag is of an unknown version. */
#define FLAG_AUTHENTIC		0x01	/* the seal is an HMAC */

#define CRC_LEN				sizeof(pg_crc32c)
#define HMAC_LEN			PG_SHA256_DIGEST_LENGTH

#define MAX_TOKEN_LENGTH	255

/* --------------------------------------------------------------------
 * Seals
 * --------------------------------------------------------------------
 */

/* The checksum of an entry and its name, in network byte order. */
static void
compute_crc(DogpileBytes bytes, DogpileBytes name, uint8 *seal)
{
	uint32		name_len = pg_hton32((uint32) name.len);
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &name_len, sizeof(name_len));
	COMP_CRC32C(crc, name.data, name.len);
	COMP_CRC32C(crc, bytes.data, bytes.len);
	FIN_CRC32C(crc);
	crc = pg_hton32(crc);
	memcpy(seal, &crc, CRC_LEN);
}

/*
 * The HMAC of an entry and its name.
 *
 * Returns false if the library cannot compute it.
 *
 * Errors: out of memory.
 */
static bool
compute_hmac(DogpileBytes bytes, DogpileBytes name, const char *secret, uint8 *seal)
{
	uint32		name_len = pg_hton32((uint32) name.len);
	pg_hmac_ctx *context = pg_hmac_create(PG_SHA256);
	bool		ok;

	if (context == NULL)
		return false;
	ok = pg_hmac_init(context, (const uint8 *) secret, strlen(secret)) >= 0 &&
		pg_hmac_update(context, (const uint8 *) &name_len, sizeof(name_len)) >= 0 &&
		pg_hmac_update(context, (const uint8 *) name.data, name.len) >= 0 &&
		pg_hmac_update(context, (const uint8 *) bytes.data, bytes.len) >= 0 &&
		pg_hmac_final(context, seal, HMAC_LEN) >= 0;
	pg_hmac_free(context);
	return ok;
}

/* Compare two seals in a time that does not depend on how many bytes are equal. */
static bool
seals_equal(const uint8 *a, const uint8 *b, size_t len)
{
	volatile uint8 difference = 0;

	for (size_t i = 0; i < len; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

static size_t
seal_len(uint8 flags)
{
	return flags & FLAG_AUTHENTIC ? HMAC_LEN : CRC_LEN;
}

/* --------------------------------------------------------------------
 * Encoding
 * --------------------------------------------------------------------
 */

/* Arguments of encode(). */
typedef struct EncodeArgs
{
	const DogpileEntry *entry;
	const DogpileBytes *tokens;
	int			ntokens;
	bool		authentic;
	StringInfo	out;
} EncodeArgs;

static void
write_wire_head(StringInfo out, const DogpileEntry *entry, bool authentic)
{
	uint64		lifetime;

	memcpy(&lifetime, &entry->lifetime_s, sizeof(lifetime));
	appendBinaryStringInfo(out, MAGIC, MAGIC_LEN);
	pq_sendint8(out, VERSION);
	pq_sendint8(out, authentic ? FLAG_AUTHENTIC : 0);
	pq_sendint64(out, (uint64) entry->created_at);
	pq_sendint64(out, lifetime);
	pq_sendint64(out, entry->creation_us);
}

static void
write_tokens(StringInfo out, const DogpileBytes *tokens, int ntokens)
{
	Assert(ntokens <= DOGPILE_WIRE_MAX_TOKENS);
	pq_sendint8(out, ntokens);
	for (int i = 0; i < ntokens; i++)
	{
		Assert(tokens[i].len <= MAX_TOKEN_LENGTH);
		pq_sendint8(out, tokens[i].len);
		appendBinaryStringInfo(out, tokens[i].data, tokens[i].len);
	}
}

static void
write_tags(StringInfo out, const DogpileTags *tags)
{
	int			ntags = tags ? tags->count : 0;
	const char *p = NULL;

	pq_sendint8(out, ntags);
	for (int i = 0; i < ntags; i++)
	{
		const char *text;
		size_t		len;
		char	   *utf8;

		p = dogpile_tag_next(tags, p, &text, &len);
		utf8 = pg_server_to_any(text, len, dogpile_wire_encoding());
		if (utf8 != text)
			len = strlen(utf8);
		pq_sendint16(out, len);
		appendBinaryStringInfo(out, utf8, len);
		if (utf8 != text)
			pfree(utf8);
	}
}

static void
encode(void *arg)
{
	EncodeArgs *args = arg;
	StringInfo	out = args->out;
	uint32		length;
	int			start;

	write_wire_head(out, args->entry, args->authentic);
	write_tokens(out, args->tokens, args->ntokens);
	write_tags(out, args->entry->tags);
	start = out->len;
	pq_sendint32(out, 0);
	dogpile_wire_write_rows(&args->entry->value, out);
	length = pg_hton32((uint32) (out->len - start - sizeof(length)));
	memcpy(out->data + start, &length, sizeof(length));
}

/*
 * Encode an entry.
 *
 * tokens: at most DOGPILE_WIRE_MAX_TOKENS of at most 255 bytes each.
 * name: under which it will be stored.
 * secret: to authenticate the entry with, or "".
 * out: the bytes are appended to it.
 * reason: if the result is false, set to why other servers cannot read the entry, or to
 *		NULL if it is too large.
 *
 * Returns false if it cannot be encoded; "out" is unchanged then.
 *
 * Errors: out of memory, query cancel, failures of the system.
 */
bool
dogpile_wire_encode(const DogpileEntry *entry, const DogpileBytes *tokens,
					int ntokens, DogpileBytes name, const char *secret,
					StringInfo out, const char **reason)
{
	bool		authentic = secret[0] != '\0';
	EncodeArgs	args = {entry, tokens, ntokens, authentic, out};
	DogpileWireFailure failure;
	DogpileBytes bytes;
	uint8		seal[HMAC_LEN];
	int			start = out->len;

	*reason = NULL;
	if (!dogpile_wire_try(encode, &args, &failure))
	{
		if (failure.sqlerrcode != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			*reason = failure.message;
		out->len = start;
		out->data[start] = '\0';
		return false;
	}
	bytes.data = out->data + start;
	bytes.len = out->len - start;
	if (!authentic)
		compute_crc(bytes, name, seal);
	else if (!compute_hmac(bytes, name, secret, seal))
	{
		*reason = "it could not be authenticated";
		out->len = start;
		out->data[start] = '\0';
		return false;
	}
	if (out->len > (int) (MaxAllocSize - HMAC_LEN - 1))
	{
		out->len = start;
		return false;
	}
	appendBinaryStringInfo(out, (char *) seal, authentic ? HMAC_LEN : CRC_LEN);
	return true;
}

/* --------------------------------------------------------------------
 * Reading
 * --------------------------------------------------------------------
 */

/* Take this many bytes off the front; false if there are not as many. */
static bool
take(DogpileBytes *bytes, size_t len, const char **data)
{
	if (len > bytes->len)
		return false;
	*data = bytes->data;
	bytes->data += len;
	bytes->len -= len;
	return true;
}

static bool
take_uint8(DogpileBytes *bytes, uint8 *value)
{
	const char *data;

	if (!take(bytes, sizeof(*value), &data))
		return false;
	*value = (uint8) *data;
	return true;
}

static bool
take_uint16(DogpileBytes *bytes, uint16 *value)
{
	const char *data;

	if (!take(bytes, sizeof(*value), &data))
		return false;
	memcpy(value, data, sizeof(*value));
	*value = pg_ntoh16(*value);
	return true;
}

static bool
take_uint32(DogpileBytes *bytes, uint32 *value)
{
	const char *data;

	if (!take(bytes, sizeof(*value), &data))
		return false;
	memcpy(value, data, sizeof(*value));
	*value = pg_ntoh32(*value);
	return true;
}

static bool
take_uint64(DogpileBytes *bytes, uint64 *value)
{
	const char *data;

	if (!take(bytes, sizeof(*value), &data))
		return false;
	memcpy(value, data, sizeof(*value));
	*value = pg_ntoh64(*value);
	return true;
}

/* Read the times, which must be within the bounds that arithmetic with them relies on. */
static bool
read_times(DogpileBytes *bytes, DogpileWireHead *head)
{
	uint64		created_at;
	uint64		lifetime;

	if (!take_uint64(bytes, &created_at) || !take_uint64(bytes, &lifetime) ||
		!take_uint64(bytes, &head->creation_us))
		return false;
	head->created_at = (TimestampTz) created_at;
	memcpy(&head->lifetime_s, &lifetime, sizeof(lifetime));
	return IS_VALID_TIMESTAMP(head->created_at) &&
		(head->lifetime_s >= 0 || head->lifetime_s == DOGPILE_LIFETIME_NEVER ||
		 head->lifetime_s == DOGPILE_LIFETIME_REGION) &&
		head->creation_us <= PG_INT64_MAX;
}

static bool
read_tokens(DogpileBytes *bytes, DogpileWireHead *head)
{
	uint8		count;

	if (!take_uint8(bytes, &count) || count > DOGPILE_WIRE_MAX_TOKENS)
		return false;
	head->ntokens = count;
	for (int i = 0; i < count; i++)
	{
		uint8		len;

		if (!take_uint8(bytes, &len) || !take(bytes, len, &head->tokens[i].data))
			return false;
		head->tokens[i].len = len;
	}
	return true;
}

static bool
read_entry_tags(DogpileBytes *bytes, DogpileWireHead *head)
{
	uint8		count;

	if (!take_uint8(bytes, &count) || count > DOGPILE_MAX_TAGS)
		return false;
	head->ntags = count;
	for (int i = 0; i < count; i++)
	{
		uint16		len;

		/* The maximum length applies after the conversion. */
		if (!take_uint16(bytes, &len) || !take(bytes, len, &head->tags[i].data) ||
			pg_encoding_verifymbstr(dogpile_wire_encoding(), head->tags[i].data, len) != len)
			return false;
		head->tags[i].len = len;
	}
	return true;
}

static bool
read_wire_head(DogpileBytes bytes, DogpileWireHead *head)
{
	uint32		length;

	if (!read_times(&bytes, head) || !read_tokens(&bytes, head) ||
		!read_entry_tags(&bytes, head) || !take_uint32(&bytes, &length) ||
		length != bytes.len)
		return false;
	head->rows = bytes;
	return true;
}

/* Check the seal, which is removed from *bytes if it is right. */
static DogpileWireStatus
check_seal(DogpileBytes *bytes, uint8 flags, DogpileBytes name, const char *secret,
		   const char **reason)
{
	bool		authentic = (flags & FLAG_AUTHENTIC) != 0;
	uint8		expected[HMAC_LEN];
	const uint8 *seal;

	if (authentic != (secret[0] != '\0'))
	{
		*reason = authentic ? "it is authenticated, but the region has no secret" :
			"it is not authenticated";
		return DOGPILE_WIRE_UNAUTHENTIC;
	}
	if (bytes->len < seal_len(flags))
	{
		*reason = "it is truncated";
		return DOGPILE_WIRE_DAMAGED;
	}
	bytes->len -= seal_len(flags);
	seal = (const uint8 *) bytes->data + bytes->len;
	if (!authentic)
	{
		compute_crc(*bytes, name, expected);
		*reason = "its checksum is wrong";
		return memcmp(seal, expected, CRC_LEN) == 0 ?
			DOGPILE_WIRE_OK : DOGPILE_WIRE_DAMAGED;
	}
	*reason = "it was made or altered without the secret";
	return compute_hmac(*bytes, name, secret, expected) &&
		seals_equal(seal, expected, HMAC_LEN) ?
		DOGPILE_WIRE_OK : DOGPILE_WIRE_UNAUTHENTIC;
}

/*
 * Check the bytes of an entry, and read all but its value.
 *
 * name: under which they were stored.
 * secret: as for dogpile_wire_encode().
 * head: filled in if the result is DOGPILE_WIRE_OK; it points into the bytes.
 * reason: otherwise set to why, for the log.
 *
 * Errors: none without a secret, with one, out of memory.
 */
DogpileWireStatus
dogpile_wire_open(DogpileBytes bytes, DogpileBytes name, const char *secret,
				  DogpileWireHead *head, const char **reason)
{
	DogpileBytes rest = bytes;
	const char *magic;
	uint8		version;
	uint8		flags;
	DogpileWireStatus status;

	if (!take(&rest, MAGIC_LEN, &magic) || memcmp(magic, MAGIC, MAGIC_LEN) != 0 ||
		!take_uint8(&rest, &version) || !take_uint8(&rest, &flags))
	{
		*reason = "it is not an entry";
		return DOGPILE_WIRE_DAMAGED;
	}
	if (version != VERSION || (flags & ~FLAG_AUTHENTIC) != 0)
	{
		*reason = "it has another version of the format";
		return DOGPILE_WIRE_UNKNOWN;
	}
	status = check_seal(&bytes, flags, name, secret, reason);
	if (status != DOGPILE_WIRE_OK)
		return status;

	/* The seal may be right although the rest is not an entry. */
	if (bytes.len < MAGIC_LEN + sizeof(version) + sizeof(flags))
	{
		*reason = "it is truncated";
		return DOGPILE_WIRE_DAMAGED;
	}
	rest.len = bytes.len - (rest.data - bytes.data);
	if (!read_wire_head(rest, head))
	{
		*reason = "its head is damaged";
		return DOGPILE_WIRE_DAMAGED;
	}
	*reason = NULL;
	return DOGPILE_WIRE_OK;
}

/* Convert the tags; called by dogpile_wire_try(). */
static void
convert_tags(void *arg)
{
	DogpileWireHead *head = arg;

	for (int i = 0; i < head->ntags; i++)
	{
		DogpileBytes *tag = &head->tags[i];
		char	   *text = pg_any_to_server(tag->data, (int) tag->len, dogpile_wire_encoding());

		if (text != tag->data)
		{
			tag->data = text;
			tag->len = strlen(text);
		}
		if (tag->len > DOGPILE_MAX_TAG_LENGTH)
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("it has a tag that is too long")));
	}
}

/*
 * Convert the tags of an entry to the encoding of this database, and check that they do
 * not exceed the maximum length of a tag.
 *
 * head: of an entry that was opened.  Its tags then point into the bytes, or to memory in
 * CurrentMemoryContext.
 * reason: set to why, if the result is false.
 *
 * Errors: out of memory, query cancel, failures of the system.
 */
bool
dogpile_wire_convert_tags(DogpileWireHead *head, const char **reason)
{
	DogpileWireFailure failure;

	if (dogpile_wire_try(convert_tags, head, &failure))
		return true;
	*reason = failure.message;
	return false;
}
