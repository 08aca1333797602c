/* images.c - looks at images and removes them. */
#include "call.h"
#include "handlers.h"
#include "image.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "scope.h"

enum { LIST_DEFAULT = 100, LIST_MAX = 1000 };

static const char cursor_mark[] =
	"n."; /* the list is by name; another order will have another mark */

static unsigned flags(const struct api_call *call)
{
	return call->nowait ? SERVICE_NOWAIT : 0;
}

static bool parse_list(struct api_call *call, struct service_list *list)
{
	const char *cursor = query_get(&call->query, "cursor");
	uint64_t limit = LIST_DEFAULT;

	query_limit(&call->query, "limit", LIST_MAX, &limit, &call->problem);
	query_bool(&call->query, "count", &list->count, &call->problem);
	list->limit = limit;
	if (cursor && strncmp(cursor, cursor_mark, strlen(cursor_mark)) == 0 &&
	    gate_name(cursor + strlen(cursor_mark)))
		list->after = cursor + strlen(cursor_mark);
	else if (cursor)
		problem_parameter(&call->problem, "cursor", CODE_INVALID_VALUE,
				  "is not one that a list of this daemon gave");
	return call->problem.code == CODE_NONE;
}

static json_t *list_json(const struct service_list *list, const struct service_images *images,
			 const char *next)
{
	struct out out = out_object();

	out_json(&out, "items", image_array(images));
	out_text_or_null(&out, "next", next);
	if (list->count)
		out_number(&out, "total", images->total);
	out_number(&out, "revision", images->revision);
	return out_take(&out);
}

static enum api_step answer_list(struct api_call *call, const struct service_list *list,
				 const struct service_images *images)
{
	char next[SERVICE_NAME + sizeof cursor_mark] = "";
	char etag[32];
	enum api_step step;

	if (images->more && images->n > 0)
		(void)snprintf(next, sizeof next, "%s%s", cursor_mark,
			       images->items[images->n - 1].name);
	(void)snprintf(etag, sizeof etag, "c%" PRIu64, images->revision);
	if (!call_etag(call, etag))
		return API_REPLY;
	step = call_json(call, 200, list_json(list, images, next));
	call_header(call, "ETag", "W/\"%s\"", etag);
	if (*next)
		call_header(call, "Link", "</v1/images?limit=%zu&cursor=%s%s>; rel=\"next\"",
			    list->limit, next, list->count ? "&count=1" : "");
	return step;
}

enum api_step images_list(struct api_call *call)
{
	CLEANUP(service_images_fini) struct service_images images = {0};
	struct service_list list = {0};
	enum service_code code;

	if (!parse_list(call, &list))
		return API_REPLY;
	code = service_image_list(call->api->service, &list, flags(call), &images, &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	return answer_list(call, &list, &images);
}

enum api_step images_get(struct api_call *call)
{
	CLEANUP(service_image_fini) struct service_image image = {.id = ""};
	enum service_code code;
	char etag[32];
	enum api_step step;

	code = service_image_get(call->api->service, call->ref, flags(call), &image, &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	(void)snprintf(etag, sizeof etag, "m%" PRIu64, image.meta_version);
	if (!call_etag(call, etag))
		return API_REPLY;
	step = call_json(call, 200, image_json(&image));
	call_header(call, "ETag", "\"%s\"", etag);
	return step;
}

enum api_step images_delete(struct api_call *call)
{
	bool keep_file = false;
	bool missing_ok = false;
	enum service_code code;

	query_bool(&call->query, "keep_file", &keep_file, &call->problem);
	query_bool(&call->query, "missing_ok", &missing_ok, &call->problem);
	if (call->problem.code != CODE_NONE)
		return API_REPLY;
	code = service_image_delete(call->api->service, call->ref, keep_file, &call->err);
	if (code != SERVICE_OK && !(missing_ok && code == SERVICE_IMAGE_NOT_FOUND))
		return call_refused(call, code);
	return call_empty(call, 204);
}

/* What is wrong in the chain, one line each; empty when nothing is. */
static json_t *chain_problems(const struct service_images *images)
{
	const struct service_image *last = &images->items[images->n - 1];
	struct out list = out_array();

	for (size_t i = 0; i < images->n; i++) {
		const struct service_image *image = &images->items[i];

		if (!image_healthy(image))
			out_add(&list, json_sprintf("%s: %s", image->name,
						    image_state_name(image->state)));
	}
	if (last->parent.id[0])
		out_add(&list, json_sprintf("%s: parent-missing", last->name));
	return out_take(&list);
}

static json_t *chain_json(const struct service_images *images)
{
	struct out out = out_object();
	struct out health = out_object();
	json_t *problems = chain_problems(images);

	out_text(&health, "status", json_array_size(problems) > 0 ? "unhealthy" : "ok");
	out_json(&health, "problems", problems);
	out_json(&out, "items", image_array(images));
	out_number(&out, "depth", images->n);
	out_number(&out, "virtual_size", images->items[0].virtual_size);
	out_json(&out, "health", out_take(&health));
	return out_take(&out);
}

enum api_step images_chain(struct api_call *call)
{
	CLEANUP(service_images_fini) struct service_images images = {0};
	enum service_code code;

	code = service_image_chain(call->api->service, call->ref, flags(call), &images, &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	if (images.n == 0)
		return call_fail(call, CODE_INTERNAL, "a chain without images");
	return call_json(call, 200, chain_json(&images));
}
