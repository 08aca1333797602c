/* test_server_images.c - image files that are open, on a disk that does not take what is flushed.
 */
#include "service.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "service_main.h"
#include "service_private.h"
#include "test.h"

struct world {
	char folder[64];
	struct config config;
	struct service *service;
	struct service_error err;
};

enum { STUCK = 2 << 20, OTHER = 1 << 20 };

static atomic_bool full; /* for images of that size */

int __real_vhd_flush(struct vhd *disk, uint64_t epoch, struct vhd_error *err);
int __wrap_vhd_flush(struct vhd *disk, uint64_t epoch, struct vhd_error *err);

/* Like a flush that has written nothing: it may be tried again. */
int __wrap_vhd_flush(struct vhd *disk, uint64_t epoch, struct vhd_error *err)
{
	if (!full || vhd_info(disk)->size != STUCK)
		return __real_vhd_flush(disk, epoch, err);
	*err = (struct vhd_error){.code = VHD_E_NOSPC, .text = "made to be full"};
	return VHD_E_NOSPC;
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	char why[SERVICE_WHY];

	assert_non_null(world);
	(void)strcpy(world->folder, "/tmp/vhdd-images-XXXXXX");
	assert_non_null(mkdtemp(world->folder));
	config_init(&world->config);
	world->config.images_open = 1;
	world->config.flush_ms = 3600000; /* only closing flushes */
	assert_int_equal(
		service_main_open(world->folder, &world->config, NULL, &world->service, why), 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	char command[128];

	full = false;
	service_main_close(world->service);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", world->folder);
	assert_int_equal(system(command), 0);
	free(world);
	return 0;
}

static void create(struct world *world, const char *name, uint64_t size)
{
	const struct service_create spec = {.name = name, .kind = SERVICE_DYNAMIC, .size = size};
	struct service_created created;

	assert_int_equal(service_image_create(world->service, &spec, &created, &world->err), 0);
	service_image_fini(&created.image);
}

static void write_one(struct world *world, const char *name)
{
	struct service_data *data;

	assert_int_equal(
		service_data_open(world->service, name, SERVICE_WRITE, 0, &data, &world->err), 0);
	assert_int_equal(service_data_write(data, "x", 1, 0, &world->err), 0);
	service_data_close(data);
}

static bool is_open(struct world *world, const char *name)
{
	struct images_view view;
	uint8_t id[IDS_SIZE];

	assert_int_equal(service_find(world->service, name, id, &world->err), SERVICE_OK);
	images_look(world->service->images, id, &view);
	return view.open;
}

static void one_that_cannot_be_closed_keeps_no_other_open(void **state)
{
	struct world *world = *state;

	full = true;
	create(world, "stuck", STUCK);
	write_one(world, "stuck");
	create(world, "second", OTHER);
	create(world, "third", OTHER);
	/* The time limit of the test is what ends it when it is never so. */
	while (is_open(world, "second") || is_open(world, "third"))
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	assert_true(is_open(world, "stuck"));
	full = false;
	write_one(world, "third");
	while (is_open(world, "stuck"))
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_that_cannot_be_closed_keeps_no_other_open),
	};

	return cmocka_run_group_tests_name("server/images", tests, NULL, NULL);
}
