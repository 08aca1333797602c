/* cache.c - the ring of cached objects and its clock hand. */
#include "cache.h"

enum { TRIM_STEPS = 256 };

void cache_init(struct cache *cache, size_t budget)
{
	pthread_mutex_init(&cache->lock, NULL);
	cache->budget = budget;
	atomic_init(&cache->used, 0);
	cache->hand = NULL;
}

void cache_fini(struct cache *cache)
{
	pthread_mutex_destroy(&cache->lock);
}

static void ring_insert(struct cache *cache, struct cache_obj *obj)
{
	if (!cache->hand) {
		obj->prev = obj->next = cache->hand = obj;
		return;
	}
	obj->next = cache->hand; /* just behind the hand: the last to be looked at */
	obj->prev = cache->hand->prev;
	obj->prev->next = obj->next->prev = obj;
}

static void ring_remove(struct cache *cache, struct cache_obj *obj)
{
	if (cache->hand == obj)
		cache->hand = obj->next == obj ? NULL : obj->next;
	obj->prev->next = obj->next;
	obj->next->prev = obj->prev;
	atomic_fetch_sub(&cache->used, obj->bytes);
}

void cache_add(struct cache *cache, struct cache_owner *owner, struct cache_obj *obj, size_t bytes)
{
	obj->owner = owner;
	obj->bytes = bytes;
	atomic_init(&obj->used, true);
	pthread_mutex_lock(&cache->lock);
	ring_insert(cache, obj);
	atomic_fetch_add(&cache->used, bytes);
	pthread_mutex_unlock(&cache->lock);
}

void cache_remove(struct cache *cache, struct cache_obj *obj)
{
	pthread_mutex_lock(&cache->lock);
	ring_remove(cache, obj);
	pthread_mutex_unlock(&cache->lock);
}

/* Evicts the object under the hand or passes it. With cache->lock held. */
static void hand_step(struct cache *cache)
{
	struct cache_obj *obj = cache->hand;
	struct cache_owner *owner = obj->owner;

	cache->hand = obj->next;
	if (atomic_exchange_explicit(&obj->used, false, memory_order_relaxed))
		return;
	if (pthread_mutex_trylock(&owner->lock) != 0)
		return;
	ring_remove(cache, obj);
	owner->drop(owner, obj);
	pthread_mutex_unlock(&owner->lock);
}

void cache_trim(struct cache *cache)
{
	if (atomic_load(&cache->used) <= cache->budget)
		return;
	pthread_mutex_lock(&cache->lock);
	/* The first round clears marks, the second evicts. A few steps a call, as nobody shall wait
	 * for the whole ring: every call adds at most one object, so the budget is reached all the
	 * same. */
	for (int left = TRIM_STEPS;
	     left > 0 && cache->hand && atomic_load(&cache->used) > cache->budget; left--)
		hand_step(cache);
	pthread_mutex_unlock(&cache->lock);
}
