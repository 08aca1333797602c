/* pool_set.c - opens the pools of the configuration. */
#include "pool_set.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "failure.h"
#include "log.h"

/* With two names for one folder, each would take the files of the other for strangers. */
static int check_apart(const struct pool_set *set, struct vhd_error *err)
{
	const struct pool_set_item *last = &set->items[set->n - 1];

	for (size_t i = 0; i + 1 < set->n; i++) {
		if (strcmp(pool_path(set->items[i].pool), pool_path(last->pool)) == 0)
			return failure(err, VHD_E_INVALID,
				       "the pools '%s' and '%s' are the same folder, %s",
				       set->items[i].name, last->name, pool_path(last->pool));
	}
	return 0;
}

static int add(struct pool_set *set, const char *name, const char *path, struct vhd_error *err)
{
	int r = pool_open(path, &set->items[set->n].pool, err);

	/* In a folder that is made where a disk is not mounted, images would go to another one. */
	if (r == VHD_E_NOT_FOUND)
		return failure(err, r,
			       "the pool '%s' has no folder %.300s: mount its disk, or make the "
			       "folder when the pool is new",
			       name, path);
	if (r < 0)
		return r;
	set->items[set->n++].name = name;
	return check_apart(set, err);
}

/* One that is not there yet, such as a disk that is not mounted, counts by its name. */
static int add_root(struct pool_set *set, const char *name, struct vhd_error *err)
{
	struct pool_root *root = &set->roots[set->n_roots];
	char text[128];
	size_t len;

	root->name = name;
	root->path = realpath(name, NULL);
	root->found = root->path;
	if (!root->found) {
		log_warning("[pool] roots: %s: %s: no image in it can be used or adopted until it "
			    "is there",
			    name, strerror_r(errno, text, sizeof text));
		root->path = strdup(name);
	}
	if (!root->path)
		return failure(err, VHD_E_NOMEM, "out of memory");
	for (len = strlen(root->path); len > 1 && root->path[len - 1] == '/'; len--)
		root->path[len - 1] = '\0';
	set->n_roots++;
	return 0;
}

static int add_roots(struct pool_set *set, const struct config *config, struct vhd_error *err)
{
	int r = 0;

	set->roots = calloc(config->n_roots + 1, sizeof *set->roots);
	if (!set->roots)
		return failure(err, VHD_E_NOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < config->n_roots; i++)
		r = add_root(set, config->roots[i], err);
	return r;
}

int pool_set_open(struct pool_set *ret_set, const char *images, const struct config *config,
		  struct vhd_error *err)
{
	char text[128];
	int r;

	memset(ret_set, 0, sizeof *ret_set);
	if (mkdir(images, 0700) < 0 && errno != EEXIST)
		return failure_sys(err, VHD_E_IO, errno, "cannot make the folder %.300s: %s",
				   images, strerror_r(errno, text, sizeof text));
	r = add(ret_set, "default", images, err);
	for (size_t i = 0; r == 0 && i < config->n_pools; i++)
		r = add(ret_set, config->pools[i].name, config->pools[i].path, err);
	if (r == 0)
		r = add_roots(ret_set, config, err);
	if (r < 0)
		pool_set_close(ret_set);
	return r;
}

void pool_set_close(struct pool_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		pool_close(set->items[i].pool);
	for (size_t i = 0; i < set->n_roots; i++) {
		free(set->roots[i].path);
		free(set->roots[i].late);
	}
	free(set->roots);
	memset(set, 0, sizeof *set);
}

struct pool_dir *pool_set_find(const struct pool_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(set->items[i].name, name) == 0)
			return set->items[i].pool;
	}
	return NULL;
}

static bool is_named(const char *path, const char *name)
{
	size_t len = strlen(name);

	return strncmp(path, name, len) == 0 && path[len + strspn(path + len, "/")] == '\0';
}

/* A disk may have been mounted since the start: what leads nowhere is asked for each time. */
const char *pool_set_root_path(const struct pool_set *set, size_t i)
{
	struct pool_root *root = &set->roots[i];
	char *late = root->found ? NULL : atomic_load(&root->late), *now;

	if (root->found || late)
		return late ? late : root->path;
	now = realpath(root->name, NULL);
	if (!now)
		return root->path;
	if (atomic_compare_exchange_strong(&root->late, &late, now))
		return now;
	free(now); /* another thread was faster */
	return late;
}

const char *pool_set_root(const struct pool_set *set, const char *name)
{
	for (size_t i = 0; i < set->n_roots; i++) {
		if (is_named(set->roots[i].name, name))
			return pool_set_root_path(set, i);
	}
	return NULL;
}

bool pool_set_allows(const struct pool_set *set, const char *root)
{
	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(pool_path(set->items[i].pool), root) == 0)
			return true;
	}
	for (size_t i = 0; i < set->n_roots; i++) {
		if (strcmp(pool_set_root_path(set, i), root) == 0)
			return true;
	}
	return false;
}
