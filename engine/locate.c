/* locate.c - where sectors live: single ones, runs, extents, and the way a lookup takes through the
 * chain. */
#include <inttypes.h>

#include "bytes.h"
#include "error.h"
#include "index.h"
#include "read.h"
#include "writer.h"

enum { WALK_RUNS = 64, NOWAIT_LOOKS = 256 };

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
		     struct vhd_run_list *ret_list, struct vhd_error *err)
{
	int r = writer_share(image, sector, flags, err);

	if (r < 0)
		return r;
	r = index_find(image, sector, count, flags, ret_list, err);
	writer_unshare(image, sector);
	return r;
}

int vhd_get_sector_location(struct vhd *disk, uint64_t sector, unsigned flags,
			    struct vhd_run *ret_run, struct vhd_error *err)
{
	struct vhd_run_list list = {.runs = ret_run, .max = 1};
	int r = check_sector(disk->image, sector, err);

	return r < 0 ? r : find_runs(disk->image, sector, 1, flags, &list, err);
}

/* A pass over [sector, end). `take` puts one run into the caller's list; false: there is no room
 * for it. */
struct walk {
	struct image *image;
	uint64_t sector, end;
	unsigned flags;
	bool (*take)(void *list, const struct vhd_run *run, unsigned flags);
	void *list;
};

/* After a run of zeroes: what no table names is not looked at unit by unit. False: no room for it.
 */
static bool skip_zeroes(struct walk *walk, const struct vhd_run *last)
{
	struct vhd_run run = {.sector = walk->sector, .where = VHD_ZERO};

	if (last->where != VHD_ZERO || walk->flags & VHD_NOWAIT || walk->sector == walk->end)
		return true;
	run.count = index_skip(walk->image, walk->sector, walk->end) - walk->sector;
	if (run.count > 0 && !walk->take(walk->list, &run, walk->flags))
		return false;
	walk->sector += run.count;
	return true;
}

/* What was found before VHD_E_AGAIN is an answer. */
static int walk_runs(struct walk *walk, struct vhd_error *err)
{
	uint64_t first = walk->sector;

	for (unsigned looks = 0; walk->sector < walk->end; looks++) {
		struct vhd_run runs[WALK_RUNS];
		struct vhd_run_list found = {.runs = runs, .max = WALK_RUNS};
		struct vhd_error why;
		int r = find_runs(walk->image, walk->sector, walk->end - walk->sector, walk->flags,
				  &found, &why);

		/* A polling thread has more to do: a short answer is one too. */
		if (walk->flags & VHD_NOWAIT && looks == NOWAIT_LOOKS)
			return 0;
		if (r == VHD_E_AGAIN && walk->sector > first)
			return 0;
		if (r < 0)
			return vhd_pass(err, &why, r);
		for (size_t i = 0; i < found.n; i++) {
			if (!walk->take(walk->list, &runs[i], walk->flags))
				return 0;
			walk->sector += runs[i].count;
		}
		if (!skip_zeroes(walk, &runs[found.n - 1]))
			return 0;
	}
	return 0;
}

/* Whether `next` goes on where `run` ends, in the file too. */
static bool run_extends(const struct vhd_run *run, const struct vhd_run *next)
{
	return run->where == next->where && run->level == next->level &&
	       (run->where != VHD_DATA ||
		run->physical_sector + run->count == next->physical_sector);
}

static bool take_run(void *to, const struct vhd_run *run, unsigned flags)
{
	struct vhd_run_list *list = to;

	(void)flags;
	if (list->n > 0 && run_extends(&list->runs[list->n - 1], run))
		list->runs[list->n - 1].count += run->count;
	else if (list->n == list->max)
		return false;
	else
		list->runs[list->n++] = *run;
	return true;
}

int vhd_get_sector_locations(struct vhd *disk, uint64_t sector, uint64_t count, unsigned flags,
			     struct vhd_run_list *ret_list, struct vhd_error *err)
{
	struct walk walk = {disk->image, sector, disk->image->sectors, flags, take_run, ret_list};
	int r = check_sector(disk->image, sector, err);

	if (r < 0)
		return r;
	if (count < walk.end - sector)
		walk.end = sector + count;
	ret_list->n = 0;
	return walk_runs(&walk, err);
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

static bool take_extent(void *to, const struct vhd_run *run, unsigned flags)
{
	struct vhd_extent_list *list = to;
	struct vhd_extent next = extent_of(run, flags);
	struct vhd_extent *last = list->n > 0 ? &list->extents[list->n - 1] : NULL;

	if (last && last->where == next.where && last->level == next.level)
		last->length += next.length;
	else if (list->n == list->max)
		return false;
	else
		list->extents[list->n++] = next;
	return true;
}

int vhd_extents(struct vhd *disk, uint64_t start, uint64_t length, unsigned flags,
		struct vhd_extent_list *ret_list, struct vhd_error *err)
{
	struct walk walk = {disk->image, start / VHD_SECTOR, 0, flags, take_extent, ret_list};
	int r = check_range(disk->image, start, length, err);

	if (r == 0 && (start % VHD_SECTOR != 0 || length % VHD_SECTOR != 0))
		return vhd_fail(err, VHD_E_INVALID,
				"extents begin and end on sectors of 512 bytes");
	if (r == 0)
		r = check_failed(disk->image, err);
	if (r < 0)
		return r;
	walk.end = walk.sector + length / VHD_SECTOR;
	ret_list->n = 0;
	return walk_runs(&walk, err);
}

/* ---- trace ---- */

enum { BITS_CHUNK = 512 };

/* Reads the bitmap once: whether the bit of step->sector_in_block is set, and whether all are. */
static int trace_bits(struct image *image, struct vhd_step *step, unsigned flags, bool *ret_set,
		      struct vhd_error *err)
{
	uint32_t len = image->block_sectors / 8, byte = step->sector_in_block / 8;

	step->bitmap_full = true;
	for (uint32_t off = 0; off < len && (step->bitmap_full || off <= byte); off += BITS_CHUNK) {
		uint8_t bits[BITS_CHUNK];
		uint32_t n = len - off < BITS_CHUNK ? len - off : BITS_CHUNK;
		struct bits_at at = {step->block, step->bat_sector, off, n};
		int r;

		if (!step->bitmap_full && off + n <= byte)
			continue;
		r = block_bits(image, &at, flags, bits, err);
		if (r < 0)
			return r;
		for (uint32_t i = 0; i < n && step->bitmap_full; i++)
			step->bitmap_full = bits[i] == 0xff;
		if (byte - off < n)
			*ret_set = bits[byte - off] & 0x80 >> step->sector_in_block % 8;
	}
	return 0;
}

static int trace_block(struct image *image, uint64_t sector, unsigned flags, struct vhd_step *step,
		       struct vhd_error *err)
{
	bool set = false;
	int r;

	step->block = (uint32_t)(sector / image->block_sectors);
	step->sector_in_block = (uint32_t)(sector % image->block_sectors);
	step->bitmap_sectors = image->bitmap_size / VHD_SECTOR;
	step->kind = VHD_STEP_UNALLOCATED;
	r = block_lookup(image, step->block, flags, &step->bat_sector, err);
	if (r < 0 || step->bat_sector == 0)
		return r;
	r = trace_bits(image, step, flags, &set, err);
	if (r < 0)
		return r;
	step->kind = set ? VHD_STEP_SET : VHD_STEP_CLEAR;
	if (set)
		step->physical_sector =
			image_data_sector(image, step->bat_sector) + step->sector_in_block;
	return 0;
}

static int trace_level(struct image *image, uint64_t sector, unsigned flags, struct vhd_step *step,
		       struct vhd_error *err)
{
	*step = (struct vhd_step){.kind = VHD_STEP_BEYOND};
	if (sector >= image->sectors)
		return 0;
	if (!image_flat(image))
		return trace_block(image, sector, flags, step, err);
	*step = (struct vhd_step){.kind = VHD_STEP_FLAT, .physical_sector = sector};
	return 0;
}

static bool goes_on(enum vhd_step_kind kind)
{
	return kind == VHD_STEP_UNALLOCATED || kind == VHD_STEP_CLEAR;
}

int vhd_trace(struct vhd *disk, uint64_t sector, unsigned flags, struct vhd_step_list *ret_list,
	      struct vhd_error *err)
{
	struct image *image = disk->image;
	unsigned level = 0, depth = image->info.depth;
	int r = check_sector(image, sector, err);

	if (r == 0)
		r = writer_share(image, sector, flags, err);
	if (r < 0)
		return r;
	for (; r == 0 && level < depth && level < ret_list->max; level++) {
		struct vhd_step *step = &ret_list->steps[level];

		r = trace_level(image->levels[level], sector, flags, step, err);
		if (r < 0)
			r = vhd_place(err, r, level, sector);
		if (r == 0 && !goes_on(step->kind))
			depth = level;
	}
	writer_unshare(image, sector);
	if (r == 0)
		ret_list->n = level;
	return r;
}
