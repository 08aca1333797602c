/* service_mounts.c - no start while a pool seems not to be mounted. */
#include <stdio.h>
#include <string.h>

#include "pool_mount.h"
#include "service_private.h"

struct search {
	const struct pool_set *pools;
	const struct pool_set_item *pool;
	char name[CATALOG_NAME]; /* of an image that lies there; "" = none does */
};

static int look_at_image(void *ctx, const struct catalog_image *image)
{
	struct search *search = ctx;

	if (!pool_mount_holds(search->pools, search->pool, image))
		return 0;
	memcpy(search->name, image->name, sizeof search->name);
	return CATALOG_E_BUSY; /* one will do */
}

/* Negative: an image lies in this pool, or nobody knows. One that was being made or deleted may
 * have no file, and says nothing. */
static int check_empty(struct service *service, const struct pool_set_item *pool,
		       char ret_why[SERVICE_WHY])
{
	struct search search = {.pools = &service->pools, .pool = pool};
	struct catalog_error why = {0};
	int r = catalog_each(service->catalog, CATALOG_READY, look_at_image, &search, &why);

	if (*search.name)
		pool_mount_tell(pool, search.name, ret_why);
	else if (r < 0)
		(void)snprintf(ret_why, SERVICE_WHY, "%s", why.text);
	return r;
}

int service_mounts_check(struct service *service, char ret_why[SERVICE_WHY])
{
	int r = 0;

	for (size_t i = 1; r == 0 && i < service->pools.n; i++) {
		if (pool_mount_empty(&service->pools.items[i]))
			r = check_empty(service, &service->pools.items[i], ret_why);
	}
	return r;
}
