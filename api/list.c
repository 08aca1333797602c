/* list.c - lists of images: filters, order, pages. The catalog lists by name; another order, or a
 * filter, is found by a pass over it that keeps one page at most. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "embed.h"
#include "filter.h"
#include "handlers.h"
#include "hash.h"
#include "image.h"
#include "order.h"
#include "out.h"
#include "pass.h"
#include "scope.h"
#include "view.h"

enum { LIST_DEFAULT = 100 };

static const char columns[] =
	"name kind state virtual_size usage.file depth children_count parent.name";

struct list {
	struct view view;
	struct filter filter;
	struct order order;
	const char *parent; /* id; NULL = all images */
	struct order_place after;
	bool has_after, count;
	bool plain; /* the catalog has them in this order, all of them, and counts them itself */
	unsigned embed;
	size_t limit;

	/* what was found: in order, one more than a page at most */
	struct list_item {
		struct order_place place;
		struct service_image image;
	} * *items; /* heap, a page and one more */
	size_t n;
	uint64_t total, revision;
	char health[SERVICE_HEALTH];
	bool failed;
};

static void item_free(struct list_item *item)
{
	service_image_fini(&item->image);
	free(item);
}

static void forget(struct list *list)
{
	while (list->n > 0)
		item_free(list->items[--list->n]);
}

static void list_fini(struct list *list)
{
	forget(list);
	free(list->items);
	view_fini(&list->view);
}

/* ---- parse ---- */

/* Lists with whole images in them are short, and have no columns. */
static bool parse_embed(struct api_call *call, struct list *list)
{
	struct view format = {.n = 0};

	if (!embed_parse(call, &list->embed) || !view_parse_format(call, &format))
		return false;
	if (list->embed == 0)
		return true;
	if (format.format == VIEW_TEXT || format.format == VIEW_CSV)
		problem_parameter(&call->problem, "embed", CODE_INVALID_VALUE,
				  "is possible in json and ndjson only");
	if (list->limit > EMBED_LIST_MAX)
		problem_parameter(&call->problem, "limit", CODE_INVALID_VALUE,
				  "with embed, %zu is more than %d", list->limit, EMBED_LIST_MAX);
	return call->problem.code == CODE_NONE;
}

static bool parse(struct api_call *call, struct list *list)
{
	const char *cursor = query_get(&call->query, "cursor");
	const char *sort = query_get(&call->query, "sort");
	uint64_t most = call_limits(call)->list;
	uint64_t limit = most < LIST_DEFAULT ? most : LIST_DEFAULT;

	query_limit(&call->query, "limit", most, &limit, &call->problem);
	query_bool(&call->query, "count", &list->count, &call->problem);
	list->limit = limit;
	if (!filter_parse(&call->query, service_now(call->api->service), &list->filter,
			  &call->problem) ||
	    !parse_embed(call, list) || !view_parse(call, image_sample, &list->view))
		return false;
	if (!order_parse(sort, &list->order)) {
		problem_parameter(&call->problem, "sort", CODE_INVALID_VALUE,
				  "'%.40s' is not up to %d of " ORDER_FIELDS
				  ", with '-' in front for descending",
				  sort, ORDER_KEYS);
		return false;
	}
	list->has_after = cursor != NULL;
	if (cursor && !order_cursor_parse(&list->order, list->filter.hash, cursor, &list->after))
		problem_parameter(&call->problem, "cursor", CODE_INVALID_VALUE,
				  "is not one that this list, with these filters, gave");
	return call->problem.code == CODE_NONE;
}

/* ---- collect ---- */

/* Where the place belongs among what was found. */
static size_t position(const struct list *list, const struct order_place *place)
{
	size_t low = 0;
	size_t high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order_compare(&list->order, &list->items[middle]->place, place) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Takes over what the image owns, if it belongs to the page. */
static void keep(struct list *list, struct service_image *image, const struct order_place *place)
{
	size_t at = position(list, place);
	struct list_item *item;

	if (at > list->limit)
		return;
	item = malloc(sizeof *item);
	if (!item) {
		list->failed = true;
		return;
	}
	*item = (struct list_item){.place = *place, .image = *image};
	memset(image, 0, sizeof *image);
	if (list->n > list->limit)
		item_free(list->items[--list->n]);
	memmove(&list->items[at + 1], &list->items[at], (list->n - at) * sizeof(void *));
	list->items[at] = item;
	list->n++;
}

static void consider(struct list *list, struct service_image *image)
{
	struct order_place place;

	if (list->parent && strcmp(image->parent.id, list->parent) != 0)
		return;
	if (!filter_matches(&list->filter, image))
		return;
	list->total += !list->plain;
	order_place(&list->order, image, &place);
	if (!list->has_after || order_compare(&list->order, &place, &list->after) > 0)
		keep(list, image, &place);
}

/* The rest of the catalog cannot add to the page. */
static bool enough(const struct list *list)
{
	return list->failed || (list->n > list->limit && order_by_name(&list->order) &&
				(!list->count || list->plain));
}

static bool begin(void *ctx)
{
	struct list *list = ctx;

	forget(list);
	list->total = 0;
	return true;
}

static bool take(void *ctx, struct service_image *image)
{
	struct list *list = ctx;

	consider(list, image);
	return !enough(list);
}

static enum service_code look(struct api_call *call, struct list *list)
{
	const char *name = list->has_after ? list->after.values[0].text : NULL;
	/* Who lists by name goes on where the page before ended; a count of what filters let
	 * through begins at the start. */
	bool goes_on = order_by_name(&list->order) && (!list->count || list->plain);
	const struct pass pass = {.after = goes_on ? name : NULL,
				  .look = list->plain ? list->limit + 1 : 0,
				  .count = list->plain && list->count,
				  .begin = begin,
				  .take = take,
				  .ctx = list};
	struct service_images seen;
	enum service_code code = pass_run(call, &pass, &seen);

	if (code != SERVICE_OK)
		return code;
	list->revision = seen.revision;
	memcpy(list->health, seen.health, sizeof list->health);
	if (pass.count)
		list->total = seen.total;
	return SERVICE_OK;
}

static enum service_code collect(struct api_call *call, struct list *list)
{
	list->items = calloc(list->limit + 2, sizeof(void *));
	list->failed = !list->items;
	list->plain = order_by_name(&list->order) && list->filter.n == 0 && !list->parent;
	return list->failed ? SERVICE_OK : look(call, list);
}

/* ---- answer ---- */

static json_t *rest_json(const struct list *list, const char *next)
{
	struct out out = out_object();

	out_text_or_null(&out, "next", next);
	if (list->count)
		out_number(&out, "total", list->total);
	out_number(&out, "revision", list->revision);
	return out_take(&out);
}

/* The first `n` images with what is embedded. False: `ret_step` is the answer. */
static bool embed(struct api_call *call, const struct list *list, size_t n, struct put *items,
		  enum api_step *ret_step)
{
	const char *ids[EMBED_LIST_MAX];
	enum service_code code;

	if (list->embed == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		ids[i] = list->items[i]->image.id;
	/* What is picked is picked before: what is embedded needs not be named. */
	for (size_t i = 0; i < n && items->root; i++) {
		json_t *picked =
			view_pick(&list->view, json_incref(json_array_get(items->root, i)));

		items->failed |= json_array_set_new(items->root, i, picked) != 0;
	}
	code = items->failed ? SERVICE_INTERNAL : embed_into(call, list->embed, items->root, ids);
	if (code != SERVICE_OK)
		*ret_step = call_refused(call, code);
	return code == SERVICE_OK;
}

/* Images come into a list and leave it also when only time has passed, or data was written. */
static void tag(const struct list *list, size_t n, const char *next,
		char ret_etag[IMAGE_LIST_ETAG + HASH_SUFFIX])
{
	uint64_t hash = 0;

	for (size_t i = 0; i < n; i++)
		hash = hash_bytes(hash, list->items[i]->image.id, strlen(list->items[i]->image.id));
	if (list->count)
		hash = hash_bytes(hash, &list->total, sizeof list->total);
	if (*next)
		hash = hash_bytes(hash, next, strlen(next));
	image_list_etag(list->revision, list->health, ret_etag);
	hash_suffix(hash, ret_etag + strlen(ret_etag));
}

static enum api_step answer(struct api_call *call, const struct list *list)
{
	struct view view = list->view;
	size_t n = list->n > list->limit ? list->limit : list->n;
	char link[7 + ORDER_CURSOR] = "cursor=";
	char *next = link + 7;
	CLEANUP(put_fini) struct put items = {.tree = view_picks(&list->view) || list->embed};
	enum api_step step;
	char etag[IMAGE_LIST_ETAG + HASH_SUFFIX];

	if (n < list->n)
		order_cursor(&list->order, list->filter.hash, &list->items[n - 1]->place, next);
	tag(list, n, next, etag);
	if (!view_etag(call, etag))
		return API_REPLY;
	put_open(&items, NULL, '[');
	for (size_t i = 0; i < n; i++)
		image_put(&items, &list->items[i]->image);
	put_close(&items, ']');
	if (!embed(call, list, n, &items, &step))
		return step;
	view.n = list->embed ? 0 : view.n;
	step = view_list_put(call, &view, &items, rest_json(list, next), columns);
	call_header(call, "ETag", "W/\"%s\"", etag);
	if (*next)
		call_next(call, "cursor", link);
	return step;
}

static enum api_step run(struct api_call *call, struct list *list)
{
	enum service_code code = collect(call, list);

	if (code != SERVICE_OK)
		return call_refused(call, code);
	return list->failed ? call_no_memory(call) : answer(call, list);
}

enum api_step list_images(struct api_call *call)
{
	CLEANUP(list_fini) struct list list = {.n = 0};

	return parse(call, &list) ? run(call, &list) : API_REPLY;
}

enum api_step list_children(struct api_call *call)
{
	CLEANUP(service_image_fini) struct service_image image = {.id = ""};
	CLEANUP(list_fini) struct list list = {.n = 0};
	enum service_code code;

	if (!parse(call, &list))
		return API_REPLY;
	code = service_image_get(call->api->service, call->ref, call->nowait ? SERVICE_NOWAIT : 0,
				 &image, &call->err);
	if (code != SERVICE_OK)
		return call_refused(call, code);
	list.parent = image.id;
	return run(call, &list);
}
