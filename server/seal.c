/* seal.c - digests the metadata of an image file: its last sector, and what the copy of the footer
 * at its start points to. */
#include "seal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "digest.h"
#include "failure.h"

/* engine/FORMAT.md, sections 1 and 2. */
enum {
	SECTOR = 512,
	HEADER = 1024,
	FTR_DATA_OFFSET = 16,
	HDR_TABLE_OFFSET = 16,
	HDR_ENTRIES = 28,
	PIECE = 64 << 10,
};
static const char footer_cookie[] = "conectix", header_cookie[] = "cxsparse";

static uint64_t get_be(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static int read_at(int fd, uint8_t *buf, size_t len, uint64_t off, struct vhd_error *err)
{
	while (len > 0) {
		ssize_t n = pread(fd, buf, len, (off_t)off);
		int sys = n < 0 ? errno : ENODATA;
		char text[128];

		if (n < 0 && sys == EINTR)
			continue;
		if (n <= 0)
			return failure_sys(err, VHD_E_IO, sys, "cannot read: %s",
					   strerror_r(sys, text, sizeof text));
		buf += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

static int add_range(struct digest *digest, int fd, uint64_t off, uint64_t len,
		     struct vhd_error *err)
{
	CLEANUP(freep) uint8_t *piece = malloc(PIECE);
	int r = piece ? 0 : failure(err, VHD_E_NOMEM, "out of memory");

	while (r == 0 && len > 0) {
		size_t n = len < PIECE ? (size_t)len : PIECE;

		r = read_at(fd, piece, n, off, err);
		if (r == 0)
			digest_add(digest, piece, n);
		off += n;
		len -= n;
	}
	return r;
}

static bool inside(uint64_t off, uint64_t len, uint64_t size)
{
	return len <= size && off <= size - len;
}

/* A file that does not look like an image is not for this one to judge: what is there is digested.
 */
static int add_metadata(struct digest *digest, int fd, uint64_t size, struct vhd_error *err)
{
	uint8_t footer[SECTOR] = {0}, header[HEADER] = {0};
	uint64_t at, table, entries;
	int r;

	if (size < SECTOR)
		return failure(err, VHD_E_NOT_VHD, "the file has %" PRIu64 " bytes", size);
	r = add_range(digest, fd, size - SECTOR, SECTOR, err);
	if (r == 0)
		r = read_at(fd, footer, sizeof footer, 0, err);
	if (r < 0 || memcmp(footer, footer_cookie, sizeof footer_cookie - 1) != 0)
		return r; /* fixed */
	digest_add(digest, footer, sizeof footer);
	at = get_be(footer + FTR_DATA_OFFSET, 8);
	if (!inside(at, HEADER, size))
		return 0;
	r = read_at(fd, header, sizeof header, at, err);
	if (r < 0 || memcmp(header, header_cookie, sizeof header_cookie - 1) != 0)
		return r;
	digest_add(digest, header, sizeof header);
	table = get_be(header + HDR_TABLE_OFFSET, 8);
	entries = get_be(header + HDR_ENTRIES, 4);
	return inside(table, entries * 4, size) ? add_range(digest, fd, table, entries * 4, err)
						: 0;
}

/* Compared only: a time that nobody will live to see may wrap. */
static int64_t nanoseconds(const struct timespec *time)
{
	return (int64_t)((uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec);
}

static int take_facts(int fd, struct catalog_seal *seal, struct vhd_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return failure_sys(err, VHD_E_IO, errno, "cannot look at the file");
	*seal = (struct catalog_seal){
		.file_bytes = (uint64_t)st.st_size,
		.mtime_ns = nanoseconds(&st.st_mtim),
		.ino = st.st_ino,
	};
	return 0;
}

static int take_digest(int fd, struct catalog_seal *seal, struct vhd_error *err)
{
	struct digest *digest = digest_new();
	int r;

	if (!digest)
		return failure(err, VHD_E_NOMEM, "out of memory");
	r = add_metadata(digest, fd, seal->file_bytes, err);
	digest_finish(digest, seal->sha256);
	return r;
}

int seal_take(int fd, struct catalog_seal *ret_seal, struct vhd_error *err)
{
	struct catalog_seal seal = {0};
	int r = take_facts(fd, &seal, err);

	if (r == 0)
		r = take_digest(fd, &seal, err);
	if (r == 0)
		*ret_seal = seal;
	return r;
}

int seal_check(int fd, const struct catalog_seal *seal, bool thorough, struct vhd_error *err)
{
	struct catalog_seal now = {0};
	bool same;
	int r = take_facts(fd, &now, err);

	if (r < 0)
		return r;
	if (now.file_bytes != seal->file_bytes) {
		(void)failure(err, VHD_E_PARENT_MISMATCH,
			      "has %" PRIu64 " bytes, and had %" PRIu64
			      " when it got its first child",
			      now.file_bytes, seal->file_bytes);
		return SEAL_BROKEN;
	}
	same = now.mtime_ns == seal->mtime_ns && now.ino == seal->ino;
	if (same && !thorough)
		return SEAL_HOLDS;
	r = take_digest(fd, &now, err);
	if (r < 0)
		return r;
	if (memcmp(now.sha256, seal->sha256, sizeof now.sha256) != 0) {
		(void)failure(
			err, VHD_E_PARENT_MISMATCH,
			"has another footer, header or block table than when it got its first child");
		return SEAL_BROKEN;
	}
	return same ? SEAL_HOLDS : SEAL_TOUCHED;
}
