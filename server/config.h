/* config.h - the keys of the configuration file, with their defaults and bounds. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "api.h"

enum {
	CONFIG_POOLS_MAX = 16,
	CONFIG_ROOTS_MAX = 16,
	CONFIG_PATH = 1024,
	CONFIG_NAME = 64,
	CONFIG_WHY = 256,
	CONFIG_NAMES_MAX = 16,
	CONFIG_HOST = 300 /* "https://" and 253 characters and a port, with NUL */
};

struct config_pool {
	char name[CONFIG_NAME];
	char path[CONFIG_PATH];
};

struct config_names {
	char items[CONFIG_NAMES_MAX][CONFIG_HOST];
	size_t n;
};

struct config {
	uint64_t cache_size;       /* bytes of metadata the engine keeps */
	uint64_t flush_bytes;      /* dirty bytes of an image that start a flush */
	uint64_t flush_blocks;     /* dirty blocks of an image that start a flush */
	uint64_t flush_ms;         /* age of the oldest dirty byte that starts a flush */
	uint64_t log_level;        /* enum log_level */
	uint64_t workers;          /* threads that may block */
	uint64_t connections;      /* beyond this many: 503 */
	uint64_t header_seconds;   /* for the headers of a request */
	uint64_t body_seconds;     /* for each 64 KiB of a body */
	uint64_t depth_max;        /* images of one chain */
	uint64_t depth_warn;       /* from here on a warning */
	uint64_t images_open;      /* image files kept open */
	struct api_limits api;     /* what requests may ask for */
	uint64_t require_if_match; /* 1: changes must name an ETag */
	char roots[CONFIG_ROOTS_MAX][CONFIG_PATH]; /* folders that adopted images may lie in */
	size_t n_roots;
	struct config_pool pools[CONFIG_POOLS_MAX]; /* besides `default` */
	size_t n_pools;
	struct config_names hosts;   /* that Host may name besides addresses and localhost */
	struct config_names origins; /* of foreign pages that may use the API */
};

void config_init(struct config *ret_config);
/* Lays the file over `config`. -1 and a line in `ret_why` when it cannot be read or says what is
 * not known. */
int config_read(struct config *config, const char *path, char ret_why[CONFIG_WHY]);
/* Adds to a list. NULL, or why not: "is not ...". */
const char *config_add_host(struct config *config, const char *text);
const char *config_add_origin(struct config *config, const char *text);
/* Which of `words`, NULL at the end, `text` is. -1: none. */
int config_word(const char *const *words, const char *text, uint64_t *ret_value);
/* As a configuration file with comments. */
void config_print(const struct config *config, FILE *out);

#endif
