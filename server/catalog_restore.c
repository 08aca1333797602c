/* catalog_restore.c - a catalog made anew: rows as they are told, and what older copies still know.
 */
#include "catalog.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_sql.h"
#include "catalog_vfs.h"
#include "cleanup.h"
#include "crash_point.h"

static int insert_all(struct catalog *catalog, const struct catalog_image *images, size_t n,
		      struct catalog_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = catalog_row_insert(catalog, &images[i], err);
		if (r == 0)
			r = catalog_sql_event(catalog, "image.restored", images[i].id, err);
	}
	return r;
}

int catalog_restore(struct catalog *catalog, const struct catalog_image *images, size_t n,
		    struct catalog_error *err)
{
	struct catalog_turn turn = {.alone = true};
	int r;

	catalog_turn_take(catalog, &turn);
	r = catalog_sql_begin(catalog, err);
	if (r == 0) {
		r = insert_all(catalog, images, n, err);
		CRASH_POINT("catalog.restore.commit");
		r = catalog_sql_end(catalog, r, err);
		CRASH_POINT("catalog.restore.committed");
	}
	(void)pthread_mutex_lock(&catalog->memory);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = catalog_index_add(&catalog->index, &images[i]);
	(void)pthread_mutex_unlock(&catalog->memory);
	if (r == CATALOG_E_NOMEM)
		r = catalog_sql_fail(err, r, "catalog: out of memory");
	catalog_turn_leave(catalog, &turn);
	return r;
}

/* ---- salvage: of any version; places came with the third ---- */

#define NAMES_SQL(place)                                                 \
	"SELECT id, name, pool, description, frozen, created_at, " place \
	", kind, state FROM image WHERE state <> 0"
static const char names_sql[] = NAMES_SQL("root, path, linked");
static const char old_names_sql[] = NAMES_SQL("NULL, NULL, 0");
static const char labels_sql[] = "SELECT key, value FROM label WHERE image_id = ?1 ORDER BY key";

static void copy_text(sqlite3_stmt *stmt, int column, char *ret_text, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	(void)snprintf(ret_text, size, "%s", text ? (const char *)text : "");
}

/* Heap; NULL when there is none. False: out of memory. */
static bool take_text(sqlite3_stmt *stmt, int column, char **ret_text)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	if (!text || !*text)
		return true;
	*ret_text = strdup((const char *)text);
	return *ret_text != NULL;
}

static void closep_db(sqlite3 *const *db)
{
	(void)sqlite3_close(*db);
}

static void finalizep(sqlite3_stmt *const *stmt)
{
	(void)sqlite3_finalize(*stmt);
}

/* What could not be read this time may be read the next. */
static int unreadable(sqlite3 *db)
{
	enum catalog_code code = catalog_sql_code(db);
	int sys = catalog_sql_disk(db);

	if (code == CATALOG_E_NOMEM || code == CATALOG_E_BUSY || code == CATALOG_E_IO)
		return code;
	return sys && sys != ENOENT ? CATALOG_E_IO : CATALOG_E_DAMAGED;
}

static const char *verdict(sqlite3 *db, int code)
{
	if (code == CATALOG_E_BUSY)
		return "cannot be read: another process has locked it";
	if (code == CATALOG_E_IO)
		return "cannot be read: its disk failed";
	return code == CATALOG_E_DAMAGED && catalog_sql_disk(db) == ENOENT ? "is not there"
									   : "cannot be read";
}

static int salvage_labels(sqlite3 *db, struct catalog_image *image)
{
	CLEANUP(finalizep) sqlite3_stmt *stmt = NULL;
	int result = SQLITE_DONE;

	if (sqlite3_prepare_v2(db, labels_sql, -1, &stmt, NULL) != SQLITE_OK)
		return unreadable(db);
	image->labels = calloc(CATALOG_LABELS_MAX, sizeof *image->labels);
	if (!image->labels)
		return CATALOG_E_NOMEM;
	(void)sqlite3_bind_blob(stmt, 1, image->id, IDS_SIZE, SQLITE_STATIC);
	/* A text that there was no memory for fails the next step. */
	while ((result = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct catalog_label *label = &image->labels[image->n_labels];

		if (image->n_labels++ == CATALOG_LABELS_MAX)
			return CATALOG_E_DAMAGED;
		copy_text(stmt, 0, label->key, sizeof label->key);
		copy_text(stmt, 1, label->value, sizeof label->value);
	}
	return result == SQLITE_DONE ? 0 : unreadable(db);
}

static int salvage_row(sqlite3 *db, sqlite3_stmt *stmt, catalog_each_fn *each, void *ctx)
{
	CLEANUP(catalog_image_fini) struct catalog_image image = {0};
	const void *id = sqlite3_column_blob(stmt, 0);
	int r;

	if (!id || sqlite3_column_bytes(stmt, 0) != IDS_SIZE)
		return unreadable(db);
	memcpy(image.id, id, IDS_SIZE);
	copy_text(stmt, 1, image.name, sizeof image.name);
	copy_text(stmt, 2, image.pool, sizeof image.pool);
	if (!take_text(stmt, 3, &image.description) || !take_text(stmt, 6, &image.root) ||
	    !take_text(stmt, 7, &image.path))
		return CATALOG_E_NOMEM;
	image.linked = sqlite3_column_int(stmt, 8) != 0;
	image.kind = (enum catalog_kind)sqlite3_column_int(stmt, 9);
	image.state = (enum catalog_state)sqlite3_column_int(stmt, 10);
	image.frozen = sqlite3_column_int(stmt, 4) != 0;
	image.created_at = sqlite3_column_int64(stmt, 5);
	r = salvage_labels(db, &image);
	return r < 0 ? r : each(ctx, &image);
}

static int prepare_names(sqlite3 *db, sqlite3_stmt **ret_stmt)
{
	char text[CATALOG_WHY];
	int r = catalog_sql_check(db, text);

	if (r < 0)
		return r == CATALOG_E_FAILED ? unreadable(db) : r;
	r = sqlite3_prepare_v2(db, names_sql, -1, ret_stmt, NULL);
	if (r == SQLITE_ERROR) /* there is no such column */
		r = sqlite3_prepare_v2(db, old_names_sql, -1, ret_stmt, NULL);
	return r == SQLITE_OK ? 0 : unreadable(db);
}

int catalog_salvage(const char *path, catalog_each_fn *each, void *ctx, struct catalog_error *err)
{
	CLEANUP(closep_db) sqlite3 *db = NULL;
	CLEANUP(finalizep) sqlite3_stmt *stmt = NULL;
	int result = SQLITE_DONE, r;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW,
			    catalog_vfs()) != SQLITE_OK)
		r = unreadable(db);
	else
		r = prepare_names(db, &stmt);
	while (r == 0 && (result = sqlite3_step(stmt)) == SQLITE_ROW)
		r = salvage_row(db, stmt, each, ctx);
	if (r == 0 && result != SQLITE_DONE)
		r = unreadable(db);
	return r < 0 ? catalog_sql_fail(err, (enum catalog_code)r, "%.200s %s", path,
					verdict(db, r))
		     : 0;
}
