/* io.h - the checked way to call a store: adds offset and length to every failure. */
#ifndef IO_H
#define IO_H

#include "vhd.h"

/* A buffer that a store only reads from. */
struct iovec io_buffer(const void *buf, size_t len);

int io_read(const struct vhd_io *io, void *buf, size_t len, uint64_t off, struct vhd_error *err);
/* VHD_E_AGAIN when the bytes are not in memory or the store cannot tell. */
int io_read_now(const struct vhd_io *io, void *buf, size_t len, uint64_t off,
		struct vhd_error *err);
int io_write(const struct vhd_io *io, const void *buf, size_t len, uint64_t off,
	     struct vhd_error *err);
int io_writev(const struct vhd_io *io, const struct iovec *iov, int n, uint64_t off,
	      struct vhd_error *err);
/* `len` bytes of value `byte`. */
int io_fill(const struct vhd_io *io, int byte, uint64_t len, uint64_t off, struct vhd_error *err);
/* Zeroes: a hole where the store can make one. */
int io_zero(const struct vhd_io *io, uint64_t len, uint64_t off, struct vhd_error *err);
int io_size(const struct vhd_io *io, uint64_t *ret_size, struct vhd_error *err);
int io_resize(const struct vhd_io *io, uint64_t size, struct vhd_error *err);
int io_allocate(const struct vhd_io *io, uint64_t len, uint64_t off, struct vhd_error *err);
int io_flush(const struct vhd_io *io, struct vhd_error *err);
/* What is read from now on is what the device holds. */
int io_reread(const struct vhd_io *io, struct vhd_error *err);
int io_lock(const struct vhd_io *io, enum vhd_lock mode, struct vhd_error *err);

/* Which file is behind a store, while it is open. */
struct io_identity {
	const struct vhd_io_ops *ops;
	uint64_t id[2];
};
int io_identity(const struct vhd_io *io, struct io_identity *ret_identity, struct vhd_error *err);
int io_identity_compare(const struct io_identity *a, const struct io_identity *b);

#endif
