/*-------------------------------------------------------------------------
 *
 * remote.h
 *	  A backend as this session uses it: connections, failures, time taken.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/remote/remote.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_REMOTE_H
#define DOGPILE_REMOTE_H

#include "datatype/timestamp.h"

#include "backend/backends.h"
#include "config/config.h"

/* What regions with the same backend settings share in a session. */
typedef struct DogpileRemote DogpileRemote;

extern DogpileRemote *dogpile_remote_find(DogpileRegion *region);
extern void dogpile_remote_follow_reload(void);
extern bool dogpile_remote_check(const DogpileRegion *region,
								 DogpileBackendError *error);
extern void dogpile_remote_open(DogpileRemote *remote);
extern void dogpile_remote_limit(TimestampTz until);
extern bool dogpile_remote_is_local(const DogpileRemote *remote);
extern bool dogpile_remote_has_flush(const DogpileRemote *remote);
extern bool dogpile_remote_may_have_acted(const DogpileRemote *remote);
extern const char *dogpile_remote_last_error(DogpileRemote *remote);

extern DogpileBackendStatus dogpile_remote_get(DogpileRemote *remote,
											   DogpileBackendItem *items, int nitems);
extern DogpileBackendStatus dogpile_remote_set(DogpileRemote *remote,
											   DogpileBackendItem *items, int nitems);
extern DogpileBackendStatus dogpile_remote_remove(DogpileRemote *remote,
												  DogpileBackendItem *items, int nitems);
extern DogpileBackendStatus dogpile_remote_lock(DogpileRemote *remote,
												DogpileBackendLock *lock);
extern DogpileBackendStatus dogpile_remote_renew(DogpileRemote *remote,
												 const DogpileBackendLock *lock);
extern DogpileBackendStatus dogpile_remote_unlock(DogpileRemote *remote,
												  const DogpileBackendLock *lock);
extern DogpileBackendStatus dogpile_remote_put(DogpileRemote *remote,
											   const DogpileBackendLock *lock,
											   DogpileBackendItem *item);
extern DogpileBackendStatus dogpile_remote_increment(DogpileRemote *remote,
													 DogpileBytes name, int64 delta,
													 int64 ttl_ms, int64 *result);
extern DogpileBackendStatus dogpile_remote_flush(DogpileRemote *remote,
												 DogpileBytes prefix);
extern DogpileBackendStatus dogpile_remote_stats(DogpileRemote *remote,
												 DogpileBackendFigure figure, void *arg);

#endif							/* DOGPILE_REMOTE_H */
