/* options.c - what can be done with the content of an image. */
#include "call.h"
#include "data.h"
#include "handlers.h"
#include "patch.h"

#include <string.h>

static json_t *words(const char *const *list, size_t n)
{
	struct out out = out_array();

	for (size_t i = 0; i < n; i++)
		out_add_text(&out, list[i]);
	return out_take(&out);
}

static struct out common(struct api_call *call)
{
	static const char *const allow[] = {"GET", "HEAD", "PUT", "PATCH", "POST", "OPTIONS"};
	static const char *const features[] = {
		"flush",  "zero",    "discard",       "write",  "extents",
		"ranges", "compare", "detect_zeroes", "digest", "byterange-patch"};
	const struct service_about *about = service_about(call->api->service);
	const char *path = about->unix_socket;
	struct out out = out_object();

	out_json(&out, "allow", words(allow, sizeof allow / sizeof *allow));
	out_number(&out, "sector_size", 512);
	out_number(&out, "preferred_write_size", 2 << 20);
	out_number(&out, "max_readers", about->workers);
	out_number(&out, "max_writers", about->workers);
	out_json(&out, "features", words(features, sizeof features / sizeof *features));
	out_text_or_null(&out, "unix_socket", path ? path : "");
	return out;
}

static enum api_step answer(struct api_call *call, struct out *out)
{
	enum api_step step = call_json(call, 200, out_take(out));

	call_header(call, "Allow", "GET, HEAD, PUT, PATCH, POST, OPTIONS");
	call_header(call, "Accept-Patch", "%s", patch_types);
	call_header(call, "Accept-Ranges", "bytes");
	return step;
}

enum api_step options_data(struct api_call *call)
{
	bool all = strcmp(call->ref, "*") == 0;
	const struct service_data_info *info;
	struct service_data_state state = {.etag = ""};
	enum service_code code = all ? SERVICE_OK : data_open(call, SERVICE_READ);
	enum api_step step;
	struct out out;

	if (code != SERVICE_OK)
		return call_refused(call, code);
	out = common(call);
	if (all)
		return answer(call, &out);
	info = service_data_info(call->data);
	service_data_state(call->data, &state);
	out_number(&out, "virtual_size", info->size);
	out_json(&out, "block_size",
		 info->block_size > 0 ? json_integer(info->block_size) : json_null());
	data_members(&out, &state);
	step = answer(call, &out);
	data_headers(call, &state);
	return step;
}
