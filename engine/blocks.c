/* blocks.c - a pass over the block table: every entry in range, no two blocks on each other, in
 * bounded memory. */
#include <inttypes.h>

#include "bytes.h"
#include "cells.h"
#include "error.h"
#include "image.h"

enum { DOUBT_MAX = 64 << 20 }; /* bytes read to find out which entries may be torn */

/* The file is divided into cells as long as a block. Two blocks in one cell lie on each other, and
 * so do those in cells side by side where the later one starts earlier in its cell. */
struct pass {
	const struct image *image;
	struct cells cells; /* by number: where in its cell the first block there starts, from 1 */
	uint32_t stride;    /* sectors of a block with its bitmap */
	uint32_t low;       /* sector where cell 0 starts */
	uint32_t next;      /* the first start behind the last cell; UINT32_MAX = none */
	uint32_t used;      /* cells, up to the last one in which a block starts */
	uint32_t crowded;   /* the first cell in which two start; UINT32_MAX = none */
	uint32_t highest;   /* sector, of all entries; 0 = none */
	uint32_t last;      /* start of the last block looked at; 0 = none */
	bool doubt;         /* an entry may be torn */
	uint64_t room;      /* bytes that may still be read to find that out */
};

/* The entry that names a place, the first of them, and the one of the next block behind it, the
 * last of them. */
struct pair {
	uint32_t start, first, last, n;
	uint32_t next_start, next_last;
};

static int note_pair(void *ctx, uint32_t block, uint32_t entry, struct vhd_error *err)
{
	struct pair *pair = ctx;

	(void)err;
	if (entry == pair->start) {
		pair->first = pair->n++ == 0 ? block : pair->first;
		pair->last = block;
	} else if (entry > pair->start && entry <= pair->next_start) {
		pair->next_start = entry;
		pair->next_last = block;
	}
	return 0;
}

static int find_pair(const struct image *image, struct pair *pair, struct vhd_error *err)
{
	int r = bat_each(image, image->info.blocks, note_pair, pair, err);

	if (pair->n > 1) {
		pair->next_start = pair->start;
		pair->next_last = pair->last;
	}
	return r;
}

static uint64_t entry_at(const struct image *image, uint32_t block)
{
	return image->header.table_offset + (uint64_t)block * 4;
}

/* The block at `start` lies on the next one. */
static int overlap(const struct image *image, uint32_t start, struct vhd_error *err)
{
	struct pair pair = {.start = start, .next_start = UINT32_MAX};
	int r = find_pair(image, &pair, err);

	if (r < 0)
		return r;
	return vhd_fail(err, VHD_E_CORRUPT,
			"block table: entry %u at 0x%" PRIx64 " is sector 0x%" PRIx32
			", entry %u at 0x%" PRIx64 " is sector 0x%" PRIx32
			": the blocks lie on each other",
			pair.first, entry_at(image, pair.first), start, pair.next_last,
			entry_at(image, pair.next_last), pair.next_start);
}

static void note_start(struct pass *pass, uint32_t cell, uint32_t start)
{
	uint32_t there = cells_get(&pass->cells, cell);

	if (there != 0 && cell < pass->crowded)
		pass->crowded = cell;
	if (there == 0 || start < there)
		cells_set(&pass->cells, cell, start);
	if (cell >= pass->used)
		pass->used = cell + 1;
}

static int collect(void *ctx, uint32_t block, uint32_t entry, struct vhd_error *err)
{
	struct pass *pass = ctx;
	/* Beyond the size nothing is used, but a footer that was about to grow it may need what
	 * lies there: FORMAT.md 8. What begins below the floor, as zeroes do, ends there too. */
	bool needed = block < pass->image->info.blocks;
	uint32_t cell;
	int r;

	if (!needed && entry < pass->image->floor / VHD_SECTOR)
		return 0;
	r = bat_check_entry(pass->image, block, entry, needed ? err : NULL);
	if (r < 0)
		return needed ? r : 0;
	if (entry > pass->highest)
		pass->highest = entry;
	if (!needed || entry < pass->low)
		return 0;
	cell = (entry - pass->low) / pass->stride;
	if (cell < pass->cells.n)
		note_start(pass, cell, (entry - pass->low) % pass->stride + 1);
	else if (entry < pass->next)
		pass->next = entry;
	return 0;
}

/* Cells for the rest of the file, as far as an entry can name it, or for as much as there is room.
 */
static int make_cells(struct pass *pass, struct vhd_error *err)
{
	uint64_t sectors = pass->image->file_size / VHD_SECTOR;

	sectors = sectors < UINT32_MAX ? sectors : UINT32_MAX;
	sectors = sectors > pass->low ? sectors - pass->low : 0;
	return cells_init(&pass->cells, (uint32_t)sectors / pass->stride + 1, pass->stride, err);
}

static int read_cells(struct pass *pass, struct vhd_error *err)
{
	int r = make_cells(pass, err);

	pass->used = 0;
	pass->crowded = UINT32_MAX;
	pass->next = UINT32_MAX;
	return r < 0 ? r
		     : bat_each(pass->image, pass->image->header.max_entries, collect, pass, err);
}

static int refuse_torn(const struct image *image, uint64_t behind, uint32_t start,
		       struct vhd_error *err)
{
	struct pair torn = {.start = start, .next_start = UINT32_MAX};
	uint64_t end = behind ? behind : image_metadata_end(image) / VHD_SECTOR;
	int r = find_pair(image, &torn, err);

	if (r < 0)
		return r;
	return vhd_fail(err, VHD_E_CORRUPT,
			"block table: entry %u at 0x%" PRIx64 " is sector 0x%" PRIx32
			": it may be torn, for nothing is in the %" PRIu64 " sectors before",
			torn.first, entry_at(image, torn.first), start, start - end);
}

static int doubt_entry(struct pass *pass, uint32_t start, struct vhd_error *err)
{
	uint64_t behind = pass->last != 0 ? (uint64_t)pass->last + pass->stride : 0;
	bool suspect;
	int r = torn_suspect(pass->image, behind, start, &pass->room, &suspect, err);

	if (r < 0)
		return vhd_wrap(err, r, "before the block at sector 0x%" PRIx32, start);
	return suspect ? refuse_torn(pass->image, behind, start, err) : 0;
}

static int check_start(struct pass *pass, uint32_t start, struct vhd_error *err)
{
	int r;

	if (pass->last != 0 && start - pass->last < pass->stride)
		return overlap(pass->image, pass->last, err);
	r = pass->doubt ? doubt_entry(pass, start, err) : 0;
	pass->last = start;
	return r;
}

static int check_cells(struct pass *pass, struct vhd_error *err)
{
	int r = 0;

	for (uint32_t cell = 0; cell < pass->used && r == 0; cell++) {
		uint32_t start = cells_get(&pass->cells, cell);

		if (start != 0)
			r = check_start(pass, pass->low + cell * pass->stride + start - 1, err);
		if (r == 0 && cell == pass->crowded)
			r = overlap(pass->image, pass->last, err);
	}
	return r;
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
			    .room = DOUBT_MAX,
			    .stride = image->bitmap_size / VHD_SECTOR + image->block_sectors};
	int r;

	do {
		r = read_cells(&pass, err);
		if (r == 0)
			r = check_cells(&pass, err);
		cells_fini(&pass.cells);
		pass.low = pass.next;
	} while (r == 0 && pass.low != UINT32_MAX);
	if (r < 0)
		return r;
	*ret_end = image_metadata_end(image);
	if (pass.highest != 0 && ((uint64_t)pass.highest + pass.stride) * VHD_SECTOR > *ret_end)
		*ret_end = ((uint64_t)pass.highest + pass.stride) * VHD_SECTOR;
	return 0;
}
