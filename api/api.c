/* api.c - the state machine of one request: what is decided when, and in which order. */
#include "api.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "accept.h"
#include "body.h"
#include "call.h"
#include "chars.h"
#include "cors.h"
#include "data.h"
#include "number.h"
#include "scope.h"
#include "values.h"
#include "writes.h"

/* ---- begin ---- */

struct api_call *api_call_new(const struct api *api, const struct http_request *request)
{
	struct api_call *call = calloc(1, sizeof *call);
	const char *id = http_header(request, "X-Request-Id");

	if (!call)
		return NULL;
	call->api = api;
	call->request = request;
	if (!id || *id == '\0' || strlen(id) >= CALL_ID || !chars_only(id, CHARS_NAME))
		id = request->id;
	memcpy(call->id, id, strnlen(id, CALL_ID - 1));
	return call;
}

void api_call_free(struct api_call *call)
{
	if (!call)
		return;
	writes_end(call, true);
	service_data_close(call->data);
	json_decref(call->body);
	json_decref(call->results);
	buf_fini(&call->collected);
	checksum_fini(&call->checksum);
	query_fini(&call->query);
	http_response_free(call->response);
	free(call);
}

static bool safe(const struct http_request *request)
{
	return request->method == HTTP_GET || request->method == HTTP_HEAD ||
	       request->method == HTTP_OPTIONS;
}

/* What has no ETag has none that a request could name. Of a GET it matters only when the answer
 * would be a success, and of OPTIONS never (RFC 9110 section 13.2.1). */
static bool untagged_ok(struct api_call *call)
{
	if (call->route->tagged || call->request->method == HTTP_OPTIONS || !call_compares(call))
		return true;
	(void)call_fail(call, CODE_PRECONDITION_FAILED, "If-Match names %s, but there is no ETag",
			http_header(call->request, "If-Match"));
	return false;
}

/* What a later stage would honour is refused, never ignored; nor is the second of two lines of
 * which only the first would be read. */
static bool headers_ok(struct api_call *call)
{
	static const char *const once[] = {
		"Content-Encoding",  "Content-Type",  "Expect",   "If-Match",
		"If-Modified-Since", "If-None-Match", "If-Range", "Range"};
	static const char *const always[] = {"Lease", "Idempotency-Key"};
	static const char *const changing[] = {"If-Unmodified-Since", "Repr-Digest", "Digest"};
	const struct http_request *request = call->request;
	const char *coding = http_header(request, "Content-Encoding");
	const char *expect = http_header(request, "Expect");
	const char *later = NULL;

	for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
		if (http_header_count(request, once[i]) > 1)
			(void)call_fail(call, CODE_INVALID_VALUE,
					"the header %s comes more than once", once[i]);
	}
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		later = http_header(request, always[i]) ? always[i] : later;
	for (size_t i = 0; i < sizeof changing / sizeof *changing && !safe(request); i++)
		later = http_header(request, changing[i]) ? changing[i] : later;
	if (later && strstr(later, "Digest"))
		call->problem.advice = "Send the digest of the body as Content-Digest.";
	if (later)
		(void)call_fail(call, CODE_NOT_SUPPORTED, "the header %s is not supported yet",
				later);
	if (coding && strcasecmp(coding, "identity") != 0)
		(void)call_fail(call, CODE_UNSUPPORTED_MEDIA_TYPE, "Content-Encoding '%s'", coding);
	if (expect && strcasecmp(expect, "100-continue") != 0)
		(void)call_fail(call, CODE_EXPECTATION_FAILED, "Expect '%s'", expect);
	return call->problem.code == CODE_NONE &&
	       (safe(request) || checksum_begin(request, &call->checksum, &call->problem));
}

static void tell_known(struct api_call *call)
{
	const char *list = call->route->parameters ? call->route->parameters : "";

	if (call->problem.known[0])
		return;
	if (!*list)
		problem_known(&call->problem, "no parameters", 13);
	while (*list) {
		size_t len = strcspn(list, " ");

		problem_known(&call->problem, list, len);
		list += len + strspn(list + len, " ");
	}
}

/* One that the row does not name. */
static void refuse_parameter(struct api_call *call, const char *name)
{
	if (routes_listed(call->route->later, name)) {
		problem_parameter(&call->problem, name, CODE_NOT_SUPPORTED, "is not supported yet");
		return;
	}
	problem_parameter(&call->problem, name, CODE_UNKNOWN_PARAMETER, "is not known here");
	tell_known(call);
}

/* Without a value: y, where y or n is asked for. */
static void complete(struct api_call *call, struct http_field *item)
{
	if (routes_listed(call->route->flags, item->name))
		item->value = "y";
	else
		problem_parameter(&call->problem, item->name, CODE_INVALID_VALUE,
				  "has no value; write %.60s=VALUE", item->name);
}

/* Bytes of the query that the link to another page repeats. */
static size_t repeated(const char *query)
{
	static const char *const places[] = {"cursor=", "start=", "length=", "count="};
	size_t len = 0;

	while (*query) {
		size_t pair = strcspn(query, "&");
		bool place = false;

		for (size_t i = 0; i < sizeof places / sizeof *places; i++)
			place = place || strncmp(query, places[i], strlen(places[i])) == 0;
		len += place ? 0 : pair + 1;
		query += pair + (query[pair] == '&');
	}
	return len > 0 ? len - 1 : 0;
}

/* Of what has pages, whether or not there is another one. */
static bool query_fits(struct api_call *call)
{
	size_t len = call->request->query ? repeated(call->request->query) : 0;

	if (len <= CALL_REPEAT_MAX || !routes_listed(call->route->parameters, "limit"))
		return true;
	call->problem.advice = "Ask with fewer or shorter filters.";
	(void)call_fail(call, CODE_TARGET_TOO_LONG,
			"the query of a list has %zu bytes, more than %d", len, CALL_REPEAT_MAX);
	return false;
}

static bool parameters_ok(struct api_call *call)
{
	const char *raw = call->request->query;

	if (!query_fits(call) ||
	    !query_parse(&call->query, raw, raw ? strlen(raw) : 0, &call->problem))
		return false;
	for (size_t i = 0; i < call->query.n; i++) {
		struct http_field *item = &call->query.items[i];

		if (!routes_listed(call->route->parameters, item->name))
			refuse_parameter(call, item->name);
		else if (item->value == query_bare)
			complete(call, item);
	}
	return call->problem.code == CODE_NONE;
}

static void refuse_body(struct api_call *call)
{
	call->problem.advice = "Leave the body out: parameters go into the URL.";
	if (call->route->instead)
		call->problem.advice = call->route->instead;
	(void)call_fail(call, CODE_INVALID_VALUE, "%s takes no body here",
			http_method_name(call->request->method));
}

static bool body_ok(struct api_call *call)
{
	const struct gate *gate = &call->gate;
	enum route_body want = call->route->body;

	if (want == ROUTE_NO_BODY && gate->body != HTTP_BODY_NONE)
		refuse_body(call);
	else if (want == ROUTE_NO_BODY)
		(void)call_checksum(call, 0, 0);
	if (want == ROUTE_COLLECT && gate->length > call_limits(call)->body)
		(void)call_too_large(call);
	if (want == ROUTE_UPLOAD && gate->body == HTTP_BODY_NONE && !gate->has_length)
		(void)call_fail(call, CODE_LENGTH_REQUIRED, "neither Content-Length nor chunked");
	if (want == ROUTE_UPLOAD && gate->body == HTTP_BODY_NONE && gate->has_length)
		(void)call_fail(call, CODE_INVALID_VALUE, "the body is empty");
	return call->problem.code == CODE_NONE;
}

/* What cannot be the name of an image names none, and none can be made of it. Only OPTIONS speaks
 * of all images at once. */
static bool ref_ok(struct api_call *call)
{
	enum code code = call->route->makes ? CODE_INVALID_NAME : CODE_IMAGE_NOT_FOUND;
	char uuid[37];

	if (!strstr(call->route->path, "{ref}") || gate_name(call->ref) ||
	    number_uuid(call->ref, uuid) ||
	    (strcmp(call->ref, "*") == 0 && call->request->method == HTTP_OPTIONS))
		return true;
	if (call->ref[0] == '\0')
		(void)call_fail(call, code, "no name of an image has more than %d characters",
				SERVICE_NAME - 1);
	else
		(void)call_fail(call, code, "no image can have this name: '%s'", call->ref);
	return false;
}

/* Everything that can be told from the head alone, in the order of what matters first. False: it is
 * refused, or answered already. */
static bool admitted(struct api_call *call, char allow[64])
{
	const struct http_request *request = call->request;
	struct problem *problem = &call->problem;

	if (!gate_framing(request, call_limits(call), &call->gate, problem) ||
	    !gate_host(request, call->api->hosts, problem) || !gate_path(request, problem))
		return false;
	if (request->method == HTTP_UNKNOWN) {
		problem_set(problem, CODE_METHOD_UNKNOWN,
			    "the method of this request is not known");
		return false;
	}
	if (cors_preflight(call))
		return false;
	call->route = routes_find(call, allow);
	if (!call->route)
		return false;
	if (!safe(request) && !gate_origin(request, call->api->origins, problem))
		return false;
	return ref_ok(call) && headers_ok(call) && (safe(request) || untagged_ok(call)) &&
	       parameters_ok(call) && body_ok(call) &&
	       (!call->route->prepare || call->route->prepare(call));
}

static enum api_step run_step(const struct api_call *call)
{
	return call->route->kind == ROUTE_WORK ? API_RUN : API_TRY;
}

static void answer_options(struct api_call *call, const char *allow)
{
	(void)call_empty(call, 204);
	call_header(call, "Allow", "%s", allow);
	if (call->problem.accept_patch)
		call_header(call, "Accept-Patch", "%s", call->problem.accept_patch);
}

enum api_step api_call_begin(struct api_call *call)
{
	char allow[64] = "";

	if (!admitted(call, allow)) {
		if (call->problem.code == CODE_NONE && !call->response)
			answer_options(call, allow);
		return API_REPLY;
	}
	if (call->route->kind == ROUTE_PURE)
		return call->route->handle(call);
	if (call->route->body == ROUTE_COLLECT && call->gate.body != HTTP_BODY_NONE)
		return API_COLLECT;
	if (call->route->body == ROUTE_COLLECT)
		return api_call_collected(call);
	return run_step(call);
}

/* ---- body and run ---- */

enum api_step api_call_run(struct api_call *call, bool nowait)
{
	call->nowait = nowait;
	return call->route->handle(call);
}

bool api_call_collect(struct api_call *call, const void *piece, size_t len)
{
	if (call->problem.code != CODE_NONE)
		return false;
	if (len > call_limits(call)->body - call->collected.len) {
		(void)call_too_large(call);
		return false;
	}
	buf_append(&call->collected, piece, len);
	if (call->collected.failed)
		(void)call_no_memory(call);
	return call->problem.code == CODE_NONE;
}

/* A form, as curl -F sends it, is none of ours. */
static bool in_parts(struct api_call *call)
{
	const char *type = http_header(call->request, "Content-Type");
	const struct buf *body = &call->collected;

	if (!type || strncasecmp(type, "multipart/", 10) != 0 || body->len < 2 ||
	    memcmp(body->data, "--", 2) != 0)
		return false;
	call->problem.advice = "Send the fields with curl -d NAME=VALUE, or as JSON.";
	(void)call_fail(call, CODE_UNSUPPORTED_MEDIA_TYPE, "Content-Type '%.100s'", type);
	return true;
}

enum api_step api_call_collected(struct api_call *call)
{
	call->consumed = true;
	if (call->problem.code != CODE_NONE)
		return API_REPLY;
	checksum_add(&call->checksum, call->collected.data, call->collected.len);
	if (!call_checksum(call, 0, 0))
		return API_REPLY;
	if (call->route->parse)
		return call->route->parse(call) ? run_step(call) : API_REPLY;
	if (in_parts(call))
		return API_REPLY;
	call->body = body_parse(call->collected.data, call->collected.len,
				(unsigned)call_limits(call)->json_depth, &call->problem);
	buf_fini(&call->collected);
	return call->body ? run_step(call) : API_REPLY;
}

bool api_call_write(struct api_call *call, const void *piece, size_t len)
{
	return call->problem.code == CODE_NONE && call->route->piece(call, piece, len);
}

enum api_step api_call_written(struct api_call *call)
{
	call->consumed = true;
	return call->problem.code != CODE_NONE ? API_REPLY : call->route->end(call);
}

static void durable(void *ctx, enum service_code code)
{
	struct api_call *call = ctx;

	call->flushed = code;
	call->wake(call->wake_ctx);
}

void api_call_wait(struct api_call *call, void (*wake)(void *ctx), void *ctx)
{
	call->wake = wake;
	call->wake_ctx = ctx;
	service_data_flush(call->data, durable, call);
}

/* ---- response ---- */

/* After the flush: its failure, or what the handler has to say. */
static void finish(struct api_call *call)
{
	route_fn *answer = STEAL(call->finish);

	if (call->flushed != SERVICE_OK)
		(void)call_refused(call, call->flushed);
	else
		(void)answer(call);
}

static struct http_response *make_response(struct api_call *call)
{
	if (call->problem.code == CODE_NONE && !call->response)
		(void)call_fail(call, CODE_INTERNAL, "no answer");
	if (call->problem.code == CODE_NONE)
		accept_check(call);
	if (call->problem.code == CODE_NONE && call->route && safe(call->request))
		(void)untagged_ok(call);
	if (call->problem.code == CODE_NONE)
		return STEAL(call->response);
	values_fill(&call->problem, &call->query, call->body);
	/* For the correction, when the daemon did not say which image it is about. */
	if (call->problem.service.image.name[0] == '\0' && gate_name(call->ref))
		memcpy(call->problem.service.image.name, call->ref, SERVICE_NAME);
	return problem_response(&call->problem, call->id, problem_wants_text(call->request));
}

/* A problem and 304 say of content that is open what other answers have said already. */
static bool epochs(const struct api_call *call, struct http_response *response)
{
	struct service_data_state state = {.etag = ""};

	if (!call->data || !call->route->epochs || http_response_get(response, "X-Write-Epoch"))
		return true;
	service_data_state(call->data, &state);
	return data_epochs(response, &state);
}

/* Does reading the rest of the body to keep the connection cost more than a new connection? */
static bool must_close(const struct api_call *call)
{
	return !call->consumed &&
	       (call->gate.body == HTTP_BODY_CHUNKED || call->gate.length > CALL_KEEP_MAX);
}

static bool common_headers(struct http_response *response, const char *id)
{
	return http_response_add(response, "X-Request-Id", id) &&
	       http_response_add(response, "X-Content-Type-Options", "nosniff") &&
	       (http_response_get(response, "Cache-Control") ||
		http_response_add(response, "Cache-Control", "no-store"));
}

struct http_response *api_call_response(struct api_call *call)
{
	struct http_response *response;

	if (call->finish)
		finish(call);
	writes_end(call, false);
	response = make_response(call);
	if (!response)
		return NULL;
	if (!epochs(call, response) || !common_headers(response, call->id) ||
	    !cors_headers(call->api, call->request, response)) {
		http_response_free(response);
		return NULL;
	}
	response->close |= must_close(call);
	return response;
}

struct http_response *api_refuse(const struct api *api, const struct http_request *request,
				 enum service_code code)
{
	CLEANUP(freep) struct problem *problem = calloc(1, sizeof *problem);
	struct http_response *response = NULL;

	if (!problem)
		return NULL;
	problem_set(problem, codes_of_service(code), "%s",
		    codes_info(codes_of_service(code))->title);
	problem->close = true;
	response = problem_response(problem, request->id, problem_wants_text(request));
	if (response &&
	    (!common_headers(response, request->id) || !cors_headers(api, request, response))) {
		http_response_free(response);
		response = NULL;
	}
	return response;
}

/* ---- about the call ---- */

enum http_body api_call_body(const struct api_call *call)
{
	return call->gate.body;
}

uint64_t api_call_body_length(const struct api_call *call)
{
	return call->gate.length;
}

const char *api_call_route(const struct api_call *call)
{
	return call->route ? call->route->path : "-";
}

const char *api_call_id(const struct api_call *call)
{
	return call->id;
}

const char *api_call_code(const struct api_call *call)
{
	return call->problem.code == CODE_NONE ? NULL : codes_info(call->problem.code)->name;
}
