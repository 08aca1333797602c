/* test_parity_access.c - sectors, as the reference treats them (kept_...) and where it must not
 * (better_...): its get_sector_location, read_sector, write, check_overlapping_blocks, what streams
 * choose, and patterns.ml. */
#include "parity_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "footer.h"

/* ---- get_sector_location
 * ----------------------------------------------------------------------------------- */

static struct vhd_run place(struct vhd *disk, uint64_t sector)
{
	struct vhd_run run;

	assert_int_equal(vhd_get_sector_location(disk, sector, 0, &run, NULL), 0);
	assert_int_equal(run.sector, sector);
	assert_int_equal(run.count, 1);
	return run;
}

/* The bytes of the sector, read from the file that was named. */
static void check_place(struct kit *kit, struct vhd *disk, uint64_t sector, unsigned level,
			const char *name, char byte)
{
	struct vhd_run run = place(disk, sector);
	char buf[VHD_SECTOR];

	assert_int_equal(run.where, VHD_DATA);
	assert_int_equal(run.level, level);
	kit_peek(kit, name, buf, sizeof buf, run.physical_sector * VHD_SECTOR);
	for (size_t i = 0; i < sizeof buf; i++)
		assert_int_equal(buf[i], byte);
}

static void kept_a_location_is_a_file_of_the_chain_and_a_sector(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "g.vhd", 1, 0, 'a');
	kit_make_child(kit, "p.vhd", "g.vhd", 2, 1, 'b');
	kit_make_child(kit, "c.vhd", "p.vhd", 3, 5000, 'c');
	disk = kit_open(kit, "c.vhd", 0);
	check_place(kit, disk, 0, 2, "g.vhd", 'a');
	check_place(kit, disk, 1, 1, "p.vhd", 'b');
	check_place(kit, disk, 5000, 0, "c.vhd", 'c');
	assert_int_equal(place(disk, 12000).where, VHD_ZERO);
	vhd_close(disk);
}

static void better_the_sector_after_the_last_is_out_of_range(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 256 * MIB,
				       1); /* 128 entries: the reference raises here */
	char buf[VHD_SECTOR] = "";
	struct vhd_run run;

	assert_int_equal(place(disk, 524287).where, VHD_ZERO);
	assert_int_equal(vhd_get_sector_location(disk, 524288, 0, &run, &kit->err), VHD_E_RANGE);
	assert_int_equal(vhd_get_sector_location(disk, UINT64_MAX, 0, &run, &kit->err),
			 VHD_E_RANGE);
	assert_int_equal(vhd_read_sector(disk, 524288, buf, &kit->err), VHD_E_RANGE);
	assert_int_equal(vhd_write(disk, buf, sizeof buf, 256 * MIB, NULL, &kit->err), VHD_E_RANGE);
	vhd_close(disk);
}

static void kept_a_shorter_parent_has_nothing_beyond_its_end(void **state)
{
	struct vhd_create_args args = {.id = {2}, .size = 12 * MIB};
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 16383, 'a');
	args.parent_path = kit_path(kit, "p.vhd");
	assert_int_equal(vhd_create_difference(kit->engine, &kit->paths, kit_path(kit, "c.vhd"),
					       &args, &disk, NULL),
			 0);
	check_place(kit, disk, 16383, 1, "p.vhd", 'a');
	assert_int_equal(place(disk, 16384).where, VHD_ZERO);
	kit_check(disk, 24575, 0);
	vhd_close(disk);
}

static void better_fixed_disks_have_locations(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_fixed(kit, "f.vhd", 3 * MIB, 1);

	kit_fill(disk, 7, 1, 'f');
	check_place(kit, disk, 7, 0, "f.vhd", 'f');
	assert_int_equal(place(disk, 6143).physical_sector, 6143);
	vhd_close(disk);
}

static void better_one_call_tells_whole_runs(void **state)
{
	struct kit *kit = *state;
	struct vhd_run runs[8];
	struct vhd_run_list list = {runs, 8, 0};
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 10, 'c');
	disk = kit_open(kit, "c.vhd", VHD_WRITE);
	kit_fill(disk, 11, 5, 'd');
	assert_int_equal(vhd_get_sector_locations(disk, 0, 100, 0, &list, NULL), 0);
	assert_int_equal(list.n, 3);
	assert_int_equal(runs[0].level, 1);
	assert_int_equal(runs[0].count, 10);
	assert_int_equal(runs[1].sector, 10);
	assert_int_equal(runs[1].level, 0);
	assert_int_equal(runs[1].count, 6);
	assert_int_equal(runs[2].level, 1);
	assert_int_equal(runs[2].count, 84);
	kit_done(disk);
}

/* ---- read_sector
 * ------------------------------------------------------------------------------------------- */

static void kept_reading_says_whether_the_sector_exists(void **state)
{
	struct kit *kit = *state;
	char buf[VHD_SECTOR];
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 5000, 'c');
	disk = kit_open(kit, "c.vhd", 0);
	assert_int_equal(vhd_read_sector(disk, 0, buf, NULL), 1);
	assert_int_equal(buf[0], 'a');
	assert_int_equal(vhd_read_sector(disk, 5000, buf, NULL), 1);
	assert_int_equal(buf[511], 'c');
	assert_int_equal(vhd_read_sector(disk, 5001, buf, NULL), 0);
	assert_int_equal(vhd_read_sector(disk, 12000, buf, NULL), 0);
	vhd_close(disk);
}

static void better_a_sector_nobody_has_reads_as_zeroes(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);
	char buf[VHD_SECTOR];

	memset(buf, 'x', sizeof buf); /* the reference leaves it so */
	assert_int_equal(vhd_read_sector(disk, 3, buf, NULL), 0);
	for (size_t i = 0; i < sizeof buf; i++)
		assert_int_equal(buf[i], 0);
	vhd_close(disk);
}

static void better_any_range_is_read_across_blocks(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);
	char buf[2000];

	kit_fill(disk, SECTORS_PER_BLOCK, 1,
		 'b'); /* the later block first: not adjacent in the file */
	kit_fill(disk, SECTORS_PER_BLOCK - 1, 1, 'a');
	assert_int_equal(vhd_read(disk, buf, sizeof buf, 2 * MIB - 1000, 0, NULL), 0);
	assert_int_equal(buf[487], 0);
	assert_int_equal(buf[488], 'a');
	assert_int_equal(buf[999], 'a');
	assert_int_equal(buf[1000], 'b');
	assert_int_equal(buf[1511], 'b');
	assert_int_equal(buf[1512], 0);
	vhd_close(disk);
}

/* ---- write
 * -------------------------------------------------------------------------------------------------
 */

static void kept_one_buffer_may_cross_blocks(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);

	kit_fill(disk, 4000, 5000, 'w'); /* three blocks */
	kit_check(disk, 3999, 0);
	kit_check(disk, 4000, 'w');
	kit_check(disk, 4095, 'w');
	kit_check(disk, 4096, 'w');
	kit_check(disk, 8192, 'w');
	kit_check(disk, 8999, 'w');
	kit_check(disk, 9000, 0);
	kit_done(disk);
}

static void check_bytes(struct vhd *disk, uint64_t off, const char *expected)
{
	char buf[64];

	assert_int_equal(vhd_read(disk, buf, strlen(expected), off, 0, NULL), 0);
	assert_memory_equal(buf, expected, strlen(expected));
}

static void better_buffers_keep_their_order(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);
	char one[512], two[1024], three[512];
	const struct iovec iov[] = {{one, sizeof one}, {two, sizeof two}, {three, sizeof three}};

	memset(one, '1', sizeof one);
	memset(two, '2', sizeof two);
	memset(three, '3', sizeof three);
	assert_int_equal(vhd_writev(disk, iov, 3, 100 * VHD_SECTOR, NULL, NULL), 0);
	kit_check(disk, 100, '1');
	kit_check(disk, 101, '2');
	kit_check(disk, 102, '2');
	kit_check(disk, 103, '3');
	kit_done(disk);
}

static void better_buffers_of_any_length_may_cross_blocks(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);
	char one[] = "one,", two[] = "two and ", three[] = "three";
	const struct iovec iov[] = {{one, 4}, {NULL, 0}, {two, 8}, {three, 5}};

	assert_int_equal(vhd_writev(disk, iov, 4, 2 * MIB - 7, NULL, NULL), 0);
	check_bytes(disk, 2 * MIB - 7, "one,two and three");
	kit_check(disk, SECTORS_PER_BLOCK + 1, 0);
	kit_done(disk);
	disk = kit_open(kit, "d.vhd", 0);
	check_bytes(disk, 2 * MIB - 7, "one,two and three");
	vhd_close(disk);
}

static void better_a_short_buffer_is_written_not_dropped(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	disk = kit_open(kit, "c.vhd", VHD_WRITE);
	assert_int_equal(vhd_write(disk, "new", 3, 100, NULL, NULL),
			 0); /* 97 bytes of the parent before it */
	check_bytes(disk, 99, "anewa");
	assert_int_equal(vhd_write(disk, "six hundred", 11, 3 * VHD_SECTOR - 4, NULL, NULL), 0);
	check_bytes(disk, 3 * VHD_SECTOR - 4, "six hundred");
	kit_done(disk);
}

static void kept_writing_nothing_does_nothing(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);
	uint32_t blocks;

	assert_int_equal(vhd_writev(disk, NULL, 0, 0, NULL, NULL), 0);
	assert_int_equal(vhd_write(disk, "", 0, 8 * MIB, NULL, NULL), 0);
	assert_int_equal(vhd_allocated_blocks(disk, &blocks, NULL), 0);
	assert_int_equal(blocks, 0);
	vhd_close(disk);
}

static void better_a_refused_write_changes_nothing(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 3 * MIB, 1); /* ends inside its second block */
	char buf[1024] = "";
	uint64_t before = kit_sum(kit, "d.vhd");
	struct vhd_state now;

	assert_int_equal(vhd_write(disk, buf, sizeof buf, 3 * MIB - 512, NULL, &kit->err),
			 VHD_E_RANGE);
	assert_int_equal(vhd_write(disk, buf, sizeof buf, UINT64_MAX - 100, NULL, &kit->err),
			 VHD_E_RANGE);
	assert_int_equal(vhd_write(disk, buf, sizeof buf, 9 * MIB, NULL, &kit->err), VHD_E_RANGE);
	vhd_state(disk, &now);
	assert_int_equal(now.changes, 0);
	assert_int_equal(now.allocated, 0);
	kit_done(disk);
	assert_int_equal(kit_sum(kit, "d.vhd"), before);
}

static void better_a_reader_is_refused_before_anything_changes(void **state)
{
	struct kit *kit = *state;
	char buf[VHD_SECTOR] = "";
	struct vhd *disk;
	uint64_t before;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	before = kit_sum(kit, "d.vhd");
	disk = kit_open(kit, "d.vhd", 0);
	assert_int_equal(vhd_write(disk, buf, sizeof buf, 0, NULL, &kit->err), VHD_E_READONLY);
	assert_int_equal(vhd_write(disk, buf, sizeof buf, 4 * MIB, NULL, &kit->err),
			 VHD_E_READONLY);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
	assert_int_equal(kit_sum(kit, "d.vhd"), before);
}

static void kept_bits_are_full_without_parent_and_exact_with_one(void **state)
{
	struct kit *kit = *state;
	struct vhd_step step;
	struct vhd_step_list list = {.steps = &step, .max = 1};
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	disk = kit_open(kit, "p.vhd", 0);
	assert_int_equal(vhd_trace(disk, 4000, 0, &list, NULL), 0);
	assert_int_equal(step.kind, VHD_STEP_SET);
	assert_true(step.bitmap_full);
	kit_check(disk, 4000, 0); /* and its data is zeroes */
	vhd_close(disk);
	disk = kit_open(kit, "c.vhd", 0);
	assert_int_equal(vhd_trace(disk, 8, 0, &list, NULL), 0);
	assert_int_equal(step.kind, VHD_STEP_CLEAR);
	assert_false(step.bitmap_full);
	assert_int_equal(vhd_trace(disk, 9, 0, &list, NULL), 0);
	assert_int_equal(step.kind, VHD_STEP_SET);
	vhd_close(disk);
}

static void kept_parents_are_never_written(void **state)
{
	struct kit *kit = *state;
	uint64_t parent, grandparent;
	struct vhd *disk;

	kit_make_root(kit, "g.vhd", 1, 0, 'a');
	kit_make_child(kit, "p.vhd", "g.vhd", 2, 9, 'b');
	kit_make_child(kit, "c.vhd", "p.vhd", 3, 9, 'c');
	grandparent = kit_sum(kit, "g.vhd");
	parent = kit_sum(kit, "p.vhd");
	disk = kit_open(kit, "c.vhd", VHD_WRITE);
	kit_fill(disk, 0, 16384, 'd');
	kit_done(disk);
	assert_int_equal(kit_sum(kit, "g.vhd"), grandparent);
	assert_int_equal(kit_sum(kit, "p.vhd"), parent);
}

static void better_blocks_of_one_write_lie_in_ascending_order(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);

	kit_fill(disk, 0, 16384, 'w');
	for (uint64_t block = 1; block < 4; block++)
		assert_true(place(disk, block * SECTORS_PER_BLOCK).physical_sector >
			    place(disk, (block - 1) * SECTORS_PER_BLOCK).physical_sector);
	kit_done(disk);
}

static void better_a_crash_after_a_flush_loses_nothing(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	disk = kit_open(kit, "d.vhd", VHD_WRITE);
	kit_fill(disk, 5000, 1, 'b');
	assert_int_equal(vhd_flush(disk, 0, NULL), 0);
	kit_copy(kit, "d.vhd", "crashed.vhd"); /* what is on the file now, not closed */
	vhd_close(disk);
	disk = kit_open(kit, "crashed.vhd", VHD_WRITE);
	kit_check(disk, 0, 'a');
	kit_check(disk, 5000, 'b');
	vhd_close(disk);
}

static void better_only_the_changed_part_of_a_large_table_is_written(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", VHD_SIZE_MAX, 1);
	uint64_t last = VHD_SIZE_MAX / VHD_SECTOR - 1;
	char poison = 'x';

	/* A byte of the table that another program changed meanwhile is still there afterwards. */
	kit_fill(disk, last, 1, 'z');
	kit_poke(kit, "d.vhd", &poison, 1, 1536 + 2000000);
	kit_done(disk);
	kit_peek(kit, "d.vhd", &poison, 1, 1536 + 2000000);
	assert_int_equal(poison, 'x');
}

/* The file is a hole up to there. In the reference a place with the highest bit is negative. */
static void better_blocks_may_lie_beyond_a_tebibyte(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;
	uint8_t footer[512];

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	kit_peek(kit, "d.vhd", footer, sizeof footer, 0);
	kit_poke(kit, "d.vhd", footer, sizeof footer, 1500 * GIB);
	disk = kit_open(kit, "d.vhd", VHD_WRITE);
	kit_fill(disk, SECTORS_PER_BLOCK, 1, 'b');
	kit_done(disk);
	disk = kit_open(kit, "d.vhd", 0);
	assert_true(place(disk, SECTORS_PER_BLOCK).physical_sector > 1500 * GIB / VHD_SECTOR);
	kit_check(disk, SECTORS_PER_BLOCK, 'b');
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

/* ---- check_overlapping_blocks
 * ------------------------------------------------------------------------------ */

struct findings {
	unsigned overlaps, blocks, gaps;
	uint64_t last;
	bool sorted;
};

static int note(void *ctx, const struct vhd_region *region)
{
	struct findings *findings = ctx;

	findings->overlaps += region->kind == VHD_REGION_OVERLAP;
	findings->blocks += region->kind == VHD_REGION_BLOCK;
	findings->gaps += region->kind == VHD_REGION_GAP;
	findings->sorted = findings->sorted && region->offset >= findings->last;
	findings->last = region->offset;
	return 0;
}

static struct findings findings_of(struct kit *kit, const char *name)
{
	struct findings findings = {.sorted = true};
	struct vhd *disk = kit_open(kit, name, 0);

	assert_int_equal(vhd_layout(disk, note, &findings, NULL), 0);
	assert_true(findings.sorted);
	vhd_close(disk);
	return findings;
}

static void better_blocks_on_each_other_are_found(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);
	uint8_t entry[4];

	kit_fill(disk, 0, 8192, 'a');
	kit_done(disk);
	assert_int_equal(findings_of(kit, "d.vhd").overlaps, 0);
	kit_peek(kit, "d.vhd", entry, 4, 1536);
	kit_poke(kit, "d.vhd", entry, 4, 1536 + 12); /* block 3 where block 0 is */
	assert_int_equal(findings_of(kit, "d.vhd").overlaps, 1);
	assert_int_equal(findings_of(kit, "d.vhd").blocks, 3);
	kit_poke(kit, "d.vhd", "\0\0\0\1", 4,
		 1536 + 8); /* block 2 over all metadata and the first block */
	assert_true(findings_of(kit, "d.vhd").overlaps >= 3);
	kit_poke(kit, "d.vhd", "\xFF\xFF\0\0", 4, 1536 + 8); /* block 2 past the end */
	assert_int_equal(findings_of(kit, "d.vhd").blocks, 4);
}

static int stop(void *ctx, const struct vhd_region *region)
{
	unsigned *calls = ctx;

	(void)region;
	return ++*calls == 3;
}

static void better_a_caller_may_stop_the_listing(void **state)
{
	struct kit *kit = *state;
	unsigned calls = 0;
	struct vhd *disk;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	disk = kit_open(kit, "d.vhd", 0);
	assert_int_equal(vhd_layout(disk, stop, &calls, &kit->err), VHD_E_CANCELED);
	assert_int_equal(calls, 3);
	vhd_close(disk);
}

static void better_blocks_that_wait_for_a_flush_are_listed(void **state)
{
	struct kit *kit = *state;
	struct findings findings = {.sorted = true};
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);

	kit_fill(disk, 5000, 1, 'a');
	kit_fill(disk, 0, 1, 'b');
	assert_int_equal(vhd_layout(disk, note, &findings, NULL), 0);
	assert_int_equal(findings.blocks, 2);
	assert_int_equal(findings.overlaps, 0);
	assert_true(findings.sorted);
	kit_done(disk);
	assert_int_equal(findings_of(kit, "d.vhd").blocks, 2);
}

/* ---- what streams choose
 * ----------------------------------------------------------------------------------- */

static void better_zero_and_unchanged_are_told_apart(void **state)
{
	struct kit *kit = *state;
	struct vhd_extent extents[8];
	struct vhd_extent_list list = {extents, 8, 0};
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 5000, 'c');
	disk = kit_open(kit, "c.vhd", VHD_WRITE);
	kit_fill(disk, 0, 1, 0); /* zeroes over the parent's data are data of the child */
	assert_int_equal(vhd_extents(disk, 0, 8 * MIB, VHD_NO_PARENT, &list, NULL), 0);
	assert_int_equal(extents[0].where, VHD_DATA);
	assert_int_equal(extents[0].length, VHD_SECTOR);
	assert_int_equal(extents[1].where, VHD_UNKNOWN);
	kit_done(disk);
}

static void better_a_disk_may_end_inside_a_block(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 3 * MIB, 1);
	struct vhd_extent extents[8];
	struct vhd_extent_list list = {extents, 8, 0};
	uint64_t end = 0;

	kit_fill(disk, 6143, 1, 'z');
	assert_int_equal(vhd_extents(disk, 0, 3 * MIB, 0, &list, NULL), 0);
	for (size_t i = 0; i < list.n; i++) {
		assert_int_equal(extents[i].start, end);
		end += extents[i].length;
	}
	assert_int_equal(end, 3 * MIB); /* the reference emits 8192 sectors */
	kit_check(disk, 6143, 'z');
	kit_done(disk);
}

/* ---- patterns
 * ---------------------------------------------------------------------------------------------- */

/* What the reference's own tests do: create, snapshot and write in every order that makes sense,
 * first and last sector of first and last block, small and large disks. W = write, S = snapshot. */
static const char *const programs[] = {"W", "SW", "WS", "WSW"};

struct pattern {
	struct kit *kit;
	struct vhd *disk;
	unsigned depth;
	char byte;      /* of the last write, 0 = none */
	char root_byte; /* of the last write to the root */
};

static void name_of(unsigned depth, char ret_name[16])
{
	(void)snprintf(ret_name, 16, "%u.vhd", depth);
}

static void snapshot(struct pattern *pattern)
{
	char parent[16], child[16];

	kit_done(pattern->disk);
	name_of(pattern->depth, parent);
	name_of(++pattern->depth, child);
	pattern->disk = kit_child(pattern->kit, child, parent, (uint8_t)(pattern->depth + 1));
}

/* Bytes that somebody has near one end of the disk. */
static uint64_t data_in(struct vhd *disk, uint64_t start, uint64_t length)
{
	struct vhd_extent extents[16];
	struct vhd_extent_list list = {extents, 16, 0};
	uint64_t data = 0;

	assert_int_equal(vhd_extents(disk, start, length, 0, &list, NULL), 0);
	for (size_t i = 0; i < list.n; i++)
		data += extents[i].where == VHD_DATA ? extents[i].length : 0;
	return data;
}

static void check_pattern(struct pattern *pattern, uint64_t sector)
{
	uint64_t half = 2 * MIB, size = vhd_info(pattern->disk)->size;
	bool first = sector < SECTORS_PER_BLOCK;
	uint64_t expected = pattern->byte ? half : 0; /* the root has whole blocks */

	kit_check(pattern->disk, sector, pattern->byte);
	if (pattern->depth > 0 && pattern->root_byte == 0 && pattern->byte != 0)
		expected = VHD_SECTOR;
	assert_int_equal(data_in(pattern->disk, 0, half), first ? expected : 0);
	assert_int_equal(data_in(pattern->disk, size - half, half), first ? 0 : expected);
}

static void run_pattern(struct kit *kit, uint64_t size, uint64_t sector, const char *program)
{
	struct pattern pattern = {.kit = kit, .disk = kit_dynamic(kit, "0.vhd", size, 1)};
	char name[16];

	for (; *program; program++) {
		if (*program == 'S')
			snapshot(&pattern);
		else
			kit_fill(pattern.disk, sector, 1, ++pattern.byte);
		if (pattern.depth == 0)
			pattern.root_byte = pattern.byte;
		check_pattern(&pattern, sector);
	}
	kit_done(pattern.disk);
	name_of(pattern.depth, name);
	pattern.disk = kit_open(kit, name, 0);
	check_pattern(&pattern, sector);
	vhd_close(pattern.disk);
	for (unsigned i = 0; i <= pattern.depth; i++) {
		name_of(i, name);
		assert_int_equal(remove(kit_path(kit, name)), 0);
	}
}

static void kept_all_patterns_of_the_reference_work(void **state)
{
	static const uint64_t sizes[] = {4 * MIB, VHD_SIZE_MAX};

	for (size_t i = 0; i < 2; i++) {
		uint64_t end = sizes[i] / VHD_SECTOR;
		const uint64_t sectors[] = {0, SECTORS_PER_BLOCK - 1, end - SECTORS_PER_BLOCK,
					    end - 1};

		for (size_t j = 0; j < 4; j++)
			for (size_t k = 0; k < sizeof programs / sizeof *programs; k++)
				run_pattern(*state, sizes[i], sectors[j], programs[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(kept_a_location_is_a_file_of_the_chain_and_a_sector),
		KIT_TEST(better_the_sector_after_the_last_is_out_of_range),
		KIT_TEST(kept_a_shorter_parent_has_nothing_beyond_its_end),
		KIT_TEST(better_fixed_disks_have_locations),
		KIT_TEST(better_one_call_tells_whole_runs),
		KIT_TEST(kept_reading_says_whether_the_sector_exists),
		KIT_TEST(better_a_sector_nobody_has_reads_as_zeroes),
		KIT_TEST(better_any_range_is_read_across_blocks),
		KIT_TEST(kept_one_buffer_may_cross_blocks),
		KIT_TEST(better_buffers_keep_their_order),
		KIT_TEST(better_buffers_of_any_length_may_cross_blocks),
		KIT_TEST(better_a_short_buffer_is_written_not_dropped),
		KIT_TEST(kept_writing_nothing_does_nothing),
		KIT_TEST(better_a_refused_write_changes_nothing),
		KIT_TEST(better_a_reader_is_refused_before_anything_changes),
		KIT_TEST(kept_bits_are_full_without_parent_and_exact_with_one),
		KIT_TEST(kept_parents_are_never_written),
		KIT_TEST(better_blocks_of_one_write_lie_in_ascending_order),
		KIT_TEST(better_a_crash_after_a_flush_loses_nothing),
		KIT_TEST(better_only_the_changed_part_of_a_large_table_is_written),
		KIT_TEST(better_blocks_may_lie_beyond_a_tebibyte),
		KIT_TEST(better_blocks_on_each_other_are_found),
		KIT_TEST(better_a_caller_may_stop_the_listing),
		KIT_TEST(better_blocks_that_wait_for_a_flush_are_listed),
		KIT_TEST(better_zero_and_unchanged_are_told_apart),
		KIT_TEST(better_a_disk_may_end_inside_a_block),
		KIT_TEST(kept_all_patterns_of_the_reference_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
