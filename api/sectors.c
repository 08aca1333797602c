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
#include "scope.h"

enum { SECTOR = 512, RUNS_MAX = 10000 };
#define SCAN_MAX (UINT64_C(64) << 20) /* sectors of one request */

/* ---- one sector
 * ---------------------------------------------------------------------------------------- */

/* What a level answered, as members after its name. */
static const char *step_text(const struct service_step *step)
{
	switch (step->kind) {
	case SERVICE_STEP_FLAT: return "\"block\":\"fixed\"";
	case SERVICE_STEP_UNALLOCATED: return "\"block\":\"unallocated\"";
	case SERVICE_STEP_CLEAR: return "\"block\":\"allocated\",\"bit\":false";
	case SERVICE_STEP_SET: return "\"block\":\"allocated\",\"bit\":true";
	case SERVICE_STEP_BEYOND: return "\"block\":\"beyond-end\"";
	}
	return "\"block\":null";
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

static void put_location(struct api_call *call, struct buf *buf,
			 const struct service_location *location)
{
	struct service_level level = sectors_level(call, location->depth);

	if (location->where != SERVICE_DATA) {
		buf_printf(buf, "null");
		return;
	}
	buf_printf(buf, "{\"image\":{\"id\":\"%s\",\"name\":", level.id);
	buf_json(buf, level.name);
	buf_printf(buf,
		   "},\"depth\":%" PRIu32 ",\"physical_sector\":%" PRIu64
		   ",\"physical_offset\":%" PRIu64,
		   location->depth, location->physical_sector, location->physical_sector * SECTOR);
	if (location->has_block)
		buf_printf(buf,
			   ",\"block\":%" PRIu32 ",\"bat_sector\":%" PRIu64
			   ",\"bitmap_sectors\":%" PRIu32 ",\"sector_in_block\":%" PRIu32,
			   location->block, location->bat_sector, location->bitmap_sectors,
			   location->sector_in_block);
	else
		buf_printf(buf, ",\"block\":null,\"bat_sector\":null,\"bitmap_sectors\":null,"
				"\"sector_in_block\":null");
	buf_printf(buf, ",\"path\":");
	buf_json(buf, level.path);
	buf_printf(buf, "}");
}

static void put_searched(struct api_call *call, struct buf *buf,
			 const struct service_step_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct service_level level = sectors_level(call, (uint32_t)i);

		buf_printf(buf, "%s{\"image\":", i > 0 ? "," : "");
		buf_json(buf, level.name);
		buf_printf(buf, ",\"depth\":%zu,%s%s}", i, step_text(&list->steps[i]),
			   list->steps[i].bitmap_full ? ",\"bitmap\":\"full\"" : "");
	}
}

static enum api_step answer_location(struct api_call *call, uint64_t sector,
				     const struct service_location *location,
				     const struct service_step_list *steps)
{
	struct service_data_state state = {.etag = ""};
	struct buf buf = {0};
	enum api_step step;

	service_data_state(call->data, &state);
	if (!call_etag(call, state.etag))
		return API_REPLY;
	buf_printf(&buf, "{\"image\":");
	buf_json(&buf, service_data_info(call->data)->name);
	buf_printf(&buf,
		   ",\"sector\":%" PRIu64 ",\"offset\":%" PRIu64 ",\"reads\":\"%s\",\"location\":",
		   sector, sector * SECTOR, sectors_where(location->where));
	put_location(call, &buf, location);
	buf_printf(&buf, ",\"searched\":[");
	put_searched(call, &buf, steps);
	buf_printf(&buf, "],\"etag\":\"%s\"}\n", state.etag);
	step = call_text(call, 200, "application/json", &buf);
	call_header(call, "ETag", "\"%s\"", state.etag);
	return step;
}

enum api_step sectors_locate(struct api_call *call)
{
	struct service_step steps[SERVICE_DEPTH_MAX];
	struct service_step_list list = {.steps = steps, .max = SERVICE_DEPTH_MAX};
	struct service_location location;
	enum service_code code;
	uint64_t sectors;
	uint64_t sector;

	if (!number_u64(call->arg, strlen(call->arg), &sector))
		return call_fail(call, CODE_INVALID_VALUE, "'%s' is not the number of a sector",
				 call->arg);
	code = data_open(call, SERVICE_READ);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	sectors = service_data_info(call->data)->size / SECTOR;
	if (sector >= sectors)
		return data_beyond_sectors(call, sector, sectors);
	code = service_data_locate(call->data, sector, data_flags(call), &location, &list,
				   &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	return answer_location(call, sector, &location, &list);
}

/* ---- runs
 * ---------------------------------------------------------------------------------------------- */

struct span {
	uint64_t start, count, limit;
	bool text;
};

static void put_run(struct api_call *call, struct buf *buf, const struct service_run *run)
{
	buf_printf(buf, "{\"sector\":%" PRIu64 ",\"count\":%" PRIu64 ",\"reads\":\"%s\",\"depth\":",
		   run->sector, run->count, sectors_where(run->where));
	if (run->where != SERVICE_DATA) {
		buf_printf(buf, "null,\"image\":null,\"physical_sector\":null}");
		return;
	}
	buf_printf(buf, "%" PRIu32 ",\"image\":", run->depth);
	buf_json(buf, sectors_level(call, run->depth).name);
	buf_printf(buf, ",\"physical_sector\":%" PRIu64 "}", run->physical_sector);
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

static enum api_step answer_json(struct api_call *call, const struct span *span,
				 const struct service_run_list *list, const char *etag)
{
	const struct service_run *last = list->n > 0 ? &list->runs[list->n - 1] : NULL;
	uint64_t next = last ? last->sector + last->count : span->start;
	uint64_t end = service_data_info(call->data)->size / SECTOR;
	struct buf buf = {0};

	end = span->count < end - span->start ? span->start + span->count : end;
	buf_printf(&buf, "{\"image\":");
	buf_json(&buf, service_data_info(call->data)->name);
	buf_printf(&buf, ",\"start\":%" PRIu64 ",\"count\":%" PRIu64 ",\"runs\":[", span->start,
		   next - span->start);
	for (size_t i = 0; i < list->n; i++) {
		buf_append(&buf, ",", i > 0);
		put_run(call, &buf, &list->runs[i]);
	}
	if (next < end)
		buf_printf(&buf, "],\"next_sector\":%" PRIu64 ",\"etag\":\"%s\"}\n", next, etag);
	else
		buf_printf(&buf, "],\"next_sector\":null,\"etag\":\"%s\"}\n", etag);
	return call_text(call, 200, "application/json", &buf);
}

static bool parse_span(struct api_call *call, struct span *span)
{
	const char *format = query_get(&call->query, "format");
	const char *accept = http_header(call->request, "Accept");

	query_size(&call->query, "start", &span->start, &call->problem);
	query_size(&call->query, "count", &span->count, &call->problem);
	query_limit(&call->query, "limit", RUNS_MAX, &span->limit, &call->problem);
	if (span->count == 0)
		problem_parameter(&call->problem, "count", CODE_INVALID_VALUE, "must not be 0");
	if (format && strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
		problem_parameter(&call->problem, "format", CODE_INVALID_VALUE,
				  "must be json or text");
	span->text = format ? strcmp(format, "text") == 0 : problem_wants_text(accept);
	return call->problem.code == CODE_NONE;
}

static enum api_step answer_runs(struct api_call *call, const struct span *span,
				 struct service_run_list *list)
{
	uint64_t scan = span->count < SCAN_MAX ? span->count : SCAN_MAX;
	uint64_t left = service_data_info(call->data)->size / SECTOR - span->start;
	struct service_data_state state = {.etag = ""};
	enum service_code code;
	enum api_step step;

	service_data_state(call->data, &state);
	if (!call_etag(call, state.etag))
		return API_REPLY;
	code = service_data_runs(call->data, span->start, scan < left ? scan : left,
				 data_flags(call), list, &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	assert(list->runs); /* filled, not replaced */
	step = span->text ? answer_text(call, list) : answer_json(call, span, list, state.etag);
	call_header(call, "ETag", "\"%s\"", state.etag);
	return step;
}

enum api_step sectors_runs(struct api_call *call)
{
	struct span span = {.count = UINT64_MAX, .limit = RUNS_MAX};
	CLEANUP(freep) struct service_run *runs = NULL;
	struct service_run_list list = {.n = 0};
	enum service_code code;
	uint64_t sectors;

	if (!parse_span(call, &span))
		return API_REPLY;
	code = data_open(call, SERVICE_READ);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	sectors = service_data_info(call->data)->size / SECTOR;
	if (span.start >= sectors)
		return data_beyond_sectors(call, span.start, sectors);
	runs = malloc((size_t)span.limit * sizeof *runs);
	if (!runs)
		return call_fail(call, CODE_INTERNAL, "no memory");
	list = (struct service_run_list){.runs = runs, .max = (size_t)span.limit};
	return answer_runs(call, &span, &list);
}
