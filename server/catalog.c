/* catalog.c - the changes of the catalog. Each checks the forest in memory, commits a transaction,
 * and only then changes the forest, so that memory never says what the disk does not. */
#include "catalog.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_sql.h"
#include "cleanup.h"
#include "crash_point.h"

void catalog_image_fini(struct catalog_image *image)
{
	free(image->root);
	free(image->path);
	free(image->description);
	free(image->labels);
	memset(image, 0, sizeof *image);
}

void catalog_images_fini(struct catalog_images *images)
{
	for (size_t i = 0; i < images->n; i++)
		catalog_image_fini(&images->items[i]);
	free(images->items);
	memset(images, 0, sizeof *images);
}

static int load(struct catalog *catalog, const char *path, struct catalog_error *err)
{
	sqlite3_stmt *stmt;
	int r = catalog_setup_open(catalog, path, err);

	if (r < 0)
		return r;
	stmt = catalog_sql_use(catalog, SQL_REVISION);
	if (sqlite3_step(stmt) != SQLITE_ROW)
		return catalog_sql_error(catalog, "revision", err);
	catalog->revision = (uint64_t)sqlite3_column_int64(stmt, 0);
	(void)sqlite3_reset(stmt);
	return catalog_row_load(catalog, err);
}

int catalog_open(const char *path, uint32_t depth_max, struct catalog **ret_catalog,
		 struct catalog_error *err)
{
	struct catalog *catalog = calloc(1, sizeof *catalog);
	int r;

	if (!catalog)
		return catalog_sql_fail(err, CATALOG_E_NOMEM, "catalog: out of memory");
	(void)pthread_mutex_init(&catalog->writer, NULL);
	(void)pthread_mutex_init(&catalog->memory, NULL);
	catalog_turns_init(&catalog->turns);
	catalog->depth_max = depth_max;
	catalog->path = strdup(path);
	r = catalog->path ? load(catalog, path, err)
			  : catalog_sql_fail(err, CATALOG_E_NOMEM, "catalog: out of memory");
	if (r < 0) {
		catalog_close(catalog);
		return r;
	}
	*ret_catalog = catalog;
	return 0;
}

void catalog_close(struct catalog *catalog)
{
	if (!catalog)
		return;
	catalog_setup_close(catalog);
	catalog_index_fini(&catalog->index);
	catalog_turns_fini(&catalog->turns);
	(void)pthread_mutex_destroy(&catalog->memory);
	(void)pthread_mutex_destroy(&catalog->writer);
	free(catalog->path);
	free(catalog);
}

/* ---- what all changes share ---- */

struct catalog_node *catalog_enter(struct catalog *catalog, const uint8_t id[IDS_SIZE],
				   struct catalog_turn *turn, struct catalog_error *err)
{
	struct catalog_node *node;

	*turn = (struct catalog_turn){0};
	catalog_turn_take_of(catalog, turn, id);
	node = catalog_index_find(&catalog->index, id);
	if (!node) {
		catalog_turn_leave(catalog, turn);
		(void)catalog_sql_fail(err, CATALOG_E_NOT_FOUND, "no such image");
	}
	return node;
}

int catalog_touch_parent(struct catalog *catalog, const struct catalog_node *parent, int64_t now,
			 struct catalog_error *err)
{
	sqlite3_stmt *stmt;
	int r;

	if (!parent)
		return 0;
	stmt = catalog_sql_use_id(catalog, SQL_IMAGE_TOUCH, parent->image.id);
	(void)sqlite3_bind_int64(stmt, 2, now);
	r = catalog_sql_run(catalog, stmt, err);
	return r < 0 ? r : catalog_sql_event(catalog, "image.updated", parent->image.id, err);
}

int catalog_seal_row(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		     const struct catalog_seal *seal, struct catalog_error *err)
{
	sqlite3_stmt *stmt = catalog_sql_use_id(catalog, SQL_IMAGE_SEAL, id);

	if (seal) {
		(void)sqlite3_bind_int64(stmt, 2, (sqlite3_int64)seal->file_bytes);
		(void)sqlite3_bind_int64(stmt, 3, seal->mtime_ns);
		(void)sqlite3_bind_int64(stmt, 4, (sqlite3_int64)seal->ino);
		(void)sqlite3_bind_blob(stmt, 5, seal->sha256, sizeof seal->sha256, SQLITE_STATIC);
		if (seal->blocks)
			(void)sqlite3_bind_int64(stmt, 6, (sqlite3_int64)seal->blocks);
	}
	return catalog_sql_run(catalog, stmt, err);
}

static void sealed(struct catalog_node *parent, const struct catalog_seal *seal)
{
	if (!parent)
		return;
	parent->image.dirty = false;
	if (!seal)
		return;
	parent->image.sealed = true;
	parent->image.seal = *seal;
	parent->image.usage.file_bytes = seal->file_bytes;
	if (seal->blocks)
		parent->image.usage.blocks = seal->blocks;
}

void catalog_touched(struct catalog_node *parent, int64_t now)
{
	if (!parent)
		return;
	parent->image.version++;
	if (now > parent->image.updated_at)
		parent->image.updated_at = now;
}

void catalog_parent_sealed(struct catalog_node *parent, const struct catalog_seal *seal,
			   int64_t now)
{
	catalog_touched(parent, now);
	sealed(parent, seal);
}

static uint32_t images_of_chain(const struct catalog_node *node)
{
	uint32_t n = 0;

	for (; node; node = node->parent)
		n++;
	return n;
}

/* ---- create ---- */

int catalog_may_name(const struct catalog *catalog, const struct catalog_image *image,
		     struct catalog_error *err)
{
	if (catalog_index_find(&catalog->index, image->id))
		return catalog_sql_fail(err, CATALOG_E_ID_EXISTS, "an image with this id exists");
	if (catalog_index_find_name(&catalog->index, image->name))
		return catalog_sql_fail(err, CATALOG_E_NAME_EXISTS, "an image '%s' exists",
					image->name);
	return 0;
}

static int may_insert(const struct catalog *catalog, const struct catalog_image *image,
		      struct catalog_error *err)
{
	const struct catalog_node *parent = catalog_index_parent(&catalog->index, image);
	int r = catalog_may_name(catalog, image, err);

	if (r == 0)
		r = catalog_may_find(catalog, image->id, parent, images_of_chain(parent) + 1, err);
	if (r < 0 || ids_is_zero(image->parent_id))
		return r;
	if (!parent || parent->image.state != CATALOG_READY ||
	    catalog_index_top(parent)->image.parent_missing)
		return catalog_sql_fail(err, CATALOG_E_PARENT, "the parent is not ready");
	if (image->parent_version && image->parent_version != parent->image.version)
		return catalog_sql_fail(err, CATALOG_E_CHANGED, "the parent has changed since");
	return 0;
}

/* The parent has one child more from now on, and is told of accordingly. */
static int insert_rows(struct catalog *catalog, const struct catalog_image *row,
		       const struct catalog_node *parent, struct catalog_error *err)
{
	int r = catalog_sql_begin(catalog, err);

	if (r < 0)
		return r;
	r = catalog_row_insert(catalog, row, err);
	if (r == 0)
		r = catalog_touch_parent(catalog, parent, row->updated_at, err);
	CRASH_POINT("catalog.insert.commit");
	r = catalog_sql_end(catalog, r, err);
	CRASH_POINT("catalog.insert.committed");
	return r;
}

/* Memory comes first: a row that is committed and cannot be remembered would keep its name from all
 * others until the next start. Nobody is told of it before it is durable. */
static int insert(struct catalog *catalog, const struct catalog_image *row,
		  struct catalog_error *err)
{
	struct catalog_node *parent = catalog_index_parent(&catalog->index, row);
	struct catalog_node *node;
	int r;

	(void)pthread_mutex_lock(&catalog->memory);
	node = catalog_index_prepare(&catalog->index, row);
	(void)pthread_mutex_unlock(&catalog->memory);
	if (!node)
		return catalog_sql_fail(err, CATALOG_E_NOMEM, "catalog: out of memory");
	r = insert_rows(catalog, row, parent, err);
	(void)pthread_mutex_lock(&catalog->memory);
	if (r == 0) {
		catalog_index_show(&catalog->index, node);
		catalog_touched(parent, row->updated_at);
	} else {
		catalog_index_cancel(&catalog->index, node);
	}
	(void)pthread_mutex_unlock(&catalog->memory);
	return r;
}

int catalog_insert(struct catalog *catalog, const struct catalog_image *image,
		   struct catalog_error *err)
{
	struct catalog_image row = *image;
	struct catalog_turn turn = {.name = row.name};
	int r;

	row.state = CATALOG_CREATING;
	row.version += !row.version;
	row.created_at = row.updated_at = catalog_sql_now();
	memcpy(turn.ids[0], row.id, IDS_SIZE);
	memcpy(turn.ids[1], row.parent_id, IDS_SIZE);
	catalog_turn_take(catalog, &turn);
	r = may_insert(catalog, &row, err);
	if (r == 0)
		r = insert(catalog, &row, err);
	catalog_turn_leave(catalog, &turn);
	return r;
}

static int finish_rows(struct catalog *catalog, struct catalog_node *node,
		       const struct catalog_image *row, const struct catalog_seal *parent_seal,
		       struct catalog_error *err)
{
	sqlite3_stmt *stmt;
	int r = catalog_sql_begin_closing(catalog, err);

	if (r < 0)
		return r;
	stmt = catalog_sql_use_id(catalog, SQL_IMAGE_FINISH, row->id);
	catalog_row_bind_facts(stmt, &row->vhd, &row->usage);
	(void)sqlite3_bind_int64(stmt, 17, row->updated_at);
	r = catalog_sql_run(catalog, stmt, err);
	if (r == 0)
		r = catalog_touch_parent(catalog, node->parent, row->updated_at, err);
	if (r == 0 && node->parent)
		r = catalog_seal_row(catalog, node->parent->image.id, parent_seal, err);
	if (r == 0)
		r = catalog_sql_event(catalog, "image.created", row->id, err);
	if (r == 0)
		r = catalog_find_rows(catalog, row->id, row->updated_at, err);
	CRASH_POINT("catalog.finish.commit");
	r = catalog_sql_end(catalog, r, err);
	CRASH_POINT("catalog.finish.committed");
	return r;
}

int catalog_finish_create(struct catalog *catalog, const uint8_t id[IDS_SIZE],
			  const struct catalog_vhd *vhd, const struct catalog_usage *usage,
			  const struct catalog_seal *parent_seal, struct catalog_error *err)
{
	struct catalog_image row;
	struct catalog_turn turn;
	struct catalog_node *node = catalog_enter(catalog, id, &turn, err);
	int r;

	if (!node)
		return CATALOG_E_NOT_FOUND;
	row = node->image;
	row.vhd = *vhd;
	row.usage = *usage;
	row.state = CATALOG_READY;
	row.version++;
	row.updated_at = catalog_sql_now_after(row.updated_at);
	r = finish_rows(catalog, node, &row, parent_seal, err);
	if (r == 0) {
		(void)pthread_mutex_lock(&catalog->memory);
		row.children = node->image.children;
		row.born = node->image.born;
		row.leaving = node->image.leaving;
		node->image = row;
		if (node->parent)
			node->parent->image.born++;
		catalog_parent_sealed(node->parent, parent_seal, row.updated_at);
		catalog_find(catalog, id, row.updated_at);
		(void)pthread_mutex_unlock(&catalog->memory);
	}
	catalog_turn_leave(catalog, &turn);
	return r;
}

int catalog_seal(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		 const struct catalog_seal *seal, struct catalog_error *err)
{
	struct catalog_turn turn;
	struct catalog_node *node = catalog_enter(catalog, id, &turn, err);
	int r;

	if (!node)
		return CATALOG_E_NOT_FOUND;
	if (!node->image.children || node->image.sealed || node->image.dirty)
		r = catalog_sql_fail(err, CATALOG_E_STATE, "the image is not to be sealed");
	else
		r = catalog_sql_begin(catalog, err);
	if (r == 0) {
		r = catalog_seal_row(catalog, id, seal, err);
		CRASH_POINT("catalog.seal.commit");
		r = catalog_sql_end(catalog, r, err);
		CRASH_POINT("catalog.seal.committed");
	}
	if (r == 0) {
		(void)pthread_mutex_lock(&catalog->memory);
		sealed(node, seal);
		(void)pthread_mutex_unlock(&catalog->memory);
	}
	catalog_turn_leave(catalog, &turn);
	return r;
}

/* ---- dirty and clean ---- */

int catalog_mark_dirty(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		       uint64_t *ret_generation, struct catalog_error *err)
{
	struct catalog_turn turn;
	struct catalog_node *node = catalog_enter(catalog, id, &turn, err);
	int r;

	if (!node)
		return CATALOG_E_NOT_FOUND;
	r = catalog_sql_begin(catalog, err);
	if (r == 0) {
		r = catalog_sql_run(catalog, catalog_sql_use_id(catalog, SQL_IMAGE_DIRTY, id), err);
		CRASH_POINT("catalog.dirty.commit");
		r = catalog_sql_end(catalog, r, err);
		CRASH_POINT("catalog.dirty.committed");
	}
	if (r == 0) {
		(void)pthread_mutex_lock(&catalog->memory);
		node->image.dirty = true;
		node->image.sealed = false;
		*ret_generation = ++node->image.generation;
		(void)pthread_mutex_unlock(&catalog->memory);
	}
	catalog_turn_leave(catalog, &turn);
	return r;
}

int catalog_mark_clean(struct catalog *catalog, const uint8_t id[IDS_SIZE],
		       const struct catalog_usage *usage, struct catalog_error *err)
{
	struct catalog_turn turn;
	struct catalog_node *node = catalog_enter(catalog, id, &turn, err);
	sqlite3_stmt *stmt;
	int r;

	if (!node)
		return CATALOG_E_NOT_FOUND;
	r = catalog_sql_begin_closing(catalog, err);
	if (r == 0) {
		stmt = catalog_sql_use_id(catalog, SQL_IMAGE_CLEAN, id);
		(void)sqlite3_bind_int64(stmt, 2, (sqlite3_int64)usage->file_bytes);
		(void)sqlite3_bind_int64(stmt, 3, (sqlite3_int64)usage->blocks);
		(void)sqlite3_bind_int64(stmt, 4, usage->measured_at);
		r = catalog_sql_run(catalog, stmt, err);
		CRASH_POINT("catalog.clean.commit");
		r = catalog_sql_end(catalog, r, err);
		CRASH_POINT("catalog.clean.committed");
	}
	if (r == 0) {
		(void)pthread_mutex_lock(&catalog->memory);
		node->image.dirty = false;
		node->image.usage = *usage;
		(void)pthread_mutex_unlock(&catalog->memory);
	}
	catalog_turn_leave(catalog, &turn);
	return r;
}
