/* test_server_salvage.c - what a catalog says of images, while SQLite lacks memory. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "pool_world.h"
#include "test.h"

enum { FIRST = 1, ADOPTED, MOST = 100000, TEXT = 512 };

static sqlite3_mem_methods memory;
static long countdown = -1; /* calls until one fails; below 0: none does */

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

static void *scarce_malloc(int n)
{
	return fails() ? NULL : memory.xMalloc(n);
}

static void *scarce_realloc(void *at, int n)
{
	return fails() ? NULL : memory.xRealloc(at, n);
}

/* Before SQLite is used for the first time. */
static void make_memory_scarce(void)
{
	sqlite3_mem_methods scarce;

	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory), SQLITE_OK);
	scarce = memory;
	scarce.xMalloc = scarce_malloc;
	scarce.xRealloc = scarce_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &scarce), SQLITE_OK);
}

/* One of a pool, with all that it may have, and one that lies elsewhere. */
static void add_images(struct pool_world *world)
{
	static char text[] = "before upgrade", root[] = "/srv/images", path[] = "old/disk.vhd";
	static struct catalog_label labels[] = {{"env", "prod"}, {"role", "web"}};
	struct catalog_image rows[] = {
		{.name = "first",
		 .pool = "default",
		 .state = CATALOG_READY,
		 .kind = CATALOG_DYNAMIC,
		 .vhd = {.size = 1 << 20, .block_size = 2 << 20},
		 .description = text,
		 .labels = labels,
		 .n_labels = 2},
		{.name = "adopted",
		 .state = CATALOG_READY,
		 .kind = CATALOG_FIXED,
		 .vhd = {.size = 1 << 20},
		 .root = root,
		 .path = path,
		 .linked = true},
	};

	pool_world_id(FIRST, rows[0].id);
	pool_world_id(ADOPTED, rows[1].id);
	assert_int_equal(catalog_restore(world->catalog, rows, 2, &world->err), 0);
}

static int tell(void *ctx, const struct catalog_image *image)
{
	char *text = ctx;
	size_t len = strlen(text);

	(void)snprintf(text + len, TEXT - len, "%s %s %s %d %d", image->name,
		       image->path ? image->path : image->pool,
		       image->description ? image->description : "-", image->linked, image->kind);
	for (size_t i = 0; i < image->n_labels; i++) {
		len = strlen(text);
		(void)snprintf(text + len, TEXT - len, " %s=%s", image->labels[i].key,
			       image->labels[i].value);
	}
	(void)strcat(text, "\n");
	return 0;
}

static void without_memory_it_is_neither_damaged_nor_older(void **state)
{
	struct pool_world *world = pool_world_new();
	struct catalog_error err;
	char told[TEXT];
	long n;

	(void)state;
	add_images(world);
	pool_world_close(world);
	for (n = 0; n < MOST; n++) {
		int r;

		*told = '\0';
		countdown = n;
		r = catalog_salvage(world->path, tell, told, &err);
		if (r < 0)
			assert_int_equal(r, CATALOG_E_NOMEM);
		else
			assert_string_equal(told,
					    "first default before upgrade 0 0 env=prod role=web\n"
					    "adopted old/disk.vhd - 1 1\n");
		if (countdown >= 0)
			break;
	}
	countdown = -1;
	print_message("%ld allocations\n", n);
	assert_in_range(n, 100, MOST - 1);
	pool_world_open(world);
	pool_world_free(world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_memory_it_is_neither_damaged_nor_older),
	};

	make_memory_scarce();
	return cmocka_run_group_tests_name("server/salvage", tests, NULL, NULL);
}
