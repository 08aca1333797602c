/* test_server_pool.c - the files of a pool: born, published, undone, and never anybody else's. */
#include "pool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pool_place.h"
#include "pool_set.h"
#include "pool_state.h"
#include "test.h"

static const uint8_t id[IDS_SIZE] = {0xee, [15] = 1};
#define NAME "ee000000-0000-0000-0000-000000000001"

struct world {
	char folder[32];
	struct pool_dir *pool;
	struct vhd_error err;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	(void)strcpy(world->folder, "/tmp/vhdd-pool-XXXXXX");
	assert_non_null(mkdtemp(world->folder));
	assert_int_equal(pool_open(world->folder, &world->pool, &world->err), 0);
	*state = world;
	return 0;
}

static const char *path_of(const struct world *world, const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", world->folder, name);
	return path;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	pool_close(world->pool);
	(void)unlink(path_of(world, NAME ".vhd"));
	(void)unlink(path_of(world, ".new-" NAME));
	(void)unlink(path_of(world, "other"));
	assert_int_equal(rmdir(world->folder), 0);
	free(world);
	return 0;
}

static bool exists(const struct world *world, const char *name)
{
	struct stat st;

	return lstat(path_of(world, name), &st) == 0;
}

static void create(struct world *world)
{
	int fd = -1;

	assert_int_equal(pool_create_new(world->pool, id, &fd, &world->err), 0);
	assert_int_equal(write(fd, "image", 5), 5);
	(void)close(fd);
}

static void put(const struct world *world, const char *name)
{
	int fd = open(path_of(world, name), O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
}

/* The one that a row without a place of its own means. */
static struct place place_of(const struct world *world)
{
	struct place place = {.folder = *world->pool};

	memcpy(place.id, id, IDS_SIZE);
	pool_file_name(id, place.name);
	return place;
}

static void publishes(void **state)
{
	struct world *world = *state;
	struct place place = place_of(world);
	uint64_t size, space;
	struct pool_facts facts;
	int fd = -1;

	create(world);
	assert_false(exists(world, NAME ".vhd"));
	assert_int_equal(place_open(&place, false, &fd, &world->err), VHD_E_NOT_FOUND);
	assert_int_equal(pool_publish(world->pool, id, &world->err), 0);
	/* It has two names until it is settled, and both are the pool's. */
	assert_int_equal(place_open(&place, true, &fd, &world->err), 0);
	(void)close(fd);
	assert_int_equal(pool_look(world->pool, NAME ".vhd", &facts, &world->err), 0);
	assert_int_equal(facts.names, 1);
	assert_int_equal(pool_settle(world->pool, id, &world->err), 0);
	assert_int_equal(place_open(&place, true, &fd, &world->err), 0);
	(void)close(fd);
	assert_int_equal(pool_space(world->pool, &size, &space, &world->err), 0);
	assert_true(size >= space);
	assert_int_equal(place_remove(&place, &world->err), 0);
	assert_false(exists(world, NAME ".vhd"));
	assert_int_equal(place_remove(&place, &world->err), 0);
}

/* Nor any file of ours: procfs stands for squashfs. */
static void there_is_nothing_to_settle_where_folders_have_no_sync(void **state)
{
	struct world *world = *state;
	struct pool_dir *pool;

	assert_int_equal(pool_open("/proc/self", &pool, &world->err), 0);
	assert_int_equal(pool_settle_for_good(pool, id, &world->err), 0);
	pool_close(pool);
}

/* One that is somebody else's, with the pool's first name or instead of it. */
static void refuses_other_names(void **state)
{
	struct world *world = *state;
	struct place place = place_of(world);
	struct pool_facts facts;
	int fd = -1;

	create(world);
	assert_int_equal(pool_publish(world->pool, id, &world->err), 0);
	assert_int_equal(linkat(world->pool->fd, NAME ".vhd", world->pool->fd, "other", 0), 0);
	assert_int_equal(place_open(&place, false, &fd, &world->err), VHD_E_FORBIDDEN);
	assert_string_equal(world->err.text, NAME ".vhd has 3 names");
	assert_int_equal(pool_settle(world->pool, id, &world->err), 0);
	assert_int_equal(place_open(&place, false, &fd, &world->err), VHD_E_FORBIDDEN);
	assert_string_equal(world->err.text, NAME ".vhd has 2 names");
	/* Nor is any file the first one by its name alone. */
	put(world, ".new-" NAME);
	assert_int_equal(pool_look(world->pool, NAME ".vhd", &facts, &world->err), 0);
	assert_int_equal(facts.names, 2);
	assert_int_equal(pool_settle(world->pool, id, &world->err), 0);
	assert_int_equal(pool_settle_for_good(world->pool, id, &world->err), 0);
	assert_true(exists(world, ".new-" NAME));
	assert_int_equal(pool_remove_new(world->pool, id, &world->err), 0);
	assert_false(exists(world, ".new-" NAME));
}

static void undoes_every_step(void **state)
{
	struct world *world = *state;

	assert_int_equal(pool_undo_new(world->pool, id, &world->err), 0);
	for (int steps = 1; steps <= 2; steps++) {
		create(world);
		if (steps > 1)
			assert_int_equal(pool_publish(world->pool, id, &world->err), 0);
		assert_int_equal(pool_undo_new(world->pool, id, &world->err), 0);
		assert_false(exists(world, ".new-" NAME));
		assert_false(exists(world, NAME ".vhd"));
	}
}

static void leaves_others_alone(void **state)
{
	struct world *world = *state;
	int fd = -1;

	put(world, NAME ".vhd");
	create(world);
	assert_int_equal(pool_create_new(world->pool, id, &fd, &world->err), VHD_E_EXISTS);
	assert_int_equal(pool_publish(world->pool, id, &world->err), VHD_E_EXISTS);
	assert_int_equal(pool_undo_new(world->pool, id, &world->err), 0);
	assert_true(exists(world, NAME ".vhd"));
	assert_false(exists(world, ".new-" NAME));
}

static void opens_plain_files_only(void **state)
{
	static const char file[] = NAME ".vhd";
	struct world *world = *state;
	struct place place = place_of(world);
	char target[128];
	int fd = -1;

	put(world, "other");
	(void)snprintf(target, sizeof target, "%s", path_of(world, "other"));
	assert_int_equal(symlink(target, path_of(world, file)), 0);
	assert_int_equal(place_open(&place, false, &fd, &world->err), VHD_E_FORBIDDEN);
	(void)unlink(path_of(world, file));
	assert_int_equal(link(target, path_of(world, file)), 0);
	assert_int_equal(place_open(&place, false, &fd, &world->err), VHD_E_FORBIDDEN);
	(void)unlink(path_of(world, file));
	assert_int_equal(mkfifo(path_of(world, file), 0600), 0);
	assert_int_equal(place_open(&place, false, &fd, &world->err), VHD_E_FORBIDDEN);
	assert_string_equal(world->err.text, NAME ".vhd is not a regular file");
	(void)unlink(path_of(world, file));
	assert_int_equal(mkdir(path_of(world, file), 0700), 0);
	assert_int_equal(place_open(&place, false, &fd, &world->err), VHD_E_FORBIDDEN);
	assert_int_equal(rmdir(path_of(world, file)), 0);
}

static int count_new(void *ctx, const uint8_t found[IDS_SIZE])
{
	int *n = ctx;

	assert_memory_equal(found, id, IDS_SIZE);
	(*n)++;
	return 0;
}

static void finds_what_was_left(void **state)
{
	struct world *world = *state;
	int n = 0;

	put(world, "other");
	assert_int_equal(pool_each_new(world->pool, count_new, &n, &world->err), 0);
	assert_int_equal(n, 0);
	create(world);
	assert_int_equal(pool_each_new(world->pool, count_new, &n, &world->err), 0);
	assert_int_equal(pool_each_new(world->pool, count_new, &n, &world->err), 0);
	assert_int_equal(n, 2);
}

static void is_held_by_one(void **state)
{
	struct world *world = *state;
	char path[POOL_PATH];
	int first = -1, second = -1;

	assert_int_equal(pool_state_open(world->folder, &first, path, &world->err), 0);
	assert_string_equal(path, world->folder);
	assert_int_equal(pool_state_open(world->folder, &second, path, &world->err), VHD_E_BUSY);
	assert_non_null(strstr(world->err.text,
			       ": another vhdd uses it; each needs a --state-dir of its own"));
	(void)close(first);
	assert_int_equal(pool_state_open(world->folder, &second, path, &world->err), 0);
	(void)close(second);
}

static void pools_do_not_share_a_folder(void **state)
{
	struct world *world = *state;
	struct config config = {.n_pools = 1, .pools = {{.name = "fast"}}};
	struct pool_set set;
	char text[128];

	(void)snprintf(config.pools[0].path, CONFIG_PATH, "%s/.", world->folder);
	assert_int_equal(pool_set_open(&set, world->folder, &config, &world->err), VHD_E_INVALID);
	(void)snprintf(text, sizeof text, "the pools 'default' and 'fast' are the same folder, %s",
		       world->folder);
	assert_string_equal(world->err.text, text);
}

static void only_the_default_pool_gets_a_folder_made(void **state)
{
	struct world *world = *state;
	struct config config = {.n_pools = 1, .pools = {{.name = "fast"}}};
	char images[64], text[256];
	struct pool_set set;

	(void)snprintf(images, sizeof images, "%s/images", world->folder);
	(void)snprintf(config.pools[0].path, CONFIG_PATH, "%s/fast", world->folder);
	assert_int_equal(pool_set_open(&set, images, &config, &world->err), VHD_E_NOT_FOUND);
	(void)snprintf(text, sizeof text,
		       "the pool 'fast' has no folder %s/fast: mount its disk, or make the folder "
		       "when the pool is new",
		       world->folder);
	assert_string_equal(world->err.text, text);
	assert_false(exists(world, "fast"));
	assert_int_equal(mkdir(config.pools[0].path, 0700), 0);
	assert_int_equal(pool_set_open(&set, images, &config, &world->err), 0);
	pool_set_close(&set);
	assert_int_equal(rmdir(config.pools[0].path), 0);
	assert_int_equal(rmdir(images), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(publishes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			there_is_nothing_to_settle_where_folders_have_no_sync, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_other_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(undoes_every_step, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leaves_others_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(opens_plain_files_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(finds_what_was_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_held_by_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pools_do_not_share_a_folder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_the_default_pool_gets_a_folder_made, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("server/pool", tests, NULL, NULL);
}
