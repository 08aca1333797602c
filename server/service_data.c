/* service_data.c - one request at the data of an image. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "pool_place.h"
#include "service_data.h"
#include "service_room.h"

bool service_data_broken(const struct service_data *data)
{
	const struct vhd *disk = images_disk(data->image);
	const struct vhd_info *last = vhd_level_info(disk, vhd_info(disk)->depth - 1);

	return last && last->type == VHD_DIFF;
}

static void fill_info(struct service_data *data, const struct catalog_brief *row)
{
	const struct vhd_info *info = vhd_info(images_disk(data->image));
	struct vhd_state state;

	ids_format(data->id, data->info.id);
	memcpy(data->info.name, row->name, SERVICE_NAME);
	switch (row->kind) {
	case CATALOG_DYNAMIC: data->info.kind = SERVICE_DYNAMIC; break;
	case CATALOG_FIXED: data->info.kind = SERVICE_FIXED; break;
	case CATALOG_DIFFERENCING: data->info.kind = SERVICE_DIFFERENCING; break;
	}
	data->info.size = info->size;
	data->info.block_size = info->block_size;
	data->info.frozen = row->frozen || row->born;
	/* HTTP knows seconds: within one, there may be two contents. */
	if (data->info.frozen && clock_wall_ms() - row->updated_at >= 2000)
		data->info.frozen_at = row->updated_at;
	data->info.levels = info->depth;
	data->info.broken = service_data_broken(data);
	vhd_state(images_disk(data->image), &state);
	data->allocated = state.allocated;
	data->change = data->alike = state.changes;
	images_verifier(data->service->images, data->verifier);
}

static enum service_code pin(struct service_data *data, unsigned flags, struct service_error *err)
{
	struct service *service = data->service;
	unsigned nowait = flags & SERVICE_NOWAIT ? VHD_NOWAIT : 0;
	struct vhd_error why = {0};
	enum service_code code;
	int r = images_pin(service->images, data->id, data->mode, nowait, &data->image, &why);

	if (r == VHD_E_AGAIN || (nowait && r == VHD_E_PARENT_MISSING))
		return SERVICE_AGAIN;
	if (r == 0)
		return SERVICE_OK;
	/* The open may have found something that says more. */
	code = service_health_chain(service, data->id, flags, err);
	return code != SERVICE_OK ? code : service_codes_image(service, data->id, &why, err);
}

enum service_code service_data_open(struct service *service, const char *ref,
				    enum service_mode mode, unsigned flags,
				    struct service_data **ret_data, struct service_error *err)
{
	CLEANUP(freep) struct service_data *data = calloc(1, sizeof *data);
	struct catalog_brief row;
	enum service_code code;

	if (!data)
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	data->service = service;
	data->mode = mode == SERVICE_WRITE ? IMAGES_WRITE : IMAGES_READ;
	if (actor_request())
		(void)snprintf(data->request, sizeof data->request, "%s", actor_request());
	code = service_find(service, ref, data->id, err);
	if (code != SERVICE_OK)
		return code;
	if (!catalog_brief(service->catalog, data->id, &row)) /* since it was found */
		return service_fail(err, SERVICE_IMAGE_NOT_FOUND, "The image is gone.");
	if (row.state == CATALOG_CREATING)
		return service_codes_creating(service, data->id, err);
	code = service_health_chain(service, data->id, flags, err);
	if (code == SERVICE_OK)
		code = pin(data, flags, err);
	if (code != SERVICE_OK)
		return code;
	/* What is frozen now stays so while it is pinned. */
	(void)catalog_brief(service->catalog, data->id, &row);
	fill_info(data, &row);
	*ret_data = STEAL(data);
	return SERVICE_OK;
}

/* By any thread, perhaps when it works for another request. */
static void unpin(struct service_data *data)
{
	const char *now = actor_request();

	actor_set(*data->request ? data->request : NULL);
	images_unpin(data->image, data->mode);
	actor_set(now);
}

void service_data_close(struct service_data *data)
{
	if (!data)
		return;
	free(data->levels);
	unpin(data);
	free(data);
}

const struct service_data_info *service_data_info(const struct service_data *data)
{
	return &data->info;
}

/* What the catalog says now of an image of the chain. */
static bool find_level(struct service_data *data, uint32_t depth, struct service_data_name *level)
{
	const struct vhd_info *info = vhd_level_info(images_disk(data->image), depth);
	struct catalog_brief row;
	struct catalog_place at;
	char path[PLACE_TEXT];

	if (!info)
		return false;
	if (catalog_brief(data->service->catalog, info->id, &row))
		memcpy(level->name, row.name, SERVICE_NAME);
	if (catalog_place(data->service->catalog, info->id, &at)) {
		place_settle(&data->service->pools, &at);
		place_text(&at, path);
		memcpy(level->path, path, strnlen(path, sizeof level->path - 1));
	}
	ids_format(info->id, level->id);
	return true;
}

bool service_data_level(struct service_data *data, uint32_t depth, struct service_level *ret_level)
{
	struct service_data_name *level;

	if (depth >= data->info.levels)
		return false;
	if (!data->levels)
		data->levels = calloc(data->info.levels, sizeof *data->levels);
	if (!data->levels)
		return false;
	level = &data->levels[depth];
	if (!*level->id && !find_level(data, depth, level))
		return false;
	*ret_level =
		(struct service_level){.id = level->id, .name = level->name, .path = level->path};
	return true;
}

void service_data_state(const struct service_data *data, struct service_data_state *ret_state)
{
	struct images_view view;
	struct vhd_state state;

	vhd_state(images_disk(data->image), &state);
	images_version(data->image, &view);
	service_images_etag(data->info.id, &view, data->info.frozen, ret_state->etag);
	ret_state->write_epoch = view.epoch_base + (data->epoch ? data->epoch : state.epoch_open);
	ret_state->durable_epoch = view.epoch_base + state.epoch_durable;
	ret_state->allocated_blocks = state.allocated - data->allocated;
	images_verifier(data->service->images, ret_state->verifier);
}

void service_data_result(const struct service_data *data, struct service_data_state *ret_state)
{
	struct images_view view;

	service_data_state(data, ret_state);
	/* Whether a sync has failed since, and with it what was written, nobody knows. */
	memcpy(ret_state->verifier, data->verifier, sizeof ret_state->verifier);
	images_version(data->image, &view);
	view.changes = data->change;
	service_images_etag(data->info.id, &view, data->info.frozen, ret_state->etag);
	if (data->change != data->alike)
		ret_state->etag[0] = '\0';
}

enum service_code service_data_failed(const struct service_data *data, const struct vhd_error *why,
				      struct service_error *err)
{
	enum service_code code;

	if (why->code == VHD_E_AGAIN)
		return SERVICE_AGAIN;
	if (why->code == VHD_E_CORRUPT && why->placed)
		reconcile_met(&data->service->reconcile,
			      vhd_level_info(images_disk(data->image), why->level)->id, why);
	code = service_codes_image(data->service, data->id, why, err);
	err->size = data->info.size;
	return code;
}

enum service_code service_data_read(struct service_data *data, void *buf, size_t len, uint64_t off,
				    unsigned flags, struct service_error *err)
{
	unsigned nowait = flags & SERVICE_NOWAIT ? VHD_NOWAIT : 0;
	struct vhd_error why = {0};
	int r = vhd_read(images_disk(data->image), buf, len, off, nowait, &why);

	/* To say more of a parent takes a look into a file. */
	if (r == VHD_E_AGAIN || (nowait && r == VHD_E_PARENT_MISSING))
		return SERVICE_AGAIN;
	return r < 0 ? service_data_failed(data, &why, err) : SERVICE_OK;
}

enum { RESERVE_EXTENTS = 1024, RESERVE_LOOKS = 16 };

/* Bytes of the range that this image has no room for yet. Of a range too scattered to look through,
 * what was not looked at counts as had: room is refused only when it surely does not suffice. */
static uint64_t missing_room(struct service_data *data, uint64_t off, uint64_t len)
{
	CLEANUP(freep) struct vhd_extent *extents = calloc(RESERVE_EXTENTS, sizeof *extents);
	uint64_t missing = 0, end = (off + len + VHD_SECTOR - 1) / VHD_SECTOR * VHD_SECTOR;

	off = off / VHD_SECTOR * VHD_SECTOR;
	for (int look = 0; extents && look < RESERVE_LOOKS && off < end; look++) {
		struct vhd_extent_list list = {.extents = extents, .max = RESERVE_EXTENTS};

		if (vhd_extents(images_disk(data->image), off, end - off, VHD_NO_PARENT, &list,
				NULL) < 0 ||
		    !list.n)
			return missing;
		for (size_t i = 0; i < list.n; i++)
			missing += extents[i].where == VHD_DATA ? 0 : extents[i].length;
		off = extents[list.n - 1].start + extents[list.n - 1].length;
	}
	return missing;
}

enum service_code service_data_reserve(struct service_data *data, uint64_t off, uint64_t len,
				       unsigned flags, struct service_error *err)
{
	CLEANUP(place_leave) struct place place = {.mine = false};
	struct catalog_place at;
	struct vhd_error why = {0};
	uint64_t size, space;
	struct images_view view;

	images_look(data->service->images, data->id, &view);
	if (view.failed)
		return service_fail(err, SERVICE_IMAGE_FAILED, "An earlier sync of '%s' failed.",
				    data->info.name);
	if (len == SERVICE_UNKNOWN_LENGTH || data->info.kind == SERVICE_FIXED ||
	    !catalog_place(data->service->catalog, data->id, &at))
		return SERVICE_OK;
	if (service_room_ample(data->service->room, at.pool, len))
		return SERVICE_OK;
	if (flags & SERVICE_NOWAIT)
		return SERVICE_AGAIN;
	if (place_reach(&data->service->pools, &at, &place, NULL) < 0)
		return SERVICE_OK;
	if (pool_space(&place.folder, &size, &space, &why) < 0)
		return service_codes_vhd(&why, err);
	if (len <= space || missing_room(data, off, len) <= space)
		return SERVICE_OK;
	return service_fail(err, SERVICE_NO_SPACE,
			    "The pool has %llu bytes left, the body has %llu.",
			    (unsigned long long)space, (unsigned long long)len);
}

enum { ZERO_PIECE = 1 << 30 }; /* zeroed before it looks whether the daemon stops */

/* Zeroes without `buf`. Not while somebody has the content alone. */
static enum service_code change(struct service_data *data, const void *buf, uint64_t len,
				uint64_t off, struct service_error *err)
{
	struct vhd_error why = {0};
	struct vhd_accepted got = {0};
	int r = data->alone ? 0 : images_content_share(data->image, &why);

	if (r < 0)
		return service_data_failed(data, &why, err);
	r = buf ? images_write(data->image, buf, len, off, &got, &why)
		: images_zero(data->image, off, len, &got, &why);
	if (!data->alone)
		images_content_unlock(data->image);
	if (r < 0)
		return service_data_failed(data, &why, err);
	if (!got.changes)
		return SERVICE_OK;
	data->epoch = got.epoch;
	data->change = got.change;
	data->alike += got.changes;
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
	enum service_code code = SERVICE_OK;

	/* The ends of pieces are those of sectors, and of blocks. */
	while (code == SERVICE_OK && len > 0) {
		uint64_t piece = ZERO_PIECE - off % ZERO_PIECE;

		if (piece > len)
			piece = len;
		if (atomic_load(&data->service->hurries))
			return service_fail(err, SERVICE_SHUTTING_DOWN, "The daemon is stopping.");
		code = change(data, NULL, piece, off, err);
		off += piece;
		len -= piece;
	}
	return code;
}

enum service_code service_data_lock(struct service_data *data, const char *etag,
				    struct service_error *err)
{
	struct service_data_state state;
	struct vhd_error why = {0};
	enum service_code code;

	if (images_content_lock(data->image, &why) < 0)
		return service_data_failed(data, &why, err);
	data->alone = true;
	service_data_state(data, &state);
	if (strcmp(state.etag, etag) == 0)
		return SERVICE_OK;
	service_data_unlock(data);
	code = service_fail(err, SERVICE_CHANGED, "'%s' was written since.", data->info.name);
	memcpy(err->etag, state.etag, sizeof err->etag);
	return code;
}

void service_data_unlock(struct service_data *data)
{
	data->alone = false;
	images_content_unlock(data->image);
}

static void flushed(struct images_waiter *waiter, int code)
{
	struct service_data *data =
		(struct service_data *)(void *)((char *)waiter -
						offsetof(struct service_data, waiter));
	enum service_code result = SERVICE_OK;

	if (code == VHD_E_FAILED)
		result = SERVICE_IMAGE_FAILED;
	else if (code == VHD_E_NOSPC)
		result = SERVICE_NO_SPACE;
	else if (code < 0)
		result = SERVICE_IO_ERROR;
	data->done(data->done_ctx, result);
}

void service_data_flush(struct service_data *data, service_done_fn *done, void *ctx)
{
	data->done = done;
	data->done_ctx = ctx;
	data->waiter = (struct images_waiter){.epoch = data->epoch, .done = flushed};
	images_flush(data->image, &data->waiter);
}
