/* peer.c - the least that libmicrohttpd can do, in the daemon's mode: a fixed answer to every GET,
 * and bodies that are thrown away. What the daemon adds is measured beside it.
 *
 * peer PORT
 */
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As server/httpd_loop.c and httpd_serve.c have them on two processors. */
enum { THREADS = 2, MEMORY = 48 << 10, CONNECTIONS = 640, BACKLOG = 1024 };

static struct MHD_Response *hello;

/* The library chose the parameters. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *piece,
				  size_t *len, void **state)
{
	static int begun;

	(void)ctx;
	(void)url;
	(void)method;
	(void)version;
	(void)piece;
	if (!*state) {
		*state = &begun;
		return MHD_YES;
	}
	if (*len) {
		*len = 0;
		return MHD_YES;
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, hello);
}

static int listen_at(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				      .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, (const struct sockaddr *)(const void *)&address, sizeof address) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -1;
	return fd;
}

static void *loop(void *ctx)
{
	struct MHD_Daemon *daemon = ctx;
	struct pollfd set = {
		.fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
		.events = POLLIN,
	};
	MHD_UNSIGNED_LONG_LONG ms;

	while (true) {
		if (MHD_get_timeout(daemon, &ms) != MHD_YES)
			(void)poll(&set, 1, -1);
		else if (ms)
			(void)poll(&set, 1, 1000);
		(void)MHD_run(daemon);
	}
	return NULL;
}

static bool start_loop(int fd)
{
	struct MHD_Daemon *daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_END);
	pthread_t thread;

	return daemon && pthread_create(&thread, NULL, loop, daemon) == 0;
}

int main(int argc, char **argv)
{
	char text[] = "hello";
	bool ok = true;
	int fd;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: peer PORT\n");
		return 2;
	}
	fd = listen_at((uint16_t)strtoul(argv[1], NULL, 10));
	hello = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
	for (int i = 0; i < THREADS; i++)
		ok = ok && fd >= 0 && hello && start_loop(fd);
	if (!ok) {
		(void)fprintf(stderr, "peer: cannot serve port %s\n", argv[1]);
		return 1;
	}
	(void)pause();
	return 0;
}
