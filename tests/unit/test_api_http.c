/* test_api_http.c - requests are read and responses made without surprises. */
#include "http.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

static void finds_headers_in_any_case(void **state)
{
	static const struct http_field headers[] = {{"Host", "a"}, {"X-A", "1"}, {"x-a", "2"}};
	const struct http_request request = {.headers = headers, .n_headers = 3};

	(void)state;
	assert_string_equal(http_header(&request, "HOST"), "a");
	assert_string_equal(http_header(&request, "x-A"), "1");
	assert_null(http_header(&request, "X-B"));
	assert_int_equal(http_header_count(&request, "X-A"), 2);
}

static void knows_methods_by_their_exact_names(void **state)
{
	(void)state;
	for (int i = HTTP_GET; i < HTTP_UNKNOWN; i++)
		assert_int_equal(http_method_parse(http_method_name((enum http_method)i)), i);
	assert_int_equal(http_method_parse("get"), HTTP_UNKNOWN);
	assert_int_equal(http_method_parse("TRACE"), HTTP_UNKNOWN);
	assert_int_equal(http_method_parse("?"), HTTP_UNKNOWN);
}

static void keeps_control_characters_out_of_headers(void **state)
{
	struct http_response *response = http_response_new(200);

	(void)state;
	assert_true(http_response_header(response, "X-A", "a%sb", "\r\nSet-Cookie: x"));
	assert_string_equal(http_response_get(response, "x-a"), "a??Set-Cookie: xb");
	http_response_free(response);
}

static void refuses_one_header_too_many(void **state)
{
	struct http_response *response = http_response_new(200);

	(void)state;
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		assert_true(http_response_header(response, "X", "%d", i));
	assert_false(http_response_header(response, "X", "y"));
	http_response_free(response);
}

static void count_free(void *ctx)
{
	++*(int *)ctx;
}

static enum http_read never(void *ctx, uint64_t off, void *buf, size_t len, bool nowait)
{
	(void)ctx, (void)off, (void)buf, (void)len, (void)nowait;
	return HTTP_READ_FAILED;
}

static void has_one_body_at_a_time(void **state)
{
	struct http_response *response = http_response_new(200);
	int freed = 0;
	const struct http_stream stream = {
		.length = UINT64_C(1) << 40, .read = never, .free = count_free, .ctx = &freed};

	(void)state;
	http_response_body(response, strdup("abc"), 3);
	assert_int_equal(http_response_length(response), 3);
	http_response_stream(response, &stream);
	assert_true(http_response_length(response) == UINT64_C(1) << 40);
	http_response_fixed(response, "ab", 2);
	assert_int_equal(freed, 1);
	assert_int_equal(http_response_length(response), 2);
	http_response_stream(response, &stream);
	http_response_free(response);
	assert_int_equal(freed, 2);
	http_response_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_headers_in_any_case),
		cmocka_unit_test(knows_methods_by_their_exact_names),
		cmocka_unit_test(keeps_control_characters_out_of_headers),
		cmocka_unit_test(refuses_one_header_too_many),
		cmocka_unit_test(has_one_body_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
