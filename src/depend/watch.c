/*-------------------------------------------------------------------------
 *
 * watch.c
 *	  Row tags: invalidating by tags that are made from the rows that change.
 *
 * A relation is watched if it has our trigger, which makes tags from each row that is
 * inserted, updated or deleted, as its arguments say, and invalidates them at COMMIT.
 * Nothing else is stored: pg_dump dumps the trigger, it is dropped with its table, and no
 * table of ours has to agree with it.
 *
 * It is a row trigger, although a statement trigger with transition tables would be called
 * less often: those do not fire for changes of an apply worker of logical replication, a
 * partition cannot have one, and transition tables cost more than most changes of a few
 * rows.  It is enabled ALWAYS, so that it fires under session_replication_role = replica,
 * too.
 *
 * A *template* is a text such as "user:{user_id}": literal parts, and columns in braces.
 * A column is replaced by the text that its type's output function returns.  That must
 * not depend on settings, or the session that changes a row would invalidate another tag
 * than the one that the entry has.
 *
 * An entry with a tag that a template could have made (spelling.c) need not depend on all
 * rows of the table.  That is right only for rows that the trigger has seen; so it counts
 * them, and if at COMMIT more rows have changed (TRUNCATE, a disabled trigger), all entries
 * that depend on the table are invalidated.  So a trigger that cannot make its tags,
 * because the column was dropped, only warns and does not count the row; it never fails the
 * user's statement.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/watch.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/reltrigger.h"

#include "depend/spelling.h"
#include "depend/watch.h"
#include "xact/change.h"
#include "xact/xact.h"

/* A part of a template. */
typedef struct Part
{
	char	   *text;			/* literal text, or the name of a column */
	int			len;
	AttrNumber	attnum;			/* of a column; 0: not looked up, or a literal */
	bool		is_column;
	FmgrInfo	output;			/* of a column, after it was looked up */
} Part;

/* A parsed template. */
typedef struct Template
{
	const char *text;
	int			nparts;
	Part		parts[FLEXIBLE_ARRAY_MEMBER];
} Template;

/* A tag that a statement has already invalidated. */
typedef struct RecentTag
{
	uint64		round;			/* see Watcher */
	int			len;
	char		text[FLEXIBLE_ARRAY_MEMBER];
} RecentTag;

/* How many are remembered; a power of two. */
#define RECENT_TAGS		1024

/*
 * What a trigger does, looked up once for each statement that fires it.  The relation is
 * locked until then, so neither it nor the trigger can change.
 *
 * A statement may change many rows with the same tag.  It is invalidated only once, as long
 * as nothing else was added to the transaction's log: what was stored in between must be
 * invalidated again.
 */
typedef struct Watcher
{
	Oid			trigger;
	TupleDesc	desc;
	MemoryContext context;		/* in which this struct is allocated */
	bool		counts;			/* does it make all tags of a row? */
	RecentTag **recent;			/* by slot; NULL in the first row */
	uint64		round;			/* tags of earlier rounds do not count */
	DogpileLogPosition position;	/* of the log when the last row was done */
	int			ntemplates;
	Template   *templates[FLEXIBLE_ARRAY_MEMBER];
} Watcher;

PG_FUNCTION_INFO_V1(dogpile_watch_changes);

/* --------------------------------------------------------------------
 * Templates
 * --------------------------------------------------------------------
 */

/* Report that a template cannot be parsed; returns NULL if that is not an error. */
static Template *
reject_template(const char *text, const char *detail, int elevel)
{
	ereport(elevel,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid template of tags \"%s\"", text),
			 errdetail_internal("%s", detail)));
	return NULL;
}

/* The maximum number of parts that a template can have. */
static int
count_parts(const char *text)
{
	int			count = 1;

	for (const char *p = text; (p = strchr(p, '{')) != NULL; p++)
		count += 2;
	return count;
}

/* Append a byte to the literal at the end of a template. */
static void
append_literal(Template *template, char *buffer, char byte)
{
	Part	   *part = &template->parts[template->nparts - 1];

	if (template->nparts == 0 || part->is_column)
	{
		part = &template->parts[template->nparts++];
		part->text = buffer;
	}
	part->text[part->len++] = byte;
}

static void
append_column(Template *template, const char *name, int len)
{
	Part	   *part = &template->parts[template->nparts++];

	part->text = pnstrdup(name, len);
	part->len = len;
	part->is_column = true;
}

/*
 * Parse a template.  Columns are not looked up.
 *
 * Returns it in CurrentMemoryContext; it points into the text.  If it cannot be parsed,
 * raises a message of that level, and returns NULL.
 */
static Template *
parse_template(const char *text, int elevel)
{
	Template   *template = palloc0(offsetof(Template, parts) +
								   count_parts(text) * sizeof(Part));
	char	   *literals = palloc(strlen(text) + 1);
	int			nliterals = 0;
	bool		has_column = false;

	template->text = text;
	for (const char *p = text; *p != '\0'; p++)
	{
		if ((*p == '{' || *p == '}') && p[1] != *p)
		{
			const char *end = strchr(p, '}');

			if (*p == '}' || end == NULL)
				return reject_template(text, "The name of a column is between braces; \"{{\" and \"}}\" stand for braces.", elevel);
			append_column(template, p + 1, end - p - 1);
			has_column = true;
			p = end;
			continue;
		}
		append_literal(template, literals + nliterals++, *p);
		if (*p == '{' || *p == '}')
			p++;
	}
	if (!has_column)
		return reject_template(text, "It must name a column in braces.", elevel);
	if (nliterals > DOGPILE_MAX_TAG_LENGTH)
		return reject_template(text, psprintf("Its tags would have more than %d bytes.",
											  DOGPILE_MAX_TAG_LENGTH), elevel);
	return template;
}

/*
 * Does an output function always return the same text for a value?
 *
 * Some built-in ones depend on settings (extra_float_digits, bytea_output), but are
 * declared IMMUTABLE nevertheless.
 */
static bool
is_output_immutable(Oid output)
{
	switch (output)
	{
		case F_BYTEAOUT:
		case F_FLOAT4OUT:
		case F_FLOAT8OUT:
		case F_POINT_OUT:
		case F_LSEG_OUT:
		case F_PATH_OUT:
		case F_BOX_OUT:
		case F_POLY_OUT:
		case F_LINE_OUT:
		case F_CIRCLE_OUT:
			return false;
		default:
			return func_volatile(output) == PROVOLATILE_IMMUTABLE;
	}
}

/* The hint of a trigger whose template has become unusable. */
static int
hint_if_warning(int elevel)
{
	if (elevel >= ERROR)
		return 0;
	return errhint("Until dogpile_unwatch() is called for these tags, each change of a row invalidates all entries that are known to depend on the relation.");
}

/* The column of this name, or NULL if there is none. */
static const FormData_pg_attribute *
find_column(Relation rel, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att;
	}
	return NULL;
}

/* Look up a column.  If it cannot be used, raises a message and returns false. */
static bool
resolve_column(Relation rel, Part *part, int elevel)
{
	const FormData_pg_attribute *att = find_column(rel, part->text);
	Oid			output;
	bool		is_varlena;

	if (att == NULL)
	{
		ereport(elevel,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						part->text, RelationGetRelationName(rel)),
				 hint_if_warning(elevel)));
		return false;
	}
	getTypeOutputInfo(att->atttypid, &output, &is_varlena);
	/* A virtual generated column has no value in the row. */
	if (!is_output_immutable(output) ||
		(att->attgenerated != '\0' && att->attgenerated != ATTRIBUTE_GENERATED_STORED))
	{
		ereport(elevel,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot build tags from column \"%s\" of type %s",
						part->text, format_type_be(att->atttypid)),
				 att->attgenerated != '\0' && is_output_immutable(output) ?
				 errdetail("It is a virtual generated column.") :
				 errdetail("The text of such values depends on settings, or on more than the value."),
				 hint_if_warning(elevel)));
		return false;
	}
	part->attnum = att->attnum;
	fmgr_info(output, &part->output);
	return true;
}

/*
 * Parse a template and look up its columns.
 *
 * Returns it in CurrentMemoryContext; if it is not valid, raises a message of that level
 * and returns NULL.
 */
static Template *
resolve_template(Relation rel, const char *text, int elevel)
{
	Template   *template = parse_template(text, elevel);

	for (int i = 0; template != NULL && i < template->nparts; i++)
		if (template->parts[i].is_column &&
			!resolve_column(rel, &template->parts[i], elevel))
			return NULL;
	return template;
}

/*
 * Check that tags can be made from the rows of a relation.
 *
 * Errors: the template cannot be parsed; a column does not exist, or is of a type whose
 * texts depend on settings.  Locks: the relation must be locked.
 */
void
dogpile_watch_check_template(Relation rel, const char *text)
{
	(void) resolve_template(rel, text, ERROR);
}

/* Find the first occurrence of a literal in a part of a tag, or NULL. */
static const char *
find_literal(const Part *part, const char *from, const char *end)
{
	for (; end - from >= part->len; from++)
		if (memcmp(from, part->text, part->len) == 0)
			return from;
	return NULL;
}

/* Could any text be the text of a value of this column? */
static bool
is_free(Relation rel, const Part *column)
{
	const FormData_pg_attribute *att = find_column(rel, column->text);

	return att != NULL && dogpile_spelling_is_free(att);
}

/*
 * Could this be the text of a column's value, and of the values in all rows that a query
 * finds by it?  So neither 'user:all' nor 'user:07' counts as a user's tag.  A null becomes
 * an empty text.
 */
static bool
could_be(Relation rel, const Part *column, const char *text, const char *end)
{
	const FormData_pg_attribute *att = find_column(rel, column->text);

	return att != NULL &&
		(text == end || dogpile_spelling_is_canonical(att, text, end - text));
}

/*
 * Could a template have made a tag?
 *
 * A literal is matched where it first occurs, which leaves most to the following parts;
 * but one at the end of the template must match at the end.
 */
static bool
could_make(Relation rel, const Template *template, const char *tag, size_t len)
{
	const char *end = tag + len;
	const Part *column = NULL;	/* the one whose text begins at the tag */

	for (int i = 0; i < template->nparts; i++)
	{
		const Part *part = &template->parts[i];
		const char *found = tag;

		if (part->is_column)
		{
			/* It is not known where one column ends and the next one begins. */
			if (column != NULL && !(is_free(rel, column) && is_free(rel, part)))
				return false;
			column = part;
			continue;
		}
		if (column != NULL && i < template->nparts - 1)
			found = find_literal(part, tag, end);
		else if (column != NULL && end - tag >= part->len)
			found = end - part->len;
		if (found == NULL || end - found < part->len ||
			memcmp(found, part->text, part->len) != 0 ||
			(column != NULL && !could_be(rel, column, tag, found)))
			return false;
		tag = found + part->len;
		column = NULL;
	}
	return column != NULL ? could_be(rel, column, tag, end) : tag == end;
}

/* --------------------------------------------------------------------
 * What is watched
 * --------------------------------------------------------------------
 */

/* The trigger with our name, as the relation cache has it now, or NULL. */
static const Trigger *
find_named_trigger(Relation rel)
{
	TriggerDesc *desc = rel->trigdesc;

	for (int i = 0; desc != NULL && i < desc->numtriggers; i++)
		if (strcmp(desc->triggers[i].tgname, DOGPILE_WATCH_TRIGGER) == 0)
			return &desc->triggers[i];
	return NULL;
}

/*
 * Find the trigger by which a relation is watched.
 *
 * Returns it as the relation cache has it, or NULL.  It must not be used any more after a
 * catalog was read or a lock was taken, because that may rebuild the relation cache's
 * entry.  Our function is recognized by its address, so it does not matter in which schema
 * the extension is.
 *
 * Errors: a trigger of that name calls another function, which cannot be loaded.
 * Locks: the relation must be locked.
 */
const Trigger *
dogpile_watch_find(Relation rel)
{
	const Trigger *trigger = find_named_trigger(rel);
	FmgrInfo	function;

	if (trigger == NULL)
		return NULL;
	fmgr_info(trigger->tgfoid, &function);
	if (function.fn_addr != dogpile_watch_changes)
		return NULL;

	/*
	 * That has read a catalog, so find it again.  It may be another trigger
	 * now.
	 */
	trigger = find_named_trigger(rel);
	return trigger != NULL && trigger->tgfoid == function.fn_oid ? trigger : NULL;
}

/* Could a template, if it is valid, have made any of an entry's tags? */
static bool
could_make_any(Relation rel, const char *text, const DogpileTags *tags)
{
	Template   *template = parse_template(text, DEBUG1);
	const char *p = NULL;

	for (uint32 i = 0; template != NULL && i < tags->count; i++)
	{
		const char *tag;
		size_t		len;

		p = dogpile_tag_next(tags, p, &tag, &len);
		if (could_make(rel, template, tag, len))
			return true;
	}
	return false;
}

/*
 * Does a tag of an entry make it unnecessary that it depends on all rows of a relation,
 * because the relation's trigger makes such tags?
 *
 * region, tags: of the entry; tags are those that the user has given, or NULL.
 *
 * A trigger that does not fire for every change does not count; see the head of this file
 * for changes that it has not seen.
 *
 * Errors: out of memory.  Locks: takes and releases AccessShareLock on the
 * relation.
 */
bool
dogpile_watch_covers(Oid relid, const char *region, const DogpileTags *tags)
{
	Relation	rel = tags ? try_relation_open(relid, AccessShareLock) : NULL;
	const Trigger *trigger;
	bool		covered = false;

	if (rel == NULL)
		return false;
	trigger = dogpile_watch_find(rel);
	if (trigger != NULL && trigger->tgenabled == TRIGGER_FIRES_ALWAYS)
		for (int i = 0; i + 1 < trigger->tgnargs && !covered; i += 2)
			covered = (trigger->tgargs[i + 1][0] == '\0' ||
					   pg_strcasecmp(trigger->tgargs[i + 1], region) == 0) &&
				could_make_any(rel, trigger->tgargs[i], tags);
	relation_close(rel, AccessShareLock);
	return covered;
}

/* --------------------------------------------------------------------
 * The trigger
 * --------------------------------------------------------------------
 */

/* Is this template among those before it, for another region? */
static bool
is_repeated(char *const *args, int i)
{
	for (int before = 0; before < i; before += 2)
		if (strcmp(args[before], args[i]) == 0)
			return true;
	return false;
}

/*
 * Look up what a trigger does.  Only the one that dogpile_watch_find() finds counts rows, so
 * that no row is counted twice.
 */
static Watcher *
make_watcher(Relation rel, const Trigger *trigger)
{
	Watcher    *watcher = palloc0(offsetof(Watcher, templates) +
								  trigger->tgnargs * sizeof(Template *));

	watcher->trigger = trigger->tgoid;
	watcher->desc = RelationGetDescr(rel);
	watcher->context = CurrentMemoryContext;
	watcher->counts = strcmp(trigger->tgname, DOGPILE_WATCH_TRIGGER) == 0;
	for (int i = 0; i < trigger->tgnargs; i += 2)
	{
		Template   *template;

		if (is_repeated(trigger->tgargs, i))
			continue;
		template = resolve_template(rel, trigger->tgargs[i], WARNING);
		if (template != NULL)
			watcher->templates[watcher->ntemplates++] = template;
		else
			watcher->counts = false;
	}
	return watcher;
}

/* Get what the trigger does, which is kept from one call to the next. */
static Watcher *
get_watcher(FmgrInfo *flinfo, const TriggerData *data)
{
	Watcher    *watcher = flinfo->fn_extra;
	MemoryContext oldcontext;

	if (watcher != NULL && watcher->trigger == data->tg_trigger->tgoid &&
		watcher->desc == RelationGetDescr(data->tg_relation))
	{
		/* Most statements change one row, and need not remember tags. */
		if (watcher->recent == NULL)
			watcher->recent = MemoryContextAllocZero(watcher->context,
													 RECENT_TAGS * sizeof(RecentTag *));
		return watcher;
	}
	oldcontext = MemoryContextSwitchTo(flinfo->fn_mcxt);
	watcher = make_watcher(data->tg_relation, data->tg_trigger);
	flinfo->fn_extra = watcher;
	MemoryContextSwitchTo(oldcontext);
	return watcher;
}

/*
 * Make the tag of a row.
 *
 * tag: a buffer of DOGPILE_MAX_TAG_LENGTH bytes.
 *
 * Returns its length in bytes, or -1 if it is longer than any tag of an entry can be.
 */
static int
make_tag(Template *template, TupleTableSlot *row, char *tag)
{
	int			len = 0;

	for (int i = 0; i < template->nparts; i++)
	{
		Part	   *part = &template->parts[i];
		const char *text = part->text;
		size_t		text_len = part->len;

		if (part->is_column)
		{
			bool		isnull;
			Datum		value = slot_getattr(row, part->attnum, &isnull);

			text = isnull ? "" : OutputFunctionCall(&part->output, value);
			text_len = strlen(text);
		}
		if (text_len > (size_t) (DOGPILE_MAX_TAG_LENGTH - len))
			return -1;
		memcpy(tag + len, text, text_len);
		len += text_len;
	}
	return len;
}

/*
 * Has this statement already invalidated a tag?  If not, remember it.
 *
 * slot: the tag's, which serves as its hash.
 */
static bool
is_recent(Watcher *watcher, DogpileSlot slot, const char *tag, int len)
{
	RecentTag **place;
	RecentTag  *recent;

	if (watcher->recent == NULL)
		return false;
	place = &watcher->recent[slot % RECENT_TAGS];
	recent = *place;
	if (recent != NULL && recent->round == watcher->round && recent->len == len &&
		memcmp(recent->text, tag, len) == 0)
		return true;
	if (recent != NULL)
		pfree(recent);
	recent = MemoryContextAlloc(watcher->context, offsetof(RecentTag, text) + len);
	recent->round = watcher->round;
	recent->len = len;
	memcpy(recent->text, tag, len);
	*place = recent;
	return false;
}

/* Invalidate a tag at COMMIT, on this server and on others. */
static void
invalidate_tag(Watcher *watcher, const char *tag, int len)
{
	size_t		tag_len = len;
	DogpileTags *tags = dogpile_tag_build(&tag, &tag_len, 1);

	if (is_recent(watcher, tags->slots[0], tag, len))
		return;
	dogpile_xact_invalidate(tags->slots[0], true);
	dogpile_xact_announce_tags(tags, true);
}

/* Invalidate the tags that a template makes from the old and the new row. */
static void
invalidate_row(Watcher *watcher, Template *template, TupleTableSlot *old,
			   TupleTableSlot *new)
{
	char		old_tag[DOGPILE_MAX_TAG_LENGTH];
	char		new_tag[DOGPILE_MAX_TAG_LENGTH];
	int			old_len = old ? make_tag(template, old, old_tag) : -1;
	int			new_len = new ? make_tag(template, new, new_tag) : -1;

	if (old_len >= 0)
		invalidate_tag(watcher, old_tag, old_len);
	if (new_len >= 0 &&
		(new_len != old_len || memcmp(new_tag, old_tag, new_len) != 0))
		invalidate_tag(watcher, new_tag, new_len);
}

/* Invalidate the tags that all templates make from the old and the new row. */
static void
invalidate_all(Watcher *watcher, TupleTableSlot *old, TupleTableSlot *new)
{
	if (watcher->position != dogpile_xact_get_position())
		watcher->round++;
	for (int i = 0; i < watcher->ntemplates; i++)
		invalidate_row(watcher, watcher->templates[i], old, new);
	watcher->position = dogpile_xact_get_position();
}

/*
 * dogpile_watch_changes(template, region, ...)
 *
 * The trigger function.  Its caller frees the memory that it allocates for a row.
 */
Datum
dogpile_watch_changes(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TupleTableSlot *old;
	TupleTableSlot *new;
	Watcher    *watcher;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called by an AFTER ROW trigger",
						DOGPILE_WATCH_FUNCTION)));

	/* A server that has not preloaded the module caches nothing. */
	if (dogpile_version_table == NULL)
		return PointerGetDatum(NULL);

	watcher = get_watcher(fcinfo->flinfo, data);
	old = TRIGGER_FIRED_BY_INSERT(data->tg_event) ? NULL : data->tg_trigslot;
	new = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newslot :
		TRIGGER_FIRED_BY_INSERT(data->tg_event) ? data->tg_trigslot : NULL;
	invalidate_all(watcher, old, new);
	if (watcher->counts)
		dogpile_change_count_seen(RelationGetRelid(data->tg_relation));
	return PointerGetDatum(NULL);
}
