/*-------------------------------------------------------------------------
 *
 * sql_keys.c
 *	  dogpile_key(): makes an unambiguous key from values.
 *
 * The values are converted to text and joined by ':'.  A ':' or '\' in a value is
 * preceded by '\', a NULL becomes \N, and an empty list (an empty VARIADIC array) becomes
 * \E, so that different lists of texts never give the same key.  The types of the values
 * do not matter: 42 and '42' are the same.  Nor do the dimensions of a VARIADIC array.
 *
 * The same values must give the same key in every session, so the text must not depend on
 * settings.  Those on which output functions of built-in types depend are fixed for the
 * call, as pg_dump and postgres_fdw do.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/sql/sql_keys.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#define SEPARATOR		':'
#define ESCAPE			'\\'
#define NULL_MARK		"\\N"
#define EMPTY_MARK		"\\E"

/* What all calls from one call site have in common. */
typedef struct KeySite
{
	bool		needs_settings; /* does any type's output depend on settings? */
	int			noutputs;
	FmgrInfo	outputs[FLEXIBLE_ARRAY_MEMBER]; /* of the arguments; only one
												 * if they are passed as an
												 * array */
} KeySite;

PG_FUNCTION_INFO_V1(dogpile_key);

/*
 * Might the result of an output function depend on settings?
 *
 * Most keys consist of types for which it does not.  This saves the cost of changing
 * settings.
 */
static bool
depends_on_settings(Oid output)
{
	switch (output)
	{
		case F_BOOLOUT:
		case F_BPCHAROUT:
		case F_CHAROUT:
		case F_ENUM_OUT:
		case F_INT2OUT:
		case F_INT4OUT:
		case F_INT8OUT:
		case F_JSONB_OUT:
		case F_JSON_OUT:
		case F_NAMEOUT:
		case F_NUMERIC_OUT:
		case F_OIDOUT:
		case F_TEXTOUT:
		case F_UUID_OUT:
		case F_VARCHAROUT:
			return false;
		default:
			return true;
	}
}

/* Fix the settings.  Returns the nesting level for AtEOXact_GUC(). */
static int
fix_settings(void)
{
	static const char *const settings[][2] = {
		{"bytea_output", "hex"},
		{"datestyle", "ISO"},
		{"extra_float_digits", "1"},
		{"intervalstyle", "postgres"},
		{"lc_monetary", "C"},
		{"search_path", "pg_catalog"},	/* schemas of regclass and others */
		{"timezone", "UTC"},
	};
	int			nestlevel = NewGUCNestLevel();

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1],
								 PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return nestlevel;
}

/* Look up the output functions of some types. */
static KeySite *
make_key_site(const Oid *types, int ntypes, MemoryContext context)
{
	KeySite    *site = MemoryContextAllocZero(context,
											  offsetof(KeySite, outputs) +
											  ntypes * sizeof(FmgrInfo));

	site->noutputs = ntypes;
	for (int i = 0; i < ntypes; i++)
	{
		Oid			output;
		bool		is_varlena;

		getTypeOutputInfo(types[i], &output, &is_varlena);
		fmgr_info_cxt(output, &site->outputs[i], context);
		if (depends_on_settings(output))
			site->needs_settings = true;
	}
	return site;
}

/*
 * Append a string, escaping special characters.  In all server encodings, all bytes of
 * multibyte characters have the high bit set, so bytes can be compared.
 */
static void
append_escaped(StringInfo key, const char *string)
{
	const char	special[] = {SEPARATOR, ESCAPE, '\0'};

	for (;;)
	{
		size_t		ordinary = strcspn(string, special);

		appendBinaryStringInfo(key, string, ordinary);
		string += ordinary;
		if (*string == '\0')
			return;
		appendStringInfoChar(key, ESCAPE);
		appendStringInfoChar(key, *string++);
	}
}

static void
append_values(StringInfo key, KeySite *site, const Datum *values,
			  const bool *nulls, int nvalues)
{
	for (int i = 0; i < nvalues; i++)
	{
		FmgrInfo   *output = &site->outputs[site->noutputs == 1 ? 0 : i];

		if (i > 0)
			appendStringInfoChar(key, SEPARATOR);
		if (nulls[i])
			appendStringInfoString(key, NULL_MARK);
		else
			append_escaped(key, OutputFunctionCall(output, values[i]));
	}
	if (nvalues == 0)
		appendStringInfoString(key, EMPTY_MARK);
}

/*
 * dogpile_key(VARIADIC "any")
 *
 * Returns NULL for a VARIADIC array that is NULL; functions that take a key raise an error
 * for that.
 */
Datum
dogpile_key(PG_FUNCTION_ARGS)
{
	KeySite    *site = fcinfo->flinfo->fn_extra;
	int			nestlevel = 0;
	StringInfoData key;
	Datum	   *values;
	Oid		   *types;
	bool	   *nulls;
	int			nvalues = extract_variadic_args(fcinfo, 0, true, &values, &types,
												&nulls);

	if (nvalues < 0)
		PG_RETURN_NULL();

	/* An array that is empty now may have elements in the next call. */
	if (site == NULL && nvalues > 0)
	{
		site = make_key_site(types, get_fn_expr_variadic(fcinfo->flinfo) ? 1 : nvalues,
							 fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = site;
	}

	initStringInfo(&key);
	if (site != NULL && site->needs_settings)
		nestlevel = fix_settings();
	append_values(&key, site, values, nulls, nvalues);
	if (nestlevel > 0)
		AtEOXact_GUC(true, nestlevel);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(key.data, key.len));
}
