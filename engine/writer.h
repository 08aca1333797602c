/* writer.h - what an image open for writing keeps in memory until a flush: the write path of
 * FORMAT.md 8.
 *
 * Rules R1 to R7: data first, then (after a barrier) the metadata that makes it visible; what a
 * flush writes is the state frozen at its start.
 *
 * Lock order: flush_lock, gate, stripe, grow_lock, lock, then image->meta.lock. `lock` is never
 * held over I/O.
 */
#ifndef WRITER_H
#define WRITER_H

#include "image.h"

enum {
	WRITER_STRIPES = 64,
	WRITER_DIRTY_MAX = 8 << 20, /* bytes of dirty metadata: memory stays bounded */
	WRITER_FULL = 1,            /* no failure: there is as much of it, flush and try again */
};

/* Metadata of one block that the file does not have yet. */
struct dirty_block {
	uint32_t block;
	bool fresh;          /* the table does not name it yet, the whole bitmap is to be written */
	uint64_t start;      /* sector of its bitmap */
	uint64_t before;     /* fresh: where the file's data ended when it was placed, bytes */
	uint8_t changed[16]; /* which sectors of the bitmap, one bit each; not for fresh blocks */
	uint8_t bits[];      /* image->bitmap_size */
};

struct writer {
	pthread_rwlock_t gate; /* shared by every write, alone for the freeze of a flush */
	pthread_rwlock_t
		stripes[WRITER_STRIPES]; /* by block: shared by readers, alone for a write */
	pthread_mutex_t flush_lock;      /* one flush at a time */
	pthread_mutex_t grow_lock;       /* guards `end`, and the length of the file */
	uint64_t end;           /* bytes: where the tail footer is and the next block may start */
	pthread_mutex_t lock;   /* guards what follows */
	void *dirty, *flushing; /* tsearch trees of struct dirty_block by block */
	atomic_uint pending;    /* blocks in both; 0: the file knows everything */
	uint64_t epoch_open, epoch_written, epoch_durable;
	uint64_t dirty_bytes;
	uint32_t dirty_blocks, allocated;
	uint64_t changes;
	bool frozen;
	atomic_bool failed;
	uint32_t bitmap_size; /* of the image, never changes */
};

int writer_new(const struct image *image, struct writer **ret_writer, struct vhd_error *err);
void writer_free(struct writer *writer); /* NULL is fine */

/* The stripe of a sector; NULL-safe for images without writer. `alone` is for writers; VHD_NOWAIT
 * may answer VHD_E_AGAIN. */
pthread_rwlock_t *writer_stripe(const struct image *image, uint64_t sector);
int writer_share(const struct image *image, uint64_t sector, unsigned flags, struct vhd_error *err);
void writer_unshare(const struct image *image, uint64_t sector);

/* What is not in the file yet: where a block was put, and its bits. False: the file knows better.
 */
bool writer_block(struct writer *writer, uint32_t block, uint64_t *ret_start);
/* The first block from `block` on and below `limit` of which that is so. */
uint32_t writer_next(struct writer *writer, uint32_t block, uint32_t limit);
bool writer_bits(struct writer *writer, const struct bits_at *at, uint8_t *ret_bits);

/* Whether another dirty block has no room; writer->lock is held. */
bool writer_full(const struct writer *writer);

/* dirty.c: the trees; writer->lock is held. */
struct dirty_block *dirty_find(void *tree, uint32_t block);
int dirty_insert(void **tree, struct dirty_block *dirty, struct vhd_error *err);
void dirty_forget(void **tree, struct dirty_block *dirty); /* it is the caller's again */
void dirty_free(void **tree);
/* The first one from `block` on, below `limit`; `limit` when there is none. */
uint32_t dirty_next(const void *tree, uint32_t block, uint32_t limit);
/* In ascending order of blocks. */
int dirty_list(void *tree, struct dirty_block ***ret_list, size_t *ret_n, struct vhd_error *err);

/* The dirty state of a block that the file has, for setting bits in it: found, or made from the
 * newest bits. The block's stripe is held alone and the gate shared. May be WRITER_FULL. */
int dirty_get(struct image *image, uint32_t block, uint64_t start, struct dirty_block **ret_dirty,
	      struct vhd_error *err);
/* Sets the bits of `count` sectors from `first` (of the block) on, and forgets what the index says
 * of them. */
void dirty_mark(struct image *image, struct dirty_block *dirty, uint32_t first, uint32_t count);

/* allocate.c. The block's stripe is held alone and the gate shared. May be WRITER_FULL. */
int allocate_block(struct image *image, uint32_t block, struct dirty_block **ret_dirty,
		   struct vhd_error *err);
void allocate_undo(struct image *image, struct dirty_block *dirty);

/* flush.c */
int writer_flush(struct image *image, uint64_t epoch, struct vhd_error *err);
bool writer_is_behind(const struct image *image); /* and a flush would help */
/* The same for what has come until now, with flush_lock held and the gate shut. */
int writer_flush_rest(struct image *image, struct vhd_error *err);
int writer_freeze(struct image *image, struct vhd_error *err);
int writer_thaw(struct image *image, struct vhd_error *err);

#endif
