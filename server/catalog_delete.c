/* catalog_delete.c - images that go: first from the eyes of clients, then, when their file is gone,
 * from the catalog. */
#include "catalog.h"

#include <sqlite3.h>

#include "catalog_sql.h"
#include "crash_point.h"

static int may_go(const struct catalog_node *node, uint64_t version, struct catalog_error *err)
{
	if (version && version != node->image.version)
		return catalog_sql_fail(err, CATALOG_E_CHANGED, "the image has changed since");
	if (node->image.born)
		return catalog_sql_fail(err, CATALOG_E_HAS_CHILDREN, "the image has children");
	if (node->image.children)
		return catalog_sql_fail(err, CATALOG_E_STATE, "a child of it is being created");
	return 0;
}

static int deleting_row(struct catalog *catalog, const uint8_t id[IDS_SIZE], int64_t now,
			struct catalog_error *err)
{
	sqlite3_stmt *stmt;
	int r = catalog_sql_begin_closing(catalog, err);

	if (r < 0)
		return r;
	stmt = catalog_sql_use_id(catalog, SQL_IMAGE_DELETING, id);
	(void)sqlite3_bind_int64(stmt, 2, now);
	r = catalog_sql_run(catalog, stmt, err);
	if (r == 0)
		r = catalog_sql_event(catalog, "image.deleted", id, err);
	CRASH_POINT("catalog.deleting.commit");
	r = catalog_sql_end(catalog, r, err);
	CRASH_POINT("catalog.deleting.committed");
	return r;
}

int catalog_begin_delete(struct catalog *catalog, const uint8_t id[IDS_SIZE], uint64_t version,
			 struct catalog_error *err)
{
	struct catalog_turn turn;
	struct catalog_node *node = catalog_enter(catalog, id, &turn, err);
	int64_t now = catalog_sql_now();
	int r;

	if (!node)
		return CATALOG_E_NOT_FOUND;
	r = may_go(node, version, err);
	if (r == 0)
		r = deleting_row(catalog, id, now, err);
	if (r == 0) {
		(void)pthread_mutex_lock(&catalog->memory);
		node->image.state = CATALOG_DELETING;
		node->image.version++;
		node->image.updated_at = now;
		catalog_index_unname(&catalog->index, node);
		(void)pthread_mutex_unlock(&catalog->memory);
	}
	catalog_turn_leave(catalog, &turn);
	return r;
}

static bool is_last_child(const struct catalog_node *node)
{
	return node->parent && node->parent->image.children == 1;
}

static int forget_rows(struct catalog *catalog, const struct catalog_node *node, int64_t now,
		       struct catalog_error *err)
{
	int r = catalog_sql_begin_closing(catalog, err);

	if (r < 0)
		return r;
	r = catalog_sql_run(catalog, catalog_sql_use_id(catalog, SQL_IMAGE_FORGET, node->image.id),
			    err);
	if (r == 0)
		r = catalog_touch_parent(catalog, node->parent, now, err);
	if (r == 0 && is_last_child(node))
		r = catalog_sql_run(
			catalog,
			catalog_sql_use_id(catalog, SQL_IMAGE_UNSEAL, node->parent->image.id), err);
	if (r == 0 && node->image.state == CATALOG_READY)
		r = catalog_sql_event(catalog, "image.deleted", node->image.id, err);
	CRASH_POINT("catalog.forget.commit");
	r = catalog_sql_end(catalog, r, err);
	CRASH_POINT("catalog.forget.committed");
	return r;
}

int catalog_forget(struct catalog *catalog, const uint8_t id[IDS_SIZE], uint64_t version,
		   struct catalog_error *err)
{
	struct catalog_turn turn;
	struct catalog_node *node = catalog_enter(catalog, id, &turn, err);
	int64_t now;
	int r;

	if (!node)
		return CATALOG_E_NOT_FOUND;
	now = is_last_child(node) ? catalog_sql_later(node->parent->image.updated_at)
				  : catalog_sql_now();
	r = may_go(node, version, err);
	if (r == 0)
		r = forget_rows(catalog, node, now, err);
	if (r == 0) {
		(void)pthread_mutex_lock(&catalog->memory);
		catalog_touched(node->parent, now);
		if (is_last_child(node))
			node->parent->image.sealed = false;
		catalog_index_remove(&catalog->index, node);
		(void)pthread_mutex_unlock(&catalog->memory);
	}
	catalog_turn_leave(catalog, &turn);
	return r;
}
