/* attend.c - the watchdog of the service manager is fed only while requests get on: a daemon that
 * hangs is restarted. A disk that hangs is no reason, for a restart would not mend it. */
#include "attend.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "log.h"
#include "notify.h"

static void tell(const struct httpd *httpd, int64_t limit_ms)
{
	struct httpd_state state;
	char status[96];

	httpd_state(httpd, &state);
	if (state.stuck_ms > limit_ms) {
		log_error("no request has got on for %lld ms", (long long)state.stuck_ms);
		return;
	}
	(void)snprintf(status, sizeof status, "%u connections, %u requests under way",
		       state.connections, state.requests);
	notify_alive(status);
}

int attend(const sigset_t *ends, const struct httpd *httpd)
{
	int64_t watchdog_ms = (int64_t)notify_watchdog_ms();
	int64_t pause_ms = watchdog_ms / 3 > 0 ? watchdog_ms / 3 : 1;
	struct timespec pause = {.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000};
	int sign;

	for (;;) {
		sign = watchdog_ms ? sigtimedwait(ends, NULL, &pause) : sigwaitinfo(ends, NULL);
		if (sign > 0)
			return sign;
		if (errno == EAGAIN)
			tell(httpd, watchdog_ms / 2);
	}
}
