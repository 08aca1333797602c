/* uploads.c - a ring for each image, and the rings of the last images. */
#include "uploads.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum { RINGS = 256 };

struct ring {
	uint8_t id[IDS_SIZE];
	uint64_t last; /* number of the last upload, which says how old the ring is */
	size_t n;      /* uploads there ever were */
	struct service_upload items[SERVICE_UPLOADS];
};

struct uploads {
	pthread_mutex_t lock; /* guards all; held for a copy at most */
	uint64_t number;
	struct ring *rings[RINGS]; /* heap; those that there are come first */
};

struct uploads *uploads_new(void)
{
	struct uploads *uploads = calloc(1, sizeof *uploads);

	if (uploads)
		(void)pthread_mutex_init(&uploads->lock, NULL);
	return uploads;
}

void uploads_free(struct uploads *uploads)
{
	if (!uploads)
		return;
	for (size_t i = 0; i < RINGS; i++)
		free(uploads->rings[i]);
	(void)pthread_mutex_destroy(&uploads->lock);
	free(uploads);
}

/* RINGS: there is none. */
static size_t place_of(const struct uploads *uploads, const uint8_t id[IDS_SIZE])
{
	for (size_t i = 0; i < RINGS && uploads->rings[i]; i++) {
		if (ids_equal(uploads->rings[i]->id, id))
			return i;
	}
	return RINGS;
}

static struct ring *find(const struct uploads *uploads, const uint8_t id[IDS_SIZE])
{
	size_t i = place_of(uploads, id);

	return i < RINGS ? uploads->rings[i] : NULL;
}

/* An empty ring for the image, in the place of the oldest when there is no other. */
static struct ring *add(struct uploads *uploads, const uint8_t id[IDS_SIZE])
{
	struct ring **at = &uploads->rings[0];

	for (size_t i = 0; i < RINGS && *at; i++) {
		if (!uploads->rings[i] || uploads->rings[i]->last < (*at)->last)
			at = &uploads->rings[i];
	}
	if (!*at)
		*at = calloc(1, sizeof **at);
	if (!*at)
		return NULL;
	(*at)->n = 0;
	memcpy((*at)->id, id, IDS_SIZE);
	return *at;
}

uint64_t uploads_begin(struct uploads *uploads, const uint8_t id[IDS_SIZE],
		       const struct service_upload *upload)
{
	struct ring *ring;
	uint64_t number = 0;

	(void)pthread_mutex_lock(&uploads->lock);
	ring = find(uploads, id);
	if (!ring)
		ring = add(uploads, id);
	if (ring) {
		struct service_upload *item = &ring->items[ring->n++ % SERVICE_UPLOADS];

		number = ++uploads->number;
		ring->last = number;
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
	struct ring *ring;

	(void)pthread_mutex_lock(&uploads->lock);
	ring = find(uploads, id);
	for (size_t i = 0; ring && i < SERVICE_UPLOADS; i++) {
		struct service_upload *item = &ring->items[i];

		if (item->number != number)
			continue;
		item->written = written;
		if (outcome) {
			(void)snprintf(item->outcome, sizeof item->outcome, "%s", outcome);
			item->ended_at = clock_wall_ms();
		}
	}
	(void)pthread_mutex_unlock(&uploads->lock);
}

void uploads_forget(struct uploads *uploads, const uint8_t id[IDS_SIZE])
{
	size_t i, last;

	(void)pthread_mutex_lock(&uploads->lock);
	i = place_of(uploads, id);
	for (last = i; last + 1 < RINGS && uploads->rings[last + 1]; last++)
		;
	if (i < RINGS) {
		free(uploads->rings[i]);
		uploads->rings[i] = uploads->rings[last];
		uploads->rings[last] = NULL;
	}
	(void)pthread_mutex_unlock(&uploads->lock);
}

size_t uploads_list(struct uploads *uploads, const uint8_t id[IDS_SIZE],
		    struct service_upload ret_list[SERVICE_UPLOADS])
{
	const struct ring *ring;
	size_t n = 0;

	(void)pthread_mutex_lock(&uploads->lock);
	ring = find(uploads, id);
	for (; ring && n < ring->n && n < SERVICE_UPLOADS; n++)
		ret_list[n] = ring->items[(ring->n - 1 - n) % SERVICE_UPLOADS];
	(void)pthread_mutex_unlock(&uploads->lock);
	return n;
}
