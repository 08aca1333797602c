/* test_layout.c - the layout of files whose tables are larger than what is sorted at once, or
 * damaged. */
#include "test.h"

#include <string.h>

#include "image_builder.h"

#define MIB (1ULL << 20)

enum { MANY = 600000, SMALL_BLOCK = 4096, STRIDE = 512 + SMALL_BLOCK };

struct seen {
	uint64_t end;
	uint32_t blocks, gaps, overlaps, next;
	bool descending; /* blocks were expected from the last to the first */
};

static int look(void *ctx, const struct vhd_region *region)
{
	struct seen *seen = ctx;

	seen->gaps += region->kind == VHD_REGION_GAP;
	seen->overlaps += region->kind == VHD_REGION_OVERLAP;
	if (region->offset + region->length > seen->end)
		seen->end = region->offset + region->length;
	if (region->kind != VHD_REGION_BLOCK)
		return 0;
	assert_int_equal(region->index, seen->descending ? MANY - 1 - seen->blocks : seen->next);
	seen->next = region->index + 1;
	seen->blocks++;
	return 0;
}

static struct vhd *open_built(struct vhd_engine *engine, struct memio *file)
{
	struct vhd_io io = memio_io(file);
	struct vhd_error err = {.text = ""};
	struct vhd *disk = NULL;

	if (vhd_open(engine, &io, 0, NULL, &disk, &err) < 0)
		fail_msg("%s", err.text);
	return disk;
}

static void large_tables_are_sorted_part_by_part(void **state)
{
	struct builder builder;
	struct memio *file = memio_new(NULL);
	struct seen seen = {.descending = true};
	struct vhd_engine *engine;
	struct vhd *disk;
	uint64_t first;

	(void)state;
	builder_init(&builder, &(struct builder_args){.type = 3,
						      .size = (uint64_t)MANY * SMALL_BLOCK,
						      .block_size = SMALL_BLOCK,
						      .id = 1});
	first = (builder.end + 511) / 512;
	for (uint32_t i = 0; i < MANY; i++)
		builder_set_entry(&builder, i,
				  (uint32_t)(first + (uint64_t)(MANY - 1 - i) * (STRIDE / 512)));
	builder.end = first * 512 + (uint64_t)MANY * STRIDE;
	builder_mend(&builder);
	builder_store(&builder, file);
	builder_fini(&builder);
	assert_int_equal(vhd_engine_new(NULL, &engine, NULL), 0);
	disk = open_built(engine, file);
	assert_int_equal(vhd_layout(disk, look, &seen, NULL), 0);
	assert_int_equal(seen.blocks, MANY);
	assert_int_equal(seen.gaps, 0);
	assert_int_equal(seen.overlaps, 0);
	assert_int_equal(seen.end, memio_size(file));
	vhd_close(disk);
	vhd_engine_free(engine);
	memio_free(file);
}

struct counts {
	uint32_t present[4];
};

static int count(void *ctx, const struct vhd_region *region)
{
	struct counts *counts = ctx;

	if (region->kind == VHD_REGION_BLOCK)
		counts->present[region->index] = region->present;
	return 0;
}

static void only_sectors_of_the_disk_count_as_present(void **state)
{
	struct builder builder;
	struct memio *file = memio_new(NULL);
	struct counts counts = {{0}};
	struct vhd_engine *engine;
	struct vhd *disk;

	(void)state;
	builder_init(&builder,
		     &(struct builder_args){.type = 3, .size = 6 * MIB + 5 * 512, .id = 1});
	builder_add_block(&builder, 0, 0x81, 'a');
	builder_add_block(&builder, 3, 0xFF, 'd'); /* five sectors are left of it */
	builder_mend(&builder);
	builder_store(&builder, file);
	builder_fini(&builder);
	assert_int_equal(vhd_engine_new(NULL, &engine, NULL), 0);
	disk = open_built(engine, file);
	assert_int_equal(vhd_layout(disk, count, &counts, NULL), 0);
	assert_int_equal(counts.present[0], 1024);
	assert_int_equal(counts.present[1], 0);
	assert_int_equal(counts.present[3], 5);
	vhd_close(disk);
	vhd_engine_free(engine);
	memio_free(file);
}

struct kinds {
	enum vhd_region_kind kinds[16];
	uint64_t lengths[16];
	size_t n;
};

static int collect(void *ctx, const struct vhd_region *region)
{
	struct kinds *kinds = ctx;

	if (kinds->n < 16) {
		kinds->kinds[kinds->n] = region->kind;
		kinds->lengths[kinds->n++] = region->length;
	}
	return 0;
}

static void old_short_footers_and_missing_ones_are_shown(void **state)
{
	static const struct {
		size_t tail;
		enum vhd_region_kind last;
		uint64_t length;
	} rows[] = {{512, VHD_REGION_FOOTER, 512},
		    {511, VHD_REGION_FOOTER, 511},
		    {0, VHD_REGION_BAT, 512}};
	struct vhd_engine *engine;

	(void)state;
	assert_int_equal(vhd_engine_new(NULL, &engine, NULL), 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct builder builder;
		struct memio *file = memio_new(NULL);
		struct kinds kinds = {.n = 0};
		struct vhd *disk;

		builder_init(&builder, &(struct builder_args){.type = 3, .size = 4 * MIB, .id = 1});
		builder.tail_length = rows[i].tail;
		builder_mend(&builder);
		builder_store(&builder, file);
		builder_fini(&builder);
		disk = open_built(engine, file);
		assert_int_equal(vhd_layout(disk, collect, &kinds, NULL), 0);
		assert_int_equal(kinds.kinds[kinds.n - 1], rows[i].last);
		assert_int_equal(kinds.lengths[kinds.n - 1], rows[i].length);
		vhd_close(disk);
		memio_free(file);
	}
	vhd_engine_free(engine);
}

static void what_lies_behind_the_last_region_is_a_gap(void **state)
{
	struct builder builder;
	struct memio *file = memio_new(NULL);
	struct kinds kinds = {.n = 0};
	struct vhd_engine *engine;
	struct vhd *disk;

	(void)state;
	builder_init(&builder, &(struct builder_args){.type = 3, .size = 4 * MIB, .id = 1});
	builder.tail_length = 0;
	builder_mend(&builder);
	builder_store(&builder, file);
	builder_fini(&builder);
	memio_cut(file, 1 << 20);
	assert_int_equal(vhd_engine_new(NULL, &engine, NULL), 0);
	disk = open_built(engine, file);
	assert_int_equal(vhd_layout(disk, collect, &kinds, NULL), 0);
	assert_int_equal(kinds.kinds[kinds.n - 1], VHD_REGION_GAP);
	vhd_close(disk);
	vhd_engine_free(engine);
	memio_free(file);
}

static void every_region_has_a_name(void **state)
{
	(void)state;
	for (enum vhd_region_kind kind = VHD_REGION_FOOTER_COPY; kind <= VHD_REGION_FOOTER; kind++)
		assert_string_not_equal(vhd_region_name(kind), "unknown");
	assert_string_equal(vhd_region_name((enum vhd_region_kind)99), "unknown");
}

/* Another program cut the file while it was open. */
static void a_file_shorter_than_its_footer_has_no_layout(void **state)
{
	static const uint32_t types[] = {2, 3};
	struct vhd_engine *engine;

	(void)state;
	assert_int_equal(vhd_engine_new(NULL, &engine, NULL), 0);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct memio *file = memio_new(NULL);
		struct vhd_error err = {.text = ""};
		struct builder builder;
		struct seen seen = {0};
		struct vhd *disk;

		builder_init(&builder,
			     &(struct builder_args){.type = types[i], .size = 8 * MIB, .id = 1});
		builder_store(&builder, file);
		builder_fini(&builder);
		disk = open_built(engine, file);
		memio_cut(file, 100);
		assert_int_equal(vhd_layout(disk, look, &seen, &err), VHD_E_CORRUPT);
		assert_string_equal(err.text,
				    "the file has 100 bytes now: less than the footer at its end");
		vhd_close(disk);
		memio_free(file);
	}
	vhd_engine_free(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_tables_are_sorted_part_by_part),
		cmocka_unit_test(only_sectors_of_the_disk_count_as_present),
		cmocka_unit_test(old_short_footers_and_missing_ones_are_shown),
		cmocka_unit_test(what_lies_behind_the_last_region_is_a_gap),
		cmocka_unit_test(every_region_has_a_name),
		cmocka_unit_test(a_file_shorter_than_its_footer_has_no_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
