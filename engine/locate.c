/* locate.c - where sectors live: single ones, runs, extents, and the way a lookup takes through the
 * chain. */
#include <inttypes.h>

#include "bytes.h"
#include "error.h"
#include "index.h"
#include "read.h"
#include "writer.h"

enum { EXTENT_RUNS = 64 };

static int check_sector(const struct image *image, uint64_t sector, struct vhd_error *err)
{
	if (sector >= image->sectors)
		return vhd_fail(err, VHD_E_RANGE,
				"sector %" PRIu64 " is past the end of the disk (%" PRIu64
				" sectors)",
				sector, image->sectors);
	return check_failed(image, err);
}

/* Runs of one unit, with its stripe. */
static int find_runs(struct image *image, uint64_t sector, uint64_t count, unsigned flags,
		     struct vhd_run *ret_runs, size_t max, size_t *ret_n, struct vhd_error *err)
{
	int r = writer_share(image, sector, flags, err);

	if (r < 0)
		return r;
	r = index_find(image, sector, count, flags, ret_runs, max, ret_n, err);
	writer_unshare(image, sector);
	return r;
}

int vhd_get_sector_location(struct vhd *disk, uint64_t sector, unsigned flags,
			    struct vhd_run *ret_run, struct vhd_error *err)
{
	int r = check_sector(disk->image, sector, err);
	size_t n;

	return r < 0 ? r : find_runs(disk->image, sector, 1, flags, ret_run, 1, &n, err);
}

/* Whether `next` goes on where `run` ends, in the file too. */
static bool run_extends(const struct vhd_run *run, const struct vhd_run *next)
{
	return run->where == next->where && run->level == next->level &&
	       (run->where != VHD_DATA ||
		run->physical_sector + run->count == next->physical_sector);
}

/* Appends runs, merging where they touch; true when there is no room for one of them. */
static bool append_runs(struct vhd_run *runs, size_t *n, size_t max, const struct vhd_run *more,
			size_t n_more)
{
	for (size_t i = 0; i < n_more; i++) {
		if (*n > 0 && run_extends(&runs[*n - 1], &more[i]))
			runs[*n - 1].count += more[i].count;
		else if (*n == max)
			return true;
		else
			runs[(*n)++] = more[i];
	}
	return false;
}

int vhd_get_sector_locations(struct vhd *disk, uint64_t sector, uint64_t count, unsigned flags,
			     struct vhd_run *ret_runs, size_t max, size_t *ret_n,
			     struct vhd_error *err)
{
	struct image *image = disk->image;
	uint64_t end;
	size_t n = 0;
	int r = check_sector(image, sector, err);

	if (r < 0)
		return r;
	end = count < image->sectors - sector ? sector + count : image->sectors;
	while (sector < end) {
		struct vhd_run runs[EXTENT_RUNS];
		size_t found = 0;

		r = find_runs(image, sector, end - sector, flags, runs, EXTENT_RUNS, &found, err);
		if (r < 0 && n == 0)
			return r;
		if (r < 0 || append_runs(ret_runs, &n, max, runs, found))
			break;
		sector = runs[found - 1].sector + runs[found - 1].count;
	}
	*ret_n = n;
	return r == VHD_E_AGAIN ? 0 : r;
}

static struct vhd_extent extent_of(const struct vhd_run *run, unsigned flags)
{
	bool above = flags & VHD_NO_PARENT && run->where == VHD_DATA && run->level > 0;

	return (struct vhd_extent){
		.start = run->sector * VHD_SECTOR,
		.length = run->count * VHD_SECTOR,
		.where = above ? VHD_UNKNOWN : run->where,
		.level = above ? 0 : run->level,
	};
}

static bool append_extents(struct vhd_extent *extents, size_t *n, size_t max,
			   const struct vhd_run *runs, size_t n_runs, unsigned flags)
{
	for (size_t i = 0; i < n_runs; i++) {
		struct vhd_extent next = extent_of(&runs[i], flags);
		struct vhd_extent *last = *n > 0 ? &extents[*n - 1] : NULL;

		if (last && last->where == next.where && last->level == next.level)
			last->length += next.length;
		else if (*n == max)
			return true;
		else
			extents[(*n)++] = next;
	}
	return false;
}

int vhd_extents(struct vhd *disk, uint64_t start, uint64_t length, unsigned flags,
		struct vhd_extent *ret_extents, size_t max, size_t *ret_n, struct vhd_error *err)
{
	struct image *image = disk->image;
	uint64_t sector = start / VHD_SECTOR, end;
	size_t n = 0;
	int r = check_range(image, start, length, err);

	if (r == 0 && (start % VHD_SECTOR != 0 || length % VHD_SECTOR != 0))
		return vhd_fail(err, VHD_E_INVALID,
				"extents begin and end on sectors of 512 bytes");
	if (r == 0)
		r = check_failed(image, err);
	if (r < 0)
		return r;
	end = sector + length / VHD_SECTOR;
	while (sector < end) {
		struct vhd_run runs[EXTENT_RUNS];
		size_t found = 0;

		r = find_runs(image, sector, end - sector, flags, runs, EXTENT_RUNS, &found, err);
		if (r < 0 && n == 0)
			return r;
		if (r < 0 || append_extents(ret_extents, &n, max, runs, found, flags))
			break;
		sector = runs[found - 1].sector + runs[found - 1].count;
	}
	*ret_n = n;
	return r == VHD_E_AGAIN ? 0 : r;
}

/* ---- trace
 * ------------------------------------------------------------------------------------------------
 */

enum { BITS_CHUNK = 512 };

static int bitmap_full(struct image *image, uint32_t block, uint64_t start, bool *ret_full,
		       struct vhd_error *err)
{
	uint32_t len = image->block_sectors / 8;

	*ret_full = false;
	for (uint32_t off = 0; off < len; off += BITS_CHUNK) {
		uint8_t bits[BITS_CHUNK];
		uint32_t n = len - off < BITS_CHUNK ? len - off : BITS_CHUNK;
		int r = block_bits(image, block, start, off, n, bits, err);

		if (r < 0)
			return r;
		for (uint32_t i = 0; i < n; i++)
			if (bits[i] != 0xff)
				return 0;
	}
	*ret_full = true;
	return 0;
}

static int trace_block(struct image *image, uint64_t sector, struct vhd_step *step,
		       struct vhd_error *err)
{
	uint8_t byte;
	int r;

	step->block = (uint32_t)(sector / image->block_sectors);
	step->sector_in_block = (uint32_t)(sector % image->block_sectors);
	step->bitmap_sectors = image->bitmap_size / VHD_SECTOR;
	step->kind = VHD_STEP_UNALLOCATED;
	r = block_lookup(image, step->block, 0, &step->bat_sector, err);
	if (r < 0 || step->bat_sector == 0)
		return r;
	r = block_bits(image, step->block, step->bat_sector, step->sector_in_block / 8, 1, &byte,
		       err);
	if (r == 0)
		r = bitmap_full(image, step->block, step->bat_sector, &step->bitmap_full, err);
	if (r < 0)
		return r;
	step->kind = byte & 0x80 >> step->sector_in_block % 8 ? VHD_STEP_SET : VHD_STEP_CLEAR;
	if (step->kind == VHD_STEP_SET)
		step->physical_sector =
			image_data_sector(image, step->bat_sector) + step->sector_in_block;
	return 0;
}

static int trace_level(struct image *image, uint64_t sector, struct vhd_step *step,
		       struct vhd_error *err)
{
	*step = (struct vhd_step){.kind = VHD_STEP_BEYOND};
	if (sector >= image->sectors)
		return 0;
	if (!image_flat(image))
		return trace_block(image, sector, step, err);
	*step = (struct vhd_step){.kind = VHD_STEP_FLAT, .physical_sector = sector};
	return 0;
}

static bool goes_on(enum vhd_step_kind kind)
{
	return kind == VHD_STEP_UNALLOCATED || kind == VHD_STEP_CLEAR;
}

int vhd_trace(struct vhd *disk, uint64_t sector, struct vhd_step *ret_steps, size_t max,
	      struct vhd_error *err)
{
	struct image *image = disk->image;
	unsigned depth = image->info.depth, level = 0;
	int r = check_sector(image, sector, err);

	if (r == 0)
		r = writer_share(image, sector, 0, err);
	if (r < 0)
		return r;
	while (level < depth && level < max && r == 0) {
		r = trace_level(image->levels[level], sector, &ret_steps[level], err);
		if (r < 0 && level > 0)
			r = vhd_wrap(err, r, "level %u", level);
		if (!goes_on(ret_steps[level++].kind))
			break;
	}
	writer_unshare(image, sector);
	return r < 0 ? r : (int)level;
}
