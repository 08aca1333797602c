/* image_builder.h - VHD files byte by byte, by code that shares nothing with the engine.
 *
 * builder_init() makes the parts of a correct empty image in memory; a test adds blocks, spoils
 * what it likes, mends the checksums it wants right, and builder_store() writes the parts where the
 * description says.
 */
#ifndef IMAGE_BUILDER_H
#define IMAGE_BUILDER_H

#include "memio.h"

enum { BUILDER_BLOCKS = 64, BUILDER_EXTRAS = 8 };

/* Offsets of fields, from the specification. */
enum builder_footer_field {
	F_COOKIE = 0,
	F_FEATURES = 8,
	F_VERSION = 12,
	F_DATA_OFFSET = 16,
	F_TIME = 24,
	F_CREATOR = 28,
	F_CREATOR_VERSION = 32,
	F_CREATOR_OS = 36,
	F_ORIGINAL_SIZE = 40,
	F_CURRENT_SIZE = 48,
	F_CYLINDERS = 56,
	F_HEADS = 58,
	F_SECTORS = 59,
	F_TYPE = 60,
	F_CHECKSUM = 64,
	F_ID = 68,
	F_SAVED = 84,
};
enum builder_header_field {
	H_COOKIE = 0,
	H_DATA_OFFSET = 8,
	H_TABLE_OFFSET = 16,
	H_VERSION = 24,
	H_ENTRIES = 28,
	H_BLOCK_SIZE = 32,
	H_CHECKSUM = 36,
	H_PARENT_ID = 40,
	H_PARENT_TIME = 56,
	H_PARENT_NAME = 64,
	H_LOCATORS = 576,
};

struct builder_block {
	uint32_t index;
	uint64_t offset; /* of the bitmap in the file */
	uint8_t *bitmap;
	uint8_t *data;
};

struct builder {
	uint8_t tail[512], head[512], header[1024];
	size_t tail_length; /* 512; 511 for files older than Virtual PC 2004; 0 for none */
	uint64_t header_offset, table_offset;
	uint8_t *
		table; /* table_entries * 4 bytes; what is stored is padded with 0xFF to a sector */
	uint32_t table_entries;
	uint32_t block_size;
	uint64_t end; /* where the next block goes, and then the footer */
	struct builder_block blocks[BUILDER_BLOCKS];
	unsigned n_blocks;
	struct {
		uint64_t offset;
		size_t length;
		uint8_t bytes[1024];
	} extras[BUILDER_EXTRAS]; /* locator texts and whatever else */
	unsigned n_extras;
};

struct builder_args {
	uint32_t type; /* 2, 3, 4 */
	uint64_t size;
	uint32_t block_size; /* 0 = 2 MiB */
	uint8_t id;          /* all 16 bytes of it */
	uint8_t parent_id;
	const char *parent_name;
};

void builder_init(struct builder *builder, const struct builder_args *args);
void builder_fini(struct builder *builder);

void builder_put16(uint8_t *at, uint16_t value);
void builder_put32(uint8_t *at, uint32_t value);
void builder_put64(uint8_t *at, uint64_t value);
uint32_t builder_get32(const uint8_t *at);
uint64_t builder_get64(const uint8_t *at);

/* Adds block `index` at the end, data on a 4 KiB boundary: bitmap filled with the byte `bits`, data
 * of sector i filled with the byte fill + i. Returns it for more. */
struct builder_block *builder_add_block(struct builder *builder, uint32_t index, uint8_t bits,
					uint8_t fill);
void builder_set_entry(struct builder *builder, uint32_t index, uint32_t value);
/* Locator slot and its payload, stored behind the table. */
void builder_locator(struct builder *builder, unsigned slot, uint32_t code, const void *text,
		     size_t length);

/* The checksum of a structure whose checksum field lies at `field`. */
uint32_t builder_checksum(const uint8_t *raw, size_t length, size_t field);
void builder_mend(struct builder *builder); /* all three checksums */
void builder_store(const struct builder *builder, struct memio *file);

#endif
