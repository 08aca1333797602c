/* test_parity_create.c - new images, as the reference makes them (kept_...) and where it must not
 * (better_...): its create_dynamic, create_difference and Field. */
#include "parity_kit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "footer.h"
#include "locator.h"

static int create(struct kit *kit, const char *name, const struct vhd_create_args *args)
{
	struct vhd *disk = NULL;
	int r = vhd_create_dynamic(kit->engine, &kit->paths, kit_path(kit, name), args, &disk,
				   &kit->err);

	vhd_close(disk);
	return r;
}

static int create_child(struct kit *kit, const char *name, const char *parent,
			const struct vhd_create_args *args)
{
	struct vhd_create_args all = *args;
	struct vhd *disk = NULL;
	int r;

	all.parent_path = kit_path(kit, parent);
	r = vhd_create_difference(kit->engine, &kit->paths, kit_path(kit, name), &all, &disk,
				  &kit->err);
	vhd_close(disk);
	return r;
}

/* ---- create_dynamic
 * ---------------------------------------------------------------------------------------- */

static void better_sizes_are_kept_exactly(void **state)
{
	static const uint64_t sizes[] = {512,     1536,          2 * MIB,   3 * MIB,
					 5 * MIB, 2 * MIB + 512, 127 * GIB, VHD_SIZE_MAX};
	struct kit *kit = *state;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct vhd *disk = kit_dynamic(kit, "d.vhd", sizes[i], 1);

		assert_true(vhd_info(disk)->size == sizes[i]);
		assert_true(vhd_info(disk)->original_size == sizes[i]);
		vhd_close(disk);
		disk = kit_open(kit, "d.vhd", 0);
		assert_true(vhd_info(disk)->size == sizes[i]);
		kit_check(disk, sizes[i] / VHD_SECTOR - 1, 0);
		vhd_close(disk);
		assert_int_equal(unlink(kit_path(kit, "d.vhd")), 0);
	}
}

static void better_sizes_that_no_disk_can_have_are_refused(void **state)
{
	static const struct {
		uint64_t size;
		int code;
	} rows[] = {
		{0, VHD_E_INVALID},
		{1, VHD_E_INVALID},
		{511, VHD_E_INVALID},
		{513, VHD_E_INVALID},
		{UINT64_MAX, VHD_E_INVALID}, /* the reference's -1 */
		{(uint64_t)-5000000, VHD_E_INVALID},
		{VHD_SIZE_MAX + 512, VHD_E_SIZE},
		{2041 * GIB, VHD_E_SIZE},
		{4096 * GIB, VHD_E_SIZE},
	};
	struct kit *kit = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(create(kit, "d.vhd",
					&(struct vhd_create_args){.size = rows[i].size, .id = {1}}),
				 rows[i].code);
		assert_int_equal(kit_count(kit), 0);
	}
}

/* Where that many blocks end which are placed from `from` on as FORMAT.md 8 says: each behind a
 * footer, its data on 4 KiB, at no sector number that ends in FF. */
static uint64_t end_of_blocks(uint64_t from, uint64_t blocks, uint32_t block_size)
{
	for (; blocks > 0; blocks--) {
		uint64_t data = round_up(from + 2 * VHD_SECTOR, 4096);

		if ((data / VHD_SECTOR - 1) % 256 == 0xFF)
			data += 4096;
		from = data + block_size;
	}
	return from;
}

static void better_the_largest_disk_can_be_filled(void **state)
{
	static const struct {
		uint64_t size;
		uint32_t block_size;
	} rows[] = {{VHD_SIZE_MAX, 2 * MIB}, {2031 * GIB, 512 * KIB}};
	struct kit *kit = *state;
	uint8_t footer[512];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t blocks = rows[i].size / rows[i].block_size;
		struct vhd_create_args args = {
			.size = rows[i].size, .block_size = rows[i].block_size, .id = {1}};
		struct vhd *disk;

		assert_int_equal(create(kit, "d.vhd", &args), 0);
		kit_peek(kit, "d.vhd", footer, sizeof footer, 0);
		kit_poke(kit, "d.vhd", footer, sizeof footer,
			 end_of_blocks(1536 + blocks * 4, blocks - 1, rows[i].block_size));
		disk = kit_open(kit, "d.vhd", VHD_WRITE);
		kit_fill(disk, rows[i].size / VHD_SECTOR - 1, 1, 'z');
		kit_done(disk);
		disk = kit_open(kit, "d.vhd", 0);
		kit_check(disk, rows[i].size / VHD_SECTOR - 1, 'z');
		vhd_close(disk);
		assert_int_equal(unlink(kit_path(kit, "d.vhd")), 0);
	}
}

static void better_a_disk_that_small_blocks_cannot_fill_is_refused(void **state)
{
	const struct vhd_create_args args = {
		.size = 2031 * GIB + 512, .block_size = 512 * KIB, .id = {1}};
	struct kit *kit = *state;

	assert_int_equal(create(kit, "d.vhd", &args), VHD_E_SIZE);
	assert_non_null(strstr(kit->err.text, ": size 2180769645056: with blocks of 524288 bytes "
					      "at most 2180769644544 (2031 GiB)"));
	assert_int_equal(kit_count(kit), 0);
}

static void kept_every_option_is_stored(void **state)
{
	const struct vhd_create_args args = {.size = 4 * MIB,
					     .id = {0xAB, 0xCD},
					     .timestamp = 77,
					     .saved_state = true,
					     .temporary = true};
	struct kit *kit = *state;
	struct vhd *disk;

	assert_int_equal(create(kit, "d.vhd", &args), 0);
	disk = kit_open(kit, "d.vhd", 0);
	assert_memory_equal(vhd_info(disk)->id, args.id, VHD_ID_SIZE);
	assert_int_equal(vhd_info(disk)->timestamp, 77);
	assert_true(vhd_info(disk)->saved_state);
	assert_true(vhd_info(disk)->temporary);
	vhd_close(disk);
}

static void kept_defaults_of_a_new_image(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);
	uint8_t raw[1536 + 512];

	assert_int_equal(vhd_info(disk)->block_size, 2 * MIB);
	assert_false(vhd_info(disk)->saved_state);
	assert_false(vhd_info(disk)->temporary);
	vhd_close(disk);
	kit_peek(kit, "d.vhd", raw, sizeof raw, 0);
	assert_int_equal(get_be32(raw + 8), 2);
	assert_int_equal(get_be64(raw + 16), 512);
	for (size_t i = 1536; i < sizeof raw; i++)
		assert_int_equal(raw[i], 0xFF); /* the table, and what pads it */
}

static void better_new_images_carry_a_creator_that_qemu_believes(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);

	assert_string_equal(vhd_info(disk)->creator, "win ");
	assert_string_equal(vhd_info(disk)->creator_os, "Wi2k");
	vhd_close(disk);
	assert_int_equal(
		create(kit, "e.vhd",
		       &(struct vhd_create_args){.size = 512, .id = {2}, .creator = "caml"}),
		0);
	disk = kit_open(kit, "e.vhd", 0);
	assert_string_equal(vhd_info(disk)->creator, "caml");
	vhd_close(disk);
}

static void better_an_existing_file_is_never_touched(void **state)
{
	struct kit *kit = *state;
	uint64_t before;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	before = kit_sum(kit, "d.vhd");
	assert_int_equal(create(kit, "d.vhd", &(struct vhd_create_args){.size = 512, .id = {2}}),
			 VHD_E_EXISTS);
	assert_non_null(strstr(kit->err.text, "/d.vhd: exists already"));
	assert_int_equal(symlink("nowhere", kit_path(kit, "link.vhd")), 0);
	assert_int_equal(create(kit, "link.vhd", &(struct vhd_create_args){.size = 512, .id = {2}}),
			 VHD_E_EXISTS);
	assert_int_equal(kit_sum(kit, "d.vhd"), before);
	assert_int_equal(kit_count(kit), 2);
}

static void kept_all_metadata_is_on_the_file_at_once(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);
	uint8_t head[FOOTER_SIZE], tail[FOOTER_SIZE];

	assert_int_equal(kit_count(kit), 1); /* nothing but the image */
	kit_copy(kit, "d.vhd", "copy.vhd");
	vhd_close(disk);
	kit_peek(kit, "copy.vhd", head, sizeof head, 0);
	kit_peek(kit, "copy.vhd", tail, sizeof tail, kit_size(kit, "copy.vhd") - FOOTER_SIZE);
	assert_memory_equal(head, tail, sizeof head);
	disk = kit_open(kit, "copy.vhd", VHD_WRITE);
	vhd_close(disk);
}

static void better_a_leftover_of_a_crash_is_no_obstacle(void **state)
{
	struct kit *kit = *state;
	char name[64];

	(void)snprintf(name, sizeof name, ".d.vhd.new-%ld-0", (long)getpid());
	kit_make_root(kit, "x.vhd", 9, 0, 'x');
	kit_move(kit, "x.vhd", name);
	assert_int_equal(create(kit, "d.vhd", &(struct vhd_create_args){.size = 512, .id = {2}}),
			 0);
	assert_int_equal(kit_count(kit), 2);
}

static void better_a_zero_id_is_refused(void **state)
{
	struct kit *kit = *state;

	assert_int_equal(create(kit, "d.vhd", &(struct vhd_create_args){.size = 512}),
			 VHD_E_INVALID);
	assert_int_equal(kit_count(kit), 0);
}

static void better_names_of_new_images_stay_inside_the_roots(void **state)
{
	static const struct {
		const char *name;
		int code;
	} rows[] = {
		{"/d.vhd", VHD_E_FORBIDDEN},
		{"../d.vhd", VHD_E_FORBIDDEN},
		{"out/d.vhd", VHD_E_FORBIDDEN},
		{"none/d.vhd", VHD_E_NOT_FOUND},
		{"file/d.vhd", VHD_E_NOT_FOUND},
		{"..", VHD_E_INVALID},
		{".", VHD_E_INVALID},
		{"x/", VHD_E_INVALID},
	};
	struct kit *kit = *state;
	struct vhd *disk;
	char name[600];

	assert_int_equal(symlink("/", kit_path(kit, "out")), 0);
	kit_copy(kit, "/proc/self/comm", "file");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(create(kit, rows[i].name,
					&(struct vhd_create_args){.size = 512, .id = {2}}),
				 rows[i].code);
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_int_equal(create(kit, name, &(struct vhd_create_args){.size = 512, .id = {2}}),
			 VHD_E_INVALID);
	name[255] = '\0';
	disk = kit_dynamic(kit, name, 512, 2);
	vhd_close(disk);
	assert_int_equal(kit_count(kit), 3);
}

static void better_relative_names_lie_below_the_working_folder(void **state)
{
	struct kit *kit = *state;
	const struct vhd_create_args args = {.size = 4 * MIB, .id = {1}},
				     child = {.id = {2}, .parent_path = "p.vhd"};
	struct vhd *disk;

	assert_int_equal(chdir(kit->dir), 0);
	kit->paths.search = NULL;
	assert_int_equal(vhd_create_dynamic(kit->engine, &kit->paths, "p.vhd", &args, &disk, NULL),
			 0);
	vhd_close(disk);
	assert_int_equal(
		vhd_create_difference(kit->engine, &kit->paths, "./c.vhd", &child, &disk, NULL), 0);
	vhd_close(disk);
	disk = kit_open(kit, "c.vhd", 0);
	assert_int_equal(vhd_info(disk)->depth, 2);
	vhd_close(disk);
	assert_int_equal(chdir("/"), 0);
}

/* ---- create_difference
 * ------------------------------------------------------------------------------------- */

static void kept_a_child_takes_after_its_parent(void **state)
{
	const struct vhd_create_args args = {.size = 5 * MIB, .block_size = 512 * KIB, .id = {1}};
	struct kit *kit = *state;
	struct vhd *disk;

	assert_int_equal(create(kit, "p.vhd", &args), 0);
	disk = kit_child(kit, "c.vhd", "p.vhd", 2);
	assert_int_equal(vhd_info(disk)->type, VHD_DIFF);
	assert_int_equal(vhd_info(disk)->size, 5 * MIB);
	assert_int_equal(vhd_info(disk)->original_size, 5 * MIB);
	assert_int_equal(vhd_info(disk)->block_size, 512 * KIB);
	assert_memory_equal(vhd_info(disk)->parent_id, args.id, VHD_ID_SIZE);
	vhd_close(disk);
}

static void kept_the_parents_mtime_is_recorded(void **state)
{
	struct kit *kit = *state;
	struct stat st;
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	assert_int_equal(stat(kit_path(kit, "p.vhd"), &st), 0);
	disk = kit_child(kit, "c.vhd", "p.vhd", 2);
	assert_int_equal(vhd_info(disk)->parent_timestamp, st.st_mtim.tv_sec - 946684800);
	vhd_close(disk);
}

static void better_times_before_the_epoch_are_its_start(void **state)
{
	static const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	assert_int_equal(utimensat(-1, kit_path(kit, "p.vhd"), times, 0), 0);
	disk = kit_child(kit, "c.vhd", "p.vhd", 2);
	assert_int_equal(vhd_info(disk)->parent_timestamp, 0);
	vhd_close(disk);
}

static void check_locators(struct vhd *disk, const char *first, const char *second)
{
	struct vhd_locator locators[VHD_LOCATORS];

	assert_int_equal(vhd_locators(disk, locators, NULL), 0);
	assert_string_equal(locators[0].text, first);
	assert_string_equal(locators[1].text, second);
	assert_int_equal(locators[0].data_space % VHD_SECTOR, 0); /* bytes, as Windows wants it */
	assert_true(locators[0].data_space >= locators[0].data_length);
	for (int i = 2; i < VHD_LOCATORS; i++)
		assert_int_equal(locators[i].code, 0);
}

static void kept_relative_locators_are_the_default(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_folder(kit, "a");
	kit_folder(kit, "b");
	kit_make_root(kit, "a/p.vhd", 1, 0, 'a');
	disk = kit_child(kit, "b/c.vhd", "a/p.vhd", 2);
	check_locators(disk, "..\\a\\p.vhd", "file://../a/p.vhd");
	assert_string_equal(vhd_parent_name(disk), "p.vhd");
	vhd_close(disk);
}

/* "link" leads to "sub/x": what is above it is not what is above its name. */
static void better_relative_locators_begin_where_a_link_leads(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_folder(kit, "a");
	kit_folder(kit, "sub");
	kit_folder(kit, "sub/x");
	assert_int_equal(symlink("sub/x", kit_path(kit, "link")), 0);
	kit_make_root(kit, "a/p.vhd", 1, 0, 'a');
	kit_make_child(kit, "link/c.vhd", "a/p.vhd", 2, 1, 'b');
	kit_make_child(kit, "sub/x/d.vhd", "link/c.vhd", 3, 2, 'c');
	disk = kit_open(kit, "link/d.vhd", 0);
	check_locators(disk, ".\\c.vhd", "file://./c.vhd");
	kit_check(disk, 0, 'a');
	vhd_close(disk);
	disk = kit_open(kit, "sub/x/c.vhd", 0);
	check_locators(disk, "..\\..\\a\\p.vhd", "file://../../a/p.vhd");
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void kept_absolute_locators_on_request(void **state)
{
	struct kit *kit = *state;
	char windows[KIT_PATH * 2], url[KIT_PATH * 2];
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	assert_int_equal(create_child(kit, "c.vhd", "p.vhd",
				      &(struct vhd_create_args){.id = {2}, .absolute_path = true}),
			 0);
	(void)snprintf(windows, sizeof windows, "C:%s/p.vhd", kit->dir);
	for (char *p = windows; *p; p++)
		*p = *p == '/' ? '\\' : *p;
	(void)snprintf(url, sizeof url, "file://%s/p.vhd", kit->dir);
	disk = kit_open(kit, "c.vhd", 0);
	check_locators(disk, windows, url);
	vhd_close(disk);
}

static void better_any_utf8_name_will_do(void **state)
{
	static const char parent[] = "gr\xC3\xBCn \xE6\xB0\xB4 \xF0\x9F\x92\xBE 100%41 #.vhd";
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, parent, 1, 0, 'a');
	kit_make_child(kit, "c.vhd", parent, 2, 9, 'c');
	disk = kit_open(kit, "c.vhd", 0);
	assert_string_equal(vhd_parent_name(disk), parent);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void better_names_that_no_locator_can_hold_are_refused(void **state)
{
	struct kit *kit = *state;

	kit_make_root(kit, "\xFF.vhd", 1, 0, 'a');
	assert_int_equal(
		create_child(kit, "c.vhd", "\xFF.vhd", &(struct vhd_create_args){.id = {2}}),
		VHD_E_INVALID);
	assert_non_null(strstr(kit->err.text, "\\xFF.vhd\" is not UTF-8"));
	assert_int_equal(kit_count(kit), 1);
}

static void better_long_paths_are_kept_whole(void **state)
{
	struct kit *kit = *state;
	char folder[101], parent[400];
	struct vhd *disk;

	memset(folder, 'f', 100);
	folder[100] = '\0';
	kit_folder(kit, folder);
	(void)snprintf(parent, sizeof parent, "%s/%s", folder, folder);
	kit_folder(kit, parent);
	(void)snprintf(parent, sizeof parent, "%s/%s/%s.vhd", folder, folder, folder);
	kit_make_root(kit, parent, 1, 0, 'a');
	kit_make_child(kit, "c.vhd", parent, 2, 9, 'c');
	disk = kit_open(kit, "c.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void better_a_child_may_be_larger_but_not_smaller(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 16383, 'a');
	assert_int_equal(create_child(kit, "c.vhd", "p.vhd",
				      &(struct vhd_create_args){.id = {2}, .size = 7 * MIB}),
			 VHD_E_PARENT_SIZE);
	assert_int_equal(create_child(kit, "c.vhd", "p.vhd",
				      &(struct vhd_create_args){.id = {2}, .size = 9 * MIB}),
			 0);
	disk = kit_open(kit, "c.vhd", VHD_WRITE);
	kit_check(disk, 16383, 'a');
	kit_check(disk, 16384, 0);
	kit_fill(disk, 18431, 1, 'c');
	kit_check(disk, 18431, 'c');
	kit_done(disk);
}

static void better_a_parent_is_frozen_by_its_child(void **state)
{
	struct kit *kit = *state;
	struct vhd *parent = kit_dynamic(kit, "p.vhd", 8 * MIB, 1), *child;
	char buf[VHD_SECTOR] = "late";

	kit_fill(parent, 0, 1, 'a');
	child = kit_child(kit, "c.vhd", "p.vhd", 2);
	assert_int_equal(vhd_write(parent, buf, sizeof buf, 0, NULL, &kit->err), VHD_E_FROZEN);
	kit_check(child, 0, 'a');
	vhd_close(child);
	vhd_close(parent);
}

static void better_a_missing_parent_leaves_nothing_behind(void **state)
{
	struct kit *kit = *state;

	assert_int_equal(create_child(kit, "c.vhd", "p.vhd", &(struct vhd_create_args){.id = {2}}),
			 VHD_E_NOT_FOUND);
	assert_int_equal(kit_count(kit), 0);
}

static void better_fixed_disks_are_made_too(void **state)
{
	const struct vhd_create_args args = {.size = MIB, .id = {1}, .preallocate = true};
	struct kit *kit = *state;
	struct vhd *disk;
	struct stat st;

	assert_int_equal(vhd_create_fixed(kit->engine, &kit->paths, kit_path(kit, "f.vhd"), &args,
					  &disk, NULL),
			 0);
	assert_int_equal(vhd_info(disk)->type, VHD_FIXED);
	vhd_close(disk);
	assert_int_equal(kit_size(kit, "f.vhd"), MIB + FOOTER_SIZE);
	assert_int_equal(stat(kit_path(kit, "f.vhd"), &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >= MIB);
}

/* ---- Field
 * -------------------------------------------------------------------------------------------------
 */

static void kept_fields_have_the_references_names_and_order(void **state)
{
	static const char *const expected[] = {
		"features",
		"data-offset",
		"time-stamp",
		"creator-application",
		"creator_version",
		"creator-host-os",
		"original-size",
		"current-size",
		"geometry",
		"disk-type",
		"footer-checksum",
		"uuid",
		"saved-state",
		"table-offset",
		"max-table-entries",
		"block-size-sectors-shift",
		"header-checksum",
		"parent_unique_id",
		"parent-time-stamp",
		"parent-unicode-name",
		"parent-locator-0",
		"parent-locator-1",
		"parent-locator-2",
		"parent-locator-3",
		"parent-locator-4",
		"parent-locator-5",
		"parent-locator-6",
		"parent-locator-7",
		"batmap-version",
		"batmap-offset",
		"batmap-size-in-sectors",
		"batmap-checksum",
	};
	const char *const *names = vhd_field_names();

	(void)state;
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		assert_string_equal(names[i], expected[i]);
	assert_null(names[sizeof expected / sizeof *expected]);
}

struct expected_field {
	const char *name, *text;
};

static void check_fields(const struct vhd *disk, const struct expected_field *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char text[200];

		assert_int_equal(vhd_field(disk, rows[i].name, text, sizeof text, NULL), 0);
		assert_string_equal(text, rows[i].text);
	}
}

static void kept_fields_read_as_in_the_reference(void **state)
{
	static const struct expected_field rows[] = {
		{"features", "Temporary"},
		{"data-offset", "512"},
		{"time-stamp", "1234567"},
		{"creator-application", "caml"},
		{"creator-host-os", "Windows"},
		{"original-size", "8388608"},
		{"current-size", "8388608"},
		{"geometry", "{ cylinders = 240; heads = 4; sectors = 17 }"},
		{"disk-type", "Dynamic_hard_disk"},
		{"uuid", "01020000-0000-0000-0000-000000000000"},
		{"saved-state", "true"},
		{"table-offset", "1536"},
		{"max-table-entries", "4"},
		{"block-size-sectors-shift", "12"},
		{"parent_unique_id", "00000000-0000-0000-0000-000000000000"},
		{"parent-time-stamp", "0"},
		{"parent-unicode-name", ""},
		{"parent-locator-0", "(None 0 0, 0, 0x0, )"},
	};
	const struct vhd_create_args args = {.size = 8 * MIB,
					     .id = {1, 2},
					     .timestamp = 1234567,
					     .saved_state = true,
					     .temporary = true,
					     .creator = "caml"};
	struct kit *kit = *state;
	struct vhd *disk;

	assert_int_equal(create(kit, "d.vhd", &args), 0);
	disk = kit_open(kit, "d.vhd", 0);
	check_fields(disk, rows, sizeof rows / sizeof *rows);
	vhd_close(disk);
}

static void kept_locators_are_shown_with_their_kind(void **state)
{
	static const struct {
		uint32_t code;
		const char *text;
	} rows[] = {
		{LOCATOR_WI2R, "(Wi2r [deprecated] 400 2, 0, 0x0, )"},
		{LOCATOR_WI2K, "(Wi2k [deprecated] 400 2, 0, 0x0, )"},
		{LOCATOR_W2RU, "(W2ru 400 2, 0, 0x0, )"},
		{LOCATOR_W2KU, "(W2ku 400 2, 0, 0x0, )"},
		{LOCATOR_MAC, "(Mac  400 2, 0, 0x0, )"},
		{0x41424344, "(Unknown 400 2, 0, 0x0, )"}, /* the reference refuses the file */
	};
	struct kit *kit = *state;
	struct header header;
	struct vhd *disk;
	char name[] = "parent-locator-2", text[100];

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	header = kit_header(kit, "c.vhd");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		header.locators[i + 2] =
			(struct locator_entry){.code = rows[i].code, .data_space = 2};
	kit_set_header(kit, "c.vhd", &header);
	kit_set_footers(kit, "c.vhd", 36, "Mac ", 4);
	disk = kit_open(kit, "c.vhd", 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, name[15]++) {
		assert_int_equal(vhd_field(disk, name, text, sizeof text, NULL), 0);
		assert_string_equal(text, rows[i].text);
	}
	assert_int_equal(vhd_field(disk, "creator-host-os", text, sizeof text, NULL), 0);
	assert_string_equal(text, "Macintosh");
	assert_int_equal(vhd_field(disk, "disk-type", text, sizeof text, NULL), 0);
	assert_string_equal(text, "Differencing_hard_disk");
	vhd_close(disk);
}

static void better_large_numbers_are_not_negative(void **state)
{
	static const struct expected_field rows[] = {
		{"data-offset", "18446744073709551615"}, {"time-stamp", "4294967295"},
		{"disk-type", "Fixed_hard_disk"},        {"creator-host-os", "Other 0"},
		{"creator-application", "tap"},
	};
	static const uint8_t time[4] = {0xFF, 0xFF, 0xFF, 0xFF}, nobody[4] = {0}, tap[4] = "tap";
	struct kit *kit = *state;
	struct vhd *disk = kit_fixed(kit, "f.vhd", MIB, 1);

	vhd_close(disk);
	kit_copy(kit, "f.vhd", "g.vhd");
	/* A fixed disk has one footer: what the helper does at the start of the disk does not
	 * matter. */
	kit_set_footers(kit, "g.vhd", 24, time, 4);
	kit_set_footers(kit, "g.vhd", 28, tap, 4);
	kit_set_footers(kit, "g.vhd", 36, nobody, 4);
	disk = kit_open(kit, "g.vhd", 0);
	check_fields(disk, rows, sizeof rows / sizeof *rows);
	vhd_close(disk);
}

static void kept_unknown_and_absent_fields_are_none(void **state)
{
	static const char *const absent[] = {"batmap-version", "batmap-offset", "colour", "",
					     "parent-locator-8"};
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1),
		   *fixed = kit_fixed(kit, "f.vhd", MIB, 2);
	char text[100];

	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		assert_int_equal(vhd_field(disk, absent[i], text, sizeof text, &kit->err),
				 VHD_E_NOT_FOUND);
	assert_int_equal(vhd_field(disk, "colour", text, sizeof text, &kit->err), VHD_E_NOT_FOUND);
	assert_string_equal(kit->err.text, "no field is called colour");
	assert_int_equal(vhd_field(fixed, "table-offset", text, sizeof text, &kit->err),
			 VHD_E_NOT_FOUND);
	assert_string_equal(kit->err.text, "table-offset: this image has no header");
	vhd_close(disk);
	vhd_close(fixed);
}

static void better_long_fields_are_cut_on_a_character(void **state)
{
	static const char parent[] = "\xE6\xB0\xB4\xE6\xB0\xB4.vhd";
	struct kit *kit = *state;
	struct vhd *disk;
	char text[6];

	kit_make_root(kit, parent, 1, 0, 'a');
	disk = kit_child(kit, "c.vhd", parent, 2);
	assert_int_equal(vhd_field(disk, "parent-unicode-name", text, sizeof text, NULL), 0);
	assert_string_equal(text, "\xE6\xB0\xB4");
	assert_int_equal(vhd_field(disk, "parent-unicode-name", text, 0, NULL), VHD_E_INVALID);
	vhd_close(disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(better_sizes_are_kept_exactly),
		KIT_TEST(better_sizes_that_no_disk_can_have_are_refused),
		KIT_TEST(better_the_largest_disk_can_be_filled),
		KIT_TEST(better_a_disk_that_small_blocks_cannot_fill_is_refused),
		KIT_TEST(kept_every_option_is_stored),
		KIT_TEST(kept_defaults_of_a_new_image),
		KIT_TEST(better_new_images_carry_a_creator_that_qemu_believes),
		KIT_TEST(better_an_existing_file_is_never_touched),
		KIT_TEST(kept_all_metadata_is_on_the_file_at_once),
		KIT_TEST(better_a_leftover_of_a_crash_is_no_obstacle),
		KIT_TEST(better_a_zero_id_is_refused),
		KIT_TEST(better_names_of_new_images_stay_inside_the_roots),
		KIT_TEST(better_relative_names_lie_below_the_working_folder),
		KIT_TEST(kept_a_child_takes_after_its_parent),
		KIT_TEST(kept_the_parents_mtime_is_recorded),
		KIT_TEST(better_times_before_the_epoch_are_its_start),
		KIT_TEST(kept_relative_locators_are_the_default),
		KIT_TEST(better_relative_locators_begin_where_a_link_leads),
		KIT_TEST(kept_absolute_locators_on_request),
		KIT_TEST(better_any_utf8_name_will_do),
		KIT_TEST(better_names_that_no_locator_can_hold_are_refused),
		KIT_TEST(better_long_paths_are_kept_whole),
		KIT_TEST(better_a_child_may_be_larger_but_not_smaller),
		KIT_TEST(better_a_parent_is_frozen_by_its_child),
		KIT_TEST(better_a_missing_parent_leaves_nothing_behind),
		KIT_TEST(better_fixed_disks_are_made_too),
		KIT_TEST(kept_fields_have_the_references_names_and_order),
		KIT_TEST(kept_fields_read_as_in_the_reference),
		KIT_TEST(kept_locators_are_shown_with_their_kind),
		KIT_TEST(better_large_numbers_are_not_negative),
		KIT_TEST(kept_unknown_and_absent_fields_are_none),
		KIT_TEST(better_long_fields_are_cut_on_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
