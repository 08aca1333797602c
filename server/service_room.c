/* service_room.c - one thread asks the file systems, everybody reads what it heard. */
#include "service_room.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum {
	SILENT_MS = 10 * 1000,
	FRESH_MS = 5 * 1000,
	AMPLE = 1 << 30, /* bytes; a thousandth of it more or less does not matter */
	TEXT = sizeof((struct service_check *)0)->text,
};

struct service_room {
	const struct pool_set *pools; /* constant */
	pthread_mutex_t lock; /* guards what follows; never held over a call of the system */
	bool ok;              /* the default pool */
	char text[TEXT];      /* of the first pool that is not well; "" = all are */
	uint64_t space[CONFIG_POOLS_MAX + 1]; /* free bytes of each pool; 0: not known */
	int64_t heard_ms;                     /* when all had answered */
	const char *asked;                    /* the pool that is asked now, or NULL */
	int64_t asked_ms;
};

struct service_room *service_room_new(const struct pool_set *pools)
{
	struct service_room *room = calloc(1, sizeof *room);

	if (!room)
		return NULL;
	room->pools = pools;
	(void)pthread_mutex_init(&room->lock, NULL);
	(void)snprintf(room->text, sizeof room->text, "not measured yet");
	return room;
}

void service_room_free(struct service_room *room)
{
	if (!room)
		return;
	(void)pthread_mutex_destroy(&room->lock);
	free(room);
}

static void ask(struct service_room *room, const char *name)
{
	(void)pthread_mutex_lock(&room->lock);
	room->asked = name;
	room->asked_ms = clock_monotonic_ms();
	(void)pthread_mutex_unlock(&room->lock);
}

/* The free bytes of a pool, and what is wrong with it, "" when nothing is. */
static uint64_t measure(const struct pool_set_item *item, char ret_text[TEXT])
{
	struct vhd_error err = {0};
	uint64_t size = 0, space = 0;

	ret_text[0] = '\0';
	if (pool_space(item->pool, &size, &space, &err) < 0 ||
	    pool_check_writable(item->pool, &err) < 0)
		(void)snprintf(ret_text, TEXT, "%.30s: %.120s", item->name, err.text);
	else if (space < size / 100)
		(void)snprintf(ret_text, TEXT, "%.30s: less than 1 %% is free", item->name);
	return space;
}

void service_room_measure(struct service_room *room)
{
	uint64_t space[CONFIG_POOLS_MAX + 1] = {0};
	char first[TEXT] = "";
	bool ok = true;

	for (size_t i = 0; i < room->pools->n; i++) {
		char text[TEXT];

		ask(room, room->pools->items[i].name);
		space[i] = measure(&room->pools->items[i], text);
		ok &= i > 0 || !*text;
		if (!*first)
			(void)snprintf(first, sizeof first, "%s", text);
	}
	(void)pthread_mutex_lock(&room->lock);
	room->ok = ok;
	(void)snprintf(room->text, sizeof room->text, "%s", first);
	room->asked = NULL;
	memcpy(room->space, space, sizeof space);
	room->heard_ms = clock_monotonic_ms();
	(void)pthread_mutex_unlock(&room->lock);
}

bool service_room_ample(struct service_room *room, const char *pool, uint64_t len)
{
	int64_t since = clock_monotonic_ms() - FRESH_MS;
	bool ample = false;

	if (len > AMPLE / 1024)
		return false;
	(void)pthread_mutex_lock(&room->lock);
	for (size_t i = 0; !ample && room->heard_ms > since && i < room->pools->n; i++)
		ample = room->space[i] >= AMPLE && strcmp(room->pools->items[i].name, pool) == 0;
	(void)pthread_mutex_unlock(&room->lock);
	return ample;
}

void service_room_check(struct service_room *room, struct service_check *ret_check)
{
	int64_t now_ms = clock_monotonic_ms();

	*ret_check = (struct service_check){.name = "pool"};
	(void)pthread_mutex_lock(&room->lock);
	ret_check->ok = room->ok;
	(void)snprintf(ret_check->text, sizeof ret_check->text, "%s", room->text);
	if (room->asked && now_ms - room->asked_ms > SILENT_MS) {
		ret_check->ok = false;
		(void)snprintf(ret_check->text, sizeof ret_check->text,
			       "%.30s: its file system has not answered for %lld s", room->asked,
			       (long long)(now_ms - room->asked_ms) / 1000);
	}
	(void)pthread_mutex_unlock(&room->lock);
}
