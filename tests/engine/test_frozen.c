/* test_frozen.c - who freezes a parent, and what becomes of it when a child could not be made. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "test.h"

#include "crash_point.h"
#include "memio.h"
#include "parity_kit.h"

enum { CHILDREN = 2, DISK = 8 << 20 };

/* A store that calls the test in the middle of what it is asked for. Answers other than 0 are its
 * answers. */
struct hooked {
	struct vhd_io below;
	int (*on_write)(void *ctx);
	int (*on_flush)(void *ctx);
	int (*on_lock)(void *ctx, enum vhd_lock mode);
	void *ctx;
};

static int hooked_read(void *store, void *buf, size_t len, uint64_t off)
{
	struct hooked *hooked = store;

	return hooked->below.ops->read(hooked->below.store, buf, len, off);
}

static int hooked_writev(void *store, const struct iovec *iov, int n, uint64_t off)
{
	struct hooked *hooked = store;
	int r = hooked->on_write ? hooked->on_write(hooked->ctx) : 0;

	return r ? r : hooked->below.ops->writev(hooked->below.store, iov, n, off);
}

static int hooked_resize(void *store, uint64_t size)
{
	struct hooked *hooked = store;

	return hooked->below.ops->resize(hooked->below.store, size);
}

static int hooked_size(void *store, uint64_t *ret_size)
{
	struct hooked *hooked = store;

	return hooked->below.ops->size(hooked->below.store, ret_size);
}

static int hooked_flush(void *store)
{
	struct hooked *hooked = store;
	int r = hooked->on_flush ? hooked->on_flush(hooked->ctx) : 0;

	return r ? r : hooked->below.ops->flush(hooked->below.store);
}

static int hooked_lock(void *store, enum vhd_lock mode)
{
	struct hooked *hooked = store;
	int r = hooked->on_lock ? hooked->on_lock(hooked->ctx, mode) : 0;

	return r ? r : hooked->below.ops->lock(hooked->below.store, mode);
}

static void hooked_close(void *store)
{
	struct hooked *hooked = store;

	vhd_io_close(&hooked->below);
}

static const struct vhd_io_ops hooked_ops = {
	.read = hooked_read,
	.writev = hooked_writev,
	.resize = hooked_resize,
	.size = hooked_size,
	.flush = hooked_flush,
	.lock = hooked_lock,
	.close = hooked_close,
};

struct bench {
	struct vhd_engine *engine;
	struct memio *parent_file, *files[CHILDREN];
	struct hooked parent_store, stores[CHILDREN];
	struct vhd *parent;
	struct vhd_error err;
	sem_t first_is_in, second_is_in, first_is_out;
	bool thaw_fails;
};

static struct vhd_io hook(struct bench *bench, struct hooked *hooked, struct memio *file)
{
	hooked->below = memio_io(file);
	hooked->ctx = bench;
	return (struct vhd_io){.ops = &hooked_ops, .store = hooked};
}

static int set_up(void **state)
{
	static struct bench bench;
	const struct vhd_create_args args = {.type = VHD_DYNAMIC, .size = DISK, .id = {1}};
	struct vhd_io io;

	bench = (struct bench){.parent_file = memio_new(NULL)};
	*state = &bench;
	for (int i = 0; i < CHILDREN; i++)
		bench.files[i] = memio_new(NULL);
	(void)sem_init(&bench.first_is_in, 0, 0);
	(void)sem_init(&bench.second_is_in, 0, 0);
	(void)sem_init(&bench.first_is_out, 0, 0);
	io = hook(&bench, &bench.parent_store, bench.parent_file);
	return vhd_engine_new(NULL, &bench.engine, NULL) < 0
		       ? -1
		       : vhd_create(bench.engine, &io, &args, &bench.parent, NULL);
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	vhd_close(bench->parent);
	vhd_engine_free(bench->engine);
	for (int i = 0; i < CHILDREN; i++)
		memio_free(bench->files[i]);
	memio_free(bench->parent_file);
	return 0;
}

static bool frozen(const struct bench *bench)
{
	struct vhd_state now;

	vhd_state(bench->parent, &now);
	return now.frozen;
}

static int create_child(struct bench *bench, int i)
{
	struct vhd_create_args args = {.type = VHD_DIFF,
				       .id = {(uint8_t)(2 + i)},
				       .parent = bench->parent,
				       .parent_path = "/x/p.vhd",
				       .child_path = "/x/c.vhd"};
	struct vhd_io io = hook(bench, &bench->stores[i], bench->files[i]);
	struct vhd *disk = NULL;
	struct vhd_error err = {.text = ""};
	int r = vhd_create(bench->engine, &io, &args, &disk, &err);

	if (i == 0)
		bench->err = err;
	vhd_close(disk);
	vhd_io_close(&io);
	return r;
}

/* ---- a child that could not be made ---- */

static int freeze_and_fail(void *ctx)
{
	struct bench *bench = ctx;

	assert_int_equal(vhd_freeze(bench->parent, NULL), 0);
	return -ENOSPC;
}

static void what_somebody_froze_meanwhile_stays_frozen(void **state)
{
	struct bench *bench = *state;

	bench->stores[0].on_write = freeze_and_fail;
	assert_int_equal(create_child(bench, 0), VHD_E_NOSPC);
	assert_true(frozen(bench));
	assert_int_equal(vhd_write(bench->parent, "x", 1, 0, NULL, NULL), VHD_E_FROZEN);
	assert_int_equal(vhd_thaw(bench->parent, &bench->err), 0);
	assert_int_equal(vhd_write(bench->parent, "x", 1, 0, NULL, NULL), 0);
}

static int thaw_and_fail(void *ctx)
{
	struct bench *bench = ctx;

	assert_int_equal(vhd_thaw(bench->parent, &bench->err), VHD_E_BUSY);
	assert_string_equal(bench->err.text, "a child of this image is being made");
	return -ENOSPC;
}

static void a_parent_is_not_thawed_while_its_child_is_being_made(void **state)
{
	struct bench *bench = *state;

	bench->stores[0].on_write = thaw_and_fail;
	assert_int_equal(create_child(bench, 0), VHD_E_NOSPC);
	assert_false(frozen(bench));
}

static int wait_for_the_second(void *ctx)
{
	struct bench *bench = ctx;

	(void)sem_post(&bench->first_is_in);
	(void)sem_wait(&bench->second_is_in);
	return -ENOSPC;
}

static int wait_until_the_first_is_out(void *ctx)
{
	struct bench *bench = ctx;

	bench->stores[1].on_write = NULL;
	(void)sem_post(&bench->second_is_in);
	(void)sem_wait(&bench->first_is_out);
	assert_true(frozen(bench));
	return 0;
}

static void *create_first(void *ctx)
{
	struct bench *bench = ctx;

	assert_int_equal(create_child(bench, 0), VHD_E_NOSPC);
	(void)sem_post(&bench->first_is_out);
	return NULL;
}

/* The first child that is begun fails while the second one is being made. */
static void one_child_that_fails_does_not_thaw_the_parent_of_another(void **state)
{
	struct bench *bench = *state;
	pthread_t first;

	bench->stores[0].on_write = wait_for_the_second;
	bench->stores[1].on_write = wait_until_the_first_is_out;
	assert_int_equal(pthread_create(&first, NULL, create_first, bench), 0);
	(void)sem_wait(&bench->first_is_in);
	assert_int_equal(create_child(bench, 1), 0);
	assert_int_equal(pthread_join(first, NULL), 0);
	assert_true(frozen(bench));
	assert_int_equal(vhd_thaw(bench->parent, NULL), 0);
}

static int refuse_writers(void *ctx, enum vhd_lock mode)
{
	(void)ctx;
	return mode == VHD_LOCK_WRITE ? -EAGAIN : 0;
}

static int fail_for_ever(void *ctx)
{
	struct bench *bench = ctx;

	bench->parent_store.on_lock = refuse_writers;
	return -ENOSPC;
}

/* The lock of a writer was given up for the child, and another program has taken what was free. */
static void a_parent_that_stays_frozen_is_told_of(void **state)
{
	struct bench *bench = *state;

	bench->stores[0].on_write = fail_for_ever;
	assert_int_equal(create_child(bench, 0), VHD_E_NOSPC);
	assert_string_equal(bench->err.text,
			    "create: the parent stays frozen (another program has this image "
			    "open): write at 0x0: No space left on device");
	assert_true(frozen(bench));
	bench->parent_store.on_lock = NULL;
	assert_int_equal(vhd_thaw(bench->parent, &bench->err), 0);
	assert_false(frozen(bench));
}

/* ---- freezing beside others ---- */

static int open_another(void *ctx)
{
	struct bench *bench = ctx;
	const struct vhd_create_args args = {.type = VHD_DYNAMIC, .size = DISK, .id = {9}};
	struct vhd_io io = memio_io(bench->files[1]);
	struct vhd *disk;

	bench->parent_store.on_flush = NULL;
	assert_int_equal(vhd_create(bench->engine, &io, &args, &disk, NULL), 0);
	vhd_close(disk);
	return 0;
}

/* A sync may take seconds. */
static void other_images_are_opened_while_a_freeze_waits_for_a_sync(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(vhd_write(bench->parent, "x", 1, 0, NULL, NULL), 0);
	bench->parent_store.on_flush = open_another;
	assert_int_equal(vhd_freeze(bench->parent, NULL), 0);
	assert_null(bench->parent_store.on_flush);
	assert_int_not_equal(memio_size(bench->files[1]), 0);
}

static void other_images_are_opened_while_a_parent_is_flushed_for_its_child(void **state)
{
	struct bench *bench = *state;
	struct vhd_io io;
	struct vhd *child;
	char got;

	assert_int_equal(create_child(bench, 0), 0);
	assert_int_equal(vhd_thaw(bench->parent, NULL), 0);
	assert_int_equal(vhd_write(bench->parent, "x", 1, 0, NULL, NULL), 0);
	bench->parent_store.on_flush = open_another;
	io = memio_io(bench->files[0]);
	assert_int_equal(vhd_open(bench->engine, &io, 0, NULL, &child, &bench->err), 0);
	assert_null(bench->parent_store.on_flush);
	assert_true(frozen(bench));
	assert_int_equal(vhd_read(child, &got, 1, 0, 0, NULL), 0);
	assert_int_equal(got, 'x');
	vhd_close(child);
	assert_int_equal(vhd_thaw(bench->parent, NULL), 0);
}

static int refuse(void *ctx)
{
	(void)ctx;
	return -EIO;
}

static void a_child_is_not_opened_above_a_parent_that_cannot_be_flushed(void **state)
{
	struct bench *bench = *state;
	struct vhd_io io;
	struct vhd *child;

	assert_int_equal(create_child(bench, 0), 0);
	assert_int_equal(vhd_thaw(bench->parent, NULL), 0);
	assert_int_equal(vhd_write(bench->parent, "x", 1, 0, NULL, NULL), 0);
	bench->parent_store.on_flush = refuse;
	io = memio_io(bench->files[0]);
	assert_int_equal(vhd_open(bench->engine, &io, 0, NULL, &child, &bench->err), VHD_E_IO);
	assert_string_equal(bench->err.text, "freeze the parent: flush: flush: Input/output error");
	assert_int_equal(vhd_open(bench->engine, &io, 0, NULL, &child, &bench->err), VHD_E_FAILED);
	vhd_io_close(&io);
}

/* ---- a child that got no name ---- */

static struct kit *taken_in;

/* Somebody does while the file is written. */
static void take_the_name(const char *name)
{
	if (strcmp(name, "create.synced") == 0)
		kit_folder(taken_in, "c.vhd");
}

static void a_parent_is_writable_again_when_its_child_got_no_name(void **state)
{
	struct kit *kit = *state;
	struct vhd *parent = kit_dynamic(kit, "p.vhd", DISK, 1), *child = NULL;
	struct vhd_create_args args = {.parent_path = "p.vhd", .id = {2}};
	int r;

	taken_in = kit;
	vhd_at_crash_point = take_the_name;
	r = vhd_create_difference(kit->engine, &kit->paths, kit_path(kit, "c.vhd"), &args, &child,
				  &kit->err);
	vhd_at_crash_point = NULL;
	assert_int_equal(r, VHD_E_EXISTS);
	assert_non_null(strstr(kit->err.text, "c.vhd: exists already"));
	kit_fill(parent, 0, 1, 'p');
	kit_done(parent);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(what_somebody_froze_meanwhile_stays_frozen),
		CASE(a_parent_is_not_thawed_while_its_child_is_being_made),
		CASE(one_child_that_fails_does_not_thaw_the_parent_of_another),
		CASE(a_parent_that_stays_frozen_is_told_of),
		KIT_TEST(a_parent_is_writable_again_when_its_child_got_no_name),
		CASE(other_images_are_opened_while_a_freeze_waits_for_a_sync),
		CASE(other_images_are_opened_while_a_parent_is_flushed_for_its_child),
		CASE(a_child_is_not_opened_above_a_parent_that_cannot_be_flushed),
	};

	return cmocka_run_group_tests_name("frozen", tests, NULL, NULL);
}
