/* index.h - who owns each sector, flattened over the whole chain: built lazily unit by unit, kept
 * under the budget, so that a warm lookup costs the same at any depth. */
#ifndef INDEX_H
#define INDEX_H

#include "image.h"

/* Makes room for the directory of an image that becomes the leaf of a chain; engine->lock is held.
 */
int index_prepare(struct image *image, struct vhd_error *err);
void index_free(struct image *image);

/* Runs of at most `count` sectors from `sector` on, inside one unit; at least one. The caller holds
 * the block's stripe when the image has a writer. VHD_NOWAIT: VHD_E_AGAIN when the unit is not
 * indexed. */
int index_find(struct image *image, uint64_t sector, uint64_t count, unsigned flags,
	       struct vhd_run_list *ret_list, struct vhd_error *err);
/* The first of them. */
int index_find_one(struct image *image, uint64_t sector, uint64_t count, unsigned flags,
		   struct vhd_run *ret_run, struct vhd_error *err);

/* The first sector from `sector` on, at most `end`, that anybody of the chain may have: jumps over
 * what no table names. `sector` itself when that cannot be told. */
uint64_t index_skip(struct image *image, uint64_t sector, uint64_t end);

/* The image itself has these sectors now, at `physical` and on. The caller holds the block's stripe
 * alone. */
void index_own(struct image *image, uint64_t sector, uint64_t count, uint64_t physical);

/* Nobody knows who has these sectors now. The caller holds the block's stripe alone. */
void index_forget(struct image *image, uint64_t sector, uint64_t count);

/* cache_owner.drop of an image: for units and table pages. meta.lock is held. */
void index_drop_object(struct cache_owner *owner, struct cache_obj *obj);

/* What the cache needs to tell its objects apart. */
struct meta_obj {
	struct cache_obj obj;
	enum { META_UNIT, META_BAT_PAGE } kind;
	uint64_t number; /* of the unit or the page */
};

enum { BAT_PAGE_ENTRIES = 4096 };
struct bat_page {
	struct meta_obj meta;
	uint8_t raw[]; /* big-endian entries */
};

#endif
