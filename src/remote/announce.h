/*-------------------------------------------------------------------------
 *
 * announce.h
 *	  Invalidations for other servers, on both sides of a COMMIT.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/announce.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_ANNOUNCE_H
#define DOGPILE_ANNOUNCE_H

#include "remote/token.h"
#include "version/tag.h"

/* The names of a key outside: zero-terminated, one after the other. */
typedef struct DogpileKeyNames
{
	int			entry_at;		/* where the second one begins */
	char		text[FLEXIBLE_ARRAY_MEMBER];	/* of its version, of its
												 * entry */
} DogpileKeyNames;

extern bool dogpile_announce_is_needed(DogpileRegion *region);
extern DogpileKeyNames *dogpile_announce_name_key(DogpileRegion *region,
												  const DogpileKey *key);
extern void dogpile_announce_key(DogpileRegion *region, const DogpileKeyNames *names,
								 bool hard);
extern void dogpile_announce_region(DogpileRegion *region, bool hard);
extern void dogpile_announce_database(DogpileRegion *region, const char *database);
extern void dogpile_announce_tag(DogpileBytes tag, bool hard);
extern void dogpile_announce_send(void);
extern const char *dogpile_announce_follow(const DogpileToken *noted,
										   const DogpileRemote *remote);
extern void dogpile_announce_commit(void);
extern void dogpile_announce_abort(void);

#endif							/* DOGPILE_ANNOUNCE_H */
