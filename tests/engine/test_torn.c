/* test_torn.c - which entries of the block table recovery takes for torn: those that a power cut
 * can have torn while they were written here, and none that other programs left. */
#include <string.h>

#include "test.h"

#include "bench.h"
#include "image_builder.h"

#define BLOCK (2ULL << 20)

enum { ENTRIES = 40, TABLE = 1536, TORN = 0xff, FAR = 0x10fff };

static void put(struct bench *bench, uint64_t block, char byte)
{
	memset(bench->buf, byte, sizeof bench->buf);
	must(bench, vhd_write(bench->disk, bench->buf, sizeof bench->buf, block * BLOCK, NULL,
			      &bench->err));
}

static char get(struct bench *bench, uint64_t block)
{
	must(bench,
	     vhd_read(bench->disk, bench->buf, sizeof bench->buf, block * BLOCK, 0, &bench->err));
	return (char)bench->buf[0];
}

/* What another program has made: block 0 at `sector`, unless that is 0, and nothing before it; the
 * footer `slack` bytes behind. */
static void make(struct bench *bench, uint32_t sector, uint64_t slack)
{
	struct builder builder;

	builder_init(&builder, &(struct builder_args){.type = 3, .size = ENTRIES * BLOCK, .id = 1});
	if (sector) {
		builder.end = sector * 512ULL;
		builder_add_block(&builder, 0, 0xff, 'a');
		builder.blocks[0].offset = sector * 512ULL;
		builder_set_entry(&builder, 0, sector);
		builder.end = (sector + 1) * 512ULL + BLOCK;
	}
	builder.end += slack;
	builder_mend(&builder);
	builder_store(&builder, bench->file);
	builder_fini(&builder);
	must(bench, reopen(bench, VHD_WRITE));
}

/* A crash after the file has grown. */
static void leave_unclean(struct bench *bench)
{
	for (uint64_t block = 10; block < ENTRIES - 5; block++)
		put(bench, block, 'x');
}

/* Only `left` bytes of an entry have been written over FF. */
static void tear(struct bench *bench, uint32_t block, int left)
{
	uint8_t raw[4];

	memio_peek(bench->file, raw, sizeof raw, TABLE + block * 4ULL);
	memset(raw + left, 0xff, (size_t)(4 - left));
	memio_poke(bench->file, raw, sizeof raw, TABLE + block * 4ULL);
}

static void refuses(struct bench *bench, const char *text)
{
	static const unsigned flags[] = {VHD_WRITE | VHD_RECOVER, VHD_RECOVER};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		assert_int_equal(reopen(bench, flags[i]), VHD_E_CORRUPT);
		assert_non_null(strstr(bench->err.text, text));
		assert_non_null(strstr(bench->err.text, "it may be torn"));
	}
}

static void entries_of_others_that_end_in_ff_are_believed(void **state)
{
	static const uint32_t sectors[] = {TORN, 0x1ff, 0xffff, 0x100ff};

	for (size_t i = 0; i < sizeof sectors / sizeof *sectors; i++) {
		struct bench *bench = *state;

		make(bench, sectors[i], i * 100);
		put(bench, 1, 'b');
		must(bench, vhd_flush(bench->disk, 0, &bench->err));
		leave_unclean(bench);
		must(bench, reopen(bench, VHD_WRITE | VHD_RECOVER));
		assert_int_equal(get(bench, 0), 'a');
		assert_int_equal(get(bench, 1), 'b');
		vhd_close(bench->disk);
		bench->disk = NULL;
		memio_cut(bench->file, 0);
	}
}

/* However far behind the last block the footer was, and at whatever byte. */
static void torn_entries_of_ours_are_found_behind_those_of_others(void **state)
{
	static const struct {
		uint64_t slack;
		uint32_t sector;
		int left;
	} rows[] = {{0, TORN, 3},  {7, TORN, 3},      {5120, TORN, 3}, {100 << 10, TORN, 3},
		    {0, FAR, 2},   {8 << 20, FAR, 2}, {0, 0, 3},       {16, 0, 3},
		    {511, FAR, 3}, {70000, 0x101, 3}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bench *bench = *state;

		make(bench, rows[i].sector, rows[i].slack);
		put(bench, 1, 'b');
		must(bench, vhd_flush(bench->disk, 0, &bench->err));
		leave_unclean(bench);
		tear(bench, 1, rows[i].left);
		refuses(bench, "entry 1 at 0x604 ");
		memio_cut(bench->file, 0);
	}
}

/* Of two new blocks only the second one's entry got to the device, and that in part. */
static void a_torn_entry_is_found_behind_a_block_that_was_lost(void **state)
{
	struct bench *bench = *state;

	make(bench, TORN, 512);
	put(bench, 1, 'b');
	put(bench, 2, 'c');
	must(bench, vhd_flush(bench->disk, 0, &bench->err));
	leave_unclean(bench);
	memio_poke(bench->file, "\xff\xff\xff\xff", 4, TABLE + 4);
	tear(bench, 2, 3);
	refuses(bench, "entry 2 at 0x608 ");
}

/* A table of nothing but such entries does not make recovery read the whole file. */
static void what_is_read_for_them_is_bounded(void **state)
{
	enum { SMALL = 4096, MANY = 4096, ENDS_AT = MANY * 0x100 };
	struct bench *bench = *state;
	struct builder builder;

	builder_init(&builder, &(struct builder_args){.type = 3,
						      .size = (uint64_t)SMALL * MANY,
						      .block_size = SMALL,
						      .id = 1});
	for (uint32_t i = 0; i < MANY - 1; i++)
		builder_set_entry(&builder, i, (i + 1) * 0x100 + 0xff);
	builder.end = (ENDS_AT + 0x200) * 512ULL;
	builder_store(&builder, bench->file);
	builder_fini(&builder);
	refuses(bench, "block table: entry ");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(entries_of_others_that_end_in_ff_are_believed),
		CASE(torn_entries_of_ours_are_found_behind_those_of_others),
		CASE(a_torn_entry_is_found_behind_a_block_that_was_lost),
		CASE(what_is_read_for_them_is_bounded),
	};

	return cmocka_run_group_tests_name("torn", tests, NULL, NULL);
}
