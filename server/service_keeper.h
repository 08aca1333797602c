/* service_keeper.h - the thread that looks after the catalog: compares it with the pools once,
 * backs it up once a day, sees whether there is room again when its disk was full, and measures the
 * room in the pools, and tries again what could not be finished. */
#ifndef SERVICE_KEEPER_H
#define SERVICE_KEEPER_H

#include "catalog.h"
#include "reconcile.h"
#include "service_room.h"
#include "service_unfinished.h"

struct service_keeper;

/* Returns when the comparison is done, or after two seconds, when it goes on. NULL: no thread. */
struct service_keeper *service_keeper_start(struct catalog *catalog, struct reconcile *reconcile,
					    struct service_room *room,
					    struct service_unfinished *unfinished);
void service_keeper_stop(struct service_keeper *keeper); /* NULL is fine */

#endif
