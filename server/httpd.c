/* httpd.c - start and stop of the HTTP side. */
#include "httpd.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "httpd_private.h"
#include "ids.h"
#include "log.h"
#include "service_main.h"

static int start_listener(struct httpd *httpd, struct address *address, char ret_why[HTTPD_WHY])
{
	struct httpd_listener *listener = &httpd->listeners[httpd->n_listeners];

	listener->address = address;
	listener->fd = httpd_listen(address, ret_why);
	if (listener->fd < 0)
		return -1;
	httpd->n_listeners++;
	return 0;
}

static int start_parts(struct httpd *httpd, struct address *listen, size_t n_listen,
		       char ret_why[HTTPD_WHY])
{
	int r = 0;

	httpd->workers = workers_new((size_t)httpd->config->workers);
	if (!httpd->workers || httpd_watch_start(httpd) < 0) {
		(void)snprintf(ret_why, HTTPD_WHY, "cannot start threads");
		return -1;
	}
	for (size_t i = 0; r == 0 && i < n_listen; i++)
		r = start_listener(httpd, &listen[i], ret_why);
	return r < 0 ? -1 : httpd_loops_start(httpd, ret_why);
}

int httpd_start(const struct api *api, const struct config *config, struct address *listen,
		size_t n_listen, struct httpd **ret_httpd, char ret_why[HTTPD_WHY])
{
	struct httpd *httpd = calloc(1, sizeof *httpd);
	uint32_t salt;

	if (!httpd) {
		(void)snprintf(ret_why, HTTPD_WHY, "out of memory");
		return -1;
	}
	httpd->api = api;
	httpd->config = config;
	ids_random_bytes(&salt, sizeof salt);
	(void)snprintf(httpd->id_prefix, sizeof httpd->id_prefix, "%08x", salt);
	(void)pthread_mutex_init(&httpd->watch_lock, NULL);
	clock_cond_init(&httpd->watch_wakes);
	if (start_parts(httpd, listen, n_listen, ret_why) < 0) {
		httpd_stop(httpd);
		return -1;
	}
	*ret_httpd = httpd;
	return 0;
}

void httpd_state(const struct httpd *httpd, struct httpd_state *ret_state)
{
	*ret_state = (struct httpd_state){
		.connections = atomic_load(&httpd->n_connections),
		.requests = atomic_load(&httpd->in_flight),
		.stuck_ms = pulse_longest(&httpd->pulse, clock_monotonic_ms()),
	};
}

/* True when `count` came down to 0 in time. The library tells of ends by calls that cannot wake us,
 * so this looks every few milliseconds. */
static bool wait_for_none(const atomic_uint *count, int64_t ms)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	int64_t until = clock_monotonic_ms() + ms;

	while (atomic_load(count)) {
		if (ms && clock_monotonic_ms() >= until)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

/* When this returns no connection is taken any more, and those to sockets of our own are refused.
 */
static void stop_listening(struct httpd *httpd)
{
	httpd_loops_refuse(httpd);
	(void)wait_for_none(&httpd->accepting, HTTPD_GRACE_MS);
	for (size_t i = 0; i < httpd->n_listeners; i++) {
		(void)close(httpd->listeners[i].fd);
		httpd_listen_end(httpd->listeners[i].address);
	}
}

void httpd_stop(struct httpd *httpd)
{
	if (!httpd)
		return;
	atomic_store(&httpd->stopping, true);
	stop_listening(httpd);
	/* Who hurries has the other half to tell how far it got. */
	if (!wait_for_none(&httpd->in_flight, HTTPD_GRACE_MS / 2))
		service_main_hurry(httpd->api->service);
	if (!wait_for_none(&httpd->in_flight, HTTPD_GRACE_MS / 2)) {
		log_warning("%u requests are cut", atomic_load(&httpd->in_flight));
		atomic_store(&httpd->cutting, true);
		httpd_watch_cut_all(httpd);
	}
	/* Workers and flushes end by themselves and resume what they had; who resumes a connection
	 * still uses the library, and us, when its request has ended already. */
	(void)wait_for_none(&httpd->suspended, 0);
	httpd_loops_stop(httpd);
	workers_free(httpd->workers);
	httpd_watch_stop(httpd);
	(void)pthread_cond_destroy(&httpd->watch_wakes);
	(void)pthread_mutex_destroy(&httpd->watch_lock);
	free(httpd);
}
