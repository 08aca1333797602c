/* test_server_footer.c - a row learns from its file what a change that was cut has left there, and
 * from no other file. */
#include "reconcile.h"

#include <fcntl.h>
#include <unistd.h>

#include "pool_world.h"
#include "test.h"

static const struct pool_image forest[] = {
	{.number = 1, .type = VHD_DYNAMIC},
	{.number = 2, .parent = 1},
	{.number = 3, .type = VHD_FIXED, .size = 65536},
	{.number = 4, .type = VHD_DYNAMIC},
};
enum { IMAGES = sizeof forest / sizeof *forest };

static int set_up(void **state)
{
	struct pool_world *world = pool_world_new();

	for (size_t i = 0; i < IMAGES; i++)
		pool_world_write(world, &forest[i]);
	pool_world_rows(world, forest, IMAGES);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	pool_world_free(*state);
	return 0;
}

/* In the file only, as a change does that ends before its row. */
static void set_file(struct pool_world *world, unsigned number, struct vhd_footer footer)
{
	int fd = open(pool_world_file(world, number), O_RDWR | O_CLOEXEC);
	struct vhd *disk = NULL;
	struct vhd_io io;

	assert_true(fd >= 0);
	assert_int_equal(vhd_io_from_fd(fd, &io, NULL), 0);
	assert_int_equal(vhd_open(world->engine, &io, VHD_WRITE | VHD_NO_PARENT, NULL, &disk, NULL),
			 0);
	assert_int_equal(vhd_set_footer(disk, &footer, NULL), 0);
	vhd_close(disk);
}

static void row_says(struct pool_world *world, unsigned number, struct vhd_footer footer,
		     uint64_t version)
{
	struct catalog_image row = {0};
	uint8_t id[IDS_SIZE];

	pool_world_id(number, id);
	assert_int_equal(catalog_get(world->catalog, id, &row, NULL), 0);
	assert_int_equal(row.vhd.saved_state, footer.saved_state);
	assert_int_equal(row.vhd.temporary, footer.temporary);
	assert_int_equal(row.version, version);
	catalog_image_fini(&row);
}

static void look(struct pool_world *world, unsigned number)
{
	uint8_t id[IDS_SIZE];

	pool_world_id(number, id);
	(void)reconcile_image(&world->reconcile, id);
}

static size_t findings(struct pool_world *world)
{
	struct findings_count count;

	(void)findings_list(world->reconcile.findings, NULL, 0, &count);
	return count.all;
}

static const struct vhd_footer neither = {.saved_state = false};
static const struct vhd_footer both = {.saved_state = true, .temporary = true};
static const struct vhd_footer temporary = {.temporary = true};

static void a_row_takes_what_its_file_says(void **state)
{
	struct pool_world *world = *state;
	static const unsigned writable[] = {2, 3, 4};

	for (size_t i = 0; i < sizeof writable / sizeof *writable; i++) {
		set_file(world, writable[i], both);
		row_says(world, writable[i], neither, 1);
		look(world, writable[i]);
		row_says(world, writable[i], both, 2);
		set_file(world, writable[i], temporary);
		look(world, writable[i]);
		row_says(world, writable[i], temporary, 3);
		look(world, writable[i]);
		row_says(world, writable[i], temporary, 3);
	}
	assert_int_equal(findings(world), 0);
	pool_world_close(world);
	pool_world_open(world);
	row_says(world, 4, temporary, 3);
}

static void the_pass_over_all_images_sees_it_too(void **state)
{
	struct pool_world *world = *state;

	set_file(world, 4, both);
	assert_int_equal(reconcile_all(&world->reconcile), 0);
	row_says(world, 4, both, 2);
	row_says(world, 2, neither, 1);
}

/* A sealed parent whose footer changes is not the parent any more. */
static void a_parent_that_changed_teaches_nothing(void **state)
{
	struct pool_world *world = *state;

	set_file(world, 1, both);
	look(world, 1);
	row_says(world, 1, neither, 1);
	assert_int_equal(findings(world), 1);
}

static void the_file_of_another_image_teaches_nothing(void **state)
{
	struct pool_world *world = *state;

	set_file(world, 2, both);
	assert_int_equal(rename(pool_world_file(world, 2), pool_world_file(world, 4)), 0);
	look(world, 4);
	row_says(world, 4, neither, 1);
	assert_int_equal(findings(world), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_row_takes_what_its_file_says),
		CASE(the_pass_over_all_images_sees_it_too),
		CASE(a_parent_that_changed_teaches_nothing),
		CASE(the_file_of_another_image_teaches_nothing),
	};

	return cmocka_run_group_tests_name("server/footer", tests, NULL, NULL);
}
