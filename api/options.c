/* options.c - what can be done with the content of an image. */
#include "call.h"
#include "data.h"
#include "handlers.h"

#include <string.h>

static json_t *common(struct api_call *call)
{
	const char *path = service_about(call->api->service)->unix_socket;

	return json_pack("{s:[s,s,s,s,s,s], s:i, s:i, s:[s,s,s,s,s], s:o}", "allow", "GET", "HEAD",
			 "PUT", "PATCH", "POST", "OPTIONS", "sector_size", 512,
			 "preferred_write_size", 2 << 20, "features", "flush", "zero", "discard",
			 "write", "extents", "unix_socket", path ? json_string(path) : json_null());
}

static enum api_step answer(struct api_call *call, json_t *body)
{
	enum api_step step = call_json(call, 200, body);

	call_header(call, "Allow", "GET, HEAD, PUT, PATCH, POST, OPTIONS");
	call_header(call, "Accept-Patch", "application/json");
	call_header(call, "Accept-Ranges", "bytes");
	return step;
}

enum api_step options_data(struct api_call *call)
{
	const struct service_data_info *info;
	struct service_data_state state = {.etag = ""};
	enum service_code code;
	json_t *body;
	json_t *block;

	if (strcmp(call->ref, "*") == 0)
		return answer(call, common(call));
	code = data_open(call, SERVICE_READ);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	info = service_data_info(call->data);
	service_data_state(call->data, &state);
	block = info->block_size > 0 ? json_integer(info->block_size) : json_null();
	body = common(call);
	if (body && json_object_update_new(body, json_pack("{s:I, s:o, s:s}", "virtual_size",
							   (json_int_t)info->size, "block_size",
							   block, "etag", state.etag)) != 0)
		return call_fail(call, CODE_INTERNAL, "no memory");
	return answer(call, body);
}
