/* test_server_workers.c - items are run, and as many at once as there are threads, although only
 * one thread is on its way at a time. */
#include "workers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "test.h"

enum { THREADS = 4, ADDERS = 3, ITEMS = 20000 };

/* Items that end only when all of them have begun. */
static pthread_barrier_t all_begun;
static atomic_uint ended;

static void meet(struct workers_item *item)
{
	(void)item;
	(void)pthread_barrier_wait(&all_begun);
	(void)atomic_fetch_add(&ended, 1);
}

static void runs_as_many_at_once_as_there_are_threads(void **state)
{
	struct workers *workers = workers_new(THREADS);
	struct workers_item items[THREADS] = {{0}};

	(void)state;
	assert_non_null(workers);
	assert_int_equal(pthread_barrier_init(&all_begun, NULL, THREADS), 0);
	for (int round = 0; round < 1000; round++) {
		atomic_store(&ended, 0);
		for (size_t i = 0; i < THREADS; i++) {
			items[i].run = meet;
			workers_add(workers, &items[i]);
		}
		while (atomic_load(&ended) < THREADS)
			(void)sched_yield();
	}
	workers_free(workers);
	(void)pthread_barrier_destroy(&all_begun);
}

static atomic_uint runs;

static void count(struct workers_item *item)
{
	(void)item;
	(void)atomic_fetch_add(&runs, 1);
}

static struct workers_item many[ADDERS][ITEMS];
static struct workers *shared;

static void *add_many(void *ctx)
{
	struct workers_item *items = ctx;

	for (size_t i = 0; i < ITEMS; i++) {
		items[i].run = count;
		workers_add(shared, &items[i]);
	}
	return NULL;
}

static void runs_every_item_once_before_it_ends(void **state)
{
	pthread_t adders[ADDERS];

	(void)state;
	shared = workers_new(THREADS);
	assert_non_null(shared);
	for (size_t i = 0; i < ADDERS; i++)
		assert_int_equal(pthread_create(&adders[i], NULL, add_many, many[i]), 0);
	for (size_t i = 0; i < ADDERS; i++)
		assert_int_equal(pthread_join(adders[i], NULL), 0);
	workers_free(shared);
	assert_int_equal(atomic_load(&runs), ADDERS * ITEMS);
}

/* ---- threads that wait for others ---- */

static atomic_uint waiting, refused;
static pthread_barrier_t end;

static void wait_aside(struct workers_item *item)
{
	(void)item;
	if (!workers_step_aside()) {
		(void)atomic_fetch_add(&refused, 1);
		return;
	}
	(void)atomic_fetch_add(&waiting, 1);
	(void)pthread_barrier_wait(&end);
	workers_step_back();
	(void)atomic_fetch_add(&ended, 1);
}

/* Eight requests that waited two seconds each kept all others waiting. */
static void works_on_while_threads_wait_for_others(void **state)
{
	struct workers *workers = workers_new(1);
	struct workers_item items[WORKERS_ASIDE + 2] = {{0}}, last = {.run = count};

	(void)state;
	assert_non_null(workers);
	assert_true(workers_step_aside()); /* this one is none of them */
	workers_step_back();
	assert_int_equal(pthread_barrier_init(&end, NULL, WORKERS_ASIDE + 1), 0);
	atomic_store(&ended, 0);
	atomic_store(&runs, 0);
	for (size_t i = 0; i < WORKERS_ASIDE + 2; i++) {
		items[i].run = wait_aside;
		workers_add(workers, &items[i]);
	}
	workers_add(workers, &last);
	while (atomic_load(&waiting) + atomic_load(&refused) + atomic_load(&runs) <
	       WORKERS_ASIDE + 2 + 1)
		(void)sched_yield();
	assert_int_equal(atomic_load(&waiting), WORKERS_ASIDE);
	assert_int_equal(atomic_load(&refused), 2);
	(void)pthread_barrier_wait(&end);
	workers_free(workers);
	assert_int_equal(atomic_load(&ended), WORKERS_ASIDE);
	(void)pthread_barrier_destroy(&end);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_as_many_at_once_as_there_are_threads),
		cmocka_unit_test(runs_every_item_once_before_it_ends),
		cmocka_unit_test(works_on_while_threads_wait_for_others),
	};

	return cmocka_run_group_tests_name("server/workers", tests, NULL, NULL);
}
