/* test_engine_error.c - a failure is one line of printable text, whatever an image says. */
#include "test.h"

#include "error.h"

#include <errno.h>
#include <string.h>

static void says_what_happened(void **state)
{
	struct vhd_error err = {.sys = 7};

	(void)state;
	assert_int_equal(vhd_fail(&err, VHD_E_CORRUPT, "footer: type %d", 5), VHD_E_CORRUPT);
	assert_int_equal(err.code, VHD_E_CORRUPT);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.text, "footer: type 5");
}

static void needs_no_place_for_the_text(void **state)
{
	(void)state;
	assert_int_equal(vhd_fail(NULL, VHD_E_RANGE, "x"), VHD_E_RANGE);
	assert_int_equal(vhd_fail_sys(NULL, -ENOSPC, "x"), VHD_E_NOSPC);
	assert_int_equal(vhd_wrap(NULL, VHD_E_IO, "x"), VHD_E_IO);
}

static void tells_what_the_store_said(void **state)
{
	static const struct {
		int sys, code;
		const char *text;
	} rows[] = {
		{-ENOSPC, VHD_E_NOSPC, "write: No space left on device"},
		{-EDQUOT, VHD_E_NOSPC, "write: Disk quota exceeded"},
		{-EFBIG, VHD_E_NOSPC, "write: File too large"},
		{-ENOMEM, VHD_E_NOMEM, "write: Cannot allocate memory"},
		{-EAGAIN, VHD_E_AGAIN, "write: Resource temporarily unavailable"},
		{-ENODATA, VHD_E_CORRUPT, "write: the file ends before that"},
		{-EIO, VHD_E_IO, "write: Input/output error"},
		{-EACCES, VHD_E_IO, "write: Permission denied"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct vhd_error err;

		assert_int_equal(vhd_fail_sys(&err, rows[i].sys, "write"), rows[i].code);
		assert_int_equal(err.code, rows[i].code);
		assert_int_equal(err.sys, -rows[i].sys);
		assert_string_equal(err.text, rows[i].text);
	}
}

static void each_floor_adds_its_name(void **state)
{
	struct vhd_error err;
	int r = vhd_fail_sys(&err, -EIO, "read %d bytes", 512);

	(void)state;
	r = vhd_wrap(&err, r, "block %d", 7);
	r = vhd_wrap(&err, r, "leaf.vhd");
	assert_int_equal(r, VHD_E_IO);
	assert_int_equal(err.sys, EIO);
	assert_string_equal(err.text, "leaf.vhd: block 7: read 512 bytes: Input/output error");
}

static void success_is_not_wrapped(void **state)
{
	struct vhd_error err = {.text = "untouched"};

	(void)state;
	assert_int_equal(vhd_wrap(&err, 3, "x"), 3);
	assert_string_equal(err.text, "untouched");
}

static void shows_hostile_text_as_escapes(void **state)
{
	static const struct {
		const char *raw, *shown;
	} rows[] = {
		{"plain ~", "plain ~"},
		{"a\nb\r\tc", "a\\x0Ab\\x0D\\x09c"},
		{"\033[31m", "\\x1B[31m"},
		{"\x7F", "\\x7F"},
		{"gr\xC3\xBCn \xE6\xB0\xB4 \xF0\x9F\x92\xBE",
		 "gr\xC3\xBCn \xE6\xB0\xB4 \xF0\x9F\x92\xBE"},
		{"\xC2\x85", "\\xC2\\x85"},                   /* next line */
		{"\xE2\x80\xAE", "\\xE2\\x80\\xAE"},          /* right-to-left override */
		{"\xE2\x80\x8B", "\\xE2\\x80\\x8B"},          /* zero width */
		{"\xEF\xBB\xBF", "\\xEF\\xBB\\xBF"},          /* byte order mark */
		{"\xEF\xBF\xBF", "\\xEF\\xBF\\xBF"},          /* not a character */
		{"\xC0\xAF", "\\xC0\\xAF"},                   /* overlong */
		{"\xED\xA0\x80", "\\xED\\xA0\\x80"},          /* surrogate */
		{"\xF4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"}, /* past U+10FFFF */
		{"\xE6\xB0", "\\xE6\\xB0"},                   /* cut */
		{"\xFF", "\\xFF"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct vhd_error err;

		(void)vhd_fail(&err, VHD_E_CORRUPT, "%s", rows[i].raw);
		assert_string_equal(err.text, rows[i].shown);
	}
}

static void cuts_long_texts_on_a_character(void **state)
{
	struct vhd_error err;
	char long_text[2000];

	(void)state;
	memset(long_text, 'a', 510);
	memcpy(long_text + 510, "\xC3\xBC", sizeof "\xC3\xBC");
	(void)vhd_fail(&err, VHD_E_CORRUPT, "%s", long_text);
	assert_int_equal(strlen(err.text), 510);

	memset(long_text, '\n', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	(void)vhd_fail(&err, VHD_E_CORRUPT, "%s", long_text);
	assert_int_equal(strlen(err.text), 508);

	(void)vhd_wrap(&err, VHD_E_CORRUPT, "%s", "top");
	assert_int_equal(strncmp(err.text, "top: \\x0A", 9), 0);
	assert_true(strlen(err.text) < sizeof err.text);
}

static void a_long_name_leaves_room_for_the_reason(void **state)
{
	struct vhd_error err;
	char name[1000];

	(void)state;
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	(void)vhd_fail_sys(&err, -EIO, "%s", name);
	assert_non_null(strstr(err.text, "nnn: Input/output error"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_happened),
		cmocka_unit_test(needs_no_place_for_the_text),
		cmocka_unit_test(tells_what_the_store_said),
		cmocka_unit_test(each_floor_adds_its_name),
		cmocka_unit_test(success_is_not_wrapped),
		cmocka_unit_test(shows_hostile_text_as_escapes),
		cmocka_unit_test(cuts_long_texts_on_a_character),
		cmocka_unit_test(a_long_name_leaves_room_for_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
