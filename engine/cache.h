/* cache.h - one memory budget for the clean metadata of all open images: second-chance eviction.
 *
 * An object belongs to an owner, whose lock guards it. Lock order: owner, then cache; eviction goes
 * the other way and therefore only tries the owner's lock.
 */
#ifndef CACHE_H
#define CACHE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache_obj {
	struct cache_obj *prev, *next; /* ring; cache->lock */
	struct cache_owner *owner;
	size_t bytes;
	atomic_bool used; /* since the hand passed */
};

struct cache_owner {
	pthread_mutex_t lock;
	/* Forgets and frees `obj`, which is out of the ring already; called with the lock held. */
	void (*drop)(struct cache_owner *owner, struct cache_obj *obj);
};

struct cache {
	pthread_mutex_t lock;
	size_t budget;
	atomic_size_t used;
	struct cache_obj *hand; /* lock */
};

void cache_init(struct cache *cache, size_t budget);
void cache_fini(struct cache *cache); /* when it is empty */

/* With the owner's lock held. */
void cache_add(struct cache *cache, struct cache_owner *owner, struct cache_obj *obj, size_t bytes);
void cache_remove(struct cache *cache, struct cache_obj *obj);

/* Brings the cache back under its budget, as far as owners are not busy. With no lock held. */
void cache_trim(struct cache *cache);

static inline void cache_touch(struct cache_obj *obj)
{
	if (!atomic_load_explicit(&obj->used, memory_order_relaxed))
		atomic_store_explicit(&obj->used, true, memory_order_relaxed);
}

#endif
