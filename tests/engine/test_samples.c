/* test_samples.c - images of other programs, and vectors written by hand: read through the public
 * interface. */
#include "test.h"

#include "vhd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1ULL << 20)

static const char *const root = SAMPLES;
static const struct vhd_paths paths = {
	.roots = &root, .n_roots = 1, .search = &root, .n_search = 1};
static struct vhd_engine *engine;

static int set_up(void **state)
{
	(void)state;
	return vhd_engine_new(NULL, &engine, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	vhd_engine_free(engine);
	return 0;
}

static struct vhd *open_with(const char *name, unsigned flags)
{
	struct vhd_error err = {.text = ""};
	struct vhd *disk = NULL;

	if (vhd_open_chain(engine, &paths, name, flags, &disk, &err) < 0)
		fail_msg("%s", err.text);
	return disk;
}

/* Every byte of the sector is `byte`. */
static void check_sector(struct vhd *disk, uint64_t sector, char byte)
{
	char buf[VHD_SECTOR];

	memset(buf, 'x', sizeof buf);
	assert_int_equal(vhd_read(disk, buf, sizeof buf, sector * VHD_SECTOR, 0, NULL), 0);
	for (size_t i = 0; i < sizeof buf; i++)
		assert_int_equal(buf[i], byte);
}

static void check_place(struct vhd *disk, uint64_t sector, unsigned level, uint64_t physical)
{
	struct vhd_run run;

	assert_int_equal(vhd_get_sector_location(disk, sector, 0, &run, NULL), 0);
	assert_int_equal(run.where, VHD_DATA);
	assert_int_equal(run.level, level);
	assert_int_equal(run.physical_sector, physical);
}

static void check_nowhere(struct vhd *disk, uint64_t sector, enum vhd_where where)
{
	struct vhd_run run;

	assert_int_equal(vhd_get_sector_location(disk, sector, 0, &run, NULL), 0);
	assert_int_equal(run.where, where);
}

struct drawing {
	char text[1024];
};

static int draw(void *ctx, const struct vhd_region *region)
{
	struct drawing *drawing = ctx;
	size_t used = strlen(drawing->text);

	(void)snprintf(drawing->text + used, sizeof drawing->text - used, "%s %u %llu+%llu %u\n",
		       vhd_region_name(region->kind), region->index,
		       (unsigned long long)region->offset, (unsigned long long)region->length,
		       region->present);
	return 0;
}

static void check_layout(struct vhd *disk, const char *expected)
{
	struct drawing drawing = {.text = ""};

	assert_int_equal(vhd_layout(disk, draw, &drawing, NULL), 0);
	assert_string_equal(drawing.text, expected);
}

static void check_field(const struct vhd *disk, const char *name, const char *expected)
{
	char text[200];

	assert_int_equal(vhd_field(disk, name, text, sizeof text, NULL), 0);
	assert_string_equal(text, expected);
}

/* The checksum of Ethernet and gzip. */
static uint32_t crc_of(const uint8_t *buf, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= buf[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
	}
	return ~crc;
}

static void fixed_disk_is_all_there(void **state)
{
	struct vhd *disk = open_with("fixed.vhd", 0);

	(void)state;
	assert_int_equal(vhd_info(disk)->type, VHD_FIXED);
	assert_int_equal(vhd_info(disk)->size, 3 * MIB);
	check_sector(disk, 0, 0);
	check_sector(disk, 6143, 0);
	check_place(disk, 0, 0, 0);
	check_place(disk, 6143, 0, 6143);
	check_layout(disk, "data 0 0+3145728 0\nfooter 0 3145728+512 0\n");
	vhd_close(disk);
}

static void dynamic_disk_has_its_three_sectors(void **state)
{
	struct vhd *disk = open_with("dyn.vhd", 0);

	(void)state;
	assert_int_equal(vhd_info(disk)->size, 8 * MIB);
	assert_int_equal(vhd_info(disk)->footers, VHD_FOOTER_EOF | VHD_FOOTER_HEAD);
	check_sector(disk, 4095, 0);
	check_sector(disk, 4096, 'A');
	check_sector(disk, 4097, 'B');
	check_sector(disk, 4098, 0);
	check_sector(disk, 8191, 'Z');
	check_sector(disk, 16383, 0);
	check_place(disk, 4096, 0, 5);
	check_place(disk, 4097, 0, 6);
	check_place(disk, 8191, 0, 4100);
	check_nowhere(disk, 4098, VHD_ZERO);
	check_nowhere(disk, 0, VHD_ZERO);
	vhd_close(disk);
}

static void dynamic_disk_is_laid_out_as_described(void **state)
{
	struct vhd *disk = open_with("dyn.vhd", 0);

	(void)state;
	check_layout(disk, "footer copy 0 0+512 0\n"
			   "header 0 512+1024 0\n"
			   "block table 0 1536+512 0\n"
			   "block 1 2048+2097664 3\n"
			   "footer 0 2099712+512 0\n");
	vhd_close(disk);
}

static void child_finds_its_parent_by_the_relative_locator(void **state)
{
	struct vhd *disk = open_with("diff.vhd", 0);

	(void)state;
	assert_int_equal(vhd_info(disk)->depth, 2);
	assert_int_equal(vhd_level_info(disk, 1)->type, VHD_DYNAMIC);
	check_sector(disk, 4095, 0);
	check_sector(disk, 4096, 'A');
	check_sector(disk, 4097, 'C');
	check_sector(disk, 4098, 0);
	check_sector(disk, 8191, 'Z');
	check_place(disk, 4096, 1, 5);
	check_place(disk, 4097, 0, 9);
	check_place(disk, 8191, 1, 4100);
	check_nowhere(disk, 4098, VHD_ZERO);
	vhd_close(disk);
}

static void child_is_laid_out_as_described(void **state)
{
	struct vhd *disk = open_with("diff.vhd", 0);

	(void)state;
	check_layout(disk, "footer copy 0 0+512 0\n"
			   "header 0 512+1024 0\n"
			   "block table 0 1536+512 0\n"
			   "parent locator 0 2048+512 0\n"
			   "parent locator 1 2560+512 0\n"
			   "parent locator 2 3072+512 0\n"
			   "block 1 3584+2097664 1\n"
			   "footer 0 2101248+512 0\n");
	vhd_close(disk);
}

static void child_tells_what_its_fields_hold(void **state)
{
	struct vhd *disk = open_with("diff.vhd", 0);

	(void)state;
	check_field(disk, "creator-application", "tst ");
	check_field(disk, "creator-host-os", "Windows");
	check_field(disk, "disk-type", "Differencing_hard_disk");
	check_field(disk, "geometry", "{ cylinders = 240; heads = 4; sectors = 17 }");
	check_field(disk, "footer-checksum", "4294964803");
	check_field(disk, "header-checksum", "4294962056");
	check_field(disk, "uuid", "10111213-1415-1617-1819-1a1b1c1d1e1f");
	check_field(disk, "parent_unique_id", "00010203-0405-0607-0809-0a0b0c0d0e0f");
	check_field(disk, "parent-time-stamp", "305419896");
	check_field(disk, "parent-unicode-name", "dyn.vhd");
	check_field(disk, "parent-locator-0", "(W2ku 200 200, 28, 0x800, C:\\vhd\\dyn.vhd)");
	check_field(disk, "parent-locator-1", "(W2ru 200 200, 18, 0xa00, .\\dyn.vhd)");
	check_field(disk, "parent-locator-2", "(MacX 200 200, 16, 0xc00, file://./dyn.vhd)");
	check_field(disk, "parent-locator-3", "(None 0 0, 0, 0x0, )");
	vhd_close(disk);
}

static void a_lookup_can_be_followed_through_the_chain(void **state)
{
	struct vhd *disk = open_with("diff.vhd", 0);
	struct vhd_step steps[4];
	struct vhd_step_list list = {.steps = steps, .max = 4};

	(void)state;
	assert_int_equal(vhd_trace(disk, 4096, 0, &list, NULL), 0);
	assert_int_equal(list.n, 2);
	assert_int_equal(steps[0].kind, VHD_STEP_CLEAR);
	assert_int_equal(steps[0].bat_sector, 7);
	assert_int_equal(steps[1].kind, VHD_STEP_SET);
	assert_int_equal(steps[1].block, 1);
	assert_int_equal(steps[1].sector_in_block, 0);
	assert_int_equal(steps[1].physical_sector, 5);
	assert_int_equal(vhd_trace(disk, 0, 0, &list, NULL), 0);
	assert_int_equal(list.n, 2);
	assert_int_equal(steps[0].kind, VHD_STEP_UNALLOCATED);
	assert_int_equal(steps[1].kind, VHD_STEP_UNALLOCATED);
	vhd_close(disk);
}

static void child_alone_has_only_what_it_has(void **state)
{
	char buf[VHD_SECTOR];
	struct vhd_error err;
	struct vhd *disk;

	(void)state;
	assert_int_equal(vhd_open_file(engine, &paths, SAMPLES "/diff.vhd", 0, &disk, NULL), 0);
	check_sector(disk, 4097, 'C');
	check_nowhere(disk, 4096, VHD_UNKNOWN);
	assert_int_equal(vhd_read(disk, buf, sizeof buf, 4096 * VHD_SECTOR, 0, &err),
			 VHD_E_PARENT_MISSING);
	vhd_close(disk);
}

static void old_qemu_image_has_the_size_of_its_geometry(void **state)
{
	struct vhd *disk = open_with("ext2.vhd", 0);
	const struct vhd_info *info = vhd_info(disk);

	(void)state;
	assert_int_equal(info->size, 4212736);
	assert_int_equal(info->size,
			 info->cylinders * info->heads * info->sectors_per_track * VHD_SECTOR);
	assert_string_equal(info->creator, "qemu");
	check_layout(disk, "footer copy 0 0+512 0\n"
			   "header 0 512+1024 0\n"
			   "block table 0 1536+512 0\n"
			   "block 0 2048+2097664 4096\n"
			   "footer 0 2099712+512 0\n");
	vhd_close(disk);
}

static void old_qemu_image_is_read_to_its_last_sector(void **state)
{
	struct vhd *disk = open_with("ext2.vhd", 0);
	size_t size = vhd_info(disk)->size;
	uint8_t *all = malloc(size);

	(void)state;
	assert_non_null(all);
	assert_int_equal(vhd_read(disk, all, size, 0, 0, NULL), 0);
	assert_memory_equal(all + 1080, "\x53\xEF", 2);       /* magic of ext2 */
	assert_string_equal((char *)all + 1144, "ext2_test"); /* its label */
	assert_true(crc_of(all, size) == 0x48D45A0C);
	free(all);
	vhd_close(disk);
}

static void broken_chain_names_the_parent_and_what_was_tried(void **state)
{
	struct vhd_error err;
	struct vhd *disk;

	(void)state;
	assert_int_equal(vhd_open_chain(engine, &paths, "fat-differential.vhd", 0, &disk, &err),
			 VHD_E_PARENT_MISSING);
	assert_non_null(strstr(err.text, "fat-differential.vhd: "));
	assert_non_null(
		strstr(err.text, "parent 5fa21a55-f394-aa4d-9958-1951a67d5540: not found: tried "));
	assert_non_null(strstr(
		err.text, "/Projects/dfvfs/test_data/fat-parent.vhd (outside the allowed folders"));
	assert_non_null(strstr(err.text, "/samples/fat-parent.vhd"));
}

static void broken_chain_still_shows_what_the_child_has(void **state)
{
	struct vhd *disk = open_with("fat-differential.vhd", VHD_BROKEN);
	char buf[VHD_SECTOR];

	(void)state;
	assert_int_equal(vhd_info(disk)->size, 4 * MIB);
	assert_int_equal(vhd_read(disk, buf, sizeof buf, 196 * VHD_SECTOR, 0, NULL), 0);
	assert_memory_equal(buf, "This is another ", 16);
	check_place(disk, 134, 0, 159 + 1 + 134);
	check_nowhere(disk, 135, VHD_UNKNOWN);
	check_nowhere(disk, 8191, VHD_UNKNOWN);
	assert_int_equal(vhd_read(disk, buf, sizeof buf, 0, 0, NULL), VHD_E_PARENT_MISSING);
	vhd_close(disk);
}

static void windows_child_is_laid_out_with_gaps(void **state)
{
	struct vhd *disk = open_with("fat-differential.vhd", VHD_BROKEN);

	(void)state;
	check_layout(disk, "footer copy 0 0+512 0\n"
			   "header 0 512+1024 0\n"
			   "gap 0 1536+2560 0\n"
			   "parent locator 0 4096+512 0\n"
			   "gap 0 4608+3584 0\n"
			   "block table 0 8192+512 0\n"
			   "gap 0 8704+3584 0\n"
			   "parent locator 1 12288+512 0\n"
			   "gap 0 12800+68608 0\n"
			   "block 0 81408+2097664 18\n"
			   "gap 0 2179072+3584 0\n"
			   "footer 0 2182656+512 0\n");
	check_field(disk, "parent-locator-1", "(W2ru 10000 10000, 32, 0x3000, .\\fat-parent.vhd)");
	vhd_close(disk);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fixed_disk_is_all_there),
		TEST(dynamic_disk_has_its_three_sectors),
		TEST(dynamic_disk_is_laid_out_as_described),
		TEST(child_finds_its_parent_by_the_relative_locator),
		TEST(child_is_laid_out_as_described),
		TEST(child_tells_what_its_fields_hold),
		TEST(a_lookup_can_be_followed_through_the_chain),
		TEST(child_alone_has_only_what_it_has),
		TEST(old_qemu_image_has_the_size_of_its_geometry),
		TEST(old_qemu_image_is_read_to_its_last_sector),
		TEST(broken_chain_names_the_parent_and_what_was_tried),
		TEST(broken_chain_still_shows_what_the_child_has),
		TEST(windows_child_is_laid_out_with_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
