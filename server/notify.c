/* notify.c - the only file that knows systemd. */
#include "notify.h"

#include <systemd/sd-daemon.h>

_Static_assert(NOTIFY_FIRST_SOCKET == SD_LISTEN_FDS_START, "as systemd has it");

int notify_sockets(void)
{
	return sd_listen_fds(1);
}

uint64_t notify_watchdog_ms(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(0, &us) > 0 ? us / 1000 : 0;
}

void notify_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_alive(const char *status)
{
	(void)sd_notifyf(0, "WATCHDOG=1\nSTATUS=%s", status);
}

void notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1\nSTATUS=stopping");
}
