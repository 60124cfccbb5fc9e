/*-------------------------------------------------------------------------
 *
 * resolve.h
 *	  The network addresses of a store server.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/resolve.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_RESOLVE_H
#define DOGPILE_RESOLVE_H

#include <sys/socket.h>

#include "backend/address.h"

/* So many addresses of one host are tried. */
#define DOGPILE_MAX_PLACES		8

/* One of them. */
typedef struct DogpilePlace
{
	struct sockaddr_storage address;
	socklen_t	len;
} DogpilePlace;

extern int	dogpile_resolve(const DogpileAddress *address, DogpilePlace *places,
							char *what, size_t what_size);

#endif							/* DOGPILE_RESOLVE_H */
