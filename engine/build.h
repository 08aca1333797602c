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
	struct unit *next; /* in its bucket of the index */
	uint32_t n;
	bool partial; /* parts that nobody asked for are damaged: it is not kept */
	struct extent extents[];
};

size_t unit_bytes(const struct unit *unit);

struct piece {
	unsigned first, count; /* sectors of the unit */
};
/* Reads tables and bitmaps of the levels that matter. What is damaged hides only itself: a failure
 * when it is in `asked`. Caller frees. */
int unit_build(struct image *image, uint64_t number, const struct piece *asked,
	       struct unit **ret_unit, struct vhd_error *err);

/* A copy in which `own` holds its sectors and nobody else does; NULL without memory. */
struct unit *unit_patch(const struct unit *unit, const struct extent *own);

/* The runs from `sector` on, at least one; `first` is the unit's first sector. */
void unit_runs(const struct unit *unit, uint64_t first, uint64_t sector, uint64_t count,
	       struct vhd_run_list *ret_list);

#endif
