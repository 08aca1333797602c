/* header.h - the 1,024-byte dynamic header <-> struct header. Fields and rules: FORMAT.md 2. */
#ifndef HEADER_H
#define HEADER_H

#include "vhd.h"

enum {
	HEADER_SIZE = 1024,
	HEADER_NAME_UNITS = 256,        /* UTF-16 code units of the parent's name, with its NUL */
	HEADER_NAME_TEXT = 256 * 3 + 1, /* the same as UTF-8 */
	BLOCK_SIZE_MIN = 4096,          /* what we read */
	BLOCK_SIZE_LIMIT = 256 << 20,
};

/* A locator slot as stored; its text is elsewhere in the file. */
struct locator_entry {
	uint32_t code, data_space, data_length;
	uint64_t data_offset;
};

struct header {
	uint64_t table_offset;
	uint32_t max_entries;
	uint32_t block_size;
	uint32_t checksum; /* as stored */
	uint8_t parent_id[VHD_ID_SIZE];
	uint32_t parent_timestamp;
	char parent_name[HEADER_NAME_TEXT]; /* UTF-8; lone surrogates become U+FFFD */
	struct locator_entry locators[VHD_LOCATORS];
};

/* Proves cookie, checksum, the data_offset field (all ones), version, block_size (a power of two, 4
 * KiB to 256 MiB), max_entries (at least what `disk_size` needs; at most what VHD_SIZE_MAX needs
 * with this block size, or twice the need if that is more), table_offset (a multiple of 512), and
 * that header and table lie inside `file_size`, not on each other and not on the footer copy at 0.
 * `header_offset` is footer.data_offset. Locator entries are taken as they are. Offsets in texts
 * count from the start of the header. */
int header_decode(const uint8_t raw[HEADER_SIZE], uint64_t header_offset, uint64_t disk_size,
		  uint64_t file_size, struct header *ret_header, struct vhd_error *err);

/* Checksum computed. parent_name as UTF-16BE, cut at 255 units on a character border. */
void header_encode(const struct header *header, uint8_t ret_raw[HEADER_SIZE]);

#endif
