/* test_api_list.c - lists show the images that were asked for, in that order and shape. */
#include <stdio.h>
#include <string.h>

#include "api_client.h"
#include "filter.h"
#include "number.h"
#include "test.h"

static int setup(void **state)
{
	struct service *service = fake_new();

	fake_add(service, "base", 65536, NULL);
	fake_add(service, "db", 131072, NULL)->kind = SERVICE_FIXED;
	fake_add(service, "web-1", 65536, "base");
	fake_add(service, "web-2", 65536, "base")->state = SERVICE_MISSING;
	service->images[3].poolless = true;
	fake_add(service, "web-3", 98304, "web-1");
	*state = service;
	return 0;
}

#define NAMES "&fields=name&format=csv"

/* The lines of a CSV of one column, but for the first, with a blank between. */
static void join_names(char *csv, char *names, size_t size)
{
	char *rest = csv;
	char *line;

	(void)strsep(&rest, "\n");
	while ((line = strsep(&rest, "\r")) && *line != '\0' && rest) {
		size_t len = strlen(names);

		(void)snprintf(names + len, size - len, "%s%s", len > 0 ? " " : "", line);
		rest += *rest == '\n';
	}
}

static const struct {
	const char *query, *names;
} filters[] = {
	{"", "base db web-1 web-2 web-3"},
	{"kind=differencing", "web-1 web-2 web-3"},
	{"kind=fixed,dynamic", "base db"},
	{"kind.ne=fixed", NULL},
	{"state=missing", "web-2"},
	{"name=web-*", "web-1 web-2 web-3"},
	{"name=*-1,db", "db web-1"},
	{"name=w*3", "web-3"},
	{"name=w*-", ""},
	{"path=default/00000000-0000-4000-8000-000000000001.vhd", "base"},
	{"path=00000000-0000-4000-8000-000000000001.vhd,*-8000-000000000003.vhd", "base web-1"},
	{"path=/srv/*,default/*1.vhd", "base web-2"},
	{"path=default/*", "base db web-1 web-3"},
	{"path=*.vhd&depth=1", "web-1 web-2"},
	{"path=/*1.vhd", ""},
	{"path=default/", ""},
	{"path=", ""},
	{"path.ne=default/*", NULL},
	{"parent=base", "web-1 web-2"},
	{"parent=00000000-0000-4000-8000-000000000003", "web-3"},
	{"root=base,db", "base db web-1 web-2 web-3"},
	{"root=db", "db"},
	{"parent=nobody", ""},
	{"writable=y", "db web-3"},
	{"writable=n", "base web-1 web-2"},
	{"frozen=true", "base web-1"},
	{"depth=1", "web-1 web-2"},
	{"depth=0,2", "base db web-3"},
	{"depth.gt=0", "web-1 web-2 web-3"},
	{"depth.ge=2", "web-3"},
	{"depth.lt=1", "base db"},
	{"depth.le=1", "base db web-1 web-2"},
	{"depth.ne=1,2", "base db"},
	{"virtual_size.gt=64K", "db web-3"},
	{"virtual_size.gt=64K&kind=fixed", "db"},
	{"virtual_size=64K", "base web-1 web-2"},
	{"virtual_size.ne=64K,128K", "web-3"},
	{"children_count=2", "base"},
	{"children_count.ge=1", "base web-1"},
	{"children_count.le=1", "db web-1 web-2 web-3"},
	{"children_count.ne=0", "base web-1"},
	{"usage.file=0&depth=2", "web-3"},
	{"usage.file.ne=0", ""},
	{"q=EB-", "web-1 web-2 web-3"},
	{"pool=default,fast&depth=2", "web-3"},
	{"pool=", "web-2"},
	{"pool=fast", ""},
	{"label=role", ""},
	{"label=!role&label=!env&depth=2", "web-3"},
	{"sort=-name", "web-3 web-2 web-1 db base"},
	{"sort=virtual_size,-name", "web-2 web-1 base web-3 db"},
	{"sort=-depth,name", "web-3 web-1 web-2 base db"},
	{"sort=-depth,name&limit=2", "web-3 web-1"},
	{"sort=kind,state", "web-2 web-1 web-3 base db"},
};

static void shows_what_all_filters_let_through(void **state)
{

	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
		char target[256];
		char names[256] = "";
		struct exchange exchange = {"GET", target};

		(void)snprintf(target, sizeof target, "/v1/images?%s" NAMES, filters[i].query);
		exchange_send(*state, &exchange);
		if (!filters[i].names) {
			assert_int_equal(exchange.response->status, 400);
			exchange_fini(&exchange);
			continue;
		}
		assert_int_equal(exchange.response->status, 200);
		join_names(exchange.text, names, sizeof names);
		if (strcmp(names, filters[i].names) != 0)
			print_error("%s\n", filters[i].query);
		assert_string_equal(names, filters[i].names);
		exchange_fini(&exchange);
	}
}

static void has_the_same_filters_for_all_numbers(void **state)
{
	static const char *const numbers[] = {"depth", "virtual_size", "usage.file",
					      "children_count"};
	static const char *const suffixes[] = {"", ".gt", ".ge", ".lt", ".le", ".ne"};
	enum { ES = sizeof suffixes / sizeof *suffixes };

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers * ES; i++) {
		char target[80];
		struct exchange exchange = {"GET", target};

		(void)snprintf(target, sizeof target, "/v1/images?%s%s=1", numbers[i / ES],
			       suffixes[i % ES]);
		print_message("%s\n", target);
		(void)exchange_json(*state, &exchange, 200);
		exchange_fini(&exchange);
	}
}

/* Appends the lines of one page, and moves on. */
static void read_page(struct service *service, const char *order, int limit, char next[400],
		      char text[512])
{
	char target[700];
	struct exchange exchange = {"GET", target};
	size_t len = strlen(text);
	char *last;
	json_t *end;

	(void)snprintf(target, sizeof target,
		       "/v1/images?sort=%s&fields=name&format=ndjson&limit=%d%s%s", order, limit,
		       *next ? "&cursor=" : "", next);
	exchange_send(service, &exchange);
	last = strstr(exchange.text, "{\"end\"");
	assert_non_null(last);
	end = json_loads(last, 0, NULL);
	*last = '\0';
	(void)snprintf(text + len, 512 - len, "%s", exchange.text);
	*next = '\0';
	if (json_is_string(json_object_get(end, "next")))
		(void)snprintf(next, 400, "%s", json_string_value(json_object_get(end, "next")));
	json_decref(end);
	exchange_fini(&exchange);
}

static void pages_through_every_order(void **state)
{
	static const char *const orders[] = {
		"name",        "-name", "virtual_size",    "-virtual_size,name",
		"depth,-kind", "pool",  "name&depth.ge=1", "-updated_at&count=1"};

	/* Pages of one image and of two: each of them is the last of a page. */
	for (size_t i = 0; i < 2 * (sizeof orders / sizeof *orders); i++) {
		const char *order = orders[i / 2];
		char all[512] = "";
		char paged[512] = "";
		char next[400] = "";
		int pages = 0;

		read_page(*state, order, 1000, next, all);
		do
			read_page(*state, order, 1 + i % 2, next, paged);
		while (*next && ++pages < 8);
		assert_string_equal(*next ? "too many pages" : paged, all);
	}
}

static void counts_what_the_filters_let_through(void **state)
{
	struct exchange exchange = {"GET", "/v1/images?depth.ge=1&count=1&limit=1"};

	(void)exchange_json(*state, &exchange, 200);
	assert_int_equal(exchange_number(&exchange, "total"), 3);
	assert_int_equal(json_array_size(json_object_get(exchange.json, "items")), 1);
	exchange_fini(&exchange);
}

static void links_however_long_the_cursor_is(void **state)
{
	struct service *service = fake_new();
	struct exchange exchange = {"GET",
				    "/v1/images?sort=name,name,name,name&limit=1&format=csv"};
	char name[SERVICE_NAME] = "";
	char link[1024];

	(void)state;
	memset(name, 'a', sizeof name - 1);
	fake_add(service, name, 65536, NULL);
	fake_add(service, "b", 65536, NULL);
	exchange_send(service, &exchange);
	(void)snprintf(link, sizeof link,
		       "~%s~%s~%s~%s~00000000-0000-4000-8000-000000000001>; rel=\"next\"", name,
		       name, name, name);
	assert_string_equal(strchr(exchange_header(&exchange, "Link"), '~'), link);
	exchange_fini(&exchange);
	fake_free(service);
}

static void keeps_in_its_link_what_has_no_value(void **state)
{
	static const struct {
		const char *query, *link;
	} rows[] = {
		{"writable&limit=1", "</v1/images?writable&limit=1&cursor="},
		{"limit=1&frozen", "</v1/images?limit=1&frozen&cursor="},
		{"&count&&limit=1", "</v1/images?count&limit=1&cursor="},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char target[64];
		struct exchange exchange = {"GET", target};

		(void)snprintf(target, sizeof target, "/v1/images?%s", rows[i].query);
		exchange_send(*state, &exchange);
		assert_memory_equal(exchange_header(&exchange, "Link"), rows[i].link,
				    strlen(rows[i].link));
		exchange_fini(&exchange);
	}
}

static void lets_the_catalog_count(void **state)
{
	struct service *service = *state;
	static const char *const targets[] = {
		"/v1/images?count=1&limit=1",
		"/v1/images?count=1&limit=1&cursor=7fa3096a~base~00000000-0000-4000-8000-000000000001"};

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		struct exchange exchange = {"GET", targets[i]};

		service->lists = 0;
		(void)exchange_json(service, &exchange, 200);
		assert_int_equal(exchange_number(&exchange, "total"), 5);
		assert_string_equal(exchange_text(&exchange, "items.0.name"), i ? "db" : "base");
		assert_int_equal(service->lists, 1);
		exchange_fini(&exchange);
	}
}

/* Looks at two images at a time; somebody renames one after each of the first `renames`. */
static void shows_one_state_of_the_catalog(void **state)
{
	struct service *service = *state;
	static const struct {
		const char *target;
		int moves;
		unsigned renames, lists;
		const char *text;
	} rows[] = {
		/* "base" and "zase": once it would be both, once neither */
		{"/v1/images?depth=0&count=1&fields=name", 0, 1, 5,
		 "{\"items\":[{\"name\":\"db\"},{\"name\":\"zase\"}],\"next\":null,"
		 "\"total\":2,\"revision\":882}\n"},
		{"/v1/images?depth=0&count=1&fields=name", 0, 1, 5,
		 "{\"items\":[{\"name\":\"aase\"},{\"name\":\"db\"}],\"next\":null,"
		 "\"total\":2,\"revision\":883}\n"},
		{"/v1/images?sort=-name&fields=name&count=1", 0, 1000, 5,
		 "{\"items\":[{\"name\":\"web-3\"},{\"name\":\"web-2\"},{\"name\":\"web-1\"},"
		 "{\"name\":\"db\"},{\"name\":\"aase\"}],\"next\":null,\"total\":5,"
		 "\"revision\":887}\n"},
	};

	service->look = 2;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target};

		print_message("%s\n", rows[i].target);
		service->moves = rows[i].moves;
		service->renames = rows[i].renames;
		service->lists = 0;
		exchange_send(service, &exchange);
		assert_string_equal(exchange.text, rows[i].text);
		assert_int_equal(service->lists, rows[i].lists);
		exchange_fini(&exchange);
	}
}

static void embeds_children_of_one_state(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"GET", "/v1/images/base?embed=children"};

	service->look = 2;
	service->moves = 2; /* "web-1", or "zeb-1" */
	service->renames = 2;
	(void)exchange_json(service, &exchange, 200);
	assert_string_equal(exchange_text(&exchange, "children.0.name"), "aeb-1");
	assert_string_equal(exchange_text(&exchange, "children.1.name"), "web-2");
	assert_int_equal(json_array_size(json_object_get(exchange.json, "children")), 2);
	assert_int_equal(service->lists, 6);
	exchange_fini(&exchange);
}

static void lists_children(void **state)
{
	struct exchange exchange = {"GET", "/v1/images/base/children?sort=-name&fields=name"};

	exchange_send(*state, &exchange);
	assert_string_equal(
		exchange.text,
		"{\"items\":[{\"name\":\"web-2\"},{\"name\":\"web-1\"}],\"next\":null,\"revision\":881}\n");
	assert_string_equal(exchange_header(&exchange, "ETag"), "W/\"c881-774050f4417bc0c8\"");
	exchange_fini(&exchange);
	exchange.target = "/v1/images/web-3/children";
	exchange_send(*state, &exchange);
	assert_string_equal(exchange.text, "{\"items\":[],\"next\":null,\"revision\":881}\n");
	exchange_fini(&exchange);
	exchange.target = "/v1/images/base/snapshots?fields=name&limit=1&format=csv";
	exchange_send(*state, &exchange);
	assert_string_equal(exchange.text, "name\r\nweb-1\r\n");
	exchange_fini(&exchange);
	exchange.target = "/v1/images/nobody/children";
	exchange_problem(*state, &exchange, 404, "image-not-found", "no image is called that");
}

static void answers_in_every_format(void **state)
{
	static const struct {
		const char *target, *headers, *type, *text;
	} rows[] = {
		{"/v1/images?name=db&fields=name,usage.file", NULL, "application/json",
		 "{\"items\":[{\"name\":\"db\",\"usage\":{\"file\":0}}],\"next\":null,\"revision\":881}\n"},
		{"/v1/images?name=db&fields=name,depth", "Accept: application/x-ndjson",
		 "application/x-ndjson",
		 "{\"name\":\"db\",\"depth\":0}\n"
		 "{\"end\":true,\"count\":1,\"next\":null,\"revision\":881}\n"},
		{"/v1/images?name=db,web-1&fields=name,parent.name,kind", "Accept: text/plain",
		 "text/plain; charset=utf-8",
		 "#name parent.name kind\n"
		 "db    -           fixed\n"
		 "web-1 base        differencing\n"},
		{"/v1/images?name=db&format=text", "Accept: text/csv", "text/plain; charset=utf-8",
		 "#name kind  state virtual_size usage.file depth children_count parent.name\n"
		 "db    fixed ready 131072       0          0     0              -\n"},
		{"/v1/images?name=db&fields=name,vhd.features,parent,labels.a.b/c",
		 "Accept: text/csv", "text/csv; charset=utf-8",
		 "name,vhd.features,parent,labels.a.b/c\r\ndb,[],,\r\n"},
		{"/v1/images?name=web-3&fields=name,vhd.geometry&format=csv", NULL,
		 "text/csv; charset=utf-8",
		 "name,vhd.geometry\r\n"
		 "web-3,\"{\"\"cylinders\"\":0,\"\"heads\"\":0,\"\"sectors\"\":0}\"\r\n"},
		{"/v1/images/web-3/chain?fields=name,parent.name", NULL, "application/json",
		 "{\"items\":[{\"name\":\"web-3\",\"parent\":{\"name\":\"web-1\"}},"
		 "{\"name\":\"web-1\",\"parent\":{\"name\":\"base\"}},{\"name\":\"base\",\"parent\":null}],"
		 "\"depth\":3,\"virtual_size\":98304,\"health\":{\"status\":\"ok\",\"problems\":[]}}\n"},
		{"/v1/images/web-3/chain?format=text", NULL, "text/plain; charset=utf-8",
		 "#name kind         state virtual_size usage.file depth\n"
		 "web-3 differencing ready 98304        0          2\n"
		 "web-1 differencing ready 65536        0          1\n"
		 "base  dynamic      ready 65536        0          0\n"},
		{"/v1/images/web-3?fields=name,labels.role", NULL, "application/json",
		 "{\"name\":\"web-3\",\"labels\":{\"role\":\"web\"}}\n"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target, rows[i].headers};

		exchange_send(*state, &exchange);
		assert_string_equal(exchange.text, rows[i].text);
		assert_string_equal(exchange_header(&exchange, "Content-Type"), rows[i].type);
		exchange_fini(&exchange);
	}
}

#define SORTS                                                                                   \
	"is not up to 4 of name pool kind state virtual_size usage.file usage.allocated depth " \
	"children_count created_at updated_at, with '-' in front for descending"

static void refuses_lists(void **state)
{
	static const struct {
		const char *target, *code, *detail;
	} rows[] = {
		{"/v1/images?colour=red", "unknown-parameter", "colour: is not known here"},
		{"/v1/images?kind=raw", "invalid-value",
		 "kind: 'raw' is none of: dynamic fixed differencing"},
		{"/v1/images?depth=x", "invalid-value",
		 "depth: 'x' is not a number like 3, 64K or 10G, or up to 16 of them with commas"},
		{"/v1/images?depth=1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "invalid-value",
		 "depth: '1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1' is not a number like 3, 64K or 10G, "
		 "or up to 16 of them with commas"},
		{"/v1/images?count=", "invalid-value", "count: '' is neither y nor n"},
		{"/v1/images?name", "invalid-value", "name: has no value; write name=VALUE"},
		{"/v1/images?label", "invalid-value", "label: has no value; write label=VALUE"},
		{"/v1/images?colour", "unknown-parameter", "colour: is not known here"},
		{"/v1/images/web-1/sectors?count", "invalid-value",
		 "count: has no value; write count=VALUE"},
		{"/v1/images/web-1/data?sector", "invalid-value",
		 "sector: has no value; write sector=VALUE"},
		{"/v1/images?writable=2", "invalid-value", "writable: '2' is neither y nor n"},
		{"/v1/images?since=2999-01-01T00:00:00Z", "invalid-value",
		 "since: '2999-01-01T00:00:00Z' is neither a duration like 30s, 5m, 2h or 7d nor a "
		 "time like 2026-11-22T06:00:00Z, from 2000 to 2135"},
		{"/v1/images?label=", "invalid-value", "label: '' is not KEY, KEY=VALUE or !KEY"},
		{"/v1/images?label=a+b", "invalid-value",
		 "label: 'a b' is not KEY, KEY=VALUE or !KEY"},
		{"/v1/images?label==x", "invalid-value",
		 "label: '=x' is not KEY, KEY=VALUE or !KEY"},
		{"/v1/images?label=!role=db", "invalid-value",
		 "label: '!role=db' is not KEY, KEY=VALUE or !KEY"},
		{"/v1/images?sort=colour", "invalid-value", "sort: 'colour' " SORTS},
		{"/v1/images?sort=name,name,name,name,name", "invalid-value",
		 "sort: 'name,name,name,name,name' " SORTS},
		{"/v1/images?sort=", "invalid-value", "sort: '' " SORTS},
		{"/v1/images?fields=id,colour", "invalid-value",
		 "fields: there is no field 'colour'"},
		{"/v1/images?fields=", "invalid-value", "fields: there is no field ''"},
		{"/v1/images?fields=id.x", "invalid-value", "fields: there is no field 'id.x'"},
		{"/v1/images?format=xml", "invalid-value",
		 "format: 'xml' is none of json, ndjson, text and csv"},
		{"/v1/images/base?fields=labels.", "invalid-value",
		 "fields: there is no field 'labels.'"},
		/* a cursor of this list, but for other filters or another order */
		{"/v1/images?depth=0&cursor=7fa3096a~base~00000000-0000-4000-8000-000000000001",
		 "invalid-value", "cursor: is not one that this list, with these filters, gave"},
		{"/v1/images?sort=-name&cursor=7fa3096a~base~00000000-0000-4000-8000-000000000001",
		 "invalid-value", "cursor: is not one that this list, with these filters, gave"},
		{"/v1/images?cursor=7fa3096a~base", "invalid-value",
		 "cursor: is not one that this list, with these filters, gave"},
		{"/v1/images?cursor=7fa3096a~b$~00000000-0000-4000-8000-000000000001",
		 "invalid-value", "cursor: is not one that this list, with these filters, gave"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target};

		exchange_problem(*state, &exchange, 400, rows[i].code, rows[i].detail);
	}
}

static void polls_cheaply(void **state)
{
	static const struct {
		const char *headers;
		unsigned status;
	} rows[] = {
		{"If-None-Match: W/\"c881-e7bcb39cd56ea26c\"", 304},
		{"If-None-Match: \"c881-e7bcb39cd56ea26c\"", 304},
		{"If-None-Match: W/\"c880-e7bcb39cd56ea26c\"", 200},
		{"If-Match: W/\"c881-e7bcb39cd56ea26c\"", 412},
		{"If-Match: *", 200},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", "/v1/images", rows[i].headers};

		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status, rows[i].status);
		assert_string_equal(exchange_header(&exchange, "ETag"),
				    "W/\"c881-e7bcb39cd56ea26c\"");
		exchange_fini(&exchange);
	}
}

/* A write changes what a filter finds, and not the catalog. */
static void polls_for_the_total_and_the_next_page(void **state)
{
	static const char *const targets[] = {
		"/v1/images?virtual_size.gt=96K&limit=1&count=1",
		"/v1/images?virtual_size.gt=96K&limit=1",
	};
	struct service *service = *state;

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		struct exchange exchange = {"GET", targets[i]};
		char headers[80];

		service->images[4].size = 64 << 10;
		(void)exchange_json(service, &exchange, 200);
		assert_string_equal(exchange_text(&exchange, "items.0.name"), "db");
		(void)snprintf(headers, sizeof headers, "If-None-Match: %s",
			       exchange_header(&exchange, "ETag"));
		exchange_fini(&exchange);
		exchange.headers = headers;
		exchange_send(service, &exchange);
		assert_int_equal(exchange.response->status, 304);
		exchange_fini(&exchange);
		service->images[4].size = 128 << 10;
		(void)exchange_json(service, &exchange, 200);
		assert_string_equal(exchange_text(&exchange, "items.0.name"), "db");
		assert_non_null(strstr(exchange_header(&exchange, "Link"), "cursor="));
		exchange_fini(&exchange);
	}
}

static void compares_labels(void **state)
{
	static const struct {
		const char *query;
		bool match;
	} rows[] = {
		{"label=role", true},      {"label=role=web", true},
		{"label=role=db", false},  {"label=rol", false},
		{"label=!role", false},    {"label=!env", true},
		{"label=role=", false},    {"label=role&label=env", false},
		{"label=a.b/c=x=y", true}, {"label=role=web&q=a", true},
	};
	struct service_label labels[] = {{"role", "web"}, {"a.b/c", "x=y"}};
	const struct service_image image = {.name = "a", .labels = labels, .n_labels = 2};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = {.code = CODE_NONE};
		struct query query = {.n = 0};
		struct filter filter;

		assert_true(query_parse(&query, rows[i].query, strlen(rows[i].query), &problem));
		assert_true(filter_parse(&query, 0, &filter, &problem));
		assert_int_equal(filter_matches(&filter, &image), rows[i].match);
		query_fini(&query);
	}
}

static void knows_what_has_changed_since(void **state)
{
	/* It is 13:46:40 now, and changed at 13:45:40. */
	static const struct {
		const char *query;
		bool match;
	} rows[] = {
		{"since=60", true},
		{"since=60s", true},
		{"since=59s", false},
		{"since=1m", true},
		{"since=7d", true},
		{"since=4294967295d", true},
		{"since=0", false},
		{"since=2026-09-21T13:45:40Z", true},
		{"since=2026-09-21T13:45:41.000Z", false},
	};
	static const char *const wrong[] = {
		"", "d", "5w", "-1h", "1.5h", "5m3s", "1h ", "4294967296s", "1999-01-01T00:00:00Z"};
	const struct service_image image = {.name = "a", .updated_at = INT64_C(1789998340000)};
	int64_t moment;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = {.code = CODE_NONE};
		struct query query = {.n = 0};
		struct filter filter;

		print_message("%s\n", rows[i].query);
		assert_true(query_parse(&query, rows[i].query, strlen(rows[i].query), &problem));
		assert_true(filter_parse(&query, INT64_C(1789998400000), &filter, &problem));
		assert_int_equal(filter_matches(&filter, &image), rows[i].match);
		query_fini(&query);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(number_moment(wrong[i], 0, &moment));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shows_what_all_filters_let_through, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(has_the_same_filters_for_all_numbers, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(pages_through_every_order, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(counts_what_the_filters_let_through, setup,
						fake_teardown),
		cmocka_unit_test(links_however_long_the_cursor_is),
		cmocka_unit_test_setup_teardown(keeps_in_its_link_what_has_no_value, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(lets_the_catalog_count, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(shows_one_state_of_the_catalog, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(embeds_children_of_one_state, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(lists_children, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(answers_in_every_format, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_lists, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(polls_cheaply, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(polls_for_the_total_and_the_next_page, setup,
						fake_teardown),
		cmocka_unit_test(compares_labels),
		cmocka_unit_test(knows_what_has_changed_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
