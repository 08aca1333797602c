/* test_server_pool_place.c - images whose files lie where somebody else has put them: the way there
 * leads nowhere else, all of them enter the catalog or none, and only what is theirs is removed. */
#include "pool_place.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "pool_backup.h"
#include "pool_world.h"
#include "rebuild.h"
#include "test.h"

static char said[4096];

static const char *in_root(const struct pool_world *world, const char *name)
{
	static char paths[4][256];
	static unsigned at;
	char *path = paths[at++ % 4];

	(void)snprintf(path, sizeof paths[0], "%s/srv%s%s", world->folder, *name ? "/" : "", name);
	return path;
}

static void name_roots(struct pool_world *world, size_t n)
{
	char images[128];

	pool_set_close(&world->pools);
	(void)snprintf(images, sizeof images, "%s/images", world->folder);
	world->config.n_roots = n;
	assert_int_equal(pool_set_open(&world->pools, images, &world->config, NULL), 0);
}

static void set_roots(struct pool_world *world, const char *root)
{
	(void)snprintf(world->config.roots[0], CONFIG_PATH, "%s", root);
	name_roots(world, 1);
}

static int set_up(void **state)
{
	struct pool_world *world = pool_world_new();

	assert_int_equal(mkdir(in_root(world, ""), 0700), 0);
	assert_int_equal(mkdir(in_root(world, "sub"), 0700), 0);
	set_roots(world, in_root(world, ""));
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	pool_world_free(*state);
	return 0;
}

/* A row as adoption makes them; strings are borrowed. */
static struct catalog_image row_of(struct pool_world *world, unsigned number, unsigned parent,
				   const char *path)
{
	struct catalog_image row = {.vhd = {.size = 1 << 20, .block_size = 2 << 20}};

	pool_world_id(number, row.id);
	if (parent)
		pool_world_id(parent, row.parent_id);
	row.kind = parent ? CATALOG_DIFFERENCING : CATALOG_DYNAMIC;
	row.usage.file_bytes = parent ? 4608 : 2560;
	(void)snprintf(row.name, sizeof row.name, "image-%u", number);
	row.root = world->pools.roots[0].path;
	/* Not written to; the struct owns its strings elsewhere. */
	memcpy(&row.path, &path, sizeof path);
	return row;
}

/* A file below the root that is in the catalog, and what it is there. */
static void adopt(struct pool_world *world, const struct pool_image *image, const char *path,
		  bool linked)
{
	struct catalog_image row = row_of(world, image->number, image->parent, path);

	pool_world_write(world, image);
	assert_int_equal(rename(pool_world_file(world, image->number), in_root(world, path)), 0);
	row.linked = linked;
	if (image->type == VHD_FIXED) {
		row.kind = CATALOG_FIXED;
		row.vhd = (struct catalog_vhd){.size = image->size};
		row.usage.file_bytes = image->size + VHD_SECTOR;
	}
	if (catalog_adopt(world->catalog, &row, 1, NULL, NULL, &world->err) < 0)
		fail_msg("%s", world->err.text);
}

static struct catalog_place place_of(struct pool_world *world, unsigned number)
{
	struct catalog_place at;
	uint8_t id[IDS_SIZE];

	pool_world_id(number, id);
	assert_true(catalog_place(world->catalog, id, &at));
	return at;
}

static const struct pool_image one = {.number = 1, .type = VHD_DYNAMIC};
static const struct pool_image two = {.number = 2, .type = VHD_DYNAMIC};

/* ---- the way to the file ---- */

static int try_open(struct pool_world *world, const struct catalog_place *at,
		    struct vhd_error *ret_err)
{
	int fd = -1;
	int r = place_open_id(&world->pools, at, false, &fd, ret_err);

	if (r == 0)
		(void)close(fd);
	return r;
}

static void put_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	(void)close(fd);
}

static void follows_no_link_to_an_adopted_file(void **state)
{
	struct pool_world *world = *state;
	struct catalog_place at;
	struct vhd_error err = {0};
	char path[PLACE_TEXT];

	adopt(world, &one, "sub/one.vhd", false);
	at = place_of(world, 1);
	assert_int_equal(place_path(&world->pools, &at, path, &err), 0);
	assert_string_equal(path, in_root(world, "sub/one.vhd"));
	assert_int_equal(try_open(world, &at, &err), 0);
	/* The folder becomes a link to where the file is, then the file itself does. */
	assert_int_equal(rename(in_root(world, "sub"), in_root(world, "aside")), 0);
	assert_int_equal(try_open(world, &at, &err), VHD_E_NOT_FOUND);
	put_file(in_root(world, "sub"));
	assert_int_equal(try_open(world, &at, &err), VHD_E_NOT_FOUND);
	assert_string_equal(err.text, "cannot open the folder of sub/one.vhd: Not a directory");
	assert_int_equal(unlink(in_root(world, "sub")), 0);
	assert_int_equal(symlink("aside", in_root(world, "sub")), 0);
	assert_int_equal(try_open(world, &at, &err), VHD_E_FORBIDDEN);
	assert_string_equal(err.text, "cannot open the folder of sub/one.vhd: Too many levels of "
				      "symbolic links");
	assert_int_equal(unlink(in_root(world, "sub")), 0);
	assert_int_equal(mkdir(in_root(world, "sub"), 0700), 0);
	assert_int_equal(symlink("../aside/one.vhd", in_root(world, "sub/one.vhd")), 0);
	assert_int_equal(try_open(world, &at, &err), VHD_E_FORBIDDEN);
	assert_string_equal(err.text, "cannot open one.vhd: Too many levels of symbolic links");
}

/* Its folder of once may be another one of the configuration now, with copies in it. */
static void follows_a_pool_whatever_its_folder_of_once_is(void **state)
{
	static const struct {
		const char *pool, *root, *want; /* folders of the state */
	} rows[] = {
		{"default", "old", "images"}, {"default", "images", "images"},
		{"default", "srv", "images"}, {"other", "old", "old"},
		{"", "srv", "srv"},
	};
	struct pool_world *world = *state;
	char path[PLACE_TEXT], want[PLACE_TEXT];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct catalog_place at = {.path = "sub/one.vhd"};

		(void)snprintf(at.pool, sizeof at.pool, "%s", rows[i].pool);
		(void)snprintf(at.root, sizeof at.root, "%s/%s", world->folder, rows[i].root);
		(void)snprintf(want, sizeof want, "%s/%s/sub/one.vhd", world->folder, rows[i].want);
		assert_int_equal(place_path(&world->pools, &at, path, NULL), 0);
		assert_string_equal(path, want);
	}
}

/* The folder is moved, and a link is left where it was. */
static void follows_a_root_that_is_a_link_now(void **state)
{
	struct pool_world *world = *state;
	struct catalog_place at;
	struct vhd_error err = {0};
	char root[PLACE_TEXT], path[PLACE_TEXT];

	adopt(world, &one, "sub/one.vhd", false);
	at = place_of(world, 1);
	assert_int_equal(rename(in_root(world, ""), in_root(world, "../moved")), 0);
	assert_int_equal(symlink("moved", in_root(world, "")), 0);
	for (int slash = 0; slash < 2; slash++) {
		(void)snprintf(root, sizeof root, "%s%s", in_root(world, ""), slash ? "/" : "");
		set_roots(world, root);
		assert_int_equal(try_open(world, &at, &err), 0);
		assert_int_equal(place_path(&world->pools, &at, path, &err), 0);
		(void)snprintf(root, sizeof root, "%s/moved/sub/one.vhd", world->folder);
		assert_string_equal(path, root);
	}
	set_roots(world, in_root(world, "../moved"));
	assert_int_equal(try_open(world, &at, &err), VHD_E_NOT_FOUND);
}

/* Its disk is mounted when the daemon runs: a link is as good as the folder. */
static void finds_a_root_that_was_not_there_at_the_start(void **state)
{
	struct pool_world *world = *state;
	struct catalog_place at, below = {.pool = "?"};
	struct vhd_error err = {0};
	char link[CATALOG_PATH], away[CATALOG_PATH];

	adopt(world, &one, "one.vhd", false);
	at = place_of(world, 1);
	(void)snprintf(link, sizeof link, "%s/link", world->folder);
	assert_int_equal(symlink("srv", link), 0);
	(void)snprintf(away, sizeof away, "%s/away", world->folder);
	(void)snprintf(at.root, sizeof at.root, "%s", link);
	assert_int_equal(rename(in_root(world, ""), away), 0);
	set_roots(world, link);
	assert_int_equal(try_open(world, &at, &err), VHD_E_NOT_FOUND);
	assert_false(place_below(&world->pools, in_root(world, "one.vhd"), &below));
	assert_int_equal(rename(away, in_root(world, "")), 0);
	assert_int_equal(try_open(world, &at, &err), 0);
	assert_true(place_below(&world->pools, in_root(world, "one.vhd"), &below));
	assert_string_equal(below.root, link);
	assert_string_equal(below.path, "one.vhd");
}

static void knows_only_roots_of_the_configuration(void **state)
{
	struct pool_world *world = *state;
	struct catalog_place at;
	struct vhd_error err = {0};
	char text[CATALOG_PATH + 64];

	adopt(world, &one, "one.vhd", false);
	at = place_of(world, 1);
	(void)snprintf(text, sizeof text, "%s is no root of the configuration now", at.root);
	set_roots(world, "/nowhere");
	assert_int_equal(try_open(world, &at, &err), VHD_E_NOT_FOUND);
	assert_string_equal(err.text, text);
}

static void finds_the_root_of_a_path(void **state)
{
	static const struct {
		const char *path, *rest; /* below the folder of the world */
	} rows[] = {
		{"srv/a.vhd", "a.vhd"}, {"srv/a/b.vhd", "a/b.vhd"}, {"srv", NULL},
		{"srvx/a.vhd", NULL},   {"catalog.db", NULL},       {"images/a.vhd", "a.vhd"},
	};
	struct pool_world *world = *state;
	struct catalog_place at;
	char path[PLACE_TEXT];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", world->folder, rows[i].path);
		assert_int_equal(place_below(&world->pools, path, &at), rows[i].rest != NULL);
		if (rows[i].rest)
			assert_string_equal(at.path, rows[i].rest);
	}
	assert_string_equal(at.pool, "default");
	set_roots(world, "/");
	assert_true(place_below(&world->pools, "/srv/a.vhd", &at));
	assert_string_equal(at.root, "/");
	assert_string_equal(at.path, "srv/a.vhd");
	place_text(&at, path);
	assert_string_equal(path, "/srv/a.vhd");
}

/* The link may be pointed elsewhere, or named with a slash at its end; a folder that the
 * configuration names as well needs none. */
static void keeps_the_name_that_the_configuration_has_for_a_root(void **state)
{
	static const char *const links[] = {"link", "link/", "link//"};
	struct pool_world *world = *state;
	struct catalog_place at = {.pool = "?"};
	struct place place;
	char path[PLACE_TEXT], link[PLACE_TEXT];

	(void)snprintf(link, sizeof link, "%s/link", world->folder);
	assert_int_equal(symlink("srv", link), 0);
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", world->folder, links[i]);
		set_roots(world, path);
		assert_true(place_below(&world->pools, in_root(world, "sub/a.vhd"), &at));
		assert_string_equal(at.root, link);
		assert_string_equal(at.path, "sub/a.vhd");
		assert_string_equal(at.pool, "");
		assert_int_equal(place_path(&world->pools, &at, path, NULL), 0);
		assert_string_equal(path, in_root(world, "sub/a.vhd"));
		/* A row of an older vhdd has the folder. */
		(void)snprintf(at.root, sizeof at.root, "%s", in_root(world, ""));
		assert_int_equal(place_reach(&world->pools, &at, &place, NULL), 0);
		place_leave(&place);
	}
	(void)snprintf(world->config.roots[1], CONFIG_PATH, "%s/", in_root(world, ""));
	name_roots(world, 2);
	assert_true(place_below(&world->pools, in_root(world, "sub/a.vhd"), &at));
	assert_string_equal(at.root, in_root(world, ""));
}

/* ---- removal ---- */

static int try_remove(struct pool_world *world, unsigned number, struct vhd_error *ret_err)
{
	CLEANUP(place_leave) struct place place = {.mine = false};
	struct catalog_place at = place_of(world, number);

	assert_int_equal(place_reach(&world->pools, &at, &place, ret_err), 0);
	return place_remove(&place, ret_err);
}

static void removes_only_the_image_itself(void **state)
{
	static const char not_it[] =
		"one.vhd is not the image that was adopted, and is not removed";
	struct pool_world *world = *state;
	struct vhd_error err = {0};
	FILE *out;

	adopt(world, &one, "one.vhd", false);
	assert_int_equal(rename(in_root(world, "one.vhd"), in_root(world, "aside")), 0);
	pool_world_write(world, &two);
	assert_int_equal(rename(pool_world_file(world, 2), in_root(world, "one.vhd")), 0);
	assert_int_equal(try_remove(world, 1, &err), VHD_E_FORBIDDEN);
	assert_string_equal(err.text, not_it);
	out = fopen(in_root(world, "one.vhd"), "w");
	assert_non_null(out);
	(void)fputs("a letter", out);
	(void)fclose(out);
	assert_int_equal(try_remove(world, 1, &err), VHD_E_FORBIDDEN);
	assert_string_equal(err.text, not_it);
	assert_int_equal(unlink(in_root(world, "one.vhd")), 0);
	assert_int_equal(symlink("aside", in_root(world, "one.vhd")), 0);
	assert_int_equal(try_remove(world, 1, &err), VHD_E_FORBIDDEN);
	assert_int_equal(rename(in_root(world, "aside"), in_root(world, "one.vhd")), 0);
	assert_int_equal(try_remove(world, 1, &err), 0);
	assert_int_equal(access(in_root(world, "one.vhd"), F_OK), -1);
	assert_int_equal(try_remove(world, 1, &err), 0);
}

static void never_removes_a_linked_file(void **state)
{
	struct pool_world *world = *state;
	struct vhd_error err = {0};

	adopt(world, &one, "one.vhd", true);
	assert_int_equal(try_remove(world, 1, &err), VHD_E_FORBIDDEN);
	assert_string_equal(err.text, "one.vhd is linked, and is never removed");
	assert_int_equal(access(in_root(world, "one.vhd"), F_OK), 0);
}

/* Whoever runs the test, permissions hold for the removal. */
static int try_remove_unprivileged(struct pool_world *world, unsigned number,
				   struct vhd_error *ret_err)
{
	CLEANUP(place_leave) struct place place = {.mine = false};
	struct catalog_place at = place_of(world, number);
	uid_t user = geteuid();
	int r;

	assert_int_equal(place_reach(&world->pools, &at, &place, ret_err), 0);
	if (user == 0)
		assert_int_equal(seteuid(65534), 0);
	r = place_remove(&place, ret_err);
	assert_int_equal(seteuid(user), 0);
	return r;
}

/* What may not be read or removed now was taken for another file, of which nobody knew then. */
static void a_file_without_permission_is_not_somebody_elses(void **state)
{
	struct pool_world *world = *state;
	struct vhd_error err = {0};

	adopt(world, &one, "one.vhd", false);
	assert_int_equal(chmod(in_root(world, "one.vhd"), 0), 0);
	assert_int_equal(chmod(in_root(world, ""), 0555), 0);
	assert_int_equal(try_remove_unprivileged(world, 1, &err), VHD_E_READONLY);
	assert_string_equal(err.text, "cannot open one.vhd: Permission denied");
	assert_int_equal(chmod(in_root(world, "one.vhd"), 0444), 0);
	assert_int_equal(try_remove_unprivileged(world, 1, &err), VHD_E_READONLY);
	assert_int_equal(err.code, VHD_E_READONLY);
	assert_string_equal(err.text, "cannot remove one.vhd: Permission denied");
	assert_int_equal(chmod(in_root(world, ""), 0700), 0);
	assert_int_equal(try_remove(world, 1, &err), 0);
}

/* ---- rows ---- */

static void keeps_places_over_a_restart(void **state)
{
	struct pool_world *world = *state;
	struct catalog_place at;

	adopt(world, &one, "sub/one.vhd", true);
	pool_world_close(world);
	pool_world_open(world);
	at = place_of(world, 1);
	assert_string_equal(at.root, world->pools.roots[0].path);
	assert_string_equal(at.path, "sub/one.vhd");
	assert_true(at.linked);
}

static void refuses_places_that_are_none(void **state)
{
	static const struct {
		char root[8], path[8];
		bool linked;
	} rows[] = {
		{"srv", "a", false},     {"/srv", "/a", false},    {"/srv", "../a", false},
		{"/srv", "a/..", false}, {"/srv", "a/./b", false}, {"/srv", "a//b", false},
		{"/srv", "a/", false},   {"/srv", "", false},      {"", "a", false},
		{"", "", true},
	};
	struct pool_world *world = *state;
	struct catalog_brief brief;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct catalog_image row = row_of(world, 1, 0, NULL);
		char root[8], path[8];

		memcpy(root, rows[i].root, sizeof root);
		memcpy(path, rows[i].path, sizeof path);
		row.root = *root ? root : NULL;
		row.path = *path ? path : NULL;
		row.linked = rows[i].linked;
		assert_int_equal(catalog_adopt(world->catalog, &row, 1, NULL, NULL, &world->err),
				 CATALOG_E_STATE);
		assert_false(catalog_brief(world->catalog, row.id, &brief));
	}
}

/* The second image of each batch cannot be. */
static void adopts_all_or_none(void **state)
{
	static const struct {
		unsigned number, parent;
		const char *name, *path;
		enum catalog_code code;
		const char *text;
	} rows[] = {
		{1, 8, "other", "c.vhd", CATALOG_E_ID_EXISTS, "an image with this id exists"},
		{9, 8, "image-1", "c.vhd", CATALOG_E_NAME_EXISTS, "an image 'image-1' exists"},
		{9, 8, "image-8", "c.vhd", CATALOG_E_NAME_EXISTS,
		 "catalog: change: UNIQUE constraint failed: image.name"},
		{9, 8, "other", "one.vhd", CATALOG_E_PLACE,
		 "catalog: change: UNIQUE constraint failed: image.root, image.path"},
		{9, 7, "other", "c.vhd", CATALOG_E_STATE, "catalog: change: parent is not ready"},
	};
	struct pool_world *world = *state;
	struct catalog_image batch[2];
	struct catalog_brief brief;

	adopt(world, &one, "one.vhd", false);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		batch[0] = row_of(world, 8, 0, "b.vhd");
		batch[1] = row_of(world, rows[i].number, rows[i].parent, rows[i].path);
		(void)snprintf(batch[1].name, CATALOG_NAME, "%s", rows[i].name);
		assert_int_equal(catalog_adopt(world->catalog, batch, 2, NULL, NULL, &world->err),
				 rows[i].code);
		assert_string_equal(world->err.text, rows[i].text);
		assert_false(catalog_brief(world->catalog, batch[0].id, &brief));
	}
	batch[0] = row_of(world, 8, 3, "b.vhd");
	assert_int_equal(catalog_adopt(world->catalog, batch, 1, NULL, NULL, &world->err),
			 CATALOG_E_PARENT);
	assert_string_equal(world->err.text, "the parent is not ready");
}

static void seals_and_touches_a_parent_that_was_there(void **state)
{
	struct pool_world *world = *state;
	struct catalog_seal seal = {.file_bytes = 2560, .ino = 7, .sha256 = {1}};
	struct catalog_image row = row_of(world, 8, 1, "b.vhd");
	CLEANUP(catalog_image_fini) struct catalog_image parent = {0};

	adopt(world, &one, "one.vhd", false);
	assert_int_equal(catalog_adopt(world->catalog, &row, 1, &seal, NULL, &world->err), 0);
	for (int i = 0; i < 2; i++) {
		catalog_image_fini(&parent);
		pool_world_id(1, row.parent_id);
		assert_int_equal(catalog_get(world->catalog, row.parent_id, &parent, &world->err),
				 0);
		assert_int_equal(parent.children, 1);
		assert_int_equal(parent.version, 1);
		assert_true(parent.sealed && parent.seal.ino == 7);
		pool_world_close(world);
		pool_world_open(world);
	}
}

static void refuses_a_chain_that_is_too_deep(void **state)
{
	struct pool_world *world = *state;
	struct catalog_image batch[3] = {row_of(world, 7, 0, "a"), row_of(world, 8, 7, "b"),
					 row_of(world, 9, 8, "c")};

	pool_world_close(world);
	assert_int_equal(catalog_open(world->path, 2, &world->catalog, &world->err), 0);
	assert_int_equal(catalog_adopt(world->catalog, batch, 3, NULL, NULL, &world->err),
			 CATALOG_E_TOO_DEEP);
	assert_string_equal(world->err.text, "a chain has at most 2 images");
	assert_int_equal(catalog_adopt(world->catalog, batch, 2, NULL, NULL, &world->err), 0);
	assert_int_equal(catalog_adopt(world->catalog, batch + 2, 1, NULL, NULL, &world->err),
			 CATALOG_E_TOO_DEEP);
	world->reconcile.catalog = world->catalog;
}

/* ---- what is found ---- */

/* Of the one image; "" when it is healthy. */
static const char *finding_of(struct pool_world *world, unsigned number)
{
	static struct finding finding;
	uint8_t id[IDS_SIZE];

	pool_world_id(number, id);
	(void)reconcile_image(&world->reconcile, id);
	if (!findings_serious(world->reconcile.findings, id, &finding))
		return "";
	return findings_name(finding.kind);
}

static void tells_what_became_of_an_adopted_file(void **state)
{
	struct pool_world *world = *state;

	adopt(world, &one, "sub/one.vhd", false);
	assert_string_equal(finding_of(world, 1), "");
	/* It is somebody else's folder: owner and names are no business of ours. */
	assert_int_equal(link(in_root(world, "sub/one.vhd"), in_root(world, "again.vhd")), 0);
	assert_string_equal(finding_of(world, 1), "");
	assert_int_equal(rename(in_root(world, "sub"), in_root(world, "aside")), 0);
	assert_string_equal(finding_of(world, 1), "missing-file");
	put_file(in_root(world, "sub"));
	assert_string_equal(finding_of(world, 1), "missing-file");
	assert_int_equal(unlink(in_root(world, "sub")), 0);
	assert_int_equal(symlink("aside", in_root(world, "sub")), 0);
	assert_string_equal(finding_of(world, 1), "unreadable");
	assert_int_equal(unlink(in_root(world, "sub")), 0);
	assert_int_equal(mkdir(in_root(world, "sub"), 0700), 0);
	assert_string_equal(finding_of(world, 1), "missing-file");
	pool_world_write(world, &two);
	assert_int_equal(rename(pool_world_file(world, 2), in_root(world, "sub/one.vhd")), 0);
	assert_string_equal(finding_of(world, 1), "wrong-id");
	set_roots(world, "/nowhere");
	assert_string_equal(finding_of(world, 1), "pool-offline");
}

static size_t findings_of_all(struct pool_world *world, struct finding *ret_first)
{
	struct findings_count count;

	assert_int_equal(reconcile_all(&world->reconcile), 0);
	(void)findings_list(world->reconcile.findings, ret_first, 1, &count);
	return count.all;
}

static void knows_adopted_files_of_a_pool(void **state)
{
	struct pool_world *world = *state;
	struct catalog_image row = row_of(world, 1, 0, "other.vhd");
	struct finding finding = {0};
	char root[128];

	(void)snprintf(root, sizeof root, "%s/images", world->folder);
	row.root = root;
	(void)snprintf(row.pool, sizeof row.pool, "default");
	pool_world_write(world, &one);
	assert_int_equal(rename(pool_world_file(world, 1), pool_world_path(world, "other.vhd")), 0);
	assert_int_equal(catalog_adopt(world->catalog, &row, 1, NULL, NULL, &world->err), 0);
	assert_int_equal(findings_of_all(world, &finding), 0);
	/* Where an image of the daemon's own would lie there is a copy. */
	pool_world_write(world, &one);
	assert_int_equal(findings_of_all(world, &finding), 1);
	assert_int_equal(finding.kind, FINDING_DUPLICATE_ID);
}

/* ---- a guest that writes what looks like another kind of disk ---- */

static const struct pool_image fixed = {.number = 3, .type = VHD_FIXED, .size = 65536};

static void disguise(const char *path, const char *as)
{
	char command[512];

	(void)snprintf(command, sizeof command, "dd if='%s' of='%s' conv=notrunc status=none", as,
		       path);
	assert_int_equal(system(command), 0);
}

static void takes_a_disguised_disk_for_what_it_was(void **state)
{
	struct pool_world *world = *state;
	struct vhd_error err = {0};

	pool_world_write(world, &two);
	pool_world_write(world, &fixed);
	pool_world_rows(world, &fixed, 1);
	disguise(pool_world_file(world, 3), pool_world_file(world, 2));
	assert_string_equal(finding_of(world, 3), "");
	catalog_forget(world->catalog, place_of(world, 3).id, 0, NULL);
	adopt(world, &fixed, "fixed.vhd", false);
	disguise(in_root(world, "fixed.vhd"), pool_world_file(world, 2));
	assert_string_equal(finding_of(world, 3), "");
	assert_int_equal(try_remove(world, 3, &err), 0);
}

/* ---- a catalog made anew ---- */

static void rebuild(struct pool_world *world)
{
	FILE *out = fmemopen(said, sizeof said, "w");

	assert_non_null(out);
	pool_world_close(world);
	assert_int_equal(rebuild_catalog(world->folder, &world->config, out), 0);
	(void)fclose(out);
	pool_world_open(world);
}

static bool has(struct pool_world *world, unsigned number)
{
	struct catalog_brief brief;
	uint8_t id[IDS_SIZE];

	pool_world_id(number, id);
	return catalog_brief(world->catalog, id, &brief);
}

static void spoil(struct pool_world *world)
{
	int fd = open(world->path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "spoiled", 7, 0), 7);
	(void)close(fd);
}

static void finds_adopted_files_again(void **state)
{
	struct pool_world *world = *state;

	adopt(world, &one, "sub/one.vhd", true);
	pool_world_write(world, &two);
	pool_world_rows(world, &two, 1);
	rebuild(world);
	assert_true(has(world, 1) && has(world, 2));
	assert_true(place_of(world, 1).linked);
	assert_string_equal(place_of(world, 1).path, "sub/one.vhd");
	assert_string_equal(finding_of(world, 1), "");
	/* From a backup. */
	assert_int_equal(catalog_backup(world->catalog, &world->err), 0);
	spoil(world);
	rebuild(world);
	assert_true(has(world, 1) && has(world, 2));
}

static void knows_the_adopted_files_of_a_pool_by_their_names(void **state)
{
	static const char *const names[] = {"c.vhd", "a.vhd", "b.vhd"};
	struct pool_world *world = *state;

	set_roots(world, pool_world_path(world, ""));
	for (unsigned i = 0; i < 3; i++) {
		struct pool_image image = {.number = i + 1, .type = VHD_DYNAMIC};
		struct catalog_image row = row_of(world, i + 1, 0, names[i]);

		pool_world_write(world, &image);
		assert_int_equal(
			rename(pool_world_file(world, i + 1), pool_world_path(world, names[i])), 0);
		assert_int_equal(catalog_adopt(world->catalog, &row, 1, NULL, NULL, &world->err),
				 0);
	}
	rebuild(world);
	assert_null(strstr(said, "left out"));
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(place_of(world, i + 1).path, names[i]);
}

static void leaves_adopted_files_alone_that_it_cannot_place(void **state)
{
	struct pool_world *world = *state;
	char backup[POOL_BACKUP_PATH];

	adopt(world, &one, "one.vhd", false);
	pool_world_write(world, &two);
	assert_int_equal(rename(pool_world_file(world, 2), in_root(world, "one.vhd")), 0);
	rebuild(world);
	assert_non_null(strstr(said, "srv/one.vhd: it is another image now\n"));
	assert_false(has(world, 1));
	pool_world_write(world, &one);
	assert_int_equal(rename(pool_world_file(world, 1), in_root(world, "one.vhd")), 0);
	/* Neither a catalog nor a backup. */
	pool_world_close(world);
	assert_int_equal(unlink(world->path), 0);
	while (pool_backup_newest(world->path, backup) == 0)
		assert_int_equal(unlink(backup), 0);
	pool_world_open(world);
	rebuild(world);
	assert_false(has(world, 1));
	assert_int_equal(access(in_root(world, "one.vhd"), F_OK), 0);
}

static void rebuilds_a_disguised_disk_as_what_it_was(void **state)
{
	struct pool_world *world = *state;
	struct catalog_brief brief;

	pool_world_write(world, &two);
	pool_world_write(world, &fixed);
	pool_world_rows(world, &fixed, 1);
	disguise(pool_world_file(world, 3), pool_world_file(world, 2));
	rebuild(world);
	assert_true(catalog_brief(world->catalog, place_of(world, 3).id, &brief));
	assert_int_equal(brief.kind, CATALOG_FIXED);
	assert_string_equal(finding_of(world, 3), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(follows_no_link_to_an_adopted_file),
		TEST(follows_a_pool_whatever_its_folder_of_once_is),
		TEST(follows_a_root_that_is_a_link_now),
		TEST(finds_a_root_that_was_not_there_at_the_start),
		TEST(knows_only_roots_of_the_configuration),
		TEST(finds_the_root_of_a_path),
		TEST(keeps_the_name_that_the_configuration_has_for_a_root),
		TEST(removes_only_the_image_itself),
		TEST(never_removes_a_linked_file),
		TEST(a_file_without_permission_is_not_somebody_elses),
		TEST(keeps_places_over_a_restart),
		TEST(refuses_places_that_are_none),
		TEST(adopts_all_or_none),
		TEST(seals_and_touches_a_parent_that_was_there),
		TEST(refuses_a_chain_that_is_too_deep),
		TEST(tells_what_became_of_an_adopted_file),
		TEST(knows_adopted_files_of_a_pool),
		TEST(takes_a_disguised_disk_for_what_it_was),
		TEST(finds_adopted_files_again),
		TEST(knows_the_adopted_files_of_a_pool_by_their_names),
		TEST(leaves_adopted_files_alone_that_it_cannot_place),
		TEST(rebuilds_a_disguised_disk_as_what_it_was),
	};

	return cmocka_run_group_tests_name("server/pool_place", tests, NULL, NULL);
}
