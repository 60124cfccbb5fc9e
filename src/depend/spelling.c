/*-------------------------------------------------------------------------
 *
 * spelling.c
 *	  Whether a text is the only one for a value of a type.
 *
 * A row tag contains the text that the column's output function returns: "customer:7",
 * never "customer:07" or "customer:+7".  And if equal values may have different texts, as
 * 1.0 and 1.00 of type numeric, no text stands for all rows that a query finds by one of
 * them.
 *
 * So a text is accepted here only if the value that it is read as, and all values equal to
 * that, are written as this text.  The types of which this is known are listed below.
 * They are all built in; functions of other types are not called.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/spelling.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "depend/spelling.h"

/* Which texts of a type are accepted. */
typedef enum Rule
{
	RULE_NONE,					/* none */
	RULE_INTEGER,
	RULE_TEXT,					/* any */
	RULE_PADDED,				/* any of that length */
	RULE_READ					/* one that is the same after reading and
								 * writing */
} Rule;

/* If the collation is not deterministic, different texts may be equal. */
static Rule
choose_text_rule(const FormData_pg_attribute *column, Rule rule)
{
	return !OidIsValid(column->attcollation) ||
		get_collation_isdeterministic(column->attcollation) ? rule : RULE_NONE;
}

/*
 * Choose the rule for the texts of a column.
 *
 * type, typmod: of the column; for a domain, of its base type.
 */
static Rule
choose_rule(const FormData_pg_attribute *column, Oid type, int32 typmod)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
			return RULE_INTEGER;
		case TEXTOID:
		case VARCHAROID:
		case NAMEOID:
			return choose_text_rule(column, RULE_TEXT);
		case BPCHAROID:

			/*
			 * Without a length, trailing blanks are in the text, but are not
			 * compared.
			 */
			return typmod < (int32) VARHDRSZ ? RULE_NONE :
				choose_text_rule(column, RULE_PADDED);
		case NUMERICOID:

			/*
			 * Without a scale, equal numbers may have different numbers of
			 * zeros.
			 */
			return typmod < (int32) VARHDRSZ ? RULE_NONE : RULE_READ;
		case BOOLOID:
		case CHAROID:
		case UUIDOID:
		case BITOID:
		case VARBITOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
		case TIMEOID:
		case PG_LSNOID:
		case XID8OID:
			return RULE_READ;
		default:
			return RULE_NONE;
	}
}

/* Find the rule for a column, and its type; for a domain, its base type. */
static Rule
find_rule(const FormData_pg_attribute *column, Oid *type, int32 *typmod)
{
	*typmod = column->atttypmod;
	*type = getBaseTypeAndTypmod(column->atttypid, typmod);
	return choose_rule(column, *type, *typmod);
}

/* Is this an integer as PostgreSQL writes it, and in the type's range? */
static bool
is_integer(Oid type, const char *text)
{
	const char *digits = *text == '-' && type != OIDOID ? text + 1 : text;
	int64		value;

	if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits) ||
		(*digits == '0' && text[1] != '\0') || strlen(digits) > 19)
		return false;
	errno = 0;
	value = strtoi64(text, NULL, 10);
	if (errno != 0)
		return false;
	switch (type)
	{
		case INT2OID:
			return value >= PG_INT16_MIN && value <= PG_INT16_MAX;
		case INT4OID:
			return value >= PG_INT32_MIN && value <= PG_INT32_MAX;
		case OIDOID:
			return value <= PG_UINT32_MAX;
		default:
			return true;
	}
}

/* Is a text the same after reading it as a value of a built-in type and writing that? */
static bool
comes_back(Oid type, int32 typmod, char *text)
{
	Oid			input;
	Oid			output;
	Oid			ioparam;
	bool		is_varlena;
	Datum		value;

	getTypeInputInfo(type, &input, &ioparam);
	getTypeOutputInfo(type, &output, &is_varlena);
	Assert(type < FirstGenbkiObjectId);
	value = OidInputFunctionCall(input, text, ioparam, typmod);
	return strcmp(OidOutputFunctionCall(output, value), text) == 0;
}

/* The same, but a text that cannot be read is not an error. */
static bool
would_come_back(Oid type, int32 typmod, char *text)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool result = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		result = comes_back(type, typmod, text);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			ReThrowError(error);
		FreeErrorData(error);
		result = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return result;
}

/*
 * Could any text be the text of a value of this column?  Then it is not known where such a
 * text ends in a tag.
 *
 * Errors: the type was dropped just now.  Locks: no LWLock may be held, as below.
 */
bool
dogpile_spelling_is_free(const FormData_pg_attribute *column)
{
	Oid			type;
	int32		typmod;

	return find_rule(column, &type, &typmod) == RULE_TEXT;
}

/*
 * Is this the text of a value of this column, and of all values equal to it?
 *
 * Errors: the type was dropped just now; errors that are not about the text.
 */
bool
dogpile_spelling_is_canonical(const FormData_pg_attribute *column,
							  const char *text, int len)
{
	Oid			type;
	int32		typmod;
	Rule		rule = find_rule(column, &type, &typmod);
	char	   *copy;
	bool		result;

	if (rule == RULE_TEXT || rule == RULE_NONE)
		return rule == RULE_TEXT;
	if (rule == RULE_PADDED)
		return pg_mbstrlen_with_len(text, len) == typmod - VARHDRSZ;
	copy = pnstrdup(text, len);
	result = rule == RULE_INTEGER ? is_integer(type, copy) :
		would_come_back(type, typmod, copy);
	pfree(copy);
	return result;
}
