/* image_builder.c - see the header; written from the specification, with its own put functions and
 * checksums. */
#include "image_builder.h"

#include <stdlib.h>
#include <string.h>

#include "must.h"

void builder_put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)(value & 0xFF);
}

void builder_put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

void builder_put64(uint8_t *at, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> (56 - 8 * i));
}

uint32_t builder_get32(const uint8_t *at)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 8 | at[i];
	return value;
}

uint64_t builder_get64(const uint8_t *at)
{
	return (uint64_t)builder_get32(at) << 32 | builder_get32(at + 4);
}

uint32_t builder_checksum(const uint8_t *raw, size_t length, size_t field)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i < field || i >= field + 4 ? raw[i] : 0;
	return ~sum;
}

void builder_mend(struct builder *builder)
{
	builder_put32(builder->tail + F_CHECKSUM, builder_checksum(builder->tail, 512, F_CHECKSUM));
	builder_put32(builder->head + F_CHECKSUM, builder_checksum(builder->head, 512, F_CHECKSUM));
	builder_put32(builder->header + H_CHECKSUM,
		      builder_checksum(builder->header, 1024, H_CHECKSUM));
}

/* Largest geometry: it makes qemu believe the size field. */
static void make_footer(struct builder *builder, const struct builder_args *args)
{
	uint8_t *footer = builder->tail;

	memcpy(footer + F_COOKIE, "conectix", 8);
	builder_put32(footer + F_FEATURES, 2);
	builder_put32(footer + F_VERSION, 0x00010000);
	builder_put64(footer + F_DATA_OFFSET,
		      args->type == 2 ? UINT64_MAX : builder->header_offset);
	memcpy(footer + F_CREATOR, "win ", 4);
	builder_put32(footer + F_CREATOR_VERSION, 0x000A0000);
	memcpy(footer + F_CREATOR_OS, "Wi2k", 4);
	builder_put64(footer + F_ORIGINAL_SIZE, args->size);
	builder_put64(footer + F_CURRENT_SIZE, args->size);
	builder_put16(footer + F_CYLINDERS, 65535);
	footer[F_HEADS] = 16;
	footer[F_SECTORS] = 255;
	builder_put32(footer + F_TYPE, args->type);
	memset(footer + F_ID, args->id, 16);
}

static void make_header(struct builder *builder, const struct builder_args *args)
{
	uint8_t *header = builder->header;

	memcpy(header + H_COOKIE, "cxsparse", 8);
	builder_put64(header + H_DATA_OFFSET, UINT64_MAX);
	builder_put64(header + H_TABLE_OFFSET, builder->table_offset);
	builder_put32(header + H_VERSION, 0x00010000);
	builder_put32(header + H_ENTRIES, builder->table_entries);
	builder_put32(header + H_BLOCK_SIZE, builder->block_size);
	if (args->type != 4)
		return;
	memset(header + H_PARENT_ID, args->parent_id, 16);
	for (size_t i = 0; args->parent_name && args->parent_name[i]; i++)
		builder_put16(header + H_PARENT_NAME + 2 * i, (uint8_t)args->parent_name[i]);
}

static size_t table_bytes(const struct builder *builder)
{
	return ((size_t)builder->table_entries * 4 + 511) / 512 * 512;
}

void builder_init(struct builder *builder, const struct builder_args *args)
{
	*builder = (struct builder){.tail_length = 512, .header_offset = 512, .table_offset = 1536};
	builder->block_size = args->block_size ? args->block_size : 2 << 20;
	builder->table_entries =
		(uint32_t)((args->size + builder->block_size - 1) / builder->block_size);
	make_footer(builder, args);
	if (args->type == 2) {
		builder->table_entries = 0;
		builder->end = args->size;
	} else {
		make_header(builder, args);
		builder->end = builder->table_offset + table_bytes(builder);
	}
	builder->table = must_alloc(table_bytes(builder));
	memset(builder->table, 0xFF, table_bytes(builder));
	memcpy(builder->head, builder->tail, 512);
	builder_mend(builder);
}

void builder_fini(struct builder *builder)
{
	for (unsigned i = 0; i < builder->n_blocks; i++) {
		must_free(builder->blocks[i].bitmap);
		must_free(builder->blocks[i].data);
	}
	must_free(builder->table);
}

static size_t bitmap_bytes(const struct builder *builder)
{
	return ((size_t)builder->block_size / 512 / 8 + 511) / 512 * 512;
}

void builder_set_entry(struct builder *builder, uint32_t index, uint32_t value)
{
	builder_put32(builder->table + (size_t)index * 4, value);
}

struct builder_block *builder_add_block(struct builder *builder, uint32_t index, uint8_t bits,
					uint8_t fill)
{
	struct builder_block *block = &builder->blocks[builder->n_blocks++];
	size_t bitmap = bitmap_bytes(builder);

	if (builder->n_blocks > BUILDER_BLOCKS)
		abort();
	block->index = index;
	block->offset = (builder->end + bitmap + 4095) / 4096 * 4096 - bitmap;
	block->bitmap = must_alloc(bitmap);
	memset(block->bitmap, bits, bitmap);
	block->data = must_alloc(builder->block_size);
	for (uint32_t i = 0; i < builder->block_size / 512; i++)
		memset(block->data + (size_t)i * 512, (uint8_t)(fill + i), 512);
	builder_set_entry(builder, index, (uint32_t)(block->offset / 512));
	builder->end = block->offset + bitmap + builder->block_size;
	return block;
}

void builder_locator(struct builder *builder, unsigned slot, uint32_t code, const void *text,
		     size_t length)
{
	uint8_t *entry = builder->header + H_LOCATORS + (size_t)slot * 24;

	if (builder->n_extras == BUILDER_EXTRAS || length > 1024)
		abort();
	builder_put32(entry, code);
	builder_put32(entry + 4, (uint32_t)(length + 511) / 512 * 512);
	builder_put32(entry + 8, (uint32_t)length);
	builder_put64(entry + 16, builder->end);
	builder->extras[builder->n_extras].offset = builder->end;
	builder->extras[builder->n_extras].length = length;
	memcpy(builder->extras[builder->n_extras++].bytes, text, length);
	builder->end += (length + 511) / 512 * 512;
	builder_mend(builder);
}

static void store_sparse(const struct builder *builder, struct memio *file)
{
	memio_poke(file, builder->head, 512, 0);
	memio_poke(file, builder->header, 1024, builder->header_offset);
	memio_poke(file, builder->table, table_bytes(builder), builder->table_offset);
	for (unsigned i = 0; i < builder->n_extras; i++)
		memio_poke(file, builder->extras[i].bytes, builder->extras[i].length,
			   builder->extras[i].offset);
	for (unsigned i = 0; i < builder->n_blocks; i++) {
		const struct builder_block *block = &builder->blocks[i];

		memio_poke(file, block->bitmap, bitmap_bytes(builder), block->offset);
		memio_poke(file, block->data, builder->block_size,
			   block->offset + bitmap_bytes(builder));
	}
}

void builder_store(const struct builder *builder, struct memio *file)
{
	memio_cut(file, 0);
	memio_cut(file, builder->end);
	if (builder_get32(builder->tail + F_TYPE) != 2 && builder->table_entries > 0)
		store_sparse(builder, file);
	memio_poke(file, builder->tail, builder->tail_length, builder->end);
}
