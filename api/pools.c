/* pools.c - the folders that hold image files, and the room in them. */
#include <string.h>

#include "call.h"
#include "handlers.h"
#include "out.h"
#include "scope.h"
#include "view.h"

static json_t *capacity_json(const struct service_pool *pool)
{
	struct out out;

	if (!pool->online)
		return json_null();
	out = out_object();
	out_number(&out, "size", pool->size);
	out_number(&out, "free", pool->free);
	out_number(&out, "used", pool->size > pool->free ? pool->size - pool->free : 0);
	return out_take(&out);
}

static json_t *pool_json(struct api_call *call, const struct service_pool *pool)
{
	const char *first = service_about(call->api->service)->default_pool;
	struct out out = out_object();

	out_text(&out, "name", pool->name);
	out_json(&out, "href", json_sprintf("/v1/pools/%s", pool->name));
	out_text(&out, "path", pool->path);
	out_bool(&out, "default", strcmp(pool->name, first) == 0);
	out_text(&out, "state", pool->online ? "online" : "offline");
	out_text_or_null(&out, "problem", pool->why);
	out_json(&out, "capacity", capacity_json(pool));
	return out_take(&out);
}

enum api_step pools_list(struct api_call *call)
{
	static const char columns[] = "name state capacity.size capacity.free default path";
	CLEANUP(service_pools_fini) struct service_pools pools = {0};
	struct view view = {.n = 0};
	struct out items;
	enum service_code code;

	if (!view_parse_format(call, &view))
		return API_REPLY;
	code = service_pools(call->api->service, &pools, &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	items = out_array();
	for (size_t i = 0; i < pools.n; i++)
		out_add(&items, pool_json(call, &pools.items[i]));
	return view_list(call, &view, out_take(&items), json_object(), columns);
}

enum api_step pools_get(struct api_call *call)
{
	CLEANUP(service_pools_fini) struct service_pools pools = {0};
	enum service_code code = service_pools(call->api->service, &pools, &call->err);

	if (code != SERVICE_OK)
		return call_refused(call, code);
	for (size_t i = 0; i < pools.n; i++) {
		if (strcmp(pools.items[i].name, call->arg) == 0)
			return call_json(call, 200, pool_json(call, &pools.items[i]));
	}
	call->problem.advice = "List what there is: GET /v1/pools";
	return call_fail(call, CODE_POOL_NOT_FOUND, "there is no pool '%s'", call->arg);
}
