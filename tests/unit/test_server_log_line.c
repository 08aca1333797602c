/* test_server_log_line.c - a line of the log is one line, whatever is in it. */
#include "log_line.h"

#include <string.h>

#include "test.h"

static void escapes_what_is_not_printable(void **state)
{
	static const struct {
		const char *value, *json, *text;
	} rows[] = {
		{"plain", "{\"name\":\"plain\"}\n", "name=plain\n"},
		{"", "{\"name\":\"\"}\n", "name=\n"},
		{"a\"b", "{\"name\":\"a\\\"b\"}\n", "name=a\"b\n"},
		{"a\\b", "{\"name\":\"a\\\\b\"}\n", "name=a\\\\b\n"},
		{"a\nb", "{\"name\":\"a\\\\x0ab\"}\n", "name=a\\x0ab\n"},
		{"\x1b[2J", "{\"name\":\"\\\\x1b[2J\"}\n", "name=\\x1b[2J\n"},
		{"\x7f\xff", "{\"name\":\"\\\\x7f\\\\xff\"}\n", "name=\\x7f\\xff\n"},
	};
	struct log_line line;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		log_line_begin(&line, false);
		log_line_string(&line, "name", rows[i].value);
		log_line_end(&line);
		assert_string_equal(line.text, rows[i].json);
		log_line_begin(&line, true);
		log_line_string(&line, "name", rows[i].value);
		log_line_end(&line);
		assert_string_equal(line.text, rows[i].text);
	}
}

static void names_less_to_people(void **state)
{
	struct log_line line;

	(void)state;
	log_line_begin(&line, true);
	log_line_string(&line, "level", "info");
	log_line_string(&line, "message", "request");
	log_line_number(&line, "ms", 12);
	log_line_end(&line);
	assert_string_equal(line.text, "info request ms=12\n");
}

static void cuts_what_is_long_and_ends_the_line(void **state)
{
	static char large[100000];
	struct log_line line;

	(void)state;
	memset(large, 0xff, sizeof large - 1);
	log_line_begin(&line, false);
	for (int i = 0; i < 40; i++)
		log_line_string(&line, "name", large);
	log_line_number(&line, "number", UINT64_MAX);
	log_line_end(&line);
	assert_true(line.length < LOG_LINE_SIZE);
	assert_int_equal(strlen(line.text), line.length);
	assert_string_equal(line.text + line.length - 2, "}\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_what_is_not_printable),
		cmocka_unit_test(names_less_to_people),
		cmocka_unit_test(cuts_what_is_long_and_ends_the_line),
	};

	return cmocka_run_group_tests_name("server/log_line", tests, NULL, NULL);
}
