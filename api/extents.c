/* extents.c - what is allocated, and by whom, in bytes. */
#include "call.h"
#include "data.h"
#include "handlers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "put.h"
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

static void put_extent(struct api_call *call, struct put *put, const struct service_extent *extent)
{
	struct service_level level = {.name = ""};
	bool data = extent->where == SERVICE_DATA;

	put_open(put, NULL, '{');
	put_number(put, "start", extent->start);
	put_number(put, "length", extent->length);
	put_bool(put, "zero", extent->where == SERVICE_ZERO);
	put_bool(put, "hole", !data);
	if (data && service_data_level(call->data, extent->depth, &level)) {
		put_number(put, "depth", extent->depth);
		put_string(put, "image", level.name);
	} else {
		put_null(put, "depth");
		put_null(put, "image");
	}
	put_close(put, '}');
}

static enum api_step answer(struct api_call *call, const struct span *span,
			    const struct service_extent_list *list, const char *etag)
{
	uint64_t size = service_data_info(call->data)->size;
	const struct service_extent *last = list->n > 0 ? &list->extents[list->n - 1] : NULL;
	uint64_t next = last ? last->start + last->length : span->start;
	struct put put = {.tree = false};

	put_open(&put, NULL, '{');
	put_number(&put, "virtual_size", size);
	put_number(&put, "start", span->start);
	put_number(&put, "length", next - span->start);
	put_open(&put, "extents", '[');
	for (size_t i = 0; i < list->n; i++)
		put_extent(call, &put, &list->extents[i]);
	put_close(&put, ']');
	if (next < span->start + span->length)
		put_number(&put, "next_start", next);
	else
		put_null(&put, "next_start");
	put_string(&put, "etag", etag);
	put_close(&put, '}');
	return call_put(call, 200, &put);
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
