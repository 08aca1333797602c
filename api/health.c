/* health.c - the probes. */
#include "call.h"
#include "handlers.h"

enum api_step health_live(struct api_call *call)
{
	struct buf buf = {0};

	buf_printf(&buf, "ok\n");
	return call_text(call, 200, "text/plain; charset=utf-8", &buf);
}

enum api_step health_ready(struct api_call *call)
{
	struct service_ready ready = {.ready = false};
	json_t *checks = json_object();

	service_ready(call->api->service, &ready);
	for (size_t i = 0; i < ready.n_checks; i++) {
		const struct service_check *check = &ready.checks[i];

		(void)json_object_set_new(
			checks, check->name,
			json_pack("{s:b, s:s}", "ok", check->ok, "text", check->text));
	}
	return call_json(call, ready.ready ? 200 : 503,
			 json_pack("{s:b, s:o}", "ready", ready.ready, "checks", checks));
}
