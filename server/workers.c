/* workers.c - threads that take items from one queue in the order of their arrival. How much may
 * wait is bounded by who adds: a connection has at most one item.
 *
 * To wake a thread costs more than many an item. So while one is on its way no other is woken; when
 * it comes, and leaves something in the queue, it wakes the next.
 *
 * A thread that waits for somebody else stands aside, and a spare one works in its place. Spare
 * ones are woken for nothing else, so that what a thread has at hand is used again soon. */
#include "workers.h"

#include <pthread.h>
#include <stdlib.h>

struct crew {
	pthread_cond_t wake;
	size_t idle; /* threads that wait, a woken one too */
};

struct worker {
	struct workers *workers;
	struct crew *crew;
	pthread_t thread;
};

struct workers {
	pthread_mutex_t lock; /* guards what follows, but for `threads` */
	struct crew regular, spare;
	struct workers_item *first, **last;
	bool stopping;
	bool waking; /* a thread has been woken and has not come yet */
	size_t most; /* that may work at once */
	size_t working, aside;
	size_t n;
	struct worker threads[];
};

static _Thread_local struct workers *mine; /* that the thread belongs to */

static bool has_work(const struct workers *workers)
{
	return workers->first && workers->working < workers->most;
}

/* With the lock: whom the caller has to wake for what is in the queue; NULL: nobody. */
static struct crew *owed(struct workers *workers)
{
	struct crew *crew = workers->regular.idle > 0 ? &workers->regular : &workers->spare;

	if (!has_work(workers) || workers->waking || crew->idle == 0)
		return NULL;
	workers->waking = true;
	return crew;
}

static void *work(void *ctx);

/* With the lock: one thread more, which is on its way. */
static bool start(struct workers *workers)
{
	struct worker *worker = &workers->threads[workers->n];

	worker->workers = workers;
	worker->crew = workers->n < workers->most ? &workers->regular : &workers->spare;
	if (pthread_create(&worker->thread, NULL, work, worker) != 0)
		return false;
	worker->crew->idle++;
	workers->n++;
	return true;
}

/* Who wakes up finds the lock free. Spare threads are started when they are missed for the first
 * time; without one there is one worker less. */
static void unlock_and_wake(struct workers *workers)
{
	struct crew *crew = owed(workers);

	if (!crew && has_work(workers) && !workers->waking && !workers->stopping &&
	    workers->n < workers->most + WORKERS_ASIDE)
		workers->waking = start(workers);
	(void)pthread_mutex_unlock(&workers->lock);
	if (crew)
		(void)pthread_cond_signal(&crew->wake);
}

static void come(struct workers *workers, struct crew *crew)
{
	crew->idle--;
	workers->waking = false;
}

static void wait_for_item(struct workers *workers, struct crew *crew)
{
	crew->idle++;
	(void)pthread_cond_wait(&crew->wake, &workers->lock);
	come(workers, crew);
}

/* The next one, when one has been done or, at first, none. NULL: there will be no more. */
static struct workers_item *take(struct workers *workers, struct crew *crew, size_t done)
{
	struct workers_item *item;

	(void)pthread_mutex_lock(&workers->lock);
	workers->working -= done;
	while (!has_work(workers) && !workers->stopping)
		wait_for_item(workers, crew);
	item = workers->first;
	if (item) {
		workers->working++;
		workers->first = item->next;
		if (!workers->first)
			workers->last = &workers->first;
	}
	unlock_and_wake(workers);
	return item;
}

static void *work(void *ctx)
{
	const struct worker *worker = ctx;
	struct workers_item *item;
	size_t done = 0;

	mine = worker->workers;
	(void)pthread_mutex_lock(&mine->lock);
	come(mine, worker->crew);
	(void)pthread_mutex_unlock(&mine->lock);
	for (; (item = take(mine, worker->crew, done)) != NULL; done = 1)
		item->run(item);
	return NULL;
}

bool workers_step_aside(void)
{
	bool may;

	if (!mine)
		return true;
	(void)pthread_mutex_lock(&mine->lock);
	may = mine->aside < WORKERS_ASIDE;
	if (may) {
		mine->aside++;
		mine->working--;
	}
	unlock_and_wake(mine);
	return may;
}

void workers_step_back(void)
{
	if (!mine)
		return;
	(void)pthread_mutex_lock(&mine->lock);
	mine->aside--;
	mine->working++;
	(void)pthread_mutex_unlock(&mine->lock);
}

struct workers *workers_new(size_t threads)
{
	struct workers *workers =
		calloc(1, sizeof *workers + (threads + WORKERS_ASIDE) * sizeof(struct worker));

	if (!workers)
		return NULL;
	(void)pthread_mutex_init(&workers->lock, NULL);
	(void)pthread_cond_init(&workers->regular.wake, NULL);
	(void)pthread_cond_init(&workers->spare.wake, NULL);
	workers->last = &workers->first;
	workers->most = threads;
	(void)pthread_mutex_lock(&workers->lock);
	while (workers->n < threads && start(workers))
		;
	(void)pthread_mutex_unlock(&workers->lock);
	if (workers->n == threads)
		return workers;
	workers_free(workers);
	return NULL;
}

void workers_free(struct workers *workers)
{
	if (!workers)
		return;
	(void)pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	(void)pthread_cond_broadcast(&workers->regular.wake);
	(void)pthread_cond_broadcast(&workers->spare.wake);
	(void)pthread_mutex_unlock(&workers->lock);
	for (size_t i = 0; i < workers->n; i++)
		(void)pthread_join(workers->threads[i].thread, NULL);
	(void)pthread_cond_destroy(&workers->regular.wake);
	(void)pthread_cond_destroy(&workers->spare.wake);
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
