/* io_file.c - the POSIX store: whole transfers, holes, fdatasync and QEMU-compatible locks. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "resident.h"
#include "vhd.h"

struct file {
	int fd;
	bool read_only;
	enum vhd_lock locked;
};

static int file_fd(void *store)
{
	return ((struct file *)store)->fd;
}

static int file_read(void *store, void *buf, size_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = pread(file_fd(store), buf, len, (off_t)off);

		if (n == 0)
			return -ENODATA;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf = (char *)buf + n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

/* Whatever is not a whole read from memory is left to the blocking one: also a short count, and
 * EOPNOTSUPP of tmpfs and overlayfs. */
static int file_read_now(void *store, void *buf, size_t len, uint64_t off)
{
	const struct iovec iov = {buf, len};

	return preadv2(file_fd(store), &iov, 1, (off_t)off, RWF_NOWAIT) == (ssize_t)len ? 0
											: -EAGAIN;
}

static int write_all(int fd, const char *buf, size_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, buf, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		buf += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

/* Writes what a short pwritev left: the rest of one buffer by itself. Returns how many buffers are
 * done, or -errno. */
static int finish_partial(int fd, const struct iovec *iov, size_t done, uint64_t *off)
{
	int i = 0, r;

	for (; done > 0 && done >= iov[i].iov_len; i++) {
		done -= iov[i].iov_len;
		*off += iov[i].iov_len;
	}
	if (done == 0)
		return i;
	r = write_all(fd, (const char *)iov[i].iov_base + done, iov[i].iov_len - done, *off + done);
	*off += iov[i].iov_len;
	return r < 0 ? r : i + 1;
}

static int file_writev(void *store, const struct iovec *iov, int n, uint64_t off)
{
	int fd = file_fd(store);

	while (n > 0) {
		ssize_t w = pwritev(fd, iov, n < IOV_MAX ? n : IOV_MAX, (off_t)off);
		int done;

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		done = finish_partial(fd, iov, (size_t)w, &off);
		if (done < 0)
			return done;
		if (done == 0 && iov->iov_len > 0)
			return -EIO; /* no progress */
		done = done > 0 ? done : 1;
		iov += done;
		n -= done;
	}
	return 0;
}

static int file_resize(void *store, uint64_t size)
{
	int r;

	do
		r = ftruncate(file_fd(store), (off_t)size);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int file_size(void *store, uint64_t *ret_size)
{
	struct stat st;

	if (fstat(file_fd(store), &st) < 0)
		return -errno;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

static int file_fallocate(void *store, int mode, uint64_t off, uint64_t len)
{
	int r;

	do
		r = fallocate(file_fd(store), mode, (off_t)off, (off_t)len);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int file_punch(void *store, uint64_t off, uint64_t len)
{
	return file_fallocate(store, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
}

static int file_allocate(void *store, uint64_t off, uint64_t len)
{
	return file_fallocate(store, 0, off, len);
}

/* Not retried, not even on EINTR: a second call may succeed although the first lost data. A file
 * that has no name any more ends with its last descriptor: nothing in it is durable. */
static int file_flush(void *store)
{
	struct stat st;

	if (fdatasync(file_fd(store)) < 0 || fstat(file_fd(store), &st) < 0)
		return -errno;
	return st.st_nlink == 0 ? -ESTALE : 0;
}

static int file_identity(void *store, uint64_t ret_id[2])
{
	struct stat st;

	if (fstat(file_fd(store), &st) < 0)
		return -errno;
	ret_id[0] = st.st_dev;
	ret_id[1] = st.st_ino;
	return 0;
}

static void file_close(void *store)
{
	struct file *file = store;

	(void)close(file->fd);
	free(file);
}

/* QEMU's convention: a read lock on byte 100 + p says "I use permission p", on 200 + p "nobody else
 * may". */
enum {
	LOCK_USES = 100,
	LOCK_DENIES = 200,
	PERM_READ = 1 << 0, /* consistent read */
	PERM_WRITE = 1 << 1,
	PERM_RESIZE = 1 << 3,
	PERM_COUNT = 4,
};

static int lock_byte(int fd, short type, off_t byte)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* Whether anybody else holds the byte; a lock of ours is no conflict with ourselves. */
static int lock_held(int fd, off_t byte)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return -errno;
	return lock.l_type == F_UNLCK ? 0 : -EAGAIN;
}

/* What a mode uses, and what it denies to others. */
struct perms {
	unsigned uses, denies;
};

static struct perms mode_perms(enum vhd_lock mode)
{
	switch (mode) {
	case VHD_LOCK_NONE: return (struct perms){0, 0};
	case VHD_LOCK_READ: return (struct perms){PERM_READ, PERM_WRITE | PERM_RESIZE};
	case VHD_LOCK_WRITE:
		return (struct perms){PERM_READ | PERM_WRITE | PERM_RESIZE,
				      PERM_WRITE | PERM_RESIZE};
	}
	return (struct perms){0, 0};
}

/* Takes (F_RDLCK) or gives back (F_UNLCK) the bytes of these permissions. */
static int lock_perms(int fd, short type, struct perms perms)
{
	int r = 0;

	for (int p = 0; p < PERM_COUNT && r == 0; p++) {
		if (perms.uses & 1U << p)
			r = lock_byte(fd, type, LOCK_USES + p);
		if (r == 0 && perms.denies & 1U << p)
			r = lock_byte(fd, type, LOCK_DENIES + p);
	}
	return r;
}

static struct perms perms_without(struct perms all, struct perms those)
{
	return (struct perms){all.uses & ~those.uses, all.denies & ~those.denies};
}

/* Whether somebody else uses what is denied, or denies what is used. */
static int lock_conflict(int fd, struct perms perms)
{
	int r = 0;

	for (int p = 0; p < PERM_COUNT && r == 0; p++) {
		if (perms.denies & 1U << p)
			r = lock_held(fd, LOCK_USES + p);
		if (r == 0 && perms.uses & 1U << p)
			r = lock_held(fd, LOCK_DENIES + p);
	}
	return r;
}

/* What is kept is never given up for a moment: not when the lock changes, and not when it cannot.
 */
static int file_lock(void *store, enum vhd_lock mode)
{
	struct file *file = store;
	struct perms before = mode_perms(file->locked), after = mode_perms(mode);
	struct perms more = perms_without(after, before);
	int flags = fcntl(file->fd, F_GETFL);
	int r;

	if (flags < 0)
		return -errno;
	if (mode == VHD_LOCK_WRITE && (flags & O_ACCMODE) != O_RDWR)
		return -EBADF;
	r = lock_perms(file->fd, F_RDLCK, more);
	if (r == 0)
		r = lock_conflict(file->fd, more);
	if (r < 0) {
		(void)lock_perms(file->fd, F_UNLCK, more);
		return r;
	}
	file->locked = mode;
	return lock_perms(file->fd, F_UNLCK, perms_without(before, after));
}

/* Where nobody can write, as in squashfs, there may be no call for it: then nothing waits. EROFS is
 * that of a file system that may write no more, and lost what waits. */
static int write_waiting(const struct file *file)
{
	if (fdatasync(file->fd) == 0 || (file->read_only && errno == EINVAL))
		return 0;
	return -errno;
}

/* Clean pages are dropped, so that what is read next comes from the device: after a failed sync the
 * page cache holds what the device has not. What is still dirty is written first; if that fails
 * nothing is known. Pages that others map stay, and are compared. */
static int file_reread(void *store)
{
	int fd = file_fd(store);
	int r = write_waiting(store);

	if (r < 0)
		return r;
	r = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return r != 0 ? -r : resident_differs(fd);
}

static const struct vhd_io_ops file_ops = {
	.read = file_read,
	.read_now = file_read_now,
	.writev = file_writev,
	.resize = file_resize,
	.size = file_size,
	.punch = file_punch,
	.allocate = file_allocate,
	.flush = file_flush,
	.reread = file_reread,
	.lock = file_lock,
	.identity = file_identity,
	.close = file_close,
};

int vhd_io_from_fd(int fd, struct vhd_io *ret_io, struct vhd_error *err)
{
	CLEANUP(freep) struct file *file = malloc(sizeof *file);
	struct stat st;
	int flags;

	if (!file)
		return vhd_fail(err, VHD_E_NOMEM, "no memory for a file");
	if (fstat(fd, &st) < 0)
		return vhd_fail_sys(err, -errno, "ask what the file is");
	if (!S_ISREG(st.st_mode))
		return vhd_fail(err, VHD_E_FORBIDDEN, "not a regular file");
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return vhd_fail_sys(err, -errno, "ask how the file is open");
	if (flags & O_APPEND)
		return vhd_fail(err, VHD_E_INVALID,
				"a file opened for appending cannot be written at places");
	*file = (struct file){
		.fd = fd, .read_only = (flags & O_ACCMODE) == O_RDONLY, .locked = VHD_LOCK_NONE};
	*ret_io = (struct vhd_io){.ops = &file_ops, .store = STEAL(file)};
	return 0;
}
