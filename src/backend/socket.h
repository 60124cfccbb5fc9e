/*-------------------------------------------------------------------------
 *
 * socket.h
 *	  Sockets of backends: waiting for them, and counting them.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/socket.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_SOCKET_H
#define DOGPILE_SOCKET_H

#include <sys/types.h>

#include "backend/backend.h"

extern bool dogpile_socket_count(bool *counted, char *what, size_t what_size);
extern void dogpile_socket_uncount(bool *counted);
extern void dogpile_socket_set_patience(int socket, bool *patient, bool wanted);
extern ssize_t dogpile_socket_peek(int socket, char *data, size_t size, int flags);
extern bool dogpile_socket_has_input(int socket);

#endif							/* DOGPILE_SOCKET_H */
