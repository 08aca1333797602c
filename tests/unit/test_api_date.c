/* test_api_date.c - dates as HTTP writes them, and what is none. */
#include "date.h"

#include "test.h"

static void reads_and_writes_dates_of_http(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t seconds;
	} rows[] = {
		{"Sun, 06 Nov 1994 08:49:37 GMT", true, 784111777},
		{"Thu, 01 Jan 1970 00:00:00 GMT", true, 0},
		{"Thu, 29 Feb 2024 23:59:59 GMT", true, 1709251199},
		{"Thu, 31 Dec 2099 23:59:59 GMT", true, 4102444799},
		{"Mon, 06 Nov 1994 08:49:37 GMT", false, 0}, /* a Sunday */
		{"Sun, 31 Nov 1994 08:49:37 GMT", false, 0},
		{"Sun, 06 Nov 1994 24:00:00 GMT", false, 0},
		{"Sun, 06 Nov 1994 08:49:37 UTC", false, 0},
		{"Sun, 06 nov 1994 08:49:37 GMT", false, 0},
		{"Sunday, 06-Nov-94 08:49:37 GMT", false, 0},
		{"Sun Nov  6 08:49:37 1994", false, 0},
		{"Sun, 6 Nov 1994 08:49:37 GMT", false, 0},
		{"Sun, 06 Nov 1994 08:49:37 GMT ", false, 0},
		{"", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[DATE_TEXT];
		int64_t seconds = -1;

		print_message("%s\n", rows[i].text);
		assert_int_equal(date_parse(rows[i].text, &seconds), rows[i].ok);
		if (!rows[i].ok)
			continue;
		assert_int_equal(seconds, rows[i].seconds);
		date_text(seconds, text);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_dates_of_http),
	};

	return cmocka_run_group_tests_name("api/date", tests, NULL, NULL);
}
