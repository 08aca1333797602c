/* layout.c - what lies where in a file, in file order, in bounded memory: the table is read once
 * for every BATCH of its blocks. Damaged tables are shown as they are. */
#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "cleanup.h"
#include "error.h"
#include "image.h"
#include "writer.h"

enum { BATCH = 1 << 18, AREAS_MAX = IMAGE_AREAS_MAX + 2 };

/* The next blocks in file order. A key is the sector of a block's bitmap, then its number. */
struct batch {
	uint64_t *keys;
	size_t n, keep; /* room for twice as many as are kept */
	uint64_t from;  /* keys below it were given already */
	bool more;      /* some did not fit */
};

struct sweep {
	struct image *image;
	vhd_region_fn *each;
	void *ctx;
	uint64_t end; /* of what was told so far */
	uint64_t file_size;
	struct area areas[AREAS_MAX]; /* metadata, sorted */
	int n_areas, next_area;
	uint8_t *bitmap;
};

const char *vhd_region_name(enum vhd_region_kind kind)
{
	switch (kind) {
	case VHD_REGION_FOOTER_COPY: return "footer copy";
	case VHD_REGION_HEADER: return "header";
	case VHD_REGION_LOCATOR: return "parent locator";
	case VHD_REGION_BAT: return "block table";
	case VHD_REGION_BATMAP: return "batmap";
	case VHD_REGION_BLOCK: return "block";
	case VHD_REGION_DATA: return "data";
	case VHD_REGION_GAP: return "gap";
	case VHD_REGION_OVERLAP: return "overlap";
	case VHD_REGION_FOOTER: return "footer";
	}
	return "unknown";
}

/* ---- blocks in file order
 * ---------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Keeps the smallest ones. */
static void batch_shrink(struct batch *batch)
{
	qsort(batch->keys, batch->n, sizeof *batch->keys, by_key);
	if (batch->n > batch->keep) {
		batch->n = batch->keep;
		batch->more = true;
	}
}

static void batch_add(struct batch *batch, uint64_t start, uint32_t block)
{
	uint64_t key = start << 32 | block;

	if (key < batch->from)
		return;
	if (batch->n == batch->keep * 2)
		batch_shrink(batch);
	batch->keys[batch->n++] = key;
}

static int add_entry(void *ctx, uint32_t block, uint32_t entry, struct vhd_error *err)
{
	(void)err;
	batch_add(ctx, entry, block);
	return 0;
}

/* Blocks that have their place but are not in the table yet. */
static int add_fresh(struct writer *writer, struct batch *batch, struct vhd_error *err)
{
	CLEANUP(freep) struct dirty_block **dirty = NULL;
	size_t n = 0;
	int r;

	pthread_mutex_lock(&writer->lock);
	r = dirty_list(writer->dirty, &dirty, &n, err);
	for (size_t i = 0; i < n; i++) {
		if (dirty[i]->fresh)
			batch_add(batch, dirty[i]->start, dirty[i]->block);
	}
	pthread_mutex_unlock(&writer->lock);
	return r;
}

static int batch_fill(const struct image *image, struct batch *batch, struct vhd_error *err)
{
	struct writer *writer = image->writer;
	int r;

	if (batch->n > 0)
		batch->from = batch->keys[batch->n - 1] + 1;
	batch->n = 0;
	batch->more = false;
	/* So that no block moves from memory to the table while both are read. */
	if (writer)
		pthread_mutex_lock(&writer->flush_lock);
	r = bat_each(image, image->info.blocks, add_entry, batch, err);
	if (r == 0 && writer)
		r = add_fresh(writer, batch, err);
	if (writer)
		pthread_mutex_unlock(&writer->flush_lock);
	batch_shrink(batch);
	return r;
}

/* ---- telling
 * -----------------------------------------------------------------------------------------------
 */

static int tell(struct sweep *sweep, const struct vhd_region *region, struct vhd_error *err)
{
	if (sweep->each(sweep->ctx, region) != 0)
		return vhd_fail(err, VHD_E_CANCELED, "layout: the caller wants no more");
	return 0;
}

/* A region, and before it what lies between it and the ones before, or what it shares with them. */
static int tell_next(struct sweep *sweep, const struct vhd_region *region, struct vhd_error *err)
{
	uint64_t end = region->offset + region->length;
	struct vhd_region between = {.kind = VHD_REGION_GAP, .offset = sweep->end};
	int r = 0;

	if (region->offset < sweep->end) {
		between.kind = VHD_REGION_OVERLAP;
		between.offset = region->offset;
		between.length = (end < sweep->end ? end : sweep->end) - region->offset;
	} else {
		between.length = region->offset - sweep->end;
	}
	if (between.length > 0)
		r = tell(sweep, &between, err);
	if (r == 0)
		r = tell(sweep, region, err);
	if (end > sweep->end)
		sweep->end = end;
	return r;
}

static int tell_areas(struct sweep *sweep, uint64_t until, struct vhd_error *err)
{
	int r = 0;

	while (r == 0 && sweep->next_area < sweep->n_areas &&
	       sweep->areas[sweep->next_area].offset <= until) {
		const struct area *area = &sweep->areas[sweep->next_area++];
		const struct vhd_region region = {.kind = area->kind,
						  .offset = area->offset,
						  .length = area->length,
						  .index = area->index};

		r = tell_next(sweep, &region, err);
	}
	return r;
}

static uint32_t count_bits(const uint8_t *bitmap, uint32_t sectors)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < sectors / 8; i++)
		count += (uint32_t)__builtin_popcount(bitmap[i]);
	if (sectors % 8 != 0)
		count += (uint32_t)__builtin_popcount((uint32_t)bitmap[sectors / 8] >>
						      (8 - sectors % 8));
	return count;
}

/* Sectors inside the disk: root images have all bits set, also beyond its end. */
static int count_present(struct sweep *sweep, uint32_t block, uint64_t start, uint32_t *ret_present,
			 struct vhd_error *err)
{
	struct image *image = sweep->image;
	uint64_t left = image->sectors - (uint64_t)block * image->block_sectors;
	int r;

	*ret_present = 0;
	if (!range_ok(start * VHD_SECTOR, image->bitmap_size, sweep->file_size))
		return 0;
	r = block_bits(image, &(struct bits_at){block, start, 0, image->bitmap_size}, 0,
		       sweep->bitmap, err);
	if (r < 0)
		return r;
	*ret_present = count_bits(
		sweep->bitmap, left < image->block_sectors ? (uint32_t)left : image->block_sectors);
	return 0;
}

static int tell_block(struct sweep *sweep, uint64_t key, struct vhd_error *err)
{
	const struct image *image = sweep->image;
	uint64_t start = key >> 32;
	struct vhd_region region = {
		.kind = VHD_REGION_BLOCK,
		.offset = start * VHD_SECTOR,
		.length = (uint64_t)image->bitmap_size + image->info.block_size,
		.index = (uint32_t)key,
		.bitmap_length = image->bitmap_size,
	};
	int r = tell_areas(sweep, region.offset, err);

	if (r == 0)
		r = count_present(sweep, region.index, start, &region.present, err);
	return r < 0 ? r : tell_next(sweep, &region, err);
}

static int tell_blocks(struct sweep *sweep, struct vhd_error *err)
{
	const struct image *image = sweep->image;
	struct batch batch = {.keep = image->info.blocks < BATCH ? image->info.blocks : BATCH};
	CLEANUP(freep) uint64_t *keys = calloc(batch.keep * 2, sizeof *keys);
	CLEANUP(freep) uint8_t *bitmap = malloc(image->bitmap_size);
	int r = 0;

	if (!keys || !bitmap)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for %zu blocks", batch.keep);
	batch.keys = keys;
	sweep->bitmap = bitmap;
	do {
		r = batch_fill(image, &batch, err);
		for (size_t i = 0; i < batch.n && r == 0; i++)
			r = tell_block(sweep, batch.keys[i], err);
	} while (r == 0 && batch.more);
	return r;
}

/* ---- metadata
 * ---------------------------------------------------------------------------------------------- */

static void add_area(struct sweep *sweep, enum vhd_region_kind kind, uint64_t offset,
		     uint64_t length)
{
	int i = sweep->n_areas++;

	for (; i > 0 && sweep->areas[i - 1].offset > offset; i--)
		sweep->areas[i] = sweep->areas[i - 1];
	sweep->areas[i] = (struct area){.kind = kind, .offset = offset, .length = length};
}

static void find_areas(struct sweep *sweep)
{
	const struct image *image = sweep->image;
	uint64_t size = sweep->file_size;

	sweep->n_areas = image_areas(image, sweep->areas);
	if (image_flat(image))
		add_area(sweep, VHD_REGION_DATA, 0, image->info.size);
	if (image->info.footers & VHD_FOOTER_EOF)
		add_area(sweep, VHD_REGION_FOOTER, size - FOOTER_SIZE, FOOTER_SIZE);
	else if (image->info.footers & VHD_FOOTER_EOF511)
		add_area(sweep, VHD_REGION_FOOTER, size - FOOTER_SIZE_OLD, FOOTER_SIZE_OLD);
}

int vhd_layout(struct vhd *disk, vhd_region_fn *each, void *ctx, struct vhd_error *err)
{
	struct sweep sweep = {.image = disk->image, .each = each, .ctx = ctx};
	int r = io_size(&disk->image->io, &sweep.file_size, err);

	if (r == 0 && sweep.file_size < disk->image->tail_size)
		r = vhd_fail(err, VHD_E_CORRUPT,
			     "the file has %" PRIu64 " bytes now: less than the footer at its end",
			     sweep.file_size);
	if (r == 0)
		find_areas(&sweep);
	if (r == 0 && !image_flat(disk->image))
		r = tell_blocks(&sweep, err);
	if (r == 0)
		r = tell_areas(&sweep, UINT64_MAX, err);
	if (r == 0 && sweep.end < sweep.file_size) {
		const struct vhd_region rest = {.kind = VHD_REGION_GAP,
						.offset = sweep.end,
						.length = sweep.file_size - sweep.end};

		r = tell(&sweep, &rest, err);
	}
	return r;
}
