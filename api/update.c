/* update.c - changes of what is told of an image: PATCH by merge patch, freeze and thaw. */
#include <string.h>

#include "call.h"
#include "feature.h"
#include "fields.h"
#include "handlers.h"
#include "image.h"
#include "labels.h"
#include "patch.h"

const char patch_update_types[] = "application/json, application/merge-patch+json";

static void parse_name(struct fields *fields, struct service_update *update)
{
	fields_text(fields, "name", SIZE_MAX, &update->name);
	if (update->name && !gate_name(update->name))
		fields_error(fields, "name", CODE_INVALID_NAME, "'%.130s' is not a name",
			     update->name);
}

/* null takes the description away, as in any merge patch. */
static void parse_description(struct fields *fields, struct service_update *update)
{
	if (json_is_null(json_object_get(fields->object, "description")))
		update->description = "";
	if (update->description)
		(void)fields_get(fields, "description");
	else
		fields_text(fields, "description", SERVICE_DESCRIPTION, &update->description);
}

static void parse_labels(struct fields *fields, struct service_update *update,
			 struct service_label_change changes[SERVICE_LABELS_MAX])
{
	json_t *object = fields_get(fields, "labels");
	const char *key;
	json_t *value;

	update->labels = changes;
	update->clear_labels = json_is_null(object);
	if (!object || update->clear_labels)
		return;
	if (!labels_check(fields, object, true))
		return;
	json_object_foreach (object, key, value) {
		changes[update->n_labels++] = (struct service_label_change){
			.key = key, .value = json_string_value(value)};
	}
}

static void parse_frozen(struct fields *fields, struct service_update *update)
{
	bool frozen = true;

	update->freeze = json_object_get(fields->object, "frozen") != NULL;
	fields_bool(fields, "frozen", &frozen);
	if (!frozen)
		fields_error(fields, "frozen", CODE_INVALID_VALUE,
			     "can only become true; actions/thaw undoes it");
}

static enum api_step answer(struct api_call *call, struct service_image *image)
{
	enum api_step step;

	call_done(call, image);
	step = call_json(call, 200, image_json(image));
	image_tag(call, image);
	service_image_fini(image);
	return step;
}

/* Asks the daemon for the change, and answers with what the image is then. */
static enum api_step apply(struct api_call *call, struct service_update *update)
{
	struct service_image image = {.id = ""};
	enum service_code code = image_guard(call, &update->version);

	if (call->problem.code != CODE_NONE)
		return API_REPLY;
	if (code == SERVICE_OK)
		code = service_image_update(call->api->service, call->ref, update, &image,
					    &call->err);
	if (code == SERVICE_NAME_EXISTS)
		call->problem.advice = "Choose another name, or first rename the image that has "
				       "this one: PATCH /v1/images/{image}";
	return code == SERVICE_OK ? answer(call, &image) : call_refused(call, code);
}

/* Patches of other kinds would be taken for merge patches, or for forms. */
bool update_prepare(struct api_call *call)
{
	const struct http_request *request = call->request;

	if (!http_header(request, "Content-Type") || http_body_is(request, "application/json") ||
	    http_body_is(request, "application/merge-patch+json") ||
	    http_body_is(request, "application/x-www-form-urlencoded"))
		return true;
	call->problem.advice = "Send the fields with curl -d NAME=VALUE, or as JSON.";
	patch_refuse(call, patch_update_types);
	return false;
}

enum api_step update_image(struct api_call *call)
{
	struct fields fields = {.object = call->body, .problem = &call->problem, .path = ""};
	struct service_label_change changes[SERVICE_LABELS_MAX];
	struct service_update update = {.version = 0};

	parse_name(&fields, &update);
	parse_description(&fields, &update);
	parse_labels(&fields, &update, changes);
	update.has_saved_state = json_object_get(call->body, "saved_state") != NULL;
	fields_bool(&fields, "saved_state", &update.saved_state);
	update.has_temporary = feature_parse(&fields, &update.temporary);
	parse_frozen(&fields, &update);
	fields_later(&fields, "store_note");
	fields_finish(&fields);
	return call->problem.code == CODE_NONE ? apply(call, &update) : API_REPLY;
}

/* Actions without arguments take an empty body, or {}. */
static enum api_step act(struct api_call *call, struct service_update *update)
{
	struct fields fields = {.object = call->body, .problem = &call->problem, .path = ""};

	fields_finish(&fields);
	return call->problem.code == CODE_NONE ? apply(call, update) : API_REPLY;
}

enum api_step update_freeze(struct api_call *call)
{
	struct service_update update = {.freeze = true};

	return act(call, &update);
}

enum api_step update_thaw(struct api_call *call)
{
	struct service_update update = {.thaw = true};
	enum api_step step = act(call, &update);

	if (call->problem.code == CODE_IMAGE_HAS_CHILDREN)
		call->problem.advice = "It can be thawed when nothing reads from it: GET "
				       "/v1/images/{image}/children";
	return step;
}

enum api_step update_recover(struct api_call *call)
{
	struct fields fields = {.object = call->body, .problem = &call->problem, .path = ""};
	struct service_image image = {.id = ""};
	enum service_code code;
	uint64_t seen;

	fields_finish(&fields);
	if (call->problem.code != CODE_NONE)
		return API_REPLY;
	code = image_guard(call, &seen);
	if (call->problem.code != CODE_NONE)
		return API_REPLY;
	if (code == SERVICE_OK)
		code = service_image_recover(call->api->service, call->ref, &image, &call->err);
	return code == SERVICE_OK ? answer(call, &image) : call_refused(call, code);
}
