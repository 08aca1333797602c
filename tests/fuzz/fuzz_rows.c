/* fuzz_rows.c - rows of a catalog whose tables hold anything: what no constraint keeps out, the
 * daemon must bear.
 *
 * The first byte is of flags; then for each row a byte of the values that are not those of a good
 * row, by column in turn, and these: a byte of the kind, one of the length, and so many bytes. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_use.h"
#include "fuzz.h"

enum { ROWS_MAX = 8, LABELS = 1 << 0, SQL = 4096 };

/* Of the newest schema: what is in its tables, without anything that they refuse. */
static char tables[SQL], image_insert[SQL];
static int n_columns;

/* ---- values ---- */

static int64_t number(const uint8_t *bytes, size_t len)
{
	uint64_t value = len > 0 && bytes[0] & 0x80 ? UINT64_MAX : 0;

	for (size_t i = 0; i < len && i < 8; i++)
		value = value << 8 | bytes[i];
	return (int64_t)value;
}

static void bind_any(struct input *input, sqlite3_stmt *stmt, int column)
{
	static const double floats[] = {0.5, -1e300, 9.3e18, 1e-310};
	uint8_t kind = take(input);
	size_t len = take(input);
	const uint8_t *bytes = input->at;

	if (len > input->left)
		len = input->left;
	input->at += len;
	input->left -= len;
	switch (kind % 6) {
	case 0: (void)sqlite3_bind_null(stmt, column); return;
	case 1: (void)sqlite3_bind_double(stmt, column, floats[len % 4]); return;
	case 2: (void)sqlite3_bind_blob(stmt, column, bytes, (int)len, SQLITE_TRANSIENT); return;
	case 3:
		(void)sqlite3_bind_text(stmt, column, (const char *)bytes, (int)len,
					SQLITE_TRANSIENT);
		return;
	case 4: (void)sqlite3_bind_zeroblob(stmt, column, (int)len * 40); return;
	default: (void)sqlite3_bind_int64(stmt, column, number(bytes, len)); return;
	}
}

static void bind_id(sqlite3_stmt *stmt, int column, uint8_t number)
{
	uint8_t id[16];

	memset(id, number, sizeof id);
	(void)sqlite3_bind_blob(stmt, column, id, sizeof id, SQLITE_TRANSIENT);
}

static int column(sqlite3_stmt *stmt, const char *name)
{
	int at = sqlite3_bind_parameter_index(stmt, name);

	if (at == 0)
		abort();
	return at;
}

/* Of a chain: each the child of the one before. */
static void bind_good(sqlite3_stmt *stmt, unsigned row)
{
	static const char *const ones[] = {":state",  ":generation", ":version",
					   ":blocks", ":file_bytes", ":created_at"};
	static const char *const nothing[] = {":root",        ":path",       ":missing_id",
					      ":seal_bytes",  ":seal_mtime", ":seal_ino",
					      ":seal_sha256", ":parent_id"};
	static const char name[] = "abcdefgh";

	for (int i = 1; i <= n_columns; i++)
		(void)sqlite3_bind_int64(stmt, i, 0);
	for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
		(void)sqlite3_bind_int64(stmt, column(stmt, ones[i]), 1);
	for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
		(void)sqlite3_bind_null(stmt, column(stmt, nothing[i]));
	bind_id(stmt, column(stmt, ":id"), (uint8_t)(row + 1));
	if (row > 0)
		bind_id(stmt, column(stmt, ":parent_id"), (uint8_t)row);
	(void)sqlite3_bind_int64(stmt, column(stmt, ":kind"), row > 0 ? 2 : 0);
	(void)sqlite3_bind_int64(stmt, column(stmt, ":size"), 1 << 20);
	(void)sqlite3_bind_text(stmt, column(stmt, ":name"), name + row, 1, SQLITE_STATIC);
	(void)sqlite3_bind_text(stmt, column(stmt, ":pool"), "default", -1, SQLITE_STATIC);
}

/* ---- rows ---- */

static void insert_image(struct input *input, sqlite3_stmt *stmt, unsigned row)
{
	unsigned bad = take(input) % 8;

	(void)sqlite3_reset(stmt);
	bind_good(stmt, row);
	while (bad-- > 0) {
		int at = 1 + take(input) % n_columns;

		bind_any(input, stmt, at);
	}
	(void)sqlite3_step(stmt);
}

static void insert_label(struct input *input, sqlite3_stmt *stmt)
{
	(void)sqlite3_reset(stmt);
	bind_id(stmt, 1, (uint8_t)(1 + take(input) % ROWS_MAX));
	bind_any(input, stmt, 2);
	bind_any(input, stmt, 3);
	(void)sqlite3_step(stmt);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		abort();
	return stmt;
}

static void fill(struct input *input, sqlite3 *db)
{
	sqlite3_stmt *images = prepare(db, image_insert);
	sqlite3_stmt *labels = prepare(db, "INSERT INTO label VALUES (?1, ?2, ?3)");
	uint8_t flags = take(input);

	for (unsigned i = 0; i < ROWS_MAX && input->left > 0; i++) {
		insert_image(input, images, i);
		if (flags & LABELS)
			insert_label(input, labels);
	}
	(void)sqlite3_finalize(images);
	(void)sqlite3_finalize(labels);
}

/* ---- the tables ---- */

static sqlite3 *open_db(void)
{
	sqlite3 *db;

	if (sqlite3_open(catalog_use_path(), &db) != SQLITE_OK)
		abort();
	return db;
}

static void execute(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		abort();
}

/* The only text that a query answers. */
static void ask(sqlite3 *db, const char *sql, char ret_text[SQL])
{
	sqlite3_stmt *stmt = prepare(db, sql);

	if (sqlite3_step(stmt) != SQLITE_ROW)
		abort();
	(void)snprintf(ret_text, SQL, "%s", (const char *)sqlite3_column_text(stmt, 0));
	(void)sqlite3_finalize(stmt);
}

/* Those of an empty catalog of today, by its names only. */
static void learn(void)
{
	static const char what[] =
		"SELECT 'PRAGMA page_size = 512; PRAGMA synchronous = OFF; PRAGMA user_version = '"
		" || (SELECT user_version FROM pragma_user_version) || ';PRAGMA application_id = '"
		" || (SELECT application_id FROM pragma_application_id) || ';'"
		" || group_concat('CREATE TABLE ' || name || '(' || (SELECT group_concat(c.name)"
		"      FROM pragma_table_info(t.name) AS c) || ');', '')"
		" FROM sqlite_schema AS t WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
	char count[SQL];
	sqlite3 *db;

	catalog_use_write(NULL, 0);
	catalog_use(true);
	db = open_db();
	ask(db, what, tables);
	ask(db, "SELECT count(*) FROM pragma_table_info('image')", count);
	n_columns = atoi(count);
	ask(db,
	    "SELECT 'INSERT INTO image (' || group_concat(name) || ') VALUES (:'"
	    " || group_concat(name, ',:') || ')' FROM pragma_table_info('image')",
	    image_insert);
	(void)sqlite3_close(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	sqlite3 *db;

	if (size > 4096)
		return 0;
	if (n_columns == 0)
		learn();
	catalog_use_write(NULL, 0);
	db = open_db();
	execute(db, tables);
	execute(db, "BEGIN");
	fill(&input, db);
	execute(db, "COMMIT");
	(void)sqlite3_close(db);
	catalog_use(true);
	return 0;
}
