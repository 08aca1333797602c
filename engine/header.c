/* header.c - the 1,024-byte dynamic header <-> struct header. What passed header_decode is not
 * checked again. */
#include "header.h"

#include "bytes.h"
#include "error.h"
#include "utf.h"

#include <inttypes.h>
#include <string.h>

/* FORMAT.md 2 */
enum {
	HDR_COOKIE = 0,
	HDR_DATA_OFFSET = 8,
	HDR_TABLE_OFFSET = 16,
	HDR_VERSION = 24,
	HDR_MAX_ENTRIES = 28,
	HDR_BLOCK_SIZE = 32,
	HDR_CHECKSUM = 36,
	HDR_PARENT_ID = 40,
	HDR_PARENT_TIMESTAMP = 56,
	HDR_PARENT_NAME = 64,
	HDR_LOCATORS = 576,
};
/* FORMAT.md 4 */
enum { LOC_CODE = 0, LOC_SPACE = 4, LOC_LENGTH = 8, LOC_OFFSET = 16, LOC_SIZE = 24 };
enum { VERSION = 0x00010000 };

static const char cookie[8] = "cxsparse";

static uint32_t checksum(const uint8_t raw[HEADER_SIZE])
{
	uint32_t sum = 0;

	for (size_t i = 0; i < HEADER_SIZE; i++)
		sum += raw[i];
	for (size_t i = 0; i < 4; i++)
		sum -= raw[HDR_CHECKSUM + i];
	return ~sum;
}

static int prove_itself(const uint8_t raw[HEADER_SIZE], struct vhd_error *err)
{
	uint32_t stored = get_be32(raw + HDR_CHECKSUM), sum = checksum(raw);
	uint32_t version = get_be32(raw + HDR_VERSION);

	if (memcmp(raw + HDR_COOKIE, cookie, sizeof cookie) != 0)
		return vhd_fail(err, VHD_E_CORRUPT,
				"header: cookie 0x%016" PRIX64 " at %d: not \"cxsparse\"",
				get_be64(raw + HDR_COOKIE), HDR_COOKIE);
	if (stored != sum)
		return vhd_fail(err, VHD_E_CORRUPT,
				"header: checksum 0x%08" PRIX32
				" at %d: the bytes give 0x%08" PRIX32,
				stored, HDR_CHECKSUM, sum);
	if (get_be64(raw + HDR_DATA_OFFSET) != UINT64_MAX)
		return vhd_fail(err, VHD_E_CORRUPT,
				"header: data offset 0x%" PRIX64
				" at %d: nothing may follow the header",
				get_be64(raw + HDR_DATA_OFFSET), HDR_DATA_OFFSET);
	if (version != VERSION)
		return vhd_fail(err, VHD_E_UNSUPPORTED,
				"header: version 0x%08" PRIX32 " at %d: only 0x%08X is known",
				version, HDR_VERSION, (unsigned)VERSION);
	return 0;
}

#define TABLE_REACH (UINT64_C(2) << 40)

/* Twice the need; any table up to one for the 2 TiB that sector numbers reach, which XenServer has
 * blktap make for a later resize. */
static int prove_entries(const uint8_t raw[HEADER_SIZE], uint64_t disk_size, struct vhd_error *err)
{
	uint32_t block_size = get_be32(raw + HDR_BLOCK_SIZE),
		 entries = get_be32(raw + HDR_MAX_ENTRIES);
	uint64_t need, most;

	if (!power_of_two(block_size) || block_size < BLOCK_SIZE_MIN ||
	    block_size > BLOCK_SIZE_LIMIT)
		return vhd_fail(err, VHD_E_CORRUPT,
				"header: block size %" PRIu32
				" at %d: not a power of two from %d to %d",
				block_size, HDR_BLOCK_SIZE, BLOCK_SIZE_MIN, BLOCK_SIZE_LIMIT);
	need = div_up(disk_size, block_size);
	most = div_up(TABLE_REACH, block_size);
	if (most < need * 2)
		most = need * 2;
	if (entries < need)
		return vhd_fail(err, VHD_E_CORRUPT,
				"header: table entries %" PRIu32 " at %d: the size needs %" PRIu64,
				entries, HDR_MAX_ENTRIES, need);
	if (entries > most)
		return vhd_fail(err, VHD_E_CORRUPT,
				"header: table entries %" PRIu32 " at %d: the limit is %" PRIu64,
				entries, HDR_MAX_ENTRIES, most);
	return 0;
}

static int prove_places(const uint8_t raw[HEADER_SIZE], uint64_t header_offset, uint64_t file_size,
			struct vhd_error *err)
{
	uint64_t table = get_be64(raw + HDR_TABLE_OFFSET);
	uint64_t length = (uint64_t)get_be32(raw + HDR_MAX_ENTRIES) * 4;

	if (!range_ok(header_offset, HEADER_SIZE, file_size))
		return vhd_fail(err, VHD_E_CORRUPT,
				"header: at 0x%" PRIX64 ", past the end of the file at 0x%" PRIX64,
				header_offset, file_size);
	if (table % VHD_SECTOR != 0)
		return vhd_fail(err, VHD_E_CORRUPT,
				"header: table offset 0x%" PRIX64 " at %d: not a multiple of 512",
				table, HDR_TABLE_OFFSET);
	if (!range_ok(table, length, file_size))
		return vhd_fail(err, VHD_E_CORRUPT,
				"header: table offset 0x%" PRIX64 " at %d: %" PRIu64
				" bytes from there pass the end of the file at 0x%" PRIX64,
				table, HDR_TABLE_OFFSET, length, file_size);
	if (table < VHD_SECTOR)
		return vhd_fail(err, VHD_E_CORRUPT,
				"header: table offset 0x%" PRIX64
				" at %d: the footer copy is there",
				table, HDR_TABLE_OFFSET);
	if (table < header_offset + HEADER_SIZE && header_offset < table + length)
		return vhd_fail(err, VHD_E_CORRUPT,
				"header: table offset 0x%" PRIX64
				" at %d: the table lies on the header at 0x%" PRIX64,
				table, HDR_TABLE_OFFSET, header_offset);
	return 0;
}

static struct locator_entry locator_get(const uint8_t *raw)
{
	return (struct locator_entry){
		.code = get_be32(raw + LOC_CODE),
		.data_space = get_be32(raw + LOC_SPACE),
		.data_length = get_be32(raw + LOC_LENGTH),
		.data_offset = get_be64(raw + LOC_OFFSET),
	};
}

static void locator_put(const struct locator_entry *entry, uint8_t *raw)
{
	put_be32(raw + LOC_CODE, entry->code);
	put_be32(raw + LOC_SPACE, entry->data_space);
	put_be32(raw + LOC_LENGTH, entry->data_length);
	put_be64(raw + LOC_OFFSET, entry->data_offset);
}

/* Big-endian, unless a byte order mark says otherwise (the reference library looks for one). */
static void name_get(const uint8_t *raw, char ret_name[HEADER_NAME_TEXT])
{
	uint16_t mark = get_be16(raw);
	size_t skip = mark == 0xFEFF || mark == 0xFFFE;

	(void)utf16_to_utf8(raw + skip * 2, HEADER_NAME_UNITS - skip, mark != 0xFFFE, ret_name,
			    HEADER_NAME_TEXT);
}

static void name_put(const char *name, uint8_t *raw)
{
	size_t used = 0, len = strlen(name);

	for (size_t i = 0; i < len;) {
		uint8_t units[4];
		uint32_t c;
		size_t n;

		i += utf8_next(name + i, len - i, &c);
		n = utf16_put(c == UTF_MALFORMED ? UTF_REPLACEMENT : c, true, units);
		if (used + n > HEADER_NAME_UNITS - 1)
			return;
		memcpy(raw + used * 2, units, n * 2);
		used += n;
	}
}

int header_decode(const uint8_t raw[HEADER_SIZE], uint64_t header_offset, uint64_t disk_size,
		  uint64_t file_size, struct header *ret_header, struct vhd_error *err)
{
	int r = prove_itself(raw, err);

	if (r == 0)
		r = prove_entries(raw, disk_size, err);
	if (r == 0)
		r = prove_places(raw, header_offset, file_size, err);
	if (r < 0)
		return r;
	*ret_header = (struct header){
		.table_offset = get_be64(raw + HDR_TABLE_OFFSET),
		.max_entries = get_be32(raw + HDR_MAX_ENTRIES),
		.block_size = get_be32(raw + HDR_BLOCK_SIZE),
		.checksum = get_be32(raw + HDR_CHECKSUM),
		.parent_timestamp = get_be32(raw + HDR_PARENT_TIMESTAMP),
	};
	memcpy(ret_header->parent_id, raw + HDR_PARENT_ID, VHD_ID_SIZE);
	name_get(raw + HDR_PARENT_NAME, ret_header->parent_name);
	for (size_t i = 0; i < VHD_LOCATORS; i++)
		ret_header->locators[i] = locator_get(raw + HDR_LOCATORS + i * LOC_SIZE);
	return 0;
}

void header_encode(const struct header *header, uint8_t ret_raw[HEADER_SIZE])
{
	memset(ret_raw, 0, HEADER_SIZE);
	memcpy(ret_raw + HDR_COOKIE, cookie, sizeof cookie);
	put_be64(ret_raw + HDR_DATA_OFFSET, UINT64_MAX);
	put_be64(ret_raw + HDR_TABLE_OFFSET, header->table_offset);
	put_be32(ret_raw + HDR_VERSION, VERSION);
	put_be32(ret_raw + HDR_MAX_ENTRIES, header->max_entries);
	put_be32(ret_raw + HDR_BLOCK_SIZE, header->block_size);
	memcpy(ret_raw + HDR_PARENT_ID, header->parent_id, VHD_ID_SIZE);
	put_be32(ret_raw + HDR_PARENT_TIMESTAMP, header->parent_timestamp);
	name_put(header->parent_name, ret_raw + HDR_PARENT_NAME);
	for (size_t i = 0; i < VHD_LOCATORS; i++)
		locator_put(&header->locators[i], ret_raw + HDR_LOCATORS + i * LOC_SIZE);
	put_be32(ret_raw + HDR_CHECKSUM, checksum(ret_raw));
}
