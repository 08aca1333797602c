/* dirty.c - trees of blocks whose metadata waits for a flush. */
#include <search.h>

#include "cleanup.h"
#include "error.h"
#include "index.h"
#include "writer.h"

static int by_block(const void *a, const void *b)
{
	const struct dirty_block *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

struct dirty_block *dirty_find(void *tree, uint32_t block)
{
	const struct dirty_block key = {.block = block};
	void *node = tfind(&key, &tree, by_block);

	return node ? *(struct dirty_block **)node : NULL;
}

int dirty_insert(void **tree, struct dirty_block *dirty, struct vhd_error *err)
{
	if (!tsearch(dirty, tree, by_block))
		return vhd_fail(err, VHD_E_NOMEM, "no memory for a block");
	return 0;
}

void dirty_forget(void **tree, struct dirty_block *dirty)
{
	tdelete(dirty, tree, by_block);
}

void dirty_free(void **tree)
{
	tdestroy(*tree, free);
	*tree = NULL;
}

struct search {
	uint32_t block, limit;
};

static void search_one(const void *node, VISIT which, void *closure)
{
	const struct dirty_block *dirty = *(struct dirty_block *const *)node;
	struct search *search = closure;

	if ((which == postorder || which == leaf) && dirty->block >= search->block &&
	    dirty->block < search->limit)
		search->limit = dirty->block;
}

uint32_t dirty_next(const void *tree, uint32_t block, uint32_t limit)
{
	struct search search = {block, limit};

	twalk_r(tree, search_one, &search);
	return search.limit;
}

struct listing {
	struct dirty_block **list; /* NULL: only count */
	size_t n;
};

static void list_one(const void *node, VISIT which, void *closure)
{
	struct listing *listing = closure;

	if (which != postorder && which != leaf)
		return;
	if (listing->list)
		listing->list[listing->n] = *(struct dirty_block *const *)node;
	listing->n++;
}

int dirty_list(void *tree, struct dirty_block ***ret_list, size_t *ret_n, struct vhd_error *err)
{
	struct listing listing = {0};

	twalk_r(tree, list_one, &listing);
	listing.list = malloc(listing.n * sizeof(struct dirty_block *) + 1);
	if (!listing.list)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for a flush of %zu blocks", listing.n);
	listing.n = 0;
	twalk_r(tree, list_one, &listing);
	*ret_list = listing.list;
	*ret_n = listing.n;
	return 0;
}

int dirty_get(struct image *image, uint32_t block, uint64_t start, struct dirty_block **ret_dirty,
	      struct vhd_error *err)
{
	struct writer *writer = image->writer;
	CLEANUP(freep) struct dirty_block *made = NULL;
	struct dirty_block *dirty;
	bool full;
	int r;

	pthread_mutex_lock(&writer->lock);
	dirty = dirty_find(writer->dirty, block);
	full = writer_full(writer);
	pthread_mutex_unlock(&writer->lock);
	if (dirty) {
		*ret_dirty = dirty;
		return 0;
	}
	if (full)
		return WRITER_FULL;
	made = calloc(1, sizeof *made + image->bitmap_size);
	if (!made)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for block %u", block);
	made->block = block;
	made->start = start;
	r = block_bits(image, &(struct bits_at){block, start, 0, image->bitmap_size}, 0, made->bits,
		       err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&writer->lock);
	r = dirty_insert(&writer->dirty, made, err);
	writer->dirty_blocks += r == 0;
	writer->pending += r == 0;
	pthread_mutex_unlock(&writer->lock);
	if (r == 0)
		*ret_dirty = STEAL(made);
	return r;
}

void dirty_mark(struct image *image, struct dirty_block *dirty, uint32_t first, uint32_t count)
{
	pthread_mutex_lock(&image->writer->lock);
	for (uint32_t s = first; s < first + count; s++)
		dirty->bits[s / 8] |= (uint8_t)(0x80 >> s % 8);
	for (uint32_t s = first / 4096; s <= (first + count - 1) / 4096; s++)
		dirty->changed[s / 8] |= (uint8_t)(0x80 >> s % 8);
	pthread_mutex_unlock(&image->writer->lock);
	index_own(image, (uint64_t)dirty->block * image->block_sectors + first, count,
		  image_data_sector(image, dirty->start) + first);
}
