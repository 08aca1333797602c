/* service_unfinished.h - creations and deletions that could be neither finished nor undone because
 * a disk failed. The keeper tries again, after a second and then less and less often; what is left
 * then is seen to by the next start. */
#ifndef SERVICE_UNFINISHED_H
#define SERVICE_UNFINISHED_H

#include <stdint.h>

#include "ids.h"

struct service;
struct service_unfinished;

/* `service` is used by service_unfinished_retry alone. NULL: out of memory. */
struct service_unfinished *service_unfinished_new(struct service *service);
void service_unfinished_free(struct service_unfinished *unfinished); /* NULL is fine */

/* Without memory 64 are kept, and the next start sees to the others. Any thread. */
void service_unfinished_add(struct service_unfinished *unfinished, const uint8_t id[IDS_SIZE]);
/* When it is time for it. Nothing is logged but what succeeds. One thread. */
void service_unfinished_retry(struct service_unfinished *unfinished);

#endif
