/* test_api_range.c - Range, Content-Range and ETags, as curl and others spell them. */
#include "range.h"

#include <string.h>

#include "service.h"
#include "test.h"

#define SIZE UINT64_C(1048576)

static void reads_ranges(void **state)
{
	static const struct {
		const char *header;
		size_t n;
		uint64_t first, length; /* of the first one */
	} rows[] = {
		{NULL, 0, 0, 0},
		{"items=0-5", 0, 0, 0},
		{"bytesish=0-5", 0, 0, 0},
		{"bytes=0-511", 1, 0, 512},
		{"BYTES = 0-511", 1, 0, 512},
		{"bytes=0-0", 1, 0, 1},
		{"bytes=512-", 1, 512, SIZE - 512},
		{"bytes=-512", 1, SIZE - 512, 512},
		{"bytes=-1", 1, SIZE - 1, 1},
		{"bytes=-9999999999", 1, 0, SIZE},
		{"bytes=0-99999999999999999999", 1, 0, SIZE},
		{"bytes=1048575-", 1, SIZE - 1, 1},
		{"bytes=0-511,512-1023", 1, 0, 1024},
		{"bytes=512-1023, 0-511", 1, 0, 1024},
		{"bytes=0-511,100-200", 1, 0, 512},
		{"bytes=0-511,4607-4700", 1, 0, 4701},
		{"bytes=0-511,4608-4700", 2, 0, 512},
		{"bytes=0-0,-1", 2, 0, 1},
		{"bytes=0-0,,5-5", 1, 0, 6},
		{"bytes=0-4,", 1, 0, 5},
		{"bytes=,0-4", 1, 0, 5},
		{"bytes= , ,\t0-0,5-5", 1, 0, 6},
		{"bytes=0-4 , ", 1, 0, 5},
		{"bytes=0-0,1048576-", 1, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = {.code = CODE_NONE};
		struct range_set set;

		assert_true(range_parse(rows[i].header, SIZE, RANGE_MAX, &set, &problem));
		assert_int_equal(set.n, rows[i].n);
		if (set.n == 0)
			continue;
		assert_int_equal(set.items[0].first, rows[i].first);
		assert_int_equal(set.items[0].length, rows[i].length);
	}
}

static void refuses_ranges(void **state)
{
	static const struct {
		const char *header;
		enum code code;
		const char *detail;
	} rows[] = {
		{"bytes=", CODE_INVALID_RANGE_HEADER, "Range 'bytes=' cannot be read"},
		{"bytes=-", CODE_INVALID_RANGE_HEADER, "Range 'bytes=-' cannot be read"},
		{"bytes=5-4", CODE_INVALID_RANGE_HEADER, "Range 'bytes=5-4' cannot be read"},
		{"bytes=x-4", CODE_INVALID_RANGE_HEADER, "Range 'bytes=x-4' cannot be read"},
		{"bytes=0-4x", CODE_INVALID_RANGE_HEADER, "Range 'bytes=0-4x' cannot be read"},
		{"bytes=0x0-4", CODE_INVALID_RANGE_HEADER, "Range 'bytes=0x0-4' cannot be read"},
		{"bytes=+0-4", CODE_INVALID_RANGE_HEADER, "Range 'bytes=+0-4' cannot be read"},
		{"bytes=,", CODE_INVALID_RANGE_HEADER, "Range 'bytes=,' cannot be read"},
		{"bytes=, ,", CODE_INVALID_RANGE_HEADER, "Range 'bytes=, ,' cannot be read"},
		{"bytes=,x", CODE_INVALID_RANGE_HEADER, "Range 'bytes=,x' cannot be read"},
		{"bytes", CODE_INVALID_RANGE_HEADER, "Range 'bytes' cannot be read"},
		{"bytes 0-4", CODE_INVALID_RANGE_HEADER, "Range 'bytes 0-4' cannot be read"},
		{"bytes=0", CODE_INVALID_RANGE_HEADER, "Range 'bytes=0' cannot be read"},
		{"bytes=-0", CODE_RANGE_NOT_SATISFIABLE, "the disk ends at byte 1048576"},
		{"bytes=1048576-", CODE_RANGE_NOT_SATISFIABLE, "the disk ends at byte 1048576"},
		{"bytes=99999999999999999999-", CODE_RANGE_NOT_SATISFIABLE,
		 "the disk ends at byte 1048576"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = {.code = CODE_NONE};
		struct range_set set;

		assert_false(range_parse(rows[i].header, SIZE, RANGE_MAX, &set, &problem));
		assert_int_equal(problem.code, rows[i].code);
		assert_string_equal(problem.detail, rows[i].detail);
		assert_string_equal(problem.content_range,
				    rows[i].code == CODE_RANGE_NOT_SATISFIABLE ? "bytes */1048576"
									       : "");
	}
}

static void takes_64_ranges_and_no_more(void **state)
{
	struct problem problem = {.code = CODE_NONE};
	struct range_set set;
	char header[1024] = "bytes=0-0";
	size_t len = strlen(header);

	(void)state;
	for (int i = 1; i < 64; i++, len += 4)
		memcpy(header + len, ",0-0", 5);
	assert_true(range_parse(header, SIZE, RANGE_MAX, &set, &problem));
	assert_int_equal(set.n, 1);
	memcpy(header + len, ",0-0", 5);
	assert_false(range_parse(header, SIZE, RANGE_MAX, &set, &problem));
	assert_string_equal(problem.detail, "more than 64 ranges");
}

static void reads_every_spelling_of_content_range(void **state)
{
	static const struct {
		const char *header;
		uint64_t length; /* of the body */
		uint64_t first;
	} rows[] = {
		{"bytes 512-1023/*", 512, 512},
		{"bytes 512-1023/1048576", 512, 512}, /* the disk, as the RFC means it */
		{"bytes 512-1023/512", 512, 512},     /* curl -r 512-1023 -T: the body */
		{"bytes 512-/512", 512, 512},         /* curl -r 512- -T */
		{"bytes 1024-2047/2048", 1024, 1024}, /* curl -C 1024 -T: the file */
		{"bytes 1024-/2048", 1024, 1024},
		{"Bytes 0-/*", 5, 0},
		{"bytes 512-/*", SERVICE_UNKNOWN_LENGTH, 512},
		{"bytes 512-1023/512", SERVICE_UNKNOWN_LENGTH, 512},
		{"bytes 512-1023/1024", SERVICE_UNKNOWN_LENGTH, 512},
		{"bytes 512-/1048576", SERVICE_UNKNOWN_LENGTH, 512},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = {.code = CODE_NONE};
		struct content_range range;

		assert_true(range_content(rows[i].header, &range, &problem));
		assert_int_equal(range.first, rows[i].first);
		assert_true(range_content_fits(&range, rows[i].length, SIZE, &problem));
	}
}

static void refuses_what_is_no_content_range(void **state)
{
	static const char *const rows[] = {
		"",
		"bytes",
		"bytes */512",
		"bytes 5-4/*",
		"bytes 5/*",
		"bytes 0-4",
		"bytes 0-4/",
		"bytes 0-4/5x",
		"bytes=0-4/5",
		"items 0-4/5",
		"bytes -4/5",
		"bytes x-/*",
		"bytes 0-4/**",
		"bytes 0-4/5, 6-7/8",
		"bytes 99999999999999999999-/*",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = {.code = CODE_NONE};
		struct content_range range;

		assert_false(range_content(rows[i], &range, &problem));
		assert_int_equal(problem.code, CODE_CONTENT_RANGE_MISMATCH);
		assert_non_null(strstr(problem.detail, "is not 'bytes FIRST-LAST/SIZE'"));
	}
}

static void compares_content_range_with_body_and_disk(void **state)
{
	static const struct {
		const char *header;
		uint64_t length;
		const char *detail;
	} rows[] = {
		{"bytes 512-1023/*", 100, "Content-Range says bytes 512 to 1023, the body has 100"},
		{"bytes 512-/999", 512,
		 "the complete length 999 of Content-Range is neither that of the disk (1048576) nor of the "
		 "body nor of the file"},
		{"bytes 512-/512", SERVICE_UNKNOWN_LENGTH,
		 "the complete length 512 of Content-Range is neither that of the disk (1048576) nor of the "
		 "body nor of the file"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = {.code = CODE_NONE};
		struct content_range range;

		assert_true(range_content(rows[i].header, &range, &problem));
		assert_false(range_content_fits(&range, rows[i].length, SIZE, &problem));
		assert_string_equal(problem.detail, rows[i].detail);
	}
}

static void finds_an_etag_in_a_list(void **state)
{
	static const struct {
		const char *list;
		bool match;
	} rows[] = {
		{"\"d12.3\"", true},
		{"d12.3", true},
		{"*", true},
		{"W/\"d12.3\"", true},
		{"\"a\", \"d12.3\"", true},
		{"a,d12.3", true},
		{"\"d12.34\"", false},
		{"\"d12\"", false},
		{"d12.34", false},
		{"", false},
		{"\"\"", false},
		{",,,", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(range_etag_match(rows[i].list, "d12.3", false), rows[i].match);
	assert_false(range_etag_match("\"\"", "", false));
	assert_true(range_etag_match("W/\"d12.3\"", "d12.3", false));
	assert_false(range_etag_match("W/\"d12.3\"", "d12.3", true));
	assert_true(range_etag_match("W/\"d1\", \"d12.3\"", "d12.3", true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_ranges),
		cmocka_unit_test(refuses_ranges),
		cmocka_unit_test(takes_64_ranges_and_no_more),
		cmocka_unit_test(reads_every_spelling_of_content_range),
		cmocka_unit_test(refuses_what_is_no_content_range),
		cmocka_unit_test(compares_content_range_with_body_and_disk),
		cmocka_unit_test(finds_an_etag_in_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
