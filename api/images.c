/* images.c - looks at images and removes them. */
#include "call.h"
#include "embed.h"
#include "handlers.h"
#include "image.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "scope.h"
#include "view.h"

static unsigned flags(const struct api_call *call)
{
	return call->nowait ? SERVICE_NOWAIT : 0;
}

static enum api_step answer_image(struct api_call *call, const struct view *view,
				  const struct service_image *image)
{
	struct put put = {.tree = false};

	if (view->n > 0)
		return call_json(call, 200, view_pick(view, image_json(image)));
	image_put(&put, image);
	return call_put(call, 200, &put);
}

/* One image says nothing of what is told beside it: the ETag is that of the whole catalog, from
 * before anything is looked at. */
static enum service_code catalog_etag(struct api_call *call, char ret_etag[IMAGE_LIST_ETAG])
{
	CLEANUP(service_images_fini) struct service_images any = {0};
	const struct service_list want = {.limit = 1};
	enum service_code code =
		service_image_list(call->api->service, &want, flags(call), &any, &call->err);

	image_list_etag(any.revision, any.health, ret_etag);
	return code;
}

static enum api_step answer_embedded(struct api_call *call, const struct view *view, unsigned what,
				     const char *etag)
{
	CLEANUP(service_image_fini) struct service_image image = {.id = ""};
	CLEANUP(json_putp) json_t *items = json_array();
	const char *const ids[] = {image.id};
	enum service_code code =
		service_image_get(call->api->service, call->ref, flags(call), &image, &call->err);
	enum api_step step;

	if (code == SERVICE_OK && !call_etag_weak(call, etag))
		return API_REPLY;
	if (code == SERVICE_OK &&
	    json_array_append_new(items, view_pick(view, image_json(&image))) != 0)
		code = SERVICE_INTERNAL;
	if (code == SERVICE_OK)
		code = embed_into(call, what, items, ids);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	step = call_json(call, 200, json_incref(json_array_get(items, 0)));
	call_header(call, "ETag", "W/\"%s\"", etag);
	return step;
}

static enum api_step get_embedded(struct api_call *call, const struct view *view, unsigned what)
{
	char etag[IMAGE_LIST_ETAG];
	enum service_code code = catalog_etag(call, etag);

	return code == SERVICE_OK ? answer_embedded(call, view, what, etag)
				  : call_refused(call, code);
}

enum api_step images_get(struct api_call *call)
{
	CLEANUP(service_image_fini) struct service_image image = {.id = ""};
	CLEANUP(view_fini) struct view view = {.n = 0};
	enum service_code code;
	char etag[SERVICE_ETAG];
	enum api_step step;
	unsigned embed;

	if (!embed_parse(call, &embed) || !view_parse(call, image_sample, &view))
		return API_REPLY;
	if (embed)
		return get_embedded(call, &view, embed);
	code = service_image_get(call->api->service, call->ref, flags(call), &image, &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	image_etag(&image, etag);
	if (!call_etag(call, etag))
		return API_REPLY;
	step = answer_image(call, &view, &image);
	image_tag(call, &image);
	return step;
}

enum service_code image_guard(struct api_call *call, uint64_t *ret_version)
{
	CLEANUP(service_image_fini) struct service_image image = {.id = ""};
	enum service_code code;
	char etag[SERVICE_ETAG];

	*ret_version = 0;
	if (!http_header(call->request, "If-Match") &&
	    !http_header(call->request, "If-None-Match") && !call_unguarded(call))
		return SERVICE_OK;
	code = service_image_get(call->api->service, call->ref, 0, &image, &call->err);
	if (code != SERVICE_OK)
		return code;
	image_etag(&image, etag);
	if (call_etag(call, etag) && call_compares(call))
		*ret_version = image.meta_version;
	return SERVICE_OK;
}

enum api_step images_delete(struct api_call *call)
{
	struct service_delete how = {.version = 0};
	bool missing_ok = false;
	enum service_code code;

	query_bool(&call->query, "keep_file", &how.keep_file, &call->problem);
	query_bool(&call->query, "missing_ok", &missing_ok, &call->problem);
	if (call->problem.code != CODE_NONE)
		return API_REPLY;
	code = image_guard(call, &how.version);
	if (call->problem.code != CODE_NONE)
		return API_REPLY;
	if (code == SERVICE_OK)
		code = service_image_delete(call->api->service, call->ref, &how, &call->err);
	if (code == SERVICE_IMAGE_HAS_CHILDREN)
		call->problem.advice = "Delete what reads from it first: GET "
				       "/v1/images/{image}/children";
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
		const char *problem = image_problem(image);

		if (problem)
			out_add(&list, json_sprintf("%s: %s", image->name, problem));
	}
	if (last->parent.id[0] && last->state != SERVICE_ORPHAN)
		out_add(&list, json_sprintf("%s: parent-missing", last->name));
	return out_take(&list);
}

/* All but the images themselves. */
static json_t *chain_json(const struct service_images *images)
{
	struct out out = out_object();
	struct out health = out_object();
	json_t *problems = chain_problems(images);

	out_text(&health, "status", json_array_size(problems) > 0 ? "unhealthy" : "ok");
	out_json(&health, "problems", problems);
	out_number(&out, "depth", images->n);
	out_number(&out, "virtual_size", images->items[0].virtual_size);
	out_json(&out, "health", out_take(&health));
	return out_take(&out);
}

static enum api_step answer_chain(struct api_call *call, const struct view *view, const char *etag)
{
	static const char columns[] = "name kind state virtual_size usage.file depth";
	CLEANUP(service_images_fini) struct service_images images = {0};
	CLEANUP(put_fini) struct put items = {.tree = view_picks(view)};
	enum service_code code = service_image_chain(call->api->service, call->ref, flags(call),
						     &images, &call->err);
	enum api_step step;

	if (code != SERVICE_OK)
		return call_refused(call, code);
	if (images.n == 0)
		return call_fail(call, CODE_INTERNAL, "a chain without images");
	if (!view_etag(call, etag))
		return API_REPLY;
	image_put_all(&items, &images);
	step = view_list_put(call, view, &items, chain_json(&images), columns);
	call_header(call, "ETag", "W/\"%s\"", etag);
	return step;
}

enum api_step images_chain(struct api_call *call)
{
	CLEANUP(view_fini) struct view view = {.n = 0};
	char etag[IMAGE_LIST_ETAG];
	enum service_code code;

	if (!view_parse(call, image_sample, &view))
		return API_REPLY;
	code = catalog_etag(call, etag);
	return code == SERVICE_OK ? answer_chain(call, &view, etag) : call_refused(call, code);
}
