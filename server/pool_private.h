/* pool_private.h - what pool.c and pool_look.c share. */
#ifndef POOL_PRIVATE_H
#define POOL_PRIVATE_H

#include <sys/stat.h>

#include "pool.h"

struct pool_dir {
	int fd;
	char *path;
};

/* By errno. */
int pool_fail_sys(struct vhd_error *err, const char *what, const char *name);

/* A name of the folder itself: no link, no other file system, whatever somebody has put there. */
int pool_open_beneath(const struct pool_dir *pool, const char *name, int flags);

/* How many names <id>.vhd has, of which `st` tells, without its first one: that is the pool's own,
 * and there until it can be removed. */
uint64_t pool_names(const struct pool_dir *pool, const uint8_t id[IDS_SIZE], const struct stat *st);

#endif
