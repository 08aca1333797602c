/* test_api_update.c - images are changed, and made twice without harm. */
#include <stdio.h>
#include <string.h>

#include "api_client.h"
#include "test.h"

#define WEB "/v1/images/web-1"

static void changes_what_the_body_names(void **state)
{
	static const struct {
		const char *body, *name, *description, *labels[2];
		bool clear, freeze, has_saved_state, has_temporary, temporary;
	} rows[] = {
		{"{}", "-", "-", {"", ""}, false, false, false, false},
		{"{\"name\":\"new\"}", "new", "-", {"", ""}, false, false, false, false},
		{"description=text&labels.a=b",
		 "-",
		 "text",
		 {"a=b", ""},
		 false,
		 false,
		 false,
		 false},
		{"{\"description\":null}", "-", "", {"", ""}, false, false, false, false},
		{"{\"labels\":{\"a\":null,\"b\":\"c\"}}",
		 "-",
		 "-",
		 {"a", "b=c"},
		 false,
		 false,
		 false,
		 false},
		{"{\"labels\":null}", "-", "-", {"", ""}, true, false, false, false},
		{"{\"frozen\":true}", "-", "-", {"", ""}, false, true, false, false},
		{"frozen=yes", "-", "-", {"", ""}, false, true, false, false},
		{"{\"saved_state\":false}", "-", "-", {"", ""}, false, false, true, false},
		{"{\"features\":[]}", "-", "-", {"", ""}, false, false, false, true},
		{"features=temporary", "-", "-", {"", ""}, false, false, false, true, true},
		{"features=", "-", "-", {"", ""}, false, false, false, true, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct service *service = fake_new();
		struct exchange exchange = {"PATCH", WEB, .body = rows[i].body};

		(void)state;
		fake_add(service, "web-1", 65536, NULL);
		(void)exchange_json(service, &exchange, 200);
		assert_string_equal(exchange_header(&exchange, "ETag"), "\"m18-28b338d0430c7f4b\"");
		assert_string_equal(service->update_texts[0], rows[i].name);
		assert_string_equal(service->update_texts[1], rows[i].description);
		assert_string_equal(service->update_texts[2], rows[i].labels[0]);
		assert_string_equal(service->update_texts[3], rows[i].labels[1]);
		assert_int_equal(service->update.clear_labels, rows[i].clear);
		assert_int_equal(service->update.freeze, rows[i].freeze);
		assert_int_equal(service->update.has_saved_state, rows[i].has_saved_state);
		assert_int_equal(service->update.has_temporary, rows[i].has_temporary);
		assert_int_equal(service->update.temporary, rows[i].temporary);
		exchange_fini(&exchange);
		fake_free(service);
	}
}

static void refuses_changes(void **state)
{
	static const struct {
		const char *body;
		unsigned status;
		const char *code, *detail;
	} rows[] = {
		{"{\"size\":1}", 400, "unknown-field", "/size: is not known here"},
		{"{\"name\":null}", 400, "invalid-value", "/name: must be a string"},
		{"{\"name\":\"-\"}", 400, "invalid-name", "/name: '-' is not a name"},
		{"{\"name\":\"base\"}", 409, "name-exists", "there is an image of that name"},
		{"{\"frozen\":false}", 400, "invalid-value",
		 "/frozen: can only become true; actions/thaw undoes it"},
		{"{\"labels\":[]}", 400, "invalid-value",
		 "/labels: must be an object of at most 64 strings; in a form, labels.KEY=VALUE"},
		{"{\"labels\":{\"a\":1}}", 400, "invalid-value",
		 "/labels/a: must be up to 63 of A-Z a-z 0-9 . _ - / with a string of up to 255 bytes"},
		{"{\"labels\":{\"a b\":\"x\"}}", 400, "invalid-value",
		 "/labels/a b: must be up to 63 of A-Z a-z 0-9 . _ - / with a string of up to 255 bytes"},
		{"{\"features\":[\"fast\"]}", 400, "invalid-value",
		 "/features: there is only \"temporary\""},
		{"{\"features\":\"fast\"}", 400, "invalid-value",
		 "/features: there is only \"temporary\""},
		{"{\"features\":{}}", 400, "invalid-value",
		 "/features: must be an array of strings"},
		{"{\"store_note\":\"x\"}", 501, "not-supported",
		 "/store_note: is not supported yet"},
		{"{\"saved_state\":1}", 400, "invalid-value",
		 "/saved_state: must be true or false"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"PATCH", WEB, .body = rows[i].body};

		exchange_problem(*state, &exchange, rows[i].status, rows[i].code, rows[i].detail);
	}
}

static void freezes_and_thaws(void **state)
{
	struct exchange exchange = {"POST", WEB "/actions/freeze"};

	(void)exchange_json(*state, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "frozen_reason"), "request");
	exchange_fini(&exchange);
	exchange.target = WEB "/actions/thaw";
	exchange.body = "{}";
	(void)exchange_json(*state, &exchange, 200);
	assert_true(json_is_true(json_object_get(exchange.json, "writable")));
	exchange_fini(&exchange);
	exchange.target = "/v1/images/base/actions/thaw";
	exchange_problem(*state, &exchange, 409, "image-has-children", "the image is a parent");
	exchange.body = "{\"force\":true}";
	exchange.body_length = 0;
	exchange_problem(*state, &exchange, 400, "unknown-field", "/force: is not known here");
}

/* ---- PUT ---- */

static void makes_an_image_once(void **state)
{
	static const struct {
		const char *target, *headers, *body;
		unsigned status;
		const char *detail;
	} rows[] = {
		{"/v1/images/new", NULL, "{\"size\":\"64K\"}", 201, NULL},
		{"/v1/images/new", NULL, "{\"size\":65536}", 200, NULL},
		{"/v1/images/new", NULL, "size=64K&kind=dynamic&pool=default&description=", 200,
		 NULL},
		{"/v1/images/new", NULL, "{\"size\":\"1M\"}", 409,
		 "'new' exists, but differs from the request in its size"},
		{"/v1/images/new", NULL, "{\"size\":\"64K\",\"kind\":\"fixed\"}", 409,
		 "'new' exists, but differs from the request in its kind"},
		{"/v1/images/new", NULL, "{\"size\":\"64K\",\"labels\":{\"a\":\"b\"}}", 409,
		 "'new' exists, but differs from the request in its labels"},
		{"/v1/images/new", NULL, "{\"size\":\"64K\",\"creator_application\":\"tap\"}", 409,
		 "'new' exists, but differs from the request in its creator_application"},
		{"/v1/images/new", NULL, "{\"size\":\"64K\",\"creator_application\":\"win\"}", 200,
		 NULL},
		{"/v1/images/new", "If-None-Match: *", "{\"size\":\"64K\"}", 412,
		 "If-None-Match names *, and the ETag is \"m17-863ad68a1cf62979\""},
		{"/v1/images/new", "If-Match: \"m17-863ad68a1cf62979\"", "{\"size\":\"64K\"}", 200,
		 NULL},
		{"/v1/images/new", "If-Match: \"m16\"", "{\"size\":\"64K\"}", 412,
		 "If-Match names \"m16\", but the ETag is now \"m17-863ad68a1cf62979\""},
		{"/v1/images/newer", "If-Match: *", "{\"size\":\"64K\"}", 412,
		 "If-Match: there is no image 'newer'"},
		{"/v1/images/newer", "If-None-Match: *", "{\"size\":\"64K\"}", 201, NULL},
		{WEB, NULL, "{\"parent\":\"base\"}", 200, NULL},
		{WEB, NULL, "{\"parent\":\"new\"}", 409,
		 "'web-1' exists, but differs from the request in its parent"},
		{WEB, NULL, "{\"parent\":\"base\",\"labels\":{\"role\":\"web\"}}", 200, NULL},
		{"/v1/images/other", NULL, "{\"size\":512,\"name\":\"x\"}", 400,
		 "/name: is in the path already"},
		{"/v1/images/89a62601-c82a-447a-a7fd-f7f379195e80", NULL, "{\"size\":512}", 400,
		 "'89a62601-c82a-447a-a7fd-f7f379195e80' is not a name"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"PUT", rows[i].target, rows[i].headers,
					    .body = rows[i].body};

		(void)exchange_json(*state, &exchange, rows[i].status);
		if (rows[i].detail)
			assert_string_equal(exchange_text(&exchange, "detail"), rows[i].detail);
		exchange_fini(&exchange);
	}
}

/* ---- preconditions ---- */

static void compares_before_it_changes(void **state)
{
	static const struct {
		const char *method, *target, *headers, *body;
		unsigned status;
		const char *etag;
	} rows[] = {
		{"PATCH", WEB, "If-Match: \"m16\"", "{}", 412, "\"m17-11a9832b0a75cd5e\""},
		{"PATCH", WEB, "If-Match: W/\"m17-11a9832b0a75cd5e\"", "{}", 412,
		 "\"m17-11a9832b0a75cd5e\""},
		{"PATCH", WEB, "If-None-Match: *", "{}", 412, "\"m17-11a9832b0a75cd5e\""},
		{"PATCH", WEB, "If-Match: m17-11a9832b0a75cd5e", "{}", 200,
		 "\"m18-11a9832b0a75cd5e\""},
		{"PATCH", WEB, "If-Match: *", "{}", 200, "\"m19-11a9832b0a75cd5e\""},
		{"POST", WEB "/actions/freeze", "If-Match: \"m17-11a9832b0a75cd5e\"", NULL, 412,
		 "\"m19-11a9832b0a75cd5e\""},
		{"POST", WEB "/snapshots", "If-Match: \"m17-11a9832b0a75cd5e\"", NULL, 412,
		 "\"m19-11a9832b0a75cd5e\""},
		{"POST", WEB "/snapshots", "If-Match: \"m19-11a9832b0a75cd5e\"", NULL, 201,
		 "\"m17-b9ca163ce37dcd7c\""},
		{"DELETE", WEB, "If-Match: \"m17-11a9832b0a75cd5e\"", NULL, 412,
		 "\"m19-11a9832b0a75cd5e\""},
		{"POST", "/v1/images", "If-Match: W/\"c881\"", "size=512", 412, ""},
		{"POST", "/v1/images", "If-None-Match: *", "size=512&name=base", 412, ""},
		{"GET", "/v1", "If-Match: \"x\"", NULL, 412, ""},
		{"GET", WEB "/chain", "If-Match: *", NULL, 200, "W/\"c881\""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {rows[i].method, rows[i].target, rows[i].headers,
					    .body = rows[i].body};

		(void)exchange_json(*state, &exchange, rows[i].status);
		assert_string_equal(exchange_header(&exchange, "ETag"), rows[i].etag);
		if (rows[i].status == 412 && rows[i].etag[0])
			assert_string_equal(exchange_text(&exchange, "current_etag"), rows[i].etag);
		exchange_fini(&exchange);
	}
}

/* Somebody changes the image after the comparison here, and before the change there. */
static void loses_a_race_honestly(void **state)
{
	static const struct {
		const char *method, *target, *headers, *body;
	} rows[] = {
		{"PATCH", WEB, "If-Match: \"m17-28b338d0430c7f4b\"", "{}"},
		{"DELETE", WEB, "If-Match: \"m17-28b338d0430c7f4b\"", NULL},
		{"POST", WEB "/snapshots", "If-Match: \"m17-28b338d0430c7f4b\"", NULL},
		{"PUT", WEB "/data", "If-Match: \"d12.0\"", "x"},
		{"PATCH", WEB "/data", "If-Match: \"d12.0\"", "op=zero&offset=0&length=1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct service *service = fake_new();
		struct exchange exchange = {rows[i].method, rows[i].target, rows[i].headers,
					    .body = rows[i].body};

		fake_add(service, "web-1", 65536, NULL);
		service->race = true;
		(void)exchange_json(service, &exchange, 412);
		assert_string_equal(exchange_text(&exchange, "code"), "precondition-failed");
		assert_string_equal(exchange_text(&exchange, "current_etag"),
				    i < 3 ? "\"m18-28b338d0430c7f4b\"" : "\"d12.1\"");
		exchange_fini(&exchange);
		assert_false(service->images[0].gone);
		assert_false(service->images[0].has[0]);
		fake_free(service);
	}
}

static void compares_and_writes(void **state)
{
	static const struct {
		const char *method, *target, *headers, *body;
		unsigned status;
		const char *etag;
	} rows[] = {
		{"PUT", WEB "/data", "If-Match: \"d11.0\"", "x", 412, "\"d12.0\""},
		{"PUT", WEB "/data?offset=3", "If-Match: \"d12.0\"", "hello", 200, "\"d12.1\""},
		{"PUT", WEB "/data?offset=3", "If-Match: \"d12.0\"", "world", 412, "\"d12.1\""},
		{"PUT", WEB "/data", "If-Match: *", "HE", 200, "\"d12.2\""},
		{"PUT", WEB "/data", "If-None-Match: \"d12.2\"", "x", 412, "\"d12.2\""},
		{"PATCH", WEB "/data", "If-Match: \"d12.1\"", "op=zero&offset=0&length=1", 412,
		 "\"d12.2\""},
		{"PATCH", WEB "/data", "If-Match: \"d12.2\"", "op=zero&offset=0&length=1", 200,
		 "\"d12.3\""},
		{"PATCH", WEB "/data", "If-Match: \"d12.3\"", "op=flush", 200, "\"d12.3\""},
		{"POST", WEB "/data?op=flush", "If-Match: \"d12.2\"", NULL, 412, "\"d12.3\""},
		{"POST", WEB "/data?op=flush", "If-Match: \"d12.3\"", NULL, 200, "\"d12.3\""},
	};
	struct service *service = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {rows[i].method, rows[i].target, rows[i].headers,
					    .body = rows[i].body, .piece = 2};

		(void)exchange_json(service, &exchange, rows[i].status);
		assert_string_equal(exchange_header(&exchange, "ETag"), rows[i].etag);
		exchange_fini(&exchange);
	}
	assert_memory_equal(service->images[1].bytes, "\0E\0hello", 8);
}

static void compares_small_bodies_only(void **state)
{
	enum { MOST = 1 << 20 };
	static char body[MOST + 1];
	struct service *service = *state;
	struct exchange exchange = {"PUT",        "/v1/images/large/data", "If-Match: \"d12.0\"",
				    .body = body, .body_length = MOST + 1, .piece = 1 << 16};

	fake_add(service, "large", UINT64_C(2) * MOST, NULL);
	exchange_problem(service, &exchange, 413, "body-too-large",
			 "with If-Match a body has at most 1048576 bytes; send it in pieces");
	exchange.chunked = true;
	exchange_problem(service, &exchange, 413, "body-too-large",
			 "with If-Match a body has at most 1048576 bytes; send it in pieces");
	assert_int_equal(service->writes, 0);
}

static const char taken[] = "application/json, application/merge-patch+json";

static void merges_what_says_it_is_a_merge_patch_or_a_form(void **state)
{
	static const struct {
		const char *headers, *body;
	} rows[] = {
		{NULL, "{\"description\":\"new\"}"},
		{NULL, "description=new"},
		{"Content-Type: application/json", "{\"description\":\"new\"}"},
		{"Content-Type: Application/JSON; charset=utf-8", "{\"description\":\"new\"}"},
		{"Content-Type: application/merge-patch+json", "{\"description\":\"new\"}"},
		{"Content-Type: application/x-www-form-urlencoded", "{\"description\":\"new\"}"},
		{"Content-Type: application/x-www-form-urlencoded", "description=new"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct service *service = *state;
		struct exchange exchange = {"PATCH", WEB, rows[i].headers, rows[i].body};

		memset(service->update_texts, 0, sizeof service->update_texts);
		(void)exchange_json(service, &exchange, 200);
		assert_string_equal(service->update_texts[1], "new");
		exchange_fini(&exchange);
	}
}

static void takes_no_patch_of_another_kind(void **state)
{
	static const struct {
		const char *type, *body;
	} rows[] = {
		{"application/json-patch+json", "[{\"op\":\"remove\",\"path\":\"/name\"}]"},
		{"text/plain", "name=zz"},
		{"text/plain;charset=UTF-8", "{\"name\":\"zz\"}"},
		{"application/jsonx", "{}"},
		{"multipart/form-data; boundary=x", "--x\r\n"},
		{"application/octet-stream", NULL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char header[80], detail[160];
		struct exchange exchange = {"PATCH", WEB, header, rows[i].body};

		(void)snprintf(header, sizeof header, "Content-Type: %s", rows[i].type);
		(void)snprintf(detail, sizeof detail, "Content-Type '%s'; there is %s",
			       rows[i].type, taken);
		(void)exchange_json(*state, &exchange, 415);
		assert_string_equal(exchange_text(&exchange, "code"), "unsupported-media-type");
		assert_string_equal(exchange_text(&exchange, "detail"), detail);
		assert_string_equal(exchange_text(&exchange, "correction"),
				    "Send the fields with curl -d NAME=VALUE, or as JSON.");
		assert_string_equal(exchange_header(&exchange, "Accept-Patch"), taken);
		assert_string_equal(exchange.steps, "reply");
		exchange_fini(&exchange);
	}
}

static void says_which_patches_it_takes(void **state)
{
	static const struct {
		const char *method, *target;
		unsigned status;
		const char *types;
	} rows[] = {
		{"OPTIONS", WEB, 204, taken},
		{"OPTIONS", "/v1/images", 204, ""},
		{"OPTIONS", WEB "/chain", 204, ""},
		{"POST", WEB, 405, ""},
		{"DELETE", "/v1/images/nobody", 404, ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {rows[i].method, rows[i].target};

		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status, rows[i].status);
		assert_string_equal(exchange_header(&exchange, "Accept-Patch"), rows[i].types);
		exchange_fini(&exchange);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_what_the_body_names),
		cmocka_unit_test_setup_teardown(refuses_changes, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(freezes_and_thaws, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(makes_an_image_once, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(compares_before_it_changes, fake_pair,
						fake_teardown),
		cmocka_unit_test(loses_a_race_honestly),
		cmocka_unit_test_setup_teardown(compares_and_writes, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(compares_small_bodies_only, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(merges_what_says_it_is_a_merge_patch_or_a_form,
						fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(takes_no_patch_of_another_kind, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(says_which_patches_it_takes, fake_pair,
						fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
