/* test_api_data.c - content is read, written and flushed as curl asks for it. */
#include <stdlib.h>
#include <string.h>

#include "api_client.h"
#include "test.h"

enum { SIZE = 65536 };

static int setup(void **state)
{
	struct service *service = fake_new();

	fake_fill(fake_add(service, "base", SIZE, NULL), 0, 4, 'b');
	fake_fill(fake_add(service, "web-1", SIZE, "base"), 2, 1, 'w');
	*state = service;
	return 0;
}

#define DATA "/v1/images/web-1/data"

static void reads_pieces(void **state)
{
	static const struct {
		const char *target, *headers;
		unsigned status;
		size_t length;
		const char *content_range, *present;
		char first;
	} rows[] = {
		{DATA, NULL, 200, SIZE, "", "", 'b'},
		{DATA, "Range: bytes=1024-1535", 206, 512, "bytes 1024-1535/65536", "", 'w'},
		{DATA, "Range: bytes=-512", 206, 512, "bytes 65024-65535/65536", "", 0},
		{DATA, "Range: bytes=65535-99999999", 206, 1, "bytes 65535-65535/65536", "", 0},
		{DATA, "Range: bytes=1024-1027,1028-1031", 206, 8, "bytes 1024-1031/65536", "",
		 'w'},
		{DATA, "Range: items=0-1", 200, SIZE, "", "", 'b'},
		{DATA, "Range: bytes=0-0\nIf-Range: \"d12.0\"", 206, 1, "bytes 0-0/65536", "", 'b'},
		{DATA, "Range: bytes=0-0\nIf-Range: \"d11.0\"", 200, SIZE, "", "", 'b'},
		{DATA, "Range: bytes=0-0\nIf-Range: *", 200, SIZE, "", "", 'b'},
		{DATA, "Accept-Encoding: gzip", 200, SIZE, "", "", 'b'},
		{DATA "?sector=2", NULL, 200, 512, "", "true", 'w'},
		{DATA "?sector=4", NULL, 200, 512, "", "false", 0},
		{DATA "?sector=3&count=5", NULL, 200, 2560, "", "true", 'b'},
		{DATA "?sector=127&count=1", NULL, 200, 512, "", "false", 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target, rows[i].headers};

		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status, rows[i].status);
		assert_int_equal(exchange.length, rows[i].length);
		assert_string_equal(exchange_header(&exchange, "Content-Range"),
				    rows[i].content_range);
		assert_string_equal(exchange_header(&exchange, "X-Sector-Present"),
				    rows[i].present);
		assert_int_equal(exchange.text[0], rows[i].first);
		exchange_fini(&exchange);
	}
}

/* One part of a body of several ranges. */
#define PART(range)                                                                              \
	"--vhdd-test-1\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes " range \
	"\r\n\r\n"

static void sends_several_ranges(void **state)
{
	static const struct {
		const char *header, *text;
	} rows[] = {
		{"Range: bytes=1024-1025,8192-8193",
		 PART("1024-1025/65536") "ww\r\n" PART(
			 "8192-8193/65536") "..\r\n--vhdd-test-1--\r\n"},
		{"Range: bytes=-1,0-1",
		 PART("0-1/65536") "bb\r\n" PART("65535-65535/65536") ".\r\n--vhdd-test-1--\r\n"},
		{"Range: bytes=0-0,1023-1024,4000-4000,20000-20000,99999-",
		 NULL}, /* three of them are one */
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", DATA, rows[i].header};

		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status, 206);
		assert_string_equal(exchange_header(&exchange, "Content-Range"), "");
		assert_string_equal(exchange_header(&exchange, "Content-Type"),
				    "multipart/byteranges; boundary=vhdd-test-1");
		for (size_t at = 0; at < exchange.length; at++)
			exchange.text[at] = exchange.text[at] ? exchange.text[at] : '.';
		if (rows[i].text)
			assert_string_equal(exchange.text, rows[i].text);
		else
			assert_non_null(strstr(exchange.text, "bytes 0-4000/65536"));
		exchange_fini(&exchange);
	}
}

static void streams_several_large_ranges(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"GET", "/v1/images/large/data",
				    "Range: bytes=0-99999,204800-262143"};
	const char *second;

	fake_fill(fake_add(service, "large", 256 * 1024, NULL), 400, 1, 's');
	exchange_send(service, &exchange);
	assert_int_equal(exchange.response->status, 206);
	assert_non_null(exchange.response->stream.read);
	second = memmem(exchange.text, exchange.length, PART("204800-262143/262144"),
			strlen(PART("204800-262143/262144")));
	assert_non_null(second);
	assert_int_equal(second[strlen(PART("204800-262143/262144"))], 's');
	/* Byte by byte it is the same. */
	for (size_t at = 99990; at < 100200; at++) {
		char byte;

		assert_int_equal(exchange.response->stream.read(exchange.response->stream.ctx, at,
								&byte, 1, false),
				 HTTP_READ_OK);
		assert_int_equal(byte, exchange.text[at]);
	}
	exchange_fini(&exchange);
}

static void describes_what_it_sends(void **state)
{
	struct exchange exchange = {"GET", DATA};
	struct exchange parent = {"GET", "/v1/images/base/data"};

	exchange_send(*state, &exchange);
	assert_string_equal(exchange_header(&exchange, "Content-Type"), "application/octet-stream");
	assert_string_equal(exchange_header(&exchange, "Cache-Control"), "no-store, no-transform");
	assert_string_equal(exchange_header(&exchange, "Accept-Ranges"), "bytes");
	assert_string_equal(exchange_header(&exchange, "X-Virtual-Size"), "65536");
	assert_string_equal(exchange_header(&exchange, "X-Consistency"), "live");
	assert_string_equal(exchange_header(&exchange, "ETag"), "\"d12.0\"");
	assert_string_equal(exchange_header(&exchange, "X-Write-Epoch"), "7");
	assert_string_equal(exchange_header(&exchange, "X-Durable-Epoch"), "6");
	assert_string_equal(exchange_header(&exchange, "X-Write-Verifier"), "5f3a");
	assert_string_equal(exchange_header(&exchange, "Content-Disposition"),
			    "attachment; filename=\"web-1.raw\"");
	exchange_fini(&exchange);
	exchange_send(*state, &parent);
	assert_string_equal(exchange_header(&parent, "X-Consistency"), "frozen");
	exchange_fini(&parent);
}

static void answers_head_without_reading(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"HEAD", DATA, "Range: bytes=0-0"};

	service->fail = SERVICE_IO_ERROR;
	exchange_send(service, &exchange);
	assert_int_equal(exchange.response->status, 200);
	assert_int_equal(exchange.length, SIZE);
	exchange_fini(&exchange);
}

static void refuses_reads(void **state)
{
	static const struct {
		const char *target, *headers;
		unsigned status;
		const char *code, *detail, *content_range;
	} rows[] = {
		{DATA, "Range: bytes=x", 416, "invalid-range-header",
		 "Range 'bytes=x' cannot be read", ""},
		{DATA, "Range: bytes=65536-", 416, "range-not-satisfiable",
		 "the disk ends at byte 65536", "bytes */65536"},
		{DATA "?sector=128", NULL, 416, "range-not-satisfiable",
		 "sector 128 is beyond the last one, 127", "sectors */128"},
		{DATA "?sector=127&count=2", NULL, 416, "range-not-satisfiable",
		 "sector 128 is beyond the last one, 127", "sectors */128"},
		{DATA "?sector=1&count=18446744073709551615", NULL, 416, "range-not-satisfiable",
		 "sector 18446744073709551615 is beyond the last one, 127", "sectors */128"},
		{DATA "?sector=0&count=0", NULL, 400, "invalid-value", "count: must not be 0", ""},
		{DATA "?count=1", NULL, 400, "invalid-value", "count: needs sector", ""},
		{DATA "?sector=x", NULL, 400, "invalid-value",
		 "sector: 'x' is not a number like 4096, 64K, 10G or 1.5GiB", ""},
		{DATA "?sector=0", "Range: bytes=0-0", 400, "invalid-value",
		 "sector: cannot be combined with the header Range", ""},
		{DATA, "If-Match: \"d11.9\"", 412, "precondition-failed",
		 "If-Match names \"d11.9\", but the ETag is now \"d12.0\"", ""},
		{"/v1/images/nobody/data", NULL, 404, "image-not-found", "no image is called that",
		 ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"GET", rows[i].target, rows[i].headers};

		exchange_send(*state, &exchange);
		assert_string_equal(exchange_header(&exchange, "Content-Range"),
				    rows[i].content_range);
		exchange_fini(&exchange);
		exchange_problem(*state, &exchange, rows[i].status, rows[i].code, rows[i].detail);
	}
}

static void says_when_nothing_has_changed(void **state)
{
	struct exchange exchange = {"GET", DATA, "If-None-Match: \"d12.0\""};

	exchange_send(*state, &exchange);
	assert_int_equal(exchange.response->status, 304);
	assert_int_equal(exchange.length, 0);
	assert_string_not_equal(exchange_header(&exchange, "X-Write-Epoch"), "");
	assert_string_not_equal(exchange_header(&exchange, "X-Durable-Epoch"), "");
	assert_string_not_equal(exchange_header(&exchange, "X-Write-Verifier"), "");
	exchange_fini(&exchange);
}

static void streams_large_reads_and_holds_the_image(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"GET", "/v1/images/large/data"};
	char byte = 0;

	fake_add(service, "large", 256 * 1024, NULL);
	service->again = true;
	exchange_send(service, &exchange);
	assert_string_equal(exchange.steps, "try run reply");
	assert_non_null(exchange.response->stream.read);
	assert_int_equal(service->opens, service->closes + 1);
	assert_int_equal(
		exchange.response->stream.read(exchange.response->stream.ctx, 9, &byte, 1, true),
		HTTP_READ_AGAIN);
	service->fail = SERVICE_IO_ERROR;
	assert_int_equal(
		exchange.response->stream.read(exchange.response->stream.ctx, 9, &byte, 1, false),
		HTTP_READ_FAILED);
	exchange_fini(&exchange);
}

/* A polling thread answers what takes no time. */
static void looks_for_many_sectors_on_a_worker(void **state)
{
	struct service *service = *state;
	struct exchange few = {"GET", "/v1/images/long/data?sector=0&count=256"};
	struct exchange many = {"GET", "/v1/images/long/data?sector=0&count=257"};

	fake_add(service, "long", FAKE_SECTORS * 512, NULL);
	exchange_send(service, &few);
	assert_string_equal(few.steps, "try reply");
	exchange_fini(&few);
	exchange_send(service, &many);
	assert_string_equal(many.steps, "try run reply");
	assert_string_equal(exchange_header(&many, "X-Sector-Present"), "false");
	exchange_fini(&many);
}

static void reports_a_small_read_that_fails(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"GET", DATA "?sector=0"};

	service->fail = SERVICE_PARENT_MISSING;
	service->fail_text = "the parent of 'base' is gone";
	exchange_problem(service, &exchange, 409, "parent-missing", "the parent of 'base' is gone");
}

/* ---- PUT ---- */

static void writes_where_it_is_told(void **state)
{
	static const struct {
		const char *target, *headers;
		bool chunked;
		long offset;
	} rows[] = {
		{DATA, NULL, false, 0},
		{DATA "?offset=1K", NULL, false, 1024},
		{DATA "?offset=5", NULL, true, 5},
		{DATA, "Content-Range: bytes 512-519/*", false, 512},
		{DATA, "Content-Range: bytes 512-519/8", false, 512},
		{DATA, "Content-Range: bytes 512-/8", false, 512},
		{DATA, "Content-Range: bytes 512-519/520", false, 512},
		{DATA, "Content-Range: bytes 512-519/65536", true, 512},
		{DATA "?offset=512", "Content-Range: bytes 512-/*", true, 512},
		{DATA "?offset=65528", NULL, false, 65528},
	};
	struct service *service = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"PUT",           rows[i].target,
					    rows[i].headers, .body = "CONTENTS",
					    .piece = 3,      .chunked = rows[i].chunked};

		memset(service->images[1].bytes, 0, SIZE);
		(void)exchange_json(service, &exchange, 200);
		assert_int_equal(exchange_number(&exchange, "offset"), rows[i].offset);
		assert_int_equal(exchange_number(&exchange, "length"), 8);
		assert_memory_equal(service->images[1].bytes + rows[i].offset, "CONTENTS", 8);
		exchange_fini(&exchange);
	}
}

static void says_how_durable_a_write_is(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"PUT", DATA, .body = "x"};

	exchange_send(service, &exchange);
	assert_string_equal(exchange.text,
			    "{\"offset\":0,\"length\":1,\"flushed\":true,\"allocated_blocks\":1,"
			    "\"etag\":\"d12.1\",\"write_epoch\":7,\"durable_epoch\":6,"
			    "\"write_verifier\":\"5f3a\"}\n");
	assert_string_equal(exchange_header(&exchange, "ETag"), "\"d12.1\"");
	assert_string_equal(exchange_header(&exchange, "X-Durable-Epoch"), "6");
	assert_int_equal(service->flushes, 1);
	exchange_fini(&exchange);
	exchange.target = DATA "?flush=n";
	(void)exchange_json(service, &exchange, 200);
	assert_true(json_is_false(json_object_get(exchange.json, "flushed")));
	assert_int_equal(service->flushes, 1);
	exchange_fini(&exchange);
}

/* Its ETag would name a content that the client does not know. */
static void a_write_that_met_others_is_answered_without_an_etag(void **state)
{
	static const struct exchange rows[] = {
		{"PUT", DATA, .body = "x"},
		{"PATCH", DATA, .body = "{\"op\":\"zero\",\"sector\":0,\"count\":1}"},
		{"POST", DATA "?op=flush"},
	};
	struct service *service = *state;

	service->met = true;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = rows[i];

		(void)exchange_json(service, &exchange, 200);
		assert_true(json_is_null(json_object_get(exchange.json, "etag")));
		assert_string_equal(exchange_header(&exchange, "ETag"), "");
		assert_string_equal(exchange_header(&exchange, "X-Write-Epoch"), "7");
		exchange_fini(&exchange);
	}
}

/* Of an image that is open: who is refused later learns it as well. */
static void says_with_every_answer_how_durable_content_is(void **state)
{
	static const struct {
		const char *method, *target, *headers, *body;
		unsigned status;
		bool told;
	} rows[] = {
		{"GET", DATA, NULL, NULL, 200, true},
		{"HEAD", DATA, NULL, NULL, 200, true},
		{"GET", DATA "?sector=2", NULL, NULL, 200, true},
		{"GET", DATA "?op=writes", NULL, NULL, 200, true},
		{"OPTIONS", DATA, NULL, NULL, 200, true},
		{"OPTIONS", "/v1/images/*/data", NULL, NULL, 200, false},
		{"GET", DATA, "Range: bytes=0-0", NULL, 206, true},
		{"GET", DATA, "Range: bytes=0-0,9000-9000", NULL, 206, true},
		{"GET", DATA, "If-None-Match: *", NULL, 304, true},
		{"GET", DATA "?op=writes", "If-None-Match: *", NULL, 304, true},
		{"POST", DATA "?op=flush", NULL, NULL, 200, true},
		{"PUT", DATA "?flush=n", NULL, "x", 200, true},
		{"PATCH", DATA, NULL, "{\"op\":\"flush\"}", 200, true},
		{"GET", DATA, "If-Match: \"d0\"", NULL, 412, true},
		{"PUT", DATA, "If-Match: \"d0\"", "x", 412, true},
		{"GET", DATA, "Range: bytes=5-4", NULL, 416, true},
		{"GET", DATA "?sector=128", NULL, NULL, 416, true},
		{"PUT", DATA "?offset=65536", NULL, "x", 416, true},
		{"PATCH", DATA, NULL, "{\"op\":\"zero\",\"offset\":65536,\"length\":1}", 416, true},
		{"PUT", DATA, "Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==", "x", 422, true},
		{"PUT", "/v1/images/base/data", NULL, "x", 409, false},
		{"GET", "/v1/images/nobody/data", NULL, NULL, 404, false},
		{"GET", "/v1/images/web-1/sectors", "If-None-Match: *", NULL, 304, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {rows[i].method, rows[i].target, rows[i].headers,
					    .body = rows[i].body};

		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status, rows[i].status);
		assert_string_equal(exchange_header(&exchange, "X-Durable-Epoch"),
				    rows[i].told ? "6" : "");
		assert_string_equal(exchange_header(&exchange, "X-Write-Epoch"),
				    rows[i].told ? "7" : "");
		assert_string_equal(exchange_header(&exchange, "X-Write-Verifier"),
				    rows[i].told ? "5f3a" : "");
		exchange_fini(&exchange);
	}
}

static void refuses_writes_before_the_body(void **state)
{
	static const struct {
		const char *target, *headers;
		bool chunked;
		unsigned status;
		const char *code, *detail;
		const char *body; /* NULL: 8 bytes */
	} rows[] = {
		{DATA "?offset=65529", NULL, false, 416, "range-not-satisfiable",
		 "8 bytes at 65529 pass the end of the disk at 65536"},
		{DATA "?offset=18446744073709551615", NULL, false, 416, "range-not-satisfiable",
		 "8 bytes at 18446744073709551615 pass the end of the disk at 65536"},
		{DATA "?offset=65536", NULL, true, 416, "range-not-satisfiable",
		 "1 byte at 65536 passes the end of the disk at 65536"},
		{DATA, "Content-Range: bytes 65530-65537/*", true, 416, "range-not-satisfiable",
		 "8 bytes at 65530 pass the end of the disk at 65536"},
		{DATA "?offset=1", "Content-Range: bytes 512-519/*", false, 400,
		 "content-range-mismatch", "offset says 1, Content-Range says 512"},
		{DATA, "Content-Range: bytes 0-3/*", false, 400, "content-range-mismatch",
		 "Content-Range says bytes 0 to 3, the body has 8"},
		{DATA, "Content-Range: bytes 0-7/9", false, 400, "content-range-mismatch",
		 "the complete length 9 of Content-Range is neither that of the disk (65536) nor of the body "
		 "nor of the file"},
		{DATA, "Content-Range: junk", false, 400, "content-range-mismatch",
		 "Content-Range 'junk' is not 'bytes FIRST-LAST/SIZE'"},
		{DATA, "Content-Range: bytes 0-/*\nContent-Range: bytes 0-/*", false, 400,
		 "content-range-mismatch", "more than one Content-Range header"},
		{DATA "?offset=x", NULL, false, 400, "invalid-value",
		 "offset: 'x' is not a number like 4096, 64K, 10G or 1.5GiB"},
		{DATA "?flush=maybe", NULL, false, 400, "invalid-value",
		 "flush: 'maybe' is neither y nor n"},
		{DATA "?aligned=1", NULL, false, 400, "unaligned", "8 bytes at 0"},
		{DATA "?aligned=1&offset=5", NULL, false, 400, "unaligned", "1 byte at 5", "C"},
		{DATA "?aligned=1", NULL, true, 400, "unaligned",
		 "the length of the body is not known"},
		{DATA "?detect_zeroes=2", NULL, false, 400, "invalid-value",
		 "detect_zeroes: '2' is neither y nor n"},
		{DATA, "Content-Type: application/json", false, 415, "unsupported-media-type",
		 "Content-Type 'application/json'", "{\"op\":\"flush\"}"},
		{DATA, "Content-Type: Application/JSON; charset=utf-8", true, 415,
		 "unsupported-media-type", "Content-Type 'Application/JSON; charset=utf-8'"},
		{DATA, "Content-Type: application/merge-patch+json", false, 415,
		 "unsupported-media-type", "Content-Type 'application/merge-patch+json'"},
		{DATA, "Content-Type: application/vnd.vhdd.ops+ndjson", false, 415,
		 "unsupported-media-type", "Content-Type 'application/vnd.vhdd.ops+ndjson'"},
		{DATA, "Content-Type: message/byterange", false, 415, "unsupported-media-type",
		 "Content-Type 'message/byterange'"},
		{DATA, "Content-Type: Multipart/Form-Data; boundary=x", false, 415,
		 "unsupported-media-type", "Content-Type 'Multipart/Form-Data; boundary=x'"},
		{"/v1/images/base/data", NULL, false, 409, "image-has-children",
		 "the image is a parent"},
		{"/v1/images/nobody/data", NULL, false, 404, "image-not-found",
		 "no image is called that"},
	};
	struct service *service = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"PUT", rows[i].target, rows[i].headers,
					    .body = rows[i].body ? rows[i].body : "CONTENTS",
					    .chunked = rows[i].chunked};

		exchange_send(service, &exchange);
		assert_null(strstr(exchange.steps, "upload"));
		exchange_fini(&exchange);
		exchange_problem(service, &exchange, rows[i].status, rows[i].code, rows[i].detail);
	}
	assert_int_equal(service->writes, 0);
}

static void reports_what_fails_on_the_way(void **state)
{
	static const struct {
		const char *target, *headers;
		unsigned status;
		const char *code, *detail;
	} rows[] = {
		{DATA "?offset=65530", NULL, 416, "range-not-satisfiable",
		 "3 bytes at 65536 pass the end of the disk at 65536"},
		{DATA, "Content-Range: bytes 0-3/*", 400, "content-range-mismatch",
		 "the body is longer than the 4 bytes it was said to have"},
		{DATA, "Content-Range: bytes 0-15/*", 400, "content-range-mismatch",
		 "the body has 9 bytes instead of 16"},
	};
	struct service *service = *state;
	struct exchange failing = {"PUT", DATA, .body = "abcdefgh", .piece = 3};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"PUT",           rows[i].target,
					    rows[i].headers, .body = "abcdefghi",
					    .piece = 3,      .chunked = true};

		exchange_problem(service, &exchange, rows[i].status, rows[i].code, rows[i].detail);
	}
	service->fail = SERVICE_NO_SPACE;
	service->fail_text = "the pool is full";
	service->fail_after = 2;
	exchange_problem(service, &failing, 507, "no-space", "the pool is full");
	assert_int_equal(service->flushes, 0);
}

static void says_what_was_written_of_a_body_that_fails(void **state)
{
	static const struct {
		const char *target, *headers, *body, *written;
	} rows[] = {
		{DATA "?offset=65530", NULL, "abcdefghi",
		 "\"written\":{\"offset\":65530,\"length\":6}"},
		{DATA, "Content-Range: bytes 0-3/*", "abcdefghi",
		 "\"written\":{\"offset\":0,\"length\":3}"},
		{DATA, "Content-Range: bytes 0-15/*", "abcdefghi",
		 "\"written\":{\"offset\":0,\"length\":9}"},
		{DATA "?offset=65534", NULL, "abc", NULL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"PUT",           rows[i].target,
					    rows[i].headers, .body = rows[i].body,
					    .piece = 3,      .chunked = true};

		exchange_send(*state, &exchange);
		assert_int_equal(exchange.response->status / 100, 4);
		if (rows[i].written)
			assert_non_null(strstr(exchange.text, rows[i].written));
		else
			assert_null(strstr(exchange.text, "\"written\""));
		exchange_fini(&exchange);
	}
}

/* A call that fails may have written a part of what it was given. The journal says what is sure. */
static void says_what_may_be_written_when_the_disk_is_full(void **state)
{
	static const struct {
		const char *target, *headers;
		int writes; /* that succeed */
		unsigned status;
		const char *written;
		uint64_t sure;
	} rows[] = {
		{DATA "?offset=512", NULL, 1, 507, "\"written\":{\"offset\":512,\"length\":1024}",
		 700},
		{DATA, "If-Match: *", 1, 507, "\"written\":{\"offset\":0,\"length\":1024}", 700},
		{DATA "?detect_zeroes=y", "If-Match: \"d12.0\"", 1, 507,
		 "\"written\":{\"offset\":0,\"length\":1024}", 0},
		{DATA, "If-Match: \"d12.7\"", 1, 412, NULL, 0},
		{DATA, NULL, 0, 507, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct service *service = fake_new();
		char body[1024] = "x";
		struct exchange exchange = {"PUT",           rows[i].target,
					    rows[i].headers, .body = body,
					    .piece = 700,    .body_length = sizeof body};

		(void)fake_add(service, "web-1", SIZE, NULL);
		service->fail = SERVICE_NO_SPACE;
		service->fail_after = rows[i].writes;
		exchange_send(service, &exchange);
		assert_int_equal(exchange.response->status, rows[i].status);
		if (rows[i].written)
			assert_non_null(strstr(exchange.text, rows[i].written));
		else
			assert_null(strstr(exchange.text, "\"written\""));
		assert_int_equal(service->uploads[0].written, rows[i].sure);
		exchange_fini(&exchange);
		fake_free(service);
	}
}

static void says_what_is_written_but_not_durable(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"PUT", DATA "?offset=5", .body = "abc"};

	service->flushed = SERVICE_IO_ERROR;
	(void)exchange_json(service, &exchange, 500);
	assert_int_equal(exchange_number(&exchange, "written.offset"), 5);
	assert_int_equal(exchange_number(&exchange, "written.length"), 3);
	exchange_fini(&exchange);
}

static void refuses_an_empty_chunked_body(void **state)
{
	struct exchange exchange = {"PUT", DATA, .chunked = true};

	exchange_problem(*state, &exchange, 400, "invalid-value", "the body is empty");
}

/* ---- PATCH and flush ---- */

static void does_operations_in_order(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {
		"PATCH", DATA,
		.body = "{\"ops\":[{\"op\":\"write\",\"sector\":0,\"base64\":\"QUJD\"},"
			"{\"op\":\"zero\",\"offset\":1,\"length\":1},{\"op\":\"zero\",\"sector\":8,\"count\":2},"
			"{\"op\":\"discard\",\"offset\":0,\"size\":\"1K\"},{\"op\":\"flush\"}]}"};

	exchange_send(service, &exchange);
	assert_string_equal(
		exchange.text,
		"{\"completed\":5,\"results\":[{\"op\":\"write\",\"offset\":0,\"length\":3},"
		"{\"op\":\"zero\",\"offset\":1,\"length\":1,\"effect\":\"zeroed\"},"
		"{\"op\":\"zero\",\"offset\":4096,\"length\":1024,\"effect\":\"zeroed\"},"
		"{\"op\":\"discard\",\"offset\":0,\"length\":1024,\"effect\":\"unchanged\"},"
		"{\"op\":\"flush\"}],\"flushed\":true,\"etag\":\"d12.3\",\"write_epoch\":7,"
		"\"durable_epoch\":6,\"write_verifier\":\"5f3a\"}\n");
	assert_memory_equal(service->images[1].bytes, "A\0C", 3);
	assert_int_equal(service->flushes, 1);
	exchange_fini(&exchange);
}

/* base has sectors 0 to 3, web-1 has sector 2. */
static void leaves_zeroes_out_where_nobody_has_data(void **state)
{
	static const struct {
		const char *target;
		size_t piece, length;
		int at; /* of a byte that is not zero, -1 = none */
		unsigned writes;
		const char *has; /* sectors 0 to 7 of web-1 afterwards */
	} rows[] = {
		/* base has two runs of it, web-1 one between */
		{DATA "?detect_zeroes=y", 4096, 4096, -1, 3, "xxxx...."},
		{DATA "?detect_zeroes=y&offset=2K", 2048, 2048, -1, 0, "..x....."},
		{DATA "?detect_zeroes=y&offset=2K", 2048, 2048, 600, 1, "..x..x.."},
		{DATA "?detect_zeroes=y&offset=2K", 700, 2048, -1, 3, "..x..xx."},
		{DATA "?detect_zeroes=y&offset=2047", 2048, 1026, -1, 2, "..xx..x."},
		{DATA "?detect_zeroes=y&offset=2K", 2048, 100, -1, 1, "..x.x..."},
		{DATA "?detect_zeroes=n&offset=2K", 2048, 2048, -1, 1, "..x.xxxx"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct service *service = fake_new();
		char body[4096] = "";
		struct exchange exchange = {"PUT", rows[i].target, .body = body,
					    .body_length = rows[i].length, .piece = rows[i].piece};
		struct fake_image *web;

		(void)state;
		fake_fill(fake_add(service, "base", SIZE, NULL), 0, 4, 'b');
		web = fake_add(service, "web-1", SIZE, "base");
		fake_fill(web, 2, 1, 'w');
		if (rows[i].at >= 0)
			body[rows[i].at] = 1;
		(void)exchange_json(service, &exchange, 200);
		assert_int_equal(exchange_number(&exchange, "length"), rows[i].length);
		assert_int_equal(service->writes, rows[i].writes);
		for (size_t at = 0; at < 8; at++)
			assert_int_equal(web->has[at], rows[i].has[at] == 'x');
		exchange_fini(&exchange);
		fake_free(service);
	}
}

static void takes_one_operation_as_a_form(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"PATCH", DATA "?flush=n",
				    .body = "op=zero&offset=1K&length=512"};

	(void)exchange_json(service, &exchange, 200);
	assert_true(json_is_false(json_object_get(exchange.json, "flushed")));
	assert_int_equal(service->flushes, 0);
	assert_int_equal(service->images[1].bytes[1024], 0);
	exchange_fini(&exchange);
}

static void refuses_operations(void **state)
{
	static const struct {
		const char *body;
		unsigned status;
		const char *code, *detail;
	} rows[] = {
		{"{}", 400, "invalid-value", "/op: is required, or ops: an array of operations"},
		{"{\"ops\":[{}]}", 400, "invalid-value", "/ops/0/op: is required"},
		{"{\"op\":\"erase\"}", 400, "invalid-value",
		 "/op: must be one of: zero, discard, write, flush"},
		{"{\"ops\":[]}", 400, "invalid-value",
		 "/ops: must be an array of 1 to 256 operations"},
		{"{\"ops\":1}", 400, "invalid-value",
		 "/ops: must be an array of 1 to 256 operations"},
		{"{\"ops\":[1]}", 400, "invalid-value", "/ops/0: must be an object"},
		{"{\"ops\":[{\"op\":\"flush\"}],\"op\":\"flush\"}", 400, "unknown-field",
		 "/op: is not known here"},
		{"{\"op\":\"flush\",\"offset\":0}", 400, "unknown-field",
		 "/offset: is not known here"},
		{"{\"op\":\"zero\",\"length\":1}", 400, "invalid-value",
		 "/offset: give either offset or sector"},
		{"{\"op\":\"zero\",\"offset\":0}", 400, "invalid-value",
		 "/length: give either offset and length, or sector and count"},
		{"{\"op\":\"zero\",\"offset\":0,\"count\":1}", 400, "invalid-value",
		 "/length: give either offset and length, or sector and count"},
		{"{\"op\":\"zero\",\"offset\":0,\"length\":0}", 400, "invalid-value",
		 "/length: must not be 0"},
		{"{\"op\":\"zero\",\"sector\":\"18446744073709551615\",\"count\":1}", 400,
		 "invalid-value", "/sector: is too large"},
		{"{\"op\":\"write\",\"offset\":0}", 400, "invalid-value",
		 "/base64: is required, up to 64 KiB of data"},
		{"{\"op\":\"write\",\"offset\":0,\"base64\":\"?\"}", 400, "invalid-value",
		 "/base64: is not base64 of 1 byte to 64 KiB"},
		{"{\"op\":\"zero\",\"offset\":65536,\"length\":1}", 416, "range-not-satisfiable",
		 "1 byte at 65536 passes the end of the disk at 65536"},
	};
	struct service *service = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"PATCH", DATA, .body = rows[i].body};

		exchange_problem(service, &exchange, rows[i].status, rows[i].code, rows[i].detail);
	}
	assert_int_equal(service->writes, 0);
}

static void names_the_operation_that_passes_the_end(void **state)
{
	struct exchange exchange = {"PATCH", DATA,
				    .body = "{\"ops\":[{\"op\":\"flush\"},"
					    "{\"op\":\"zero\",\"offset\":65536,\"length\":1}]}"};

	(void)exchange_json(*state, &exchange, 416);
	assert_string_equal(exchange_text(&exchange, "detail"),
			    "1 byte at 65536 passes the end of the disk at 65536");
	assert_string_equal(exchange_text(&exchange, "errors.0.pointer"), "/ops/1");
	exchange_fini(&exchange);
}

static void says_how_far_it_got(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"PATCH", DATA,
				    .body = "{\"ops\":[{\"op\":\"zero\",\"sector\":0,\"count\":1},"
					    "{\"op\":\"zero\",\"sector\":1,\"count\":1}]}"};

	service->fail = SERVICE_NO_SPACE;
	service->fail_after = 1;
	(void)exchange_json(service, &exchange, 507);
	assert_int_equal(exchange_number(&exchange, "completed"), 1);
	exchange_fini(&exchange);
}

static void flushes_a_frozen_image_too(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"POST", "/v1/images/base/data?op=flush"};

	(void)exchange_json(service, &exchange, 200);
	assert_true(json_is_true(json_object_get(exchange.json, "flushed")));
	exchange_fini(&exchange);
	exchange.target = "/v1/images/base/data";
	exchange_problem(service, &exchange, 400, "invalid-value",
			 "op: is required, and must be flush");
}

static void tells_its_capabilities(void **state)
{
	struct exchange exchange = {"OPTIONS", DATA};

	(void)exchange_json(*state, &exchange, 200);
	assert_int_equal(exchange_number(&exchange, "virtual_size"), SIZE);
	assert_int_equal(exchange_number(&exchange, "block_size"), FAKE_BLOCK);
	assert_string_equal(exchange_text(&exchange, "unix_socket"), "/run/vhdd/vhdd.sock");
	assert_string_equal(exchange_header(&exchange, "Accept-Patch"),
			    "application/json, message/byterange, application/vnd.vhdd.ops+ndjson");
	assert_int_equal(exchange_number(&exchange, "max_readers"), 8);
	assert_int_equal(exchange_number(&exchange, "max_writers"), 8);
	exchange_fini(&exchange);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_pieces, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(sends_several_ranges, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(streams_several_large_ranges, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(describes_what_it_sends, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(answers_head_without_reading, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_reads, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(says_when_nothing_has_changed, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(streams_large_reads_and_holds_the_image, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(looks_for_many_sectors_on_a_worker, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(reports_a_small_read_that_fails, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(writes_where_it_is_told, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(a_write_that_met_others_is_answered_without_an_etag,
						fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(says_how_durable_a_write_is, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(says_with_every_answer_how_durable_content_is,
						setup, fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_writes_before_the_body, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(reports_what_fails_on_the_way, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(says_what_was_written_of_a_body_that_fails, setup,
						fake_teardown),
		cmocka_unit_test(says_what_may_be_written_when_the_disk_is_full),
		cmocka_unit_test_setup_teardown(says_what_is_written_but_not_durable, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_an_empty_chunked_body, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(does_operations_in_order, setup, fake_teardown),
		cmocka_unit_test(leaves_zeroes_out_where_nobody_has_data),
		cmocka_unit_test_setup_teardown(takes_one_operation_as_a_form, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_operations, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(names_the_operation_that_passes_the_end, setup,
						fake_teardown),
		cmocka_unit_test_setup_teardown(says_how_far_it_got, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(flushes_a_frozen_image_too, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(tells_its_capabilities, setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
