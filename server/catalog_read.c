/* catalog_read.c - the questions: single images from memory, lists from the database. */
#include "catalog.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_sql.h"
#include "cleanup.h"

bool catalog_healthy(struct catalog *catalog, char ret_why[CATALOG_WHY])
{
	(void)pthread_mutex_lock(&catalog->memory);
	(void)snprintf(ret_why, CATALOG_WHY, "%s", catalog->sick);
	(void)pthread_mutex_unlock(&catalog->memory);
	return *ret_why == '\0';
}

static int no_memory(struct catalog_error *err)
{
	return catalog_sql_fail(err, CATALOG_E_NOMEM, "catalog: out of memory");
}

int catalog_get(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		struct catalog_image *ret_image, struct catalog_error *err)
{
	const struct catalog_node *node;
	int r;

	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_find(&catalog->index, id);
	r = node ? catalog_index_copy(node, ret_image) : CATALOG_E_NOT_FOUND;
	(void)pthread_mutex_unlock(&catalog->memory);
	if (r == CATALOG_E_NOT_FOUND)
		return catalog_sql_fail(err, r, "no such image");
	return r < 0 ? no_memory(err) : 0;
}

/* Costs nothing when no image misses its parent. */
static bool is_broken(const struct catalog *catalog, const struct catalog_node *node)
{
	return catalog->index.first_orphan && catalog_index_top(node)->image.parent_missing;
}

bool catalog_orphan_of(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		       struct catalog_orphan *ret_orphan)
{
	const struct catalog_node *node;
	bool broken;

	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_find(&catalog->index, id);
	broken = node && is_broken(catalog, node);
	if (broken) {
		node = catalog_index_top(node);
		memcpy(ret_orphan->id, node->image.id, IDS_SIZE);
		memcpy(ret_orphan->parent_id, node->image.parent_id, IDS_SIZE);
		memcpy(ret_orphan->name, node->image.name, CATALOG_NAME);
	}
	(void)pthread_mutex_unlock(&catalog->memory);
	return broken;
}

bool catalog_brief(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		   struct catalog_brief *ret_brief)
{
	const struct catalog_node *node;

	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_find(&catalog->index, id);
	if (node) {
		ret_brief->state = node->image.state;
		ret_brief->kind = node->image.kind;
		ret_brief->frozen = node->image.frozen;
		ret_brief->dirty = node->image.dirty;
		ret_brief->generation = node->image.generation;
		ret_brief->size = node->image.vhd.size;
		ret_brief->file_bytes = node->image.usage.file_bytes;
		ret_brief->sealed = node->image.sealed;
		ret_brief->adopted = node->image.path != NULL;
		ret_brief->broken = is_broken(catalog, node);
		if (ret_brief->broken)
			memcpy(ret_brief->missing_id, catalog_index_top(node)->image.parent_id,
			       IDS_SIZE);
		ret_brief->seal = node->image.seal;
		ret_brief->blocks = node->image.usage.blocks;
		ret_brief->children = node->image.children;
		ret_brief->born = node->image.born;
		ret_brief->leaving = node->image.leaving;
		memcpy(ret_brief->parent_id, node->image.parent_id, IDS_SIZE);
		ret_brief->updated_at = node->image.updated_at;
		memcpy(ret_brief->name, node->image.name, CATALOG_NAME);
		memcpy(ret_brief->pool, node->image.pool, CATALOG_NAME);
	}
	(void)pthread_mutex_unlock(&catalog->memory);
	return node != NULL;
}

static void copy_path(const char *text, char ret_text[CATALOG_PATH])
{
	ret_text[0] = '\0';
	if (text)
		(void)snprintf(ret_text, CATALOG_PATH, "%s", text);
}

void catalog_checked(struct catalog *catalog, const uint8_t id[IDS_SIZE], int64_t now_ms)
{
	struct catalog_node *node;

	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_find(&catalog->index, id);
	if (node)
		node->image.checked_at = now_ms;
	(void)pthread_mutex_unlock(&catalog->memory);
}

void catalog_place_of(const struct catalog_image *image, struct catalog_place *ret_place)
{
	memcpy(ret_place->id, image->id, IDS_SIZE);
	memcpy(ret_place->pool, image->pool, CATALOG_NAME);
	copy_path(image->root, ret_place->root);
	copy_path(image->path, ret_place->path);
	ret_place->linked = image->linked;
}

bool catalog_place(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		   struct catalog_place *ret_place)
{
	const struct catalog_node *node;

	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_find(&catalog->index, id);
	if (node)
		catalog_place_of(&node->image, ret_place);
	(void)pthread_mutex_unlock(&catalog->memory);
	return node != NULL;
}

int catalog_id_of(struct catalog *catalog, const char *name, uint8_t ret_id[IDS_SIZE],
		  struct catalog_error *err)
{
	const struct catalog_node *node;

	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_find_name(&catalog->index, name);
	if (node)
		memcpy(ret_id, node->image.id, IDS_SIZE);
	(void)pthread_mutex_unlock(&catalog->memory);
	if (!node)
		return catalog_sql_fail(err, CATALOG_E_NOT_FOUND, "there is no image '%.128s'",
					name);
	return 0;
}

static size_t chain_length(const struct catalog_node *node)
{
	size_t n = 0;

	for (; node; node = node->parent)
		n++;
	return n;
}

int catalog_chain(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		  struct catalog_images *ret_images, struct catalog_error *err)
{
	CLEANUP(catalog_images_fini) struct catalog_images images = {0};
	const struct catalog_node *node;
	int r = 0;

	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_find(&catalog->index, id);
	if (node)
		images.items = calloc(chain_length(node), sizeof *images.items);
	if (!node)
		r = CATALOG_E_NOT_FOUND;
	else if (!images.items)
		r = CATALOG_E_NOMEM;
	for (struct catalog_image *to = images.items; r == 0 && node; node = node->parent, to++) {
		r = images.n ? catalog_index_copy_parent(node, to - 1, to)
			     : catalog_index_copy(node, to);
		images.n += r == 0;
	}
	(void)pthread_mutex_unlock(&catalog->memory);
	if (r == CATALOG_E_NOT_FOUND)
		return catalog_sql_fail(err, r, "no such image");
	if (r < 0)
		return no_memory(err);
	*ret_images = images;
	memset(&images, 0, sizeof images);
	return 0;
}

size_t catalog_children(struct catalog *catalog, const uint8_t id[IDS_SIZE],
			char ret_names[][CATALOG_NAME], size_t max)
{
	const struct catalog_node *node, *child;
	size_t n = 0;

	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_find(&catalog->index, id);
	for (child = node ? node->first_child : NULL; child && n < max; child = child->next)
		if (child->image.state != CATALOG_DELETING) /* its name may be another's now */
			memcpy(ret_names[n++], child->image.name, CATALOG_NAME);
	(void)pthread_mutex_unlock(&catalog->memory);
	return n;
}

bool catalog_unsettled_child(struct catalog *catalog, const uint8_t id[IDS_SIZE],
			     uint8_t ret_child[IDS_SIZE])
{
	const struct catalog_node *node, *child;
	bool found = false;

	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_find(&catalog->index, id);
	for (child = node ? node->first_child : NULL; child; child = child->next) {
		if (child->image.state == CATALOG_READY)
			continue;
		memcpy(ret_child, child->image.id, IDS_SIZE); /* those that came later are first */
		found = true;
	}
	(void)pthread_mutex_unlock(&catalog->memory);
	return found;
}

size_t catalog_waiting(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		       struct catalog_waiting *ret_waiting, size_t max)
{
	const struct catalog_node *orphan;
	size_t n = 0;

	(void)pthread_mutex_lock(&catalog->memory);
	for (orphan = catalog->index.first_orphan; orphan && n < max; orphan = orphan->next) {
		if (!ids_equal(orphan->image.parent_id, id))
			continue;
		memcpy(ret_waiting[n].name, orphan->image.name, CATALOG_NAME);
		ret_waiting[n++].parent_timestamp = orphan->image.vhd.parent_timestamp;
	}
	(void)pthread_mutex_unlock(&catalog->memory);
	return n;
}

/* Adds a copy of the image with that id; one that is not in memory is left out. */
static int append(struct catalog *catalog, struct catalog_images *images,
		  const uint8_t id[IDS_SIZE])
{
	const struct catalog_node *node;
	int r = 0;

	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_find(&catalog->index, id);
	if (node)
		r = catalog_index_copy(node, &images->items[images->n]);
	if (node && r == 0)
		images->n++;
	(void)pthread_mutex_unlock(&catalog->memory);
	return r;
}

static int list_rows(struct catalog *catalog, const char *after, size_t limit,
		     struct catalog_images *images, struct catalog_error *err)
{
	sqlite3_stmt *stmt = catalog_sql_use(catalog, SQL_IMAGE_LIST);
	int result, r = 0;

	(void)sqlite3_bind_text(stmt, 1, after ? after : "", -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(stmt, 2, (sqlite3_int64)limit + 1);
	while (r == 0 && (result = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (images->n < limit)
			r = append(catalog, images, sqlite3_column_blob(stmt, 0));
		else
			images->more = true;
	}
	if (r < 0)
		r = no_memory(err);
	else if (result != SQLITE_DONE)
		r = catalog_sql_error(catalog, "list", err);
	(void)sqlite3_reset(stmt);
	return r;
}

static int count_rows(struct catalog *catalog, uint64_t *ret_total, struct catalog_error *err)
{
	sqlite3_stmt *stmt = catalog_sql_use(catalog, SQL_IMAGE_COUNT);
	int r = 0;

	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret_total = (uint64_t)sqlite3_column_int64(stmt, 0);
	else
		r = catalog_sql_error(catalog, "count", err);
	(void)sqlite3_reset(stmt);
	return r;
}

/* Room for a page of what is there. */
static bool make_room(struct catalog *catalog, struct catalog_images *images, size_t *limit)
{
	(void)pthread_mutex_lock(&catalog->memory);
	if (*limit > catalog->index.n)
		*limit = catalog->index.n;
	(void)pthread_mutex_unlock(&catalog->memory);
	images->items = calloc(*limit ? *limit : 1, sizeof *images->items);
	return images->items;
}

int catalog_list(struct catalog *catalog, const char *after, size_t limit, bool count,
		 struct catalog_images *ret_images, struct catalog_error *err)
{
	CLEANUP(catalog_images_fini) struct catalog_images images = {0};
	struct catalog_turn turn = {.alone = true};
	int r;

	catalog_turn_take(catalog, &turn);
	r = make_room(catalog, &images, &limit) ? 0 : no_memory(err);
	if (r == 0)
		r = list_rows(catalog, after, limit, &images, err);
	if (r == 0 && count)
		r = count_rows(catalog, &images.total, err);
	images.revision = catalog->revision;
	catalog_turn_leave(catalog, &turn);
	if (r < 0)
		return r;
	*ret_images = images;
	memset(&images, 0, sizeof images);
	return 0;
}

/* Ids of the images in that state. The tree is walked by asking the database, which knows the state
 * too. */
struct collect {
	uint8_t (*ids)[IDS_SIZE];
	size_t n, room;
};

static int collect_id(struct collect *collect, const void *id)
{
	uint8_t(*ids)[IDS_SIZE];

	if (collect->n == collect->room) {
		collect->room = collect->room ? 2 * collect->room : 64;
		ids = realloc(collect->ids, collect->room * sizeof *ids);
		if (!ids)
			return CATALOG_E_NOMEM;
		collect->ids = ids;
	}
	memcpy(collect->ids[collect->n++], id, IDS_SIZE);
	return 0;
}

static int collect_ids(struct catalog *catalog, enum catalog_state state, struct collect *collect,
		       struct catalog_error *err)
{
	struct catalog_turn turn = {.alone = true};
	sqlite3_stmt *stmt;
	int result, r = 0;

	catalog_turn_take(catalog, &turn);
	stmt = catalog_sql_use(catalog, SQL_IMAGE_IN_STATE);
	(void)sqlite3_bind_int(stmt, 1, (int)state);
	while (r == 0 && (result = sqlite3_step(stmt)) == SQLITE_ROW)
		r = collect_id(collect, sqlite3_column_blob(stmt, 0));
	if (r < 0)
		r = no_memory(err);
	else if (result != SQLITE_DONE)
		r = catalog_sql_error(catalog, "walk", err);
	(void)sqlite3_reset(stmt);
	catalog_turn_leave(catalog, &turn);
	return r;
}

int catalog_each(struct catalog *catalog, enum catalog_state state, catalog_each_fn *each,
		 void *ctx, struct catalog_error *err)
{
	struct collect collect = {0};
	int r = collect_ids(catalog, state, &collect, err);

	for (size_t i = 0; r == 0 && i < collect.n; i++) {
		CLEANUP(catalog_image_fini) struct catalog_image image = {0};

		r = catalog_get(catalog, collect.ids[i], &image, err);
		if (r == 0)
			r = each(ctx, &image);
		else if (r == CATALOG_E_NOT_FOUND)
			r = 0;
	}
	free(collect.ids);
	return r;
}
