/* test_engine_bytes.c - numbers on disk are big-endian, at any alignment. */
#include "test.h"

#include "bytes.h"

static const uint8_t bytes[9] = {0xFF, 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF};

static void reads_big_endian_at_odd_addresses(void **state)
{
	(void)state;
	assert_int_equal(get_be16(bytes + 1), 0x0123);
	assert_int_equal(get_be32(bytes + 1), 0x01234567);
	assert_true(get_be64(bytes + 1) == 0x0123456789ABCDEFULL);
}

static void keeps_the_top_bit(void **state)
{
	static const uint8_t ones[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

	(void)state;
	assert_int_equal(get_be16(ones), UINT16_MAX);
	assert_true(get_be32(ones) == UINT32_MAX);
	assert_true(get_be64(ones) == UINT64_MAX);
}

static void writes_what_it_reads(void **state)
{
	uint8_t out[9] = {0xFF};

	(void)state;
	put_be64(out + 1, 0x0123456789ABCDEFULL);
	assert_memory_equal(out, bytes, sizeof bytes);
	put_be32(out + 1, 0x89ABCDEF);
	assert_true(get_be32(out + 1) == 0x89ABCDEF);
	put_be16(out + 3, 0xFEDC);
	assert_true(get_be32(out + 1) == 0x89ABFEDC);
}

static void proves_ranges_without_wrapping(void **state)
{
	static const struct {
		uint64_t off, len, size;
		bool ok;
	} rows[] = {
		{0, 0, 0, true},
		{0, 1, 0, false},
		{512, 512, 1024, true},
		{513, 512, 1024, false},
		{1024, 0, 1024, true},
		{1025, 0, 1024, false},
		{UINT64_MAX, 1, 1024, false},
		{1, UINT64_MAX, 1024, false},
		{UINT64_MAX, UINT64_MAX, UINT64_MAX, false},
		{0, UINT64_MAX, UINT64_MAX, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(range_ok(rows[i].off, rows[i].len, rows[i].size), rows[i].ok);
}

static void rounds_up(void **state)
{
	(void)state;
	assert_int_equal(round_up(0, 512), 0);
	assert_int_equal(round_up(1, 512), 512);
	assert_int_equal(round_up(512, 512), 512);
	assert_int_equal(div_up(0, 3), 0);
	assert_int_equal(div_up(1, 3), 1);
	assert_int_equal(div_up(3, 3), 1);
	assert_true(div_up(UINT64_MAX, 2) == 1ULL << 63);
}

static void knows_powers_of_two(void **state)
{
	(void)state;
	assert_false(power_of_two(0));
	assert_true(power_of_two(1));
	assert_false(power_of_two(3));
	assert_true(power_of_two(1ULL << 63));
	assert_false(power_of_two(UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_big_endian_at_odd_addresses),
		cmocka_unit_test(keeps_the_top_bit),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(proves_ranges_without_wrapping),
		cmocka_unit_test(rounds_up),
		cmocka_unit_test(knows_powers_of_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
