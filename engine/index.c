/* index.c - units of a chain: the directory, lookups, and what is forgotten. build.c makes the
 * units. */
#include "index.h"

#include <inttypes.h>

#include "build.h"
#include "bytes.h"
#include "cleanup.h"
#include "error.h"
#include "writer.h"

enum { PAGE_UNITS = 4096 };

struct index_page {
	uint32_t used;
	struct unit *units[]; /* PAGE_UNITS; fewer in the last page */
};

static uint64_t unit_count(const struct image *image)
{
	return div_up(image->sectors, image->unit_sectors);
}

static uint64_t page_units(const struct image *image, uint64_t page)
{
	uint64_t left = unit_count(image) - page * PAGE_UNITS;

	return left < PAGE_UNITS ? left : PAGE_UNITS;
}

int index_prepare(struct image *image, struct vhd_error *err)
{
	if (image_flat(image) || image->index)
		return 0;
	image->index = calloc(div_up(unit_count(image), PAGE_UNITS), sizeof(struct index_page *));
	return image->index ? 0 : vhd_fail(err, VHD_E_NOMEM, "no memory for the index");
}

/* With meta.lock held. NULL where nothing is cached. */
static struct unit **unit_slot(struct image *image, uint64_t number)
{
	struct index_page *page = image->index[number / PAGE_UNITS];

	return page ? &page->units[number % PAGE_UNITS] : NULL;
}

/* With meta.lock held. */
static void slot_clear(struct image *image, uint64_t number)
{
	struct index_page *page = image->index[number / PAGE_UNITS];

	free(page->units[number % PAGE_UNITS]);
	page->units[number % PAGE_UNITS] = NULL;
	if (--page->used > 0)
		return;
	image->index[number / PAGE_UNITS] = NULL;
	free(page);
}

void index_drop_object(struct cache_owner *owner, struct cache_obj *obj)
{
	struct image *image = (struct image *)owner; /* its first member */
	struct meta_obj *meta = (struct meta_obj *)obj;

	if (meta->kind == META_UNIT) {
		slot_clear(image, meta->number);
		return;
	}
	image->bat[meta->number] = NULL;
	free(meta);
}

static void forget_unit(struct image *image, uint64_t number)
{
	struct unit **slot = unit_slot(image, number);

	if (!slot || !*slot)
		return;
	cache_remove(&image->engine->cache, &(*slot)->meta.obj);
	slot_clear(image, number);
}

void index_forget(struct image *image, uint64_t sector, uint64_t count)
{
	if (!image->index || count == 0)
		return;
	pthread_mutex_lock(&image->meta.lock);
	for (uint64_t n = sector / image->unit_sectors;
	     n <= (sector + count - 1) / image->unit_sectors; n++)
		forget_unit(image, n);
	pthread_mutex_unlock(&image->meta.lock);
}

void index_free(struct image *image)
{
	if (!image->index)
		return;
	pthread_mutex_lock(&image->meta.lock);
	for (uint64_t p = 0; p < div_up(unit_count(image), PAGE_UNITS); p++)
		for (uint64_t u = 0; u < page_units(image, p) && image->index[p]; u++)
			forget_unit(image, p * PAGE_UNITS + u);
	pthread_mutex_unlock(&image->meta.lock);
	free(image->index);
	image->index = NULL;
}

/* The cached unit, marked as used; NULL without. With meta.lock held. */
static struct unit *unit_cached(struct image *image, uint64_t number)
{
	struct unit **slot = unit_slot(image, number);

	if (!slot || !*slot)
		return NULL;
	cache_touch(&(*slot)->meta.obj);
	return *slot;
}

/* Takes over `unit`. Not being able to keep it is no error: the answer was already copied from it.
 */
static void unit_keep(struct image *image, struct unit *unit)
{
	CLEANUP(freep) struct unit *own = unit;
	uint64_t number = unit->meta.number;
	struct index_page **page;

	pthread_mutex_lock(&image->meta.lock);
	page = &image->index[number / PAGE_UNITS];
	if (!*page)
		*page = calloc(1,
			       sizeof **page + page_units(image, number / PAGE_UNITS) * sizeof own);
	if (*page && !(*page)->units[number % PAGE_UNITS]) {
		(*page)->units[number % PAGE_UNITS] = own;
		(*page)->used++;
		cache_add(&image->engine->cache, &image->meta, &own->meta.obj, unit_bytes(own));
		own = NULL;
	}
	pthread_mutex_unlock(&image->meta.lock);
	cache_trim(&image->engine->cache);
}

static int flat_run(uint64_t sector, uint64_t count, struct vhd_run_list *ret_list)
{
	ret_list->runs[0] = (struct vhd_run){sector, count, VHD_DATA, 0, sector};
	ret_list->n = 1;
	return 0;
}

/* From memory; false when the unit is not there. */
static bool find_cached(struct image *image, uint64_t number, uint64_t sector, uint64_t count,
			struct vhd_run_list *ret_list)
{
	struct unit *unit;

	pthread_mutex_lock(&image->meta.lock);
	unit = unit_cached(image, number);
	if (unit)
		unit_runs(unit, number * image->unit_sectors, sector, count, ret_list);
	pthread_mutex_unlock(&image->meta.lock);
	return unit;
}

int index_find(struct image *image, uint64_t sector, uint64_t count, unsigned flags,
	       struct vhd_run_list *ret_list, struct vhd_error *err)
{
	uint64_t number, left;
	struct unit *unit;
	int r;

	if (image_flat(image))
		return flat_run(sector, count, ret_list);
	number = sector / image->unit_sectors;
	left = (number + 1) * image->unit_sectors - sector;
	count = count < left ? count : left;
	if (find_cached(image, number, sector, count, ret_list))
		return 0;
	if (flags & VHD_NOWAIT)
		return vhd_fail(err, VHD_E_AGAIN,
				"the place of sector %" PRIu64 " is not in memory", sector);
	r = unit_build(image, number, &unit, err);
	if (r < 0)
		return r;
	unit_runs(unit, number * image->unit_sectors, sector, count, ret_list);
	unit_keep(image, unit);
	return 0;
}

int index_find_one(struct image *image, uint64_t sector, uint64_t count, unsigned flags,
		   struct vhd_run *ret_run, struct vhd_error *err)
{
	struct vhd_run_list list = {.runs = ret_run, .max = 1};

	return index_find(image, sector, count, flags, &list, err);
}

/* The same for one level. */
static uint64_t skip_level(struct image *image, uint64_t sector, uint64_t end)
{
	uint32_t next, limit;
	uint64_t found;

	if (image_flat(image) || (image->writer && image->writer->pending > 0))
		return sector;
	end = end < image->sectors ? end : image->sectors;
	limit = (uint32_t)div_up(end, image->block_sectors);
	if (bat_next(image, (uint32_t)(sector / image->block_sectors), limit, &next, NULL) < 0)
		return sector;
	found = (uint64_t)next * image->block_sectors;
	return found > sector ? found : sector;
}

uint64_t index_skip(struct image *image, uint64_t sector, uint64_t end)
{
	/* What lies below a level that ends before `sector` is never seen. */
	for (unsigned level = 0; level < image->info.depth && sector < end; level++) {
		uint64_t found;

		if (sector >= image->levels[level]->sectors)
			break;
		found = skip_level(image->levels[level], sector, end);
		/* Beyond its own end a level has nothing, but those below it do not show there
		 * either. */
		if (found < image->levels[level]->sectors && found < end)
			end = found;
	}
	return end;
}
