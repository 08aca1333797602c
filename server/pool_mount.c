/* pool_mount.c - tells a pool that is empty from one that is not mounted, by what should be there.
 */
#include "pool_mount.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "pool_place.h"

static int stop(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return -1;
}

static bool is_empty(struct pool_dir *folder)
{
	struct vhd_error why = {0};

	return pool_look_each(folder, stop, NULL, &why) == 0;
}

bool pool_mount_empty(const struct pool_set_item *pool)
{
	return is_empty(pool->pool);
}

bool pool_mount_holds(const struct pool_set *pools, const struct pool_set_item *pool,
		      const struct catalog_image *image)
{
	struct catalog_place at;

	if (!image->root)
		return strcmp(image->pool, pool->name) == 0;
	catalog_place_of(image, &at);
	place_settle(pools, &at);
	return strcmp(at.root, pool_path(pool->pool)) == 0;
}

void pool_mount_tell(const struct pool_set_item *pool, const char *image,
		     char ret_why[POOL_MOUNT_WHY])
{
	(void)snprintf(ret_why, POOL_MOUNT_WHY,
		       "the pool '%s' has images, such as '%s', and its folder %.300s is empty: "
		       "mount its disk; if they are lost for good, put any file into the folder "
		       "and try again",
		       pool->name, image, pool_path(pool->pool));
}

/* ---- one image ---- */

/* Of the folders on the way to the file, the last one that is there tells. Its path is cut to what
 * would lie in that folder. That of a pool is asked as such, pool_mount_empty. */
static bool is_unmounted(const struct pool_set *pools, struct catalog_place *at)
{
	for (;;) {
		CLEANUP(place_leave) struct place place = {.mine = false};
		struct vhd_error why = {0};
		char *slash = strrchr(at->path, '/');
		int r;

		if (!slash && *at->pool)
			return false;
		r = place_reach(pools, at, &place, &why);
		if (r != VHD_E_NOT_FOUND)
			return r == 0 && is_empty(&place.folder);
		/* Not even the root is there; or something else has the place of a folder, as a
		 * link that leads nowhere has that of the root. */
		if (!slash || why.sys == ENOTDIR)
			return true;
		*slash = '\0';
	}
}

static void tell_unmounted(const struct catalog_place *at, const char *image,
			   char ret_why[POOL_MOUNT_WHY])
{
	char folder[PLACE_TEXT];

	place_text(at, folder);
	*strrchr(folder, '/') = '\0';
	(void)snprintf(ret_why, POOL_MOUNT_WHY,
		       "the image '%s' lies below %.300s, which is empty or not there: mount its "
		       "disk; if it is lost for good, put any file into the folder and try again",
		       image, folder);
}

static void tell_unknown(const struct catalog_image *image, char ret_why[POOL_MOUNT_WHY])
{
	const char *how = *image->pool ? "another folder that has any file" : "any file in it";
	char where[POOL_MOUNT_WHY / 2];

	if (*image->pool)
		(void)snprintf(where, sizeof where, "in the pool '%s', which is not", image->pool);
	else
		(void)snprintf(where, sizeof where, "below %.300s, which is no root", image->root);
	(void)snprintf(ret_why, POOL_MOUNT_WHY,
		       "the image '%s' lies %s in the configuration: name it there, and the "
		       "configuration with --config; if the image is lost for good, name it with "
		       "%s",
		       image->name, where, how);
}

bool pool_mount_away(const struct pool_set *pools, const struct catalog_image *image,
		     char ret_why[POOL_MOUNT_WHY])
{
	struct catalog_place at;
	bool away;

	catalog_place_of(image, &at);
	place_settle(pools, &at);
	if (image->root ? !pool_set_allows(pools, at.root) : !pool_set_find(pools, image->pool)) {
		tell_unknown(image, ret_why);
		return true;
	}
	if (!image->root)
		return false;
	away = is_unmounted(pools, &at);
	if (away)
		tell_unmounted(&at, image->name, ret_why);
	return away;
}
