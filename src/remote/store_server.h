/*-------------------------------------------------------------------------
 *
 * store_server.h
 *	  Store servers: which of them answer, as all sessions have seen it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/store_server.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_STORE_SERVER_H
#define DOGPILE_STORE_SERVER_H

#include "datatype/timestamp.h"

/* Longest address and error that are kept, with the terminator. */
#define DOGPILE_STORE_SERVER_NAME_LEN		128
#define DOGPILE_STORE_SERVER_ERROR_LEN	256

/* May it be asked? */
typedef enum DogpileStoreServerState
{
	DOGPILE_STORE_SERVER_UP,
	DOGPILE_STORE_SERVER_DOWN,	/* left alone until its time has come */
	DOGPILE_STORE_SERVER_PROBED /* ... which has: one session tries */
} DogpileStoreServerState;

/* What is known of a server, or of all servers of a region together. */
typedef struct DogpileStoreServerFacts
{
	char		backend[64];
	char		name[DOGPILE_STORE_SERVER_NAME_LEN];	/* addresses */
	DogpileStoreServerState state;
	bool		is_failing;		/* did the last call not work? */
	TimestampTz since;			/* of the state */
	char		last_error[DOGPILE_STORE_SERVER_ERROR_LEN]; /* or "" */
	TimestampTz last_error_at;	/* 0: never */
	uint64		operations;		/* calls that were answered */
	uint64		failures;		/* calls that were not */
	uint64		time_us;		/* that the answered ones took together */
} DogpileStoreServerFacts;

extern Size dogpile_store_server_shmem_size(void);
extern void dogpile_store_server_shmem_init(void);
extern int	dogpile_store_server_find(const char *backend, const char *name, uint32 login);
extern bool dogpile_store_server_may_ask(int server);
extern void dogpile_store_server_note_answer(int server, uint64 elapsed_us);
extern bool dogpile_store_server_note_failure(int server, bool unreachable,
											  const char *message);
extern bool dogpile_store_server_get(int i, DogpileStoreServerFacts *facts);

#endif							/* DOGPILE_STORE_SERVER_H */
