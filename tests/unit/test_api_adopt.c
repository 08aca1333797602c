/* test_api_adopt.c - files that are there already become images. */
#include <stdio.h>
#include <string.h>

#include "api_client.h"
#include "test.h"

static int setup(void **state)
{
	struct service *service = fake_new();

	fake_add(service, "base", 65536, NULL);
	*state = service;
	return 0;
}

static void adopts_a_chain(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {
		"POST", "/v1/images",
		.body = "{\"name\":\"leaf\",\"labels\":{\"a\":\"b\"},\"source\":{\"path\":\"/srv/leaf.vhd\","
			"\"search_path\":[\"/srv\",\"/mnt/base\"],\"mode\":\"link\",\"rw\":false,"
			"\"strict\":true,\"check\":\"quick\"}}"};

	(void)exchange_json(service, &exchange, 201);
	assert_string_equal(exchange_header(&exchange, "Location"),
			    "/v1/images/00000000-0000-4000-8000-000000000002");
	assert_string_equal(exchange_header(&exchange, "ETag"), "\"m17-11a9832b0a75cd5e\"");
	assert_string_equal(exchange_text(&exchange, "image.name"), "leaf");
	assert_string_equal(exchange_text(&exchange, "adopted.0.name"), "leaf");
	assert_string_equal(exchange_text(&exchange, "already_known.0.name"), "base");
	assert_string_equal(exchange_text(&exchange, "warnings.0"), "the parent is younger");
	assert_string_equal(service->adopt_texts[0], "/srv/leaf.vhd");
	assert_string_equal(service->adopt_texts[1], "leaf");
	assert_string_equal(service->adopt_texts[2], "/mnt/base");
	assert_int_equal(service->adopt.n_search, 2);
	assert_int_equal(service->adopt.n_labels, 1);
	assert_int_equal(service->adopt.mode, SERVICE_LINK);
	assert_true(service->adopt.chain && service->adopt.read_only && service->adopt.strict);
	exchange_fini(&exchange);
}

static void takes_a_form(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"POST", "/v1/images",
				    .body = "source.path=/srv/x.vhd&source.chain=n"};

	(void)exchange_json(service, &exchange, 201);
	assert_string_equal(service->adopt_texts[1], "-");
	assert_int_equal(service->adopt.mode, SERVICE_ADOPT);
	assert_false(service->adopt.chain || service->adopt.read_only || service->adopt.strict);
	exchange_fini(&exchange);
}

static void says_what_kind_a_file_is(void **state)
{
	static const struct {
		const char *kind;
		enum service_adopt_kind wanted;
	} rows[] = {
		{"fixed", SERVICE_ONLY_FIXED},
		{"dynamic", SERVICE_ONLY_DYNAMIC},
		{"differencing", SERVICE_ONLY_DIFFERENCING},
	};
	struct service *service = *state;
	struct exchange plain = {"POST", "/v1/images", .body = "source.path=/srv/plain.vhd"};

	(void)exchange_json(service, &plain, 201);
	assert_int_equal(service->adopt.kind, SERVICE_ANY_KIND);
	exchange_fini(&plain);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char body[96];
		struct exchange exchange = {"POST", "/v1/images", .body = body};

		(void)snprintf(body, sizeof body, "source.path=/srv/x.vhd&source.kind=%s",
			       rows[i].kind);
		(void)exchange_json(service, &exchange, 201);
		assert_int_equal(service->adopt.kind, rows[i].wanted);
		exchange_fini(&exchange);
	}
}

static void refuses_sources(void **state)
{
	static const struct {
		const char *source;
		unsigned status;
		const char *code, *detail;
	} rows[] = {
		{"{}", 400, "invalid-value", "/source/path: is required"},
		{"{\"path\":\"\"}", 400, "invalid-value", "/source/path: is required"},
		{"[]", 400, "invalid-value",
		 "/source: must be an object; in a form, source.path=FILE"},
		{"{\"image\":\"x\"}", 501, "not-supported", "/source/image: is not supported yet"},
		{"{\"path\":\"/srv/x\",\"mode\":\"copy\"}", 501, "not-supported",
		 "/source/mode: \"copy\" is not supported yet"},
		{"{\"path\":\"/srv/x\",\"mode\":\"move\"}", 400, "invalid-value",
		 "/source/mode: must be one of: adopt, link"},
		{"{\"path\":\"/srv/x\",\"kind\":\"raw\"}", 400, "invalid-value",
		 "/source/kind: must be one of: fixed, dynamic, differencing"},
		{"{\"path\":\"/srv/x\",\"check\":\"deep\"}", 501, "not-supported",
		 "/source/check: \"deep\" is not supported yet"},
		{"{\"path\":\"/srv/x\",\"check\":\"slow\"}", 400, "invalid-value",
		 "/source/check: must be one of: quick"},
		{"{\"path\":\"/srv/x\",\"search_path\":\"/srv\"}", 400, "invalid-value",
		 "/source/search_path: must be an array of absolute folders, 16 at most; a form has no "
		 "arrays, JSON has"},
		{"{\"path\":\"/srv/x\",\"search_path\":[\"srv\"]}", 400, "invalid-value",
		 "/source/search_path: must be absolute folders, 16 at most"},
		{"{\"path\":\"/srv/x\",\"colour\":1}", 400, "unknown-field",
		 "/source/colour: is not known here"},
		{"{\"path\":\"/etc/shadow\"}", 403, "path-outside-pool", "it lies below no root"},
		{"{\"path\":\"/srv/x\"},\"size\":512", 400, "unknown-field",
		 "/size: is not known here"},
		{"{\"path\":\"/srv/x\"},\"name\":\"-\"", 400, "invalid-name",
		 "/name: '-' is not a name"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char body[256];
		struct exchange exchange = {"POST", "/v1/images", .body = body};

		(void)snprintf(body, sizeof body, "{\"source\":%s}", rows[i].source);
		exchange_problem(*state, &exchange, rows[i].status, rows[i].code, rows[i].detail);
	}
}

static void says_what_the_daemon_cannot_do(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"POST", "/v1/images", .body = "source.path=/srv/x.vhd"};

	service->fail = SERVICE_NOT_SUPPORTED;
	service->fail_text = "not here";
	exchange_problem(service, &exchange, 501, "not-supported", "not here");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(adopts_a_chain, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(takes_a_form, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(says_what_kind_a_file_is, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_sources, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(says_what_the_daemon_cannot_do, setup,
						fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
