/*-------------------------------------------------------------------------
 *
 * result.h
 *	  A value on its way to the caller: types checked and converted.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/entry/result.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_RESULT_H
#define DOGPILE_RESULT_H

#include "entry/value.h"

#include "nodes/execnodes.h"

/*
 * What the caller of an SQL function wants: determines what a creator query may
 * return, and how a value, stored or just created, is returned to the caller.
 */
typedef enum DogpileForm
{
	DOGPILE_FORM_TEXT,			/* one value, of any type, as text */
	DOGPILE_FORM_SCALAR,		/* one value (or one row) of type typid */
	DOGPILE_FORM_SET			/* all rows, of the row type desc */
} DogpileForm;

typedef struct DogpileShape
{
	DogpileForm form;
	Oid			typid;			/* FORM_SCALAR; FORM_SET of a non-row type */
	int32		typmod;			/* of typid, if the call tells it; else -1 */
	TupleDesc	desc;			/* FORM_SET: the columns the caller expects;
								 * FORM_SCALAR of a composite type: its
								 * columns; else NULL */
	bool		is_named;		/* are these the columns of a named type,
								 * which may have had others when a value was
								 * stored? */
} DogpileShape;

/*
 * A value as the SQL functions get it: either the stored record or, if this session
 * has just created it, the rows that the query returned.
 */
typedef struct DogpileResult
{
	Tuplestorestate *rows;		/* just created; else NULL and record is set */
	TupleDesc	desc;			/* of rows */
	DogpileValueReader record;
} DogpileResult;

extern void dogpile_result_check_shape(TupleDesc desc, const DogpileShape *shape);
extern const char *dogpile_result_explain_misfit(TupleDesc desc,
												 const DogpileShape *shape);
extern bool dogpile_result_matches(const DogpileValueReader *record,
								   const DogpileShape *shape);
extern bool dogpile_result_fits(const DogpileValueReader *record,
								const DogpileShape *shape);
extern void dogpile_result_check_rows(Tuplestorestate *rows, const DogpileShape *shape);
extern Datum dogpile_result_get_scalar(const DogpileResult *result,
									   const DogpileShape *shape, bool *isnull);
extern void dogpile_result_put_set(const DogpileResult *result,
								   const DogpileShape *shape,
								   ReturnSetInfo *rsinfo);

#endif							/* DOGPILE_RESULT_H */
