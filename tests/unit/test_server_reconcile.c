/* test_server_reconcile.c - every way in which catalog and pool may differ has its finding, and
 * nothing is changed by looking. */
#include "reconcile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "pool_world.h"
#include "test.h"

static bool no_memory; /* for a look */

struct vhd_engine *__real_reconcile_engine(void);
struct vhd_engine *__wrap_reconcile_engine(void);

struct vhd_engine *__wrap_reconcile_engine(void)
{
	return no_memory ? NULL : __real_reconcile_engine();
}

/* The image is deleted, to the end, right before what was found of it is put on record; once. */
static struct pool_world *goes;

void __real_findings_set(struct findings *findings, const uint8_t *id, const struct finding *items,
			 size_t n);
void __wrap_findings_set(struct findings *findings, const uint8_t *id, const struct finding *items,
			 size_t n);
void __real_findings_meet(struct findings *findings, const struct finding *finding);
void __wrap_findings_meet(struct findings *findings, const struct finding *finding);

static void go(const uint8_t *id)
{
	struct pool_world *world = goes;

	goes = NULL;
	if (!world)
		return;
	assert_int_equal(catalog_forget(world->catalog, id, 0, &world->err), 0);
	findings_forget(world->reconcile.findings, id);
}

void __wrap_findings_set(struct findings *findings, const uint8_t *id, const struct finding *items,
			 size_t n)
{
	go(id);
	__real_findings_set(findings, id, items, n);
}

void __wrap_findings_meet(struct findings *findings, const struct finding *finding)
{
	go(finding->id);
	__real_findings_meet(findings, finding);
}

#define ID(n)   "ee000000-0000-0000-0000-0000000000" n
#define FILE(n) "'image-" n "': default/" ID("0" n) ".vhd "

/* 1 - 2, a chain of one child; 3, dynamic; 4, fixed; 5 - 6 - 7, a longer chain. */
static const struct pool_image forest[] = {
	{.number = 1, .type = VHD_DYNAMIC}, {.number = 2, .parent = 1},
	{.number = 3, .type = VHD_DYNAMIC}, {.number = 4, .type = VHD_FIXED, .size = 65536},
	{.number = 5, .type = VHD_DYNAMIC}, {.number = 6, .parent = 5},
	{.number = 7, .parent = 6},
};

static int set_up(void **state)
{
	struct pool_world *world = pool_world_new();

	for (size_t i = 0; i < sizeof forest / sizeof *forest; i++)
		pool_world_write(world, &forest[i]);
	pool_world_rows(world, forest, sizeof forest / sizeof *forest);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	pool_world_free(*state);
	return 0;
}

/* ---- what somebody does to the files ---- */

struct deed;
typedef void deed_fn(struct pool_world *world, const struct deed *deed);

struct deed {
	const char *name;
	deed_fn *act;
	unsigned image, other;
	long at; /* bytes; negative: from the end */
	const char *file;
	const char *findings; /* lines, sorted */
	struct pool_image again;
};

static void nothing(struct pool_world *world, const struct deed *deed)
{
	(void)world;
	(void)deed;
}

static void remove_file(struct pool_world *world, const struct deed *deed)
{
	assert_int_equal(unlink(pool_world_file(world, deed->image)), 0);
}

static void remove_all(struct pool_world *world, const struct deed *deed)
{
	(void)deed;
	for (unsigned i = 1; i <= 7; i++)
		assert_int_equal(unlink(pool_world_file(world, i)), 0);
}

static void link_away(struct pool_world *world, const struct deed *deed)
{
	const char *aside = pool_world_path(world, "../aside");

	assert_int_equal(rename(pool_world_file(world, deed->image), aside), 0);
	assert_int_equal(symlink(aside, pool_world_file(world, deed->image)), 0);
}

static void make_folder(struct pool_world *world, const struct deed *deed)
{
	remove_file(world, deed);
	assert_int_equal(mkdir(pool_world_file(world, deed->image), 0700), 0);
}

static void make_fifo(struct pool_world *world, const struct deed *deed)
{
	remove_file(world, deed);
	assert_int_equal(mkfifo(pool_world_file(world, deed->image), 0600), 0);
}

static void hard_link(struct pool_world *world, const struct deed *deed)
{
	assert_int_equal(
		link(pool_world_file(world, deed->image), pool_world_path(world, "../second")), 0);
}

static void give_away(struct pool_world *world, const struct deed *deed)
{
	assert_int_equal(chown(pool_world_file(world, deed->image), 12345, (gid_t)-1), 0);
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

/* By so many bytes. */
static void resize(struct pool_world *world, const struct deed *deed)
{
	const char *path = pool_world_file(world, deed->image);

	assert_int_equal(truncate(path, (off_t)size_of(path) + deed->at), 0);
}

static void empty(struct pool_world *world, const struct deed *deed)
{
	assert_int_equal(truncate(pool_world_file(world, deed->image), 0), 0);
}

static void put(const char *path, const void *bytes, size_t len, long at)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	off_t off = at < 0 ? (off_t)size_of(path) + at : at;

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, off), len);
	(void)close(fd);
}

static void wipe_sector(struct pool_world *world, const struct deed *deed)
{
	static const uint8_t zero[512];

	put(pool_world_file(world, deed->image), zero, sizeof zero, deed->at);
}

static void wipe_footers(struct pool_world *world, const struct deed *deed)
{
	struct deed end = *deed;

	end.at = -512;
	wipe_sector(world, &end);
	wipe_sector(world, deed);
}

static void flip(struct pool_world *world, const struct deed *deed)
{
	const char *path = pool_world_file(world, deed->image);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(
		pread(fd, &byte, 1, deed->at < 0 ? (off_t)size_of(path) + deed->at : deed->at), 1);
	(void)close(fd);
	byte ^= 1;
	put(path, &byte, 1, deed->at);
}

/* And nobody shall see it by the time. */
static void flip_quietly(struct pool_world *world, const struct deed *deed)
{
	const char *path = pool_world_file(world, deed->image);
	struct timespec times[2];
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	flip(world, deed);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void touch(struct pool_world *world, const struct deed *deed)
{
	const struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 5}};

	assert_int_equal(utimensat(AT_FDCWD, pool_world_file(world, deed->image), times, 0), 0);
}

static void copy_file(const char *from, const char *to)
{
	char command[600];

	(void)snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

static void copy_as(struct pool_world *world, const struct deed *deed)
{
	copy_file(pool_world_file(world, deed->image), pool_world_path(world, deed->file));
}

/* By a copy, as a restore from a backup does. */
static void replace_by_copy(struct pool_world *world, const struct deed *deed)
{
	const char *aside = pool_world_path(world, "../aside");

	copy_file(pool_world_file(world, deed->image), aside);
	assert_int_equal(rename(aside, pool_world_file(world, deed->image)), 0);
}

static void swap(struct pool_world *world, const struct deed *deed)
{
	const char *aside = pool_world_path(world, "../aside");

	assert_int_equal(rename(pool_world_file(world, deed->image), aside), 0);
	assert_int_equal(
		rename(pool_world_file(world, deed->other), pool_world_file(world, deed->image)),
		0);
	assert_int_equal(rename(aside, pool_world_file(world, deed->other)), 0);
}

static void make_again(struct pool_world *world, const struct deed *deed)
{
	pool_world_write(world, &deed->again);
}

static void write_text(struct pool_world *world, const struct deed *deed)
{
	FILE *out = fopen(pool_world_path(world, deed->file), "w");

	assert_non_null(out);
	for (int i = 0; i < 1000; i++)
		(void)fputs("no image\n", out);
	(void)fclose(out);
}

static void overwrite(struct pool_world *world, const struct deed *deed)
{
	uint8_t id[IDS_SIZE];
	char name[POOL_NAME];
	struct deed text = *deed;

	pool_world_id(deed->image, id);
	pool_file_name(id, name);
	text.file = name;
	write_text(world, &text);
}

static void link_stranger(struct pool_world *world, const struct deed *deed)
{
	assert_int_equal(symlink("/etc/passwd", pool_world_path(world, deed->file)), 0);
}

static void make_stranger_folder(struct pool_world *world, const struct deed *deed)
{
	assert_int_equal(mkdir(pool_world_path(world, deed->file), 0700), 0);
}

static void dirty_without_tail(struct pool_world *world, const struct deed *deed)
{
	uint64_t generation;
	uint8_t id[IDS_SIZE];

	pool_world_id(deed->image, id);
	assert_int_equal(catalog_mark_dirty(world->catalog, id, &generation, &world->err), 0);
	resize(world, deed);
}

/* ---- the table ---- */

static const struct deed deeds[] = {
	{"nothing is done", nothing, .findings = ""},
	{"a leaf is gone", remove_file, .image = 2,
	 .findings = "missing-file: " FILE("2") "is not there\n"},
	{"a parent is gone", remove_file, .image = 1,
	 .findings = "missing-file: " FILE("1") "is not there\n"},
	{"all are gone", remove_all,
	 .findings = "missing-file: " FILE(
		 "1") "is not there\n"
		      "missing-file: " FILE(
			      "2") "is not there\n"
				   "missing-file: " FILE(
					   "3") "is not there\n"
						"missing-file: " FILE(
							"4") "is not there\n"
							     "missing-file: " FILE(
								     "5") "is not there\n"
									  "missing-file: " FILE(
										  "6") "is not there\n"
										       "missing-file: " FILE(
											       "7") "is not there\n"},
	{"a symbolic link to the file", link_away, .image = 3,
	 .findings = "symlink: " FILE("3") "is a symbolic link, which is not followed\n"},
	{"a folder in its place", make_folder, .image = 3,
	 .findings = "not-regular: " FILE("3") "is not a regular file\n"},
	{"a pipe in its place", make_fifo, .image = 3,
	 .findings = "not-regular: " FILE("3") "is not a regular file\n"},
	{"a second name", hard_link, .image = 3,
	 .findings = "hard-link: " FILE("3") "has 2 names\n"},
	{"another owner", give_away, .image = 3,
	 .findings = "wrong-owner: " FILE("3") "belongs to user 12345\n"},
	{"one byte too short", resize, .image = 3, .at = -1,
	 .findings = "truncated: " FILE("3") "has 2559 bytes, and had 2560\n"},
	{"the footer is cut off", resize, .image = 3, .at = -512,
	 .findings = "truncated: " FILE("3") "has 2048 bytes, and had 2560\n"},
	{"nothing is left", empty, .image = 3,
	 .findings = "truncated: " FILE("3") "has 0 bytes, and had 2560\n"},
	{"2 MiB too long", resize, .image = 3, .at = 2 << 20,
	 .findings = "unclean-footer: " FILE("3") "has no footer at its end\n"},
	{"the footer is wiped", wipe_sector, .image = 3, .at = -512,
	 .findings = "unclean-footer: " FILE("3") "has no footer at its end\n"},
	{"the copy of the footer is wiped", wipe_sector, .image = 3, .at = 0,
	 .findings = "unclean-footer: " FILE("3") "has no footer at its start\n"},
	{"both are wiped", wipe_footers, .image = 3, .at = 0,
	 .findings = "not-a-vhd: " FILE("3") "no VHD footer at the end or the start of the file\n"},
	{"a bit of the footer has flipped", flip, .image = 3, .at = -300,
	 .findings = "unclean-footer: " FILE("3") "has no footer at its end\n"},
	{"the footer of a fixed image is wiped", wipe_sector, .image = 4, .at = -512,
	 .findings = "not-a-vhd: " FILE("4") "no VHD footer at the end or the start of the file\n"},
	{"the header is wiped", wipe_sector, .image = 3, .at = 512,
	 .findings = "damaged: " FILE(
		 "3") "header: cookie 0x0000000000000000 at 0: not \"cxsparse\"\n"},
	{"text in its place", overwrite, .image = 3,
	 .findings = "not-a-vhd: " FILE("3") "no VHD footer at the end or the start of the file\n"},
	{"two leaves are swapped", swap, .image = 2, .other = 3,
	 .findings = "wrong-id: " FILE("2") "is the image " ID(
		 "03") "\n"
		       "wrong-id: " FILE("3") "is the image " ID("02") "\n"},
	{"parent and child are swapped", swap, .image = 1, .other = 2,
	 .findings = "wrong-id: " FILE("1") "is the image " ID(
		 "02") "\n"
		       "wrong-id: " FILE("2") "is the image " ID("01") "\n"},
	{"made again with another size", make_again,
	 .again = {.number = 3, .type = VHD_DYNAMIC, .size = 1 << 21},
	 .findings = "wrong-size: " FILE("3") "is a disk of 2097152 bytes, not 1048576\n"},
	{"made again with other blocks", make_again,
	 .again = {.number = 3, .type = VHD_DYNAMIC, .block_size = 512 << 10},
	 .findings = "wrong-block-size: " FILE("3") "has blocks of 524288 bytes, not 2097152\n"},
	{"made again as fixed", make_again, .again = {.number = 3, .type = VHD_FIXED},
	 .findings = "wrong-type: " FILE("3") "is of type 2, not 3\n"},
	{"made again below another parent", make_again, .again = {.number = 2, .parent = 3},
	 .findings = "wrong-parent: " FILE("2") "has the parent " ID("03") "\n"},
	{"a child made again without parent", make_again, .again = {.number = 7, .type = VHD_FIXED},
	 .findings = "wrong-type: " FILE("7") "is of type 2, not 4\n"},
	{"a parent made again", make_again,
	 .again = {.number = 1, .type = VHD_DYNAMIC, .size = 1 << 20},
	 .findings = "parent-touched: " FILE(
		 "1") "was touched since it got its first child; it has the same content\n"},
	{"a parent has grown", resize, .image = 5, .at = 512,
	 .findings = "parent-changed: " FILE(
		 "5") "has 3072 bytes, and had 2560 when it got its first child\n"},
	{"the footer of a parent is wiped", wipe_sector, .image = 5, .at = -512,
	 .findings = "parent-changed: " FILE(
		 "5") "has another footer, header or block table than when it got its first child\n"},
	{"the header of a parent is wiped", wipe_sector, .image = 6, .at = 512,
	 .findings = "parent-changed: " FILE(
		 "6") "has another footer, header or block table than when it got its first child\n"},
	{"the block table of a parent has changed", flip, .image = 1, .at = 1536 + 3,
	 .findings = "parent-changed: " FILE(
		 "1") "has another footer, header or block table than when it got its first child\n"},
	{"the same, with the old time", flip_quietly, .image = 6, .at = 1536 + 3,
	 .findings = "parent-changed: " FILE(
		 "6") "has another footer, header or block table than when it got its first child\n"},
	{"a parent was touched", touch, .image = 5,
	 .findings = "parent-touched: " FILE(
		 "5") "was touched since it got its first child; it has the same content\n"},
	{"a parent comes from a copy", replace_by_copy, .image = 5,
	 .findings = "parent-touched: " FILE(
		 "5") "was touched since it got its first child; it has the same content\n"},
	{"a leaf was touched", touch, .image = 7, .findings = ""},
	{"a leaf comes from a copy", replace_by_copy, .image = 7, .findings = ""},
	{"a copy under another name", copy_as, .image = 3, .file = "copy of it.vhd",
	 .findings = "duplicate-id: default/copy of it.vhd has the id of image " ID("03") "\n"},
	{"a copy under a name like ours", copy_as, .image = 3, .file = ID("99") ".vhd",
	 .findings = "duplicate-id: default/" ID("99") ".vhd has the id of image " ID("03") "\n"},
	{"an image that the catalog lacks", make_again, .again = {.number = 8, .type = VHD_DYNAMIC},
	 .findings = "unknown-image: default/" ID("08") ".vhd is the image " ID(
		 "08") ", which the catalog lacks\n"},
	{"a file that is no image", write_text, .file = "notes.txt",
	 .findings = "foreign-file: default/notes.txt is no image\n"},
	{"a strange link", link_stranger, .file = "passwd.vhd",
	 .findings = "foreign-file: default/passwd.vhd is a symbolic link\n"},
	{"a strange folder", make_stranger_folder, .file = "old",
	 .findings = "foreign-file: default/old is a folder\n"},
	{"a creation that nobody knows", copy_as, .image = 3, .file = ".new-" ID("77"),
	 .findings =
		 "left-over: default/.new-" ID("77") " was left over, and belongs to no image\n"},
	{"one with a bad name", write_text, .file = ".new-something",
	 .findings = "left-over: default/.new-something was left over, and belongs to no image\n"},
	{"a crash, which is repaired when it is opened", dirty_without_tail, .image = 3, .at = -512,
	 .findings = ""},
};

static int compare(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int r = strcmp(findings_name(x->kind), findings_name(y->kind));

	return r ? r : strcmp(x->text, y->text);
}

static void lines_of(struct pool_world *world, char *ret_text, size_t size)
{
	static struct finding items[64];
	struct findings_count count;
	size_t n = findings_list(world->reconcile.findings, items, 64, &count), at = 0;

	assert_int_equal(n, count.all);
	qsort(items, n, sizeof *items, compare);
	*ret_text = '\0';
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(ret_text + at, size - at, "%s: %s\n",
				       findings_name(items[i].kind), items[i].text);
}

static void names_of(struct pool_world *world, char *ret_text, size_t size)
{
	char command[128];
	FILE *in;
	size_t n;

	(void)snprintf(command, sizeof command, "ls -lAn --time-style=full-iso '%s/images'",
		       world->folder);
	in = popen(command, "r");
	assert_non_null(in);
	n = fread(ret_text, 1, size - 1, in);
	ret_text[n] = '\0';
	(void)pclose(in);
}

static void finds_every_divergence(void **state)
{
	static char text[8192], before[8192], after[8192];

	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
		void *world = NULL;

		if (deeds[i].act == give_away && geteuid() != 0)
			continue;
		print_message("%s\n", deeds[i].name);
		(void)set_up(&world);
		deeds[i].act(world, &deeds[i]);
		names_of(world, before, sizeof before);
		assert_int_equal(reconcile_all(&((struct pool_world *)world)->reconcile), 0);
		lines_of(world, text, sizeof text);
		assert_string_equal(text, deeds[i].findings);
		names_of(world, after, sizeof after);
		assert_string_equal(before, after);
		(void)tear_down(&world);
	}
	(void)state;
}

static void forgets_what_was_put_right(void **state)
{
	struct pool_world *world = *state;
	struct finding finding;
	uint8_t id[IDS_SIZE];

	pool_world_id(3, id);
	assert_int_equal(rename(pool_world_file(world, 3), pool_world_path(world, "../aside")), 0);
	(void)reconcile_image(&world->reconcile, id);
	assert_true(findings_serious(world->reconcile.findings, id, &finding));
	assert_int_equal(findings_effect(finding.kind), FINDING_MISSING);
	assert_int_equal(rename(pool_world_path(world, "../aside"), pool_world_file(world, 3)), 0);
	(void)reconcile_image(&world->reconcile, id);
	assert_false(findings_any_serious(world->reconcile.findings));
}

/* Nobody looks at it again, so /readyz told of it until the daemon ended. */
static void knows_nothing_of_an_image_that_went_meanwhile(void **state)
{
	struct pool_world *world = *state;
	const struct vhd_error why = {.code = VHD_E_CORRUPT, .text = "block 1: torn"};
	struct findings_count count;
	struct finding finding;
	uint8_t id[IDS_SIZE];

	pool_world_id(3, id);
	assert_int_equal(unlink(pool_world_file(world, 3)), 0);
	goes = world;
	assert_true(reconcile_image(&world->reconcile, id));
	assert_null(goes);
	assert_int_equal(findings_list(world->reconcile.findings, &finding, 1, &count), 0);
	assert_int_equal(count.all, 0);
	pool_world_id(4, id);
	goes = world;
	reconcile_met(&world->reconcile, id, &why);
	assert_null(goes);
	assert_int_equal(findings_list(world->reconcile.findings, &finding, 1, &count), 0);
	assert_int_equal(count.all, 0);
}

static int64_t checked_at(struct pool_world *world, unsigned image)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	uint8_t id[IDS_SIZE];

	pool_world_id(image, id);
	assert_int_equal(catalog_get(world->catalog, id, &row, &world->err), 0);
	return row.checked_at;
}

/* As long as the catalog is open: what was found by others is not what this one knows. */
static void remembers_when_it_has_looked(void **state)
{
	struct pool_world *world = *state;
	int64_t before = clock_wall_ms();
	int64_t first, other;
	uint8_t id[IDS_SIZE];

	assert_int_equal(checked_at(world, 3), 0);
	assert_int_equal(reconcile_all(&world->reconcile), 0);
	first = checked_at(world, 3);
	assert_true(first >= before && first <= clock_wall_ms());
	other = checked_at(world, 7);
	assert_true(other >= before);
	pool_world_id(3, id);
	no_memory = true;
	while (clock_wall_ms() <= first)
		;
	assert_false(reconcile_image(&world->reconcile, id));
	no_memory = false;
	assert_int_equal(checked_at(world, 3), first);
	assert_int_equal(unlink(pool_world_file(world, 3)), 0);
	assert_true(reconcile_image(&world->reconcile, id));
	assert_true(checked_at(world, 3) > first);
	assert_int_equal(checked_at(world, 7), other);
	pool_world_close(world);
	pool_world_open(world);
	assert_int_equal(checked_at(world, 3), 0);
}

/* What a crash left is repaired, but not in the file of another image. */
static void keeps_repair_from_the_wrong_file(void **state)
{
	static const struct deed swapped = {.image = 3, .other = 7};
	struct pool_world *world = *state;
	struct catalog_brief brief;
	struct vhd_error err = {0};
	uint64_t generation;
	uint8_t id[IDS_SIZE];
	int fd;

	pool_world_id(3, id);
	assert_int_equal(catalog_mark_dirty(world->catalog, id, &generation, &world->err), 0);
	assert_true(catalog_brief(world->catalog, id, &brief));
	fd = open(pool_world_file(world, 3), O_RDONLY | O_CLOEXEC);
	assert_int_equal(reconcile_opened(&world->reconcile, id, &brief, fd, &err), 0);
	swap(world, &swapped);
	assert_int_equal(reconcile_opened(&world->reconcile, id, &brief, fd, &err),
			 VHD_E_NOT_FOUND);
	assert_string_equal(err.text, FILE("3") "is the image " ID("07"));
	(void)close(fd);
}

/* Of an image that came from an older catalog. */
static void seals_what_has_no_seal(void **state)
{
	struct pool_world *world = pool_world_new();
	struct catalog_image rows[2] = {{.version = 0}, {.version = 0}};
	struct catalog_brief brief;
	uint8_t id[IDS_SIZE];

	for (unsigned i = 0; i < 2; i++) {
		CLEANUP(catalog_image_fini) struct catalog_image row = {0};

		pool_world_write(world, &forest[i]);
		pool_world_id(i + 1, id);
		assert_int_equal(
			catalog_get(((struct pool_world *)*state)->catalog, id, &row, NULL), 0);
		rows[i] = row;
		rows[i].sealed = false;
	}
	assert_int_equal(catalog_restore(world->catalog, rows, 2, &world->err), 0);
	pool_world_id(1, id);
	assert_true(catalog_brief(world->catalog, id, &brief) && !brief.sealed);
	assert_int_equal(reconcile_all(&world->reconcile), 0);
	assert_true(catalog_brief(world->catalog, id, &brief) && brief.sealed);
	pool_world_close(world);
	pool_world_open(world);
	assert_true(catalog_brief(world->catalog, id, &brief) && brief.sealed);
	assert_int_equal(brief.seal.file_bytes, 2560);
	pool_world_free(world);
}

static void a_file_that_nobody_could_look_at_is_not_repaired(void **state)
{
	struct pool_world *world = *state;
	struct catalog_brief brief;
	struct vhd_error err = {0};
	uint8_t id[IDS_SIZE];
	int fd = open(pool_world_file(world, 3), O_RDONLY | O_CLOEXEC);

	pool_world_id(3, id);
	assert_true(catalog_brief(world->catalog, id, &brief));
	brief.dirty = true;
	assert_int_equal(reconcile_opened(&world->reconcile, id, &brief, fd, &err), 0);
	no_memory = true;
	assert_int_equal(reconcile_opened(&world->reconcile, id, &brief, fd, &err), VHD_E_NOMEM);
	no_memory = false;
	assert_string_equal(err.text, "out of memory");
	(void)close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_divergence),
		cmocka_unit_test_setup_teardown(forgets_what_was_put_right, set_up, tear_down),
		cmocka_unit_test_setup_teardown(knows_nothing_of_an_image_that_went_meanwhile,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(remembers_when_it_has_looked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_repair_from_the_wrong_file, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(seals_what_has_no_seal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_nobody_could_look_at_is_not_repaired,
						set_up, tear_down),
	};

	return cmocka_run_group_tests_name("server/reconcile", tests, NULL, NULL);
}
