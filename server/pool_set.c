/* pool_set.c - opens the pools of the configuration. */
#include "pool_set.h"

#include <string.h>

static int add(struct pool_set *set, const char *name, const char *path, struct vhd_error *err)
{
	int r = pool_open(path, &set->items[set->n].pool, err);

	if (r == 0)
		set->items[set->n++].name = name;
	return r;
}

int pool_set_open(struct pool_set *ret_set, const char *images, const struct config *config,
		  struct vhd_error *err)
{
	int r;

	memset(ret_set, 0, sizeof *ret_set);
	r = add(ret_set, "default", images, err);
	for (size_t i = 0; r == 0 && i < config->n_pools; i++)
		r = add(ret_set, config->pools[i].name, config->pools[i].path, err);
	if (r < 0)
		pool_set_close(ret_set);
	return r;
}

void pool_set_close(struct pool_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		pool_close(set->items[i].pool);
	set->n = 0;
}

struct pool_dir *pool_set_find(const struct pool_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(set->items[i].name, name) == 0)
			return set->items[i].pool;
	}
	return NULL;
}
