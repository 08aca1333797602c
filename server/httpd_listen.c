/* httpd_listen.c - makes listen sockets: our own rather than the library's, so that Unix sockets
 * are no different. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "httpd_private.h"
#include "pool_socket.h"

enum { BACKLOG = 1024 };

static int fail(const struct address *address, char ret_why[HTTPD_WHY])
{
	char text[128];

	(void)snprintf(ret_why, HTTPD_WHY, "cannot listen on %.120s: %s", address->text,
		       strerror_r(errno, text, sizeof text));
	return -1;
}

static int bind_inet(int fd, const struct address *address)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
		return -1;
	if (address->name.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
		return -1;
	return bind(fd, (const struct sockaddr *)(const void *)&address->name, address->length);
}

static int bind_unix(int fd, const struct address *address)
{
	const char *path = address_path(address);

	if (pool_socket_clear(path) < 0 ||
	    bind(fd, (const struct sockaddr *)(const void *)&address->name, address->length) < 0)
		return -1;
	return pool_socket_share(path);
}

static int open_socket(struct address *address, char ret_why[HTTPD_WHY])
{
	CLEANUP(closep) int fd = socket(address->name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof address->name;
	int r;

	if (fd < 0)
		return fail(address, ret_why);
	r = address_is_unix(address) ? bind_unix(fd, address) : bind_inet(fd, address);
	if (r < 0 || listen(fd, BACKLOG) < 0)
		return fail(address, ret_why);
	if (!address_is_unix(address)) {
		if (getsockname(fd, (struct sockaddr *)(void *)&address->name, &length) < 0)
			return fail(address, ret_why);
		address_refresh(address);
	}
	return STEAL_FD(fd);
}

int httpd_listen(struct address *address, char ret_why[HTTPD_WHY])
{
	return address->inherited ? address->inherited : open_socket(address, ret_why);
}

void httpd_listen_end(const struct address *address)
{
	if (address_is_unix(address) && !address->inherited)
		pool_socket_remove(address_path(address));
}
