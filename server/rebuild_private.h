/* rebuild_private.h - what rebuild*.c share. */
#ifndef REBUILD_PRIVATE_H
#define REBUILD_PRIVATE_H

#include <stdbool.h>
#include <stdio.h>

#include "catalog.h"
#include "pool_place.h"
#include "pool_set.h"

enum { REBUILD_UNKNOWN = -1, REBUILD_LEFT_OUT = -2 };

struct rebuild_file {
	struct catalog_image row;
	int level; /* ancestors, or one of the above */
	bool parent;
	bool unclean; /* its footers are as an unclean stop leaves them */
};

struct rebuild {
	FILE *out;
	struct pool_set pools;
	struct rebuild_file *files; /* by id, once all are found */
	size_t n, room;
};

/* rebuild_scan.c: all images of all pools, and those that the catalog, or its newest backup when it
 * is damaged or empty, says were adopted; no two have one id. -1: out of memory, or a pool cannot
 * be read. */
int rebuild_scan(struct rebuild *rebuild, const char *catalog_path);
struct rebuild_file *rebuild_find(const struct rebuild *rebuild, const uint8_t id[IDS_SIZE]);
void rebuild_leave_out(const struct rebuild *rebuild, struct rebuild_file *file, const char *why);

/* rebuild_names.c: a name for each. -1: out of memory. */
int rebuild_names(struct rebuild *rebuild, const char *catalog_path);

#endif
