/* service_unfinished.c - the ids of what waits to be finished. It has room from the start, for
 * memory may be what was lacking. */
#include "service_unfinished.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "service_recover.h"

enum { MOST = 64, FIRST_MS = 1000, LAST_MS = 60 * 1000 };

struct service_unfinished {
	struct service *service; /* constant */
	pthread_mutex_t lock;    /* guards what follows */
	uint8_t ids[MOST][IDS_SIZE];
	size_t n;
	int64_t due_ms, wait_ms;
};

struct service_unfinished *service_unfinished_new(struct service *service)
{
	struct service_unfinished *unfinished = calloc(1, sizeof *unfinished);

	if (!unfinished)
		return NULL;
	unfinished->service = service;
	(void)pthread_mutex_init(&unfinished->lock, NULL);
	return unfinished;
}

void service_unfinished_free(struct service_unfinished *unfinished)
{
	if (!unfinished)
		return;
	(void)pthread_mutex_destroy(&unfinished->lock);
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

void service_unfinished_add(struct service_unfinished *unfinished, const uint8_t id[IDS_SIZE])
{
	(void)pthread_mutex_lock(&unfinished->lock);
	if (unfinished->n < MOST && find(unfinished, id) == unfinished->n)
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

/* What is due now, of which the next try waits twice as long. */
static size_t take_due(struct service_unfinished *unfinished, uint8_t ret_ids[][IDS_SIZE])
{
	int64_t now = clock_monotonic_ms();
	size_t n = 0;

	(void)pthread_mutex_lock(&unfinished->lock);
	if (now >= unfinished->due_ms) {
		n = unfinished->n;
		memcpy(ret_ids, unfinished->ids, n * IDS_SIZE);
		unfinished->due_ms = now + unfinished->wait_ms;
		unfinished->wait_ms *= 2;
		if (unfinished->wait_ms > LAST_MS)
			unfinished->wait_ms = LAST_MS;
	}
	(void)pthread_mutex_unlock(&unfinished->lock);
	return n;
}

void service_unfinished_retry(struct service_unfinished *unfinished)
{
	uint8_t ids[MOST][IDS_SIZE];
	size_t n = take_due(unfinished, ids);

	for (size_t i = 0; i < n; i++) {
		if (service_recover_image(unfinished->service, ids[i]))
			drop(unfinished, ids[i]);
	}
}
