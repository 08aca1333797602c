/* test_api_sectors.c - where sectors live, one by one and run by run. */
#include <stdio.h>
#include <string.h>

#include "api_client.h"
#include "test.h"

static int setup(void **state)
{
	struct service *service = fake_new();

	fake_fill(fake_add(service, "base", 65536, NULL), 0, 4, 'b');
	fake_add(service, "web-1", 65536, "base");
	fake_fill(fake_add(service, "web-2", 65536, "web-1"), 2, 1, 'w');
	*state = service;
	return 0;
}

static void finds_a_sector_in_the_chain(void **state)
{
	struct exchange exchange = {"GET", "/v1/images/web-2/sectors/3"};

	exchange_send(*state, &exchange);
	assert_string_equal(
		exchange.text,
		"{\"image\":\"web-2\",\"sector\":3,\"offset\":1536,\"reads\":\"data\","
		"\"location\":{\"image\":{\"id\":\"00000000-0000-4000-8000-000000000001\",\"name\":\"base\"},"
		"\"depth\":2,\"physical_sector\":103,\"physical_offset\":52736,\"block\":0,\"bat_sector\":99,"
		"\"bitmap_sectors\":1,\"sector_in_block\":3,\"path\":\"default/x.vhd\"},"
		"\"searched\":[{\"image\":\"web-2\",\"depth\":0,\"block\":\"unallocated\"},"
		"{\"image\":\"web-1\",\"depth\":1,\"block\":\"allocated\",\"bit\":false},"
		"{\"image\":\"base\",\"depth\":2,\"block\":\"allocated\",\"bit\":true,\"bitmap\":\"full\"}],"
		"\"etag\":\"d12.0\"}\n");
	assert_string_equal(exchange_header(&exchange, "ETag"), "\"d12.0-bd01bebe1ef878ad\"");
	exchange_fini(&exchange);
}

static void says_that_nobody_has_a_sector(void **state)
{
	struct exchange exchange = {"GET", "/v1/images/web-2/sectors/127"};

	(void)exchange_json(*state, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "reads"), "zero");
	assert_true(json_is_null(json_object_get(exchange.json, "location")));
	assert_int_equal(json_array_size(json_object_get(exchange.json, "searched")), 3);
	exchange_fini(&exchange);
}

static void knows_no_blocks_in_a_fixed_image(void **state)
{
	struct service *service = *state;
	struct fake_image *image = fake_add(service, "fx", 65536, NULL);
	struct exchange exchange = {"GET", "/v1/images/fx/sectors/5"};

	fake_fill(image, 0, 128, 'f');
	image->kind = SERVICE_FIXED;
	(void)exchange_json(service, &exchange, 200);
	assert_int_equal(exchange_number(&exchange, "location.physical_sector"), 5);
	assert_true(
		json_is_null(json_object_get(json_object_get(exchange.json, "location"), "block")));
	assert_string_equal(exchange_text(&exchange, "searched.0.block"), "fixed");
	exchange_fini(&exchange);
}

static void refuses_sectors(void **state)
{
	static const struct {
		const char *target;
		unsigned status;
		const char *code, *detail;
	} rows[] = {
		{"/v1/images/web-2/sectors/128", 416, "range-not-satisfiable",
		 "sector 128 is beyond the last one, 127"},
		{"/v1/images/web-2/sectors/18446744073709551615", 416, "range-not-satisfiable",
		 "sector 18446744073709551615 is beyond the last one, 127"},
		{"/v1/images/web-2/sectors/18446744073709551616", 400, "invalid-value",
		 "'18446744073709551616' is not the number of a sector"},
		{"/v1/images/web-2/sectors/-1", 400, "invalid-value",
		 "'-1' is not the number of a sector"},
		{"/v1/images/web-2/sectors/1K", 400, "invalid-value",
		 "'1K' is not the number of a sector"},
		{"/v1/images/nobody/sectors/1", 404, "image-not-found", "no image is called that"},
		{"/v1/images/web-2/sectors?start=128", 416, "range-not-satisfiable",
		 "sector 128 is beyond the last one, 127"},
		{"/v1/images/web-2/sectors?count=0", 400, "invalid-value", "count: must not be 0"},
		{"/v1/images/web-2/sectors?limit=10001", 400, "invalid-value",
		 "limit: '10001' is not a number from 1 to 10000"},
		{"/v1/images/web-2/sectors?format=csv", 400, "invalid-value",
		 "format: 'csv' is neither json nor text"},
		{"/v1/images/web-2/extents?start=65536", 416, "range-not-satisfiable",
		 "byte 65536 is beyond the last one, 65535"},
		{"/v1/images/web-2/extents?start=1M&length=512", 416, "range-not-satisfiable",
		 "byte 1048576 is beyond the last one, 65535"},
		{"/v1/images/web-2/extents?start=5", 400, "invalid-value",
		 "start: 5 is not a multiple of 512"},
		{"/v1/images/web-2/extents?layers=some", 400, "invalid-value",
		 "layers: 'some' is neither all nor top"},
		{"/v1/images/web-2/extents?detail=all", 400, "invalid-value",
		 "detail: 'all' is neither provenance nor flags"},
		{"/v1/images/web-2/extents?format=xml", 400, "invalid-value",
		 "format: 'xml' is none of json, ndjson, text and csv"},
		{"/v1/images/web-2/extents?min=few", 400, "invalid-value",
		 "min: 'few' is not a number like 4096, 64K, 10G or 1.5GiB"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target};

		exchange_problem(*state, &exchange, rows[i].status, rows[i].code, rows[i].detail);
	}
}

static void says_where_the_sectors_end(void **state)
{
	struct exchange exchange = {"GET", "/v1/images/web-2/sectors/128"};

	exchange_send(*state, &exchange);
	assert_string_equal(exchange_header(&exchange, "Content-Range"), "sectors */128");
	exchange_fini(&exchange);
}

static void tells_of_a_missing_parent(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"GET", "/v1/images/web-2/sectors/1"};

	service->fail = SERVICE_PARENT_MISSING;
	service->fail_text = "base is gone";
	exchange_problem(service, &exchange, 409, "parent-missing", "base is gone");
}

static void lists_runs(void **state)
{
	struct exchange exchange = {"GET", "/v1/images/web-2/sectors?start=1&limit=3"};

	exchange_send(*state, &exchange);
	assert_string_equal(
		exchange.text,
		"{\"image\":\"web-2\",\"start\":1,\"count\":3,\"runs\":["
		"{\"sector\":1,\"count\":1,\"reads\":\"data\",\"depth\":2,\"image\":\"base\",\"physical_sector\":101},"
		"{\"sector\":2,\"count\":1,\"reads\":\"data\",\"depth\":0,\"image\":\"web-2\",\"physical_sector\":102},"
		"{\"sector\":3,\"count\":1,\"reads\":\"data\",\"depth\":2,\"image\":\"base\",\"physical_sector\":103}"
		"],\"next_sector\":4,\"etag\":\"d12.0\"}\n");
	exchange_fini(&exchange);
	exchange.target = "/v1/images/web-2/sectors?start=4&count=1M";
	exchange_send(*state, &exchange);
	assert_string_equal(
		exchange.text,
		"{\"image\":\"web-2\",\"start\":4,\"count\":124,\"runs\":[{\"sector\":4,"
		"\"count\":124,\"reads\":\"zero\",\"depth\":null,\"image\":null,"
		"\"physical_sector\":null}],\"next_sector\":null,\"etag\":\"d12.0\"}\n");
	exchange_fini(&exchange);
}

/* A polling thread answers what takes no time. */
static void lists_what_is_long_or_incomplete_on_a_worker(void **state)
{
	static const struct {
		const char *target, *steps;
	} rows[] = {
		{"/v1/images/long/sectors?start=0&count=256", "try reply"},
		{"/v1/images/long/sectors?start=0&count=257", "try run reply"},
		{"/v1/images/long/sectors?start=0", "try run reply"},
		{"/v1/images/web-2/sectors?start=1&count=3&limit=3", "try reply"},
		{"/v1/images/web-2/sectors?start=1&count=4&limit=3", "try run reply"},
		{"/v1/images/long/extents?length=64M", "try reply"},
		{"/v1/images/long/extents?length=65537K", "try run reply"},
		{"/v1/images/long/extents", "try run reply"},
		{"/v1/images/web-2/extents?length=2K&limit=3&format=csv", "try reply"},
		{"/v1/images/web-2/extents?length=4K&limit=3", "try run reply"},
		{"/v1/images/web-2/extents?start=1T", "try reply"},
	};
	struct service *service = *state;

	fake_add(service, "long", 128 << 20, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target};

		exchange_send(service, &exchange);
		print_message("%s\n", rows[i].target);
		assert_string_equal(exchange.steps, rows[i].steps);
		exchange_fini(&exchange);
	}
}

static void draws_runs_for_people(void **state)
{
	struct exchange exchange = {"GET", "/v1/images/web-2/sectors?start=2&count=3&format=text"};

	exchange_send(*state, &exchange);
	assert_string_equal(exchange.text, "#sector     count     depth image            physical\n"
					   "2           1         0     web-2            102\n"
					   "3           1         2     base             103\n"
					   "4           1         -     -                -\n");
	exchange_fini(&exchange);
}

static void links_to_what_is_left(void **state)
{
	static const struct {
		const char *target, *link;
	} rows[] = {
		{"sectors?limit=1", "sectors?limit=1&start=2&count=126"},
		{"sectors?format=text&count=5&limit=2",
		 "sectors?format=text&limit=2&start=3&count=2"},
		{"sectors?count=4&limit=1&start=1", "sectors?limit=1&start=2&count=3"},
		{"sectors?count=1", NULL},
		{"extents?limit=1&length=2K", "extents?limit=1&start=1024&length=1024"},
		{"extents?format=csv&limit=1&length=2K",
		 "extents?format=csv&limit=1&start=1024&length=1024"},
		{"extents", NULL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char target[80] = "/v1/images/web-2/", link[120] = "";
		struct exchange exchange = {"GET", target};

		(void)snprintf(target, sizeof target, "/v1/images/web-2/%s", rows[i].target);
		if (rows[i].link)
			(void)snprintf(link, sizeof link, "</v1/images/web-2/%s>; rel=\"next\"",
				       rows[i].link);
		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status, 200);
		assert_string_equal(exchange_header(&exchange, "Link"), link);
		exchange_fini(&exchange);
	}
}

static unsigned status_of(struct service *service, const char *target, const char *headers)
{
	struct exchange exchange = {"GET", target, headers};
	unsigned status;

	exchange_send(service, &exchange);
	status = exchange.response->status;
	if (status < 400)
		assert_string_equal(exchange_header(&exchange, "Vary"), "Accept");
	exchange_fini(&exchange);
	return status;
}

/* With the ETag of `target`, as sent with `accept`, behind `lines`. */
static unsigned status_with(struct service *service, const char *target, const char *accept,
			    const char *lines)
{
	struct exchange exchange = {"GET", target, accept};
	char headers[200];

	exchange_send(service, &exchange);
	assert_int_equal(exchange.response->status, 200);
	(void)snprintf(headers, sizeof headers, "%s%s", lines, exchange_header(&exchange, "ETag"));
	exchange_fini(&exchange);
	return status_of(service, target, headers);
}

/* Each of its formats is another answer; all are of one content, which If-Match may mean. */
static void tells_by_the_etag_all_that_is_in_an_answer(void **state)
{
	static const char *const targets[] = {"/v1/images/web-2/sectors",
					      "/v1/images/web-2/extents"};
	static const struct {
		const char *accept, *lines;
		unsigned status;
	} rows[] = {
		{NULL, "If-None-Match: ", 304},
		{NULL, "Accept: text/plain\nIf-None-Match: ", 200},
		{"Accept: text/plain", "Accept: text/plain\nIf-None-Match: ", 304},
		{"Accept: text/plain", "If-None-Match: ", 200},
		{NULL, "If-Match: ", 200},
		{"Accept: text/plain", "If-Match: ", 412},
	};
	static const struct {
		const char *header;
		unsigned status;
	} contents[] = {
		{"If-None-Match: \"d12.0\"", 200},
		{"If-Match: \"d12.0\"", 200},
		{"If-Match: \"d12.1\"", 412},
	};
	enum { ROWS = sizeof rows / sizeof *rows };

	for (size_t i = 0; i < 2 * ROWS; i++)
		assert_int_equal(status_with(*state, targets[i / ROWS], rows[i % ROWS].accept,
					     rows[i % ROWS].lines),
				 rows[i % ROWS].status);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(status_of(*state, targets[i / 3], contents[i % 3].header),
				 contents[i % 3].status);
}

static void names_the_sector_that_is_wrong(void **state)
{
	static const struct {
		const char *body, *code;
	} rows[] = {
		{"{\"sectors\":[0,1,\"x\"]}", "invalid-value"},
		{"{\"sectors\":[0,1,128]}", "range-not-satisfiable"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"POST", "/v1/images/web-2/sectors",
					    .body = rows[i].body};

		exchange_send(*state, &exchange);
		assert_string_equal(exchange_text(&exchange, "errors.0.pointer"), "/sectors/2");
		assert_string_equal(exchange_text(&exchange, "errors.0.code"), rows[i].code);
		assert_string_equal(exchange_header(&exchange, "X-Error-Code"), rows[i].code);
		exchange_fini(&exchange);
	}
}

#define LIST "/v1/images/web-2/sectors"

static void finds_scattered_sectors_in_order(void **state)
{
	struct exchange exchange = {"POST", LIST, .body = "{\"sectors\":[4,3,2,3]}"};

	exchange_send(*state, &exchange);
	assert_string_equal(
		exchange.text,
		"{\"image\":\"web-2\",\"sectors\":["
		"{\"sector\":4,\"reads\":\"zero\",\"depth\":null,\"image\":null,\"physical_sector\":null},"
		"{\"sector\":3,\"reads\":\"data\",\"depth\":2,\"image\":\"base\",\"physical_sector\":103},"
		"{\"sector\":2,\"reads\":\"data\",\"depth\":0,\"image\":\"web-2\",\"physical_sector\":102},"
		"{\"sector\":3,\"reads\":\"data\",\"depth\":2,\"image\":\"base\",\"physical_sector\":103}],"
		"\"etag\":\"d12.0\"}\n");
	assert_string_equal(exchange_header(&exchange, "ETag"), "\"d12.0\"");
	exchange_fini(&exchange);
}

static void refuses_lists_of_sectors(void **state)
{
	static const struct {
		const char *body;
		unsigned status;
		const char *code, *detail;
	} rows[] = {
		{"{}", 400, "invalid-value", "/sectors: must be an array of 1 to 10000 numbers"},
		{"{\"sectors\":[]}", 400, "invalid-value",
		 "/sectors: must be an array of 1 to 10000 numbers"},
		{"sectors=1", 400, "invalid-value",
		 "/sectors: must be an array of 1 to 10000 numbers"},
		{"{\"sectors\":[0,\"1\"]}", 400, "invalid-value",
		 "/sectors/1: must be the number of a sector"},
		{"{\"sectors\":[-1]}", 400, "invalid-value",
		 "/sectors/0: must be the number of a sector"},
		{"{\"sectors\":[0,128]}", 416, "range-not-satisfiable",
		 "sector 128 is beyond the last one, 127"},
		{"{\"sectors\":[0],\"x\":1}", 400, "unknown-field", "/x: is not known here"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"POST", LIST, .body = rows[i].body};

		exchange_problem(*state, &exchange, rows[i].status, rows[i].code, rows[i].detail);
	}
}

static void limits_lists_of_sectors(void **state)
{
	enum { MOST = 10000 };
	char body[2 * MOST + 20] = "{\"sectors\":[0";
	struct exchange exchange = {"POST", LIST, .body = body, .piece = 4096};
	size_t at = strlen(body);

	for (size_t i = 1; i < MOST; i++, at += 2)
		memcpy(body + at, ",0", 2);
	memcpy(body + at, "]}", 2);
	(void)exchange_json(*state, &exchange, 200);
	assert_int_equal(json_array_size(json_object_get(exchange.json, "sectors")), MOST);
	exchange_fini(&exchange);
	memcpy(body + at, ",0]}", 4);
	exchange.body_length = 0;
	exchange_problem(*state, &exchange, 413, "too-many-sectors", "/sectors: more than 10000");
}

static void lists_extents(void **state)
{
	struct exchange exchange = {"GET", "/v1/images/web-2/extents?start=1K&length=1536"};

	exchange_send(*state, &exchange);
	assert_string_equal(
		exchange.text,
		"{\"virtual_size\":65536,\"start\":1024,\"length\":1536,\"extents\":["
		"{\"start\":1024,\"length\":512,\"zero\":false,\"hole\":false,\"depth\":0,\"image\":\"web-2\"},"
		"{\"start\":1536,\"length\":512,\"zero\":false,\"hole\":false,\"depth\":2,\"image\":\"base\"},"
		"{\"start\":2048,\"length\":512,\"zero\":true,\"hole\":true,\"depth\":null,\"image\":null}],"
		"\"next_start\":null,\"etag\":\"d12.0\"}\n");
	exchange_fini(&exchange);
	exchange.target = "/v1/images/web-2/extents?layers=top&limit=1";
	(void)exchange_json(*state, &exchange, 200);
	assert_int_equal(exchange_number(&exchange, "next_start"), 1024);
	assert_true(json_is_true(json_object_get(
		json_array_get(json_object_get(exchange.json, "extents"), 0), "hole")));
	exchange_fini(&exchange);
}

static void lists_extents_in_every_format(void **state)
{
#define EXTENTS "/v1/images/web-2/extents?start=1K&length=1536&limit=2"
#define REST \
	"\"virtual_size\":65536,\"start\":1024,\"length\":1024,\"next_start\":2048,\"etag\":\"d12.0\"}\n"
	static const struct {
		const char *target, *headers, *type, *text;
	} rows[] = {
		{EXTENTS "&format=ndjson", NULL, "application/x-ndjson",
		 "{\"start\":1024,\"length\":512,\"zero\":false,\"hole\":false,\"depth\":0,\"image\":\"web-2\"}\n"
		 "{\"start\":1536,\"length\":512,\"zero\":false,\"hole\":false,\"depth\":2,\"image\":\"base\"}\n"
		 "{\"end\":true,\"count\":2," REST},
		{EXTENTS "&format=text", "Accept: text/csv", "text/plain; charset=utf-8",
		 "#start length zero  hole  depth image\n"
		 "1024   512    false false 0     web-2\n"
		 "1536   512    false false 2     base\n"},
		{"/v1/images/web-2/extents?start=2K&length=1536&detail=flags", "Accept: text/csv",
		 "text/csv; charset=utf-8", "start,length,zero,hole\r\n2048,1536,true,true\r\n"},
		{EXTENTS "&layers=top&detail=flags", "Accept: text/plain",
		 "text/plain; charset=utf-8",
		 "#start length zero  hole\n"
		 "1024   512    false false\n"
		 "1536   512    false true\n"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target, rows[i].headers};

		exchange_send(*state, &exchange);
		assert_string_equal(exchange.text, rows[i].text);
		assert_string_equal(exchange_header(&exchange, "Content-Type"), rows[i].type);
		assert_memory_equal(exchange_header(&exchange, "ETag"), "\"d12.0-", 7);
		exchange_fini(&exchange);
	}
#undef REST
#undef EXTENTS
}

/* web-2 has sector 2, web-1 has 2 and 8, base has 0 to 3. */
static void merges_extents(void **state)
{
	static const struct {
		const char *query;
		const char *extents; /* start, length, and d, z or h for data, zeroes or a hole */
	} rows[] = {
#define EXTENTS "/v1/images/web-2/extents?length=6K"
		{EXTENTS, "0+1024d2 1024+512d0 1536+512d2 2048+2048z 4096+512d1 4608+1536z "},
		{EXTENTS "&detail=flags", "0+2048d 2048+2048z 4096+512d 4608+1536z "},
		{EXTENTS "&min=2048", "0+1024d2 1024+512d0 1536+512d2 2048+2048z 4096+2048d1 "},
		{EXTENTS "&min=2049", "0+1024d2 1024+512d0 1536+2560d2 4096+2048d1 "},
		{EXTENTS "&min=4K&detail=flags", "0+6144d "},
		{EXTENTS "&layers=top",
		 "0+1024h 1024+512d0 1536+512h 2048+2048z 4096+512h 4608+1536z "},
		{EXTENTS "&layers=top&min=1K&detail=flags",
		 "0+1024h 1024+1024d 2048+2048z 4096+512h 4608+1536z "},
		/* There is no data beside it. */
		{"/v1/images/web-2/extents?start=8K&min=1M", "8192+57344z "},
	};

	fake_fill(&((struct service *)*state)->images[1], 8, 1, 'x');
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].query};
		char text[512] = "";
		json_t *extent;
		size_t n;

		json_t *json = exchange_json(*state, &exchange, 200);
		json_array_foreach (json_object_get(json, "extents"), n, extent) {
			const json_t *depth = json_object_get(extent, "depth");
			bool zero = json_is_true(json_object_get(extent, "zero"));
			bool hole = json_is_true(json_object_get(extent, "hole"));
			size_t len = strlen(text);
			char mark = hole ? 'h' : 'd';

			(void)snprintf(text + len, sizeof text - len,
				       "%" JSON_INTEGER_FORMAT "+%" JSON_INTEGER_FORMAT "%c",
				       json_integer_value(json_object_get(extent, "start")),
				       json_integer_value(json_object_get(extent, "length")),
				       zero ? 'z' : mark);
			len = strlen(text);
			(void)snprintf(text + len, sizeof text - len,
				       json_is_integer(depth) ? "%" JSON_INTEGER_FORMAT " " : " ",
				       json_integer_value(depth));
		}
		print_message("%s\n", rows[i].query);
		assert_string_equal(text, rows[i].extents);
		exchange_fini(&exchange);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_a_sector_in_the_chain, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(says_that_nobody_has_a_sector, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(knows_no_blocks_in_a_fixed_image, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_sectors, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(says_where_the_sectors_end, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(tells_of_a_missing_parent, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(lists_runs, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(lists_what_is_long_or_incomplete_on_a_worker, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(draws_runs_for_people, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(links_to_what_is_left, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(tells_by_the_etag_all_that_is_in_an_answer, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(names_the_sector_that_is_wrong, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(finds_scattered_sectors_in_order, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_lists_of_sectors, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(limits_lists_of_sectors, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(merges_extents, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(lists_extents, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(lists_extents_in_every_format, setup,
						fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
