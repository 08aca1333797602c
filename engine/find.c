/* find.c - where children say their parents are. What an image says is only a hint: the file must
 * lie below an allowed root and carry the right unique id. */
#include "find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "cleanup.h"
#include "error.h"
#include "footer.h"
#include "image.h"
#include "locator.h"

/* One opening of a chain: which folders its files were in, the newest last. */
struct walk {
	const struct vhd_paths *paths;
	char **folders;
	size_t n_folders;
};

/* The search for one parent. */
struct search {
	struct walk *walk;
	const struct vhd_parent_ref *ref;
	struct vhd_io io;     /* what was found */
	char path[PATH_TEXT]; /* and where */
	enum vhd_code worst;  /* VHD_E_PARENT_MISSING, or _MISMATCH once there was another image */
	char tried[384];      /* for the error: names and what was wrong with them */
};

static const char *const here = ".";

static const char *search_folder(const struct vhd_paths *paths, size_t i)
{
	return paths->search ? paths->search[i] : here;
}

static size_t n_search(const struct vhd_paths *paths)
{
	return paths->search ? paths->n_search : 1;
}

/* Nothing there, or nothing that may be looked at: the next candidate may be better. */
static bool is_elsewhere(int r)
{
	return r == VHD_E_NOT_FOUND || r == VHD_E_FORBIDDEN || r == VHD_E_INVALID;
}

static int fail_not_found(const struct vhd_paths *paths, const char *name, struct vhd_error *err)
{
	char list[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < n_search(paths) && used < sizeof list; i++)
		used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ":" : "",
					 search_folder(paths, i));
	return vhd_fail(err, VHD_E_NOT_FOUND, "%s: not found in the search path %s", name, list);
}

int find_file(const struct vhd_paths *paths, const char *name, bool write, struct found *ret_found,
	      struct vhd_error *err)
{
	size_t n = name[0] == '/' ? 1 : n_search(paths);
	struct found found = {.fd = -1};
	struct vhd_error why = {0}, forbidden = {0};

	for (size_t i = 0; i < n; i++) {
		const char *folder = name[0] == '/' ? here : search_folder(paths, i);
		int r = path_join(folder, name, found.path, &why);

		if (r == 0)
			r = path_open(paths, found.path, write, &found.fd, &why);
		if (r == 0) {
			*ret_found = found;
			return 0;
		}
		if ((r != VHD_E_NOT_FOUND && r != VHD_E_FORBIDDEN) || name[0] == '/')
			return vhd_pass(err, &why, r);
		/* A folder outside the roots holds nothing for us; the next one may. */
		if (r == VHD_E_FORBIDDEN && forbidden.code == VHD_OK)
			forbidden = why;
	}
	if (forbidden.code != VHD_OK)
		return vhd_pass(err, &forbidden, VHD_E_FORBIDDEN);
	return fail_not_found(paths, name, err);
}

void find_drop(struct found *found)
{
	closep(&found->fd);
	found->fd = -1;
}

/* ---- the folders of a chain
 * -------------------------------------------------------------------------------- */

/* Moves the folder of `path` to the end, where the search begins. */
static int walk_enter(struct walk *walk, const char *path, struct vhd_error *err)
{
	char folder[PATH_TEXT];
	char **more, *copy;

	path_folder(path, folder);
	for (size_t i = 0; i < walk->n_folders; i++) {
		if (strcmp(walk->folders[i], folder) != 0)
			continue;
		copy = walk->folders[i];
		memmove(walk->folders + i, walk->folders + i + 1,
			(walk->n_folders - i - 1) * sizeof *walk->folders);
		walk->folders[walk->n_folders - 1] = copy;
		return 0;
	}
	more = reallocarray(walk->folders, walk->n_folders + 1, sizeof *more);
	if (more)
		walk->folders = more;
	copy = more ? strdup(folder) : NULL;
	if (!copy)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for the name of a folder");
	walk->folders[walk->n_folders++] = copy;
	return 0;
}

static void walk_free(struct walk *walk)
{
	for (size_t i = 0; i < walk->n_folders; i++)
		free(walk->folders[i]);
	free(walk->folders);
}

/* Folder number `i` for a parent: those of the chain, the child's first, then the caller's. */
static const char *walk_folder(const struct walk *walk, size_t i)
{
	return i < walk->n_folders ? walk->folders[walk->n_folders - 1 - i]
				   : search_folder(walk->paths, i - walk->n_folders);
}

/* ---- one parent
 * -------------------------------------------------------------------------------------------- */

static void note(struct search *search, const char *path, const char *why)
{
	size_t used = strlen(search->tried);

	if (!why && strstr(search->tried, path)) /* two locators, one place */
		return;
	(void)snprintf(search->tried + used, sizeof search->tried - used, "%s%s%s%s%s",
		       used ? ", " : "", path, why ? " (" : "", why ? why : "", why ? ")" : "");
}

/* Whether the open file is the one; what it is instead is noted. */
static int judge(struct search *search, const struct vhd_io *io, bool *ret_right,
		 struct vhd_error *err)
{
	char id[ID_TEXT], why[ID_TEXT + 16];
	struct footers footers;
	int r;

	*ret_right = image_id_is_zero(search->ref->id); /* a raw file has no id */
	if (*ret_right)
		return 0;
	r = footers_read(io, false, &footers, err);
	if (r == VHD_E_AMBIGUOUS) {
		note(search, search->path, "a fixed disk or a growing one, nobody can tell");
		return 0;
	}
	if (r == VHD_E_NOT_VHD || r == VHD_E_CORRUPT || r == VHD_E_UNSUPPORTED) {
		note(search, search->path, "no usable image");
		return 0;
	}
	if (r < 0)
		return r;
	*ret_right = memcmp(footers.footer.id, search->ref->id, VHD_ID_SIZE) == 0;
	if (!*ret_right) {
		image_id_text(footers.footer.id, id);
		(void)snprintf(why, sizeof why, "has id %s", id);
		note(search, search->path, why);
		search->worst = VHD_E_PARENT_MISMATCH;
	}
	return 0;
}

/* 1: search->io is the parent. 0: not here. */
static int try_path(struct search *search, const char *folder, const char *name,
		    struct vhd_error *err)
{
	CLEANUP(closep) int fd = -1;
	CLEANUP(vhd_io_close) struct vhd_io io = {0};
	struct vhd_error why;
	bool right = false;
	int r = path_join(folder, name, search->path, &why);

	if (r == 0)
		r = path_open(search->walk->paths, search->path, false, &fd, &why);
	if (is_elsewhere(r)) {
		note(search, r == VHD_E_INVALID ? name : search->path,
		     r == VHD_E_FORBIDDEN ? "outside the allowed folders or not a readable file"
					  : NULL);
		return 0;
	}
	if (r == 0)
		r = vhd_io_from_fd(fd, &io, &why);
	if (r == 0) {
		fd = -1;
		r = judge(search, &io, &right, &why);
	}
	if (r < 0)
		return vhd_wrap(err, vhd_pass(err, &why, r), "%s", search->path);
	if (!right)
		return 0;
	search->io = io;
	io = (struct vhd_io){0};
	return 1;
}

/* A relative name is sought in every folder. An absolute one is tried as it is, and then, as blktap
 * does, below the folder of the child. */
static int try_name(struct search *search, const char *name, struct vhd_error *err)
{
	const struct walk *walk = search->walk;
	size_t n = walk->n_folders + n_search(walk->paths);
	int r = 0;

	while (strncmp(name, "./", 2) == 0)
		name += 2;
	if (name[0] != '/') {
		for (size_t i = 0; i < n && r == 0; i++)
			r = try_path(search, walk_folder(walk, i), name, err);
		return r;
	}
	r = try_path(search, here, name, err);
	name += strspn(name, "/");
	return r != 0 || name[0] == '\0' ? r : try_path(search, walk_folder(walk, 0), name, err);
}

static int try_locator(struct search *search, const struct vhd_locator *locator,
		       struct vhd_error *err)
{
	char paths[2][VHD_LOCATOR_TEXT];
	int n = locator_paths(locator, paths), r = 0;

	for (int i = 0; i < n && r == 0; i++)
		r = try_name(search, paths[i], err);
	return r;
}

/* Which parent, the caller says in front of it. */
static int fail_missing(const struct search *search, struct vhd_error *err)
{
	if (search->tried[0] == '\0')
		return vhd_fail(err, search->worst, "not found: the image names no file");
	return vhd_fail(err, search->worst, "%s: tried %s",
			search->worst == VHD_E_PARENT_MISMATCH ? "only other images found"
							       : "not found",
			search->tried);
}

/* Windows puts the whole path there, with backslashes. */
static int try_header_name(struct search *search, const char *name, struct vhd_error *err)
{
	struct vhd_locator windows = {.code = LOCATOR_W2KU};
	int r = name[0] == '\0' ? 0 : try_name(search, name, err);

	if (r != 0 || (!strchr(name, '\\') && !strchr(name, ':')))
		return r;
	(void)snprintf(windows.text, sizeof windows.text, "%s", name);
	return try_locator(search, &windows, err);
}

/* All that the child says is tried in turn. */
static int search_parent(struct search *search, struct vhd_error *err)
{
	const struct vhd_parent_ref *ref = search->ref;
	int r = 0;

	for (int i = 0; i < VHD_LOCATORS && r == 0; i++)
		r = try_locator(search, &ref->locators[i], err);
	if (r == 0)
		r = try_header_name(search, ref->name, err);
	if (r == 0)
		return fail_missing(search, err);
	return r < 0 ? r : 0;
}

static int find_parent(void *ctx, const struct vhd_parent_ref *ref, struct vhd_io *ret_io,
		       struct vhd_error *err)
{
	struct search search = {.walk = ctx, .ref = ref, .worst = VHD_E_PARENT_MISSING};
	int r = search_parent(&search, err);

	if (r == 0)
		r = walk_enter(search.walk, search.path, err);
	if (r < 0) {
		vhd_io_close(&search.io);
		return r;
	}
	*ret_io = search.io;
	return 0;
}

int find_chain(struct vhd_engine *engine, const struct vhd_paths *paths, struct found *found,
	       unsigned flags, struct vhd **ret_disk, struct vhd_error *err)
{
	CLEANUP(walk_free) struct walk walk = {.paths = paths};
	CLEANUP(vhd_io_close) struct vhd_io io = {0};
	const struct vhd_resolver resolver = {find_parent, &walk};
	int r = walk_enter(&walk, found->path, err);

	if (r == 0)
		r = vhd_io_from_fd(found->fd, &io, err);
	if (r < 0)
		return vhd_wrap(err, r, "%s", found->path);
	found->fd = -1;
	r = vhd_open(engine, &io, flags, &resolver, ret_disk, err);
	return r < 0 ? vhd_wrap(err, r, "%s", found->path) : 0;
}

int vhd_open_chain(struct vhd_engine *engine, const struct vhd_paths *paths, const char *name,
		   unsigned flags, struct vhd **ret_disk, struct vhd_error *err)
{
	CLEANUP(find_drop) struct found found = {.fd = -1};
	int r = find_file(paths, name, flags & VHD_WRITE, &found, err);

	return r != 0 ? r : find_chain(engine, paths, &found, flags, ret_disk, err);
}

int vhd_open_file(struct vhd_engine *engine, const struct vhd_paths *paths, const char *path,
		  unsigned flags, struct vhd **ret_disk, struct vhd_error *err)
{
	const struct vhd_paths alone = {.roots = paths->roots, .n_roots = paths->n_roots};

	return vhd_open_chain(engine, &alone, path, flags | VHD_NO_PARENT, ret_disk, err);
}

/* ---- one file at a time ---- */

/* Says where the open file is, and gives it away. */
static int tell_file(int *fd, const char *name, struct vhd_file *ret_file, struct vhd_error *err)
{
	struct stat st;
	int r = path_real(*fd, ret_file->path, err);

	if (r == 0 && fstat(*fd, &st) < 0)
		r = vhd_fail_sys(err, -errno, "look at the file");
	if (r != 0)
		return vhd_wrap(err, r, "%s", name);
	memcpy(ret_file->name, name, strlen(name) + 1);
	ret_file->device = st.st_dev;
	ret_file->inode = st.st_ino;
	ret_file->names = st.st_nlink;
	ret_file->fd = *fd;
	*fd = -1;
	return 0;
}

int vhd_find_file(const struct vhd_paths *paths, const char *name, struct vhd_file *ret_file,
		  struct vhd_error *err)
{
	CLEANUP(find_drop) struct found found = {.fd = -1};
	int r = find_file(paths, name, false, &found, err);

	return r < 0 ? r : tell_file(&found.fd, found.path, ret_file, err);
}

/* The search has judged the file behind a store of its own: the caller gets another descriptor of
 * what has that name now, and compares ids again when it opens it. */
int vhd_find_parent(const struct vhd_paths *paths, const struct vhd *child,
		    struct vhd_file *ret_file, struct vhd_error *err)
{
	struct walk walk = {.paths = paths};
	CLEANUP(freep) struct vhd_locator *locators = calloc(VHD_LOCATORS, sizeof *locators);
	const struct header *header = &child->image->header;
	struct vhd_parent_ref ref = {.timestamp = header->parent_timestamp,
				     .name = header->parent_name,
				     .locators = locators,
				     .level = 1};
	struct search search = {.walk = &walk, .ref = &ref, .worst = VHD_E_PARENT_MISSING};
	CLEANUP(closep) int fd = -1;
	int r;

	if (!locators)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for locators");
	if (child->image->info.type != VHD_DIFF)
		return vhd_fail(err, VHD_E_INVALID, "the image has no parent");
	if (image_id_is_zero(header->parent_id))
		return image_refuse_raw(err);
	memcpy(ref.id, header->parent_id, VHD_ID_SIZE);
	(void)image_locators(child->image, locators, NULL); /* a hint: the unique id decides */
	r = search_parent(&search, err);
	vhd_io_close(&search.io);
	if (r == 0)
		r = path_open(paths, search.path, false, &fd, err);
	return r < 0 ? r : tell_file(&fd, search.path, ret_file, err);
}
