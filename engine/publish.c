/* publish.c - new images by path. A name appears only when the image behind it is complete and
 * durable. */
#include <errno.h>
#include <fcntl.h>

#include "cleanup.h"
#include "error.h"
#include "find.h"
#include "image.h"
#include "path.h"

static void close_disk(struct vhd **disk)
{
	vhd_close(*disk);
}

static int create_and_publish(struct vhd_engine *engine, struct vhd_io *io, struct path_new *file,
			      const struct vhd_create_args *args, struct vhd **ret_disk,
			      struct vhd_error *err)
{
	struct vhd *disk;
	int r = vhd_create(engine, io, args, &disk, err);

	if (r < 0)
		return r;
	r = path_publish(file, err);
	if (r < 0)
		return image_disown(disk, r, err);
	*ret_disk = disk;
	return 0;
}

/* Writes the image under a name that nobody looks for, then gives it the right one. */
static int create(struct vhd_engine *engine, const struct vhd_paths *paths, const char *path,
		  const struct vhd_create_args *args, struct vhd **ret_disk, struct vhd_error *err)
{
	CLEANUP(path_drop) struct path_new file = {.folder = -1, .fd = -1};
	CLEANUP(vhd_io_close) struct vhd_io io = {0};
	struct image *parent = args->parent ? args->parent->image : NULL;
	int r = path_create(paths, path, &file, err);

	if (r == 0)
		r = vhd_io_from_fd(file.fd, &io, err);
	if (r < 0)
		return r;
	file.fd = -1;
	r = image_hold(parent, err);
	if (r < 0)
		return vhd_wrap(err, r, "create %s", path);
	r = create_and_publish(engine, &io, &file, args, ret_disk, err);
	r = image_let_go(parent, r, err);
	return r < 0 ? vhd_wrap(err, r, "create %s", path) : 0;
}

static int create_at(struct vhd_engine *engine, const struct vhd_paths *paths, const char *path,
		     const struct vhd_create_args *args, struct vhd **ret_disk,
		     struct vhd_error *err)
{
	char absolute[PATH_TEXT];
	int r = path_join(".", path, absolute, err);

	return r < 0 ? r : create(engine, paths, absolute, args, ret_disk, err);
}

int vhd_create_fixed(struct vhd_engine *engine, const struct vhd_paths *paths, const char *path,
		     const struct vhd_create_args *args, struct vhd **ret_disk,
		     struct vhd_error *err)
{
	struct vhd_create_args all = *args;

	all.type = VHD_FIXED;
	return create_at(engine, paths, path, &all, ret_disk, err);
}

int vhd_create_dynamic(struct vhd_engine *engine, const struct vhd_paths *paths, const char *path,
		       const struct vhd_create_args *args, struct vhd **ret_disk,
		       struct vhd_error *err)
{
	struct vhd_create_args all = *args;

	all.type = VHD_DYNAMIC;
	return create_at(engine, paths, path, &all, ret_disk, err);
}

/* When it was modified, after what was written to it is on disk: Windows compares. */
static int parent_modified(struct vhd *parent, int fd, uint32_t *ret_timestamp,
			   struct vhd_error *err)
{
	int r = vhd_flush(parent, 0, err); /* another handle may be writing it */

	return r < 0 ? r : path_modified(fd, ret_timestamp, err);
}

/* A relative way leads from folder to folder as they are: above a link is something else. */
static int real_ends(const struct vhd_paths *paths, const char *path, char ret_child[PATH_TEXT],
		     char parent[PATH_TEXT], struct vhd_error *err)
{
	int r = path_real_folder(paths, path, ret_child, err);

	return r < 0 ? r : path_real_folder(paths, parent, parent, err);
}

int vhd_create_difference(struct vhd_engine *engine, const struct vhd_paths *paths,
			  const char *path, const struct vhd_create_args *args,
			  struct vhd **ret_disk, struct vhd_error *err)
{
	CLEANUP(find_drop) struct found found = {.fd = -1};
	CLEANUP(closep) int fd = -1; /* still there when the chain has taken the other */
	CLEANUP(close_disk) struct vhd *parent = NULL;
	struct vhd_create_args all = *args;
	char absolute[PATH_TEXT], child[PATH_TEXT];
	int r;

	if (!args->parent_path)
		return vhd_fail(err, VHD_E_INVALID, "a child needs the path of its parent");
	r = path_join(".", path, absolute, err);
	if (r == 0)
		r = find_file(paths, args->parent_path, false, &found, err);
	if (r != 0)
		return r;
	fd = fcntl(found.fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return vhd_fail_sys(err, -errno, "%s", found.path);
	r = find_chain(engine, paths, &found, 0, &parent, err);
	if (r == 0)
		r = parent_modified(parent, fd, &all.parent_timestamp, err);
	if (r == 0 && !args->absolute_path)
		r = real_ends(paths, absolute, child, found.path, err);
	if (r < 0)
		return r;
	all.type = VHD_DIFF;
	all.parent = parent;
	all.parent_path = found.path;
	all.child_path = args->absolute_path ? absolute : child;
	return create(engine, paths, absolute, &all, ret_disk, err);
}
