/* test_api_memory.c - every allocation fails once; no request crashes, leaks or tells a lie. */
#include <stdlib.h>

#include "alloc_fault.h"
#include "api_client.h"
#include "test.h"

static const struct exchange requests[] = {
	{"GET", "/v1"},
	{"GET", "/v1/images"},
	{"GET", "/v1/images?sort=-depth&limit=1&fields=id,usage.file&name=*e*"},
	{"GET", "/v1/images?format=text"},
	{"GET", "/v1/images?format=csv&label=a"},
	{"GET", "/v1/images/base/children?format=ndjson"},
	{"GET", "/v1/images/web-1/fields"},
	{"GET", "/v1/images/web-1/layout"},
	{"GET", "/v1/pools?format=text"},
	{"GET", "/v1/images/web-1"},
	{"GET", "/v1/images/web-1/chain"},
	{"GET", "/v1/images/web-1/data?sector=0"},
	{"GET", "/v1/images/web-1/data", "Range: bytes=0-0,-1"},
	{"GET", "/v1/images/web-1/sectors/0"},
	{"GET", "/v1/images/web-1/sectors"},
	{"POST", "/v1/images/web-1/sectors", .body = "{\"sectors\":[1]}"},
	{"PUT", "/v1/images/web-1/data?detect_zeroes=y", .body = "abc"},
	{"GET", "/v1/images/web-1/extents"},
	{"GET", "/v1/images/nobody"},
	{"OPTIONS", "/v1/images/web-1/data"},
	{"PUT", "/v1/images/web-1/data?offset=5", .body = "abc"},
	{"PATCH", "/v1/images/web-1/data",
	 .body = "{\"op\":\"write\",\"offset\":0,\"base64\":\"QUJD\"}"},
	{"POST", "/v1/images", .body = "{\"name\":\"n\",\"size\":512,\"labels\":{\"a\":\"b\"}}"},
	{"POST", "/v1/images", .body = "size=1&labels.a=b"},
	{"PUT", "/v1/images/web-1", .body = "parent=base"},
	{"POST", "/v1/images", .body = "source.path=/srv/x&labels.a=b"},
	{"PATCH", "/v1/images/web-1", "If-Match: m17", .body = "labels.a=b"},
	{"PUT", "/v1/images/web-1/data", "If-Match: d12.0", .body = "abc"},
};

static struct service *service_new(void)
{
	struct service *service = fake_new();

	fake_add(service, "base", 65536, NULL);
	fake_add(service, "web-1", 65536, "base");
	return service;
}

/* Success as without a failure, or 500, or no response at all. True: no allocation failed. */
static bool survives(const struct exchange *request, long fail_at)
{
	struct service *service = service_new();
	struct exchange exchange = *request;
	bool untouched;

	exchange.no_look = true;
	alloc_fault_arm(fail_at, false);
	exchange_send(service, &exchange);
	alloc_fault_disarm();
	untouched = alloc_fault_failed() == 0;
	if (!untouched && exchange.response && exchange.response->status >= 500)
		assert_string_equal(exchange_header(&exchange, "X-Error-Code"), "internal");
	exchange_fini(&exchange);
	fake_free(service);
	return untouched;
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	json_set_alloc_funcs(malloc, free); /* those of this program, which fail on demand */
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		long n = 0;

		while (!survives(&requests[i], n))
			n++;
		assert_true(n > 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
