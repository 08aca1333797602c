/* httpd_linger.c - a connection that ends while its client still sends. Were it closed at once, the
 * kernel would reset it, and the answer might be lost with it; so it is kept open, unread, until
 * the client has had time to see the answer. */
#include <fcntl.h>
#include <unistd.h>

#include "clock.h"
#include "httpd_private.h"

enum { LINGER_MS = 2000 };

void httpd_linger_add(struct httpd *httpd, int fd)
{
	struct httpd_lingering *place = NULL;

	(void)pthread_mutex_lock(&httpd->watch_lock);
	for (size_t i = 0; i < HTTPD_LINGERING && !place; i++) {
		if (!httpd->lingering[i].until_ms)
			place = &httpd->lingering[i];
	}
	if (place)
		place->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (place && place->fd >= 0)
		place->until_ms = clock_monotonic_ms() + LINGER_MS;
	(void)pthread_mutex_unlock(&httpd->watch_lock);
}

void httpd_linger_end(struct httpd *httpd, int64_t now_ms)
{
	for (size_t i = 0; i < HTTPD_LINGERING; i++) {
		struct httpd_lingering *place = &httpd->lingering[i];

		if (!place->until_ms || place->until_ms > now_ms)
			continue;
		(void)close(place->fd);
		place->until_ms = 0;
	}
}
