/* test_server_turns.c - changes of the catalog at the same time: they share commits, and each is
 * whole, durable and alone with what it touches. */
#include "catalog_sql.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "pool_world.h"
#include "test.h"

enum { THREADS = 8, EACH = 12 };

static atomic_uint syncs;
/* The next sync waits until all other clients are there. */
static struct catalog *_Atomic held;

/* In the place of the C library's: counts, and may last. */
int fdatasync(int fd)
{
	struct catalog *catalog = atomic_exchange(&held, NULL);

	atomic_fetch_add(&syncs, 1);
	while (catalog && atomic_load(&catalog->turns.arriving) < THREADS - 1)
		(void)sched_yield();
	return (int)syscall(SYS_fdatasync, fd);
}

/* The asserts of cmocka are for its own thread. */
static void must(bool true_is, const char *what)
{
	if (true_is)
		return;
	(void)fprintf(stderr, "not so: %s\n", what);
	abort();
}

struct client {
	struct pool_world *world;
	unsigned number, refused;
	const char *name; /* NULL: one of its own for each image */
	uint8_t parent[IDS_SIZE];
};

static void describe(const struct client *client, unsigned i, struct catalog_image *ret_image)
{
	*ret_image = (struct catalog_image){.vhd = {.size = 1 << 20}};
	pool_world_id(client->number * 100 + i + 1, ret_image->id);
	memcpy(ret_image->parent_id, client->parent, IDS_SIZE);
	ret_image->kind = ids_is_zero(client->parent) ? CATALOG_DYNAMIC : CATALOG_DIFFERENCING;
	(void)snprintf(ret_image->name, sizeof ret_image->name, "image-%u-%u", client->number, i);
	if (client->name)
		(void)snprintf(ret_image->name, sizeof ret_image->name, "%s-%u", client->name, i);
	(void)snprintf(ret_image->pool, sizeof ret_image->pool, "default");
}

static void *create(void *ctx)
{
	struct client *client = ctx;

	for (unsigned i = 0; i < EACH; i++) {
		struct catalog_usage usage = {0};
		struct catalog_error err;
		struct catalog_image image;
		int r;

		describe(client, i, &image);
		r = catalog_insert(client->world->catalog, &image, &err);
		if (r == 0)
			r = catalog_finish_create(client->world->catalog, image.id, &image.vhd,
						  &usage, NULL, &err);
		client->refused += r == CATALOG_E_NAME_EXISTS;
		must(r == 0 || r == CATALOG_E_NAME_EXISTS, err.text);
	}
	return NULL;
}

static void run_all(struct client *clients, void *(*work)(void *))
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		clients[i].number = i;
		assert_int_equal(pthread_create(&threads[i], NULL, work, &clients[i]), 0);
		while (held) /* the first one comes alone, if a sync is to wait for the others */
			(void)sched_yield();
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void expect_images(struct pool_world *world, unsigned n)
{
	CLEANUP(catalog_images_fini) struct catalog_images list = {0};

	assert_int_equal(catalog_list(world->catalog, NULL, 1000, true, &list, &world->err), 0);
	assert_int_equal(list.total, n);
	assert_int_equal(list.n, n);
	for (size_t i = 0; i < list.n; i++)
		assert_int_equal(list.items[i].state, CATALOG_READY);
}

static void *insert_one(void *ctx)
{
	struct client *client = ctx;
	struct catalog_image image;
	struct catalog_error err;

	describe(client, 0, &image);
	must(catalog_insert(client->world->catalog, &image, &err) == 0, "an image is inserted");
	return NULL;
}

static void shares_the_next_commit_with_all_that_came_during_one(void **state)
{
	struct pool_world *world = pool_world_new();
	struct client clients[THREADS] = {0}, one = {.world = world, .number = 90};
	unsigned alone;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		clients[i].world = world;
	syncs = 0;
	(void)insert_one(&one);
	alone = syncs;
	assert_true(alone > 0);
	syncs = 0;
	held = world->catalog;
	run_all(clients, insert_one);
	assert_int_equal(syncs, 2 * alone);
	pool_world_free(world);
}

static void gives_a_name_to_one_of_those_who_want_it(void **state)
{
	struct pool_world *world = pool_world_new();
	struct client clients[THREADS] = {0};
	unsigned refused = 0;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		clients[i].world = world;
		clients[i].name = "wanted";
	}
	run_all(clients, create);
	for (unsigned i = 0; i < THREADS; i++)
		refused += clients[i].refused;
	assert_int_equal(refused, EACH * (THREADS - 1));
	expect_images(world, EACH);
	pool_world_free(world);
}

static void counts_every_child_of_one_parent(void **state)
{
	struct pool_world *world = pool_world_new();
	CLEANUP(catalog_image_fini) struct catalog_image parent = {0};
	struct client clients[THREADS] = {0}, one = {.world = world, .number = 90};
	uint64_t version;

	(void)state;
	(void)create(&one);
	for (unsigned i = 0; i < THREADS; i++) {
		clients[i].world = world;
		pool_world_id(90 * 100 + 1, clients[i].parent);
	}
	assert_int_equal(catalog_get(world->catalog, clients[0].parent, &parent, NULL), 0);
	version = parent.version;
	catalog_image_fini(&parent);
	run_all(clients, create);
	assert_int_equal(catalog_get(world->catalog, clients[0].parent, &parent, NULL), 0);
	assert_int_equal(parent.children, THREADS * EACH);
	assert_int_equal(parent.version, version + 2 * THREADS * EACH);
	pool_world_close(world);
	pool_world_open(world);
	catalog_image_fini(&parent);
	assert_int_equal(catalog_get(world->catalog, clients[0].parent, &parent, NULL), 0);
	assert_int_equal(parent.children, THREADS * EACH);
	pool_world_free(world);
}

/* Every answer of a list is a state that was: with the revision the number of images grows. */
static void *list(void *ctx)
{
	struct client *client = ctx;
	uint64_t revision = 0;
	size_t n = 0;

	if (client->number % 2)
		return create(ctx);
	for (unsigned i = 0; i < 3 * EACH; i++) {
		CLEANUP(catalog_images_fini) struct catalog_images images = {0};
		struct catalog_error err;

		must(catalog_list(client->world->catalog, NULL, 1000, true, &images, &err) == 0,
		     "there is a list");
		must(images.n == images.total, "a list has all images");
		must(images.revision >= revision, "revisions grow");
		must(images.n >= n, "no image is lost");
		revision = images.revision;
		n = images.n;
	}
	return NULL;
}

static void lists_only_what_is_durable(void **state)
{
	struct pool_world *world = pool_world_new();
	struct client clients[THREADS] = {0};

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		clients[i].world = world;
	run_all(clients, list);
	expect_images(world, EACH * THREADS / 2);
	pool_world_free(world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_the_next_commit_with_all_that_came_during_one),
		cmocka_unit_test(gives_a_name_to_one_of_those_who_want_it),
		cmocka_unit_test(counts_every_child_of_one_parent),
		cmocka_unit_test(lists_only_what_is_durable),
	};

	return cmocka_run_group_tests_name("server/turns", tests, NULL, NULL);
}
