/* service_recover.h - the pass at start over what a crash has interrupted. */
#ifndef SERVICE_RECOVER_H
#define SERVICE_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "ids.h"

struct service;

/* -1 and a line in `ret_why` (SERVICE_WHY bytes) when the daemon should not run. */
int service_recover(struct service *service, char *ret_why);
/* Undoes the creation of one image, or finishes its deletion, or removes its first name: whatever
 * it waits for. True: it waits for nothing any more. While it is in use, it waits two seconds. */
bool service_recover_image(struct service *service, const uint8_t id[IDS_SIZE]);

#endif
