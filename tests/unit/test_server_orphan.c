/* test_server_orphan.c - images whose parent the catalog does not know, and what becomes of them.
 */
#include "catalog.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "pool_world.h"
#include "test.h"

enum { DEPTH_MAX = 8 };

static int set_up(void **state)
{
	struct pool_world *world = pool_world_new();

	pool_world_close(world);
	assert_int_equal(catalog_open(world->path, DEPTH_MAX, &world->catalog, &world->err), 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	pool_world_free(*state);
	return 0;
}

static void reopen(struct pool_world *world)
{
	catalog_close(world->catalog);
	world->catalog = NULL;
	assert_int_equal(catalog_open(world->path, DEPTH_MAX, &world->catalog, &world->err), 0);
}

static struct catalog_image image_of(unsigned number, unsigned parent)
{
	struct catalog_image image = {.vhd = {.size = 1048576, .block_size = 2097152},
				      .version = 7};

	pool_world_id(number, image.id);
	(void)snprintf(image.name, sizeof image.name, "image-%u", number);
	(void)snprintf(image.pool, sizeof image.pool, "default");
	image.seal.file_bytes = 4096 + number;
	if (parent) {
		image.kind = CATALOG_DIFFERENCING;
		pool_world_id(parent, image.parent_id);
	}
	return image;
}

static int adopt(struct pool_world *world, unsigned number, unsigned parent)
{
	struct catalog_image image = image_of(number, parent);
	const struct catalog_seal seal = {.file_bytes = 4096 + parent};
	struct catalog_brief brief;

	image.parent_missing = parent && !catalog_brief(world->catalog, image.parent_id, &brief);
	return catalog_adopt(world->catalog, &image, 1, parent ? &seal : NULL, NULL, &world->err);
}

static int create(struct pool_world *world, unsigned number, unsigned parent)
{
	struct catalog_image image = image_of(number, parent);

	return catalog_insert(world->catalog, &image, &world->err);
}

static int finish(struct pool_world *world, unsigned number)
{
	const struct catalog_vhd vhd = {.size = 1048576, .block_size = 2097152, .creator = "win "};
	const struct catalog_usage usage = {.file_bytes = 4096};
	uint8_t id[IDS_SIZE];

	pool_world_id(number, id);
	return catalog_finish_create(world->catalog, id, &vhd, &usage, NULL, &world->err);
}

static struct catalog_image get(struct pool_world *world, unsigned number)
{
	struct catalog_image image;
	uint8_t id[IDS_SIZE];

	pool_world_id(number, id);
	assert_int_equal(catalog_get(world->catalog, id, &image, &world->err), 0);
	return image;
}

/* `missing`: what the oldest of its chain misses; 0 = nothing. */
static void expect(struct pool_world *world, unsigned number, unsigned parent, uint32_t depth,
		   unsigned missing)
{
	CLEANUP(catalog_image_fini) struct catalog_image image = get(world, number);
	struct catalog_orphan orphan;
	struct catalog_brief brief;
	uint8_t id[IDS_SIZE];

	pool_world_id(parent, id);
	assert_memory_equal(image.parent_id, id, IDS_SIZE);
	assert_int_equal(image.depth, depth);
	assert_true(catalog_brief(world->catalog, image.id, &brief));
	assert_int_equal(brief.broken, missing != 0);
	assert_int_equal(image.parent_missing, missing == parent);
	assert_int_equal(catalog_orphan_of(world->catalog, image.id, &orphan), missing != 0);
	pool_world_id(missing, id);
	if (missing)
		assert_memory_equal(orphan.parent_id, id, IDS_SIZE);
}

static void waits_for_its_parent(void **state)
{
	struct pool_world *world = *state;
	struct catalog_image base;
	uint8_t id[IDS_SIZE];

	assert_int_equal(adopt(world, 2, 1), 0);
	assert_int_equal(adopt(world, 3, 2), 0);
	assert_int_equal(adopt(world, 4, 1), 0);
	for (int i = 0; i < 2; i++) {
		expect(world, 2, 1, 1, 1);
		expect(world, 3, 2, 2, 1);
		expect(world, 4, 1, 1, 1);
		reopen(world);
	}
	/* What was missed by another one stays away from it. */
	assert_int_equal(adopt(world, 9, 0), 0);
	expect(world, 2, 1, 1, 1);
	assert_int_equal(adopt(world, 1, 0), 0);
	for (int i = 0; i < 2; i++) {
		expect(world, 2, 1, 1, 0);
		expect(world, 3, 2, 2, 0);
		expect(world, 4, 1, 1, 0);
		base = get(world, 1);
		assert_int_equal(base.children, 2);
		assert_true(base.sealed && base.seal.file_bytes == 4097);
		catalog_image_fini(&base);
		base = get(world, 2);
		assert_int_equal(base.version, 9); /* it got a child, and a parent */
		catalog_image_fini(&base);
		reopen(world);
	}
	pool_world_id(1, id);
	assert_int_equal(catalog_forget(world->catalog, id, 0, &world->err),
			 CATALOG_E_HAS_CHILDREN);
}

static void has_no_child_by_one_that_is_not_ready(void **state)
{
	struct pool_world *world = *state;
	struct catalog_image image = image_of(5, 1);
	uint8_t id[IDS_SIZE];

	assert_int_equal(adopt(world, 2, 1), 0);
	assert_int_equal(create(world, 1, 0), 0);
	expect(world, 2, 1, 1, 1);
	/* Whoever comes now could make the chain too deep. */
	image.parent_missing = true;
	assert_int_equal(catalog_adopt(world->catalog, &image, 1, NULL, NULL, &world->err),
			 CATALOG_E_PARENT);
	assert_string_equal(world->err.text, "the parent that was missing has come meanwhile");
	assert_int_equal(adopt(world, 3, 2), CATALOG_E_PARENT);
	/* It fails. */
	pool_world_id(1, id);
	assert_int_equal(catalog_forget(world->catalog, id, 0, &world->err), 0);
	expect(world, 2, 1, 1, 1);
	assert_int_equal(create(world, 1, 0), 0);
	assert_int_equal(finish(world, 1), 0);
	expect(world, 2, 1, 1, 0);
	reopen(world);
	expect(world, 2, 1, 1, 0);
	/* An orphan whose parent is there is none. */
	assert_int_equal(catalog_adopt(world->catalog, &image, 1, NULL, NULL, &world->err),
			 CATALOG_E_PARENT);
}

static void is_neither_snapshot_nor_its_own_ancestor(void **state)
{
	struct pool_world *world = *state;
	struct catalog_image image = image_of(1, 3);

	assert_int_equal(adopt(world, 2, 1), 0);
	assert_int_equal(adopt(world, 3, 2), 0);
	assert_int_equal(create(world, 4, 3), CATALOG_E_PARENT);
	assert_int_equal(catalog_adopt(world->catalog, &image, 1, NULL, NULL, &world->err),
			 CATALOG_E_CYCLE);
	assert_string_equal(world->err.text, "the image would be its own ancestor");
	assert_int_equal(create(world, 1, 3), CATALOG_E_CYCLE);
	expect(world, 3, 2, 2, 1);
}

static void bounds_the_depth(void **state)
{
	struct pool_world *world = *state;

	/* Six images below one that is missing, and a side branch that is shorter. */
	for (unsigned i = 3; i <= 8; i++)
		assert_int_equal(adopt(world, i, i - 1), 0);
	assert_int_equal(adopt(world, 20, 3), 0);
	assert_int_equal(adopt(world, 1, 0), 0);
	assert_int_equal(adopt(world, 2, 1), 0);
	expect(world, 8, 7, 7, 0);
	/* Eight. */
	for (unsigned i = 33; i <= 40; i++)
		assert_int_equal(adopt(world, i, i - 1), 0);
	assert_int_equal(adopt(world, 32, 0), CATALOG_E_TOO_DEEP);
	assert_string_equal(world->err.text, "a chain has at most 8 images, and 'image-33' misses "
					     "this one as its parent");
	assert_int_equal(create(world, 32, 0), CATALOG_E_TOO_DEEP);
	expect(world, 40, 39, 8, 32);
}

/* What no code of the daemon does, the database refuses on its own. */
static void database_has_its_own_rules(void **state)
{
	static const struct {
		const char *sql, *text;
	} rows[] = {
		{"UPDATE image SET missing_id = NULL WHERE name = 'image-2'",
		 "CHECK constraint failed"},
		{"UPDATE image SET missing_id = id WHERE name = 'image-2'",
		 "a parent is not lost again"},
		{"UPDATE image SET parent_id = id, missing_id = NULL WHERE name = 'image-2'",
		 "chain is a cycle"},
		{"UPDATE image SET parent_id = (SELECT id FROM image WHERE name = 'image-9') "
		 "WHERE name = 'image-2'",
		 "CHECK constraint failed"},
		{"UPDATE image SET missing_id = x'ee000000000000000000000000000001' "
		 "WHERE name = 'image-9'",
		 "a parent is not lost again"},
	};
	struct pool_world *world = *state;
	sqlite3 *db = NULL;

	assert_int_equal(adopt(world, 2, 1), 0);
	assert_int_equal(adopt(world, 9, 0), 0);
	pool_world_close(world);
	assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		print_message("%s\n", rows[i].sql);
		assert_int_equal(sqlite3_exec(db, rows[i].sql, NULL, NULL, NULL),
				 SQLITE_CONSTRAINT);
		assert_non_null(strstr(sqlite3_errmsg(db), rows[i].text));
	}
	(void)sqlite3_close(db);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(waits_for_its_parent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(has_no_child_by_one_that_is_not_ready, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(is_neither_snapshot_nor_its_own_ancestor, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(bounds_the_depth, set_up, tear_down),
		cmocka_unit_test_setup_teardown(database_has_its_own_rules, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("server/orphan", tests, NULL, NULL);
}
