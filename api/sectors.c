/* sectors.c - in which file of a chain a sector lives. The hot path of the daemon: formatted
 * without JSON trees. */
#include "sectors.h"
#include "call.h"
#include "data.h"
#include "handlers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "put.h"
#include "scope.h"
#include "view.h"

enum { SECTOR = 512, NOWAIT_SECTORS = 256 };
#define SCAN_MAX (UINT64_C(64) << 20) /* sectors of one request */

/* ---- one sector ---- */

/* What a level answered. */
static void put_step(struct put *put, const struct service_step *step)
{
	switch (step->kind) {
	case SERVICE_STEP_FLAT: put_string(put, "block", "fixed"); return;
	case SERVICE_STEP_UNALLOCATED: put_string(put, "block", "unallocated"); return;
	case SERVICE_STEP_BEYOND: put_string(put, "block", "beyond-end"); return;
	case SERVICE_STEP_CLEAR:
	case SERVICE_STEP_SET:
		put_string(put, "block", "allocated");
		put_bool(put, "bit", step->kind == SERVICE_STEP_SET);
		return;
	}
	put_null(put, "block");
}

const char *sectors_where(enum service_where where)
{
	switch (where) {
	case SERVICE_ZERO: return "zero";
	case SERVICE_DATA: return "data";
	case SERVICE_UNKNOWN: return "unknown";
	}
	return "unknown";
}

struct service_level sectors_level(struct api_call *call, uint32_t depth)
{
	struct service_level level = {.id = "", .name = "", .path = ""};

	(void)service_data_level(call->data, depth, &level);
	return level;
}

static void put_block(struct put *put, const struct service_location *location)
{
	if (location->has_block) {
		put_number(put, "block", location->block);
		put_number(put, "bat_sector", location->bat_sector);
		put_number(put, "bitmap_sectors", location->bitmap_sectors);
		put_number(put, "sector_in_block", location->sector_in_block);
		return;
	}
	put_null(put, "block");
	put_null(put, "bat_sector");
	put_null(put, "bitmap_sectors");
	put_null(put, "sector_in_block");
}

static void put_location(struct api_call *call, struct put *put,
			 const struct service_location *location)
{
	struct service_level level = sectors_level(call, location->depth);

	if (location->where != SERVICE_DATA) {
		put_null(put, "location");
		return;
	}
	put_open(put, "location", '{');
	put_open(put, "image", '{');
	put_string(put, "id", level.id);
	put_string(put, "name", level.name);
	put_close(put, '}');
	put_number(put, "depth", location->depth);
	put_number(put, "physical_sector", location->physical_sector);
	put_number(put, "physical_offset", location->physical_sector * SECTOR);
	put_block(put, location);
	put_string(put, "path", level.path);
	put_close(put, '}');
}

static void put_searched(struct api_call *call, struct put *put,
			 const struct service_step_list *list)
{
	put_open(put, "searched", '[');
	for (size_t i = 0; i < list->n; i++) {
		put_open(put, NULL, '{');
		put_string(put, "image", sectors_level(call, (uint32_t)i).name);
		put_number(put, "depth", i);
		put_step(put, &list->steps[i]);
		if (list->steps[i].bitmap_full)
			put_string(put, "bitmap", "full");
		put_close(put, '}');
	}
	put_close(put, ']');
}

static enum api_step answer_location(struct api_call *call, uint64_t sector,
				     const struct service_location *location,
				     const struct service_step_list *steps, const char *etag)
{
	struct put put = {.tree = false};

	put_open(&put, NULL, '{');
	put_string(&put, "image", service_data_info(call->data)->name);
	put_number(&put, "sector", sector);
	put_number(&put, "offset", sector * SECTOR);
	put_string(&put, "reads", sectors_where(location->where));
	put_location(call, &put, location);
	put_searched(call, &put, steps);
	put_string(&put, "etag", etag);
	put_close(&put, '}');
	return data_mapped(call, call_put(call, 200, &put), etag);
}

enum api_step sectors_locate(struct api_call *call)
{
	struct service_step steps[SERVICE_DEPTH_MAX];
	struct service_step_list list = {.steps = steps, .max = SERVICE_DEPTH_MAX};
	struct service_data_state state = {.etag = ""};
	struct service_location location;
	enum service_code code;
	enum api_step step;
	uint64_t sectors;
	uint64_t sector;

	if (!number_u64(call->arg, strlen(call->arg), &sector))
		return call_fail(call, CODE_INVALID_VALUE, "'%s' is not the number of a sector",
				 call->arg);
	if (!data_look(call, &state, &step))
		return step;
	sectors = service_data_info(call->data)->size / SECTOR;
	if (sector >= sectors)
		return data_beyond(call, "sector", sector, sectors);
	code = service_data_locate(call->data, sector, data_flags(call), &location, &list,
				   &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	return answer_location(call, sector, &location, &list, state.etag);
}

void sectors_put_place(struct api_call *call, struct put *put, const struct service_run *run)
{
	if (run->where != SERVICE_DATA) {
		put_null(put, "depth");
		put_null(put, "image");
		put_null(put, "physical_sector");
		return;
	}
	put_number(put, "depth", run->depth);
	put_string(put, "image", sectors_level(call, run->depth).name);
	put_number(put, "physical_sector", run->physical_sector);
}

/* ---- runs ---- */

struct span {
	uint64_t start, count, limit;
	bool text;
};

static void put_run(struct api_call *call, struct put *put, const struct service_run *run)
{
	put_open(put, NULL, '{');
	put_number(put, "sector", run->sector);
	put_number(put, "count", run->count);
	put_string(put, "reads", sectors_where(run->where));
	sectors_put_place(call, put, run);
	put_close(put, '}');
}

static void put_run_line(struct api_call *call, struct buf *buf, const struct service_run *run)
{
	if (run->where == SERVICE_DATA)
		buf_printf(buf, "%-11" PRIu64 " %-9" PRIu64 " %-5" PRIu32 " %-16s %" PRIu64 "\n",
			   run->sector, run->count, run->depth,
			   sectors_level(call, run->depth).name, run->physical_sector);
	else
		buf_printf(buf, "%-11" PRIu64 " %-9" PRIu64 " %-5s %-16s %s\n", run->sector,
			   run->count, run->where == SERVICE_ZERO ? "-" : "?", "-", "-");
}

static enum api_step answer_text(struct api_call *call, const struct service_run_list *list)
{
	struct buf buf = {0};

	buf_printf(&buf, "%-11s %-9s %-5s %-16s %s\n", "#sector", "count", "depth", "image",
		   "physical");
	for (size_t i = 0; i < list->n; i++)
		put_run_line(call, &buf, &list->runs[i]);
	return call_text(call, 200, "text/plain; charset=utf-8", &buf);
}

static uint64_t next_sector(const struct span *span, const struct service_run_list *list)
{
	const struct service_run *last = list->n > 0 ? &list->runs[list->n - 1] : NULL;

	return last ? last->sector + last->count : span->start;
}

static enum api_step answer_json(struct api_call *call, const struct span *span,
				 const struct service_run_list *list, const char *etag)
{
	uint64_t next = next_sector(span, list);
	struct put put = {.tree = false};

	put_open(&put, NULL, '{');
	put_string(&put, "image", service_data_info(call->data)->name);
	put_number(&put, "start", span->start);
	put_number(&put, "count", next - span->start);
	put_open(&put, "runs", '[');
	for (size_t i = 0; i < list->n; i++)
		put_run(call, &put, &list->runs[i]);
	put_close(&put, ']');
	if (next < span->start + span->count)
		put_number(&put, "next_sector", next);
	else
		put_null(&put, "next_sector");
	put_string(&put, "etag", etag);
	put_close(&put, '}');
	return call_put(call, 200, &put);
}

static bool parse_span(struct api_call *call, struct span *span)
{
	query_size(&call->query, "start", &span->start, &call->problem);
	query_size(&call->query, "count", &span->count, &call->problem);
	query_limit(&call->query, "limit", call_limits(call)->page, &span->limit, &call->problem);
	if (span->count == 0)
		problem_parameter(&call->problem, "count", CODE_INVALID_VALUE, "must not be 0");
	(void)view_parse_text(call, &span->text);
	return call->problem.code == CODE_NONE;
}

/* A polling thread answers what is short, and all of it: how much of it is at hand is not seen. */
static bool is_for_worker(const struct api_call *call, const struct span *span,
			  const struct service_run_list *list)
{
	return call->nowait && next_sector(span, list) < span->start + span->count;
}

static enum api_step answer_runs(struct api_call *call, const struct span *span,
				 struct service_run_list *list, const char *etag)
{
	uint64_t scan = span->count < SCAN_MAX ? span->count : SCAN_MAX;
	enum service_code code = service_data_runs(call->data, span->start, scan, data_flags(call),
						   list, &call->err);
	enum api_step step;

	if (code == SERVICE_OK && is_for_worker(call, span, list))
		code = SERVICE_AGAIN;
	if (code != SERVICE_OK)
		return call_refused(call, code);
	assert(list->runs); /* filled, not replaced */
	step = span->text ? answer_text(call, list) : answer_json(call, span, list, etag);
	data_next(call, "start count", next_sector(span, list), span->start + span->count);
	call_header(call, "Vary", "Accept");
	return data_mapped(call, step, etag);
}

enum api_step sectors_runs(struct api_call *call)
{
	struct span span = {.count = UINT64_MAX, .limit = call_limits(call)->page};
	CLEANUP(freep) struct service_run *runs = NULL;
	struct service_data_state state = {.etag = ""};
	struct service_run_list list;
	enum api_step step;
	uint64_t sectors;

	if (!parse_span(call, &span))
		return API_REPLY;
	if (!data_look(call, &state, &step))
		return step;
	sectors = service_data_info(call->data)->size / SECTOR;
	if (span.start >= sectors)
		return data_beyond(call, "sector", span.start, sectors);
	if (span.count > sectors - span.start)
		span.count = sectors - span.start;
	if (call->nowait && span.count > NOWAIT_SECTORS)
		return call_refused(call, SERVICE_AGAIN);
	if (span.limit > span.count)
		span.limit = span.count;
	runs = reallocarray(NULL, (size_t)span.limit, sizeof *runs);
	if (!runs)
		return call_no_memory(call);
	list = (struct service_run_list){.runs = runs, .max = (size_t)span.limit};
	return answer_runs(call, &span, &list, state.etag);
}
