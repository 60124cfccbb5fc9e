/*-------------------------------------------------------------------------
 *
 * bare_memcached.c
 *	  The least that a client of memcached can do, to compare a hit with.
 *
 *		bare_memcached socket get|mget seconds < names
 *
 * As bare_redis.c, with libmemcached.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  bench/bare_memcached.c
 *
 *-------------------------------------------------------------------------
 */
#include <libmemcached/memcached.h>

#include "bare.h"

static memcached_st *handle;
static memcached_result_st result;

/* Look one name up; false if it is not there. */
static bool
look_one_up(const char *name, size_t length)
{
	size_t		value_length;
	uint32_t	flags;
	memcached_return_t rc;
	char	   *value = memcached_get(handle, name, length, &value_length, &flags, &rc);

	free(value);
	return value != NULL;
}

/* Look so many names up; false if one is not there. */
static bool
look_up(const char **names, const size_t *lengths, int n)
{
	memcached_return_t rc;
	int			found = 0;

	if (n == 1)
		return look_one_up(names[0], lengths[0]);
	if (memcached_mget(handle, names, lengths, n) != MEMCACHED_SUCCESS)
		return false;
	while (memcached_fetch_result(handle, &result, &rc) != NULL)
		found++;
	return found == n;
}

int
main(int argc, char **argv)
{
	handle = memcached_create(NULL);
	if (argc != 4 || memcached_server_add_unix_socket(handle, argv[1]) != MEMCACHED_SUCCESS)
		return 2;
	memcached_result_create(handle, &result);
	return bare_run(look_up, argv[2], atof(argv[3]));
}
