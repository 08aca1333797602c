/* pool.c - the files of one folder, reached through its descriptor only. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "crash_point.h"
#include "failure.h"
#include "pool_look.h"
#include "pool_private.h"

static const char new_prefix[] = ".new-";

/* What errno means for somebody who asked for a file. */
static enum vhd_code code_of(int sys)
{
	switch (sys) {
	case ENOENT:
	case ENOTDIR: return VHD_E_NOT_FOUND;
	case EEXIST: return VHD_E_EXISTS;
	case ENOSPC:
	case EDQUOT: return VHD_E_NOSPC;
	case EACCES:
	case EPERM:
	case ELOOP:
	case EXDEV: return VHD_E_FORBIDDEN;
	case EROFS: return VHD_E_READONLY;
	case ENOMEM: return VHD_E_NOMEM;
	default: return VHD_E_IO;
	}
}

int pool_fail_sys(struct vhd_error *err, const char *what, const char *name)
{
	int sys = errno;
	char text[128];

	return failure_sys(err, code_of(sys), sys, "%s %.200s: %s", what, name,
			   strerror_r(sys, text, sizeof text));
}

static void new_name(const uint8_t id[IDS_SIZE], char ret_name[POOL_NAME])
{
	char text[IDS_TEXT];

	ids_format(id, text);
	(void)snprintf(ret_name, POOL_NAME, "%s%s", new_prefix, text);
}

void pool_file_name(const uint8_t id[IDS_SIZE], char ret_name[POOL_NAME])
{
	static const char suffix[] = ".vhd";

	ids_format(id, ret_name);
	memcpy(ret_name + IDS_TEXT - 1, suffix, sizeof suffix);
}

void pool_file_path(const struct pool_dir *pool, const uint8_t id[IDS_SIZE],
		    char ret_path[POOL_PATH])
{
	char name[POOL_NAME];

	pool_file_name(id, name);
	(void)snprintf(ret_path, POOL_PATH, "%s/%s", pool->path, name);
}

int pool_open(const char *path, struct pool_dir **ret_pool, struct vhd_error *err)
{
	CLEANUP(closep) int fd = -1;
	CLEANUP(freep) struct pool_dir *pool = calloc(1, sizeof *pool);
	CLEANUP(freep) char *real = NULL;

	if (!pool)
		return failure(err, VHD_E_NOMEM, "pool: out of memory");
	real = realpath(path, NULL);
	if (!real)
		return pool_fail_sys(err, "cannot find the folder", path);
	if (strlen(real) + POOL_NAME >= POOL_PATH)
		return failure(err, VHD_E_INVALID, "the path of the pool is too long");
	fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return pool_fail_sys(err, "cannot open the folder", real);
	pool->path = STEAL(real);
	pool->fd = STEAL_FD(fd);
	*ret_pool = STEAL(pool);
	return 0;
}

void pool_close(struct pool_dir *pool)
{
	if (!pool)
		return;
	(void)close(pool->fd);
	free(pool->path);
	free(pool);
}

const char *pool_path(const struct pool_dir *pool)
{
	return pool->path;
}

int pool_open_beneath(const struct pool_dir *pool, const char *name, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	long fd = syscall(SYS_openat2, pool->fd, name, &how, sizeof how);

	if (fd < 0 && errno == ENOSYS) /* kernels before 5.6; the names have no slash */
		fd = openat(pool->fd, name, (int)how.flags);
	return (int)fd;
}

static int sync_folder(const struct pool_dir *pool, struct vhd_error *err)
{
	if (fsync(pool->fd) < 0)
		return pool_fail_sys(err, "cannot sync the folder", pool->path);
	return 0;
}

static int check_free(const struct pool_dir *pool, const char *name, struct vhd_error *err)
{
	struct stat st;

	if (fstatat(pool->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return failure(err, VHD_E_EXISTS,
			       "%.200s is there already, and belongs to no image.", name);
	return errno == ENOENT ? 0 : pool_fail_sys(err, "cannot look at", name);
}

int pool_check_new(const struct pool_dir *pool, const uint8_t id[IDS_SIZE], struct vhd_error *err)
{
	char from[POOL_NAME], to[POOL_NAME];
	int r;

	new_name(id, from);
	pool_file_name(id, to);
	r = check_free(pool, from, err);
	return r < 0 ? r : check_free(pool, to, err);
}

int pool_create_new(struct pool_dir *pool, const uint8_t id[IDS_SIZE], int *ret_fd,
		    struct vhd_error *err)
{
	char name[POOL_NAME];
	int fd;

	new_name(id, name);
	fd = openat(pool->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return pool_fail_sys(err, "cannot create", name);
	CRASH_POINT("pool.created");
	*ret_fd = fd;
	return 0;
}

int pool_publish(struct pool_dir *pool, const uint8_t id[IDS_SIZE], struct vhd_error *err)
{
	char from[POOL_NAME], to[POOL_NAME];
	int r;

	new_name(id, from);
	pool_file_name(id, to);
	/* With the second name alone on the disk, nothing would tell that it is ours. */
	r = sync_folder(pool, err);
	if (r < 0)
		return r;
	if (linkat(pool->fd, from, pool->fd, to, 0) < 0)
		return pool_fail_sys(err, "cannot publish", to);
	CRASH_POINT("pool.linked");
	return sync_folder(pool, err);
}

/* What is forbidden now may be allowed later: the file is not somebody else's for that. */
static int cannot_remove(const char *name, struct vhd_error *err)
{
	int r = pool_fail_sys(err, "cannot remove", name);

	if (r != VHD_E_FORBIDDEN)
		return r;
	if (err)
		err->code = VHD_E_READONLY;
	return VHD_E_READONLY;
}

static int remove_name(const struct pool_dir *pool, const char *name, struct vhd_error *err)
{
	struct stat st;

	/* Where nothing can be removed, whether it is there is not looked at. */
	if (unlinkat(pool->fd, name, 0) == 0 || errno == ENOENT ||
	    (errno == EROFS && fstatat(pool->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	     errno == ENOENT))
		return 0;
	return cannot_remove(name, err);
}

int pool_is_published(const struct pool_dir *pool, const uint8_t id[IDS_SIZE],
		      struct vhd_error *err)
{
	char from[POOL_NAME], to[POOL_NAME];
	struct stat a, b;

	new_name(id, from);
	pool_file_name(id, to);
	if (fstatat(pool->fd, from, &a, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : pool_fail_sys(err, "cannot look at", from);
	if (fstatat(pool->fd, to, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : pool_fail_sys(err, "cannot look at", to);
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int pool_remove_new(struct pool_dir *pool, const uint8_t id[IDS_SIZE], struct vhd_error *err)
{
	char name[POOL_NAME];
	struct pool_facts facts;

	new_name(id, name);
	/* A folder of that name is somebody else's, and the file has lost its own. */
	if (pool_look(pool, name, &facts, NULL) == 0 && facts.kind == POOL_FOLDER)
		return 0;
	return remove_name(pool, name, err);
}

int pool_settle(struct pool_dir *pool, const uint8_t id[IDS_SIZE], struct vhd_error *err)
{
	int r = pool_is_published(pool, id, err);

	return r > 0 ? pool_remove_new(pool, id, err) : r;
}

int pool_settle_for_good(struct pool_dir *pool, const uint8_t id[IDS_SIZE], struct vhd_error *err)
{
	int r = pool_settle(pool, id, err);

	/* Where there is no call for it, as in squashfs, no file was made, and none removed. */
	if (r == 0 && fsync(pool->fd) < 0 && errno != EINVAL)
		r = pool_fail_sys(err, "cannot sync the folder", pool->path);
	return r;
}

int pool_undo_new(struct pool_dir *pool, const uint8_t id[IDS_SIZE], struct vhd_error *err)
{
	char from[POOL_NAME], to[POOL_NAME];
	int r;

	new_name(id, from);
	pool_file_name(id, to);
	/* The new name goes last: it is what tells that the other one is ours. */
	r = pool_is_published(pool, id, err);
	if (r > 0)
		r = remove_name(pool, to, err);
	CRASH_POINT("pool.undo-name");
	if (r == 0)
		r = sync_folder(pool, err);
	if (r == 0)
		r = remove_name(pool, from, err);
	CRASH_POINT("pool.undone");
	return r < 0 ? r : sync_folder(pool, err);
}

int pool_remove_name(const struct pool_dir *pool, const char *name, struct vhd_error *err)
{
	int r = remove_name(pool, name, err);

	CRASH_POINT("pool.removed");
	return r < 0 ? r : sync_folder(pool, err);
}

uint64_t pool_names(const struct pool_dir *pool, const uint8_t id[IDS_SIZE], const struct stat *st)
{
	char name[POOL_NAME];
	struct stat first;

	if (st->st_nlink != 2)
		return st->st_nlink;
	new_name(id, name);
	if (fstatat(pool->fd, name, &first, AT_SYMLINK_NOFOLLOW) < 0) {
		/* It may have gone a moment ago. */
		pool_file_name(id, name);
		return fstatat(pool->fd, name, &first, AT_SYMLINK_NOFOLLOW) < 0 ? 2
										: first.st_nlink;
	}
	return first.st_dev == st->st_dev && first.st_ino == st->st_ino ? 1 : 2;
}

struct new_files {
	pool_new_fn *each;
	void *ctx;
};

static int look_at_new(void *ctx, const char *name)
{
	const struct new_files *files = ctx;
	uint8_t id[IDS_SIZE];

	if (strncmp(name, new_prefix, strlen(new_prefix)) != 0 ||
	    !ids_parse(name + strlen(new_prefix), id))
		return 0;
	return files->each(files->ctx, id);
}

int pool_each_new(struct pool_dir *pool, pool_new_fn *each, void *ctx, struct vhd_error *err)
{
	struct new_files files = {each, ctx};

	return pool_look_each(pool, look_at_new, &files, err);
}

int pool_check_writable(const struct pool_dir *pool, struct vhd_error *err)
{
	struct statvfs st;

	if (fstatvfs(pool->fd, &st) < 0)
		return pool_fail_sys(err, "cannot look at", pool->path);
	if (st.f_flag & ST_RDONLY)
		return failure(err, VHD_E_READONLY, "the file system of %.200s is read-only",
			       pool->path);
	return 0;
}

int pool_space(struct pool_dir *pool, uint64_t *ret_size, uint64_t *ret_free, struct vhd_error *err)
{
	struct statvfs st;

	if (fstatvfs(pool->fd, &st) < 0)
		return pool_fail_sys(err, "cannot measure", pool->path);
	*ret_size = (uint64_t)st.f_blocks * st.f_frsize;
	*ret_free = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}
