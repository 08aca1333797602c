/* config_names.c - who may ask, for browsers: hosts and origins. */
#include "config_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const char config_name_chars[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
static const char too_many[] = "is one of more than 16";

static const char *add_name(struct config_names *names, const char *text)
{
	for (size_t i = 0; i < names->n; i++) {
		if (strcasecmp(names->items[i], text) == 0)
			return NULL;
	}
	if (names->n == CONFIG_NAMES_MAX)
		return too_many;
	(void)snprintf(names->items[names->n++], CONFIG_HOST, "%s", text);
	return NULL;
}

const char *config_add_host(struct config *config, const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > 253 || strspn(text, config_name_chars) != len)
		return "is not the name of a host, without a port";
	return add_name(&config->hosts, text);
}

/* As browsers write it: a scheme, a host, and a port unless it is the usual one. */
const char *config_add_origin(struct config *config, const char *text)
{
	static const char why[] = "is not an origin like https://ui.example:8443, without a path";
	size_t scheme = strncmp(text, "http://", 7) == 0 ? 7 : 8;
	const char *host = text + scheme;
	size_t len, digits;

	if (scheme == 8 && strncmp(text, "https://", 8) != 0)
		return why;
	len = *host == '[' ? strcspn(host, "]") + 1 : strspn(host, config_name_chars);
	if (len == 0 || len > 253 || len > strlen(host))
		return why;
	digits = host[len] == ':' ? strspn(host + len + 1, "0123456789") : 0;
	if (digits > 5 || host[len + (digits > 0 ? digits + 1 : 0)] != '\0')
		return why;
	return add_name(&config->origins, text);
}
