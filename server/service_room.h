/* service_room.h - the room in the pools as it was last measured. Asking a file system can take
 * for ever, so one thread asks, and everybody else is told what it heard. */
#ifndef SERVICE_ROOM_H
#define SERVICE_ROOM_H

#include "pool_set.h"
#include "service.h"

struct service_room;

/* `pools` must outlive it. NULL: out of memory. */
struct service_room *service_room_new(const struct pool_set *pools);
void service_room_free(struct service_room *room); /* NULL is fine */

/* Asks the file systems; may block. One thread at a time. */
void service_room_measure(struct service_room *room);

/* The check "pool" of /readyz: the default pool must be there and have room, and the text tells of
 * any pool. A file system that has not answered for ten seconds is as good as gone. Never blocks.
 */
void service_room_check(struct service_room *room, struct service_check *ret_check);

/* Is there so much room in the pool that a body of `len` bytes needs not be asked about? Never
 * blocks; no, when it is not known. */
bool service_room_ample(struct service_room *room, const char *pool, uint64_t len);

#endif
