/* test_server_damage.c - a catalog with a wrong byte or a lost page, or one that was cut: refused,
 * or right. Never a crash, never a wrong chain. */
#include "catalog.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "must.h"
#include "pool_world.h"
#include "rng.h"
#include "test.h"

enum { IMAGES = 40, FEW = 8, TRIES = 2000, PAGE = 4096 };

static struct catalog_image rows[IMAGES];

static char linked_root[] = "/srv", linked_path[] = "x.vhd";

static void make_rows(struct rng *rng)
{
	for (unsigned i = 0; i < IMAGES; i++) {
		struct catalog_image *row = &rows[i];

		*row = (struct catalog_image){
			.state = CATALOG_READY, .version = 1, .vhd = {.size = 1 << 20}};
		pool_world_id(i + 1, row->id);
		if (i > 0 && !rng_one_in(rng, 5)) {
			row->kind = CATALOG_DIFFERENCING;
			pool_world_id(1 + (unsigned)rng_below(rng, i), row->parent_id);
		}
		(void)snprintf(row->name, sizeof row->name, "image-%u", i + 1);
		(void)snprintf(row->pool, sizeof row->pool, "default");
	}
	rows[0].root = linked_root;
	rows[0].path = linked_path;
	rows[0].linked = true;
}

static uint8_t *read_all(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = must_alloc((size_t)st.st_size);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	(void)close(fd);
	*ret_len = (size_t)st.st_size;
	return bytes;
}

static void write_all(const char *path, const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	(void)close(fd);
}

static void expect_right(struct catalog *catalog, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		CLEANUP(catalog_image_fini) struct catalog_image row = {0};

		assert_int_equal(catalog_get(catalog, rows[i].id, &row, NULL), 0);
		assert_memory_equal(row.parent_id, rows[i].parent_id, IDS_SIZE);
		assert_int_equal(row.state, CATALOG_READY);
		assert_int_equal(row.linked, rows[i].linked);
		assert_string_equal(row.name, rows[i].name);
	}
}

/* One byte is another one, the end is missing, or a page is lost. */
static size_t damage(struct rng *rng, uint8_t *bytes, size_t len)
{
	size_t at = rng_below(rng, len);

	if (rng_one_in(rng, 10))
		return at;
	if (rng_one_in(rng, 10)) {
		memset(bytes + at / PAGE * PAGE, 0, PAGE);
		return len;
	}
	bytes[at] ^= (uint8_t)(1 + rng_below(rng, 255));
	return len;
}

static void is_refused_or_right(void **state)
{
	struct rng rng = {rng_seed("damage")};
	struct pool_world *world = pool_world_new();
	uint8_t *good, *bad;
	unsigned refused = 0;
	size_t len, n;

	(void)state;
	make_rows(&rng);
	assert_int_equal(catalog_restore(world->catalog, rows, IMAGES, &world->err), 0);
	pool_world_close(world);
	good = read_all(world->path, &len);
	bad = must_alloc(len);
	for (int i = 0; i < TRIES; i++) {
		struct catalog *catalog = NULL;

		memcpy(bad, good, len);
		n = damage(&rng, bad, len);
		write_all(world->path, bad, n);
		if (catalog_open(world->path, 1024, &catalog, &world->err) < 0)
			refused++;
		else if (n > 0) /* an empty file is a new catalog */
			expect_right(catalog, IMAGES);
		catalog_close(catalog);
	}
	print_message("%u of %d refused\n", refused, TRIES);
	assert_true(refused > TRIES / 10);
	must_free(good);
	must_free(bad);
	pool_world_free(world);
}

static bool has_rows(const uint8_t *page)
{
	return memmem(page, PAGE, "image-", 6) != NULL;
}

/* Where the names are, and what else decides about files. */
static void any_flipped_bit_of_a_row_is_refused_or_right(void **state)
{
	struct rng rng = {1};
	struct pool_world *world = pool_world_new();
	unsigned refused = 0;
	uint8_t *bytes;
	size_t len;

	(void)state;
	make_rows(&rng);
	assert_int_equal(catalog_restore(world->catalog, rows, FEW, &world->err), 0);
	pool_world_close(world);
	bytes = read_all(world->path, &len);
	for (size_t at = 0; at < len; at++) {
		struct catalog *catalog = NULL;

		if (!has_rows(bytes + at / PAGE * PAGE))
			continue;
		bytes[at] ^= 1;
		write_all(world->path, bytes, len);
		if (catalog_open(world->path, 1024, &catalog, &world->err) < 0)
			refused++;
		else
			expect_right(catalog, FEW);
		catalog_close(catalog);
		bytes[at] ^= 1;
	}
	assert_true(refused > PAGE / 10);
	must_free(bytes);
	pool_world_free(world);
}

/* What no page says that it is wrong. */
static const struct wrong {
	const char *sql, *text;
} wrongs[] = {
	{"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 65)"
	 "INSERT INTO label SELECT id, 'key' || i, '' FROM image, n WHERE name = 'image-1'",
	 "catalog: damaged: 'image-1' has more than 64 labels"},
	{"PRAGMA foreign_keys = OFF; DELETE FROM image WHERE name = 'image-1'",
	 "catalog: damaged: 0 of 1 images have their parents"},
	{"PRAGMA foreign_keys = OFF; DROP TRIGGER image_reparent;"
	 "UPDATE image SET kind = 2, parent_id = (SELECT id FROM image WHERE name = 'image-2')"
	 "WHERE name = 'image-1'",
	 "catalog: damaged: 0 of 2 images have their parents"},
};

static void change(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void says_what_is_wrong_with_rows(void **state)
{
	static const struct pool_image family[] = {{.number = 1, .type = VHD_DYNAMIC},
						   {.number = 2, .parent = 1}};

	(void)state;
	for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
		struct pool_world *world = pool_world_new();
		struct catalog *catalog = NULL;

		pool_world_write(world, &family[0]);
		pool_world_write(world, &family[1]);
		pool_world_rows(world, family, 2);
		pool_world_close(world);
		change(world->path, wrongs[i].sql);
		assert_int_equal(catalog_open(world->path, 1024, &catalog, &world->err),
				 CATALOG_E_DAMAGED);
		assert_int_equal(world->err.code, CATALOG_E_DAMAGED);
		assert_string_equal(world->err.text, wrongs[i].text);
		pool_world_free(world);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_refused_or_right),
		cmocka_unit_test(any_flipped_bit_of_a_row_is_refused_or_right),
		cmocka_unit_test(says_what_is_wrong_with_rows),
	};

	return cmocka_run_group_tests_name("server/damage", tests, NULL, NULL);
}
