/* fuzz_json.c - a body, JSON or a form: parsed, and as what creates an image and what changes one.
 */
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "fuzz.h"
#include "fuzz_api.h"
#include "gate.h"
#include "number.h"

/* fuzz_body is this file without the dispatcher: much faster. */
#ifndef FUZZ_BODY_ONLY
#define FUZZ_BODY_ONLY 0
#endif

static void try_parse(const char *data, size_t size)
{
	struct problem problem = {0};
	json_t *body = body_parse(data, size, API_JSON_DEPTH, &problem), *again;
	char *text;

	if (!body) {
		fuzz_require_problem(&problem);
		return;
	}
	fuzz_require(problem.code == CODE_NONE && json_is_object(body), "a body is an object");
	text = json_dumps(body, JSON_COMPACT);
	fuzz_require(text != NULL, "a body can be written");
	again = body_parse(text, strlen(text), API_JSON_DEPTH, &problem);
	fuzz_require(again && json_equal(body, again), "and read again");
	json_decref(again);
	free(text);
	json_decref(body);
}

static unsigned ask(struct service *service, enum http_method method, const char *path,
		    const char *data, size_t size)
{
	const struct http_field headers[] = {{"Host", "localhost"},
					     {"Transfer-Encoding", "chunked"}};
	const struct http_request request = {
		.method = method, .path = path, .headers = headers, .n_headers = 2, .id = "fuzz"};
	struct http_response *response = fuzz_ask(service, &request, data, size, 0);
	unsigned status = response->status;

	http_response_free(response);
	return status;
}

/* What reached the daemon is what service.h says of it. */
static void try_create(const char *data, size_t size)
{
	struct service *service = fuzz_service();
	const struct service_create *spec = &service->spec;
	char uuid[SERVICE_ID];

	if (ask(service, HTTP_POST, "/v1/images", data, size) == 201) {
		fuzz_require(!spec->name || gate_name(spec->name), "a name is one");
		fuzz_require(!spec->uuid || number_uuid(spec->uuid, uuid), "an id is one");
		fuzz_require((spec->kind == SERVICE_DIFFERENCING) == (spec->parent != NULL),
			     "a child has a parent");
		fuzz_require(spec->size % 512 == 0 && (spec->size > 0 || spec->parent) &&
				     spec->size <= UINT64_C(2040) << 30,
			     "a size is possible");
		fuzz_require(spec->n_labels <= SERVICE_LABELS_MAX, "labels are few");
		fuzz_require(service->n == 3, "there is one more");
	} else {
		fuzz_require(service->n == 2, "a refusal makes nothing");
	}
	fuzz_service_done(service);
}

static void try_change(const char *data, size_t size)
{
	struct service *service = fuzz_service();

	if (ask(service, HTTP_PATCH, "/v1/images/leaf", data, size) == 200) {
		fuzz_require(!service->update.name || gate_name(service->update_texts[0]) ||
				     strlen(service->update_texts[0]) == 63,
			     "a name is one");
		fuzz_require(!(service->update.freeze && service->update.thaw),
			     "frozen or not, not both");
		fuzz_require(service->update.n_labels <= SERVICE_LABELS_MAX, "labels are few");
	}
	fuzz_service_done(service);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *body = (const char *)data; /* not copied: one byte too far is seen */

	if (size > 16 << 10)
		return 0;
	try_parse(body, size);
	if (FUZZ_BODY_ONLY)
		return 0;
	try_create(body, size);
	try_change(body, size);
	return 0;
}
