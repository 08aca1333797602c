/* index.c - what the daemon is, and where everything else is. */
#include "call.h"
#include "handlers.h"
#include "openapi.h"

#include <stdio.h>
#include <string.h>

#include "range.h"

/* Additions to the API are announced here; names are never taken back. */
static const char *const features[] = {
	"images",   "images.fixed", "images.differencing", "snapshots", "chain",   "data.range",
	"data.put", "data.patch",   "data.flush",          "sectors",   "extents",
};

static json_t *feature_list(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof features / sizeof *features; i++)
		(void)json_array_append_new(list, json_string(features[i]));
	return list;
}

enum api_step index_root(struct api_call *call)
{
	return call_json(call, 200,
			 json_pack("{s:s, s:{s:s, s:s, s:s, s:s, s:s}}", "server", "vhdd", "links",
				   "v1", "/v1", "images", "/v1/images", "openapi",
				   "/v1/openapi.json", "health", "/healthz", "ready", "/readyz"));
}

enum api_step index_v1(struct api_call *call)
{
	const struct service_about *about = service_about(call->api->service);
	char server[64];

	(void)snprintf(server, sizeof server, "vhdd/%s", about->version);
	return call_json(
		call, 200,
		json_pack(
			"{s:s, s:s, s:o, s:{s:i, s:i, s:I, s:i, s:i, s:i, s:i, s:i}, s:{s:s, s:s, s:s, s:s}}",
			"api", "v1", "server", server, "features", feature_list(), "limits",
			"body_bytes", API_COLLECT_MAX, "labels", SERVICE_LABELS_MAX, "virtual_size",
			(json_int_t)2040 << 30, "ranges", RANGE_MAX, "list", 1000, "runs", 10000,
			"chain_depth", (int)about->depth_max, "chain_depth_warning",
			(int)about->depth_warn, "links", "images", "/v1/images", "openapi",
			"/v1/openapi.json", "health", "/healthz", "ready", "/readyz"));
}

enum api_step index_openapi(struct api_call *call)
{
	if (call_empty(call, 200) != API_REPLY || !call->response)
		return API_REPLY;
	http_response_fixed(call->response, openapi_json, openapi_json_length);
	call_header(call, "Content-Type", "application/json");
	return API_REPLY;
}

enum api_step index_problem(struct api_call *call)
{
	enum code code = codes_find(call->arg);
	const struct code_info *info = codes_info(code);
	struct buf buf = {0};

	if (code == CODE_NONE)
		return call_fail(call, CODE_ROUTE_NOT_FOUND, "there is no error code '%s'",
				 call->arg);
	buf_printf(&buf, "%s (status %u)\n\n%s.\n\nCause: %s\nCorrection: %s\n%s\n", info->name,
		   info->status, info->title, info->cause, info->correction,
		   info->retryable ? "The same request may succeed later."
				   : "The same request will fail again until something changes.");
	return call_text(call, 200, "text/plain; charset=utf-8", &buf);
}
