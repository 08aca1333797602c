/* view.c - a file that is a piece of memory, for reading only: no copy, and one byte too far is
 * seen. */
#include "view.h"

#include <errno.h>
#include <string.h>

static int view_read(void *store, void *buf, size_t len, uint64_t off)
{
	const struct view *view = store;

	if (off > view->size || len > view->size - off)
		return -ENODATA;
	memcpy(buf, view->bytes + off, len);
	return 0;
}

static int view_size(void *store, uint64_t *ret_size)
{
	*ret_size = ((const struct view *)store)->size;
	return 0;
}

static void view_close(void *store)
{
	(void)store;
}

struct vhd_io view_io(struct view *view)
{
	static const struct vhd_io_ops ops = {
		.read = view_read,
		.size = view_size,
		.close = view_close,
	};

	return (struct vhd_io){.ops = &ops, .store = view};
}
