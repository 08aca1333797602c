/* httpd_loop.c - the polling threads. Each has a daemon of the library for every socket, waits for
 * all of them, and runs them.
 *
 * The library can wait by itself, but not well: with poll() it lists all its connections each time,
 * and with epoll it goes to sleep with 128 requests in its hand when it has just got as many, its
 * most. Run from outside it never sleeps, but then nothing tells it of connections that are
 * resumed, nor that it may accept again: who resumes wakes the loop, and who closes has it run
 * again. */
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "httpd_serve.h"

enum {
	FEWEST_LOOPS = 2,
	LONGEST_MS = 1000, /* makes up for a wake that failed */
	IDLE_ROUNDS = 16,  /* without a wait, in which nothing happens */
	STUCK_MS = 20,
	SPARE_CONNECTIONS = 80, /* beyond the limit of ours, so that they can be told 503 */
};

/* ---- the thread ---- */

static int wait_ms(const struct httpd_loop *loop)
{
	MHD_UNSIGNED_LONG_LONG own, least = loop->again ? 0 : LONGEST_MS;

	for (size_t i = 0; i < loop->n_shares; i++) {
		if (MHD_get_timeout(loop->shares[i].daemon, &own) == MHD_YES && own < least)
			least = own;
	}
	return (int)least;
}

static size_t list_fds(const struct httpd_loop *loop, struct pollfd fds[1 + HTTPD_LISTENERS])
{
	size_t n = 0;

	fds[n++] = (struct pollfd){.fd = loop->wake_fd, .events = POLLIN};
	for (size_t i = 0; i < loop->n_shares; i++) {
		const union MHD_DaemonInfo *info =
			MHD_get_daemon_info(loop->shares[i].daemon, MHD_DAEMON_INFO_EPOLL_FD);

		fds[n++] = (struct pollfd){.fd = info->epoll_fd, .events = POLLIN};
	}
	return n;
}

/* The library also goes on at once for a connection whose buffer is full of what it can do nothing
 * with, such as the endless first line of a chunk. */
static bool is_stuck(struct httpd_loop *loop, int ms)
{
	loop->idle_rounds = ms == 0 && !loop->moved ? loop->idle_rounds + 1 : 0;
	loop->moved = false;
	return loop->idle_rounds > IDLE_ROUNDS;
}

static void wait(struct httpd_loop *loop, struct pollfd *fds, size_t n)
{
	uint64_t times;
	int ms = wait_ms(loop);

	loop->again = false;
	if (is_stuck(loop, ms)) {
		httpd_watch_stuck(loop);
		ms = STUCK_MS;
	}
	/* Read before it is said: who wakes from then on writes again. */
	if (ms && poll(fds, n, ms) > 0 && fds[0].revents &&
	    read(loop->wake_fd, &times, sizeof times) > 0)
		atomic_store(&loop->woken, false);
}

static void refuse(struct httpd_loop *loop)
{
	for (size_t i = 0; i < loop->n_shares; i++)
		httpd_serve_refuse(&loop->shares[i]);
	(void)atomic_fetch_sub(&loop->httpd->accepting, 1);
}

static void *run(void *ctx)
{
	struct httpd_loop *loop = ctx;
	struct pollfd fds[1 + HTTPD_LISTENERS];
	size_t n = list_fds(loop, fds);
	bool accepts = true;

	while (!atomic_load(&loop->ends)) {
		if (accepts && atomic_load(&loop->httpd->stopping)) {
			refuse(loop);
			accepts = false;
		}
		wait(loop, fds, n);
		for (size_t i = 0; i < loop->n_shares; i++)
			(void)MHD_run(loop->shares[i].daemon);
	}
	return NULL;
}

void httpd_loop_wake(struct httpd_loop *loop)
{
	const uint64_t once = 1;

	if (!atomic_exchange(&loop->woken, true) && write(loop->wake_fd, &once, sizeof once) < 0)
		atomic_store(&loop->woken, false);
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

static int start_share(struct httpd_loop *loop, const struct httpd_listener *listener,
		       char ret_why[HTTPD_WHY])
{
	struct httpd_share *share = &loop->shares[loop->n_shares];
	char text[128];

	*share = (struct httpd_share){.loop = loop, .listener = listener};
	if (httpd_serve_start(share) == 0) {
		loop->n_shares++;
		return 0;
	}
	(void)snprintf(ret_why, HTTPD_WHY, "cannot serve %.120s: %s", listener->address->text,
		       strerror_r(errno, text, sizeof text));
	return -1;
}

static int start_loop(struct httpd *httpd, char ret_why[HTTPD_WHY])
{
	struct httpd_loop *loop = &httpd->loops[httpd->n_loops];
	int r = 0;

	loop->httpd = httpd;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0) {
		(void)snprintf(ret_why, HTTPD_WHY, "cannot make a descriptor");
		return -1;
	}
	httpd->n_loops++;
	for (size_t i = 0; r == 0 && i < httpd->n_listeners; i++)
		r = start_share(loop, &httpd->listeners[i], ret_why);
	if (r < 0)
		return -1;
	if (pthread_create(&loop->thread, NULL, run, loop) != 0) {
		(void)snprintf(ret_why, HTTPD_WHY, "cannot start threads");
		return -1;
	}
	loop->has_thread = true;
	(void)atomic_fetch_add(&httpd->accepting, 1);
	return 0;
}

int httpd_loops_start(struct httpd *httpd, char ret_why[HTTPD_WHY])
{
	size_t wanted = loops_wanted();
	size_t connections = httpd->config->connections + SPARE_CONNECTIONS;
	int r = 0;

	httpd->connections_each = (unsigned)((connections + wanted - 1) / wanted);
	while (r == 0 && httpd->n_loops < wanted)
		r = start_loop(httpd, ret_why);
	return r;
}

void httpd_loops_refuse(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->n_loops; i++)
		httpd_loop_wake(&httpd->loops[i]);
}

static void stop_loop(struct httpd_loop *loop)
{
	if (loop->has_thread) {
		atomic_store(&loop->ends, true);
		httpd_loop_wake(loop);
		(void)pthread_join(loop->thread, NULL);
	}
	for (size_t i = 0; i < loop->n_shares; i++)
		httpd_serve_stop(&loop->shares[i]);
	(void)close(loop->wake_fd);
}

void httpd_loops_stop(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->n_loops; i++)
		stop_loop(&httpd->loops[i]);
}
