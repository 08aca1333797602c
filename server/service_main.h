/* service_main.h - the life of the service, for main.c and tests; the questions are in service.h.
 */
#ifndef SERVICE_MAIN_H
#define SERVICE_MAIN_H

#include "config.h"
#include "service.h"

enum { SERVICE_WHY = 640 };

/* Opens all that lies in the state folder (absolute), and finishes or undoes what a crash has
 * interrupted. On failure -1 and a line for a person. */
int service_main_open(const char *state_dir, const struct config *config, const char *unix_socket,
		      struct service **ret_service, char ret_why[SERVICE_WHY]);
/* When no request is left. NULL is fine. */
void service_main_close(struct service *service);

#endif
