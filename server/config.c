/* config.c - one table of keys; whatever is not in it is refused, with its line. */
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
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

static const char name_chars[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
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

struct reading {
	struct config *config;
	char *why;
};

static int refuse(const struct reading *reading, const char *section, const char *name,
		  const char *what)
{
	(void)snprintf(reading->why, CONFIG_WHY, "[%s] %s: %s", section, name, what);
	return 0; /* as inih has it */
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

static int set_word(const struct reading *reading, const struct key *key, const char *text)
{
	char what[96];
	size_t len;

	if (config_word(key->words, text, value_of(reading->config, key)) == 0)
		return 1;
	len = (size_t)snprintf(what, sizeof what, "'%.30s' is none of", text);
	for (size_t i = 0; key->words[i] && len < sizeof what; i++)
		len += (size_t)snprintf(what + len, sizeof what - len, " %s", key->words[i]);
	return refuse(reading, key->section, key->name, what);
}

static int set_number(const struct reading *reading, const struct key *key, const char *text)
{
	uint64_t value;
	char what[96];

	if (parse_number(text, &value) < 0 || value < key->min || value > key->max) {
		(void)snprintf(what, sizeof what, "not a number from %" PRIu64 " to %" PRIu64,
			       key->min, key->max);
		return refuse(reading, key->section, key->name, what);
	}
	*value_of(reading->config, key) = value;
	return 1;
}

static int set_path(const struct reading *reading, const char *section, const char *text,
		    char *ret_path)
{
	if (*text != '/' || strlen(text) >= CONFIG_PATH)
		return refuse(reading, section, text, "not an absolute path");
	memcpy(ret_path, text, strlen(text) + 1);
	return 1;
}

/* Folders with a colon between them. */
static int set_roots(const struct reading *reading, const char *text)
{
	struct config *config = reading->config;
	CLEANUP(freep) char *copy = strdup(text);
	char *rest = copy;
	const char *root;

	if (!copy)
		return refuse(reading, "pool", "roots", "out of memory");
	config->n_roots = 0;
	while ((root = strsep(&rest, ":")) != NULL) {
		if (config->n_roots == CONFIG_ROOTS_MAX)
			return refuse(reading, "pool", "roots", "more than 16 folders");
		if (!set_path(reading, "pool", root, config->roots[config->n_roots]))
			return 0;
		config->n_roots++;
	}
	return 1;
}

static struct config_pool *find_pool(struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_pools; i++) {
		if (strcmp(config->pools[i].name, name) == 0)
			return &config->pools[i];
	}
	if (config->n_pools == CONFIG_POOLS_MAX || strlen(name) >= CONFIG_NAME)
		return NULL;
	(void)snprintf(config->pools[config->n_pools].name, CONFIG_NAME, "%s", name);
	return &config->pools[config->n_pools++];
}

/* [pool NAME] path = /somewhere */
static int set_pool(const struct reading *reading, const char *section, const char *name,
		    const char *text)
{
	struct config_pool *pool;

	if (strcmp(name, "path") != 0)
		return refuse(reading, section, name, "no such key");
	if (strcmp(section + 5, "default") == 0)
		return refuse(reading, section, name, "the default pool lies in the state folder");
	if (strspn(section + 5, name_chars) != strlen(section + 5))
		return refuse(reading, section, name, "a pool has a name of A-Z a-z 0-9 . _ -");
	pool = find_pool(reading->config, section + 5);
	if (!pool)
		return refuse(reading, section, name, "more than 16 pools, or a long name");
	return set_path(reading, section, text, pool->path);
}

/* ---- who may ask, for browsers ---- */

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

	if (len == 0 || len > 253 || strspn(text, name_chars) != len)
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
	len = *host == '[' ? strcspn(host, "]") + 1 : strspn(host, name_chars);
	if (len == 0 || len > 253 || len > strlen(host))
		return why;
	digits = host[len] == ':' ? strspn(host + len + 1, "0123456789") : 0;
	if (digits > 5 || host[len + (digits > 0 ? digits + 1 : 0)] != '\0')
		return why;
	return add_name(&config->origins, text);
}

/* With a blank between them. */
static int set_names(const struct reading *reading, const char *name, const char *text)
{
	bool hosts = strcmp(name, "hosts") == 0;
	CLEANUP(freep) char *copy = strdup(text);
	char *rest = copy;
	const char *item;

	if (!copy)
		return refuse(reading, "http", name, "out of memory");
	*(hosts ? &reading->config->hosts.n : &reading->config->origins.n) = 0;
	while ((item = strsep(&rest, " \t")) != NULL) {
		const char *why = NULL;
		char what[CONFIG_WHY - 64];

		if (*item)
			why = (hosts ? config_add_host : config_add_origin)(reading->config, item);
		if (!why)
			continue;
		(void)snprintf(what, sizeof what, "'%.100s' %s", item, why);
		return refuse(reading, "http", name, what);
	}
	return 1;
}

static int on_value(void *ctx, const char *section, const char *name, const char *value)
{
	const struct reading *reading = ctx;

	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
			return keys[i].words ? set_word(reading, &keys[i], value)
					     : set_number(reading, &keys[i], value);
	}
	if (strcmp(section, "pool") == 0 && strcmp(name, "roots") == 0)
		return set_roots(reading, value);
	if (strcmp(section, "http") == 0 &&
	    (strcmp(name, "hosts") == 0 || strcmp(name, "origins") == 0))
		return set_names(reading, name, value);
	if (strncmp(section, "pool ", 5) == 0)
		return set_pool(reading, section, name, value);
	return refuse(reading, section, name, "no such key");
}

/* The line that is wrong; -1: errno says why it cannot be read. */
static int parse_file(const char *path, struct reading *reading)
{
	FILE *file = fopen(path, "re");
	int line;

	if (!file)
		return -1;
	line = ini_parse_file(file, on_value, reading);
	if (line == 0 && ferror(file)) /* a folder can be opened, too */
		line = -1;
	(void)fclose(file);
	return line;
}

int config_read(struct config *config, const char *path, char ret_why[CONFIG_WHY])
{
	char what[CONFIG_WHY] = "", text[64];
	struct reading reading = {.config = config, .why = what};
	int line = parse_file(path, &reading);

	if (line == 0)
		return 0;
	if (line < 0)
		(void)snprintf(ret_why, CONFIG_WHY, "%.150s: %s", path,
			       strerror_r(errno, text, sizeof text));
	else
		(void)snprintf(ret_why, CONFIG_WHY, "%.100s, line %d: %.120s", path, line,
			       *what ? what : "neither [section] nor key = value");
	return -1;
}

static void print_names(const char *name, const char *help, const struct config_names *names,
			FILE *out)
{
	(void)fprintf(out, "; %s\n%s%s =", help, names->n ? "" : "; ", name);
	for (size_t i = 0; i < names->n; i++)
		(void)fprintf(out, " %s", names->items[i]);
	(void)fprintf(out, "\n");
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
	print_names("hosts", "names that the Host header may say, a blank between", &config->hosts,
		    out);
	print_names("origins", "origins of foreign pages that may use the API, a blank between",
		    &config->origins, out);
	(void)fprintf(out, "\n[pool]\n; folders that adopted images may lie in, a colon between\n");
	for (size_t i = 0; i < config->n_roots; i++)
		(void)fprintf(out, "%s%s", i ? ":" : "roots = ", config->roots[i]);
	(void)fprintf(out, config->n_roots ? "\n" : "; roots =\n");
	for (size_t i = 0; i < config->n_pools; i++)
		(void)fprintf(out, "\n[pool %s]\npath = %s\n", config->pools[i].name,
			      config->pools[i].path);
}
