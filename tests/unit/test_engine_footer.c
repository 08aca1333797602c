/* test_engine_footer.c - 512 bytes <-> struct footer: golden vectors, damage, geometry. */
#include "test.h"

#include "bytes.h"
#include "footer.h"

#include <string.h>

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

/* Another way to sum than the engine's: everything, less the checksum's own bytes. */
static uint32_t sum_of(const uint8_t raw[FOOTER_SIZE])
{
	uint32_t sum = 0;

	for (size_t i = 0; i < FOOTER_SIZE; i++)
		sum += raw[i];
	return ~(sum - raw[64] - raw[65] - raw[66] - raw[67]);
}

/* Written byte by byte as the specification says: creator "tst ", no time, id 00 01 02 ... */
static void make(uint8_t raw[FOOTER_SIZE], uint32_t type, uint64_t size)
{
	memset(raw, 0, FOOTER_SIZE);
	memcpy(raw, "conectix", 8);
	put_be32(raw + 8, 2);
	put_be32(raw + 12, 0x00010000);
	put_be64(raw + 16, type == 2 ? UINT64_MAX : 512);
	memcpy(raw + 28, "tst ", 4);
	put_be32(raw + 32, 0x00010000);
	memcpy(raw + 36, "Wi2k", 4);
	put_be64(raw + 40, size);
	put_be64(raw + 48, size);
	put_be16(raw + 56, size == 3 * MIB ? 90 : 240);
	raw[58] = 4;
	raw[59] = 17;
	put_be32(raw + 60, type);
	for (uint8_t i = 0; i < 16; i++)
		raw[68 + i] = (uint8_t)(type == 4 ? i + 16 : i);
	put_be32(raw + 64, sum_of(raw));
}

static void golden_footers_have_the_documented_checksums(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t size;
		uint32_t checksum;
	} rows[] = {
		{VHD_FIXED, 3 * MIB, 0xFFFFF085},
		{VHD_DYNAMIC, 8 * MIB, 0xFFFFF744},
		{VHD_DIFF, 8 * MIB, 0xFFFFF643},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t raw[FOOTER_SIZE], again[FOOTER_SIZE];
		struct footer footer;

		make(raw, rows[i].type, rows[i].size);
		assert_int_equal(footer_decode(raw, &footer, NULL), 0);
		assert_true(footer.checksum == rows[i].checksum);
		assert_int_equal(footer.type, rows[i].type);
		assert_true(footer.current_size == rows[i].size);
		footer_encode(&footer, again);
		assert_memory_equal(again, raw, FOOTER_SIZE);
	}
}

static void every_field_is_read_from_its_place(void **state)
{
	struct footer footer;
	uint8_t raw[FOOTER_SIZE];

	(void)state;
	make(raw, VHD_DIFF, 8 * MIB);
	put_be32(raw + 8, 3);
	put_be64(raw + 16, 0x10000);
	put_be32(raw + 24, 0x12345678);
	put_be64(raw + 40, 4 * MIB);
	raw[84] = 1;
	raw[85] = 1;
	put_be32(raw + 64, sum_of(raw));
	assert_int_equal(footer_decode(raw, &footer, NULL), 0);
	assert_int_equal(footer.features, 3);
	assert_int_equal(footer.data_offset, 0x10000);
	assert_int_equal(footer.timestamp, 0x12345678);
	assert_memory_equal(footer.creator, "tst ", 4);
	assert_int_equal(footer.creator_version, 0x00010000);
	assert_memory_equal(footer.creator_os, "Wi2k", 4);
	assert_int_equal(footer.original_size, 4 * MIB);
	assert_int_equal(footer.cylinders, 240);
	assert_int_equal(footer.heads, 4);
	assert_int_equal(footer.sectors_per_track, 17);
	assert_memory_equal(footer.id, raw + 68, 16);
	assert_true(footer.saved_state);
	assert_int_equal(footer.hidden, 1);
}

static void saved_state_is_exactly_one(void **state)
{
	struct footer footer;
	uint8_t raw[FOOTER_SIZE];

	(void)state;
	make(raw, VHD_DYNAMIC, 8 * MIB);
	raw[84] = 2;
	put_be32(raw + 64, sum_of(raw));
	assert_int_equal(footer_decode(raw, &footer, NULL), 0);
	assert_false(footer.saved_state);
}

struct damage {
	size_t off;
	unsigned width; /* bytes */
	uint64_t value;
	int code; /* 0: legal after all */
	const char *text;
};

static void apply(uint8_t *raw, const struct damage *row)
{
	for (unsigned i = 0; i < row->width; i++)
		raw[row->off + i] = (uint8_t)(row->value >> 8 * (row->width - 1 - i));
}

static void check_row(uint8_t raw[FOOTER_SIZE], const struct damage *row)
{
	struct footer footer = {.features = 77};
	struct vhd_error err = {.code = VHD_OK};
	int r = footer_decode(raw, &footer, &err);

	assert_int_equal(r, row->code);
	assert_int_equal(err.code, row->code);
	assert_string_equal(err.text, row->text);
	if (r < 0)
		assert_int_equal(footer.features, 77);
}

static void refuses_damage_with_a_repaired_checksum(void **state)
{
	static const struct damage rows[] = {
		{12, 4, 0x00020000, VHD_E_UNSUPPORTED,
		 "footer: version 0x00020000 at 12: only 0x00010000 is known"},
		{60, 4, 0, VHD_E_UNSUPPORTED,
		 "footer: disk type 0 at 60: only 2, 3 and 4 are known"},
		{60, 4, 5, VHD_E_UNSUPPORTED,
		 "footer: disk type 5 at 60: only 2, 3 and 4 are known"},
		{60, 4, 0xFFFFFFFF, VHD_E_UNSUPPORTED,
		 "footer: disk type 4294967295 at 60: only 2, 3 and 4 are known"},
		{48, 8, 0, VHD_E_CORRUPT,
		 "footer: current size 0 at 48: not a multiple of 512 from 512 on"},
		{48, 8, 511, VHD_E_CORRUPT,
		 "footer: current size 511 at 48: not a multiple of 512 from 512 on"},
		{48, 8, 513, VHD_E_CORRUPT,
		 "footer: current size 513 at 48: not a multiple of 512 from 512 on"},
		{48, 8, UINT64_MAX, VHD_E_CORRUPT,
		 "footer: current size 18446744073709551615 at 48: not a multiple of 512 from 512 on"},
		{48, 8, VHD_SIZE_MAX + 512, VHD_E_CORRUPT,
		 "footer: current size 2190433321472 at 48: the limit is 2190433320960 (2040 GiB)"},
		{48, 8, VHD_SIZE_MAX, 0, ""},
		{48, 8, 512, 0, ""},
		{16, 8, 0, VHD_E_CORRUPT,
		 "footer: data offset 0x0 at 16: not a multiple of 512 from 512 on"},
		{16, 8, 513, VHD_E_CORRUPT,
		 "footer: data offset 0x201 at 16: not a multiple of 512 from 512 on"},
		{16, 8, UINT64_MAX, VHD_E_CORRUPT,
		 "footer: data offset 0xFFFFFFFFFFFFFFFF at 16: not a multiple of 512 from 512 on"},
		{16, 8, 1536, 0, ""},
		{8, 4, 0xFFFFFFFF, 0, ""},  /* features are told, not judged */
		{40, 8, UINT64_MAX, 0, ""}, /* and so is the original size, */
		{24, 4, 0xFFFFFFFF, 0, ""}, /* a time in the future, */
		{56, 4, 0, 0, ""},          /* the geometry, */
		{200, 1, 1, 0, ""},         /* and what is reserved */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t raw[FOOTER_SIZE];

		make(raw, VHD_DYNAMIC, 8 * MIB);
		apply(raw, &rows[i]);
		put_be32(raw + 64, sum_of(raw));
		check_row(raw, &rows[i]);
	}
}

static void refuses_damage_that_the_checksum_shows(void **state)
{
	static const struct damage rows[] = {
		{0, 1, 'k', VHD_E_NOT_VHD,
		 "footer: cookie 0x6B6F6E6563746978 at 0: not \"conectix\""},
		{0, 8, 0x765F706F69736F6E, VHD_E_UNSUPPORTED,
		 "footer: cookie \"v_poison\" at 0: blktap did not finish a resize"},
		{11, 1, 3, VHD_E_CORRUPT,
		 "footer: checksum 0xFFFFF744 at 64: the bytes give 0xFFFFF743"},
		{63, 1, 9, VHD_E_CORRUPT,
		 "footer: checksum 0xFFFFF744 at 64: the bytes give 0xFFFFF73E"},
		{67, 1, 0x45, VHD_E_CORRUPT,
		 "footer: checksum 0xFFFFF745 at 64: the bytes give 0xFFFFF744"},
		{511, 1, 1, VHD_E_CORRUPT,
		 "footer: checksum 0xFFFFF744 at 64: the bytes give 0xFFFFF743"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t raw[FOOTER_SIZE];

		make(raw, VHD_DYNAMIC, 8 * MIB);
		apply(raw, &rows[i]);
		check_row(raw, &rows[i]);
	}
}

static void every_single_flipped_bit_is_noticed(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < FOOTER_SIZE * 8; bit++) {
		struct footer footer;
		uint8_t raw[FOOTER_SIZE];

		make(raw, VHD_DYNAMIC, 8 * MIB);
		raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(footer_decode(raw, &footer, NULL) < 0);
	}
}

static void fixed_disks_may_be_large_and_point_anywhere(void **state)
{
	struct footer footer;
	struct vhd_error err;
	uint8_t raw[FOOTER_SIZE];

	(void)state;
	make(raw, VHD_FIXED, 1ULL << 50);
	put_be64(raw + 16, 12345);
	put_be32(raw + 64, sum_of(raw));
	assert_int_equal(footer_decode(raw, &footer, NULL), 0);
	make(raw, VHD_FIXED, 1ULL << 62);
	assert_int_equal(footer_decode(raw, &footer, &err), VHD_E_CORRUPT);
	assert_string_equal(
		err.text,
		"footer: current size 4611686018427387904 at 48: more than a file can hold");
}

static void make_tap(uint8_t raw[FOOTER_SIZE], uint32_t type, uint32_t version)
{
	make(raw, type, 8 * MIB);
	memcpy(raw + 28, "tap", 4);
	put_be32(raw + 32, version);
	put_be32(raw + 64, sum_of(raw));
}

static void early_blktap_hid_images_without_summing_again(void **state)
{
	struct footer footer;
	uint8_t raw[FOOTER_SIZE];

	(void)state;
	make_tap(raw, VHD_DYNAMIC, 0x00010001);
	raw[85] = 1;
	assert_int_equal(footer_decode(raw, &footer, NULL), 0);
	assert_int_equal(footer.hidden, 1);
	make_tap(raw, VHD_DYNAMIC, 0x00010003);
	raw[85] = 1;
	assert_int_equal(footer_decode(raw, &footer, NULL), VHD_E_CORRUPT);
}

static void the_first_blktap_had_other_bitmaps(void **state)
{
	struct footer footer;
	struct vhd_error err;
	uint8_t raw[FOOTER_SIZE];

	(void)state;
	make_tap(raw, VHD_DIFF, 1);
	assert_int_equal(footer_decode(raw, &footer, &err), VHD_E_UNSUPPORTED);
	assert_string_equal(
		err.text,
		"footer: creator version 0x00000001 at 32: bitmaps of tap 0.1 are little-endian");
	make_tap(raw, VHD_FIXED, 1);
	assert_int_equal(footer_decode(raw, &footer, NULL), 0);
}

static void the_cookie_tells_no_footer_from_a_damaged_one(void **state)
{
	uint8_t raw[FOOTER_SIZE];

	(void)state;
	make(raw, VHD_DYNAMIC, 8 * MIB);
	raw[100] = 1;
	assert_true(footer_has_cookie(raw));
	raw[7] = 'X';
	assert_false(footer_has_cookie(raw));
}

static void geometry_follows_the_specification(void **state)
{
	static const struct {
		uint64_t size;
		unsigned cylinders, heads, sectors;
		uint64_t bytes;
	} rows[] = {
		{512, 0, 4, 17, 0},
		{3 * MIB, 90, 4, 17, 3133440},
		{5 * MIB, 150, 4, 17, 5222400},
		{8 * MIB, 240, 4, 17, 8355840},
		{16 * MIB, 481, 4, 17, 16746496},
		{64 * MIB, 963, 8, 17, 67055616},
		{100 * MIB, 1003, 12, 17, 104761344},
		{128 * MIB, 963, 16, 17, 134111232},
		{256 * MIB, 520, 16, 63, 268369920},
		{504 * MIB, 1024, 16, 63, 528482304},
		{1 * GIB, 2080, 16, 63, 1073479680},
		{10 * GIB, 20805, 16, 63, 10737377280},
		{31 * GIB, 64495, 16, 63, 33285611520},
		{33822350848, 65534, 16, 63, 33821835264},
		{33822351360, 16191, 16, 255, 33822351360},
		{64 * GIB, 32896, 16, 255, 68718428160},
		{127 * GIB, 65278, 16, 255, 136363130880},
		{136899993600, 65535, 16, 255, 136899993600},
		{2040 * GIB, 65535, 16, 255, 136899993600},
		{1ULL << 61, 65535, 16, 255, 136899993600},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint16_t cylinders;
		uint8_t heads, sectors;

		footer_geometry(rows[i].size, &cylinders, &heads, &sectors);
		assert_int_equal(cylinders, rows[i].cylinders);
		assert_int_equal(heads, rows[i].heads);
		assert_int_equal(sectors, rows[i].sectors);
		assert_true((uint64_t)cylinders * heads * sectors * 512 == rows[i].bytes);
	}
}

/* 255 sectors per track is reached by size alone; below it the product never passes the size. */
static void geometry_never_promises_more_than_the_size(void **state)
{
	(void)state;
	for (uint64_t size = 512; size < 140 * GIB; size += size / 7 / 512 * 512 + 512) {
		uint16_t cylinders;
		uint8_t heads, sectors;

		footer_geometry(size, &cylinders, &heads, &sectors);
		assert_true((uint64_t)cylinders * heads * sectors * 512 <= size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_footers_have_the_documented_checksums),
		cmocka_unit_test(every_field_is_read_from_its_place),
		cmocka_unit_test(saved_state_is_exactly_one),
		cmocka_unit_test(refuses_damage_with_a_repaired_checksum),
		cmocka_unit_test(refuses_damage_that_the_checksum_shows),
		cmocka_unit_test(every_single_flipped_bit_is_noticed),
		cmocka_unit_test(fixed_disks_may_be_large_and_point_anywhere),
		cmocka_unit_test(early_blktap_hid_images_without_summing_again),
		cmocka_unit_test(the_first_blktap_had_other_bitmaps),
		cmocka_unit_test(the_cookie_tells_no_footer_from_a_damaged_one),
		cmocka_unit_test(geometry_follows_the_specification),
		cmocka_unit_test(geometry_never_promises_more_than_the_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
