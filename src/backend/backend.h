/*-------------------------------------------------------------------------
 *
 * backend.h
 *	  The contract of a backend: where values live outside this server.
 *
 * A backend keeps bytes under names, as memcached and Redis do.  store_remote.c
 * makes any backend the store of a region: it knows what the bytes mean, when they
 * are fresh, and what a failure means.
 *
 * This header is installed.  A module of your own that is preloaded after
 * dogpile (shared_preload_libraries = 'dogpile, my_store') registers a backend
 * by dogpile_backend_register() from its _PG_init(), and a region uses it by
 * dogpile_<region>.backend = 'my_store'.  test/modules has an example, and
 * backend_null.c is the shortest there can be.
 *
 * Rules for all functions of a backend:
 *
 *	- They are called in a session or in dogpile's worker, with no LWLock held,
 *	  and one at a time.
 *	- Errors are answers, described in *error.  The only thing that may be raised
 *	  is what CHECK_FOR_INTERRUPTS() raises while a function waits; see
 *	  dogpile_backend_wait().  A connection that was left by such an error must
 *	  notice that at its next call, and begin anew.
 *	- They are also called when a transaction has just committed, with
 *	  interrupts held off.  Nothing at all may be raised there, not even "out of
 *	  memory": what a function needs comes from malloc(), or from
 *	  MemoryContextAllocExtended() with MCXT_ALLOC_NO_OOM.
 *	- CurrentMemoryContext lives as long as the connection, and is deleted after
 *	  close().  In check() it is the caller's.
 *	- No wait is longer than the timeouts in the options.
 *	- What a function returns is valid until the next call on the connection.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/backend.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_BACKEND_H
#define DOGPILE_BACKEND_H

/* Incremented with every change below that breaks existing modules. */
#define DOGPILE_BACKEND_ABI			1

/* Longest name of an item, in bytes. */
#define DOGPILE_MAX_ITEM_NAME		250

/* Bytes of the token that tells the owner of a lock; no terminator. */
#define DOGPILE_LOCK_TOKEN_LEN		32

/* What a backend answers, to a call or for one item of it. */
typedef enum DogpileBackendStatus
{
	DOGPILE_BACKEND_OK,			/* found, stored, deleted, locked */
	DOGPILE_BACKEND_MISS,		/* there is no such name */
	DOGPILE_BACKEND_KEPT,		/* a condition is not met: nothing was changed */
	DOGPILE_BACKEND_TOO_LARGE,	/* the server takes no value of this size; or
								 * a counter would be out of range */
	DOGPILE_BACKEND_ERROR		/* the call failed, see the error */
} DogpileBackendStatus;

/* Why a call failed. */
typedef struct DogpileBackendError
{
	bool		unreachable;	/* no connection, or no answer in time: other
								 * calls are likely to fail, too */
	char		message[256];	/* begins in lower case, no period */
} DogpileBackendError;

/* A name or a value. */
typedef struct DogpileBytes
{
	const char *data;
	size_t		len;
} DogpileBytes;

/* On what condition a value is stored. */
typedef enum DogpileBackendMode
{
	DOGPILE_BACKEND_ALWAYS,
	DOGPILE_BACKEND_IF_ABSENT,	/* else KEPT */
	DOGPILE_BACKEND_IF_EQUAL	/* if "expected" is what is there; else KEPT,
								 * or MISS if nothing is there */
} DogpileBackendMode;

/* A name, and what to do with it or what was found. */
typedef struct DogpileBackendItem
{
	DogpileBytes name;			/* 1 to DOGPILE_MAX_ITEM_NAME printable bytes
								 * of ASCII without blanks */
	DogpileBytes value;			/* set: in.  get: out, if OK */
	DogpileBytes expected;		/* set: in, for IF_EQUAL */
	DogpileBackendMode mode;	/* set: in */
	int64		ttl_ms;			/* set: in; forgotten after this time, 0:
								 * never */
	DogpileBackendStatus status;	/* out */
} DogpileBackendItem;

/*
 * A lock that several servers respect.  It is a name of its own; its value is the
 * token of the owner, until the lease is over.  The entry that it protects is named
 * from the beginning, so that a backend that cannot change two names at once can note
 * the state of the entry when the lock is taken.
 */
typedef struct DogpileBackendLock
{
	DogpileBytes name;
	DogpileBytes entry;			/* name of the entry that it protects */
	char		token[DOGPILE_LOCK_TOKEN_LEN];	/* random printable ASCII */
	int64		lease_ms;
	uint64		entry_version;	/* the backend's, from lock() to put() */
} DogpileBackendLock;

/* What a region's settings say of its backend; strings are never NULL. */
typedef struct DogpileBackendOptions
{
	const char *servers;		/* "host:port, [::1]:port, /path/of/socket" */
	const char *sentinels;		/* redis: the same, of Sentinels; or "" */
	const char *service_name;	/* redis: what Sentinels call the master */
	bool		cluster;		/* redis: is it a Redis Cluster? */
	int			database;		/* redis: number of the database */
	const char *user;			/* or "" */
	const char *password;		/* or "" */
	const char *tls;			/* "off", "on", or "verify" (the certificate) */
	const char *tls_ca_file;	/* or "" */
	const char *options;		/* memcached: passed on to libmemcached */
	const char *directory;		/* file: absolute */
	int64		max_total_size; /* file: bytes, 0: no limit */
	int			connect_timeout_ms;
	int			operation_timeout_ms;
} DogpileBackendOptions;

/* Takes one figure of a backend's statistics; arg is the caller's. */
typedef void (*DogpileBackendFigure) (const char *server, const char *name,
									  const char *value, void *arg);

/*
 * The functions of a backend.  Optional ones may be NULL; connection.c replaces them.
 *
 * A function for many items answers OK if it knows the fate of each, which is
 * in its status; else ERROR, and the items it does not know of have that.
 */
typedef struct DogpileBackend
{
	uint32		abi;			/* DOGPILE_BACKEND_ABI */
	const char *name;			/* as the setting "backend" has it */
	bool		is_local;		/* does no other PostgreSQL server see it? */

	/*
	 * Can the options be right?  False, with a reason, if not; nothing is
	 * tried out.  Called while settings are checked, so it raises nothing.
	 * Optional.
	 */
	bool		(*check) (const DogpileBackendOptions *options,
						  DogpileBackendError *error);

	/*
	 * Make a connection, which may connect at its first use.  The options
	 * outlive it.  Returns NULL, with a reason, if it fails.
	 */
	void	   *(*open) (const DogpileBackendOptions *options,
						 DogpileBackendError *error);

	/* Close a connection, whatever state it is in, without waiting. */
	void		(*close) (void *connection);

	/* Look items up, in as few round trips as possible. */
	DogpileBackendStatus (*get) (void *connection, DogpileBackendItem *items,
								 int nitems, DogpileBackendError *error);

	/* Store items, each on its condition, in their order. */
	DogpileBackendStatus (*set) (void *connection, DogpileBackendItem *items,
								 int nitems, DogpileBackendError *error);

	/* Delete items. */
	DogpileBackendStatus (*remove) (void *connection, DogpileBackendItem *items,
									int nitems, DogpileBackendError *error);

	/*
	 * Add to a counter, which begins at zero, a decimal number.  Its time to
	 * live begins anew.  Optional.
	 */
	DogpileBackendStatus (*increment) (void *connection, DogpileBytes name,
									   int64 delta, int64 ttl_ms, int64 *result,
									   DogpileBackendError *error);

	/*
	 * Try to take a lock; KEPT if it is held.  Set the lease anew, and give
	 * the lock up; KEPT or MISS if it is no longer the caller's.  Optional,
	 * all three or none.
	 */
	DogpileBackendStatus (*lock) (void *connection, DogpileBackendLock *lock,
								  DogpileBackendError *error);
	DogpileBackendStatus (*renew) (void *connection, const DogpileBackendLock *lock,
								   DogpileBackendError *error);
	DogpileBackendStatus (*unlock) (void *connection, const DogpileBackendLock *lock,
									DogpileBackendError *error);

	/*
	 * Store the entry that a lock protects, and give the lock up; KEPT if the
	 * lock was lost or another session has stored the entry since.  Optional.
	 */
	DogpileBackendStatus (*put) (void *connection, const DogpileBackendLock *lock,
								 DogpileBackendItem *item,
								 DogpileBackendError *error);

	/*
	 * Delete all items with names that begin so.  Obeys interrupts. Optional.
	 */
	DogpileBackendStatus (*flush) (void *connection, DogpileBytes prefix,
								   DogpileBackendError *error);

	/* Report statistics.  Optional. */
	DogpileBackendStatus (*stats) (void *connection, DogpileBackendFigure figure,
								   void *arg, DogpileBackendError *error);
} DogpileBackend;

/*
 * A wrapper stands between a region and its backend, or the next wrapper.  It
 * gets every call and may pass it on.
 *
 * Its functions have a DogpileWrapped as their connection, and pass calls on to
 * wrapped->inner with wrapped->connection.  Those that it leaves out are passed
 * on unseen.  open() and close() are not wrapped.
 */
typedef struct DogpileWrapped
{
	const DogpileBackend *inner;
	void	   *connection;		/* of inner */
	const char *name;			/* of the innermost backend, for messages */
	DogpileBackend functions;	/* the wrapper's, or what passes calls on */
} DogpileWrapped;

typedef struct DogpileWrapper
{
	uint32		abi;			/* DOGPILE_BACKEND_ABI */
	const char *name;			/* as the setting "wrap" has it */
	DogpileBackend functions;	/* those that it wants to see; NULL: not seen */
} DogpileWrapper;

extern PGDLLEXPORT void dogpile_backend_register(const DogpileBackend *backend);
extern PGDLLEXPORT void dogpile_backend_register_wrapper(const DogpileWrapper *wrapper);

/*
 * Wait for a socket: events are WL_SOCKET_READABLE or WL_SOCKET_WRITEABLE of
 * storage/latch.h, deadline is a TimestampTz.  Returns false at the deadline.
 * Raises what CHECK_FOR_INTERRUPTS() does, unless interrupts are held off.
 */
extern PGDLLEXPORT bool dogpile_backend_wait(int socket, int events, int64 deadline);

#endif							/* DOGPILE_BACKEND_H */
