/* images_flush.c - makes writes durable: a few threads that take one image at a time, and a keeper
 * that sees to old writes and to images that nobody uses. Who waits for an epoch sits in a list,
 * not in a thread. */
#include <string.h>

#include "clock.h"
#include "crash_point.h"
#include "failure.h"
#include "images_table.h"
#include "log.h"

/* ---- writes ---- */

/* Before the first write of a generation is accepted, the catalog says so durably. */
static int begin_generation(struct image *image, struct vhd_error *err)
{
	struct images *images = image->images;
	struct catalog_error why;
	uint64_t generation;
	bool written;
	int r = 0;

	(void)pthread_mutex_lock(&image->first_write);
	(void)pthread_mutex_lock(&images->lock);
	written = image->written;
	(void)pthread_mutex_unlock(&images->lock);
	if (!written)
		r = catalog_mark_dirty(images->catalog, image->id, &generation, &why);
	if (!written && r == 0) {
		(void)pthread_mutex_lock(&images->lock);
		image->generation = generation;
		image->written = true;
		(void)pthread_mutex_unlock(&images->lock);
	}
	(void)pthread_mutex_unlock(&image->first_write);
	if (r == 0)
		return 0;
	return failure(err, r == CATALOG_E_NOSPC ? VHD_E_NOSPC : VHD_E_IO, "%s", why.text);
}

static int prepare_write(struct image *image, struct vhd_error *err)
{
	bool written, failed;

	(void)pthread_mutex_lock(&image->images->lock);
	written = image->written;
	failed = image->failed;
	(void)pthread_mutex_unlock(&image->images->lock);
	if (failed)
		return failure(err, VHD_E_FAILED, "an earlier sync failed");
	return written ? 0 : begin_generation(image, err);
}

static void accepted(struct image *image)
{
	struct images *images = image->images;
	struct vhd_state state;

	vhd_state(image->disk, &state);
	(void)pthread_mutex_lock(&images->lock);
	if (!image->dirty_ms)
		image->dirty_ms = clock_monotonic_ms();
	if (state.dirty_bytes >= images->flush_bytes || state.dirty_blocks >= images->flush_blocks)
		images_flush_queue(image);
	(void)pthread_mutex_unlock(&images->lock);
}

int images_write(struct image *image, const void *buf, size_t len, uint64_t off,
		 struct vhd_accepted *ret_accepted, struct vhd_error *err)
{
	int r = prepare_write(image, err);

	if (r < 0)
		return r;
	r = vhd_write(image->disk, buf, len, off, ret_accepted, err);
	CRASH_POINT("write.accepted");
	/* Also after a failure: a part may have been written. */
	accepted(image);
	return r;
}

int images_zero(struct image *image, uint64_t off, uint64_t len, struct vhd_accepted *ret_accepted,
		struct vhd_error *err)
{
	int r = prepare_write(image, err);

	if (r < 0)
		return r;
	r = vhd_zero(image->disk, off, len, ret_accepted, err);
	CRASH_POINT("zero.accepted");
	accepted(image);
	return r;
}

/* ---- flushes ---- */

static void note_failure(struct image *image, const struct vhd_error *err);

int images_set_footer(struct image *image, const struct vhd_footer *footer, struct vhd_error *err)
{
	struct vhd_state state;
	int r = prepare_write(image, err);

	if (r < 0)
		return r;
	r = vhd_set_footer(image->disk, footer, err);
	vhd_state(image->disk, &state);
	if (r == 0 || !state.failed)
		return r;
	(void)pthread_mutex_lock(&image->images->lock);
	note_failure(image, err);
	(void)pthread_mutex_unlock(&image->images->lock);
	return r;
}

void images_flush_queue(struct image *image)
{
	struct images *images = image->images;

	if (image->flushing)
		image->again = true;
	if (image->flushing || image->queued)
		return;
	image->queued = true;
	image->next_queued = NULL;
	*images->flush_last = image;
	images->flush_last = &image->next_queued;
	(void)pthread_cond_signal(&images->flush_added);
}

/* Takes the image off the list of flushers, where it may still wait for its turn. */
void images_flush_unqueue(struct image *image)
{
	struct images *images = image->images;
	struct image **at = &images->flush_first;

	if (!image->queued)
		return;
	while (*at != image)
		at = &(*at)->next_queued;
	*at = image->next_queued;
	if (!*at)
		images->flush_last = at;
	image->queued = false;
}

void images_flush(struct image *image, struct images_waiter *waiter)
{
	struct images *images = image->images;
	struct vhd_state state;
	int code = 0;
	bool wait;

	vhd_state(image->disk, &state);
	(void)pthread_mutex_lock(&images->lock);
	if (!waiter->epoch)
		waiter->epoch = state.epoch_written;
	if (image->failed || state.failed)
		code = VHD_E_FAILED;
	wait = code == 0 && waiter->epoch > state.epoch_durable;
	if (wait) {
		waiter->next = image->waiters;
		image->waiters = waiter;
		images_flush_queue(image);
	}
	(void)pthread_mutex_unlock(&images->lock);
	if (!wait)
		waiter->done(waiter, code);
}

/* With the lock: takes the waiters that have their answer off the list. */
static struct images_waiter *answered(struct image *image, int r, uint64_t durable)
{
	struct images_waiter **at = &image->waiters, *list = NULL;

	while (*at) {
		struct images_waiter *waiter = *at;

		if (r == 0 && waiter->epoch > durable) {
			at = &waiter->next;
			continue;
		}
		*at = waiter->next;
		waiter->result = r < 0 && r != VHD_E_NOSPC ? VHD_E_IO : r;
		waiter->next = list;
		list = waiter;
	}
	return list;
}

static void tell(struct images_waiter *list)
{
	while (list) {
		struct images_waiter *waiter = list;

		list = waiter->next;
		waiter->done(waiter, waiter->result);
	}
}

void images_flush_failed(struct image *image)
{
	image->failed = true;
	catalog_checked(image->images->catalog, image->id, clock_wall_ms());
	images_open_draw_verifier(image->images);
}

/* With the lock, after a flush that failed. A full store or lack of memory has lost nothing: it is
 * tried again. */
static void note_failure(struct image *image, const struct vhd_error *err)
{
	struct vhd_state state;
	char text[IDS_TEXT];

	ids_format(image->id, text);
	vhd_state(image->disk, &state);
	log_error("image %s: sync failed: %s", text, err->text);
	if (!state.failed) {
		image->dirty_ms = clock_monotonic_ms();
		return;
	}
	images_flush_failed(image);
}

/* With the lock, which is given away for the flush itself. */
static struct images_waiter *flush_one(struct image *image)
{
	struct images *images = image->images;
	struct vhd_error err = {0};
	struct catalog_usage usage = {0};
	struct images_waiter *list;
	struct vhd_state state;
	int r;

	image->flushing = true;
	image->again = false;
	image->dirty_ms = 0;
	(void)pthread_mutex_unlock(&images->lock);
	r = vhd_flush(image->disk, 0, &err);
	CRASH_POINT("flush.unanswered");
	vhd_state(image->disk, &state);
	images_usage(image, &usage);
	(void)pthread_mutex_lock(&images->lock);
	image->flushing = false;
	image->usage = usage;
	image->measured = true;
	if (r < 0)
		note_failure(image, &err);
	list = answered(image, r, state.epoch_durable);
	if (image->waiters || (r == 0 && image->again))
		images_flush_queue(image);
	(void)pthread_cond_broadcast(&images->changed);
	return list;
}

/* With the lock: the first image of the queue. Who holds one sees to it alone, and nobody waits for
 * that one. */
static struct image *next(struct images *images)
{
	struct image *image;

	do {
		image = images->flush_first;
		if (!image)
			return NULL;
		images->flush_first = image->next_queued;
		if (!images->flush_first)
			images->flush_last = &images->flush_first;
		image->queued = false;
	} while (image->held || !image->disk);
	return image;
}

static void *flusher(void *ctx)
{
	struct images *images = ctx;

	(void)pthread_mutex_lock(&images->lock);
	for (;;) {
		struct image *image = next(images);
		struct images_waiter *list;

		if (!image && images->stopping)
			break;
		if (!image) {
			(void)pthread_cond_wait(&images->flush_added, &images->lock);
			continue;
		}
		list = flush_one(image);
		(void)pthread_mutex_unlock(&images->lock);
		tell(list);
		(void)pthread_mutex_lock(&images->lock);
	}
	(void)pthread_mutex_unlock(&images->lock);
	return NULL;
}

/* ---- the keeper ---- */

static void flush_old(struct images *images, int64_t now)
{
	for (size_t i = 0; i < IMAGES_BUCKETS; i++) {
		for (struct image *image = images->buckets[i]; image; image = image->next) {
			if (image->disk && !image->failed && !image->held && image->dirty_ms &&
			    now - image->dirty_ms >= images->flush_ms)
				images_flush_queue(image);
		}
	}
}

/* The one that nobody has used for the longest time, or NULL. */
static struct image *idle(struct images *images)
{
	struct image *oldest = NULL;

	for (size_t i = 0; i < IMAGES_BUCKETS; i++) {
		for (struct image *image = images->buckets[i]; image; image = image->next) {
			if (image->disk && !image->failed && !image->held && !image->pins &&
			    !image->flushing && !image->queued &&
			    (!oldest || image->used_ms < oldest->used_ms))
				oldest = image;
		}
	}
	return oldest;
}

/* With the lock, which is given away while one is closed. */
static int close_one(struct image *image)
{
	struct images *images = image->images;
	struct vhd_error err = {0};
	int r;

	images_users_hold(image);
	(void)pthread_mutex_unlock(&images->lock);
	r = images_close(image, &err);
	(void)pthread_mutex_lock(&images->lock);
	if (r < 0) {
		note_failure(image, &err);
		image->used_ms = clock_monotonic_ms(); /* it is another one's turn */
	}
	(void)pthread_mutex_unlock(&images->lock);
	images_release(image);
	(void)pthread_mutex_lock(&images->lock);
	return r;
}

static void close_idle(struct images *images)
{
	while (images->n_open > images->open_max && !images->stopping) {
		struct image *image = idle(images);

		/* One that cannot be closed now is tried again later. */
		if (!image || close_one(image) < 0)
			return;
	}
}

bool images_flush_close_idle(struct images *images)
{
	struct image *image;
	bool closed;

	(void)pthread_mutex_lock(&images->lock);
	image = images->stopping ? NULL : idle(images);
	closed = image && close_one(image) == 0;
	(void)pthread_mutex_unlock(&images->lock);
	return closed;
}

static void *keeper(void *ctx)
{
	struct images *images = ctx;
	int64_t pause = images->flush_ms < 1000 ? images->flush_ms : 500;

	(void)pthread_mutex_lock(&images->lock);
	while (!images->stopping) {
		struct timespec deadline = clock_deadline(pause);

		flush_old(images, clock_monotonic_ms());
		close_idle(images);
		if (!images->stopping)
			(void)pthread_cond_timedwait(&images->keeper_wakes, &images->lock,
						     &deadline);
	}
	(void)pthread_mutex_unlock(&images->lock);
	return NULL;
}

int images_flush_start(struct images *images)
{
	for (; images->n_flushers < IMAGES_FLUSHERS; images->n_flushers++) {
		if (pthread_create(&images->flushers[images->n_flushers], NULL, flusher, images) !=
		    0)
			return -1;
	}
	if (pthread_create(&images->keeper, NULL, keeper, images) != 0)
		return -1;
	images->has_keeper = true;
	return 0;
}

void images_flush_stop(struct images *images)
{
	(void)pthread_mutex_lock(&images->lock);
	images->stopping = true;
	(void)pthread_cond_broadcast(&images->flush_added);
	(void)pthread_cond_broadcast(&images->keeper_wakes);
	(void)pthread_mutex_unlock(&images->lock);
	for (size_t i = 0; i < images->n_flushers; i++)
		(void)pthread_join(images->flushers[i], NULL);
	if (images->has_keeper)
		(void)pthread_join(images->keeper, NULL);
	images->n_flushers = 0;
	images->has_keeper = false;
}
