/* pool_socket.c - a socket file outlives its daemon; whether one is in use only a connection tells.
 */
#include "pool_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "cleanup.h"

static bool somebody_listens(const char *path)
{
	CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	(void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
	return fd >= 0 &&
	       connect(fd, (const struct sockaddr *)(const void *)&name, sizeof name) == 0;
}

int pool_socket_clear(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	if (somebody_listens(path)) {
		errno = EADDRINUSE;
		return -1;
	}
	return unlink(path);
}

int pool_socket_share(const char *path)
{
	return chmod(path, S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP);
}

void pool_socket_remove(const char *path)
{
	(void)unlink(path);
}
