/* test_api_gate.c - what is ambiguous, foreign or misspelt does not get in. */
#include "gate.h"

#include <string.h>

#include "test.h"

static const struct api_limits limits = API_LIMITS;

enum { FIELDS = 6 };

struct row {
	const char *name;
	struct http_field headers[FIELDS];
	bool http_1_0;
	enum http_body body;
	uint64_t length;
	const char *detail; /* NULL: it gets in */
};

static struct http_request request_of(const struct http_field *headers)
{
	struct http_request request = {.method = HTTP_PUT, .path = "/", .headers = headers};

	while (request.n_headers < FIELDS && headers[request.n_headers].name)
		request.n_headers++;
	return request;
}

#define H                           \
	{                           \
		"Host", "localhost" \
	}

static const struct row framing[] = {
	{"no body", {H}, false, HTTP_BODY_NONE, 0, NULL},
	{"empty body", {H, {"Content-Length", "0"}}, false, HTTP_BODY_NONE, 0, NULL},
	{"sized", {H, {"content-length", "512"}}, false, HTTP_BODY_SIZED, 512, NULL},
	{"chunked", {H, {"Transfer-Encoding", "Chunked"}}, false, HTTP_BODY_CHUNKED, 0, NULL},
	{"old without Host", {{"A", "b"}}, true, HTTP_BODY_NONE, 0, NULL},
	{"two lengths",
	 {H, {"Content-Length", "5"}, {"Content-Length", "5"}},
	 false,
	 HTTP_BODY_NONE,
	 0,
	 "more than one Content-Length header"},
	{"length and chunked",
	 {H, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}},
	 false,
	 HTTP_BODY_NONE,
	 0,
	 "both Content-Length and Transfer-Encoding"},
	{"two codings",
	 {H, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
	 false,
	 HTTP_BODY_NONE,
	 0,
	 "more than one Transfer-Encoding header"},
	{"gzip",
	 {H, {"Transfer-Encoding", "gzip, chunked"}},
	 false,
	 HTTP_BODY_NONE,
	 0,
	 "Transfer-Encoding other than chunked"},
	{"old and chunked",
	 {H, {"Transfer-Encoding", "chunked"}},
	 true,
	 HTTP_BODY_NONE,
	 0,
	 "Transfer-Encoding in HTTP/1.0"},
	{"list",
	 {H, {"Content-Length", "5, 5"}},
	 false,
	 HTTP_BODY_NONE,
	 0,
	 "Content-Length is not a number"},
	{"sign",
	 {H, {"Content-Length", "+5"}},
	 false,
	 HTTP_BODY_NONE,
	 0,
	 "Content-Length is not a number"},
	{"too large",
	 {H, {"Content-Length", "18446744073709551616"}},
	 false,
	 HTTP_BODY_NONE,
	 0,
	 "Content-Length is not a number"},
	{"empty",
	 {H, {"Content-Length", ""}},
	 false,
	 HTTP_BODY_NONE,
	 0,
	 "Content-Length is not a number"},
	{"blank in a name",
	 {H, {"Content-Length ", "5"}},
	 false,
	 HTTP_BODY_NONE,
	 0,
	 "a header name has a character that it must not have"},
	{"no Host", {{"A", "b"}}, false, HTTP_BODY_NONE, 0, "no Host header"},
	{"two Hosts", {H, H}, false, HTTP_BODY_NONE, 0, "more than one Host header"},
};

static void finds_where_a_body_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof framing / sizeof *framing; i++) {
		const struct row *row = &framing[i];
		struct http_request request = request_of(row->headers);
		struct problem problem = {.code = CODE_NONE};
		struct gate gate = {.body = HTTP_BODY_NONE};

		request.http_1_0 = row->http_1_0;
		if (gate_framing(&request, &limits, &gate, &problem) != !row->detail)
			fail_msg("%s", row->name);
		assert_int_equal(gate.body, row->body);
		assert_int_equal(gate.length, row->length);
		assert_int_equal(problem.close, row->detail != NULL);
		assert_string_equal(problem.detail, row->detail ? row->detail : "");
	}
}

static void refuses_a_head_that_is_not_plain(void **state)
{
	static const struct http_field host[] = {H};
	static const struct http_field escape[] = {H, {"A", "\x1b[2J"}};
	static char long_path[API_HEAD + 2];
	const struct http_field large[] = {H, {"A", long_path}};
	const struct {
		struct http_request request;
		enum code code;
		const char *detail;
	} rows[] = {
		{{.headers = host, .n_headers = 1, .path = "/", .garbled = true},
		 CODE_BAD_FRAMING,
		 "a line of the head is folded, has a NUL, or does not end in CR LF"},
		{{.headers = host, .n_headers = 1, .path = "/", .authority = "evil.example"},
		 CODE_BAD_FRAMING,
		 "the target and Host name two hosts"},
		{{.headers = host, .n_headers = 1, .path = "/", .authority = "LocalHost"},
		 CODE_NONE,
		 ""},
		{{.headers = escape, .n_headers = 2, .path = "/"},
		 CODE_BAD_FRAMING,
		 "a header value has a control character"},
		{{.headers = host, .n_headers = 1, .path = long_path},
		 CODE_TARGET_TOO_LONG,
		 "the URL has 32769 bytes, more than 32768"},
		{{.headers = large, .n_headers = 2, .path = "/"},
		 CODE_HEADERS_TOO_LARGE,
		 "2 headers of 32783 bytes; there may be 128 of 32768"},
	};

	(void)state;
	memset(long_path, 'a', sizeof long_path - 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct problem problem = {.code = CODE_NONE};
		struct gate gate;

		(void)gate_framing(&rows[i].request, &limits, &gate, &problem);
		assert_int_equal(problem.code, rows[i].code);
		assert_string_equal(problem.detail, rows[i].detail);
	}
}

static void serves_only_its_own_hosts(void **state)
{
	static const char *const hosts[] = {"vhd.example", NULL};
	static const struct {
		const char *host;
		bool ok;
	} rows[] = {
		{"localhost", true},
		{"LOCALHOST:8080", true},
		{"127.0.0.1:1", true},
		{"[::1]:8080", true},
		{"10.1.2.3", true},
		{"vhd.example:80", true},
		{"VHD.example", true},
		{"evil.example", false},
		{"localhost.evil", false},
		{"[::1", false},
		{"", false},
		{"127.0.0.1.evil", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct http_field headers[FIELDS] = {{"Host", rows[i].host}};
		struct http_request request = request_of(headers);
		struct problem problem = {.code = CODE_NONE};

		if (gate_host(&request, hosts, &problem) != rows[i].ok)
			fail_msg("%s", rows[i].host);
		request.local_only = true;
		problem.code = CODE_NONE;
		assert_true(gate_host(&request, NULL, &problem));
	}
}

static void takes_only_plain_paths(void **state)
{
	static const struct {
		const char *path;
		bool ok;
	} rows[] = {
		{"/", true},
		{"/v1", true},
		{"/v1/", true},
		{"/v1/images/a.b_c-d", true},
		{"/v1/images/*/data", true},
		{"", false},
		{"*", false},
		{"v1", false},
		{"//", false},
		{"/v1//images", false},
		{"/.", false},
		{"/v1/../x", false},
		{"/v1/%41", false},
		{"/v1/a b", false},
		{"/v1/\xc3\xa9", false},
		{"http://a/b", false},
		{"/v1/..", false},
		{"/v1/x//", false},
		{"/...", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct http_request request = {.path = rows[i].path};
		struct problem problem = {.code = CODE_NONE};

		if (gate_path(&request, &problem) != rows[i].ok)
			fail_msg("'%s'", rows[i].path);
		assert_int_equal(problem.code, rows[i].ok ? CODE_NONE : CODE_INVALID_PATH);
	}
}

static void keeps_foreign_pages_out(void **state)
{
	static const char *const origins[] = {"https://ui.example", NULL};
	static const struct {
		struct http_field headers[FIELDS];
		const char *detail;
	} rows[] = {
		{{H}, NULL},
		{{H, {"Sec-Fetch-Site", "same-origin"}}, NULL},
		{{H, {"Sec-Fetch-Site", "none"}}, NULL},
		{{H, {"Origin", "http://localhost"}}, NULL},
		{{H, {"Origin", "https://ui.example"}, {"Sec-Fetch-Site", "cross-site"}}, NULL},
		{{H, {"Sec-Fetch-Site", "cross-site"}}, "Sec-Fetch-Site is 'cross-site'"},
		{{H, {"Sec-Fetch-Site", "Same-Site"}}, "Sec-Fetch-Site is 'Same-Site'"},
		{{H, {"Origin", "http://evil.example"}}, "Origin is 'http://evil.example'"},
		{{H, {"Origin", "http://localhost:3000"}}, "Origin is 'http://localhost:3000'"},
		{{H, {"Origin", "null"}}, "Origin is 'null'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct http_request request = request_of(rows[i].headers);
		struct problem problem = {.code = CODE_NONE};

		assert_int_equal(gate_origin(&request, origins, &problem), rows[i].detail == NULL);
		assert_string_equal(problem.detail, rows[i].detail ? rows[i].detail : "");
	}
}

static void tells_names_from_ids(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {
		{"a", true},
		{"A-1.b_c", true},
		{"9", true},
		{"", false},
		{"-a", false},
		{".a", false},
		{"_a", false},
		{"a b", false},
		{"a/b", false},
		{"a\xc3\xa9", false},
		{"89a62601-c82a-447a-a7fd-f7f379195e80", false},
	};
	char longest[129];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(gate_name(rows[i].name), rows[i].ok);
	memset(longest, 'a', sizeof longest);
	longest[127] = '\0';
	assert_true(gate_name(longest));
	longest[127] = 'a';
	longest[128] = '\0';
	assert_false(gate_name(longest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_where_a_body_ends),
		cmocka_unit_test(refuses_a_head_that_is_not_plain),
		cmocka_unit_test(serves_only_its_own_hosts),
		cmocka_unit_test(takes_only_plain_paths),
		cmocka_unit_test(keeps_foreign_pages_out),
		cmocka_unit_test(tells_names_from_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
