/* create.c - new images: dynamic, fixed and differencing. */
#include "call.h"
#include "handlers.h"
#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "feature.h"
#include "fields.h"
#include "labels.h"
#include "number.h"
#include "out.h"
#include "scope.h"

static const uint64_t size_max = UINT64_C(2040) << 30;

/* What is asked for, with the memory that `spec` points to beyond the body. */
struct draft {
	struct service_create spec;
	char uuid[SERVICE_ID];
	struct service_label *labels;
};

static void draft_fini(struct draft *draft)
{
	free(draft->labels);
}

static void parse_name(struct fields *fields, struct service_create *spec)
{
	fields_text(fields, "name", SIZE_MAX, &spec->name);
	if (spec->name && !gate_name(spec->name))
		fields_error(fields, "name", CODE_INVALID_NAME, "'%.130s' is not a name",
			     spec->name);
}

static void parse_size(struct fields *fields, struct service_create *spec)
{
	bool given = fields_size(fields, "size", &spec->size);

	if (given && (spec->size < 512 || spec->size % 512 != 0))
		fields_error(fields, "size", CODE_INVALID_VALUE,
			     "%llu is not a multiple of 512 from 512 on",
			     (unsigned long long)spec->size);
	else if (given && spec->size > size_max)
		fields_error(fields, "size", CODE_SIZE_TOO_LARGE,
			     "%llu is more than 2040 GiB (%llu)", (unsigned long long)spec->size,
			     (unsigned long long)size_max);
	if (!given && !spec->parent && !json_object_get(fields->object, "size"))
		fields_error(fields, "size", CODE_INVALID_VALUE, "is required");
}

static void parse_kind(struct fields *fields, struct service_create *spec)
{
	static const char *const kinds[] = {"dynamic", "fixed", "differencing", "raw"};
	unsigned kind = spec->parent ? SERVICE_DIFFERENCING : SERVICE_DYNAMIC;

	fields_choice(fields, "kind", kinds, 4, &kind);
	if (kind == 3)
		fields_error(fields, "kind", CODE_NOT_SUPPORTED, "\"raw\" is not supported yet");
	spec->kind = (enum service_kind)kind;
	if (spec->kind == SERVICE_DIFFERENCING && !spec->parent)
		fields_error(fields, "parent", CODE_INVALID_VALUE,
			     "is required for a differencing image");
	if (spec->kind != SERVICE_DIFFERENCING && spec->parent)
		fields_error(fields, "kind", CODE_INVALID_VALUE,
			     "an image with a parent is differencing");
}

static void parse_parent(struct fields *fields, struct service_create *spec)
{
	char uuid[SERVICE_ID];

	fields_text(fields, "parent", SIZE_MAX, &spec->parent);
	if (spec->parent && !gate_name(spec->parent) && !number_uuid(spec->parent, uuid))
		fields_error(fields, "parent", CODE_INVALID_VALUE,
			     "'%.130s' is neither a name nor an id", spec->parent);
}

static void parse_uuid(struct fields *fields, struct draft *draft)
{
	const char *text = NULL;

	fields_text(fields, "uuid", SIZE_MAX, &text);
	if (!text)
		return;
	if (!number_uuid(text, draft->uuid) ||
	    strcmp(draft->uuid, "00000000-0000-0000-0000-000000000000") == 0)
		fields_error(fields, "uuid", CODE_INVALID_VALUE, "'%.40s' is not a UUID", text);
	draft->spec.uuid = draft->uuid;
}

static void parse_layout(struct fields *fields, struct service_create *spec)
{
	uint64_t block_size = 0;
	bool relative = true;

	if (fields_size(fields, "block_size", &block_size) && block_size != 512 << 10 &&
	    block_size != 2 << 20)
		fields_error(fields, "block_size", CODE_INVALID_VALUE, "must be 512 KiB or 2 MiB");
	else if (block_size > 0 && spec->kind == SERVICE_FIXED)
		fields_error(fields, "block_size", CODE_INVALID_VALUE,
			     "a fixed image has no blocks");
	spec->block_size = (uint32_t)block_size;
	if (json_object_get(fields->object, "relative_path") && spec->kind != SERVICE_DIFFERENCING)
		fields_error(fields, "relative_path", CODE_INVALID_VALUE,
			     "is for differencing images");
	fields_bool(fields, "relative_path", &relative);
	spec->absolute_path = !relative;
	fields_bool(fields, "saved_state", &spec->saved_state);
}

static void parse_preallocation(struct fields *fields, struct service_create *spec)
{
	static const char *const words[] = {"sparse", "falloc", "full"};
	unsigned choice = SERVICE_SPARSE;

	fields_choice(fields, "preallocation", words, 3, &choice);
	if (choice > SERVICE_FALLOC)
		fields_error(fields, "preallocation", CODE_NOT_SUPPORTED,
			     "\"full\" is not supported yet");
	else if (choice != SERVICE_SPARSE && spec->kind != SERVICE_FIXED)
		fields_error(fields, "preallocation", CODE_INVALID_VALUE, "is for fixed images");
	spec->preallocation = (enum service_preallocation)choice;
}

static void parse_origin(struct fields *fields, struct service_create *spec)
{
	const char *time = NULL;
	const char *creator = NULL;

	fields_text(fields, "timestamp", SIZE_MAX, &time);
	if (time && !number_vhd_time(time, &spec->vhd_timestamp))
		fields_error(fields, "timestamp", CODE_INVALID_VALUE,
			     "'%.40s' is not a time like 2026-11-22T06:00:00Z", time);
	spec->has_timestamp = time != NULL;
	fields_text(fields, "creator_application", sizeof spec->creator_application, &creator);
	for (const char *c = creator; c && *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e) {
			fields_error(fields, "creator_application", CODE_INVALID_VALUE,
				     "must be up to 4 printable ASCII characters");
			return;
		}
	}
	if (creator && *creator != '\0')
		(void)snprintf(spec->creator_application, sizeof spec->creator_application, "%-4s",
			       creator);
}

static void parse_pool(struct fields *fields, struct service_create *spec)
{
	fields_text(fields, "pool", SIZE_MAX, &spec->pool);
	if (spec->pool && !gate_name(spec->pool))
		fields_error(fields, "pool", CODE_INVALID_NAME, "'%.130s' is not a name",
			     spec->pool);
}

static json_t *warnings_json(unsigned warnings)
{
	struct out list = out_array();

	if (warnings & SERVICE_WARN_LARGER_THAN_PARENT)
		out_add_text(
			&list,
			"The image is larger than its parent: libvhdi and Windows refuse such images.");
	if (warnings & SERVICE_WARN_DEPTH)
		out_add_text(&list, "The chain is deep: delete snapshots that nobody needs.");
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

	return code == SERVICE_IMAGE_NOT_FOUND && parent_in_body ? SERVICE_PARENT_MISSING : code;
}

static enum api_step finish(struct api_call *call, enum service_code code,
			    struct service_created *created)
{
	const char *none = http_header(call->request, "If-None-Match");
	enum api_step step;

	if (code == SERVICE_NAME_EXISTS && none && strcmp(none, "*") == 0)
		return call_fail(call, CODE_PRECONDITION_FAILED, "%s", call->err.text);
	if (code != SERVICE_OK)
		return call_refused(call, code);
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

/* All fields but kind and parent, which the path of a snapshot says. */
static void parse_common(struct fields *fields, struct draft *draft)
{
	struct service_create *spec = &draft->spec;

	parse_name(fields, spec);
	parse_size(fields, spec);
	parse_uuid(fields, draft);
	(void)feature_parse(fields, &spec->temporary);
	parse_layout(fields, spec);
	parse_origin(fields, spec);
	parse_pool(fields, spec);
	fields_text(fields, "description", SERVICE_DESCRIPTION, &spec->description);
	draft->labels = labels_parse(fields, &spec->n_labels);
	spec->labels = draft->labels;
}

/* The whole body; `named`: the name is in the path. */
static bool parse(struct api_call *call, struct draft *draft, bool named)
{
	struct fields fields = {.object = call->body, .problem = &call->problem, .path = ""};

	parse_parent(&fields, &draft->spec);
	parse_kind(&fields, &draft->spec);
	if (named && json_object_get(call->body, "name"))
		fields_error(&fields, "name", CODE_INVALID_VALUE, "is in the path already");
	parse_common(&fields, draft);
	parse_preallocation(&fields, &draft->spec);
	fields_later(&fields, "new_uuid");
	fields_finish(&fields);
	return call->problem.code == CODE_NONE;
}

enum api_step create_image(struct api_call *call)
{
	CLEANUP(draft_fini) struct draft draft = {.labels = NULL};

	if (json_object_get(call->body, "source"))
		return adopt_file(call);
	if (!parse(call, &draft, false))
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

static enum api_step answer_existing(struct api_call *call, const struct service_create *spec,
				     const struct service_image *image)
{
	const struct service_created created = {.image = *image};
	const char *field = difference(call->body, spec, image);
	char etag[IMAGE_ETAG];

	image_etag(image, etag);
	if (!call_etag(call, etag))
		return API_REPLY;
	/* Nobody knows yet whether it comes to an end. */
	if (image->state == SERVICE_CREATING)
		return call_fail(call, CODE_IMAGE_BUSY, "'%s' is being created", image->name);
	if (field)
		return call_fail(call, CODE_NAME_EXISTS,
				 "'%s' exists, but differs from the request in its %s", image->name,
				 field);
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
	if (!parse(call, &draft, true))
		return API_REPLY;
	draft.spec.name = call->ref;
	return create_or_find(call, &draft.spec);
}

enum api_step create_snapshot(struct api_call *call)
{
	struct fields fields = {.object = call->body, .problem = &call->problem, .path = ""};
	CLEANUP(draft_fini)
	struct draft draft = {.spec = {.parent = call->ref, .kind = SERVICE_DIFFERENCING}};
	enum service_code code;

	parse_common(&fields, &draft);
	fields_finish(&fields);
	if (call->problem.code != CODE_NONE)
		return API_REPLY;
	code = image_guard(call, &draft.spec.parent_version);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	return call->problem.code == CODE_NONE ? create(call, &draft.spec, false) : API_REPLY;
}
