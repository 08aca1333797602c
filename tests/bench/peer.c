/* peer.c - the least that libmicrohttpd can do, in the daemon's mode: a fixed answer to every GET,
 * and bodies that are thrown away. What the daemon adds is measured beside it.
 *
 * peer PORT
 */
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As server/httpd_serve.c has them. */
enum { THREADS = 6, MEMORY = 64 << 10, CONNECTIONS = 1280 };

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

int main(int argc, char **argv)
{
	char text[] = "hello";
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct MHD_Daemon *daemon;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: peer PORT\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	hello = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
	daemon = MHD_start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR,
		(struct sockaddr *)&address, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_END);
	if (!hello || !daemon) {
		(void)fprintf(stderr, "peer: cannot serve port %s\n", argv[1]);
		return 1;
	}
	(void)pause();
	return 0;
}
