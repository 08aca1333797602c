/* service_recover.h - the pass at start over what a crash has interrupted. */
#ifndef SERVICE_RECOVER_H
#define SERVICE_RECOVER_H

struct service;

/* -1 and a line in `ret_why` (SERVICE_WHY bytes) when the daemon should not run. */
int service_recover(struct service *service, char *ret_why);

#endif
