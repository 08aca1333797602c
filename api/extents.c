/* extents.c - what is allocated, and by whom, in bytes. */
#include "call.h"
#include "data.h"
#include "handlers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "put.h"
#include "scope.h"
#include "view.h"

/* What a polling thread tells at once. */
enum { NOWAIT_EXTENTS = 256, NOWAIT_LENGTH = 64 << 20 };

struct span {
	struct view view;
	uint64_t start, length, limit;
	uint64_t min; /* what is not data and shorter than this is merged with the data beside it */
	bool top_only; /* of this image alone */
	bool flags;    /* whose data it is does not matter */
};

/* ---- parse ---- */

/* Is the parameter the second of two words? */
static bool second(struct api_call *call, const char *name, const char *const words[2])
{
	const char *text = query_get(&call->query, name);

	if (text && strcmp(text, words[0]) != 0 && strcmp(text, words[1]) != 0)
		problem_parameter(&call->problem, name, CODE_INVALID_VALUE,
				  "'%.60s' is neither %s nor %s", text, words[0], words[1]);
	return text && strcmp(text, words[1]) == 0;
}

static void aligned(struct api_call *call, const char *name, uint64_t value)
{
	if (value % 512 != 0)
		problem_parameter(&call->problem, name, CODE_INVALID_VALUE,
				  "%" PRIu64 " is not a multiple of 512", value);
}

static bool parse_span(struct api_call *call, struct span *span)
{
	static const char *const layers[2] = {"all", "top"};
	static const char *const details[2] = {"provenance", "flags"};

	query_size(&call->query, "start", &span->start, &call->problem);
	query_size(&call->query, "length", &span->length, &call->problem);
	query_size(&call->query, "min", &span->min, &call->problem);
	query_limit(&call->query, "limit", call_limits(call)->page, &span->limit, &call->problem);
	if (span->length == 0)
		problem_parameter(&call->problem, "length", CODE_INVALID_VALUE, "must not be 0");
	aligned(call, "start", span->start);
	if (query_get(&call->query, "length"))
		aligned(call, "length", span->length);
	span->top_only = second(call, "layers", layers);
	span->flags = second(call, "detail", details);
	(void)view_parse_format(call, &span->view);
	return call->problem.code == CODE_NONE;
}

/* ---- merge ---- */

/* May they be one extent? */
static bool alike(const struct span *span, const struct service_extent *a,
		  const struct service_extent *b)
{
	return a->where == b->where &&
	       (span->flags || a->where != SERVICE_DATA || a->depth == b->depth);
}

/* A small gap is taken for data of the extent before it, or behind it. What is data is never taken
 * for a gap; nor is what a missing parent hides taken for anything else. */
static void fill_gap(const struct span *span, const struct service_extent *before,
		     const struct service_extent *behind, struct service_extent *gap)
{
	const struct service_extent *data = NULL;

	if (gap->where == SERVICE_DATA || gap->length >= span->min ||
	    (gap->where == SERVICE_UNKNOWN && !span->top_only))
		return;
	if (behind && behind->where == SERVICE_DATA)
		data = behind;
	if (before && before->where == SERVICE_DATA)
		data = before;
	if (!data)
		return;
	gap->where = SERVICE_DATA;
	gap->depth = data->depth;
}

static void merge(const struct span *span, struct service_extent_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct service_extent *extent = &list->extents[i];
		struct service_extent *last = n > 0 ? &list->extents[n - 1] : NULL;

		fill_gap(span, last, i + 1 < list->n ? extent + 1 : NULL, extent);
		if (last && alike(span, last, extent))
			last->length += extent->length;
		else
			list->extents[n++] = *extent;
	}
	list->n = n;
}

/* ---- answer ---- */

static void put_extent(struct api_call *call, struct put *put, const struct span *span,
		       const struct service_extent *extent)
{
	struct service_level level = {.name = ""};
	bool data = extent->where == SERVICE_DATA;

	put_open(put, NULL, '{');
	put_number(put, "start", extent->start);
	put_number(put, "length", extent->length);
	put_bool(put, "zero", extent->where == SERVICE_ZERO);
	put_bool(put, "hole", !data);
	if (span->flags) {
		put_close(put, '}');
		return;
	}
	if (data && service_data_level(call->data, extent->depth, &level)) {
		put_number(put, "depth", extent->depth);
		put_string(put, "image", level.name);
	} else {
		put_null(put, "depth");
		put_null(put, "image");
	}
	put_close(put, '}');
}

static uint64_t next_start(const struct span *span, const struct service_extent_list *list)
{
	const struct service_extent *last = list->n > 0 ? &list->extents[list->n - 1] : NULL;

	return last ? last->start + last->length : span->start;
}

static enum api_step answer(struct api_call *call, const struct span *span,
			    const struct service_extent_list *list, const char *etag)
{
	uint64_t size = service_data_info(call->data)->size;
	uint64_t next = next_start(span, list);
	struct put put = {.tree = view_picks(&span->view)};
	enum api_step step;

	put_open(&put, NULL, '{');
	put_number(&put, "virtual_size", size);
	put_number(&put, "start", span->start);
	put_number(&put, "length", next - span->start);
	put_open(&put, "extents", '[');
	for (size_t i = 0; i < list->n; i++)
		put_extent(call, &put, span, &list->extents[i]);
	put_close(&put, ']');
	if (next < span->start + span->length)
		put_number(&put, "next_start", next);
	else
		put_null(&put, "next_start");
	put_string(&put, "etag", etag);
	put_close(&put, '}');
	step = view_put(call, &span->view, &put, "extents",
			span->flags ? "start length zero hole"
				    : "start length zero hole depth image");
	data_next(call, "start length", next, span->start + span->length);
	return data_mapped(call, step, etag);
}

static enum api_step run(struct api_call *call, const struct span *span,
			 struct service_extent_list *list, const char *etag)
{
	unsigned flags = data_flags(call) | (span->top_only ? SERVICE_TOP_ONLY : 0);
	enum service_code code = service_data_extents(call->data, span->start, span->length, flags,
						      list, &call->err);

	/* A polling thread answers all of it, or nothing: why it ends there is not seen. */
	if (code == SERVICE_OK && call->nowait &&
	    next_start(span, list) < span->start + span->length)
		code = SERVICE_AGAIN;
	if (code != SERVICE_OK)
		return call_refused(call, code);
	assert(list->extents); /* filled, not replaced */
	merge(span, list);
	return answer(call, span, list, etag);
}

enum api_step extents_get(struct api_call *call)
{
	struct span span = {.length = UINT64_MAX, .limit = call_limits(call)->page};
	CLEANUP(freep) struct service_extent *extents = NULL;
	struct service_data_state state = {.etag = ""};
	struct service_extent_list list;
	enum api_step step;
	uint64_t size;

	if (!parse_span(call, &span))
		return API_REPLY;
	if (!data_look(call, &state, &step))
		return step;
	size = service_data_info(call->data)->size;
	if (span.start >= size)
		return data_beyond(call, "byte", span.start, size);
	if (span.length > size - span.start)
		span.length = size - span.start;
	if (call->nowait && span.length > NOWAIT_LENGTH)
		return call_refused(call, SERVICE_AGAIN);
	if (call->nowait && span.limit > NOWAIT_EXTENTS)
		span.limit = NOWAIT_EXTENTS;
	extents = malloc((size_t)span.limit * sizeof *extents);
	if (!extents)
		return call_no_memory(call);
	list = (struct service_extent_list){.extents = extents, .max = (size_t)span.limit};
	return run(call, &span, &list, state.etag);
}
