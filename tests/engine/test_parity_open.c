/* test_parity_open.c - opening chains, as the reference does it (kept_...) and where it must not
 * (better_...): its openchain, openfile and close. */
#include "parity_kit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "footer.h"
#include "image_builder.h"
#include "locator.h"

#define TEXT(text) text, sizeof(text) - 1

/* ---- names and the search path
 * ----------------------------------------------------------------------------- */

static void kept_search_folders_are_tried_in_order(void **state)
{
	struct kit *kit = *state;
	const char *search[3];
	struct vhd *disk;

	kit_folder(kit, "none");
	kit_folder(kit, "one");
	kit_folder(kit, "two");
	kit_make_root(kit, "one/d.vhd", 1, 0, 'a');
	kit_make_root(kit, "two/d.vhd", 2, 0, 'b');
	search[0] = kit_path(kit, "none");
	search[1] = kit_path(kit, "two");
	search[2] = kit_path(kit, "one");
	kit->paths.search = search;
	kit->paths.n_search = 3;
	disk = kit_open(kit, "d.vhd", 0);
	kit_check(disk, 0, 'b');
	vhd_close(disk);
}

static void kept_the_working_folder_is_searched_by_default(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	kit->paths.search = NULL;
	assert_int_equal(chdir(kit->dir), 0);
	disk = kit_open(kit, "d.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
	assert_int_equal(chdir("/"), 0);
}

static void kept_absolute_names_are_taken_as_they_are(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	disk = kit_open(kit, kit_path(kit, "d.vhd"), 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void kept_a_missing_name_is_told_with_the_search_path(void **state)
{
	static const char *const search[] = {"/nowhere", "/neither"};
	struct kit *kit = *state;

	kit->paths.search = search;
	kit->paths.n_search = 2;
	kit->root = "/";
	assert_int_equal(kit_refused(kit, "d.vhd", 0), VHD_E_NOT_FOUND);
	assert_string_equal(kit->err.text, "d.vhd: not found in the search path /nowhere:/neither");
}

static void kept_files_without_write_permission_open_for_reading(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	assert_int_equal(chmod(kit_path(kit, "d.vhd"), 0400), 0);
	disk = kit_open(kit, "d.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

/* ---- where parents are sought
 * ------------------------------------------------------------------------------ */

static void kept_the_childs_folder_comes_before_the_search_path(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_folder(kit, "sub");
	kit_make_root(kit, "sub/p.vhd", 1, 0, 'a');
	kit_make_child(kit, "sub/c.vhd", "sub/p.vhd", 2, 9, 'c');
	kit_copy(kit, "sub/p.vhd", "p.vhd");
	kit_poke(kit, "p.vhd", "zzzz", 4, 4096);
	disk = kit_open(kit, "sub/c.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void kept_parents_are_found_through_the_search_path(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_folder(kit, "sub");
	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	kit_move(kit, "c.vhd", "sub/c.vhd");
	disk = kit_open(kit, "sub/c.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void kept_folders_of_all_children_are_searched(void **state)
{
	struct kit *kit = *state;
	const char *search;
	struct vhd *disk;

	kit_folder(kit, "leaf");
	kit_folder(kit, "middle");
	kit_make_root(kit, "leaf/g.vhd", 1, 0, 'a');
	kit_make_child(kit, "leaf/p.vhd", "leaf/g.vhd", 2, 1, 'b');
	kit_make_child(kit, "leaf/c.vhd", "leaf/p.vhd", 3, 2, 'c');
	kit_move(kit, "leaf/p.vhd", "middle/p.vhd");
	search = kit_path(kit, "middle");
	kit->paths.search = &search;
	disk = kit_open(kit, kit_path(kit, "leaf/c.vhd"), 0);
	assert_int_equal(vhd_info(disk)->depth, 3);
	kit_check(disk, 0, 'a');
	kit_check(disk, 1, 'b');
	kit_check(disk, 2, 'c');
	vhd_close(disk);
}

static void kept_a_parent_may_lie_in_another_folder(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_folder(kit, "a");
	kit_folder(kit, "b");
	kit_make_root(kit, "a/p.vhd", 1, 0, 'a');
	kit_make_child(kit, "b/c.vhd", "a/p.vhd", 2, 9, 'c');
	disk = kit_open(kit, "b/c.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void kept_locators_are_tried_in_slot_order(void **state)
{
	struct kit *kit = *state;
	struct header header;
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	kit_copy(kit, "p.vhd", "q.vhd");
	kit_poke(kit, "q.vhd", "q", 1, 4096);
	kit_only_locator(kit, "c.vhd", LOCATOR_MACX, TEXT("file://q.vhd"));
	header = kit_header(kit, "c.vhd");
	header.locators[5] = header.locators[0]; /* the same text: p.vhd comes from another slot */
	kit_poke(kit, "c.vhd", TEXT("file://p.vhd"), header.locators[0].data_offset + 256);
	header.locators[2] = header.locators[0];
	header.locators[2].data_offset += 256;
	memset(&header.locators[0], 0, sizeof header.locators[0]);
	kit_set_header(kit, "c.vhd", &header);
	disk = kit_open(kit, "c.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void kept_a_locator_that_leads_nowhere_gives_way_to_the_next(void **state)
{
	struct kit *kit = *state;
	struct header header;
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	header = kit_header(kit, "c.vhd");
	header.locators[2] = header.locators[1];
	header.locators[3] = header.locators[0];
	header.locators[0].data_offset = 1ULL << 60; /* unreadable */
	header.locators[1].data_length = 7;          /* "file://" */
	kit_set_header(kit, "c.vhd", &header);
	disk = kit_open(kit, "c.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void kept_an_absolute_locator_is_followed(void **state)
{
	struct kit *kit = *state;
	struct vhd_create_args args = {.id = {2}, .absolute_path = true};
	struct vhd *disk;

	kit_folder(kit, "sub");
	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	args.parent_path = kit_path(kit, "p.vhd");
	assert_int_equal(vhd_create_difference(kit->engine, &kit->paths, kit_path(kit, "c.vhd"),
					       &args, &disk, NULL),
			 0);
	vhd_close(disk);
	kit_move(kit, "c.vhd", "sub/c.vhd");
	disk = kit_open(kit, "sub/c.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void better_every_kind_of_locator_is_followed(void **state)
{
	static const struct {
		uint32_t code;
		const char *text;
		size_t len;
	} rows[] = {
		{LOCATOR_W2RU, TEXT(".\0\\\0p.\0")}, /* not this: half a name */
		{LOCATOR_W2RU, TEXT(".\0\\\0p\0.\0v\0h\0d\0")},
		{LOCATOR_W2RU, TEXT("p\0.\0v\0h\0d\0")},
		{LOCATOR_W2KU,
		 TEXT("C\0:\0\\\0p\0.\0v\0h\0d\0")}, /* as blktap: below the child's folder */
		{LOCATOR_WI2R, TEXT(".\\p.vhd")},
		{LOCATOR_MACX, TEXT("file://./p.vhd")},
		{LOCATOR_MACX, TEXT("file://p.vhd")},
		{LOCATOR_MACX, TEXT("file:///p.vhd")},
		{LOCATOR_MACX, TEXT("file://localhost/p.vhd")},
		{LOCATOR_MACX, TEXT("file://%70%2evhd")},
		{LOCATOR_MACX, TEXT("file://../sub/p.vhd")},
	};
	struct kit *kit = *state;

	kit_folder(kit, "sub");
	kit_make_root(kit, "sub/p.vhd", 1, 0, 'a');
	kit_make_child(kit, "sub/c.vhd", "sub/p.vhd", 2, 9, 'c');
	kit_only_locator(kit, "sub/c.vhd", rows[0].code, rows[0].text, rows[0].len);
	assert_int_equal(kit_refused(kit, "sub/c.vhd", 0), VHD_E_PARENT_MISSING);
	for (size_t i = 1; i < sizeof rows / sizeof *rows; i++) {
		struct vhd *disk;

		kit_only_locator(kit, "sub/c.vhd", rows[i].code, rows[i].text, rows[i].len);
		disk = kit_open(kit, "sub/c.vhd", 0);
		kit_check(disk, 0, 'a');
		vhd_close(disk);
	}
}

static void better_the_name_in_the_header_is_the_last_resort(void **state)
{
	static const char *const names[] = {"p.vhd", "./p.vhd", "..\\sub\\p.vhd", "C:\\p.vhd"};
	struct kit *kit = *state;

	kit_folder(kit, "sub");
	kit_make_root(kit, "sub/p.vhd", 1, 0, 'a');
	kit_make_child(kit, "sub/c.vhd", "sub/p.vhd", 2, 9, 'c');
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct header header = kit_header(kit, "sub/c.vhd");
		struct vhd *disk;

		memset(header.locators, 0, sizeof header.locators);
		memcpy(header.parent_name, names[i], strlen(names[i]) + 1);
		kit_set_header(kit, "sub/c.vhd", &header);
		disk = kit_open(kit, "sub/c.vhd", 0);
		kit_check(disk, 0, 'a');
		vhd_close(disk);
	}
}

static void better_the_unique_id_must_match(void **state)
{
	struct kit *kit = *state;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	kit_make_root(kit, "other.vhd", 7, 0, 'z');
	kit_move(kit, "other.vhd", "p.vhd");
	assert_int_equal(kit_refused(kit, "c.vhd", 0), VHD_E_PARENT_MISMATCH);
	assert_non_null(strstr(kit->err.text, "01000000-0000-0000-0000-000000000000"));
	assert_non_null(
		strstr(kit->err.text, "/p.vhd (has id 07000000-0000-0000-0000-000000000000)"));
}

static void better_a_wrong_file_does_not_hide_the_right_one(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_folder(kit, "sub");
	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	kit_move(kit, "c.vhd", "sub/c.vhd");
	kit_make_root(kit, "sub/p.vhd", 7, 0, 'z');
	disk = kit_open(kit, "sub/c.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void better_a_missing_parent_is_told_with_what_was_tried(void **state)
{
	struct kit *kit = *state;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	assert_int_equal(unlink(kit_path(kit, "p.vhd")), 0);
	assert_int_equal(kit_refused(kit, "c.vhd", 0), VHD_E_PARENT_MISSING);
	assert_non_null(strstr(kit->err.text,
			       "parent 01000000-0000-0000-0000-000000000000: not found: tried "));
	assert_non_null(strstr(kit->err.text, kit_path(kit, "p.vhd")));
	kit_only_locator(kit, "c.vhd", LOCATOR_MAC, TEXT("alias"));
	assert_int_equal(kit_refused(kit, "c.vhd", 0), VHD_E_PARENT_MISSING);
	assert_non_null(strstr(kit->err.text, "not found: the image names no file"));
}

static void better_a_parent_that_is_no_image_is_not_taken(void **state)
{
	struct kit *kit = *state;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	assert_int_equal(truncate(kit_path(kit, "p.vhd"), 0), 0);
	assert_int_equal(kit_refused(kit, "c.vhd", 0), VHD_E_PARENT_MISSING);
	assert_non_null(strstr(kit->err.text, "/p.vhd (no usable image)"));
}

/* ---- what may be opened
 * ------------------------------------------------------------------------------------ */

static void better_without_roots_nothing_is_opened(void **state)
{
	struct kit *kit = *state;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	kit->paths.n_roots = 0;
	assert_int_equal(kit_refused(kit, kit_path(kit, "d.vhd"), 0), VHD_E_FORBIDDEN);
}

static void better_names_cannot_leave_the_roots(void **state)
{
	struct kit *kit = *state;
	char absolute[KIT_PATH * 2];

	kit_folder(kit, "in");
	kit_folder(kit, "inside");
	kit_folder(kit, "out");
	kit_make_root(kit, "out/d.vhd", 1, 0, 'a');
	assert_int_equal(symlink(kit_path(kit, "out/d.vhd"), kit_path(kit, "in/absolute.vhd")), 0);
	assert_int_equal(symlink("../out/d.vhd", kit_path(kit, "in/relative.vhd")), 0);
	assert_int_equal(symlink("../out", kit_path(kit, "in/folder")), 0);
	kit->root = kit_path(kit, "in");
	(void)snprintf(absolute, sizeof absolute, "%s/out/d.vhd", kit->dir);
	assert_int_equal(kit_refused(kit, absolute, 0), VHD_E_FORBIDDEN);
	(void)snprintf(absolute, sizeof absolute, "%s/inside/../out/d.vhd", kit->dir);
	assert_int_equal(kit_refused(kit, absolute, 0), VHD_E_FORBIDDEN);
	assert_int_equal(kit_refused(kit, "../out/d.vhd", 0), VHD_E_FORBIDDEN);
	assert_int_equal(kit_refused(kit, "absolute.vhd", 0), VHD_E_FORBIDDEN);
	assert_int_equal(kit_refused(kit, "relative.vhd", 0), VHD_E_FORBIDDEN);
	assert_int_equal(kit_refused(kit, "folder/d.vhd", 0), VHD_E_FORBIDDEN);
	assert_non_null(strstr(kit->err.text, "outside the allowed folders"));
}

static void better_links_inside_the_roots_are_followed(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	assert_int_equal(symlink("d.vhd", kit_path(kit, "link.vhd")), 0);
	disk = kit_open(kit, "link.vhd", 0);
	vhd_close(disk);
	/* A caller that wants the whole machine says so. */
	assert_int_equal(symlink(kit_path(kit, "d.vhd"), kit_path(kit, "absolute.vhd")), 0);
	assert_int_equal(kit_refused(kit, "absolute.vhd", 0), VHD_E_FORBIDDEN);
	kit->root = "/";
	disk = kit_open(kit, kit_path(kit, "absolute.vhd"), 0);
	vhd_close(disk);
}

static void better_parents_outside_the_roots_are_not_looked_at(void **state)
{
	struct kit *kit = *state;

	kit_folder(kit, "in");
	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "in/c.vhd", "p.vhd", 2, 9, 'c');
	kit->root = kit_path(kit, "in");
	assert_int_equal(kit_refused(kit, "c.vhd", 0), VHD_E_PARENT_MISSING);
	assert_non_null(strstr(kit->err.text, "../p.vhd (outside the allowed folders"));
}

static void better_a_parent_may_lie_in_another_root(void **state)
{
	struct kit *kit = *state;
	const char *roots[2];
	char first[KIT_PATH * 2], second[KIT_PATH * 2];
	struct vhd *disk;

	kit_folder(kit, "a");
	kit_folder(kit, "b");
	kit_make_root(kit, "a/p.vhd", 1, 0, 'a');
	kit_make_child(kit, "b/c.vhd", "a/p.vhd", 2, 9, 'c');
	(void)snprintf(first, sizeof first, "%s/b", kit->dir);
	(void)snprintf(second, sizeof second, "%s/a/", kit->dir);
	roots[0] = first;
	roots[1] = second;
	kit->paths.roots = roots;
	kit->paths.n_roots = 2;
	disk = kit_open(kit, kit_path(kit, "b/c.vhd"), 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void better_only_regular_files_are_opened(void **state)
{
	static const char *const devices[] = {"/dev/zero", "/proc/self/fd/0", "/dev",
					      "/proc/self/mem/x"};
	struct kit *kit = *state;

	assert_int_equal(mkfifo(kit_path(kit, "fifo.vhd"), 0644), 0);
	kit_folder(kit, "folder.vhd");
	assert_int_equal(kit_refused(kit, "fifo.vhd", 0), VHD_E_FORBIDDEN);
	assert_non_null(strstr(kit->err.text, "fifo.vhd: not a regular file"));
	assert_int_equal(kit_refused(kit, "fifo.vhd", VHD_WRITE), VHD_E_FORBIDDEN);
	assert_int_equal(kit_refused(kit, "folder.vhd", 0), VHD_E_FORBIDDEN);
	assert_int_equal(kit_refused(kit, "folder.vhd", VHD_WRITE), VHD_E_FORBIDDEN);
	assert_int_equal(kit_refused(kit, kit->dir, 0), VHD_E_FORBIDDEN);
	kit->root = "/";
	for (size_t i = 0; i + 1 < sizeof devices / sizeof *devices; i++)
		assert_int_equal(kit_refused(kit, devices[i], 0), VHD_E_FORBIDDEN);
	assert_int_equal(kit_refused(kit, devices[3], 0), VHD_E_NOT_FOUND);
}

static void better_names_that_are_none_are_refused(void **state)
{
	struct kit *kit = *state;
	char name[5000];

	assert_int_equal(kit_refused(kit, "", 0), VHD_E_INVALID);
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_int_equal(kit_refused(kit, name, 0), VHD_E_INVALID);
	name[300] = '\0';
	assert_int_equal(kit_refused(kit, name, 0), VHD_E_NOT_FOUND);
}

/* ---- what a file holds
 * ------------------------------------------------------------------------------------- */

static void kept_damage_is_refused(void **state)
{
	static const struct {
		size_t field;
		const char *bytes;
		int code;
		const char *text;
	} rows[] = {
		{12, "\0\2\0\0", VHD_E_UNSUPPORTED, "footer: version 0x00020000"},
		{60, "\0\0\0\6", VHD_E_UNSUPPORTED, "footer: disk type 6"},
		{0, "CONE", VHD_E_NOT_VHD, "no VHD footer"},
	};
	struct kit *kit = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		kit_make_root(kit, "d.vhd", 1, 0, 'a');
		kit_set_footers(kit, "d.vhd", rows[i].field, rows[i].bytes, 4);
		assert_int_equal(kit_refused(kit, "d.vhd", 0), rows[i].code);
		assert_non_null(strstr(kit->err.text, rows[i].text));
		assert_int_equal(unlink(kit_path(kit, "d.vhd")), 0);
	}
	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	kit_poke(kit, "d.vhd", "\7", 1, FOOTER_SIZE + 700);
	assert_int_equal(kit_refused(kit, "d.vhd", 0), VHD_E_CORRUPT);
	assert_non_null(strstr(kit->err.text, "header: checksum"));
}

static void better_either_footer_will_do_for_reading(void **state)
{
	struct kit *kit = *state;
	uint64_t end;
	struct vhd *disk;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	kit_copy(kit, "d.vhd", "e.vhd");
	end = kit_size(kit, "d.vhd");
	kit_poke(kit, "d.vhd", "x", 1, 20);
	disk = kit_open(kit, "d.vhd", 0);
	assert_int_equal(vhd_info(disk)->footers, VHD_FOOTER_EOF);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
	kit_poke(kit, "e.vhd", "x", 1, end - 20);
	disk = kit_open(kit, "e.vhd", 0);
	assert_int_equal(vhd_info(disk)->footers, VHD_FOOTER_HEAD);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
	assert_int_equal(kit_refused(kit, "e.vhd", VHD_WRITE), VHD_E_UNCLEAN);
	disk = kit_open(kit, "e.vhd", VHD_WRITE | VHD_RECOVER);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
	disk = kit_open(kit, "e.vhd", VHD_WRITE);
	vhd_close(disk);
}

static void better_fixed_disks_open(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_fixed(kit, "f.vhd", 3 * MIB, 1);

	kit_fill(disk, 5, 1, 'f');
	kit_done(disk);
	disk = kit_open(kit, "f.vhd", 0);
	assert_int_equal(vhd_info(disk)->type, VHD_FIXED);
	kit_check(disk, 5, 'f');
	vhd_close(disk);
}

static void better_fixed_disks_can_be_parents(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_fixed(kit, "f.vhd", 3 * MIB, 1);

	kit_fill(disk, 5, 1, 'f');
	kit_done(disk);
	kit_make_child(kit, "c.vhd", "f.vhd", 2, 6, 'c');
	disk = kit_open(kit, "c.vhd", 0);
	kit_check(disk, 5, 'f');
	kit_check(disk, 6, 'c');
	kit_check(disk, 7, 0);
	vhd_close(disk);
}

/* Makes c.vhd the child of a raw file: of p.vhd, byte by byte. */
static void make_raw_child(struct kit *kit)
{
	struct header header;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	header = kit_header(kit, "c.vhd");
	memset(header.parent_id, 0, sizeof header.parent_id);
	kit_set_header(kit, "c.vhd", &header);
}

static void better_raw_parents_open_when_asked_for(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	make_raw_child(kit);
	assert_int_equal(kit_refused(kit, "c.vhd", 0), VHD_E_UNSUPPORTED);
	disk = kit_open(kit, "c.vhd", VHD_RAW_PARENT);
	assert_int_equal(vhd_level_info(disk, 1)->type, VHD_RAW);
	kit_check(disk, 8, 'a'); /* where the parent's file has its first data */
	kit_check(disk, 9, 'c');
	vhd_close(disk);
}

/* No image has that id, even if its footer says so. */
static void better_a_parent_without_an_id_is_not_sought_by_it(void **state)
{
	static const uint8_t zero[VHD_ID_SIZE];
	struct kit *kit = *state;
	struct vhd *stranger, *child;
	struct vhd_file file;

	make_raw_child(kit);
	kit_make_root(kit, "s.vhd", 3, 0, 's');
	kit_set_footers(kit, "s.vhd", F_ID, zero, sizeof zero);
	stranger = kit_open(kit, "s.vhd", 0);
	assert_int_equal(kit_refused(kit, "c.vhd", 0), VHD_E_UNSUPPORTED);
	assert_non_null(strstr(kit->err.text, "header: parent id 0 at 40: a raw parent, which is "
					      "not followed"));
	child = kit_open(kit, "c.vhd", VHD_RAW_PARENT);
	assert_int_equal(vhd_level_info(child, 1)->type, VHD_RAW);
	vhd_close(child);
	child = kit_open(kit, "c.vhd", VHD_NO_PARENT);
	assert_int_equal(vhd_find_parent(&kit->paths, child, &file, &kit->err), VHD_E_UNSUPPORTED);
	assert_string_equal(kit->err.text,
			    "header: parent id 0 at 40: a raw parent, which is not followed");
	vhd_close(child);
	vhd_close(stranger);
}

static void better_raw_parents_are_kept_from_writers(void **state)
{
	struct kit *kit = *state;
	struct vhd *child, *writer;

	make_raw_child(kit);
	child = kit_open(kit, "c.vhd", VHD_RAW_PARENT);
	assert_int_equal(kit_refused(kit, "p.vhd", VHD_WRITE), VHD_E_BUSY);
	vhd_close(child);
	writer = kit_open(kit, "p.vhd", VHD_WRITE);
	assert_int_equal(kit_refused(kit, "c.vhd", VHD_RAW_PARENT), VHD_E_BUSY);
	assert_non_null(strstr(kit->err.text, "another program has this image open"));
	vhd_close(writer);
}

static void better_a_raw_parent_that_ends_within_a_sector_is_refused(void **state)
{
	struct kit *kit = *state;

	make_raw_child(kit);
	kit_poke(kit, "p.vhd", "end", 3, 4 * MIB);
	assert_int_equal(kit_refused(kit, "c.vhd", VHD_RAW_PARENT), VHD_E_SIZE);
	assert_non_null(
		strstr(kit->err.text, "a raw file of 4194307 bytes: not a multiple of 512"));
}

/* Places that were looked at in vain, and a parent that one can do without. */
static void better_an_answer_leaves_the_error_alone(void **state)
{
	struct kit *kit = *state;
	struct vhd_error err = {.code = VHD_OK, .text = "as it was"};
	struct vhd *disk;

	kit_folder(kit, "sub");
	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	kit_move(kit, "c.vhd", "sub/c.vhd");
	assert_int_equal(vhd_open_chain(kit->engine, &kit->paths, "sub/c.vhd", 0, &disk, &err), 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
	assert_string_equal(err.text, "as it was");
	kit_move(kit, "p.vhd", "away.vhd");
	assert_int_equal(
		vhd_open_chain(kit->engine, &kit->paths, "sub/c.vhd", VHD_BROKEN, &disk, &err), 0);
	kit_check(disk, 9, 'c');
	vhd_close(disk);
	assert_string_equal(err.text, "as it was");
}

static void better_the_header_is_where_the_footer_says(void **state)
{
	struct builder builder;
	struct memio *file = memio_new(NULL);
	struct kit *kit = *state;
	struct vhd *disk;
	struct vhd_io io;

	builder_init(&builder, &(struct builder_args){.type = 3, .size = 8 * MIB, .id = 1});
	builder.header_offset = builder.end;
	builder.end += 1024;
	builder_put64(builder.head + F_DATA_OFFSET, builder.header_offset);
	builder_put64(builder.tail + F_DATA_OFFSET, builder.header_offset);
	builder_add_block(&builder, 0, 0xFF, 'a');
	builder_mend(&builder);
	builder_store(&builder, file);
	builder_fini(&builder);
	io = memio_io(file);
	assert_int_equal(vhd_open(kit->engine, &io, 0, NULL, &disk, NULL), 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
	memio_free(file);
}

static void better_codes_that_nobody_knows_do_no_harm(void **state)
{
	struct kit *kit = *state;
	struct header header;
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	header = kit_header(kit, "c.vhd");
	header.locators[4] = (struct locator_entry){0x41424344, 512, 4, 1ULL << 62};
	kit_set_header(kit, "c.vhd", &header);
	disk = kit_open(kit, "c.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void better_a_broken_name_does_no_harm(void **state)
{
	static const uint8_t lone_surrogate[2] = {0xD8, 0x00};
	struct kit *kit = *state;
	struct header header;
	struct vhd *disk;
	uint8_t raw[HEADER_SIZE];

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	header = kit_header(kit, "d.vhd");
	header.parent_name[0] = '\0';
	header_encode(&header, raw);
	memcpy(raw + 64, lone_surrogate, 2);
	put_be32(raw + 36, get_be32(raw + 36) - 0xD8); /* the checksum */
	kit_poke(kit, "d.vhd", raw, sizeof raw, FOOTER_SIZE);
	if (vhd_open_chain(kit->engine, &kit->paths, "d.vhd", 0, &disk, &kit->err) < 0)
		fail_msg("%s", kit->err.text);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void better_table_entries_are_proved_before_they_are_used(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;
	char buf[VHD_SECTOR];

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	kit_poke(kit, "d.vhd", "\xFF\xFF\xFF\0", 4, 1536 + 4);
	kit_poke(kit, "d.vhd", "\0\0\0\2", 4, 1536 + 8);
	disk = kit_open(kit, "d.vhd", 0);
	kit_check(disk, 0, 'a');
	assert_int_equal(vhd_read(disk, buf, sizeof buf, 2 * MIB, 0, &kit->err), VHD_E_CORRUPT);
	assert_non_null(
		strstr(kit->err.text, "block table: entry 1 at 0x604 is sector 0xffffff00"));
	assert_int_equal(vhd_read(disk, buf, sizeof buf, 4 * MIB, 0, &kit->err), VHD_E_CORRUPT);
	assert_non_null(strstr(kit->err.text, "entry 2"));
	vhd_close(disk);
}

static void kept_times_of_parents_are_not_compared(void **state)
{
	struct kit *kit = *state;
	struct header header;
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	header = kit_header(kit, "c.vhd");
	header.parent_timestamp = 1;
	kit_set_header(kit, "c.vhd", &header);
	disk = kit_open(kit, "c.vhd", 0);
	kit_check(disk, 0, 'a');
	vhd_close(disk);
}

static void kept_a_batmap_is_never_believed(void **state)
{
	static const char tap[4] = "tap", version[4] = {0, 1, 0, 3};
	struct kit *kit = *state;
	struct vhd *disk;
	char text[64];

	/* The first block goes behind the batmap, whose two sectors are made first: header, then
	 * the map. */
	disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);
	vhd_close(disk);
	assert_int_equal(truncate(kit_path(kit, "d.vhd"), 3584), 0);
	kit_copy(kit, "d.vhd", "e.vhd");
	kit_poke(kit, "e.vhd", "tdbatmap\0\0\0\0\0\0\x0A\0\0\0\0\1\0\1\0\2\xFF\xFF\xFF\x00", 28,
		 2048);
	kit_poke(kit, "e.vhd", "\xFF", 1, 2560); /* "every bit of every block is set" */
	kit_peek(kit, "e.vhd", text, 64, 0);
	{
		uint8_t footer[FOOTER_SIZE];

		kit_peek(kit, "e.vhd", footer, sizeof footer, 0);
		kit_poke(kit, "e.vhd", footer, sizeof footer, 3072);
	}
	kit_set_footers(kit, "e.vhd", 28, tap, 4);
	kit_set_footers(kit, "e.vhd", 32, version, 4);
	disk = kit_open(kit, "e.vhd", 0);
	kit_check(disk, 0, 0);
	assert_int_equal(vhd_field(disk, "batmap-version", text, sizeof text, NULL), 0);
	assert_string_equal(text, "1.2");
	assert_int_equal(vhd_field(disk, "batmap-offset", text, sizeof text, NULL), 0);
	assert_string_equal(text, "2560");
	assert_int_equal(vhd_field(disk, "batmap-size-in-sectors", text, sizeof text, NULL), 0);
	assert_string_equal(text, "1");
	assert_int_equal(vhd_field(disk, "batmap-checksum", text, sizeof text, NULL), 0);
	assert_string_equal(text, "4294967040");
	vhd_close(disk);
}

static void better_a_chain_that_comes_back_to_itself_is_refused(void **state)
{
	struct kit *kit = *state;
	struct header header;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	kit_make_child(kit, "d.vhd", "c.vhd", 3, 9, 'd');
	header = kit_header(kit, "c.vhd");
	header.parent_id[0] = 3;
	kit_set_header(kit, "c.vhd", &header);
	assert_int_equal(kit_refused(kit, "d.vhd", 0), VHD_E_CYCLE);
	header.parent_id[0] = 2;
	kit_set_header(kit, "c.vhd", &header);
	assert_int_equal(kit_refused(kit, "c.vhd", 0), VHD_E_CYCLE);
}

static void better_depth_is_limited(void **state)
{
	static const char *const names[] = {"0.vhd", "1.vhd", "2.vhd", "3.vhd"};
	struct kit *kit = *state;
	struct vhd_engine *all = kit->engine;
	struct vhd *disk;

	kit_make_root(kit, names[0], 1, 0, 'a');
	for (uint8_t i = 1; i < 4; i++)
		kit_make_child(kit, names[i], names[i - 1], (uint8_t)(i + 1), i, 'c');
	assert_int_equal(
		vhd_engine_new(&(struct vhd_engine_args){.depth_max = 3}, &kit->engine, NULL), 0);
	disk = kit_open(kit, names[2], 0);
	assert_int_equal(vhd_info(disk)->depth, 3);
	vhd_close(disk);
	assert_int_equal(kit_refused(kit, names[3], 0), VHD_E_DEPTH);
	vhd_engine_free(kit->engine);
	kit->engine = all;
}

/* ---- openfile
 * ---------------------------------------------------------------------------------------------- */

static struct vhd *open_alone(struct kit *kit, const char *name, unsigned flags)
{
	struct vhd *disk = NULL;

	if (vhd_open_file(kit->engine, &kit->paths, kit_path(kit, name), flags, &disk, &kit->err) <
	    0)
		fail_msg("%s", kit->err.text);
	return disk;
}

static void kept_one_file_opens_without_its_parent(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	assert_int_equal(unlink(kit_path(kit, "p.vhd")), 0);
	disk = open_alone(kit, "c.vhd", 0);
	assert_int_equal(vhd_info(disk)->type, VHD_DIFF);
	assert_int_equal(vhd_info(disk)->depth, 1);
	assert_string_equal(vhd_parent_name(disk), "p.vhd");
	kit_check(disk, 9, 'c');
	vhd_close(disk);
	assert_int_equal(vhd_open_file(kit->engine, &kit->paths, kit_path(kit, "p.vhd"), 0, &disk,
				       &kit->err),
			 VHD_E_NOT_FOUND);
}

static void better_what_only_the_parent_has_is_a_clear_error(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;
	char buf[VHD_SECTOR];

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	disk = open_alone(kit, "c.vhd", 0);
	assert_int_equal(vhd_read_sector(disk, 0, buf, &kit->err), VHD_E_PARENT_MISSING);
	assert_int_equal(vhd_read_sector(disk, 5000, buf, &kit->err), VHD_E_PARENT_MISSING);
	assert_int_equal(vhd_read_sector(disk, 9, buf, NULL), 1);
	vhd_close(disk);
}

static void better_a_lone_child_cannot_hide_its_parents_data(void **state)
{
	struct kit *kit = *state;
	char buf[VHD_SECTOR] = "new";
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 5000, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	disk = open_alone(kit, "c.vhd", VHD_WRITE);
	assert_int_equal(vhd_write(disk, buf, sizeof buf, 5001 * VHD_SECTOR, NULL, &kit->err),
			 VHD_E_PARENT_MISSING);
	kit_fill(disk, 9, 1, 'd');
	kit_done(disk);
	disk = kit_open(kit, "c.vhd", 0);
	kit_check(disk, 5000, 'a');
	kit_check(disk, 9, 'd');
	vhd_close(disk);
}

/* ---- close
 * -------------------------------------------------------------------------------------------------
 */

static void better_both_footers_are_there_before_close(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 1);
	uint8_t head[FOOTER_SIZE], tail[FOOTER_SIZE];

	kit_fill(disk, 0, 1, 'a');
	kit_fill(disk, 5000, 1, 'b');
	kit_peek(kit, "d.vhd", head, sizeof head, 0);
	kit_peek(kit, "d.vhd", tail, sizeof tail, kit_size(kit, "d.vhd") - FOOTER_SIZE);
	assert_memory_equal(head, tail, sizeof head);
	assert_true(footer_has_cookie(head));
	kit_done(disk);
}

static void better_metadata_of_others_survives_a_write(void **state)
{
	static const uint8_t features[4] = {0, 0, 0, 0x82}, hidden = 1;
	struct kit *kit = *state;
	uint8_t before[HEADER_SIZE], after[HEADER_SIZE], footer[FOOTER_SIZE];
	struct header header;
	struct vhd *disk;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	header = kit_header(kit, "c.vhd");
	header.locators[0].data_space = 1; /* in sectors */
	kit_set_header(kit, "c.vhd", &header);
	kit_set_footers(kit, "c.vhd", 8, features, 4);
	kit_set_footers(kit, "c.vhd", 85, &hidden, 1);
	kit_peek(kit, "c.vhd", before, sizeof before, FOOTER_SIZE);
	disk = kit_open(kit, "c.vhd", VHD_WRITE);
	kit_fill(disk, 5000, 1, 'd');
	kit_done(disk);
	kit_peek(kit, "c.vhd", after, sizeof after, FOOTER_SIZE);
	assert_memory_equal(before, after, sizeof before);
	for (int end = 0; end < 2; end++) {
		kit_peek(kit, "c.vhd", footer, sizeof footer,
			 end ? kit_size(kit, "c.vhd") - FOOTER_SIZE : 0);
		assert_memory_equal(footer + 8, features, 4);
		assert_int_equal(footer[85], 1);
	}
}

static void better_closing_an_unwritten_image_changes_nothing(void **state)
{
	struct kit *kit = *state;
	uint64_t before;
	struct vhd *disk;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	before = kit_sum(kit, "d.vhd");
	disk = kit_open(kit, "d.vhd", VHD_WRITE);
	kit_done(disk);
	assert_int_equal(kit_sum(kit, "d.vhd"), before);
	vhd_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(kept_search_folders_are_tried_in_order),
		KIT_TEST(kept_the_working_folder_is_searched_by_default),
		KIT_TEST(kept_absolute_names_are_taken_as_they_are),
		KIT_TEST(kept_a_missing_name_is_told_with_the_search_path),
		KIT_TEST(kept_files_without_write_permission_open_for_reading),
		KIT_TEST(kept_the_childs_folder_comes_before_the_search_path),
		KIT_TEST(kept_parents_are_found_through_the_search_path),
		KIT_TEST(kept_folders_of_all_children_are_searched),
		KIT_TEST(kept_a_parent_may_lie_in_another_folder),
		KIT_TEST(kept_locators_are_tried_in_slot_order),
		KIT_TEST(kept_a_locator_that_leads_nowhere_gives_way_to_the_next),
		KIT_TEST(kept_an_absolute_locator_is_followed),
		KIT_TEST(better_every_kind_of_locator_is_followed),
		KIT_TEST(better_the_name_in_the_header_is_the_last_resort),
		KIT_TEST(better_the_unique_id_must_match),
		KIT_TEST(better_a_wrong_file_does_not_hide_the_right_one),
		KIT_TEST(better_a_missing_parent_is_told_with_what_was_tried),
		KIT_TEST(better_a_parent_that_is_no_image_is_not_taken),
		KIT_TEST(better_without_roots_nothing_is_opened),
		KIT_TEST(better_names_cannot_leave_the_roots),
		KIT_TEST(better_links_inside_the_roots_are_followed),
		KIT_TEST(better_parents_outside_the_roots_are_not_looked_at),
		KIT_TEST(better_a_parent_may_lie_in_another_root),
		KIT_TEST(better_only_regular_files_are_opened),
		KIT_TEST(better_names_that_are_none_are_refused),
		KIT_TEST(kept_damage_is_refused),
		KIT_TEST(better_either_footer_will_do_for_reading),
		KIT_TEST(better_fixed_disks_open),
		KIT_TEST(better_fixed_disks_can_be_parents),
		KIT_TEST(better_raw_parents_open_when_asked_for),
		KIT_TEST(better_a_parent_without_an_id_is_not_sought_by_it),
		KIT_TEST(better_raw_parents_are_kept_from_writers),
		KIT_TEST(better_a_raw_parent_that_ends_within_a_sector_is_refused),
		KIT_TEST(better_an_answer_leaves_the_error_alone),
		KIT_TEST(better_the_header_is_where_the_footer_says),
		KIT_TEST(better_codes_that_nobody_knows_do_no_harm),
		KIT_TEST(better_a_broken_name_does_no_harm),
		KIT_TEST(better_table_entries_are_proved_before_they_are_used),
		KIT_TEST(kept_times_of_parents_are_not_compared),
		KIT_TEST(kept_a_batmap_is_never_believed),
		KIT_TEST(better_a_chain_that_comes_back_to_itself_is_refused),
		KIT_TEST(better_depth_is_limited),
		KIT_TEST(kept_one_file_opens_without_its_parent),
		KIT_TEST(better_what_only_the_parent_has_is_a_clear_error),
		KIT_TEST(better_a_lone_child_cannot_hide_its_parents_data),
		KIT_TEST(better_both_footers_are_there_before_close),
		KIT_TEST(better_metadata_of_others_survives_a_write),
		KIT_TEST(better_closing_an_unwritten_image_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
