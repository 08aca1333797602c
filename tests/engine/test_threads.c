/* test_threads.c - many threads on one chain: readers, writers of their own blocks, flushers,
 * lookups that may not block, and siblings that come and go, under a cache that is too small for
 * them. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "memio.h"
#include "rng.h"
#include "test.h"

enum {
	BLOCK = 512 << 10,
	BLOCKS = 64,
	WRITERS = 3,
	READERS = 3,
	SIBLINGS = 2,
	LEVELS = 3,
	SECTOR = 512,
	PLACES = 8, /* sectors of a block that are used */
};

/* Sector `place` of block `block` holds its number, the generation, and who wrote it, all over. */
struct shared {
	struct vhd_engine *engine;
	struct memio *files[LEVELS + SIBLINGS];
	struct vhd *disks[LEVELS];
	atomic_uint generation[BLOCKS][PLACES]; /* at least this one is there */
	atomic_bool stop;
	atomic_ulong reads, writes, flushes, opens, lookups, refused;
	unsigned rounds;
};

/* cmocka's own failures jump out of the main thread only. */
static void abort_test(const char *format, ...) VHD_PRINTF(1, 2);

static void abort_test(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	abort();
}

static void must(int r)
{
	if (r < 0)
		abort_test("a call failed with code %d", r);
}

struct worker {
	struct shared *shared;
	pthread_t thread;
	struct rng rng;
	unsigned number;
};

static void stamp(uint8_t sector[SECTOR], unsigned block, unsigned place, unsigned generation)
{
	uint32_t words[4] = {block, place, generation, block ^ place ^ generation};

	for (size_t at = 0; at < SECTOR; at += sizeof words)
		memcpy(sector + at, words, sizeof words);
}

/* A sector is one stamp, whole, of its own place; zero means nobody wrote it. Returns its
 * generation. */
static unsigned check_stamp(const uint8_t sector[SECTOR], unsigned block, unsigned place)
{
	uint8_t want[SECTOR];
	uint32_t words[4];

	memcpy(words, sector, sizeof words);
	if (words[0] == 0 && words[2] == 0)
		memset(want, 0, sizeof want);
	else
		stamp(want, block, place, words[2]);
	if (memcmp(sector, want, SECTOR) != 0)
		abort_test("block %u place %u: a torn or foreign sector", block, place);
	return words[2];
}

static uint64_t offset_of(unsigned block, unsigned place)
{
	return (uint64_t)block * BLOCK + (uint64_t)place * 7 * SECTOR;
}

static void *write_blocks(void *ctx)
{
	struct worker *worker = ctx;
	struct shared *shared = worker->shared;

	for (unsigned round = 1; round <= shared->rounds; round++) {
		unsigned block = (unsigned)rng_below(&worker->rng, BLOCKS / WRITERS) * WRITERS +
				 worker->number;
		unsigned place = (unsigned)rng_below(&worker->rng, PLACES);
		unsigned generation = atomic_load(&shared->generation[block][place]) + 1;
		uint8_t sector[SECTOR];
		struct vhd_accepted accepted;

		stamp(sector, block, place, generation);
		must(vhd_write(shared->disks[0], sector, SECTOR, offset_of(block, place), &accepted,
			       NULL));
		atomic_store(&shared->generation[block][place], generation);
		atomic_fetch_add(&shared->writes, 1);
		if (round % 16 == 0)
			must(vhd_flush(shared->disks[0], accepted.epoch, NULL));
	}
	return NULL;
}

static void *read_blocks(void *ctx)
{
	struct worker *worker = ctx;
	struct shared *shared = worker->shared;

	while (!atomic_load(&shared->stop)) {
		unsigned block = (unsigned)rng_below(&worker->rng, BLOCKS);
		unsigned place = (unsigned)rng_below(&worker->rng, PLACES);
		unsigned least = atomic_load(&shared->generation[block][place]);
		unsigned flags = rng_one_in(&worker->rng, 2) ? VHD_NOWAIT : 0;
		uint8_t sector[SECTOR];
		int r = vhd_read(shared->disks[0], sector, SECTOR, offset_of(block, place), flags,
				 NULL);

		if (r == VHD_E_AGAIN && flags) {
			atomic_fetch_add(&shared->refused, 1);
			continue;
		}
		must(r);
		if (check_stamp(sector, block, place) < least)
			abort_test("block %u place %u: an old value", block, place);
		atomic_fetch_add(&shared->reads, 1);
	}
	return NULL;
}

static void *look_up(void *ctx)
{
	struct worker *worker = ctx;
	struct shared *shared = worker->shared;

	while (!atomic_load(&shared->stop)) {
		unsigned block = (unsigned)rng_below(&worker->rng, BLOCKS);
		unsigned place = (unsigned)rng_below(&worker->rng, PLACES);
		unsigned least = atomic_load(&shared->generation[block][place]);
		uint64_t sector = offset_of(block, place) / SECTOR;
		struct vhd_run run;
		struct vhd_step steps[LEVELS];

		must(vhd_get_sector_location(shared->disks[0], sector, 0, &run, NULL));
		if (least > 1 && (run.where != VHD_DATA || run.level != 0))
			abort_test("block %u place %u: written, and not located", block, place);
		must(vhd_trace(shared->disks[0], sector, 0,
			       &(struct vhd_step_list){steps, LEVELS, 0}, NULL));
		atomic_fetch_add(&shared->lookups, 1);
	}
	return NULL;
}

static void *flush_all(void *ctx)
{
	struct worker *worker = ctx;
	struct shared *shared = worker->shared;

	while (!atomic_load(&shared->stop)) {
		struct vhd_state before, after;

		vhd_state(shared->disks[0], &before);
		must(vhd_flush(shared->disks[0], 0, NULL));
		vhd_state(shared->disks[0], &after);
		if (after.epoch_durable < before.epoch_written)
			abort_test("a flush left epoch %u behind", (unsigned)before.epoch_written);
		atomic_fetch_add(&shared->flushes, 1);
	}
	return NULL;
}

static int resolve(void *ctx, const struct vhd_parent_ref *ref, struct vhd_io *ret_io,
		   struct vhd_error *err)
{
	const struct shared *shared = ctx;

	(void)err;
	*ret_io = memio_io(shared->files[ref->id[0] - 1]);
	return 0;
}

/* Siblings share the parents of the chain that the others read. */
static void *come_and_go(void *ctx)
{
	struct worker *worker = ctx;
	struct shared *shared = worker->shared;
	struct vhd_resolver resolver = {resolve, shared};

	while (!atomic_load(&shared->stop)) {
		struct vhd_io io = memio_io(shared->files[LEVELS + worker->number]);
		unsigned block = (unsigned)rng_below(&worker->rng, BLOCKS);
		uint8_t sector[SECTOR];
		struct vhd *disk;

		must(vhd_open(shared->engine, &io, VHD_WRITE, &resolver, &disk, NULL));
		must(vhd_read(disk, sector, SECTOR, offset_of(block, 0), 0, NULL));
		if (check_stamp(sector, block, 0) > 1)
			abort_test("block %u: a sibling sees what the leaf wrote", block);
		stamp(sector, block, 3, 1);
		must(vhd_write(disk, sector, SECTOR, offset_of(block, 3), NULL, NULL));
		must(vhd_flush(disk, 0, NULL));
		vhd_close(disk);
		atomic_fetch_add(&shared->opens, 1);
	}
	return NULL;
}

/* ---- the chain: generation 1 at even places of the root, odd ones of its child ---- */

static struct vhd *create(struct shared *shared, unsigned file, struct vhd *parent)
{
	struct vhd_create_args args = {.type = parent ? VHD_DIFF : VHD_DYNAMIC, .timestamp = 1};
	struct vhd_io io;
	struct vhd *disk;

	shared->files[file] = memio_new(NULL);
	io = memio_io(shared->files[file]);
	args.size = (uint64_t)BLOCK * BLOCKS;
	args.block_size = BLOCK;
	args.parent = parent;
	args.parent_path = "/pool/p.vhd";
	args.child_path = "/pool/c.vhd";
	memset(args.id, (int)file + 1, sizeof args.id);
	must(vhd_create(shared->engine, &io, &args, &disk, NULL));
	return disk;
}

static void fill(struct shared *shared, struct vhd *disk, unsigned first)
{
	for (unsigned block = 0; block < BLOCKS; block++) {
		for (unsigned place = first; place < PLACES; place += 2) {
			uint8_t sector[SECTOR];

			stamp(sector, block, place, 1);
			must(vhd_write(disk, sector, SECTOR, offset_of(block, place), NULL, NULL));
			atomic_store(&shared->generation[block][place], 1);
		}
	}
}

static void setup(struct shared *shared)
{
	struct vhd_engine_args args = {.cache_size = 8 << 10};

	memset(shared, 0, sizeof *shared);
	must(vhd_engine_new(&args, &shared->engine, NULL));
	shared->disks[2] = create(shared, 2, NULL);
	fill(shared, shared->disks[2], 0);
	shared->disks[1] = create(shared, 1, shared->disks[2]);
	fill(shared, shared->disks[1], 1);
	shared->disks[0] = create(shared, 0, shared->disks[1]);
	for (unsigned i = 0; i < SIBLINGS; i++)
		vhd_close(create(shared, LEVELS + i, shared->disks[1]));
}

/* Also after closing and opening again everything is there. */
static void teardown(struct shared *shared)
{
	struct vhd_resolver resolver = {resolve, shared};
	struct vhd_io io;
	uint8_t sector[SECTOR];

	must(vhd_flush(shared->disks[0], 0, NULL));
	for (int i = 0; i < LEVELS; i++)
		vhd_close(shared->disks[i]);
	io = memio_io(shared->files[0]);
	must(vhd_open(shared->engine, &io, 0, &resolver, &shared->disks[0], NULL));
	for (unsigned block = 0; block < BLOCKS; block++) {
		for (unsigned place = 0; place < PLACES; place++) {
			must(vhd_read(shared->disks[0], sector, SECTOR, offset_of(block, place), 0,
				      NULL));
			if (check_stamp(sector, block, place) != shared->generation[block][place])
				abort_test("block %u place %u: lost", block, place);
		}
	}
	vhd_close(shared->disks[0]);
	assert_int_equal(vhd_engine_cached(shared->engine), 0);
	vhd_engine_free(shared->engine);
	for (int i = 0; i < LEVELS + SIBLINGS; i++)
		memio_free(shared->files[i]);
}

static void start(struct worker *worker, struct shared *shared, unsigned number,
		  void *(*run)(void *))
{
	*worker = (struct worker){.shared = shared, .number = number};
	worker->rng.state = number + 1000 * (uint64_t)(uintptr_t)run;
	assert_int_equal(pthread_create(&worker->thread, NULL, run, worker), 0);
}

static void threads_share_a_chain(void **state)
{
	static struct shared shared;
	struct worker writers[WRITERS], others[READERS + SIBLINGS + 2];
	unsigned n = 0;

	(void)state;
	setup(&shared);
	shared.rounds = (unsigned)rng_env("VHDD_THREAD_ROUNDS", 3000);
	for (unsigned i = 0; i < READERS; i++)
		start(&others[n++], &shared, i, read_blocks);
	for (unsigned i = 0; i < SIBLINGS; i++)
		start(&others[n++], &shared, i, come_and_go);
	start(&others[n++], &shared, 0, look_up);
	start(&others[n++], &shared, 0, flush_all);
	for (unsigned i = 0; i < WRITERS; i++)
		start(&writers[i], &shared, i, write_blocks);
	for (unsigned i = 0; i < WRITERS; i++)
		(void)pthread_join(writers[i].thread, NULL);
	/* The time limit of the test is what ends it when one of them gets nowhere. */
	while (!shared.reads || !shared.flushes || !shared.opens || !shared.lookups)
		(void)sched_yield();
	atomic_store(&shared.stop, true);
	while (n > 0)
		(void)pthread_join(others[--n].thread, NULL);
	printf("%lu writes, %lu reads, %lu would have blocked, %lu lookups, %lu flushes, %lu opens\n",
	       shared.writes, shared.reads, shared.refused, shared.lookups, shared.flushes,
	       shared.opens);
	teardown(&shared);
}

/* Readers that may not block never wait for a store, and are told so. */
static void nowait_says_again_when_cold(void **state)
{
	static struct shared shared;
	uint8_t sector[SECTOR];

	(void)state;
	setup(&shared);
	must(vhd_read(shared.disks[0], sector, SECTOR, 0, 0, NULL));
	must(vhd_read(shared.disks[0], sector, SECTOR, 0, VHD_NOWAIT, NULL));
	memio_set_cold(shared.files[2], true);
	assert_int_equal(vhd_read(shared.disks[0], sector, SECTOR, 0, VHD_NOWAIT, NULL),
			 VHD_E_AGAIN);
	must(vhd_read(shared.disks[0], sector, SECTOR, 0, 0, NULL));
	memio_set_cold(shared.files[2], false);
	must(vhd_read(shared.disks[0], sector, SECTOR, 0, VHD_NOWAIT, NULL));
	(void)check_stamp(sector, 0, 0);
	teardown(&shared);
}

/* What was found before the first unit that is not in memory is an answer, not a failure. */
static void a_short_answer_leaves_the_error_alone(void **state)
{
	static struct shared shared;
	struct vhd_run runs[64];
	struct vhd_run_list list = {.runs = runs, .max = 64};
	struct vhd_error err = {.code = VHD_OK, .text = "as it was"};
	uint8_t sector[SECTOR];

	(void)state;
	setup(&shared);
	must(vhd_read(shared.disks[0], sector, SECTOR, 0, 0, NULL));
	assert_int_equal(vhd_get_sector_locations(shared.disks[0], 0,
						  (uint64_t)BLOCKS * BLOCK / SECTOR, VHD_NOWAIT,
						  &list, &err),
			 0);
	assert_true(list.n > 0);
	assert_int_equal(err.code, VHD_OK);
	assert_string_equal(err.text, "as it was");
	teardown(&shared);
}

/* Extents that were told once are told again without a wait, and are the same. */
static void extents_at_hand_need_no_wait(void **state)
{
	static struct shared shared;
	struct vhd_extent extents[2][64];
	struct vhd_extent_list list[2] = {{.extents = extents[0], .max = 64},
					  {.extents = extents[1], .max = 64}};

	(void)state;
	setup(&shared);
	for (int i = 0; i < LEVELS; i++)
		memio_set_cold(shared.files[i], true);
	assert_int_equal(vhd_extents(shared.disks[0], 0, 2 * BLOCK, VHD_NOWAIT, &list[0], NULL),
			 VHD_E_AGAIN);
	must(vhd_extents(shared.disks[0], 0, 2 * BLOCK, 0, &list[0], NULL));
	must(vhd_extents(shared.disks[0], 0, 2 * BLOCK, VHD_NOWAIT, &list[1], NULL));
	assert_true(list[0].n > 0);
	assert_int_equal(list[0].n, list[1].n);
	assert_memory_equal(extents[0], extents[1], list[0].n * sizeof *extents[0]);
	teardown(&shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_a_chain),
		cmocka_unit_test(nowait_says_again_when_cold),
		cmocka_unit_test(a_short_answer_leaves_the_error_alone),
		cmocka_unit_test(extents_at_hand_need_no_wait),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
