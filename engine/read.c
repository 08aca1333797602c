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

/* `len` bytes of one run, `skip` bytes from its start on. */
static int read_run(struct image *image, const struct vhd_run *run, uint64_t skip, void *buf,
		    size_t len, unsigned flags, struct vhd_error *err)
{
	uint64_t at = run->physical_sector * VHD_SECTOR + skip;
	const struct vhd_io *io;
	int r;

	if (run->where == VHD_ZERO) {
		memset(buf, 0, len);
		return 0;
	}
	if (run->where == VHD_UNKNOWN)
		return unknown(image, run->sector, err);
	io = &image->levels[run->level]->io;
	r = flags & VHD_NOWAIT ? io_read_now(io, buf, len, at, err)
			       : io_read(io, buf, len, at, err);
	return r < 0 && run->level > 0 ? vhd_wrap(err, r, "level %u", run->level) : r;
}

static int read_runs(struct image *image, const struct vhd_run *runs, size_t n, char **buf,
		     size_t *len, uint64_t *off, unsigned flags, struct vhd_error *err)
{
	int r = 0;

	for (size_t i = 0; i<n && * len> 0 && r == 0; i++) {
		uint64_t skip = *off - runs[i].sector * VHD_SECTOR;
		uint64_t left = runs[i].count * VHD_SECTOR - skip;
		size_t part = *len < left ? *len : (size_t)left;

		r = read_run(image, &runs[i], skip, *buf, part, flags, err);
		*buf += part;
		*len -= part;
		*off += part;
	}
	return r;
}

int read_range(struct image *image, void *buf, size_t len, uint64_t off, unsigned flags,
	       struct vhd_error *err)
{
	char *to = buf;
	int r = 0;

	while (len > 0 && r == 0) {
		struct vhd_run runs[RUNS];
		uint64_t sector = off / VHD_SECTOR;
		size_t n;

		r = index_find(image, sector, div_up(off + len, VHD_SECTOR) - sector, flags, runs,
			       RUNS, &n, err);
		if (r == 0)
			r = read_runs(image, runs, n, &to, &len, &off, flags, err);
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
	while (r == 0 && len > 0) {
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
	struct image *image = disk->image;
	struct vhd_run run;
	size_t n;
	int r;

	if (sector >= image->sectors)
		return vhd_fail(err, VHD_E_RANGE,
				"sector %" PRIu64 " is past the end of the disk (%" PRIu64
				" sectors)",
				sector, image->sectors);
	r = check_failed(image, err);
	if (r < 0)
		return r;
	r = writer_share(image, sector, 0, err);
	if (r == 0)
		r = index_find(image, sector, 1, 0, &run, 1, &n, err);
	if (r == 0)
		r = read_run(image, &run, 0, buf, VHD_SECTOR, 0, err);
	writer_unshare(image, sector);
	return r < 0 ? r : run.where == VHD_DATA;
}
