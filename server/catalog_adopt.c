/* catalog_adopt.c - images whose files were there before them: all rows in one transaction. */
#include "catalog.h"

#include <string.h>

#include "catalog_sql.h"
#include "crash_point.h"

/* The first one has its parent in the catalog, if it has one; each other one has it in the batch.
 */
static int may_adopt(const struct catalog *catalog, const struct catalog_image *images, size_t n,
		     struct catalog_error *err)
{
	const struct catalog_node *parent = NULL;
	size_t depth = n;
	int r = 0;

	if (!ids_is_zero(images[0].parent_id)) {
		parent = catalog_index_find(&catalog->index, images[0].parent_id);
		if (!parent || parent->image.state != CATALOG_READY)
			return catalog_sql_fail(err, CATALOG_E_PARENT, "the parent is not ready");
	}
	for (; parent; parent = parent->parent)
		depth++;
	if (depth > catalog->depth_max)
		return catalog_sql_fail(err, CATALOG_E_TOO_DEEP, "a chain has at most %u images",
					catalog->depth_max);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = catalog_may_name(catalog, &images[i], err);
	return r;
}

static int insert_all(struct catalog *catalog, const struct catalog_image *images, size_t n,
		      int64_t now, struct catalog_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct catalog_image row = images[i];

		row.state = CATALOG_READY;
		row.created_at = row.updated_at = now;
		r = catalog_row_insert(catalog, &row, err);
		if (r == 0)
			r = catalog_sql_event(catalog, "image.adopted", row.id, err);
		CRASH_POINT("catalog.adopt.row");
	}
	return r;
}

static int commit(struct catalog *catalog, const struct catalog_image *images, size_t n,
		  const struct catalog_seal *parent_seal, int64_t now, struct catalog_error *err)
{
	const struct catalog_node *parent =
		catalog_index_find(&catalog->index, images[0].parent_id);
	int r = catalog_sql_begin(catalog, err);

	if (r < 0)
		return r;
	r = insert_all(catalog, images, n, now, err);
	if (r == 0)
		r = catalog_touch_parent(catalog, parent, now, err);
	if (r == 0 && parent)
		r = catalog_seal_row(catalog, parent->image.id, parent_seal, err);
	CRASH_POINT("catalog.adopt.commit");
	r = catalog_sql_end(catalog, r, err);
	CRASH_POINT("catalog.adopt.committed");
	return r;
}

static int remember(struct catalog *catalog, const struct catalog_image *images, size_t n,
		    const struct catalog_seal *parent_seal, int64_t now)
{
	struct catalog_node *parent = catalog_index_find(&catalog->index, images[0].parent_id);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct catalog_image row = images[i];

		row.state = CATALOG_READY;
		row.created_at = row.updated_at = now;
		r = catalog_index_add(&catalog->index, &row);
	}
	if (r == 0)
		catalog_parent_sealed(parent, parent_seal, now);
	return r;
}

int catalog_adopt(struct catalog *catalog, const struct catalog_image *images, size_t n,
		  const struct catalog_seal *parent_seal, struct catalog_error *err)
{
	struct catalog_turn turn = {.alone = true};
	int64_t now = catalog_sql_now();
	int r;

	catalog_turn_take(catalog, &turn);
	r = may_adopt(catalog, images, n, err);
	if (r == 0)
		r = commit(catalog, images, n, parent_seal, now, err);
	if (r == 0) {
		(void)pthread_mutex_lock(&catalog->memory);
		r = remember(catalog, images, n, parent_seal, now);
		(void)pthread_mutex_unlock(&catalog->memory);
		if (r < 0)
			r = catalog_sql_fail(err, r,
					     "catalog: out of memory; restart to see the images");
	}
	catalog_turn_leave(catalog, &turn);
	return r;
}
