/* test_server_images.c - image files that are open: on a disk that does not take what is flushed,
 * and while others do something at the moment before one is pinned or held, or after its row has
 * gone. */
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

static atomic_bool failed;      /* the sync of every image has */
static void (*meanwhile)(void); /* once, before an image is pinned or held */
static void (*once_gone)(void); /* once, after an image has left the catalog */
static struct world *world_now;

int __real_vhd_flush(struct vhd *disk, uint64_t epoch, struct vhd_error *err);
int __wrap_vhd_flush(struct vhd *disk, uint64_t epoch, struct vhd_error *err);
void __real_vhd_state(const struct vhd *disk, struct vhd_state *ret_state);
void __wrap_vhd_state(const struct vhd *disk, struct vhd_state *ret_state);
int __real_images_pin(struct images *images, const uint8_t *id, enum images_mode mode,
		      unsigned flags, struct image **ret_image, struct vhd_error *err);
int __wrap_images_pin(struct images *images, const uint8_t *id, enum images_mode mode,
		      unsigned flags, struct image **ret_image, struct vhd_error *err);
int __real_images_hold(struct images *images, const uint8_t *id, struct image **ret_image,
		       struct vhd_error *err);
int __wrap_images_hold(struct images *images, const uint8_t *id, struct image **ret_image,
		       struct vhd_error *err);
int __real_catalog_forget(struct catalog *catalog, const uint8_t *id, uint64_t version,
			  struct catalog_error *err);
int __wrap_catalog_forget(struct catalog *catalog, const uint8_t *id, uint64_t version,
			  struct catalog_error *err);

/* Like a flush that has written nothing: it may be tried again. */
int __wrap_vhd_flush(struct vhd *disk, uint64_t epoch, struct vhd_error *err)
{
	if (!full || vhd_info(disk)->size != STUCK)
		return __real_vhd_flush(disk, epoch, err);
	*err = (struct vhd_error){.code = VHD_E_NOSPC, .text = "made to be full"};
	return VHD_E_NOSPC;
}

void __wrap_vhd_state(const struct vhd *disk, struct vhd_state *ret_state)
{
	__real_vhd_state(disk, ret_state);
	ret_state->failed = ret_state->failed || failed;
}

static void do_once(void (**what)(void))
{
	void (*deed)(void) = *what;

	*what = NULL;
	if (deed)
		deed();
}

int __wrap_images_pin(struct images *images, const uint8_t *id, enum images_mode mode,
		      unsigned flags, struct image **ret_image, struct vhd_error *err)
{
	do_once(&meanwhile);
	return __real_images_pin(images, id, mode, flags, ret_image, err);
}

int __wrap_images_hold(struct images *images, const uint8_t *id, struct image **ret_image,
		       struct vhd_error *err)
{
	do_once(&meanwhile);
	return __real_images_hold(images, id, ret_image, err);
}

int __wrap_catalog_forget(struct catalog *catalog, const uint8_t *id, uint64_t version,
			  struct catalog_error *err)
{
	int r = __real_catalog_forget(catalog, id, version, err);

	do_once(&once_gone);
	return r;
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
	world_now = world;
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

/* ---- what was known of an image before it was pinned ---- */

static void child_goes(void)
{
	assert_int_equal(service_image_delete(world_now->service, "child",
					      &(struct service_delete){0}, &world_now->err),
			 SERVICE_OK);
	write_one(world_now, "disk");
}

static void content_that_may_change_is_not_told_as_frozen(void **state)
{
	struct world *world = *state;
	const struct service_create child = {
		.name = "child", .parent = "disk", .kind = SERVICE_DIFFERENCING};
	struct service_created created;
	struct service_data_state told;
	struct service_data *data;

	create(world, "disk", OTHER);
	assert_int_equal(service_image_create(world->service, &child, &created, &world->err), 0);
	service_image_fini(&created.image);
	meanwhile = child_goes;
	assert_int_equal(
		service_data_open(world->service, "disk", SERVICE_READ, 0, &data, &world->err), 0);
	service_data_state(data, &told);
	assert_false(service_data_info(data)->frozen);
	assert_int_equal(told.etag[0], 'd');
	service_data_close(data);
}

/* ---- two who recover one image ---- */

static void recover(struct world *world)
{
	struct service_image image;

	assert_int_equal(service_image_recover(world->service, "disk", &image, &world->err), 0);
	service_image_fini(&image);
}

static void other_recovers_and_writes(void)
{
	recover(world_now);
	failed = false;
	write_one(world_now, "disk");
}

static void an_image_that_was_recovered_meanwhile_keeps_its_writes(void **state)
{
	struct world *world = *state;
	struct service_data *data;
	char byte = 0;

	create(world, "disk", OTHER);
	failed = true;
	meanwhile = other_recovers_and_writes;
	recover(world);
	assert_int_equal(
		service_data_open(world->service, "disk", SERVICE_READ, 0, &data, &world->err), 0);
	assert_int_equal(service_data_read(data, &byte, 1, 0, 0, &world->err), 0);
	assert_int_equal(byte, 'x');
	service_data_close(data);
}

/* ---- what tells a client that a write may be lost ---- */

/* Somebody who compares it with that of a later flush would take the write for durable. */
static void a_write_is_answered_with_the_verifier_of_before_it(void **state)
{
	struct world *world = *state;
	struct service_data_state before, now, result;
	struct service_data *data;

	full = true;
	create(world, "disk", STUCK);
	write_one(world, "disk"); /* stays open */
	create(world, "mine", OTHER);
	assert_int_equal(
		service_data_open(world->service, "mine", SERVICE_WRITE, 0, &data, &world->err), 0);
	service_data_state(data, &before);
	assert_int_equal(service_data_write(data, "x", 1, 0, &world->err), 0);
	failed = true;
	recover(world);
	failed = false;
	service_data_state(data, &now);
	service_data_result(data, &result);
	assert_string_not_equal(now.verifier, before.verifier);
	assert_string_equal(result.verifier, before.verifier);
	service_data_close(data);
}

static void verifier_now(struct world *world, char ret_verifier[IMAGES_VERIFIER])
{
	struct service_data_state now;
	struct service_data *data;

	assert_int_equal(
		service_data_open(world->service, "other", SERVICE_READ, 0, &data, &world->err), 0);
	service_data_state(data, &now);
	memcpy(ret_verifier, now.verifier, sizeof now.verifier);
	service_data_close(data);
}

static void is_told_as_failed(struct world *world, const char *name, const char *before)
{
	char now[IMAGES_VERIFIER];
	struct service_image image;

	assert_int_equal(service_image_get(world->service, name, 0, &image, &world->err), 0);
	assert_int_equal(image.state, SERVICE_FAILED);
	service_image_fini(&image);
	verifier_now(world, now);
	assert_string_not_equal(now, before);
	failed = false;
}

/* Not only flushers sync: until one came, which may be an hour, the old verifier was told. */
static void a_sync_that_fails_is_noted_whoever_made_it(void **state)
{
	struct world *world = *state;
	const struct service_update freeze = {.freeze = true};
	struct service_data *data;
	struct service_image image;
	char before[IMAGES_VERIFIER];

	create(world, "other", OTHER);
	create(world, "frozen", OTHER);
	create(world, "written", OTHER);
	create(world, "stuck", STUCK);
	assert_int_equal(
		service_data_open(world->service, "written", SERVICE_WRITE, 0, &data, &world->err),
		0);
	verifier_now(world, before);
	failed = true;
	service_data_close(data);
	is_told_as_failed(world, "written", before);

	verifier_now(world, before);
	failed = true;
	assert_int_equal(
		service_image_update(world->service, "frozen", &freeze, &image, &world->err),
		SERVICE_OK);
	service_image_fini(&image);
	is_told_as_failed(world, "frozen", before);

	write_one(world, "stuck");
	verifier_now(world, before);
	full = failed = true;
	assert_int_equal(service_image_delete(world->service, "stuck",
					      &(struct service_delete){.keep_file = true},
					      &world->err),
			 SERVICE_NO_SPACE);
	is_told_as_failed(world, "stuck", before);
}

/* ---- a file with the id of an image that goes ---- */

static const char *copy_path(void)
{
	static char path[96];

	(void)snprintf(path, sizeof path, "%s/images/copy.vhd", world_now->folder);
	return path;
}

static void copy_is_adopted(void)
{
	const struct service_adopt spec = {.chain = true, .name = "disk", .path = copy_path()};
	struct service_adopted adopted = {.n_warnings = 0};

	assert_int_equal(service_image_adopt(world_now->service, &spec, &adopted, &world_now->err),
			 SERVICE_OK);
	service_adopted_fini(&adopted);
}

/* What was read then was the file that had been removed, and what was written went there. */
static void an_image_that_is_adopted_while_one_of_its_id_goes_is_its_own_file(void **state)
{
	struct world *world = *state;
	const struct service_delete how = {.version = 0};
	struct service_data *data;
	struct service_image image;
	char command[320], byte = 0;

	create(world, "disk", OTHER);
	assert_int_equal(service_image_get(world->service, "disk", 0, &image, &world->err), 0);
	(void)snprintf(command, sizeof command, "cp '%s/images/%.40s' '%s'", world->folder,
		       image.file, copy_path());
	service_image_fini(&image);
	assert_int_equal(system(command), 0);
	write_one(world, "disk");
	once_gone = copy_is_adopted;
	assert_int_equal(service_image_delete(world->service, "disk", &how, &world->err),
			 SERVICE_OK);
	assert_null(once_gone);
	assert_int_equal(
		service_data_open(world->service, "disk", SERVICE_READ, 0, &data, &world->err), 0);
	assert_int_equal(service_data_read(data, &byte, 1, 0, 0, &world->err), 0);
	assert_int_equal(byte, 0);
	service_data_close(data);
}

static void zeroing_ends_when_the_daemon_hurries(void **state)
{
	struct world *world = *state;
	struct service_data *data;

	create(world, "disk", OTHER);
	assert_int_equal(
		service_data_open(world->service, "disk", SERVICE_WRITE, 0, &data, &world->err), 0);
	assert_int_equal(service_data_zero(data, 0, OTHER, &world->err), SERVICE_OK);
	service_main_hurry(world->service);
	assert_int_equal(service_data_zero(data, 0, OTHER, &world->err), SERVICE_SHUTTING_DOWN);
	assert_string_equal(world->err.text, "The daemon is stopping.");
	service_data_close(data);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_that_cannot_be_closed_keeps_no_other_open),
		CASE(content_that_may_change_is_not_told_as_frozen),
		CASE(an_image_that_was_recovered_meanwhile_keeps_its_writes),
		CASE(a_write_is_answered_with_the_verifier_of_before_it),
		CASE(a_sync_that_fails_is_noted_whoever_made_it),
		CASE(an_image_that_is_adopted_while_one_of_its_id_goes_is_its_own_file),
		CASE(zeroing_ends_when_the_daemon_hurries),
	};

	return cmocka_run_group_tests_name("server/images", tests, NULL, NULL);
}
