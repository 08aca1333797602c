/* test_server_scale.c - ten thousand images, and chains of a thousand. Times are printed, and
 * bounded where only a mistake could pass the bound. */
#include "catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "must.h"
#include "pool_world.h"
#include "test.h"

enum { MANY = 10000, PAGE = 100, DEEP = 1000, SECONDS = 1000 };

static struct catalog_image *many_rows(void)
{
	struct catalog_image *rows = must_alloc(MANY * sizeof *rows);

	for (unsigned i = 0; i < MANY; i++) {
		rows[i] = (struct catalog_image){
			.state = CATALOG_READY, .version = 1, .vhd = {.size = 1 << 20}};
		pool_world_id(i + 1, rows[i].id);
		(void)snprintf(rows[i].name, sizeof rows[i].name, "image-%05u", i);
		(void)snprintf(rows[i].pool, sizeof rows[i].pool, "default");
	}
	return rows;
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int64_t microseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void lists_ten_thousand_page_by_page(void **state)
{
	struct pool_world *world = pool_world_new();
	struct catalog_image *rows = many_rows();
	static int64_t took[MANY / PAGE];
	char after[CATALOG_NAME] = "";
	unsigned pages = 0, images = 0;
	bool more = true;
	int64_t begin = microseconds();

	(void)state;
	assert_int_equal(catalog_restore(world->catalog, rows, MANY, &world->err), 0);
	print_message("%d rows written in %lld ms\n", MANY,
		      (long long)(microseconds() - begin) / 1000);
	for (; more; pages++) {
		struct catalog_images list;

		assert_true(pages < MANY / PAGE);
		begin = microseconds();
		assert_int_equal(catalog_list(world->catalog, *after ? after : NULL, PAGE, true,
					      &list, &world->err),
				 0);
		took[pages] = microseconds() - begin;
		for (size_t i = 0; i < list.n; i++)
			assert_int_equal(atoi(list.items[i].name + 6), images++);
		(void)snprintf(after, sizeof after, "%s", list.items[list.n - 1].name);
		more = list.more;
		catalog_images_fini(&list);
	}
	assert_int_equal(images, MANY);
	qsort(took, pages, sizeof *took, compare);
	print_message("%u pages of %d: median %lld us, p99 %lld us\n", pages, PAGE,
		      (long long)took[pages / 2], (long long)took[pages * 99 / 100]);
	assert_true(took[pages * 99 / 100] < SECONDS * 1000);
	pool_world_close(world);
	begin = clock_monotonic_ms();
	pool_world_open(world);
	print_message("opened and looked through in %lld ms\n",
		      (long long)(clock_monotonic_ms() - begin));
	pool_world_free(world);
	must_free(rows);
}

static void compares_ten_thousand_files(void **state)
{
	struct pool_world *world = pool_world_new();
	struct catalog_image *rows = many_rows();
	struct findings_count count;
	int64_t begin;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		const struct pool_image image = {.number = i + 1, .type = VHD_DYNAMIC};

		pool_world_write(world, &image);
		rows[i].vhd.block_size = 2 << 20;
	}
	assert_int_equal(catalog_restore(world->catalog, rows, MANY, &world->err), 0);
	begin = clock_monotonic_ms();
	assert_int_equal(reconcile_all(&world->reconcile), 0);
	print_message("%d images compared in %lld ms\n", MANY,
		      (long long)(clock_monotonic_ms() - begin));
	(void)findings_list(world->reconcile.findings, NULL, 0, &count);
	assert_int_equal(count.all, 0);
	assert_int_equal(world->reconcile.done, MANY);
	pool_world_free(world);
	must_free(rows);
}

static int create(struct pool_world *world, unsigned number)
{
	const struct catalog_vhd vhd = {.size = 1 << 20, .block_size = 2 << 20};
	const struct catalog_usage usage = {.file_bytes = 1};
	struct catalog_image row = {.vhd = vhd};
	int r;

	pool_world_id(number, row.id);
	if (number > 1) {
		row.kind = CATALOG_DIFFERENCING;
		pool_world_id(number - 1, row.parent_id);
	}
	(void)snprintf(row.name, sizeof row.name, "image-%u", number);
	(void)snprintf(row.pool, sizeof row.pool, "default");
	r = catalog_insert(world->catalog, &row, &world->err);
	if (r == 0)
		r = catalog_finish_create(world->catalog, row.id, &vhd, &usage, NULL, &world->err);
	return r;
}

static void keeps_chains_of_a_thousand(void **state)
{
	struct pool_world *world = pool_world_new();
	struct catalog_images chain;
	uint8_t id[IDS_SIZE];
	int64_t begin = clock_monotonic_ms();

	(void)state;
	for (unsigned i = 1; i <= DEEP; i++)
		assert_int_equal(create(world, i), 0);
	print_message("%d levels made in %lld ms\n", DEEP,
		      (long long)(clock_monotonic_ms() - begin));
	pool_world_close(world);
	pool_world_open(world);
	pool_world_id(DEEP, id);
	begin = clock_monotonic_ms();
	assert_int_equal(catalog_chain(world->catalog, id, &chain, &world->err), 0);
	print_message("read in %lld ms\n", (long long)(clock_monotonic_ms() - begin));
	assert_int_equal(chain.n, DEEP);
	for (unsigned i = 0; i < DEEP; i++) {
		assert_int_equal(chain.items[i].depth, DEEP - 1 - i);
		assert_int_equal(chain.items[i].chain_file_bytes, DEEP - i);
	}
	catalog_images_fini(&chain);
	for (unsigned i = DEEP + 1; i <= 1024; i++)
		assert_int_equal(create(world, i), 0);
	assert_int_equal(create(world, 1025), CATALOG_E_TOO_DEEP);
	pool_world_free(world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_ten_thousand_page_by_page),
		cmocka_unit_test(compares_ten_thousand_files),
		cmocka_unit_test(keeps_chains_of_a_thousand),
	};

	return cmocka_run_group_tests_name("server/scale", tests, NULL, NULL);
}
