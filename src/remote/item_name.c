/*-------------------------------------------------------------------------
 *
 * item_name.c
 *	  How keys look in a store outside: names that an operator can read.
 *
 * A name is made of the same parts on every server that shares the store, so
 * that all find the same items: the region's prefix and name, the name of the
 * database or what the region has in its place, the key, and its variant.
 *
 *		dogpile:{shop:reports:sales 2026}:role=app;search_path=public
 *
 *		entry			<prefix>{<namespace>:<region>:<key>}:<variant>
 *		its lock		<prefix>{<namespace>:<region>:<key>}!lock:<variant>
 *		a counter		<prefix>{<namespace>:<region>:<key>}!counter:<variant>
 *		key version		<prefix>{<namespace>:<region>:<key>}!version
 *		region version	<prefix>{<namespace>:<region>}!version
 *		tag version		<prefix>{<namespace>:!tag:<tag>}!version
 *
 * (with %20 for the blank).  The braces are Redis's hash tag: in a cluster an
 * entry and its lock are on the same node.  Whatever is not printable ASCII, or
 * has a meaning here, is percent-encoded in UTF-8, so different keys have
 * different names.
 *
 * A name is at most DOGPILE_MAX_ITEM_NAME bytes long.  A part that would make it
 * longer is replaced by "#" and its SHA-256: first the key, then all that is in
 * braces, then the variant.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/item_name.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "entry/variant.h"
#include "remote/item_name.h"
#include "wire/wire_encoding.h"

/* What is in braces is no longer than this, which leaves room for the rest. */
#define MAX_BRACES		130

/* Digests that a mangler may be. */
typedef struct Digest
{
	const char *name;
	pg_cryptohash_type type;
	int			len;
} Digest;

static const Digest digests[] = {
	{"md5", PG_MD5, 16},
	{"sha1", PG_SHA1, 20},
	{"sha256", PG_SHA256, PG_SHA256_DIGEST_LENGTH},
};

/* Append a string, percent-encoded. */
static void
append_encoded(StringInfo out, const char *string, int len)
{
	char	   *utf8 = pg_server_to_any(string, len, dogpile_wire_encoding());

	if (utf8 != string)
		len = strlen(utf8);
	for (int i = 0; i < len; i++)
	{
		unsigned char c = utf8[i];

		if (c <= ' ' || c > '~' || strchr("%{}:;=#!", c) != NULL)
			appendStringInfo(out, "%%%02X", c);
		else
			appendStringInfoChar(out, c);
	}
}

/* Append a key: a colon in it means nothing, since nothing follows it. */
static void
append_key(StringInfo out, const char *string, int len)
{
	for (const char *end = string + len; string < end;)
	{
		const char *colon = memchr(string, ':', end - string);

		append_encoded(out, string, (colon ? colon : end) - string);
		if (colon == NULL)
			break;
		appendStringInfoChar(out, ':');
		string = colon + 1;
	}
}

static void
append_digest(StringInfo out, const Digest *digest, const char *string, int len)
{
	uint8		bytes[PG_SHA256_DIGEST_LENGTH];
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(digest->type);

	if (pg_cryptohash_init(ctx) < 0 ||
		pg_cryptohash_update(ctx, (const uint8 *) string, len) < 0 ||
		pg_cryptohash_final(ctx, bytes, digest->len) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("could not compute the %s of a cache key", digest->name),
				 errdetail("The server's cryptographic library does not provide it.")));
	pg_cryptohash_free(ctx);
	enlargeStringInfo(out, digest->len * 2);
	out->len += hex_encode((const char *) bytes, digest->len, out->data + out->len);
	out->data[out->len] = '\0';
}

/* Replace the end of a name, from "first" on, by its SHA-256. */
static void
shorten(StringInfo out, int first)
{
	char	   *text = pnstrdup(out->data + first, out->len - first);
	int			len = out->len - first;

	out->len = first;
	appendStringInfoChar(out, '#');
	append_digest(out, &digests[lengthof(digests) - 1], text, len);
	pfree(text);
}

/* --------------------------------------------------------------------
 * Mangling
 * --------------------------------------------------------------------
 */

/*
 * Look a mangling function up by its qualified name: search_path must not
 * decide which names a session's entries have.
 */
static Oid
find_mangler(const DogpileRegion *region)
{
	Oid			argtype = TEXTOID;
	List	   *names = textToQualifiedNameList(cstring_to_text(region->key_mangler));
	Oid			function = InvalidOid;

	if (list_length(names) == 2)
		function = LookupFuncName(names, 1, &argtype, true);
	if (!OidIsValid(function) || get_func_rettype(function) != TEXTOID)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function %s(text) that returns text does not exist",
						region->key_mangler),
				 errdetail("It is the key_mangler of cache region \"%s\".", region->name),
				 errhint("Create it in this database, with its schema in the setting, or set key_mangler to \"none\", \"md5\", \"sha1\" or \"sha256\".")));
	return function;
}

/*
 * A mangling function runs as the role that uses the region, which may be a superuser,
 * and its schema may exist in one database and not in another.  So it must be one that
 * only a superuser can have created.
 */
static void
check_mangler_owner(const DogpileRegion *region, Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	if (!superuser_arg(owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function %s(text), the key_mangler of cache region \"%s\", does not belong to a superuser",
						region->key_mangler, region->name),
				 errdetail("Every role that uses the region runs it."),
				 errhint("Have it created by a superuser, or change its owner.")));
}

/*
 * Call a mangling function, under a search_path that is the same for all sessions: the
 * caller has not called the function itself, so its own search_path does not apply.
 */
static Datum
call_mangler(Oid function, const char *key, int len, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, 1);
	FmgrInfo	flinfo;
	Datum		result;
	int			nestlevel = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	fmgr_info(function, &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, 1, DEFAULT_COLLATION_OID, NULL, NULL);
	fcinfo->args[0].value = PointerGetDatum(cstring_to_text_with_len(key, len));
	fcinfo->args[0].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	AtEOXact_GUC(true, nestlevel);
	*isnull = fcinfo->isnull;
	return result;
}

/* Append a key as a function of the administrator's has it. */
static void
append_by_function(StringInfo out, const DogpileRegion *region,
				   const char *key, int len)
{
	Oid			function = find_mangler(region);
	bool		isnull;
	Datum		result;
	text	   *mangled;

	check_mangler_owner(region, function);
	result = call_mangler(function, key, len, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("function %s, the key_mangler of cache region \"%s\", returned NULL",
						region->key_mangler, region->name)));
	mangled = DatumGetTextPP(result);
	append_key(out, VARDATA_ANY(mangled), VARSIZE_ANY_EXHDR(mangled));
}

/* Append a key as the region wants it. */
static void
append_mangled(StringInfo out, const DogpileRegion *region, const char *text, int len)
{
	if (pg_strcasecmp(region->key_mangler, "none") == 0)
	{
		append_key(out, text, len);
		return;
	}
	for (int i = 0; i < lengthof(digests); i++)
		if (pg_strcasecmp(region->key_mangler, digests[i].name) == 0)
		{
			char	   *utf8 = pg_server_to_any(text, len, dogpile_wire_encoding());

			append_digest(out, &digests[i], utf8, utf8 == text ? len : strlen(utf8));
			return;
		}
	append_by_function(out, region, text, len);
}

/* --------------------------------------------------------------------
 * Names
 * --------------------------------------------------------------------
 */

/* A buffer that is used again and again. */
static StringInfo
get_buffer(void)
{
	static StringInfoData buffer = {0};

	if (buffer.data == NULL)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(TopMemoryContext);

		initStringInfo(&buffer);
		MemoryContextSwitchTo(oldcontext);
	}
	resetStringInfo(&buffer);
	return &buffer;
}

/*
 * The name of the database.  It cannot be renamed while this session is
 * connected to it.
 */
static const char *
get_own_database_name(void)
{
	static char name[NAMEDATALEN] = "";

	if (name[0] == '\0')
	{
		char	   *found = get_database_name(MyDatabaseId);

		if (found == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_DATABASE),
					 errmsg("database %u does not exist", MyDatabaseId)));
		strlcpy(name, found, sizeof(name));
		pfree(found);
	}
	return name;
}

/* Begin a name, up to the namespace; returns where the braces begin. */
static int
begin_name_of(StringInfo out, const DogpileRegion *region, const char *name_space)
{
	int			first;

	appendStringInfoString(out, region->key_prefix);
	appendStringInfoChar(out, '{');
	first = out->len;
	append_encoded(out, name_space, strlen(name_space));
	return first;
}

static int
begin_name(StringInfo out, const DogpileRegion *region)
{
	return begin_name_of(out, region, region->name_space[0] != '\0' ?
						 region->name_space : get_own_database_name());
}

/* End what is in braces, which began at "first" and its last part at "last". */
static void
end_braces(StringInfo out, int first, int last)
{
	if (out->len - first > MAX_BRACES)
		shorten(out, last);
	if (out->len - first > MAX_BRACES)
		shorten(out, first);
	appendStringInfoChar(out, '}');
}

/* Append the variant, what fits of it. */
static void
append_variant(StringInfo out, const DogpileKey *key)
{
	int			first = out->len;

	dogpile_variant_append(out, key->bytes + key->base_len, key->len - key->base_len,
						   ";", append_encoded);
	if (out->len > DOGPILE_MAX_ITEM_NAME)
		shorten(out, first);
}

static void
copy_name(DogpileItemName *name, StringInfo text)
{
	Assert(text->len <= DOGPILE_MAX_ITEM_NAME);
	memcpy(name->text, text->data, text->len + 1);
	name->len = text->len;
}

/*
 * Name what belongs to a key: its entry, the lock of that, a counter, or its version.
 *
 * Errors: those of the region's mangler; out of memory.  Locks: no LWLock may
 * be held.
 */
void
dogpile_item_name_of_key(const DogpileRegion *region, const DogpileKey *key,
						 DogpileItemKind kind, DogpileItemName *name)
{
	StringInfoData copy;
	StringInfo	out;
	int			first;
	int			last;
	Oid			database;
	const char *region_name;
	const char *text;
	int			region_len;
	int			text_len;

	(void) dogpile_key_parse(key->bytes, key->len, &database, &region_name,
							 &region_len, &text, &text_len);

	/* A function may use the cache in its turn, and the buffer. */
	initStringInfo(&copy);
	append_mangled(&copy, region, text, text_len);

	out = get_buffer();
	first = begin_name(out, region);
	appendStringInfo(out, ":%s:", region->name);
	last = out->len;
	appendBinaryStringInfo(out, copy.data, copy.len);
	end_braces(out, first, last);
	pfree(copy.data);

	if (kind == DOGPILE_ITEM_KEY_VERSION)
		appendStringInfoString(out, "!version");
	else
	{
		appendStringInfoString(out, kind == DOGPILE_ITEM_LOCK ? "!lock:" :
							   kind == DOGPILE_ITEM_COUNTER ? "!counter:" : ":");
		append_variant(out, key);
	}
	copy_name(name, out);
}

/* End the name of the version of a region. */
static void
end_name_of_region(StringInfo out, int first, const DogpileRegion *region,
				   DogpileItemName *name)
{
	appendStringInfo(out, ":%s", region->name);
	end_braces(out, first, first);
	appendStringInfoString(out, "!version");
	copy_name(name, out);
}

/* Name the version of a region; all as above. */
void
dogpile_item_name_of_region(const DogpileRegion *region, DogpileItemName *name)
{
	StringInfo	out = get_buffer();

	end_name_of_region(out, begin_name(out, region), region, name);
}

/* ... as it is in another database, if that gives the names; all as above. */
void
dogpile_item_name_of_database(const DogpileRegion *region, const char *database,
							  DogpileItemName *name)
{
	StringInfo	out = get_buffer();

	end_name_of_region(out, begin_name_of(out, region, database), region, name);
}

/* Name the version of a tag, which belongs to no region; all as above. */
void
dogpile_item_name_of_tag(const DogpileRegion *region, DogpileBytes tag,
						 DogpileItemName *name)
{
	StringInfo	out = get_buffer();
	int			first = begin_name(out, region);
	int			last;

	appendStringInfoString(out, ":!tag:");
	last = out->len;
	append_key(out, tag.data, tag.len);
	end_braces(out, first, last);
	appendStringInfoString(out, "!version");
	copy_name(name, out);
}

/*
 * What the names of all entries of a region begin with, unless the name of the
 * database is too long for that; all as above.
 */
void
dogpile_item_name_prefix(const DogpileRegion *region, DogpileItemName *name)
{
	StringInfo	out = get_buffer();

	(void) begin_name(out, region);
	appendStringInfo(out, ":%s:", region->name);
	copy_name(name, out);
}
