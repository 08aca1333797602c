/* test_server_rebuild.c - a catalog made from the files is the one that was lost. */
#include "rebuild.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "must.h"
#include "pool_backup.h"
#include "pool_world.h"
#include "rng.h"
#include "test.h"

enum { IMAGES = 60, FORESTS = 5, SAID = 16384 };

static struct pool_image forest[IMAGES];
static char said[SAID];

/* Parents before their children; ids in no order. */
static void grow(struct rng *rng)
{
	static unsigned numbers[IMAGES];

	for (unsigned i = 0; i < IMAGES; i++)
		numbers[i] = i * 7919 % 10007 + 1;
	for (unsigned i = 0; i < IMAGES; i++) {
		struct pool_image *image = &forest[i];

		*image = (struct pool_image){.number = numbers[i], .type = VHD_DYNAMIC};
		if (i > 0 && !rng_one_in(rng, 4))
			image->parent = numbers[rng_below(rng, i)];
		else if (rng_one_in(rng, 3))
			image->type = VHD_FIXED;
		if (!image->parent)
			image->size = 512 * (1 + rng_below(rng, 100));
	}
}

static struct pool_world *world_of(struct rng *rng)
{
	struct pool_world *world = pool_world_new();

	grow(rng);
	for (size_t i = 0; i < IMAGES; i++)
		pool_world_write(world, &forest[i]);
	pool_world_rows(world, forest, IMAGES);
	return world;
}

static int rebuild(struct pool_world *world)
{
	FILE *out = fmemopen(said, sizeof said, "w");
	int status;

	assert_non_null(out);
	status = rebuild_catalog(world->folder, &world->config, out);
	(void)fclose(out);
	return status;
}

static void expect_same(struct pool_world *world, const struct pool_image *image, const char *name)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	uint8_t id[IDS_SIZE], parent[IDS_SIZE] = {0};
	char wanted[CATALOG_NAME];

	pool_world_id(image->number, id);
	if (image->parent)
		pool_world_id(image->parent, parent);
	assert_int_equal(catalog_get(world->catalog, id, &row, &world->err), 0);
	assert_memory_equal(row.parent_id, parent, IDS_SIZE);
	if (image->size)
		assert_int_equal(row.vhd.size, image->size);
	if (image->parent)
		assert_int_equal(row.kind, CATALOG_DIFFERENCING);
	else
		assert_int_equal(row.kind,
				 image->type == VHD_FIXED ? CATALOG_FIXED : CATALOG_DYNAMIC);
	(void)snprintf(wanted, sizeof wanted, "%s%u", name, image->number);
	if (*name)
		assert_string_equal(row.name, wanted);
	else
		assert_memory_equal(row.name, "img-ee000000", 12);
	assert_int_equal(row.dirty, row.children == 0);
}

static void expect_all(struct pool_world *world, const char *name)
{
	struct catalog_images list;

	pool_world_open(world);
	assert_int_equal(catalog_list(world->catalog, NULL, 1000, true, &list, &world->err), 0);
	assert_int_equal(list.total, IMAGES);
	catalog_images_fini(&list);
	for (size_t i = 0; i < IMAGES; i++)
		expect_same(world, &forest[i], name);
	assert_int_equal(reconcile_all(&world->reconcile), 0);
	assert_false(findings_any_serious(world->reconcile.findings));
	pool_world_close(world);
}

static void spoil(struct pool_world *world)
{
	int fd = open(world->path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "spoiled", 7, 0), 7);
	(void)close(fd);
}

static void finds_the_lineage_of_random_forests(void **state)
{
	struct rng rng = {rng_seed("rebuild")};

	(void)state;
	for (int i = 0; i < FORESTS; i++) {
		struct pool_world *world = world_of(&rng);

		/* The catalog is sound: its names are kept. */
		pool_world_close(world);
		assert_int_equal(rebuild(world), 0);
		assert_non_null(strstr(said, "names and labels come from"));
		assert_non_null(strstr(said, "the old catalog is "));
		expect_all(world, "image-");
		/* It is not, and there is a backup. */
		pool_world_open(world);
		assert_int_equal(catalog_backup(world->catalog, &world->err), 0);
		pool_world_close(world);
		spoil(world);
		assert_int_equal(rebuild(world), 0);
		assert_non_null(strstr(said, ".bak\n"));
		expect_all(world, "image-");
		pool_world_free(world);
	}
}

static void makes_up_names_without_a_backup(void **state)
{
	struct rng rng = {rng_seed("rebuild")};
	struct pool_world *world = world_of(&rng);

	(void)state;
	pool_world_close(world);
	assert_int_equal(unlink(world->path), 0);
	assert_int_equal(rebuild(world), 0);
	assert_non_null(strstr(said, " is not there\n"));
	assert_non_null(strstr(said, "there is no backup"));
	assert_non_null(strstr(said, "60 images got new names"));
	assert_null(strstr(said, "the old catalog is "));
	expect_all(world, "");
	pool_world_free(world);
}

/* Those below it are as they were, but for what they wait for. */
static void expect_orphans(struct pool_world *world)
{
	struct catalog_orphan orphan;
	struct catalog_brief brief;
	uint8_t first[IDS_SIZE], id[IDS_SIZE];

	pool_world_open(world);
	pool_world_id(1, first);
	pool_world_id(3, id);
	assert_true(catalog_brief(world->catalog, id, &brief) && brief.broken);
	assert_true(catalog_orphan_of(world->catalog, id, &orphan));
	assert_string_equal(orphan.name, "image-2");
	assert_memory_equal(orphan.parent_id, first, IDS_SIZE);
	pool_world_close(world);
}

static void leaves_out_what_it_cannot_place(void **state)
{
	static const struct pool_image images[] = {
		{.number = 1, .type = VHD_DYNAMIC},
		{.number = 2, .parent = 1},
		{.number = 3, .parent = 2},
		{.number = 4, .type = VHD_DYNAMIC},
	};
	struct pool_world *world = pool_world_new();
	uint8_t id[IDS_SIZE];
	struct catalog_brief brief;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		pool_world_write(world, &images[i]);
	pool_world_rows(world, images, 4);
	pool_world_close(world);
	assert_int_equal(unlink(pool_world_file(world, 1)), 0);
	assert_int_equal(link(pool_world_file(world, 4), pool_world_path(world, "../second")), 0);
	assert_int_equal(rebuild(world), 0);
	assert_non_null(strstr(said, "parent-missing image-2: its parent "
				     "ee000000-0000-0000-0000-000000000001 is not there\n"));
	assert_non_null(strstr(said, "004.vhd: it has more than one name\n"));
	assert_non_null(strstr(said, "2 images are in the new catalog\n"));
	expect_orphans(world);
	assert_int_equal(rebuild(world), 0);
	expect_orphans(world);
	assert_int_equal(access(pool_world_file(world, 2), F_OK), 0);
	/* The file comes back: so does all of it. */
	pool_world_write(world, &images[0]);
	assert_int_equal(unlink(pool_world_path(world, "../second")), 0);
	assert_int_equal(rebuild(world), 0);
	assert_non_null(strstr(said, "4 images are in the new catalog\n"));
	pool_world_open(world);
	pool_world_id(3, id);
	assert_true(catalog_brief(world->catalog, id, &brief) && !brief.broken);
	pool_world_free(world);
}

static void keeps_labels_and_seven_backups(void **state)
{
	struct pool_world *world = pool_world_new();
	struct catalog_label labels[2] = {{"env", "prod"}, {"role", "web"}};
	struct pool_image image = {.number = 1, .type = VHD_DYNAMIC};
	CLEANUP(catalog_image_fini) struct catalog_image row = {0}, again = {0};
	uint8_t id[IDS_SIZE];

	(void)state;
	pool_world_write(world, &image);
	pool_world_rows(world, &image, 1);
	pool_world_id(1, id);
	assert_int_equal(catalog_get(world->catalog, id, &row, &world->err), 0);
	row.labels = calloc(2, sizeof *row.labels);
	assert_non_null(row.labels);
	memcpy(row.labels, labels, sizeof labels);
	row.n_labels = 2;
	row.description = strdup("before upgrade");
	row.frozen = true;
	assert_int_equal(catalog_update(world->catalog, &row, &world->err), 0);
	assert_true(catalog_backup_due(world->catalog));
	assert_int_equal(catalog_backup(world->catalog, &world->err), 0);
	assert_false(catalog_backup_due(world->catalog));
	pool_world_close(world);
	spoil(world);
	assert_int_equal(rebuild(world), 0);
	pool_world_open(world);
	assert_int_equal(catalog_get(world->catalog, id, &again, &world->err), 0);
	assert_int_equal(again.n_labels, 2);
	assert_string_equal(again.labels[1].value, "web");
	assert_string_equal(again.description, "before upgrade");
	assert_true(again.frozen && !again.dirty);
	pool_world_free(world);
}

/* What the child says of its parent, and the file of the parent. */
static void set_times(struct pool_world *world, const struct pool_image *child, int64_t told,
		      int64_t mtime)
{
	const struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};

	world->parent_timestamp = (uint32_t)(told - CLOCK_2000);
	pool_world_write(world, child);
	assert_int_equal(utimensat(AT_FDCWD, pool_world_file(world, child->parent), times, 0), 0);
}

static void expect_in_catalog(struct pool_world *world, const char *numbers)
{
	for (unsigned number = 1; number <= strlen(numbers); number++) {
		struct catalog_brief brief;
		uint8_t id[IDS_SIZE];

		pool_world_id(number, id);
		assert_int_equal(catalog_brief(world->catalog, id, &brief),
				 numbers[number - 1] != '-');
		assert_int_equal(access(pool_world_file(world, number), F_OK), 0);
	}
}

/* 1 to 3 are a chain, as are 1 and 4. Which of them the catalog knows, and has in the end. */
static void leaves_out_forgotten_children_of_parents_that_were_written(void **state)
{
#define ID(n) "ee000000-0000-0000-0000-00000000000" n
#define LEFT_OUT(n, whose, parent)                                                          \
	"left out default/" ID(n) ".vhd: no catalog knows it, and " whose " " ID(           \
		parent) " was written since, so that its content may be another; its file " \
			"stays, and POST /v1/images with its path as source adopts it\n"
#define CHANGED(n)                                                                          \
	"parent-changed image-" n ": its parent image-1 was written since, by the time of " \
	"its file: compare what it reads with a copy, or delete it\n"
	static const struct pool_image images[] = {
		{.number = 1, .type = VHD_DYNAMIC},
		{.number = 2, .parent = 1},
		{.number = 3, .parent = 2},
		{.number = 4, .parent = 1},
	};
	static const struct {
		const char *known, *then;
		int64_t told, mtime; /* of image 1, by image 2; the others do not say */
		const char *line, *other;
	} rows[] = {
		{"1--4", "1--4", 1000000000, 1000000002, LEFT_OUT("2", "its parent", "1"),
		 LEFT_OUT("3", "an ancestor of its parent", "2")},
		{"1--4", "1--4", 1000000000, 999999998, LEFT_OUT("2", "its parent", "1"),
		 "2 images are in the new catalog"},
		{"1--4", "1234", 1000000000, 1000000001, "2 images got new names",
		 "4 images are in the new catalog"},
		{"1--4", "1234", CLOCK_2000, 1000000002, "2 images got new names",
		 "4 images are in the new catalog"},
		{"1234", "1234", 1000000000, 1000000002, CHANGED("2"),
		 "4 images are in the new catalog"},
		{"12-4", "1234", 1000000000, 1000000002, CHANGED("2"), "1 images got new names"},
		{"1-34", "1-34", 1000000000, 1000000002, LEFT_OUT("2", "its parent", "1"),
		 "parent-missing image-3: its parent " ID("2") " is left out\n"},
		{"----", "1234", 1000000000, 1000000002, "parent-changed img-",
		 "4 images are in the new catalog"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pool_world *world = pool_world_new();

		for (size_t k = 0; k < 4; k++)
			pool_world_write(world, &images[k]);
		set_times(world, &images[1], rows[i].told, rows[i].mtime);
		for (size_t k = 0; k < 4; k++) {
			if (rows[i].known[k] != '-')
				pool_world_rows(world, &images[k], 1);
		}
		pool_world_close(world);
		assert_int_equal(rebuild(world), 0);
		if (!strstr(said, rows[i].line) || !strstr(said, rows[i].other))
			fail_msg("row %zu: %s", i, said);
		pool_world_open(world);
		expect_in_catalog(world, rows[i].then);
		pool_world_free(world);
	}
#undef ID
#undef LEFT_OUT
#undef CHANGED
}

static void wipe_footer(const struct pool_world *world, unsigned number)
{
	static const uint8_t zeroes[512];
	int fd = open(pool_world_file(world, number), O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, zeroes, sizeof zeroes, lseek(fd, -512, SEEK_END)), 512);
	(void)close(fd);
}

static void freeze(struct pool_world *world, unsigned number)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	uint8_t id[IDS_SIZE];

	pool_world_id(number, id);
	assert_int_equal(catalog_get(world->catalog, id, &row, &world->err), 0);
	row.frozen = true;
	assert_int_equal(catalog_update(world->catalog, &row, &world->err), 0);
}

/* What says that it is frozen may be older than its thaw, and than a power cut after that. */
static void repairs_what_is_frozen_when_its_file_is_unclean(void **state)
{
	static const struct pool_image images[] = {
		{.number = 1, .type = VHD_DYNAMIC},
		{.number = 2, .type = VHD_DYNAMIC},
		{.number = 3, .type = VHD_DYNAMIC},
	};
	static const bool dirty[] = {false, true, true}; /* the third is not frozen */
	struct pool_world *world = pool_world_new();

	(void)state;
	for (size_t i = 0; i < 3; i++)
		pool_world_write(world, &images[i]);
	pool_world_rows(world, images, 3);
	freeze(world, 1);
	freeze(world, 2);
	pool_world_close(world);
	wipe_footer(world, 2);
	assert_int_equal(rebuild(world), 0);
	pool_world_open(world);
	for (unsigned i = 0; i < 3; i++) {
		struct catalog_brief brief;
		uint8_t id[IDS_SIZE];

		pool_world_id(i + 1, id);
		assert_true(catalog_brief(world->catalog, id, &brief));
		assert_int_equal(brief.frozen, i < 2);
		assert_int_equal(brief.dirty, dirty[i]);
	}
	assert_int_equal(reconcile_all(&world->reconcile), 0);
	assert_false(findings_any_serious(world->reconcile.findings));
	pool_world_free(world);
}

/* As somebody does who looks at it with the shell of SQLite. */
static void a_catalog_that_is_locked_keeps_its_names(void **state)
{
	struct pool_world *world = pool_world_new();
	struct pool_image image = {.number = 1, .type = VHD_DYNAMIC};
	uint8_t id[IDS_SIZE];
	sqlite3 *other = NULL;

	(void)state;
	pool_world_write(world, &image);
	pool_world_rows(world, &image, 1);
	pool_world_close(world);
	assert_int_equal(sqlite3_open(world->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(rebuild(world), 1);
	assert_non_null(strstr(said, "cannot be read: another process has locked it\n"));
	(void)sqlite3_close(other);
	pool_world_open(world);
	assert_int_equal(catalog_id_of(world->catalog, "image-1", id, &world->err), 0);
	pool_world_free(world);
}

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	(void)fclose(out);
}

/* Their names are times, to the second: old ones are made here. */
static void removes_the_oldest_backups(void **state)
{
	struct pool_world *world = pool_world_new();
	char path[POOL_BACKUP_PATH];

	(void)state;
	for (int i = 1; i <= 9; i++) {
		(void)snprintf(path, sizeof path, "%s.2020010%dT000000Z.bak", world->path, i);
		write_file(path, "");
	}
	assert_int_equal(catalog_backup(world->catalog, &world->err), 0);
	for (int i = 1; i <= 9; i++) {
		(void)snprintf(path, sizeof path, "%s.2020010%dT000000Z.bak", world->path, i);
		assert_int_equal(access(path, F_OK), i <= 3 ? -1 : 0);
	}
	pool_world_free(world);
}

static void backups_of_a_time_to_come_count_as_old(void **state)
{
	struct pool_image image = {.number = 1, .type = VHD_DYNAMIC};
	struct pool_world *world = pool_world_new();
	char path[POOL_BACKUP_PATH];

	(void)state;
	pool_world_write(world, &image);
	pool_world_rows(world, &image, 1);
	for (int i = 1; i <= POOL_BACKUPS; i++) {
		(void)snprintf(path, sizeof path, "%s.9020010%dT000000Z.bak", world->path, i);
		write_file(path, "");
	}
	assert_true(catalog_backup_due(world->catalog));
	assert_int_equal(catalog_backup(world->catalog, &world->err), 0);
	assert_false(catalog_backup_due(world->catalog));
	/* It has its place among the seven, and is what a lost catalog comes from. */
	for (int i = 1; i <= POOL_BACKUPS; i++) {
		(void)snprintf(path, sizeof path, "%s.9020010%dT000000Z.bak", world->path, i);
		assert_int_equal(access(path, F_OK), i == 1 ? -1 : 0);
	}
	assert_int_equal(pool_backup_newest(world->path, path), 0);
	assert_null(strstr(path, ".9020"));
	pool_world_free(world);
}

/* The first rows without a backup are what a first start that was cut off leaves. */
static void a_catalog_begins_empty_unless_a_backup_has_content(void **state)
{
	static const struct {
		const char *catalog, *older, *newer;
		int want;
	} cases[] = {
		{NULL, NULL, NULL, 0},
		{"", NULL, NULL, 0},
		{NULL, "", "", 0},
		{"", "", NULL, 0},
		{NULL, NULL, "content", CATALOG_E_LOST},
		{NULL, "content", "", CATALOG_E_LOST},
		{"", "content", NULL, CATALOG_E_LOST},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pool_world *world = pool_world_new();
		char older[POOL_BACKUP_PATH], newer[POOL_BACKUP_PATH];

		(void)snprintf(older, sizeof older, "%s.20200101T000000Z.bak", world->path);
		(void)snprintf(newer, sizeof newer, "%s.20200102T000000Z.bak", world->path);
		pool_world_close(world);
		assert_int_equal(unlink(world->path), 0);
		if (cases[i].catalog)
			write_file(world->path, cases[i].catalog);
		if (cases[i].older)
			write_file(older, cases[i].older);
		if (cases[i].newer)
			write_file(newer, cases[i].newer);
		assert_int_equal(catalog_open(world->path, 8, &world->catalog, &world->err),
				 cases[i].want);
		pool_world_free(world);
	}
}

static void expect_text(const char *path, const char *text)
{
	char line[64] = "";
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	assert_ptr_equal(fgets(line, sizeof line, in), line);
	assert_string_equal(line, text);
	(void)fclose(in);
}

/* As it is after a crash behind either step, and when the undoing of it was cut short as well. */
static void takes_back_what_was_kept_too_early(void **state)
{
	static const struct {
		const char *journal, *old_journal; /* NULL: there is none */
		const char *after;
	} rows[] = {
		{"hot", NULL, "hot"},
		{NULL, "hot", "hot"},
		{"hot", "cold", "hot"},
	};
	struct pool_world *world = pool_world_new();
	char old[96 + 32], old_journal[96 + 48], journal[96 + 16], other[96 + 32];

	(void)state;
	pool_world_close(world);
	(void)snprintf(old, sizeof old, "%s.20200101T000000Z-3.old", world->path);
	(void)snprintf(old_journal, sizeof old_journal, "%s-journal", old);
	(void)snprintf(journal, sizeof journal, "%s-journal", world->path);
	(void)snprintf(other, sizeof other, "%s.20200101T000000Z.old", world->path);
	write_file(other, "an older one");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		(void)unlink(journal);
		assert_int_equal(link(world->path, old), 0);
		if (rows[i].journal)
			write_file(journal, rows[i].journal);
		if (rows[i].old_journal)
			write_file(old_journal, rows[i].old_journal);
		assert_int_equal(pool_backup_undo(world->path), 0);
		assert_int_equal(access(old, F_OK), -1);
		assert_int_equal(access(old_journal, F_OK), -1);
		expect_text(journal, rows[i].after);
		expect_text(other, "an older one");
	}
	/* Another name that somebody gave it is his. */
	assert_int_equal(link(world->path, pool_world_path(world, "../mine")), 0);
	assert_int_equal(pool_backup_undo(world->path), 0);
	assert_int_equal(access(pool_world_path(world, "../mine"), F_OK), 0);
	(void)unlink(journal);
	pool_world_free(world);
}

/* ---- more places than the default pool ---- */

/* Where an image may be: in a pool as such, or adopted, by a path below a folder. */
struct spot {
	const char *folder, *pool, *path; /* beside the catalog; "": a root; NULL: <id>.vhd */
};

/* Files are made in the default pool, so that it comes last. */
static const struct spot spots[] = {
	{"p1", "p1", NULL},     {"p2", "p2", NULL},          {"p1", "p1", "one.vhd"},
	{"srv", "", "one.vhd"}, {"images", "default", NULL},
};
static const struct spot *const plain = &spots[4];
enum { SPOTS = sizeof spots / sizeof *spots, OLD = 1 << 20, NEW = 2 << 20 };

static const char *beside(const struct pool_world *world, const char *folder, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof path, "../%s%s%s", folder, *name ? "/" : "", name);
	return pool_world_path(world, path);
}

/* Pools p1 and p2 and a root srv, in folders of these names. */
static struct pool_world *world_with_places(void)
{
	static const char *const folders[] = {"p1", "p2", "srv"};
	struct pool_world *world = pool_world_new();
	struct config *config = &world->config;

	for (size_t i = 0; i < 3; i++) {
		char *path = i < 2 ? config->pools[i].path : config->roots[0];

		(void)snprintf(path, CONFIG_PATH, "%s/%s", world->folder, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
		if (i < 2)
			(void)snprintf(config->pools[i].name, sizeof config->pools[i].name, "%s",
				       folders[i]);
	}
	assert_int_equal(mkdir(beside(world, "srv", "sub"), 0700), 0);
	assert_int_equal(mkdir(beside(world, "p1", "sub"), 0700), 0);
	assert_int_equal(mkdir(beside(world, "p2", "sub"), 0700), 0);
	assert_int_equal(mkdir(beside(world, "images", "sub"), 0700), 0);
	config->n_pools = 2;
	config->n_roots = 1;
	return world;
}

static const char *file_at(const struct pool_world *world, const struct spot *spot)
{
	const char *name = spot->path ? spot->path : strrchr(pool_world_file(world, 1), '/') + 1;

	return beside(world, spot->folder, name);
}

static void put(struct pool_world *world, const struct spot *spot, uint64_t size)
{
	const struct pool_image image = {.number = 1, .type = VHD_DYNAMIC, .size = size};

	pool_world_write(world, &image);
	assert_int_equal(rename(pool_world_file(world, 1), file_at(world, spot)), 0);
}

static void add_row(struct pool_world *world, const struct spot *spot)
{
	struct catalog_image row = {.kind = CATALOG_DYNAMIC, .vhd = {.size = OLD}};
	char root[128];

	pool_world_id(1, row.id);
	(void)snprintf(row.name, sizeof row.name, "image-1");
	(void)snprintf(row.pool, sizeof row.pool, "%s", spot->pool);
	(void)snprintf(root, sizeof root, "%s/%s", world->folder, spot->folder);
	row.vhd.block_size = 2 << 20;
	if (spot->path) {
		row.root = root;
		/* Not written to; the struct owns its strings elsewhere. */
		memcpy(&row.path, &spot->path, sizeof row.path);
	}
	if (catalog_adopt(world->catalog, &row, 1, NULL, NULL, &world->err) < 0)
		fail_msg("%s", world->err.text);
}

static void expect_at(struct pool_world *world, const struct spot *spot, uint64_t size)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	uint8_t id[IDS_SIZE];

	pool_world_open(world);
	pool_world_id(1, id);
	assert_int_equal(catalog_get(world->catalog, id, &row, &world->err), 0);
	assert_string_equal(row.name, "image-1");
	assert_string_equal(row.pool, spot->pool);
	assert_string_equal(row.path ? row.path : "", spot->path ? spot->path : "");
	assert_int_equal(row.vhd.size, size);
	pool_world_close(world);
}

/* All other places have an older copy. */
static void the_file_that_the_catalog_means_wins_over_copies(void **state)
{
	(void)state;
	for (size_t i = 0; i < SPOTS; i++) {
		struct pool_world *world = world_with_places();

		for (size_t k = 0; k < SPOTS; k++)
			put(world, &spots[k], k == i ? NEW : OLD);
		add_row(world, &spots[i]);
		pool_world_close(world);
		assert_int_equal(rebuild(world), 0);
		assert_non_null(strstr(said, "000001.vhd: another file has its id\n"));
		assert_non_null(strstr(said, "1 images are in the new catalog\n"));
		expect_at(world, &spots[i], NEW);
		pool_world_free(world);
	}
}

static void a_copy_counts_when_the_file_that_the_catalog_means_is_gone(void **state)
{
	struct pool_world *world = world_with_places();

	(void)state;
	put(world, &spots[0], NEW);
	add_row(world, plain);
	pool_world_close(world);
	assert_int_equal(rebuild(world), 0);
	expect_at(world, &spots[0], NEW);
	pool_world_free(world);
}

static void damage(struct pool_world *world, const char *path)
{
	(void)world;
	assert_int_equal(truncate(path, 100), 0);
}

static void give_another_name(struct pool_world *world, const char *path)
{
	assert_int_equal(link(path, beside(world, "second", "")), 0);
}

static void put_another_image(struct pool_world *world, const char *path)
{
	const struct pool_image other = {.number = 2, .type = VHD_DYNAMIC};

	pool_world_write(world, &other);
	assert_int_equal(rename(pool_world_file(world, 2), path), 0);
}

static void make_a_link_of_it(struct pool_world *world, const char *path)
{
	(void)world;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("nowhere", path), 0);
}

static void make_a_folder_of_it(struct pool_world *world, const char *path)
{
	(void)world;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
}

/* It has been written since the copy was made, or lies where a link leads. */
static void no_copy_counts_while_the_file_that_the_catalog_means_is_there(void **state)
{
	static const struct {
		int spot, copy; /* of `spots` */
		void (*spoil)(struct pool_world *world, const char *path);
		const char *why;
	} rows[] = {
		{1, 0, give_another_name, "it has more than one name\n"},
		{1, 4, damage, "no VHD footer at the end"},
		{1, 0, put_another_image, "its name is not <id>.vhd with the id"},
		{2, 1, damage, "no VHD footer at the end"},
		{3, 4, damage, "no VHD footer at the end"},
		{3, 4, put_another_image, "it is another image now\n"},
		{1, 0, make_a_link_of_it, "000001.vhd: it is not a regular file\n"},
		{1, 0, make_a_folder_of_it, "000001.vhd: it is not a regular file\n"},
		{3, 0, make_a_link_of_it, "one.vhd: Too many levels of symbolic links\n"},
		{3, 0, make_a_folder_of_it, "one.vhd is not a regular file\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct spot *spot = &spots[rows[i].spot], *copy = &spots[rows[i].copy];
		struct pool_world *world = world_with_places();
		char live[128];

		(void)snprintf(live, sizeof live, "%s", file_at(world, spot));
		put(world, spot, NEW);
		put(world, copy, OLD);
		rows[i].spoil(world, live);
		add_row(world, spot);
		pool_world_close(world);
		if (rebuild(world) != 1 || !strstr(said, rows[i].why) ||
		    !strstr(said, "000001.vhd may be an old copy: "))
			fail_msg("row %zu: %s", i, said);
		/* It is the image after all. */
		assert_int_equal(remove(live), 0);
		if (rebuild(world) != 0)
			fail_msg("row %zu: %s", i, said);
		expect_at(world, copy, OLD);
		pool_world_free(world);
	}
}

static void expect_refusal(struct pool_world *world, const char *why, const char *also)
{
	assert_int_equal(rebuild(world), 1);
	if (!strstr(said, why) || !strstr(said, also))
		fail_msg("%s", said);
}

static void no_copy_counts_while_a_folder_on_the_way_to_the_file_is_a_link(void **state)
{
	static const struct spot spot = {"srv", "", "sub/one.vhd"};
	struct pool_world *world = world_with_places();
	const char *sub, *aside;

	(void)state;
	put(world, &spot, NEW);
	put(world, plain, OLD);
	add_row(world, &spot);
	pool_world_close(world);
	sub = beside(world, "srv", "sub");
	aside = beside(world, "aside", "");
	assert_int_equal(rename(sub, aside), 0);
	assert_int_equal(symlink(aside, sub), 0);
	expect_refusal(world, "srv/sub/one.vhd: cannot open the folder of sub/one.vhd: Too many",
		       "000001.vhd may be an old copy: ");
	assert_int_equal(unlink(sub), 0);
	assert_int_equal(rename(aside, sub), 0);
	assert_int_equal(rebuild(world), 0);
	expect_at(world, &spot, NEW);
	pool_world_free(world);
}

#define UNKNOWN(how)                                                                  \
	" in the configuration: name it there, and the configuration with --config; " \
	"if the image is lost for good, name it with " how COPY
#define UNMOUNTED                                                                 \
	", which is empty or not there: mount its disk; if it is lost for good, " \
	"put any file into the folder and try again" COPY
#define COPY                                                               \
	"; likewise if it is default/ee000000-0000-0000-0000-000000000001" \
	".vhd now, which has its id\n"
#define UNKNOWN_POOL \
	"lies in the pool 'p1', which is not" UNKNOWN("another folder that has any file")
#define UNKNOWN_ROOT "/srv, which is no root" UNKNOWN("any file in it")

static void make_folder(const char *path)
{
	assert_int_equal(mkdir(path, 0700), 0);
}

static void make_file(const char *path)
{
	write_file(path, "");
}

static void make_dangling_link(const char *path)
{
	assert_int_equal(symlink("/nowhere/srv", path), 0);
}

/* An old copy in the default pool does not stand for it. */
static void keeps_the_catalog_while_an_image_is_out_of_sight(void **state)
{
	static const struct {
		struct spot spot;
		const char *away;                  /* a folder that is moved */
		void (*instead)(const char *path); /* makes what is there then */
		const char *why;                   /* how it ends */
	} rows[] = {
		{{"p1", "p1", NULL}, NULL, NULL, UNKNOWN_POOL},
		{{"p1", "p1", "one.vhd"}, NULL, NULL, UNKNOWN_POOL},
		{{"srv", "", "one.vhd"}, NULL, NULL, UNKNOWN_ROOT},
		{{"srv", "", "one.vhd"}, "srv", NULL, "/srv" UNMOUNTED},
		{{"srv", "", "one.vhd"}, "srv", make_folder, "/srv" UNMOUNTED},
		{{"srv", "", "sub/one.vhd"}, "srv", make_folder, "/srv" UNMOUNTED},
		{{"srv", "", "sub/one.vhd"}, "srv/sub", NULL, "/srv" UNMOUNTED},
		{{"srv", "", "sub/one.vhd"}, "srv/sub", make_folder, "/srv/sub" UNMOUNTED},
		{{"srv", "", "one.vhd"}, "srv", make_dangling_link, "/srv" UNMOUNTED},
		{{"srv", "", "sub/one.vhd"}, "srv", make_file, "/srv/sub" UNMOUNTED},
		{{"srv", "", "sub/one.vhd"}, "srv/sub", make_file, "/srv/sub" UNMOUNTED},
		{{"p1", "p1", "sub/one.vhd"}, "p1/sub", make_folder, "/p1/sub" UNMOUNTED},
		{{"images", "default", "sub/one.vhd"},
		 "images/sub",
		 make_folder,
		 "/images/sub" UNMOUNTED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pool_world *world = world_with_places();
		const char *away = rows[i].away;

		put(world, &rows[i].spot, NEW);
		put(world, plain, OLD);
		add_row(world, &rows[i].spot);
		pool_world_close(world);
		if (!away)
			world->config.n_pools = world->config.n_roots = 0;
		if (away)
			assert_int_equal(
				rename(beside(world, away, ""), beside(world, "aside", "")), 0);
		if (rows[i].instead)
			rows[i].instead(beside(world, away, ""));
		assert_int_equal(rebuild(world), 1);
		if (!strstr(said, "failed: the image 'image-1' lies ") ||
		    !strstr(said, rows[i].why))
			fail_msg("row %zu: %s", i, said);
		/* It comes back. */
		world->config.n_pools = 2;
		world->config.n_roots = 1;
		if (rows[i].instead)
			assert_int_equal(remove(beside(world, away, "")), 0);
		if (away)
			assert_int_equal(
				rename(beside(world, "aside", ""), beside(world, away, "")), 0);
		assert_int_equal(rebuild(world), 0);
		expect_at(world, &rows[i].spot, NEW);
		pool_world_free(world);
	}
}
#undef UNKNOWN
#undef UNMOUNTED
#undef COPY
#undef UNKNOWN_POOL
#undef UNKNOWN_ROOT

static void a_pool_that_got_another_name_is_found_by_that(void **state)
{
	static const struct spot spot = {"p1", "renamed", NULL};
	struct pool_world *world = world_with_places();
	struct config *config = &world->config;

	(void)state;
	put(world, &spots[0], NEW);
	add_row(world, &spots[0]);
	pool_world_close(world);
	(void)snprintf(config->pools[0].name, sizeof config->pools[0].name, "renamed");
	expect_refusal(world, "name it with another folder that has any file",
		       "; likewise if it is renamed/ee000000-");
	(void)snprintf(config->pools[1].name, sizeof config->pools[1].name, "p1");
	write_file(beside(world, "p2", "any"), "");
	assert_int_equal(rebuild(world), 0);
	expect_at(world, &spot, NEW);
	pool_world_free(world);
}

static void images_that_were_moved_to_another_pool_are_found_there(void **state)
{
	struct pool_world *world = world_with_places();

	(void)state;
	put(world, &spots[1], NEW);
	add_row(world, &spots[0]);
	pool_world_close(world);
	assert_int_equal(rmdir(beside(world, "p1", "sub")), 0);
	expect_refusal(world,
		       "if they are lost for good, put any file into the folder and try again",
		       "; likewise if it is p2/ee000000-");
	write_file(beside(world, "p1", "any"), "");
	assert_int_equal(rebuild(world), 0);
	expect_at(world, &spots[1], NEW);
	pool_world_free(world);
}

static void leaves_out_what_is_gone_from_a_root_that_is_there(void **state)
{
	static const struct spot spot = {"srv", "", "sub/one.vhd"};
	struct pool_world *world = world_with_places();

	(void)state;
	add_row(world, &spot);
	pool_world_close(world);
	assert_int_equal(rebuild(world), 1);
	write_file(beside(world, "srv", "sub/any"), "");
	assert_int_equal(rebuild(world), 0);
	assert_non_null(strstr(said, "left out image 'image-1': no file is that image\n"));
	assert_non_null(strstr(said, "0 images are in the new catalog\n"));
	pool_world_free(world);
}

/* It lies beside the catalog, so that its disk is there. */
static void leaves_out_what_is_gone_from_an_empty_default_pool(void **state)
{
	static const struct spot spot = {"images", "default", "one.vhd"};
	struct pool_world *world = world_with_places();

	(void)state;
	assert_int_equal(rmdir(beside(world, "images", "sub")), 0);
	add_row(world, &spot);
	pool_world_close(world);
	assert_int_equal(rebuild(world), 0);
	assert_non_null(strstr(said, "left out image 'image-1': no file is that image\n"));
	pool_world_free(world);
}

/* NULL: a sound one without images. One is not begun beside backups. */
static void make_catalog(struct pool_world *world, const char *path, const char *text)
{
	const char *aside = beside(world, "aside", "");
	struct catalog *empty = NULL;

	if (text) {
		write_file(path, text);
		return;
	}
	assert_int_equal(catalog_open(aside, 8, &empty, &world->err), 0);
	catalog_close(empty);
	assert_int_equal(rename(aside, path), 0);
}

/* An old copy in the default pool does not stand for it. */
static void finds_what_was_adopted_in_the_newest_backup_that_has_images(void **state)
{
	static const struct {
		const char *catalog, *newest;
	} rows[] = {
		{"spoiled", "spoiled"}, {"spoiled", ""},   {"spoiled", NULL},
		{NULL, NULL},           {NULL, "spoiled"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pool_world *world = world_with_places();
		char older[POOL_BACKUP_PATH], newest[POOL_BACKUP_PATH];

		(void)snprintf(older, sizeof older, "%s.20200101T000000Z.bak", world->path);
		(void)snprintf(newest, sizeof newest, "%s.20200102T000000Z.bak", world->path);
		put(world, &spots[3], NEW);
		put(world, plain, OLD);
		add_row(world, &spots[3]);
		pool_world_close(world);
		assert_int_equal(rename(world->path, older), 0);
		make_catalog(world, world->path, rows[i].catalog);
		make_catalog(world, newest, rows[i].newest);
		if (rebuild(world) != 0 || !strstr(said, "000001.vhd: another file has its id\n"))
			fail_msg("row %zu: %s", i, said);
		expect_at(world, &spots[3], NEW);
		pool_world_free(world);
	}
}

static void run_sql(struct pool_world *world, const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
}

/* The last one that the catalog has, so that those before it can be read from a damaged one. */
static const struct pool_image last = {.number = 9, .type = VHD_DYNAMIC};

/* More labels than an image has. */
static void damage_catalog(struct pool_world *world)
{
	run_sql(world, "WITH RECURSIVE n (i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 99) "
		       "INSERT INTO label SELECT max(id), 'k' || i, '' FROM image, n GROUP BY i");
}

/* It has moved since the backup, in which its pool has another file by that name. */
static void what_a_damaged_catalog_tells_counts_before_its_backup(void **state)
{
	struct pool_world *world = world_with_places();
	char backup[POOL_BACKUP_PATH];
	uint8_t id[IDS_SIZE];

	(void)state;
	pool_world_write(world, &last);
	put(world, &spots[1], NEW);
	put(world, &spots[0], OLD);
	add_row(world, &spots[0]);
	assert_int_equal(catalog_backup(world->catalog, &world->err), 0);
	assert_int_equal(pool_backup_newest(world->path, backup), 0);
	pool_world_id(1, id);
	assert_int_equal(catalog_forget(world->catalog, id, 0, &world->err), 0);
	add_row(world, &spots[1]);
	pool_world_rows(world, &last, 1);
	pool_world_close(world);
	damage_catalog(world);
	assert_int_equal(rebuild(world), 0);
	assert_non_null(strstr(said, "catalog.db cannot be read\n"));
	assert_non_null(strstr(said, "left out p1/ee000000-0000-0000-0000-000000000001.vhd: "
				     "another file has its id\n"));
	expect_at(world, &spots[1], NEW);
	pool_world_free(world);
}

/* The link may be undone one day, as it may without a rebuild. */
static void keeps_the_root_that_the_configuration_names(void **state)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	struct pool_world *world = world_with_places();
	const char *root = beside(world, "srv", ""), *moved = beside(world, "moved", "");
	uint8_t id[IDS_SIZE];

	(void)state;
	assert_int_equal(rename(root, moved), 0);
	assert_int_equal(symlink(moved, root), 0);
	put(world, &spots[3], NEW);
	add_row(world, &spots[3]);
	pool_world_close(world);
	assert_int_equal(rebuild(world), 0);
	pool_world_open(world);
	pool_world_id(1, id);
	assert_int_equal(catalog_get(world->catalog, id, &row, &world->err), 0);
	assert_string_equal(row.root, world->config.roots[0]);
	pool_world_free(world);
}

static const struct pool_image nameless = {.number = 2, .type = VHD_DYNAMIC};

/* A crash, or a disk that failed, has kept its file. Nobody has a name for another one, so that
 * backups are asked, where it is not being deleted yet. */
static void begin_to_delete(struct pool_world *world, const struct spot *file,
			    const struct spot *row)
{
	uint8_t id[IDS_SIZE];

	put(world, file, NEW);
	add_row(world, row);
	assert_int_equal(catalog_backup(world->catalog, &world->err), 0);
	pool_world_id(1, id);
	assert_int_equal(catalog_begin_delete(world->catalog, id, 0, &world->err), 0);
	pool_world_write(world, &nameless);
}

static void expect_deleting(struct pool_world *world, const struct spot *spot)
{
	CLEANUP(catalog_image_fini) struct catalog_image row = {0};
	char root[128];
	uint8_t id[IDS_SIZE];

	pool_world_open(world);
	pool_world_id(1, id);
	assert_int_equal(catalog_get(world->catalog, id, &row, &world->err), 0);
	assert_int_equal(row.state, CATALOG_DELETING);
	assert_string_equal(row.name, "image-1");
	assert_string_equal(row.pool, spot->pool);
	assert_string_equal(row.path ? row.path : "", spot->path ? spot->path : "");
	(void)snprintf(root, sizeof root, "%s/%s", world->folder, spot->folder);
	assert_string_equal(row.root ? row.root : "", spot->path ? root : "");
	assert_int_equal(catalog_id_of(world->catalog, "image-1", id, &world->err),
			 CATALOG_E_NOT_FOUND);
	pool_world_close(world);
}

static void rebuild_keeps_deleting(struct pool_world *world, const struct spot *spot,
				   const char *line)
{
	if (rebuild(world) != 0 || !strstr(said, line) ||
	    !strstr(said, "\n2 images are in the new catalog\n"))
		fail_msg("not '%s': %s", line, said);
	expect_deleting(world, spot);
}

/* As the next start would have done without a rebuild, or with two. */
static void goes_on_with_what_was_being_deleted(void **state)
{
	static const struct {
		const struct spot *spot;
		const char *line;
	} rows[] = {
		{&spots[1], "p2/ee000000-0000-0000-0000-000000000001.vhd was being deleted: the "
			    "next start removes it, unless it is moved away\n"},
		{&spots[3],
		 "/srv/one.vhd was being deleted: the next start removes it, unless it is moved away\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pool_world *world = world_with_places();

		begin_to_delete(world, rows[i].spot, rows[i].spot);
		pool_world_close(world);
		for (int n = 0; n < 2; n++)
			rebuild_keeps_deleting(world, rows[i].spot, rows[i].line);
		assert_int_equal(access(file_at(world, rows[i].spot), F_OK), 0);
		pool_world_free(world);
	}
}

#define ID "ee000000-0000-0000-0000-000000000001"
#define FOUND_THERE \
	" was being deleted, and is gone, away or left out: a start that finds it there removes it\n"

static void forget_pools_and_roots(struct pool_world *world)
{
	world->config.n_pools = world->config.n_roots = 0;
}

static void empty_pool(struct pool_world *world)
{
	assert_int_equal(rename(beside(world, "p2", ""), beside(world, "aside", "")), 0);
	make_folder(beside(world, "p2", ""));
}

static void take_root_away(struct pool_world *world)
{
	assert_int_equal(rename(beside(world, "srv", ""), beside(world, "aside", "")), 0);
}

static void give_file_another_name(struct pool_world *world)
{
	give_another_name(world, file_at(world, &spots[1]));
}

static void remove_file(struct pool_world *world)
{
	assert_int_equal(unlink(file_at(world, &spots[1])), 0);
}

/* Not seen is not removed: what comes back is still to go. */
static void goes_on_with_what_was_being_deleted_out_of_sight(void **state)
{
	static const struct {
		const struct spot *spot;
		void (*hide)(struct pool_world *world);
		const char *line;
	} rows[] = {
		{&spots[1], forget_pools_and_roots, "p2/" ID ".vhd" FOUND_THERE},
		{&spots[1], empty_pool, "p2/" ID ".vhd" FOUND_THERE},
		{&spots[1], give_file_another_name, "p2/" ID ".vhd" FOUND_THERE},
		{&spots[1], remove_file, "p2/" ID ".vhd" FOUND_THERE},
		{&spots[2], forget_pools_and_roots, "/p1/one.vhd" FOUND_THERE},
		{&spots[3], forget_pools_and_roots, "/srv/one.vhd" FOUND_THERE},
		{&spots[3], take_root_away, "/srv/one.vhd" FOUND_THERE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct spot *spot = rows[i].spot;
		struct pool_world *world = world_with_places();

		begin_to_delete(world, spot, spot);
		pool_world_close(world);
		rows[i].hide(world);
		for (int n = 0; n < 2; n++)
			rebuild_keeps_deleting(world, spot, rows[i].line);
		pool_world_free(world);
	}
}

enum because { IT_IS_A_COPY, A_BACKUP_SAYS_SO, A_CHILD_READS_IT, THE_CATALOG_IS_DAMAGED };

/* Nobody can know whether this was to be removed, too. */
static void leaves_out_what_may_not_have_been_deleted(void **state)
{
	static const struct pool_image child = {.number = 3, .parent = 1};
	static const struct {
		const struct spot *row, *file;
		const char *name;
	} rows[] = {
		[IT_IS_A_COPY] = {&spots[0], &spots[1], "p2"},
		[A_BACKUP_SAYS_SO] = {&spots[1], &spots[1], "p2"},
		[A_CHILD_READS_IT] = {&spots[4], &spots[4], "default"},
		[THE_CATALOG_IS_DAMAGED] = {&spots[1], &spots[1], "p2"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pool_world *world = world_with_places();
		struct catalog_brief brief;
		uint8_t id[IDS_SIZE];
		char line[256];

		begin_to_delete(world, rows[i].file, rows[i].row);
		if (i == A_CHILD_READS_IT)
			pool_world_write(world, &child);
		if (i == THE_CATALOG_IS_DAMAGED) {
			pool_world_write(world, &last);
			pool_world_rows(world, &last, 1);
		}
		if (i == A_BACKUP_SAYS_SO)
			assert_int_equal(catalog_backup(world->catalog, &world->err), 0);
		pool_world_close(world);
		if (i == A_BACKUP_SAYS_SO)
			spoil(world);
		if (i == THE_CATALOG_IS_DAMAGED)
			damage_catalog(world);
		(void)snprintf(line, sizeof line,
			       "left out %s/ee000000-0000-0000-0000-000000000001.vhd: it was being "
			       "deleted: remove it, or POST /v1/images with its path as source "
			       "adopts it\n",
			       rows[i].name);
		if (rebuild(world) != 0 || !strstr(said, line) ||
		    strstr(said, "the next start removes it"))
			fail_msg("row %zu: %s", i, said);
		assert_int_equal(access(file_at(world, rows[i].file), F_OK), 0);
		pool_world_open(world);
		pool_world_id(1, id);
		if (i != IT_IS_A_COPY)
			assert_false(catalog_brief(world->catalog, id, &brief));
		pool_world_close(world);
		if (i == IT_IS_A_COPY) /* what was to be removed still is */
			expect_deleting(world, rows[i].row);
		pool_world_free(world);
	}
}

/* It does not forge what the rebuild says. */
static void a_name_is_one_line_of_plain_text(void **state)
{
	struct pool_world *world = pool_world_new();

	(void)state;
	write_file(pool_world_path(world, "q\"\\\n\x1b[31m\xff.vhd"), "junk");
	pool_world_close(world);
	assert_int_equal(rebuild(world), 0);
	assert_non_null(strstr(said, "left out default/q\"\\\\\\x0a\\x1b[31m\\xff.vhd: "));
	for (const char *at = said; *at; at++)
		assert_true(*at == '\n' || (*at >= 0x20 && *at < 0x7f));
	pool_world_free(world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_lineage_of_random_forests),
		cmocka_unit_test(makes_up_names_without_a_backup),
		cmocka_unit_test(leaves_out_what_it_cannot_place),
		cmocka_unit_test(a_catalog_that_is_locked_keeps_its_names),
		cmocka_unit_test(keeps_labels_and_seven_backups),
		cmocka_unit_test(leaves_out_forgotten_children_of_parents_that_were_written),
		cmocka_unit_test(repairs_what_is_frozen_when_its_file_is_unclean),
		cmocka_unit_test(removes_the_oldest_backups),
		cmocka_unit_test(backups_of_a_time_to_come_count_as_old),
		cmocka_unit_test(a_catalog_begins_empty_unless_a_backup_has_content),
		cmocka_unit_test(takes_back_what_was_kept_too_early),
		cmocka_unit_test(the_file_that_the_catalog_means_wins_over_copies),
		cmocka_unit_test(a_copy_counts_when_the_file_that_the_catalog_means_is_gone),
		cmocka_unit_test(no_copy_counts_while_the_file_that_the_catalog_means_is_there),
		cmocka_unit_test(no_copy_counts_while_a_folder_on_the_way_to_the_file_is_a_link),
		cmocka_unit_test(keeps_the_catalog_while_an_image_is_out_of_sight),
		cmocka_unit_test(a_pool_that_got_another_name_is_found_by_that),
		cmocka_unit_test(images_that_were_moved_to_another_pool_are_found_there),
		cmocka_unit_test(leaves_out_what_is_gone_from_a_root_that_is_there),
		cmocka_unit_test(leaves_out_what_is_gone_from_an_empty_default_pool),
		cmocka_unit_test(finds_what_was_adopted_in_the_newest_backup_that_has_images),
		cmocka_unit_test(what_a_damaged_catalog_tells_counts_before_its_backup),
		cmocka_unit_test(keeps_the_root_that_the_configuration_names),
		cmocka_unit_test(goes_on_with_what_was_being_deleted),
		cmocka_unit_test(goes_on_with_what_was_being_deleted_out_of_sight),
		cmocka_unit_test(leaves_out_what_may_not_have_been_deleted),
		cmocka_unit_test(a_name_is_one_line_of_plain_text),
	};

	return cmocka_run_group_tests_name("server/rebuild", tests, NULL, NULL);
}
