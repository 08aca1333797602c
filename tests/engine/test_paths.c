/* test_paths.c - images by path when memory, space or permission lacks: the answer says so, and no
 * file is left. */
#include "parity_kit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc_fault.h"

enum { NOBODY = 65534, RUNS_MAX = 500 };

typedef int work_fn(struct kit *kit, struct vhd **ret_disk);

static int open_chain(struct kit *kit, struct vhd **ret_disk)
{
	return vhd_open_chain(kit->engine, &kit->paths, "c.vhd", VHD_WRITE, ret_disk, &kit->err);
}

static int create_dynamic(struct kit *kit, struct vhd **ret_disk)
{
	const struct vhd_create_args args = {.size = 8 * MIB, .id = {9}};

	return vhd_create_dynamic(kit->engine, &kit->paths, kit_path(kit, "new.vhd"), &args,
				  ret_disk, &kit->err);
}

static int create_fixed(struct kit *kit, struct vhd **ret_disk)
{
	const struct vhd_create_args args = {.size = 8 * MIB, .id = {9}, .preallocate = true};

	return vhd_create_fixed(kit->engine, &kit->paths, kit_path(kit, "new.vhd"), &args, ret_disk,
				&kit->err);
}

static int create_difference(struct kit *kit, struct vhd **ret_disk)
{
	const struct vhd_create_args args = {.id = {9}, .parent_path = "c.vhd"};

	return vhd_create_difference(kit->engine, &kit->paths, kit_path(kit, "new.vhd"), &args,
				     ret_disk, &kit->err);
}

static int every_field(struct kit *kit, struct vhd **ret_disk)
{
	int r = open_chain(kit, ret_disk);

	for (const char *const *name = vhd_field_names(); *name && r == 0; name++) {
		char text[100];

		r = vhd_field(*ret_disk, *name, text, sizeof text, &kit->err);
		r = r == VHD_E_NOT_FOUND ? 0 : r;
	}
	return r;
}

/* Every allocation fails once; what was there is there, and nothing else. */
static void each_allocation_fails(struct kit *kit, work_fn *work)
{
	int r = VHD_E_NOMEM;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	for (long n = 0; r < 0; n++) {
		struct vhd *disk = NULL;

		assert_true(n < RUNS_MAX);
		alloc_fault_arm(n, false);
		r = work(kit, &disk);
		alloc_fault_disarm();
		assert_true(r == 0 || r == VHD_E_NOMEM);
		vhd_close(disk);
		assert_true(r == 0 || kit_count(kit) == 2);
	}
}

static void opening_bears_lack_of_memory(void **state)
{
	each_allocation_fails(*state, open_chain);
}

static void dynamic_disks_are_made_whole_or_not_at_all(void **state)
{
	each_allocation_fails(*state, create_dynamic);
}

static void fixed_disks_are_made_whole_or_not_at_all(void **state)
{
	each_allocation_fails(*state, create_fixed);
}

static void children_are_made_whole_or_not_at_all(void **state)
{
	each_allocation_fails(*state, create_difference);
}

static void fields_bear_lack_of_memory(void **state)
{
	each_allocation_fails(*state, every_field);
}

static void a_full_store_leaves_no_file(void **state)
{
	const struct rlimit small = {MIB, RLIM_INFINITY};
	struct kit *kit = *state;
	struct rlimit before;
	struct vhd *disk;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(create_fixed(kit, &disk), VHD_E_NOSPC);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(kit_count(kit), 0);
	assert_non_null(strstr(kit->err.text, "/new.vhd: "));
	assert_int_equal(kit->err.sys, EFBIG);
}

static void become(uid_t uid)
{
	if (getuid() == 0)
		assert_int_equal(seteuid(uid), 0);
}

static void lack_of_permission_is_told(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	assert_int_equal(chmod(kit_path(kit, "d.vhd"), 0), 0);
	assert_int_equal(chmod(kit->dir, 0555), 0);
	become(NOBODY);
	assert_int_equal(kit_refused(kit, "d.vhd", 0), VHD_E_FORBIDDEN);
	assert_int_equal(kit->err.sys, EACCES);
	assert_non_null(strstr(kit->err.text, "/d.vhd: Permission denied"));
	assert_int_equal(create_dynamic(kit, &disk), VHD_E_FORBIDDEN);
	become(0);
	assert_int_equal(chmod(kit->dir, 0755), 0);
	assert_int_equal(kit_count(kit), 1);
}

static void descriptors_that_run_out_are_an_error(void **state)
{
	const struct rlimit none = {0, 4096};
	struct kit *kit = *state;
	struct rlimit before;

	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){none.rlim_cur, before.rlim_max}),
			 0);
	assert_int_equal(kit_refused(kit, "d.vhd", 0), VHD_E_IO);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(kit->err.sys, EMFILE);
}

static void a_root_that_is_gone_has_nothing(void **state)
{
	struct kit *kit = *state;
	const char *const roots[] = {"relative", "/nowhere-at-all", NULL};

	kit->paths.roots = roots;
	kit->paths.n_roots = 2;
	assert_int_equal(kit_refused(kit, "/nowhere-at-all/d.vhd", 0), VHD_E_NOT_FOUND);
	assert_int_equal(kit_refused(kit, "/relative/d.vhd", 0), VHD_E_FORBIDDEN);
}

static void a_working_folder_that_is_gone_is_an_error(void **state)
{
	struct kit *kit = *state;

	kit_folder(kit, "gone");
	assert_int_equal(chdir(kit_path(kit, "gone")), 0);
	assert_int_equal(rmdir(kit_path(kit, "gone")), 0);
	kit->paths.search = NULL;
	assert_int_equal(kit_refused(kit, "d.vhd", 0), VHD_E_IO);
	assert_int_equal(kit->err.sys, ENOENT);
	assert_int_equal(chdir("/"), 0);
}

static void relative_search_folders_lie_below_the_working_folder(void **state)
{
	static const char *const search[] = {"sub", "."};
	struct kit *kit = *state;
	struct vhd *disk;

	kit_folder(kit, "sub");
	kit_make_root(kit, "sub/d.vhd", 1, 0, 'a');
	kit_make_root(kit, "e.vhd", 2, 0, 'b');
	assert_int_equal(chdir(kit->dir), 0);
	kit->paths.search = search;
	kit->paths.n_search = 2;
	disk = kit_open(kit, "d.vhd", 0);
	vhd_close(disk);
	disk = kit_open(kit, "e.vhd", 0);
	vhd_close(disk);
	assert_int_equal(chdir("/"), 0);
	kit->root = "/";
	assert_int_equal(kit_refused(kit, "e.vhd", 0), VHD_E_NOT_FOUND);
}

static void the_same_file_in_two_folders_counts_as_one_image(void **state)
{
	struct kit *kit = *state;
	struct vhd *first, *second;

	kit_folder(kit, "sub");
	kit_make_root(kit, "d.vhd", 1, 0, 'a');
	assert_int_equal(link(kit_path(kit, "d.vhd"), kit_path(kit, "sub/d.vhd")), 0);
	first = kit_open(kit, "d.vhd", 0);
	second = kit_open(kit, "sub/d.vhd", 0);
	kit_check(second, 0, 'a');
	vhd_close(second);
	kit_copy(kit, "d.vhd", "copy.vhd");
	assert_int_equal(kit_refused(kit, "copy.vhd", 0), VHD_E_EXISTS);
	vhd_close(first);
}

/* ---- one file of a chain after the other ---- */

static int find_both(struct kit *kit, struct vhd **ret_disk)
{
	struct vhd_file child = {.fd = -1}, parent = {.fd = -1};
	struct vhd_io io;
	int r = vhd_find_file(&kit->paths, "c.vhd", &child, &kit->err);

	if (r < 0)
		return r;
	r = vhd_io_from_fd(child.fd, &io, &kit->err);
	if (r < 0) {
		(void)close(child.fd);
		return r;
	}
	r = vhd_open(kit->engine, &io, VHD_NO_PARENT, NULL, ret_disk, &kit->err);
	if (r < 0)
		vhd_io_close(&io);
	if (r == 0)
		r = vhd_find_parent(&kit->paths, *ret_disk, &parent, &kit->err);
	if (r == 0)
		(void)close(parent.fd);
	return r;
}

static void finding_bears_lack_of_memory(void **state)
{
	each_allocation_fails(*state, find_both);
}

/* Where `file` is, whatever led to it; it is closed. */
static void expect_at(struct kit *kit, const struct vhd_file *file, const char *name)
{
	struct stat st;

	assert_string_equal(file->path, kit_path(kit, name));
	assert_int_equal(stat(file->path, &st), 0);
	assert_int_equal(file->device, st.st_dev);
	assert_int_equal(file->inode, st.st_ino);
	assert_int_equal(file->names, st.st_nlink);
	assert_int_equal(close(file->fd), 0);
}

static void files_are_told_by_their_real_paths(void **state)
{
	struct kit *kit = *state;
	struct vhd_file file;

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_folder(kit, "sub");
	assert_int_equal(symlink("../p.vhd", kit_path(kit, "sub/link.vhd")), 0);
	assert_int_equal(vhd_find_file(&kit->paths, "p.vhd", &file, &kit->err), 0);
	expect_at(kit, &file, "p.vhd");
	assert_int_equal(vhd_find_file(&kit->paths, "sub/../sub/link.vhd", &file, &kit->err), 0);
	assert_string_equal(file.name, kit_path(kit, "sub/../sub/link.vhd"));
	expect_at(kit, &file, "p.vhd");
	assert_int_equal(vhd_find_file(&kit->paths, "no.vhd", &file, &kit->err), VHD_E_NOT_FOUND);
}

static void names_that_are_no_text_are_refused(void **state)
{
	static const char *const names[] = {"new\nline.vhd", "\x7f.vhd", "\xff.vhd"};
	struct kit *kit = *state;
	struct vhd_file file;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		kit_make_root(kit, names[i], (uint8_t)(i + 1), 0, 'a');
		assert_int_equal(vhd_find_file(&kit->paths, names[i], &file, &kit->err),
				 VHD_E_FORBIDDEN);
		assert_non_null(strstr(kit->err.text, "the path is not printable UTF-8"));
	}
}

static int find_parent(struct kit *kit, const char *child, struct vhd_file *ret_file)
{
	struct vhd *disk = kit_open(kit, child, VHD_NO_PARENT);
	int r = vhd_find_parent(&kit->paths, disk, ret_file, &kit->err);

	vhd_close(disk);
	return r;
}

static void parents_are_found_one_at_a_time(void **state)
{
	struct kit *kit = *state;
	struct vhd_file file;
	uint8_t footer[512];

	kit_make_root(kit, "p.vhd", 1, 0, 'a');
	kit_make_child(kit, "c.vhd", "p.vhd", 2, 9, 'c');
	assert_int_equal(find_parent(kit, "c.vhd", &file), 0);
	expect_at(kit, &file, "p.vhd");
	assert_int_equal(find_parent(kit, "p.vhd", &file), VHD_E_INVALID);
	assert_string_equal(kit->err.text, "the image has no parent");
	kit_make_root(kit, "other.vhd", 3, 0, 'a');
	kit_move(kit, "p.vhd", "aside");
	assert_int_equal(find_parent(kit, "c.vhd", &file), VHD_E_PARENT_MISSING);
	kit_copy(kit, "other.vhd", "p.vhd");
	assert_int_equal(find_parent(kit, "c.vhd", &file), VHD_E_PARENT_MISMATCH);
	/* A growing disk with the footer of a fixed one behind it. */
	kit_done(kit_fixed(kit, "fixed.vhd", MIB, 4));
	kit_peek(kit, "fixed.vhd", footer, sizeof footer, MIB);
	kit_move(kit, "aside", "p.vhd");
	kit_poke(kit, "p.vhd", footer, sizeof footer, kit_size(kit, "p.vhd"));
	assert_int_equal(find_parent(kit, "c.vhd", &file), VHD_E_PARENT_MISSING);
	assert_non_null(
		strstr(kit->err.text, "p.vhd (a fixed disk or a growing one, nobody can tell)"));
}

static void blocks_are_checked_on_demand(void **state)
{
	struct kit *kit = *state;
	struct vhd *disk = kit_fixed(kit, "fixed.vhd", MIB, 1);
	uint8_t entry[4];

	assert_int_equal(vhd_check_blocks(disk, &kit->err), 0);
	kit_done(disk);
	disk = kit_dynamic(kit, "d.vhd", 8 * MIB, 2);
	kit_fill(disk, 0, 1, 'a');
	kit_fill(disk, SECTORS_PER_BLOCK, 1, 'b');
	assert_int_equal(vhd_flush(disk, 0, &kit->err), 0);
	assert_int_equal(vhd_check_blocks(disk, &kit->err), 0);
	kit_done(disk);
	kit_peek(kit, "d.vhd", entry, sizeof entry, 1536);
	kit_poke(kit, "d.vhd", entry, sizeof entry, 1540);
	disk = kit_open(kit, "d.vhd", 0);
	assert_int_equal(vhd_check_blocks(disk, &kit->err), VHD_E_CORRUPT);
	assert_string_equal(
		kit->err.text,
		"block table: entry 0 at 0x600 is sector 0x7, entry 1 at 0x604 is sector "
		"0x7: the blocks lie on each other");
	vhd_close(disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(opening_bears_lack_of_memory),
		KIT_TEST(finding_bears_lack_of_memory),
		KIT_TEST(files_are_told_by_their_real_paths),
		KIT_TEST(names_that_are_no_text_are_refused),
		KIT_TEST(parents_are_found_one_at_a_time),
		KIT_TEST(blocks_are_checked_on_demand),
		KIT_TEST(dynamic_disks_are_made_whole_or_not_at_all),
		KIT_TEST(fixed_disks_are_made_whole_or_not_at_all),
		KIT_TEST(children_are_made_whole_or_not_at_all),
		KIT_TEST(fields_bear_lack_of_memory),
		KIT_TEST(a_full_store_leaves_no_file),
		KIT_TEST(lack_of_permission_is_told),
		KIT_TEST(descriptors_that_run_out_are_an_error),
		KIT_TEST(a_root_that_is_gone_has_nothing),
		KIT_TEST(a_working_folder_that_is_gone_is_an_error),
		KIT_TEST(relative_search_folders_lie_below_the_working_folder),
		KIT_TEST(the_same_file_in_two_folders_counts_as_one_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
