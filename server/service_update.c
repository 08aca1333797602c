/* service_update.c - changes what is told of an image, freezes and thaws. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "service_private.h"

enum { TRIES = 8 }; /* against others who change the same row */

enum service_code service_update_compare(const struct catalog_image *row, uint64_t version,
					 struct service_error *err)
{
	enum service_code code;

	if (version == 0 || row->version == version)
		return SERVICE_OK;
	code = service_fail(err, SERVICE_CHANGED, "'%s' has changed.", row->name);
	(void)snprintf(err->etag, sizeof err->etag, "m%llu", (unsigned long long)row->version);
	return code;
}

/* ---- the row as it shall be ---- */

static struct catalog_label *find_label(struct catalog_image *row, const char *key)
{
	for (size_t i = 0; i < row->n_labels; i++) {
		if (strcmp(row->labels[i].key, key) == 0)
			return &row->labels[i];
	}
	return NULL;
}

/* `row` has room for all of them. */
static void change_label(struct catalog_image *row, const struct service_label_change *change)
{
	struct catalog_label *label = find_label(row, change->key);

	if (!change->value && label)
		*label = row->labels[--row->n_labels];
	if (!change->value)
		return;
	if (!label)
		label = &row->labels[row->n_labels++];
	(void)snprintf(label->key, sizeof label->key, "%s", change->key);
	(void)snprintf(label->value, sizeof label->value, "%s", change->value);
}

static enum service_code change_labels(struct catalog_image *row,
				       const struct service_update *update,
				       struct service_error *err)
{
	struct catalog_label *labels;

	if (update->clear_labels)
		row->n_labels = 0;
	if (update->n_labels == 0)
		return SERVICE_OK;
	labels = realloc(row->labels, (row->n_labels + update->n_labels) * sizeof *labels);
	if (!labels)
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	row->labels = labels;
	for (size_t i = 0; i < update->n_labels; i++)
		change_label(row, &update->labels[i]);
	if (row->n_labels > SERVICE_LABELS_MAX)
		return service_fail(err, SERVICE_INVALID_VALUE, "An image has at most %d labels.",
				    SERVICE_LABELS_MAX);
	return SERVICE_OK;
}

static enum service_code change_texts(struct catalog_image *row,
				      const struct service_update *update,
				      struct service_error *err)
{
	if (update->name)
		(void)snprintf(row->name, sizeof row->name, "%s", update->name);
	if (!update->description)
		return SERVICE_OK;
	free(row->description);
	row->description = strdup(update->description);
	if (!row->description)
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	return SERVICE_OK;
}

/* Bits of the footer stay as they are: what would change them is refused. */
static enum service_code check_bits(struct service *service, const struct catalog_image *row,
				    const struct service_update *update, struct service_error *err)
{
	bool same = (!update->has_saved_state || update->saved_state == row->vhd.saved_state) &&
		    (!update->has_temporary || update->temporary == row->vhd.temporary);

	if (same)
		return SERVICE_OK;
	if (row->frozen || row->children)
		(void)service_fail(
			err, row->children ? SERVICE_IMAGE_HAS_CHILDREN : SERVICE_IMAGE_FROZEN,
			"'%s' is frozen: its file does not change.", row->name);
	else
		(void)service_fail(err, SERVICE_NOT_SUPPORTED,
				   "saved_state and features of an image cannot be changed yet");
	service_codes_name(service, row->id, err);
	if (row->children)
		service_codes_children(service, row->id, err);
	return err->code;
}

static enum service_code check_thaw(struct service *service, const struct catalog_image *row,
				    struct service_error *err)
{
	if (!row->children)
		return SERVICE_OK;
	(void)service_fail(err, SERVICE_IMAGE_HAS_CHILDREN,
			   "'%s' is frozen for the images that read through it.", row->name);
	service_codes_name(service, row->id, err);
	service_codes_children(service, row->id, err);
	return err->code;
}

static enum service_code change(struct service *service, struct catalog_image *row,
				const struct service_update *update, struct service_error *err)
{
	enum service_code code = service_update_compare(row, update->version, err);

	if (code == SERVICE_OK)
		code = check_bits(service, row, update, err);
	if (code == SERVICE_OK && update->thaw)
		code = check_thaw(service, row, err);
	if (code == SERVICE_OK)
		code = change_texts(row, update, err);
	if (code == SERVICE_OK)
		code = change_labels(row, update, err);
	row->frozen = (row->frozen || update->freeze) && !update->thaw;
	return code;
}

/* ---- the change ---- */

static enum service_code commit(struct service *service, const uint8_t id[IDS_SIZE],
				const struct service_update *update, struct service_error *err)
{
	struct catalog_error why = {.code = CATALOG_E_CHANGED};

	for (int i = 0; i < TRIES && why.code == CATALOG_E_CHANGED; i++) {
		CLEANUP(catalog_image_fini) struct catalog_image row = {0};
		enum service_code code;

		if (catalog_get(service->catalog, id, &row, &why) < 0)
			return service_codes_catalog(&why, err);
		code = change(service, &row, update, err);
		if (code != SERVICE_OK)
			return code;
		if (catalog_update(service->catalog, &row, &why) == 0)
			return SERVICE_OK;
	}
	if (why.code == CATALOG_E_CHANGED)
		return service_fail(err, SERVICE_IMAGE_BUSY, "Others are changing the image.");
	return service_codes_catalog(&why, err);
}

/* No writer is left, and what they wrote is durable, before the catalog says that it is frozen. */
static enum service_code commit_frozen(struct service *service, const uint8_t id[IDS_SIZE],
				       const struct service_update *update,
				       struct service_error *err)
{
	struct vhd_error why = {0};
	struct image *image;
	enum service_code code;

	if (images_seal(service->images, id, &image, &why) < 0)
		return service_codes_image(service, id, &why, err);
	if (vhd_freeze(images_disk(image), &why) < 0)
		code = service_codes_image(service, id, &why, err);
	else
		code = commit(service, id, update, err);
	images_unseal(image);
	return code;
}

enum service_code service_image_update(struct service *service, const char *ref,
				       const struct service_update *update,
				       struct service_image *ret_image, struct service_error *err)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	struct catalog_error why;
	uint8_t id[IDS_SIZE];
	char text[IDS_TEXT];
	enum service_code code = service_find(service, ref, id, err);

	if (code != SERVICE_OK)
		return code;
	if (catalog_get(service->catalog, id, &row, &why) < 0)
		return service_codes_catalog(&why, err);
	if (update->freeze && !row.frozen)
		code = commit_frozen(service, id, update, err);
	else
		code = commit(service, id, update, err);
	if (code != SERVICE_OK)
		return code;
	ids_format(id, text);
	return service_image_get(service, text, 0, ret_image, err);
}
