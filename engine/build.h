/* build.h - one unit of the index: an immutable list of extents, sorted, with gaps where nobody has
 * anything. */
#ifndef BUILD_H
#define BUILD_H

#include "index.h"

enum { LEVEL_UNKNOWN = UINT16_MAX };

struct extent {
	uint16_t first, count; /* sectors of the unit */
	uint16_t level;        /* LEVEL_UNKNOWN: only a missing parent could tell */
	uint64_t physical;     /* sector of that level's file */
};

struct unit {
	struct meta_obj meta;
	uint32_t n;
	struct extent extents[];
};

size_t unit_bytes(const struct unit *unit);

/* Reads tables and bitmaps of the levels that matter. Caller frees. */
int unit_build(struct image *image, uint64_t number, struct unit **ret_unit, struct vhd_error *err);

/* The runs from `sector` on, at least one; `first` is the unit's first sector. */
void unit_runs(const struct unit *unit, uint64_t first, uint64_t sector, uint64_t count,
	       struct vhd_run_list *ret_list);

#endif
