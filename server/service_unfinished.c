/* service_unfinished.c - the ids of what waits to be finished. It has room for some from the start,
 * for memory may be what was lacking. */
#include "service_unfinished.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "service_recover.h"

enum { ROOM = 64, FIRST_MS = 1000, LAST_MS = 60 * 1000 };

struct service_unfinished {
	struct service *service; /* constant */
	pthread_mutex_t lock;    /* guards what follows */
	uint8_t (*ids)[IDS_SIZE];
	size_t n, room;
	int64_t due_ms, wait_ms;
};

struct service_unfinished *service_unfinished_new(struct service *service)
{
	CLEANUP(freep) struct service_unfinished *unfinished = calloc(1, sizeof *unfinished);

	if (!unfinished)
		return NULL;
	unfinished->ids = calloc(ROOM, sizeof *unfinished->ids);
	if (!unfinished->ids)
		return NULL;
	unfinished->room = ROOM;
	unfinished->service = service;
	(void)pthread_mutex_init(&unfinished->lock, NULL);
	return STEAL(unfinished);
}

void service_unfinished_free(struct service_unfinished *unfinished)
{
	if (!unfinished)
		return;
	(void)pthread_mutex_destroy(&unfinished->lock);
	free(unfinished->ids);
	free(unfinished);
}

/* With the lock. `n` when it is not there. */
static size_t find(const struct service_unfinished *unfinished, const uint8_t id[IDS_SIZE])
{
	size_t i = 0;

	while (i < unfinished->n && !ids_equal(unfinished->ids[i], id))
		i++;
	return i;
}

/* With the lock. */
static bool make_room(struct service_unfinished *unfinished)
{
	uint8_t(*ids)[IDS_SIZE];

	if (unfinished->n < unfinished->room)
		return true;
	ids = reallocarray(unfinished->ids, 2 * unfinished->room, sizeof *ids);
	if (!ids)
		return false;
	unfinished->ids = ids;
	unfinished->room *= 2;
	return true;
}

void service_unfinished_add(struct service_unfinished *unfinished, const uint8_t id[IDS_SIZE])
{
	(void)pthread_mutex_lock(&unfinished->lock);
	if (find(unfinished, id) == unfinished->n && make_room(unfinished))
		memcpy(unfinished->ids[unfinished->n++], id, IDS_SIZE);
	unfinished->wait_ms = FIRST_MS;
	unfinished->due_ms = clock_monotonic_ms() + FIRST_MS;
	(void)pthread_mutex_unlock(&unfinished->lock);
}

static void drop(struct service_unfinished *unfinished, const uint8_t id[IDS_SIZE])
{
	size_t i;

	(void)pthread_mutex_lock(&unfinished->lock);
	i = find(unfinished, id);
	if (i < unfinished->n)
		memmove(unfinished->ids[i], unfinished->ids[--unfinished->n], IDS_SIZE);
	(void)pthread_mutex_unlock(&unfinished->lock);
}

/* Whether it is time; the next try waits twice as long. */
static bool is_due(struct service_unfinished *unfinished)
{
	int64_t now = clock_monotonic_ms();
	bool due;

	(void)pthread_mutex_lock(&unfinished->lock);
	due = now >= unfinished->due_ms;
	if (due) {
		unfinished->due_ms = now + unfinished->wait_ms;
		unfinished->wait_ms *= 2;
		if (unfinished->wait_ms > LAST_MS)
			unfinished->wait_ms = LAST_MS;
	}
	(void)pthread_mutex_unlock(&unfinished->lock);
	return due;
}

static bool get(struct service_unfinished *unfinished, size_t i, uint8_t ret_id[IDS_SIZE])
{
	bool there;

	(void)pthread_mutex_lock(&unfinished->lock);
	there = i < unfinished->n;
	if (there)
		memcpy(ret_id, unfinished->ids[i], IDS_SIZE);
	(void)pthread_mutex_unlock(&unfinished->lock);
	return there;
}

void service_unfinished_retry(struct service_unfinished *unfinished)
{
	uint8_t id[IDS_SIZE];
	size_t i = 0;

	if (!is_due(unfinished))
		return;
	while (get(unfinished, i, id)) {
		if (service_recover_image(unfinished->service, id))
			drop(unfinished, id); /* the last one takes its place */
		else
			i++;
	}
}
