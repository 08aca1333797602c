/* call.c - what handlers answer with. */
#include "call.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scope.h"

enum api_step call_fail(struct api_call *call, enum code code, const char *format, ...)
{
	char detail[PROBLEM_DETAIL];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	problem_set(&call->problem, code, "%s", detail);
	return API_REPLY;
}

/* Is the image that the daemon names the one that the path does? */
static bool is_own(const struct api_call *call)
{
	return *call->ref && (strcmp(call->err.image.name, call->ref) == 0 ||
			      strcmp(call->err.image.id, call->ref) == 0);
}

enum api_step call_refused(struct api_call *call, enum service_code code)
{
	if (code == SERVICE_AGAIN && call->nowait)
		return API_RUN;
	if (code == SERVICE_CHAIN_UNHEALTHY && is_own(call))
		call->problem.advice =
			call->err.whole
				? "It is the image's own file, 'file' of GET /v1/images/{image}, "
				  "and may hold all that it should: let the daemon read and write "
				  "it, and remove its other names, as 'detail' says, then POST "
				  "/v1/images/{image}/actions/recover"
				: "It is the image's own file, 'file' of GET /v1/images/{image}: "
				  "put it back, or forget the image: DELETE "
				  "/v1/images/{image}?keep_file=1";
	problem_service(&call->problem, code, &call->err);
	return API_REPLY;
}

void call_done(struct api_call *call, const struct service_image *image)
{
	struct service_error *about = &call->problem.service;

	about->done = true;
	memcpy(about->image.id, image->id, sizeof image->id);
	memcpy(about->image.name, image->name, sizeof image->name);
}

enum api_step call_no_memory(struct api_call *call)
{
	return call_fail(call, CODE_INTERNAL, "no memory");
}

enum api_step call_text(struct api_call *call, unsigned status, const char *type, struct buf *buf)
{
	size_t len = 0;
	char *text = buf_take(buf, &len);

	(void)call_empty(call, status);
	if (!text || !call->response) {
		free(text);
		return call_no_memory(call);
	}
	http_response_body(call->response, text, len);
	call_header(call, "Content-Type", "%s", type);
	return API_REPLY;
}

enum api_step call_put(struct api_call *call, unsigned status, struct put *put)
{
	buf_append(&put->text, "\n", 1);
	return call_text(call, status, "application/json", &put->text);
}

enum api_step call_json(struct api_call *call, unsigned status, json_t *body)
{
	CLEANUP(freep) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct buf buf = {0};

	json_decref(body);
	if (!text)
		return call_no_memory(call);
	buf_printf(&buf, "%s\n", text);
	return call_text(call, status, "application/json", &buf);
}

enum api_step call_empty(struct api_call *call, unsigned status)
{
	http_response_free(call->response);
	call->response = http_response_new(status);
	return call->response ? API_REPLY : call_no_memory(call);
}

void call_header(struct api_call *call, const char *name, const char *format, ...)
{
	va_list args;
	bool ok;

	if (call->problem.code != CODE_NONE || !call->response)
		return;
	va_start(args, format);
	ok = http_response_vheader(call->response, name, format, args);
	va_end(args);
	if (!ok)
		(void)call_no_memory(call);
}

enum api_step call_flush(struct api_call *call, route_fn *finish)
{
	call->finish = finish;
	return API_WAIT;
}

void call_next(struct api_call *call, const char *dropped, const char *next)
{
	CLEANUP(freep) char *raw = strdup(call->request->query ? call->request->query : "");
	CLEANUP(buf_fini) struct buf buf = {0};
	char *rest = raw;

	while (rest) {
		char *pair = strsep(&rest, "&");
		size_t name = strcspn(pair, "=");
		char end = pair[name]; /* of what has no value, nothing */
		bool drop;

		pair[name] = '\0';
		drop = name == 0 || routes_listed(dropped, pair);
		pair[name] = end;
		if (!drop)
			buf_printf(&buf, "%s&", pair);
	}
	buf_printf(&buf, "%s", next);
	if (!raw || buf.failed)
		(void)call_no_memory(call);
	call_header(call, "Link", "<%s?%s>; rel=\"next\"", call->request->path, buf.data);
}

bool call_checksum(struct api_call *call, uint64_t offset, uint64_t n)
{
	struct problem *problem = &call->problem;
	char said[CHECKSUM_TEXT], has[CHECKSUM_TEXT];

	if (checksum_holds(&call->checksum, said, has))
		return true;
	problem->has_written = true;
	problem->written_offset = offset;
	problem->written_length = n;
	(void)call_fail(call, CODE_CHECKSUM_MISMATCH, "the request says %s, the body has %s; %s",
			said, has,
			n > 0 ? "what was sent has been written, write that range again"
			      : "nothing was changed");
	return false;
}

const struct api_limits *call_limits(const struct api_call *call)
{
	return &call->api->limits;
}

enum api_step call_too_large(struct api_call *call)
{
	/* Of uploads only what is to be compared is collected. */
	if (call->route->body == ROUTE_UPLOAD)
		return call_fail(call, CODE_BODY_TOO_LARGE,
				 "with If-Match a body has at most %" PRIu64
				 " bytes; send it in pieces",
				 call_limits(call)->body);
	call->problem.advice =
		"Send less; the limit is in GET /v1. Content of a disk goes to its data: "
		"curl -T FILE .../v1/images/NAME/data";
	return call_fail(call, CODE_BODY_TOO_LARGE, "the body is larger than %" PRIu64 " bytes",
			 call_limits(call)->body);
}
