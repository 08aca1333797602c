/* service_recover.c - creations that were interrupted are undone, for nobody was told of them;
 * deletions are finished. Files are removed only when a row of the catalog names them: what the
 * catalog does not know stays. */
#include "service_recover.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "crash_point.h"
#include "failure.h"
#include "log.h"
#include "pool_place.h"
#include "service_main.h"
#include "service_private.h"
#include "service_unfinished.h"
#include "uploads.h"

static int forget(struct service *service, const struct catalog_image *image, struct vhd_error *err)
{
	struct catalog_error why;

	if (catalog_forget(service->catalog, image->id, 0, &why) < 0)
		return failure(err, VHD_E_IO, "%s", why.text);
	findings_forget(service->findings, image->id);
	uploads_forget(service->uploads, image->id);
	return 0;
}

/* With a pool that the configuration does not have the row waits for the next start. */
static int undo_create(struct service *service, const struct catalog_image *image,
		       struct vhd_error *err)
{
	struct pool_dir *pool = pool_set_find(&service->pools, image->pool);
	int r;

	if (!pool)
		return 0;
	r = pool_undo_new(pool, image->id, err);
	if (r < 0)
		return r;
	CRASH_POINT("restart.undone");
	r = forget(service, image, err);
	if (r == 0)
		log_info("image '%s': its creation was interrupted, and is undone", image->name);
	return r;
}

static int finish_delete(struct service *service, const struct catalog_image *image,
			 struct vhd_error *err)
{
	CLEANUP(place_leave) struct place place = {.mine = false};
	struct catalog_place at;
	int r;

	catalog_place_of(image, &at);
	r = place_reach(&service->pools, &at, &place, err);
	if (r < 0) /* without an errno the configuration lacks it, as above */
		return err->sys ? r : 0;
	if (!place.adopted)
		r = pool_remove_new(&place.folder, image->id, err);
	if (r == 0)
		r = place_remove(&place, err);
	if (r < 0 && r != VHD_E_FORBIDDEN)
		return r;
	if (r < 0)
		log_error("image '%s': %s", image->name, err->text);
	CRASH_POINT("restart.removed");
	r = forget(service, image, err);
	if (r == 0)
		log_info("image '%s': its deletion was interrupted, and is finished", image->name);
	return r;
}

static int finish(struct service *service, const struct catalog_image *image, struct vhd_error *err)
{
	struct pool_dir *pool = pool_set_find(&service->pools, image->pool);

	switch (image->state) {
	case CATALOG_CREATING: return undo_create(service, image, err);
	case CATALOG_DELETING: return finish_delete(service, image, err);
	case CATALOG_READY: return pool && !image->path ? pool_settle(pool, image->id, err) : 0;
	}
	return 0;
}

bool service_recover_image(struct service *service, const uint8_t id[IDS_SIZE])
{
	CLEANUP(catalog_image_fini) struct catalog_image image = {0};
	struct catalog_error catalog_why = {0};
	struct vhd_error why = {0};
	struct image *held;
	int r;

	/* Whoever makes or deletes it now has not given up yet. */
	if (images_hold(service->images, id, &held, &why) < 0)
		return false;
	r = catalog_get(service->catalog, id, &image, &catalog_why);
	if (r == 0)
		r = finish(service, &image, &why);
	else if (r == CATALOG_E_NOT_FOUND)
		r = 0;
	images_release(held);
	return r == 0;
}

static int finish_or_wait(void *ctx, const struct catalog_image *image)
{
	struct service *service = ctx;
	struct vhd_error why = {0};

	if (finish(service, image, &why) < 0) {
		log_error("image '%s': %s; it is tried again", image->name, why.text);
		service_unfinished_add(service->unfinished, image->id);
	}
	return 0;
}

struct settling {
	struct service *service;
	const struct pool_set_item *item;
};

/* Whether the file was made for an image of the pool: 1, 0, or VHD_E_... when nobody can tell. */
static int is_first_name(const struct settling *settling, const uint8_t id[IDS_SIZE],
			 struct vhd_error *err)
{
	struct catalog_brief brief;

	if (!catalog_brief(settling->service->catalog, id, &brief) ||
	    brief.state == CATALOG_CREATING || brief.adopted ||
	    strcmp(brief.pool, settling->item->name) != 0)
		return 0;
	/* Of what is being deleted it may be all that is left. */
	return brief.state == CATALOG_DELETING ? 1
					       : pool_is_published(settling->item->pool, id, err);
}

/* Created to the end, but for its first name, which may still be there when the deletion of the
 * image has begun. */
static int settle(void *ctx, const uint8_t id[IDS_SIZE])
{
	const struct settling *settling = ctx;
	struct pool_dir *pool = settling->item->pool;
	char text[IDS_TEXT];
	struct vhd_error why;
	int r = is_first_name(settling, id, &why);

	ids_format(id, text);
	if (r == 0)
		log_warning("%s: .new-%s belongs to no image", pool_path(pool), text);
	if (r > 0)
		r = pool_remove_new(pool, id, &why);
	if (r < 0) {
		log_error("%s; it is tried again", why.text);
		service_unfinished_add(settling->service->unfinished, id);
	}
	return 0;
}

static void settle_all(struct service *service)
{
	struct vhd_error why;

	for (size_t i = 0; i < service->pools.n; i++) {
		struct settling settling = {service, &service->pools.items[i]};

		if (pool_each_new(settling.item->pool, settle, &settling, &why) < 0)
			log_error("%s", why.text);
	}
}

int service_recover(struct service *service, char *ret_why)
{
	struct catalog_error why = {0};
	int r = catalog_each(service->catalog, CATALOG_CREATING, finish_or_wait, service, &why);

	CRASH_POINT("restart.creations");
	settle_all(service);
	CRASH_POINT("restart.settled");
	if (r == 0)
		r = catalog_each(service->catalog, CATALOG_DELETING, finish_or_wait, service, &why);
	CRASH_POINT("restart.deletions");
	if (r < 0)
		(void)snprintf(ret_why, SERVICE_WHY, "recovery: %s", why.text);
	return r < 0 ? -1 : 0;
}
