/*-------------------------------------------------------------------------
 *
 * backend.c
 *	  The stores that this build has.
 *
 * This is the only file that names them; they never name each other.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "backend.h"

static const DogpileBackend *const backends[] = {
	&dogpile_backend_shared_memory,
	&dogpile_backend_null,
};

/*
 * Find a store by its name.
 *
 * Returns NULL if this build has none of that name.
 *
 * Errors: none.
 */
const DogpileBackend *
dogpile_backend_find(const char *name)
{
	for (int i = 0; i < lengthof(backends); i++)
		if (pg_strcasecmp(backends[i]->name, name) == 0)
			return backends[i];
	return NULL;
}

/*
 * Tell whether a store can be named by a setting.
 *
 * detail: set if not, to a sentence that tells what can.
 *
 * Errors: none, as it is called while settings are checked.
 */
bool
dogpile_backend_check(const char *name, const char **detail)
{
	static char names[256];

	if (dogpile_backend_find(name) != NULL)
		return true;

	strlcpy(names, "This build has", sizeof(names));
	for (int i = 0; i < lengthof(backends); i++)
	{
		strlcat(names, i == 0 ? " " : i < lengthof(backends) - 1 ? ", " : " and ",
				sizeof(names));
		strlcat(names, "\"", sizeof(names));
		strlcat(names, backends[i]->name, sizeof(names));
		strlcat(names, "\"", sizeof(names));
	}
	strlcat(names, ".", sizeof(names));
	*detail = names;
	return false;
}

/* The i-th store, or NULL behind the last one. */
const DogpileBackend *
dogpile_backend_at(int i)
{
	return i < lengthof(backends) ? backends[i] : NULL;
}
