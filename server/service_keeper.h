/* service_keeper.h - the thread that looks after the catalog: compares it with the pools once,
 * backs it up once a day, and sees whether there is room again when its disk was full. */
#ifndef SERVICE_KEEPER_H
#define SERVICE_KEEPER_H

#include "catalog.h"
#include "reconcile.h"

struct service_keeper;

/* Returns when the comparison is done, or after two seconds, when it goes on. NULL: no thread. */
struct service_keeper *service_keeper_start(struct catalog *catalog, struct reconcile *reconcile);
void service_keeper_stop(struct service_keeper *keeper); /* NULL is fine */

#endif
