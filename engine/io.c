/* io.c - every call of a store goes through here and says what it was when it fails. */
#include "io.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "error.h"

enum { FILL_CHUNK = 64 << 10, FILL_IOV = 64 };

struct iovec io_buffer(const void *buf, size_t len)
{
	struct iovec iov = {.iov_len = len};

	memcpy(&iov.iov_base, &buf, sizeof buf); /* POSIX has one struct for both directions */
	return iov;
}

int io_read(const struct vhd_io *io, void *buf, size_t len, uint64_t off, struct vhd_error *err)
{
	int r = io->ops->read(io->store, buf, len, off);

	return r < 0 ? vhd_fail_sys(err, r, "read %zu bytes at 0x%" PRIx64, len, off) : 0;
}

int io_read_now(const struct vhd_io *io, void *buf, size_t len, uint64_t off, struct vhd_error *err)
{
	int r = io->ops->read_now ? io->ops->read_now(io->store, buf, len, off) : -EAGAIN;

	return r < 0 ? vhd_fail_sys(err, r, "read %zu bytes at 0x%" PRIx64 " from memory", len, off)
		     : 0;
}

int io_writev(const struct vhd_io *io, const struct iovec *iov, int n, uint64_t off,
	      struct vhd_error *err)
{
	int r = io->ops->writev(io->store, iov, n, off);

	return r < 0 ? vhd_fail_sys(err, r, "write at 0x%" PRIx64, off) : 0;
}

int io_write(const struct vhd_io *io, const void *buf, size_t len, uint64_t off,
	     struct vhd_error *err)
{
	const struct iovec iov = io_buffer(buf, len);

	return io_writev(io, &iov, 1, off, err);
}

int io_fill(const struct vhd_io *io, int byte, uint64_t len, uint64_t off, struct vhd_error *err)
{
	uint8_t chunk[FILL_CHUNK];
	struct iovec iov[FILL_IOV];
	uint64_t done = 0;

	memset(chunk, byte, len < sizeof chunk ? (size_t)len : sizeof chunk);
	while (done < len) {
		uint64_t start = done;
		int n = 0, r;

		for (; n < FILL_IOV && done < len; n++) {
			uint64_t part = len - done < sizeof chunk ? len - done : sizeof chunk;

			iov[n] = (struct iovec){chunk, (size_t)part};
			done += part;
		}
		r = io_writev(io, iov, n, off + start, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int io_zero(const struct vhd_io *io, uint64_t len, uint64_t off, struct vhd_error *err)
{
	int r = io->ops->punch ? io->ops->punch(io->store, off, len) : -EOPNOTSUPP;

	if (r == -EOPNOTSUPP || r == -ENOSYS)
		return io_fill(io, 0, len, off, err);
	return r < 0 ? vhd_fail_sys(err, r, "punch %" PRIu64 " bytes at 0x%" PRIx64, len, off) : 0;
}

int io_size(const struct vhd_io *io, uint64_t *ret_size, struct vhd_error *err)
{
	int r = io->ops->size(io->store, ret_size);

	return r < 0 ? vhd_fail_sys(err, r, "ask for the file size") : 0;
}

int io_resize(const struct vhd_io *io, uint64_t size, struct vhd_error *err)
{
	int r = io->ops->resize(io->store, size);

	return r < 0 ? vhd_fail_sys(err, r, "set the file size to %" PRIu64, size) : 0;
}

int io_allocate(const struct vhd_io *io, uint64_t len, uint64_t off, struct vhd_error *err)
{
	int r = io->ops->allocate ? io->ops->allocate(io->store, off, len) : -EOPNOTSUPP;

	return r < 0 ? vhd_fail_sys(err, r, "reserve %" PRIu64 " bytes at 0x%" PRIx64, len, off)
		     : 0;
}

int io_flush(const struct vhd_io *io, struct vhd_error *err)
{
	int r = io->ops->flush(io->store);

	return r < 0 ? vhd_fail_sys(err, r, "flush") : 0;
}

int io_reread(const struct vhd_io *io, struct vhd_error *err)
{
	int r = io->ops->reread ? io->ops->reread(io->store) : 0;

	if (r > 0)
		return vhd_fail(err, VHD_E_IO,
				"the page cache holds what the disk does not: end the programs "
				"that map the file, then try again");
	return r < 0 ? vhd_fail_sys(err, r, "drop cached pages") : 0;
}

int io_lock(const struct vhd_io *io, enum vhd_lock mode, struct vhd_error *err)
{
	int r = io->ops->lock ? io->ops->lock(io->store, mode) : 0;

	if (r == -EAGAIN || r == -EACCES)
		return vhd_fail(err, VHD_E_BUSY, "another program has this image open%s",
				mode == VHD_LOCK_WRITE ? "" : " for writing");
	if (r == -EBADF)
		return vhd_fail(err, VHD_E_READONLY, "the file was opened for reading");
	return r < 0 ? vhd_fail_sys(err, r, "lock") : 0;
}

int io_identity(const struct vhd_io *io, struct io_identity *ret_identity, struct vhd_error *err)
{
	int r = 0;

	*ret_identity = (struct io_identity){.ops = io->ops, .id = {(uintptr_t)io->store}};
	if (io->ops->identity)
		r = io->ops->identity(io->store, ret_identity->id);
	return r < 0 ? vhd_fail_sys(err, r, "ask which file it is") : 0;
}

int io_identity_compare(const struct io_identity *a, const struct io_identity *b)
{
	if (a->ops != b->ops)
		return (uintptr_t)a->ops < (uintptr_t)b->ops ? -1 : 1;
	if (a->id[0] != b->id[0])
		return a->id[0] < b->id[0] ? -1 : 1;
	return a->id[1] < b->id[1] ? -1 : a->id[1] > b->id[1];
}

void vhd_io_close(struct vhd_io *io)
{
	if (io->ops)
		io->ops->close(io->store);
	*io = (struct vhd_io){0};
}
