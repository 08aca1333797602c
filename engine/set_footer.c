/* set_footer.c - changes fields of the footer of an image that is open for writing. FORMAT.md 8.
 *
 * The new footer goes where the table says that the data ends, and what lies behind it is cut off:
 * recovery knows no other place. So nothing may wait for a flush while the footers are written, or
 * it would be cut off, too.
 */
#include <string.h>

#include "error.h"
#include "mutant.h"
#include "writer.h"

/* Where the footer at the end belongs: where recovery would look for it. */
static int find_end(const struct image *image, uint64_t *ret_end, struct vhd_error *err)
{
	if (!image_flat(image))
		return blocks_check(image, false, ret_end, err);
	*ret_end = image->file_size - FOOTER_SIZE;
	return 0;
}

/* What the memory says of the file that has the new footers now. */
static void take_over(struct image *image, const uint8_t raw[FOOTER_SIZE], uint64_t end)
{
	struct writer *writer = image->writer;
	struct footer footer;

	if (footer_decode(raw, &footer, NULL) < 0)
		return; /* it was one when it was read */
	memcpy(image->footer_raw, raw, FOOTER_SIZE);
	pthread_mutex_lock(&writer->lock);
	image->footer.features = footer.features;
	image->footer.saved_state = footer.saved_state;
	image->footer.checksum = footer.checksum;
	pthread_mutex_unlock(&writer->lock);
	pthread_mutex_lock(&writer->grow_lock);
	writer->end = end;
	image->file_size = end + FOOTER_SIZE;
	pthread_mutex_unlock(&writer->grow_lock);
}

/* With everything else in the file. Half of a change cannot be told from a whole one any more: R12.
 */
static int write_footers(struct image *image, const uint8_t raw[FOOTER_SIZE], struct vhd_error *err)
{
	uint64_t end;
	int r = find_end(image, &end, err);

	if (r < 0)
		return r;
	r = footers_write(&image->io, raw, end, !image_flat(image), err);
	if (r < 0)
		image->writer->failed = true;
	else
		take_over(image, raw, end);
	return r;
}

/* With flush_lock held and the gate shut: no write is under way, and none begins. */
static int set_alone(struct image *image, const struct vhd_footer *footer, struct vhd_error *err)
{
	uint8_t raw[FOOTER_SIZE];
	int r = 0;

	if (image->writer->frozen)
		return vhd_fail(err, VHD_E_FROZEN, "the image has children or was frozen");
	if (!MUTANT(13))
		r = writer_flush_rest(image, err);
	memcpy(raw, image->footer_raw, FOOTER_SIZE);
	footer_set(raw, footer->saved_state, footer->temporary);
	if (r < 0 || memcmp(raw, image->footer_raw, FOOTER_SIZE) == 0)
		return r;
	return write_footers(image, raw, err);
}

int vhd_set_footer(struct vhd *disk, const struct vhd_footer *footer, struct vhd_error *err)
{
	struct writer *writer = disk->image->writer;
	int r;

	if (!disk->writable || !writer)
		return vhd_fail(err, VHD_E_READONLY, "the image was opened for reading");
	/* Most of what waits is written while others still write. */
	r = MUTANT(13) ? 0 : writer_flush(disk->image, 0, err);
	if (r < 0)
		return vhd_wrap(err, r, "set footer");
	pthread_mutex_lock(&writer->flush_lock);
	pthread_rwlock_wrlock(&writer->gate);
	r = set_alone(disk->image, footer, err);
	pthread_rwlock_unlock(&writer->gate);
	pthread_mutex_unlock(&writer->flush_lock);
	return r < 0 ? vhd_wrap(err, r, "set footer") : 0;
}
