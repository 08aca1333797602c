/* service_images.c - single images and lists: rows of the catalog with what is known of open files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "pool_place.h"
#include "service_private.h"

void service_images_etag(const char id[SERVICE_ID], const struct images_view *view, bool frozen,
			 char ret_etag[SERVICE_ETAG])
{
	/* A generation is committed before its first write, so a version is never used for two
	 * contents. What is frozen begins a new one before it is written again; and what it is
	 * read through stays as it is as long as the image is there. */
	if (frozen)
		(void)snprintf(ret_etag, SERVICE_ETAG, "f%llu",
			       (unsigned long long)view->generation);
	else if (view->written)
		(void)snprintf(ret_etag, SERVICE_ETAG, "d%llu.%llu",
			       (unsigned long long)view->generation,
			       (unsigned long long)view->changes);
	else
		(void)snprintf(ret_etag, SERVICE_ETAG, "d%llu",
			       (unsigned long long)view->generation);
	/* Generations begin with a time, and two images may have begun together. */
	service_etag_of(id, ret_etag);
}

static enum service_kind kind_of(enum catalog_kind kind)
{
	switch (kind) {
	case CATALOG_DYNAMIC: return SERVICE_DYNAMIC;
	case CATALOG_FIXED: return SERVICE_FIXED;
	case CATALOG_DIFFERENCING: return SERVICE_DIFFERENCING;
	}
	return SERVICE_DYNAMIC;
}

static enum service_state state_of(const struct catalog_image *row, const struct images_view *view)
{
	switch (row->state) {
	case CATALOG_CREATING: return SERVICE_CREATING;
	case CATALOG_READY: return view->failed ? SERVICE_FAILED : SERVICE_READY;
	case CATALOG_DELETING: return SERVICE_DELETING;
	}
	return SERVICE_READY;
}

static enum service_frozen frozen_of(const struct catalog_image *row)
{
	/* What is being made may come to nothing, and what is being deleted has gone for clients.
	 */
	if (row->born)
		return SERVICE_FROZEN_CHILDREN;
	return row->frozen ? SERVICE_FROZEN_REQUEST : SERVICE_NOT_FROZEN;
}

static void fill_vhd(const struct catalog_vhd *vhd, struct service_image *image)
{
	image->virtual_size = vhd->size;
	image->block_size = vhd->block_size;
	image->saved_state = vhd->saved_state;
	image->temporary = vhd->temporary;
	memcpy(image->creator_application, vhd->creator, sizeof vhd->creator);
	memcpy(image->creator_host_os, vhd->creator_os, sizeof vhd->creator_os);
	image->creator_version = vhd->creator_version;
	image->vhd_timestamp = vhd->timestamp;
	image->vhd_parent_timestamp = vhd->parent_timestamp;
	image->cylinders = vhd->cylinders;
	image->heads = vhd->heads;
	image->sectors_per_track = vhd->sectors_per_track;
}

static void fill_usage(const struct catalog_image *row, const struct images_view *view,
		       struct service_image *image)
{
	const struct catalog_usage *usage = view->measured ? &view->usage : &row->usage;
	uint32_t block_size = row->vhd.block_size;

	image->file_bytes = usage->file_bytes;
	image->measured_at = usage->measured_at;
	image->chain_file_bytes = row->chain_file_bytes - row->usage.file_bytes + usage->file_bytes;
	if (!block_size) {
		image->allocated_bytes = row->vhd.size;
		return;
	}
	image->blocks = usage->blocks;
	image->blocks_total = (row->vhd.size + block_size - 1) / block_size;
	image->allocated_bytes = usage->blocks * block_size;
}

_Static_assert(SERVICE_NAME == (int)CATALOG_NAME, "names are copied whole");

static void fill_family(const struct catalog_image *row, struct service_image *image)
{
	ids_format(row->id, image->id);
	ids_format(row->root_id, image->root.id);
	memcpy(image->root.name, row->root_name, SERVICE_NAME);
	if (ids_is_zero(row->parent_id))
		return;
	ids_format(row->parent_id, image->parent.id);
	memcpy(image->parent.name, row->parent_name, SERVICE_NAME);
}

/* Copies of the texts; the labels of both sides are alike, but strangers to each other. */
static bool fill_texts(const struct catalog_image *row, struct service_image *image)
{
	if (row->description) {
		image->description = strdup(row->description);
		if (!image->description)
			return false;
	}
	if (!row->n_labels)
		return true;
	image->labels = calloc(row->n_labels, sizeof *image->labels);
	if (!image->labels)
		return false;
	for (size_t i = 0; i < row->n_labels; i++) {
		memcpy(image->labels[i].key, row->labels[i].key, SERVICE_LABEL_KEY);
		memcpy(image->labels[i].value, row->labels[i].value, SERVICE_LABEL_VALUE);
	}
	image->n_labels = row->n_labels;
	return true;
}

/* Of a pool's own image the name in it, of any other the whole path. */
static void fill_file(const struct pool_set *pools, const struct catalog_image *row,
		      struct service_image *image)
{
	struct catalog_place at;
	char path[PLACE_TEXT];

	image->linked = row->linked;
	if (!row->path) {
		pool_file_name(row->id, image->file);
		return;
	}
	catalog_place_of(row, &at);
	place_settle(pools, &at);
	place_text(&at, path);
	(void)snprintf(image->file, sizeof image->file, "%.*s", SERVICE_FILE - 1, path);
}

enum service_code service_images_fill(struct service *service, const struct catalog_image *row,
				      struct service_image *ret_image, struct service_error *err)
{
	CLEANUP(service_image_fini)
	struct service_image image = {.depth = row->depth, .broken = row->broken};
	struct images_view view;

	images_look(service->images, row->id, &view);
	memcpy(image.name, row->name, SERVICE_NAME);
	image.kind = kind_of(row->kind);
	image.state = state_of(row, &view);
	if (image.state == SERVICE_READY || (image.state == SERVICE_FAILED && !view.open))
		service_health_state(service, row->id, &image);
	if (image.state == SERVICE_READY && row->parent_missing)
		image.state = SERVICE_ORPHAN;
	image.frozen = frozen_of(row);
	image.children_count = row->children - row->leaving;
	fill_vhd(&row->vhd, &image);
	fill_usage(row, &view, &image);
	fill_family(row, &image);
	if (!fill_texts(row, &image))
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	(void)snprintf(image.pool, sizeof image.pool, "%s", row->pool);
	fill_file(&service->pools, row, &image);
	image.meta_version = row->version;
	if (!view.open)
		view.generation = row->generation;
	/* What a crash left is not known before it is opened and repaired. */
	if (view.open || !row->dirty)
		service_images_etag(image.id, &view, image.frozen != SERVICE_NOT_FROZEN,
				    image.data_etag);
	image.created_at = row->created_at;
	image.updated_at = row->updated_at;
	image.checked_at = row->checked_at;
	*ret_image = image;
	memset(&image, 0, sizeof image);
	return SERVICE_OK;
}

static void code_text(uint32_t code, char ret_text[5])
{
	for (int i = 0; i < 4; i++) {
		uint32_t c = code >> (24 - 8 * i) & 0xff;

		ret_text[i] = '?';
		if (c >= 0x20 && c < 0x7f)
			ret_text[i] = (char)c;
	}
	ret_text[4] = '\0';
}

static void add_locators(const struct vhd_locator *locators, struct service_image *image)
{
	image->locators = calloc(VHD_LOCATORS, sizeof *image->locators);
	if (!image->locators)
		return; /* told when at hand */
	for (uint32_t i = 0; i < VHD_LOCATORS; i++) {
		struct service_locator *to = &image->locators[image->n_locators];

		if (!locators[i].code)
			continue;
		to->slot = i;
		code_text(locators[i].code, to->code);
		(void)snprintf(to->path, sizeof to->path, "%s", locators[i].text);
		image->n_locators++;
	}
}

/* The locators of a child are read from its file; an image that cannot be opened is told without.
 */
static int fill_locators(struct service *service, const uint8_t id[IDS_SIZE], unsigned nowait,
			 struct service_image *image)
{
	const struct vhd_locator *locators;
	struct image *open;
	int r;

	if (image->kind != SERVICE_DIFFERENCING || image->state == SERVICE_CREATING)
		return 0;
	r = images_pin(service->images, id, IMAGES_READ, nowait, &open, NULL);
	if (r < 0)
		return r;
	r = images_locators(open, nowait, &locators, NULL);
	if (r == 0)
		add_locators(locators, image);
	images_unpin(open, IMAGES_READ);
	return r;
}

enum service_code service_images_tell(struct service *service, const struct catalog_image *row,
				      unsigned flags, struct service_image *ret_image,
				      struct service_error *err)
{
	unsigned nowait = flags & SERVICE_NOWAIT ? VHD_NOWAIT : 0;
	enum service_code code = service_images_fill(service, row, ret_image, err);
	int r = 0;

	if (code == SERVICE_OK)
		r = fill_locators(service, row->id, nowait, ret_image);
	if (r == VHD_E_AGAIN) {
		service_image_fini(ret_image);
		return SERVICE_AGAIN;
	}
	/* The open may have found something. */
	if (r < 0 && ret_image->state == SERVICE_READY)
		service_health_state(service, row->id, ret_image);
	return code;
}

enum service_code service_image_get(struct service *service, const char *ref, unsigned flags,
				    struct service_image *ret_image, struct service_error *err)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	struct catalog_error why;
	uint8_t id[IDS_SIZE];
	enum service_code code = service_find(service, ref, id, err);

	if (code != SERVICE_OK)
		return code;
	if (catalog_get(service->catalog, id, &row, &why) < 0)
		return service_codes_catalog(&why, err);
	if (row.state == CATALOG_DELETING) /* since it was found */
		return service_fail(err, SERVICE_IMAGE_NOT_FOUND, "The image is gone.");
	return service_images_tell(service, &row, flags, ret_image, err);
}

enum service_code service_images_fill_all(struct service *service,
					  const struct catalog_images *rows,
					  struct service_images *ret_images,
					  struct service_error *err)
{
	CLEANUP(service_images_fini)
	struct service_images images = {
		.more = rows->more, .total = rows->total, .revision = rows->revision};
	enum service_code code = SERVICE_OK;

	images.items = calloc(rows->n + 1, sizeof *images.items);
	if (!images.items)
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	for (; code == SERVICE_OK && images.n < rows->n; images.n++)
		code = service_images_fill(service, &rows->items[images.n], &images.items[images.n],
					   err);
	if (code != SERVICE_OK)
		return code;
	*ret_images = images;
	memset(&images, 0, sizeof images);
	return SERVICE_OK;
}

/* Before the images are looked at. A verifier is drawn at the start and with every sync that fails,
 * and whenever an image has been recovered; findings count their changes. */
static void fill_health(struct service *service, char ret_health[SERVICE_HEALTH])
{
	char verifier[IMAGES_VERIFIER];
	struct findings_count count;
	struct finding none;

	images_verifier(service->images, verifier);
	(void)findings_list(service->findings, &none, 0, &count);
	(void)snprintf(ret_health, SERVICE_HEALTH, "%.8s.%u", verifier, (unsigned)count.changes);
}

static enum service_code hand_over(struct service *service, const struct catalog_images *rows,
				   const struct service_list *list,
				   struct service_images *ret_images, struct service_error *err)
{
	bool wanted = true;

	for (size_t i = 0; wanted && i < rows->n; i++) {
		CLEANUP(service_image_fini) struct service_image image = {.id = ""};
		enum service_code code = service_images_fill(service, &rows->items[i], &image, err);

		if (code != SERVICE_OK)
			return code;
		wanted = list->take(list->ctx, &image);
	}
	*ret_images = (struct service_images){
		.more = rows->more, .total = rows->total, .revision = rows->revision};
	return SERVICE_OK;
}

enum service_code service_image_list(struct service *service, const struct service_list *list,
				     unsigned flags, struct service_images *ret_images,
				     struct service_error *err)
{
	CLEANUP(catalog_images_fini) struct catalog_images rows = {0};
	char health[SERVICE_HEALTH];
	struct catalog_error why;
	enum service_code code;

	if (flags & SERVICE_NOWAIT)
		return SERVICE_AGAIN;
	fill_health(service, health);
	if (catalog_list(service->catalog, list->after, list->limit, list->count, &rows, &why) < 0)
		return service_codes_catalog(&why, err);
	code = list->take ? hand_over(service, &rows, list, ret_images, err)
			  : service_images_fill_all(service, &rows, ret_images, err);
	if (code == SERVICE_OK)
		memcpy(ret_images->health, health, sizeof health);
	return code;
}

enum service_code service_image_chain(struct service *service, const char *ref, unsigned flags,
				      struct service_images *ret_images, struct service_error *err)
{
	CLEANUP(catalog_images_fini) struct catalog_images rows = {0};
	struct catalog_error why;
	uint8_t id[IDS_SIZE];
	enum service_code code = service_find(service, ref, id, err);

	(void)flags; /* all of it is in memory */
	if (code != SERVICE_OK)
		return code;
	if (catalog_chain(service->catalog, id, &rows, &why) < 0)
		return service_codes_catalog(&why, err);
	return service_images_fill_all(service, &rows, ret_images, err);
}
