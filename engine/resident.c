/* resident.c - compares what is left of a file in the page cache with the device.
 *
 * After a failed sync the kernel has clean pages that the device never got. It drops them on
 * request, but not those that another program maps; whoever reads them takes for durable what goes
 * with the next shortage of memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "resident.h"

enum {
	WINDOW = 64 << 20, /* asked for at once */
	CHUNK = 1 << 20,   /* compared at once */
	ALIGN = 4096,      /* of O_DIRECT, on every device */
	FAR = 1 << 30,     /* more than the kernel keeps in one piece */
};

struct check {
	int fd, flags;
	size_t page;
	uint8_t *cached, *direct; /* a chunk each */
	unsigned char *pages;     /* of a window */
};

/* At least `want` bytes, or it is an error: `len` may pass the end of the file. */
static int read_at(int fd, void *buf, size_t len, size_t want, off_t off)
{
	ssize_t n;

	do
		n = pread(fd, buf, len, off);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n < want ? -EIO : 0;
}

/* Past the page cache. The flag is the file's for a moment, and the file is nobody else's. */
static int read_direct(const struct check *check, size_t want, off_t off)
{
	size_t len = (want + ALIGN - 1) / ALIGN * ALIGN;
	int r;

	if (fcntl(check->fd, F_SETFL, check->flags | O_DIRECT) < 0)
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	r = read_at(check->fd, check->direct, len, want, off);
	if (fcntl(check->fd, F_SETFL, check->flags) < 0)
		return -errno;
	return r == -EINVAL ? -EOPNOTSUPP : r;
}

static int compare(const struct check *check, off_t off, size_t len)
{
	int r = 0;

	for (size_t done = 0; done < len && r == 0; done += CHUNK) {
		size_t piece = len - done < CHUNK ? len - done : CHUNK;

		r = read_at(check->fd, check->cached, piece, piece, off + (off_t)done);
		if (r == 0)
			r = read_direct(check, piece, off + (off_t)done);
		if (r == 0 && memcmp(check->cached, check->direct, piece) != 0)
			return 1;
	}
	return r;
}

/* Which pages are in memory. The mapping is never read: a file that shrinks cannot harm; and it is
 * private, for FUSE and network file systems may have no other. Where nobody can map the file,
 * nobody keeps pages that could not be dropped. */
static int ask(const struct check *check, off_t off, size_t len)
{
	void *map = mmap(NULL, len, PROT_NONE, MAP_PRIVATE, check->fd, off);
	int r;

	if (map == MAP_FAILED)
		return errno == ENODEV ? -EOPNOTSUPP : -errno;
	r = mincore(map, len, check->pages) < 0 ? -errno : 0;
	(void)munmap(map, len);
	return r;
}

/* Of a file that we neither own nor may write the kernel tells every page as one that stays, also
 * where there is none. We have not written it; to compare all of a large one would take hours. */
static bool is_hidden(const struct check *check, off_t size)
{
	return ask(check, (size / FAR + 1) * FAR, check->page) == 0 && check->pages[0] & 1;
}

static int window_differs(const struct check *check, off_t off, size_t len)
{
	int r = ask(check, off, len);

	for (size_t at = 0, end; at < len && r == 0; at = end + check->page) {
		for (end = at; end < len && check->pages[end / check->page] & 1;)
			end += check->page;
		r = compare(check, off + (off_t)at, (end < len ? end : len) - at);
	}
	return r;
}

/* Holes have nothing in memory; what waits to be allocated is no hole. */
static int next_data(int fd, off_t *off)
{
	off_t data = lseek(fd, *off, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? 0 : -errno;
	*off = data / WINDOW * WINDOW;
	return 1;
}

static int each_window(const struct check *check, off_t size)
{
	int r = 0;

	if (is_hidden(check, size))
		return 0;
	for (off_t off = 0; off < size && r == 0; off += WINDOW) {
		int more = next_data(check->fd, &off);

		if (more <= 0)
			return more;
		r = window_differs(check, off, (size_t)(size - off < WINDOW ? size - off : WINDOW));
	}
	return r == -EOPNOTSUPP ? 0 : r;
}

int resident_differs(int fd)
{
	CLEANUP(freep) uint8_t *buffer = aligned_alloc(ALIGN, 2 * (size_t)CHUNK);
	CLEANUP(freep) unsigned char *pages = NULL;
	long page = sysconf(_SC_PAGESIZE);
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (page > 0)
		pages = calloc(1, WINDOW / (size_t)page + 1);
	if (!buffer || !pages)
		return -ENOMEM;
	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	return each_window(&(struct check){fd, flags, (size_t)page, buffer, buffer + CHUNK, pages},
			   st.st_size);
}
