/* create.c - the bytes of a new image, written once and flushed before anybody may know of it. */
#include <inttypes.h>

#include "bytes.h"
#include "cleanup.h"
#include "crash_point.h"
#include "error.h"
#include "image.h"
#include "locator.h"

enum {
	HEADER_AT = FOOTER_SIZE,
	TABLE_AT = FOOTER_SIZE + HEADER_SIZE,
	LOCATOR_SPARE = 512, /* so that a parent's new path fits without moving anything */
	BLOCK_512K = 512 << 10,
	NEW_LOCATORS = 2,
};

/* Beyond this size the sector numbers of the table run out before the disk is full: a 512 KiB block
 * takes 4 KiB more, and each 32nd place is left out (allocate.c). FORMAT.md 6. */
static const uint64_t size_max_512k = 2031ULL << 30;

struct layout {
	struct footer footer;
	struct header header;
	struct locator_data locators[NEW_LOCATORS];
	uint64_t table_size, end;
};

static int check_size(const struct vhd_create_args *args, uint64_t size, uint32_t block_size,
		      struct vhd_error *err)
{
	if (size == 0 || size % VHD_SECTOR != 0)
		return vhd_fail(err, VHD_E_INVALID,
				"size %" PRIu64 ": not a multiple of 512 bytes from 512 on", size);
	if (size > VHD_SIZE_MAX)
		return vhd_fail(err, VHD_E_SIZE, "size %" PRIu64 ": at most %llu bytes (2040 GiB)",
				size, VHD_SIZE_MAX);
	if (args->type == VHD_FIXED)
		return 0;
	if (block_size != VHD_BLOCK_SIZE_DEFAULT && block_size != BLOCK_512K)
		return vhd_fail(err, VHD_E_INVALID, "block size %u: 2097152 or 524288", block_size);
	if (block_size == BLOCK_512K && size > size_max_512k)
		return vhd_fail(err, VHD_E_SIZE,
				"size %" PRIu64 ": with blocks of 524288 bytes at most %" PRIu64
				" (2031 GiB)",
				size, size_max_512k);
	return 0;
}

static uint32_t wanted_block_size(const struct vhd_create_args *args)
{
	if (args->block_size)
		return args->block_size;
	if (args->type == VHD_DIFF && args->parent->image->info.block_size == BLOCK_512K)
		return BLOCK_512K;
	return VHD_BLOCK_SIZE_DEFAULT;
}

static int check_parent(const struct vhd_engine *engine, const struct vhd_create_args *args,
			uint64_t size, struct vhd_error *err)
{
	const struct vhd_info *parent = &args->parent->image->info;

	if (!args->parent->image->shared || args->parent->image->engine != engine)
		return vhd_fail(
			err, VHD_E_INVALID,
			"the parent must be open in the same engine, with its lock and its chain");
	if (parent->type == VHD_RAW)
		return vhd_fail(err, VHD_E_UNSUPPORTED,
				"a raw file has no unique id that a child could name");
	if (size < parent->size)
		return vhd_fail(err, VHD_E_PARENT_SIZE,
				"size %" PRIu64 ": smaller than the parent's %" PRIu64, size,
				parent->size);
	if (!args->parent_path || !args->child_path)
		return vhd_fail(err, VHD_E_INVALID,
				"a child needs the paths of its parent and of itself");
	if (parent->depth >= args->parent->image->engine->depth_max)
		return vhd_fail(err, VHD_E_DEPTH, "the chain of the parent has %u images already",
				parent->depth);
	return 0;
}

static int check_args(const struct vhd_engine *engine, const struct vhd_create_args *args,
		      uint64_t *ret_size, struct vhd_error *err)
{
	static const uint8_t zero[VHD_ID_SIZE];
	uint64_t size = args->size;
	int r = 0;

	if (memcmp(args->id, zero, VHD_ID_SIZE) == 0)
		return vhd_fail(err, VHD_E_INVALID, "a unique id of zero");
	if (memcmp(args->creator, "tap", 4) == 0)
		return vhd_fail(err, VHD_E_INVALID,
				"creator \"tap\": it promises a batmap, which is not written");
	if (args->type != VHD_FIXED && args->type != VHD_DYNAMIC && args->type != VHD_DIFF)
		return vhd_fail(err, VHD_E_INVALID, "disk type %d", (int)args->type);
	if ((args->type == VHD_DIFF) != (args->parent != NULL))
		return vhd_fail(err, VHD_E_INVALID, "a parent goes with a differencing disk");
	if (args->parent && size == 0)
		size = args->parent->image->info.size;
	r = check_size(args, size, wanted_block_size(args), err);
	if (r == 0 && args->parent)
		r = check_parent(engine, args, size, err);
	if (r == 0)
		*ret_size = size;
	return r;
}

static void fill_footer(const struct vhd_create_args *args, uint64_t size, struct footer *footer)
{
	bool own = args->creator[0] != '\0';

	*footer = (struct footer){
		.features = args->temporary ? 3 : 2,
		.data_offset = args->type == VHD_FIXED ? FOOTER_NO_DATA_OFFSET : HEADER_AT,
		.timestamp = args->timestamp,
		.creator_version = VHD_CREATOR_VERSION,
		.original_size = size,
		.current_size = size,
		.type = args->type,
		.saved_state = args->saved_state,
	};
	memcpy(footer->creator, own ? args->creator : "win ", 4);
	memcpy(footer->creator_os, "Wi2k", 4);
	memcpy(footer->id, args->id, VHD_ID_SIZE);
	footer_geometry(size, &footer->cylinders, &footer->heads, &footer->sectors_per_track);
}

static int add_parent(const struct vhd_create_args *args, struct layout *layout,
		      struct vhd_error *err)
{
	struct header *header = &layout->header;
	const char *slash = strrchr(args->parent_path, '/');
	int r = locator_make(args->child_path, args->parent_path, args->absolute_path,
			     layout->locators, err);

	if (r < 0)
		return r;
	memcpy(header->parent_id, args->parent->image->info.id, VHD_ID_SIZE);
	header->parent_timestamp = args->parent_timestamp;
	strncpy(header->parent_name, slash ? slash + 1 : args->parent_path,
		sizeof header->parent_name - 1);
	for (int i = 0; i < NEW_LOCATORS; i++) {
		uint32_t space =
			(uint32_t)round_up(layout->locators[i].len + LOCATOR_SPARE, VHD_SECTOR);

		header->locators[i] =
			(struct locator_entry){layout->locators[i].code, space,
					       (uint32_t)layout->locators[i].len, layout->end};
		layout->end += space;
	}
	return 0;
}

static int make_layout(const struct vhd_create_args *args, uint64_t size, struct layout *layout,
		       struct vhd_error *err)
{
	uint32_t block_size = wanted_block_size(args);

	fill_footer(args, size, &layout->footer);
	if (args->type == VHD_FIXED) {
		layout->end = size;
		return 0;
	}
	layout->header = (struct header){
		.table_offset = TABLE_AT,
		.max_entries = (uint32_t)div_up(size, block_size),
		.block_size = block_size,
	};
	layout->table_size = round_up(layout->header.max_entries * 4ULL, VHD_SECTOR);
	layout->end = TABLE_AT + layout->table_size;
	return args->type == VHD_DIFF ? add_parent(args, layout, err) : 0;
}

static int put_metadata(const struct vhd_io *io, const struct layout *layout, const uint8_t *footer,
			struct vhd_error *err)
{
	uint8_t header[HEADER_SIZE];
	int r;

	header_encode(&layout->header, header);
	r = io_write(io, footer, FOOTER_SIZE, 0, err);
	CRASH_POINT("create.head");
	if (r == 0)
		r = io_write(io, header, sizeof header, HEADER_AT, err);
	CRASH_POINT("create.header");
	if (r == 0)
		r = io_fill(io, 0xff, layout->table_size, TABLE_AT, err);
	CRASH_POINT("create.table");
	for (int i = 0; i < NEW_LOCATORS && r == 0; i++)
		if (layout->locators[i].len > 0)
			r = io_write(io, layout->locators[i].data, layout->locators[i].len,
				     layout->header.locators[i].data_offset, err);
	CRASH_POINT("create.locators");
	return r;
}

static int put_image(const struct vhd_io *io, const struct vhd_create_args *args,
		     const struct layout *layout, struct vhd_error *err)
{
	uint8_t footer[FOOTER_SIZE];
	int r = 0;

	footer_encode(&layout->footer, footer);
	if (args->type == VHD_FIXED && args->preallocate)
		r = io_allocate(io, layout->end + FOOTER_SIZE, 0, err);
	if (r == 0 && args->type != VHD_FIXED)
		r = put_metadata(io, layout, footer, err);
	if (r == 0)
		r = io_write(io, footer, sizeof footer, layout->end, err);
	CRASH_POINT("create.tail");
	return r < 0 ? r : io_flush(io, err);
}

static int require_empty(const struct vhd_io *io, struct vhd_error *err)
{
	uint64_t size;
	int r = io_size(io, &size, err);

	if (r == 0 && size != 0)
		return vhd_fail(err, VHD_E_EXISTS, "the file has %" PRIu64 " bytes already", size);
	return r;
}

static int create(struct vhd_engine *engine, struct vhd_io *io, const struct vhd_create_args *args,
		  const struct layout *layout, struct vhd **ret_disk, struct vhd_error *err)
{
	struct image *parent = args->parent ? args->parent->image : NULL;
	/* The child names what its parent is now: nobody may change that any more. */
	int r = image_hold(parent, err);

	if (r < 0)
		return vhd_wrap(err, r, "freeze the parent");
	CRASH_POINT("create.frozen");
	r = put_image(io, args, layout, err);
	CRASH_POINT("create.synced");
	if (r == 0)
		r = vhd_open(engine, io, VHD_WRITE, NULL, ret_disk, err);
	return image_let_go(parent, r, err);
}

int vhd_create(struct vhd_engine *engine, struct vhd_io *io, const struct vhd_create_args *args,
	       struct vhd **ret_disk, struct vhd_error *err)
{
	CLEANUP(freep) struct layout *layout = calloc(1, sizeof *layout);
	uint64_t size = 0;
	int r;

	if (!layout)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for a new image");
	r = check_args(engine, args, &size, err);
	if (r == 0)
		r = require_empty(io, err);
	if (r == 0)
		r = make_layout(args, size, layout, err);
	if (r == 0)
		r = create(engine, io, args, layout, ret_disk, err);
	return r < 0 ? vhd_wrap(err, r, "create") : 0;
}
