/*-------------------------------------------------------------------------
 *
 * variant.c
 *	  What besides the key tells the values of one key apart.
 *
 * A region's "vary" names what the result of a query may depend on besides
 * its text: the effective role, search_path, or any other setting, such as
 * one that a row-level security policy reads.  Their present values become
 * part of the entry's identity, so that no role and no tenant is given what
 * another one's session computed.
 *
 * A variant is a list of items, each with a tag and an explicit length, so
 * that different values never give the same bytes.  The names of settings are
 * part of it, because a reload may change what "vary" names.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/variant.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "variant.h"

/* Tags of the items. */
#define ITEM_ROLE			'r'
#define ITEM_SESSION_USER	'l'
#define ITEM_SEARCH_PATH	'p'
#define ITEM_SETTING		's'
#define ITEM_UNSET			'u'		/* a setting that does not exist */
#define ITEM_DIGEST			'd'		/* stands for a variant that was too long */

static void
append_string(StringInfo buf, const char *string)
{
	uint32		len = strlen(string);

	appendBinaryStringInfo(buf, (char *) &len, sizeof(len));
	appendBinaryStringInfo(buf, string, len);
}

static void
append_role(StringInfo buf, char item, Oid role)
{
	appendStringInfoChar(buf, item);
	appendBinaryStringInfo(buf, (char *) &role, sizeof(role));
}

/*
 * The text of search_path stands for the schemas it names, except that
 * "$user" stands for a different one for each role.
 */
static void
append_search_path(StringInfo buf, bool has_role)
{
	if (!has_role && strstr(namespace_search_path, "$user") != NULL)
		append_role(buf, ITEM_ROLE, GetUserId());
	appendStringInfoChar(buf, ITEM_SEARCH_PATH);
	append_string(buf, namespace_search_path);
}

/* An unset setting differs from one that is set to an empty string. */
static void
append_setting(StringInfo buf, const char *name)
{
	const char *value = GetConfigOption(name, true, false);

	appendStringInfoChar(buf, value ? ITEM_SETTING : ITEM_UNSET);
	append_string(buf, name);
	if (value)
		append_string(buf, value);
}

/* Replace a variant that is too long by its SHA-256. */
static void
digest_variant(StringInfo buf)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);

	if (pg_cryptohash_init(ctx) < 0 ||
		pg_cryptohash_update(ctx, (uint8 *) buf->data, buf->len) < 0 ||
		pg_cryptohash_final(ctx, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute SHA-256 of a cache variant");
	pg_cryptohash_free(ctx);

	resetStringInfo(buf);
	appendStringInfoChar(buf, ITEM_DIGEST);
	appendBinaryStringInfo(buf, (char *) digest, sizeof(digest));
}

/*
 * Build the variant that applies to this session now.
 *
 * vary: what the region's setting names.
 * buf: at least DOGPILE_MAX_VARIANT bytes.
 *
 * Returns the length of the variant in bytes.
 *
 * Errors: out of memory.  Locks: none.
 */
int
dogpile_variant_build(const DogpileVary *vary, char *buf)
{
	static StringInfoData items = {0};

	if (items.data == NULL)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(TopMemoryContext);

		initStringInfo(&items);
		MemoryContextSwitchTo(oldcontext);
	}
	resetStringInfo(&items);

	if (vary->role)
		append_role(&items, ITEM_ROLE, GetUserId());
	if (vary->session_user)
		append_role(&items, ITEM_SESSION_USER, GetSessionUserId());
	if (vary->search_path)
		append_search_path(&items, vary->role);
	for (int i = 0; i < vary->nsettings; i++)
		append_setting(&items, vary->settings[i]);

	if (items.len > DOGPILE_MAX_VARIANT)
		digest_variant(&items);
	memcpy(buf, items.data, items.len);
	return items.len;
}

/*
 * Read a string back.  Returns the position behind it, or NULL if it would
 * end behind the variant.
 */
static const char *
read_string(const char *p, const char *end, const char **string, uint32 *len)
{
	if (end - p < (ptrdiff_t) sizeof(*len))
		return NULL;
	memcpy(len, p, sizeof(*len));
	*string = p + sizeof(*len);
	return *len > (size_t) (end - *string) ? NULL : *string + *len;
}

/* Append one item in readable form; returns as read_string(). */
static const char *
describe_item(StringInfo out, const char *p, const char *end)
{
	char		tag = *p++;
	const char *string;
	uint32		len;
	Oid			role;

	switch (tag)
	{
		case ITEM_ROLE:
		case ITEM_SESSION_USER:
			if (end - p < (ptrdiff_t) sizeof(role))
				return NULL;
			memcpy(&role, p, sizeof(role));
			string = GetUserNameFromId(role, true);
			appendStringInfo(out, "%s=%s", tag == ITEM_ROLE ? "role" : "session_user",
							 string ? string : "(dropped)");
			return p + sizeof(role);
		case ITEM_SEARCH_PATH:
			if ((p = read_string(p, end, &string, &len)) != NULL)
				appendStringInfo(out, "search_path=%.*s", (int) len, string);
			return p;
		case ITEM_SETTING:
		case ITEM_UNSET:
			if ((p = read_string(p, end, &string, &len)) == NULL)
				return NULL;
			appendStringInfo(out, "%.*s", (int) len, string);
			if (tag == ITEM_UNSET)
				appendStringInfoString(out, " unset");
			else if ((p = read_string(p, end, &string, &len)) != NULL)
				appendStringInfo(out, "=%.*s", (int) len, string);
			return p;
		case ITEM_DIGEST:
			appendStringInfoString(out, "(digest)");
			return end;
		default:
			return NULL;
	}
}

/*
 * Put a variant into readable form, as in "role=app; search_path=public".
 *
 * Returns a string in CurrentMemoryContext, empty for a shared value.
 *
 * Errors: those of a catalog lookup.  Locks: no LWLock may be held.
 */
char *
dogpile_variant_describe(const char *bytes, int len)
{
	const char *p = bytes;
	const char *end = bytes + len;
	StringInfoData out;

	initStringInfo(&out);
	while (p != NULL && p < end)
	{
		if (p != bytes)
			appendStringInfoString(&out, "; ");
		p = describe_item(&out, p, end);
	}
	return out.data;
}
