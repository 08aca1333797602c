/* test_api_accept.c - the type that is sent is the one that the client wants most. */
#include "accept.h"

#include <string.h>

#include "api_client.h"
#include "test.h"

enum { JSON, TEXT, LINES };

static int best(const char *const *lines, size_t n)
{
	static const char *const types[] = {"application/json", "text/plain; charset=utf-8",
					    "application/x-ndjson"};
	struct http_field headers[4] = {{"Host", "a"}};
	struct http_request request = {.headers = headers, .n_headers = 1};

	for (size_t i = 0; i < n; i++)
		headers[request.n_headers++] =
			(struct http_field){i % 2 ? "accept" : "Accept", lines[i]};
	return accept_best(&request, types, 3);
}

static const struct {
	const char *accept;
	int best;
} wants[] = {
	{"application/json", JSON},
	{"TEXT/Plain", TEXT},
	{"image/png", -1},
	{"json", -1},
	/* The first of what fits alike. */
	{"*/*", JSON},
	{"application/*", JSON},
	{"text/*", TEXT},
	{"*", -1},
	{"*/json", -1},
	{"text/html, application/xml;q=0.9, */*;q=0.8", JSON},
	{"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON},
	/* The one that is named, then the one that is named first. */
	{"text/plain, */*", TEXT},
	{"*/*, text/plain", TEXT},
	{"text/*, */*", TEXT},
	{"text/*, application/*", TEXT},
	{"text/*, application/json", JSON},
	{"text/plain, application/json", TEXT},
	{"application/json, text/plain, */*", JSON},
	{"application/x-ndjson, application/json", LINES},
	/* The one with the highest q. */
	{"application/json;q=0.5, text/plain", TEXT},
	{"text/plain, application/json;q=0.5", TEXT},
	{"text/plain;q=0.5, application/json", JSON},
	{"text/plain;q=0.998, application/json;q=0.999", JSON},
	{"text/plain;q=0.1, application/json;q=0.09", TEXT},
	{"text/plain;q=.5, application/json;q=0.4", TEXT},
	{"*/*;q=0.5, application/*;q=0.1", TEXT},
	{"text/plain;q=1.000, application/json;q=0.999", TEXT},
	{"text/plain;Q=0.1, */*", JSON},
	{"text/plain ; q=0.1 , application/json\t;\tq=0.2", JSON},
	{"text/plain;charset=utf-8;q=0.1, application/json;q=0.2", JSON},
	{"text/plain;q=0.1;q=1, application/json;q=0.2", JSON},
	/* 0 is a no. */
	{"text/plain;q=0, */*", JSON},
	{"application/json;q=0, text/plain", TEXT},
	{"application/json;q=0, */*", TEXT},
	{"application/*;q=0, */*;q=0.001", TEXT},
	{"*/*;q=0", -1},
	{"application/json;q=0.000", -1},
	{"*/*;q=0, text/plain;q=0.1", TEXT},
	{"text/plain;q=0.0001, application/json;q=0", -1},
	/* What cannot be read is no no. */
	{"text/plain;q=, application/json;q=0.9", TEXT},
	{"text/plain;q=high, application/json;q=0.9", TEXT},
	/* Between quotes is no list. */
	{"text/plain;a=\"b,application/json\";q=0.1, application/x-ndjson;q=0.05", TEXT},
	{"text/plain;a=\";q=0\\\";q=0\", */*;q=0.5", TEXT},
	{"text/plain;a=\"never closed, application/json", TEXT},
	/* Nothing is said. */
	{"", JSON},
	{" ,\t, ,", JSON},
	{",, text/plain ,,", TEXT},
};

static void the_type_that_is_wanted_most_is_the_best(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
		int found = best(&wants[i].accept, 1);

		if (found != wants[i].best)
			print_error("%s\n", wants[i].accept);
		assert_int_equal(found, wants[i].best);
	}
	assert_int_equal(best(NULL, 0), JSON);
}

static void several_lines_are_one_list(void **state)
{
	static const struct {
		const char *lines[3];
		int best;
	} rows[] = {
		{{"image/png", "text/plain", "*/*;q=0.1"}, TEXT},
		{{"text/plain;q=0.5", "application/x-ndjson;q=0.6", "application/json;q=0.5"},
		 LINES},
		{{"text/plain", "application/json", ""}, TEXT},
		{{"", "image/png", "image/gif"}, -1},
		{{"", "", ""}, JSON},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(best(rows[i].lines, 3), rows[i].best);
}

static void long_ones_are_read_once(void **state)
{
	static const char *const pieces[] = {",", ";", "\"", "a/b,", ";q=0", "\";\\", "*/*;q=0,"};
	static char text[(32 << 10) + 16];
	const char *line = text;

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		size_t len = 0;

		while (len < 32 << 10)
			len += (size_t)(stpcpy(text + len, pieces[i]) - (text + len));
		assert_int_equal(best(&line, 1), i == 0 ? JSON : -1);
	}
}

/* ---- what is answered ---- */

#define BASE "/v1/images/base"

static int setup(void **state)
{
	struct service *service = fake_new();

	fake_add(service, "base", 65536, NULL);
	*state = service;
	return 0;
}

static void every_resource_with_formats_sends_the_best(void **state)
{
	static const char json[] = "application/json", lines[] = "application/x-ndjson";
	static const char text[] = "text/plain; charset=utf-8", csv[] = "text/csv; charset=utf-8";
	static const struct {
		const char *target;
		const char *usual, *application, *most;
	} rows[] = {
		{"/v1/images", json, json, csv},           {"/v1/pools", json, json, csv},
		{BASE "/chain", json, json, csv},          {BASE "/children", json, json, csv},
		{BASE "/extents", json, json, csv},        {BASE "/layout", lines, lines, csv},
		{BASE "/sectors", json, json, json},       {BASE "/fields", text, json, json},
		{BASE "/fields/cookie", text, json, json},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct {
			const char *headers, *type;
		} asks[] = {
			{NULL, rows[i].usual},
			{"Accept: */*", rows[i].usual},
			{"Accept: text/html, */*;q=0.8", rows[i].usual},
			{"Accept: application/*", rows[i].application},
			{"Accept: text/*", text},
			{"Accept: text/plain, application/json;q=0.5", text},
			{"Accept: application/json;q=0, text/plain", text},
			{"Accept: application/json;q=0.5\nAccept: text/plain;q=0.6", text},
			{"Accept: text/plain;q=0, application/json", json},
			{"Accept: application/json, text/plain, */*", json},
			{"Accept: text/csv, application/json;q=0.9", rows[i].most},
		};

		for (size_t k = 0; k < sizeof asks / sizeof *asks; k++) {
			struct exchange exchange = {"GET", rows[i].target, asks[k].headers};

			exchange_send(*state, &exchange);
			assert_int_equal(exchange.response->status, 200);
			assert_string_equal(exchange_header(&exchange, "Content-Type"),
					    asks[k].type);
			exchange_fini(&exchange);
		}
	}
}

static void what_is_not_there_is_not_acceptable(void **state)
{
	static const struct {
		const char *target, *headers, *detail;
	} rows[] = {
		{"/v1/images", "Accept: image/*",
		 "Accept says 'image/*'; there is application/json, and what ?format= asks for"},
		{BASE "/sectors", "Accept: text/csv",
		 "Accept says 'text/csv'; there is application/json, and what ?format= asks for"},
		{BASE "/layout", "Accept: */*;q=0",
		 "Accept says '*/*;q=0'; there is application/x-ndjson, and what ?format= asks for"},
		{BASE, "Accept: text/*\nAccept: image/png",
		 "Accept says 'text/*' and more; there is application/json"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target, rows[i].headers};

		if (i < 3) {
			exchange_problem(*state, &exchange, 406, "not-acceptable", rows[i].detail);
			continue;
		}
		/* Who takes text only is told so as text. */
		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status, 406);
		assert_string_equal(exchange.text, "not-acceptable: Accept says 'text/*' and more; "
						   "there is application/json\nLeave the Accept "
						   "header out, or add */* to it.\n");
		exchange_fini(&exchange);
	}
}

static void problems_are_text_for_who_prefers_it(void **state)
{
	static const struct {
		const char *headers, *type;
	} rows[] = {
		{NULL, "application/problem+json"},
		{"Accept: */*", "application/problem+json"},
		{"Accept: text/plain, */*", "text/plain; charset=utf-8"},
		{"Accept: text/*", "text/plain; charset=utf-8"},
		{"Accept: Text/Plain, application/json", "text/plain; charset=utf-8"},
		{"Accept: application/json, text/plain, */*", "application/problem+json"},
		{"Accept: application/problem+json, text/plain", "application/problem+json"},
		{"Accept: application/json;q=0.5, text/plain", "text/plain; charset=utf-8"},
		{"Accept: application/json;q=0, text/plain", "text/plain; charset=utf-8"},
		{"Accept: text/plain;q=0, */*", "application/problem+json"},
		{"Accept: text/plain;q=0.5, application/json", "application/problem+json"},
		{"Accept: image/png\nAccept: text/plain", "text/plain; charset=utf-8"},
		{"Accept: image/png", "application/problem+json"},
		{"Accept: */*;q=0", "application/problem+json"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", "/v1/images/nobody", rows[i].headers};

		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status, 404);
		assert_string_equal(exchange_header(&exchange, "Content-Type"), rows[i].type);
		exchange_fini(&exchange);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_type_that_is_wanted_most_is_the_best),
		cmocka_unit_test(several_lines_are_one_list),
		cmocka_unit_test(long_ones_are_read_once),
		cmocka_unit_test_setup_teardown(every_resource_with_formats_sends_the_best, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_not_acceptable, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(problems_are_text_for_who_prefers_it, setup,
						fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
