/* blocks.c - a pass over the block table: every entry in range, no two blocks on each other, in
 * bounded memory. */
#include <inttypes.h>

#include "bytes.h"
#include "cleanup.h"
#include "error.h"
#include "image.h"

/* Blocks of one window of the file that do not overlap cannot be more than it has strides, so a
 * window that holds WINDOW strides needs at most that many slots; more in it is an overlap by
 * itself. */
enum { WINDOW = 1 << 20 };

struct pass {
	const struct image *image;
	uint64_t stride;    /* sectors of a block with its bitmap */
	uint64_t low, high; /* window, sectors */
	uint64_t next;      /* the first start behind the window; UINT64_MAX = none */
	uint32_t *starts;   /* of blocks in the window */
	size_t n, room;
	uint64_t highest; /* sector, of all entries; 0 = none */
	uint64_t last;    /* start of the last block of the windows before; 0 = none */
	bool doubt;       /* an entry may be torn */
};

static int by_start(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The entries that name a place: the first and the last of them. */
struct named {
	uint64_t start;
	uint32_t first, last, n;
};

static int note_name(void *ctx, uint32_t block, uint32_t entry, struct vhd_error *err)
{
	struct named *named = ctx;

	(void)err;
	if (entry != named->start)
		return 0;
	if (named->n++ == 0)
		named->first = block;
	named->last = block;
	return 0;
}

static int find_named(const struct pass *pass, struct named *named, struct vhd_error *err)
{
	return bat_each(pass->image, pass->image->info.blocks, note_name, named, err);
}

static uint64_t entry_at(const struct pass *pass, uint32_t block)
{
	return pass->image->header.table_offset + (uint64_t)block * 4;
}

static int overlap(const struct pass *pass, uint64_t a, uint64_t b, struct vhd_error *err)
{
	struct named low = {.start = a}, high = {.start = b};
	int r = find_named(pass, &low, err);

	if (r == 0)
		r = find_named(pass, &high, err);
	if (r < 0)
		return r;
	return vhd_fail(
		err, VHD_E_CORRUPT,
		"block table: entry %u at 0x%" PRIx64 " is sector 0x%" PRIx64
		", entry %u at 0x%" PRIx64 " is sector 0x%" PRIx64 ": the blocks lie on each other",
		low.first, entry_at(pass, low.first), a, high.last, entry_at(pass, high.last), b);
}

static int collect(void *ctx, uint32_t block, uint32_t entry, struct vhd_error *err)
{
	struct pass *pass = ctx;
	/* Beyond the size nothing is used, but a footer that was about to grow it may need what
	 * lies there: FORMAT.md 8. */
	bool needed = block < pass->image->info.blocks;
	int r = bat_check_entry(pass->image, block, entry, needed ? err : NULL);

	if (r < 0)
		return needed ? r : 0;
	if (entry > pass->highest)
		pass->highest = entry;
	if (!needed || entry < pass->low)
		return 0;
	if (entry >= pass->high) {
		pass->next = entry < pass->next ? entry : pass->next;
		return 0;
	}
	if (pass->n == pass->room)
		return vhd_fail(err, VHD_E_CORRUPT,
				"block table: entry %u at 0x%" PRIx64 " is sector 0x%" PRIx32
				": the file has no room for so many blocks near there",
				block, entry_at(pass, block), entry);
	pass->starts[pass->n++] = entry;
	return 0;
}

static int read_window(struct pass *pass, struct vhd_error *err)
{
	pass->n = 0;
	pass->next = UINT64_MAX;
	return bat_each(pass->image, pass->image->header.max_entries, collect, pass, err);
}

/* FORMAT.md 8: the beginning of a new entry, and the rest still FF, names a place behind the right
 * one. Where blocks lie close together there is no room for that. */
static int doubt_entry(const struct pass *pass, uint64_t start, struct vhd_error *err)
{
	uint64_t end = pass->last != 0 ? pass->last + pass->stride
				       : image_metadata_end(pass->image) / VHD_SECTOR;
	struct named torn = {.start = start};
	int r;

	if ((start & 0xff) != 0xff || start <= end + BLOCKS_GAP)
		return 0;
	r = find_named(pass, &torn, err);
	if (r < 0)
		return r;
	return vhd_fail(err, VHD_E_CORRUPT,
			"block table: entry %u at 0x%" PRIx64 " is sector 0x%" PRIx64
			": it may be torn, for nothing is in the %" PRIu64 " sectors before",
			torn.first, entry_at(pass, torn.first), start, start - end);
}

static int check_window(struct pass *pass, struct vhd_error *err)
{
	int r;

	qsort(pass->starts, pass->n, sizeof *pass->starts, by_start);
	for (size_t i = 0; i < pass->n; i++) {
		if (pass->last != 0 && pass->starts[i] - pass->last < pass->stride)
			return overlap(pass, pass->last, pass->starts[i], err);
		r = pass->doubt ? doubt_entry(pass, pass->starts[i], err) : 0;
		if (r < 0)
			return r;
		pass->last = pass->starts[i];
	}
	return 0;
}

int vhd_check_blocks(const struct vhd *disk, struct vhd_error *err)
{
	uint64_t end;

	return image_flat(disk->image) ? 0 : blocks_check(disk->image, false, &end, err);
}

int blocks_check(const struct image *image, bool doubt, uint64_t *ret_end, struct vhd_error *err)
{
	struct pass pass = {.image = image,
			    .doubt = doubt,
			    .stride = (image->bitmap_size + (uint64_t)image->header.block_size) /
				      VHD_SECTOR,
			    .room = image->info.blocks < WINDOW ? image->info.blocks : WINDOW};
	CLEANUP(freep) uint32_t *starts = malloc((pass.room + 1) * sizeof *starts);
	int r;

	if (!starts)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for %zu blocks", pass.room);
	pass.starts = starts;
	do {
		/* All of them have room: one pass. */
		pass.high = pass.room < WINDOW ? UINT64_MAX : pass.low + WINDOW * pass.stride;
		r = read_window(&pass, err);
		if (r == 0)
			r = check_window(&pass, err);
		pass.low = pass.next;
	} while (r == 0 && pass.low != UINT64_MAX);
	if (r < 0)
		return r;
	*ret_end = image_metadata_end(image);
	if (pass.highest != 0 && (pass.highest + pass.stride) * VHD_SECTOR > *ret_end)
		*ret_end = (pass.highest + pass.stride) * VHD_SECTOR;
	return 0;
}
