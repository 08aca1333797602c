/* read.c - reading bytes of a disk: run by run, from whichever file of the chain has them. */
#include "read.h"

#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "error.h"
#include "index.h"
#include "writer.h"

enum { RUNS = 8 };

uint64_t block_part(const struct image *image, uint64_t off, uint64_t len)
{
	uint64_t block =
		image_flat(image) ? UNIT_SECTORS_MAX * VHD_SECTOR : image->header.block_size;
	uint64_t left = block - off % block;

	return len < left ? len : left;
}

int check_range(const struct image *image, uint64_t off, uint64_t len, struct vhd_error *err)
{
	if (!range_ok(off, len, image->info.size))
		return vhd_fail(err, VHD_E_RANGE,
				"%" PRIu64 " bytes at %" PRIu64
				" pass the end of the disk (%" PRIu64 " bytes)",
				len, off, image->info.size);
	return 0;
}

int check_failed(const struct image *image, struct vhd_error *err)
{
	if (image->writer && image->writer->failed)
		return vhd_fail(err, VHD_E_FAILED,
				"an earlier write could not be made durable: "
				"reopen the image with recovery");
	return 0;
}

static int unknown(const struct image *image, uint64_t sector, struct vhd_error *err)
{
	char id[ID_TEXT];

	image_id_text(image->levels[image->info.depth - 1]->info.parent_id, id);
	return vhd_fail(err, VHD_E_PARENT_MISSING,
			"sector %" PRIu64 " is in the parent %s, which is not there", sector, id);
}

/* What is still to be read. */
struct target {
	struct image *image;
	char *buf;
	size_t len;
	uint64_t off; /* bytes of the disk */
	unsigned flags;
};

/* `len` bytes of one run, from where the target stands. */
static int read_run(const struct target *to, const struct vhd_run *run, size_t len,
		    struct vhd_error *err)
{
	uint64_t at = run->physical_sector * VHD_SECTOR + (to->off - run->sector * VHD_SECTOR);
	const struct vhd_io *io;
	int r;

	if (run->where == VHD_ZERO) {
		memset(to->buf, 0, len);
		return 0;
	}
	if (run->where == VHD_UNKNOWN)
		return unknown(to->image, run->sector, err);
	io = &to->image->levels[run->level]->io;
	r = to->flags & VHD_NOWAIT ? io_read_now(io, to->buf, len, at, err)
				   : io_read(io, to->buf, len, at, err);
	/* Where the file ends too early, its last sector fails in any case. */
	return r < 0 ? vhd_place(err, r, run->level, (to->off + len - 1) / VHD_SECTOR) : r;
}

static int read_runs(struct target *to, const struct vhd_run_list *list, struct vhd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < list->n && to->len > 0 && r == 0; i++) {
		const struct vhd_run *run = &list->runs[i];
		uint64_t left = (run->sector + run->count) * VHD_SECTOR - to->off;
		size_t part = to->len < left ? to->len : (size_t)left;

		r = read_run(to, run, part, err);
		to->buf += part;
		to->len -= part;
		to->off += part;
	}
	return r;
}

int read_range(struct image *image, void *buf, size_t len, uint64_t off, unsigned flags,
	       struct vhd_error *err)
{
	struct target to = {image, buf, len, off, flags};
	struct vhd_run runs[RUNS];
	struct vhd_run_list list = {.runs = runs, .max = RUNS};
	int r = 0;

	while (to.len > 0 && r == 0) {
		uint64_t sector = to.off / VHD_SECTOR;

		r = index_find(image, sector, div_up(to.off + to.len, VHD_SECTOR) - sector, flags,
			       &list, err);
		if (r == 0)
			r = read_runs(&to, &list, err);
	}
	return r;
}

int vhd_read(struct vhd *disk, void *buf, size_t len, uint64_t off, unsigned flags,
	     struct vhd_error *err)
{
	struct image *image = disk->image;
	char *to = buf;
	int r = check_range(image, off, len, err);

	if (r == 0)
		r = check_failed(image, err);
	if (r == 0 && !image->writer)
		return read_range(image, buf, len, off, flags, err);
	for (; r == 0 && len > 0;) {
		size_t part = (size_t)block_part(image, off, len);
		uint64_t sector = off / VHD_SECTOR;

		r = writer_share(image, sector, flags, err);
		if (r < 0)
			return r;
		r = read_range(image, to, part, off, flags, err);
		writer_unshare(image, sector);
		to += part;
		off += part;
		len -= part;
	}
	return r;
}

int vhd_read_sector(struct vhd *disk, uint64_t sector, void *buf, struct vhd_error *err)
{
	const struct target to = {disk->image, buf, VHD_SECTOR, sector * VHD_SECTOR, 0};
	struct image *image = disk->image;
	struct vhd_run run;
	int r;

	if (sector >= image->sectors)
		return vhd_fail(err, VHD_E_RANGE,
				"sector %" PRIu64 " is past the end of the disk (%" PRIu64
				" sectors)",
				sector, image->sectors);
	r = check_failed(image, err);
	if (r == 0)
		r = writer_share(image, sector, 0, err);
	if (r < 0)
		return r;
	r = index_find_one(image, sector, 1, 0, &run, err);
	if (r == 0)
		r = read_run(&to, &run, VHD_SECTOR, err);
	writer_unshare(image, sector);
	return r < 0 ? r : run.where == VHD_DATA;
}
