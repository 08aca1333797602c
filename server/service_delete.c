/* service_delete.c - removes images: the intent is committed, then the file goes, then the row. */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "crash_point.h"
#include "log.h"
#include "pool_place.h"
#include "service_private.h"
#include "service_unfinished.h"
#include "uploads.h"

/* Without a row nobody would know whose its first name is: a power cut must not bring it back. */
static int settle(struct service *service, const uint8_t id[IDS_SIZE], struct vhd_error *err)
{
	CLEANUP(place_leave) struct place place = {.mine = false};
	struct catalog_place at;

	if (!catalog_place(service->catalog, id, &at) ||
	    place_reach(&service->pools, &at, &place, err) < 0 || place.adopted)
		return 0;
	return pool_settle_for_good(&place.folder, id, err);
}

static enum service_code refused(struct service *service, const uint8_t id[IDS_SIZE],
				 uint64_t version, const struct catalog_error *why,
				 struct service_error *err)
{
	return why->code == CATALOG_E_CHANGED ? service_update_check(service, id, version, err)
					      : service_codes_catalog(why, err);
}

static bool is_linked(struct service *service, const uint8_t id[IDS_SIZE])
{
	struct catalog_place at;

	return catalog_place(service->catalog, id, &at) && at.linked;
}

/* What somebody who could not open its file has just found of it. */
static bool is_found(struct service *service, const uint8_t id[IDS_SIZE],
		     const struct vhd_error *why, struct finding *ret_finding)
{
	return (why->code == VHD_E_NOT_FOUND || why->code == VHD_E_FORBIDDEN) &&
	       findings_serious(service->findings, id, ret_finding);
}

/* Whoever adopted its file next would believe what only the page cache has. */
static enum service_code not_closed(struct service *service, const uint8_t id[IDS_SIZE],
				    const struct vhd_error *why, struct service_error *err)
{
	struct finding finding;
	enum service_code code;

	if (is_found(service, id, why, &finding))
		return service_health_tell(service, &finding, false, err);
	code = service_codes_image(service, id, why, err);
	if (code == SERVICE_IMAGE_FAILED)
		(void)snprintf(err->text, sizeof err->text,
			       "A sync of '%.128s' failed, so its file may not hold what it seems "
			       "to: recover it before it is forgotten%s",
			       err->image.name,
			       is_linked(service, id) ? "" : ", or delete it with its file");
	return code;
}

/* Nobody can read an image from it, so nobody will take it for what it is not; or it was read anew,
 * and whoever adopts it sees what a crash has left in it. It may come back, even after a sync has
 * failed: an adoption reads it anew as well. Where it has another name, or cannot be read now, it
 * may be the image. */
static bool is_lost(struct service *service, const uint8_t id[IDS_SIZE],
		    const struct vhd_error *why)
{
	struct finding finding;

	if (is_found(service, id, why, &finding))
		return finding.kind != FINDING_HARD_LINK && finding.kind != FINDING_UNREADABLE;
	return why->code == VHD_E_CORRUPT || why->code == VHD_E_UNCLEAN;
}

/* Closed as it should be, or repaired if somebody may write there, for its file stays. */
static enum service_code forget(struct service *service, struct image *image,
				const uint8_t id[IDS_SIZE], uint64_t version,
				struct service_error *err)
{
	struct vhd_error why = {0};
	struct catalog_error catalog_why;

	if (images_close(image, &why) < 0 && !is_lost(service, id, &why))
		return not_closed(service, id, &why, err);
	if (settle(service, id, &why) < 0)
		return service_codes_image(service, id, &why, err);
	if (catalog_forget(service->catalog, id, version, &catalog_why) < 0)
		return refused(service, id, version, &catalog_why, err);
	return SERVICE_OK;
}

/* Its file may be there still, in a folder that nobody has mounted. */
static enum service_code unreachable(struct service *service, const struct catalog_place *at,
				     const struct vhd_error *why, struct service_error *err)
{
	struct catalog_place now = *at;
	char where[PLACE_TEXT];

	place_settle(&service->pools, &now);
	place_text(&now, where);
	(void)service_fail(err, SERVICE_POOL_OFFLINE,
			   "The folder of %.200s cannot be reached, so its file cannot be removed "
			   "(%.100s): keep_file=1 forgets the image alone",
			   where, why->text);
	service_codes_name(service, at->id, err);
	return SERVICE_POOL_OFFLINE;
}

/* It is gone for clients, so the answer must not sound as if nothing had happened. */
static enum service_code not_removed(const uint8_t id[IDS_SIZE], const char *name,
				     const struct vhd_error *why, struct service_error *err)
{
	log_error("'%s' is gone, but its file is not: %s; it is tried again", name, why->text);
	(void)service_fail(err, SERVICE_IO_ERROR, "%s", why->text);
	return service_codes_done(id, name, err);
}

/* *ret_begun: the image is gone for clients; what fails then is tried again. */
static enum service_code remove_file(struct service *service, const uint8_t id[IDS_SIZE],
				     uint64_t version, bool *ret_begun, struct service_error *err)
{
	CLEANUP(place_leave) struct place place = {.mine = false};
	struct catalog_error catalog_why;
	struct catalog_brief row;
	struct catalog_place at;
	struct vhd_error why = {0};
	enum service_code code;

	if (!catalog_brief(service->catalog, id, &row) || !catalog_place(service->catalog, id, &at))
		return SERVICE_OK;
	if (place_reach(&service->pools, &at, &place, &why) < 0)
		return unreachable(service, &at, &why, err);
	if (pool_check_writable(&place.folder, &why) < 0)
		return service_codes_vhd(&why, err);
	if (row.state == CATALOG_CREATING) { /* by nobody, for it is held */
		(void)service_codes_unmade(service, id, "The image", err);
		service_codes_name(service, id, err);
		return err->code;
	}
	code = service_health_file(service, id, err);
	if (code != SERVICE_OK)
		return code;
	if (catalog_begin_delete(service->catalog, id, version, &catalog_why) < 0)
		return refused(service, id, version, &catalog_why, err);
	*ret_begun = true;
	/* Its first name is still there when it could not be removed after the creation. */
	if ((!place.adopted && pool_settle(&place.folder, id, &why) < 0) ||
	    place_remove(&place, &why) < 0)
		return not_removed(id, row.name, &why, err);
	CRASH_POINT("delete.removed");
	if (catalog_forget(service->catalog, id, 0, &catalog_why) < 0)
		return service_codes_catalog(&catalog_why, err);
	return SERVICE_OK;
}

/* A child that is being made or deleted can be waited for; `waited`: that was done, or nobody does
 * it any more. */
static enum service_code refuse_parent(struct service *service, const uint8_t id[IDS_SIZE],
				       bool waited, struct service_error *err)
{
	struct catalog_brief brief;

	if (!catalog_brief(service->catalog, id, &brief) || brief.state == CATALOG_DELETING)
		return service_fail(err, SERVICE_IMAGE_NOT_FOUND, "There is no such image.");
	if (!brief.children || (!brief.born && !waited))
		return SERVICE_OK;
	if (!brief.born) {
		(void)service_fail(err, SERVICE_IMAGE_BUSY, "A child of it was there until now.");
		return service_codes_unsettled(service, id, err);
	}
	(void)service_fail(err, SERVICE_IMAGE_HAS_CHILDREN, "Images that read from it: %llu.",
			   (unsigned long long)(brief.children - brief.leaving));
	service_codes_name(service, id, err);
	service_codes_children(service, id, err);
	return err->code;
}

enum service_code service_image_delete(struct service *service, const char *ref,
				       const struct service_delete *how, struct service_error *err)
{
	struct vhd_error why = {0};
	struct image *image;
	uint8_t id[IDS_SIZE];
	bool begun = false;
	enum service_code code = service_find(service, ref, id, err);

	if (code == SERVICE_OK)
		code = refuse_parent(service, id, false, err);
	if (code != SERVICE_OK)
		return code;
	if (images_hold(service->images, id, &image, &why) < 0)
		return service_codes_image(service, id, &why, err);
	/* A child may have come while this waited. */
	code = refuse_parent(service, id, true, err);
	if (code == SERVICE_OK && how->version)
		code = service_update_check(service, id, how->version, err);
	if (code == SERVICE_OK)
		code = how->keep_file || is_linked(service, id)
			       ? forget(service, image, id, how->version, err)
			       : remove_file(service, id, how->version, &begun, err);
	/* The catalog is not asked: it may have another image with this id by now. */
	if (code == SERVICE_OK) {
		findings_forget(service->findings, id);
		uploads_forget(service->uploads, id);
	} else if (begun) {
		service_unfinished_add(service->unfinished, id);
	}
	/* Its file is of no use to anybody. */
	if (code == SERVICE_OK || begun)
		images_discard(image);
	else
		images_release(image);
	return code;
}
