/* catalog_orphan.c - images whose parent the catalog does not know, and what becomes of them when
 * it comes. */
#include <string.h>

#include <sqlite3.h>

#include "catalog_sql.h"

static bool misses(const struct catalog_node *orphan, const uint8_t id[IDS_SIZE])
{
	return ids_equal(orphan->image.parent_id, id);
}

bool catalog_is_awaited(const struct catalog *catalog, const uint8_t id[IDS_SIZE])
{
	const struct catalog_node *orphan = catalog->index.first_orphan;

	while (orphan && !misses(orphan, id))
		orphan = orphan->next;
	return orphan != NULL;
}

int catalog_may_find(const struct catalog *catalog, const uint8_t id[IDS_SIZE],
		     const struct catalog_node *parent, uint32_t images, struct catalog_error *err)
{
	const struct catalog_node *orphan = catalog->index.first_orphan;
	const struct catalog_node *top = parent ? catalog_index_top(parent) : NULL;

	if (top && top->image.parent_missing && misses(top, id))
		return catalog_sql_fail(err, CATALOG_E_CYCLE,
					"the image would be its own ancestor");
	if (images > catalog->depth_max)
		return catalog_sql_fail(err, CATALOG_E_TOO_DEEP, "a chain has at most %u images",
					catalog->depth_max);
	for (; orphan; orphan = orphan->next) {
		if (misses(orphan, id) &&
		    images + catalog_index_height(orphan) > catalog->depth_max)
			return catalog_sql_fail(err, CATALOG_E_TOO_DEEP,
						"a chain has at most %u images, and '%.127s' "
						"misses this one as its parent",
						catalog->depth_max, orphan->image.name);
	}
	return 0;
}

static int find_row(struct catalog *catalog, const uint8_t orphan[IDS_SIZE], int64_t now,
		    struct catalog_error *err)
{
	sqlite3_stmt *stmt = catalog_sql_use_id(catalog, SQL_IMAGE_FOUND, orphan);
	int r;

	(void)sqlite3_bind_int64(stmt, 2, now);
	r = catalog_sql_run(catalog, stmt, err);
	return r < 0 ? r : catalog_sql_event(catalog, "image.updated", orphan, err);
}

int catalog_find_rows(struct catalog *catalog, const uint8_t id[IDS_SIZE], int64_t now,
		      struct catalog_error *err)
{
	const struct catalog_node *orphan = catalog->index.first_orphan;
	int r = 0;

	for (; r == 0 && orphan; orphan = orphan->next) {
		if (misses(orphan, id))
			r = find_row(catalog, orphan->image.id, now, err);
	}
	return r;
}

void catalog_find(struct catalog *catalog, const uint8_t id[IDS_SIZE], int64_t now)
{
	struct catalog_node *parent = catalog_index_find(&catalog->index, id);
	struct catalog_node *orphan = catalog->index.first_orphan, *next;

	for (; parent && orphan; orphan = next) {
		next = orphan->next;
		if (!misses(orphan, id))
			continue;
		catalog_index_adopt(&catalog->index, parent, orphan);
		orphan->image.version++;
		orphan->image.updated_at = now;
	}
}
