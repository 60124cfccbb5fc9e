/*-------------------------------------------------------------------------
 *
 * config.h
 *	  The settings of the module, and the regions that dogpile.regions names.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/config.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_CONFIG_H
#define DOGPILE_CONFIG_H

#include "config/setting.h"
#include "config/verdict.h"

/* Maximum number of regions at a time, including "default". */
#define DOGPILE_MAX_REGIONS			64

extern PGDLLIMPORT int dogpile_shared_memory_kb;
extern PGDLLIMPORT int dogpile_max_pending_size_kb;
extern PGDLLIMPORT int dogpile_commit_timeout_ms;

extern void dogpile_config_define(bool preloading,
								  DogpileBackendCheck check_backend,
								  DogpileBackendCheck check_wrappers,
								  DogpileRegionCheck check_region);
extern void dogpile_config_require_preload(void);
extern bool dogpile_config_lacks_region(const char *name, const char **region,
										int *region_len);
extern void dogpile_config_catch_up(void);
extern DogpileRegion *dogpile_config_find_region(const char *name, int name_len);
extern DogpileRegion *dogpile_config_get_region(const char *name, int name_len);
extern const List *dogpile_config_regions(void);

#endif							/* DOGPILE_CONFIG_H */
