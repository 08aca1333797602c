/* api_client.c - drives the state machine of api.h as its table says. */
#include "api_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

enum { HEADERS = 16 };

struct wire {
	char target[512];
	char headers[2048];
	char length[32];
	struct http_field fields[HEADERS];
	struct http_request request;
};

static void add(struct wire *wire, const char *name, const char *value)
{
	assert_true(wire->request.n_headers < HEADERS);
	wire->fields[wire->request.n_headers++] = (struct http_field){.name = name, .value = value};
}

static void make(struct wire *wire, struct exchange *exchange)
{
	char *rest = wire->headers;
	char *query;

	(void)snprintf(wire->target, sizeof wire->target, "%s", exchange->target);
	(void)snprintf(wire->headers, sizeof wire->headers, "%s",
		       exchange->headers ? exchange->headers : "");
	query = strchr(wire->target, '?');
	if (query)
		*query++ = '\0';
	wire->request = (struct http_request){.method = http_method_parse(exchange->method),
					      .path = wire->target,
					      .query = query,
					      .headers = wire->fields,
					      .id = "test-1"};
	while (*rest != '\0') {
		char *line = strsep(&rest, "\n");
		char *value = strstr(line, ": ");

		assert_non_null(value);
		*value = '\0';
		add(wire, line, value + 2);
		if (!rest)
			break;
	}
	if (!http_header(&wire->request, "Host"))
		add(wire, "Host", "localhost:8080");
	if (exchange->body && exchange->body_length == 0)
		exchange->body_length = strlen(exchange->body);
	(void)snprintf(wire->length, sizeof wire->length, "%zu", exchange->body_length);
	if (exchange->chunked)
		add(wire, "Transfer-Encoding", "chunked");
	else if (exchange->body && !exchange->no_length)
		add(wire, "Content-Length", wire->length);
}

static void note(struct exchange *exchange, enum api_step step)
{
	static const char *const names[] = {
		[API_REPLY] = "reply",     [API_TRY] = "try",       [API_RUN] = "run",
		[API_COLLECT] = "collect", [API_UPLOAD] = "upload", [API_WAIT] = "wait",
	};
	size_t len = strlen(exchange->steps);

	(void)snprintf(exchange->steps + len, sizeof exchange->steps - len, "%s%s",
		       len > 0 ? " " : "", names[step]);
}

/* Piece by piece until one is refused; what is left is dropped. */
static enum api_step feed(struct api_call *call, const struct exchange *exchange, bool upload)
{
	size_t piece = exchange->piece > 0 ? exchange->piece : 7;

	for (size_t at = 0; at < exchange->body_length; at += piece) {
		size_t left = exchange->body_length - at;
		size_t len = left < piece ? left : piece;

		if (!(upload ? api_call_write : api_call_collect)(call, exchange->body + at, len))
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
	if (service->defer) {
		assert_false(woken);
		fake_flush(service);
	}
	assert_true(woken);
	return API_REPLY;
}

static enum api_step next(struct service *service, struct api_call *call,
			  const struct exchange *exchange, enum api_step step)
{
	switch (step) {
	case API_REPLY: return API_REPLY;
	case API_TRY: return api_call_run(call, true);
	case API_RUN: return api_call_run(call, false);
	case API_COLLECT: return feed(call, exchange, false);
	case API_UPLOAD: return feed(call, exchange, true);
	case API_WAIT: return wait(service, call);
	}
	return API_REPLY;
}

static void take_body(struct exchange *exchange)
{
	struct http_response *response = exchange->response;

	exchange->length = (size_t)http_response_length(response);
	if (strcmp(exchange->method, "HEAD") == 0)
		return;
	exchange->text = calloc(1, exchange->length + 1);
	assert_non_null(exchange->text);
	if (response->stream.read)
		assert_int_equal(response->stream.read(response->stream.ctx, 0, exchange->text,
						       exchange->length, false),
				 HTTP_READ_OK);
	else if (exchange->length > 0)
		memcpy(exchange->text, response->fixed_body ? response->fixed_body : response->body,
		       exchange->length);
	if (strstr(exchange_header(exchange, "Content-Type"), "json"))
		exchange->json = json_loads(exchange->text, 0, NULL);
}

void exchange_send(struct service *service, struct exchange *exchange)
{
	static const char *const hosts[] = {"vhd.example", NULL};
	static const char *const origins[] = {"https://ui.example", NULL};
	const struct api api = {
		.service = service, .hosts = hosts, .origins = origins, .limits = API_LIMITS};
	struct wire wire = {.target = ""};
	struct api_call *call;
	enum api_step step;

	make(&wire, exchange);
	call = api_call_new(&api, &wire.request);
	if (!call)
		return;
	step = api_call_begin(call);
	note(exchange, step);
	while (step != API_REPLY) {
		step = next(service, call, exchange, step);
		note(exchange, step);
	}
	exchange->response = api_call_response(call);
	if (exchange->response) {
		const char *code = api_call_code(call);

		assert_string_equal(exchange_header(exchange, "X-Error-Code"), code ? code : "");
	}
	api_call_free(call);
	if (exchange->response && !exchange->no_look)
		take_body(exchange);
}

void exchange_fini(struct exchange *exchange)
{
	http_response_free(exchange->response);
	free(exchange->text);
	json_decref(exchange->json);
	exchange->response = NULL;
	exchange->text = NULL;
	exchange->json = NULL;
	exchange->steps[0] = '\0';
}

json_t *exchange_json(struct service *service, struct exchange *exchange, unsigned status)
{
	exchange_send(service, exchange);
	assert_non_null(exchange->response);
	if (exchange->response->status != status)
		print_error("%s %s: %s\n", exchange->method, exchange->target, exchange->text);
	assert_int_equal(exchange->response->status, status);
	assert_non_null(exchange->json);
	assert_int_equal(exchange->text[exchange->length - 1], '\n');
	return exchange->json;
}

void exchange_problem(struct service *service, struct exchange *exchange, unsigned status,
		      const char *code, const char *detail)
{
	(void)exchange_json(service, exchange, status);
	assert_string_equal(exchange_text(exchange, "code"), code);
	assert_string_equal(exchange_text(exchange, "detail"), detail);
	assert_int_equal(exchange_number(exchange, "status"), status);
	exchange_fini(exchange);
}

const char *exchange_header(const struct exchange *exchange, const char *name)
{
	const char *value = http_response_get(exchange->response, name);

	return value ? value : "";
}

static json_t *member_of(const struct exchange *exchange, const char *member)
{
	json_t *at = exchange->json;
	char path[128];
	char *rest = path;

	(void)snprintf(path, sizeof path, "%s", member);
	while (rest && at) {
		const char *name = strsep(&rest, ".");

		at = json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10))
				       : json_object_get(at, name);
	}
	if (!at)
		print_error("no member %s in %s\n", member, exchange->text);
	assert_non_null(at);
	return at;
}

const char *exchange_text(const struct exchange *exchange, const char *member)
{
	const char *text = json_string_value(member_of(exchange, member));

	return text ? text : "(no text)";
}

json_int_t exchange_number(const struct exchange *exchange, const char *member)
{
	const json_t *number = member_of(exchange, member);

	assert_true(json_is_integer(number));
	return json_integer_value(number);
}
