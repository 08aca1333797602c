/* allocate.c - a new block at the end of the file: the file always ends in a footer, the block
 * itself is a hole. */
#include <inttypes.h>

#include "bytes.h"
#include "cleanup.h"
#include "crash_point.h"
#include "error.h"
#include "mutant.h"
#include "writer.h"

enum { DATA_ALIGN = 4096 };

/* The bitmap goes right before data that starts on 4 KiB, behind the old footer at `end`: what is
 * found there is never a guest's, so recovery can trust it. Table entries that end in FF, or
 * nearly, are left out: they could not be told from torn ones. */
static uint64_t place(const struct image *image, uint64_t end)
{
	uint64_t from = end + FOOTER_SIZE > image->floor ? end + FOOTER_SIZE : image->floor;

	uint64_t start = round_up(from + image->bitmap_size, DATA_ALIGN) - image->bitmap_size;

	return (start / VHD_SECTOR & 0xff) >= 0x100 - BLOCKS_GAP ? start + DATA_ALIGN : start;
}

static int put_footer(struct image *image, uint64_t off, struct vhd_error *err)
{
	return io_write(&image->io, image->footer_raw, FOOTER_SIZE, off, err);
}

/* Takes the file back to where its data ended; if even that fails nobody knows how long it is. With
 * grow_lock held. */
static void cut_back(struct image *image, uint64_t end)
{
	if (io_resize(&image->io, end + FOOTER_SIZE, NULL) < 0)
		image->writer->failed = true;
	image->file_size = end + FOOTER_SIZE;
}

static int insert(struct writer *writer, struct dirty_block *dirty, struct vhd_error *err)
{
	int r;

	pthread_mutex_lock(&writer->lock);
	r = dirty_insert(&writer->dirty, dirty, err);
	if (r == 0) {
		writer->dirty_blocks++;
		writer->pending++;
		writer->allocated++;
	}
	pthread_mutex_unlock(&writer->lock);
	return r;
}

/* With grow_lock held. */
static int grow(struct image *image, struct dirty_block *dirty, struct vhd_error *err)
{
	struct writer *writer = image->writer;
	uint64_t start = place(image, writer->end);
	uint64_t end = start + image->bitmap_size + image->header.block_size;
	int r;

	if (start / VHD_SECTOR >= UINT32_MAX)
		return vhd_fail(err, VHD_E_SIZE,
				"the file is full: a block table cannot name sector 0x%" PRIx64,
				start / VHD_SECTOR);
	dirty->start = start / VHD_SECTOR;
	dirty->before = writer->end;
	r = put_footer(image, end, err);
	if (r == 0 && MUTANT(3))
		r = put_footer(image, 0, err);
	CRASH_POINT("allocate.grown");
	if (r < 0)
		r = vhd_wrap(err, r, "grow the file for block %u", dirty->block);
	if (r == 0)
		r = insert(writer, dirty, err);
	if (r < 0) {
		cut_back(image, writer->end);
		return r;
	}
	writer->end = end;
	image->file_size = end + FOOTER_SIZE;
	return 0;
}

/* Mutant M1: the table names the block before any barrier. When that fails it is no mutant. */
static void publish_early(struct image *image, const struct dirty_block *dirty)
{
	uint8_t raw[4];

	put_be32(raw, (uint32_t)dirty->start);
	(void)io_write(&image->io, raw, sizeof raw, image->header.table_offset + dirty->block * 4UL,
		       NULL);
}

int allocate_block(struct image *image, uint32_t block, struct dirty_block **ret_dirty,
		   struct vhd_error *err)
{
	struct writer *writer = image->writer;
	CLEANUP(freep) struct dirty_block *dirty = NULL;
	/* Readers that ignore bitmaps, and there are many, must see what we see: R6. */
	bool all = image->info.type == VHD_DYNAMIC && !MUTANT(11), full;
	int r;

	pthread_mutex_lock(&writer->lock);
	full = writer_full(writer);
	pthread_mutex_unlock(&writer->lock);
	if (full)
		return WRITER_FULL;
	dirty = calloc(1, sizeof *dirty + image->bitmap_size);
	if (!dirty)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for block %u", block);
	dirty->block = block;
	dirty->fresh = true;
	memset(dirty->bits, all ? 0xff : 0, image->bitmap_size);
	pthread_mutex_lock(&writer->grow_lock);
	r = grow(image, dirty, err);
	CRASH_POINT("allocate.placed");
	pthread_mutex_unlock(&writer->grow_lock);
	if (r == 0 && MUTANT(1))
		publish_early(image, dirty);
	if (r == 0)
		*ret_dirty = STEAL(dirty);
	return r;
}

void allocate_undo(struct image *image, struct dirty_block *dirty)
{
	struct writer *writer = image->writer;
	uint64_t end = dirty->start * VHD_SECTOR + image->bitmap_size + image->header.block_size;

	pthread_mutex_lock(&writer->grow_lock);
	pthread_mutex_lock(&writer->lock);
	dirty_forget(&writer->dirty, dirty);
	writer->dirty_blocks--;
	writer->pending--;
	writer->allocated--;
	pthread_mutex_unlock(&writer->lock);
	/* If others were placed behind it, its space stays unused until a recovery. */
	if (writer->end == end) {
		writer->end = dirty->before;
		cut_back(image, writer->end);
	}
	pthread_mutex_unlock(&writer->grow_lock);
	free(dirty);
}
