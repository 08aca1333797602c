/* test_overlaps.c - the check for blocks that lie on each other: what it says, against a plain
 * look at all pairs, and what it costs. */
#include <stdio.h>
#include <string.h>

#include "alloc_fault.h"
#include "cells.h"
#include "faultio.h"
#include "image_builder.h"
#include "rng.h"
#include "test.h"

#define GIB (1ULL << 30)

enum { TABLE = 1536, SMALL = 4096, STRIDE = 9 };

struct bench {
	struct vhd_engine *engine;
	struct memio *file;
	struct vhd *disk;
	struct faults faults;
	struct vhd_error err;
};

static int set_up(void **state)
{
	static struct bench bench;

	bench = (struct bench){.file = memio_new(NULL), .faults = {.fail_at = -1}};
	*state = &bench;
	return vhd_engine_new(NULL, &bench.engine, NULL);
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	vhd_close(bench->disk);
	vhd_engine_free(bench->engine);
	memio_free(bench->file);
	return 0;
}

/* A disk of `entries` blocks of 4 KiB, none of them there, in a file of `length` bytes. */
static void open_empty(struct bench *bench, uint32_t entries, uint64_t length)
{
	struct builder builder;
	struct vhd_io io;

	builder_init(&builder, &(struct builder_args){.type = 3,
						      .size = (uint64_t)SMALL * entries,
						      .block_size = SMALL,
						      .id = 1});
	builder.end = length - 512;
	builder_store(&builder, bench->file);
	builder_fini(&builder);
	io = faultio_wrap(memio_io(bench->file), &bench->faults);
	assert_int_equal(vhd_open(bench->engine, &io, 0, NULL, &bench->disk, &bench->err), 0);
}

static void set_entry(struct bench *bench, uint32_t block, uint32_t sector)
{
	uint8_t raw[4];

	builder_put32(raw, sector);
	memio_poke(bench->file, raw, sizeof raw, TABLE + block * 4ULL);
}

/* ---- what it says ---- */

enum { BLOCKS = 12 };

static int by_start(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The first pair in file order. False: there is none. */
static bool find_overlap(const uint32_t starts[BLOCKS], uint32_t *ret_low, uint32_t *ret_high)
{
	uint32_t sorted[BLOCKS];

	memcpy(sorted, starts, sizeof sorted);
	qsort(sorted, BLOCKS, sizeof *sorted, by_start);
	for (int i = 1; i < BLOCKS; i++) {
		*ret_low = sorted[i - 1];
		*ret_high = sorted[i];
		if (*ret_high - *ret_low < STRIDE)
			return true;
	}
	return false;
}

static void say(const uint32_t starts[BLOCKS], uint32_t low, uint32_t high, char *ret_text,
		size_t len)
{
	int a = 0, b = BLOCKS - 1;

	while (starts[a] != low)
		a++;
	while (starts[b] != high)
		b--;
	(void)snprintf(ret_text, len,
		       "block table: entry %d at 0x%x is sector 0x%x, entry %d at 0x%x is sector "
		       "0x%x: the blocks lie on each other",
		       a, TABLE + a * 4, low, b, TABLE + b * 4, high);
}

static void compare(struct bench *bench, const uint32_t starts[BLOCKS])
{
	char text[240] = "";
	uint32_t low, high;
	int code = 0;

	for (uint32_t i = 0; i < BLOCKS; i++)
		set_entry(bench, i, starts[i]);
	if (find_overlap(starts, &low, &high)) {
		say(starts, low, high, text, sizeof text);
		code = VHD_E_CORRUPT;
	}
	bench->err = (struct vhd_error){.text = ""};
	assert_int_equal(vhd_check_blocks(bench->disk, &bench->err), code);
	assert_string_equal(bench->err.text, text);
}

static void the_first_two_blocks_that_lie_on_each_other_are_named(void **state)
{
	enum { TURNS = 20000, FIRST = 4 };
	struct bench *bench = *state;
	struct rng rng = {rng_seed("overlaps")};
	uint32_t starts[BLOCKS];

	open_empty(bench, BLOCKS, 1 << 20);
	for (int turn = 0; turn < TURNS; turn++) {
		uint64_t room = 2 + rng_below(&rng, 80);

		for (uint32_t i = 0; i < BLOCKS; i++)
			starts[i] = FIRST + (uint32_t)(rng_below(&rng, room)) + i * STRIDE;
		for (uint32_t i = 0; i < BLOCKS && rng_one_in(&rng, 2); i++)
			starts[i] = starts[rng_below(&rng, BLOCKS)];
		compare(bench, starts);
	}
}

/* ---- what it costs ---- */

enum { MANY = 1 << 20, READS = MANY * 4 / 4096 };

/* Blocks far from each other in the longest file that a table can name. */
static void scatter(struct bench *bench)
{
	uint64_t length = 2040 * GIB;

	open_empty(bench, MANY, length);
	for (uint32_t i = 0; i < 450; i++)
		set_entry(bench, i, (uint32_t)((4 + i * 9 / 2) * GIB / 512));
	bench->faults = (struct faults){.ops = FAULT_READ, .fail_at = -1};
}

static void a_table_is_read_four_times_at_most(void **state)
{
	struct bench *bench = *state;

	scatter(bench);
	alloc_fault_arm(-1, false);
	assert_int_equal(vhd_check_blocks(bench->disk, &bench->err), 0);
	alloc_fault_disarm();
	assert_true(bench->faults.calls <= 4L * READS);
	assert_true(alloc_fault_peak() <= 61 << 20);
}

static void check_pair(struct bench *bench, uint32_t start)
{
	set_entry(bench, 0, start);
	set_entry(bench, 3, start + STRIDE);
	assert_int_equal(vhd_check_blocks(bench->disk, &bench->err), 0);
	set_entry(bench, 3, start + STRIDE - 1);
	assert_int_equal(vhd_check_blocks(bench->disk, &bench->err), VHD_E_CORRUPT);
}

static void overlaps_are_found_where_the_memory_for_one_part_of_the_file_ends(void **state)
{
	struct bench *bench = *state;
	struct cells cells;
	uint64_t part;

	assert_int_equal(cells_init(&cells, UINT32_MAX, STRIDE, NULL), 0);
	part = (uint64_t)cells.n * STRIDE;
	cells_fini(&cells);
	open_empty(bench, 4, 2040 * GIB);
	for (uint64_t start = part - STRIDE; start < part; start += 8)
		check_pair(bench, (uint32_t)start);
}

/* What a table says of its size costs nothing that the file does not have. */
static void a_short_file_takes_little_memory(void **state)
{
	struct bench *bench = *state;

	open_empty(bench, MANY, 64 << 20);
	alloc_fault_arm(-1, false);
	assert_int_equal(vhd_check_blocks(bench->disk, &bench->err), 0);
	alloc_fault_disarm();
	assert_true(alloc_fault_peak() <= 64 << 10);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(the_first_two_blocks_that_lie_on_each_other_are_named),
		CASE(a_table_is_read_four_times_at_most),
		CASE(overlaps_are_found_where_the_memory_for_one_part_of_the_file_ends),
		CASE(a_short_file_takes_little_memory),
	};

	return cmocka_run_group_tests_name("overlaps", tests, NULL, NULL);
}
