/*-------------------------------------------------------------------------
 *
 * variant.c
 *	  What distinguishes the values of one key besides the key.
 *
 * A region's "vary" names what the result of a query may depend on besides
 * its text: the effective role, search_path, or any other setting, such as
 * one that a row-level security policy reads.  Their current values become
 * part of the entry's identity, so that no role and no tenant gets a value
 * that a session of another one has computed.
 *
 * With depends = 'auto', the settings count, too, that change results although
 * they are not named (ambient.c).  In shared memory, a variant contains only those
 * that differ from when the server started, so most variants contain none.  For a
 * store outside it contains all of them, because another server may have started
 * with other values.
 *
 * A variant is a list of items, each with a tag and an explicit length, so
 * that different values never give the same bytes.  The names of settings are
 * part of it, because a reload may change what "vary" names.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/variant.c
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

#include "config/ambient.h"
#include "entry/variant.h"
#include "lib/lwlock_check.h"

/* Tags of the items. */
#define ITEM_ROLE			'r'
#define ITEM_SESSION_USER	'l'
#define ITEM_SEARCH_PATH	'p'
#define ITEM_SETTING		's'
#define ITEM_UNSET			'u' /* a setting that does not exist */
#define ITEM_DIGEST			'd' /* stands for a variant that was too long */

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

static StringInfo
make_permanent_buffer(void)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(TopMemoryContext);
	StringInfo	buf = makeStringInfo();

	MemoryContextSwitchTo(oldcontext);
	return buf;
}

/* The settings that are not named: all, or those that differ from the start. */
static void
append_ambient(StringInfo buf, bool all)
{
	for (int i = 0; i < dogpile_ambient_count(); i++)
	{
		const char *name;
		const char *value;

		if (!dogpile_ambient_get(i, &name, &value) && !all)
			continue;
		appendStringInfoChar(buf, ITEM_SETTING);
		append_string(buf, name);
		append_string(buf, value);
	}
}

#ifdef USE_ASSERT_CHECKING
/* Has a setting changed without a call of its hook? */
static bool
is_ambient(const StringInfoData *kept, bool all)
{
	StringInfoData now;
	bool		result;

	initStringInfo(&now);
	append_ambient(&now, all);
	result = now.len == kept->len && memcmp(now.data, kept->data, now.len) == 0;
	pfree(now.data);
	return result;
}
#endif

/*
 * The same, from a copy that is kept until a setting changes.
 *
 * The copy is consistent, because only this process calls the hooks.
 */
static const StringInfoData *
get_ambient(bool all)
{
	static uint64 generations[2] = {0, 0};
	static StringInfo kept[2] = {NULL, NULL};

	if (generations[all] != dogpile_ambient_generation)
	{
		uint64		generation = dogpile_ambient_generation;

		if (kept[all] == NULL)
			kept[all] = make_permanent_buffer();
		generations[all] = 0;
		resetStringInfo(kept[all]);
		append_ambient(kept[all], all);
		generations[all] = generation;
	}
	Assert(is_ambient(kept[all], all));
	return kept[all];
}

/*
 * Replace the part after the roles by its SHA-256.  The roles stay, because their
 * OIDs differ between servers.
 */
static void
digest_variant(StringInfo buf, int first)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);

	if (pg_cryptohash_init(ctx) < 0 ||
		pg_cryptohash_update(ctx, (uint8 *) buf->data + first, buf->len - first) < 0 ||
		pg_cryptohash_final(ctx, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute SHA-256 of a cache variant");
	pg_cryptohash_free(ctx);

	buf->len = first;
	appendStringInfoChar(buf, ITEM_DIGEST);
	appendBinaryStringInfo(buf, (char *) digest, sizeof(digest));
}

/* The items that are not roles. */
static void
append_settings(StringInfo items, const DogpileRegion *region)
{
	const DogpileVary *vary = region->vary;

	if (vary->search_path)
	{
		appendStringInfoChar(items, ITEM_SEARCH_PATH);
		append_string(items, namespace_search_path);
	}
	for (int i = 0; i < vary->nsettings; i++)
		append_setting(items, vary->settings[i]);
	if (vary->ambient || region->depends == DOGPILE_DEPENDS_AUTO)
	{
		/* There are no dependencies outside. */
		bool		is_outside = vary->ambient &&
			pg_strcasecmp(region->backend, DOGPILE_SHARED_MEMORY) != 0;
		const StringInfoData *ambient = get_ambient(is_outside);

		if (ambient->len > 0)
			appendBinaryStringInfo(items, ambient->data, ambient->len);
	}
}

/*
 * Build the variant that applies to this session now.
 *
 * region: its "vary" says what the variant consists of.
 * buf: at least DOGPILE_MAX_VARIANT bytes.
 *
 * Returns the length of the variant in bytes.
 *
 * Errors: out of memory.  Locks: none.
 */
int
dogpile_variant_build(const DogpileRegion *region, char *buf)
{
	static StringInfo items = NULL;
	const DogpileVary *vary = region->vary;
	int			end_of_roles;

	if (items == NULL)
		items = make_permanent_buffer();
	resetStringInfo(items);

	if (vary->role)
		append_role(items, ITEM_ROLE, GetUserId());
	if (vary->session_user)
		append_role(items, ITEM_SESSION_USER, GetSessionUserId());

	/*
	 * The text of search_path stands for the schemas it names, except that
	 * "$user" stands for a different one for each role.
	 */
	if (!vary->role && vary->search_path && strstr(namespace_search_path, "$user"))
		append_role(items, ITEM_ROLE, GetUserId());
	end_of_roles = items->len;
	append_settings(items, region);

	if (items->len > DOGPILE_MAX_VARIANT)
		digest_variant(items, end_of_roles);
	memcpy(buf, items->data, items->len);
	return items->len;
}

/*
 * Read a string back.  Returns the position after it, or NULL if it would
 * extend past the variant.
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

/*
 * Append one item in readable form, its strings by append_value; returns as
 * read_string().
 */
static const char *
describe_item(StringInfo out, const char *p, const char *end,
			  DogpileVariantAppend append_value)
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
			appendStringInfoString(out, tag == ITEM_ROLE ? "role=" : "session_user=");
			if (string != NULL)
				append_value(out, string, strlen(string));
			else
				appendStringInfo(out, "(dropped %u)", role);
			return p + sizeof(role);
		case ITEM_SEARCH_PATH:
			if ((p = read_string(p, end, &string, &len)) == NULL)
				return NULL;
			appendStringInfoString(out, "search_path=");
			append_value(out, string, len);
			return p;
		case ITEM_SETTING:
		case ITEM_UNSET:
			if ((p = read_string(p, end, &string, &len)) == NULL)
				return NULL;
			append_value(out, string, len);
			if (tag == ITEM_SETTING)
			{
				appendStringInfoChar(out, '=');
				if ((p = read_string(p, end, &string, &len)) == NULL)
					return NULL;
				append_value(out, string, len);
			}
			return p;
		case ITEM_DIGEST:
			appendStringInfoString(out, "digest=");
			for (; p < end; p++)
				appendStringInfo(out, "%02x", (unsigned char) *p);
			return end;
		default:
			return NULL;
	}
}

/*
 * Append a variant in readable form, as in "role=app; search_path=public"; a
 * setting that is not set is named alone.
 *
 * append_value: appends the value of an item.  If it lets no blank, "=" nor ";"
 * of it through, different variants give different texts.
 *
 * Errors: those of a catalog lookup.  Locks: no LWLock may be held.
 */
void
dogpile_variant_append(StringInfo out, const char *bytes, int len,
					   const char *separator, DogpileVariantAppend append_value)
{
	const char *p = bytes;
	const char *end = bytes + len;

	DogpileAssertNoneHeld();
	while (p != NULL && p < end)
	{
		if (p != bytes)
			appendStringInfoString(out, separator);
		p = describe_item(out, p, end, append_value);
	}
}

static void
append_as_is(StringInfo out, const char *string, int len)
{
	appendBinaryStringInfo(out, string, len);
}

/*
 * Describe a variant in readable form.
 *
 * Returns a string in CurrentMemoryContext, empty for a shared value.
 *
 * Errors: as above.
 */
char *
dogpile_variant_describe(const char *bytes, int len)
{
	StringInfoData out;

	initStringInfo(&out);
	dogpile_variant_append(&out, bytes, len, "; ", append_as_is);
	return out.data;
}
