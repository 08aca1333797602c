/* uploads.c - a ring for each image, and the rings of the last images. */
#include "uploads.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum { RINGS = 256 };

struct ring {
	struct ring *next;
	uint8_t id[IDS_SIZE];
	size_t n; /* uploads there ever were */
	struct service_upload items[SERVICE_UPLOADS];
};

struct uploads {
	pthread_mutex_t lock; /* guards all; held for a copy at most */
	uint64_t number;
	struct ring *rings; /* heap; the one where an upload began or ended last comes first */
};

struct uploads *uploads_new(void)
{
	struct uploads *uploads = calloc(1, sizeof *uploads);

	if (uploads)
		(void)pthread_mutex_init(&uploads->lock, NULL);
	return uploads;
}

static struct ring *take(struct ring **at)
{
	struct ring *ring = *at;

	*at = ring->next;
	return ring;
}

static void put_first(struct uploads *uploads, struct ring *ring)
{
	ring->next = uploads->rings;
	uploads->rings = ring;
}

void uploads_free(struct uploads *uploads)
{
	if (!uploads)
		return;
	while (uploads->rings)
		free(take(&uploads->rings));
	(void)pthread_mutex_destroy(&uploads->lock);
	free(uploads);
}

/* Where the ring of the image is in the list; at the end of it: there is none. */
static struct ring **find(struct uploads *uploads, const uint8_t id[IDS_SIZE])
{
	struct ring **at = &uploads->rings;

	while (*at && !ids_equal((*at)->id, id))
		at = &(*at)->next;
	return at;
}

static bool runs(const struct ring *ring)
{
	for (size_t i = 0; i < ring->n && i < SERVICE_UPLOADS; i++) {
		if (ring->items[i].ended_at == 0)
			return true;
	}
	return false;
}

/* The oldest make room for one more, unless somebody still writes: of those there are as many as
 * connections at most. */
static void make_room(struct uploads *uploads)
{
	struct ring **at = &uploads->rings;
	size_t n = 1;

	while (*at) {
		if (n < RINGS || runs(*at)) {
			at = &(*at)->next;
			n++;
		} else {
			free(take(at));
		}
	}
}

/* The ring of the image comes first, a new one if there was none. NULL: out of memory. */
static struct ring *first(struct uploads *uploads, const uint8_t id[IDS_SIZE])
{
	struct ring **at = find(uploads, id);
	struct ring *ring;

	if (*at) {
		ring = take(at);
	} else {
		make_room(uploads);
		ring = calloc(1, sizeof *ring);
		if (!ring)
			return NULL;
		memcpy(ring->id, id, IDS_SIZE);
	}
	put_first(uploads, ring);
	return ring;
}

uint64_t uploads_begin(struct uploads *uploads, const uint8_t id[IDS_SIZE],
		       const struct service_upload *upload)
{
	struct ring *ring;
	uint64_t number = 0;

	(void)pthread_mutex_lock(&uploads->lock);
	ring = first(uploads, id);
	if (ring) {
		struct service_upload *item = &ring->items[ring->n++ % SERVICE_UPLOADS];

		number = ++uploads->number;
		*item = *upload;
		item->number = number;
		item->began_at = clock_wall_ms();
		item->ended_at = 0;
	}
	(void)pthread_mutex_unlock(&uploads->lock);
	return number;
}

void uploads_note(struct uploads *uploads, const uint8_t id[IDS_SIZE], uint64_t number,
		  uint64_t written, const char *outcome)
{
	struct ring **at;

	(void)pthread_mutex_lock(&uploads->lock);
	at = find(uploads, id);
	for (size_t i = 0; *at && i < SERVICE_UPLOADS; i++) {
		struct service_upload *item = &(*at)->items[i];

		if (item->number != number)
			continue;
		item->written = written;
		if (outcome) {
			(void)snprintf(item->outcome, sizeof item->outcome, "%s", outcome);
			item->ended_at = clock_wall_ms();
			put_first(uploads, take(at));
		}
		break;
	}
	(void)pthread_mutex_unlock(&uploads->lock);
}

void uploads_forget(struct uploads *uploads, const uint8_t id[IDS_SIZE])
{
	struct ring **at;

	(void)pthread_mutex_lock(&uploads->lock);
	at = find(uploads, id);
	if (*at)
		free(take(at));
	(void)pthread_mutex_unlock(&uploads->lock);
}

size_t uploads_list(struct uploads *uploads, const uint8_t id[IDS_SIZE],
		    struct service_upload ret_list[SERVICE_UPLOADS])
{
	const struct ring *ring;
	size_t n = 0;

	(void)pthread_mutex_lock(&uploads->lock);
	ring = *find(uploads, id);
	for (; ring && n < ring->n && n < SERVICE_UPLOADS; n++)
		ret_list[n] = ring->items[(ring->n - 1 - n) % SERVICE_UPLOADS];
	(void)pthread_mutex_unlock(&uploads->lock);
	return n;
}
