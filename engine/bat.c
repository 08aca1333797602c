/* bat.c - the block table of one file: pages cached on demand, every entry proved before it is
 * used. */
#include <inttypes.h>

#include "bytes.h"
#include "cleanup.h"
#include "error.h"
#include "index.h"
#include "writer.h"

#define BAT_UNUSED UINT32_MAX

enum { READ_CHUNK = 4096 };

static uint64_t entry_offset(const struct image *image, uint32_t block)
{
	return image->header.table_offset + (uint64_t)block * 4;
}

int bat_each(const struct image *image, uint32_t count, bat_fn *each, void *ctx,
	     struct vhd_error *err)
{
	uint8_t raw[READ_CHUNK];

	for (uint32_t done = 0; done < count;) {
		uint32_t n = count - done < READ_CHUNK / 4 ? count - done : READ_CHUNK / 4;
		int r = io_read(&image->io, raw, n * 4UL, entry_offset(image, done), err);

		if (r < 0)
			return vhd_wrap(err, r, "block table");
		for (uint32_t i = 0; i < n && r == 0; i++) {
			uint32_t entry = get_be32(raw + i * 4UL);

			if (entry != UINT32_MAX)
				r = each(ctx, done + i, entry, err);
		}
		if (r < 0)
			return r;
		done += n;
	}
	return 0;
}

static int check_areas(const struct image *image, uint32_t block, uint64_t off, uint64_t len,
		       struct vhd_error *err)
{
	struct area areas[IMAGE_AREAS_MAX];
	int n = image_areas(image, areas);

	for (int i = 0; i < n; i++)
		if (area_is_vital(&areas[i]) && off < areas[i].offset + areas[i].length &&
		    areas[i].offset < off + len)
			return vhd_fail(err, VHD_E_CORRUPT,
					"block table: entry %u at 0x%" PRIx64
					" is sector 0x%" PRIx64
					": the block lies on the %s at 0x%" PRIx64,
					block, entry_offset(image, block), off / VHD_SECTOR,
					vhd_region_name(areas[i].kind), areas[i].offset);
	return 0;
}

int bat_check_entry(const struct image *image, uint32_t block, uint32_t entry,
		    struct vhd_error *err)
{
	uint64_t off = (uint64_t)entry * VHD_SECTOR;
	uint64_t len = (uint64_t)image->bitmap_size + image->header.block_size;
	uint64_t size = image->file_size - image->tail_size;

	if (!range_ok(off, len, size))
		return vhd_fail(err, VHD_E_CORRUPT,
				"block table: entry %u at 0x%" PRIx64 " is sector 0x%" PRIx32
				": the block passes the end of the data (%" PRIu64 " bytes)",
				block, entry_offset(image, block), entry, size);
	return off >= image->floor ? 0 : check_areas(image, block, off, len, err);
}

static uint32_t page_entries(const struct image *image, uint32_t page)
{
	uint32_t left = image->info.blocks - page * BAT_PAGE_ENTRIES;

	return left < BAT_PAGE_ENTRIES ? left : BAT_PAGE_ENTRIES;
}

/* Puts a page that was read while the table stood at `changes` into the cache, unless it is old by
 * now. */
static bool page_insert(struct image *image, struct bat_page *page, uint64_t changes, size_t bytes)
{
	bool current, inserted;

	pthread_mutex_lock(&image->meta.lock);
	current = image->bat_changes == changes;
	inserted = current && !image->bat[page->meta.number];
	if (inserted) {
		image->bat[page->meta.number] = page;
		cache_add(&image->engine->tables, &image->meta, &page->meta.obj, bytes);
	}
	pthread_mutex_unlock(&image->meta.lock);
	if (!inserted)
		free(page);
	return current;
}

/* Reads one page from the file and leaves the entry of `block` in *ret_entry. */
static int page_load(struct image *image, uint32_t block, uint32_t *ret_entry,
		     struct vhd_error *err)
{
	uint32_t number = block / BAT_PAGE_ENTRIES;
	size_t len = page_entries(image, number) * 4UL, bytes = sizeof(struct bat_page) + len;
	bool current;

	do {
		CLEANUP(freep) struct bat_page *page = calloc(1, bytes);
		uint64_t changes;
		int r;

		if (!page)
			return vhd_fail(err, VHD_E_NOMEM,
					"no memory for a page of the block table");
		pthread_mutex_lock(&image->meta.lock);
		changes = image->bat_changes;
		pthread_mutex_unlock(&image->meta.lock);
		r = io_read(&image->io, page->raw, len,
			    entry_offset(image, number * BAT_PAGE_ENTRIES), err);
		if (r < 0)
			return vhd_wrap(err, r, "block table");
		page->meta.kind = META_BAT_PAGE;
		page->meta.number = number;
		*ret_entry = get_be32(page->raw + block % BAT_PAGE_ENTRIES * 4UL);
		current = page_insert(image, STEAL(page), changes, bytes);
	} while (!current);
	cache_trim(&image->engine->tables);
	return 0;
}

static bool page_find(struct image *image, uint32_t block, uint32_t *ret_entry)
{
	struct bat_page *page;

	pthread_mutex_lock(&image->meta.lock);
	page = image->bat[block / BAT_PAGE_ENTRIES];
	if (page) {
		cache_touch(&page->meta.obj);
		*ret_entry = get_be32(page->raw + block % BAT_PAGE_ENTRIES * 4UL);
	}
	pthread_mutex_unlock(&image->meta.lock);
	return page;
}

int bat_lookup(struct image *image, uint32_t block, unsigned flags, uint64_t *ret_start,
	       struct vhd_error *err)
{
	uint32_t entry = BAT_UNUSED;
	int r = 0;

	if (!page_find(image, block, &entry)) {
		if (flags & VHD_NOWAIT)
			return vhd_fail(err, VHD_E_AGAIN, "the block table is not in memory");
		r = page_load(image, block, &entry, err);
	}
	if (r == 0 && entry != BAT_UNUSED)
		r = bat_check_entry(image, block, entry, err);
	if (r == VHD_E_CORRUPT)
		bat_forget(image, &block, 1); /* somebody may put the file right */
	if (r == 0)
		*ret_start = entry == BAT_UNUSED ? 0 : entry;
	return r;
}

/* Looks at the entries of one page, from `block` to its end or `limit`; true when one is used. */
static bool page_next(struct image *image, uint32_t *block, uint32_t limit)
{
	uint32_t end = (*block / BAT_PAGE_ENTRIES + 1) * BAT_PAGE_ENTRIES;
	const struct bat_page *page;
	bool used = false;

	end = end < limit ? end : limit;
	pthread_mutex_lock(&image->meta.lock);
	page = image->bat[*block / BAT_PAGE_ENTRIES];
	for (; page && *block < end && !used; *block += !used)
		used = get_be32(page->raw + *block % BAT_PAGE_ENTRIES * 4UL) != BAT_UNUSED;
	pthread_mutex_unlock(&image->meta.lock);
	return used || !page; /* evicted just now: the caller looks at this block itself */
}

uint32_t bat_next(struct image *image, uint32_t block, uint32_t limit)
{
	uint32_t entry;

	while (block < limit &&
	       (page_find(image, block, &entry) || page_load(image, block, &entry, NULL) == 0) &&
	       !page_next(image, &block, limit))
		;
	return block;
}

void bat_forget(struct image *image, const uint32_t *blocks, size_t n)
{
	pthread_mutex_lock(&image->meta.lock);
	image->bat_changes++;
	for (size_t i = 0; i < n; i++) {
		struct bat_page *page = image->bat[blocks[i] / BAT_PAGE_ENTRIES];

		if (!page)
			continue;
		cache_remove(&image->engine->tables, &page->meta.obj);
		image->bat[blocks[i] / BAT_PAGE_ENTRIES] = NULL;
		free(page);
	}
	pthread_mutex_unlock(&image->meta.lock);
}

void bat_free(struct image *image)
{
	pthread_mutex_lock(&image->meta.lock);
	for (uint32_t i = 0; image->bat && i < div_up(image->info.blocks, BAT_PAGE_ENTRIES); i++) {
		if (image->bat[i])
			cache_remove(&image->engine->tables, &image->bat[i]->meta.obj);
		free(image->bat[i]);
	}
	free(image->bat);
	image->bat = NULL;
	pthread_mutex_unlock(&image->meta.lock);
}

int block_lookup(struct image *image, uint32_t block, unsigned flags, uint64_t *ret_start,
		 struct vhd_error *err)
{
	if (image->writer && writer_block(image->writer, block, ret_start))
		return 0;
	return bat_lookup(image, block, flags, ret_start, err);
}

int block_bits(struct image *image, const struct bits_at *at, unsigned flags, uint8_t *ret_bits,
	       struct vhd_error *err)
{
	uint64_t off = at->start * VHD_SECTOR + at->off;
	int r;

	if (image->writer && writer_bits(image->writer, at, ret_bits))
		return 0;
	r = flags & VHD_NOWAIT ? io_read_now(&image->io, ret_bits, at->len, off, err)
			       : io_read(&image->io, ret_bits, at->len, off, err);
	return r < 0 ? vhd_wrap(err, r, "sector bitmap of block %u", at->block) : 0;
}
