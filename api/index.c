/* index.c - what the daemon is, and where everything else is. */
#include "call.h"
#include "handlers.h"
#include "openapi.h"

#include "out.h"
#include "patch.h"

/* Additions to the API are announced here; names are never taken back. */
static const char *const features[] = {
	"images",
	"images.fixed",
	"images.differencing",
	"images.put",
	"images.patch",
	"images.patch.footer",
	"images.freeze",
	"preconditions",
	"images.recover",
	"adopt",
	"fields",
	"layout",
	"pools",
	"snapshots",
	"chain",
	"children",
	"lists.filters",
	"lists.sort",
	"lists.fields",
	"lists.formats",
	"lists.embed",
	"lists.since",
	"data.range",
	"data.ranges",
	"data.put",
	"data.patch",
	"data.patch.byterange",
	"data.patch.lines",
	"data.compare",
	"data.flush",
	"data.detect_zeroes",
	"data.digest",
	"data.writes",
	"sectors",
	"sectors.list",
	"extents",
};

static json_t *feature_list(void)
{
	struct out list = out_array();

	for (size_t i = 0; i < sizeof features / sizeof *features; i++)
		out_add_text(&list, features[i]);
	return out_take(&list);
}

static struct out links(void)
{
	struct out out = out_object();

	out_text(&out, "images", "/v1/images");
	out_text(&out, "pools", "/v1/pools");
	out_text(&out, "openapi", "/v1/openapi.json");
	out_text(&out, "problems", "/problems");
	out_text(&out, "health", "/healthz");
	out_text(&out, "ready", "/readyz");
	return out;
}

static json_t *limits(const struct api_call *call, const struct service_about *about)
{
	const struct api_limits *limits = call_limits(call);
	struct out out = out_object();

	out_number(&out, "body_bytes", limits->body);
	out_number(&out, "json_depth", limits->json_depth);
	out_number(&out, "head_bytes", limits->head);
	out_number(&out, "headers", limits->headers);
	out_number(&out, "name", SERVICE_NAME - 1);
	out_number(&out, "description", SERVICE_DESCRIPTION - 1);
	out_number(&out, "labels", SERVICE_LABELS_MAX);
	out_number(&out, "label_key", SERVICE_LABEL_KEY - 1);
	out_number(&out, "label_value", SERVICE_LABEL_VALUE - 1);
	out_number(&out, "virtual_size", UINT64_C(2040) << 30);
	out_number(&out, "ranges", limits->ranges);
	out_number(&out, "list", limits->list);
	out_number(&out, "runs", limits->page);
	out_number(&out, "sectors", limits->sectors);
	out_number(&out, "operations", PATCH_OPS_MAX);
	out_number(&out, "connections", about->connections);
	out_number(&out, "header_seconds", about->header_seconds);
	out_number(&out, "body_seconds", about->body_seconds);
	out_number(&out, "chain_depth", about->depth_max);
	out_number(&out, "chain_depth_warning", about->depth_warn);
	return out_take(&out);
}

enum api_step index_root(struct api_call *call)
{
	struct out list = links();
	struct out out = out_object();

	out_text(&list, "v1", "/v1");
	out_text(&out, "server", "vhdd");
	out_json(&out, "links", out_take(&list));
	return call_json(call, 200, out_take(&out));
}

enum api_step index_v1(struct api_call *call)
{
	const struct service_about *about = service_about(call->api->service);
	struct out list = links();
	struct out out = out_object();

	out_text(&out, "api", "v1");
	out_json(&out, "server", json_sprintf("vhdd/%s", about->version));
	out_json(&out, "features", feature_list());
	out_json(&out, "limits", limits(call, about));
	out_json(&out, "links", out_take(&list));
	return call_json(call, 200, out_take(&out));
}

enum api_step index_openapi(struct api_call *call)
{
	if (call_empty(call, 200) != API_REPLY || !call->response)
		return API_REPLY;
	http_response_fixed(call->response, openapi_json, openapi_json_length);
	call_header(call, "Content-Type", "application/json");
	return API_REPLY;
}

enum api_step index_problems(struct api_call *call)
{
	struct buf buf = {0};

	for (int i = CODE_NONE + 1; i < CODES; i++) {
		const struct code_info *info = codes_info((enum code)i);

		buf_printf(&buf, "%u %-25s %s\n", info->status, info->name, info->title);
	}
	return call_text(call, 200, "text/plain; charset=utf-8", &buf);
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
