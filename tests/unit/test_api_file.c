/* test_api_file.c - fields and layout of files, pools, and recovery. */
#include <string.h>

#include "api_client.h"
#include "test.h"

static int setup(void **state)
{
	struct service *service = fake_new();

	fake_add(service, "base", 65536, NULL)->state = SERVICE_FAILED;
	*state = service;
	return 0;
}

#define BASE "/v1/images/base"
#define END  ",\"next\":null}\n"

static void answers(void **state)
{
	static const struct {
		const char *target, *headers, *type, *text;
	} rows[] = {
		{BASE "/fields", NULL, "text/plain; charset=utf-8",
		 "cookie: conectix\ncurrent-size: 65536\n"},
		{BASE "/fields", "Accept: application/json", "application/json",
		 "{\"cookie\":\"conectix\",\"current-size\":\"65536\"}\n"},
		{BASE "/fields?format=text", "Accept: application/json",
		 "text/plain; charset=utf-8", "cookie: conectix\ncurrent-size: 65536\n"},
		{BASE "/fields/current-size", "Accept: */*", "text/plain; charset=utf-8",
		 "65536\n"},
		{BASE "/fields/current_size?format=json", NULL, "application/json",
		 "{\"current-size\":\"65536\"}\n"},
		{BASE "/layout", "Accept: */*", "application/x-ndjson",
		 "{\"offset\":0,\"length\":512,\"kind\":\"footer-copy\"}\n"
		 "{\"offset\":2048,\"length\":512,\"kind\":\"locator\",\"index\":1}\n"
		 "{\"offset\":4096,\"length\":4608,\"kind\":\"block\",\"index\":3,\"bitmap_length\":512,"
		 "\"present\":8}\n{\"end\":true,\"count\":3" END},
		{BASE "/layout?limit=1", NULL, "application/x-ndjson",
		 "{\"offset\":0,\"length\":512,\"kind\":\"footer-copy\"}\n"
		 "{\"end\":true,\"count\":1,\"next\":1}\n"},
		{BASE "/layout?start=1&limit=1", "Accept: application/json", "application/json",
		 "{\"items\":[{\"offset\":2048,\"length\":512,\"kind\":\"locator\",\"index\":1}],\"next\":2}\n"},
		{BASE "/layout?start=3", NULL, "application/x-ndjson",
		 "{\"end\":true,\"count\":0" END},
		{BASE "/layout?format=csv&start=2", NULL, "text/csv; charset=utf-8",
		 "offset,length,kind,index,bitmap_length,present\r\n4096,4608,block,3,512,8\r\n"},
		{"/v1/pools", NULL, "application/json",
		 "{\"items\":[{\"name\":\"default\",\"href\":\"/v1/pools/default\",\"path\":\"/images\","
		 "\"default\":true,\"state\":\"online\",\"problem\":null,"
		 "\"capacity\":{\"size\":1000,\"free\":900,\"used\":100}},"
		 "{\"name\":\"fast\",\"href\":\"/v1/pools/fast\",\"path\":\"/fast\",\"default\":false,"
		 "\"state\":\"offline\",\"problem\":\"not mounted\",\"capacity\":null}]}\n"},
		{"/v1/pools?format=text", NULL, "text/plain; charset=utf-8",
		 "#name   state   capacity.size capacity.free default path\n"
		 "default online  1000          900           true    /images\n"
		 "fast    offline -             -             false   /fast\n"},
		{"/v1/pools/fast", NULL, "application/json",
		 "{\"name\":\"fast\",\"href\":\"/v1/pools/fast\",\"path\":\"/fast\",\"default\":false,"
		 "\"state\":\"offline\",\"problem\":\"not mounted\",\"capacity\":null}\n"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target, rows[i].headers};

		exchange_send(*state, &exchange);
		assert_string_equal(exchange.text, rows[i].text);
		assert_string_equal(exchange_header(&exchange, "Content-Type"), rows[i].type);
		exchange_fini(&exchange);
	}
}

static void links_to_the_next_page(void **state)
{
	static const struct {
		const char *target, *link;
	} rows[] = {
		{BASE "/layout?limit=1&format=csv",
		 "<" BASE "/layout?limit=1&format=csv&start=1>; rel=\"next\""},
		{BASE "/layout?start=1&limit=1", "<" BASE "/layout?limit=1&start=2>; rel=\"next\""},
		{BASE "/layout?start=2&limit=1", ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target};

		exchange_send(*state, &exchange);
		assert_string_equal(exchange_header(&exchange, "Link"), rows[i].link);
		assert_string_equal(exchange_header(&exchange, "Vary"), "Accept");
		exchange_fini(&exchange);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *target;
		unsigned status;
		const char *code, *detail;
	} rows[] = {
		{"/v1/images/nobody/fields", 404, "image-not-found", "no image is called that"},
		{BASE "/fields/colour", 404, "field-not-found", "no field is called that"},
		{BASE "/fields?format=csv", 400, "invalid-value",
		 "format: 'csv' is neither json nor text"},
		{"/v1/images/nobody/layout", 404, "image-not-found", "no image is called that"},
		{BASE "/layout?limit=10001", 400, "invalid-value",
		 "limit: '10001' is not a number from 1 to 10000"},
		{BASE "/layout?format=xml", 400, "invalid-value",
		 "format: 'xml' is none of json, ndjson, text and csv"},
		{"/v1/pools/slow", 404, "pool-not-found", "there is no pool 'slow'"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target};

		exchange_problem(*state, &exchange, rows[i].status, rows[i].code, rows[i].detail);
	}
}

static void recovers_an_image(void **state)
{
	struct exchange exchange = {"POST", BASE "/actions/recover"};

	(void)exchange_json(*state, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "state"), "ready");
	exchange_fini(&exchange);
	exchange.body = "{\"force\":true}";
	exchange_problem(*state, &exchange, 400, "unknown-field", "/force: is not known here");
	exchange.body = NULL;
	exchange.body_length = 0;
	((struct service *)*state)->fail = SERVICE_IO_ERROR;
	(void)exchange_json(*state, &exchange, 500);
	exchange_fini(&exchange);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(links_to_the_next_page, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(refuses, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(recovers_an_image, setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
