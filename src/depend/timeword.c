/*-------------------------------------------------------------------------
 *
 * timeword.c
 *	  Texts whose meaning depends on the time when they are read, such as 'now'.
 *
 * The input functions of dates and times read 'now', 'today', 'tomorrow' and 'yesterday'
 * relative to the start of the transaction.  So do the input functions of types that
 * contain dates or times: arrays, ranges, rows, domains.  ('epoch' and 'infinity' are
 * always the same.)  A timetz without an offset gets the offset that its time zone has
 * today.
 *
 * The text of a row is not split into its fields here, so such a word counts even in a
 * field of another type.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/timeword.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "depend/timeword.h"
#include "lib/lwlock_check.h"

static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};

/* Does a row type have a column of times? */
static bool
row_has_times(Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_noerror(type, -1, true);
	bool		found = false;

	for (int i = 0; desc != NULL && i < desc->natts && !found; i++)
		found = !TupleDescAttr(desc, i)->attisdropped &&
			dogpile_timeword_has_times(TupleDescAttr(desc, i)->atttypid);
	if (desc != NULL)
		ReleaseTupleDesc(desc);
	return found;
}

/*
 * Are values of this type dates or times, or is there one within them?
 *
 * Errors: the type was dropped just now.  Locks: no LWLock may be held.
 */
bool
dogpile_timeword_has_times(Oid type)
{
	DogpileAssertNoneHeld();
	check_stack_depth();
	type = getBaseType(type);
	switch (type)
	{
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return true;
		default:
			break;
	}
	switch (get_typtype(type))
	{
		case TYPTYPE_RANGE:
			return dogpile_timeword_has_times(get_range_subtype(type));
		case TYPTYPE_MULTIRANGE:
			return dogpile_timeword_has_times(get_multirange_range(type));
		case TYPTYPE_COMPOSITE:
			return row_has_times(type);
		default:
			return OidIsValid(get_element_type(type)) &&
				dogpile_timeword_has_times(get_element_type(type));
	}
}

/* Find the first of these words in a text; it must be a whole word.  Returns it, or NULL. */
static const char *
find_word(const char *text, const char *end)
{
	while (text < end)
	{
		const char *begin = text;

		while (text < end && isalpha((unsigned char) *text))
			text++;
		for (int i = 0; i < lengthof(words); i++)
			if (text - begin == strlen(words[i]) &&
				pg_strncasecmp(begin, words[i], text - begin) == 0)
				return words[i];
		if (text == begin)
			text++;
	}
	return NULL;
}

/* Does the text of a timetz have an offset, or the name of a time zone? */
static bool
has_offset(const char *text, const char *end)
{
	for (; text < end; text++)
		if (*text == '+' || *text == '-' || isalpha((unsigned char) *text))
			return true;
	return false;
}

/*
 * Does the value that a text has as a value of this type depend on the time?
 *
 * Returns a sentence in CurrentMemoryContext, or NULL.
 *
 * Errors: out of memory.
 */
char *
dogpile_timeword_check(const char *text, int len, Oid type)
{
	const char *word = find_word(text, text + len);

	if (word != NULL)
		return psprintf("Text '%s' depends on the time.", word);
	if (getBaseType(type) == TIMETZOID && !has_offset(text, text + len))
		return pstrdup("Text of a time without an offset depends on the time.");
	return NULL;
}

/* Count the words of a text, up to its end. */
static int
count_words(const char *text, const char *end)
{
	int			count = 0;

	for (; text < end; text++)
		if (isalpha((unsigned char) *text) && (text + 1 == end || !isalpha((unsigned char) text[1])))
			count++;
	return count;
}

/*
 * May one of the strings in a JSON or XML document be such a text?
 *
 * It is not known which of them become times.  So prose is distinguished from a time by its
 * number of words: a time has at most one more word, that of a zone, or "pm".
 *
 * Returns a sentence in CurrentMemoryContext, or NULL.
 *
 * Errors: out of memory.
 */
char *
dogpile_timeword_check_document(const char *text)
{
	while (*text != '\0')
	{
		const char *end = text + strcspn(text, "\"<>");
		const char *word = find_word(text, end);

		if (word != NULL && count_words(text, end) <= 2)
			return psprintf("Text '%s' depends on the time.", word);
		text = *end == '\0' ? end : end + 1;
	}
	return NULL;
}

/*
 * Find where a literal ends.
 *
 * quote: its first quote.
 * escapes: may a backslash precede a quote?
 */
static const char *
find_literal_end(const char *quote, bool escapes)
{
	const char *p = quote + 1;

	for (; *p != '\0'; p++)
	{
		if (escapes && *p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '\'' && p[1] == '\'')
			p++;
		else if (*p == '\'')
			break;
	}
	return p;
}

/*
 * Does a literal continue after its last quote?  That requires a newline before the next
 * quote; what else is between them is not examined.
 */
static bool
is_continued(const char *end)
{
	const char *next;

	if (*end == '\0')
		return false;
	next = end + 1 + strspn(end + 1, " \t\n\r\f\v");
	if (next[0] == '-' && next[1] == '-')
		next = strchr(next, '\n') ? strchr(next, '\n') : "";
	return *(next + strspn(next, " \t\n\r\f\v")) == '\'' && memchr(end, '\n', next + 1 - end) != NULL;
}

/*
 * Does the value of a literal in a statement depend on the time?  A literal with escapes is
 * not decoded, and counts as one that does.
 *
 * source: the text of the statement.
 * location: where the literal begins, in bytes.  There may also be a number, or another
 *		expression that has become a constant.
 *
 * Returns a sentence in CurrentMemoryContext, or NULL.
 *
 * Errors: out of memory.
 */
char *
dogpile_timeword_check_literal(const char *source, int location, Oid type)
{
	const char *begin = source + location;
	const char *quote = begin;
	const char *end;

	if (*begin == '$')
	{
		const char *tag_end = strchr(begin + 1, '$');
		char	   *tag;

		if (tag_end == NULL)
			return NULL;
		tag = pnstrdup(begin, tag_end + 1 - begin);
		end = strstr(tag_end + 1, tag);
		return end ? dogpile_timeword_check(tag_end + 1, end - tag_end - 1, type) : NULL;
	}
	while (quote < begin + 2 && *quote != '\0' && *quote != '\'')
		quote++;				/* over E, N or U& */
	if (*quote != '\'')
		return NULL;
	end = find_literal_end(quote, strchr("eE", *begin) != NULL);
	if (quote > begin && memchr(quote, '\\', end - quote) != NULL)
		return pstrdup("A literal with escapes may depend on the time.");
	if (is_continued(end))
		return pstrdup("A literal in several parts may depend on the time.");
	return dogpile_timeword_check(quote + 1, end - quote - 1, type);
}
