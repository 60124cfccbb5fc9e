/*-------------------------------------------------------------------------
 *
 * target.c
 *	  Whether PL/pgSQL is about to convert what it computes to a time.
 *
 * PL/pgSQL itself converts a value to the type of the variable to which it assigns the
 * value, and to the type that the function returns.  In "DECLARE t timestamptz := 'now'",
 * no expression that is analyzed converts the text to a time.  So this file finds out
 * from the statement that runs which variables may get values, and statement.c, when the
 * statement's query is planned, lets texts be checked.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/depend/target.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "depend/target.h"
#include "depend/timeword.h"

/* The type, if its values are or contain times; else InvalidOid. */
static Oid
keep_times(Oid type)
{
	return OidIsValid(type) && dogpile_timeword_has_times(type) ? type : InvalidOid;
}

/* The same for a column of a row type, counted from 0. */
static Oid
judge_column(Oid row_type, int column)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_noerror(row_type, -1, true);
	Oid			type = InvalidOid;

	for (int i = 0; desc != NULL && i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped && column-- == 0)
			type = TupleDescAttr(desc, i)->atttypid;
	if (desc != NULL)
		ReleaseTupleDesc(desc);
	return keep_times(type);
}

/* For a field of a record, which has the type that was assigned last if it has no row type. */
static Oid
judge_field(const PLpgSQL_execstate *estate, const PLpgSQL_recfield *field)
{
	const PLpgSQL_rec *parent = (const PLpgSQL_rec *) estate->datums[field->recparentno];

	return parent->rectypeid == RECORDOID ? TIMESTAMPTZOID : keep_times(parent->rectypeid);
}

/* The type to which a column of a result is converted when it is assigned to a variable. */
static Oid
judge_variable(const PLpgSQL_execstate *estate, int number, const DogpileTargetColumn *column)
{
	const PLpgSQL_datum *datum = estate->datums[number];
	const PLpgSQL_row *row = (const PLpgSQL_row *) datum;
	Oid			type;

	switch (datum->dtype)
	{
		case PLPGSQL_DTYPE_VAR:
		case PLPGSQL_DTYPE_PROMISE:
			return keep_times(((const PLpgSQL_var *) datum)->datatype->typoid);
		case PLPGSQL_DTYPE_RECFIELD:
			return judge_field(estate, (const PLpgSQL_recfield *) datum);
		case PLPGSQL_DTYPE_REC:
			type = ((const PLpgSQL_rec *) datum)->rectypeid;
			if (type == RECORDOID)
				return InvalidOid;
			return column->is_row ? keep_times(type) : judge_column(getBaseType(type), column->number);
		case PLPGSQL_DTYPE_ROW:
			if (column->is_row)
				return RECORDOID;
			return column->number < row->nfields && row->varnos[column->number] >= 0 ?
				judge_variable(estate, row->varnos[column->number], column) : InvalidOid;
	}
	return InvalidOid;
}

/* The same for the default of a variable of a block. */
static Oid
judge_block(const PLpgSQL_execstate *estate, const PLpgSQL_stmt_block *block,
			const DogpileTargetColumn *column)
{
	Oid			type = InvalidOid;

	for (int i = 0; i < block->n_initvars && !OidIsValid(type); i++)
	{
		const PLpgSQL_variable *variable =
			(const PLpgSQL_variable *) estate->datums[block->initvarnos[i]];

		if (variable->default_val != NULL &&
			strcmp(variable->default_val->query, column->source) == 0)
			type = judge_variable(estate, variable->dno, column);
	}
	return type;
}

/*
 * The same for arguments of a cursor, and for its rows, which any variable may get later.
 * A cursor that the function returns can be used anywhere.
 *
 * arguments: the expression for the arguments, or NULL.
 */
static Oid
judge_cursor(const PLpgSQL_execstate *estate, int cursor, const PLpgSQL_expr *arguments,
			 const DogpileTargetColumn *column)
{
	int			row = ((const PLpgSQL_var *) estate->datums[cursor])->cursor_explicit_argrow;
	Oid			type = InvalidOid;

	if (arguments != NULL && row >= 0 && strcmp(arguments->query, column->source) == 0)
		return judge_variable(estate, row, column);
	if (estate->func->fn_rettype == REFCURSOROID)
		return TIMESTAMPTZOID;
	for (int i = 0; i < estate->ndatums && !OidIsValid(type); i++)
		if (estate->datums[i]->dtype == PLPGSQL_DTYPE_VAR ||
			estate->datums[i]->dtype == PLPGSQL_DTYPE_REC)
			type = judge_variable(estate, i, column);
	return type;
}

/* The same for the target of INTO or of a loop; NULL: there is none. */
static Oid
judge_target(const PLpgSQL_execstate *estate, const PLpgSQL_variable *target,
			 const DogpileTargetColumn *column)
{
	return target != NULL ? judge_variable(estate, target->dno, column) : InvalidOid;
}

/*
 * Does a statement convert a column of its query to a time?
 *
 * estate: of the function that runs it.
 *
 * Returns the type that it is converted to, if values of it are or contain times; else
 * InvalidOid.  RECORDOID: one of several types.
 *
 * Errors: a type was dropped just now.  Locks: no LWLock may be held.
 */
Oid
dogpile_target_find_time(const PLpgSQL_execstate *estate, const PLpgSQL_stmt *statement,
						 const DogpileTargetColumn *column)
{
	switch (statement->cmd_type)
	{
		case PLPGSQL_STMT_BLOCK:
			return judge_block(estate, (const PLpgSQL_stmt_block *) statement, column);
		case PLPGSQL_STMT_ASSIGN:
			return judge_variable(estate, ((const PLpgSQL_stmt_assign *) statement)->varno, column);
		case PLPGSQL_STMT_FOREACH_A:
			return judge_variable(estate, ((const PLpgSQL_stmt_foreach_a *) statement)->varno, column);
		case PLPGSQL_STMT_FORS:
		case PLPGSQL_STMT_DYNFORS:
			return judge_target(estate, ((const PLpgSQL_stmt_forq *) statement)->var, column);
		case PLPGSQL_STMT_EXECSQL:
			return judge_target(estate, ((const PLpgSQL_stmt_execsql *) statement)->target, column);
		case PLPGSQL_STMT_DYNEXECUTE:
			return judge_target(estate, ((const PLpgSQL_stmt_dynexecute *) statement)->target, column);
		case PLPGSQL_STMT_RETURN:
		case PLPGSQL_STMT_RETURN_NEXT:
			return keep_times(estate->func->fn_rettype);
		case PLPGSQL_STMT_OPEN:
			return judge_cursor(estate, ((const PLpgSQL_stmt_open *) statement)->curvar,
								((const PLpgSQL_stmt_open *) statement)->argquery, column);
		case PLPGSQL_STMT_FORC:
			return judge_cursor(estate, ((const PLpgSQL_stmt_forc *) statement)->curvar,
								((const PLpgSQL_stmt_forc *) statement)->argquery, column);
		default:
			return InvalidOid;
	}
}
