/* catalog_adopt.c - images whose files were there before them: all rows in one transaction. */
#include "catalog.h"

#include <stdlib.h>

#include "catalog_sql.h"
#include "cleanup.h"
#include "crash_point.h"

/* Whoever is being created will have children by it when it is ready, but no others before. */
static int check_parent(const struct catalog *catalog, const struct catalog_image *image,
			const struct catalog_node *parent, struct catalog_error *err)
{
	const struct catalog_node *top = parent ? catalog_index_top(parent) : NULL;
	const uint8_t *missing = NULL;

	if (image->parent_missing)
		missing = image->parent_id;
	else if (top && top->image.parent_missing)
		missing = top->image.parent_id;
	if (missing && catalog_index_find(&catalog->index, missing))
		return catalog_sql_fail(err, CATALOG_E_PARENT,
					"the parent that was missing has come meanwhile");
	if (image->parent_missing || ids_is_zero(image->parent_id))
		return 0;
	if (!parent || parent->image.state != CATALOG_READY)
		return catalog_sql_fail(err, CATALOG_E_PARENT, "the parent is not ready");
	return 0;
}

/* The first one has its parent in the catalog, if it has one; each other one has it in the batch.
 */
static int may_adopt(const struct catalog *catalog, const struct catalog_image *images, size_t n,
		     struct catalog_error *err)
{
	const struct catalog_node *parent = catalog_index_parent(&catalog->index, &images[0]);
	uint32_t depth = 0;
	int r = check_parent(catalog, &images[0], parent, err);

	for (const struct catalog_node *node = parent; node; node = node->parent)
		depth++;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = catalog_may_name(catalog, &images[i], err);
		if (r == 0)
			r = catalog_may_find(catalog, images[i].id, parent, depth + i + 1, err);
	}
	return r;
}

/* A parent that was sealed when it was looked at, and whose last child has gone since. */
static int check_seal(const struct catalog *catalog, const struct catalog_image *image,
		      const struct catalog_seal *parent_seal, struct catalog_error *err)
{
	const struct catalog_node *parent = catalog_index_parent(&catalog->index, image);

	if (!parent || parent->image.sealed || parent_seal)
		return 0;
	return catalog_sql_fail(err, CATALOG_E_STATE, "the parent has lost its seal meanwhile");
}

/* The row as it enters. */
static struct catalog_image adopted(const struct catalog *catalog,
				    const struct catalog_image *image, int64_t now)
{
	struct catalog_image row = *image;

	row.state = CATALOG_READY;
	row.created_at = row.updated_at = now;
	row.sealed = row.sealed || catalog_is_awaited(catalog, row.id);
	return row;
}

static int insert_all(struct catalog *catalog, const struct catalog_image *images, size_t n,
		      int64_t now, struct catalog_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct catalog_image row = adopted(catalog, &images[i], now);

		r = catalog_row_insert(catalog, &row, err);
		if (r == 0)
			r = catalog_sql_event(catalog, "image.adopted", row.id, err);
		if (r == 0)
			r = catalog_find_rows(catalog, row.id, now, err);
		CRASH_POINT("catalog.adopt.row");
	}
	return r;
}

static int commit(struct catalog *catalog, const struct catalog_image *images, size_t n,
		  const struct catalog_seal *parent_seal, int64_t now, struct catalog_error *err)
{
	const struct catalog_node *parent = catalog_index_parent(&catalog->index, &images[0]);
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

/* With catalog->memory held. */
static void cancel(struct catalog *catalog, struct catalog_node **nodes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		catalog_index_cancel(&catalog->index, nodes[i]);
}

static bool prepare(struct catalog *catalog, const struct catalog_image *images, size_t n,
		    int64_t now, struct catalog_node **ret_nodes)
{
	for (size_t i = 0; i < n; i++) {
		struct catalog_image row = adopted(catalog, &images[i], now);

		ret_nodes[i] = catalog_index_prepare(&catalog->index, &row);
		if (!ret_nodes[i]) {
			cancel(catalog, ret_nodes, i);
			return false;
		}
	}
	return true;
}

static void show(struct catalog *catalog, struct catalog_node **nodes, size_t n,
		 const struct catalog_seal *parent_seal, int64_t now)
{
	struct catalog_node *parent = catalog_index_parent(&catalog->index, &nodes[0]->image);

	for (size_t i = 0; i < n; i++) {
		catalog_index_show(&catalog->index, nodes[i]);
		catalog_find(catalog, nodes[i]->image.id, now);
	}
	catalog_parent_sealed(parent, parent_seal, now);
}

/* Memory comes first: what is committed must not be forgotten. */
static int adopt(struct catalog *catalog, const struct catalog_image *images, size_t n,
		 const struct catalog_seal *parent_seal, struct catalog_error *err)
{
	CLEANUP(freep) struct catalog_node **nodes = calloc(n, sizeof(struct catalog_node *));
	int64_t now = catalog_sql_now();
	bool prepared;
	int r;

	(void)pthread_mutex_lock(&catalog->memory);
	prepared = nodes && prepare(catalog, images, n, now, nodes);
	(void)pthread_mutex_unlock(&catalog->memory);
	if (!prepared)
		return catalog_sql_fail(err, CATALOG_E_NOMEM, "catalog: out of memory");
	r = commit(catalog, images, n, parent_seal, now, err);
	(void)pthread_mutex_lock(&catalog->memory);
	if (r == 0)
		show(catalog, nodes, n, parent_seal, now);
	else
		cancel(catalog, nodes, n);
	(void)pthread_mutex_unlock(&catalog->memory);
	return r;
}

int catalog_adopt(struct catalog *catalog, const struct catalog_image *images, size_t n,
		  const struct catalog_seal *parent_seal, struct catalog_images *ret_chain,
		  struct catalog_error *err)
{
	struct catalog_turn turn = {.alone = true};
	int r;

	catalog_turn_take(catalog, &turn);
	r = may_adopt(catalog, images, n, err);
	if (r == 0)
		r = check_seal(catalog, &images[0], parent_seal, err);
	if (r == 0)
		r = adopt(catalog, images, n, parent_seal, err);
	if (r == 0 && ret_chain)
		(void)catalog_chain(catalog, images[n - 1].id, ret_chain, NULL);
	catalog_turn_leave(catalog, &turn);
	return r;
}
