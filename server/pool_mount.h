/* pool_mount.h - where images may be although they are not seen. The folder of a pool that had
 * images and has nothing at all is most likely the place at which its disk is to be mounted. What
 * would be made in it is lost to sight once it is. Not asked of the first pool, the default one,
 * which lies beside the catalog. */
#ifndef POOL_MOUNT_H
#define POOL_MOUNT_H

#include "catalog.h"
#include "pool_set.h"

enum { POOL_MOUNT_WHY = 768 };

/* A folder that cannot be listed is not an empty one. */
bool pool_mount_empty(const struct pool_set_item *pool);
bool pool_mount_holds(const struct pool_set *pools, const struct pool_set_item *pool,
		      const struct catalog_image *image);
/* What a person can do about an empty one that holds the image. */
void pool_mount_tell(const struct pool_set_item *pool, const char *image,
		     char ret_why[POOL_MOUNT_WHY]);

/* Whether an image that is not seen may be in a pool or below a root that is not in the
 * configuration, or below a root, or a folder of a pool, that is not mounted. Then `ret_why` has
 * what a person can do. */
bool pool_mount_away(const struct pool_set *pools, const struct catalog_image *image,
		     char ret_why[POOL_MOUNT_WHY]);

#endif
