/* service_where.c - where sectors live: the engine's answers in the words of api/. */
#include <stdlib.h>

#include "cleanup.h"
#include "clock.h"
#include "failure.h"
#include "service_data.h"

enum {
	SCAN_MS = 2000,          /* then what was found is the answer */
	SCAN_SECTORS = 16 << 20, /* between looks at the clock */
};

static enum service_where where_of(enum vhd_where where)
{
	switch (where) {
	case VHD_ZERO: return SERVICE_ZERO;
	case VHD_DATA: return SERVICE_DATA;
	case VHD_UNKNOWN: return SERVICE_UNKNOWN;
	}
	return SERVICE_UNKNOWN;
}

static enum service_step_kind kind_of(enum vhd_step_kind kind)
{
	switch (kind) {
	case VHD_STEP_FLAT: return SERVICE_STEP_FLAT;
	case VHD_STEP_UNALLOCATED: return SERVICE_STEP_UNALLOCATED;
	case VHD_STEP_CLEAR: return SERVICE_STEP_CLEAR;
	case VHD_STEP_SET: return SERVICE_STEP_SET;
	case VHD_STEP_BEYOND: return SERVICE_STEP_BEYOND;
	}
	return SERVICE_STEP_BEYOND;
}

/* ---- one sector ---- */

/* The last step is where the search ended. */
static void fill_location(const struct vhd_step *steps, size_t n, struct service_location *location)
{
	const struct vhd_step *last = &steps[n - 1];

	*location = (struct service_location){.where = SERVICE_ZERO};
	if (last->kind != VHD_STEP_SET && last->kind != VHD_STEP_FLAT)
		return;
	location->where = SERVICE_DATA;
	location->depth = (uint32_t)n - 1;
	location->physical_sector = last->physical_sector;
	location->has_block = last->kind == VHD_STEP_SET;
	location->block = last->block;
	location->sector_in_block = last->sector_in_block;
	location->bitmap_sectors = last->bitmap_sectors;
	location->bat_sector = last->bat_sector;
}

/* The search came to the end of what is there, and did not find it. */
static bool is_unknown(const struct service_data *data, const struct vhd_step_list *list)
{
	enum vhd_step_kind last = list->n ? list->steps[list->n - 1].kind : VHD_STEP_BEYOND;

	return data->info.broken && list->n == data->info.levels &&
	       (last == VHD_STEP_UNALLOCATED || last == VHD_STEP_CLEAR);
}

static int fail_unknown(uint64_t sector, unsigned flags, struct vhd_error *err)
{
	if (flags & SERVICE_NOWAIT)
		return VHD_E_AGAIN;
	return failure(err, VHD_E_PARENT_MISSING, "sector %llu is in no image that is there",
		       (unsigned long long)sector);
}

enum service_code service_data_locate(struct service_data *data, uint64_t sector, unsigned flags,
				      struct service_location *ret_location,
				      struct service_step_list *ret_steps,
				      struct service_error *err)
{
	CLEANUP(freep) struct vhd_step *steps = calloc(data->info.levels, sizeof *steps);
	struct vhd_step_list list = {.steps = steps, .max = data->info.levels};
	struct vhd_error why = {.code = VHD_E_AGAIN};
	int r;

	if (!steps)
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	r = vhd_trace(images_disk(data->image), sector, flags & SERVICE_NOWAIT ? VHD_NOWAIT : 0,
		      &list, &why);
	if (r == 0 && is_unknown(data, &list))
		r = fail_unknown(sector, flags, &why);
	if (r < 0 || !list.n)
		return service_data_failed(data, &why, err);
	for (size_t i = 0; i < list.n; i++)
		ret_steps->steps[i] = (struct service_step){.kind = kind_of(steps[i].kind),
							    .bitmap_full = steps[i].bitmap_full};
	fill_location(steps, list.n, ret_location);
	ret_steps->n = list.n;
	return SERVICE_OK;
}

/* ---- runs ---- */

static bool continues(const struct service_run *run, const struct vhd_run *next)
{
	if (run->where != where_of(next->where))
		return false;
	return next->where != VHD_DATA ||
	       (run->depth == next->level &&
		run->physical_sector + run->count == next->physical_sector);
}

/* Adds what was found; a piece may go on where the one before it ended. */
static void add_runs(struct service_run *runs, size_t *n, const struct vhd_run_list *list)
{
	const struct vhd_run *found = list->runs;

	for (size_t i = 0; i < list->n; i++) {
		if (*n && continues(&runs[*n - 1], &found[i])) {
			runs[*n - 1].count += found[i].count;
			continue;
		}
		runs[(*n)++] = (struct service_run){.sector = found[i].sector,
						    .count = found[i].count,
						    .where = where_of(found[i].where),
						    .depth = found[i].level,
						    .physical_sector = found[i].physical_sector};
	}
}

enum service_code service_data_runs(struct service_data *data, uint64_t sector, uint64_t count,
				    unsigned flags, struct service_run_list *ret_runs,
				    struct service_error *err)
{
	CLEANUP(freep) struct vhd_run *found = calloc(ret_runs->max, sizeof *found);
	unsigned nowait = flags & SERVICE_NOWAIT ? VHD_NOWAIT : 0;
	int64_t until = clock_monotonic_ms() + SCAN_MS;
	size_t n = 0;

	if (!found)
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	while (count && n < ret_runs->max && (!n || clock_monotonic_ms() < until)) {
		uint64_t piece = count < SCAN_SECTORS ? count : SCAN_SECTORS;
		struct vhd_run_list list = {.runs = found, .max = ret_runs->max - n};
		struct vhd_error why = {.code = VHD_E_AGAIN};
		int r = vhd_get_sector_locations(images_disk(data->image), sector, piece, nowait,
						 &list, &why);

		if (r < 0 && !n)
			return service_data_failed(data, &why, err);
		if (r < 0 || !list.n)
			break;
		add_runs(ret_runs->runs, &n, &list);
		piece = found[list.n - 1].sector + found[list.n - 1].count - sector;
		count -= piece;
		sector += piece;
	}
	ret_runs->n = n;
	return SERVICE_OK;
}

/* ---- extents ---- */

static void add_extents(struct service_extent *extents, size_t *n,
			const struct vhd_extent_list *list)
{
	const struct vhd_extent *found = list->extents;

	for (size_t i = 0; i < list->n; i++) {
		struct service_extent *last = *n ? &extents[*n - 1] : NULL;

		if (last && last->where == where_of(found[i].where) &&
		    (found[i].where != VHD_DATA || last->depth == found[i].level)) {
			last->length += found[i].length;
			continue;
		}
		extents[(*n)++] = (struct service_extent){.start = found[i].start,
							  .length = found[i].length,
							  .where = where_of(found[i].where),
							  .depth = found[i].level};
	}
}

enum service_code service_data_extents(struct service_data *data, uint64_t start, uint64_t length,
				       unsigned flags, struct service_extent_list *ret_extents,
				       struct service_error *err)
{
	CLEANUP(freep) struct vhd_extent *found = calloc(ret_extents->max, sizeof *found);
	unsigned how = (flags & SERVICE_NOWAIT ? VHD_NOWAIT : 0) |
		       (flags & SERVICE_TOP_ONLY ? VHD_NO_PARENT : 0);
	const uint64_t most = (uint64_t)SCAN_SECTORS * VHD_SECTOR;
	/* A polling thread looks once. */
	int64_t until = flags & SERVICE_NOWAIT ? 0 : clock_monotonic_ms() + SCAN_MS;
	size_t n = 0;

	if (!found)
		return service_fail(err, SERVICE_INTERNAL, "out of memory");
	while (length && n < ret_extents->max && (!n || clock_monotonic_ms() < until)) {
		uint64_t piece = length < most ? length : most;
		struct vhd_extent_list list = {.extents = found, .max = ret_extents->max - n};
		struct vhd_error why = {.code = VHD_E_AGAIN};
		int r = vhd_extents(images_disk(data->image), start, piece, how, &list, &why);

		if (r < 0 && !n)
			return service_data_failed(data, &why, err);
		if (r < 0 || !list.n)
			break;
		add_extents(ret_extents->extents, &n, &list);
		piece = found[list.n - 1].start + found[list.n - 1].length - start;
		length -= piece;
		start += piece;
	}
	ret_extents->n = n;
	return SERVICE_OK;
}
