/*-------------------------------------------------------------------------
 *
 * address.h
 *	  Addresses of servers, as the settings have them.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/address.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_ADDRESS_H
#define DOGPILE_ADDRESS_H

#include "backend/backend.h"

/* Where a server listens. */
typedef struct DogpileAddress
{
	char		host[256];		/* a name, a number, or the path of a socket */
	int			port;			/* 0: a socket */
} DogpileAddress;

/* Room for an address as text. */
#define DOGPILE_ADDRESS_TEXT_SIZE	(sizeof(((DogpileAddress *) 0)->host) + 16)

extern int	dogpile_address_parse(const char *text, int default_port,
								  DogpileAddress **addresses,
								  DogpileBackendError *error);
extern void dogpile_address_print(const DogpileAddress *address, char *text);

#endif							/* DOGPILE_ADDRESS_H */
