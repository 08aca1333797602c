/* test_api_call.c - what is decided when: the steps of a call, and what every route has in common.
 */
#include <stdlib.h>
#include <string.h>

#include "api_client.h"
#include "test.h"

static const struct {
	struct exchange exchange;
	unsigned status;
	const char *code, *detail;
} heads[] = {
	{{"GET", "/nothing"}, 404, "route-not-found", "nothing is at /nothing"},
	{{"GET", "/v1/images/base/nothing"},
	 404,
	 "route-not-found",
	 "nothing is at /v1/images/base/nothing"},
	{{"GET", "/v1/%69mages"},
	 400,
	 "invalid-path",
	 "the path has an escape or a character that no id or name has"},
	{{"BREW", "/v1"}, 501, "method-unknown", "the method of this request is not known"},
	{{"PUT", "/v1/images"},
	 405,
	 "method-not-allowed",
	 "PUT is not possible at /v1/images; there is GET, HEAD, POST, OPTIONS"},
	{{"GET", "/v1/images/-x"}, 404, "image-not-found", "no image can have this name: '-x'"},
	{{"GET", "/v1/images/*/data"}, 404, "image-not-found", "no image can have this name: '*'"},
	{{"GET", "/v1/images/"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
	 404,
	 "image-not-found",
	 "no name of an image has more than 127 characters"},
	{{"PUT", "/v1/images/disk:1", .body = "size=512"},
	 400,
	 "invalid-name",
	 "no image can have this name: 'disk:1'"},
	{{"PUT", "/v1/images/_x", .body = "size=512"},
	 400,
	 "invalid-name",
	 "no image can have this name: '_x'"},
	{{"PUT",
	  "/v1/images/"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  .body = "size=512"},
	 400,
	 "invalid-name",
	 "no name of an image has more than 127 characters"},
	{{"PUT", "/v1/images/disk:1/data", .body = "x"},
	 404,
	 "image-not-found",
	 "no image can have this name: 'disk:1'"},
	{{"GET", "/v1/images?=x"}, 400, "invalid-value", ": '=x' has no name"},
	{{"GET", "/v1/images/web-1", "If-Match: a\nIf-Match: b"},
	 400,
	 "invalid-value",
	 "the header If-Match comes more than once"},
	{{"GET", "/v1?x=1"}, 400, "unknown-parameter", "x: is not known here"},
	{{"GET", "/v1/images?embed=jobs"},
	 501,
	 "not-supported",
	 "embed: 'jobs' is not supported yet"},
	{{"GET", "/v1", "Host: evil.example"},
	 403,
	 "host-not-allowed",
	 "Host 'evil.example' is not served"},
	{{"DELETE", "/v1/images/web-1", "Sec-Fetch-Site: cross-site"},
	 403,
	 "cross-origin",
	 "Sec-Fetch-Site is 'cross-site'"},
	{{"DELETE", "/v1/images/web-1", "Idempotency-Key: a"},
	 501,
	 "not-supported",
	 "the header Idempotency-Key is not supported yet"},
	{{"PUT", "/v1/images/web-1/data", "If-Unmodified-Since: a", "x"},
	 501,
	 "not-supported",
	 "the header If-Unmodified-Since is not supported yet"},
	{{"GET", "/v1/images", "Lease: a"},
	 501,
	 "not-supported",
	 "the header Lease is not supported yet"},
	{{"PUT", "/v1/images/web-1/data", "Content-Encoding: gzip", "x"},
	 415,
	 "unsupported-media-type",
	 "Content-Encoding 'gzip'"},
	{{"PUT", "/v1/images/web-1/data", "Expect: 200-ok", "x"},
	 417,
	 "expectation-failed",
	 "Expect '200-ok'"},
	{{"DELETE", "/v1/images/web-1", .body = "x"},
	 400,
	 "invalid-value",
	 "DELETE takes no body here"},
	{{"PUT", "/v1/images/web-1/data"},
	 411,
	 "length-required",
	 "neither Content-Length nor chunked"},
	{{"PUT", "/v1/images/web-1/data", "Content-Length: 0"},
	 400,
	 "invalid-value",
	 "the body is empty"},
	{{"POST", "/v1/images", "Content-Length: 1048577"},
	 413,
	 "body-too-large",
	 "the body is larger than 1048576 bytes"},
};

static void refuses_what_the_head_tells(void **state)
{
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		struct exchange exchange = heads[i].exchange;

		exchange_problem(*state, &exchange, heads[i].status, heads[i].code,
				 heads[i].detail);
	}
	assert_int_equal(((struct service *)*state)->opens, 0);
}

/* A condition says nothing of what is not there, or is not possible (RFC 9110 section 13.2.1). */
static void looks_at_conditions_last(void **state)
{
	static const struct {
		struct exchange exchange;
		unsigned status;
	} rows[] = {
		{{"GET", "/v1/images/web-1/chain", "If-Match: \"x\""}, 412},
		{{"GET", "/v1/images/web-1/chain", "If-Match: *"}, 200},
		{{"GET", "/v1/images/nobody/chain", "If-Match: \"x\""}, 404},
		{{"GET", "/v1/images/web-1/chain?x=1", "If-Match: \"x\""}, 400},
		{{"GET", "/v1/images/web-1/fields/colour", "If-Match: \"x\""}, 404},
		{{"POST", "/v1/images/nobody/actions/recover", "If-Match: \"x\""}, 404},
		{{"POST", "/v1/images/web-1/actions/recover", "If-Match: \"x\""}, 412},
		{{"POST", "/v1/images/web-1/actions/recover", "If-Match: \"m17-11a9832b0a75cd5e\""},
		 200},
		{{"POST", "/v1/images", "If-Match: \"x\"", "size=512"}, 412},
		{{"OPTIONS", "/v1/images/web-1/data", "If-Match: \"x\""}, 200},
		{{"OPTIONS", "/v1/images/web-1", "If-Match: \"x\""}, 204},
		{{"PUT", "/v1/images/base/data", "If-Match: \"x\"", "x"}, 409},
		{{"PUT", "/v1/images/web-1/data", "If-Match: \"x\"", "x"}, 412},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = rows[i].exchange;

		exchange_send(*state, &exchange);
		if (exchange.response->status != rows[i].status)
			print_error("%s %s\n", exchange.method, exchange.target);
		assert_int_equal(exchange.response->status, rows[i].status);
		exchange_fini(&exchange);
	}
	assert_int_equal(((struct service *)*state)->n, 2);
}

static void closes_after_bodies_that_it_will_not_read(void **state)
{
	static const struct {
		const char *headers;
		bool close;
	} rows[] = {
		{"Content-Length: 10", false},
		{"Content-Length: 65536", false},
		{"Content-Length: 65537", true},
		{"Transfer-Encoding: chunked", true},
		{"Content-Length: 1\nContent-Length: 1", true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"PUT", "/v1/images/nobody/data", rows[i].headers};

		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->close, rows[i].close);
		assert_string_equal(exchange_header(&exchange, "Content-Type"),
				    "application/problem+json");
		exchange_fini(&exchange);
	}
}

static void goes_through_the_steps(void **state)
{
	struct service *service = *state;
	static const struct {
		struct exchange exchange;
		bool again;
		const char *steps;
	} rows[] = {
		{{"GET", "/v1"}, false, "reply"},
		{{"GET", "/v1/images"}, false, "try reply"},
		{{"GET", "/v1/images"}, true, "try run reply"},
		{{"HEAD", "/v1/images/web-1"}, true, "try run reply"},
		{{"GET", "/v1/images/web-1/data"}, true, "try run reply"},
		{{"GET", "/v1/images/web-1/sectors/0"}, true, "try run reply"},
		{{"POST", "/v1/images", .body = "{\"size\":512}"}, false, "collect run reply"},
		{{"POST", "/v1/images"}, false, "run reply"},
		{{"POST", "/v1/images", .body = "{"}, false, "collect reply"},
		{{"PUT", "/v1/images/web-1/data", .body = "abc"}, false, "try upload wait reply"},
		{{"PUT", "/v1/images/web-1/data", .body = "abc"},
		 true,
		 "try run upload wait reply"},
		{{"PUT", "/v1/images/web-1/data?flush=n", .body = "abc"},
		 false,
		 "try upload reply"},
		{{"PUT", "/v1/images/base/data", .body = "abc"}, false, "try reply"},
		{{"PATCH", "/v1/images/web-1/data", .body = "op=flush"},
		 false,
		 "collect run wait reply"},
		{{"POST", "/v1/images/web-1/data?op=flush"}, false, "run wait reply"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = rows[i].exchange;

		service->again = rows[i].again;
		exchange_send(service, &exchange);
		assert_string_equal(exchange.steps, rows[i].steps);
		exchange_fini(&exchange);
	}
}

static void collects_one_megabyte_and_no_more(void **state)
{
	char *body = malloc((1 << 20) + 1);
	struct exchange exchange = {"POST", "/v1/images", .body = body, .piece = 1 << 16,
				    .chunked = true};

	memset(body, ' ', (1 << 20) + 1);
	exchange.body_length = (1 << 20) + 1;
	exchange_problem(*state, &exchange, 413, "body-too-large",
			 "the body is larger than 1048576 bytes");
	exchange.body_length = 1 << 20;
	exchange_problem(*state, &exchange, 400, "invalid-value",
			 "/size: is required, unless there is a parent or a source");
	free(body);
}

static void waits_for_the_flush_and_reports_its_failure(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"PUT", "/v1/images/web-1/data", .body = "abc"};

	service->defer = true;
	(void)exchange_json(service, &exchange, 200);
	exchange_fini(&exchange);
	service->flushed = SERVICE_IO_ERROR;
	exchange_problem(service, &exchange, 500, "io-error",
			 "The request could not be finished; the log of the daemon says more.");
	service->flushed = SERVICE_SHUTTING_DOWN;
	(void)exchange_json(service, &exchange, 503);
	assert_string_equal(exchange_header(&exchange, "Retry-After"), "1");
	exchange_fini(&exchange);
}

static void has_the_same_headers_everywhere(void **state)
{
	static const char *const targets[] = {"/",          "/healthz", "/v1",
					      "/v1/images", "/nothing", "/v1/images/web-1/data"};

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		struct exchange exchange = {"GET", targets[i]};

		exchange_send(*state, &exchange);
		assert_string_equal(exchange_header(&exchange, "X-Request-Id"), "test-1");
		assert_string_equal(exchange_header(&exchange, "X-Content-Type-Options"),
				    "nosniff");
		assert_memory_equal(exchange_header(&exchange, "Cache-Control"), "no-store", 8);
		exchange_fini(&exchange);
	}
}

static void takes_a_request_id_that_is_harmless(void **state)
{
	static const struct {
		const char *headers, *id;
	} rows[] = {
		{"X-Request-Id: abc.DEF_1-2", "abc.DEF_1-2"},
		{"X-Request-Id: a b", "test-1"},
		{"X-Request-Id: ", "test-1"},
		{"X-Request-Id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		 "test-1"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", "/nothing", rows[i].headers};

		exchange_send(*state, &exchange);
		assert_string_equal(exchange_header(&exchange, "X-Request-Id"), rows[i].id);
		assert_string_equal(exchange_text(&exchange, "request_id"), rows[i].id);
		exchange_fini(&exchange);
	}
}

static void answers_options_everywhere(void **state)
{
	static const struct {
		const char *target;
		unsigned status;
		const char *allow;
	} rows[] = {
		{"/v1/images", 204, "GET, HEAD, POST, OPTIONS"},
		{"/v1/images/", 204, "GET, HEAD, POST, OPTIONS"},
		{"/v1/images/web-1", 204, "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"},
		{"/v1/images/web-1/data", 200, "GET, HEAD, PUT, PATCH, POST, OPTIONS"},
		{"/v1/images/*/data", 200, "GET, HEAD, PUT, PATCH, POST, OPTIONS"},
		{"/nothing", 404, ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"OPTIONS", rows[i].target};

		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status, rows[i].status);
		assert_string_equal(exchange_header(&exchange, "Allow"), rows[i].allow);
		exchange_fini(&exchange);
	}
}

static void lets_pages_of_allowed_origins_in(void **state)
{
	static const struct {
		const char *headers;
		const char *origin, *methods, *headers_allowed, *network;
	} rows[] = {
		{"Origin: https://ui.example\nAccess-Control-Request-Method: PUT\n"
		 "Access-Control-Request-Headers: if-match\n"
		 "Access-Control-Request-Private-Network: true",
		 "https://ui.example", "PUT", "if-match", "true"},
		{"Origin: https://ui.example\nAccess-Control-Request-Method: PUT",
		 "https://ui.example", "PUT", "", ""},
		{"Origin: https://ui.example\nAccess-Control-Request-Method: BREW",
		 "https://ui.example", "", "", ""},
		{"Origin: https://ui.example", "https://ui.example", "", "", ""},
		{"Origin: https://evil.example\nAccess-Control-Request-Method: PUT", "", "", "",
		 ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"OPTIONS", "/v1/images", rows[i].headers};

		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status, 204);
		assert_string_equal(exchange_header(&exchange, "Access-Control-Allow-Origin"),
				    rows[i].origin);
		assert_string_equal(exchange_header(&exchange, "Access-Control-Allow-Methods"),
				    rows[i].methods);
		assert_string_equal(exchange_header(&exchange, "Access-Control-Allow-Headers"),
				    rows[i].headers_allowed);
		assert_string_equal(
			exchange_header(&exchange, "Access-Control-Allow-Private-Network"),
			rows[i].network);
		assert_string_equal(exchange_header(&exchange, "Allow"),
				    *rows[i].methods ? "" : "GET, HEAD, POST, OPTIONS");
		assert_string_equal(exchange_header(&exchange, "Vary"), "Origin");
		exchange_fini(&exchange);
	}
}

static void allows_what_it_names(void **state)
{
	struct exchange exchange = {"DELETE", "/v1/images/web-1/data"};

	(void)exchange_json(*state, &exchange, 405);
	assert_string_equal(exchange_header(&exchange, "Allow"),
			    "GET, HEAD, PUT, PATCH, POST, OPTIONS");
	exchange_fini(&exchange);
}

static void speaks_plainly_to_people(void **state)
{
	struct exchange exchange = {"GET", "/v1/images/nobody", "Accept: text/plain"};

	exchange_send(*state, &exchange);
	assert_string_equal(exchange.text, "image-not-found: no image is called that\n"
					   "List what there is: GET /v1/images\n");
	exchange_fini(&exchange);
}

static void tells_what_it_is(void **state)
{
	static const char *const flags[] = {"/readyz", "/readyz?verbose", "/readyz?verbose=1",
					    "/readyz?verbose=no"};
	struct service *service = *state;
	struct exchange exchange = {"GET", "/v1"};

	(void)exchange_json(service, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "server"), "vhdd/1.2.3");
	assert_int_equal(exchange_number(&exchange, "limits.virtual_size"), 2190433320960);
	exchange_fini(&exchange);

	exchange.target = "/";
	(void)exchange_json(service, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "links.images"), "/v1/images");
	exchange_fini(&exchange);

	exchange.target = "/healthz";
	exchange_send(service, &exchange);
	assert_string_equal(exchange.text, "ok\n");
	exchange_fini(&exchange);

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		exchange.target = flags[i];
		(void)exchange_json(service, &exchange, 200);
		exchange_fini(&exchange);
	}
	exchange.target = "/readyz?verbose=foo";
	exchange_problem(service, &exchange, 400, "invalid-value",
			 "verbose: 'foo' is neither y nor n");
	exchange.target = "/readyz?verbose=n";
	service->not_ready = true;
	(void)exchange_json(service, &exchange, 503);
	assert_string_equal(exchange_text(&exchange, "checks.catalog.text"),
			    "the last commit failed");
	exchange_fini(&exchange);
}

static void explains_every_problem(void **state)
{
	struct exchange exchange = {"GET", "/problems/name-exists"};

	exchange_send(*state, &exchange);
	assert_string_equal(exchange.text,
			    "name-exists (status 409)\n\nAnother image has this name.\n\n"
			    "Cause: Names are unique among all images of the daemon.\n"
			    "Correction: Choose another name, or leave it out to get one.\n"
			    "The same request will fail again until something changes.\n");
	exchange_fini(&exchange);
	exchange.target = "/problems";
	exchange_send(*state, &exchange);
	assert_non_null(strstr(exchange.text,
			       "\n409 name-exists               Another image has this name\n"));
	exchange_fini(&exchange);
	exchange.target = "/problems/none";
	exchange_problem(*state, &exchange, 404, "route-not-found",
			 "there is no error code 'none'");
}

static void refuses_outside_any_call(void **state)
{
	static const char *const origins[] = {"https://ui.example", NULL};
	static const struct http_field page = {"Origin", "https://ui.example"};
	const struct api api = {.origins = origins};
	const struct http_request request = {
		.method = HTTP_GET, .path = "/", .headers = &page, .n_headers = 1, .id = "r"};
	struct http_response *response = api_refuse(&api, &request, SERVICE_OVERLOADED);

	(void)state;
	assert_int_equal(response->status, 503);
	assert_true(response->close);
	assert_string_equal(http_response_get(response, "Retry-After"), "1");
	assert_string_equal(http_response_get(response, "X-Error-Code"), "overloaded");
	/* Or the page of an allowed origin sees a broken network. */
	assert_string_equal(http_response_get(response, "Access-Control-Allow-Origin"),
			    "https://ui.example");
	assert_string_equal(http_response_get(response, "Vary"), "Origin");
	http_response_free(response);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(refuses_what_the_head_tells, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(looks_at_conditions_last, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(closes_after_bodies_that_it_will_not_read,
						fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(goes_through_the_steps, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(collects_one_megabyte_and_no_more, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(waits_for_the_flush_and_reports_its_failure,
						fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(has_the_same_headers_everywhere, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(takes_a_request_id_that_is_harmless, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(answers_options_everywhere, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(lets_pages_of_allowed_origins_in, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(allows_what_it_names, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(speaks_plainly_to_people, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(tells_what_it_is, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(explains_every_problem, fake_pair, fake_teardown),
		cmocka_unit_test(refuses_outside_any_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
