/* test_api_text.c - numbers, sizes, times, queries, bodies and base64: everything that is parsed
 * from text. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "api.h"
#include "base64.h"
#include "body.h"
#include "buf.h"
#include "fields.h"
#include "number.h"
#include "put.h"
#include "query.h"
#include "test.h"

static void reads_sizes(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} rows[] = {
		{"0", true, 0},
		{"512", true, 512},
		{"18446744073709551615", true, UINT64_MAX},
		{"18446744073709551616", false, 0},
		{"10G", true, UINT64_C(10) << 30},
		{"10g", true, UINT64_C(10) << 30},
		{"10GiB", true, UINT64_C(10) << 30},
		{"10 GiB", true, UINT64_C(10) << 30},
		{"10GB", true, UINT64_C(10000000000)},
		{"1kb", true, 1000},
		{"1K", true, 1024},
		{"2T", true, UINT64_C(2) << 40},
		{"1.5G", true, UINT64_C(3) << 29},
		{"0.5 KiB", true, 512},
		{"16777216T", false, 0},
		{"16777215T", true, UINT64_C(16777215) << 40},
		{"", false, 0},
		{"G", false, 0},
		{"-1", false, 0},
		{"+1", false, 0},
		{" 1", false, 0},
		{"1 ", false, 0},
		{"1  G", false, 0},
		{"1.5", false, 0},
		{"1.G", false, 0},
		{".5G", false, 0},
		{"1.1234567G", false, 0},
		{"1.5.5G", false, 0},
		{"1X", false, 0},
		{"0x10", false, 0},
		{"1e3", false, 0},
		{"10GiBB", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t value = 0;

		if (number_size(rows[i].text, &value) != rows[i].ok)
			fail_msg("'%s'", rows[i].text);
		if (rows[i].ok)
			assert_true(value == rows[i].value);
	}
}

static void reads_times_of_vhd(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint32_t seconds;
	} rows[] = {
		{"2000-01-01T00:00:00Z", true, 0},
		{"2000-01-01T00:01:00.123Z", true, 60},
		{"2026-11-22T06:00:00Z", true, 848642400},
		{"2024-02-29T00:00:00Z", true, 762480000},
		{"2023-02-29T00:00:00Z", false, 0},
		{"1999-12-31T23:59:59Z", false, 0},
		{"2136-12-31T00:00:00Z", false, 0},
		{"2026-11-22T06:00:00", false, 0},
		{"2026-11-22T06:00:00+01:00", false, 0},
		{"2026-11-22 06:00:00Z", false, 0},
		{"2026-13-22T06:00:00Z", false, 0},
		{"2026-11-22T24:00:00Z", false, 0},
		{"2026-11-22T06:00:00.Z", false, 0},
		{"yesterday", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t seconds = 0;

		assert_int_equal(number_vhd_time(rows[i].text, &seconds), rows[i].ok);
		assert_int_equal(seconds, rows[i].seconds);
	}
}

static void writes_numbers(void **state)
{
	static const uint64_t numbers[] = {0, 9, 10, 99, 100, 18446744073709551615U};

	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		char text[NUMBER_TEXT], want[NUMBER_TEXT];

		(void)snprintf(want, sizeof want, "%" PRIu64, numbers[i]);
		assert_ptr_equal(number_text(numbers[i], text), text + strlen(want));
		assert_string_equal(text, want);
	}
}

static void writes_times(void **state)
{
	char text[NUMBER_TIME];

	(void)state;
	number_time(INT64_C(1795330263120), text);
	assert_string_equal(text, "2026-11-22T06:51:03.120Z");
	number_time(-5, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	number_time(INT64_MAX, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	number_vhd_time_text(UINT32_MAX, text);
	assert_string_equal(text, "2136-02-07T06:28:15.000Z");
}

static void writes_times_as_the_c_library_does(void **state)
{
	(void)state;
	/* Every ten days and a bit, over all that has four digits. */
	for (int64_t ms = 0; ms < INT64_C(253402300800000); ms += INT64_C(911636007)) {
		char text[NUMBER_TIME], want[64];
		time_t seconds = (time_t)(ms / 1000);
		struct tm tm;
		size_t len;

		assert_non_null(gmtime_r(&seconds, &tm));
		len = strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
		(void)snprintf(want + len, sizeof want - len, ".%03uZ", (unsigned)(ms % 1000));
		number_time(ms, text);
		assert_string_equal(text, want);
	}
}

static void reads_uuids_as_lower_case(void **state)
{
	char uuid[37] = "";

	(void)state;
	assert_true(number_uuid("89A62601-C82A-447A-A7FD-F7F379195E80", uuid));
	assert_string_equal(uuid, "89a62601-c82a-447a-a7fd-f7f379195e80");
	assert_false(number_uuid("89a62601-c82a-447a-a7fd-f7f379195e8", uuid));
	assert_false(number_uuid("89a62601c82a-447a-a7fd-f7f379195e80-", uuid));
	assert_false(number_uuid("89a62601-c82a-447a-a7fd-f7f379195e8g", uuid));
}

static void decodes_queries_once(void **state)
{
	struct problem problem = {.code = CODE_NONE};
	struct query query = {.n = 0};
	const char *raw = "a=1&b=x%2By+z&&c=%2525&d=&f%66";

	(void)state;
	assert_true(query_parse(&query, raw, strlen(raw), &problem));
	assert_int_equal(query.n, 5);
	assert_string_equal(query_get(&query, "a"), "1");
	assert_string_equal(query_get(&query, "b"), "x+y z");
	assert_string_equal(query_get(&query, "c"), "%25");
	assert_string_equal(query_get(&query, "d"), "");
	assert_ptr_not_equal(query_get(&query, "d"), query_bare);
	assert_ptr_equal(query_get(&query, "ff"), query_bare);
	assert_null(query_get(&query, "e"));
	query_fini(&query);
}

static void refuses_queries(void **state)
{
	static const struct {
		const char *raw;
		const char *detail;
	} rows[] = {
		{"a=1&a=2", "a: comes more than once"},
		{"a&a", "a: comes more than once"},
		{"a%0", "a%0: has a bad escape or a control character"},
		{"a=%0", "a: has a bad escape or a control character"},
		{"a=%zz", "a: has a bad escape or a control character"},
		{"a=%00b", "a: has a bad escape or a control character"},
		{"a=%0a", "a: has a bad escape or a control character"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = {.code = CODE_NONE};
		struct query query = {.n = 0};

		assert_false(query_parse(&query, rows[i].raw, strlen(rows[i].raw), &problem));
		assert_string_equal(problem.detail, rows[i].detail);
		query_fini(&query);
	}
}

static void takes_json_and_forms_alike(void **state)
{
	static const struct {
		const char *body;
		const char *json;
	} rows[] = {
		{"", "{}"},
		{" \r\n", "{}"},
		{"{\"a\":1}\n", "{\"a\":1}"},
		{"  {\"a\":{\"b\":[]}}", "{\"a\":{\"b\":[]}}"},
		{"name=base&size=10G", "{\"name\":\"base\",\"size\":\"10G\"}"},
		{"labels.env=prod&labels.a.b=c\n", "{\"labels\":{\"env\":\"prod\",\"a.b\":\"c\"}}"},
		{"d=a+b%26c", "{\"d\":\"a b&c\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = {.code = CODE_NONE};
		json_t *body =
			body_parse(rows[i].body, strlen(rows[i].body), API_JSON_DEPTH, &problem);
		char *text;

		assert_non_null(body);
		text = json_dumps(body, JSON_COMPACT);
		assert_string_equal(text, rows[i].json);
		free(text);
		json_decref(body);
	}
}

static void refuses_bodies(void **state)
{
	static const struct {
		const char *body;
		enum code code;
		const char *detail;
	} rows[] = {
		{"{\"a\":1,\"a\":2}", CODE_INVALID_JSON,
		 "line 1, column 10: duplicate object key near '\"a\"'"},
		{"{\"a\":1} x", CODE_INVALID_JSON,
		 "line 1, column 9: end of file expected near 'x'"},
		{"{", CODE_INVALID_JSON,
		 "line 1, column 1: string or '}' expected near end of file"},
		{"[1]", CODE_INVALID_JSON, "the body must be an object: {...}"},
		{"{\"a\":\"\\u0000\"}", CODE_INVALID_JSON,
		 "line 1, column 13: \\u0000 is not allowed without JSON_ALLOW_NUL near '\"\\u0000\"'"},
		{"{\"a\":\"\xff\"}", CODE_INVALID_JSON,
		 "line 1, column 6: unable to decode byte 0xff near '\"'"},
		{"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", CODE_INVALID_JSON,
		 "nested deeper than 32 levels"},
		{"a=1&a=2", CODE_INVALID_VALUE, "/a: comes more than once"},
		{"a=1&a.b=2", CODE_INVALID_VALUE, "/a.b: is there as a value, and with parts"},
		{"a=%ff", CODE_INVALID_VALUE, "/a: is not UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = {.code = CODE_NONE};

		assert_null(
			body_parse(rows[i].body, strlen(rows[i].body), API_JSON_DEPTH, &problem));
		assert_int_equal(problem.code, rows[i].code);
		assert_string_equal(problem.detail, rows[i].detail);
	}
}

static void counts_no_brackets_inside_strings(void **state)
{
	struct problem problem = {.code = CODE_NONE};
	const char *text = "{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}";
	json_t *body = body_parse(text, strlen(text), API_JSON_DEPTH, &problem);

	(void)state;
	assert_non_null(body);
	json_decref(body);
}

static void tells_all_wrong_fields_at_once(void **state)
{
	struct problem problem = {.code = CODE_NONE};
	json_t *object = json_loads(
		"{\"t\":1,\"b\":\"maybe\",\"s\":-1,\"c\":\"z\",\"x\":null,\"ok\":\"1K\"}", 0, NULL);
	struct fields fields = {.object = object, .problem = &problem, .path = ""};
	static const char *const words[] = {"y", "n"};
	const char *text = NULL;
	bool flag = false;
	uint64_t size = 0;
	unsigned choice = 0;

	(void)state;
	fields_text(&fields, "t", 10, &text);
	fields_bool(&fields, "b", &flag);
	assert_false(fields_size(&fields, "s", &size));
	fields_choice(&fields, "c", words, 2, &choice);
	assert_true(fields_size(&fields, "ok", &size));
	assert_int_equal(size, 1024);
	fields_finish(&fields);
	assert_int_equal(problem.n_items, 5);
	assert_string_equal(problem.detail, "/t: must be a string");
	assert_string_equal(problem.items[1].detail, "must be true or false");
	assert_string_equal(
		problem.items[2].detail,
		"must be an integer below 2^64, without point or exponent, or text like \"10G\"");
	assert_string_equal(problem.items[3].detail, "must be one of: y, n");
	assert_string_equal(problem.items[4].where, "/x");
	assert_int_equal(problem.items[4].code, CODE_UNKNOWN_FIELD);
	json_decref(object);
}

static void decodes_base64(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		const char *data;
		size_t len;
	} rows[] = {
		{"", true, "", 0},
		{"TWFu", true, "Man", 3},
		{"TWE=", true, "Ma", 2},
		{"TQ==", true, "M", 1},
		{"+/+/", true, "\xfb\xff\xbf", 3},
		{"TQ=", false, "", 0},
		{"T===", false, "", 0},
		{"TQ", false, "", 0},
		{"TW=u", false, "", 0},
		{"TW u", false, "", 0},
		{"====", false, "", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned char data[8];
		size_t len = 0;

		assert_int_equal(base64_decode(rows[i].text, strlen(rows[i].text), data, &len),
				 rows[i].ok);
		assert_int_equal(len, rows[i].len);
		if (rows[i].ok)
			assert_memory_equal(data, rows[i].data, len);
	}
}

static void grows_text(void **state)
{
	struct buf buf = {0};
	char *text;

	(void)state;
	for (int i = 0; i < 500; i++)
		buf_printf(&buf, "%010d", i);
	buf_json(&buf, "a\"b\\c\n\xc3\xa9");
	text = buf_take(&buf, NULL);
	assert_int_equal(strncmp(text, "00000000000000000001", 20), 0);
	assert_string_equal(text + 5000, "\"a\\u0022b\\u005cc\\u000a\xc3\xa9\"");
	free(text);
}

/* What a JSON string of `len` times "x" is, with `byte` at `at`. */
static void expected_json(char *to, size_t len, size_t at, unsigned char byte)
{
	*to++ = '"';
	for (size_t i = 0; i < len; i++) {
		if (i != at)
			*to++ = 'x';
		else if (byte < 0x20 || byte == '"' || byte == '\\')
			to += sprintf(to, "\\u%04x", byte);
		else
			*to++ = (char)byte;
	}
	memcpy(to, "\"", 2);
}

static void every_byte_is_escaped_as_it_must_wherever_it_stands(void **state)
{
	char text[32], expected[64];

	(void)state;
	for (size_t len = 1; len < 27; len++) {
		for (size_t at = 0; at < len; at++) {
			for (unsigned byte = 1; byte < 256; byte++) {
				struct buf buf = {0};

				memset(text, 'x', sizeof text);
				text[at] = (char)byte;
				text[len] = '\0';
				expected_json(expected, len, at, (unsigned char)byte);
				buf_json(&buf, text);
				assert_string_equal(buf.data, expected);
				buf_fini(&buf);
			}
		}
	}
}

/* All kinds of members, at all kinds of places. */
static void put_all(struct put *put)
{
	put_open(put, NULL, '{');
	put_open(put, "empty", '[');
	put_close(put, ']');
	put_string(put, "a\"b", "a{[:");
	put_number(put, "zero", 0);
	put_number(put, "most", INT64_MAX);
	put_open(put, "list", '[');
	put_bool(put, NULL, true);
	put_null(put, NULL);
	put_open(put, NULL, '{');
	put_close(put, '}');
	put_string_or_null(put, NULL, "");
	put_string_or_null(put, NULL, "x");
	put_close(put, ']');
	put_bool(put, "last", false);
	put_close(put, '}');
}

static void puts_members_as_text(void **state)
{
	struct put put = {.tree = false};

	(void)state;
	put_all(&put);
	assert_string_equal(put.text.data,
			    "{\"empty\":[],\"a\\u0022b\":\"a{[:\",\"zero\":0,"
			    "\"most\":9223372036854775807,\"list\":[true,null,{},null,\"x\"],"
			    "\"last\":false}");
	put_fini(&put);
}

static void puts_the_same_members_as_a_tree(void **state)
{
	struct put text = {.tree = false}, tree = {.tree = true};
	json_t *want, *got;

	(void)state;
	put_all(&text);
	put_all(&tree);
	want = json_loads(text.text.data, 0, NULL);
	got = put_take(&tree);
	assert_non_null(want);
	assert_true(json_equal(got, want));
	assert_null(put_take(&tree)); /* it was taken */
	json_decref(want);
	json_decref(got);
	put_fini(&text);
}

static void shows_no_character_that_moves_others(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"a\nb\tc\x1b[2J\x7f", "a?b?c?[2J?"},
		{"a\xc2\x85"
		 "b\xc2\x9b"
		 "c\xc2\xa0",
		 "a??b??c\xc2\xa0"},
		{"a\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae\xe2\x80\x8f", "a????????????"},
		{"a\xe2\x81\xa6\xe2\x81\xa9", "a??????"},
		{"a\xe2\x81\xa5\xe2\x81\xaa\xe2\x80\xaf", "a\xe2\x81\xa5\xe2\x81\xaa\xe2\x80\xaf"},
		{"cut \xe2\x80", "cut \xe2\x80"},
		{"cut \xc2", "cut \xc2"},
		{"\xff\xfe", "\xff\xfe"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf buf = {0};
		char *line;

		buf_line(&buf, rows[i].text, strlen(rows[i].text));
		line = buf_take(&buf, NULL);
		assert_string_equal(line, rows[i].line);
		free(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_no_character_that_moves_others),
		cmocka_unit_test(reads_sizes),
		cmocka_unit_test(reads_times_of_vhd),
		cmocka_unit_test(writes_numbers),
		cmocka_unit_test(writes_times),
		cmocka_unit_test(writes_times_as_the_c_library_does),
		cmocka_unit_test(reads_uuids_as_lower_case),
		cmocka_unit_test(decodes_queries_once),
		cmocka_unit_test(refuses_queries),
		cmocka_unit_test(takes_json_and_forms_alike),
		cmocka_unit_test(refuses_bodies),
		cmocka_unit_test(counts_no_brackets_inside_strings),
		cmocka_unit_test(tells_all_wrong_fields_at_once),
		cmocka_unit_test(decodes_base64),
		cmocka_unit_test(grows_text),
		cmocka_unit_test(every_byte_is_escaped_as_it_must_wherever_it_stands),
		cmocka_unit_test(puts_members_as_text),
		cmocka_unit_test(puts_the_same_members_as_a_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
