/* catalog_update.c - changes what people may change of an image. */
#include "catalog.h"

#include <sqlite3.h>
#include <string.h>

#include "catalog_sql.h"
#include "crash_point.h"

static int update_row(struct catalog *catalog, const struct catalog_image *image,
		      struct catalog_error *err)
{
	sqlite3_stmt *stmt = catalog_sql_use_id(catalog, SQL_IMAGE_UPDATE, image->id);

	(void)sqlite3_bind_text(stmt, 2, image->name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(stmt, 3, image->description ? image->description : "", -1,
				SQLITE_STATIC);
	(void)sqlite3_bind_int(stmt, 4, image->frozen);
	(void)sqlite3_bind_int64(stmt, 5, image->updated_at);
	(void)sqlite3_bind_int64(stmt, 6, (sqlite3_int64)image->version - 1);
	(void)sqlite3_bind_int(stmt, 7, image->vhd.saved_state);
	(void)sqlite3_bind_int(stmt, 8, image->vhd.temporary);
	(void)sqlite3_bind_int64(stmt, 9, (sqlite3_int64)image->usage.file_bytes);
	(void)sqlite3_bind_int64(stmt, 10, (sqlite3_int64)image->usage.blocks);
	(void)sqlite3_bind_int64(stmt, 11, image->usage.measured_at);
	return catalog_sql_run(catalog, stmt, err);
}

static int replace_labels(struct catalog *catalog, const struct catalog_image *image,
			  const struct catalog_image *old, struct catalog_error *err)
{
	int r = 0;

	if (old->n_labels > 0)
		r = catalog_sql_run(catalog,
				    catalog_sql_use_id(catalog, SQL_LABEL_CLEAR, image->id), err);
	return r < 0 ? r : catalog_row_insert_labels(catalog, image, err);
}

/* In the turn of the image. */
static int may_update(const struct catalog *catalog, const struct catalog_image *image,
		      struct catalog_error *err)
{
	const struct catalog_node *node = catalog_index_find(&catalog->index, image->id);
	const struct catalog_node *named = catalog_index_find_name(&catalog->index, image->name);

	if (!node || node->image.state == CATALOG_DELETING)
		return catalog_sql_fail(err, CATALOG_E_NOT_FOUND, "no such image");
	if (node->image.state != CATALOG_READY)
		return catalog_sql_fail(err, CATALOG_E_STATE, "the image is being created");
	if (node->image.version != image->version)
		return catalog_sql_fail(err, CATALOG_E_CHANGED, "the image has changed since");
	if (named && named != node)
		return catalog_sql_fail(err, CATALOG_E_NAME_EXISTS, "an image '%s' exists",
					image->name);
	return 0;
}

static int commit(struct catalog *catalog, const struct catalog_image *row,
		  const struct catalog_image *old, struct catalog_error *err)
{
	int r = catalog_sql_begin(catalog, err);

	if (r < 0)
		return r;
	r = update_row(catalog, row, err);
	if (r == 0)
		r = replace_labels(catalog, row, old, err);
	if (r == 0)
		r = catalog_sql_event(catalog, "image.updated", row->id, err);
	CRASH_POINT("catalog.update.commit");
	r = catalog_sql_end(catalog, r, err);
	CRASH_POINT("catalog.update.committed");
	return r;
}

/* Memory comes first: what is committed must not be forgotten. */
static int change(struct catalog *catalog, const struct catalog_image *row,
		  struct catalog_error *err)
{
	struct catalog_node *node = catalog_index_find(&catalog->index, row->id);
	struct catalog_node *draft;
	int r;

	(void)pthread_mutex_lock(&catalog->memory);
	draft = catalog_index_draft(&catalog->index, node, row);
	(void)pthread_mutex_unlock(&catalog->memory);
	if (!draft)
		return catalog_sql_fail(err, CATALOG_E_NOMEM, "catalog: out of memory");
	r = commit(catalog, row, &node->image, err);
	(void)pthread_mutex_lock(&catalog->memory);
	if (r == 0)
		catalog_index_apply(&catalog->index, node, draft);
	else
		catalog_index_drop(&catalog->index, draft);
	(void)pthread_mutex_unlock(&catalog->memory);
	return r;
}

static bool is_thawed(const struct catalog *catalog, const struct catalog_image *image)
{
	return catalog_index_find(&catalog->index, image->id)->image.frozen && !image->frozen;
}

int catalog_update(struct catalog *catalog, struct catalog_image *image, struct catalog_error *err)
{
	struct catalog_image row = *image;
	struct catalog_turn turn = {.name = image->name};
	int r;

	row.version++;
	catalog_turn_take_of(catalog, &turn, image->id);
	r = may_update(catalog, image, err);
	if (r == 0) {
		row.updated_at = is_thawed(catalog, image)
					 ? catalog_sql_later(image->updated_at)
					 : catalog_sql_now_after(image->updated_at);
		r = change(catalog, &row, err);
	}
	if (r == 0) {
		image->dirty = catalog_index_find(&catalog->index, image->id)->image.dirty;
		image->version = row.version;
		image->updated_at = row.updated_at;
	}
	catalog_turn_leave(catalog, &turn);
	return r;
}
