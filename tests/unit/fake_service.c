/* fake_service.c - answers the questions of service.h from memory. */
#include "fake_service.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct service_data {
	struct service *service;
	struct fake_image *image;
	struct service_data_info info;
	uint64_t written;
};

/* 4 MiB, of which a test touches little: those of the last one, zeroed. */
static struct service *spare;

struct service *fake_new(void)
{
	struct service *service = spare ? spare : calloc(1, sizeof *service);

	if (!service)
		abort();
	spare = NULL;
	return service;
}

void fake_free(struct service *service)
{
	const size_t rest = offsetof(struct service, n);

	assert(service->opens == service->closes && !service->locked);
	memset(service->images, 0, (size_t)service->n * sizeof *service->images);
	memset((char *)service + rest, 0, sizeof *service - rest);
	free(spare);
	spare = service;
}

int fake_pair(void **state)
{
	struct service *service = fake_new();

	fake_add(service, "base", 65536, NULL);
	fake_add(service, "web-1", 65536, "base");
	*state = service;
	return 0;
}

int fake_teardown(void **state)
{
	fake_free(*state);
	return 0;
}

static struct fake_image *find(struct service *service, const char *ref)
{
	for (int i = 0; i < service->n; i++) {
		struct fake_image *image = &service->images[i];

		if (!image->gone && (strcmp(image->name, ref) == 0 || strcmp(image->id, ref) == 0))
			return image;
	}
	return NULL;
}

struct fake_image *fake_add(struct service *service, const char *name, uint64_t size,
			    const char *parent)
{
	struct fake_image *image = &service->images[service->n];

	assert(service->n < FAKE_IMAGES);
	(void)snprintf(image->id, sizeof image->id, "00000000-0000-4000-8000-%012d",
		       service->n + 1);
	(void)snprintf(image->name, sizeof image->name, "%s", name);
	image->kind = parent ? SERVICE_DIFFERENCING : SERVICE_DYNAMIC;
	image->state = SERVICE_READY;
	image->size = size;
	image->parent = -1;
	if (parent) {
		struct fake_image *above = find(service, parent);

		assert(above);
		image->parent = (int)(above - service->images);
		above->children++;
	}
	service->n++;
	return image;
}

void fake_fill(struct fake_image *image, uint64_t sector, uint64_t count, int byte)
{
	memset(image->bytes + sector * 512, byte, count * 512);
	memset(image->has + sector, 1, count);
}

void fake_flush(struct service *service)
{
	service_done_fn *done = service->done;

	service->done = NULL;
	done(service->done_ctx, service->flushed);
}

/* ---- answers ---- */

static enum service_code refuse(struct service_error *err, enum service_code code, const char *text)
{
	err->code = code;
	(void)snprintf(err->text, sizeof err->text, "%s", text);
	return code;
}

static enum service_code busy(const struct service *service, unsigned flags,
			      struct service_error *err)
{
	if (service->again && (flags & SERVICE_NOWAIT))
		return SERVICE_AGAIN;
	if (service->fail == SERVICE_OK || service->fail_after > 0)
		return SERVICE_OK;
	if (service->fail_image)
		(void)snprintf(err->image.name, sizeof err->image.name, "%s", service->fail_image);
	return refuse(err, service->fail, service->fail_text ? service->fail_text : "");
}

const struct service_about *service_about(const struct service *service)
{
	static const struct service_about about = {.version = "1.2.3",
						   .unix_socket = "/run/vhdd/vhdd.sock",
						   .default_pool = "default",
						   .depth_max = 1024,
						   .depth_warn = 30,
						   .workers = 8};

	(void)service;
	return &about;
}

int64_t service_now(const struct service *service)
{
	(void)service;
	return INT64_C(1790000000000); /* 2026-09-21T13:46:40Z */
}

void service_ready(struct service *service, struct service_ready *ret_ready)
{
	*ret_ready = (struct service_ready){.ready = !service->not_ready, .n_checks = 1};
	ret_ready->checks[0] = (struct service_check){.name = "catalog", .ok = !service->not_ready};
	(void)snprintf(ret_ready->checks[0].text, sizeof ret_ready->checks[0].text, "%s",
		       service->not_ready ? "the last commit failed" : "");
}

static void name_of(const struct service *service, int at, struct service_name *ret_name)
{
	*ret_name = (struct service_name){.id = ""};
	if (at < 0)
		return;
	(void)snprintf(ret_name->id, sizeof ret_name->id, "%s", service->images[at].id);
	(void)snprintf(ret_name->name, sizeof ret_name->name, "%s",
		       service->images[at].gone ? "" : service->images[at].name);
}

static void describe(const struct service *service, const struct fake_image *from,
		     struct service_image *ret_image)
{
	int root = (int)(from - service->images);

	*ret_image = (struct service_image){.kind = from->kind,
					    .state = from->state,
					    .damaged = from->damaged,
					    .virtual_size = from->size,
					    .block_size = FAKE_BLOCK,
					    .children_count = from->children,
					    .creator_version = 0x000A0000,
					    .meta_version = 17 + from->changes,
					    .created_at = 1000,
					    .updated_at = from->updated_at,
					    .checked_at = from->checked_at,
					    .vhd_timestamp = 60};
	(void)snprintf(ret_image->id, sizeof ret_image->id, "%s", from->id);
	(void)snprintf(ret_image->name, sizeof ret_image->name, "%s", from->name);
	(void)snprintf(ret_image->pool, sizeof ret_image->pool, "%s",
		       from->poolless ? "" : "default");
	(void)snprintf(ret_image->file, sizeof ret_image->file, "%s%s.vhd",
		       from->poolless ? "/srv/" : "", from->id);
	(void)snprintf(ret_image->creator_application, 5, "win ");
	(void)snprintf(ret_image->creator_host_os, 5, "Wi2k");
	if (from->children > 0)
		ret_image->frozen = SERVICE_FROZEN_CHILDREN;
	else if (from->frozen)
		ret_image->frozen = SERVICE_FROZEN_REQUEST;
	for (; service->images[root].parent >= 0; ret_image->depth++)
		root = service->images[root].parent;
	name_of(service, from->parent, &ret_image->parent);
	name_of(service, root, &ret_image->root);
}

static void remember(struct service *service, const struct service_create *spec)
{
	const char **texts[] = {&service->spec.name, &service->spec.parent, &service->spec.uuid,
				&service->spec.pool, &service->spec.description};

	service->spec = *spec;
	for (size_t i = 0; i < 5; i++) {
		if (!*texts[i])
			continue;
		(void)snprintf(service->texts[i], sizeof service->texts[i], "%s", *texts[i]);
		*texts[i] = service->texts[i];
	}
}

/* Is it still what the caller has seen? */
static enum service_code compare(const struct service *service, struct fake_image *image,
				 uint64_t version, struct service_error *err)
{
	image->changes += service->race;
	if (version == 0 || version == 17 + image->changes)
		return SERVICE_OK;
	service_meta_etag(image->id, 17 + image->changes, "", "", err->etag);
	return refuse(err, SERVICE_CHANGED, "somebody was faster");
}

enum service_code service_image_create(struct service *service, const struct service_create *spec,
				       struct service_created *ret_created,
				       struct service_error *err)
{
	enum service_code code = busy(service, 0, err);
	struct fake_image *parent = spec->parent ? find(service, spec->parent) : NULL;
	struct fake_image *image;

	remember(service, spec);
	if (code != SERVICE_OK)
		return code;
	if (spec->name && find(service, spec->name))
		return refuse(err, SERVICE_NAME_EXISTS, "there is an image of that name");
	if (spec->parent && !parent)
		return refuse(err, SERVICE_IMAGE_NOT_FOUND, "there is no such parent");
	if (parent && compare(service, parent, spec->parent_version, err) != SERVICE_OK)
		return err->code;
	memset(ret_created, 0, sizeof *ret_created);
	ret_created->froze_parent = parent && parent->children == 0;
	if (parent && spec->size > parent->size)
		ret_created->warnings |= SERVICE_WARN_LARGER_THAN_PARENT;
	image = fake_add(service, spec->name ? spec->name : "img-00000001",
			 spec->size > 0 || !parent ? spec->size : parent->size, spec->parent);
	image->kind = spec->kind;
	describe(service, image, &ret_created->image);
	return SERVICE_OK;
}

/* What only a look at one image tells. */
static bool add_details(struct service_image *image)
{
	image->saved_state = image->temporary = true;
	image->labels = calloc(1, sizeof *image->labels);
	image->locators = calloc(1, sizeof *image->locators);
	image->description = calloc(1, 16);
	if (!image->labels || !image->locators || !image->description)
		return false;
	image->n_labels = image->n_locators = 1;
	(void)snprintf(image->labels->key, sizeof image->labels->key, "role");
	(void)snprintf(image->labels->value, sizeof image->labels->value, "web");
	image->locators->slot = 1;
	(void)snprintf(image->locators->code, sizeof image->locators->code, "MacX");
	(void)snprintf(image->locators->path, sizeof image->locators->path, "file://./x.vhd");
	(void)snprintf(image->description, 16, "before");
	return true;
}

enum service_code service_image_ready(struct service *service, const char *ref,
				      struct service_error *err)
{
	(void)service;
	(void)ref;
	(void)err;
	return SERVICE_OK;
}

enum service_code service_image_get(struct service *service, const char *ref, unsigned flags,
				    struct service_image *ret_image, struct service_error *err)
{
	enum service_code code = busy(service, flags, err);
	const struct fake_image *image = find(service, ref);

	if (code != SERVICE_OK)
		return code;
	if (!image)
		return refuse(err, SERVICE_IMAGE_NOT_FOUND, "no image is called that");
	describe(service, image, ret_image);
	service->commits += service->race;
	if (image->kind == SERVICE_DIFFERENCING && !add_details(ret_image)) {
		service_image_fini(ret_image);
		return refuse(err, SERVICE_INTERNAL, "no memory");
	}
	return SERVICE_OK;
}

static bool push(struct service_images *images, const struct service *service,
		 const struct fake_image *from)
{
	if (!images->items)
		images->items = calloc(FAKE_IMAGES, sizeof *images->items);
	if (images->items)
		describe(service, from, &images->items[images->n++]);
	return images->items;
}

/* The next name after that. */
static const struct fake_image *next_image(const struct service *service, const char *after)
{
	const struct fake_image *next = NULL;

	for (int i = 0; i < service->n; i++) {
		const struct fake_image *image = &service->images[i];

		if (!image->gone && strcmp(image->name, after) > 0 &&
		    (!next || strcmp(image->name, next->name) < 0))
			next = image;
	}
	return next;
}

/* Somebody renames an image after a list. */
static void move(struct service *service)
{
	struct fake_image *image = &service->images[service->moves];

	if (service->renames == 0)
		return;
	service->renames--;
	service->commits++;
	image->name[0] = image->name[0] == 'z' ? 'a' : 'z';
}

static uint64_t count_images(const struct service *service)
{
	uint64_t n = 0;

	for (int i = 0; i < service->n; i++)
		n += !service->images[i].gone;
	return n;
}

/* Gives the image to the one or the other. */
static bool hand_over(const struct service_list *list, struct service_images *images,
		      const struct service *service, const struct fake_image *image, bool *ret_ok)
{
	struct service_image told;
	bool wanted;

	if (!list->take) {
		*ret_ok = push(images, service, image);
		return *ret_ok;
	}
	describe(service, image, &told);
	wanted = list->take(list->ctx, &told);
	service_image_fini(&told);
	return wanted;
}

enum service_code service_image_list(struct service *service, const struct service_list *list,
				     unsigned flags, struct service_images *ret_images,
				     struct service_error *err)
{
	enum service_code code = busy(service, flags, err);
	struct service_images images = {.revision = 881 + service->commits};
	const struct fake_image *image = next_image(service, list->after ? list->after : "");
	size_t limit = service->look && list->limit < SIZE_MAX ? service->look : list->limit;
	bool ok = true;

	if (code != SERVICE_OK)
		return code;
	service->lists++;
	images.total = list->count ? count_images(service) : 0;
	for (size_t n = 0; image && !images.more; n++) {
		if (n == limit)
			images.more = true;
		else if (!hand_over(list, &images, service, image, &ok))
			break;
		image = next_image(service, image->name);
	}
	if (!ok)
		return refuse(err, SERVICE_INTERNAL, "no memory");
	move(service);
	*ret_images = images;
	return SERVICE_OK;
}

enum service_code service_image_chain(struct service *service, const char *ref, unsigned flags,
				      struct service_images *ret_images, struct service_error *err)
{
	enum service_code code = busy(service, flags, err);
	const struct fake_image *image = find(service, ref);
	struct service_images images = {.n = 0};

	if (code != SERVICE_OK)
		return code;
	if (!image)
		return refuse(err, SERVICE_IMAGE_NOT_FOUND, "no image is called that");
	while (image && !image->gone) {
		if (!push(&images, service, image))
			return refuse(err, SERVICE_INTERNAL, "no memory");
		image = image->parent >= 0 ? &service->images[image->parent] : NULL;
	}
	*ret_images = images;
	return SERVICE_OK;
}

static enum service_code has_children(const struct service *service, const struct fake_image *image,
				      struct service_error *err)
{
	err->n_related = 0;
	for (int i = 0; i < service->n; i++) {
		if (!service->images[i].gone &&
		    service->images[i].parent == (int)(image - service->images))
			(void)snprintf(err->related[err->n_related++], SERVICE_NAME, "%s",
				       service->images[i].name);
	}
	err->related_total = err->n_related;
	(void)snprintf(err->image.id, sizeof err->image.id, "%s", image->id);
	(void)snprintf(err->image.name, sizeof err->image.name, "%s", image->name);
	return refuse(err, SERVICE_IMAGE_HAS_CHILDREN, "the image is a parent");
}

enum service_code service_image_delete(struct service *service, const char *ref,
				       const struct service_delete *how, struct service_error *err)
{
	enum service_code code = busy(service, 0, err);
	struct fake_image *image = find(service, ref);

	if (code != SERVICE_OK)
		return code;
	if (!image)
		return refuse(err, SERVICE_IMAGE_NOT_FOUND, "no image is called that");
	if (image->children > 0)
		return has_children(service, image, err);
	code = compare(service, image, how->version, err);
	image->gone = code == SERVICE_OK;
	return code;
}

static void remember_update(struct service *service, const struct service_update *update)
{
	enum { ROOM = sizeof service->update_texts[0] };

	service->update = *update;
	(void)snprintf(service->update_texts[0], ROOM, "%s", update->name ? update->name : "-");
	(void)snprintf(service->update_texts[1], ROOM, "%s",
		       update->description ? update->description : "-");
	for (size_t i = 0; i < update->n_labels && i < 4; i++)
		(void)snprintf(service->update_texts[2 + i], ROOM, "%s%s%s", update->labels[i].key,
			       update->labels[i].value ? "=" : "",
			       update->labels[i].value ? update->labels[i].value : "");
}

enum service_code service_image_update(struct service *service, const char *ref,
				       const struct service_update *update,
				       struct service_image *ret_image, struct service_error *err)
{
	enum service_code code = busy(service, 0, err);
	struct fake_image *image = find(service, ref);

	remember_update(service, update);
	if (code != SERVICE_OK)
		return code;
	if (!image)
		return refuse(err, SERVICE_IMAGE_NOT_FOUND, "no image is called that");
	if (update->name && find(service, update->name))
		return refuse(err, SERVICE_NAME_EXISTS, "there is an image of that name");
	if (update->thaw && image->children > 0)
		return has_children(service, image, err);
	code = compare(service, image, update->version, err);
	if (code != SERVICE_OK)
		return code;
	if (update->name)
		(void)snprintf(image->name, sizeof image->name, "%s", update->name);
	image->frozen = (image->frozen || update->freeze) && !update->thaw;
	image->changes++;
	describe(service, image, ret_image);
	return SERVICE_OK;
}

/* ---- data ---- */

enum service_code service_data_open(struct service *service, const char *ref,
				    enum service_mode mode, unsigned flags,
				    struct service_data **ret_data, struct service_error *err)
{
	struct fake_image *image = find(service, ref);
	struct service_data *data;

	if (service->again && (flags & SERVICE_NOWAIT))
		return SERVICE_AGAIN;
	if (!image)
		return refuse(err, SERVICE_IMAGE_NOT_FOUND, "no image is called that");
	if (mode == SERVICE_WRITE && image->children > 0)
		return has_children(service, image, err);
	data = calloc(1, sizeof *data);
	if (!data)
		return refuse(err, SERVICE_INTERNAL, "no memory");
	service->opens++;
	data->service = service;
	data->image = image;
	data->info = (struct service_data_info){.kind = image->kind,
						.size = image->size,
						.block_size = FAKE_BLOCK,
						.frozen = image->children > 0};
	(void)snprintf(data->info.id, sizeof data->info.id, "%s", image->id);
	(void)snprintf(data->info.name, sizeof data->info.name, "%s", image->name);
	*ret_data = data;
	return SERVICE_OK;
}

void service_data_close(struct service_data *data)
{
	if (!data)
		return;
	data->service->closes++;
	free(data);
}

const struct service_data_info *service_data_info(const struct service_data *data)
{
	return &data->info;
}

static struct fake_image *level(const struct service_data *data, uint32_t depth)
{
	struct fake_image *image = data->image;

	for (; image && depth > 0; depth--)
		image = image->parent >= 0 ? &data->service->images[image->parent] : NULL;
	return image;
}

bool service_data_level(struct service_data *data, uint32_t depth, struct service_level *ret_level)
{
	const struct fake_image *image = level(data, depth);

	if (!image)
		return false;
	*ret_level = (struct service_level){
		.id = image->id, .name = image->name, .path = "default/x.vhd"};
	return true;
}

void service_data_state(const struct service_data *data, struct service_data_state *ret_state)
{
	*ret_state = (struct service_data_state){
		.write_epoch = 7, .durable_epoch = 6, .allocated_blocks = data->written > 0};
	(void)snprintf(ret_state->etag, sizeof ret_state->etag, "d12.%u", data->service->writes);
	(void)snprintf(ret_state->verifier, sizeof ret_state->verifier, "5f3a");
}

void service_data_result(const struct service_data *data, struct service_data_state *ret_state)
{
	service_data_state(data, ret_state);
	if (data->service->met)
		ret_state->etag[0] = '\0';
}

/* Which level has the sector; NULL: nobody. */
static struct fake_image *owner(const struct service_data *data, uint64_t sector,
				uint32_t *ret_depth)
{
	for (*ret_depth = 0;; ++*ret_depth) {
		struct fake_image *image = level(data, *ret_depth);

		if (!image || (sector < FAKE_SECTORS && image->has[sector]))
			return image;
	}
}

enum service_code service_data_read(struct service_data *data, void *buf, size_t len, uint64_t off,
				    unsigned flags, struct service_error *err)
{
	enum service_code code = busy(data->service, flags, err);

	assert(off <= data->info.size && len <= data->info.size - off);
	if (len == 0) /* does not look into the file */
		return code == SERVICE_IMAGE_FAILED ? code : SERVICE_OK;
	for (size_t i = 0; code == SERVICE_OK && i < len; i++) {
		uint32_t depth;
		const struct fake_image *image = owner(data, (off + i) / 512, &depth);

		((uint8_t *)buf)[i] = image ? image->bytes[off + i] : 0;
	}
	return code;
}

enum service_code service_data_reserve(struct service_data *data, uint64_t off, uint64_t len,
				       unsigned flags, struct service_error *err)
{
	(void)off;
	(void)len;
	return busy(data->service, flags, err);
}

uint64_t service_data_upload_begin(struct service_data *data, const char *request, uint64_t offset,
				   uint64_t requested)
{
	struct service *service = data->service;
	struct service_upload *upload = &service->uploads[service->n_uploads++ % SERVICE_UPLOADS];

	*upload = (struct service_upload){.number = service->n_uploads,
					  .offset = offset,
					  .requested = requested,
					  .began_at = 1000};
	(void)snprintf(upload->request, sizeof upload->request, "%s", request);
	return upload->number;
}

void service_data_upload_note(struct service_data *data, uint64_t number, uint64_t written,
			      const char *outcome)
{
	struct service_upload *upload = &data->service->uploads[(number - 1) % SERVICE_UPLOADS];

	upload->written = written;
	if (outcome)
		upload->ended_at = 2000;
	(void)snprintf(upload->outcome, sizeof upload->outcome, "%s", outcome ? outcome : "");
}

size_t service_data_uploads(const struct service_data *data,
			    struct service_upload ret_list[SERVICE_UPLOADS])
{
	const struct service *service = data->service;

	for (size_t i = 0; i < service->n_uploads; i++)
		ret_list[i] = service->uploads[service->n_uploads - 1 - i];
	return service->n_uploads;
}

static enum service_code change(struct service_data *data, const void *buf, size_t len,
				uint64_t off, struct service_error *err)
{
	enum service_code code = busy(data->service, 0, err);

	assert(off <= data->info.size && len <= data->info.size - off &&
	       off + len <= sizeof data->image->bytes);
	if (code != SERVICE_OK)
		return code;
	if (data->service->fail_after > 0)
		data->service->fail_after--;
	if (buf)
		memcpy(data->image->bytes + off, buf, len);
	else
		memset(data->image->bytes + off, 0, len);
	for (uint64_t at = off / 512; at < (off + len + 511) / 512; at++)
		data->image->has[at] = true;
	data->service->writes++;
	data->written += len;
	return SERVICE_OK;
}

enum service_code service_data_write(struct service_data *data, const void *buf, size_t len,
				     uint64_t off, struct service_error *err)
{
	return change(data, buf, len, off, err);
}

enum service_code service_data_zero(struct service_data *data, uint64_t off, uint64_t len,
				    struct service_error *err)
{
	return change(data, NULL, (size_t)len, off, err);
}

enum service_code service_data_lock(struct service_data *data, const char *etag,
				    struct service_error *err)
{
	struct service_data_state state;

	data->service->writes += data->service->race;
	service_data_state(data, &state);
	if (strcmp(etag, state.etag) != 0) {
		(void)snprintf(err->etag, sizeof err->etag, "%s", state.etag);
		return refuse(err, SERVICE_CHANGED, "somebody was faster");
	}
	assert(!data->service->locked);
	data->service->locked = true;
	return SERVICE_OK;
}

void service_data_unlock(struct service_data *data)
{
	assert(data->service->locked);
	data->service->locked = false;
}

void service_data_flush(struct service_data *data, service_done_fn *done, void *ctx)
{
	data->service->flushes++;
	data->service->done = done;
	data->service->done_ctx = ctx;
	if (!data->service->defer)
		fake_flush(data->service);
}

/* ---- sectors ---- */

enum service_code service_data_locate(struct service_data *data, uint64_t sector, unsigned flags,
				      struct service_location *ret_location,
				      struct service_step_list *ret_steps,
				      struct service_error *err)
{
	enum service_code code = busy(data->service, flags, err);
	uint32_t depth;
	const struct fake_image *image = owner(data, sector, &depth);

	if (code != SERVICE_OK)
		return code;
	assert(ret_steps->max > depth);
	for (uint32_t i = 0; i < depth; i++)
		ret_steps->steps[i] = (struct service_step){
			.kind = i == 0 ? SERVICE_STEP_UNALLOCATED : SERVICE_STEP_CLEAR};
	ret_steps->n = depth;
	*ret_location = (struct service_location){.where = SERVICE_ZERO};
	if (!image)
		return SERVICE_OK;
	ret_steps->steps[ret_steps->n++] =
		(struct service_step){.kind = SERVICE_STEP_SET, .bitmap_full = image->parent < 0};
	*ret_location = (struct service_location){.where = SERVICE_DATA,
						  .depth = depth,
						  .physical_sector = 100 + sector,
						  .has_block = true,
						  .block = (uint32_t)(sector / 8),
						  .bat_sector = 99,
						  .bitmap_sectors = 1,
						  .sector_in_block = (uint32_t)(sector % 8)};
	if (image->kind == SERVICE_FIXED) {
		ret_location->has_block = false;
		ret_location->physical_sector = sector;
		ret_steps->steps[depth].kind = SERVICE_STEP_FLAT;
	}
	return SERVICE_OK;
}

/* A sector whose owner is that of the run's first one joins it. */
enum service_code service_data_runs(struct service_data *data, uint64_t sector, uint64_t count,
				    unsigned flags, struct service_run_list *ret_runs,
				    struct service_error *err)
{
	enum service_code code = busy(data->service, flags, err);
	const struct fake_image *last = NULL;
	size_t n = 0;

	if (code != SERVICE_OK)
		return code;
	for (uint64_t at = sector; at < sector + count; at++) {
		uint32_t depth;
		const struct fake_image *image = owner(data, at, &depth);

		if (n > 0 && image == last) {
			ret_runs->runs[n - 1].count++;
			continue;
		}
		if (n == ret_runs->max)
			break;
		ret_runs->runs[n++] =
			(struct service_run){.sector = at,
					     .count = 1,
					     .where = image ? SERVICE_DATA : SERVICE_ZERO,
					     .depth = depth,
					     .physical_sector = 100 + at};
		last = image;
	}
	ret_runs->n = n;
	return SERVICE_OK;
}

enum service_code service_data_extents(struct service_data *data, uint64_t start, uint64_t length,
				       unsigned flags, struct service_extent_list *ret_extents,
				       struct service_error *err)
{
	struct service_run runs[64];
	struct service_run_list list = {.runs = runs,
					.max = ret_extents->max < 64 ? ret_extents->max : 64};
	enum service_code code =
		service_data_runs(data, start / 512, length / 512, flags, &list, err);

	for (size_t i = 0; code == SERVICE_OK && i < list.n; i++) {
		bool hidden = (flags & SERVICE_TOP_ONLY) && runs[i].where == SERVICE_DATA &&
			      runs[i].depth > 0;

		ret_extents->extents[i] =
			(struct service_extent){.start = runs[i].sector * 512,
						.length = runs[i].count * 512,
						.where = hidden ? SERVICE_UNKNOWN : runs[i].where,
						.depth = runs[i].depth};
	}
	ret_extents->n = list.n;
	return code;
}

/* ---- file, pools ---- */

enum service_code service_image_recover(struct service *service, const char *ref,
					struct service_image *ret_image, struct service_error *err)
{
	enum service_code code = busy(service, 0, err);
	struct fake_image *image = find(service, ref);

	if (code != SERVICE_OK)
		return code;
	if (!image)
		return refuse(err, SERVICE_IMAGE_NOT_FOUND, "no image is called that");
	image->state = SERVICE_READY;
	describe(service, image, ret_image);
	return SERVICE_OK;
}

static bool alike(const char *a, const char *b)
{
	while (*a != '\0' && (*a == *b || (*a == '_' && *b == '-'))) {
		a++;
		b++;
	}
	return *a == *b;
}

enum service_code service_image_fields(struct service *service, const char *ref, const char *name,
				       struct service_fields *ret_fields, struct service_error *err)
{
	static const char *const names[] = {"cookie", "current-size"};
	enum service_code code = busy(service, 0, err);
	struct service_fields fields = {.n = 0};

	if (code != SERVICE_OK)
		return code;
	if (!find(service, ref))
		return refuse(err, SERVICE_IMAGE_NOT_FOUND, "no image is called that");
	fields.items = calloc(2, sizeof *fields.items);
	for (size_t i = 0; fields.items && i < 2; i++) {
		if (name && !alike(name, names[i]))
			continue;
		fields.items[fields.n].name = names[i];
		fields.items[fields.n++].text = strdup(i == 0 ? "conectix" : "65536");
	}
	for (size_t i = 0; i < fields.n; i++)
		code = fields.items[i].text ? code : SERVICE_INTERNAL;
	if (!fields.items || fields.n == 0)
		code = fields.items ? SERVICE_FIELD_NOT_FOUND : SERVICE_INTERNAL;
	if (code == SERVICE_OK)
		*ret_fields = fields;
	else
		service_fields_fini(&fields);
	return code == SERVICE_OK ? code : refuse(err, code, "no field is called that");
}

enum service_code service_image_layout(struct service *service, const char *ref, uint64_t skip,
				       struct service_region_list *ret_list,
				       struct service_error *err)
{
	static const struct service_region regions[] = {
		{"footer-copy", 0, 512, false, 0, false, 0, 0},
		{"locator", 2048, 512, true, 1, false, 0, 0},
		{"block", 4096, 4608, true, 3, true, 512, 8},
	};
	enum service_code code = busy(service, 0, err);
	size_t left = skip < 3 ? 3 - (size_t)skip : 0;

	if (code != SERVICE_OK)
		return code;
	if (!find(service, ref))
		return refuse(err, SERVICE_IMAGE_NOT_FOUND, "no image is called that");
	ret_list->n = left < ret_list->max ? left : ret_list->max;
	ret_list->more = left > ret_list->n;
	if (left > 0)
		memcpy(ret_list->regions, regions + skip, ret_list->n * sizeof *regions);
	return SERVICE_OK;
}

enum service_code service_pools(struct service *service, struct service_pools *ret_pools,
				struct service_error *err)
{
	enum service_code code = busy(service, 0, err);
	struct service_pool *items = code == SERVICE_OK ? calloc(2, sizeof *items) : NULL;

	if (!items)
		return code != SERVICE_OK ? code : refuse(err, SERVICE_INTERNAL, "no memory");
	items[0] = (struct service_pool){
		.name = "default", .path = "/images", .online = true, .size = 1000, .free = 900};
	items[1] = (struct service_pool){.name = "fast", .path = "/fast", .why = "not mounted"};
	*ret_pools = (struct service_pools){.items = items, .n = 2};
	return SERVICE_OK;
}

enum service_code service_image_adopt(struct service *service, const struct service_adopt *spec,
				      struct service_adopted *ret_adopted,
				      struct service_error *err)
{
	enum { ROOM = sizeof service->adopt_texts[0] };
	enum service_code code = busy(service, 0, err);
	const char *folder = spec->n_search > 0 ? spec->search[spec->n_search - 1] : "-";
	struct service_adopted adopted = {.n_warnings = 1};

	service->adopt = *spec;
	(void)snprintf(service->adopt_texts[0], ROOM, "%s", spec->path);
	(void)snprintf(service->adopt_texts[1], ROOM, "%s", spec->name ? spec->name : "-");
	(void)snprintf(service->adopt_texts[2], ROOM, "%s", folder);
	if (code != SERVICE_OK)
		return code;
	if (strncmp(spec->path, "/srv/", 5) != 0)
		return refuse(err, SERVICE_PATH_OUTSIDE_POOL, "it lies below no root");
	(void)snprintf(adopted.warnings[0], sizeof adopted.warnings[0], "the parent is younger");
	if (!push(&adopted.images, service,
		  fake_add(service, spec->name ? spec->name : "img-00000002", 65536, "base")) ||
	    !push(&adopted.known, service, find(service, "base"))) {
		service_adopted_fini(&adopted);
		return refuse(err, SERVICE_INTERNAL, "no memory");
	}
	*ret_adopted = adopted;
	return SERVICE_OK;
}
