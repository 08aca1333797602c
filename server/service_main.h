/* service_main.h - the life of the service, for main.c and tests; the questions are in service.h.
 */
#ifndef SERVICE_MAIN_H
#define SERVICE_MAIN_H

#include "config.h"
#include "service.h"

enum {
	SERVICE_WHY = 1024,
	/* Exit statuses of the daemon when the service does not open. */
	SERVICE_MAIN_CANNOT = 1,
	SERVICE_MAIN_DAMAGED = 65, /* the catalog is damaged */
	SERVICE_MAIN_DISK = 70,    /* the disk of the catalog failed */
	SERVICE_MAIN_NEWER = 78,   /* the catalog is of a newer vhdd */
};

/* Opens all that lies in the state folder (absolute), and finishes or undoes what a crash has
 * interrupted. On failure an exit status and a line for a person. */
int service_main_open(const char *state_dir, const struct config *config, const char *unix_socket,
		      struct service **ret_service, char ret_why[SERVICE_WHY]);
/* The daemon is about to end: what may take long gives up, with SERVICE_SHUTTING_DOWN. */
void service_main_hurry(struct service *service);
/* When no request is left. NULL is fine. */
void service_main_close(struct service *service);

#endif
