/* faultio.c - counts calls and fails the one that was chosen; the others go through. */
#include "faultio.h"

#include "must.h"

struct faultio {
	struct vhd_io io;
	struct faults *faults;
};

static int fault_at(void *store, unsigned op, uint64_t off)
{
	struct faults *faults = ((struct faultio *)store)->faults;
	long call;

	if (!(faults->ops & op))
		return 0;
	call = __atomic_fetch_add(&faults->calls, 1, __ATOMIC_RELAXED);
	if (faults->fail_at < 0 || call < faults->fail_at ||
	    (call > faults->fail_at && !faults->for_ever))
		return 0;
	(void)__atomic_fetch_add(&faults->failed, 1, __ATOMIC_RELAXED);
	faults->last = op;
	faults->last_off = off;
	return -faults->sys;
}

static int fault(void *store, unsigned op)
{
	return fault_at(store, op, 0);
}

static struct vhd_io *below(void *store)
{
	return &((struct faultio *)store)->io;
}

static int op_read(void *store, void *buf, size_t len, uint64_t off)
{
	int r = fault_at(store, FAULT_READ, off);

	return r < 0 ? r : below(store)->ops->read(below(store)->store, buf, len, off);
}

static int op_read_now(void *store, void *buf, size_t len, uint64_t off)
{
	int r = fault_at(store, FAULT_READ, off);

	return r < 0 ? r : below(store)->ops->read_now(below(store)->store, buf, len, off);
}

/* Half of the first buffer: what a full disk leaves of a write. */
static void write_torn(struct vhd_io *io, const struct iovec *iov, uint64_t off)
{
	struct iovec half = {iov->iov_base, iov->iov_len / 1024 * 512};

	if (half.iov_len > 0)
		(void)io->ops->writev(io->store, &half, 1, off);
}

static int op_writev(void *store, const struct iovec *iov, int n, uint64_t off)
{
	int r = fault_at(store, FAULT_WRITE, off);

	if (r < 0 && ((struct faultio *)store)->faults->torn)
		write_torn(below(store), iov, off);
	return r < 0 ? r : below(store)->ops->writev(below(store)->store, iov, n, off);
}

static int op_resize(void *store, uint64_t size)
{
	int r = fault(store, FAULT_RESIZE);

	return r < 0 ? r : below(store)->ops->resize(below(store)->store, size);
}

static int op_size(void *store, uint64_t *ret_size)
{
	int r = fault(store, FAULT_SIZE);

	return r < 0 ? r : below(store)->ops->size(below(store)->store, ret_size);
}

static int op_punch(void *store, uint64_t off, uint64_t len)
{
	int r = fault(store, FAULT_PUNCH);

	return r < 0 ? r : below(store)->ops->punch(below(store)->store, off, len);
}

static int op_allocate(void *store, uint64_t off, uint64_t len)
{
	int r = fault(store, FAULT_ALLOCATE);

	return r < 0 ? r : below(store)->ops->allocate(below(store)->store, off, len);
}

static int op_flush(void *store)
{
	int r = fault(store, FAULT_FLUSH);

	return r < 0 ? r : below(store)->ops->flush(below(store)->store);
}

static int op_reread(void *store)
{
	int r = fault(store, FAULT_REREAD);

	return r < 0 ? r : below(store)->ops->reread(below(store)->store);
}

static int op_lock(void *store, enum vhd_lock mode)
{
	int r = fault(store, FAULT_LOCK);

	return r < 0 ? r : below(store)->ops->lock(below(store)->store, mode);
}

static int op_identity(void *store, uint64_t ret_id[2])
{
	return below(store)->ops->identity(below(store)->store, ret_id);
}

static void op_close(void *store)
{
	below(store)->ops->close(below(store)->store);
	must_free(store);
}

struct vhd_io faultio_wrap(struct vhd_io io, struct faults *faults)
{
	static const struct vhd_io_ops ops = {
		.read = op_read,
		.read_now = op_read_now,
		.writev = op_writev,
		.resize = op_resize,
		.size = op_size,
		.punch = op_punch,
		.allocate = op_allocate,
		.flush = op_flush,
		.reread = op_reread,
		.lock = op_lock,
		.identity = op_identity,
		.close = op_close,
	};
	struct faultio *faultio = must_alloc(sizeof *faultio);

	*faultio = (struct faultio){io, faults};
	io.ops = &ops;
	io.store = faultio;
	return io;
}
