/* test_engine_utf.c - UTF-16 of headers and locators, both ways, whatever it holds. */
#include "test.h"

#include "utf.h"

#include <string.h>

static void big_endian_and_little_endian_texts_are_read(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(utf16_to_utf8((const uint8_t *)"\0d\0y\0n", 3, true, text, sizeof text),
			 3);
	assert_string_equal(text, "dyn");
	assert_int_equal(utf16_to_utf8((const uint8_t *)"d\0y\0n\0", 3, false, text, sizeof text),
			 3);
	assert_string_equal(text, "dyn");
}

static void reads_every_length_of_character(void **state)
{
	/* A, u umlaut, the ideograph for water, a floppy disk */
	static const uint8_t units[] = {0x00, 0x41, 0x00, 0xFC, 0x6C, 0x34, 0xD8, 0x3D, 0xDC, 0xBE};
	static const char utf8[] = "A\xC3\xBC\xE6\xB0\xB4\xF0\x9F\x92\xBE";
	uint8_t back[sizeof units];
	char text[32];

	(void)state;
	assert_int_equal(utf16_to_utf8(units, 5, true, text, sizeof text), sizeof utf8 - 1);
	assert_string_equal(text, utf8);
	assert_int_equal(utf8_to_utf16(utf8, true, back, 5), 5);
	assert_memory_equal(back, units, sizeof units);
}

static void every_scalar_value_survives_the_round_trip(void **state)
{
	(void)state;
	for (uint32_t c = 1; c <= 0x10FFFF; c++) {
		uint8_t units[4], back[4];
		char text[8];
		size_t n;

		if (c == 0xD800)
			c = 0xE000;
		n = utf16_put(c, true, units);
		assert_true(utf16_to_utf8(units, n, true, text, sizeof text) > 0);
		assert_int_equal(utf8_to_utf16(text, true, back, 2), n);
		assert_memory_equal(back, units, n * 2);
	}
}

static void lone_surrogates_become_replacement_characters(void **state)
{
	static const struct {
		uint8_t units[6];
		size_t n;
		const char *text;
	} rows[] = {
		{{0xD8, 0x00}, 1, "\xEF\xBF\xBD"},
		{{0xDC, 0x00}, 1, "\xEF\xBF\xBD"},
		{{0xD8, 0x00, 0x00, 0x41},
		 2,
		 "\xEF\xBF\xBD"
		 "A"},
		{{0xD8, 0x00, 0xD8, 0x00, 0x00, 0x41},
		 3,
		 "\xEF\xBF\xBD\xEF\xBF\xBD"
		 "A"},
		{{0xDC, 0x00, 0xD8, 0x00}, 2, "\xEF\xBF\xBD\xEF\xBF\xBD"},
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		(void)utf16_to_utf8(rows[i].units, rows[i].n, true, text, sizeof text);
		assert_string_equal(text, rows[i].text);
	}
}

static void a_nul_unit_ends_the_text(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(utf16_to_utf8((const uint8_t *)"\0a\0\0\0b", 3, true, text, sizeof text),
			 1);
	assert_string_equal(text, "a");
	assert_int_equal(utf16_to_utf8(NULL, 0, true, text, sizeof text), 0);
	assert_string_equal(text, "");
}

static void a_small_buffer_cuts_on_a_character(void **state)
{
	static const uint8_t units[] = {0x00, 0x41, 0x6C, 0x34};
	char text[5] = "zzzz";

	(void)state;
	assert_int_equal(utf16_to_utf8(units, 2, true, text, 4), 1);
	assert_string_equal(text, "A");
	assert_int_equal(utf16_to_utf8(units, 2, true, text, 5), 4);
	assert_int_equal(utf16_to_utf8(units, 2, true, text, 1), 0);
	assert_string_equal(text, "");
}

static void refuses_what_is_not_utf8_or_too_long(void **state)
{
	static const char *const bad[] = {"\xC0\x80",         "\x80",     "a\xFF", "\xED\xA0\x80",
					  "\xF5\x80\x80\x80", "\xE6\xB0", "abcde"};
	uint8_t units[8];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(utf8_to_utf16(bad[i], true, units, 4), -1);
	assert_int_equal(utf8_to_utf16("abcd", true, units, 4), 4);
	assert_int_equal(utf8_to_utf16("abc\xF0\x9F\x92\xBE", true, units, 4), -1);
	assert_int_equal(utf8_to_utf16("", true, units, 0), 0);
}

static void malformed_bytes_are_taken_one_at_a_time(void **state)
{
	uint32_t c;

	(void)state;
	assert_int_equal(utf8_next("\xE6"
				   "A",
				   2, &c),
			 1);
	assert_true(c == UTF_MALFORMED);
	assert_int_equal(utf8_next("\xF0\x9F\x92\xBE", 3, &c), 1);
	assert_true(c == UTF_MALFORMED);
	assert_int_equal(utf8_next("\xF0\x9F\x92\xBE", 4, &c), 4);
	assert_int_equal(c, 0x1F4BE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(big_endian_and_little_endian_texts_are_read),
		cmocka_unit_test(reads_every_length_of_character),
		cmocka_unit_test(every_scalar_value_survives_the_round_trip),
		cmocka_unit_test(lone_surrogates_become_replacement_characters),
		cmocka_unit_test(a_nul_unit_ends_the_text),
		cmocka_unit_test(a_small_buffer_cuts_on_a_character),
		cmocka_unit_test(refuses_what_is_not_utf8_or_too_long),
		cmocka_unit_test(malformed_bytes_are_taken_one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
