/* test_recover.c - recovery of what other programs leave: footers that differ in more than we ever
 * change, tables with spare entries, areas that end within a sector. */
#include <string.h>

#include "test.h"

#include "faultio.h"
#include "image_builder.h"

#define GIB (1ULL << 30)

enum {
	DISK = 8 << 20,
	LARGER = 64 << 20,
	BLOCK = 2 << 20,
	SMALL = 4096,
	GOOD = VHD_FOOTER_EOF | VHD_FOOTER_HEAD
};

struct bench {
	struct vhd_engine *engine;
	struct memio *file;
	struct builder builder; /* a disk of DISK bytes with block 0 filled */
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
	builder_fini(&bench->builder);
	memio_free(bench->file);
	return 0;
}

/* A table for `room` bytes, of which both footers use DISK. */
static void build_of(struct bench *bench, uint64_t room, uint32_t block_size)
{
	struct builder *builder = &bench->builder;

	builder_init(builder, &(struct builder_args){
				      .type = 3, .size = room, .block_size = block_size, .id = 1});
	builder_put64(builder->head + F_CURRENT_SIZE, DISK);
	builder_put64(builder->tail + F_CURRENT_SIZE, DISK);
	builder_add_block(builder, 0, 0xff, 'a');
}

static void build(struct bench *bench, uint64_t room)
{
	build_of(bench, room, BLOCK);
}

static void store(struct bench *bench)
{
	builder_mend(&bench->builder);
	builder_store(&bench->builder, bench->file);
}

static int open_as(struct bench *bench, unsigned flags)
{
	struct vhd_io io = faultio_wrap(memio_io(bench->file), &bench->faults);
	int r;

	vhd_close(bench->disk);
	bench->disk = NULL;
	r = vhd_open(bench->engine, &io, flags, NULL, &bench->disk, &bench->err);
	vhd_io_close(&io);
	return r;
}

/* Opens, and finds a disk of that size with what block 0 holds. */
static void expect(struct bench *bench, unsigned flags, uint64_t size, unsigned footers)
{
	uint8_t buf[512];

	if (open_as(bench, flags) < 0)
		fail_msg("%s", bench->err.text);
	assert_int_equal(vhd_info(bench->disk)->size, size);
	assert_int_equal(vhd_info(bench->disk)->footers, footers);
	assert_int_equal(vhd_read(bench->disk, buf, sizeof buf, 0, 0, NULL), 0);
	assert_int_equal(buf[0], 'a');
}

static void expect_at_last(struct bench *bench, uint64_t size)
{
	expect(bench, 0, size, GOOD | VHD_FOOTER_DIFFER);
	/* Who cannot repair it is told that there is something. */
	assert_int_equal(open_as(bench, VHD_RECOVER), VHD_E_UNCLEAN);
	assert_string_equal(bench->err.text, "an unclean stop has left something to repair");
	expect(bench, VHD_WRITE | VHD_RECOVER, size, GOOD);
	expect(bench, VHD_RECOVER, size, GOOD);
	expect(bench, VHD_WRITE, size, GOOD);
}

/* What another program leaves that stops while it resizes. */
static void a_footer_at_the_end_whose_size_the_table_cannot_hold_does_not_count(void **state)
{
	struct bench *bench = *state;

	build(bench, DISK);
	builder_put64(bench->builder.tail + F_CURRENT_SIZE, LARGER);
	store(bench);
	expect_at_last(bench, DISK);
}

static void a_footer_at_the_start_whose_size_the_table_cannot_hold_does_not_count(void **state)
{
	struct bench *bench = *state;

	build(bench, DISK);
	builder_put64(bench->builder.head + F_CURRENT_SIZE, LARGER);
	store(bench);
	expect_at_last(bench, DISK);
}

static void two_footers_whose_sizes_the_table_cannot_hold_are_refused_and_kept(void **state)
{
	struct bench *bench = *state;
	uint8_t head[512];

	build(bench, DISK);
	builder_put64(bench->builder.head + F_CURRENT_SIZE, LARGER);
	builder_put64(bench->builder.tail + F_CURRENT_SIZE, 2 * LARGER);
	store(bench);
	assert_int_equal(open_as(bench, 0), VHD_E_CORRUPT);
	assert_string_equal(bench->err.text, "header: table entries 4 at 28: the size needs 64");
	assert_int_equal(open_as(bench, VHD_WRITE | VHD_RECOVER), VHD_E_CORRUPT);
	assert_string_equal(bench->err.text,
			    "recover: header: table entries 4 at 28: the size needs 32");
	memio_peek(bench->file, head, sizeof head, 0);
	assert_memory_equal(head, bench->builder.head, sizeof head);
}

static void a_footer_at_the_end_that_names_another_header_does_not_count(void **state)
{
	struct bench *bench = *state;

	build(bench, DISK);
	builder_put64(bench->builder.tail + F_DATA_OFFSET, 1024);
	store(bench);
	expect_at_last(bench, DISK);
}

static void a_larger_size_that_the_table_can_hold_counts(void **state)
{
	struct bench *bench = *state;

	build(bench, LARGER);
	builder_put64(bench->builder.tail + F_CURRENT_SIZE, LARGER);
	store(bench);
	expect_at_last(bench, LARGER);
}

/* The entries that only the larger size uses are proved for it. */
static void a_larger_size_counts_in_recovery_only_with_a_sound_table(void **state)
{
	struct bench *bench = *state;

	build(bench, LARGER);
	builder_put64(bench->builder.tail + F_CURRENT_SIZE, LARGER);
	builder_set_entry(&bench->builder, 9, builder_get32(bench->builder.table) + 1);
	store(bench);
	expect(bench, VHD_WRITE | VHD_RECOVER, DISK, GOOD);
}

/* With small blocks the larger size needs more pages of the table than the other. */
static void a_larger_size_may_need_more_pages_of_the_table(void **state)
{
	struct bench *bench = *state;

	build_of(bench, LARGER, SMALL);
	builder_put64(bench->builder.tail + F_CURRENT_SIZE, LARGER);
	store(bench);
	expect_at_last(bench, LARGER);
}

static void a_larger_size_is_refused_in_whatever_page_the_table_is_unsound(void **state)
{
	struct bench *bench = *state;

	build_of(bench, LARGER, SMALL);
	builder_put64(bench->builder.tail + F_CURRENT_SIZE, LARGER);
	builder_set_entry(&bench->builder, LARGER / SMALL - 1,
			  builder_get32(bench->builder.table) + 1);
	store(bench);
	expect(bench, VHD_WRITE | VHD_RECOVER, DISK, GOOD);
}

/* ---- a footer where the data ends and the file does not ---- */

/* As a block leaves it that was placed behind it and is not in the table yet. */
static void store_with_a_footer_behind_the_data(struct bench *bench)
{
	struct builder *builder = &bench->builder;
	uint64_t behind = builder->end;
	uint8_t footer[512];

	memcpy(footer, builder->tail, sizeof footer);
	builder_put64(footer + F_CURRENT_SIZE, LARGER);
	builder_put32(footer + F_CHECKSUM, builder_checksum(footer, sizeof footer, F_CHECKSUM));
	builder->end += BLOCK;
	store(bench);
	memio_poke(bench->file, footer, sizeof footer, behind);
}

static void a_footer_behind_the_data_does_not_win_over_two_that_are_equal(void **state)
{
	struct bench *bench = *state;

	build(bench, LARGER);
	store_with_a_footer_behind_the_data(bench);
	expect(bench, 0, DISK, GOOD);
	expect(bench, VHD_WRITE | VHD_RECOVER, DISK, GOOD);
	expect(bench, VHD_WRITE, DISK, GOOD);
}

static void a_footer_behind_the_data_does_not_win_where_the_file_goes_on(void **state)
{
	struct bench *bench = *state;

	build(bench, LARGER);
	bench->builder.tail_length = 0;
	store_with_a_footer_behind_the_data(bench);
	expect(bench, 0, DISK, VHD_FOOTER_HEAD);
	expect(bench, VHD_WRITE | VHD_RECOVER, DISK, GOOD);
	expect(bench, VHD_WRITE, DISK, GOOD);
}

/* ---- spare entries mean nothing ---- */

static void a_spare_entry_that_names_a_used_block_stops_nobody(void **state)
{
	const struct vhd_footer asleep = {.saved_state = true};
	struct bench *bench = *state;

	build(bench, DISK + BLOCK);
	builder_set_entry(&bench->builder, 4, builder_get32(bench->builder.table));
	store(bench);
	expect(bench, VHD_WRITE, DISK, GOOD);
	assert_int_equal(vhd_check_blocks(bench->disk, &bench->err), 0);
	assert_int_equal(vhd_set_footer(bench->disk, &asleep, &bench->err), 0);
	expect(bench, VHD_WRITE | VHD_RECOVER, DISK, GOOD);
}

/* What it names may belong to a size that another program is about to give the disk. */
static void recovery_keeps_the_block_that_a_spare_entry_names(void **state)
{
	struct bench *bench = *state;
	uint64_t size;

	build(bench, DISK + BLOCK);
	builder_add_block(&bench->builder, 4, 0xff, 'b');
	store(bench);
	size = memio_size(bench->file);
	expect(bench, VHD_WRITE | VHD_RECOVER, DISK, GOOD);
	assert_int_equal(memio_size(bench->file), size);
}

/* ---- where the file ends ---- */

static void recovery_leaves_a_file_of_whole_sectors(void **state)
{
	struct bench *bench = *state;
	struct builder *builder = &bench->builder;

	builder_init(builder,
		     &(struct builder_args){.type = 4, .size = DISK, .id = 2, .parent_id = 1});
	builder_locator(builder, 0, 0x4D616358, "file:///p.vhd", 13);
	builder_put32(builder->header + H_LOCATORS + 4, 1000);
	builder->end += 512;
	store(bench);
	memio_cut(bench->file, builder->end);
	assert_int_equal(open_as(bench, VHD_WRITE | VHD_RECOVER | VHD_NO_PARENT), 0);
	assert_int_equal(memio_size(bench->file), builder->end + 512);
}

/* As programs older than Virtual PC 2004 wrote it. */
static void recovery_makes_the_short_footer_of_a_fixed_disk_whole(void **state)
{
	struct bench *bench = *state;
	struct builder *builder = &bench->builder;
	uint8_t tail[512];

	builder_init(builder, &(struct builder_args){.type = 2, .size = DISK, .id = 1});
	builder->tail_length = 511;
	store(bench);
	assert_int_equal(open_as(bench, VHD_WRITE), VHD_E_UNCLEAN);
	assert_string_equal(bench->err.text,
			    "footer: the one at the end of a file of 8389119 bytes has only 511");
	if (open_as(bench, VHD_WRITE | VHD_RECOVER) < 0)
		fail_msg("%s", bench->err.text);
	assert_int_equal(vhd_info(bench->disk)->footers, VHD_FOOTER_EOF);
	assert_int_equal(memio_size(bench->file), DISK + sizeof tail);
	memio_peek(bench->file, tail, sizeof tail, DISK);
	assert_memory_equal(tail, builder->tail, sizeof tail);
	assert_int_equal(open_as(bench, VHD_WRITE), 0);
}

/* Windows of the file in which no block begins cost nothing. */
static void a_sparse_table_is_read_once_for_each_place_that_is_used(void **state)
{
	enum { ENTRIES = 1 << 20, READS = ENTRIES * 4 / 4096 };
	struct bench *bench = *state;
	struct builder *builder = &bench->builder;
	uint64_t far = 1500 * GIB;

	builder_init(builder, &(struct builder_args){.type = 3,
						     .size = (uint64_t)SMALL * ENTRIES,
						     .block_size = SMALL,
						     .id = 1});
	builder_add_block(builder, 0, 0xff, 'a');
	builder_set_entry(builder, ENTRIES - 1, (uint32_t)(far / 512));
	builder->end = far + 512 + SMALL;
	store(bench);
	assert_int_equal(open_as(bench, 0), 0);
	bench->faults = (struct faults){.ops = FAULT_READ, .fail_at = -1};
	assert_int_equal(vhd_check_blocks(bench->disk, &bench->err), 0);
	assert_int_equal(bench->faults.calls, 2 * READS);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_footer_at_the_end_whose_size_the_table_cannot_hold_does_not_count),
		CASE(a_footer_at_the_start_whose_size_the_table_cannot_hold_does_not_count),
		CASE(two_footers_whose_sizes_the_table_cannot_hold_are_refused_and_kept),
		CASE(a_footer_at_the_end_that_names_another_header_does_not_count),
		CASE(a_larger_size_that_the_table_can_hold_counts),
		CASE(a_larger_size_counts_in_recovery_only_with_a_sound_table),
		CASE(a_larger_size_may_need_more_pages_of_the_table),
		CASE(a_larger_size_is_refused_in_whatever_page_the_table_is_unsound),
		CASE(a_footer_behind_the_data_does_not_win_over_two_that_are_equal),
		CASE(a_footer_behind_the_data_does_not_win_where_the_file_goes_on),
		CASE(a_spare_entry_that_names_a_used_block_stops_nobody),
		CASE(recovery_keeps_the_block_that_a_spare_entry_names),
		CASE(recovery_leaves_a_file_of_whole_sectors),
		CASE(recovery_makes_the_short_footer_of_a_fixed_disk_whole),
		CASE(a_sparse_table_is_read_once_for_each_place_that_is_used),
	};

	return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}
