/* test_api_digest.c - what a request says of its body is verified, and what of it was written is
 * told. */
#include <stdlib.h>
#include <string.h>

#include "api_client.h"
#include "test.h"

enum { SIZE = 65536 };
#define DATA "/v1/images/web-1/data"

/* Digests of "abc", as RFC 9530 and RFC 1864 write them. */
#define ABC_256 "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:"
#define ABC_512                                                                                             \
	"sha-512=:3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==" \
	":"
#define ABC_MD5 "kAFQmDzST7DWlj99KOF/cg=="
/* Of nothing. */
#define NONE_256 "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
#define NONE_MD5 "1B2M2Y8AsgTpgAmY7PhCfg=="

static void takes_bodies_that_are_what_they_should_be(void **state)
{
	static const char *const rows[] = {
		"Content-Digest: " ABC_256,
		"Content-Digest: " ABC_512,
		"Content-Digest: " ABC_256 ", " ABC_512,
		"Content-Digest: " ABC_256 "\nContent-Digest: " ABC_512,
		"Content-Digest: md5=:AA==:, " ABC_256 ";a=1; b",
		"content-digest:  " ABC_512 "\t,\t" ABC_256,
		"Content-MD5: " ABC_MD5,
		"Content-MD5: " ABC_MD5 "\nContent-Digest: " ABC_256,
		"Content-Digest: sha-256=:"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:, " ABC_256,
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"PUT", DATA,       rows[i],
					    "abc", .piece = 2, .chunked = i % 2};

		print_message("%s\n", rows[i]);
		(void)exchange_json(*state, &exchange, 200);
		assert_int_equal(exchange_number(&exchange, "length"), 3);
		exchange_fini(&exchange);
	}
}

static void refuses_what_is_no_digest(void **state)
{
#define FORM "' is not like sha-256=:BASE64:, sha-512=:BASE64:"
	static const struct {
		const char *headers, *detail;
	} rows[] = {
		{"Content-Digest: ", "Content-Digest '" FORM},
		{"Content-Digest: abc", "Content-Digest 'abc" FORM},
		{"Content-Digest: sha-256=abc", "Content-Digest 'sha-256=abc" FORM},
		{"Content-Digest: sha-256=:YWJj:", "Content-Digest 'sha-256=:YWJj:" FORM},
		{"Content-Digest: sha-256=:YWJj", "Content-Digest 'sha-256=:YWJj" FORM},
		{"Content-Digest: sha-256=::", "Content-Digest 'sha-256=::" FORM},
		{"Content-Digest: " ABC_256 ",", "Content-Digest '" ABC_256 "," FORM},
		{"Content-Digest: " ABC_256 ";", "Content-Digest '" ABC_256 ";" FORM},
		{"Content-Digest: " ABC_256 " x", "Content-Digest '" ABC_256 " x" FORM},
		{"Content-Digest: =:YWJj:", "Content-Digest '=:YWJj:" FORM},
		{"Content-MD5: YWJj", "Content-MD5 'YWJj' is not one MD5 sum in base64"},
		{"Content-MD5: " ABC_MD5 "\nContent-MD5: " ABC_MD5,
		 "Content-MD5 '" ABC_MD5 "' is not one MD5 sum in base64"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {"PUT", DATA, rows[i].headers, "abc"};

		exchange_problem(*state, &exchange, 400, "invalid-value", rows[i].detail);
	}
	assert_int_equal(((struct service *)*state)->opens, 0);
}

static void refuses_digests_that_it_cannot_compute(void **state)
{
	struct exchange exchange = {"PUT", DATA, "Content-Digest: crc32c=:YWJjZA==:", "abc"};

	exchange_problem(*state, &exchange, 501, "not-supported",
			 "Content-Digest 'crc32c=:YWJjZA==:' has none of the known algorithms, "
			 "sha-256 and sha-512");
}

static void a_small_body_that_differs_changes_nothing(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"PUT", DATA, "Content-Digest: " ABC_256, "abd"};

	(void)exchange_json(service, &exchange, 422);
	assert_string_equal(exchange_text(&exchange, "code"), "checksum-mismatch");
	assert_string_equal(exchange_text(&exchange, "detail"),
			    "the request says " ABC_256 ", the body has "
			    "sha-256=:pS0VnyYrLG3bckphhAvvw26zDIiHekAwtly+himESck=:; "
			    "nothing was changed");
	assert_int_equal(exchange_number(&exchange, "written.length"), 0);
	assert_string_equal(exchange_text(&exchange, "current_etag"), "\"d12.0\"");
	exchange_fini(&exchange);
	assert_int_equal(service->writes, 0);
	assert_int_equal(service->flushes, 0);
}

/* Its length is not known, so that it cannot wait for its end. */
static void a_body_that_was_written_on_the_way_is_told(void **state)
{
	struct service *service = *state;
	struct exchange exchange = {"PUT", DATA "?offset=512", "Content-MD5: " NONE_MD5,
				    "abc", .piece = 2,         .chunked = true};

	(void)exchange_json(service, &exchange, 422);
	assert_string_equal(exchange_text(&exchange, "code"), "checksum-mismatch");
	assert_string_equal(exchange_text(&exchange, "detail"),
			    "the request says Content-MD5 " NONE_MD5
			    ", the body has Content-MD5 " ABC_MD5
			    "; what was sent has been written, write that range again");
	assert_int_equal(exchange_number(&exchange, "written.offset"), 512);
	assert_int_equal(exchange_number(&exchange, "written.length"), 3);
	assert_string_equal(exchange_text(&exchange, "current_etag"), "\"d12.2\"");
	assert_string_equal(exchange_header(&exchange, "ETag"), "\"d12.2\"");
	exchange_fini(&exchange);
	assert_memory_equal(service->images[1].bytes + 512, "abc", 3);
}

static void holds_for_every_body(void **state)
{
	static const struct {
		const char *method, *target, *body;
	} rows[] = {
		{"PATCH", DATA, "{\"op\":\"flush\"}"},
		{"POST", "/v1/images", "name=new&size=512"},
		{"POST", DATA "?op=flush", NULL},
		{"DELETE", "/v1/images/web-1", NULL},
	};
	struct service *service = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exchange exchange = {rows[i].method, rows[i].target,
					    "Content-Digest: " ABC_256, rows[i].body};

		(void)exchange_json(service, &exchange, 422);
		assert_string_equal(exchange_text(&exchange, "code"), "checksum-mismatch");
		assert_non_null(strstr(exchange_text(&exchange, "detail"), "nothing was changed"));
		exchange_fini(&exchange);
	}
	assert_int_equal(service->n, 2);
	assert_false(service->images[1].gone);
	assert_int_equal(service->flushes, 0);
}

static void nothing_has_a_digest_too(void **state)
{
	struct exchange exchange = {"DELETE", "/v1/images/web-1", "Content-Digest: " NONE_256};

	exchange_send(*state, &exchange);
	assert_int_equal(exchange.response->status, 204);
	exchange_fini(&exchange);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(takes_bodies_that_are_what_they_should_be,
						fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_what_is_no_digest, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(refuses_digests_that_it_cannot_compute, fake_pair,
						fake_teardown),
		cmocka_unit_test_setup_teardown(a_small_body_that_differs_changes_nothing,
						fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(a_body_that_was_written_on_the_way_is_told,
						fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(holds_for_every_body, fake_pair, fake_teardown),
		cmocka_unit_test_setup_teardown(nothing_has_a_digest_too, fake_pair, fake_teardown),
	};

	return cmocka_run_group_tests_name("api/checksum", tests, NULL, NULL);
}
