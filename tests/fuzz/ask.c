/* ask.c - drives one call as the table in api.h says, and holds its response to what http.h
 * promises. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "fuzz_api.h"

#include <jansson.h>

enum { DISK = FAKE_SECTORS * 512, STEPS_MAX = 8 };

bool fuzz_guarded;

char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);

	if (!text)
		abort();
	if (size > 0)
		memcpy(text, data, size);
	return text;
}

void fuzz_require_problem(const struct problem *problem)
{
	fuzz_require(problem->code != CODE_NONE, "a failure has a code");
	fuzz_require(problem->detail[0] != '\0', "a failure has a detail");
}

/* One daemon for all inputs, as a fresh one is 4 MiB of zeroes. */
struct service *fuzz_service(void)
{
	static struct service service;

	memset(service.images, 0, (size_t)service.n * sizeof service.images[0]);
	memset((char *)&service + offsetof(struct service, n), 0,
	       sizeof service - offsetof(struct service, n));
	fake_fill(fake_add(&service, "base", DISK, NULL), 0, 64, 'b');
	fake_fill(fake_add(&service, "leaf", DISK, "base"), 8, 8, 'l');
	return &service;
}

void fuzz_service_done(const struct service *service)
{
	fuzz_require(service->opens == service->closes, "what was opened is closed");
	fuzz_require(!service->locked, "what was locked is unlocked");
	fuzz_require(!service->done, "a flush that was begun has ended");
}

/* ---- the call */

struct body {
	const char *data;
	size_t length, piece;
};

static enum api_step feed(struct api_call *call, const struct body *body, bool upload)
{
	size_t piece = body->piece > 0 ? body->piece : body->length;

	for (size_t at = 0; at < body->length; at += piece) {
		size_t left = body->length - at;

		if (!(upload ? api_call_write : api_call_collect)(call, body->data + at,
								  left < piece ? left : piece))
			break;
	}
	return (upload ? api_call_written : api_call_collected)(call);
}

static void wake(void *ctx)
{
	*(bool *)ctx = true;
}

static enum api_step wait(struct service *service, struct api_call *call)
{
	bool woken = false;

	api_call_wait(call, wake, &woken);
	if (service->defer)
		fake_flush(service);
	fuzz_require(woken, "a flush ends");
	return API_REPLY;
}

static enum api_step next(struct service *service, struct api_call *call, const struct body *body,
			  enum api_step step)
{
	switch (step) {
	case API_REPLY: return API_REPLY;
	case API_TRY: return api_call_run(call, true);
	case API_RUN: return api_call_run(call, false);
	case API_COLLECT: return feed(call, body, false);
	case API_UPLOAD: return feed(call, body, true);
	case API_WAIT: return wait(service, call);
	}
	abort();
}

/* ---- the response */

static void look_at_headers(const struct http_response *response)
{
	for (size_t i = 0; i < response->n_headers; i++) {
		const struct http_line *line = &response->headers[i];

		fuzz_require(line->name[0] != '\0', "a header has a name");
		for (const char *c = line->value; *c != '\0'; c++)
			fuzz_require((unsigned char)*c >= 0x20 && *c != 0x7f,
				     "a header has no control characters");
	}
}

static char *whole_body(const struct http_response *response, size_t length)
{
	char *text = calloc(1, length + 1);
	const char *from = response->fixed_body ? response->fixed_body : response->body;

	if (!text)
		abort();
	/* In two pieces, the way a connection asks for them. */
	for (size_t at = 0; response->stream.read && at < length; at += length / 2 + 1) {
		size_t len = length - at < length / 2 + 1 ? length - at : length / 2 + 1;

		if (response->stream.read(response->stream.ctx, at, text + at, len, false) !=
		    HTTP_READ_OK)
			break;
	}
	if (!response->stream.read && length > 0)
		memcpy(text, from, length);
	return text;
}

static void look_at_json(const struct http_response *response, const char *text, size_t length,
			 bool lines)
{
	const char *end = lines ? memchr(text, '\n', length) : text + length;
	json_t *json;

	fuzz_require(end != NULL, "a line ends");
	json = json_loadb(text, (size_t)(end - text), JSON_REJECT_DUPLICATES, NULL);
	fuzz_require(json != NULL, "JSON is valid, also when it quotes the request");
	if (response->status >= 400) {
		json_t *status = json_object_get(json, "status");
		json_t *code = json_object_get(json, "code");

		fuzz_require(json_integer_value(status) == response->status,
			     "a problem has the status of its response");
		fuzz_require(json_is_string(code), "a problem has a code");
	}
	json_decref(json);
}

static void look_at(const struct http_response *response, const struct http_request *request,
		    const char *code)
{
	const char *type = http_response_get(response, "Content-Type");
	const char *header = http_response_get(response, "X-Error-Code");
	size_t length = (size_t)http_response_length(response);
	char *text = whole_body(response, length);

	fuzz_require(response->status >= 200 && response->status < 600, "a status is final");
	fuzz_require((response->status >= 400) == (code != NULL), "failures have codes");
	fuzz_require(code ? header && strcmp(header, code) == 0 : !header,
		     "X-Error-Code is the code");
	fuzz_require((response->status != 204 && response->status != 304) || length == 0,
		     "204 and 304 have no body");
	look_at_headers(response);
	if (type && strstr(type, "json") && length > 0)
		look_at_json(response, text, length, strstr(type, "ndjson") != NULL);
	fuzz_require(!request->garbled || (response->status >= 400 && response->close),
		     "a garbled head ends the connection");
	free(text);
}

struct http_response *fuzz_ask(struct service *service, const struct http_request *request,
			       const char *body, size_t length, size_t piece)
{
	static const char *const hosts[] = {"vhd.example", NULL};
	static const char *const origins[] = {"https://ui.example", NULL};
	const struct api api = {.service = service,
				.hosts = hosts,
				.origins = origins,
				.limits = API_LIMITS,
				.require_if_match = fuzz_guarded};
	const struct body pieces = {body, length, piece};
	struct api_call *call = api_call_new(&api, request);
	struct http_response *response;
	enum api_step step;
	int steps = 0;

	if (!call)
		abort();
	for (step = api_call_begin(call); step != API_REPLY; steps++)
		step = next(service, call, &pieces, step);
	fuzz_require(steps < STEPS_MAX, "a call comes to its end");
	response = api_call_response(call);
	fuzz_require(response != NULL, "there is a response");
	look_at(response, request, api_call_code(call));
	api_call_free(call);
	return response;
}
