/* lookup.c - where scattered sectors live, in the order in which they are asked for. */
#include "data.h"
#include "fields.h"
#include "handlers.h"
#include "sectors.h"

#include <inttypes.h>

enum { SECTOR = 512 };

/* The array of the body; NULL: the problem is set. */
static json_t *parse(struct api_call *call)
{
	struct fields fields = {.object = call->body, .problem = &call->problem, .path = ""};
	json_t *list = fields_get(&fields, "sectors");

	if (json_array_size(list) == 0)
		fields_error(&fields, "sectors", CODE_INVALID_VALUE,
			     "must be an array of 1 to %d numbers", SECTORS_LIST_MAX);
	else if (json_array_size(list) > SECTORS_LIST_MAX)
		fields_error(&fields, "sectors", CODE_TOO_MANY_SECTORS, "more than %d",
			     SECTORS_LIST_MAX);
	fields_finish(&fields);
	return call->problem.code == CODE_NONE ? list : NULL;
}

/* False: answered. */
static bool parse_sector(struct api_call *call, json_t *list, size_t i, uint64_t *ret_sector)
{
	uint64_t sectors = service_data_info(call->data)->size / SECTOR;
	const json_t *number = json_array_get(list, i);

	if (!json_is_integer(number) || json_integer_value(number) < 0) {
		(void)call_fail(call, CODE_INVALID_VALUE,
				"/sectors/%zu: must be the number of a sector", i);
		return false;
	}
	*ret_sector = (uint64_t)json_integer_value(number);
	if (*ret_sector < sectors)
		return true;
	(void)data_beyond_sectors(call, *ret_sector, sectors);
	return false;
}

static void put(struct api_call *call, struct buf *buf, const struct service_run *run)
{
	buf_printf(buf, "{\"sector\":%" PRIu64 ",\"reads\":\"%s\",\"depth\":", run->sector,
		   sectors_where(run->where));
	if (run->where != SERVICE_DATA) {
		buf_printf(buf, "null,\"image\":null,\"physical_sector\":null}");
		return;
	}
	buf_printf(buf, "%" PRIu32 ",\"image\":", run->depth);
	buf_json(buf, sectors_level(call, run->depth).name);
	buf_printf(buf, ",\"physical_sector\":%" PRIu64 "}", run->physical_sector);
}

/* False: answered. */
static bool find(struct api_call *call, json_t *list, struct buf *buf)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct service_run run = {.where = SERVICE_UNKNOWN};
		struct service_run_list found = {.runs = &run, .max = 1};
		enum service_code code;
		uint64_t sector;

		if (!parse_sector(call, list, i, &sector))
			return false;
		code = service_data_runs(call->data, sector, 1, data_flags(call), &found,
					 &call->err);
		if (code == SERVICE_OK && found.n == 0)
			code = SERVICE_INTERNAL;
		if (code != SERVICE_OK) {
			(void)call_refused(call, code);
			return false;
		}
		buf_append(buf, ",", i > 0);
		put(call, buf, &run);
	}
	return true;
}

static enum api_step answer(struct api_call *call, json_t *list)
{
	struct service_data_state state = {.etag = ""};
	struct buf buf = {0};
	enum api_step step;

	service_data_state(call->data, &state);
	if (!call_etag(call, state.etag))
		return API_REPLY;
	buf_printf(&buf, "{\"image\":");
	buf_json(&buf, service_data_info(call->data)->name);
	buf_printf(&buf, ",\"sectors\":[");
	if (!find(call, list, &buf)) {
		buf_fini(&buf);
		return API_REPLY;
	}
	buf_printf(&buf, "],\"etag\":\"%s\"}\n", state.etag);
	step = call_text(call, 200, "application/json", &buf);
	call_header(call, "ETag", "\"%s\"", state.etag);
	return step;
}

enum api_step lookup_sectors(struct api_call *call)
{
	json_t *list = parse(call);
	enum service_code code;

	if (!list)
		return API_REPLY;
	code = data_open(call, SERVICE_READ);
	return code == SERVICE_OK ? answer(call, list) : call_refused(call, code);
}
