/* image.c - an image as JSON; the names of the fields are those of openapi.yaml. */
#include "image.h"

#include <stdio.h>

#include "number.h"
#include "out.h"

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

const char *image_kind_name(enum service_kind kind)
{
	switch (kind) {
	case SERVICE_DYNAMIC: return "dynamic";
	case SERVICE_FIXED: return "fixed";
	case SERVICE_DIFFERENCING: return "differencing";
	}
	return "dynamic";
}

static const char *frozen_reason(enum service_frozen frozen)
{
	switch (frozen) {
	case SERVICE_NOT_FROZEN: return "";
	case SERVICE_FROZEN_CHILDREN: return "children";
	case SERVICE_FROZEN_REQUEST: return "request";
	}
	return "";
}

static void put_time(struct out *out, const char *name, int64_t unix_ms)
{
	char text[NUMBER_TIME];

	number_time(unix_ms, text);
	out_text(out, name, text);
}

static void put_vhd_time(struct out *out, const char *name, uint32_t seconds)
{
	char text[NUMBER_TIME];

	number_vhd_time_text(seconds, text);
	out_text(out, name, text);
}

static void put_href(struct out *out, const char *id)
{
	char href[64];

	(void)snprintf(href, sizeof href, "/v1/images/%s", id);
	out_text(out, "href", href);
}

static json_t *name_json(const struct service_name *name)
{
	struct out out;

	if (name->id[0] == '\0')
		return json_null();
	out = out_object();
	out_text(&out, "id", name->id);
	out_text_or_null(&out, "name", name->name);
	put_href(&out, name->id);
	return out_take(&out);
}

static json_t *usage_json(const struct service_image *image)
{
	struct out out = out_object();

	out_number(&out, "file", image->file_bytes);
	out_number(&out, "allocated", image->allocated_bytes);
	out_number(&out, "blocks", image->blocks);
	out_number(&out, "blocks_total", image->blocks_total);
	out_number(&out, "chain_file", image->chain_file_bytes);
	out_number(&out, "exclusive", image->file_bytes); /* no two images share a file */
	put_time(&out, "measured_at", image->measured_at);
	return out_take(&out);
}

static json_t *locators_json(const struct service_image *image)
{
	struct out list = out_array();

	for (size_t i = 0; i < image->n_locators; i++) {
		struct out out = out_object();

		out_number(&out, "slot", image->locators[i].slot);
		out_text(&out, "code", image->locators[i].code);
		out_text(&out, "path", image->locators[i].path);
		out_add(&list, out_take(&out));
	}
	return out_take(&list);
}

static json_t *features_json(const struct service_image *image)
{
	struct out list = out_array();

	if (image->temporary)
		out_add_text(&list, "temporary");
	return out_take(&list);
}

static json_t *geometry_json(const struct service_image *image)
{
	struct out out = out_object();

	out_number(&out, "cylinders", image->cylinders);
	out_number(&out, "heads", image->heads);
	out_number(&out, "sectors", image->sectors_per_track);
	return out_take(&out);
}

static json_t *vhd_json(const struct service_image *image)
{
	struct out out = out_object();
	char version[16];

	(void)snprintf(version, sizeof version, "%u.%u", image->creator_version >> 16,
		       image->creator_version & 0xffff);
	out_text_or_null(&out, "parent_uuid", image->parent.id);
	out_bool(&out, "saved_state", image->saved_state);
	out_json(&out, "features", features_json(image));
	out_text(&out, "creator_application", image->creator_application);
	out_text(&out, "creator_version", version);
	out_text(&out, "creator_host_os", image->creator_host_os);
	put_vhd_time(&out, "timestamp", image->vhd_timestamp);
	if (image->kind == SERVICE_DIFFERENCING)
		put_vhd_time(&out, "parent_timestamp", image->vhd_parent_timestamp);
	else
		out_json(&out, "parent_timestamp", json_null());
	out_json(&out, "geometry", geometry_json(image));
	out_json(&out, "locators", locators_json(image));
	return out_take(&out);
}

static json_t *labels_json(const struct service_image *image)
{
	struct out out = out_object();

	for (size_t i = 0; i < image->n_labels; i++)
		out_text(&out, image->labels[i].key, image->labels[i].value);
	return out_take(&out);
}

static json_t *health_json(const struct service_image *image)
{
	bool ok = image_healthy(image);
	struct out problems = out_array();
	struct out out = out_object();

	if (!ok)
		out_add_text(&problems, image_state_name(image->state));
	out_text(&out, "status", ok ? "ok" : "unhealthy");
	out_json(&out, "problems", out_take(&problems));
	return out_take(&out);
}

bool image_healthy(const struct service_image *image)
{
	return image->state != SERVICE_MISSING && image->state != SERVICE_CORRUPT &&
	       image->state != SERVICE_FAILED;
}

bool image_writable(const struct service_image *image)
{
	return image->frozen == SERVICE_NOT_FROZEN && image->state == SERVICE_READY;
}

json_t *image_sample(void)
{
	struct service_label label = {.key = "*"};
	const struct service_image image = {
		.kind = SERVICE_DIFFERENCING,
		.parent = {.id = "-", .name = "-"},
		.root = {.id = "-", .name = "-"},
		.labels = &label,
		.n_labels = 1,
	};

	return image_json(&image);
}

/* Whose image it is, and what it is. */
static void put_head(struct out *out, const struct service_image *image)
{
	bool frozen = image->frozen != SERVICE_NOT_FROZEN;

	out_text(out, "id", image->id);
	out_text(out, "name", image->name);
	put_href(out, image->id);
	out_text(out, "kind", image_kind_name(image->kind));
	out_text(out, "state", image_state_name(image->state));
	out_number(out, "virtual_size", image->virtual_size);
	out_number(out, "sectors", image->virtual_size / 512);
	out_json(out, "block_size",
		 image->block_size > 0 ? json_integer(image->block_size) : json_null());
	out_bool(out, "writable", image_writable(image));
	out_bool(out, "frozen", frozen);
	out_text_or_null(out, "frozen_reason", frozen_reason(image->frozen));
	out_number(out, "depth", image->depth);
	out_number(out, "children_count", image->children_count);
	out_json(out, "parent", name_json(&image->parent));
	out_json(out, "root", name_json(&image->root));
}

json_t *image_json(const struct service_image *image)
{
	struct out out = out_object();

	put_head(&out, image);
	out_json(&out, "usage", usage_json(image));
	out_json(&out, "vhd", vhd_json(image));
	out_text(&out, "pool", image->pool);
	out_text(&out, "file", image->file);
	out_json(&out, "labels", labels_json(image));
	out_text(&out, "description", image->description ? image->description : "");
	out_json(&out, "health", health_json(image));
	out_json(&out, "etag", json_sprintf("m%llu", (unsigned long long)image->meta_version));
	out_text_or_null(&out, "data_etag", image->data_etag);
	put_time(&out, "created_at", image->created_at);
	put_time(&out, "updated_at", image->updated_at);
	return out_take(&out);
}

json_t *image_array(const struct service_images *images)
{
	struct out list = out_array();

	for (size_t i = 0; i < images->n; i++)
		out_add(&list, image_json(&images->items[i]));
	return out_take(&list);
}
