/*-------------------------------------------------------------------------
 *
 * line.h
 *	  The lines that set something of ours, as they are written.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/config/line.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DOGPILE_LINE_H
#define DOGPILE_LINE_H

#include "nodes/pg_list.h"

/* The name of each of our settings begins with this. */
#define DOGPILE_PREFIX				"dogpile"

typedef enum DogpileLineOrigin
{
	DOGPILE_LINE_FILE,
	DOGPILE_LINE_COMMAND,		/* the command line of the server */
	DOGPILE_LINE_ROLE			/* ALTER ROLE or ALTER DATABASE */
} DogpileLineOrigin;

/* A value for a setting.  Lists of lines hold only the last of each name. */
typedef struct DogpileLine
{
	DogpileLineOrigin origin;
	char	   *name;			/* as written */
	char	   *value;
	char	   *file;			/* or NULL */
	int			number;			/* in the file */
} DogpileLine;

extern List *dogpile_line_read_files(void);
extern List *dogpile_line_read_placeholders(void);
extern List *dogpile_line_read_role_settings(void);
extern DogpileLine *dogpile_line_copy(const DogpileLine *line);
extern List *dogpile_line_append(List *lines, DogpileLine *line);
extern const DogpileLine *dogpile_line_find(const List *lines, const char *name);
extern const char *dogpile_line_setting(const DogpileLine *line, const char *region);
extern bool dogpile_line_is_ours(const char *name);
extern const char *dogpile_line_where(const DogpileLine *line);

#endif							/* DOGPILE_LINE_H */
