/* reader.c - checks everything, caches nothing. */
#include "reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_builder.h"
#include "must.h"

static bool wrong(struct reader *reader, const char *what, uint64_t value)
{
	(void)snprintf(reader->what, sizeof reader->what, "%s: %llu", what,
		       (unsigned long long)value);
	return false;
}

static bool footers_ok(struct reader *reader)
{
	uint8_t head[512], tail[512];
	uint64_t size = memio_size(reader->file);

	if (size < 1536)
		return wrong(reader, "file too short", size);
	memio_peek(reader->file, head, sizeof head, 0);
	memio_peek(reader->file, tail, sizeof tail, size - 512);
	if (memcmp(head, "conectix", 8) != 0)
		return wrong(reader, "no footer at", 0);
	if (builder_get32(head + F_CHECKSUM) != builder_checksum(head, 512, F_CHECKSUM))
		return wrong(reader, "bad footer at", 0);
	if (memcmp(head, tail, 512) != 0)
		return wrong(reader, "the footer at the end is another one, file size", size);
	reader->type = builder_get32(head + F_TYPE);
	reader->size = builder_get64(head + F_CURRENT_SIZE);
	if (builder_get64(head + F_DATA_OFFSET) != 512)
		return wrong(reader, "data offset", builder_get64(head + F_DATA_OFFSET));
	return true;
}

static bool header_ok(struct reader *reader)
{
	uint8_t header[1024];

	memio_peek(reader->file, header, sizeof header, 512);
	if (memcmp(header, "cxsparse", 8) != 0 ||
	    builder_get32(header + H_CHECKSUM) != builder_checksum(header, 1024, H_CHECKSUM))
		return wrong(reader, "bad header at", 512);
	reader->table_offset = builder_get64(header + H_TABLE_OFFSET);
	reader->entries = builder_get32(header + H_ENTRIES);
	reader->block_size = builder_get32(header + H_BLOCK_SIZE);
	reader->bitmap_size = ((uint64_t)reader->block_size / 4096 + 511) / 512 * 512;
	reader->metadata_end =
		reader->table_offset + ((uint64_t)reader->entries * 4 + 511) / 512 * 512;
	for (size_t slot = 0; slot < 8; slot++) {
		const uint8_t *entry = header + H_LOCATORS + slot * 24;
		uint32_t space = builder_get32(entry + 4), length = builder_get32(entry + 8);
		uint64_t end = builder_get64(entry + 16) + (space > length ? space : length);

		if (builder_get32(entry) != 0 && end > reader->metadata_end)
			reader->metadata_end = end;
	}
	return true;
}

static int by_offset(const void *a, const void *b)
{
	const struct reader_block *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static uint64_t stride(const struct reader *reader)
{
	return reader->bitmap_size + reader->block_size;
}

static bool table_ok(struct reader *reader)
{
	size_t bytes = (size_t)reader->entries * 4;
	uint8_t *table = must_alloc(bytes);

	memio_peek(reader->file, table, bytes, reader->table_offset);
	reader->blocks = must_alloc(reader->entries * sizeof reader->blocks[0]);
	for (uint32_t i = 0; i < reader->entries; i++) {
		uint32_t entry = builder_get32(table + (size_t)i * 4);

		if (entry != UINT32_MAX)
			reader->blocks[reader->n_blocks++] =
				(struct reader_block){i, (uint64_t)entry * 512};
	}
	must_free(table);
	qsort(reader->blocks, reader->n_blocks, sizeof reader->blocks[0], by_offset);
	reader->data_end = reader->metadata_end;
	for (unsigned i = 0; i < reader->n_blocks; i++) {
		if (reader->blocks[i].offset < reader->data_end)
			return wrong(reader, "overlaps what is before it: block",
				     reader->blocks[i].index);
		reader->data_end = reader->blocks[i].offset + stride(reader);
	}
	if (reader->data_end + 512 > memio_size(reader->file))
		return wrong(reader, "a block passes the end of the file of",
			     memio_size(reader->file));
	return true;
}

bool reader_open(struct reader *reader, struct memio *file)
{
	*reader = (struct reader){.file = file};
	return footers_ok(reader) && header_ok(reader) && table_ok(reader);
}

void reader_close(struct reader *reader)
{
	must_free(reader->blocks);
	reader->blocks = NULL;
}

bool reader_tail_is_tight(struct reader *reader)
{
	uint64_t end = (reader->data_end + 511) / 512 * 512;

	/* Without blocks the file may end behind the texts of the locators or behind the room they
	 * reserve. */
	if (reader->n_blocks == 0 && memio_size(reader->file) == reader->metadata_room + 512)
		return true;
	if (memio_size(reader->file) != end + 512)
		return wrong(reader, "bytes between the last block and the footer",
			     memio_size(reader->file) - 512 - end);
	return true;
}

bool reader_bits_full(struct reader *reader)
{
	size_t bytes = reader->block_size / 4096;
	uint8_t *bits = must_alloc(bytes);
	bool full = true;

	for (unsigned i = 0; i < reader->n_blocks && full; i++) {
		memio_peek(reader->file, bits, bytes, reader->blocks[i].offset);
		for (size_t k = 0; k < bytes; k++)
			full = full && bits[k] == 0xFF;
		if (!full)
			(void)wrong(reader, "clear bits in block", reader->blocks[i].index);
	}
	must_free(bits);
	return full;
}

bool reader_is_aligned(struct reader *reader)
{
	for (unsigned i = 0; i < reader->n_blocks; i++) {
		if ((reader->blocks[i].offset + reader->bitmap_size) % 4096 != 0)
			return wrong(reader, "data not on 4 KiB, block", reader->blocks[i].index);
	}
	return true;
}

static const struct reader_block *block_at(const struct reader *reader, uint64_t index)
{
	for (unsigned i = 0; i < reader->n_blocks; i++) {
		if (reader->blocks[i].index == index)
			return &reader->blocks[i];
	}
	return NULL;
}

static bool bit_of(const struct reader *reader, const struct reader_block *block, uint64_t in)
{
	uint8_t byte;

	memio_peek(reader->file, &byte, 1, block->offset + in / 8);
	return byte & 0x80 >> in % 8;
}

bool reader_sector(const struct reader *reader, uint64_t sector, bool bits, uint8_t buf[512])
{
	uint64_t per_block = reader->block_size / 512, in = sector % per_block;
	const struct reader_block *block = block_at(reader, sector / per_block);

	memset(buf, 0, 512);
	if (sector >= reader->size / 512 || !block || (bits && !bit_of(reader, block, in)))
		return false;
	memio_peek(reader->file, buf, 512, block->offset + reader->bitmap_size + in * 512);
	return true;
}

/* The sectors of 64 bytes of bitmap. */
static bool each_bit(const struct reader *reader, const struct reader_block *block, uint64_t first,
		     reader_fn *each, void *ctx)
{
	uint64_t from = (uint64_t)block->index * (reader->block_size / 512);
	uint64_t data = block->offset + reader->bitmap_size;
	uint8_t bits[64], buf[512];

	memio_peek(reader->file, bits, sizeof bits, block->offset + first / 8);
	for (uint64_t in = first; in < first + 512 && in < reader->block_size / 512; in++) {
		uint8_t byte = bits[(in - first) / 8];

		if (byte == 0) {
			in |= 7;
			continue;
		}
		if (!(byte & 0x80 >> in % 8) || from + in >= reader->size / 512)
			continue;
		memio_peek(reader->file, buf, sizeof buf, data + in * 512);
		if (!each(ctx, from + in, buf))
			return false;
	}
	return true;
}

struct scan {
	const struct reader *reader;
	reader_fn *each;
	void *ctx;
	bool stopped;
};

static void scan_sector(struct scan *scan, uint64_t off, const uint8_t *bytes)
{
	static const uint8_t zeroes[512];
	const struct reader *reader = scan->reader;

	if (memcmp(bytes, zeroes, 512) == 0)
		return;
	for (unsigned i = 0; i < reader->n_blocks && !scan->stopped; i++) {
		uint64_t data = reader->blocks[i].offset + reader->bitmap_size;
		uint64_t first = (uint64_t)reader->blocks[i].index * (reader->block_size / 512);

		if (off >= data && off < data + reader->block_size)
			scan->stopped = !scan->each(scan->ctx, first + (off - data) / 512, bytes);
	}
}

static void scan_page(void *ctx, uint64_t off, const uint8_t *page)
{
	for (size_t at = 0; at < MEM_PAGE; at += 512)
		scan_sector(ctx, off + at, page + at);
}

bool reader_each(const struct reader *reader, bool bits, reader_fn *each, void *ctx)
{
	struct scan scan = {reader, each, ctx, false};

	if (!bits) {
		memio_each_page(reader->file, scan_page, &scan);
		return !scan.stopped;
	}
	for (unsigned i = 0; i < reader->n_blocks; i++) {
		for (uint64_t first = 0; first < reader->block_size / 512; first += 512) {
			if (!each_bit(reader, &reader->blocks[i], first, each, ctx))
				return false;
		}
	}
	return true;
}
