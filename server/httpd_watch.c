/* httpd_watch.c - deadlines, and clients that have left. The library knows inactivity only, which a
 * client that sends a byte now and then never shows; so a thread looks at all connections once a
 * second and shuts down those that are late. */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "clock.h"
#include "httpd_private.h"

enum { PAUSE_MS = 1000, STUCK_TIMES = 3 };

void httpd_watch_within(struct httpd_connection *peer, uint64_t seconds)
{
	atomic_store(&peer->deadline_ms, clock_monotonic_ms() + (int64_t)seconds * 1000);
}

void httpd_watch_pause(struct httpd_connection *peer)
{
	atomic_store(&peer->deadline_ms, 0);
}

void httpd_watch_add(struct httpd_connection *peer)
{
	struct httpd *httpd = peer->httpd;

	(void)pthread_mutex_lock(&httpd->watch_lock);
	peer->next = httpd->connections;
	if (peer->next)
		peer->next->previous = peer;
	httpd->connections = peer;
	(void)pthread_mutex_unlock(&httpd->watch_lock);
}

/* Before the library closes the descriptor, whose number may then be another connection's. */
void httpd_watch_remove(struct httpd_connection *peer)
{
	struct httpd *httpd = peer->httpd;

	(void)pthread_mutex_lock(&httpd->watch_lock);
	if (peer->next)
		peer->next->previous = peer->previous;
	if (peer->previous)
		peer->previous->next = peer->next;
	else
		httpd->connections = peer->next;
	(void)pthread_mutex_unlock(&httpd->watch_lock);
}

static bool sends_no_more(int fd)
{
	struct pollfd it = {.fd = fd, .events = POLLRDHUP};

	return poll(&it, 1, 0) > 0 && (it.revents & POLLRDHUP);
}

/* With the lock. The library reads until it gets less than it asked for, and then waits for more:
 * of an end that had come by then it hears nothing. To shut down what is shut makes it look again,
 * and takes nothing from what it has not read. */
static void look_at(struct httpd_connection *peer, int64_t now)
{
	int64_t deadline = atomic_load(&peer->deadline_ms);
	bool late = deadline && deadline <= now;

	if (late || (deadline && atomic_exchange(&peer->heard, false) && sends_no_more(peer->fd)))
		(void)shutdown(peer->fd, late ? SHUT_RDWR : SHUT_RD);
}

void httpd_watch_moved(struct httpd_connection *peer)
{
	atomic_store(&peer->heard, true);
	peer->stuck = 0;
	peer->loop->moved = true;
}

/* Whether it is in a body, waits for the client, and does not read what that has sent. */
static bool is_full(const struct httpd_connection *peer)
{
	int unread = 0;

	return peer->request && peer->request->phase == HTTPD_BODY &&
	       atomic_load(&peer->deadline_ms) && ioctl(peer->fd, FIONREAD, &unread) == 0 &&
	       unread > 0;
}

void httpd_watch_stuck(struct httpd_loop *loop)
{
	struct httpd *httpd = loop->httpd;

	(void)pthread_mutex_lock(&httpd->watch_lock);
	for (struct httpd_connection *peer = httpd->connections; peer; peer = peer->next) {
		if (peer->loop == loop && is_full(peer) && ++peer->stuck > STUCK_TIMES)
			(void)shutdown(peer->fd, SHUT_RDWR);
	}
	(void)pthread_mutex_unlock(&httpd->watch_lock);
}

void httpd_watch_cut_all(struct httpd *httpd)
{
	(void)pthread_mutex_lock(&httpd->watch_lock);
	for (struct httpd_connection *peer = httpd->connections; peer; peer = peer->next)
		(void)shutdown(peer->fd, SHUT_RDWR);
	(void)pthread_mutex_unlock(&httpd->watch_lock);
}

static void *watch(void *ctx)
{
	struct httpd *httpd = ctx;

	(void)pthread_mutex_lock(&httpd->watch_lock);
	while (!httpd->watch_ends) {
		struct timespec deadline = clock_deadline(PAUSE_MS);

		pulse_begin(&httpd->pulse);
		for (struct httpd_connection *peer = httpd->connections; peer; peer = peer->next)
			look_at(peer, clock_monotonic_ms());
		httpd_linger_end(httpd, clock_monotonic_ms());
		pulse_end(&httpd->pulse);
		(void)pthread_cond_timedwait(&httpd->watch_wakes, &httpd->watch_lock, &deadline);
	}
	httpd_linger_end(httpd, INT64_MAX);
	(void)pthread_mutex_unlock(&httpd->watch_lock);
	return NULL;
}

int httpd_watch_start(struct httpd *httpd)
{
	if (pthread_create(&httpd->watch, NULL, watch, httpd) != 0)
		return -1;
	httpd->has_watch = true;
	return 0;
}

void httpd_watch_stop(struct httpd *httpd)
{
	if (!httpd->has_watch)
		return;
	(void)pthread_mutex_lock(&httpd->watch_lock);
	httpd->watch_ends = true;
	(void)pthread_cond_signal(&httpd->watch_wakes);
	(void)pthread_mutex_unlock(&httpd->watch_lock);
	(void)pthread_join(httpd->watch, NULL);
	httpd->has_watch = false;
}
