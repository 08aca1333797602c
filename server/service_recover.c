/* service_recover.c - creations that were interrupted are undone, for nobody was told of them;
 * deletions are finished. Files are removed only when a row of the catalog names them: what the
 * catalog does not know stays. */
#include "service_recover.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "crash_point.h"
#include "log.h"
#include "pool_place.h"
#include "service_main.h"
#include "service_private.h"

static int forget(struct service *service, const struct catalog_image *image)
{
	struct catalog_error why;
	int r = catalog_forget(service->catalog, image->id, &why);

	if (r < 0)
		log_error("image '%s': %s", image->name, why.text);
	return r;
}

/* With a pool that is not there now the row waits for the next start. */
static int undo_create(void *ctx, const struct catalog_image *image)
{
	struct service *service = ctx;
	struct pool_dir *pool = pool_set_find(&service->pools, image->pool);
	struct vhd_error why;

	if (!pool)
		return 0;
	if (pool_undo_new(pool, image->id, &why) < 0) {
		log_error("image '%s': %s", image->name, why.text);
		return 0;
	}
	log_info("image '%s': its creation was interrupted, and is undone", image->name);
	CRASH_POINT("restart.undone");
	return forget(service, image);
}

static int finish_delete(void *ctx, const struct catalog_image *image)
{
	CLEANUP(place_leave) struct place place = {.mine = false};
	struct service *service = ctx;
	struct catalog_place at;
	struct vhd_error why;

	catalog_place_of(image, &at);
	if (place_reach(&service->pools, &at, &place, &why) < 0)
		return 0;
	if (place_remove(&place, &why) < 0) {
		log_error("image '%s': %s", image->name, why.text);
		return why.code == VHD_E_FORBIDDEN ? forget(service, image) : 0;
	}
	log_info("image '%s': its deletion was interrupted, and is finished", image->name);
	CRASH_POINT("restart.removed");
	return forget(service, image);
}

struct settling {
	struct service *service;
	struct pool_dir *pool;
};

/* Created to the end, but for its first name, which may still be there when the deletion of the
 * image has begun. */
static int settle(void *ctx, const uint8_t id[IDS_SIZE])
{
	const struct settling *settling = ctx;
	struct catalog_brief brief;
	char text[IDS_TEXT];
	struct vhd_error why;

	ids_format(id, text);
	if (!catalog_brief(settling->service->catalog, id, &brief) ||
	    brief.state == CATALOG_CREATING || brief.adopted)
		log_warning("%s: .new-%s belongs to no image", pool_path(settling->pool), text);
	else if (pool_settle(settling->pool, id, &why) < 0)
		log_error("%s", why.text);
	return 0;
}

static void settle_all(struct service *service)
{
	struct vhd_error why;

	for (size_t i = 0; i < service->pools.n; i++) {
		struct settling settling = {service, service->pools.items[i].pool};

		if (pool_each_new(settling.pool, settle, &settling, &why) < 0)
			log_error("%s", why.text);
	}
}

int service_recover(struct service *service, char *ret_why)
{
	struct catalog_error why = {0};
	int r = catalog_each(service->catalog, CATALOG_CREATING, undo_create, service, &why);

	CRASH_POINT("restart.creations");
	settle_all(service);
	CRASH_POINT("restart.settled");
	if (r == 0)
		r = catalog_each(service->catalog, CATALOG_DELETING, finish_delete, service, &why);
	CRASH_POINT("restart.deletions");
	if (r < 0)
		(void)snprintf(ret_why, SERVICE_WHY, "recovery: %s", why.text);
	return r < 0 ? -1 : 0;
}
