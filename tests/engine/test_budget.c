/* test_budget.c - what the engine takes: memory for what it knows, blocks and room in the store. */
#include <errno.h>
#include <string.h>

#include "test.h"

#include "bench.h"
#include "faultio.h"
#include "image_builder.h"
#include "writer.h"

enum { BLOCK = 2 << 20, SECTOR = 512 };

/* An empty disk and its child, which is the leaf. */
static void create(struct bench *bench, size_t cache, uint64_t size)
{
	struct vhd_engine_args args = {.cache_size = cache};
	struct vhd_create_args root = {.type = VHD_DYNAMIC, .size = size, .id = {1}};
	struct vhd_create_args leaf = {
		.type = VHD_DIFF, .id = {2}, .parent_path = "/p.vhd", .child_path = "/c.vhd"};
	struct vhd_io io = memio_io(bench->parent_file), top = memio_io(bench->file);

	vhd_engine_free(bench->engine);
	must(bench, vhd_engine_new(&args, &bench->engine, &bench->err));
	must(bench, vhd_create(bench->engine, &io, &root, &bench->parent, &bench->err));
	leaf.parent = bench->parent;
	must(bench, vhd_create(bench->engine, &top, &leaf, &bench->disk, &bench->err));
}

static int put(struct bench *bench, uint64_t off)
{
	return vhd_write(bench->disk, bench->buf, SECTOR, off, NULL, &bench->err);
}

/* What is known of a unit grows with each hole that is written into it. */
static void scattered_writes_stay_within_the_budget(void **state)
{
	enum { BUDGET = 1 << 20, UNITS = 64 };
	struct bench *bench = *state;

	create(bench, BUDGET, (uint64_t)UNITS * BLOCK);
	for (uint64_t unit = 0; unit < UNITS; unit++)
		must(bench,
		     vhd_read(bench->disk, bench->buf, SECTOR, unit * BLOCK, 0, &bench->err));
	for (uint64_t off = 0; off < (uint64_t)UNITS * BLOCK; off += 2UL * SECTOR)
		must(bench, put(bench, off));
	assert_in_range(vhd_engine_cached(bench->engine), 1, BUDGET);
}

/* The table, the bits of the first write and those of the whole block: then they are known. */
static void overwriting_a_block_reads_its_bitmap_once(void **state)
{
	struct faults reads = {.ops = FAULT_READ, .fail_at = -1};
	struct bench *bench = *state;
	struct vhd_io io = faultio_wrap(memio_io(bench->file), &reads);
	struct builder builder;

	builder_init(&builder, &(struct builder_args){.type = 3, .size = 2UL * BLOCK, .id = 1});
	builder_add_block(&builder, 0, 0xff, 'u');
	builder_store(&builder, bench->file);
	builder_fini(&builder);
	must(bench, vhd_open(bench->engine, &io, VHD_WRITE, NULL, &bench->disk, &bench->err));
	reads.calls = 0;
	for (uint64_t off = 0; off < BLOCK; off += 3UL * SECTOR)
		must(bench, put(bench, off));
	assert_int_equal(reads.calls, 3);
}

/* A store with room for so many bytes. */
static struct {
	struct vhd_io_ops ops;
	const struct vhd_io_ops *below;
	uint64_t room;
} small;

static int write_within(void *store, const struct iovec *iov, int n, uint64_t off)
{
	return off < small.room ? small.below->writev(store, iov, n, off) : -ENOSPC;
}

/* An empty disk of blocks of 4 KiB: 8 MiB of metadata are soon together. */
static void open_small(struct bench *bench, uint64_t size)
{
	struct vhd_io io = memio_io(bench->file);
	struct builder builder;

	builder_init(&builder,
		     &(struct builder_args){.type = 3, .size = size, .block_size = 4096, .id = 1});
	builder_store(&builder, bench->file);
	builder_fini(&builder);
	small.below = io.ops;
	small.ops = *io.ops;
	small.ops.writev = write_within;
	small.room = UINT64_MAX;
	io.ops = &small.ops;
	must(bench, vhd_open(bench->engine, &io, VHD_WRITE, NULL, &bench->disk, &bench->err));
}

static int put_with_room(struct bench *bench, uint64_t off)
{
	uint64_t room = small.room;
	int r;

	small.room = UINT64_MAX;
	r = put(bench, off);
	small.room = room;
	return r;
}

/* As much metadata waits as may wait, and finds no room. */
static void a_full_store_takes_what_has_its_place(void **state)
{
	enum { SMALL = 4096, MANY = WRITER_DIRTY_MAX / (sizeof(struct dirty_block) + 512) + 1 };
	struct bench *bench = *state;
	struct vhd_state now;

	open_small(bench, (MANY + 8) * (uint64_t)SMALL);
	must(bench, put(bench, 0));
	must(bench, vhd_flush(bench->disk, 0, &bench->err));
	small.room = memio_size(bench->file);
	for (uint64_t block = 1; block <= MANY; block++)
		must(bench, put_with_room(bench, block * SMALL));
	vhd_state(bench->disk, &now);
	assert_int_equal(now.dirty_blocks, MANY);
	bench->buf[0] = 9;
	must(bench, put(bench, 0));
	must(bench, vhd_zero(bench->disk, SECTOR, SECTOR, NULL, &bench->err));
	assert_int_equal(put(bench, (MANY + 1) * (uint64_t)SMALL), VHD_E_NOSPC);
	assert_string_equal(bench->err.text, "flush: write at 0x11e00: No space left on device");
	vhd_state(bench->disk, &now);
	assert_int_equal(now.dirty_blocks, MANY);
	must(bench, put_with_room(bench, (MANY + 1) * (uint64_t)SMALL));
	vhd_state(bench->disk, &now);
	assert_int_equal(now.dirty_blocks, 1);
	must(bench, vhd_read(bench->disk, bench->buf, SECTOR, 0, 0, &bench->err));
	assert_int_equal(bench->buf[0], 9);
}

static void zeroing_part_of_a_sector_of_zeroes_takes_no_block(void **state)
{
	struct bench *bench = *state;
	struct vhd_state now;
	uint32_t blocks;

	create(bench, 0, 4 * (uint64_t)BLOCK);
	must(bench, vhd_zero(bench->disk, 100, 10, NULL, &bench->err));
	must(bench, vhd_zero(bench->disk, BLOCK - 10, 1034, NULL, &bench->err));
	must(bench, vhd_allocated_blocks(bench->disk, &blocks, &bench->err));
	assert_int_equal(blocks, 0);
	vhd_state(bench->disk, &now);
	assert_int_equal(now.dirty_blocks, 0);
	/* And where there is something it is zeroed. */
	bench->buf[0] = 7;
	must(bench, put(bench, 0));
	must(bench, vhd_zero(bench->disk, 0, 1, NULL, &bench->err));
	must(bench, vhd_read(bench->disk, bench->buf, SECTOR, 0, 0, &bench->err));
	assert_int_equal(bench->buf[0], 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(scattered_writes_stay_within_the_budget),
		CASE(overwriting_a_block_reads_its_bitmap_once),
		CASE(a_full_store_takes_what_has_its_place),
		CASE(zeroing_part_of_a_sector_of_zeroes_takes_no_block),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
