/* adopt.c - images out of files that are there already: POST with "source". */
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "fields.h"
#include "handlers.h"
#include "image.h"
#include "labels.h"
#include "out.h"
#include "scope.h"

enum { PATH_MAX_BYTES = 1024, SEARCH_MAX = 16 };

struct adoption {
	struct service_adopt spec;
	const char *search[SEARCH_MAX];
	struct service_label *labels; /* heap */
};

static void adoption_fini(struct adoption *adoption)
{
	free(adoption->labels);
}

static void add_folder(struct fields *fields, const json_t *folder, struct adoption *adoption)
{
	const char *path = json_string_value(folder);

	if (!path || path[0] != '/' || json_string_length(folder) >= PATH_MAX_BYTES)
		fields_error(fields, "search_path", CODE_INVALID_VALUE,
			     "must be absolute folders, %d at most", SEARCH_MAX);
	else
		adoption->search[adoption->spec.n_search++] = path;
}

static void parse_search(struct fields *fields, struct adoption *adoption)
{
	json_t *list = fields_get(fields, "search_path");

	adoption->spec.search = adoption->search;
	if (list && (!json_is_array(list) || json_array_size(list) > SEARCH_MAX)) {
		fields_error(
			fields, "search_path", CODE_INVALID_VALUE,
			"must be an array of absolute folders, %d at most; a form has no arrays, "
			"JSON has",
			SEARCH_MAX);
		return;
	}
	for (size_t i = 0; i < json_array_size(list); i++)
		add_folder(fields, json_array_get(list, i), adoption);
}

static void parse_mode(struct fields *fields, struct service_adopt *spec)
{
	static const char *const modes[] = {"adopt", "link"};
	unsigned mode = SERVICE_ADOPT;

	if (!fields_later_choice(fields, "mode", "copy"))
		fields_choice(fields, "mode", modes, 2, &mode);
	spec->mode = (enum service_adopt_mode)mode;
}

static void parse_kind(struct fields *fields, struct service_adopt *spec)
{
	static const char *const kinds[] = {"fixed", "dynamic", "differencing"};
	static const enum service_adopt_kind wanted[] = {SERVICE_ONLY_FIXED, SERVICE_ONLY_DYNAMIC,
							 SERVICE_ONLY_DIFFERENCING,
							 SERVICE_ANY_KIND};
	unsigned kind = 3;

	fields_choice(fields, "kind", kinds, 3, &kind);
	spec->kind = wanted[kind];
}

static void parse_source(struct fields *fields, struct adoption *adoption)
{
	static const char *const checks[] = {"quick"};
	struct service_adopt *spec = &adoption->spec;
	unsigned check = 0;
	bool write = true;

	fields_later(fields, "image");
	fields_text(fields, "path", PATH_MAX_BYTES, &spec->path);
	if ((!spec->path || !*spec->path) && !json_object_get(fields->object, "image"))
		fields_error(fields, "path", CODE_INVALID_VALUE, "is required");
	parse_search(fields, adoption);
	spec->chain = true;
	fields_bool(fields, "chain", &spec->chain);
	fields_bool(fields, "strict", &spec->strict);
	fields_bool(fields, "rw", &write);
	spec->read_only = !write;
	parse_mode(fields, spec);
	parse_kind(fields, spec);
	if (!fields_later_choice(fields, "check", "full") &&
	    !fields_later_choice(fields, "check", "deep"))
		fields_choice(fields, "check", checks, 1, &check);
	fields_finish(fields);
}

static bool parse(struct api_call *call, struct adoption *adoption)
{
	struct fields fields = {.object = call->body, .problem = &call->problem, .path = ""};
	struct fields source = {.object = fields_get(&fields, "source"),
				.problem = &call->problem,
				.path = "/source"};
	struct service_adopt *spec = &adoption->spec;

	if (!json_is_object(source.object))
		fields_error(&fields, "source", CODE_INVALID_VALUE,
			     "must be an object; in a form, source.path=FILE");
	else
		parse_source(&source, adoption);
	fields_text(&fields, "name", SIZE_MAX, &spec->name);
	if (spec->name && !gate_name(spec->name))
		fields_error(&fields, "name", CODE_INVALID_NAME, "'%.130s' is not a name",
			     spec->name);
	fields_text(&fields, "description", SERVICE_DESCRIPTION, &spec->description);
	adoption->labels = labels_parse(&fields, &spec->n_labels);
	spec->labels = adoption->labels;
	fields_finish(&fields);
	return call->problem.code == CODE_NONE;
}

static json_t *adopted_json(const struct service_adopted *adopted)
{
	struct out warnings = out_array();
	struct out out = out_object();

	for (size_t i = 0; i < adopted->n_warnings; i++)
		out_add_text(&warnings, adopted->warnings[i]);
	out_json(&out, "image", image_json(&adopted->images.items[0]));
	out_json(&out, "adopted", image_array(&adopted->images));
	out_json(&out, "already_known", image_array(&adopted->known));
	out_json(&out, "warnings", out_take(&warnings));
	return out_take(&out);
}

static const char *advice(enum service_code code, const struct service_error *err)
{
	if (code == SERVICE_DUPLICATE_UUID && !err->image.name[0]) /* clients cannot see it */
		return "Adopt it when that image is gone, as 'detail' says.";
	if (code == SERVICE_DUPLICATE_UUID)
		return "See whether it is that image already: GET /v1/images/{image}. A copy of it "
		       "cannot be adopted beside it.";
	if (code == SERVICE_PARENT_MISSING)
		return "Adopt the parent first, or name its folder in source.search_path; with "
		       "source.chain false and without strict the file is adopted alone.";
	return NULL;
}

enum api_step adopt_file(struct api_call *call)
{
	CLEANUP(adoption_fini) struct adoption adoption = {.labels = NULL};
	struct service_adopted adopted = {.n_warnings = 0};
	enum service_code code;
	enum api_step step;

	if (!parse(call, &adoption))
		return API_REPLY;
	code = service_image_adopt(call->api->service, &adoption.spec, &adopted, &call->err);
	call->problem.advice = advice(code, &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	if (adopted.images.n == 0)
		return call_fail(call, CODE_INTERNAL, "nothing was adopted");
	call_done(call, adopted.images.items);
	step = call_json(call, 201, adopted_json(&adopted));
	image_locate(call, adopted.images.items);
	service_adopted_fini(&adopted);
	return step;
}
