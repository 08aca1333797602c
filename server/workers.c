/* workers.c - threads that take items from one queue in the order of their arrival. How much may
 * wait is bounded by who adds: a connection has at most one item.
 *
 * To wake a thread costs more than many an item. So while one is on its way no other is woken; when
 * it comes, and leaves something in the queue, it wakes the next. */
#include "workers.h"

#include <pthread.h>
#include <stdlib.h>

struct workers {
	pthread_mutex_t lock; /* guards what follows, but for `threads` */
	pthread_cond_t added;
	struct workers_item *first, **last;
	bool stopping;
	bool waking; /* a thread has been woken and has not come yet */
	size_t idle; /* threads that wait, the woken one too */
	size_t n;
	pthread_t threads[];
};

/* With the lock: whether the caller has to wake a thread for what is in the queue. */
static bool owes_wake(struct workers *workers)
{
	bool owes = workers->first && workers->idle > 0 && !workers->waking;

	workers->waking = workers->waking || owes;
	return owes;
}

/* Who wakes up finds the lock free. */
static void unlock_and_wake(struct workers *workers)
{
	bool owes = owes_wake(workers);

	(void)pthread_mutex_unlock(&workers->lock);
	if (owes)
		(void)pthread_cond_signal(&workers->added);
}

static void wait_for_item(struct workers *workers)
{
	workers->idle++;
	(void)pthread_cond_wait(&workers->added, &workers->lock);
	workers->idle--;
	workers->waking = false;
}

static struct workers_item *take(struct workers *workers)
{
	struct workers_item *item;

	(void)pthread_mutex_lock(&workers->lock);
	while (!workers->first && !workers->stopping)
		wait_for_item(workers);
	item = workers->first;
	if (item) {
		workers->first = item->next;
		if (!workers->first)
			workers->last = &workers->first;
	}
	unlock_and_wake(workers);
	return item;
}

static void *work(void *ctx)
{
	struct workers *workers = ctx;
	struct workers_item *item;

	while ((item = take(workers)) != NULL)
		item->run(item);
	return NULL;
}

struct workers *workers_new(size_t threads)
{
	struct workers *workers = calloc(1, sizeof *workers + threads * sizeof(pthread_t));

	if (!workers)
		return NULL;
	(void)pthread_mutex_init(&workers->lock, NULL);
	(void)pthread_cond_init(&workers->added, NULL);
	workers->last = &workers->first;
	for (; workers->n < threads; workers->n++) {
		if (pthread_create(&workers->threads[workers->n], NULL, work, workers) != 0) {
			workers_free(workers);
			return NULL;
		}
	}
	return workers;
}

void workers_free(struct workers *workers)
{
	if (!workers)
		return;
	(void)pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	(void)pthread_cond_broadcast(&workers->added);
	(void)pthread_mutex_unlock(&workers->lock);
	for (size_t i = 0; i < workers->n; i++)
		(void)pthread_join(workers->threads[i], NULL);
	(void)pthread_cond_destroy(&workers->added);
	(void)pthread_mutex_destroy(&workers->lock);
	free(workers);
}

void workers_add(struct workers *workers, struct workers_item *item)
{
	item->next = NULL;
	(void)pthread_mutex_lock(&workers->lock);
	*workers->last = item;
	workers->last = &item->next;
	unlock_and_wake(workers);
}
