/* torn.c - whether an entry of the table may be a new one that a power cut has torn. FORMAT.md 8.
 */
#include <string.h>

#include "footer.h"
#include "image.h"

/* Sectors from where a file ended to where the next block was put, at most. */
enum { REACH = 18, CHUNK = 64 << 10 };

/* Where the right place of a torn entry is not below: any byte at its end that is FF may be old. */
static uint64_t lowest(uint32_t start)
{
	uint32_t old = 0xff;

	while ((start & (old << 8 | 0xff)) == (old << 8 | 0xff))
		old = old << 8 | 0xff;
	return start & ~old;
}

static bool has_footer(const struct image *image, const uint8_t *bytes, size_t len)
{
	const uint8_t *at = memmem(bytes, len, "conectix", 8), *end = bytes + len;
	struct footer footer;

	while (at && at + FOOTER_SIZE <= end) {
		if (footer_decode(at, &footer, NULL) == 0 &&
		    footer_same_disk(&footer, &image->footer))
			return true;
		at++;
		at = memmem(at, (size_t)(end - at), "conectix", 8);
	}
	return false;
}

/* A footer may begin at any byte. */
static int find_footer(const struct image *image, uint64_t from, uint64_t until, bool *ret_found,
		       struct vhd_error *err)
{
	uint8_t chunk[CHUNK];
	int r = 0;

	*ret_found = false;
	for (; r == 0 && !*ret_found && from + FOOTER_SIZE <= until;
	     from += CHUNK - FOOTER_SIZE + 1) {
		size_t len = until - from < CHUNK ? (size_t)(until - from) : CHUNK;

		r = io_read(&image->io, chunk, len, from, err);
		*ret_found = r == 0 && has_footer(image, chunk, len);
	}
	return r;
}

/* Sectors in which the file can have ended when the block was put where `start` should be. What
 * locators reserve may have been past that end. */
static uint64_t first_look(const struct image *image, uint64_t behind, uint32_t start)
{
	uint64_t from = lowest(start), floor = behind ? behind : image->floor / VHD_SECTOR - 1;

	from = from > REACH ? from - REACH : 0;
	return from > floor ? from : floor;
}

int torn_suspect(const struct image *image, uint64_t behind, uint32_t start, uint64_t *room,
		 bool *ret_suspect, struct vhd_error *err)
{
	uint64_t end = behind ? behind : image_metadata_end(image) / VHD_SECTOR;
	uint64_t from = first_look(image, behind, start) * VHD_SECTOR;
	uint64_t until = (uint64_t)start * VHD_SECTOR;

	*ret_suspect = false;
	if ((start & 0xff) != 0xff || start <= end + BLOCKS_GAP)
		return 0;
	*ret_suspect = until - from > *room;
	if (*ret_suspect)
		return 0;
	*room -= until - from;
	return find_footer(image, from, until, ret_suspect, err);
}
