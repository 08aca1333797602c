/* images_table.h - what images*.c share. */
#ifndef IMAGES_TABLE_H
#define IMAGES_TABLE_H

#include <pthread.h>
#include <stdlib.h>

#include "actor.h"
#include "images.h"

enum {
	IMAGES_BUCKETS = 4096,
	IMAGES_FLUSHERS = 4,
	IMAGES_WAIT_MS = 2000, /* for a lock */
};

/* Guarded by the lock of the table, but for what says otherwise. `disk`, `writable`, `broken` and
 * `blocks` change only while the image is held, and may be read by whoever has a pin, a seal or the
 * hold. */
struct image {
	struct images *images; /* constant, as is `id` */
	uint8_t id[IDS_SIZE];
	struct image *next; /* in its bucket */

	struct vhd *disk; /* NULL = closed */
	uint64_t blocks;  /* allocated when it was opened */
	uint64_t generation;
	unsigned pins, writers, seals;
	unsigned granted; /* of the seals, the ones that wait for nobody any more */
	bool held;
	char held_by[ACTOR_NAME];
	struct images_user *users;    /* of pins and seals, the last one first */
	bool alone;                   /* its one seal is IMAGES_ALONE */
	bool writable;                /* opened with VHD_WRITE */
	bool unrepaired;              /* nobody can write it, and nobody knows that it was closed */
	bool broken;                  /* opened while its chain missed a parent */
	uint8_t missing_id[IDS_SIZE]; /* that one */
	bool frozen;                  /* a child was made since; thaw it before it is written */
	bool written;                 /* the catalog knows that it is dirty, in this generation */
	bool failed;   /* a sync failed: it is used again when it was opened anew, with recovery */
	bool flushing; /* a flusher works on it without the lock */
	bool queued, again;
	bool measured;    /* `usage` is of the last flush */
	int64_t used_ms;  /* last unpin */
	int64_t dirty_ms; /* when the oldest unflushed write came; 0 = there is none */
	struct image *next_queued;
	struct images_waiter *waiters;
	uint64_t epoch_base; /* no less than any epoch that was told of this image before */
	struct vhd_locator *locators; /* NULL = not read yet; constant while the disk is open */
	struct catalog_usage usage;

	/* Taken before the lock of the table: one thread commits `written`. */
	pthread_mutex_t first_write;
	pthread_rwlock_t content; /* before first_write: see images_content_lock */
};

/* Lock order: content of an image, its first_write, `lock` of the table, then those of the catalog
 * and of the engine. */
struct images {
	struct vhd_engine *engine; /* constant, as are the next ones */
	struct catalog *catalog;
	const struct pool_set *pools;
	struct reconcile *reconcile;
	uint64_t flush_bytes, flush_blocks;
	int64_t flush_ms;
	size_t open_max;

	pthread_mutex_t
		lock; /* guards all that follows, but for the threads; never held over I/O */
	pthread_cond_t changed; /* a pin, seal, hold or flush has gone */
	struct image *buckets[IMAGES_BUCKETS];
	size_t n_open;
	uint64_t epoch_high; /* no epoch of a closed image was higher */
	char verifier[IMAGES_VERIFIER];

	pthread_cond_t flush_added;
	struct image *flush_first, **flush_last;
	bool stopping;
	pthread_cond_t keeper_wakes;
	pthread_t flushers[IMAGES_FLUSHERS], keeper;
	size_t n_flushers;
	bool has_keeper;
};

/* images_open.c: these without the lock, on an image that is held. */
int images_open_disk(struct image *image, enum images_mode mode, struct vhd_error *err);
int images_open_close(struct image *image, struct vhd_error *err);
/* It is closed. VHD_E_UNCLEAN: nobody can write there, and its file was read anew. */
int images_open_repair(struct image *image, struct vhd_error *err);
void images_open_install(struct image *image, struct vhd *disk); /* of a new image */
void images_open_drop(struct image *image);                      /* closes without a flush */
void images_open_draw_verifier(struct images *images);           /* with the lock */

/* images_users.c, with the lock. A use is IMAGES_READ, IMAGES_WRITE or one of these. */
enum { IMAGES_SEALS = IMAGES_WRITE + 1, IMAGES_ANY_USE };
void images_users_hold(struct image *image); /* for the request of this thread */
void images_users_add(struct image *image, int use);
void images_users_remove(struct image *image, int use);
/* The caller gives up waiting for it, or for those who use it so. */
void images_users_blame(const struct image *image, int use);
/* Whether a child of the image is being deleted by nobody, for whoever does it holds it: it waits
 * for its folder, or to be tried again on a disk that has failed, which may take for ever. */
bool images_users_left_child(struct images *images, const uint8_t id[IDS_SIZE]);

/* images_content.c */
void images_content_init(struct image *image);
/* images_flush.c */
int images_flush_start(struct images *images);
void images_flush_stop(struct images *images);
bool images_flush_close_idle(struct images *images); /* one; false: there is none */
void images_flush_queue(struct image *image);        /* with the lock */
void images_flush_unqueue(struct image *image);      /* likewise, if it is queued */
void images_flush_failed(struct image *image); /* likewise: notes that a sync failed, for good */

/* images.c, with the lock. */
struct image *images_find(struct images *images, const uint8_t id[IDS_SIZE]);
void images_remove(struct image *image);

#endif
