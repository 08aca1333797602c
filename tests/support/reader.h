/* reader.h - a second opinion on what is in a VHD file, by code that shares nothing with the
 * engine. */
#ifndef READER_H
#define READER_H

#include "memio.h"

struct reader_block {
	uint32_t index;
	uint64_t offset; /* of the bitmap */
};
/* What reader_each() need not ask again: sectors of pages that its `each` has accepted. To be
 * forgotten when `each` may answer otherwise for the same bytes of the same sector. */
enum { READER_SEEN = 8192 };
struct reader_memo {
	struct reader_seen {
		uint64_t stamp, sector; /* of the page, and its first sector */
		uint8_t accepted;       /* a bit for each sector */
	} seen[READER_SEEN];
};
void reader_forget(struct reader_memo *memo);

struct reader {
	struct memio *file;
	struct reader_memo *memo; /* NULL after reader_open() */
	uint32_t type;
	uint64_t size;
	uint32_t block_size, entries;
	uint64_t bitmap_size, table_offset;
	uint64_t metadata_end,
		metadata_room; /* the room that locators reserve counts in the second */
	uint64_t data_end;
	struct reader_block *blocks; /* by offset */
	unsigned n_blocks;
	char what[160]; /* what is wrong, after a failure */
};

/* Reads a dynamic or differencing image strictly: both footers valid and equal, header valid,
 * blocks inside the file and disjoint. */
bool reader_open(struct reader *reader, struct memio *file);
void reader_close(struct reader *reader);
/* Nothing between the last block and the footer at the end. */
bool reader_tail_is_tight(struct reader *reader);
/* Every bit of every block is set: what programs that ignore bitmaps rely on. */
bool reader_bits_full(struct reader *reader);

/* Data of every block starts on 4 KiB. */
bool reader_is_aligned(struct reader *reader);

/* False: the sector's block is not there, or (with `bits`) its bit is clear; `buf` is zero then. */
bool reader_sector(const struct reader *reader, uint64_t sector, bool bits, uint8_t buf[512]);

/* Every sector that the file says it has: bit set, or (without `bits`) any bytes in a block that
 * are not zero. Stops and answers false when `each` does. */
typedef bool reader_fn(void *ctx, uint64_t sector, const uint8_t bytes[512]);
bool reader_each(const struct reader *reader, bool bits, reader_fn *each, void *ctx);

#endif
