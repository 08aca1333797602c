/* test_engine_header.c - 1,024 bytes <-> struct header: golden vectors, damage, names. */
#include "test.h"

#include "bytes.h"
#include "header.h"

#include <string.h>

#define MIB (1ULL << 20)

enum { DISK = 8 << 20, FILE_SIZE = 2100224 };

static uint32_t sum_of(const uint8_t raw[HEADER_SIZE])
{
	uint32_t sum = 0;

	for (size_t i = 0; i < HEADER_SIZE; i++)
		sum += raw[i];
	return ~(sum - raw[36] - raw[37] - raw[38] - raw[39]);
}

static void repair(uint8_t raw[HEADER_SIZE])
{
	put_be32(raw + 36, sum_of(raw));
}

/* Written byte by byte as the specification says: four blocks of 2 MiB, table after the header. */
static void make(uint8_t raw[HEADER_SIZE])
{
	memset(raw, 0, HEADER_SIZE);
	memcpy(raw, "cxsparse", 8);
	put_be64(raw + 8, UINT64_MAX);
	put_be64(raw + 16, 1536);
	put_be32(raw + 24, 0x00010000);
	put_be32(raw + 28, 4);
	put_be32(raw + 32, 0x00200000);
	repair(raw);
}

static void put_locator(uint8_t *raw, const char *code, uint32_t length, uint64_t off)
{
	memcpy(raw, code, 4);
	put_be32(raw + 4, 512);
	put_be32(raw + 8, length);
	put_be64(raw + 16, off);
}

static void make_child(uint8_t raw[HEADER_SIZE])
{
	static const char name[] = "dyn.vhd";

	make(raw);
	for (uint8_t i = 0; i < 16; i++)
		raw[40 + i] = i;
	put_be32(raw + 56, 0x12345678);
	for (size_t i = 0; i < sizeof name; i++)
		raw[64 + i * 2 + 1] = (uint8_t)name[i];
	put_locator(raw + 576, "W2ku", 28, 2048);
	put_locator(raw + 600, "W2ru", 18, 2560);
	put_locator(raw + 624, "MacX", 16, 3072);
	repair(raw);
}

static int decode(const uint8_t raw[HEADER_SIZE], struct header *header)
{
	return header_decode(raw, 512, DISK, FILE_SIZE, header, NULL);
}

static void golden_headers_have_the_documented_checksums(void **state)
{
	struct header header;
	uint8_t raw[HEADER_SIZE], again[HEADER_SIZE];

	(void)state;
	make(raw);
	assert_int_equal(decode(raw, &header), 0);
	assert_true(header.checksum == 0xFFFFF473);
	header_encode(&header, again);
	assert_memory_equal(again, raw, HEADER_SIZE);

	make_child(raw);
	assert_int_equal(decode(raw, &header), 0);
	assert_true(header.checksum == 0xFFFFEB88);
	header_encode(&header, again);
	assert_memory_equal(again, raw, HEADER_SIZE);
}

static void every_field_is_read_from_its_place(void **state)
{
	struct header header;
	uint8_t raw[HEADER_SIZE];

	(void)state;
	make_child(raw);
	assert_int_equal(decode(raw, &header), 0);
	assert_int_equal(header.table_offset, 1536);
	assert_int_equal(header.max_entries, 4);
	assert_int_equal(header.block_size, 2 * MIB);
	assert_memory_equal(header.parent_id, raw + 40, 16);
	assert_int_equal(header.parent_timestamp, 0x12345678);
	assert_string_equal(header.parent_name, "dyn.vhd");
	assert_int_equal(header.locators[1].code, 0x57327275);
	assert_int_equal(header.locators[1].data_space, 512);
	assert_int_equal(header.locators[1].data_length, 18);
	assert_int_equal(header.locators[1].data_offset, 2560);
	assert_int_equal(header.locators[7].code, 0);
}

struct damage {
	size_t off;
	unsigned width;
	uint64_t value;
	int code;
	const char *text;
};

static void apply(uint8_t *raw, const struct damage *row)
{
	for (unsigned i = 0; i < row->width; i++)
		raw[row->off + i] = (uint8_t)(row->value >> 8 * (row->width - 1 - i));
}

static void check_row(const uint8_t raw[HEADER_SIZE], const struct damage *row)
{
	struct header header = {.max_entries = 77};
	struct vhd_error err = {.code = VHD_OK};
	int r = header_decode(raw, 512, DISK, FILE_SIZE, &header, &err);

	assert_string_equal(err.text, row->text);
	assert_int_equal(r, row->code);
	if (r < 0)
		assert_int_equal(header.max_entries, 77);
}

static void refuses_damage_with_a_repaired_checksum(void **state)
{
	static const struct damage rows[] = {
		{0, 1, 'C', VHD_E_CORRUPT,
		 "header: cookie 0x4378737061727365 at 0: not \"cxsparse\""},
		{8, 8, 1536, VHD_E_CORRUPT,
		 "header: data offset 0x600 at 8: nothing may follow the header"},
		{24, 4, 0x00010001, VHD_E_UNSUPPORTED,
		 "header: version 0x00010001 at 24: only 0x00010000 is known"},
		{32, 4, 0, VHD_E_CORRUPT,
		 "header: block size 0 at 32: not a power of two from 4096 to 268435456"},
		{32, 4, 511, VHD_E_CORRUPT,
		 "header: block size 511 at 32: not a power of two from 4096 to 268435456"},
		{32, 4, 2048, VHD_E_CORRUPT,
		 "header: block size 2048 at 32: not a power of two from 4096 to 268435456"},
		{32, 4, 3 << 20, VHD_E_CORRUPT,
		 "header: block size 3145728 at 32: not a power of two from 4096 to 268435456"},
		{32, 4, 512 << 20, VHD_E_CORRUPT,
		 "header: block size 536870912 at 32: not a power of two from 4096 to 268435456"},
		{32, 4, 1 << 20, VHD_E_CORRUPT, "header: table entries 4 at 28: the size needs 8"},
		{32, 4, 256 << 20, 0, ""},
		{28, 4, 0, VHD_E_CORRUPT, "header: table entries 0 at 28: the size needs 4"},
		{28, 4, 3, VHD_E_CORRUPT, "header: table entries 3 at 28: the size needs 4"},
		{28, 4, 5, 0, ""}, /* blktap reserves entries, old qemu writes one more */
		{28, 4, 1048576, VHD_E_CORRUPT,
		 "header: table offset 0x600 at 16: 4194304 bytes from there pass the end of the file at 0x200C00"},
		{28, 4, 1048577, VHD_E_CORRUPT,
		 "header: table entries 1048577 at 28: the limit is 1048576"},
		{28, 4, 0xFFFFFFFF, VHD_E_CORRUPT,
		 "header: table entries 4294967295 at 28: the limit is 1048576"},
		{16, 8, 1537, VHD_E_CORRUPT,
		 "header: table offset 0x601 at 16: not a multiple of 512"},
		{16, 8, 0, VHD_E_CORRUPT,
		 "header: table offset 0x0 at 16: the footer copy is there"},
		{16, 8, 512, VHD_E_CORRUPT,
		 "header: table offset 0x200 at 16: the table lies on the header at 0x200"},
		{16, 8, 1024, VHD_E_CORRUPT,
		 "header: table offset 0x400 at 16: the table lies on the header at 0x200"},
		{16, 8, 0x200C00, VHD_E_CORRUPT,
		 "header: table offset 0x200C00 at 16: 16 bytes from there pass the end of the file at 0x200C00"},
		{16, 8, 0xFFFFFFFFFFFFFE00, VHD_E_CORRUPT,
		 "header: table offset 0xFFFFFFFFFFFFFE00 at 16: 16 bytes from there pass the end of the file at 0x200C00"},
		{16, 8, 0x200A00, 0, ""},
		{576, 8, UINT64_MAX, 0, ""}, /* locators are judged where they are used */
		{900, 1, 1, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t raw[HEADER_SIZE];

		make(raw);
		apply(raw, &rows[i]);
		repair(raw);
		check_row(raw, &rows[i]);
	}
}

static void refuses_damage_that_the_checksum_shows(void **state)
{
	static const struct damage rows[] = {
		{35, 1, 1, VHD_E_CORRUPT,
		 "header: checksum 0xFFFFF473 at 36: the bytes give 0xFFFFF472"},
		{39, 1, 0, VHD_E_CORRUPT,
		 "header: checksum 0xFFFFF400 at 36: the bytes give 0xFFFFF473"},
		{1023, 1, 2, VHD_E_CORRUPT,
		 "header: checksum 0xFFFFF473 at 36: the bytes give 0xFFFFF471"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t raw[HEADER_SIZE];

		make(raw);
		apply(raw, &rows[i]);
		check_row(raw, &rows[i]);
	}
}

static void every_single_flipped_bit_is_noticed(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < HEADER_SIZE * 8; bit++) {
		struct header header;
		uint8_t raw[HEADER_SIZE];

		make_child(raw);
		raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(decode(raw, &header) < 0);
	}
}

static void the_header_must_lie_inside_the_file(void **state)
{
	struct header header;
	struct vhd_error err;
	uint8_t raw[HEADER_SIZE];

	(void)state;
	make(raw);
	assert_int_equal(header_decode(raw, FILE_SIZE - 512, DISK, FILE_SIZE, &header, &err),
			 VHD_E_CORRUPT);
	assert_string_equal(err.text, "header: at 0x200A00, past the end of the file at 0x200C00");
	assert_int_equal(header_decode(raw, 0xFFFFFFFFFFFFFE00, DISK, FILE_SIZE, &header, &err),
			 VHD_E_CORRUPT);
	assert_int_equal(header_decode(raw, 2048, DISK, FILE_SIZE, &header, &err), 0);
}

static void a_table_may_have_twice_the_entries_needed(void **state)
{
	struct header header;
	uint8_t raw[HEADER_SIZE];

	(void)state;
	make(raw);
	put_be32(raw + 28, 1044480 * 2);
	repair(raw);
	assert_int_equal(header_decode(raw, 512, VHD_SIZE_MAX, 1ULL << 40, &header, NULL), 0);
	put_be32(raw + 28, 1044480 * 2 + 1);
	repair(raw);
	assert_int_equal(header_decode(raw, 512, VHD_SIZE_MAX, 1ULL << 40, &header, NULL),
			 VHD_E_CORRUPT);
}

static void a_byte_order_mark_in_the_name_is_honoured(void **state)
{
	struct header header;
	uint8_t raw[HEADER_SIZE];

	(void)state;
	make(raw);
	memcpy(raw + 64, "\xFE\xFF\0a\0b", 6);
	repair(raw);
	assert_int_equal(decode(raw, &header), 0);
	assert_string_equal(header.parent_name, "ab");
	memcpy(raw + 64,
	       "\xFF\xFE"
	       "a\0b\0",
	       6);
	repair(raw);
	assert_int_equal(decode(raw, &header), 0);
	assert_string_equal(header.parent_name, "ab");
}

static void a_name_that_fills_its_field_is_read_whole(void **state)
{
	struct header header;
	uint8_t raw[HEADER_SIZE];

	(void)state;
	make(raw);
	for (size_t i = 0; i < 256; i++)
		put_be16(raw + 64 + i * 2, 0x6C34);
	repair(raw);
	assert_int_equal(decode(raw, &header), 0);
	assert_int_equal(strlen(header.parent_name), 768);
}

static void long_names_are_cut_on_a_character(void **state)
{
	struct header header = {.table_offset = 1536, .max_entries = 4, .block_size = 2 << 20};
	uint8_t raw[HEADER_SIZE];

	(void)state;
	memset(header.parent_name, 'n', 254);
	memcpy(header.parent_name + 254,
	       "\xF0\x9F\x92\xBE"
	       "tail",
	       9);
	header_encode(&header, raw);
	assert_int_equal(get_be16(raw + 64 + 253 * 2), 'n');
	assert_int_equal(get_be16(raw + 64 + 254 * 2), 0);
	assert_int_equal(get_be16(raw + 64 + 255 * 2), 0);
	assert_int_equal(decode(raw, &header), 0);
	assert_int_equal(strlen(header.parent_name), 254);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_headers_have_the_documented_checksums),
		cmocka_unit_test(every_field_is_read_from_its_place),
		cmocka_unit_test(refuses_damage_with_a_repaired_checksum),
		cmocka_unit_test(refuses_damage_that_the_checksum_shows),
		cmocka_unit_test(every_single_flipped_bit_is_noticed),
		cmocka_unit_test(the_header_must_lie_inside_the_file),
		cmocka_unit_test(a_table_may_have_twice_the_entries_needed),
		cmocka_unit_test(a_byte_order_mark_in_the_name_is_honoured),
		cmocka_unit_test(a_name_that_fills_its_field_is_read_whole),
		cmocka_unit_test(long_names_are_cut_on_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
