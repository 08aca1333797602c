/* service_file.c - what the files of images hold, pools, and recovery of images. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "service_private.h"

enum { FIELD_TEXT = 2048 };

static enum service_code pin(struct service *service, const char *ref, struct image **ret_image,
			     struct service_error *err)
{
	struct vhd_error why = {0};
	uint8_t id[IDS_SIZE];
	enum service_code code = service_find(service, ref, id, err);

	if (code != SERVICE_OK)
		return code;
	if (images_pin(service->images, id, IMAGES_READ, 0, ret_image, &why) < 0)
		return service_codes_image(service, id, &why, err);
	return SERVICE_OK;
}

/* ---- fields ---- */

/* The reference writes "creator_version", but "creator-application". */
static bool alike(const char *a, const char *b)
{
	for (; *a != '\0'; a++, b++) {
		if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
			return false;
	}
	return *b == '\0';
}

/* One that the image does not have is left out of all. */
static enum service_code add_field(const struct vhd *disk, const char *name,
				   struct service_fields *fields, struct service_error *err)
{
	char text[FIELD_TEXT];
	struct vhd_error why = {0};
	struct service_field *field = &fields->items[fields->n];

	if (vhd_field(disk, name, text, sizeof text, &why) < 0)
		return why.code == VHD_E_NOT_FOUND ? SERVICE_OK : service_codes_vhd(&why, err);
	field->name = name;
	field->text = strdup(text);
	if (!field->text)
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	fields->n++;
	return SERVICE_OK;
}

static enum service_code read_fields(const struct vhd *disk, const char *name,
				     struct service_fields *ret_fields, struct service_error *err)
{
	CLEANUP(service_fields_fini) struct service_fields fields = {0};
	const char *const *names = vhd_field_names();
	enum service_code code = SERVICE_OK;
	size_t n = 0;

	while (names[n])
		n++;
	fields.items = calloc(n + 1, sizeof *fields.items);
	if (!fields.items)
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	for (size_t i = 0; code == SERVICE_OK && i < n; i++) {
		if (!name || alike(names[i], name))
			code = add_field(disk, names[i], &fields, err);
	}
	if (code == SERVICE_OK && name && fields.n == 0)
		code = service_fail(err, SERVICE_FIELD_NOT_FOUND,
				    "The image has no field '%.128s'.", name);
	if (code != SERVICE_OK)
		return code;
	*ret_fields = fields;
	memset(&fields, 0, sizeof fields);
	return SERVICE_OK;
}

enum service_code service_image_fields(struct service *service, const char *ref, const char *name,
				       struct service_fields *ret_fields, struct service_error *err)
{
	struct image *image;
	enum service_code code = pin(service, ref, &image, err);

	if (code != SERVICE_OK)
		return code;
	code = read_fields(images_disk(image), name, ret_fields, err);
	images_unpin(image, IMAGES_READ);
	return code;
}

/* ---- layout ---- */

static const char *kind_name(enum vhd_region_kind kind)
{
	switch (kind) {
	case VHD_REGION_FOOTER_COPY: return "footer-copy";
	case VHD_REGION_HEADER: return "header";
	case VHD_REGION_LOCATOR: return "locator";
	case VHD_REGION_BAT: return "bat";
	case VHD_REGION_BATMAP: return "batmap";
	case VHD_REGION_BLOCK: return "block";
	case VHD_REGION_DATA: return "data";
	case VHD_REGION_GAP: return "gap";
	case VHD_REGION_OVERLAP: return "overlap";
	case VHD_REGION_FOOTER: return "footer";
	}
	return "gap";
}

struct walk {
	uint64_t skip;
	struct service_region_list *list;
};

static int take(void *ctx, const struct vhd_region *region)
{
	struct walk *walk = ctx;
	struct service_region_list *list = walk->list;
	bool block = region->kind == VHD_REGION_BLOCK;

	if (walk->skip > 0) {
		walk->skip--;
		return 0;
	}
	if (list->n == list->max) {
		list->more = true;
		return 1;
	}
	list->regions[list->n++] = (struct service_region){
		.kind = kind_name(region->kind),
		.offset = region->offset,
		.length = region->length,
		.has_index = block || region->kind == VHD_REGION_LOCATOR,
		.index = region->index,
		.has_bitmap = block,
		.bitmap_length = region->bitmap_length,
		.present = region->present,
	};
	return 0;
}

enum service_code service_image_layout(struct service *service, const char *ref, uint64_t skip,
				       struct service_region_list *ret_list,
				       struct service_error *err)
{
	struct walk walk = {.skip = skip, .list = ret_list};
	struct vhd_error why = {0};
	struct image *image;
	enum service_code code = pin(service, ref, &image, err);

	if (code != SERVICE_OK)
		return code;
	ret_list->n = 0;
	ret_list->more = false;
	if (vhd_layout(images_disk(image), take, &walk, &why) < 0 && why.code != VHD_E_CANCELED)
		code = service_codes_vhd(&why, err);
	images_unpin(image, IMAGES_READ);
	return code;
}

/* ---- pools ---- */

enum service_code service_pools(struct service *service, struct service_pools *ret_pools,
				struct service_error *err)
{
	const struct pool_set *set = &service->pools;
	struct service_pool *items = calloc(set->n + 1, sizeof *items);

	if (!items)
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	for (size_t i = 0; i < set->n; i++) {
		struct vhd_error why = {0};
		struct service_pool *pool = &items[i];

		(void)snprintf(pool->name, sizeof pool->name, "%s", set->items[i].name);
		(void)snprintf(pool->path, sizeof pool->path, "%s", pool_path(set->items[i].pool));
		pool->online = pool_space(set->items[i].pool, &pool->size, &pool->free, &why) == 0;
		if (pool->online)
			(void)pool_check_writable(set->items[i].pool, &why);
		(void)snprintf(pool->why, sizeof pool->why, "%.150s", why.text);
	}
	*ret_pools = (struct service_pools){.items = items, .n = set->n};
	return SERVICE_OK;
}

/* ---- recovery ---- */

static enum service_code not_recovered(struct service *service, const uint8_t id[IDS_SIZE],
				       const struct vhd_error *why, struct service_error *err)
{
	enum service_code code = SERVICE_OK;

	/* The open may have found something that says more. */
	if (why->code != VHD_E_FROZEN)
		code = service_health_chain(service, id, 0, err);
	if (code != SERVICE_OK)
		return code;
	code = service_codes_image(service, id, why, err);
	if (why->code == VHD_E_FROZEN)
		(void)snprintf(err->text, sizeof err->text, "'%s' is a parent: %.300s",
			       err->image.name, why->text);
	return code;
}

enum service_code service_image_recover(struct service *service, const char *ref,
					struct service_image *ret_image, struct service_error *err)
{
	struct vhd_error why = {0};
	uint8_t id[IDS_SIZE];
	enum service_code code = service_find(service, ref, id, err);

	if (code != SERVICE_OK)
		return code;
	if (images_recover(service->images, id, &why) < 0)
		return not_recovered(service, id, &why, err);
	return service_image_get(service, ref, 0, ret_image, err);
}
