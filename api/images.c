/* images.c - looks at images and removes them. */
#include "call.h"
#include "handlers.h"
#include "image.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
	json_t *body = json_pack("{s:o, s:o, s:I}", "items", image_array(images), "next",
				 *next ? json_string(next) : json_null(), "revision",
				 (json_int_t)images->revision);

	if (body && list->count)
		(void)json_object_set_new(body, "total", json_integer((json_int_t)images->total));
	return body;
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
	json_t *list = json_array();

	for (size_t i = 0; i < images->n; i++) {
		const struct service_image *image = &images->items[i];

		if (image->state == SERVICE_MISSING || image->state == SERVICE_CORRUPT ||
		    image->state == SERVICE_FAILED)
			(void)json_array_append_new(list,
						    json_sprintf("%s: %s", image->name,
								 image_state_name(image->state)));
	}
	if (images->n > 0 && images->items[images->n - 1].parent.id[0])
		(void)json_array_append_new(list, json_sprintf("%s: parent-missing",
							       images->items[images->n - 1].name));
	return list;
}

enum api_step images_chain(struct api_call *call)
{
	CLEANUP(service_images_fini) struct service_images images = {0};
	enum service_code code;
	json_t *problems;

	code = service_image_chain(call->api->service, call->ref, flags(call), &images, &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	if (images.n == 0)
		return call_fail(call, CODE_INTERNAL, "a chain without images");
	problems = chain_problems(&images);
	return call_json(call, 200,
			 json_pack("{s:o, s:i, s:I, s:{s:s, s:o}}", "items", image_array(&images),
				   "depth", (int)images.n, "virtual_size",
				   (json_int_t)images.items[0].virtual_size, "health", "status",
				   json_array_size(problems) > 0 ? "unhealthy" : "ok", "problems",
				   problems));
}
