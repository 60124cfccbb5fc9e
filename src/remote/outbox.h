/*-------------------------------------------------------------------------
 *
 * outbox.h
 *	  What a transaction has to announce to other servers at COMMIT.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/outbox.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_OUTBOX_H
#define DOGPILE_OUTBOX_H

#include "xact/participant.h"

extern PGDLLIMPORT const DogpileParticipant dogpile_outbox_participant;

#endif							/* DOGPILE_OUTBOX_H */
