/* service_codes.c - the border: each code of the engine and of the catalog has its place here, in
 * switches without default, so that a new one does not compile before somebody has placed it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "pool_place.h"
#include "service_private.h"

enum service_code service_fail(struct service_error *err, enum service_code code,
			       const char *format, ...)
{
	va_list args;

	memset(err, 0, sizeof *err);
	err->code = code;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	return code;
}

static enum service_code code_of_vhd(enum vhd_code code)
{
	switch (code) {
	case VHD_OK: return SERVICE_OK;
	case VHD_E_INVALID: return SERVICE_INVALID_VALUE;
	case VHD_E_RANGE: return SERVICE_RANGE_NOT_SATISFIABLE;
	case VHD_E_SIZE: return SERVICE_SIZE_NOT_REPRESENTABLE;
	case VHD_E_CORRUPT: return SERVICE_CORRUPT_IMAGE;
	case VHD_E_NOT_VHD: return SERVICE_NOT_A_VHD;
	case VHD_E_UNSUPPORTED: return SERVICE_UNSUPPORTED_VHD;
	case VHD_E_UNCLEAN: return SERVICE_CHAIN_UNHEALTHY;
	case VHD_E_PARENT_MISSING: return SERVICE_PARENT_MISSING;
	case VHD_E_PARENT_MISMATCH: return SERVICE_PARENT_UUID_MISMATCH;
	case VHD_E_PARENT_SIZE: return SERVICE_SIZE_MISMATCH;
	case VHD_E_CYCLE: return SERVICE_CHAIN_CYCLE;
	case VHD_E_DEPTH: return SERVICE_CHAIN_TOO_DEEP;
	case VHD_E_READONLY: return SERVICE_POOL_OFFLINE;
	case VHD_E_FROZEN: return SERVICE_IMAGE_FROZEN;
	case VHD_E_BUSY: return SERVICE_IMAGE_BUSY;
	case VHD_E_EXISTS: return SERVICE_DUPLICATE_UUID;
	case VHD_E_NOT_FOUND: return SERVICE_CHAIN_UNHEALTHY;
	case VHD_E_FORBIDDEN: return SERVICE_CHAIN_UNHEALTHY;
	case VHD_E_NOSPC: return SERVICE_NO_SPACE;
	case VHD_E_IO: return SERVICE_IO_ERROR;
	case VHD_E_FAILED: return SERVICE_IMAGE_FAILED;
	case VHD_E_NOMEM: return SERVICE_INTERNAL;
	case VHD_E_AGAIN: return SERVICE_AGAIN;
	case VHD_E_CANCELED: return SERVICE_INTERNAL;
	case VHD_E_AMBIGUOUS: return SERVICE_AMBIGUOUS_FORMAT;
	}
	return SERVICE_INTERNAL;
}

static enum service_code code_of_catalog(enum catalog_code code)
{
	switch (code) {
	case CATALOG_OK: return SERVICE_OK;
	case CATALOG_E_NOT_FOUND: return SERVICE_IMAGE_NOT_FOUND;
	case CATALOG_E_NAME_EXISTS: return SERVICE_NAME_EXISTS;
	case CATALOG_E_ID_EXISTS: return SERVICE_DUPLICATE_UUID;
	case CATALOG_E_HAS_CHILDREN: return SERVICE_IMAGE_HAS_CHILDREN;
	case CATALOG_E_PARENT: return SERVICE_IMAGE_BUSY;
	case CATALOG_E_TOO_DEEP: return SERVICE_CHAIN_TOO_DEEP;
	case CATALOG_E_CYCLE: return SERVICE_CHAIN_CYCLE;
	case CATALOG_E_STATE: return SERVICE_IMAGE_BUSY;
	case CATALOG_E_NOSPC: return SERVICE_NO_SPACE;
	case CATALOG_E_NOMEM: return SERVICE_INTERNAL;
	case CATALOG_E_BUSY: return SERVICE_CATALOG_BUSY;
	case CATALOG_E_FAILED:
	case CATALOG_E_DAMAGED:
	case CATALOG_E_IO:
	case CATALOG_E_LOST:
	case CATALOG_E_NEWER: return SERVICE_INTERNAL;
	case CATALOG_E_CHANGED: return SERVICE_CHANGED;
	case CATALOG_E_PLACE: return SERVICE_CHAIN_UNHEALTHY;
	}
	return SERVICE_INTERNAL;
}

static enum service_code settle(enum service_code code, const char *text, struct service_error *err)
{
	if (code == SERVICE_INTERNAL || code == SERVICE_IO_ERROR)
		log_error("%s", text);
	return service_fail(err, code, "%s", text);
}

enum service_code service_codes_vhd(const struct vhd_error *why, struct service_error *err)
{
	enum service_code code = settle(code_of_vhd(why->code), why->text, err);

	if (code == SERVICE_IMAGE_BUSY)
		(void)snprintf(err->holder, sizeof err->holder, "%s", actor_blamed());
	return code;
}

enum service_code service_codes_catalog(const struct catalog_error *why, struct service_error *err)
{
	return settle(code_of_catalog(why->code), why->text, err);
}

void service_codes_name(struct service *service, const uint8_t id[IDS_SIZE],
			struct service_error *err)
{
	struct catalog_image image = {0};

	if (catalog_get(service->catalog, id, &image, NULL) < 0)
		return;
	ids_format(id, err->image.id);
	(void)snprintf(err->image.name, sizeof err->image.name, "%s", image.name);
	catalog_image_fini(&image);
}

void service_codes_named(struct service *service, const char *name, struct service_error *err)
{
	uint8_t id[IDS_SIZE];

	if (catalog_id_of(service->catalog, name, id, NULL) == 0)
		service_codes_name(service, id, err);
}

enum { WAITS = 400 };

/* Clients cannot see it, nor for what it waits. */
static void what_deleting_waits_for(struct service *service, const uint8_t id[IDS_SIZE],
				    char ret_text[WAITS])
{
	CLEANUP(place_leave) struct place place = {.mine = false};
	char where[PLACE_TEXT], holder[ACTOR_NAME];
	struct vhd_error why = {0};
	struct catalog_place at;

	images_holder(service->images, id, holder);
	(void)snprintf(ret_text, WAITS, "%s",
		       *holder ? ": try again later"
			       : ", but its file could not be removed, which is tried again: the "
				 "log says why");
	if (!catalog_place(service->catalog, id, &at) ||
	    place_reach(&service->pools, &at, &place, &why) == 0)
		return;
	place_settle(&service->pools, &at);
	place_text(&at, where);
	(void)snprintf(ret_text, WAITS,
		       ", which waits for the folder of %.160s (%.160s): bring it back, or make an "
		       "empty one there",
		       where, why.text);
}

enum service_code service_codes_taken(struct service *service, const uint8_t id[IDS_SIZE],
				      struct service_error *err)
{
	struct catalog_brief brief;
	char waits[WAITS];

	if (catalog_brief(service->catalog, id, &brief) && brief.state == CATALOG_DELETING) {
		what_deleting_waits_for(service, id, waits);
		return service_fail(err, SERVICE_DUPLICATE_UUID,
				    "The image that has this id is being deleted%s", waits);
	}
	service_codes_name(service, id, err);
	return err->code;
}

enum service_code service_codes_done(const uint8_t id[IDS_SIZE], const char *name,
				     struct service_error *err)
{
	err->done = true;
	ids_format(id, err->image.id);
	(void)snprintf(err->image.name, sizeof err->image.name, "%s", name);
	return err->code;
}

void service_codes_children(struct service *service, const uint8_t id[IDS_SIZE],
			    struct service_error *err)
{
	struct catalog_brief brief;

	err->n_related = catalog_children(service->catalog, id, err->related, SERVICE_RELATED);
	if (catalog_brief(service->catalog, id, &brief))
		err->related_total = brief.children - brief.leaving;
}

enum service_code service_codes_unmade(struct service *service, const uint8_t id[IDS_SIZE],
				       const char *who, struct service_error *err)
{
	struct catalog_brief row = {.pool = ""};

	(void)catalog_brief(service->catalog, id, &row);
	if (pool_set_find(&service->pools, row.pool))
		return service_fail(err, SERVICE_IMAGE_BUSY,
				    "%s could not be created, which is undone when its disk lets "
				    "it: the log says why",
				    who);
	return service_fail(err, SERVICE_IMAGE_BUSY,
			    "%s could not be created, which is undone when the configuration has "
			    "the pool '%.128s' again: DELETE of it with keep_file=1 forgets it at "
			    "once",
			    who, row.pool);
}

enum service_code service_codes_unsettled(struct service *service, const uint8_t id[IDS_SIZE],
					  struct service_error *err)
{
	char text[IDS_TEXT], who[80], waits[WAITS], holder[SERVICE_HOLDER];
	struct catalog_brief child;
	uint8_t child_id[IDS_SIZE];

	if (!catalog_unsettled_child(service->catalog, id, child_id) ||
	    !catalog_brief(service->catalog, child_id, &child))
		return err->code;
	ids_format(child_id, text);
	(void)snprintf(who, sizeof who, "A child of it, %s,", text);
	images_holder(service->images, child_id, holder);
	if (child.state == CATALOG_DELETING) {
		what_deleting_waits_for(service, child_id, waits);
		(void)service_fail(err, SERVICE_IMAGE_BUSY, "%s is being deleted%s", who, waits);
	} else if (*holder) {
		(void)service_fail(err, SERVICE_IMAGE_BUSY, "%s is being created", who);
	} else {
		(void)service_codes_unmade(service, child_id, who, err);
	}
	memcpy(err->holder, holder, sizeof err->holder);
	service_codes_name(service, id, err);
	service_codes_children(service, id, err);
	return err->code;
}

enum service_code service_codes_creating(struct service *service, const uint8_t id[IDS_SIZE],
					 struct service_error *err)
{
	char holder[SERVICE_HOLDER];

	images_holder(service->images, id, holder);
	if (*holder)
		(void)service_fail(err, SERVICE_IMAGE_BUSY, "The image is being created.");
	else
		(void)service_codes_unmade(service, id, "The image", err);
	service_codes_name(service, id, err);
	memcpy(err->holder, holder, sizeof err->holder);
	return err->code;
}

/* A table of open images knows only what is ready; the client is told what is not. */
static enum service_code not_ready(struct service *service, const uint8_t id[IDS_SIZE],
				   struct service_error *err)
{
	struct catalog_brief brief;

	if (!catalog_brief(service->catalog, id, &brief) || brief.state == CATALOG_DELETING)
		return service_fail(err, SERVICE_IMAGE_NOT_FOUND, "The image is gone.");
	if (brief.state == CATALOG_CREATING)
		return service_codes_creating(service, id, err);
	return SERVICE_OK;
}

enum service_code service_codes_change(struct service *service, const uint8_t id[IDS_SIZE],
				       const struct catalog_error *why, struct service_error *err)
{
	enum service_code code = service_codes_catalog(why, err);
	struct service_error now;

	if (code == SERVICE_IMAGE_BUSY && not_ready(service, id, &now) == code)
		*err = now;
	return code;
}

enum service_code service_image_ready(struct service *service, const char *ref,
				      struct service_error *err)
{
	uint8_t id[IDS_SIZE];
	enum service_code code = service_find(service, ref, id, err);

	return code == SERVICE_OK ? not_ready(service, id, err) : code;
}

/* A frozen image is either one with children or one that somebody has frozen; the client is told
 * which. */
enum service_code service_codes_image(struct service *service, const uint8_t id[IDS_SIZE],
				      const struct vhd_error *why, struct service_error *err)
{
	enum service_code code = SERVICE_OK;
	struct catalog_brief brief;

	if (why->code == VHD_E_NOT_FOUND || why->code == VHD_E_FROZEN)
		code = not_ready(service, id, err);
	if (code != SERVICE_OK)
		return code;
	code = service_codes_vhd(why, err);
	service_codes_name(service, id, err);
	if (code == SERVICE_PARENT_MISSING)
		service_orphan_tell(service, id, err);
	if (code == SERVICE_IMAGE_BUSY && !*err->holder) /* it was nobody who uses it */
		return service_codes_unsettled(service, id, err);
	if (code != SERVICE_IMAGE_FROZEN || !catalog_brief(service->catalog, id, &brief))
		return code;
	if (brief.born) {
		service_codes_children(service, id, err);
		(void)snprintf(err->text, sizeof err->text,
			       "'%s' is the parent of other images; its content must not change",
			       err->image.name);
		err->code = SERVICE_IMAGE_HAS_CHILDREN;
	} else if (brief.frozen) {
		(void)snprintf(err->text, sizeof err->text,
			       "'%s' is frozen; its content must not change", err->image.name);
	} else {
		(void)snprintf(err->text, sizeof err->text, "'%s' was frozen until just now",
			       err->image.name);
		err->code = SERVICE_IMAGE_BUSY;
	}
	return err->code;
}
