/*-------------------------------------------------------------------------
 *
 * address.c
 *	  Addresses of servers, as the settings have them.
 *
 * A list is "host:port, host, [::1]:port, /path/of/socket".  It is read while
 * settings are checked and where nothing may be raised, so errors are answers.
 *
 * Copyright (c) 2026, dogpile contributors
 *
 * IDENTIFICATION
 *	  src/backend/address.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "backend/address.h"
#include "backend/memory.h"

/* Read one address of "len" bytes; false if it is none. */
static bool
parse_one(const char *text, int len, int default_port, DogpileAddress *address)
{
	const char *end = text + len;
	const char *host_end = end;
	const char *port = NULL;

	address->port = default_port;
	if (*text == '/')
		address->port = 0;
	else if (*text == '[')
	{
		/* An IPv6 address has colons of its own. */
		host_end = memchr(text, ']', len);
		if (host_end == NULL)
			return false;
		text++;
		if (host_end + 1 < end)
		{
			if (host_end[1] != ':')
				return false;
			port = host_end + 2;
		}
	}
	else
	{
		const char *colon = memchr(text, ':', len);

		if (colon != NULL)
		{
			host_end = colon;
			port = colon + 1;
		}
	}

	if (port != NULL)
	{
		address->port = 0;
		for (const char *p = port; p < end; p++)
		{
			if (*p < '0' || *p > '9')
				return false;
			address->port = address->port * 10 + (*p - '0');
			if (address->port > 65535)
				return false;
		}
		if (address->port == 0)
			return false;
	}
	if (host_end == text || host_end - text >= (ptrdiff_t) sizeof(address->host))
		return false;
	memcpy(address->host, text, host_end - text);
	address->host[host_end - text] = '\0';
	return strpbrk(address->host, " \t") == NULL;
}

/*
 * Read a list of addresses.
 *
 * default_port is for those that name none.
 *
 * Returns how many there are, and *addresses in CurrentMemoryContext; or -1 and
 * *error.  An empty list is an error.
 */
int
dogpile_address_parse(const char *text, int default_port,
					  DogpileAddress **addresses, DogpileBackendError *error)
{
	int			most = 1;
	int			n = 0;
	DogpileAddress *list;

	for (const char *p = text; *p != '\0'; p++)
		most += *p == ',';
	list = dogpile_memory_alloc(most * sizeof(DogpileAddress));
	if (list == NULL)
	{
		snprintf(error->message, sizeof(error->message), "out of memory");
		return -1;
	}

	for (;;)
	{
		int			len;
		int			blanks;

		text += strspn(text, " \t");
		len = strcspn(text, ",");
		for (blanks = 0; blanks < len && strchr(" \t", text[len - blanks - 1]); blanks++)
			 /* count them */ ;
		if (len == 0 || !parse_one(text, len - blanks, default_port, &list[n]))
		{
			dogpile_memory_free(list);
			if (len == 0)
				snprintf(error->message, sizeof(error->message),
						 "the list of servers is empty or has an empty element");
			else
				snprintf(error->message, sizeof(error->message),
						 "\"%.*s\" is not the address of a server", Min(len - blanks, 100), text);
			return -1;
		}
		n++;
		text += len;
		if (*text == '\0')
			break;
		text++;
	}
	*addresses = list;
	return n;
}

/*
 * Write an address as the settings have it: "host:port", "[::1]:port", or a path.
 *
 * text: has room for DOGPILE_ADDRESS_TEXT_SIZE.
 */
void
dogpile_address_print(const DogpileAddress *address, char *text)
{
	if (address->host[0] == '/')
		strlcpy(text, address->host, DOGPILE_ADDRESS_TEXT_SIZE);
	else
		snprintf(text, DOGPILE_ADDRESS_TEXT_SIZE,
				 strchr(address->host, ':') != NULL ? "[%s]:%d" : "%s:%d",
				 address->host, address->port);
}
