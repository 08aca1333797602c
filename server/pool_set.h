/* pool_set.h - all pools by name; fixed once the daemon runs. */
#ifndef POOL_SET_H
#define POOL_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "pool.h"

struct pool_set {
	size_t n;
	struct pool_set_item {
		const char *name; /* lives in the configuration, or for ever */
		struct pool_dir *pool;
	} items[CONFIG_POOLS_MAX + 1]; /* the first is `default` */
	size_t n_roots;
	char *roots[CONFIG_ROOTS_MAX];             /* heap; without links where they can be found */
	const char *named_roots[CONFIG_ROOTS_MAX]; /* as the configuration has them */
};

/* `images` is the folder of the default pool. */
int pool_set_open(struct pool_set *ret_set, const char *images, const struct config *config,
		  struct vhd_error *err);
void pool_set_close(struct pool_set *set);
/* NULL: there is no such pool. */
struct pool_dir *pool_set_find(const struct pool_set *set, const char *name);
/* The root that the configuration names so, without links; NULL: it names none. */
const char *pool_set_root(const struct pool_set *set, const char *name);
/* Whether `root` is the folder of a pool, or one that adopted images may lie in. */
bool pool_set_allows(const struct pool_set *set, const char *root);

#endif
