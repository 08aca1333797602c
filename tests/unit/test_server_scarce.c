/* test_server_scarce.c - the catalog, while SQLite lacks memory: each of its allocations fails once
 * in each change and in a start (of a backup and of older catalogs some); then all of it is done or
 * nothing, in memory as on the disk. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "pool_world.h"
#include "test.h"

enum {
	FIRST = 1,
	ADOPTED,
	COMING,
	LONE,
	GOING,
	NEW,
	MOST = 100000,
	LINES = 12,
	LINE = 192,
	LARGE = 256 << 10
};

static sqlite3_mem_methods memory;
static long countdown = -1; /* calls until one fails; below 0: none does */

static bool fails(void)
{
	if (countdown < 0 || countdown-- > 0)
		return false;
	sqlite3_log(SQLITE_NOMEM, "as its own allocator does");
	return true;
}

static void *scarce_malloc(int n)
{
	return fails() ? NULL : memory.xMalloc(n);
}

static void *scarce_realloc(void *at, int n)
{
	return fails() ? NULL : memory.xRealloc(at, n);
}

/* Before SQLite is used for the first time. */
static void make_memory_scarce(void)
{
	sqlite3_mem_methods scarce;

	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory), SQLITE_OK);
	scarce = memory;
	scarce.xMalloc = scarce_malloc;
	scarce.xRealloc = scarce_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &scarce), SQLITE_OK);
}

/* ---- what there is ---- */

static struct catalog_image image_of(unsigned number, const char *name)
{
	struct catalog_image image = {.state = CATALOG_READY,
				      .kind = CATALOG_DYNAMIC,
				      .vhd = {.size = 1 << 20, .block_size = 2 << 20}};

	pool_world_id(number, image.id);
	(void)snprintf(image.name, sizeof image.name, "%s", name);
	(void)snprintf(image.pool, sizeof image.pool, "default");
	return image;
}

static struct catalog_image child_of(unsigned parent, unsigned number, const char *name)
{
	struct catalog_image image = image_of(number, name);

	image.kind = CATALOG_DIFFERENCING;
	pool_world_id(parent, image.parent_id);
	return image;
}

/* It lies elsewhere. */
static struct catalog_image adopted(unsigned number, const char *name)
{
	static char root[] = "/srv/images", path[] = "old/disk.vhd";
	struct catalog_image image = image_of(number, name);

	*image.pool = '\0';
	image.root = root;
	image.path = path;
	image.linked = true;
	return image;
}

static void add_images(struct pool_world *world)
{
	static char text[] = "before upgrade";
	static struct catalog_label labels[] = {{"env", "prod"}, {"role", "web"}};
	struct catalog_image rows[] = {
		image_of(FIRST, "first"), adopted(ADOPTED, "adopted"),       image_of(LONE, "lone"),
		image_of(GOING, "going"), child_of(FIRST, COMING, "coming"),
	};

	rows[0].description = text;
	rows[0].labels = labels;
	rows[0].n_labels = 2;
	rows[3].state = CATALOG_DELETING;
	rows[4].state = CATALOG_CREATING;
	assert_int_equal(
		catalog_restore(world->catalog, rows, sizeof rows / sizeof *rows, &world->err), 0);
}

/* More pages than SQLite has memory set aside for. */
static void add_pages(struct pool_world *world)
{
	char text[LARGE];
	struct catalog_image image = image_of(NEW, "large");

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	image.description = text;
	assert_int_equal(catalog_restore(world->catalog, &image, 1, &world->err), 0);
}

struct picture {
	char lines[LINES][LINE];
	int n;
};

static int draw(void *ctx, const struct catalog_image *image)
{
	struct picture *picture = ctx;
	char *line = picture->lines[picture->n++];
	int len = snprintf(
		line, LINE, "%s v%u %d %s %u/%u %d%d%d%d %s %s", image->name,
		(unsigned)image->version, image->state, image->path ? image->path : image->pool,
		image->depth, (unsigned)image->children, image->frozen, image->dirty, image->sealed,
		image->linked, image->description ? image->description : "-", image->parent_name);

	for (size_t i = 0; i < image->n_labels; i++)
		len += snprintf(line + len, (size_t)(LINE - len), " %s=%s", image->labels[i].key,
				image->labels[i].value);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void look(struct pool_world *world, struct picture *ret_picture)
{
	memset(ret_picture, 0, sizeof *ret_picture);
	for (int state = CATALOG_CREATING; state <= CATALOG_DELETING; state++)
		assert_int_equal(catalog_each(world->catalog, (enum catalog_state)state, draw,
					      ret_picture, &world->err),
				 0);
	qsort(ret_picture->lines, (size_t)ret_picture->n, LINE, compare);
}

static void expect(struct pool_world *world, const struct picture *wanted)
{
	struct picture got;

	look(world, &got);
	assert_int_equal(got.n, wanted->n);
	for (int i = 0; i < got.n; i++)
		assert_string_equal(got.lines[i], wanted->lines[i]);
}

/* ---- what is done ---- */

typedef int change_fn(struct pool_world *world, struct catalog_error *err);

static int inserts(struct pool_world *world, struct catalog_error *err)
{
	static struct catalog_label labels[] = {{"a", "b"}};
	struct catalog_image image = child_of(LONE, NEW, "new");

	image.state = CATALOG_CREATING;
	image.labels = labels;
	image.n_labels = 1;
	return catalog_insert(world->catalog, &image, err);
}

static int finishes(struct pool_world *world, struct catalog_error *err)
{
	struct catalog_image image = child_of(FIRST, COMING, "coming");
	struct catalog_seal seal = {.file_bytes = 4096};

	return catalog_finish_create(world->catalog, image.id, &image.vhd, &image.usage, &seal,
				     err);
}

static int adopts(struct pool_world *world, struct catalog_error *err)
{
	static char other[] = "old/new.vhd";
	struct catalog_image image = adopted(NEW, "new");

	image.path = other;
	return catalog_adopt(world->catalog, &image, 1, NULL, NULL, err);
}

static int seals(struct pool_world *world, struct catalog_error *err)
{
	struct catalog_image image = image_of(FIRST, "first");
	struct catalog_seal seal = {.file_bytes = 4096};

	return catalog_seal(world->catalog, image.id, &seal, err);
}

static int begins_a_deletion(struct pool_world *world, struct catalog_error *err)
{
	struct catalog_image image = image_of(LONE, "lone");

	return catalog_begin_delete(world->catalog, image.id, 0, err);
}

static int forgets(struct pool_world *world, struct catalog_error *err)
{
	struct catalog_image image = image_of(GOING, "going");

	return catalog_forget(world->catalog, image.id, 0, err);
}

static int forgets_a_child(struct pool_world *world, struct catalog_error *err)
{
	struct catalog_image image = child_of(FIRST, COMING, "coming");

	return catalog_forget(world->catalog, image.id, 0, err);
}

static int updates(struct pool_world *world, struct catalog_error *err)
{
	CLEANUP(catalog_image_fini) struct catalog_image image = {0};
	uint8_t id[IDS_SIZE];

	pool_world_id(FIRST, id);
	assert_int_equal(catalog_get(world->catalog, id, &image, err), 0);
	(void)snprintf(image.name, sizeof image.name, "renamed");
	image.n_labels = 1;
	image.frozen = true;
	return catalog_update(world->catalog, &image, err);
}

static int marks_dirty(struct pool_world *world, struct catalog_error *err)
{
	struct catalog_image image = image_of(LONE, "lone");
	uint64_t generation;

	return catalog_mark_dirty(world->catalog, image.id, &generation, err);
}

static int marks_clean(struct pool_world *world, struct catalog_error *err)
{
	struct catalog_image image = image_of(LONE, "lone");

	return catalog_mark_clean(world->catalog, image.id, &image.usage, err);
}

static int restores(struct pool_world *world, struct catalog_error *err)
{
	struct catalog_image rows[] = {image_of(NEW, "new"), child_of(NEW, NEW + 1, "newer")};

	return catalog_restore(world->catalog, rows, 2, err);
}

static int backs_up(struct pool_world *world, struct catalog_error *err)
{
	return catalog_backup(world->catalog, err);
}

/* ---- one after the other ---- */

struct bytes {
	char *at;
	size_t n;
};

static void keep(const char *path, struct bytes *ret_bytes)
{
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	ret_bytes->at = malloc(1 << 20);
	assert_non_null(ret_bytes->at);
	ret_bytes->n = fread(ret_bytes->at, 1, 1 << 20, file);
	assert_in_range(ret_bytes->n, 1, (1 << 20) - 1);
	(void)fclose(file);
}

static void put_back(const char *path, const struct bytes *bytes)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes->at, 1, bytes->n, file), bytes->n);
	assert_int_equal(fclose(file), 0);
}

static void afresh(struct pool_world *world, const struct bytes *bytes)
{
	pool_world_close(world);
	put_back(world->path, bytes);
	pool_world_open(world);
}

static void expect_after_a_start(struct pool_world *world, const struct picture *wanted)
{
	pool_world_close(world);
	pool_world_open(world);
	expect(world, wanted);
}

/* Whether an allocation has failed; what was done is undone. */
static bool once(struct pool_world *world, change_fn *change, long n, const struct picture *before,
		 const struct picture *after, const struct bytes *bytes)
{
	struct catalog_error err;
	long left;
	int r;

	countdown = n;
	r = change(world, &err);
	left = countdown;
	countdown = -1;
	if (r < 0 && r != CATALOG_E_NOMEM)
		fail_msg("%s", err.text);
	if (world->catalog) /* else it was not opened */
		expect(world, r < 0 ? before : after);
	expect_after_a_start(world, r < 0 ? before : after);
	if (r == 0)
		afresh(world, bytes);
	return left < 0;
}

static void all_or_nothing(change_fn *change)
{
	struct pool_world *world = pool_world_new();
	struct picture before, after;
	struct bytes bytes;
	long n = 0;

	add_images(world);
	look(world, &before);
	pool_world_close(world);
	keep(world->path, &bytes);
	afresh(world, &bytes);
	assert_int_equal(change(world, &world->err), 0);
	look(world, &after);
	afresh(world, &bytes);
	while (once(world, change, n, &before, &after, &bytes) && n < MOST)
		n += n < 200 ? 1 : 11;
	print_message("%ld allocations\n", n);
	assert_in_range(n, 10, MOST - 1);
	free(bytes.at);
	pool_world_free(world);
}

#define CHANGES(X)           \
	X(inserts)           \
	X(finishes)          \
	X(adopts)            \
	X(seals)             \
	X(begins_a_deletion) \
	X(forgets)           \
	X(forgets_a_child) X(updates) X(marks_dirty) X(marks_clean) X(restores) X(backs_up)
#define TEST(change)                                      \
	static void change##_all_or_nothing(void **state) \
	{                                                 \
		(void)state;                              \
		all_or_nothing(change);                   \
	}
#define LISTED(change) cmocka_unit_test(change##_all_or_nothing),

CHANGES(TEST)

/* ---- older ones ---- */

static void make_older(const char *path, const char *name)
{
	char from[512];
	struct bytes sql;
	sqlite3 *db = NULL;

	(void)snprintf(from, sizeof from, "%s/%s", CATALOGS, name);
	keep(from, &sql);
	sql.at[sql.n] = '\0';
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql.at, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	(void)sqlite3_close(db);
	free(sql.at);
}

/* `ret_left`: below 0 when an allocation has failed. */
static int open_scarce(struct pool_world *world, long n, long *ret_left)
{
	int r;

	countdown = n;
	r = catalog_open(world->path, 1024, &world->catalog, &world->err);
	*ret_left = countdown;
	countdown = -1;
	if (r < 0 && r != CATALOG_E_NOMEM)
		fail_msg("%s", world->err.text);
	return r;
}

/* It is brought up to date at the next start where it was not at this one. */
static void brings_up_to_date(const char *name)
{
	struct pool_world *world = pool_world_new();
	struct picture wanted;
	struct bytes bytes;
	long n, left = -1;

	pool_world_close(world);
	make_older(world->path, name);
	keep(world->path, &bytes);
	pool_world_open(world);
	look(world, &wanted);
	assert_in_range(wanted.n, 1, LINES);
	for (n = 0; left < 0 && n < MOST; n += 61) {
		int r;

		pool_world_close(world);
		put_back(world->path, &bytes);
		r = open_scarce(world, n, &left);
		if (r < 0)
			pool_world_open(world);
		expect(world, &wanted);
	}
	print_message("%s: %ld allocations\n", name, n);
	assert_in_range(n, 1000, MOST - 1);
	free(bytes.at);
	pool_world_free(world);
}

static void older_catalogs_are_brought_up_to_date_or_stay_as_they_are(void **state)
{
	(void)state;
	brings_up_to_date("schema-1.sql");
	brings_up_to_date("schema-2.sql");
	brings_up_to_date("schema-3.sql");
}

static void without_memory_a_start_says_so(void **state)
{
	struct pool_world *world = pool_world_new();
	struct picture wanted;
	long n, left = -1;

	(void)state;
	add_images(world);
	add_pages(world);
	look(world, &wanted);
	for (n = 0; left < 0 && n < MOST; n++) {
		int r;

		pool_world_close(world);
		r = open_scarce(world, n, &left);
		if (r == 0)
			expect(world, &wanted);
	}
	print_message("%ld allocations\n", n);
	assert_in_range(n, 1000, MOST - 1);
	pool_world_free(world);
}

/* ---- what a catalog says that cannot be opened ---- */

static void without_memory_it_is_neither_damaged_nor_older(void **state)
{
	struct pool_world *world = pool_world_new();
	struct picture told, wanted;
	struct catalog_error err;
	long n;
	int r = 0;

	(void)state;
	add_images(world);
	add_pages(world);
	pool_world_close(world);
	memset(&wanted, 0, sizeof wanted);
	assert_int_equal(catalog_salvage(world->path, draw, &wanted, &err), 0);
	assert_int_equal(wanted.n, 5); /* one is being deleted */
	assert_non_null(strstr(wanted.lines[0], "before upgrade  env=prod role=web"));
	for (n = 0; n < MOST; n++) {
		memset(&told, 0, sizeof told);
		countdown = n;
		r = catalog_salvage(world->path, draw, &told, &err);
		if (countdown >= 0)
			break;
		if (r < 0)
			assert_int_equal(r, CATALOG_E_NOMEM);
		else
			assert_memory_equal(&told, &wanted, sizeof told);
	}
	countdown = -1;
	print_message("%ld allocations\n", n);
	assert_int_equal(r, 0);
	assert_in_range(n, 100, MOST - 1);
	pool_world_open(world);
	pool_world_free(world);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CHANGES(LISTED) cmocka_unit_test(without_memory_a_start_says_so),
		cmocka_unit_test(older_catalogs_are_brought_up_to_date_or_stay_as_they_are),
		cmocka_unit_test(without_memory_it_is_neither_damaged_nor_older),
	};

	make_memory_scarce();
	return cmocka_run_group_tests_name("server/scarce", tests, NULL, NULL);
}
