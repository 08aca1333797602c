/* lookup.c - where scattered sectors live, in the order in which they are asked for. */
#include <inttypes.h>
#include <stdio.h>

#include "data.h"
#include "fields.h"
#include "handlers.h"
#include "put.h"
#include "sectors.h"

enum { SECTOR = 512 };

/* The array of the body; NULL: the problem is set. */
static json_t *parse(struct api_call *call)
{
	struct fields fields = {.object = call->body, .problem = &call->problem, .path = ""};
	json_t *list = fields_get(&fields, "sectors");
	uint64_t max = call_limits(call)->sectors;

	if (json_array_size(list) == 0)
		fields_error(&fields, "sectors", CODE_INVALID_VALUE,
			     "must be an array of 1 to %" PRIu64 " numbers", max);
	else if (json_array_size(list) > max)
		fields_error(&fields, "sectors", CODE_TOO_MANY_SECTORS, "more than %" PRIu64, max);
	fields_finish(&fields);
	return call->problem.code == CODE_NONE ? list : NULL;
}

/* False: answered. */
static bool parse_sector(struct api_call *call, json_t *list, size_t i, uint64_t *ret_sector)
{
	uint64_t sectors = service_data_info(call->data)->size / SECTOR;
	const json_t *number = json_array_get(list, i);
	char pointer[40];

	(void)snprintf(pointer, sizeof pointer, "/sectors/%zu", i);
	if (!json_is_integer(number) || json_integer_value(number) < 0) {
		problem_field(&call->problem, pointer, CODE_INVALID_VALUE,
			      "must be the number of a sector");
		return false;
	}
	*ret_sector = (uint64_t)json_integer_value(number);
	if (*ret_sector < sectors)
		return true;
	(void)data_beyond(call, "sector", *ret_sector, sectors);
	problem_field(&call->problem, pointer, CODE_RANGE_NOT_SATISFIABLE,
		      "is beyond the last one");
	return false;
}

static void put_sector(struct api_call *call, struct put *put, const struct service_run *run)
{
	put_open(put, NULL, '{');
	put_number(put, "sector", run->sector);
	put_string(put, "reads", sectors_where(run->where));
	sectors_put_place(call, put, run);
	put_close(put, '}');
}

/* False: answered. */
static bool find(struct api_call *call, json_t *list, struct put *put)
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
		put_sector(call, put, &run);
	}
	return true;
}

enum api_step lookup_sectors(struct api_call *call)
{
	struct service_data_state state = {.etag = ""};
	json_t *list = parse(call);
	struct put put = {.tree = false};
	enum api_step step;

	if (!list)
		return API_REPLY;
	if (!data_begin(call, &state, &step))
		return step;
	put_open(&put, NULL, '{');
	put_string(&put, "image", service_data_info(call->data)->name);
	put_open(&put, "sectors", '[');
	if (!find(call, list, &put)) {
		put_fini(&put);
		return API_REPLY;
	}
	put_close(&put, ']');
	put_string(&put, "etag", state.etag);
	put_close(&put, '}');
	return data_tagged(call, call_put(call, 200, &put), state.etag);
}
