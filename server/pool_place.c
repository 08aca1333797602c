/* pool_place.c - opens the folder of a file first, and does all else in that folder. */
#include "pool_place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "failure.h"
#include "reconcile_private.h"

static bool is_adopted(const struct catalog_place *at)
{
	return at->path[0] != '\0';
}

static const char *slash_after(const char *root)
{
	return strcmp(root, "/") == 0 ? "" : "/";
}

void place_settle(const struct pool_set *pools, struct catalog_place *at)
{
	const struct pool_dir *pool = pool_set_find(pools, at->pool);
	const char *root = pool ? pool_path(pool) : pool_set_root(pools, at->root);

	if (is_adopted(at) && root)
		(void)snprintf(at->root, sizeof at->root, "%s", root);
}

void place_text(const struct catalog_place *at, char ret_text[PLACE_TEXT])
{
	size_t len = strlen(at->pool);

	if (is_adopted(at)) {
		(void)snprintf(ret_text, PLACE_TEXT, "%s%s%s", at->root, slash_after(at->root),
			       at->path);
		return;
	}
	memcpy(ret_text, at->pool, len);
	ret_text[len] = '/';
	pool_file_name(at->id, ret_text + len + 1);
}

int place_path(const struct pool_set *pools, const struct catalog_place *at,
	       char ret_path[PLACE_TEXT], struct vhd_error *err)
{
	const struct pool_dir *pool = pool_set_find(pools, at->pool);

	if (is_adopted(at)) {
		struct catalog_place now = *at;

		place_settle(pools, &now);
		place_text(&now, ret_path);
		return 0;
	}
	if (!pool)
		return failure(err, VHD_E_NOT_FOUND, "the configuration has no pool %.200s",
			       at->pool);
	pool_file_path(pool, at->id, ret_path);
	return 0;
}

/* ---- the way there ---- */

static char folder_text[] = "of an adopted image";

/* The folder of an adopted file; `name` becomes its last component. */
static int open_folder(const struct catalog_place *at, struct place *place, struct vhd_error *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	CLEANUP(closep) int root = open(at->root, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	const char *slash = strrchr(at->path, '/');
	char way[CATALOG_PATH] = ".";

	if (root < 0)
		return pool_fail_sys(err, "cannot open the folder", at->root);
	if (slash)
		(void)snprintf(way, sizeof way, "%.*s", (int)(slash - at->path), at->path);
	(void)snprintf(place->name, sizeof place->name, "%.255s", slash ? slash + 1 : at->path);
	place->folder.fd = (int)syscall(SYS_openat2, root, way, &how, sizeof how);
	place->folder.path = folder_text;
	place->mine = place->folder.fd >= 0;
	return place->mine ? 0 : pool_fail_sys(err, "cannot open the folder of", at->path);
}

int place_reach(const struct pool_set *pools, const struct catalog_place *at,
		struct place *ret_place, struct vhd_error *err)
{
	struct place place = {.adopted = is_adopted(at), .linked = at->linked};
	const struct pool_dir *pool;
	int r = 0;

	memcpy(place.id, at->id, IDS_SIZE);
	if (place.adopted) {
		struct catalog_place now = *at;

		place_settle(pools, &now);
		if (!pool_set_allows(pools, now.root))
			return failure(err, VHD_E_NOT_FOUND,
				       "%.200s is no root of the configuration now", now.root);
		r = open_folder(&now, &place, err);
	} else {
		pool = pool_set_find(pools, at->pool);
		if (!pool)
			return failure(err, VHD_E_NOT_FOUND, "the configuration has no pool %.200s",
				       at->pool);
		place.folder = *pool;
		pool_file_name(at->id, place.name);
	}
	if (r == 0)
		*ret_place = place;
	return r;
}

void place_leave(struct place *place)
{
	if (place->mine)
		(void)close(place->folder.fd);
	memset(place, 0, sizeof *place);
}

/* ---- the file ---- */

int place_open(const struct place *place, bool write, int *ret_fd, struct vhd_error *err)
{
	CLEANUP(closep)
	int fd = pool_open_beneath(&place->folder, place->name, write ? O_RDWR : O_RDONLY);
	struct stat st;

	if (fd < 0)
		return pool_fail_sys(err, "cannot open", place->name);
	if (fstat(fd, &st) < 0)
		return pool_fail_sys(err, "cannot look at", place->name);
	if (!S_ISREG(st.st_mode))
		return failure(err, VHD_E_FORBIDDEN, "%.200s is not a regular file", place->name);
	if (!place->adopted && pool_names(&place->folder, place->id, &st) != 1)
		return failure(err, VHD_E_FORBIDDEN, "%.200s has %lu names", place->name,
			       (unsigned long)st.st_nlink);
	*ret_fd = STEAL_FD(fd);
	return 0;
}

int place_open_id(const struct pool_set *pools, const struct catalog_place *at, bool write,
		  int *ret_fd, struct vhd_error *err)
{
	CLEANUP(place_leave) struct place place = {.mine = false};
	int r = place_reach(pools, at, &place, err);

	return r < 0 ? r : place_open(&place, write, ret_fd, err);
}

/* Whether the file is the image that it was when it was adopted: 1, 0, or VHD_E_... when it cannot
 * be read now. */
static int still_is(const struct place *place, struct vhd_error *err)
{
	static const unsigned hints[] = {VHD_IS_FIXED, VHD_NOT_FIXED};
	struct vhd_engine *engine = reconcile_engine();
	int r = engine ? 0 : failure(err, VHD_E_NOMEM, "out of memory");

	for (size_t i = 0; r == 0 && i < sizeof hints / sizeof *hints; i++) {
		CLEANUP(closep) int fd = -1;
		struct vhd *disk = NULL;

		r = place_open(place, false, &fd, err);
		if (r == 0)
			r = reconcile_open(engine, &fd, hints[i], &disk, err);
		if (r == 0)
			r = ids_equal(vhd_info(disk)->id, place->id);
		else if (err->sys == EACCES) /* it may be the image */
			r = VHD_E_READONLY;
		else if (r != VHD_E_IO && r != VHD_E_NOMEM)
			r = 0;
		vhd_close(disk);
	}
	vhd_engine_free(engine);
	return r;
}

int place_remove(const struct place *place, struct vhd_error *err)
{
	struct pool_facts facts;
	int same = 1;

	if (place->linked)
		return failure(err, VHD_E_FORBIDDEN, "%.200s is linked, and is never removed",
			       place->name);
	if (place->adopted && pool_look(&place->folder, place->name, &facts, NULL) == 0)
		same = still_is(place, err);
	if (same < 0)
		return same;
	if (same == 0)
		return failure(err, VHD_E_FORBIDDEN,
			       "%.200s is not the image that was adopted, and is not removed",
			       place->name);
	return pool_remove_name(&place->folder, place->name, err);
}

/* ---- roots ---- */

/* What of `path` lies below `root`; NULL: it does not. */
static const char *rest(const char *root, const char *path)
{
	size_t len = strlen(root);

	if (strcmp(root, "/") == 0)
		return path + 1;
	if (strncmp(path, root, len) != 0 || path[len] != '/')
		return NULL;
	return path + len + 1;
}

/* As the configuration names it: a link may be pointed elsewhere one day. A folder that it names as
 * well needs none. */
static const char *name_of(const struct pool_set *pools, size_t i)
{
	const char *path = pool_set_root_path(pools, i);

	return pool_set_root(pools, path) ? path : pools->roots[i].name;
}

static size_t length_without_slashes(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return len;
}

bool place_below(const struct pool_set *pools, const char *path, struct catalog_place *ret_place)
{
	const char *best = NULL, *root = NULL, *pool = "";

	for (size_t i = 0; i < pools->n; i++) {
		const char *at = rest(pool_path(pools->items[i].pool), path);

		if (at && (!best || at > best)) {
			best = at;
			root = pool_path(pools->items[i].pool);
			pool = pools->items[i].name;
		}
	}
	for (size_t i = 0; i < pools->n_roots && !root; i++) {
		best = rest(pool_set_root_path(pools, i), path);
		root = best ? name_of(pools, i) : NULL;
	}
	if (!root || *best == '\0' || strlen(root) >= CATALOG_PATH || strlen(best) >= CATALOG_PATH)
		return false;
	(void)snprintf(ret_place->pool, CATALOG_NAME, "%s", pool);
	(void)snprintf(ret_place->root, CATALOG_PATH, "%.*s", (int)length_without_slashes(root),
		       root);
	(void)snprintf(ret_place->path, CATALOG_PATH, "%s", best);
	return true;
}
