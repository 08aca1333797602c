/* pool_state.c - flock() on a folder goes away with its holder, so a crash leaves nothing to clean
 * up. */
#include "pool_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "failure.h"

static int fail(struct vhd_error *err, enum vhd_code code, const char *what, const char *path)
{
	int sys = errno;
	char text[128];

	return failure_sys(err, code, sys, "state folder %.200s: %s: %s", path, what,
			   strerror_r(sys, text, sizeof text));
}

int pool_state_open(const char *path, int *ret_fd, char ret_path[POOL_PATH], struct vhd_error *err)
{
	CLEANUP(closep) int fd = -1;
	CLEANUP(freep) char *real = NULL;
	int r;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(err, VHD_E_IO, "cannot be made", path);
	real = realpath(path, NULL);
	if (!real)
		return fail(err, VHD_E_NOT_FOUND, "cannot be found", path);
	fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, VHD_E_FORBIDDEN, "cannot be opened", path);
	r = flock(fd, LOCK_EX | LOCK_NB);
	if (r < 0 && errno == EWOULDBLOCK)
		return failure(err, VHD_E_BUSY,
			       "state folder %.200s: another vhdd uses it; each needs a "
			       "--state-dir of its own",
			       path);
	if (r < 0)
		return fail(err, VHD_E_IO, "cannot be locked", path);
	(void)snprintf(ret_path, POOL_PATH, "%s", real);
	*ret_fd = STEAL_FD(fd);
	return 0;
}
