/* test_engine_locator.c - what locators say, and what we write into them. */
#include "test.h"

#include "locator.h"

#include <string.h>

static void small_space_is_sectors_and_large_space_is_bytes(void **state)
{
	static const struct {
		uint32_t stored;
		uint64_t bytes;
	} rows[] = {{0, 0},     {1, 512},     {511, 511 * 512},
		    {512, 512}, {4096, 4096}, {UINT32_MAX, UINT32_MAX}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct locator_entry entry = {.data_space = rows[i].stored};

		assert_true(locator_space(&entry) == rows[i].bytes);
	}
}

#define BYTES(text) text, sizeof(text) - 1

static void decodes_every_kind(void **state)
{
	static const struct {
		uint32_t code;
		const char *data;
		size_t len;
		const char *text;
	} rows[] = {
		{LOCATOR_W2RU, BYTES(".\0\\\0d\0"), ".\\d"},
		{LOCATOR_W2KU, BYTES("C\0:\0\\\0d\0"), "C:\\d"},
		{LOCATOR_W2RU,
		 BYTES("\xFF\xFE"
		       "d\0"),
		 "d"},
		{LOCATOR_W2RU, BYTES("d\0\0\0x\0"), "d"},
		{LOCATOR_W2RU, BYTES("\x34\x6C"), "\xE6\xB0\xB4"},
		{LOCATOR_W2RU, BYTES("d\0x"), ""}, /* half a unit */
		{LOCATOR_W2RU, BYTES(""), ""},
		{LOCATOR_MACX, BYTES("file://./dyn.vhd"), "file://./dyn.vhd"},
		{LOCATOR_MACX, BYTES("file://a\0\0\0"), "file://a"},
		{LOCATOR_MACX, BYTES("file://\xFF"), ""},
		{LOCATOR_WI2R, BYTES(".\\old.vhd"), ".\\old.vhd"},
		{LOCATOR_WI2K, BYTES("C:\\gr\xFCn.vhd"), ""}, /* in which code page? */
		{LOCATOR_MAC, BYTES("alias"), ""},
		{0x41424344, BYTES("text"), ""},
		{0, BYTES("text"), ""},
	};
	char text[VHD_LOCATOR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		memset(text, 'x', sizeof text);
		locator_decode(rows[i].code, (const uint8_t *)rows[i].data, rows[i].len, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void long_texts_are_none(void **state)
{
	uint8_t data[LOCATOR_DATA_MAX + 1];
	char text[VHD_LOCATOR_TEXT];

	(void)state;
	memset(data, 'a', sizeof data);
	locator_decode(LOCATOR_MACX, data, VHD_LOCATOR_TEXT - 1, text);
	assert_int_equal(strlen(text), VHD_LOCATOR_TEXT - 1);
	locator_decode(LOCATOR_MACX, data, VHD_LOCATOR_TEXT, text);
	assert_string_equal(text, "");
	locator_decode(LOCATOR_W2RU, data, LOCATOR_DATA_MAX,
		       text); /* 1,024 characters of three bytes */
	assert_string_equal(text, "");
	locator_decode(LOCATOR_W2RU, data, 341 * 2, text);
	assert_int_equal(strlen(text), 1023);
	locator_decode(LOCATOR_MACX, data, sizeof data, text);
	assert_string_equal(text, "");
}

static void names_the_paths_that_a_text_means(void **state)
{
	static const struct {
		uint32_t code;
		const char *text;
		int n;
		const char *first, *second;
	} rows[] = {
		{LOCATOR_W2RU, ".\\dir\\p.vhd", 1, "./dir/p.vhd", NULL},
		{LOCATOR_W2RU, "..\\p.vhd", 1, "../p.vhd", NULL},
		{LOCATOR_W2RU, "p.vhd", 1, "p.vhd", NULL},
		{LOCATOR_W2KU, "C:\\vhd\\dyn.vhd", 1, "/vhd/dyn.vhd", NULL},
		{LOCATOR_W2KU, "d:\\x", 1, "/x", NULL},
		{LOCATOR_W2KU, "C:x.vhd", 1, "x.vhd", NULL},
		{LOCATOR_W2KU, "/posix/p.vhd", 1, "/posix/p.vhd", NULL}, /* VirtualBox */
		{LOCATOR_W2KU, ".\\p.vhd", 1, "./p.vhd", NULL},          /* blktap */
		{LOCATOR_W2KU, "\\\\?\\C:\\a\\b", 1, "/a/b", NULL},
		{LOCATOR_W2KU, "\\\\host\\share\\b", 0, NULL, NULL},
		{LOCATOR_W2KU, "\\\\?\\UNC\\host\\b", 0, NULL, NULL},
		{LOCATOR_W2KU, "C:", 0, NULL, NULL},
		{LOCATOR_W2KU, "", 0, NULL, NULL},
		{LOCATOR_WI2R, ".\\p.vhd", 1, "./p.vhd", NULL},
		{LOCATOR_MACX, "file://./p.vhd", 1, "./p.vhd", NULL},
		{LOCATOR_MACX, "file://p.vhd", 1, "p.vhd", NULL},
		{LOCATOR_MACX, "file:///abs/p.vhd", 1, "/abs/p.vhd", NULL},
		{LOCATOR_MACX, "file://localhost/abs/p.vhd", 1, "/abs/p.vhd", NULL},
		{LOCATOR_MACX, "file://localhost.vhd", 1, "localhost.vhd", NULL},
		{LOCATOR_MACX, "file://a%20b.vhd", 2, "a%20b.vhd", "a b.vhd"},
		{LOCATOR_MACX, "file://%c3%BC", 2, "%c3%BC", "\xC3\xBC"},
		{LOCATOR_MACX, "file://a%2", 1, "a%2", NULL},
		{LOCATOR_MACX, "file://a%", 1, "a%", NULL},
		{LOCATOR_MACX, "file://a%zz", 1, "a%zz", NULL},
		{LOCATOR_MACX, "file://a%00b", 1, "a%00b", NULL},
		{LOCATOR_MACX, "file://%20%", 1, "%20%", NULL},
		{LOCATOR_MACX, "file://", 0, NULL, NULL},
		{LOCATOR_MACX, "file:/x", 0, NULL, NULL},
		{LOCATOR_MACX, "http://x/y", 0, NULL, NULL},
		{LOCATOR_MACX, "p.vhd", 0, NULL, NULL},
		{LOCATOR_MAC, "p.vhd", 0, NULL, NULL},
		{0, "p.vhd", 0, NULL, NULL},
	};
	char paths[2][VHD_LOCATOR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct vhd_locator locator = {.code = rows[i].code};

		memcpy(locator.text, rows[i].text, strlen(rows[i].text) + 1);
		assert_int_equal(locator_paths(&locator, paths), rows[i].n);
		if (rows[i].n > 0)
			assert_string_equal(paths[0], rows[i].first);
		if (rows[i].n > 1)
			assert_string_equal(paths[1], rows[i].second);
	}
}

static void texts_as_long_as_can_be_are_followed(void **state)
{
	struct vhd_locator locator = {.code = LOCATOR_MACX, .text = "file://"};
	char paths[2][VHD_LOCATOR_TEXT];

	(void)state;
	memset(locator.text + 7, '%', VHD_LOCATOR_TEXT - 8);
	assert_int_equal(locator_paths(&locator, paths), 1);
	locator.code = LOCATOR_W2RU;
	assert_int_equal(locator_paths(&locator, paths), 1);
	assert_int_equal(strlen(paths[0]), VHD_LOCATOR_TEXT - 1);
}

/* What a reader finds in what we write. */
static void made(const char *child, const char *parent, bool absolute,
		 char ret_texts[2][VHD_LOCATOR_TEXT])
{
	struct locator_data data[2];

	assert_int_equal(locator_make(child, parent, absolute, data, NULL), 0);
	assert_int_equal(data[0].code, absolute ? LOCATOR_W2KU : LOCATOR_W2RU);
	assert_int_equal(data[1].code, LOCATOR_MACX);
	for (int i = 0; i < 2; i++)
		locator_decode(data[i].code, data[i].data, data[i].len, ret_texts[i]);
}

static void writes_the_way_from_child_to_parent(void **state)
{
	static const struct {
		const char *child, *parent, *windows, *url;
	} rows[] = {
		{"/v/c.vhd", "/v/p.vhd", ".\\p.vhd", "file://./p.vhd"},
		{"/v/c.vhd", "/v/base/p.vhd", ".\\base\\p.vhd", "file://./base/p.vhd"},
		{"/v/w/c.vhd", "/v/p.vhd", "..\\p.vhd", "file://../p.vhd"},
		{"/v/w/c.vhd", "/v/x/p.vhd", "..\\x\\p.vhd", "file://../x/p.vhd"},
		{"/v/abc/c.vhd", "/v/ab/p.vhd", "..\\ab\\p.vhd", "file://../ab/p.vhd"},
		{"/v/ab/c.vhd", "/v/abc/p.vhd", "..\\abc\\p.vhd", "file://../abc/p.vhd"},
		{"/a/b/c/d.vhd", "/p.vhd", "..\\..\\..\\p.vhd", "file://../../../p.vhd"},
		{"/c.vhd", "/p.vhd", ".\\p.vhd", "file://./p.vhd"},
		{"/c.vhd", "/a/b/p.vhd", ".\\a\\b\\p.vhd", "file://./a/b/p.vhd"},
		{"/a/b", "/a/b/c", ".\\b\\c", "file://./b/c"},
		{"//v/./w/..//c.vhd", "/v///x/../p.vhd", ".\\p.vhd", "file://./p.vhd"},
		{"/../c.vhd", "/../../p.vhd", ".\\p.vhd", "file://./p.vhd"},
		{"/v/c.vhd", "/v/a b%\xC3\xBC#.vhd", ".\\a b%\xC3\xBC#.vhd",
		 "file://./a%20b%25%C3%BC%23.vhd"},
		{"/v/c.vhd", "/v/A-z_0.9~.vhd", ".\\A-z_0.9~.vhd", "file://./A-z_0.9~.vhd"},
	};
	char texts[2][VHD_LOCATOR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		made(rows[i].child, rows[i].parent, false, texts);
		assert_string_equal(texts[0], rows[i].windows);
		assert_string_equal(texts[1], rows[i].url);
	}
}

static void writes_absolute_paths_with_a_drive(void **state)
{
	char texts[2][VHD_LOCATOR_TEXT];

	(void)state;
	made("/v/c.vhd", "/vhd/./d y/n.vhd", true, texts);
	assert_string_equal(texts[0], "C:\\vhd\\d y\\n.vhd");
	assert_string_equal(texts[1], "file:///vhd/d%20y/n.vhd");
}

static void what_it_writes_leads_to_the_parent(void **state)
{
	static const char parent[] = "/v/w/\xF0\x9F\x92\xBE %41.vhd";
	struct vhd_locator locator;
	char texts[2][VHD_LOCATOR_TEXT], paths[2][VHD_LOCATOR_TEXT];

	(void)state;
	made("/v/w/c.vhd", parent, false, texts);
	locator.code = LOCATOR_W2RU;
	memcpy(locator.text, texts[0], sizeof locator.text);
	assert_int_equal(locator_paths(&locator, paths), 1);
	assert_string_equal(paths[0] + 2, parent + 5);
	locator.code = LOCATOR_MACX;
	memcpy(locator.text, texts[1], sizeof locator.text);
	assert_int_equal(locator_paths(&locator, paths), 2);
	assert_string_equal(paths[1] + 2, parent + 5);
}

static void long_names_are_written_without_escapes(void **state)
{
	char parent[800] = "/v/%", texts[2][VHD_LOCATOR_TEXT];

	(void)state;
	for (size_t i = 4; i + 2 < sizeof parent; i += 2)
		memcpy(parent + i, "\xC3\xBC", 3);
	made("/v/c.vhd", parent, false, texts);
	assert_int_equal(strncmp(texts[0], ".\\%\xC3\xBC", 5), 0);
	assert_int_equal(strncmp(texts[1], "file://./%25\xC3\xBC", 14), 0);
}

static void refuses_paths_that_no_locator_can_hold(void **state)
{
	char deep[2100] = "", far[1000] = "";
	const struct {
		const char *child, *parent;
		bool absolute;
		const char *text;
	} rows[] = {
		{"/c", "p.vhd", true, "locator: path of the parent \"p.vhd\" is not absolute"},
		{"c", "/p.vhd", false, "locator: path of the child \"c\" is not absolute"},
		{"/c", "", true, "locator: path of the parent \"\" is not absolute"},
		{"/c", NULL, true, "locator: path of the parent \"\" is not absolute"},
		{"/c", "/a/..", true, "locator: path of the parent \"/a/..\" names no file"},
		{"/", "/p", true, "locator: path of the child \"/\" names no file"},
		{"/c", "/\xFF.vhd", true,
		 "locator: path of the parent \"/\\xFF.vhd\" is not UTF-8"},
		{"/c", deep, true, "locator: path of the parent of 2098 bytes is too long"},
		{far, "/p", false, "locator: the way to the parent is too long for 1024 bytes"},
	};

	(void)state;
	for (size_t i = 0; i + 2 < sizeof deep; i += 2)
		memcpy(deep + i, "/d", 3);
	for (size_t i = 0; i + 2 < sizeof far; i += 2)
		memcpy(far + i, "/f", 3);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct locator_data data[2];
		struct vhd_error err;

		assert_int_equal(
			locator_make(rows[i].child, rows[i].parent, rows[i].absolute, data, &err),
			VHD_E_INVALID);
		assert_string_equal(err.text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_space_is_sectors_and_large_space_is_bytes),
		cmocka_unit_test(decodes_every_kind),
		cmocka_unit_test(long_texts_are_none),
		cmocka_unit_test(names_the_paths_that_a_text_means),
		cmocka_unit_test(texts_as_long_as_can_be_are_followed),
		cmocka_unit_test(writes_the_way_from_child_to_parent),
		cmocka_unit_test(writes_absolute_paths_with_a_drive),
		cmocka_unit_test(what_it_writes_leads_to_the_parent),
		cmocka_unit_test(long_names_are_written_without_escapes),
		cmocka_unit_test(refuses_paths_that_no_locator_can_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
