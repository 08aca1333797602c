/* path.c - the only door to the file system. Every name is opened by openat2 below a root, so that
 * the kernel judges "..", symbolic links and what races with them; nothing is checked first and
 * opened later. */
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "locator.h"
#include "utf.h"

enum { TRIES = 100, TEMP_BASE = 200, EPOCH_2000 = 946684800 };

static int too_long(const char *name, struct vhd_error *err)
{
	return vhd_fail(err, VHD_E_INVALID, "path of %zu bytes is too long", strlen(name));
}

int path_join(const char *folder, const char *name, char ret_path[PATH_TEXT], struct vhd_error *err)
{
	char cwd[PATH_TEXT] = "", path[PATH_TEXT];
	const char *base = name[0] == '/' ? "" : folder;
	int n;

	if (name[0] == '\0')
		return vhd_fail(err, VHD_E_INVALID, "the name of a file is empty");
	if (name[0] != '/' && folder[0] != '/' && !getcwd(cwd, sizeof cwd))
		return vhd_fail_sys(err, -errno, "ask for the working directory");
	if (cwd[0] == '/' && (base[0] == '\0' || strcmp(base, ".") == 0))
		n = snprintf(path, sizeof path, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, name);
	else if (name[0] == '/')
		n = snprintf(path, sizeof path, "%s", name);
	else
		n = snprintf(path, sizeof path, "%s%s%s/%s", cwd, cwd[0] ? "/" : "",
			     strcmp(base, "/") == 0 ? "" : base, name);
	if (n < 0 || (size_t)n >= sizeof path)
		return too_long(name, err);
	memcpy(ret_path, path, (size_t)n + 1);
	return 0;
}

void path_folder(const char *path, char ret_folder[PATH_TEXT])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (len == 0)
		len = 1;
	memcpy(ret_folder, path, len);
	ret_folder[len] = '\0';
}

/* What of `path` lies below `root`, NULL when it does not begin with it. Only a first sieve. */
static const char *below(const char *root, const char *path)
{
	size_t len = strlen(root);

	while (len > 0 && root[len - 1] == '/')
		len--;
	if (root[0] != '/' || strncmp(path, root, len) != 0 ||
	    (path[len] != '/' && path[len] != '\0'))
		return NULL;
	path += len + strspn(path + len, "/");
	return path[0] ? path : ".";
}

static bool whole_machine(const char *root)
{
	return root[strspn(root, "/")] == '\0';
}

/* A descriptor or -errno; -EXDEV when the way leads out of `root`. */
static int open_below(const char *root, const char *rest, int flags)
{
	struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
			       .resolve = RESOLVE_NO_MAGICLINKS};
	CLEANUP(closep) int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	long fd;
	int tries = TRIES;

	if (folder < 0)
		return -errno;
	if (!whole_machine(root)) /* there, an absolute link leads nowhere else */
		how.resolve |= RESOLVE_BENEATH;
	do /* EAGAIN: something was renamed meanwhile */
		fd = syscall(SYS_openat2, folder, rest, &how, sizeof how);
	while (fd < 0 && (errno == EAGAIN || errno == EINTR) && --tries > 0);
	return fd < 0 ? -errno : (int)fd;
}

/* Below the first root that lets it. */
static int open_in_roots(const struct vhd_paths *paths, const char *path, int flags)
{
	int fd = -EXDEV;

	for (size_t i = 0; i < paths->n_roots && fd == -EXDEV; i++) {
		const char *rest = below(paths->roots[i], path);

		if (rest)
			fd = open_below(paths->roots[i], rest, flags);
	}
	return fd;
}

/* A relative locator may lead from one root to another: "/a/../b/p.vhd" is not below "/a",
 * "/b/p.vhd" is. */
static int open_jailed(const struct vhd_paths *paths, const char *path, int flags)
{
	char plain[VHD_LOCATOR_TEXT];
	int fd = open_in_roots(paths, path, flags);

	if (fd == -EXDEV && locator_normalise(path, plain) && strcmp(plain, path) != 0)
		fd = open_in_roots(paths, plain[0] ? plain : "/", flags);
	return fd;
}

static int fail_open(struct vhd_error *err, int sys, const char *path)
{
	switch (sys) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG: return vhd_fail(err, VHD_E_NOT_FOUND, "%s: not found", path);
	case -EXDEV:
	case -ELOOP: return vhd_fail(err, VHD_E_FORBIDDEN, "%s: outside the allowed folders", path);
	case -EISDIR:
	case -ENXIO:
	case -ENODEV: return vhd_fail(err, VHD_E_FORBIDDEN, "%s: not a regular file", path);
	case -EACCES:
	case -EPERM:
	case -EROFS:
	case -ETXTBSY: (void)vhd_fail_sys(err, sys, "%s", path); break;
	default: return vhd_fail_sys(err, sys, "open %s", path);
	}
	if (err)
		err->code = VHD_E_FORBIDDEN;
	return VHD_E_FORBIDDEN;
}

int path_open(const struct vhd_paths *paths, const char *path, bool write, int *ret_fd,
	      struct vhd_error *err)
{
	/* Not to hang on a FIFO before anybody could see that it is one. */
	int fd = open_jailed(paths, path, (write ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int sys = 0;

	if (fd < 0)
		return fail_open(err, fd, path);
	if (fstat(fd, &st) < 0 || fcntl(fd, F_SETFL, 0) < 0)
		sys = -errno;
	else if (!S_ISREG(st.st_mode))
		sys = -ENODEV;
	if (sys) {
		(void)close(fd);
		return fail_open(err, sys, path);
	}
	*ret_fd = fd;
	return 0;
}

static bool is_text(const char *path)
{
	size_t len = strlen(path);
	uint32_t c = 0;

	for (size_t i = 0; i < len;) {
		i += utf8_next(path + i, len - i, &c);
		if (c < 0x20 || c == 0x7F || c == UTF_MALFORMED)
			return false;
	}
	return true;
}

static int real_path(int fd, char ret_path[PATH_TEXT], struct vhd_error *err)
{
	char proc[32];
	struct stat st;
	ssize_t n;

	(void)snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	n = readlink(proc, ret_path, PATH_TEXT - 1);
	if (n < 0 || fstat(fd, &st) < 0)
		return vhd_fail_sys(err, -errno, "ask for the path of an open file");
	ret_path[n] = '\0';
	if (st.st_nlink == 0 || ret_path[0] != '/')
		return vhd_fail(err, VHD_E_NOT_FOUND, "the file has lost its name");
	return 0;
}

int path_real(int fd, char ret_path[PATH_TEXT], struct vhd_error *err)
{
	int r = real_path(fd, ret_path, err);

	if (r == 0 && !is_text(ret_path))
		return vhd_fail(err, VHD_E_FORBIDDEN, "%s: the path is not printable UTF-8",
				ret_path);
	return r;
}

int path_modified(int fd, uint32_t *ret_timestamp, struct vhd_error *err)
{
	struct stat st;
	int64_t seconds;

	if (fstat(fd, &st) < 0)
		return vhd_fail_sys(err, -errno, "ask when the file was modified");
	seconds = st.st_mtim.tv_sec - EPOCH_2000;
	*ret_timestamp = seconds < 0 ? 0 : seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
	return 0;
}

static int split(const char *path, char ret_folder[PATH_TEXT], char ret_name[PATH_NAME],
		 struct vhd_error *err)
{
	const char *name = strrchr(path, '/') + 1;

	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return vhd_fail(err, VHD_E_INVALID, "%s: not the name of a file", path);
	if (strlen(name) >= PATH_NAME)
		return too_long(name, err);
	memcpy(ret_name, name, strlen(name) + 1);
	path_folder(path, ret_folder);
	return 0;
}

int path_real_folder(const struct vhd_paths *paths, const char *path, char ret_path[PATH_TEXT],
		     struct vhd_error *err)
{
	char folder[PATH_TEXT] = "", name[PATH_NAME] = "";
	CLEANUP(closep) int fd = -1;
	int r = split(path, folder, name, err);

	if (r < 0)
		return r;
	fd = open_jailed(paths, folder, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return fail_open(err, fd, folder);
	r = real_path(fd, folder, err);
	return r < 0 ? r : path_join(folder, name, ret_path, err);
}

static int create_temp(struct path_new *file, struct vhd_error *err)
{
	int fd = -1;

	for (int i = 0; i < TRIES && fd < 0; i++) {
		(void)snprintf(file->temp, sizeof file->temp, ".%.*s.new-%ld-%d", TEMP_BASE,
			       file->name, (long)getpid(), i);
		fd = openat(file->folder, file->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	if (fd < 0) {
		file->temp[0] = '\0'; /* not ours to remove */
		return fail_open(err, -errno, file->name);
	}
	file->fd = fd;
	return 0;
}

int path_create(const struct vhd_paths *paths, const char *path, struct path_new *ret_file,
		struct vhd_error *err)
{
	struct path_new file = {.folder = -1, .fd = -1};
	char folder[PATH_TEXT] = "";
	struct stat st;
	int r = split(path, folder, file.name, err);

	if (r < 0)
		return r;
	file.folder = open_jailed(paths, folder, O_RDONLY | O_DIRECTORY);
	if (file.folder < 0)
		return fail_open(err, file.folder, folder);
	/* Only to save the work: path_publish decides. */
	if (fstatat(file.folder, file.name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		r = vhd_fail(err, VHD_E_EXISTS, "%s: exists already", path);
	else
		r = create_temp(&file, err);
	if (r < 0) {
		path_drop(&file);
		return r;
	}
	*ret_file = file;
	return 0;
}

int path_publish(struct path_new *file, struct vhd_error *err)
{
	int r = linkat(file->folder, file->temp, file->folder, file->name, 0) < 0 ? -errno : 0;

	if (r == -EEXIST)
		return vhd_fail(err, VHD_E_EXISTS, "%s: exists already", file->name);
	if (r < 0)
		return vhd_fail_sys(err, r, "name the file %s", file->name);
	if (unlinkat(file->folder, file->temp, 0) == 0)
		file->temp[0] = '\0';
	if (fsync(file->folder) == 0)
		return 0;
	r = -errno;
	(void)unlinkat(file->folder, file->name, 0);
	return vhd_fail_sys(err, r, "make the name %s durable", file->name);
}

void path_drop(struct path_new *file)
{
	if (file->temp[0] != '\0')
		(void)unlinkat(file->folder, file->temp, 0);
	closep(&file->fd);
	closep(&file->folder);
	*file = (struct path_new){.folder = -1, .fd = -1};
}
