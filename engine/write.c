/* write.c - accepting writes and zeroes: data goes to the file, metadata waits in memory for a
 * flush. */
#include <inttypes.h>

#include "bytes.h"
#include "crash_point.h"
#include "error.h"
#include "index.h"
#include "mutant.h"
#include "read.h"
#include "writer.h"

enum { BITS_CHUNK = 512 };

/* A cursor over the caller's buffers. */
struct source {
	const struct iovec *iov;
	size_t skip; /* bytes of iov[0] that are used up */
};

/* Whole sectors of one block, ready to be written. */
struct part {
	struct image *image;
	uint64_t sector; /* virtual, first */
	uint32_t count;
	int n;
	struct iovec iov[VHD_IOV_MAX + 2];
	uint8_t head[VHD_SECTOR], tail[VHD_SECTOR]; /* sectors completed from the chain */
};

static uint32_t part_block(const struct part *part)
{
	return (uint32_t)(part->sector / part->image->block_sectors);
}

static uint32_t part_in_block(const struct part *part)
{
	return (uint32_t)(part->sector % part->image->block_sectors);
}

static void add_buffer(struct part *part, void *buf, size_t len)
{
	part->iov[part->n++] = (struct iovec){buf, len};
}

static void add_source(struct part *part, struct source *from, size_t len)
{
	while (len > 0) {
		size_t left = from->iov->iov_len - from->skip;
		size_t take = left < len ? left : len;

		if (take > 0)
			add_buffer(part, (char *)from->iov->iov_base + from->skip, take);
		from->skip += take;
		len -= take;
		if (from->skip == from->iov->iov_len) {
			from->iov++;
			from->skip = 0;
		}
	}
}

/* `part` for `len` bytes at `off`: bytes before and after them in their sectors come from the
 * chain. */
static int complete(struct part *part, struct source *from, size_t len, uint64_t off,
		    struct vhd_error *err)
{
	size_t before = off % VHD_SECTOR,
	       after = (VHD_SECTOR - (off + len) % VHD_SECTOR) % VHD_SECTOR;
	int r = 0;

	part->sector = off / VHD_SECTOR;
	part->count = (uint32_t)((before + len + after) / VHD_SECTOR);
	part->n = 0;
	if (before > 0) {
		r = read_range(part->image, part->head, before, off - before, 0, err);
		add_buffer(part, part->head, before);
	}
	add_source(part, from, len);
	if (r == 0 && after > 0) {
		r = read_range(part->image, part->tail, after, off + len, 0, err);
		add_buffer(part, part->tail, after);
	}
	return r < 0 ? vhd_wrap(err, r, "complete a sector") : 0;
}

/* Mutant M2: the bit reaches the file together with its data. */
static int mark_early(const struct part *part, const struct dirty_block *dirty,
		      struct vhd_error *err)
{
	return io_write(&part->image->io, dirty->bits, part->image->bitmap_size,
			dirty->start * VHD_SECTOR, err);
}

static int write_fresh(struct part *part, struct vhd_error *err)
{
	struct image *image = part->image;
	struct dirty_block *dirty;
	int r;

	if (image->lone)
		return vhd_fail(
			err, VHD_E_PARENT_MISSING,
			"block %u is in the parent, which is not there: a write would hide it",
			part_block(part));
	r = allocate_block(image, part_block(part), &dirty, err);
	if (r != 0)
		return r;
	r = io_writev(&image->io, part->iov, part->n,
		      (image_data_sector(image, dirty->start) + part_in_block(part)) * VHD_SECTOR,
		      err);
	if (r < 0) {
		allocate_undo(image, dirty);
		return vhd_wrap(err, r, "block %u", part_block(part));
	}
	CRASH_POINT("write.fresh");
	dirty_mark(image, dirty, part_in_block(part), part->count);
	/* In a disk without parent the whole block is there now. */
	if (image->info.type == VHD_DYNAMIC)
		index_forget(image, part->sector - part_in_block(part), image->block_sectors);
	return 0;
}

/* Whether `count` bits of a block's bitmap are set, from bit `first` on. `at` names the block. */
static int bits_set(struct image *image, const struct bits_at *at, uint32_t first, uint32_t count,
		    bool *ret_set, struct vhd_error *err)
{
	uint8_t bits[BITS_CHUNK];

	*ret_set = true;
	while (count > 0 && *ret_set) {
		uint32_t in_chunk = first % (BITS_CHUNK * 8), left = BITS_CHUNK * 8 - in_chunk;
		uint32_t n = count < left ? count : left;
		struct bits_at piece = {at->block, at->start, (first - in_chunk) / 8,
					(uint32_t)div_up(in_chunk + n, 8)};
		int r = block_bits(image, &piece, 0, bits, err);

		if (r < 0)
			return r;
		for (uint32_t i = in_chunk; i < in_chunk + n && *ret_set; i++)
			*ret_set = bits[i / 8] & 0x80 >> i % 8;
		first += n;
		count -= n;
	}
	return 0;
}

/* So that the next write there need not ask the bitmap. In a chain that would take bitmaps of
 * parents, which a write can do without. */
static void know_place(const struct part *part)
{
	struct vhd_run run;

	if (part->image->info.depth == 1)
		(void)index_find_one(part->image, part->sector, 1, 0, &run, NULL);
}

/* Sectors that the block holds already are overwritten; others get their bits once the data is in
 * the file. */
static int write_block(struct part *part, uint64_t start, struct vhd_error *err)
{
	struct image *image = part->image;
	uint64_t at = (image_data_sector(image, start) + part_in_block(part)) * VHD_SECTOR;
	struct dirty_block *dirty = NULL;
	bool own;
	int r = bits_set(image, &(struct bits_at){.block = part_block(part), .start = start},
			 part_in_block(part), part->count, &own, err);

	if (r == 0 && own) {
		know_place(part);
		return io_writev(&image->io, part->iov, part->n, at, err);
	}
	if (r == 0)
		r = dirty_get(image, part_block(part), start, &dirty, err);
	if (r == 0)
		r = io_writev(&image->io, part->iov, part->n, at, err);
	CRASH_POINT("write.data");
	if (r != 0 || !dirty)
		return r;
	dirty_mark(image, dirty, part_in_block(part), part->count);
	return MUTANT(2) ? mark_early(part, dirty, err) : 0;
}

/* Whether the index, where it is built, knows that the image itself has all of the part. */
static bool own_place(const struct part *part, uint64_t *ret_sector)
{
	struct vhd_run run;

	if (index_find_one(part->image, part->sector, part->count, VHD_NOWAIT, &run, NULL) < 0 ||
	    run.where != VHD_DATA || run.level != 0 || run.count < part->count)
		return false;
	*ret_sector = run.physical_sector;
	return true;
}

static int put(struct part *part, struct vhd_error *err)
{
	uint64_t start = part->sector;
	int r;

	if (image_flat(part->image) || own_place(part, &start))
		return io_writev(&part->image->io, part->iov, part->n, start * VHD_SECTOR, err);
	r = block_lookup(part->image, part_block(part), 0, &start, err);
	if (r < 0)
		return vhd_place(err, r, 0, part->sector);
	return start ? write_block(part, start, err) : write_fresh(part, err);
}

/* ---- zeroes
 * ---------------------------------------------------------------------------------------------- */

struct zeroing {
	struct image *image;
	uint32_t block;
	uint64_t start;            /* of the block's bitmap; 0 = not allocated */
	struct dirty_block *dirty; /* once bits must be set */
	bool fresh;
};

/* Makes sure that the image has a block of its own to hide its parent with. */
static int zero_own(struct zeroing *z, struct vhd_error *err)
{
	int r;

	if (z->dirty)
		return 0;
	if (z->start)
		return dirty_get(z->image, z->block, z->start, &z->dirty, err);
	if (z->image->lone)
		return vhd_fail(
			err, VHD_E_PARENT_MISSING,
			"block %u is in the parent, which is not there: zeroes would hide it",
			z->block);
	r = allocate_block(z->image, z->block, &z->dirty, err);
	z->fresh = r == 0;
	z->start = r == 0 ? z->dirty->start : 0;
	return r;
}

static int zero_run(struct zeroing *z, const struct vhd_run *run, struct vhd_error *err)
{
	uint32_t first = (uint32_t)(run->sector % z->image->block_sectors);
	uint64_t count = run->count;
	int r;

	if (run->where == VHD_ZERO)
		return 0;
	if (run->where == VHD_DATA && run->level == 0)
		return io_zero(&z->image->io, count * VHD_SECTOR, run->physical_sector * VHD_SECTOR,
			       err);
	r = zero_own(z, err);
	/* Bytes under a clear bit may be anything; those of a fresh block are a hole. */
	if (r == 0 && !z->fresh)
		r = io_zero(&z->image->io, count * VHD_SECTOR,
			    (image_data_sector(z->image, z->start) + first) * VHD_SECTOR, err);
	CRASH_POINT("zero.data");
	if (r == 0)
		dirty_mark(z->image, z->dirty, first, (uint32_t)count);
	return r;
}

static int zero_sectors(struct image *image, uint64_t sector, uint64_t count, struct vhd_error *err)
{
	struct zeroing z = {.image = image};
	int r;

	if (image_flat(image))
		return io_zero(&image->io, count * VHD_SECTOR, sector * VHD_SECTOR, err);
	z.block = (uint32_t)(sector / image->block_sectors);
	r = block_lookup(image, z.block, 0, &z.start, err);
	if (r < 0)
		return vhd_place(err, r, 0, sector);
	if (z.start == 0 && image->info.type == VHD_DYNAMIC)
		return 0; /* nobody has anything there */
	while (r == 0 && count > 0) {
		struct vhd_run run;

		r = index_find_one(image, sector, count, 0, &run, err);
		if (r < 0)
			break;
		r = zero_run(&z, &run, err);
		sector += run.count;
		count -= run.count;
	}
	if (r < 0 && z.fresh) {
		allocate_undo(image, z.dirty);
		index_forget(image, (uint64_t)z.block * image->block_sectors, image->block_sectors);
	}
	return r;
}

/* ---- one block's share of a request, under its locks
 * --------------------------------------------------------- */

static int check_writable(const struct image *image, struct vhd_error *err)
{
	int r = check_failed(image, err);

	if (r == 0 && image->writer->frozen)
		return vhd_fail(err, VHD_E_FROZEN,
				"the image is a parent: its content must not change");
	return r;
}

static void account(struct writer *writer, uint64_t len, struct vhd_accepted *accepted)
{
	pthread_mutex_lock(&writer->lock);
	writer->epoch_written = writer->epoch_open;
	writer->dirty_bytes += len;
	accepted->epoch = writer->epoch_open;
	accepted->change = ++writer->changes;
	accepted->changes++;
	pthread_mutex_unlock(&writer->lock);
}

/* Part of a sector. Where it reads as zeroes already there is nothing to do. */
static int zero_piece(struct part *part, size_t len, uint64_t off, struct vhd_error *err)
{
	static const uint8_t zeroes[VHD_SECTOR];
	const struct iovec iov = io_buffer(zeroes, len);
	struct source from = {&iov, 0};
	struct vhd_run run;
	int r = index_find_one(part->image, off / VHD_SECTOR, 1, 0, &run, err);

	if (r < 0 || run.where == VHD_ZERO)
		return r;
	r = complete(part, &from, len, off, err);
	return r < 0 ? r : put(part, err);
}

/* `from` NULL: zeroes. */
static int change_part(struct part *part, struct source *from, size_t len, uint64_t off,
		       struct vhd_error *err)
{
	int r;

	if (!from && len < VHD_SECTOR)
		return zero_piece(part, len, off, err);
	if (!from)
		return zero_sectors(part->image, off / VHD_SECTOR, len / VHD_SECTOR, err);
	r = complete(part, from, len, off, err);
	return r < 0 ? r : put(part, err);
}

/* `from` NULL: zeroes; whole sectors, or a part of one. */
static int change(struct image *image, struct source *from, size_t len, uint64_t off,
		  struct vhd_accepted *accepted, struct vhd_error *err)
{
	pthread_rwlock_t *stripe = writer_stripe(image, off / VHD_SECTOR);
	struct part part;
	int r;

	pthread_rwlock_rdlock(&image->writer->gate);
	pthread_rwlock_wrlock(stripe);
	r = check_writable(image, err);
	part.image = image;
	if (r == 0)
		r = change_part(&part, from, len, off, err);
	/* Also after a failure: some of it may be there, and a flush must cover it. */
	if (r != VHD_E_FROZEN && r != VHD_E_FAILED)
		account(image->writer, len, accepted);
	pthread_rwlock_unlock(stripe);
	pthread_rwlock_unlock(&image->writer->gate);
	return r;
}

/* Memory stays bounded even when nobody flushes. What needs no metadata does not need room for it
 * either. */
static int change_bounded(struct image *image, struct source *from, size_t len, uint64_t off,
			  struct vhd_accepted *accepted, struct vhd_error *err)
{
	const struct source begin = from ? *from : (struct source){0};
	int r = change(image, from, len, off, accepted, err);

	while (r == WRITER_FULL) {
		r = writer_flush(image, 0, err);
		if (r < 0)
			return r;
		if (from)
			*from = begin;
		r = change(image, from, len, off, accepted, err);
	}
	return r;
}

static int begin(const struct vhd *disk, uint64_t off, uint64_t len, struct vhd_error *err)
{
	if (!disk->writable || !disk->image->writer)
		return vhd_fail(err, VHD_E_READONLY, "the image was opened for reading");
	return check_range(disk->image, off, len, err);
}

int vhd_writev(struct vhd *disk, const struct iovec *iov, int n, uint64_t off,
	       struct vhd_accepted *ret_accepted, struct vhd_error *err)
{
	struct source from = {iov, 0};
	struct vhd_accepted accepted = {0};
	uint64_t len = 0;
	int r;

	if (n < 0 || n > VHD_IOV_MAX)
		return vhd_fail(err, VHD_E_INVALID, "%d buffers: at most %d", n, VHD_IOV_MAX);
	for (int i = 0; i < n; i++)
		if (__builtin_add_overflow(len, iov[i].iov_len, &len))
			return vhd_fail(err, VHD_E_INVALID, "the buffers are too long");
	r = begin(disk, off, len, err);
	while (r == 0 && len > 0) {
		size_t part = (size_t)block_part(disk->image, off, len);

		r = change_bounded(disk->image, &from, part, off, &accepted, err);
		off += part;
		len -= part;
	}
	if (r == 0 && ret_accepted)
		*ret_accepted = accepted;
	return r;
}

int vhd_write(struct vhd *disk, const void *buf, size_t len, uint64_t off,
	      struct vhd_accepted *ret_accepted, struct vhd_error *err)
{
	const struct iovec iov = io_buffer(buf, len);

	return vhd_writev(disk, &iov, 1, off, ret_accepted, err);
}

/* Whole sectors of one block, or a part of one sector. */
static uint64_t zero_part(const struct image *image, uint64_t off, uint64_t len)
{
	if (off % VHD_SECTOR != 0 || len < VHD_SECTOR) {
		uint64_t left = VHD_SECTOR - off % VHD_SECTOR;

		return len < left ? len : left;
	}
	len = block_part(image, off, len);
	return len - len % VHD_SECTOR;
}

int vhd_zero(struct vhd *disk, uint64_t off, uint64_t len, struct vhd_accepted *ret_accepted,
	     struct vhd_error *err)
{
	struct vhd_accepted accepted = {0};
	int r = begin(disk, off, len, err);

	while (r == 0 && len > 0) {
		uint64_t part = zero_part(disk->image, off, len);

		r = change_bounded(disk->image, NULL, (size_t)part, off, &accepted, err);
		off += part;
		len -= part;
	}
	if (r == 0 && ret_accepted)
		*ret_accepted = accepted;
	return r;
}

int vhd_flush(struct vhd *disk, uint64_t epoch, struct vhd_error *err)
{
	return disk->image->writer ? writer_flush(disk->image, epoch, err) : 0;
}

void vhd_state(const struct vhd *disk, struct vhd_state *ret_state)
{
	struct writer *writer = disk->image->writer;

	*ret_state = (struct vhd_state){
		.saved_state = disk->image->info.saved_state,
		.temporary = disk->image->info.temporary,
	};
	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	*ret_state = (struct vhd_state){
		.epoch_open = writer->epoch_open,
		.epoch_written = writer->epoch_written,
		.epoch_durable = writer->epoch_durable,
		.dirty_bytes = writer->dirty_bytes,
		.dirty_blocks = writer->dirty_blocks,
		.allocated = writer->allocated,
		.changes = writer->changes,
		.writable = disk->writable,
		.frozen = writer->frozen,
		.failed = writer->failed,
		.saved_state = disk->image->footer.saved_state,
		.temporary = disk->image->footer.features & FOOTER_TEMPORARY,
	};
	pthread_mutex_unlock(&writer->lock);
}
