/* service_adopt.c - images out of files that are there already: they are found and judged
 * (adopt_walk.c, adopt_file.c), and then all of them enter the catalog, or none. No byte of a file
 * is changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adopt.h"
#include "cleanup.h"
#include "clock.h"
#include "crash_point.h"
#include "failure.h"
#include "log.h"

/* ---- the image that the catalog has already ---- */

/* No writer is left from here on, and its seal is what it is now. */
static int freeze_parent(struct adoption *adoption, struct vhd_error *err)
{
	struct catalog_place at;

	if (!catalog_place(adoption->service->catalog, adoption->parent_id, &at))
		return failure(err, VHD_E_BUSY, "the parent has just gone");
	return service_parent_freeze(adoption->service, &at, &adoption->parent, err);
}

static enum service_code take_parent(struct adoption *adoption)
{
	struct service *service = adoption->service;
	const struct adopt_file *child = adoption->files[adoption->n - 1];
	struct vhd_error why = {0};
	char name[IDS_TEXT];
	enum service_code code;

	if (!adoption->has_parent)
		return SERVICE_OK;
	code = service_health_chain(service, adoption->parent_id, 0, adoption->err);
	if (code != SERVICE_OK)
		return code;
	if (images_seal(service->images, adoption->parent_id, IMAGES_SHARED,
			&adoption->parent.image, &why) < 0 ||
	    freeze_parent(adoption, &why) < 0)
		return service_codes_image(service, adoption->parent_id, &why, adoption->err);
	ids_format(adoption->parent_id, name);
	return adopt_compare_times(adoption, adopt_name(child),
				   vhd_info(child->disk)->parent_timestamp, name,
				   adoption->parent.mtime);
}

/* ---- rows ---- */

/* The file is where one of this image would be: it needs no place of its own. */
static bool is_of_pool(const struct adoption *adoption, const struct adopt_file *file)
{
	char name[POOL_NAME];

	pool_file_name(file->at.id, name);
	return file->at.pool[0] != '\0' && adoption->spec->mode == SERVICE_ADOPT &&
	       strcmp(file->at.path, name) == 0 && file->found.names == 1;
}

static bool set_place(const struct adoption *adoption, const struct adopt_file *file,
		      struct catalog_image *row)
{
	(void)snprintf(row->pool, sizeof row->pool, "%s", file->at.pool);
	row->linked = adoption->spec->mode == SERVICE_LINK;
	if (is_of_pool(adoption, file))
		return true;
	row->root = strdup(file->at.root);
	row->path = strdup(file->at.path);
	return row->root && row->path;
}

/* What the request says of the leaf. */
static bool set_texts(const struct service_adopt *spec, struct catalog_image *row)
{
	if (spec->name)
		(void)snprintf(row->name, sizeof row->name, "%s", spec->name);
	return service_facts_texts(row, spec->description, spec->labels, spec->n_labels);
}

static int measure(const struct adopt_file *file, struct catalog_usage *ret_usage,
		   struct vhd_error *err)
{
	uint32_t blocks = 0;
	int r = vhd_file_size(file->disk, &ret_usage->file_bytes, err);

	if (r == 0)
		r = vhd_allocated_blocks(file->disk, &blocks, err);
	ret_usage->blocks = blocks;
	ret_usage->measured_at = clock_wall_ms();
	return r;
}

static enum service_code fill_row(struct adoption *adoption, size_t i, struct catalog_image *row)
{
	const struct adopt_file *file = adoption->files[i];
	const struct vhd_info *info = vhd_info(file->disk);
	struct vhd_error why = {0};
	bool all = true;

	memcpy(row->id, info->id, IDS_SIZE);
	memcpy(row->parent_id, info->parent_id, IDS_SIZE);
	row->parent_missing = adoption->parent_missing && i == adoption->n - 1;
	row->kind = service_facts_kind(info->type);
	row->frozen = i == 0 && adoption->spec->read_only;
	/* An image of this id may have been here before: no version of it is told again. */
	row->generation = row->version = (uint64_t)clock_wall_ms();
	row->checked_at = clock_wall_ms();
	row->sealed = i > 0;
	row->seal = file->seal;
	service_facts_vhd(file->disk, &row->vhd);
	service_facts_name(adoption->service, row);
	if (i == 0)
		all = set_texts(adoption->spec, row);
	if (!set_place(adoption, file, row) || !all)
		return service_fail(adoption->err, SERVICE_INTERNAL, "out of memory");
	if (measure(file, &row->usage, &why) < 0)
		return service_codes_vhd(&why, adoption->err);
	return SERVICE_OK;
}

static enum service_code refused(struct adoption *adoption, const struct catalog_image *leaf,
				 const struct catalog_error *why)
{
	struct service *service = adoption->service;
	enum service_code code = service_codes_catalog(why, adoption->err);
	uint8_t id[IDS_SIZE];

	if (code == SERVICE_NAME_EXISTS &&
	    catalog_id_of(service->catalog, leaf->name, id, NULL) == 0)
		service_codes_name(service, id, adoption->err);
	if (why->code == CATALOG_E_PLACE)
		(void)service_fail(adoption->err, code,
				   "The file was adopted as another image, whose id it had then.");
	return code;
}

/* Who has found the parent sealed takes its seal after all when that has gone with the last child.
 */
static int enter_rows(struct adoption *adoption, const struct catalog_image *rows, size_t n,
		      struct catalog_images *ret_chain, struct catalog_error *why)
{
	struct catalog *catalog = adoption->service->catalog;
	struct service_parent *parent = &adoption->parent;
	const struct catalog_seal *seal = parent->has_seal ? &parent->seal : NULL;
	struct vhd_error freezing;
	int r;

	CRASH_POINT("adopt.entering");
	r = catalog_adopt(catalog, rows, n, seal, ret_chain, why);
	if (r != CATALOG_E_STATE)
		return r;
	if (freeze_parent(adoption, &freezing) < 0) {
		log_error("an adoption cannot seal its parent: %s", freezing.text);
		return r;
	}
	/* Somebody else may have sealed it again. */
	seal = parent->has_seal ? &parent->seal : NULL;
	return catalog_adopt(catalog, rows, n, seal, ret_chain, why);
}

/* Parents first. */
static enum service_code commit(struct adoption *adoption, struct catalog_images *ret_chain)
{
	CLEANUP(catalog_images_fini) struct catalog_images rows = {0};
	struct catalog_error why = {0};
	size_t n = adoption->n;
	enum service_code code = SERVICE_OK;

	rows.items = calloc(n, sizeof *rows.items);
	if (!rows.items)
		return service_fail(adoption->err, SERVICE_INTERNAL, "out of memory");
	for (rows.n = 0; code == SERVICE_OK && rows.n < n; rows.n++)
		code = fill_row(adoption, n - 1 - rows.n, &rows.items[rows.n]);
	if (code != SERVICE_OK)
		return code;
	/* Whoever sees an image may open it at once: the locks of this one must be gone. */
	adopt_walk_close(adoption);
	if (enter_rows(adoption, rows.items, n, ret_chain, &why) < 0)
		return refused(adoption, &rows.items[n - 1], &why);
	memcpy(adoption->leaf_id, rows.items[n - 1].id, IDS_SIZE);
	(void)snprintf(adoption->leaf_name, CATALOG_NAME, "%s", rows.items[n - 1].name);
	return SERVICE_OK;
}

/* ---- the answer ---- */

/* As it was when it was committed: its leaf may have gone since. */
static enum service_code answer_chain(struct adoption *adoption, const struct catalog_images *chain,
				      size_t n)
{
	struct service_adopted *answer = adoption->answer;
	struct catalog_images adopted = {.items = chain->items, .n = n};
	struct catalog_images known;
	enum service_code code;

	if (chain->n < n)
		return service_fail(adoption->err, SERVICE_INTERNAL, "out of memory");
	known = (struct catalog_images){.items = chain->items + n, .n = chain->n - n};
	code = service_images_fill_all(adoption->service, &adopted, &answer->images, adoption->err);
	if (code == SERVICE_OK)
		code = service_images_fill_all(adoption->service, &known, &answer->known,
					       adoption->err);
	return code;
}

static enum service_code warn_depth(struct adoption *adoption)
{
	struct catalog_images chain = {0};
	size_t depth = adoption->n;

	if (adoption->has_parent &&
	    catalog_chain(adoption->service->catalog, adoption->parent_id, &chain, NULL) == 0)
		depth += chain.n;
	catalog_images_fini(&chain);
	if (depth < adoption->service->about.depth_warn)
		return SERVICE_OK;
	return adopt_warn(adoption, SERVICE_CHAIN_TOO_DEEP, "depth: the chain has %zu images",
			  depth);
}

enum service_code service_image_adopt(struct service *service, const struct service_adopt *spec,
				      struct service_adopted *ret_adopted,
				      struct service_error *err)
{
	struct service_adopted answer = {.n_warnings = 0};
	struct adoption adoption = {
		.service = service, .spec = spec, .err = err, .answer = &answer};
	CLEANUP(catalog_images_fini) struct catalog_images chain = {0};
	enum service_code code = adopt_walk(&adoption);
	size_t n = adoption.n;

	if (code == SERVICE_OK)
		code = take_parent(&adoption);
	if (code == SERVICE_OK)
		code = warn_depth(&adoption);
	if (code == SERVICE_OK)
		code = commit(&adoption, &chain);
	adopt_walk_close(&adoption);
	if (adoption.parent.image)
		images_unseal(adoption.parent.image, code == SERVICE_OK);
	CRASH_POINT("adopt.answering");
	if (code == SERVICE_OK && answer_chain(&adoption, &chain, n) != SERVICE_OK)
		code = service_codes_done(adoption.leaf_id, adoption.leaf_name, err);
	if (code != SERVICE_OK) {
		service_adopted_fini(&answer);
		return code;
	}
	*ret_adopted = answer;
	return SERVICE_OK;
}
