/* file.c - what the file of an image holds: its fields, as vhd-tool names them, and its layout. */
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "handlers.h"
#include "number.h"
#include "out.h"
#include "scope.h"
#include "view.h"

/* ---- fields ---- */

static enum api_step answer_fields(struct api_call *call, const struct service_fields *fields,
				   bool text)
{
	struct out out = out_object();
	struct buf buf = {0};
	enum api_step step;

	for (size_t i = 0; i < fields->n; i++) {
		if (!call->arg[0])
			buf_printf(&buf, "%s: ", fields->items[i].name);
		buf_line(&buf, fields->items[i].text, strlen(fields->items[i].text));
		buf_append(&buf, "\n", 1);
		out_text(&out, fields->items[i].name, fields->items[i].text);
	}
	if (text) {
		json_decref(out_take(&out));
		step = call_text(call, 200, "text/plain; charset=utf-8", &buf);
	} else {
		buf_fini(&buf);
		step = call_json(call, 200, out_take(&out));
	}
	call_header(call, "Vary", "Accept");
	return step;
}

enum api_step file_fields(struct api_call *call)
{
	CLEANUP(service_fields_fini) struct service_fields fields = {0};
	enum service_code code;
	bool text = true; /* what is wanted in a script is the value */

	if (!view_parse_text(call, &text))
		return API_REPLY;
	code = service_image_fields(call->api->service, call->ref, call->arg[0] ? call->arg : NULL,
				    &fields, &call->err);
	return code == SERVICE_OK ? answer_fields(call, &fields, text) : call_refused(call, code);
}

/* ---- layout ---- */

static json_t *region_json(const struct service_region *region)
{
	struct out out = out_object();

	out_number(&out, "offset", region->offset);
	out_number(&out, "length", region->length);
	out_text(&out, "kind", region->kind);
	if (region->has_index)
		out_number(&out, "index", region->index);
	if (region->has_bitmap) {
		out_number(&out, "bitmap_length", region->bitmap_length);
		out_number(&out, "present", region->present);
	}
	return out_take(&out);
}

static enum api_step answer_layout(struct api_call *call, const struct view *view, uint64_t start,
				   const struct service_region_list *list)
{
	static const char columns[] = "offset length kind index bitmap_length present";
	struct out items = out_array();
	struct out rest = out_object();
	char next[6 + NUMBER_TEXT] = "start=";
	enum api_step step;

	for (size_t i = 0; i < list->n; i++)
		out_add(&items, region_json(&list->regions[i]));
	if (list->more)
		out_number(&rest, "next", start + list->n);
	else
		out_json(&rest, "next", json_null());
	step = view_list(call, view, out_take(&items), out_take(&rest), columns);
	(void)number_text(start + list->n, next + 6);
	if (list->more)
		call_next(call, "start", next);
	return step;
}

enum api_step file_layout(struct api_call *call)
{
	CLEANUP(freep) struct service_region *regions = NULL;
	struct service_region_list list = {.n = 0};
	struct view view = {.format = VIEW_NDJSON};
	uint64_t limit = call_limits(call)->page;
	uint64_t start = 0;
	enum service_code code;

	query_size(&call->query, "start", &start, &call->problem);
	query_limit(&call->query, "limit", call_limits(call)->page, &limit, &call->problem);
	(void)view_parse_format(call, &view);
	if (call->problem.code != CODE_NONE)
		return API_REPLY;
	regions = malloc((size_t)limit * sizeof *regions);
	if (!regions)
		return call_no_memory(call);
	list = (struct service_region_list){.regions = regions, .max = (size_t)limit};
	code = service_image_layout(call->api->service, call->ref, start, &list, &call->err);
	return code == SERVICE_OK ? answer_layout(call, &view, start, &list)
				  : call_refused(call, code);
}
