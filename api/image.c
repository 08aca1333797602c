/* image.c - an image as JSON; the names of the fields are those of openapi.yaml. */
#include "image.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

const char *image_state_name(enum service_state state)
{
	switch (state) {
	case SERVICE_CREATING: return "creating";
	case SERVICE_READY: return "ready";
	case SERVICE_BUSY: return "busy";
	case SERVICE_MISSING: return "missing";
	case SERVICE_CORRUPT: return "corrupt";
	case SERVICE_ORPHAN: return "parent-missing";
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

static void time_member(struct put *put, const char *name, int64_t unix_ms)
{
	char text[NUMBER_TIME];

	number_time(unix_ms, text);
	put_string(put, name, text);
}

static void vhd_time_member(struct put *put, const char *name, uint32_t seconds)
{
	char text[NUMBER_TIME];

	number_vhd_time_text(seconds, text);
	put_string(put, name, text);
}

static void href_member(struct put *put, const char id[SERVICE_ID])
{
	static const char folder[] = "/v1/images/";
	char href[sizeof folder + SERVICE_ID] = "/v1/images/";

	memcpy(href + strlen(folder), id, SERVICE_ID);
	put_string(put, "href", href);
}

void image_etag(const struct service_image *image, char ret_etag[SERVICE_ETAG])
{
	const char *problem = image_problem(image);

	service_meta_etag(image->id, image->meta_version, image->parent.name, image->root.name,
			  ret_etag);
	/* The row does not know of a file that is gone, or has failed. */
	if (problem)
		(void)snprintf(ret_etag + strlen(ret_etag), IMAGE_STATE, ".%s", problem);
}

void image_list_etag(uint64_t revision, const char *health, char ret_etag[IMAGE_LIST_ETAG])
{
	(void)snprintf(ret_etag, IMAGE_LIST_ETAG, "c%" PRIu64 "%s%s", revision, *health ? "." : "",
		       health);
}

void image_tag(struct api_call *call, const struct service_image *image)
{
	char etag[SERVICE_ETAG];

	image_etag(image, etag);
	call_header(call, "ETag", "\"%s\"", etag);
}

void image_locate(struct api_call *call, const struct service_image *image)
{
	call_header(call, "Location", "/v1/images/%s", image->id);
	image_tag(call, image);
}

static void relative_member(struct put *put, const char *name, const struct service_name *relative)
{
	if (relative->id[0] == '\0') {
		put_null(put, name);
		return;
	}
	put_open(put, name, '{');
	put_string(put, "id", relative->id);
	put_string_or_null(put, "name", relative->name);
	href_member(put, relative->id);
	put_close(put, '}');
}

static void usage_member(struct put *put, const struct service_image *image)
{
	put_open(put, "usage", '{');
	put_number(put, "file", image->file_bytes);
	put_number(put, "allocated", image->allocated_bytes);
	put_number(put, "blocks", image->blocks);
	put_number(put, "blocks_total", image->blocks_total);
	put_number(put, "chain_file", image->chain_file_bytes);
	/* No two images share a file, and one that is linked stays. */
	put_number(put, "exclusive", image->linked ? 0 : image->file_bytes);
	time_member(put, "measured_at", image->measured_at);
	put_close(put, '}');
}

static void locators_member(struct put *put, const struct service_image *image)
{
	if (image->kind == SERVICE_DIFFERENCING && !image->locators) { /* not read */
		put_null(put, "locators");
		return;
	}
	put_open(put, "locators", '[');
	for (size_t i = 0; i < image->n_locators; i++) {
		put_open(put, NULL, '{');
		put_number(put, "slot", image->locators[i].slot);
		put_string(put, "code", image->locators[i].code);
		put_string(put, "path", image->locators[i].path);
		put_close(put, '}');
	}
	put_close(put, ']');
}

static void geometry_member(struct put *put, const struct service_image *image)
{
	put_open(put, "geometry", '{');
	put_number(put, "cylinders", image->cylinders);
	put_number(put, "heads", image->heads);
	put_number(put, "sectors", image->sectors_per_track);
	put_close(put, '}');
}

static void vhd_member(struct put *put, const struct service_image *image)
{
	char version[2 * NUMBER_TEXT];
	char *dot = number_text(image->creator_version >> 16, version);

	*dot = '.';
	(void)number_text(image->creator_version & 0xffff, dot + 1);
	put_open(put, "vhd", '{');
	put_string_or_null(put, "parent_uuid", image->parent.id);
	put_bool(put, "saved_state", image->saved_state);
	put_open(put, "features", '[');
	if (image->temporary)
		put_string(put, NULL, "temporary");
	put_close(put, ']');
	put_string(put, "creator_application", image->creator_application);
	put_string(put, "creator_version", version);
	put_string(put, "creator_host_os", image->creator_host_os);
	vhd_time_member(put, "timestamp", image->vhd_timestamp);
	if (image->kind == SERVICE_DIFFERENCING)
		vhd_time_member(put, "parent_timestamp", image->vhd_parent_timestamp);
	else
		put_null(put, "parent_timestamp");
	geometry_member(put, image);
	locators_member(put, image);
	put_close(put, '}');
}

static void labels_member(struct put *put, const struct service_image *image)
{
	put_open(put, "labels", '{');
	for (size_t i = 0; i < image->n_labels; i++)
		put_string(put, image->labels[i].key, image->labels[i].value);
	put_close(put, '}');
}

static void health_member(struct put *put, const struct service_image *image)
{
	const char *problem = image_problem(image);

	put_open(put, "health", '{');
	put_string(put, "status", problem ? "unhealthy" : "ok");
	put_open(put, "problems", '[');
	if (problem)
		put_string(put, NULL, problem);
	put_close(put, ']');
	if (image->checked_at > 0)
		time_member(put, "checked_at", image->checked_at);
	else
		put_null(put, "checked_at");
	put_close(put, '}');
}

const char *image_problem(const struct service_image *image)
{
	if (image->state == SERVICE_MISSING || image->state == SERVICE_CORRUPT ||
	    image->state == SERVICE_FAILED || image->state == SERVICE_ORPHAN)
		return image_state_name(image->state);
	return image->damaged ? "damaged-block" : NULL;
}

bool image_writable(const struct service_image *image)
{
	return image->frozen == SERVICE_NOT_FROZEN && image->state == SERVICE_READY &&
	       !image->broken;
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
static void head_members(struct put *put, const struct service_image *image)
{
	put_string(put, "id", image->id);
	put_string(put, "name", image->name);
	href_member(put, image->id);
	put_string(put, "kind", image_kind_name(image->kind));
	put_string(put, "state", image_state_name(image->state));
	put_number(put, "virtual_size", image->virtual_size);
	put_number(put, "sectors", image->virtual_size / 512);
	if (image->block_size > 0)
		put_number(put, "block_size", image->block_size);
	else
		put_null(put, "block_size");
	put_bool(put, "writable", image_writable(image));
	put_bool(put, "frozen", image->frozen != SERVICE_NOT_FROZEN);
	put_string_or_null(put, "frozen_reason", frozen_reason(image->frozen));
	put_number(put, "depth", image->depth);
	put_number(put, "children_count", image->children_count);
	relative_member(put, "parent", &image->parent);
	relative_member(put, "root", &image->root);
}

void image_put(struct put *put, const struct service_image *image)
{
	char etag[SERVICE_ETAG];

	image_etag(image, etag);
	put_open(put, NULL, '{');
	head_members(put, image);
	usage_member(put, image);
	vhd_member(put, image);
	put_string_or_null(put, "pool", image->pool);
	put_string(put, "file", image->file);
	put_bool(put, "linked", image->linked);
	labels_member(put, image);
	put_string(put, "description", image->description ? image->description : "");
	health_member(put, image);
	put_string(put, "etag", etag);
	put_string_or_null(put, "data_etag", image->data_etag);
	time_member(put, "created_at", image->created_at);
	time_member(put, "updated_at", image->updated_at);
	put_close(put, '}');
}

void image_put_all(struct put *put, const struct service_images *images)
{
	put_open(put, NULL, '[');
	for (size_t i = 0; i < images->n; i++)
		image_put(put, &images->items[i]);
	put_close(put, ']');
}

json_t *image_json(const struct service_image *image)
{
	struct put put = {.tree = true};

	image_put(&put, image);
	return put_take(&put);
}

json_t *image_array(const struct service_images *images)
{
	struct put put = {.tree = true};

	image_put_all(&put, images);
	return put_take(&put);
}
