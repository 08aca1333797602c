/* index.c - units of a chain: the directory, lookups, and what is forgotten. build.c makes the
 * units. */
#include "index.h"

#include <inttypes.h>

#include "build.h"
#include "bytes.h"
#include "cleanup.h"
#include "error.h"
#include "writer.h"

/* A hash table by number; units of a disk are numbered without gaps, so a mask is the best hash. */
struct index {
	uint32_t mask, n;
	struct unit **buckets;
};

enum { BUCKETS_FIRST = 64, BUCKETS_MAX = 1 << 16 };

int index_prepare(struct image *image, struct vhd_error *err)
{
	CLEANUP(freep) struct index *index = NULL;

	if (image_flat(image) || image->index)
		return 0;
	index = calloc(1, sizeof *index);
	if (index)
		index->buckets = calloc(BUCKETS_FIRST, sizeof(struct unit *));
	if (!index || !index->buckets)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for the index");
	index->mask = BUCKETS_FIRST - 1;
	image->index = STEAL(index);
	return 0;
}

/* The link that points to the unit, or to the end of its bucket. With meta.lock held, as all that
 * follows. */
static struct unit **unit_link(const struct image *image, uint64_t number)
{
	struct unit **link = &image->index->buckets[number & image->index->mask];

	while (*link && (*link)->meta.number != number)
		link = &(*link)->next;
	return link;
}

static void unlink_unit(struct image *image, uint64_t number)
{
	struct unit **link = unit_link(image, number);
	struct unit *unit = *link;

	if (!unit)
		return;
	*link = unit->next;
	image->index->n--;
	free(unit);
}

void index_drop_object(struct cache_owner *owner, struct cache_obj *obj)
{
	struct image *image = (struct image *)owner; /* its first member */
	struct meta_obj *meta = (struct meta_obj *)obj;

	if (meta->kind == META_UNIT) {
		unlink_unit(image, meta->number);
		return;
	}
	image->bat[meta->number] = NULL;
	free(meta);
}

static void forget_unit(struct image *image, struct unit *unit)
{
	cache_remove(&image->engine->units, &unit->meta.obj);
	unlink_unit(image, unit->meta.number);
}

/* Puts a changed copy in the place of a cached unit; without memory for one the next lookup builds
 * it anew. */
static void own_in_unit(struct image *image, uint64_t number, const struct extent *own)
{
	struct unit **link = unit_link(image, number);
	struct unit *old = *link, *patched;

	if (!old)
		return;
	cache_remove(&image->engine->units, &old->meta.obj);
	patched = unit_patch(old, own);
	if (!patched) {
		unlink_unit(image, number);
		return;
	}
	*link = patched;
	free(old);
	cache_add(&image->engine->units, &image->meta, &patched->meta.obj, unit_bytes(patched));
}

void index_own(struct image *image, uint64_t sector, uint64_t count, uint64_t physical)
{
	while (count > 0 && image->index) {
		uint64_t number = sector / image->unit_sectors;
		uint64_t first = sector % image->unit_sectors, left = image->unit_sectors - first;
		uint64_t n = count < left ? count : left;

		pthread_mutex_lock(&image->meta.lock);
		own_in_unit(image, number,
			    &(struct extent){(uint16_t)first, (uint16_t)n, 0, physical});
		pthread_mutex_unlock(&image->meta.lock);
		sector += n;
		physical += n;
		count -= n;
	}
	cache_trim(&image->engine->units); /* the copies are larger than what they replace */
}

void index_forget(struct image *image, uint64_t sector, uint64_t count)
{
	if (!image->index || count == 0)
		return;
	pthread_mutex_lock(&image->meta.lock);
	for (uint64_t n = sector / image->unit_sectors;
	     n <= (sector + count - 1) / image->unit_sectors; n++) {
		struct unit *unit = *unit_link(image, n);

		if (unit)
			forget_unit(image, unit);
	}
	pthread_mutex_unlock(&image->meta.lock);
}

void index_free(struct image *image)
{
	if (!image->index)
		return;
	pthread_mutex_lock(&image->meta.lock);
	for (uint32_t i = 0; i <= image->index->mask; i++)
		while (image->index->buckets[i])
			forget_unit(image, image->index->buckets[i]);
	pthread_mutex_unlock(&image->meta.lock);
	free(image->index->buckets);
	free(image->index);
	image->index = NULL;
}

/* Twice the buckets, if there is memory for them. */
static void grow_index(struct index *index)
{
	struct unit **old = index->buckets;
	uint32_t n = index->mask + 1;

	index->buckets = calloc(2UL * n, sizeof(struct unit *));
	if (!index->buckets) {
		index->buckets = old;
		return;
	}
	index->mask = 2 * n - 1;
	for (uint32_t i = 0; i < n; i++) {
		struct unit *next;

		for (struct unit *unit = old[i]; unit; unit = next) {
			struct unit **bucket = &index->buckets[unit->meta.number & index->mask];

			next = unit->next;
			unit->next = *bucket;
			*bucket = unit;
		}
	}
	free(old);
}

/* Takes over `unit`, unless somebody else was faster: the answer was already copied from it. */
static void unit_keep(struct image *image, struct unit *unit)
{
	struct index *index = image->index;
	CLEANUP(freep) struct unit *own = unit;
	struct unit **link;

	pthread_mutex_lock(&image->meta.lock);
	if (index->n > index->mask && index->mask < BUCKETS_MAX - 1)
		grow_index(index);
	link = unit_link(image, own->meta.number);
	if (!*link) {
		*link = STEAL(own);
		index->n++;
		cache_add(&image->engine->units, &image->meta, &(*link)->meta.obj,
			  unit_bytes(*link));
	}
	pthread_mutex_unlock(&image->meta.lock);
	cache_trim(&image->engine->units);
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
	unit = *unit_link(image, number);
	if (unit) {
		cache_touch(&unit->meta.obj);
		unit_runs(unit, number * image->unit_sectors, sector, count, ret_list);
	}
	pthread_mutex_unlock(&image->meta.lock);
	return unit;
}

int index_find(struct image *image, uint64_t sector, uint64_t count, unsigned flags,
	       struct vhd_run_list *ret_list, struct vhd_error *err)
{
	uint64_t number, first, left;
	struct unit *unit;
	int r;

	if (image_flat(image))
		return flat_run(sector, count, ret_list);
	number = sector / image->unit_sectors;
	first = number * image->unit_sectors;
	left = first + image->unit_sectors - sector;
	count = count < left ? count : left;
	if (find_cached(image, number, sector, count, ret_list))
		return 0;
	if (flags & VHD_NOWAIT)
		return vhd_fail(err, VHD_E_AGAIN,
				"the place of sector %" PRIu64 " is not in memory", sector);
	r = unit_build(image, number, &(struct piece){(unsigned)(sector - first), (unsigned)count},
		       &unit, err);
	if (r < 0)
		return r;
	unit_runs(unit, first, sector, count, ret_list);
	if (unit->partial)
		free(unit);
	else
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
	uint32_t limit, block;
	uint64_t found;

	if (image_flat(image))
		return sector;
	end = end < image->sectors ? end : image->sectors;
	block = (uint32_t)(sector / image->block_sectors);
	limit = (uint32_t)div_up(end, image->block_sectors);
	/* First what moves from memory to the table, then the table: no block is missed on its way.
	 */
	if (image->writer)
		limit = writer_next(image->writer, block, limit);
	found = (uint64_t)bat_next(image, block, limit) * image->block_sectors;
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
