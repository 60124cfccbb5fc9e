/*-------------------------------------------------------------------------
 *
 * bare_redis.c
 *	  The least that a client of Redis can do, to compare a hit with.
 *
 *		bare_redis socket get|mget seconds < names
 *
 * Each line has the three names that a hit looks up: those of an entry, and of the
 * versions of its key and its region.  "mget" asks for all three at once, as
 * dogpile does, "get" for the entry alone.  Prints look-ups per second.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  bench/bare_redis.c
 *
 *-------------------------------------------------------------------------
 */
#include <hiredis/hiredis.h>

#include "bare.h"

static redisContext *context;

/* Look so many names up; false if one is not there. */
static bool
look_up(const char **names, const size_t *lengths, int n)
{
	const char *argv[1 + BARE_NAMES] = {n == 1 ? "GET" : "MGET"};
	size_t		argv_len[1 + BARE_NAMES] = {strlen(argv[0])};
	redisReply *reply;
	bool		ok;

	for (int i = 0; i < n; i++)
	{
		argv[1 + i] = names[i];
		argv_len[1 + i] = lengths[i];
	}
	reply = redisCommandArgv(context, 1 + n, argv, argv_len);
	if (reply == NULL)
		return false;
	ok = n == 1 ? reply->type == REDIS_REPLY_STRING :
		reply->type == REDIS_REPLY_ARRAY && reply->elements == n;
	for (int i = 0; ok && n > 1 && i < n; i++)
		ok = reply->element[i]->type == REDIS_REPLY_STRING;
	freeReplyObject(reply);
	return ok;
}

int
main(int argc, char **argv)
{
	context = argc == 4 ? redisConnectUnix(argv[1]) : NULL;
	if (context == NULL || context->err != 0)
		return 2;
	return bare_run(look_up, argv[2], atof(argv[3]));
}
