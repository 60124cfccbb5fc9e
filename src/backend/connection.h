/*-------------------------------------------------------------------------
 *
 * connection.h
 *	  A connection of a backend, with the wrappers around it.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/connection.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CONNECTION_H
#define DOGPILE_CONNECTION_H

#include "backend/backends.h"

/*
 * A chain of links: the wrappers, outermost first, and the backend.  It is
 * called by its first one: connection->functions->get(connection->link, ...).
 */
typedef struct DogpileConnection
{
	const DogpileBackend *functions;	/* all of them are there */
	void	   *link;
} DogpileConnection;

extern DogpileConnection *dogpile_connection_open(const char *backend, const char *wrap,
												  const DogpileBackendOptions *options,
												  DogpileBackendError *error);
extern void dogpile_connection_close(DogpileConnection *connection);

#endif							/* DOGPILE_CONNECTION_H */
