/* service_update.c - changes what is told of an image, freezes and thaws.
 *
 * What a file holds as well is changed in the file first: a crash between leaves a row that learns
 * from its file (reconcile_footer.c), as it does of all that an image is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "crash_point.h"
#include "log.h"
#include "service_private.h"

enum { TRIES = 8 }; /* against others who change the same row */

static const char others[] = "Others are changing the image.";

enum service_code service_update_compare(const struct catalog_image *row, uint64_t version,
					 struct service_error *err)
{
	enum service_code code;
	char id[IDS_TEXT];

	if (version == 0 || row->version == version)
		return SERVICE_OK;
	code = service_fail(err, SERVICE_CHANGED, "'%s' has changed.", row->name);
	ids_format(row->id, id);
	service_meta_etag(id, row->version, row->parent_name, row->root_name, err->etag);
	return code;
}

enum service_code service_update_check(struct service *service, const uint8_t id[IDS_SIZE],
				       uint64_t version, struct service_error *err)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	struct catalog_error why;

	if (catalog_get(service->catalog, id, &row, &why) < 0)
		return service_codes_catalog(&why, err);
	return service_update_compare(&row, version, err);
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
	if (update->name && ids_equal(row->id, row->root_id))
		(void)snprintf(row->root_name, sizeof row->root_name, "%s", update->name);
	if (!update->description)
		return SERVICE_OK;
	free(row->description);
	row->description = strdup(update->description);
	if (!row->description)
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	return SERVICE_OK;
}

static bool changes_footer(const struct catalog_image *row, const struct service_update *update)
{
	return (update->has_saved_state && update->saved_state != row->vhd.saved_state) ||
	       (update->has_temporary && update->temporary != row->vhd.temporary);
}

/* The file of a frozen image does not change. */
static enum service_code check_footer(struct service *service, const struct catalog_image *row,
				      const struct service_update *update,
				      struct service_error *err)
{
	if (!changes_footer(row, update) || (!row->frozen && !row->born))
		return SERVICE_OK;
	(void)service_fail(err, row->born ? SERVICE_IMAGE_HAS_CHILDREN : SERVICE_IMAGE_FROZEN,
			   "'%s' is frozen: its file does not change.", row->name);
	service_codes_name(service, row->id, err);
	if (row->born)
		service_codes_children(service, row->id, err);
	return err->code;
}

static enum service_code check_thaw(struct service *service, const struct catalog_image *row,
				    struct service_error *err)
{
	/* Whoever thaws it is going to write, and that waits for what is being deleted. */
	if (!row->born && row->leaving) {
		(void)service_fail(err, SERVICE_IMAGE_BUSY, others);
		return service_codes_unsettled(service, row->id, err);
	}
	if (!row->born)
		return SERVICE_OK;
	(void)service_fail(err, SERVICE_IMAGE_HAS_CHILDREN,
			   "'%s' is frozen for the images that read through it.", row->name);
	service_codes_name(service, row->id, err);
	service_codes_children(service, row->id, err);
	return err->code;
}

/* What has to be done besides the row. */
struct way {
	bool freeze; /* no writer is left, and what they wrote is durable */
	bool footer; /* fields of the footer change too */
};

static struct way way_of(const struct catalog_image *row, const struct service_update *update)
{
	return (struct way){.freeze = update->freeze && !row->frozen,
			    .footer = changes_footer(row, update) && !row->frozen && !row->born};
}

/* One change of one image. */
struct change {
	struct service *service;
	const uint8_t *id;
	const struct service_update *update;
	struct way way;      /* chosen by the row as it was */
	bool again;          /* by the row as it is now, it was the wrong one */
	struct image *image; /* when the footer changes: pinned for writing, or sealed */
	struct vhd_footer before;
	struct catalog_usage usage; /* once it is frozen */
	struct catalog_image row;   /* as it was committed */
};

static enum service_code change_row(const struct change *change, struct catalog_image *row,
				    struct service_error *err)
{
	const struct service_update *update = change->update;
	enum service_code code = service_update_compare(row, update->version, err);

	if (code == SERVICE_OK)
		code = check_footer(change->service, row, update, err);
	if (code == SERVICE_OK && update->thaw)
		code = check_thaw(change->service, row, err);
	if (code == SERVICE_OK)
		code = change_texts(row, update, err);
	if (code == SERVICE_OK)
		code = change_labels(row, update, err);
	if (change->way.footer && update->has_saved_state)
		row->vhd.saved_state = update->saved_state;
	if (change->way.footer && update->has_temporary)
		row->vhd.temporary = update->temporary;
	if (change->way.freeze && change->usage.file_bytes)
		row->usage = change->usage;
	row->frozen = (row->frozen || update->freeze) && !update->thaw;
	return code;
}

/* ---- the row ---- */

/* Somebody was faster with what decides about the way: frozen without a seal, it would have writers
 * still; with a footer that stays as it is, the answer would not be true. */
static bool is_wrong_way(const struct change *change, const struct catalog_image *row)
{
	struct way now = way_of(row, change->update);

	return now.freeze != change->way.freeze || now.footer != change->way.footer;
}

static enum service_code commit(struct change *change, struct service_error *err)
{
	struct catalog *catalog = change->service->catalog;
	struct catalog_error why = {.code = CATALOG_E_CHANGED};

	for (int i = 0; i < TRIES && why.code == CATALOG_E_CHANGED; i++) {
		struct catalog_image *row = &change->row;
		enum service_code code;

		catalog_image_fini(row);
		if (catalog_get(catalog, change->id, row, &why) < 0)
			return service_codes_catalog(&why, err);
		change->again = is_wrong_way(change, row);
		if (change->again)
			return service_fail(err, SERVICE_IMAGE_BUSY, others);
		code = change_row(change, row, err);
		if (code != SERVICE_OK)
			return code;
		if (catalog_update(catalog, row, &why) == 0)
			return SERVICE_OK;
	}
	if (why.code == CATALOG_E_CHANGED)
		return service_fail(err, SERVICE_IMAGE_BUSY, others);
	(void)service_codes_change(change->service, change->id, &why, err);
	if (err->code == SERVICE_NAME_EXISTS)
		service_codes_named(change->service, change->row.name, err);
	return err->code;
}

/* No writer is left, and what they wrote is durable, before the catalog says that it is frozen. */
static enum service_code freeze_and_commit(struct change *change, struct image *image,
					   struct service_error *err)
{
	struct vhd_error why = {0};

	if (change->update->freeze && vhd_freeze(images_disk(image), &why) < 0)
		return service_codes_image(change->service, change->id, &why, err);
	images_usage(image, &change->usage);
	return commit(change, err);
}

/* ---- the file, and then the row ---- */

/* Nothing is touched when the row would be refused anyway. */
static enum service_code set_footer(struct change *change, struct service_error *err)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	const struct service_update *update = change->update;
	struct vhd_footer footer;
	struct vhd_state state;
	struct catalog_error catalog_why;
	struct vhd_error why = {0};
	enum service_code code;

	if (catalog_get(change->service->catalog, change->id, &row, &catalog_why) < 0)
		return service_codes_catalog(&catalog_why, err);
	code = service_update_compare(&row, update->version, err);
	if (code == SERVICE_OK)
		code = check_footer(change->service, &row, update, err);
	if (code != SERVICE_OK)
		return code;
	vhd_state(images_disk(change->image), &state);
	change->before = (struct vhd_footer){state.saved_state, state.temporary};
	footer = change->before;
	if (update->has_saved_state)
		footer.saved_state = update->saved_state;
	if (update->has_temporary)
		footer.temporary = update->temporary;
	if (images_set_footer(change->image, &footer, &why) < 0)
		return service_codes_image(change->service, change->id, &why, err);
	CRASH_POINT("update.footer-set");
	return SERVICE_OK;
}

/* The row stays as it was, so the file becomes again what it was. */
static void put_back(const struct change *change)
{
	struct vhd_error why = {0};
	struct vhd *disk = images_disk(change->image);
	int r = 0;

	if (change->update->freeze)
		r = vhd_thaw(disk, &why);
	if (r == 0)
		r = images_set_footer(change->image, &change->before, &why);
	if (r < 0)
		log_error("a change that was refused may be made at the next start: %s", why.text);
}

static enum service_code commit_footer(struct change *change, struct image *image,
				       struct service_error *err)
{
	struct reconcile *reconcile = &change->service->reconcile;
	enum service_code code;

	change->image = image;
	(void)pthread_mutex_lock(&reconcile->footers);
	code = set_footer(change, err);
	if (code == SERVICE_OK) {
		code = freeze_and_commit(change, image, err);
		if (code != SERVICE_OK)
			put_back(change);
	}
	(void)pthread_mutex_unlock(&reconcile->footers);
	return code;
}

static enum service_code update_footer(struct change *change, struct service_error *err)
{
	struct vhd_error why = {0};
	struct image *image;
	enum service_code code;

	if (images_pin(change->service->images, change->id, IMAGES_WRITE, 0, &image, &why) < 0)
		return service_codes_image(change->service, change->id, &why, err);
	code = commit_footer(change, image, err);
	images_unpin(image, IMAGES_WRITE);
	return code;
}

/* Without writers, and with a disk that can still be written when its footer changes too. */
static int seal(const struct change *change, struct image **ret_image, struct vhd_error *err)
{
	struct images *images = change->service->images;
	bool footer = change->way.footer;
	struct image *image;
	int r = 0;

	if (footer)
		r = images_pin(images, change->id, IMAGES_WRITE, 0, &image, err);
	if (r < 0)
		return r;
	if (footer)
		images_unpin(image, IMAGES_WRITE);
	return images_seal(images, change->id, footer ? IMAGES_ALONE : IMAGES_SHARED, ret_image,
			   err);
}

static enum service_code update_frozen(struct change *change, struct service_error *err)
{
	struct vhd_error why = {0};
	struct image *image;
	enum service_code code;

	if (seal(change, &image, &why) < 0)
		return service_codes_image(change->service, change->id, &why, err);
	if (!change->way.footer)
		code = freeze_and_commit(change, image, err);
	else if (images_was_writable(image))
		code = commit_footer(change, image, err);
	else
		code = service_fail(err, SERVICE_IMAGE_BUSY, others);
	images_unseal(image, code == SERVICE_OK);
	return code;
}

static enum service_code try_update(struct change *change, struct service_error *err)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	struct catalog_error why;
	enum service_code code = SERVICE_OK;

	if (catalog_get(change->service->catalog, change->id, &row, &why) < 0)
		return service_codes_catalog(&why, err);
	change->way = way_of(&row, change->update);
	CRASH_POINT("update.chosen");
	if (change->way.footer)
		code = service_health_chain(change->service, change->id, 0, err);
	if (code != SERVICE_OK)
		return code;
	if (change->way.freeze)
		return update_frozen(change, err);
	return change->way.footer ? update_footer(change, err) : commit(change, err);
}

static enum service_code update_image(struct change *change, struct service_error *err)
{
	enum service_code code;
	int tries = 0;

	do {
		change->again = false;
		code = try_update(change, err);
	} while (change->again && ++tries < TRIES);
	return code;
}

/* The answer is what was committed, whatever others have made of it since. */
enum service_code service_image_update(struct service *service, const char *ref,
				       const struct service_update *update,
				       struct service_image *ret_image, struct service_error *err)
{
	uint8_t id[IDS_SIZE];
	struct change change = {.service = service, .id = id, .update = update};
	enum service_code code = service_find(service, ref, id, err);

	if (code == SERVICE_OK)
		code = update_image(&change, err);
	CRASH_POINT("update.answering");
	if (code == SERVICE_OK &&
	    service_images_tell(service, &change.row, 0, ret_image, err) != SERVICE_OK)
		code = service_codes_done(id, change.row.name, err);
	catalog_image_fini(&change.row);
	return code;
}
