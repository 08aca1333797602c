/* flush.c - group commit: what was accepted becomes durable, metadata after the data it shows.
 * FORMAT.md 8. */
#include "bytes.h"
#include "cleanup.h"
#include "crash_point.h"
#include "error.h"
#include "mutant.h"
#include "writer.h"

enum { BAT_SECTOR_ENTRIES = VHD_SECTOR / 4 };

struct flush {
	struct image *image;
	struct dirty_block **blocks; /* frozen, ascending */
	size_t n;
	uint64_t epoch, bytes;
	uint32_t *fresh; /* room for the numbers of the new ones */
	bool gated;      /* the caller has shut the gate */
	bool barrier;    /* F1 was tried: from there on the file may show what is frozen */
	bool metadata;   /* something is left to sync after it */
};

/* What is needed after the barriers is had before them. */
static int make_room(struct flush *flush, struct vhd_error *err)
{
	flush->fresh = malloc(flush->n * sizeof *flush->fresh + 1);
	if (!flush->fresh)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for a flush of %zu blocks", flush->n);
	return 0;
}

static void shut_gate(const struct flush *flush)
{
	if (!flush->gated)
		pthread_rwlock_wrlock(&flush->image->writer->gate);
}

static void open_gate(const struct flush *flush)
{
	if (!flush->gated)
		pthread_rwlock_unlock(&flush->image->writer->gate);
}

/* Freezes what was accepted so far; writes go on in the next epoch. */
static int freeze_epoch(struct flush *flush, struct vhd_error *err)
{
	struct writer *writer = flush->image->writer;
	int r;

	shut_gate(flush);
	pthread_mutex_lock(&writer->lock);
	r = dirty_list(writer->dirty, &flush->blocks, &flush->n, err);
	if (r == 0)
		r = make_room(flush, err);
	if (r == 0) {
		writer->flushing = writer->dirty;
		writer->dirty = NULL;
		writer->dirty_blocks = 0;
		flush->bytes = writer->dirty_bytes;
		writer->dirty_bytes = 0;
		flush->epoch = writer->epoch_open++;
	}
	pthread_mutex_unlock(&writer->lock);
	open_gate(flush);
	return r;
}

static int put_fresh_bitmaps(struct flush *flush, struct vhd_error *err)
{
	struct image *image = flush->image;
	int r = 0;

	for (size_t i = 0; i < flush->n && r == 0; i++) {
		const struct dirty_block *dirty = flush->blocks[i];

		if (dirty->fresh)
			r = io_write(&image->io, dirty->bits, image->bitmap_size,
				     dirty->start * VHD_SECTOR, err);
	}
	return r;
}

/* Mutant M12: the live bits instead of the frozen ones. */
static const struct dirty_block *live(struct flush *flush, const struct dirty_block *frozen)
{
	const struct dirty_block *dirty = dirty_find(flush->image->writer->dirty, frozen->block);

	return dirty ? dirty : frozen;
}

static int put_bitmap_sectors(struct flush *flush, const struct dirty_block *dirty,
			      struct vhd_error *err)
{
	struct image *image = flush->image;
	const struct dirty_block *from = MUTANT(12) ? live(flush, dirty) : dirty;
	int r = 0;

	for (uint32_t s = 0; s < image->bitmap_size / VHD_SECTOR && r == 0; s++) {
		if (!(from->changed[s / 8] & 0x80 >> s % 8))
			continue;
		flush->metadata = true;
		r = io_write(&image->io, from->bits + (size_t)s * VHD_SECTOR, VHD_SECTOR,
			     (dirty->start + s) * VHD_SECTOR, err);
	}
	return r;
}

static int put_changed_bitmaps(struct flush *flush, struct vhd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < flush->n && r == 0; i++)
		if (!flush->blocks[i]->fresh)
			r = put_bitmap_sectors(flush, flush->blocks[i], err);
	return r;
}

/* One sector of the table: what the file has, with the frozen entries in it. Moves *at past them.
 */
static int put_table_sector(struct flush *flush, size_t *at, struct vhd_error *err)
{
	struct image *image = flush->image;
	uint32_t number = flush->blocks[*at]->block / BAT_SECTOR_ENTRIES;
	uint64_t off = image->header.table_offset + (uint64_t)number * VHD_SECTOR;
	uint8_t raw[VHD_SECTOR];
	int r = io_read(&image->io, raw, sizeof raw, off, err);

	if (r < 0)
		return r;
	for (; *at < flush->n && flush->blocks[*at]->block / BAT_SECTOR_ENTRIES == number; ++*at) {
		const struct dirty_block *dirty = flush->blocks[*at];

		if (dirty->fresh)
			put_be32(raw + dirty->block % BAT_SECTOR_ENTRIES * 4UL,
				 (uint32_t)dirty->start);
	}
	flush->metadata = true;
	return io_write(&image->io, raw, sizeof raw, off, err);
}

static int put_table(struct flush *flush, struct vhd_error *err)
{
	int r = 0;

	for (size_t at = 0; at < flush->n && r == 0;)
		if (flush->blocks[at]->fresh)
			r = put_table_sector(flush, &at, err);
		else
			at++;
	return r;
}

static int barrier(struct flush *flush, bool skip, struct vhd_error *err)
{
	return skip ? 0 : io_flush(&flush->image->io, err);
}

/* The order that a power cut forgives: bitmaps of new blocks, barrier F1, what makes them and new
 * bits visible, barrier F2. */
static int write_out(struct flush *flush, struct vhd_error *err)
{
	int r = put_fresh_bitmaps(flush, err);

	if (r < 0)
		return r;
	flush->barrier = true;
	CRASH_POINT("flush.fresh-bitmaps");
	r = barrier(flush, MUTANT(4), err);
	CRASH_POINT("flush.f1");
	if (r == 0)
		r = put_changed_bitmaps(flush, err);
	CRASH_POINT("flush.bits");
	if (r == 0)
		r = put_table(flush, err);
	CRASH_POINT("flush.table");
	if (r == 0 && flush->metadata)
		r = barrier(flush, MUTANT(5), err);
	CRASH_POINT("flush.f2");
	return r;
}

/* The table in the file has the new entries; until the cached pages are gone the frozen tree
 * answers for them. */
static void forget_pages(struct flush *flush)
{
	size_t n = 0;

	for (size_t i = 0; i < flush->n; i++)
		if (flush->blocks[i]->fresh)
			flush->fresh[n++] = flush->blocks[i]->block;
	if (n > 0)
		bat_forget(flush->image, flush->fresh, n);
}

static void finish(struct flush *flush)
{
	struct writer *writer = flush->image->writer;

	pthread_mutex_lock(&writer->lock);
	dirty_free(&writer->flushing);
	writer->pending -= (unsigned)flush->n;
	writer->epoch_durable = flush->epoch;
	pthread_mutex_unlock(&writer->lock);
}

/* Puts what was changed while the flush ran on top of what it could not write. */
static int merge_newer(struct writer *writer, struct dirty_block *newer)
{
	struct dirty_block *older = dirty_find(writer->flushing, newer->block);

	dirty_forget(&writer->dirty, newer);
	if (!older && dirty_insert(&writer->flushing, newer, NULL) == 0)
		return 0;
	if (older) {
		memcpy(older->bits, newer->bits, writer->bitmap_size);
		for (size_t i = 0; i < sizeof older->changed; i++)
			older->changed[i] |= newer->changed[i];
	}
	writer->pending--;
	free(newer);
	return older ? 0 : VHD_E_NOMEM;
}

/* Nothing was promised yet and no barrier failed: the frozen blocks wait for the next flush. With
 * writer->lock held. */
static int take_back(struct writer *writer, const struct flush *flush)
{
	CLEANUP(freep) struct dirty_block **newer = NULL;
	size_t n = 0;
	int r = dirty_list(writer->dirty, &newer, &n, NULL);

	for (size_t i = 0; i < n && r == 0; i++)
		r = merge_newer(writer, newer[i]);
	if (r < 0)
		return r;
	writer->dirty = writer->flushing;
	writer->flushing = NULL;
	writer->dirty_blocks = writer->pending;
	writer->dirty_bytes += flush->bytes;
	return 0;
}

/* A full store is no reason to give up as long as nothing frozen can be seen in the file: then it
 * waits for the next flush. R12: after a failed sync nothing is acknowledged any more. */
static void give_up(struct flush *flush, int r)
{
	struct writer *writer = flush->image->writer;
	bool again = !flush->barrier && (r == VHD_E_NOSPC || r == VHD_E_NOMEM);

	shut_gate(flush);
	pthread_mutex_lock(&writer->lock);
	if (!again || take_back(writer, flush) < 0)
		writer->failed = true;
	pthread_mutex_unlock(&writer->lock);
	open_gate(flush);
}

static void flush_drop(struct flush *flush)
{
	free(flush->blocks);
	free(flush->fresh);
}

static int flush_now(struct image *image, bool gated, struct vhd_error *err)
{
	CLEANUP(flush_drop) struct flush flush = {.image = image, .gated = gated};
	int r = freeze_epoch(&flush, err);

	CRASH_POINT("flush.gate");
	if (r < 0)
		return r;
	r = write_out(&flush, err);
	if (r < 0) {
		give_up(&flush, r);
		return vhd_wrap(err, r, "flush");
	}
	forget_pages(&flush);
	finish(&flush);
	CRASH_POINT("flush.done");
	return 0;
}

/* Whether a flush is needed for `epoch`; VHD_E_FAILED when it cannot be had any more. */
static int wanted(struct writer *writer, uint64_t *epoch, bool *ret_needed, struct vhd_error *err)
{
	bool failed;

	pthread_mutex_lock(&writer->lock);
	if (*epoch == 0 || *epoch > writer->epoch_written)
		*epoch = writer->epoch_written;
	failed = writer->failed;
	*ret_needed = *epoch > writer->epoch_durable;
	pthread_mutex_unlock(&writer->lock);
	return failed ? vhd_fail(err, VHD_E_FAILED,
				 "an earlier flush failed: reopen the image with recovery")
		      : 0;
}

bool writer_is_behind(const struct image *image)
{
	uint64_t epoch = 0;
	bool needed = false;

	return image->writer && wanted(image->writer, &epoch, &needed, NULL) == 0 && needed;
}

int writer_flush(struct image *image, uint64_t epoch, struct vhd_error *err)
{
	struct writer *writer = image->writer;
	bool needed;
	int r = wanted(writer, &epoch, &needed, err);

	if (r < 0 || !needed)
		return r;
	pthread_mutex_lock(&writer->flush_lock);
	/* Whoever held the lock may have done it for us, or failed. */
	r = wanted(writer, &epoch, &needed, err);
	if (r == 0 && needed)
		r = flush_now(image, false, err);
	pthread_mutex_unlock(&writer->flush_lock);
	return r;
}

int writer_flush_rest(struct image *image, struct vhd_error *err)
{
	uint64_t epoch = 0;
	bool needed;
	int r = wanted(image->writer, &epoch, &needed, err);

	if (r == 0 && (needed || image->writer->pending > 0))
		r = flush_now(image, true, err);
	return r;
}

static bool set_frozen(struct writer *writer, bool frozen)
{
	bool before;

	/* Alone at the gate: no write that saw the old value is under way any more. */
	pthread_rwlock_wrlock(&writer->gate);
	pthread_mutex_lock(&writer->lock);
	before = writer->frozen;
	writer->frozen = frozen;
	pthread_mutex_unlock(&writer->lock);
	pthread_rwlock_unlock(&writer->gate);
	return before;
}

int writer_freeze(struct image *image, struct vhd_error *err)
{
	bool before = set_frozen(image->writer, true);
	int r = writer_flush(image, 0, err);

	CRASH_POINT("freeze.flushed");
	if (r == 0 && !before)
		r = io_lock(&image->io, VHD_LOCK_READ, err);
	CRASH_POINT("freeze.locked");
	if (r < 0 && !before)
		set_frozen(image->writer, false);
	return r;
}

int writer_thaw(struct image *image, struct vhd_error *err)
{
	int r = io_lock(&image->io, VHD_LOCK_WRITE, err);

	CRASH_POINT("thaw.locked");
	if (r == 0)
		set_frozen(image->writer, false);
	else
		(void)io_lock(&image->io, VHD_LOCK_READ, NULL);
	return r;
}
