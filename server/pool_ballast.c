/* pool_ballast.c - the blocks of the ballast are allocated, so that giving it up makes room for the
 * catalog. */
#include "pool_ballast.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "cleanup.h"
#include "pool.h"

/* POOL_BALLAST_ROOM tells their sum; of a small disk, a sixteenth and a quarter. */
enum { BALLAST = 16 << 20, MARGIN = 64 << 20 };

static void name_of(const char *catalog_path, char ret_path[POOL_PATH])
{
	(void)snprintf(ret_path, POOL_PATH, "%s.ballast", catalog_path);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool pool_ballast_make(const char *catalog_path)
{
	CLEANUP(closep) int fd = -1;
	char path[POOL_PATH];
	struct statvfs fs;
	struct stat st;
	uint64_t size, space, ballast;

	name_of(catalog_path, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0)
		return false;
	size = (uint64_t)fs.f_blocks * fs.f_frsize;
	space = (uint64_t)fs.f_bavail * fs.f_frsize;
	ballast = smaller(BALLAST, size / 16);
	if ((uint64_t)st.st_size >= ballast)
		return true;
	if (space >= ballast + smaller(MARGIN, size / 4) &&
	    posix_fallocate(fd, 0, (off_t)ballast) == 0)
		return true;
	(void)unlink(path);
	return false;
}

void pool_ballast_drop(const char *catalog_path)
{
	char path[POOL_PATH];

	name_of(catalog_path, path);
	(void)unlink(path);
}
