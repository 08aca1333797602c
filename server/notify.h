/* notify.h - what the service manager and the daemon have to say to each other; without one every
 * call does nothing. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

enum { NOTIFY_FIRST_SOCKET = 3 };

/* How many sockets the service manager has opened for us, from NOTIFY_FIRST_SOCKET on, or -errno.
 * Call it once. */
int notify_sockets(void);
/* The time within which notify_alive() must be called again, and again; 0: nobody waits for it. */
uint64_t notify_watchdog_ms(void);

void notify_ready(const char *status);
void notify_alive(const char *status);
void notify_stopping(void);

#endif
