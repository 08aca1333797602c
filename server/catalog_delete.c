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
		return catalog_sql_fail(err, CATALOG_E_STATE,
					"a child of it is being created or deleted");
	return 0;
}

/* When clients see its parent without it, which is not frozen any more if it was the last one. */
static int64_t leaves_at(const struct catalog_node *node)
{
	const struct catalog_node *parent = node->parent;

	return parent && parent->image.born == 1 && node->image.state == CATALOG_READY
		       ? catalog_sql_later(parent->image.updated_at)
		       : catalog_sql_now();
}

static int deleting_rows(struct catalog *catalog, const struct catalog_node *node, int64_t now,
			 struct catalog_error *err)
{
	sqlite3_stmt *stmt;
	int r = catalog_sql_begin_closing(catalog, err);

	if (r < 0)
		return r;
	stmt = catalog_sql_use_id(catalog, SQL_IMAGE_DELETING, node->image.id);
	(void)sqlite3_bind_int64(stmt, 2, now);
	r = catalog_sql_run(catalog, stmt, err);
	if (r == 0)
		r = catalog_touch_parent(catalog, node->parent, now, err);
	if (r == 0)
		r = catalog_sql_event(catalog, "image.deleted", node->image.id, err);
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
	int64_t now;
	int r;

	if (!node)
		return CATALOG_E_NOT_FOUND;
	now = leaves_at(node);
	r = may_go(node, version, err);
	if (r == 0)
		r = deleting_rows(catalog, node, now, err);
	if (r == 0) {
		(void)pthread_mutex_lock(&catalog->memory);
		node->image.version++;
		node->image.updated_at = now;
		catalog_touched(node->parent, now);
		catalog_index_leave(&catalog->index, node);
		(void)pthread_mutex_unlock(&catalog->memory);
	}
	catalog_turn_leave(catalog, &turn);
	return r;
}

static bool is_last_child(const struct catalog_node *node)
{
	return node->parent && node->parent->image.children == 1;
}

/* NULL when clients do not see it with this child: it was told of when the deletion began. */
static struct catalog_node *parent_to_tell(const struct catalog_node *node)
{
	return node->image.state == CATALOG_DELETING ? NULL : node->parent;
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
		r = catalog_touch_parent(catalog, parent_to_tell(node), now, err);
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
	now = leaves_at(node);
	r = may_go(node, version, err);
	if (r == 0)
		r = forget_rows(catalog, node, now, err);
	if (r == 0) {
		(void)pthread_mutex_lock(&catalog->memory);
		catalog_touched(parent_to_tell(node), now);
		if (is_last_child(node))
			node->parent->image.sealed = false;
		catalog_index_remove(&catalog->index, node);
		(void)pthread_mutex_unlock(&catalog->memory);
	}
	catalog_turn_leave(catalog, &turn);
	return r;
}
