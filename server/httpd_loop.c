/* httpd_loop.c - the polling threads. Each accepts its part of the connections, waits for them, and
 * has the library serve them.
 *
 * The library could accept and wait by itself, but not well: with poll() it lists all connections
 * each time, with epoll it goes to sleep with 128 requests in its hand when it has just got as
 * many, its most, and the thread that is first has most of the connections. Run from outside it
 * never sleeps. But nothing tells it then of connections that are resumed, so who resumes wakes the
 * loop.
 */
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "httpd_serve.h"
#include "log.h"

enum {
	FEWEST_LOOPS = 2,
	LONGEST_MS = 1000, /* makes up for a wake that failed */
	PAUSE_MS = 100,    /* when there is no descriptor for a connection */
	AHEAD = 4,         /* connections of a loop, of its even part */
	ACCEPTED_AT_ONCE = 16,
	SPARE_CONNECTIONS = 80, /* beyond the limit of ours, so that they can be told 503 */
};

/* ---- connections ---- */

/* There is always one that may, or there are too many connections. */
static bool may_accept(const struct httpd_loop *loop)
{
	const struct httpd *httpd = loop->httpd;
	unsigned all = atomic_load(&httpd->n_connections);

	return all < httpd->connections_max &&
	       loop->n_connections * httpd->n_loops <= all + AHEAD * httpd->n_loops &&
	       !loop->accept_ms;
}

/* Who may not any more has the others see that they may. */
static void take_turns(struct httpd_loop *loop)
{
	bool accepts;

	if (loop->accept_ms && clock_monotonic_ms() >= loop->accept_ms)
		loop->accept_ms = 0;
	accepts = !atomic_load(&loop->httpd->stopping) && may_accept(loop);
	if (loop->accepts && !accepts)
		httpd_loops_wake(loop->httpd);
	loop->accepts = accepts;
}

static void no_descriptor(struct httpd_loop *loop)
{
	char text[128];

	if (!loop->lacks)
		log_warning("connections wait: %s", strerror_r(errno, text, sizeof text));
	loop->lacks = true;
	loop->accept_ms = clock_monotonic_ms() + PAUSE_MS;
}

static void accept_from(struct httpd_loop *loop, int listener)
{
	for (int i = 0; i < ACCEPTED_AT_ONCE && may_accept(loop); i++) {
		struct sockaddr_storage from = {0};
		struct sockaddr *name = (struct sockaddr *)(void *)&from;
		socklen_t length = sizeof from;
		int fd = accept4(listener, name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR))
			return; /* somebody else was faster, or the client has left */
		if (fd < 0) {
			no_descriptor(loop);
			return;
		}
		loop->lacks = false;
		(void)MHD_add_connection(loop->daemon, fd, name, length); /* or it closes it */
	}
}

/* ---- the thread ---- */

static int wait_ms(const struct httpd_loop *loop)
{
	MHD_UNSIGNED_LONG_LONG own;
	int ms = loop->accept_ms ? PAUSE_MS : LONGEST_MS;

	if (MHD_get_timeout(loop->daemon, &own) == MHD_YES && own < (unsigned)ms)
		return (int)own;
	return ms;
}

/* What comes first is always looked at, the listeners not. */
static nfds_t list_fds(const struct httpd_loop *loop, struct pollfd fds[2 + HTTPD_LISTENERS])
{
	const struct httpd *httpd = loop->httpd;
	nfds_t n = 0;

	fds[n++] = (struct pollfd){.fd = loop->wake_fd, .events = POLLIN};
	fds[n++] = (struct pollfd){
		.fd = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
		.events = POLLIN,
	};
	for (size_t i = 0; i < httpd->n_listeners; i++)
		fds[n++] = (struct pollfd){.fd = httpd->listeners[i].fd, .events = POLLIN};
	return n;
}

static void wait(struct httpd_loop *loop, struct pollfd *fds, nfds_t n)
{
	uint64_t times;

	take_turns(loop);
	if (poll(fds, loop->accepts ? n : 2, wait_ms(loop)) <= 0)
		return;
	/* Read before it is said: who wakes from then on writes again. */
	if (fds[0].revents && read(loop->wake_fd, &times, sizeof times) > 0)
		atomic_store(&loop->woken, false);
	for (nfds_t i = 2; loop->accepts && i < n; i++) {
		if (fds[i].revents)
			accept_from(loop, fds[i].fd);
	}
}

static void *run(void *ctx)
{
	struct httpd_loop *loop = ctx;
	struct pollfd fds[2 + HTTPD_LISTENERS];
	nfds_t n = list_fds(loop, fds);
	bool told = false;

	while (!atomic_load(&loop->ends)) {
		wait(loop, fds, n);
		(void)MHD_run(loop->daemon);
		if (!told && atomic_load(&loop->httpd->stopping)) {
			(void)atomic_fetch_sub(&loop->httpd->accepting, 1);
			told = true;
		}
	}
	return NULL;
}

void httpd_loop_wake(struct httpd_loop *loop)
{
	const uint64_t once = 1;

	if (!atomic_exchange(&loop->woken, true) && write(loop->wake_fd, &once, sizeof once) < 0)
		atomic_store(&loop->woken, false);
}

void httpd_loops_wake(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->n_loops; i++)
		httpd_loop_wake(&httpd->loops[i]);
}

/* ---- start and stop ---- */

/* As many as there are processors for us. */
static size_t loops_wanted(void)
{
	cpu_set_t set;
	size_t n = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 0;

	if (n < FEWEST_LOOPS)
		return FEWEST_LOOPS;
	return n < HTTPD_LOOPS ? n : HTTPD_LOOPS;
}

static int make_loop(struct httpd *httpd)
{
	struct httpd_loop *loop = &httpd->loops[httpd->n_loops];

	loop->httpd = httpd;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		return -1;
	httpd->n_loops++;
	return httpd_serve_start(loop);
}

static int start_thread(struct httpd_loop *loop)
{
	errno = pthread_create(&loop->thread, NULL, run, loop);
	if (errno != 0)
		return -1;
	loop->has_thread = true;
	(void)atomic_fetch_add(&loop->httpd->accepting, 1);
	return 0;
}

int httpd_loops_start(struct httpd *httpd, char ret_why[HTTPD_WHY])
{
	size_t wanted = loops_wanted();
	char text[128];
	int r = 0;

	httpd->connections_max = (unsigned)httpd->config->connections + SPARE_CONNECTIONS;
	while (r == 0 && httpd->n_loops < wanted)
		r = make_loop(httpd);
	/* Each counts the others, so all are there before the first one runs. */
	for (size_t i = 0; r == 0 && i < wanted; i++)
		r = start_thread(&httpd->loops[i]);
	if (r < 0)
		(void)snprintf(ret_why, HTTPD_WHY, "cannot serve connections: %s",
			       strerror_r(errno, text, sizeof text));
	return r;
}

static void stop_loop(struct httpd_loop *loop)
{
	if (loop->has_thread) {
		atomic_store(&loop->ends, true);
		httpd_loop_wake(loop);
		(void)pthread_join(loop->thread, NULL);
	}
	httpd_serve_stop(loop);
	(void)close(loop->wake_fd);
}

void httpd_loops_stop(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->n_loops; i++)
		stop_loop(&httpd->loops[i]);
}
