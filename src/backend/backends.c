/*-------------------------------------------------------------------------
 *
 * backends.c
 *	  The registry of backends and wrappers.
 *
 * Both belong to the process: our own are known from the beginning, and other
 * modules register theirs while the server starts, so that all processes have
 * the same ones.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/backends.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/varlena.h"

#include "backend/backends.h"
#include "config/setting.h"

/* Most backends, and most wrappers, that there are. */
#define MAX_REGISTERED	32

static const DogpileBackend *backends[MAX_REGISTERED] = {
	&dogpile_backend_null,
	&dogpile_backend_file,
#ifdef USE_MEMCACHED
	&dogpile_backend_memcached,
#endif
#ifdef USE_REDIS
	&dogpile_backend_redis,
#endif
};

static const DogpileWrapper *wrappers[MAX_REGISTERED] = {
	&dogpile_wrap_log,
	&dogpile_wrap_retry,
};

/* --------------------------------------------------------------------
 * The registry
 * --------------------------------------------------------------------
 */

/* Errors that concern both kinds of registration. */
static void
check_registration(const char *kind, const char *name, uint32 abi, bool is_taken)
{
	if (!process_shared_preload_libraries_in_progress)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cache %s \"%s\" cannot be registered after the server has started", kind, name),
				 errhint("Add its module to \"shared_preload_libraries\", after \"dogpile\".")));
	if (abi != DOGPILE_BACKEND_ABI)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cache %s \"%s\" was built for another version of dogpile", kind, name),
				 errdetail("It was built for version %u of the interface, and this is version %d.",
						   abi, DOGPILE_BACKEND_ABI),
				 errhint("Compile its module again with the header of the installed version.")));
	if (is_taken)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("cache %s \"%s\" already exists", kind, name)));
}

/* The place behind the last one. */
static int
find_end(const void *const *registry)
{
	for (int i = 0; i < MAX_REGISTERED; i++)
		if (registry[i] == NULL)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many cache backends or wrappers")));
}

/*
 * Find a backend that has been registered, or one of our own.
 *
 * Returns NULL if there is none of that name.
 *
 * Errors: none.
 */
const DogpileBackend *
dogpile_backend_find(const char *name)
{
	for (int i = 0; i < MAX_REGISTERED && backends[i] != NULL; i++)
		if (pg_strcasecmp(backends[i]->name, name) == 0)
			return backends[i];
	return NULL;
}

/* Find a wrapper, as above. */
const DogpileWrapper *
dogpile_backend_find_wrapper(const char *name)
{
	for (int i = 0; i < MAX_REGISTERED && wrappers[i] != NULL; i++)
		if (pg_strcasecmp(wrappers[i]->name, name) == 0)
			return wrappers[i];
	return NULL;
}

/*
 * Register a backend; for other modules, from their _PG_init().
 *
 * backend: must stay where it is.
 *
 * Errors: if the server has started already, the module was built for another
 * version of the contract, or the name is taken.
 */
void
dogpile_backend_register(const DogpileBackend *backend)
{
	check_registration("backend", backend->name, backend->abi,
					   dogpile_backend_find(backend->name) != NULL ||
					   pg_strcasecmp(backend->name, DOGPILE_SHARED_MEMORY) == 0);
	backends[find_end((const void *const *) backends)] = backend;
}

/* Register a wrapper; all as above. */
void
dogpile_backend_register_wrapper(const DogpileWrapper *wrapper)
{
	check_registration("wrapper", wrapper->name, wrapper->abi,
					   dogpile_backend_find_wrapper(wrapper->name) != NULL);
	wrappers[find_end((const void *const *) wrappers)] = wrapper;
}

/*
 * Can a region have this backend?
 *
 * detail: a reason if not, or left alone if there is nothing to add.
 *
 * While the server starts, other modules may still bring it: a name that is not
 * known then is accepted, and the region judged later (verdict.c).
 *
 * Errors: none.
 */
bool
dogpile_backend_check(const char *name, const char **detail)
{
	if (pg_strcasecmp(name, DOGPILE_SHARED_MEMORY) == 0 ||
		dogpile_backend_find(name) != NULL)
		return true;
	if (pg_strcasecmp(name, "memcached") == 0)
		*detail = "dogpile was built without libmemcached.";
	else if (pg_strcasecmp(name, "redis") == 0)
		*detail = "dogpile was built without hiredis.";
	else
		*detail = "There is no such backend, and no preloaded module has registered one.";
	return process_shared_preload_libraries_in_progress;
}

/*
 * Can these options be right for that backend?
 *
 * Errors: none.
 */
bool
dogpile_backend_check_options(const char *name, const DogpileBackendOptions *options,
							  DogpileBackendError *error)
{
	const DogpileBackend *backend = dogpile_backend_find(name);

	return backend == NULL || backend->check == NULL || backend->check(options, error);
}

/*
 * Is this a list of wrappers?
 *
 * detail: a reason if not, in CurrentMemoryContext.
 *
 * Errors: out of memory.
 */
bool
dogpile_backend_check_wrappers(const char *list, const char **detail)
{
	char	   *copy = pstrdup(list);
	List	   *names;
	ListCell   *lc;

	if (!SplitIdentifierString(copy, ',', &names))
	{
		*detail = "It is not a list of names.";
		return false;
	}
	if (list_length(names) > DOGPILE_MAX_WRAPPERS)
	{
		*detail = psprintf("There can be at most %d.", DOGPILE_MAX_WRAPPERS);
		return false;
	}
	foreach(lc, names)
	{
		if (dogpile_backend_find_wrapper(lfirst(lc)) == NULL &&
			!process_shared_preload_libraries_in_progress)
		{
			*detail = psprintf("There is no wrapper \"%s\".", (char *) lfirst(lc));
			return false;
		}
	}
	list_free(names);
	pfree(copy);
	return true;
}
