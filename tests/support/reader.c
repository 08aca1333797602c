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

static bool all_set(const uint8_t *bits, size_t bytes)
{
	return bits[0] == 0xFF && memcmp(bits, bits + 1, bytes - 1) == 0;
}

bool reader_bits_full(struct reader *reader)
{
	for (unsigned i = 0; i < reader->n_blocks; i++) {
		const struct reader_block *block = &reader->blocks[i];
		uint64_t left = reader->block_size / 4096, stamp;

		for (uint64_t at = block->offset; left > 0; at += 512) {
			size_t n = left < 512 ? (size_t)left : 512;

			if (!all_set(memio_look(reader->file, at, &stamp), n))
				return wrong(reader, "clear bits in block", block->index);
			left -= n;
		}
	}
	return true;
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

/* ---- every sector ---- */

struct scan {
	const struct reader *reader;
	bool bits; /* else zeroes are not worth a word */
	reader_fn *each;
	void *ctx;
	bool stopped;
};

void reader_forget(struct reader_memo *memo)
{
	memset(memo, 0, sizeof *memo);
}

/* What is remembered of the page that begins with `sector`, emptied when it is of other bytes. */
static struct reader_seen *seen_at(struct reader_memo *memo, uint64_t stamp, uint64_t sector)
{
	struct reader_seen *seen = &memo->seen[(stamp * 31 + sector / 8) % READER_SEEN];

	if (seen->stamp != stamp || seen->sector != sector)
		*seen = (struct reader_seen){.stamp = stamp, .sector = sector};
	return seen;
}

static bool is_zero(const uint8_t *bytes)
{
	static const uint8_t zeroes[512];

	return memcmp(bytes, zeroes, 512) == 0;
}

static void scan_sector(struct scan *scan, uint64_t sector, uint64_t off)
{
	struct reader_memo *memo = scan->reader->memo;
	uint8_t bit = (uint8_t)(1 << off / 512 % 8);
	struct reader_seen *seen = NULL;
	uint64_t stamp;
	const uint8_t *bytes = memio_look(scan->reader->file, off, &stamp);

	if (memo && stamp != 0)
		seen = seen_at(memo, stamp, sector - off / 512 % 8);
	if (seen && seen->accepted & bit)
		return;
	scan->stopped = (scan->bits || !is_zero(bytes)) && !scan->each(scan->ctx, sector, bytes);
	if (seen && !scan->stopped)
		seen->accepted |= bit;
}

/* The sectors of a block whose bits are set. */
static void scan_bits(struct scan *scan, const struct reader_block *block)
{
	const struct reader *reader = scan->reader;
	uint64_t per_block = reader->block_size / 512, first = block->index * per_block;
	uint64_t data = block->offset + reader->bitmap_size, stamp;
	const uint8_t *bits = NULL;

	for (uint64_t in = 0; in < per_block && !scan->stopped; in++) {
		if (in % 4096 == 0)
			bits = memio_look(reader->file, block->offset + in / 8, &stamp);
		if (bits[in % 4096 / 8] == 0)
			in |= 7;
		else if (bits[in % 4096 / 8] & 0x80 >> in % 8 && first + in < reader->size / 512)
			scan_sector(scan, first + in, data + in * 512);
	}
}

static const struct reader_block *block_around(const struct reader *reader, uint64_t off)
{
	for (unsigned i = 0; i < reader->n_blocks; i++) {
		uint64_t data = reader->blocks[i].offset + reader->bitmap_size;

		if (off >= data && off < data + reader->block_size)
			return &reader->blocks[i];
	}
	return NULL;
}

/* Data of blocks begins on a page or (in files of others) on any sector. */
static void scan_page(void *ctx, uint64_t off, const uint8_t *page)
{
	struct scan *scan = ctx;
	const struct reader *reader = scan->reader;

	(void)page;
	for (uint64_t at = off; at < off + MEM_PAGE && !scan->stopped; at += 512) {
		const struct reader_block *block = block_around(reader, at);
		uint64_t in;

		if (!block)
			continue;
		in = at - block->offset - reader->bitmap_size;
		scan_sector(scan, (uint64_t)block->index * (reader->block_size / 512) + in / 512,
			    at);
	}
}

bool reader_each(const struct reader *reader, bool bits, reader_fn *each, void *ctx)
{
	struct scan scan = {reader, bits, each, ctx, false};

	if (!bits)
		memio_each_page(reader->file, scan_page, &scan);
	for (unsigned i = 0; bits && i < reader->n_blocks && !scan.stopped; i++)
		scan_bits(&scan, &reader->blocks[i]);
	return !scan.stopped;
}
