/* test_api_memory.c - every allocation fails once; no request crashes, leaks or tells a lie. */
#include <stdlib.h>
#include <string.h>

#include "alloc_fault.h"
#include "api_client.h"
#include "test.h"

static const struct exchange requests[] = {
	{"GET", "/v1"},
	{"GET", "/v1/images"},
	{"GET", "/v1/images?sort=-depth&limit=1&fields=id,usage.file&name=*e*"},
	{"GET", "/v1/images?format=text"},
	{"GET", "/v1/images?embed=chain,parent,children&fields=id"},
	{"GET", "/v1/images/web-1?embed=chain,children"},
	{"GET", "/v1/images/web-1/data?op=writes"},
	{"PUT", "/v1/images/web-1/data", "Content-MD5: kAFQmDzST7DWlj99KOF/cg==", "abc"},
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
	{"GET", "/v1/images/web-1/extents?format=ndjson"},
	{"GET", "/v1/images/nobody"},
	{"OPTIONS", "/v1/images/web-1/data"},
	{"PUT", "/v1/images/web-1/data?offset=5", .body = "abc"},
	{"PATCH", "/v1/images/web-1/data",
	 .body = "{\"op\":\"write\",\"offset\":0,\"base64\":\"QUJD\"}"},
	{"POST", "/v1/images", .body = "{\"name\":\"n\",\"size\":512,\"labels\":{\"a\":\"b\"}}"},
	{"POST", "/v1/images", .body = "name=n&size=512&labels.a=b"},
	{"PUT", "/v1/images/web-1", .body = "parent=base"},
	{"POST", "/v1/images", .body = "source.path=/srv/x&labels.a=b"},
	{"PATCH", "/v1/images/web-1", "If-Match: m17-11a9832b0a75cd5e", .body = "labels.a=b"},
	{"PUT", "/v1/images/web-1/data", "If-Match: d12.0", .body = "abc"},
};

static struct service *service_new(void)
{
	struct service *service = fake_new();

	fake_add(service, "base", 65536, NULL);
	fake_add(service, "web-1", 65536, "base");
	return service;
}

#define DONE \
	"\"correction\":\"It was done all the same, and what is left to do is tried again. See what there is: "

/* Whether there is one image more. That the daemon itself cannot tell of what it has done is not of
 * this side of the border. */
static bool is_done(const struct exchange *request, const struct service *service)
{
	return service->n > 2 && !strstr(request->body, "source");
}

/* The status, or 0 when there is no response at all; `ret_failed` allocations failed. */
static unsigned send_with(const struct exchange *request, long fail_at, bool for_ever,
			  long *ret_failed)
{
	struct service *service = service_new();
	struct exchange exchange = *request;
	unsigned status;

	exchange.no_look = true;
	alloc_fault_arm(fail_at, for_ever);
	exchange_send(service, &exchange);
	alloc_fault_disarm();
	*ret_failed = alloc_fault_failed();
	status = exchange.response ? exchange.response->status : 0;
	if (status == 500 && is_done(request, service) && exchange.response->body)
		assert_non_null(memmem(exchange.response->body, exchange.response->body_length,
				       DONE, strlen(DONE)));
	if (*ret_failed && status >= 500)
		assert_string_equal(exchange_header(&exchange, "X-Error-Code"), "internal");
	exchange_fini(&exchange);
	fake_free(service);
	return status;
}

/* As without a failure, or 500, or no response: never that the client did something wrong. */
static void fail_each(const struct exchange *request, bool for_ever)
{
	long n = 0, failed;
	unsigned status, good = send_with(request, -1, false, &failed);

	do {
		status = send_with(request, n++, for_ever, &failed);
		if (status != good && status != 0 && status != 500)
			fail_msg("%s: allocation %ld fails: %u, not %u", request->target, n - 1,
				 status, good);
	} while (failed);
	assert_true(n > 4);
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	json_set_alloc_funcs(malloc, free); /* those of this program, which fail on demand */
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		fail_each(&requests[i], false);
		fail_each(&requests[i], true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
