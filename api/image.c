/* image.c - an image as JSON; the names of the fields are those of openapi.yaml. */
#include "image.h"

#include <stdio.h>

#include "number.h"

const char *image_state_name(enum service_state state)
{
	switch (state) {
	case SERVICE_CREATING: return "creating";
	case SERVICE_READY: return "ready";
	case SERVICE_BUSY: return "busy";
	case SERVICE_MISSING: return "missing";
	case SERVICE_CORRUPT: return "corrupt";
	case SERVICE_FAILED: return "failed";
	case SERVICE_DELETING: return "deleting";
	}
	return "corrupt";
}

static const char *kind_name(enum service_kind kind)
{
	switch (kind) {
	case SERVICE_DYNAMIC: return "dynamic";
	case SERVICE_FIXED: return "fixed";
	case SERVICE_DIFFERENCING: return "differencing";
	}
	return "dynamic";
}

static json_t *frozen_reason(enum service_frozen frozen)
{
	switch (frozen) {
	case SERVICE_NOT_FROZEN: return json_null();
	case SERVICE_FROZEN_CHILDREN: return json_string("children");
	case SERVICE_FROZEN_REQUEST: return json_string("request");
	}
	return json_null();
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *time_json(int64_t unix_ms)
{
	char text[NUMBER_TIME];

	number_time(unix_ms, text);
	return json_string(text);
}

static json_t *vhd_time_json(uint32_t seconds)
{
	char text[NUMBER_TIME];

	number_vhd_time_text(seconds, text);
	return json_string(text);
}

static json_t *name_json(const struct service_name *name)
{
	char href[64];

	if (name->id[0] == '\0')
		return json_null();
	(void)snprintf(href, sizeof href, "/v1/images/%s", name->id);
	return json_pack("{s:s, s:o, s:s}", "id", name->id, "name", text_or_null(name->name),
			 "href", href);
}

static json_t *usage_json(const struct service_image *image)
{
	/* What comes back when this one image goes: its own file, as no two images share one. */
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file", number(image->file_bytes),
			 "allocated", number(image->allocated_bytes), "blocks",
			 number(image->blocks), "blocks_total", number(image->blocks_total),
			 "chain_file", number(image->chain_file_bytes), "exclusive",
			 number(image->file_bytes), "measured_at", time_json(image->measured_at));
}

static json_t *locators_json(const struct service_image *image)
{
	json_t *list = json_array();

	for (size_t i = 0; i < image->n_locators; i++) {
		const struct service_locator *locator = &image->locators[i];

		(void)json_array_append_new(list, json_pack("{s:i, s:s, s:s}", "slot",
							    (int)locator->slot, "code",
							    locator->code, "path", locator->path));
	}
	return list;
}

static json_t *features_json(const struct service_image *image)
{
	json_t *list = json_array();

	if (image->temporary)
		(void)json_array_append_new(list, json_string("temporary"));
	return list;
}

static json_t *vhd_json(const struct service_image *image)
{
	bool child = image->kind == SERVICE_DIFFERENCING;
	char version[16];

	(void)snprintf(version, sizeof version, "%u.%u", image->creator_version >> 16,
		       image->creator_version & 0xffff);
	return json_pack("{s:o, s:b, s:o, s:s, s:s, s:s, s:o, s:o, s:{s:i, s:i, s:i}, s:o}",
			 "parent_uuid", text_or_null(image->parent.id), "saved_state",
			 image->saved_state, "features", features_json(image),
			 "creator_application", image->creator_application, "creator_version",
			 version, "creator_host_os", image->creator_host_os, "timestamp",
			 vhd_time_json(image->vhd_timestamp), "parent_timestamp",
			 child ? vhd_time_json(image->vhd_parent_timestamp) : json_null(),
			 "geometry", "cylinders", image->cylinders, "heads", image->heads,
			 "sectors", image->sectors_per_track, "locators", locators_json(image));
}

static json_t *labels_json(const struct service_image *image)
{
	json_t *labels = json_object();

	for (size_t i = 0; i < image->n_labels; i++)
		(void)json_object_set_new(labels, image->labels[i].key,
					  json_string(image->labels[i].value));
	return labels;
}

static json_t *health_json(const struct service_image *image)
{
	bool ok = image->state != SERVICE_MISSING && image->state != SERVICE_CORRUPT &&
		  image->state != SERVICE_FAILED;
	json_t *problems = json_array();

	if (!ok)
		(void)json_array_append_new(problems, json_string(image_state_name(image->state)));
	return json_pack("{s:s, s:o}", "status", ok ? "ok" : "unhealthy", "problems", problems);
}

/* Whose image it is, and what it is. */
static json_t *head_json(const struct service_image *image)
{
	bool frozen = image->frozen != SERVICE_NOT_FROZEN;
	char href[64];

	(void)snprintf(href, sizeof href, "/v1/images/%s", image->id);
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:b, s:o, s:i, s:o, s:o, s:o}", "id",
		image->id, "name", image->name, "href", href, "kind", kind_name(image->kind),
		"state", image_state_name(image->state), "virtual_size",
		number(image->virtual_size), "sectors", number(image->virtual_size / 512),
		"block_size", image->block_size > 0 ? number(image->block_size) : json_null(),
		"writable", !frozen && image->state == SERVICE_READY, "frozen", frozen,
		"frozen_reason", frozen_reason(image->frozen), "depth", (int)image->depth,
		"children_count", number(image->children_count), "parent",
		name_json(&image->parent), "root", name_json(&image->root));
}

json_t *image_json(const struct service_image *image)
{
	json_t *body = head_json(image);
	json_t *tail = json_pack(
		"{s:o, s:o, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "usage",
		usage_json(image), "vhd", vhd_json(image), "pool", image->pool, "file", image->file,
		"labels", labels_json(image), "description",
		image->description ? image->description : "", "health", health_json(image), "etag",
		json_sprintf("m%llu", (unsigned long long)image->meta_version), "data_etag",
		text_or_null(image->data_etag), "created_at", time_json(image->created_at),
		"updated_at", time_json(image->updated_at));
	bool ok = body && tail && json_object_update(body, tail) == 0;

	json_decref(tail);
	if (ok)
		return body;
	json_decref(body);
	return NULL;
}

json_t *image_array(const struct service_images *images)
{
	json_t *list = json_array();

	for (size_t i = 0; i < images->n; i++) {
		if (json_array_append_new(list, image_json(&images->items[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
