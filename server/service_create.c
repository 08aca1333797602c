/* service_create.c - makes images and children. The order is what survives a crash: the intent is
 * committed, then the file is written, synced and named, then the image is committed as ready.
 * Whatever fails is undone, later if it cannot be now; what a crash interrupts is undone at the
 * next start. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "crash_point.h"
#include "log.h"
#include "pool_place.h"
#include "service_parent.h"
#include "service_unfinished.h"

/* One creation, as far as it has come. */
struct creation {
	struct service *service;
	const struct service_create *spec;
	struct catalog_image row;
	struct pool_dir *pool;
	struct image *held; /* the new image, which nobody else gets before it is there */
	struct service_parent parent;
	struct vhd *disk;
	bool inserted, made, published; /* the row, the file, and its name */
	bool parent_was_writable;
	bool changed; /* it comes after its children, which know another time of it */
	uint64_t parent_size;
};

static uint32_t seconds_of_2000(int64_t seconds_of_1970)
{
	int64_t seconds = seconds_of_1970 - CLOCK_2000;

	if (seconds < 0)
		return 0;
	return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

/* ---- what shall be ---- */

static enum catalog_kind kind_of(enum service_kind kind)
{
	switch (kind) {
	case SERVICE_DYNAMIC: return CATALOG_DYNAMIC;
	case SERVICE_FIXED: return CATALOG_FIXED;
	case SERVICE_DIFFERENCING: return CATALOG_DIFFERENCING;
	}
	return CATALOG_DYNAMIC;
}

static enum service_code plan_parent(struct creation *creation, struct service_error *err)
{
	struct catalog_image parent = {0};
	struct catalog_error why;
	enum service_code code;

	code = service_find(creation->service, creation->spec->parent, creation->row.parent_id,
			    err);
	if (code != SERVICE_OK)
		return code;
	if (catalog_get(creation->service->catalog, creation->row.parent_id, &parent, &why) < 0)
		return service_codes_catalog(&why, err);
	code = service_update_compare(&parent, creation->spec->parent_version, err);
	creation->row.parent_version = creation->spec->parent_version;
	creation->parent_size = parent.vhd.size;
	/* The row needs a size before the file has one. */
	if (!creation->row.vhd.size)
		creation->row.vhd.size = parent.vhd.size;
	catalog_image_fini(&parent);
	return code;
}

static enum service_code plan(struct creation *creation, struct service_error *err)
{
	const struct service_create *spec = creation->spec;
	struct catalog_image *row = &creation->row;
	const char *pool = spec->pool ? spec->pool : creation->service->about.default_pool;
	struct vhd_error why = {0};

	creation->pool = pool_set_find(&creation->service->pools, pool);
	if (!creation->pool)
		return service_fail(err, SERVICE_POOL_NOT_FOUND, "There is no pool '%.128s'.",
				    pool);
	(void)snprintf(row->pool, sizeof row->pool, "%s", pool);
	if (pool_check_writable(creation->pool, &why) < 0)
		return service_codes_vhd(&why, err);
	if (!spec->uuid)
		ids_random(row->id);
	else if (!ids_parse(spec->uuid, row->id))
		return service_fail(err, SERVICE_INVALID_VALUE, "uuid is not a UUID.");
	if (spec->name)
		(void)snprintf(row->name, sizeof row->name, "%s", spec->name);
	else
		service_facts_name(creation->service, row);
	row->kind = kind_of(spec->kind);
	/* An image of this name or id may have been here before: no version of it is told again. */
	row->generation = row->version = (uint64_t)clock_wall_ms();
	row->vhd.size = spec->size;
	row->vhd.block_size = spec->block_size;
	if (!service_facts_texts(row, spec->description, spec->labels, spec->n_labels))
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	return spec->parent ? plan_parent(creation, err) : SERVICE_OK;
}

/* ---- the steps ---- */

static enum service_code take_parent(struct creation *creation, struct service_error *err)
{
	struct service *service = creation->service;
	const uint8_t *id = creation->row.parent_id;
	struct service_parent *parent = &creation->parent;
	struct vhd_error why = {0};
	enum service_code code = service_health_chain(service, id, 0, err);

	if (code == SERVICE_OK)
		code = service_orphan_refuse(service, id, err);
	if (code != SERVICE_OK)
		return code;
	if (images_seal(service->images, id, IMAGES_SHARED, &parent->image, &why) < 0)
		return service_codes_image(service, id, &why, err);
	creation->parent_was_writable = images_was_writable(parent->image);
	return SERVICE_OK;
}

static enum service_code take(struct creation *creation, struct service_error *err)
{
	struct vhd_error why = {0};
	enum service_code code = creation->spec->parent ? take_parent(creation, err) : SERVICE_OK;

	if (code != SERVICE_OK)
		return code;
	/* Somebody may use an image with this id, which the catalog refuses in a moment. */
	if (images_hold(creation->service->images, creation->row.id, &creation->held, &why) == 0)
		return SERVICE_OK;
	if (why.code != VHD_E_BUSY)
		return service_codes_vhd(&why, err);
	return service_fail(err, SERVICE_DUPLICATE_UUID, "An image with this id exists.");
}

/* After a crash the row alone tells whose the files are: they must not have been there before it.
 * Those of an image of the catalog are not asked for: the catalog refuses it. */
static enum service_code check_files(const struct creation *creation, struct service_error *err)
{
	struct catalog_brief brief;
	struct vhd_error why = {0};

	if (catalog_brief(creation->service->catalog, creation->row.id, &brief) ||
	    pool_check_new(creation->pool, creation->row.id, &why) == 0)
		return SERVICE_OK;
	return service_codes_vhd(&why, err);
}

static enum service_code intend(struct creation *creation, struct service_error *err)
{
	struct catalog_error why;
	enum service_code code = check_files(creation, err);

	if (code != SERVICE_OK)
		return code;
	if (catalog_insert(creation->service->catalog, &creation->row, &why) == 0) {
		creation->inserted = true;
		return SERVICE_OK;
	}
	/* It was what it should be when this began, and is no more. */
	if (why.code == CATALOG_E_CHANGED)
		return service_update_check(creation->service, creation->row.parent_id,
					    creation->row.parent_version, err);
	code = service_codes_change(creation->service, creation->row.parent_id, &why, err);
	if (code == SERVICE_NAME_EXISTS)
		service_codes_named(creation->service, creation->row.name, err);
	else if (code == SERVICE_DUPLICATE_UUID)
		(void)service_codes_taken(creation->service, creation->row.id, err);
	return code;
}

static void fill_args(const struct creation *creation, struct vhd_create_args *args)
{
	const struct service_create *spec = creation->spec;

	memcpy(args->id, creation->row.id, IDS_SIZE);
	memcpy(args->creator, spec->creator_application, sizeof args->creator);
	args->size = spec->size;
	args->block_size = spec->block_size;
	args->saved_state = spec->saved_state;
	args->temporary = spec->temporary;
	args->preallocate = spec->preallocation == SERVICE_FALLOC;
	args->absolute_path = spec->absolute_path;
	args->timestamp =
		spec->has_timestamp ? spec->vhd_timestamp : seconds_of_2000(clock_wall_ms() / 1000);
	switch (spec->kind) {
	case SERVICE_DYNAMIC: args->type = VHD_DYNAMIC; break;
	case SERVICE_FIXED: args->type = VHD_FIXED; break;
	case SERVICE_DIFFERENCING: args->type = VHD_DIFF; break;
	}
}

static int write_file(struct creation *creation, const struct vhd_create_args *args,
		      struct vhd_error *err)
{
	CLEANUP(closep) int fd = -1;
	struct vhd_io io;
	int r = pool_create_new(creation->pool, creation->row.id, &fd, err);

	if (r < 0)
		return r;
	creation->made = true;
	r = vhd_io_from_fd(fd, &io, err);
	if (r < 0)
		return r;
	fd = -1; /* the store owns it */
	r = vhd_create(images_engine(creation->service->images), &io, args, &creation->disk, err);
	if (r < 0)
		vhd_io_close(&io);
	return r;
}

static enum service_code build(struct creation *creation, struct service_error *err)
{
	char child_path[POOL_PATH], parent_path[PLACE_TEXT];
	struct vhd_create_args args = {.parent = NULL};
	struct catalog_place at;
	struct vhd_error why = {0};
	int r = 0;

	fill_args(creation, &args);
	if (creation->parent.image) {
		if (!catalog_place(creation->service->catalog, creation->row.parent_id, &at))
			return service_fail(err, SERVICE_INTERNAL,
					    "the parent has left the catalog");
		pool_file_path(creation->pool, creation->row.id, child_path);
		r = place_path(&creation->service->pools, &at, parent_path, &why);
		args.parent_path = parent_path;
		args.child_path = child_path;
		if (r == 0)
			r = service_parent_freeze(creation->service, &at, &creation->parent, &why);
		args.parent = images_disk(creation->parent.image);
		args.parent_timestamp = seconds_of_2000(creation->parent.mtime);
	}
	if (r == 0)
		r = write_file(creation, &args, &why);
	return r < 0 ? service_codes_vhd(&why, err) : SERVICE_OK;
}

static void try_again(const struct creation *creation, const char *why)
{
	log_error("%s; it is tried again", why);
	service_unfinished_add(creation->service->unfinished, creation->row.id);
}

enum { WAITING = 64 };

/* Whether images that miss one of this id as their parent mean another than what is made now. */
static bool is_another(const struct creation *creation)
{
	struct catalog_waiting children[WAITING];
	size_t n = catalog_waiting(creation->service->catalog, creation->row.id, children, WAITING);
	int64_t now = clock_wall_ms() / 1000;

	for (size_t i = 0; i < n; i++) {
		if (!service_facts_same_time(children[i].parent_timestamp, now))
			return true;
	}
	return false;
}

static enum service_code publish(struct creation *creation, struct service_error *err)
{
	struct catalog_usage usage = {.measured_at = clock_wall_ms()};
	struct catalog_error catalog_why;
	struct catalog_vhd facts;
	struct vhd_error why = {0};

	service_facts_vhd(creation->disk, &facts);
	creation->changed = is_another(creation);
	CRASH_POINT("create.written");
	if (pool_publish(creation->pool, creation->row.id, &why) < 0 ||
	    vhd_file_size(creation->disk, &usage.file_bytes, &why) < 0)
		return service_codes_vhd(&why, err);
	CRASH_POINT("create.published");
	if (catalog_finish_create(creation->service->catalog, creation->row.id, &facts, &usage,
				  creation->parent.has_seal ? &creation->parent.seal : NULL,
				  &catalog_why) < 0)
		return service_codes_catalog(&catalog_why, err);
	creation->published = true;
	CRASH_POINT("create.settling");
	if (pool_settle(creation->pool, creation->row.id, &why) < 0)
		try_again(creation, why.text);
	CRASH_POINT("create.settled");
	return SERVICE_OK;
}

/* It has children already when they have waited for an image with its id. */
static void seal_itself(const struct creation *creation)
{
	struct service *service = creation->service;
	struct catalog_brief brief;

	if (catalog_brief(service->catalog, creation->row.id, &brief) && brief.children > 0)
		(void)reconcile_image(&service->reconcile, creation->row.id);
}

/* Gives back all that a creation has taken but a pin of the new image, and undoes it unless it came
 * to its end. */
static void end(struct creation *creation)
{
	struct vhd_error why;
	struct catalog_error catalog_why;

	if (creation->published) {
		images_install(creation->held, creation->disk);
		seal_itself(creation);
	} else {
		vhd_close(creation->disk);
		/* The row goes only when the files are gone, if they are of this creation. */
		if (creation->made && pool_undo_new(creation->pool, creation->row.id, &why) < 0)
			try_again(creation, why.text);
		else if (creation->inserted &&
			 catalog_forget(creation->service->catalog, creation->row.id, 0,
					&catalog_why) < 0)
			try_again(creation, catalog_why.text);
		if (creation->held)
			images_release(creation->held);
	}
	if (creation->parent.image)
		images_unseal(creation->parent.image, creation->published);
	catalog_image_fini(&creation->row);
}

static unsigned warnings_of(const struct creation *creation, const struct service_image *image)
{
	unsigned warnings = 0;

	if (creation->spec->parent && image->virtual_size > creation->parent_size)
		warnings |= SERVICE_WARN_LARGER_THAN_PARENT;
	if (image->depth + 1 >= creation->service->about.depth_warn)
		warnings |= SERVICE_WARN_DEPTH;
	if (creation->changed)
		warnings |= SERVICE_WARN_PARENT_CHANGED;
	return warnings;
}

enum service_code service_image_create(struct service *service, const struct service_create *spec,
				       struct service_created *ret_created,
				       struct service_error *err)
{
	struct creation creation = {.service = service, .spec = spec};
	struct service_created created = {.warnings = 0};
	char text[IDS_TEXT], name[SERVICE_NAME];
	uint8_t id[IDS_SIZE];
	enum service_code code = plan(&creation, err);

	if (code == SERVICE_OK)
		code = take(&creation, err);
	if (code == SERVICE_OK)
		code = intend(&creation, err);
	if (code == SERVICE_OK)
		code = build(&creation, err);
	if (code == SERVICE_OK)
		code = publish(&creation, err);
	memcpy(id, creation.row.id, IDS_SIZE);
	ids_format(id, text);
	memcpy(name, creation.row.name, sizeof name);
	end(&creation);
	CRASH_POINT("create.answering");
	if (code == SERVICE_OK &&
	    service_image_get(service, text, 0, &created.image, err) != SERVICE_OK)
		code = service_codes_done(id, name, err);
	if (creation.published)
		images_unpin(creation.held, IMAGES_READ);
	if (code != SERVICE_OK)
		return code;
	created.froze_parent = creation.parent_was_writable;
	created.warnings = warnings_of(&creation, &created.image);
	*ret_created = created;
	return SERVICE_OK;
}
