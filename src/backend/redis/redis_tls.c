/*-------------------------------------------------------------------------
 *
 * redis_tls.c
 *	  Encrypted connections to Redis.
 *
 * hiredis has this since 1.0, in a library of its own, hiredis_ssl; the Makefile
 * defines USE_REDIS_TLS where it is found.  What hiredis makes of a certificate
 * differs between its versions, and none of them compares the host's name.  So
 * the OpenSSL objects are made here, and hiredis only uses them.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/redis/redis_tls.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <hiredis/hiredis.h>

#include "backend/redis/redis_tls.h"

#if defined(USE_REDIS_TLS) && HIREDIS_MAJOR >= 1

#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "backend/memory.h"
#include "storage/latch.h"

struct DogpileRedisTls
{
	SSL_CTX    *context;
	bool		verify;
};

/* Was the library built with TLS? */
bool
dogpile_redis_tls_is_built(void)
{
	return true;
}

/* Report what OpenSSL reports.  Always returns false. */
static bool
fail_tls(const char *step, char *what, size_t what_size)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

	snprintf(what, what_size, "TLS: %s: %s", step, reason == NULL ? "connection lost" : reason);
	ERR_clear_error();
	return false;
}

/* What all connections of a link have in common. */
static DogpileRedisTls *
make_tls(const DogpileBackendOptions *options, char *what, size_t what_size)
{
	DogpileRedisTls *tls = dogpile_memory_alloc0(sizeof(DogpileRedisTls));
	bool		loaded = true;

	if (tls == NULL || (tls->context = SSL_CTX_new(TLS_client_method())) == NULL)
	{
		snprintf(what, what_size, "out of memory");
		dogpile_memory_free(tls);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
	tls->verify = strcmp(options->tls, "verify") == 0;
	SSL_CTX_set_verify(tls->context, tls->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (options->tls_ca_file[0] != '\0')
		loaded = SSL_CTX_load_verify_locations(tls->context, options->tls_ca_file, NULL) == 1;
	else if (tls->verify)
		loaded = SSL_CTX_set_default_verify_paths(tls->context) == 1;
	if (!loaded)
	{
		fail_tls("certificates of authorities", what, what_size);
		dogpile_redis_tls_destroy(tls);
		return NULL;
	}
	return tls;
}

void
dogpile_redis_tls_destroy(DogpileRedisTls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->context);
	dogpile_memory_free(tls);
}

/* Set the name or the number of the host that is expected; sockets have none. */
static bool
set_host(SSL *ssl, const DogpileAddress *address, bool verify)
{
	unsigned char number[16];

	if (address->port == 0)
		return true;
	if (inet_pton(AF_INET, address->host, number) == 1 ||
		inet_pton(AF_INET6, address->host, number) == 1)
		return !verify ||
			X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address->host) == 1;
	if (SSL_set_tlsext_host_name(ssl, address->host) != 1)
		return false;
	return !verify || SSL_set1_host(ssl, address->host) == 1;
}

/* Perform the handshake, waiting until the deadline. */
static bool
shake_hands(SSL *ssl, int fd, int64 deadline, char *what, size_t what_size)
{
	for (;;)
	{
		int			result;
		int			events;

		ERR_clear_error();
		result = SSL_do_handshake(ssl);
		if (result == 1)
			return true;
		switch (SSL_get_error(ssl, result))
		{
			case SSL_ERROR_WANT_READ:
				events = WL_SOCKET_READABLE;
				break;
			case SSL_ERROR_WANT_WRITE:
				events = WL_SOCKET_WRITEABLE;
				break;
			default:
				if (SSL_get_verify_result(ssl) != X509_V_OK &&
					SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE)
				{
					ERR_clear_error();
					snprintf(what, what_size, "TLS: certificate: %s",
							 X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
					return false;
				}
				return fail_tls("handshake", what, what_size);
		}
		if (!dogpile_backend_wait(fd, events, deadline))
		{
			snprintf(what, what_size, "timeout of the TLS handshake");
			return false;
		}
	}
}

/*
 * Encrypt a connection from now on.
 *
 * tls: what the link keeps for all its connections, made if it is NULL.
 * what: gets the reason if it fails.
 */
bool
dogpile_redis_tls_start(DogpileRedisTls **tls, const DogpileBackendOptions *options,
						const DogpileAddress *address, redisContext *context,
						int64 deadline, char *what, size_t what_size)
{
	SSL		   *ssl;

	if (*tls == NULL && (*tls = make_tls(options, what, what_size)) == NULL)
		return false;
	ERR_clear_error();
	ssl = SSL_new((*tls)->context);
	if (ssl == NULL || !set_host(ssl, address, (*tls)->verify))
	{
		SSL_free(ssl);
		return fail_tls("name of the host", what, what_size);
	}

	/* This begins the handshake already. */
	if (redisInitiateSSL(context, ssl) != REDIS_OK)
	{
		/* Whether it has freed "ssl" depends on the version, so leak it. */
		return fail_tls("handshake", what, what_size);
	}
	return shake_hands(ssl, context->fd, deadline, what, what_size);
}

#else							/* no TLS */

bool
dogpile_redis_tls_is_built(void)
{
	return false;
}

void
dogpile_redis_tls_destroy(DogpileRedisTls *tls)
{
}

bool
dogpile_redis_tls_start(DogpileRedisTls **tls, const DogpileBackendOptions *options,
						const DogpileAddress *address, redisContext *context,
						int64 deadline, char *what, size_t what_size)
{
	snprintf(what, what_size, "this build of dogpile has no TLS for Redis");
	return false;
}

#endif
