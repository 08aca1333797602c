/* pool_mount.c - tells a pool that is empty from one that is not mounted, by what should be there.
 */
#include "pool_mount.h"

#include <stdio.h>
#include <string.h>

#include "pool_look.h"

static int stop(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return -1;
}

bool pool_mount_empty(const struct pool_set_item *pool)
{
	struct vhd_error why = {0};

	return pool_look_each(pool->pool, stop, NULL, &why) == 0;
}

bool pool_mount_holds(const struct pool_set_item *pool, const struct catalog_image *image)
{
	if (image->root)
		return strcmp(image->root, pool_path(pool->pool)) == 0;
	return strcmp(image->pool, pool->name) == 0;
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
