/* pool_look.c - looks at names of a pool without trust in what they are. */
#include "pool_look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "pool_private.h"

static enum pool_kind kind_of(mode_t mode)
{
	if (S_ISREG(mode))
		return POOL_REGULAR;
	if (S_ISLNK(mode))
		return POOL_SYMLINK;
	return S_ISDIR(mode) ? POOL_FOLDER : POOL_OTHER;
}

int pool_look(const struct pool_dir *pool, const char *name, struct pool_facts *ret_facts,
	      struct vhd_error *err)
{
	struct stat st;
	uint8_t id[IDS_SIZE];

	if (fstatat(pool->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return pool_fail_sys(err, "cannot look at", name);
	*ret_facts = (struct pool_facts){
		.kind = kind_of(st.st_mode),
		.names = pool_look_id(name, id) ? pool_names(pool, id, &st) : st.st_nlink,
		.owner = st.st_uid,
		.bytes = (uint64_t)st.st_size,
	};
	return 0;
}

int pool_look_open(const struct pool_dir *pool, const char *name, int *ret_fd,
		   struct vhd_error *err)
{
	CLEANUP(closep) int fd = pool_open_beneath(pool, name, O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return pool_fail_sys(err, "cannot open", name);
	if (!S_ISREG(st.st_mode)) {
		errno = EPERM;
		return pool_fail_sys(err, "cannot open", name);
	}
	*ret_fd = STEAL_FD(fd);
	return 0;
}

/* A handle of its own, for the position of a folder is shared by copies of its descriptor. */
static DIR *listing(const struct pool_dir *pool)
{
	int fd = openat(pool->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (!folder && fd >= 0)
		(void)close(fd);
	return folder;
}

int pool_look_each(struct pool_dir *pool, pool_look_fn *each, void *ctx, struct vhd_error *err)
{
	CLEANUP(closedirp) DIR *folder = listing(pool);
	const struct dirent *entry;
	int r = 0;

	if (!folder)
		return pool_fail_sys(err, "cannot list", pool->path);
	for (;;) {
		errno = 0;
		/* The handle is this function's own. NOLINTNEXTLINE(concurrency-mt-unsafe) */
		entry = readdir(folder);
		if (!entry || r < 0)
			break;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = each(ctx, entry->d_name);
	}
	if (!entry && errno)
		return pool_fail_sys(err, "cannot list", pool->path);
	return r;
}

bool pool_look_id(const char *name, uint8_t ret_id[IDS_SIZE])
{
	char text[IDS_TEXT], again[POOL_NAME];

	if (strlen(name) != IDS_TEXT - 1 + 4)
		return false;
	(void)snprintf(text, sizeof text, "%.36s", name);
	if (!ids_parse(text, ret_id))
		return false;
	pool_file_name(ret_id, again);
	return strcmp(name, again) == 0;
}
