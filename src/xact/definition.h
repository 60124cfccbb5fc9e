/*-------------------------------------------------------------------------
 *
 * definition.h
 *	  What this transaction has changed in types, functions and other objects.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/xact/definition.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_DEFINITION_H
#define DOGPILE_DEFINITION_H

#include "version/object.h"
#include "xact/participant.h"

extern uint64 dogpile_definition_get_generation(void);
extern void dogpile_definition_init(void);
extern void dogpile_definition_resolve(void);
extern int	dogpile_definition_judge_type(uint32 hash);
extern bool dogpile_definition_concerns_builtins(uint32 hash);
extern bool dogpile_definition_is_temporary(Oid relid);
extern bool dogpile_definition_is_temporary_schema(uint32 hash);
extern int	dogpile_definition_reshaped(void);
extern int	dogpile_definition_own(void);
extern bool dogpile_definition_has_rare(void);

extern PGDLLIMPORT const DogpileParticipant dogpile_definition_participant;

#endif							/* DOGPILE_DEFINITION_H */
