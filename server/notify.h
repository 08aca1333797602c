/* notify.h - tells the service manager how the daemon is; without one every call does nothing. */
#ifndef NOTIFY_H
#define NOTIFY_H

void notify_ready(const char *status);
void notify_stopping(void);

#endif
