/* embed.c - one look at the chain of each image, and one pass over the catalog for the children of
 * all of them. */
#include "embed.h"

#include <string.h>

#include "image.h"
#include "pass.h"
#include "scope.h"

static unsigned flags(const struct api_call *call)
{
	return call->nowait ? SERVICE_NOWAIT : 0;
}

/* ---- parse ---- */

static unsigned word(struct api_call *call, const char *text, size_t len)
{
	static const struct {
		const char *name;
		unsigned what;
	} words[] = {
		{"parent", EMBED_PARENT},
		{"chain", EMBED_CHAIN},
		{"children", EMBED_CHILDREN},
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strlen(words[i].name) == len && strncmp(words[i].name, text, len) == 0)
			return words[i].what;
	}
	if (len == 4 && strncmp(text, "jobs", 4) == 0)
		problem_parameter(&call->problem, "embed", CODE_NOT_SUPPORTED,
				  "'jobs' is not supported yet");
	else
		problem_parameter(&call->problem, "embed", CODE_INVALID_VALUE,
				  "'%.*s' is none of parent, chain and children",
				  (int)(len < 60 ? len : 60), text);
	return 0;
}

bool embed_parse(struct api_call *call, unsigned *ret_what)
{
	const char *text = query_get(&call->query, "embed");

	*ret_what = 0;
	while (text) {
		size_t len = strcspn(text, ",");

		*ret_what |= word(call, text, len);
		text = text[len] == ',' ? text + len + 1 : NULL;
	}
	return call->problem.code == CODE_NONE;
}

/* ---- chain and parent ---- */

static enum service_code add_chain(struct api_call *call, unsigned what, json_t *item,
				   const char *id)
{
	CLEANUP(service_images_fini) struct service_images images = {0};
	enum service_code code =
		service_image_chain(call->api->service, id, flags(call), &images, &call->err);

	if (code != SERVICE_OK)
		return code;
	if ((what & EMBED_CHAIN) && json_object_set_new(item, "chain", image_array(&images)) != 0)
		return SERVICE_INTERNAL;
	/* A parent that is missing stays a link to nowhere. */
	if ((what & EMBED_PARENT) && images.n > 1 &&
	    json_object_set_new(item, "parent", image_json(&images.items[1])) != 0)
		return SERVICE_INTERNAL;
	return SERVICE_OK;
}

/* ---- children ---- */

/* Of each of the items, and their ids. */
struct children {
	json_t *items;
	const char *const *ids;
	bool failed;
};

static bool start_children(void *ctx)
{
	json_t *items = ((struct children *)ctx)->items;
	size_t i;
	json_t *item;

	json_array_foreach (items, i, item) {
		if (json_object_set_new(item, "children", json_array()) != 0)
			return false;
	}
	return true;
}

/* Gives the image to its parent, when that is among the items. */
static bool adopt(json_t *items, const char *const *ids, const struct service_image *image)
{
	for (size_t i = 0; image->parent.id[0] && i < json_array_size(items); i++) {
		json_t *list;

		if (strcmp(ids[i], image->parent.id) != 0)
			continue;
		list = json_object_get(json_array_get(items, i), "children");
		return json_array_size(list) >= EMBED_CHILDREN_MAX ||
		       json_array_append_new(list, image_json(image)) == 0;
	}
	return true;
}

static bool take_child(void *ctx, struct service_image *image)
{
	struct children *children = ctx;

	children->failed = !adopt(children->items, children->ids, image);
	return !children->failed;
}

static enum service_code add_children(struct api_call *call, json_t *items, const char *const *ids)
{
	struct children children = {.items = items, .ids = ids};
	const struct pass pass = {.begin = start_children, .take = take_child, .ctx = &children};
	struct service_images seen;
	enum service_code code = pass_run(call, &pass, &seen);

	return children.failed ? SERVICE_INTERNAL : code;
}

enum service_code embed_into(struct api_call *call, unsigned what, json_t *items,
			     const char *const *ids)
{
	enum service_code code = SERVICE_OK;
	size_t i;
	json_t *item;

	if (!items)
		return SERVICE_INTERNAL;
	if (what & (EMBED_CHAIN | EMBED_PARENT)) {
		json_array_foreach (items, i, item) {
			code = add_chain(call, what, item, ids[i]);
			if (code != SERVICE_OK)
				return code;
		}
	}
	return what & EMBED_CHILDREN ? add_children(call, items, ids) : code;
}
