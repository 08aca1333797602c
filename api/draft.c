/* draft.c - the fields of a new image. */
#include "draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feature.h"
#include "fields.h"
#include "labels.h"
#include "number.h"

static const uint64_t size_max = UINT64_C(2040) << 30;

void draft_fini(struct draft *draft)
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

/* PUT takes no source. */
static void parse_size(struct fields *fields, struct service_create *spec, bool named)
{
	bool given = fields_size(fields, "size", &spec->size);

	if (given && spec->size > size_max)
		fields_error(fields, "size", CODE_SIZE_TOO_LARGE,
			     "%llu is more than 2040 GiB (%llu)", (unsigned long long)spec->size,
			     (unsigned long long)size_max);
	else if (given && spec->size == 0)
		fields_error(fields, "size", CODE_INVALID_VALUE, "a disk has at least 512 bytes");
	else if (given && spec->size % 512 != 0)
		fields_error(fields, "size", CODE_INVALID_VALUE,
			     "%llu is not a multiple of 512 bytes; the next one is %llu",
			     (unsigned long long)spec->size,
			     (unsigned long long)(spec->size / 512 + 1) * 512);
	if (!given && !spec->parent && !json_object_get(fields->object, "size"))
		fields_error(fields, "size", CODE_INVALID_VALUE,
			     "is required, unless there is a parent%s",
			     named ? "" : " or a source");
}

static void parse_kind(struct fields *fields, struct service_create *spec)
{
	static const char *const kinds[] = {"dynamic", "fixed", "differencing"};
	unsigned kind = spec->parent ? SERVICE_DIFFERENCING : SERVICE_DYNAMIC;

	if (!fields_later_choice(fields, "kind", "raw"))
		fields_choice(fields, "kind", kinds, 3, &kind);
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
	if (!number_uuid(text, draft->uuid))
		fields_error(fields, "uuid", CODE_INVALID_VALUE, "'%.40s' is not a UUID", text);
	else if (strcmp(draft->uuid, "00000000-0000-0000-0000-000000000000") == 0)
		fields_error(fields, "uuid", CODE_INVALID_VALUE,
			     "the nil UUID names no image; leave it out to get one");
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
	static const char *const words[] = {"sparse", "falloc"};
	unsigned choice = SERVICE_SPARSE;

	if (!fields_later_choice(fields, "preallocation", "full"))
		fields_choice(fields, "preallocation", words, 2, &choice);
	if (choice != SERVICE_SPARSE && spec->kind != SERVICE_FIXED)
		fields_error(fields, "preallocation", CODE_INVALID_VALUE, "is for fixed images");
	spec->preallocation = (enum service_preallocation)choice;
}

static void parse_origin(struct fields *fields, struct service_create *spec)
{
	const char *time = NULL;
	const char *creator = NULL;

	fields_text(fields, "timestamp", SIZE_MAX, &time);
	if (time && !number_vhd_time(time, &spec->vhd_timestamp))
		fields_error(
			fields, "timestamp", CODE_INVALID_VALUE,
			"'%.40s' is not a time of the years 2000 to 2136 like 2026-11-22T06:00:00Z",
			time);
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

/* All fields but kind and parent, which the path of a snapshot says, and the name, which that of
 * PUT does. */
static void parse_common(struct fields *fields, struct draft *draft, bool named)
{
	struct service_create *spec = &draft->spec;

	if (!named)
		parse_name(fields, spec);
	parse_size(fields, spec, named);
	parse_uuid(fields, draft);
	(void)feature_parse(fields, &spec->temporary);
	parse_layout(fields, spec);
	parse_origin(fields, spec);
	parse_pool(fields, spec);
	fields_text(fields, "description", SERVICE_DESCRIPTION, &spec->description);
	draft->labels = labels_parse(fields, &spec->n_labels);
	spec->labels = draft->labels;
}

bool draft_parse(struct api_call *call, struct draft *draft, bool named)
{
	struct fields fields = {.object = call->body, .problem = &call->problem, .path = ""};

	parse_parent(&fields, &draft->spec);
	parse_kind(&fields, &draft->spec);
	if (!named)
		(void)fields_get(&fields, "source"); /* known, though with one it is adopted */
	else if (json_object_get(call->body, "name") && fields_get(&fields, "name"))
		fields_error(&fields, "name", CODE_INVALID_VALUE, "is in the path already");
	parse_common(&fields, draft, named);
	parse_preallocation(&fields, &draft->spec);
	fields_later(&fields, "new_uuid");
	fields_finish(&fields);
	return call->problem.code == CODE_NONE;
}

bool draft_parse_child(struct api_call *call, struct draft *draft)
{
	struct fields fields = {.object = call->body, .problem = &call->problem, .path = ""};

	parse_common(&fields, draft, false);
	fields_finish(&fields);
	return call->problem.code == CODE_NONE;
}
