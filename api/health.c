/* health.c - the probes. */
#include "call.h"
#include "handlers.h"
#include "out.h"

enum api_step health_live(struct api_call *call)
{
	struct buf buf = {0};

	buf_printf(&buf, "ok\n");
	return call_text(call, 200, "text/plain; charset=utf-8", &buf);
}

static json_t *check_json(const struct service_check *check)
{
	struct out out = out_object();

	out_bool(&out, "ok", check->ok);
	out_text(&out, "text", check->text);
	return out_take(&out);
}

enum api_step health_ready(struct api_call *call)
{
	struct service_ready ready = {.ready = false};
	struct out checks, out;
	bool verbose; /* all checks are told anyway */

	query_bool(&call->query, "verbose", &verbose, &call->problem);
	if (call->problem.code != CODE_NONE)
		return API_REPLY;
	service_ready(call->api->service, &ready);
	checks = out_object();
	out = out_object();
	for (size_t i = 0; i < ready.n_checks; i++)
		out_json(&checks, ready.checks[i].name, check_json(&ready.checks[i]));
	out_bool(&out, "ready", ready.ready);
	out_json(&out, "checks", out_take(&checks));
	return call_json(call, ready.ready ? 200 : 503, out_take(&out));
}
