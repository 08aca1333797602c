/* test_damage.c - what is damaged in one place of a chain hides no more than it must: not what lies
 * beside it, and not what a child has itself. */
#include <errno.h>
#include <string.h>

#include "test.h"

#include "bench.h"
#include "faultio.h"
#include "image_builder.h"

enum { DISK = 8 << 20, SMALL = 4096, BAD = 7, BLOCKS = 20, SECTOR = 512, OWN = BAD * 8 + 4 };

/* A store that cannot read one sector. */
static struct {
	struct vhd_io_ops ops;
	const struct vhd_io_ops *below;
	uint64_t bad; /* 0: none */
} scratched;

static int read_around(void *store, void *buf, size_t len, uint64_t off)
{
	if (scratched.bad && off < scratched.bad + SECTOR && scratched.bad < off + len)
		return -EIO;
	return scratched.below->read(store, buf, len, off);
}

static struct vhd_io scratched_io(struct memio *file)
{
	struct vhd_io io = memio_io(file);

	scratched.below = io.ops;
	scratched.ops = *io.ops;
	scratched.ops.read = read_around;
	scratched.ops.read_now = NULL;
	io.ops = &scratched.ops;
	return io;
}

static struct vhd *open_io(struct bench *bench, struct vhd_io io, unsigned flags)
{
	struct vhd *disk = NULL;

	must(bench, vhd_open(bench->engine, &io, flags, NULL, &disk, &bench->err));
	return disk;
}

/* Small blocks 0 to BLOCKS - 1 of the parent are there, all of 'p'. Their child has one sector in
 * the middle of number BAD. */
static int set_up(void **state)
{
	int r = bench_set_up(state);
	const struct bench *bench = *state;
	struct builder parent, child;
	struct builder_block *own;

	builder_init(&parent,
		     &(struct builder_args){.type = 3, .size = DISK, .block_size = SMALL, .id = 1});
	for (uint32_t i = 0; i < BLOCKS; i++)
		memset(builder_add_block(&parent, i, 0xff, 0)->data, 'p', SMALL);
	builder_store(&parent, bench->parent_file);
	scratched.bad = parent.blocks[BAD].offset;
	builder_fini(&parent);
	builder_init(&child,
		     &(struct builder_args){.type = 4, .size = DISK, .id = 2, .parent_id = 1});
	own = builder_add_block(&child, 0, 0, 0);
	own->bitmap[OWN / 8] = 0x80 >> OWN % 8;
	memset(own->data + OWN * SECTOR, 'c', SECTOR);
	builder_store(&child, bench->file);
	builder_fini(&child);
	return r;
}

static int get(struct bench *bench, size_t len, uint64_t off)
{
	return vhd_read(bench->disk, bench->buf, len, off, 0, &bench->err);
}

/* All but what is damaged is as it was. `code`, `text`: of what is. */
static void check(struct bench *bench, int code, const char *text)
{
	struct vhd_run run;

	for (unsigned i = 0; i < DISK / SMALL; i++) {
		if (i == BAD)
			continue;
		if (get(bench, SMALL, (uint64_t)i * SMALL) < 0)
			fail_msg("block %u: %s", i, bench->err.text);
		assert_int_equal(bench->buf[SMALL - 1], i < BLOCKS ? 'p' : 0);
	}
	assert_int_equal(get(bench, SECTOR, OWN * SECTOR), 0);
	assert_int_equal(bench->buf[0], 'c');
	assert_int_equal(vhd_get_sector_location(bench->disk, OWN, 0, &run, NULL), 0);
	assert_int_equal(run.where, VHD_DATA);
	assert_int_equal(run.level, 0);
	assert_int_equal(run.count, 1);
	assert_int_equal(get(bench, SMALL, BAD * SMALL), code);
	assert_string_equal(bench->err.text, text);
	assert_int_equal(get(bench, SECTOR, (OWN + 1) * SECTOR), code);
	assert_string_equal(bench->err.text, text);
	assert_int_equal(bench->err.placed, code == VHD_E_CORRUPT);
	if (bench->err.placed) {
		assert_int_equal(bench->err.level, 1);
		assert_int_equal(bench->err.sector, BAD * SMALL / SECTOR);
	}
}

/* Who writes over the damage has it behind him. */
static void write_over(struct bench *bench)
{
	memset(bench->buf, 'n', SMALL);
	assert_int_equal(vhd_write(bench->disk, bench->buf, SMALL, BAD * SMALL, NULL, NULL), 0);
	memset(bench->buf, 0, SMALL);
	assert_int_equal(get(bench, SMALL, BAD * SMALL), 0);
	assert_int_equal(bench->buf[SMALL - 1], 'n');
}

static void a_bad_entry_hides_only_its_block(void **state)
{
	struct bench *bench = *state;

	memio_poke(bench->parent_file, "\x7f\xff\xff\xff", 4, 1536 + 4 * BAD);
	bench->parent = open_io(bench, memio_io(bench->parent_file), 0);
	bench->disk = open_io(bench, memio_io(bench->file), VHD_WRITE);
	check(bench, VHD_E_CORRUPT,
	      "level 1: block table: entry 7 at 0x61c is sector 0x7fffffff: the block passes the "
	      "end of the data (172032 bytes)");
	write_over(bench);
}

/* While both files are open. */
static void an_entry_that_is_put_right_is_read_again(void **state)
{
	struct bench *bench = *state;
	uint8_t entry[4];

	memio_peek(bench->parent_file, entry, sizeof entry, 1536 + 4 * BAD);
	memio_poke(bench->parent_file, "\x7f\xff\xff\xff", 4, 1536 + 4 * BAD);
	bench->parent = open_io(bench, memio_io(bench->parent_file), 0);
	bench->disk = open_io(bench, memio_io(bench->file), VHD_WRITE);
	assert_int_equal(get(bench, SMALL, BAD * SMALL), VHD_E_CORRUPT);
	memio_poke(bench->parent_file, entry, sizeof entry, 1536 + 4 * BAD);
	assert_int_equal(get(bench, SMALL, BAD * SMALL), 0);
	assert_int_equal(bench->buf[SMALL - 1], 'p');
}

static void an_unreadable_bitmap_hides_only_its_block(void **state)
{
	struct bench *bench = *state;

	bench->parent = open_io(bench, scratched_io(bench->parent_file), 0);
	bench->disk = open_io(bench, memio_io(bench->file), VHD_WRITE);
	check(bench, VHD_E_IO,
	      "level 1: sector bitmap of block 7: read 1 bytes at 0x10e00: Input/output error");
	write_over(bench);
}

/* Once it is mended, or was only a moment long, nothing remembers it. */
static void what_was_unreadable_once_is_not_remembered(void **state)
{
	struct bench *bench = *state;

	bench->parent = open_io(bench, scratched_io(bench->parent_file), 0);
	bench->disk = open_io(bench, memio_io(bench->file), 0);
	assert_int_equal(get(bench, SECTOR, BAD * SMALL), VHD_E_IO);
	scratched.bad = 0;
	assert_int_equal(get(bench, SMALL, BAD * SMALL), 0);
	assert_int_equal(bench->buf[0], 'p');
	assert_int_equal(bench->buf[4 * SECTOR], 'c');
}

/* ---- a table of four pages, whose last one cannot be read ---- */

enum { PAGE = 4096, PAGES = 4, BIG = 2 << 20, USED = PAGE + 5 };
static const uint64_t whole = (uint64_t)PAGES * PAGE * BIG, readable = whole - (uint64_t)PAGE * BIG;

static struct vhd *open_paged(struct bench *bench, struct faults *faults)
{
	struct builder builder;

	builder_init(&builder, &(struct builder_args){.type = 3, .size = whole, .id = 1});
	builder_add_block(&builder, USED, 0xff, 'u');
	builder_store(&builder, bench->file);
	builder_fini(&builder);
	return open_io(bench, faultio_wrap(memio_io(bench->file), faults), 0);
}

/* `calls` reads in all, the last of which was that of the page. */
static void check_refused(const struct bench *bench, int r, const struct faults *faults, long calls)
{
	assert_int_equal(r, VHD_E_IO);
	assert_string_equal(bench->err.text,
			    "block table: read 16384 bytes at 0xc600: Input/output error");
	assert_int_equal(faults->last_off, 0xc600);
	assert_int_equal(faults->calls, calls);
}

/* Who asks past what can be read is told so, and before that the table was read once, each page:
 * not once more for each of the blocks that it does not name. */
static void a_table_is_walked_once_up_to_an_unreadable_page(void **state)
{
	struct faults faults = {.ops = FAULT_READ, .sys = EIO, .fail_at = -1, .for_ever = true};
	struct bench *bench = *state;
	struct vhd_extent extents[8];
	struct vhd_extent_list list = {.extents = extents, .max = 8};
	struct vhd_run_list runs = {.runs = (struct vhd_run[8]){{0}}, .max = 8};
	int r;

	bench->disk = open_paged(bench, &faults);
	faults.calls = 0;
	/* Pages 0 and 1, the bitmap of the block that is used, and page 2 are read. */
	faults.fail_at = 4;
	r = vhd_extents(bench->disk, 0, whole, 0, &list, &bench->err);
	check_refused(bench, r, &faults, 6); /* by the walk, and by a look at its first block */
	r = vhd_get_sector_locations(bench->disk, 0, whole / SECTOR, 0, &runs, &bench->err);
	check_refused(bench, r, &faults, 8);

	must(bench, vhd_extents(bench->disk, 0, readable, 0, &list, &bench->err));
	assert_int_equal(list.n, 3);
	assert_int_equal(extents[1].where, VHD_DATA);
	assert_int_equal(extents[1].start, (uint64_t)USED * BIG);
	assert_int_equal(extents[1].length, BIG);
	assert_int_equal(extents[2].where, VHD_ZERO);
	assert_int_equal(extents[2].start + extents[2].length, readable);
	assert_int_equal(faults.calls, 8);

	faults.fail_at = -1;
	must(bench, vhd_extents(bench->disk, 0, whole, 0, &list, &bench->err));
	assert_int_equal(extents[2].start + extents[2].length, whole);
	assert_int_equal(faults.calls, 9);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, bench_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_bad_entry_hides_only_its_block),
		CASE(an_entry_that_is_put_right_is_read_again),
		CASE(an_unreadable_bitmap_hides_only_its_block),
		CASE(what_was_unreadable_once_is_not_remembered),
		cmocka_unit_test_setup_teardown(a_table_is_walked_once_up_to_an_unreadable_page,
						bench_set_up, bench_tear_down),
	};

	return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
