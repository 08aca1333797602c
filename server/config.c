/* config.c - one table of keys, with their defaults and bounds. */
#include "config_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct key {
	const char *section, *name;
	size_t offset;
	uint64_t standard, min, max;
	const char *help;
	const char *const *words; /* what the value counts; NULL: a number */
};

#define KEY(section, name, field, standard, min, max, help)                                   \
	{                                                                                     \
		section, name, offsetof(struct config, field), standard, min, max, help, NULL \
	}

static const char *const no_yes[] = {"no", "yes", NULL};

static const struct key keys[] = {
	KEY("cache", "size", cache_size, 128ULL << 20, 1ULL << 20, 1ULL << 40,
	    "memory for the metadata of images"),
	KEY("flush", "bytes", flush_bytes, 64ULL << 20, 1ULL << 16, 1ULL << 40,
	    "unflushed data of an image that starts a flush"),
	KEY("flush", "blocks", flush_blocks, 1024, 1, 1ULL << 20,
	    "blocks with unflushed metadata that start a flush"),
	KEY("flush", "ms", flush_ms, 5000, 10, 3600000,
	    "age of unflushed data that starts a flush"),
	{"log", "level", offsetof(struct config, log_level), LOG_LEVEL_INFO, 0, 0,
	 "the least important lines that are written: error, warning, info or debug",
	 log_level_names},
	KEY("limits", "workers", workers, 8, 1, 256, "threads for what may block"),
	KEY("limits", "connections", connections, 1200, 1, 100000,
	    "open connections; more are answered 503"),
	KEY("limits", "header_seconds", header_seconds, 15, 1, 3600,
	    "time for the headers of a request"),
	KEY("limits", "body_seconds", body_seconds, 60, 1, 3600, "time for each 64 KiB of a body"),
	KEY("limits", "depth", depth_max, 1024, 2, 1024, "images of one chain"),
	KEY("limits", "depth_warning", depth_warn, 30, 2, 1024,
	    "images of a chain that deserve a warning"),
	KEY("limits", "images_open", images_open, 1024, 8, 1ULL << 20, "image files kept open"),
	KEY("limits", "body", api.body, API_BODY, 4096, 16 << 20,
	    "bytes of a body that is no image data"),
	KEY("limits", "json_depth", api.json_depth, API_JSON_DEPTH, 4, 256,
	    "levels of JSON in a body"),
	KEY("limits", "head", api.head, API_HEAD, 4096, API_HEAD,
	    "bytes of the URL, and of all headers"),
	KEY("limits", "headers", api.headers, API_HEADERS, 16, API_HEADERS, "headers of a request"),
	KEY("limits", "ranges", api.ranges, API_RANGES, 1, API_RANGES, "ranges of a Range header"),
	KEY("limits", "sectors", api.sectors, API_SECTORS, 1, 100000,
	    "sectors that one request may look up"),
	KEY("limits", "page", api.page, API_PAGE, 1, 100000,
	    "runs, extents or regions of a file in one answer"),
	KEY("limits", "list", api.list, API_LIST, 1, API_LIST, "images in one answer"),
	{"http", "require_if_match", offsetof(struct config, require_if_match), 0, 0, 0,
	 "must changes of images and of content name an ETag: no or yes", no_yes},
};

enum { N_KEYS = sizeof keys / sizeof *keys };

_Static_assert(sizeof keys / sizeof *keys <= CONFIG_KEYS_MAX,
	       "keys that were set are noted in the bits of a word");

static uint64_t *value_of(struct config *config, const struct key *key)
{
	return (uint64_t *)(void *)((char *)config + key->offset);
}

void config_init(struct config *ret_config)
{
	memset(ret_config, 0, sizeof *ret_config);
	for (size_t i = 0; i < N_KEYS; i++)
		*value_of(ret_config, &keys[i]) = keys[i].standard;
}

int config_key(const char *section, const char *name)
{
	for (int i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
			return i;
	}
	return -1;
}

bool config_has_section(const char *section)
{
	for (int i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].section, section) == 0)
			return true;
	}
	return false;
}

/* A number, with K, M, G or T for powers of 1024. */
static int parse_number(const char *text, uint64_t *ret_value)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;
	uint64_t value;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -1;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			return -1;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (value > UINT64_MAX >> shift)
		return -1;
	*ret_value = value << shift;
	return 0;
}

int config_word(const char *const *words, const char *text, uint64_t *ret_value)
{
	for (uint64_t i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			*ret_value = i;
			return 0;
		}
	}
	return -1;
}

static int set_word(const struct key *key, const char *text, uint64_t *value,
		    char what[CONFIG_WHAT])
{
	size_t len;

	if (config_word(key->words, text, value) == 0)
		return 0;
	len = (size_t)snprintf(what, CONFIG_WHAT, "'%.30s' is none of", text);
	for (size_t i = 0; key->words[i] && len < CONFIG_WHAT; i++)
		len += (size_t)snprintf(what + len, CONFIG_WHAT - len, " %s", key->words[i]);
	return -1;
}

static int set_number(const struct key *key, const char *text, uint64_t *value,
		      char what[CONFIG_WHAT])
{
	uint64_t number;

	if (parse_number(text, &number) == 0 && number >= key->min && number <= key->max) {
		*value = number;
		return 0;
	}
	(void)snprintf(what, CONFIG_WHAT, "'%.30s' is not a number from %" PRIu64 " to %" PRIu64,
		       text, key->min, key->max);
	return -1;
}

int config_set(struct config *config, int key, const char *text, char ret_what[CONFIG_WHAT])
{
	const struct key *it = &keys[key];

	return it->words ? set_word(it, text, value_of(config, it), ret_what)
			 : set_number(it, text, value_of(config, it), ret_what);
}

/* One line for each: lines of such a file are short. */
static void print_list(const char *name, const char *help, const char *items, size_t size, size_t n,
		       FILE *out)
{
	(void)fprintf(out, "; %s\n", help);
	if (n == 0)
		(void)fprintf(out, "; %s =\n", name);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(out, "%s = %s\n", name, items + i * size);
}

void config_print(const struct config *config, FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < N_KEYS; i++) {
		const char *at = (const char *)config + keys[i].offset;
		uint64_t value;

		memcpy(&value, at, sizeof value);
		if (strcmp(section, keys[i].section) != 0)
			(void)fprintf(out, "%s[%s]\n", i ? "\n" : "", keys[i].section);
		section = keys[i].section;
		(void)fprintf(out, "; %s\n%s = ", keys[i].help, keys[i].name);
		if (keys[i].words)
			(void)fprintf(out, "%s\n", keys[i].words[value]);
		else
			(void)fprintf(out, "%" PRIu64 "\n", value);
	}
	print_list("hosts", "names that the Host header may say, a blank between",
		   config->hosts.items[0], CONFIG_HOST, config->hosts.n, out);
	print_list("origins", "origins of foreign pages that may use the API, a blank between",
		   config->origins.items[0], CONFIG_HOST, config->origins.n, out);
	(void)fprintf(out, "\n[pool]\n");
	print_list("roots", "folders that adopted images may lie in, a colon between",
		   config->roots[0], CONFIG_PATH, config->n_roots, out);
	for (size_t i = 0; i < config->n_pools; i++)
		(void)fprintf(out, "\n[pool %s]\npath = %s\n", config->pools[i].name,
			      config->pools[i].path);
}
