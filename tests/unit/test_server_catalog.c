/* test_server_catalog.c - the catalog: what it keeps, what it refuses, and that memory and disk
 * agree. */
#include "catalog.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test.h"

struct world {
	char folder[32];
	char path[64];
	struct catalog *catalog;
	struct catalog_error err;
};

static struct world *open_world(void **state)
{
	struct world *world = *state;

	assert_int_equal(catalog_open(world->path, 8, &world->catalog, &world->err), 0);
	return world;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	(void)strcpy(world->folder, "/tmp/vhdd-catalog-XXXXXX");
	assert_non_null(mkdtemp(world->folder));
	(void)snprintf(world->path, sizeof world->path, "%s/catalog.db", world->folder);
	*state = world;
	(void)open_world(state);
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	char journal[80];

	catalog_close(world->catalog);
	(void)snprintf(journal, sizeof journal, "%s-journal", world->path);
	(void)unlink(journal);
	(void)unlink(world->path);
	(void)rmdir(world->folder);
	free(world);
	return 0;
}

static struct world *reopen(void **state)
{
	struct world *world = *state;

	catalog_close(world->catalog);
	world->catalog = NULL;
	return open_world(state);
}

static const uint8_t *id_of(uint8_t n)
{
	static uint8_t ids[8][IDS_SIZE];
	static unsigned at;
	uint8_t *id = ids[at++ % 8];

	memset(id, 0, IDS_SIZE);
	id[0] = 0xee;
	id[15] = n;
	return id;
}

static struct catalog_image image_of(uint8_t n, uint8_t parent)
{
	struct catalog_image image = {.vhd = {.size = 1048576, .block_size = 2097152}};

	memcpy(image.id, id_of(n), IDS_SIZE);
	(void)snprintf(image.name, sizeof image.name, "image-%u", n);
	(void)snprintf(image.pool, sizeof image.pool, "default");
	if (parent) {
		image.kind = CATALOG_DIFFERENCING;
		memcpy(image.parent_id, id_of(parent), IDS_SIZE);
	}
	return image;
}

static int insert(struct world *world, uint8_t n, uint8_t parent)
{
	struct catalog_image image = image_of(n, parent);

	return catalog_insert(world->catalog, &image, &world->err);
}

/* To the end. */
static int create(struct world *world, uint8_t n, uint8_t parent)
{
	const struct catalog_vhd vhd = {.size = 1048576, .block_size = 2097152, .creator = "win "};
	const struct catalog_usage usage = {.file_bytes = 1000u + n};
	int r = insert(world, n, parent);

	if (r == 0)
		r = catalog_finish_create(world->catalog, id_of(n), &vhd, &usage, NULL,
					  &world->err);
	return r;
}

static void keeps_what_it_is_told(void **state)
{
	struct world *world = *state;
	struct catalog_label labels[2] = {{"env", "prod"}, {"role", "web"}};
	struct catalog_image image = image_of(1, 0), got;
	char description[] = "before upgrade";

	image.description = description;
	image.labels = labels;
	image.n_labels = 2;
	assert_int_equal(catalog_insert(world->catalog, &image, &world->err), 0);
	world = reopen(state);
	assert_int_equal(catalog_get(world->catalog, id_of(1), &got, &world->err), 0);
	assert_string_equal(got.name, "image-1");
	assert_int_equal(got.state, CATALOG_CREATING);
	assert_int_equal(got.vhd.size, 1048576);
	assert_string_equal(got.description, "before upgrade");
	assert_int_equal(got.n_labels, 2);
	assert_string_equal(got.labels[1].key, "role");
	assert_string_equal(got.labels[1].value, "web");
	assert_true(got.created_at > 0);
	catalog_image_fini(&got);
}

/* What a chain says of its images is what each of them says. */
static void expect_alike(struct world *world, const struct catalog_images *chain)
{
	for (size_t i = 0; i < chain->n; i++) {
		const struct catalog_image *item = &chain->items[i];
		struct catalog_image got;

		assert_int_equal(catalog_get(world->catalog, item->id, &got, &world->err), 0);
		assert_int_equal(item->depth, got.depth);
		assert_int_equal(item->chain_file_bytes, got.chain_file_bytes);
		assert_string_equal(item->parent_name, got.parent_name);
		assert_string_equal(item->root_name, got.root_name);
		assert_memory_equal(item->root_id, got.root_id, IDS_SIZE);
		catalog_image_fini(&got);
	}
}

static void knows_the_family(void **state)
{
	struct world *world = *state;
	struct catalog_images chain;
	struct catalog_image got;
	char names[4][CATALOG_NAME];

	for (uint8_t n = 1; n <= 3; n++)
		assert_int_equal(create(world, n, n - 1), 0);
	assert_int_equal(create(world, 4, 2), 0);
	for (int pass = 0; pass < 2; pass++) {
		assert_int_equal(catalog_get(world->catalog, id_of(3), &got, &world->err), 0);
		assert_int_equal(got.depth, 2);
		assert_string_equal(got.parent_name, "image-2");
		assert_string_equal(got.root_name, "image-1");
		assert_int_equal(got.chain_file_bytes, 1001 + 1002 + 1003);
		catalog_image_fini(&got);
		assert_int_equal(catalog_chain(world->catalog, id_of(3), &chain, &world->err), 0);
		assert_int_equal(chain.n, 3);
		assert_string_equal(chain.items[2].name, "image-1");
		expect_alike(world, &chain);
		catalog_images_fini(&chain);
		assert_int_equal(catalog_children(world->catalog, id_of(2), names, 4), 2);
		world = reopen(state); /* memory and disk say the same */
	}
}

/* Its name is free, and may be that of an image which has nothing to do with the parent. */
static void a_child_that_is_being_deleted_counts_for_nobody_but_its_parent(void **state)
{
	struct world *world = *state;
	struct catalog_brief brief;
	char names[4][CATALOG_NAME];
	uint8_t child[IDS_SIZE];

	for (uint8_t n = 1; n <= 3; n++)
		assert_int_equal(create(world, n, n > 1), 0);
	assert_false(catalog_unsettled_child(world->catalog, id_of(1), child));
	assert_int_equal(insert(world, 4, 1), 0);
	assert_int_equal(catalog_begin_delete(world->catalog, id_of(2), 0, &world->err), 0);
	for (int pass = 0; pass < 2; pass++) {
		assert_true(catalog_brief(world->catalog, id_of(1), &brief));
		assert_int_equal(brief.children, 3);
		assert_int_equal(brief.born, 1);
		assert_int_equal(brief.leaving, 1);
		assert_int_equal(catalog_children(world->catalog, id_of(1), names, 4), 2);
		assert_string_not_equal(names[0], "image-2");
		assert_string_not_equal(names[1], "image-2");
		assert_true(catalog_unsettled_child(world->catalog, id_of(1), child));
		world = reopen(state); /* memory and disk say the same */
	}
	assert_int_equal(catalog_begin_delete(world->catalog, id_of(3), 0, &world->err), 0);
	assert_int_equal(catalog_begin_delete(world->catalog, id_of(1), 0, &world->err),
			 CATALOG_E_STATE);
	assert_int_equal(catalog_forget(world->catalog, id_of(2), 0, &world->err), 0);
	assert_int_equal(catalog_forget(world->catalog, id_of(3), 0, &world->err), 0);
	assert_int_equal(catalog_forget(world->catalog, id_of(4), 0, &world->err), 0);
	assert_true(catalog_brief(world->catalog, id_of(1), &brief));
	assert_int_equal(brief.children + brief.born + brief.leaving, 0);
	assert_int_equal(catalog_begin_delete(world->catalog, id_of(1), 0, &world->err), 0);
}

static void refuses(void **state)
{
	struct world *world = *state;
	struct catalog_image image;

	assert_int_equal(create(world, 1, 0), 0);
	assert_int_equal(create(world, 2, 1), 0);
	assert_int_equal(insert(world, 1, 0), CATALOG_E_ID_EXISTS);
	image = image_of(3, 0);
	(void)strcpy(image.name, "image-1");
	assert_int_equal(catalog_insert(world->catalog, &image, &world->err),
			 CATALOG_E_NAME_EXISTS);
	assert_string_equal(world->err.text, "an image 'image-1' exists");
	assert_int_equal(insert(world, 3, 9), CATALOG_E_PARENT);
	assert_int_equal(catalog_begin_delete(world->catalog, id_of(1), 0, &world->err),
			 CATALOG_E_HAS_CHILDREN);
	assert_int_equal(catalog_forget(world->catalog, id_of(1), 0, &world->err),
			 CATALOG_E_HAS_CHILDREN);
	assert_int_equal(catalog_forget(world->catalog, id_of(9), 0, &world->err),
			 CATALOG_E_NOT_FOUND);
	/* Not ready yet, and then no more. */
	assert_int_equal(insert(world, 4, 1), 0);
	assert_int_equal(insert(world, 5, 4), CATALOG_E_PARENT);
	assert_int_equal(catalog_begin_delete(world->catalog, id_of(4), 0, &world->err),
			 CATALOG_E_STATE);
	image = image_of(6, 0);
	(void)strcpy(image.name, "../evil");
	assert_int_equal(catalog_insert(world->catalog, &image, &world->err), CATALOG_E_STATE);
}

static uint64_t version_of(struct world *world, uint8_t n)
{
	struct catalog_image image;
	uint64_t version;

	assert_int_equal(catalog_get(world->catalog, id_of(n), &image, &world->err), 0);
	version = image.version;
	catalog_image_fini(&image);
	return version;
}

/* Would catch: two clients who both believe to be the first, and a version of two things told. */
static void guards_parents_and_deletions_by_their_version(void **state)
{
	struct world *world = *state;
	struct catalog_image image = image_of(2, 1);

	assert_int_equal(create(world, 1, 0), 0);
	image.parent_version = version_of(world, 1);
	assert_int_equal(catalog_insert(world->catalog, &image, &world->err), 0);
	assert_true(version_of(world, 1) > image.parent_version);
	memcpy(image.id, id_of(3), IDS_SIZE);
	(void)strcpy(image.name, "image-3");
	assert_int_equal(catalog_insert(world->catalog, &image, &world->err), CATALOG_E_CHANGED);
	assert_string_equal(world->err.text, "the parent has changed since");
	assert_int_equal(catalog_forget(world->catalog, id_of(2), 0, &world->err), 0);
	assert_int_equal(
		catalog_begin_delete(world->catalog, id_of(1), image.parent_version, &world->err),
		CATALOG_E_CHANGED);
	assert_string_equal(world->err.text, "the image has changed since");
	assert_int_equal(
		catalog_begin_delete(world->catalog, id_of(1), version_of(world, 1), &world->err),
		0);
	world = reopen(state);
	assert_int_equal(version_of(world, 1), image.parent_version + 3);
}

static void bounds_the_depth(void **state)
{
	struct world *world = *state;

	for (uint8_t n = 1; n <= 8; n++)
		assert_int_equal(create(world, n, n - 1), 0);
	assert_int_equal(insert(world, 9, 8), CATALOG_E_TOO_DEEP);
	assert_string_equal(world->err.text, "a chain has at most 8 images");
}

static void frees_a_name_with_the_deletion(void **state)
{
	struct world *world = *state;
	struct catalog_image image = image_of(2, 0);
	uint8_t id[IDS_SIZE];

	assert_int_equal(create(world, 1, 0), 0);
	assert_int_equal(catalog_begin_delete(world->catalog, id_of(1), 0, &world->err), 0);
	assert_int_equal(catalog_id_of(world->catalog, "image-1", id, &world->err),
			 CATALOG_E_NOT_FOUND);
	(void)strcpy(image.name, "image-1");
	assert_int_equal(catalog_insert(world->catalog, &image, &world->err), 0);
	world = reopen(state);
	assert_int_equal(catalog_id_of(world->catalog, "image-1", id, &world->err), 0);
	assert_memory_equal(id, id_of(2), IDS_SIZE);
	assert_int_equal(catalog_forget(world->catalog, id_of(1), 0, &world->err), 0);
}

static void counts_generations(void **state)
{
	const struct catalog_usage usage = {.file_bytes = 5};
	struct world *world = *state;
	struct catalog_brief brief;
	uint64_t generation = 0;

	assert_int_equal(create(world, 1, 0), 0);
	assert_int_equal(catalog_mark_dirty(world->catalog, id_of(1), &generation, &world->err), 0);
	assert_int_equal(generation, 1);
	world = reopen(state);
	assert_true(catalog_brief(world->catalog, id_of(1), &brief));
	assert_true(brief.dirty);
	assert_int_equal(catalog_mark_clean(world->catalog, id_of(1), &usage, &world->err), 0);
	assert_int_equal(catalog_mark_dirty(world->catalog, id_of(1), &generation, &world->err), 0);
	assert_int_equal(generation, 2);
	/* A child makes its parent clean: freezing has flushed it. A failed child does not. */
	assert_int_equal(insert(world, 2, 1), 0);
	assert_int_equal(catalog_forget(world->catalog, id_of(2), 0, &world->err), 0);
	assert_true(catalog_brief(world->catalog, id_of(1), &brief) && brief.dirty);
	assert_int_equal(create(world, 2, 1), 0);
	assert_true(catalog_brief(world->catalog, id_of(1), &brief) && !brief.dirty);
	world = reopen(state);
	assert_true(catalog_brief(world->catalog, id_of(1), &brief) && !brief.dirty);
}

static void lists_by_name(void **state)
{
	struct world *world = *state;
	struct catalog_images list;

	for (uint8_t n = 9; n > 0; n--)
		assert_int_equal(create(world, n, 0), 0);
	assert_int_equal(catalog_begin_delete(world->catalog, id_of(3), 0, &world->err), 0);
	assert_int_equal(catalog_list(world->catalog, "image-1", 3, true, &list, &world->err), 0);
	assert_int_equal(list.n, 3);
	assert_string_equal(list.items[0].name, "image-2");
	assert_string_equal(list.items[1].name, "image-4");
	assert_true(list.more);
	assert_int_equal(list.total, 8);
	assert_int_equal(list.revision, 10);
	catalog_images_fini(&list);
	assert_int_equal(catalog_list(world->catalog, "image-5", 100, false, &list, &world->err),
			 0);
	assert_int_equal(list.n, 4);
	assert_false(list.more);
	catalog_images_fini(&list);
	assert_int_equal(catalog_list(world->catalog, NULL, SIZE_MAX, false, &list, &world->err),
			 0);
	assert_int_equal(list.n, 8);
	assert_false(list.more);
	catalog_images_fini(&list);
}

static uint64_t revision(struct world *world)
{
	struct catalog_images list;
	uint64_t revision;

	assert_int_equal(catalog_list(world->catalog, NULL, 1, false, &list, &world->err), 0);
	revision = list.revision;
	catalog_images_fini(&list);
	return revision;
}

/* The ETag of a list that shows the parent stayed as it was. */
static void a_parent_that_is_told_differently_moves_the_revision(void **state)
{
	struct world *world = *state;
	uint64_t before, version;

	assert_int_equal(create(world, 1, 0), 0);
	before = revision(world);
	assert_int_equal(insert(world, 2, 1), 0);
	assert_true(revision(world) > before);
	before = revision(world);
	assert_int_equal(catalog_forget(world->catalog, id_of(2), 0, &world->err), 0);
	assert_true(revision(world) > before);
	assert_int_equal(create(world, 2, 1), 0);
	before = revision(world);
	version = version_of(world, 1);
	assert_int_equal(catalog_begin_delete(world->catalog, id_of(2), 0, &world->err), 0);
	assert_int_equal(version_of(world, 1), version + 1);
	assert_int_equal(revision(world), before + 2); /* of the child and of the parent */
	/* It has been told of without the child since. */
	assert_int_equal(catalog_forget(world->catalog, id_of(2), 0, &world->err), 0);
	world = reopen(state);
	assert_int_equal(version_of(world, 1), version + 1);
	assert_int_equal(revision(world), before + 2);
}

static void is_one_daemons_own(void **state)
{
	struct world *world = *state;
	struct catalog *second = NULL;

	assert_int_equal(catalog_open(world->path, 8, &second, &world->err), CATALOG_E_BUSY);
}

/* What a damaged or edited catalog may say, past the checks in memory. */
static void database_refuses_cycles(void **state)
{
	static const char *const changes[] = {
		"UPDATE image SET parent_id = x'ee000000000000000000000000000003' WHERE name = 'image-2'",
		"UPDATE image SET parent_id = id WHERE name = 'image-2'",
		"DELETE FROM image WHERE name = 'image-1'",
		"UPDATE image SET state = 2 WHERE name = 'image-2'",
		"UPDATE image SET state = 0 WHERE name = 'image-3'",
		"UPDATE image SET size = 1000 WHERE name = 'image-3'",
		"UPDATE image SET size = 'much' WHERE name = 'image-3'",
		"UPDATE image SET name = 'image-1' WHERE name = 'image-3'",
	};
	struct world *world = *state;
	sqlite3 *db = NULL;

	for (uint8_t n = 1; n <= 3; n++)
		assert_int_equal(create(world, n, n - 1), 0);
	catalog_close(world->catalog);
	world->catalog = NULL;
	assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL), SQLITE_OK);
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		print_message("%s\n", changes[i]);
		assert_int_equal(sqlite3_exec(db, changes[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
	}
	(void)sqlite3_close(db);
}

/* A copy of the row, to be changed. */
static struct catalog_image row_of(struct world *world, uint8_t n)
{
	struct catalog_image row = {.version = 0};

	assert_int_equal(catalog_get(world->catalog, id_of(n), &row, &world->err), 0);
	return row;
}

static void check_changed(struct world *world)
{
	struct catalog_image row = row_of(world, 1);
	uint8_t id[IDS_SIZE];

	assert_string_equal(row.name, "renamed");
	assert_string_equal(row.description, "text");
	assert_int_equal(row.n_labels, 1);
	assert_string_equal(row.labels[0].key, "role");
	assert_string_equal(row.labels[0].value, "db");
	assert_true(row.frozen);
	assert_false(row.dirty);
	assert_int_equal(row.version, 4);
	assert_int_equal(catalog_id_of(world->catalog, "renamed", id, &world->err), 0);
	assert_int_equal(catalog_id_of(world->catalog, "image-1", id, &world->err),
			 CATALOG_E_NOT_FOUND);
	catalog_image_fini(&row);
}

static void changes_what_is_told_of_an_image(void **state)
{
	struct catalog_label labels[] = {{"env", "prod"}, {"role", "web"}};
	struct world *world = *state;
	struct catalog_image row;
	uint64_t generation;

	assert_int_equal(create(world, 1, 0), 0);
	assert_int_equal(catalog_mark_dirty(world->catalog, id_of(1), &generation, &world->err), 0);
	row = row_of(world, 1);
	row.labels = labels;
	row.n_labels = 2;
	assert_int_equal(catalog_update(world->catalog, &row, &world->err), 0);
	row = row_of(world, 1);
	assert_int_equal(row.n_labels, 2);
	assert_true(row.dirty);
	(void)strcpy(row.name, "renamed");
	row.description = strdup("text");
	(void)strcpy(row.labels[0].key, "role");
	(void)strcpy(row.labels[0].value, "db");
	row.n_labels = 1;
	row.frozen = true;
	assert_int_equal(catalog_update(world->catalog, &row, &world->err), 0);
	check_changed(world);
	/* The row is told as it has become. */
	assert_int_equal(row.version, version_of(world, 1));
	assert_false(row.dirty);
	/* It is not the row that was looked at any more. */
	row.version--;
	assert_int_equal(catalog_update(world->catalog, &row, &world->err), CATALOG_E_CHANGED);
	catalog_image_fini(&row);
	check_changed(reopen(state));
}

static void refuses_changes(void **state)
{
	struct world *world = *state;
	struct catalog_image row;

	assert_int_equal(create(world, 1, 0), 0);
	assert_int_equal(create(world, 2, 0), 0);
	row = row_of(world, 1);
	(void)strcpy(row.name, "image-2");
	assert_int_equal(catalog_update(world->catalog, &row, &world->err), CATALOG_E_NAME_EXISTS);
	assert_string_equal(world->err.text, "an image 'image-2' exists");
	memcpy(row.id, id_of(3), IDS_SIZE);
	assert_int_equal(catalog_update(world->catalog, &row, &world->err), CATALOG_E_NOT_FOUND);
	assert_int_equal(insert(world, 3, 0), 0);
	row.version = 1;
	(void)strcpy(row.name, "image-3");
	assert_int_equal(catalog_update(world->catalog, &row, &world->err), CATALOG_E_STATE);
	catalog_image_fini(&row);
}

static void refuses_other_databases(void **state)
{
	static const struct {
		const char *sql, *why;
		enum catalog_code code;
	} rows[] = {
		{"PRAGMA user_version = 99",
		 "catalog: version 99 is from a newer vhdd, this one knows 4; newest backup: none",
		 CATALOG_E_NEWER},
		{"PRAGMA application_id = 7",
		 "catalog: the file is the database of another program", CATALOG_E_FAILED},
	};
	struct world *world = *state;
	sqlite3 *db = NULL;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		catalog_close(world->catalog);
		world->catalog = NULL;
		assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, rows[i].sql, NULL, NULL, NULL), SQLITE_OK);
		(void)sqlite3_close(db);
		assert_int_equal(catalog_open(world->path, 8, &world->catalog, &world->err),
				 rows[i].code);
		assert_string_equal(world->err.text, rows[i].why);
	}
}

static void a_backup_that_fails_leaves_the_room_to_others(void **state)
{
	const struct rlimit small = {.rlim_cur = 16384, .rlim_max = RLIM_INFINITY};
	struct world *world = *state;
	struct rlimit before;
	char path[sizeof world->path + 8];

	(void)snprintf(path, sizeof path, "%s.new", world->path);
	assert_int_equal(create(world, 1, 0), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_true(catalog_backup(world->catalog, &world->err) < 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(create(world, 2, 0), 0);
}

/* ---- events ---- */

static sqlite3 *open_database(struct world *world)
{
	sqlite3 *db = NULL;

	catalog_close(world->catalog);
	world->catalog = NULL;
	assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
	return db;
}

static void expect_events(struct world *world, int64_t first, int64_t last)
{
	sqlite3 *db = open_database(world);
	sqlite3_stmt *stmt = NULL;
	struct catalog_images images;

	assert_int_equal(sqlite3_prepare_v2(db, "SELECT min(seq), max(seq), count(*) FROM event",
					    -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int64(stmt, 0), first);
	assert_int_equal(sqlite3_column_int64(stmt, 1), last);
	assert_int_equal(sqlite3_column_int64(stmt, 2), last - first + 1);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	assert_int_equal(catalog_open(world->path, 8, &world->catalog, &world->err), 0);
	assert_int_equal(catalog_list(world->catalog, NULL, 0, false, &images, &world->err), 0);
	assert_int_equal(images.revision, last);
	catalog_images_fini(&images);
}

static void restore(struct world *world, uint8_t first, uint8_t last)
{
	static struct catalog_image images[256];
	size_t n = 0;

	for (unsigned i = first; i <= last; i++) {
		images[n] = image_of((uint8_t)i, 0);
		images[n++].state = CATALOG_READY;
	}
	assert_int_equal(catalog_restore(world->catalog, images, n, &world->err), 0);
}

/* All of them were read by every start, and copied by every backup. */
static void keeps_a_hundred_thousand_events(void **state)
{
	static const char many[] =
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100607)"
		"INSERT INTO event (time, type) SELECT i, 'image.updated' FROM n";
	struct world *world = *state;
	sqlite3 *db = open_database(world);

	assert_int_equal(sqlite3_exec(db, many, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	(void)open_world(state);
	/* What an older one has left goes piece by piece. */
	restore(world, 0, 0);
	expect_events(world, 513, 100608);
	restore(world, 1, 255);
	expect_events(world, 513, 100863);
	assert_int_equal(catalog_forget(world->catalog, id_of(1), 0, &world->err), 0);
	expect_events(world, 865, 100864);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_what_it_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(knows_the_family, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_child_that_is_being_deleted_counts_for_nobody_but_its_parent, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(guards_parents_and_deletions_by_their_version,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounds_the_depth, set_up, tear_down),
		cmocka_unit_test_setup_teardown(frees_a_name_with_the_deletion, set_up, tear_down),
		cmocka_unit_test_setup_teardown(counts_generations, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lists_by_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_parent_that_is_told_differently_moves_the_revision, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_one_daemons_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(database_refuses_cycles, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changes_what_is_told_of_an_image, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(refuses_changes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_other_databases, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_a_hundred_thousand_events, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_backup_that_fails_leaves_the_room_to_others,
						set_up, tear_down),
	};

	return cmocka_run_group_tests_name("server/catalog", tests, NULL, NULL);
}
