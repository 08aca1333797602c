/* create.c - new images: dynamic, fixed and differencing. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "draft.h"
#include "handlers.h"
#include "image.h"
#include "out.h"
#include "scope.h"

static json_t *warnings_json(unsigned warnings)
{
	struct out list = out_array();

	if (warnings & SERVICE_WARN_LARGER_THAN_PARENT)
		out_add_text(
			&list,
			"The image is larger than its parent: libvhdi and Windows refuse such images.");
	if (warnings & SERVICE_WARN_DEPTH)
		out_add_text(
			&list,
			"The chain is deep: go on in a copy, a new image with the data of this one.");
	if (warnings & SERVICE_WARN_PARENT_CHANGED)
		out_add_text(
			&list,
			"parent-changed: images waited for this one as their parent, and say that it is of "
			"another time: it is new, and has nothing of what they were made from.");
	return out_take(&list);
}

static json_t *created_json(const struct service_created *created)
{
	struct out froze = out_array();
	struct out out = {.json = image_json(&created->image)};

	if (created->froze_parent)
		out_add_text(&froze, created->image.parent.name);
	out_json(&out, "froze", out_take(&froze));
	out_json(&out, "warnings", warnings_json(created->warnings));
	return out_take(&out);
}

static enum api_step answer(struct api_call *call, unsigned status,
			    const struct service_created *created)
{
	enum api_step step = call_json(call, status, created_json(created));

	image_locate(call, &created->image);
	return step;
}

/* Asks the daemon; `spec` is whole. A parent that is named in the body and not there is a conflict,
 * as the path of the request exists. */
static enum service_code make(struct api_call *call, const struct service_create *spec,
			      bool parent_in_body, struct service_created *ret_created)
{
	enum service_code code =
		service_image_create(call->api->service, spec, ret_created, &call->err);

	if (code != SERVICE_IMAGE_NOT_FOUND || !parent_in_body)
		return code;
	call->problem.advice = "Name a parent that is there: GET /v1/images";
	return SERVICE_PARENT_MISSING;
}

static bool wants_new(const struct api_call *call)
{
	const char *none = http_header(call->request, "If-None-Match");

	return none && strcmp(none, "*") == 0;
}

static enum api_step exists(struct api_call *call)
{
	call->problem.service = call->err;
	call->problem.advice = "It exists already: choose another name, or see what it is: "
			       "GET /v1/images/{image}";
	return call_fail(call, CODE_PRECONDITION_FAILED, "%s", call->err.text);
}

static enum api_step finish(struct api_call *call, enum service_code code,
			    struct service_created *created)
{
	enum api_step step;

	if (code == SERVICE_NAME_EXISTS && wants_new(call))
		return exists(call);
	/* Who brings an id may ask again after an answer that was lost. */
	if (code == SERVICE_DUPLICATE_UUID && call->err.image.name[0])
		call->problem.advice = "See whether it is the image that you want: GET "
				       "/v1/images/{image}. If not, leave 'uuid' out to get a "
				       "random one.";
	if (code != SERVICE_OK)
		return call_refused(call, code);
	call_done(call, &created->image);
	step = answer(call, 201, created);
	service_image_fini(&created->image);
	return step;
}

static enum api_step create(struct api_call *call, const struct service_create *spec,
			    bool parent_in_body)
{
	struct service_created created = {.warnings = 0};
	enum service_code code = make(call, spec, parent_in_body, &created);

	return finish(call, code, &created);
}

enum api_step create_image(struct api_call *call)
{
	CLEANUP(draft_fini) struct draft draft = {.labels = NULL};

	if (json_object_get(call->body, "source"))
		return adopt_file(call);
	if (!draft_parse(call, &draft, false))
		return API_REPLY;
	return create(call, &draft.spec, true);
}

/* ---- PUT ---- */

static bool same_labels(const struct service_create *spec, const struct service_image *image)
{
	size_t same = 0;

	for (size_t i = 0; i < spec->n_labels * image->n_labels; i++) {
		const struct service_label *want = &spec->labels[i / image->n_labels];
		const struct service_label *have = &image->labels[i % image->n_labels];

		same += strcmp(want->key, have->key) == 0 && strcmp(want->value, have->value) == 0;
	}
	return same == spec->n_labels && same == image->n_labels;
}

static bool same_parent(const char *parent, const struct service_name *have)
{
	return strcasecmp(parent, have->id) == 0 || strcmp(parent, have->name) == 0;
}

/* The field of the body that the image differs in; NULL: it is what was asked for. What is not in
 * the body does not matter, nor does what is not told of an image. */
static const char *difference(const json_t *body, const struct service_create *spec,
			      const struct service_image *image)
{
	const char *description = image->description ? image->description : "";
	const struct {
		const char *field;
		bool same;
	} rows[] = {
		{"size", spec->size == image->virtual_size},
		{"kind", spec->kind == image->kind},
		{"parent", spec->parent && same_parent(spec->parent, &image->parent)},
		{"uuid", spec->uuid && strcmp(spec->uuid, image->id) == 0},
		{"block_size", spec->block_size == image->block_size},
		{"saved_state", spec->saved_state == image->saved_state},
		{"features", spec->temporary == image->temporary},
		{"creator_application",
		 spec->creator_application[0] == '\0' ||
			 strcmp(spec->creator_application, image->creator_application) == 0},
		{"timestamp", spec->vhd_timestamp == image->vhd_timestamp},
		{"pool", spec->pool && strcmp(spec->pool, image->pool) == 0},
		{"description", spec->description && strcmp(spec->description, description) == 0},
		{"labels", same_labels(spec, image)},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (json_object_get(body, rows[i].field) && !rows[i].same)
			return rows[i].field;
	}
	return NULL;
}

static enum api_step differs(struct api_call *call, const struct service_image *image,
			     const char *field)
{
	char pointer[40];

	memcpy(call->problem.service.image.id, image->id, sizeof image->id);
	memcpy(call->problem.service.image.name, image->name, sizeof image->name);
	call->problem.advice =
		"Ask for what it is, GET /v1/images/{image}, or choose another name.";
	(void)call_fail(call, CODE_NAME_EXISTS,
			"'%s' exists, but differs from the request in its %s", image->name, field);
	(void)snprintf(pointer, sizeof pointer, "/%s", field);
	problem_field(&call->problem, pointer, CODE_NAME_EXISTS, "differs from what the image has");
	return API_REPLY;
}

static enum api_step answer_existing(struct api_call *call, const struct service_create *spec,
				     const struct service_image *image)
{
	const struct service_created created = {.image = *image};
	const char *field = difference(call->body, spec, image);
	char etag[SERVICE_ETAG];

	image_etag(image, etag);
	if (!call_etag(call, etag)) {
		if (wants_new(call))
			call->problem.advice =
				"It exists already: choose another name, or leave If-None-Match "
				"out to be answered 200 when it is what was asked for.";
		return API_REPLY;
	}
	/* Nobody knows yet whether it comes to an end. */
	if (image->state == SERVICE_CREATING &&
	    service_image_ready(call->api->service, image->id, &call->err) == SERVICE_IMAGE_BUSY)
		return call_refused(call, SERVICE_IMAGE_BUSY);
	if (image->state == SERVICE_CREATING)
		return call_fail(call, CODE_IMAGE_BUSY, "'%s' was being created", image->name);
	if (field)
		return differs(call, image, field);
	return answer(call, 200, &created);
}

/* The image that has the name; SERVICE_IMAGE_NOT_FOUND: none. */
static enum service_code find_named(struct api_call *call, const struct service_create *spec,
				    enum api_step *ret_step)
{
	CLEANUP(service_image_fini) struct service_image image = {.id = ""};
	enum service_code code =
		service_image_get(call->api->service, call->ref, 0, &image, &call->err);

	if (code == SERVICE_OK)
		*ret_step = answer_existing(call, spec, &image);
	return code;
}

static enum api_step create_or_find(struct api_call *call, const struct service_create *spec)
{
	struct service_created created = {.warnings = 0};
	enum api_step step = API_REPLY;
	enum service_code code = find_named(call, spec, &step);

	if (code != SERVICE_IMAGE_NOT_FOUND)
		return code == SERVICE_OK ? step : call_refused(call, code);
	if (http_header(call->request, "If-Match"))
		return call_fail(call, CODE_PRECONDITION_FAILED, "If-Match: there is no image '%s'",
				 call->ref);
	code = make(call, spec, true, &created);
	/* Somebody else was faster. */
	if (code == SERVICE_NAME_EXISTS && find_named(call, spec, &step) == SERVICE_OK)
		return step;
	return finish(call, code, &created);
}

enum api_step create_named(struct api_call *call)
{
	CLEANUP(draft_fini) struct draft draft = {.labels = NULL};

	if (!gate_name(call->ref))
		return call_fail(call, CODE_INVALID_NAME, "'%s' is not a name", call->ref);
	if (!draft_parse(call, &draft, true))
		return API_REPLY;
	draft.spec.name = call->ref;
	return create_or_find(call, &draft.spec);
}

enum api_step create_snapshot(struct api_call *call)
{
	CLEANUP(draft_fini)
	struct draft draft = {.spec = {.parent = call->ref, .kind = SERVICE_DIFFERENCING}};
	enum service_code code;

	if (!draft_parse_child(call, &draft))
		return API_REPLY;
	code = image_guard(call, &draft.spec.parent_version);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	return call->problem.code == CODE_NONE ? create(call, &draft.spec, false) : API_REPLY;
}
