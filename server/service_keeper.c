/* service_keeper.c - one thread, which wakes once a second. */
#include "service_keeper.h"

#include <pthread.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"

enum { READY_MS = 2000, PAUSE_MS = 1000, BACKUP_MS = 60 * 1000 };

struct service_keeper {
	struct catalog *catalog; /* constant, as are the next ones */
	struct reconcile *reconcile;
	struct service_room *room;
	struct service_unfinished *unfinished;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	bool compared, stopping;
};

static void compare(struct service_keeper *keeper)
{
	int64_t began = clock_monotonic_ms();
	struct findings_count count;

	(void)reconcile_all(keeper->reconcile);
	(void)findings_list(keeper->reconcile->findings, NULL, 0, &count);
	if (!keeper->reconcile->stop)
		log_info(
			"compared %zu images with their files in %lld ms: %zu findings, %zu serious",
			(size_t)keeper->reconcile->done, (long long)(clock_monotonic_ms() - began),
			count.all, count.serious);
	(void)pthread_mutex_lock(&keeper->lock);
	keeper->compared = true;
	(void)pthread_cond_broadcast(&keeper->changed);
	(void)pthread_mutex_unlock(&keeper->lock);
}

static void back_up(struct service_keeper *keeper)
{
	struct catalog_error why = {0};

	if (!catalog_backup_due(keeper->catalog))
		return;
	if (catalog_backup(keeper->catalog, &why) < 0)
		log_error("%s", why.text);
	else
		log_info("the catalog is backed up");
}

/* False: it is time to end. */
static bool rest(struct service_keeper *keeper)
{
	struct timespec deadline = clock_deadline(PAUSE_MS);
	bool go_on;

	(void)pthread_mutex_lock(&keeper->lock);
	while (!keeper->stopping &&
	       pthread_cond_timedwait(&keeper->changed, &keeper->lock, &deadline) == 0)
		;
	go_on = !keeper->stopping;
	(void)pthread_mutex_unlock(&keeper->lock);
	return go_on;
}

static void *keep(void *ctx)
{
	struct service_keeper *keeper = ctx;
	char why[CATALOG_WHY];
	int64_t again_ms = 0;
	bool room = false;

	compare(keeper);
	do {
		service_room_measure(keeper->room);
		service_unfinished_retry(keeper->unfinished);
		if (!room || !catalog_healthy(keeper->catalog, why))
			room = catalog_keep_room(keeper->catalog);
		if (clock_monotonic_ms() >= again_ms) {
			back_up(keeper);
			again_ms = clock_monotonic_ms() + BACKUP_MS;
		}
	} while (rest(keeper));
	return NULL;
}

static void wait_compared(struct service_keeper *keeper)
{
	struct timespec deadline = clock_deadline(READY_MS);

	(void)pthread_mutex_lock(&keeper->lock);
	while (!keeper->compared &&
	       pthread_cond_timedwait(&keeper->changed, &keeper->lock, &deadline) == 0)
		;
	if (!keeper->compared)
		log_info("images are compared with their files in the background");
	(void)pthread_mutex_unlock(&keeper->lock);
}

struct service_keeper *service_keeper_start(struct catalog *catalog, struct reconcile *reconcile,
					    struct service_room *room,
					    struct service_unfinished *unfinished)
{
	struct service_keeper *keeper = calloc(1, sizeof *keeper);

	if (!keeper)
		return NULL;
	keeper->catalog = catalog;
	keeper->reconcile = reconcile;
	keeper->room = room;
	keeper->unfinished = unfinished;
	service_room_measure(room); /* the comparison may take long */
	(void)pthread_mutex_init(&keeper->lock, NULL);
	clock_cond_init(&keeper->changed);
	if (pthread_create(&keeper->thread, NULL, keep, keeper) != 0) {
		free(keeper);
		return NULL;
	}
	wait_compared(keeper);
	return keeper;
}

void service_keeper_stop(struct service_keeper *keeper)
{
	if (!keeper)
		return;
	keeper->reconcile->stop = true;
	(void)pthread_mutex_lock(&keeper->lock);
	keeper->stopping = true;
	(void)pthread_cond_broadcast(&keeper->changed);
	(void)pthread_mutex_unlock(&keeper->lock);
	(void)pthread_join(keeper->thread, NULL);
	(void)pthread_cond_destroy(&keeper->changed);
	(void)pthread_mutex_destroy(&keeper->lock);
	free(keeper);
}
