/* pool_set.h - all pools by name; fixed once the daemon runs. */
#ifndef POOL_SET_H
#define POOL_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "pool.h"

/* A folder in which adopted images may lie. */
struct pool_root {
	const char *name;     /* as the configuration has it */
	char *path;           /* heap; as it was at the start: without links when it was there */
	bool found;           /* it was */
	_Atomic(char *) late; /* heap; without links, once it is there */
};

struct pool_set {
	size_t n;
	struct pool_set_item {
		const char *name; /* lives in the configuration, or for ever */
		struct pool_dir *pool;
	} items[CONFIG_POOLS_MAX + 1]; /* the first is `default` */
	size_t n_roots;
	struct pool_root *roots; /* heap */
};

/* `images` is the folder of the default pool. */
int pool_set_open(struct pool_set *ret_set, const char *images, const struct config *config,
		  struct vhd_error *err);
void pool_set_close(struct pool_set *set);
/* NULL: there is no such pool. */
struct pool_dir *pool_set_find(const struct pool_set *set, const char *name);
/* Where root `i` is, without links; its name as long as it leads nowhere. Lives as long as the set.
 */
const char *pool_set_root_path(const struct pool_set *set, size_t i);
/* The same of the root that the configuration names so; NULL: it names none. */
const char *pool_set_root(const struct pool_set *set, const char *name);
/* Whether `root` is the folder of a pool, or one that adopted images may lie in. */
bool pool_set_allows(const struct pool_set *set, const char *root);

#endif
