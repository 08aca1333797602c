/* extents.c - what is allocated, and by whom, in bytes. */
#include "call.h"
#include "data.h"
#include "handlers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scope.h"

enum { EXTENTS_MAX = 10000 };

struct span {
	uint64_t start, length, limit;
	bool top_only;
};

static bool parse_span(struct api_call *call, struct span *span)
{
	const char *layers = query_get(&call->query, "layers");

	query_size(&call->query, "start", &span->start, &call->problem);
	query_size(&call->query, "length", &span->length, &call->problem);
	query_limit(&call->query, "limit", EXTENTS_MAX, &span->limit, &call->problem);
	if (span->length == 0)
		problem_parameter(&call->problem, "length", CODE_INVALID_VALUE, "must not be 0");
	if (span->start % 512 != 0)
		problem_parameter(&call->problem, "start", CODE_INVALID_VALUE,
				  "must be a multiple of 512");
	if (layers && strcmp(layers, "all") != 0 && strcmp(layers, "top") != 0)
		problem_parameter(&call->problem, "layers", CODE_INVALID_VALUE,
				  "must be all or top");
	span->top_only = layers && strcmp(layers, "top") == 0;
	return call->problem.code == CODE_NONE;
}

static void put_extent(struct api_call *call, struct buf *buf, const struct service_extent *extent)
{
	struct service_level level = {.name = ""};
	bool data = extent->where == SERVICE_DATA;

	buf_printf(buf,
		   "{\"start\":%" PRIu64 ",\"length\":%" PRIu64
		   ",\"zero\":%s,\"hole\":%s,\"depth\":",
		   extent->start, extent->length, extent->where == SERVICE_ZERO ? "true" : "false",
		   data ? "false" : "true");
	if (data && service_data_level(call->data, extent->depth, &level)) {
		buf_printf(buf, "%" PRIu32 ",\"image\":", extent->depth);
		buf_json(buf, level.name);
		buf_printf(buf, "}");
	} else {
		buf_printf(buf, "null,\"image\":null}");
	}
}

static enum api_step answer(struct api_call *call, const struct span *span,
			    const struct service_extent_list *list, const char *etag)
{
	uint64_t size = service_data_info(call->data)->size;
	const struct service_extent *last = list->n > 0 ? &list->extents[list->n - 1] : NULL;
	uint64_t next = last ? last->start + last->length : span->start;
	struct buf buf = {0};

	buf_printf(&buf,
		   "{\"virtual_size\":%" PRIu64 ",\"start\":%" PRIu64 ",\"length\":%" PRIu64
		   ",\"extents\":[",
		   size, span->start, next - span->start);
	for (size_t i = 0; i < list->n; i++) {
		buf_append(&buf, ",", i > 0);
		put_extent(call, &buf, &list->extents[i]);
	}
	if (next < span->start + span->length)
		buf_printf(&buf, "],\"next_start\":%" PRIu64 ",\"etag\":\"%s\"}\n", next, etag);
	else
		buf_printf(&buf, "],\"next_start\":null,\"etag\":\"%s\"}\n", etag);
	return call_text(call, 200, "application/json", &buf);
}

static enum api_step run(struct api_call *call, const struct span *span,
			 struct service_extent_list *list)
{
	unsigned flags = data_flags(call) | (span->top_only ? SERVICE_TOP_ONLY : 0);
	struct service_data_state state = {.etag = ""};
	enum service_code code;
	enum api_step step;

	service_data_state(call->data, &state);
	if (!call_etag(call, state.etag))
		return API_REPLY;
	code = service_data_extents(call->data, span->start, span->length, flags, list, &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	assert(list->extents); /* filled, not replaced */
	step = answer(call, span, list, state.etag);
	call_header(call, "ETag", "\"%s\"", state.etag);
	return step;
}

enum api_step extents_get(struct api_call *call)
{
	struct span span = {.length = UINT64_MAX, .limit = EXTENTS_MAX};
	CLEANUP(freep) struct service_extent *extents = NULL;
	struct service_extent_list list = {.n = 0};
	enum service_code code;
	uint64_t size;

	if (!parse_span(call, &span))
		return API_REPLY;
	code = data_open(call, SERVICE_READ);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	size = service_data_info(call->data)->size;
	if (span.start >= size) {
		(void)data_inside(call, span.start, 1);
		return API_REPLY;
	}
	if (span.length > size - span.start)
		span.length = size - span.start;
	extents = malloc((size_t)span.limit * sizeof *extents);
	if (!extents)
		return call_fail(call, CODE_INTERNAL, "no memory");
	list = (struct service_extent_list){.extents = extents, .max = (size_t)span.limit};
	return run(call, &span, &list);
}
