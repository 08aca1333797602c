/* test_server_migrate.c - catalogs of every older schema come up to date with all that they say,
 * and a backup of them is kept. */
#include "catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "must.h"
#include "pool_backup.h"
#include "pool_world.h"
#include "test.h"

#ifndef CATALOGS
#error "CATALOGS is the folder of tests/data/catalog"
#endif

static const char *no_write; /* a file that cannot be opened for writing */

/* In the place of the C library's, for SQLite. */
int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	if (no_write && strcmp(path, no_write) == 0 && (flags & O_ACCMODE) != O_RDONLY) {
		errno = EDQUOT;
		return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static char *read_text(const char *name)
{
	char path[512], *text = must_alloc(1 << 16);
	FILE *in;

	(void)snprintf(path, sizeof path, "%s/%s", CATALOGS, name);
	in = fopen(path, "r");
	assert_non_null(in);
	assert_true(fread(text, 1, (1 << 16) - 1, in) > 0);
	(void)fclose(in);
	return text;
}

static void execute(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	(void)sqlite3_close(db);
}

static int version_of(const char *path)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int version;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	version = sqlite3_column_int(stmt, 0);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return version;
}

static void expect_answer(const char *path, const char *sql, const char *answer)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), answer);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
}

/* A world whose catalog is that of the file. */
static struct pool_world *world_of(const char *name)
{
	struct pool_world *world = pool_world_new();
	char *sql = read_text(name);

	pool_world_close(world);
	assert_int_equal(unlink(world->path), 0);
	execute(world->path, sql);
	must_free(sql);
	return world;
}

/* What the catalogs of the folder have that the others have not. */
struct fixture {
	const char *name;
	uint64_t generation, revision;
	bool sealed;
};
static const struct fixture fixtures[] = {
	{"schema-1.sql", 5, 4, false},
	{"schema-2.sql", 1, 5, true},
	{"schema-3.sql", 1, 5, true},
};

static void expect_content(struct pool_world *world, const struct fixture *fixture)
{
	struct catalog_images chain, list;
	struct catalog_brief brief;
	struct catalog_place at;
	uint8_t id[IDS_SIZE];

	pool_world_id(3, id);
	assert_int_equal(catalog_chain(world->catalog, id, &chain, &world->err), 0);
	assert_int_equal(chain.n, 3);
	assert_string_equal(chain.items[0].name, "leaf");
	assert_true(chain.items[0].dirty);
	assert_int_equal(chain.items[0].generation, fixture->generation);
	assert_string_equal(chain.items[2].name, "base");
	assert_string_equal(chain.items[2].description, "before upgrade");
	assert_int_equal(chain.items[2].n_labels, 2);
	assert_int_equal(chain.items[2].sealed, fixture->sealed);
	catalog_images_fini(&chain);
	pool_world_id(4, id);
	assert_true(catalog_brief(world->catalog, id, &brief) && brief.frozen);
	assert_true(catalog_place(world->catalog, id, &at));
	assert_string_equal(at.pool, "default");
	assert_true(at.root[0] == '\0' && at.path[0] == '\0' && !at.linked);
	assert_int_equal(catalog_list(world->catalog, NULL, 10, true, &list, &world->err), 0);
	assert_int_equal(list.total, 4);
	assert_int_equal(list.revision, fixture->revision);
	catalog_images_fini(&list);
}

static void brings_every_schema_up_to_date(void **state)
{
	char backup[POOL_BACKUP_PATH];

	(void)state;
	for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++) {
		struct pool_world *world = world_of(fixtures[i].name);

		assert_int_equal(version_of(world->path), (int)i + 1);
		pool_world_open(world);
		expect_content(world, &fixtures[i]);
		pool_world_close(world);
		assert_true(version_of(world->path) > (int)i + 1);
		assert_int_equal(pool_backup_newest(world->path, backup), 0);
		assert_int_equal(version_of(backup), (int)i + 1);
		/* A second start has nothing to do. */
		assert_int_equal(unlink(backup), 0);
		pool_world_open(world);
		expect_content(world, &fixtures[i]);
		assert_int_equal(pool_backup_newest(world->path, backup), -1);
		pool_world_free(world);
	}
}

/* A step that fails leaves the old catalog as it was. */
static void undoes_a_step_that_fails(void **state)
{
	/* What a step makes is there already. */
	static const struct {
		const char *spoil, *mend, *text;
	} steps[] = {
		{"ALTER TABLE image ADD COLUMN seal_ino INTEGER",
		 "ALTER TABLE image DROP COLUMN seal_ino", "seal_ino"},
		{"CREATE TABLE image_3 (id)", "DROP TABLE image_3", "table image_3 already exists"},
		{"CREATE INDEX image_fate ON image (id)", "DROP INDEX image_fate",
		 "index image_fate already exists"},
	};
	struct catalog *catalog = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++) {
		struct pool_world *world = world_of(fixtures[i].name);

		execute(world->path, steps[i].spoil);
		assert_true(catalog_open(world->path, 8, &catalog, &world->err) < 0);
		assert_non_null(strstr(world->err.text, steps[i].text));
		assert_int_equal(version_of(world->path), (int)i + 1);
		execute(world->path, steps[i].mend);
		pool_world_open(world);
		expect_content(world, &fixtures[i]);
		pool_world_free(world);
	}
}

static void refuses_a_name_of_nobody(void **state)
{
	struct pool_world *world = world_of("schema-2.sql");
	struct catalog *catalog = NULL;

	(void)state;
	execute(world->path, "INSERT INTO label VALUES (x'ee0000000000000000000000000000ff', 'a', "
			     "'b')");
	assert_int_equal(catalog_open(world->path, 8, &catalog, &world->err), CATALOG_E_DAMAGED);
	assert_string_equal(world->err.text,
			    "catalog: damaged: 1 rows name an image that is not there");
	assert_int_equal(version_of(world->path), 2);
	pool_world_free(world);
}

/* All that hung on a table that was made anew. */
static void keeps_what_belongs_to_the_table(void **state)
{
	static const char wanted[] =
		"index image_fate, index image_missing, index image_name, index image_parent, "
		"index image_place, "
		"trigger image_child, trigger image_identity, trigger image_lost, "
		"trigger image_moved, trigger image_orphan, trigger image_reparent, "
		"trigger image_state";
	struct pool_world *world = world_of("schema-1.sql");

	(void)state;
	pool_world_open(world);
	pool_world_close(world);
	expect_answer(world->path,
		      "SELECT group_concat(what, ', ') FROM (SELECT type || ' ' || name AS what "
		      "FROM sqlite_schema WHERE tbl_name = 'image' AND type <> 'table' "
		      "AND name NOT LIKE 'sqlite_%' ORDER BY type, name)",
		      wanted);
	expect_answer(world->path,
		      "SELECT group_concat(\"table\" || ' ' || on_delete, ', ') FROM "
		      "(SELECT * FROM pragma_foreign_key_list('label') UNION ALL "
		      "SELECT * FROM pragma_foreign_key_list('image'))",
		      "image CASCADE, image RESTRICT");
	pool_world_free(world);
}

static void names_the_backup_of_a_newer_one(void **state)
{
	struct pool_world *world = world_of("schema-1.sql");
	char backup[POOL_BACKUP_PATH];

	(void)state;
	pool_world_open(world);
	pool_world_close(world);
	execute(world->path, "PRAGMA user_version = 99");
	assert_int_equal(catalog_open(world->path, 8, &world->catalog, &world->err),
			 CATALOG_E_NEWER);
	assert_int_equal(pool_backup_newest(world->path, backup), 0);
	assert_non_null(strstr(world->err.text, backup));
	assert_int_equal(version_of(world->path), 99);
	pool_world_free(world);
}

/* A flipped bit makes a version that never was. */
static void refuses_a_version_below_zero(void **state)
{
	struct pool_world *world = world_of("schema-1.sql");

	(void)state;
	pool_world_open(world);
	pool_world_close(world);
	execute(world->path, "PRAGMA user_version = -7");
	assert_int_equal(catalog_open(world->path, 8, &world->catalog, &world->err),
			 CATALOG_E_DAMAGED);
	assert_string_equal(world->err.text, "catalog: damaged: version -7");
	pool_world_free(world);
}

/* Root may write everywhere, so this takes a file that nobody may write. */
static void refuses_a_catalog_that_can_only_be_read(void **state)
{
	struct pool_world *world = world_of("schema-1.sql");
	char want[POOL_BACKUP_PATH + 100];

	(void)state;
	no_write = world->path;
	assert_int_equal(catalog_open(world->path, 8, &world->catalog, &world->err),
			 CATALOG_E_FAILED);
	no_write = NULL;
	(void)snprintf(want, sizeof want,
		       "%s cannot be opened for writing: look at its owner, its mode and the quota",
		       world->path);
	assert_string_equal(world->err.text, want);
	pool_world_open(world);
	expect_content(world, &fixtures[0]);
	pool_world_free(world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(brings_every_schema_up_to_date),
		cmocka_unit_test(undoes_a_step_that_fails),
		cmocka_unit_test(refuses_a_name_of_nobody),
		cmocka_unit_test(keeps_what_belongs_to_the_table),
		cmocka_unit_test(names_the_backup_of_a_newer_one),
		cmocka_unit_test(refuses_a_version_below_zero),
		cmocka_unit_test(refuses_a_catalog_that_can_only_be_read),
	};

	return cmocka_run_group_tests_name("server/migrate", tests, NULL, NULL);
}
