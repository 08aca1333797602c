/* image.c - an image as JSON; the names of the fields are those of openapi.yaml. */
#include "image.h"

#include <stdio.h>

#include "number.h"
#include "put.h"
#include "scope.h"

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

static void time_member(struct buf *buf, const char *name, int64_t unix_ms)
{
	char text[NUMBER_TIME];

	number_time(unix_ms, text);
	put_string(buf, name, text);
}

static void vhd_time_member(struct buf *buf, const char *name, uint32_t seconds)
{
	char text[NUMBER_TIME];

	number_vhd_time_text(seconds, text);
	put_string(buf, name, text);
}

static void href_member(struct buf *buf, const char *id)
{
	char href[64];

	(void)snprintf(href, sizeof href, "/v1/images/%s", id);
	put_string(buf, "href", href);
}

static void relative_member(struct buf *buf, const char *name, const struct service_name *relative)
{
	if (relative->id[0] == '\0') {
		put_null(buf, name);
		return;
	}
	put_open(buf, name, '{');
	put_string(buf, "id", relative->id);
	put_string_or_null(buf, "name", relative->name);
	href_member(buf, relative->id);
	put_close(buf, '}');
}

static void usage_member(struct buf *buf, const struct service_image *image)
{
	put_open(buf, "usage", '{');
	put_number(buf, "file", image->file_bytes);
	put_number(buf, "allocated", image->allocated_bytes);
	put_number(buf, "blocks", image->blocks);
	put_number(buf, "blocks_total", image->blocks_total);
	put_number(buf, "chain_file", image->chain_file_bytes);
	put_number(buf, "exclusive", image->file_bytes); /* no two images share a file */
	time_member(buf, "measured_at", image->measured_at);
	put_close(buf, '}');
}

static void locators_member(struct buf *buf, const struct service_image *image)
{
	put_open(buf, "locators", '[');
	for (size_t i = 0; i < image->n_locators; i++) {
		put_open(buf, NULL, '{');
		put_number(buf, "slot", image->locators[i].slot);
		put_string(buf, "code", image->locators[i].code);
		put_string(buf, "path", image->locators[i].path);
		put_close(buf, '}');
	}
	put_close(buf, ']');
}

static void geometry_member(struct buf *buf, const struct service_image *image)
{
	put_open(buf, "geometry", '{');
	put_number(buf, "cylinders", image->cylinders);
	put_number(buf, "heads", image->heads);
	put_number(buf, "sectors", image->sectors_per_track);
	put_close(buf, '}');
}

static void vhd_member(struct buf *buf, const struct service_image *image)
{
	char version[16];

	(void)snprintf(version, sizeof version, "%u.%u", image->creator_version >> 16,
		       image->creator_version & 0xffff);
	put_open(buf, "vhd", '{');
	put_string_or_null(buf, "parent_uuid", image->parent.id);
	put_bool(buf, "saved_state", image->saved_state);
	put_open(buf, "features", '[');
	if (image->temporary)
		put_string(buf, NULL, "temporary");
	put_close(buf, ']');
	put_string(buf, "creator_application", image->creator_application);
	put_string(buf, "creator_version", version);
	put_string(buf, "creator_host_os", image->creator_host_os);
	vhd_time_member(buf, "timestamp", image->vhd_timestamp);
	if (image->kind == SERVICE_DIFFERENCING)
		vhd_time_member(buf, "parent_timestamp", image->vhd_parent_timestamp);
	else
		put_null(buf, "parent_timestamp");
	geometry_member(buf, image);
	locators_member(buf, image);
	put_close(buf, '}');
}

static void labels_member(struct buf *buf, const struct service_image *image)
{
	put_open(buf, "labels", '{');
	for (size_t i = 0; i < image->n_labels; i++)
		put_string(buf, image->labels[i].key, image->labels[i].value);
	put_close(buf, '}');
}

static void health_member(struct buf *buf, const struct service_image *image)
{
	bool ok = image_healthy(image);

	put_open(buf, "health", '{');
	put_string(buf, "status", ok ? "ok" : "unhealthy");
	put_open(buf, "problems", '[');
	if (!ok)
		put_string(buf, NULL, image_state_name(image->state));
	put_close(buf, ']');
	put_close(buf, '}');
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
static void head_members(struct buf *buf, const struct service_image *image)
{
	put_string(buf, "id", image->id);
	put_string(buf, "name", image->name);
	href_member(buf, image->id);
	put_string(buf, "kind", image_kind_name(image->kind));
	put_string(buf, "state", image_state_name(image->state));
	put_number(buf, "virtual_size", image->virtual_size);
	put_number(buf, "sectors", image->virtual_size / 512);
	if (image->block_size > 0)
		put_number(buf, "block_size", image->block_size);
	else
		put_null(buf, "block_size");
	put_bool(buf, "writable", image_writable(image));
	put_bool(buf, "frozen", image->frozen != SERVICE_NOT_FROZEN);
	put_string_or_null(buf, "frozen_reason", frozen_reason(image->frozen));
	put_number(buf, "depth", image->depth);
	put_number(buf, "children_count", image->children_count);
	relative_member(buf, "parent", &image->parent);
	relative_member(buf, "root", &image->root);
}

void image_put(struct buf *buf, const struct service_image *image)
{
	char etag[32];

	(void)snprintf(etag, sizeof etag, "m%llu", (unsigned long long)image->meta_version);
	put_open(buf, NULL, '{');
	head_members(buf, image);
	usage_member(buf, image);
	vhd_member(buf, image);
	put_string_or_null(buf, "pool", image->pool);
	put_string(buf, "file", image->file);
	put_bool(buf, "linked", image->linked);
	labels_member(buf, image);
	put_string(buf, "description", image->description ? image->description : "");
	health_member(buf, image);
	put_string(buf, "etag", etag);
	put_string_or_null(buf, "data_etag", image->data_etag);
	time_member(buf, "created_at", image->created_at);
	time_member(buf, "updated_at", image->updated_at);
	put_close(buf, '}');
}

json_t *image_json(const struct service_image *image)
{
	CLEANUP(buf_fini) struct buf buf = {0};

	image_put(&buf, image);
	return put_parse(&buf);
}

json_t *image_array(const struct service_images *images)
{
	CLEANUP(buf_fini) struct buf buf = {0};

	image_put_all(&buf, images);
	return put_parse(&buf);
}

void image_put_all(struct buf *buf, const struct service_images *images)
{
	put_open(buf, NULL, '[');
	for (size_t i = 0; i < images->n; i++)
		image_put(buf, &images->items[i]);
	put_close(buf, ']');
}
